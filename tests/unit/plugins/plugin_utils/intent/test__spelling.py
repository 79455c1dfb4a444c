# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables that are nearly ours are noticed, and those of others are left alone."""

from __future__ import annotations

import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.intent import _spelling
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.intent._spelling import distance, meant

KNOWN = frozenset({
    "endpoint_vip", "endpoint_port", "endpoint_apiserver_port", "endpoint_lb_hosts", "endpoint_apiserver_hosts",
    "endpoint_hosts", "endpoint_priority", "endpoint_interface", "endpoint_virtual_router_id", "endpoint_failback",
    "endpoint_failback_delay", "endpoint_auth", "endpoint_auth_password", "endpoint_mode", "endpoint_name",
    "endpoint_list", "endpoint_timing", "endpoint_dns_name", "endpoint_manifest_dir", "endpoint_vrrp_transport",
    "haproxy_maxconn", "haproxy_health_port", "haproxy_package", "haproxy_package_state", "haproxy_image",
    "haproxy_version", "keepalived_package_state", "keepalived_version", "keepalived_image",
})


@pytest.mark.parametrize(("name", "ours"), [
    # Slips, wherever they are.
    ("endpont_port", "endpoint_port"), ("enpoint_vip", "endpoint_vip"), ("endpoints_port", "endpoint_port"),
    ("endpoint_prot", "endpoint_port"), ("endpoint_prioritiy", "endpoint_priority"),
    ("haproxy_verison", "haproxy_version"),
    ("keepalived_packages_state", "keepalived_package_state"), ("keepalivd_version", "keepalived_version"),
    ("endpoint_lb_host", "endpoint_lb_hosts"), ("endpoint_host", "endpoint_hosts"),
    # The same letters or words.
    ("haproxy_max_conn", "haproxy_maxconn"), ("ha_proxy_maxconn", "haproxy_maxconn"), ("Endpoint_VIP", "endpoint_vip"),
    ("keep_alived_version", "keepalived_version"), ("endpoint_hosts_lb", "endpoint_lb_hosts"),
    ("endpointvip", "endpoint_vip"),
    # Words of the field.
    ("endpoint_vrid", "endpoint_virtual_router_id"), ("endpoint_virtual_ips", "endpoint_vip"),
    ("endpoint_vip_address", "endpoint_vip"), ("endpoint_auth_pass", "endpoint_auth_password"),
    ("endpoint_iface", "endpoint_interface"), ("endpoint_nopreempt", "endpoint_failback"),
    ("endpoint_preempt", "endpoint_failback"), ("endpont_vrid", "endpoint_virtual_router_id"),
])
def test_nearly_ours(name: str, ours: str) -> None:
    assert meant(name, KNOWN) == ours


@pytest.mark.parametrize("name", [
    "endpoint_port", "haproxy_exporter_port", "endpoint_security_enabled", "endpoint_url", "endpoint_id", "endpoint",
    "haproxy_stats_port", "haproxy_user", "keepalived_vip", "keepalived_priority", "proxy_port", "entrypoint_port",
    "happy_version", "kube_vip", "point_port", "__endpoint_info", "inventory_hostname", "", "_", "a_" * 40,
])
def test_not_ours(name: str) -> None:
    assert meant(name, KNOWN) is None


def test_aliases_are_no_names_of_ours_and_lead_to_one() -> None:
    assert {"endpoint_" + key for key in _spelling._MEANT.values()} <= KNOWN
    assert not {"endpoint_" + word for word in _spelling._MEANT} & KNOWN


@pytest.mark.parametrize(("word", "second", "slips"), [
    ("", "", 0), ("abc", "abc", 0), ("abc", "", 3), ("abc", "acb", 1), ("abc", "abd", 1), ("abc", "abcd", 1),
    ("ca", "abc", 3),
])
def test_distance(word: str, second: str, slips: int) -> None:
    assert distance(word, second) == distance(second, word) == slips
