# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conflicts on a real segment, with real packets and a real keepalived: each is found, and nothing else is."""

from __future__ import annotations

import json
import re
import subprocess
import time
import typing as t

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.proof._finding import Finding
from ansible_collections.kubeha.apiserver.plugins.module_utils.segment import _claims_io, _packets, _vrrp
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.codes._codes import fix_of
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.judge._wire_verdict import wire_findings
from net import Keepalived, Process, Segment, advertise, instance

HOSTS = ["cp1", "cp2", "cp3"]
BOTH = ("ipv4", "ipv6")
VIP, VIP6 = 100, 100

FILTER = "table %s f { chain c { type filter hook %s priority 0; %s; } }"
NO_PING = """
table inet quiet {
  chain in { type filter hook input priority 0; icmp type echo-request drop; icmpv6 type echo-request drop; }
}
"""
# What most distributions' firewalls come down to.
STATEFUL = """
table inet usual {
  chain in {
    type filter hook input priority 0; policy drop;
    iif lo accept
    ct state established,related accept
    meta l4proto { icmp, ipv6-icmp } accept
  }
}
"""


def codes(findings: t.Iterable[Finding]) -> list[tuple[str, str | None]]:
    return sorted({(finding.code, finding.host) for finding in findings})


def judge(segment: Segment, plan: t.Any, **kwargs: t.Any) -> list[Finding]:
    findings = wire_findings(plan, segment.ask(plan, HOSTS, **kwargs), {})
    assert all(finding.seen and fix_of(finding) for finding in findings)
    return findings


@pytest.mark.parametrize("transport", ["unicast", "multicast"])
def test_nothing_is_found_where_nothing_is_wrong(segment: Segment, transport: str) -> None:
    plan = segment.plan(HOSTS, BOTH, vrrp_transport=transport)
    results = segment.ask(plan)
    assert wire_findings(plan, results, {}) == []
    # It wasn't for want of looking.
    for host in HOSTS:
        for pair in results[host]["reach"]["pairs"]:
            assert pair["received"] >= 8 and pair["received_stack"] >= 3
        for entry in results[host]["probe"]["addresses"]:
            assert entry["probes"] == 3
        assert len(results[host]["reach"]["pairs"]) == 4


@pytest.mark.parametrize("transport,code", [("multicast", "vrid_in_use"), ("unicast", "vrid_in_use_unheard")])
def test_keepalived_of_another_cluster_with_our_virtual_router_id(
    segment: Segment, root: str | None, transport: str, code: str
) -> None:
    segment.add("other", 40)
    config = instance("ipv4", 50, 90, segment.make(200), segment.address("other"), interval=1)
    segment.keepalived("other", config, root).wait_for("Entering MASTER STATE")
    findings = judge(segment, segment.plan(HOSTS, BOTH, vrrp_transport=transport))
    assert codes(findings) == [(code, "cp1")]
    assert segment.address("other") in findings[0].seen and segment.mac("other") in findings[0].seen
    assert "51" in fix_of(findings[0]) and "heard by cp1, cp2 and cp3" in findings[0].seen


def test_our_vip_under_another_virtual_router_id(segment: Segment, root: str | None) -> None:
    segment.add("other", 40)
    config = ""
    for family in BOTH:
        config += instance(family, 77, 90, segment.make(VIP, family), segment.address("other", family))
    segment.keepalived("other", config, root).wait_for("Entering MASTER STATE")
    findings = judge(segment, segment.plan(HOSTS, BOTH))
    assert codes(findings) == [("vip_in_use", "cp1"), ("vip_under_other_vrid", "cp1")]
    assert len(findings) == 4


def test_a_stranger_with_the_vip_that_answers_no_ping(segment: Segment) -> None:
    segment.add("stranger", 41)
    segment.nft(segment.namespace("stranger"), NO_PING)
    for family in BOTH:
        segment.hold("stranger", segment.make(VIP, family))
        ping = ["ip", "netns", "exec", segment.namespace("cp1"), "ping", "-c1", "-W1", segment.make(VIP, family)]
        assert subprocess.run(ping, check=False, stdout=subprocess.DEVNULL).returncode == 1
    findings = judge(segment, segment.plan(HOSTS, BOTH))
    assert codes(findings) == [("vip_in_use", "cp1")]
    assert [segment.mac("stranger") in finding.seen for finding in findings] == [True, True]


