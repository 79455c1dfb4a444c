# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy

import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.codes import _codes
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.judge import _wire_verdict as verdict
from ansible_collections.kubeha.apiserver.tests.unit import plans
from hypothesis import given
from hypothesis import strategies as st

HOSTS = ("cp1", "cp2", "cp3")
MACS = {"cp1": "02:00:00:00:00:11", "cp2": "02:00:00:00:00:12", "cp3": "02:00:00:00:00:13"}
STRANGER = "02:00:00:00:00:99"
ADDRESSES = {"cp1": "198.51.100.11", "cp2": "198.51.100.12", "cp3": "198.51.100.13"}
VIP = "198.51.100.100"


def a_plan(transport="unicast", **kwargs):
    return plans.plan(plans.endpoint(transport=transport, **kwargs))


def pair(host, peer, transport="unicast", **changes):
    result = {
        "interface": "eth0", "family": "ipv4", "transport": transport, "address": ADDRESSES[host], "peer": peer,
        "peer_address": ADDRESSES[peer], "mac": MACS[peer], "sent": 20, "sent_from": 0.2, "sent_until": 4.8,
        "sent_stack": 4, "refused": None, "listened": 6.0, "wire": 20, "received": 20, "wire_late": 0,
        "received_late": 0, "wire_stack": 4, "received_stack": 4, "peer_began": 0.0, "missed": 0, "lost": 0,
        "error": None,
    }
    return dict(result, **changes)


def clean(hosts=HOSTS, transport="unicast", began=1000.0):
    """What hosts return where nothing is wrong."""
    return {
        host: {
            "seconds": 6.0,
            "scan": {
                "seconds": 6.0,
                "interfaces": {"eth0": {
                    "routers": [], "malformed": {}, "malformed_from": [], "rejected": [],
                    "free": {"ipv4": list(range(1, 256)), "ipv6": list(range(1, 256))}, "error": None}},
                "error": None,
            },
            "probe": {
                "seconds": 4.0,
                "addresses": [{
                    "interface": "eth0", "address": VIP, "family": "ipv4", "held": False, "held_on": None, "probes": 3,
                    "answers": [{"mac": MACS[peer], "host": peer, "how": ["probe"], "count": 3}
                                for peer in hosts if peer != host],
                    "error": None}],
                "known": {peer: [MACS[peer]] for peer in HOSTS if peer != host},
                "known_addresses": [{"host": peer, "address": ADDRESSES[peer], "macs": [MACS[peer]]}
                                    for peer in HOSTS if peer != host],
                "macs": [MACS[host]],
                "error": None,
            },
            "reach": {"seconds": 6.0, "pairs": [pair(host, peer, transport) for peer in HOSTS if peer != host],
                      "error": None},
            "window": {"began": began, "ended": began + 7.0},
        }
        for host in hosts
    }


def router(**changes):
    result = {
        "family": "ipv4", "source": "198.51.100.21", "mac": STRANGER, "destination": "multicast", "version": 3,
        "virtual_router_id": 100, "priority": 90, "priorities": [90], "interval": 1.0, "seen_interval": 1.0,
        "addresses": ["198.51.100.200"], "auth": "none", "checksum": "pseudo", "count": 4,
    }
    return dict(result, **changes)


def hear(results, *routers, hosts=HOSTS):
    for host in hosts:
        heard = results[host]["scan"]["interfaces"]["eth0"]
        heard["routers"] = list(routers)
        used = {entry["virtual_router_id"] for entry in routers}
        heard["free"]["ipv4"] = [vrid for vrid in range(1, 256) if vrid not in used]
    return results


def answer(results, mac, how=("reply",), hosts=HOSTS):
    for host in hosts:
        results[host]["probe"]["addresses"][0]["answers"].append(
            {"mac": mac, "host": None, "how": list(how), "count": 3})
    return results


def hold(results, holder):
    results[holder]["probe"]["addresses"][0].update(held=True, held_on="eth0", probes=0, answers=[])
    return answer(results, MACS[holder], hosts=[host for host in results if host != holder])


def change(results, host, peer, **changes):
    found = next(entry for entry in results[host]["reach"]["pairs"] if entry["peer"] == peer)
    found.update(changes)
    return results


