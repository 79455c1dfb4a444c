# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints Grafana's dashboard, monitoring/dashboard.json, after Grafana's own types have read it."""

from __future__ import annotations

import json
from typing import Any

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.common import BigValueColorMode, BigValueGraphMode, VisibilityMode
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    DashboardCursorSync,
    DataSourceRef,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
    VariableHide,
)

# The user's own: Grafana asks for nothing when it's imported.
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
# A text file that isn't written any more says nothing of now.
FRESH = " and on (instance) (time() - kubeha_textfile_timestamp_seconds < 120)"
GREEN, ORANGE, RED, GREY, BLUE = "green", "orange", "red", "text", "blue"
WIDTH = 24
# HAProxy's own name for an endpoint, and not what else it serves for us.
PROXY = 'proxy=~"$endpoint",proxy!~"kubeha:.*"'
FULL = "haproxy_frontend_current_sessions{%s} / haproxy_frontend_limit_sessions{%s}" % (PROXY, PROXY)


def main() -> None:
    text = json.dumps(json.loads(JSONEncoder(sort_keys=True).encode(dashboard().build())), indent=2, sort_keys=True)
    register_default_plugins()
    again = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(json.loads(text))))
    assert again == json.loads(text)
    print(text)


def dashboard() -> build.Dashboard:
    made = (
        build.Dashboard("API server endpoint: virtual IP and balancers")
        .uid("kubeha-apiserver")
        .description("keepalived and HAProxy as kubeha.apiserver has set them up, by its metrics of VRRP and HAProxy's "
                     "exporter.")
        .tags(["kubeha", "kubernetes", "keepalived", "haproxy"])
        .time("now-3h", "now").refresh("30s").timezone("browser").tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(build.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(
            build.QueryVariable("endpoint").label("Endpoint").datasource(SOURCE).hide(VariableHide.DONT_HIDE)
            .query("label_values(kubeha_endpoint_members, endpoint)").multi(True).include_all(True).all_value(".*"))
    )
    for title, panels in rows():
        made.with_row(build.Row(title))
        for panel in panels:
            made.with_panel(panel)
    return made


def rows() -> list[tuple[str, list[Any]]]:
    return [
        ("Now", [
            number("Hosts with the virtual IP", "sum by (vip) (%s%s)" % (of("kubeha_vip_on_interface"), FRESH),
                   "{{vip}}", [(None, RED), (1, GREEN), (2, RED)], "One is right."),
            number("Hosts that could hold it", "sum by (endpoint) (%s%s)" % (of("kubeha_vrrp_can_hold"), FRESH),
                   "{{endpoint}}", [(None, RED), (2, GREEN)], "With less than two the next failure is an outage."),
            number("Alerts that fire", 'count(ALERTS{alertname=~"Kubeha.*",alertstate="firing"}) or vector(0)',
                   "alerts", [(None, GREEN), (1, RED)], "Of monitoring/alerts.yml."),
            number("Moves in the last hour", 'sum by (vrrp_instance) (increase(%s[1h]))' % of(
                "kubeha_vrrp_transitions_total", 'state="master"'), "{{vrrp_instance}}",
                [(None, GREEN), (3, ORANGE), (12, RED)], "How often a host has become master.").decimals(0),
            number("API servers up",
                   'min by (proxy) (sum by (instance, proxy) (haproxy_server_status{state="UP",%s}))' % PROXY,
                   "{{proxy}}", [(None, RED), (1, ORANGE), (2, GREEN)],
                   "As the balancer sees them that sees the fewest."),
            number("Certificate ends in", "min(kubeha_apiserver_certificate_expiry_timestamp_seconds) - time()",
                   "first", [(None, RED), (21 * 86400, GREEN)], "The first one to end of all API servers.").unit("s"),
        ]),
        ("Virtual IP", [
            states("Who has the virtual IP", of("kubeha_vip_on_interface"), "{{instance}} {{vip}}", "has it", GREEN),
            states("Who could hold it", of("kubeha_vrrp_can_hold"), "{{instance}} {{endpoint}}", "could", BLUE),
            lines("Effective priority", of("kubeha_vrrp_effective_priority"), "{{instance}} {{vrrp_instance}}",
                  "The highest one has the virtual IP. 0: keepalived takes no part.").min(0).max(254),
            lines("Changes of state", "sum by (instance, state) (increase(%s[$__rate_interval]))" % of(
                "kubeha_vrrp_transitions_total"), "{{instance}} {{state}}", "As keepalived has said them.").min(0),
        ]),
        ("What keeps a host away", [
            states("Checks", of("kubeha_check_passed"), "{{instance}} {{check}}", "passed", GREEN),
            states("Drained, moved or stopped by a run", '{__name__=~"kubeha_host_drained|kubeha_host_moving|'
                   'kubeha_vrrp_stopped_by_run|kubeha_haproxy_down"}', "{{instance}} {{__name__}}", "yes", ORANGE),
            states("Daemons", "kubeha_daemon_running", "{{instance}} {{daemon}}", "runs", GREEN),
            states("Configuration by hand, or not loaded",
                   'label_replace(kubeha_configuration_edited, "what", "edited", "", "") or '
                   'label_replace(1 - kubeha_configuration_loaded, "what", "not loaded", "", "")',
                   "{{instance}} {{daemon}} {{what}}", "yes", RED),
        ]),
        ("HAProxy", [
            lines("Connections", "haproxy_frontend_current_sessions{%s}" % PROXY, "{{instance}} {{proxy}}",
                  "Of clients, now."),
            lines("Full by", FULL, "{{instance}} {{proxy}}", "Of the connections that it may have.")
            .unit("percentunit").min(0).max(1),
            lines("New connections", "rate(haproxy_frontend_connections_total{%s}[$__rate_interval])" % PROXY,
                  "{{instance}} {{proxy}}", "A second.").unit("cps").min(0),
            states("API servers", 'haproxy_server_status{state="UP",%s}' % PROXY,
                   "{{instance}} sees {{server}}", "up", GREEN),
        ]),
        ("Whether this can be believed", [
            lines("Age of text files", "time() - kubeha_textfile_timestamp_seconds", "{{instance}}",
                  "Written every 15 s.").unit("s").min(0),
        ]),
    ]


def of(metric: str, more: str = "") -> str:
    return metric + '{endpoint=~"$endpoint"%s}' % (more and "," + more)


def query(expression: str, legend: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(expression).legend_format(legend).datasource(SOURCE).ref_id("A")


def number(title: str, expression: str, legend: str, colors: list[tuple[float | None, str]], text: str) -> stat.Panel:
    return (stat.Panel().title(title).description(text).datasource(SOURCE).span(WIDTH // 6).height(4)
            .with_target(query(expression, legend).instant()).thresholds(thresholds(colors)).no_value("none")
            .color_scheme(build.FieldColor().mode(FieldColorModeId.THRESHOLDS))
            .color_mode(BigValueColorMode.VALUE).graph_mode(BigValueGraphMode.NONE))


def states(title: str, expression: str, legend: str, yes: str, color: str) -> statetimeline.Panel:
    """Of what is 1 or 0."""
    words = {"1": ValueMappingResult(text=yes, color=color, index=0),
             "0": ValueMappingResult(text="no", color=GREY, index=1)}
    return (statetimeline.Panel().title(title).datasource(SOURCE).span(WIDTH // 2).height(8)
            .with_target(query(expression, legend).range()).mappings([ValueMap(options=words)])
            .thresholds(thresholds([(None, GREY), (1, color)])).show_value(VisibilityMode.NEVER).fill_opacity(70))


def lines(title: str, expression: str, legend: str, text: str) -> timeseries.Panel:
    return (timeseries.Panel().title(title).description(text).datasource(SOURCE).span(WIDTH // 2).height(8)
            .with_target(query(expression, legend).range()).line_width(2).fill_opacity(8))


def thresholds(colors: list[tuple[float | None, str]]) -> build.ThresholdsConfig:
    return build.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(
        [Threshold(value=value, color=color) for value, color in colors])


if __name__ == "__main__":
    main()