@pytest.mark.parametrize("transport", ["unicast", "multicast"])
def test_protocol_112_dropped_in_one_direction(segment: Segment, transport: str) -> None:
    source = segment.address("cp1")
    segment.nft(segment.namespace("cp2"), FILTER % ("ip", "input", f"ip saddr {source} ip protocol 112 drop"))
    findings = judge(segment, segment.plan(HOSTS, BOTH, vrrp_transport=transport))
    assert codes(findings) == [("vrrp_blocked", "cp2")]
    assert "from cp1" in findings[0].seen and source in fix_of(findings[0])


def test_protocol_112_dropped_on_the_way_out(segment: Segment) -> None:
    segment.nft(segment.namespace("cp1"), FILTER % ("inet", "output", "meta l4proto 112 drop"))
    findings = judge(segment, segment.plan(HOSTS, BOTH))
    assert codes(findings) == [("vrrp_blocked", "cp1")]
    assert "it can't send VRRP over IPv4 to cp2 and cp3" in findings[0].seen


@pytest.mark.parametrize("transport", ["unicast", "multicast"])
def test_protocol_112_dropped_between_two_hosts(segment: Segment, transport: str) -> None:
    segment.nft(segment.switch, FILTER % ("bridge", "forward", 'iifname "cp1" oifname "cp3" ip protocol 112 drop'))
    findings = judge(segment, segment.plan(HOSTS, BOTH, vrrp_transport=transport))
    assert codes(findings) == [("vrrp_blocked", "cp3")]
    assert "from cp1 to cp3" in findings[0].seen


def test_protocol_112_dropped_by_the_network_altogether(segment: Segment) -> None:
    segment.nft(segment.switch, FILTER % ("bridge", "forward", "ip protocol 112 drop"))
    findings = judge(segment, segment.plan(HOSTS, BOTH))
    assert codes(findings) == [("vrrp_blocked", "cp2"), ("vrrp_blocked", "cp3")]
    assert len(findings) == 3 and all("between" in finding.seen for finding in findings)


def test_a_stateful_firewall_does_not_hide_behind_answers(segment: Segment) -> None:
    """It lets in what looks like answers to this host's own packets. A backup sends none."""
    for host in HOSTS:
        segment.nft(segment.namespace(host), STATEFUL)
    findings = judge(segment, segment.plan(HOSTS, ("ipv4",)))
    assert codes(findings) == [("vrrp_blocked", host) for host in HOSTS]
    assert all("except as answers" in finding.seen for finding in findings)


def test_a_stateful_firewall_in_between_does_not_hide_either(segment: Segment) -> None:
    # Connection tracking as a hypervisor does it, put together from a set: not every kernel can track in bridges.
    segment.nft(segment.switch, """table bridge f {
        set talked { type ipv4_addr . ipv4_addr; flags dynamic, timeout; timeout 600s; size 64; }
        chain c { type filter hook forward priority 0;
        iifname "cp2" ip protocol 112 update @talked { ip daddr . ip saddr }
        oifname "cp2" ip protocol 112 ip saddr . ip daddr != @talked drop; } }""")
    findings = judge(segment, segment.plan(HOSTS, ("ipv4",)))
    # cp1 keeps no quiet towards cp2, so only cp2's own quiet shows it; cp3 is quiet towards cp2.
    assert ("vrrp_blocked", "cp2") in codes(findings)
    assert any("until cp2 has sent something itself" in finding.seen for finding in findings)


@pytest.mark.parametrize("family", BOTH)
def test_a_rogue_with_priority_255(segment: Segment, family: str) -> None:
    segment.add("rogue", 66)
    source, group = segment.address("rogue", family), _vrrp.GROUPS[family]
    payload = _vrrp.build_advert(source, group, 3, 50, 255, 1.0, [segment.make(VIP, family)])
    packet = _packets.build_ip(_packets.pack(source), _packets.pack(group), _packets.VRRP, payload)
    segment.process("rogue", advertise, packet, _packets.multicast_mac(_packets.pack(group)), 0.5)
    findings = judge(segment, segment.plan(HOSTS, BOTH, vrrp_transport="multicast"))
    assert codes(findings) == [("vrid_priority_255", "cp1")]
    assert segment.mac("rogue") in findings[0].seen