def found(plan, results, deployed=None, taken_over=()):
    findings = [_codes.told(finding) for finding in verdict.wire_findings(plan, results, deployed, taken_over)]
    for finding in findings:
        assert set(finding) == {"code", "severity", "host", "endpoint", "seen", "why", "fix"}
        assert finding["severity"] == _codes.CODES[finding["code"]].severity
        assert finding["seen"] and finding["why"] and finding["fix"]
    assert len({str(finding) for finding in findings}) == len(findings)
    return findings


def codes(findings):
    return [(finding["code"], finding["host"]) for finding in findings]


@pytest.mark.parametrize("transport", ["unicast", "multicast"])
@pytest.mark.parametrize("deployed", [None, {}])
def test_nothing_wrong(transport, deployed):
    assert found(a_plan(transport), clean(transport=transport), deployed) == []


def test_a_running_endpoint():
    plan = a_plan()
    ours = router(source=ADDRESSES["cp1"], mac=MACS["cp1"], destination="unicast", priorities=[150], addresses=[VIP])
    results = hear(hold(clean(), "cp1"), ours, hosts=("cp2", "cp3"))
    assert found(plan, results, dict.fromkeys(HOSTS, plan)) == []
    assert found(plan, results) == []


# Virtual router IDs


def test_a_stranger_with_our_vrid():
    (finding,) = found(a_plan("multicast"), hear(clean(transport="multicast"), router()))
    assert (finding["code"], finding["severity"], finding["endpoint"]) == ("vrid_in_use", "error", "kube-apiserver")
    for text in ("198.51.100.21", STRANGER, "virtual router 100", "VRRPv3", "198.51.100.200", "cp1, cp2 and cp3"):
        assert text in finding["seen"]
    # Near the planned one, and neither heard nor planned.
    assert "101, 102 or 103" in finding["fix"]


def test_suggested_vrids_are_free_for_everyone():
    results = hear(clean(transport="multicast"), router())
    results["cp2"]["scan"]["interfaces"]["eth0"]["free"]["ipv4"] = [7, 9, 100, 101]
    plan = plans.plan(
        plans.endpoint(transport="multicast"),
        plans.endpoint(name="two", vrid=101, transport="multicast", vips={"ipv4": ("198.51.100.101", 24)}),
    )
    finding = next(item for item in found(plan, results) if item["code"] == "vrid_in_use")
    assert "for example 7 or 9;" in finding["fix"]


@pytest.mark.parametrize(
    "transport,destination,addresses,code",
    [
        ("multicast", "multicast", ["198.51.100.200"], "vrid_in_use"),
        ("multicast", "unicast", ["198.51.100.200"], "vrid_in_use"),
        ("unicast", "unicast", ["198.51.100.200"], "vrid_in_use"),
        ("unicast", "multicast", ["198.51.100.200"], "vrid_in_use_unheard"),
        ("unicast", "multicast", [VIP], "vrid_in_use"),
    ],
)
def test_whether_they_would_hear_each_other(transport, destination, addresses, code):
    results = hear(clean(transport=transport), router(destination=destination, addresses=addresses))
    assert codes(found(a_plan(transport), results)) == [(code, "cp1")]


@pytest.mark.parametrize("mac,source", [(STRANGER, "198.51.100.21"), (MACS["cp2"], ADDRESSES["cp2"])])
def test_priority_255(mac, source):
    results = hear(clean(transport="multicast"), router(priorities=[90, 255], mac=mac, source=source, addresses=[VIP]))
    assert codes(found(a_plan("multicast"), results)) == [("vrid_priority_255", "cp1")]


def test_routers_that_are_no_matter():
    others = [
        router(virtual_router_id=99, priorities=[255]),
        router(family="ipv6", source="fe80::1", addresses=["fe80::100"]),
    ]
    assert found(a_plan("multicast"), hear(clean(transport="multicast"), *others)) == []


def test_our_vip_under_another_vrid():
    results = hear(clean(), router(virtual_router_id=7, addresses=["198.51.100.200", VIP]))
    assert codes(found(a_plan(), results)) == [("vip_under_other_vrid", "cp1")]
    owner = hear(clean(transport="multicast"), router(virtual_router_id=7, addresses=[VIP], priorities=[255]))
    assert codes(found(a_plan("multicast"), owner)) == [("vip_under_other_vrid", "cp1")]


