# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.kubeha.apiserver.plugins.module_utils.network import _filter
from ansible_collections.kubeha.apiserver.plugins.module_utils.network._filter import Router

ETH0 = Router("eth0", "ipv4", 50)
SIX = Router("eth0", "ipv6", 51)


def endpoint(vrid=50, interface="eth0", peers=("198.51.100.12", "198.51.100.11"), family="ipv4"):
    member = {"host": "cp3", "interface": interface, "address": "198.51.100.13", "peers": list(peers)}
    other = {"host": "cp1", "interface": "eth9", "address": "198.51.100.11", "peers": ["198.51.100.99"]}
    return {"instances": [{"family": family, "virtual_router_id": vrid, "members": [other, member]}]}


def test_a_host_hears_its_peers_by_virtual_router():
    plan = [endpoint(), endpoint(51, "eth0", ["2001:db8::1"], "ipv6"), endpoint(peers=["198.51.100.14"])]
    assert _filter.peers(plan, "cp3") == {
        ETH0: ("198.51.100.11", "198.51.100.12", "198.51.100.14"), SIX: ("2001:db8::1",)}
    assert _filter.peers(plan, "cp8") == {}


def test_by_multicast_of_ipv6_members_speak_from_link_local_addresses():
    spoken = {"transport": "multicast"}
    plan = [{**item, **spoken} for item in (endpoint(51, "eth0", ["2001:db8::1"], "ipv6"),
                                            endpoint(peers=["198.51.100.14"]))]
    known = _filter.peers(plan, "cp3")
    assert known == {ETH0: ("198.51.100.14",), SIX: ("2001:db8::1", "fe80::/10")}
    # They do so still when the transport changes.
    assert _filter.widened({SIX: ("2001:db8::1",), ETH0: ()}, _filter.noted(known))[SIX] == known[SIX]
    assert _filter.peers([{**endpoint(51, "eth0", [], "ipv6"), **spoken}], "cp3") == {SIX: ()}


def drops(known):
    return [line.strip() for line in _filter.rules(known).splitlines() if line.endswith(" drop")]


def test_only_packets_of_a_virtual_router_of_ours_are_dropped_and_not_a_members():
    assert drops({ETH0: ("198.51.100.11", "198.51.100.12"), SIX: ("2001:db8::1",)}) == [
        'iifname "eth0" @th,8,8 50 ip saddr != { 198.51.100.11, 198.51.100.12 } meta l4proto 112 drop',
        'iifname "eth0" @th,8,8 51 ip6 saddr != { 2001:db8::1 } meta l4proto 112 drop']


def test_who_is_alone_hears_nobody():
    assert drops({ETH0: ()}) == ['iifname "eth0" @th,8,8 50 meta nfproto ipv4 meta l4proto 112 drop']


def test_the_table_is_replaced_at_once():
    lines = _filter.rules({}).splitlines()
    assert lines[1:4] == ["add table inet kubeha", "delete table inet kubeha", "table inet kubeha {"]
    assert "policy accept" in lines[5] and not drops({})


def test_former_peers_are_let_in_with_the_same_virtual_router_only():
    planned = {ETH0: ("198.51.100.11",)}
    former = {"eth0 ipv4 50": ["198.51.100.21", "198.51.100.11"], "eth0 ipv4 51": ["198.51.100.31"]}
    assert _filter.widened(planned, former) == {ETH0: ("198.51.100.11", "198.51.100.21")}
    assert _filter.widened(planned, _filter.noted(planned)) == planned


def test_what_a_file_says_of_former_peers_is_no_rule_of_its_own():
    bad = ["0.0.0.0/0", "198.51.100.11 } accept #", "2001:db8::1", "fe80::1%eth0", 7, None]
    assert _filter.widened({ETH0: ()}, {"eth0 ipv4 50": bad}) == {ETH0: ()}


def test_a_listing_is_the_same_in_any_order_of_its_sets():
    one, other = "ip saddr != { 10.0.0.1, 10.0.0.2 } drop\n", "\n  ip saddr != { 10.0.0.2,\t10.0.0.1 } drop"
    assert _filter.normal(one) == _filter.normal(other)
    assert _filter.normal(one) != _filter.normal(other.replace("0.1", "0.3"))


def test_the_service_filters_before_there_is_a_network_and_again_after_the_ruleset_was_emptied():
    unit = _filter.unit("/usr/sbin/nft").splitlines()
    assert "ExecStart=/usr/sbin/nft -f /etc/kubeha/filter.nft" in unit
    assert [line for line in unit if line.startswith("Before=")] == [
        "Before=network-pre.target keepalived.service shutdown.target"]
    assert {"PartOf=nftables.service", "ReloadPropagatedFrom=nftables.service", "RemainAfterExit=yes",
            "CapabilityBoundingSet=CAP_NET_ADMIN", "ProtectSystem=strict"} <= set(unit)