def running(segment: Segment, root: str | None, families: t.Sequence[str], unicast: bool) -> dict[str, Keepalived]:
    """The endpoint as it is once deployed: the first host holds."""
    started = {}
    for number, host in enumerate(HOSTS):
        config = ""
        for family in families:
            peers = [segment.address(peer, family) for peer in HOSTS if peer != host] if unicast else []
            source, vip = segment.address(host, family), segment.make(VIP, family)
            config += instance(family, 50, 150 - number, vip, source, peers)
        started[host] = segment.keepalived(host, config, root)
    started["cp1"].wait_for("Entering MASTER STATE")
    time.sleep(2.5)
    return started


def said(daemon: Keepalived, start: int) -> list[str]:
    """What it logged since then, but for announcing its addresses from time to time."""
    return [line for line in daemon.lines()[start:] if "gratuitous ARP" not in line and "Neighbour Advert" not in line]


@pytest.mark.parametrize("unicast", [True, False])
def test_a_running_endpoint_is_neither_alarming_nor_disturbed(
    segment: Segment, every_root: str | None, unicast: bool
) -> None:
    daemons = running(segment, every_root, BOTH, unicast)
    plan = segment.plan(HOSTS, BOTH, vrrp_transport="unicast" if unicast else "multicast")
    before = {host: daemon.lines() for host, daemon in daemons.items()}
    results = segment.ask(plan)
    assert wire_findings(plan, results, dict.fromkeys(HOSTS, plan)) == []
    assert [said(daemon, len(before[host])) for host, daemon in daemons.items()] == [[], [], []]
    assert results["cp1"]["probe"]["addresses"][0]["held"]
    answers = results["cp2"]["probe"]["addresses"][0]["answers"]
    assert [answer["host"] for answer in answers if "reply" in answer["how"]] == ["cp1"]
    # It's heard, unless it's unicast to somebody else.
    heard = results["cp2"]["scan"]["interfaces"]["eth0"]["routers"]
    assert {(router["source"], router["virtual_router_id"], router["priority"]) for router in heard} == {
        (segment.address("cp1", family), 50, 150) for family in BOTH}
    assert all(abs(router["seen_interval"] - 0.1) < 0.05 for router in heard)


def test_a_holder_outside_of_this_run_is_no_stranger(segment: Segment, root: str | None) -> None:
    running(segment, root, BOTH, True)
    plan = segment.plan(HOSTS, BOTH)
    findings = wire_findings(plan, segment.ask(plan, ["cp2", "cp3"]), {"cp2": plan, "cp3": plan})
    assert codes(findings) == [("vrrp_untested", None)]
    assert findings[0].severity == "info"


def test_a_vip_that_a_member_holds_without_an_endpoint(segment: Segment) -> None:
    segment.hold("cp2", segment.make(VIP))
    findings = judge(segment, segment.plan(HOSTS))
    assert codes(findings) == [("vip_held_unplanned", "cp2")]


def test_two_members_hold(segment: Segment) -> None:
    for host in ("cp2", "cp3"):
        segment.hold(host, segment.make(VIP))
    plan = segment.plan(HOSTS)
    findings = wire_findings(plan, segment.ask(plan), dict.fromkeys(HOSTS, plan))
    assert codes(findings) == [("vip_two_holders", "cp2")]


@pytest.mark.parametrize("holders", [[], ["cp2"], ["cp2", "cp3"]])
def test_every_member_knows_all_that_hold(segment: Segment, holders: list[str]) -> None:
    """A holder, too: it doesn't take itself for the only one."""
    for host in holders:
        for family in BOTH:
            segment.hold(host, segment.make(VIP, family))
    endpoints = segment.plan(HOSTS, BOTH)["endpoints"]
    asking = [Process(segment.namespace(host), _claims_io.claims, endpoints, host) for host in HOSTS]
    for process in asking:
        assert process.result() == {segment.make(VIP, family): holders for family in BOTH}


def test_a_members_own_address_is_used_twice(segment: Segment) -> None:
    segment.add("stranger", 41)
    segment.hold("stranger", segment.address("cp2"))
    findings = judge(segment, segment.plan(HOSTS))
    assert ("address_in_use", "cp2") in codes(findings)