def test_a_member_that_is_taken_over_may_have_another_vrid():
    theirs = router(source=ADDRESSES["cp2"], mac=MACS["cp2"], virtual_router_id=7, addresses=[VIP])
    results = hear(clean(), theirs)
    told = found(a_plan(), results, {}, ["cp1", "cp2"])
    assert codes(told) == [("takeover_changes_vrid", "cp1")]
    assert "endpoint_virtual_router_id: 7 " in told[0]["fix"] + " " and "it's to be" in told[0]["seen"]
    assert codes(found(a_plan(), results, {}, ["cp3"])) == [("vip_under_other_vrid", "cp1")]
    stranger = hear(clean(), router(virtual_router_id=7, addresses=[VIP]))
    assert codes(found(a_plan(), stranger, {}, ["cp1", "cp2", "cp3"])) == [("vip_under_other_vrid", "cp1")]


def test_a_member_that_advertises_something_else():
    plan, old = a_plan("multicast"), a_plan("multicast", vrid=7)
    theirs = router(source=ADDRESSES["cp2"], mac=MACS["cp2"], virtual_router_id=7, addresses=[VIP])
    results = hear(clean(transport="multicast"), theirs)
    # It's what is deployed there, and the new plan changes it.
    assert found(plan, results, {"cp2": old}) == []
    # It isn't.
    assert codes(found(plan, results, {})) == [("vip_under_other_vrid", "cp1")]
    # Nobody knows.
    assert found(plan, results) == []
    del results["cp2"]
    assert codes(found(plan, results, {})) == [("vrrp_untested", None)]


def test_a_members_own_other_vrrp_instance_with_our_vrid():
    plan = a_plan("multicast")
    results = hear(clean(transport="multicast"), router(source=ADDRESSES["cp2"], mac=MACS["cp2"]))
    (finding,) = found(plan, results, {})
    assert finding["code"] == "vrid_in_use" and "stop the other VRRP instance on cp2" in finding["fix"]
    old = a_plan("multicast", vips={"ipv4": ("198.51.100.200", 24)})
    assert found(plan, results, {"cp2": old}) == []


def reject(results, hosts, **changes):
    rejected = {"mac": STRANGER, "family": "ipv4", "source": "198.51.100.21", "virtual_router_id": 7,
                "reason": "checksum", "count": 3}
    for host in hosts:
        results[host]["scan"]["interfaces"]["eth0"]["rejected"].append(dict(rejected, **changes))
    return results


def test_malformed_packets():
    results = reject(clean(), ("cp1", "cp3"))
    reject(results, ("cp1", "cp3"), reason="ttl")
    reject(results, ("cp1", "cp3"), mac=MACS["cp2"], source=None, family=None, virtual_router_id=None)
    reject(results, ("cp1", "cp3"), mac=MACS["cp2"], source=None, family=None, virtual_router_id=None, reason="ttl")
    (finding,) = found(a_plan(), results)
    assert finding["code"] == "vrrp_malformed"
    assert "checksum and ttl" in finding["seen"]
    assert "198.51.100.21 (MAC %s) and cp2 (heard by cp1 and cp3)" % STRANGER in finding["seen"]


@pytest.mark.parametrize("changes,code", [
    ({}, "vrrp_stranger"),
    ({"family": "ipv6", "source": "fe80::21"}, "vrrp_malformed"),  # another virtual router, with the same number
    ({"mac": MACS["cp2"], "source": ADDRESSES["cp2"]}, "vrrp_stranger"),
    ({"virtual_router_id": 101}, "vrrp_malformed"),
])
def test_packets_for_our_virtual_router_that_are_no_adverts(changes, code):
    changes = dict({"virtual_router_id": 100, "reason": "version"}, **changes)
    (finding,) = found(a_plan(), reject(clean(), HOSTS, **changes))
    assert finding["code"] == code
    assert changes.get("source", "198.51.100.21") in finding["seen"]
    if code == "vrrp_stranger":
        assert "for virtual router 100" in finding["seen"] and "because of version" in finding["seen"]


def member(host, **changes):
    return router(source=ADDRESSES[host], mac=MACS[host], addresses=[VIP], interval=0.1, **changes)


