# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The plan as people read it. Pure: a plan in, text out."""

from __future__ import annotations

import typing as t

from ..judge._table import table

if t.TYPE_CHECKING:
    from ...module_utils.model._model import Endpoint, Plan


def plan_text(plan: Plan) -> str:
    """All endpoints of a plan, each as a heading, a few facts and a table of its members."""
    return "\n\n".join(_endpoint(endpoint) for endpoint in plan["endpoints"]) + "\n"


def _endpoint(endpoint: Endpoint) -> str:
    vips = ", ".join("%(address)s/%(prefix)s" % vip for vip in endpoint["vips"])
    former = endpoint["former"]
    gone = former["vips"] + ["port %d" % port for port in former["ports"]]
    facts = [
        ("virtual IP", "%s, port %d" % (vips, endpoint["port"])),
        *([("former", "%s, served until endpoint_release_former: true" % ", ".join(gone))] if gone else []),
        ("kubeadm", "--control-plane-endpoint %s" % endpoint["control_plane_endpoint"]),
        ("runs as", "%s, for keepalived %s and HAProxy %s" % (
            {"service": "OS services", "static_pod": "static pods"}[endpoint["mode"]],
            endpoint["versions"]["keepalived"], endpoint["versions"]["haproxy"])),
        ("failover", _failover(endpoint)),
        ("API servers", ", ".join("%(name)s (%(address)s:%(port)d)" % server for server in endpoint["backends"])),
    ]
    lines = ["%s" % endpoint["name"]] + ["  %-12s %s" % fact for fact in facts]
    rows = [
        (member["host"], instance["family"], member["state"], str(member["priority"]), member["interface"],
         member["address"], str(instance["virtual_router_id"]))
        for instance in endpoint["instances"] for member in instance["members"]]
    members = table(("BALANCER", "FAMILY", "STATE", "PRIORITY", "INTERFACE", "ADDRESS", "VRID"), rows)
    return "\n".join(lines) + "\n\n" + "\n".join("  " + line for line in members.splitlines())


def _failover(endpoint: Endpoint) -> str:
    timing = endpoint["timing"]
    lost = timing["advert_interval"] * (timing["down_timer_adverts"] or 3)
    text = "%s timing, a silent holder is replaced after %.1f s" % (timing["profile"], lost)
    if endpoint["failback"]:
        return text + ", the preferred host returns %g s after it is well" % endpoint["failback_delay"]
    return text + ", the VIP stays where it went"