@pytest.mark.parametrize("delay,code", [(1.0, []), (9.0, [("vrrp_untested", None)])])
def test_hosts_that_start_late(segment: Segment, delay: float, code: list[t.Any]) -> None:
    assert codes(judge(segment, segment.plan(HOSTS), delays={"cp2": delay})) == code


def test_a_blocked_host_is_found_although_it_starts_late(segment: Segment) -> None:
    segment.nft(segment.switch, FILTER % ("bridge", "forward", "ip protocol 112 drop"))
    findings = judge(segment, segment.plan(HOSTS), delays={"cp2": 0.8})
    assert len(findings) == 3 and {finding.code for finding in findings} == {"vrrp_blocked"}


def test_a_blocked_host_is_found_although_the_controller_is_slow(segment: Segment) -> None:
    """Hosts hear each other's ARP probes, so they know who was there without any clock."""
    segment.nft(segment.switch, FILTER % ("bridge", "forward", "ip protocol 112 drop"))
    plan = segment.plan(HOSTS)
    results = segment.ask(plan, delays={"cp2": 0.8})
    for result in results.values():
        result["window"] = {"began": 0.0, "ended": 1000.0}
    findings = wire_findings(plan, results, {})
    assert len(findings) == 3 and {finding.code for finding in findings} == {"vrrp_blocked"}


def test_another_vlan_is_another_network(segment: Segment) -> None:
    """Frames with a tag come in on the same interface, and aren't this segment's."""
    segment.add("other", 40)
    source = segment.address("other")
    payload = _vrrp.build_advert(source, _vrrp.GROUPS["ipv4"], 3, 50, 200, 1.0, [segment.make(VIP)])
    group = _packets.pack(_vrrp.GROUPS["ipv4"])
    packet = _packets.build_ip(_packets.pack(source), group, _packets.VRRP, payload)
    segment.process("other", advertise, packet, _packets.multicast_mac(group), 0.3, 7)
    assert judge(segment, segment.plan(HOSTS, vrrp_transport="multicast")) == []


def test_malformed_packets_are_counted_and_believed_by_nobody(segment: Segment) -> None:
    segment.add("rogue", 66)
    source, group = segment.address("rogue"), _vrrp.GROUPS["ipv4"]
    payload = bytearray(_vrrp.build_advert(source, group, 3, 50, 255, 1.0, [segment.make(VIP)]))
    payload[6] ^= 0xFF
    packet = _packets.build_ip(_packets.pack(source), _packets.pack(group), _packets.VRRP, bytes(payload))
    segment.process("rogue", advertise, packet, _packets.multicast_mac(_packets.pack(group)), 0.5)
    findings = judge(segment, segment.plan(HOSTS, vrrp_transport="multicast"))
    assert codes(findings) == [("vrrp_stranger", "cp1")]
    assert "checksum" in findings[0].seen and segment.mac("rogue") in findings[0].seen


def test_a_slow_router_is_listened_to_for_three_intervals(segment: Segment) -> None:
    segment.add("slow", 66)
    source, group = segment.address("slow"), _vrrp.GROUPS["ipv4"]
    payload = _vrrp.build_advert(source, group, 2, 9, 100, 3, [segment.make(9)])
    packet = _packets.build_ip(_packets.pack(source), _packets.pack(group), _packets.VRRP, payload)
    segment.process("slow", advertise, packet, _packets.multicast_mac(_packets.pack(group)), 3)
    plan = segment.plan(HOSTS)
    results = segment.ask(plan)
    assert wire_findings(plan, results, {}) == []
    heard = results["cp1"]["scan"]
    router = heard["interfaces"]["eth0"]["routers"][0]
    assert router["count"] >= 3 and router["seen_interval"] == pytest.approx(3, abs=0.3) and heard["seconds"] > 9
    assert 9 not in heard["interfaces"]["eth0"]["free"]["ipv4"] and 9 in heard["interfaces"]["eth0"]["free"]["ipv6"]


def test_an_interface_that_is_not_there(segment: Segment) -> None:
    plan = json.loads(json.dumps(segment.plan(HOSTS)))
    plan["endpoints"][0]["instances"][0]["members"][1]["interface"] = "eth7"
    findings = judge(segment, plan)
    assert ("wire_untested", "cp2") in codes(findings)
    assert any(re.search("there is no interface eth7", finding.seen) for finding in findings)