@pytest.mark.parametrize("mac,named", [(STRANGER, "MAC %s" % STRANGER), (MACS["cp3"], "cp3's MAC address")])
def test_adverts_with_a_members_address_from_another_machine(mac, named):
    plan = a_plan("multicast")
    stored = dict.fromkeys(HOSTS, plan)
    assert found(plan, hear(clean(), dict(member("cp2"), mac=mac)), stored) == []  # of a network that changes MACs
    (finding,) = found(plan, hear(clean(), member("cp2"), dict(member("cp2"), mac=mac)), stored)
    assert finding["code"] == "vrrp_stranger" and named in finding["seen"] and ADDRESSES["cp2"] in finding["seen"]


@pytest.mark.parametrize("changes", [{"auth": "hmac"}, {"version": 2, "auth": "pass"}, {"version": 2}])
def test_a_member_that_speaks_otherwise_than_it_was_given(changes):
    plan = a_plan("multicast")
    results = hear(clean(), member("cp2", **changes))
    (finding,) = found(plan, results, dict.fromkeys(HOSTS, plan))
    assert finding["code"] == "vrrp_stranger" and "VRRPv3, authentication none" in finding["seen"]
    assert ("authentication %s" % changes["auth"] if "auth" in changes else "VRRPv2") in finding["seen"]
    # It may be what the plan that it still has says, and of others nobody knows.
    old = copy.deepcopy(plan)
    old["endpoints"][0]["auth"] = changes.get("auth", "none")
    old["endpoints"][0]["instances"][0]["vrrp_version"] = changes.get("version", 3)
    assert found(plan, results, {"cp2": old}) == []
    assert found(plan, results) == []


def test_the_authentication_of_a_router_is_shown():
    (finding,) = found(a_plan("multicast"), hear(clean(), router(auth="hmac")))
    assert finding["code"] == "vrid_in_use" and "VRRPv3, authentication hmac, priority" in finding["seen"]


# Addresses


def test_a_stranger_has_the_vip():
    (finding,) = found(a_plan(), answer(clean(), STRANGER))
    assert finding["code"] == "vip_in_use" and STRANGER in finding["seen"] and "cp1, cp2 and cp3" in finding["seen"]


def test_a_stranger_beside_the_holder():
    plan = a_plan()
    results = answer(hold(clean(), "cp1"), STRANGER, hosts=("cp2",))
    assert codes(found(plan, results, dict.fromkeys(HOSTS, plan))) == [("vip_in_use", "cp2")]


def test_a_stranger_is_about_to_take_the_vip():
    (finding,) = found(a_plan(), answer(clean(), STRANGER, ["probe"]))
    assert finding["code"] == "vip_in_use" and "about to take" in finding["seen"]


def test_a_machine_that_asks_and_answers_is_said_once():
    assert len(found(a_plan(), answer(clean(), STRANGER, ["probe", "reply"]))) == 1


def test_the_holder_is_outside_of_this_run():
    plan = a_plan()
    results = answer(clean(("cp2", "cp3")), MACS["cp1"], hosts=("cp2", "cp3"))
    assert codes(found(plan, results, dict.fromkeys(HOSTS, plan))) == [("vrrp_untested", None)]
    # What it has stored isn't known.
    assert codes(found(plan, results, dict.fromkeys(["cp2", "cp3"], plan))) == [("vrrp_untested", None)]


def test_two_members_hold():
    plan = a_plan()
    results = hold(hold(clean(), "cp1"), "cp2")
    assert codes(found(plan, results, dict.fromkeys(HOSTS, plan))) == [("vip_two_holders", "cp1")]


def test_a_member_holds_what_was_never_deployed():
    assert codes(found(a_plan(), hold(clean(), "cp2"), {})) == [("vip_held_unplanned", "cp2")]
    assert found(a_plan(), hold(clean(), "cp2")) == []


def test_a_balancer_of_another_endpoint_holds_the_vip():
    plan = plans.plan(
        plans.endpoint(hosts=("cp1", "cp2")),
        plans.endpoint(name="two", hosts=("cp2", "cp3"), octet=12, vrid=9, vips={"ipv4": ("198.51.100.101", 24)}),
    )
    results = answer(clean(), MACS["cp3"], hosts=("cp1",))
    assert codes([item for item in found(plan, results) if item["severity"] == "error"]) == [("vip_in_use", "cp3")]


def test_a_members_address_is_used_twice():
    results = clean()
    results["cp1"]["probe"]["known_addresses"][0]["macs"] = [STRANGER]
    (finding,) = found(a_plan(), results)
    assert (finding["code"], finding["host"]) == ("address_in_use", "cp2") and STRANGER in finding["seen"]
    # Another interface of the same host may answer, too.
    results["cp2"]["probe"]["macs"].append(STRANGER)
    assert found(a_plan(), results) == []


def test_of_hosts_outside_of_this_run_any_mac_may_be_theirs():
    results = clean(("cp1", "cp3"))
    results["cp1"]["probe"]["known_addresses"][0]["macs"] = [STRANGER]
    assert codes(found(a_plan(), results)) == [("vrrp_untested", None)]


# Reachability

DEAF = {"wire": 0, "received": 0, "wire_stack": 0, "received_stack": 0, "peer_began": None}


def test_the_receivers_filter():
    results = change(clean(), "cp2", "cp1", received=0, received_stack=0)
    (finding,) = found(a_plan(), results)
    assert (finding["code"], finding["severity"], finding["host"]) == ("vrrp_blocked", "error", "cp2")
    assert "from cp1" in finding["seen"] and "except" not in finding["seen"] and ADDRESSES["cp1"] in finding["fix"]


def test_the_receivers_filter_lets_answers_in():
    results = clean()
    for peer in ("cp1", "cp3"):
        change(results, "cp2", peer, received=0)
    (finding,) = found(a_plan(), results)
    assert "from cp1 and cp3 except as answers to its own" in finding["seen"]


def test_what_came_late_only_proves_nothing_bad():
    results = change(clean(), "cp2", "cp1", wire=0, received=0, wire_late=5, received_late=5)
    assert found(a_plan(), results) == []


def test_the_senders_filter():
    results = clean()
    for peer in ("cp2", "cp3"):
        change(results, "cp1", peer, refused="not permitted")
        change(results, peer, "cp1", wire_stack=0, received_stack=0)
    (finding,) = found(a_plan(), results)
    assert (finding["code"], finding["host"]) == ("vrrp_blocked", "cp1")
    assert "it can't send VRRP over IPv4 to cp2 and cp3: not permitted" in finding["seen"]


def test_between_two_hosts_in_one_direction():
    (finding,) = found(a_plan(), change(clean(), "cp3", "cp1", **DEAF))
    assert (finding["code"], finding["host"]) == ("vrrp_blocked", "cp3") and "from cp1 to cp3" in finding["seen"]


def test_between_two_hosts_altogether():
    results = change(change(clean(), "cp3", "cp1", **DEAF), "cp1", "cp3", **DEAF)
    (finding,) = found(a_plan(), results)
    assert "between cp1 and cp3" in finding["seen"]


def test_between_until_the_receiver_talks():
    (finding,) = found(a_plan(), change(clean(), "cp2", "cp1", missed=6, wire=13, received=13))
    assert finding["code"] == "vrrp_blocked" and "until cp2 has sent something itself" in finding["seen"]


def test_nobody_answers():
    results = change(change(clean(), "cp3", "cp1", **DEAF), "cp1", "cp3", **dict(DEAF, sent=0, mac=None))
    assert {finding["code"] for finding in found(a_plan(), results)} == {"vrrp_blocked"}
    assert any("gets no answer" in finding["seen"] for finding in found(a_plan(), results))


def test_losses():
    results = change(clean(), "cp3", "cp1", wire=12, received=12, lost=8)
    (finding,) = found(a_plan(), results)
    assert (finding["code"], finding["severity"]) == ("vrrp_lossy", "warning") and "8 of 20" in finding["seen"]
    assert found(a_plan(), change(clean(), "cp3", "cp1", wire=19, received=19, lost=1)) == []


def deaf_to_each_other(offset, ended=None):
    results = clean(("cp1", "cp3"))
    change(change(results, "cp3", "cp1", **DEAF), "cp1", "cp3", **DEAF)
    began = 1000.0 + offset
    results["cp3"]["window"] = {"began": began, "ended": ended or began + 7.0}
    return results


@pytest.mark.parametrize(
    "offset,code", [(0.0, "vrrp_blocked"), (2.0, "vrrp_blocked"), (5.0, "vrrp_untested"), (-30.0, "vrrp_untested")]
)
def test_who_was_not_there_is_not_blocked(offset, code):
    plan = a_plan(hosts=("cp1", "cp3"))
    plan["endpoints"][0]["instances"][0]["members"][1].update(address=ADDRESSES["cp3"])
    assert {finding["code"] for finding in found(plan, deaf_to_each_other(offset))} == {code}


@pytest.mark.parametrize("seer,seen,sign", [("cp1", "cp3", 1), ("cp3", "cp1", -1)])
@pytest.mark.parametrize("began,code", [(0.5, "vrrp_blocked"), (3.0, "vrrp_blocked"), (4.5, "vrrp_untested")])
def test_arp_probes_tell_who_was_there(seer, seen, sign, began, code):
    """Whatever the controller saw of two slow hosts."""
    plan = a_plan(hosts=("cp1", "cp3"))
    plan["endpoints"][0]["instances"][0]["members"][1].update(address=ADDRESSES["cp3"])
    results = deaf_to_each_other(0, ended=1040.0)
    assert {finding["code"] for finding in found(plan, results)} == {"vrrp_untested"}
    results[seer]["probe"]["probing"] = {MACS[seen]: sign * began}
    assert code in {finding["code"] for finding in found(plan, results)}


def test_without_a_clock_nothing_is_claimed():
    plan = a_plan(hosts=("cp1", "cp3"))
    plan["endpoints"][0]["instances"][0]["members"][1].update(address=ADDRESSES["cp3"])
    results = deaf_to_each_other(0)
    del results["cp1"]["window"]
    (finding,) = found(plan, results)
    assert (finding["code"], finding["severity"]) == ("vrrp_untested", "info") and "--forks" in finding["fix"]


def test_hosts_that_this_run_leaves_out():
    (finding,) = found(a_plan(), clean(("cp2", "cp3")))
    assert (finding["code"], finding["severity"], finding["host"]) == ("vrrp_untested", "info", None)
    assert found(a_plan(), {}) and {item["severity"] for item in found(a_plan(), {})} == {"info"}


# Parts that couldn't be done


def test_what_could_not_be_looked_at_is_said_once_with_its_reason():
    results = clean()
    results["cp2"]["scan"]["interfaces"]["eth0"]["error"] = "eth0 is down"
    results["cp2"]["probe"]["addresses"][0]["error"] = "eth0 is down"
    for entry in results["cp2"]["reach"]["pairs"]:
        entry["error"] = "eth0 is down"
    findings = found(a_plan(), results)
    assert codes(findings) == [("wire_untested", "cp2")]
    for text in ("VRRP on eth0", VIP, "reachability of cp1", "eth0 is down"):
        assert text in findings[0]["seen"]


def test_parts_that_failed_altogether():
    results = clean()
    results["cp2"].update({part: {"error": "not permitted"} for part in ("scan", "probe", "reach")})
    assert codes(found(a_plan(), results)) == [("wire_untested", "cp2")]


def test_the_worst_comes_first():
    results = answer(hear(clean(("cp1", "cp2")), router(), hosts=("cp1", "cp2")), STRANGER, hosts=("cp1", "cp2"))
    severities = [finding["severity"] for finding in found(a_plan(), results)]
    assert severities == sorted(severities, key=["error", "warning", "info"].index) and len(set(severities)) == 3


@given(st.data())
def test_results_of_any_numbers_give_findings_and_never_a_traceback(data):
    results = copy.deepcopy(clean())
    numbers = st.integers(0, 30)
    for host in HOSTS:
        for entry in results[host]["reach"]["pairs"]:
            for key in ("wire", "received", "wire_late", "received_late", "wire_stack", "received_stack", "missed",
                        "lost", "sent"):
                entry[key] = data.draw(numbers)
            entry["peer_began"] = data.draw(st.none() | st.floats(-10, 10))
            if entry["sent"] == 0:
                entry["sent_from"] = entry["sent_until"] = None
            entry["refused"] = data.draw(st.none() | st.just("not permitted"))
    for finding in found(a_plan(), results):
        assert finding["code"] in ("vrrp_blocked", "vrrp_lossy", "vrrp_untested")
