# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plan guarantees, for generated intents: one endpoint and many, hosts that fail, hosts that come and go."""

from __future__ import annotations

import copy
import ipaddress
import itertools
import json
import os
import re
import subprocess
import sys
import typing as t

import yaml
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.files._host_files import pod as pod_of
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.files._pod_manifests import yaml_lines
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.intent._errors import PlanError
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.intent._spec import INTENT_KEYS as SPEC_KEYS
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan import _plan
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan._plan import INTENT_KEYS, compute_plan
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan._priorities import CONSTANT_UP_TO
from ansible_collections.kubeha.apiserver.tests.unit.planning import network, stored
from hypothesis import assume, given
from hypothesis import strategies as st

Fleet = t.Tuple[t.Dict[str, t.Any], t.Dict[str, t.Any]]

# Two wires: hosts have both, the second one on another interface. VIPs end in 100 and more, hosts in 1 and more.
WIRES = {"ipv4": ["10.0.0.%d", "10.0.1.%d"], "ipv6": ["2001:db8::%x", "2001:db8:0:1::%x"]}
PREFIX = {"ipv4": 24, "ipv6": 64}
KEEPALIVED = ["2.1.5", "2.2.7", "2.3.3", "1:2.3.4-1"]

# Every character that a plan may contain; none of them ends a line, a word, a string or begins a comment or a variable.
SAFE = re.compile(r"[A-Za-z0-9_.:/?=&,+*@\[\]-]*")


def member_networks(number: int) -> list[dict[str, t.Any]]:
    found = [network("lo", "127.0.0.1", 8)]
    for wire in (0, 1):
        for family, prefix in PREFIX.items():
            found.append(network("eth%d" % wire, WIRES[family][wire] % number, prefix))
    return found


def fleet_hosts(count: int) -> dict[str, dict[str, t.Any]]:
    return {"h%d" % number: {"networks": member_networks(number), "keepalived_version": "2.2.7",
                             "haproxy_version": "2.6.12"} for number in range(1, count + 1)}


@st.composite
def fleets(draw: st.DrawFn, hosts: int = 6, endpoints: int = 4) -> Fleet:
    """Endpoints on some of the hosts, mostly ones that can be planned."""
    known = fleet_hosts(draw(st.integers(1, hosts)))
    for host in known.values():
        host["keepalived_version"] = draw(st.sampled_from(KEEPALIVED))
        host.update(draw(st.fixed_dictionaries({}, optional={"priority": st.integers(130, 160)})))
    some = st.lists(st.sampled_from(list(known)), min_size=1, unique=True)
    last = draw(st.lists(st.integers(100, 254), min_size=8, max_size=8, unique=True))
    entries = []
    for index in range(draw(st.integers(1, endpoints))):
        families = draw(st.sampled_from([["ipv4"], ["ipv6"], ["ipv4", "ipv6"], ["ipv6", "ipv4"], ["ipv4", "ipv4"]]))
        wire = draw(st.integers(0, 1))
        entry = {
            "name": "e%d" % index,
            "vip": [WIRES[family][wire] % last[2 * index + which] for which, family in enumerate(families)],
            "lb_hosts": draw(some),
            "apiserver_hosts": draw(some),
        }
        entry.update(draw(st.fixed_dictionaries({}, optional={
            "failback": st.booleans(),
            "port": st.sampled_from([8443, 9443]),
            "virtual_router_id": st.integers(1, 255),
            "vrrp_transport": st.sampled_from(["unicast", "multicast"]),
            "timing": st.one_of(st.sampled_from(["balanced", "safe", "aggressive", "kubeadm"]), timings()),
            "health_check": st.sampled_from(["https", "https_strict", "tcp"]),
            "dns_name": st.just("api.example.org"),
        })))
        entries.append(entry)
    return {"list": entries}, known


def timings() -> st.SearchStrategy[dict[str, t.Any]]:
    return st.fixed_dictionaries({}, optional={
        "profile": st.sampled_from(["balanced", "safe"]),
        "advert_interval": st.integers(1, 4095).map(lambda number: number / 100),
        "check_interval": st.integers(1, 10), "check_fall": st.integers(1, 30),
        "inter": st.integers(100, 5000).map(lambda number: number / 1000), "fall": st.integers(1, 5),
        "fastinter": st.integers(100, 5000).map(lambda number: number / 1000),
        "timeout_check": st.integers(100, 5000).map(lambda number: number / 1000),
    })


def planned(fleet: Fleet, deployed: t.Any = None) -> dict[str, t.Any]:
    """The plan of a fleet; fleets that can't be planned are skipped."""
    try:
        return compute_plan(*fleet, deployed or {})
    except PlanError:
        assume(False)
        raise


# One plan

@given(fleets())
def test_a_plan_keeps_its_guarantees(fleet: Fleet) -> None:
    check(planned(fleet), fleet[1])


@given(fleets())
def test_what_is_refused_is_refused_for_a_reason(fleet: Fleet) -> None:
    """The generated intents are sound but for these; a refusal for anything else is a mistake of the plan."""
    try:
        compute_plan(*fleet, {})
    except PlanError as error:
        assert {problem.code for problem in error.problems} <= {
            "priority_tie", "priorities_too_wide", "vrid_duplicate", "timing_order"}, str(error)


def check(plan: dict[str, t.Any], hosts: dict[str, t.Any]) -> None:
    assert_plain(plan)
    assert json.loads(json.dumps(plan)) == plan
    assert list(plan) == ["schema", "warnings", "endpoints"]
    for endpoint in plan["endpoints"]:
        assert_safe(endpoint)
        check_endpoint(endpoint)
    check_vips(plan)
    check_ports(plan)
    check_vrids(plan)
    names = [endpoint["name"] for endpoint in plan["endpoints"]]
    names += [instance["name"] for endpoint in plan["endpoints"] for instance in endpoint["instances"]]
    assert len(set(names)) == len(names)


def check_endpoint(endpoint: dict[str, t.Any]) -> None:
    families = [instance["family"] for instance in endpoint["instances"]]
    assert families == [family for family in ("ipv4", "ipv6") if family in {vip["family"] for vip in endpoint["vips"]}]
    assert endpoint["sync_group"] == (endpoint["name"] if len(families) > 1 else None)
    assert [member["host"] for member in endpoint["instances"][0]["members"]] == [
        member["host"] for member in endpoint["instances"][-1]["members"]], "dual stack fails over together"
    for instance in endpoint["instances"]:
        check_instance(endpoint, instance)
    assert {check["kind"]: check["weight"] == 0 for check in endpoint["checks"]} == {"local": True, "apiservers": False}
    check_elections(endpoint)
    check_timing(endpoint)
    addresses = [backend["address"] for backend in endpoint["backends"]]
    assert addresses and len(set(addresses)) == len(addresses)


def check_instance(endpoint: dict[str, t.Any], instance: dict[str, t.Any]) -> None:
    members = instance["members"]
    priorities = [member["priority"] for member in members]
    masters = [member["priority"] for member in members if member["state"] == "MASTER"]
    assert masters == ([max(priorities)] if endpoint["failback"] else [])
    assert all(member["state"] in ("MASTER", "BACKUP") for member in members)
    assert len(set(priorities)) == len(priorities)
    assert all(1 <= priority <= 254 for priority in priorities)
    assert 1 <= instance["virtual_router_id"] <= 255
    addresses = [member["address"] for member in members]
    assert len(set(addresses)) == len(addresses)
    subnets = {ipaddress.ip_interface("%s/%d" % (member["address"], member["prefix"])).network for member in members}
    assert len(subnets) == 1
    for member in members:
        assert member["peers"] == [address for address in addresses if address != member["address"]]
    for vip in instance["vips"]:
        network_ = ipaddress.ip_interface("%s/%d" % (vip["address"], vip["prefix"])).network
        assert {network_} == subnets
        assert ipaddress.ip_address(vip["address"]) not in (network_[0], network_[-1])
        assert network_.version == {"ipv4": 4, "ipv6": 6}[instance["family"]]


def check_elections(endpoint: dict[str, t.Any]) -> None:
    """Whatever fails, the right host wins: every set of failed, settling and holding hosts is tried. A drained host,
    which has 1, wins only where priorities lie far apart, and against none that sees an API server."""
    members = {member["host"]: member["priority"] for member in endpoint["instances"][0]["members"]}
    weight = next(check["weight"] for check in endpoint["checks"] if check["kind"] == "apiservers")
    bonus, settle = endpoint["holder_bonus"], endpoint["settle_weight"]
    span = max(members.values()) - min(members.values())
    assert -weight > span + max(bonus, -settle)
    assert min(members.values()) + weight > 1
    assert max(members.values()) + bonus <= 254
    if endpoint["failback"]:
        assert bonus == 0 and -settle > span
    else:
        assert settle == 0 and bonus > span
    if len(members) > 4:
        return
    for failed, settling in itertools.product(subsets(members), repeat=2):
        for holder in members:
            effective = {host: max(1, priority + weight * (host in failed) + bonus * (host == holder)
                                   + settle * (host in settling and host != holder))
                         for host, priority in members.items()}
            assert all(value <= 254 for value in effective.values())
            best = max(effective.values())
            winners = [host for host, value in effective.items() if value == best]
            if best == 1:
                # Priorities lie far apart, all fail, and those that don't hold have just returned.
                assert set(failed) == set(members) and min(members.values()) - 3 * (span + 1) <= 1
                continue
            assert len(winners) == 1
            healthy = set(members) - set(failed) or set(members)
            assert winners[0] in healthy
            if not endpoint["failback"] and holder in healthy:
                assert winners == [holder], "without failback the VIP stays"
            if endpoint["failback"] and not healthy & set(settling):
                assert winners == [max(healthy, key=members.__getitem__)], "with failback the preferred host has it"
            if endpoint["failback"] and holder in healthy and healthy - {holder} <= set(settling):
                assert winners == [holder], "hosts that have just returned wait"


def check_timing(endpoint: dict[str, t.Any]) -> None:
    haproxy = endpoint["haproxy"]
    check = next(check for check in endpoint["checks"] if check["kind"] == "apiservers")
    one = min(haproxy["connect_timeout_ms"], haproxy["inter_ms"]) + haproxy["check_timeout_ms"]
    slowest = haproxy["inter_ms"] + one + (haproxy["fall"] - 1) * (haproxy["fastinter_ms"] + one)
    assert check["interval"] * check["fall"] * 1000 > slowest
    # One lost SYN is sent again after a second and condemns no server; who connects to a dead one waits no longer.
    assert haproxy["connect_timeout_ms"] <= 1200
    version = tuple(map(int, endpoint["versions"]["keepalived"].split(".")))
    for instance in endpoint["instances"]:
        assert instance["vrrp_version"] == 3
        assert 0.01 <= instance["advert_interval"] <= 40.95
        assert round(instance["advert_interval"] * 100, 6) == round(instance["advert_interval"] * 100)
        assert version >= (2, 2, 4) or instance["down_timer_adverts"] is None
        assert endpoint["timing"]["advert_interval"] == instance["advert_interval"]
        assert endpoint["timing"]["down_timer_adverts"] == instance["down_timer_adverts"]


def check_vips(plan: dict[str, t.Any]) -> None:
    vips = [vip["address"] for endpoint in plan["endpoints"] for vip in endpoint["vips"]]
    assert len(set(vips)) == len(vips)
    for endpoint in plan["endpoints"]:
        own = {backend["address"] for backend in endpoint["backends"]} | {
            member["address"] for instance in endpoint["instances"] for member in instance["members"]}
        assert own.isdisjoint(vips)


def check_ports(plan: dict[str, t.Any]) -> None:
    apiservers = {(backend["name"], backend["port"]) for endpoint in plan["endpoints"]
                  for backend in endpoint["backends"]}
    bound: dict[str, list[tuple[int, str, str]]] = {}
    for endpoint in plan["endpoints"]:
        families = {vip["family"] for vip in endpoint["vips"]}
        binds = endpoint["haproxy"]["binds"]
        assert {bind["family"] for bind in binds} == families
        assert endpoint["haproxy"]["nonlocal_bind"] == (binds[0]["address"] != "*")
        for host in hosts_of(endpoint):
            assert (host, endpoint["port"]) not in apiservers
            assert endpoint["port"] != endpoint["haproxy"]["health"]["port"]
            bound.setdefault(host, []).extend((bind["port"], bind["family"], bind["address"]) for bind in binds)
    for listeners in bound.values():
        for one, other in itertools.combinations(listeners, 2):
            if one[:2] == other[:2]:
                assert one[2] != other[2] and "*" not in (one[2], other[2])


def check_vrids(plan: dict[str, t.Any]) -> None:
    seen: set[tuple[t.Any, ...]] = set()
    for endpoint in plan["endpoints"]:
        for instance in endpoint["instances"]:
            number, family = instance["virtual_router_id"], instance["family"]
            vip = instance["vips"][0]
            places = {str(ipaddress.ip_interface("%s/%d" % (vip["address"], vip["prefix"])).network)}
            places |= {"%s %s" % (member["host"], member["interface"]) for member in instance["members"]}
            keys = {(place, family, number) for place in places}
            assert seen.isdisjoint(keys)
            seen |= keys


def hosts_of(endpoint: dict[str, t.Any]) -> list[str]:
    return [member["host"] for member in endpoint["instances"][0]["members"]]


def subsets(items: t.Iterable[str]) -> list[tuple[str, ...]]:
    items = list(items)
    return [found for size in range(len(items) + 1) for found in itertools.combinations(items, size)]


def assert_plain(value: t.Any) -> None:
    assert type(value) in (dict, list, str, int, float, bool, type(None))
    if isinstance(value, dict):
        for key, item in value.items():
            assert_plain(key)
            assert_plain(item)
    elif isinstance(value, list):
        for item in value:
            assert_plain(item)


def assert_safe(value: t.Any) -> None:
    """No text of the plan can end a line or add a word to a file, whatever the template does with it."""
    if isinstance(value, dict):
        for item in value.values():
            assert_safe(item)
    elif isinstance(value, list):
        for item in value:
            assert_safe(item)
    elif isinstance(value, str):
        assert SAFE.fullmatch(value) and value not in (".", ".."), value


# The same intent, another time

@given(fleets())
def test_the_same_intent_gives_the_same_plan(fleet: Fleet) -> None:
    assert planned(fleet) == planned(copy.deepcopy(fleet))


def test_hashes_decide_nothing() -> None:
    """Python orders sets of texts differently in each process."""
    code = ("import json,sys; from %s import compute_plan;" % compute_plan.__module__ +
            "print(json.dumps(compute_plan(*json.load(sys.stdin), {})))")
    hosts = fleet_hosts(6)
    names = list(hosts)
    fleet = {"list": [
        {"name": "e%d" % index, "vip": ["10.0.%d.%d" % (index % 2, 100 + index), "2001:db8::%d" % (100 + index)],
         "lb_hosts": names[index:] + names[:index], "apiserver_hosts": names[:3]} for index in range(4)]}
    fleet["list"][1]["vip"] = "10.0.1.101"
    plans = set()
    for seed in ("1", "2", "3"):
        done = subprocess.run(
            [sys.executable, "-c", code], input=json.dumps([fleet, hosts]), stdout=subprocess.PIPE, check=True,
            text=True, env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)})
        plans.add(done.stdout)
    assert len(plans) == 1


@given(fleets())
def test_what_is_deployed_changes_nothing(fleet: Fleet) -> None:
    plan = planned(fleet)
    assert planned(fleet, stored(plan))["endpoints"] == plan["endpoints"]


@given(fleets(), st.data())
def test_hosts_that_cannot_be_reached_stay_where_they_are(fleet: Fleet, data: st.DataObject) -> None:
    """As long as one balancer of each endpoint tells what is deployed."""
    plan = planned(fleet)
    hosts = copy.deepcopy(fleet[1])
    reachable = {data.draw(st.sampled_from(hosts_of(endpoint))) for endpoint in plan["endpoints"]}
    for name, host in hosts.items():
        if name not in reachable:
            host.update(networks=[], inventory_address=name, keepalived_version=None, haproxy_version=None)
    deployed = {name: found for name, found in stored(plan).items() if name in reachable}
    assert planned((fleet[0], hosts), deployed)["endpoints"] == plan["endpoints"]


@given(fleets(), st.data())
def test_who_holds_the_vip_changes_nothing(fleet: Fleet, data: st.DataObject) -> None:
    plan = planned(fleet)
    hosts = copy.deepcopy(fleet[1])
    for endpoint in plan["endpoints"]:
        for instance in endpoint["instances"]:
            holder = data.draw(st.sampled_from(instance["members"]))
            for vip in instance["vips"]:
                prefix = data.draw(st.sampled_from([vip["prefix"], {"ipv4": 32, "ipv6": 128}[instance["family"]]]))
                held = network(holder["interface"], vip["address"], prefix)
                networks = hosts[holder["host"]]["networks"]
                networks.insert(data.draw(st.integers(0, len(networks))), held)
    for deployed in ({}, stored(plan)):
        assert planned((fleet[0], hosts), deployed)["endpoints"] == plan["endpoints"]


@given(fleets(endpoints=1), st.data())
def test_a_vip_that_moves_on_leaves_no_trace(fleet: Fleet, data: st.DataObject) -> None:
    """The old VIP is still on its holder when the new one is planned: it's nobody's own address."""
    plan = planned(fleet)
    changed = copy.deepcopy(fleet)
    changed[0]["list"][0]["vip"] = [re.sub(r"[0-9a-f]+$", "99", vip) for vip in changed[0]["list"][0]["vip"][:1]]
    wanted = planned(changed)["endpoints"][0]["instances"][0]
    for instance in plan["endpoints"][0]["instances"]:
        holder = data.draw(st.sampled_from(instance["members"]))
        for vip in instance["vips"]:
            changed[1][holder["host"]]["networks"].insert(
                0, network(holder["interface"], vip["address"], vip["prefix"]))
    found = planned(changed, stored(plan))["endpoints"][0]["instances"]
    [members] = [instance["members"] for instance in found if instance["family"] == wanted["family"]]
    assert members == wanted["members"]


@given(fleets(), st.booleans())
def test_what_clients_use_stays_until_it_is_let_go(fleet: Fleet, release: bool) -> None:
    plan = planned(fleet)
    changed = copy.deepcopy(fleet)
    entry, before = changed[0]["list"][0], plan["endpoints"][0]
    taken = {vip for item in changed[0]["list"] for vip in item["vip"]}
    others = (re.sub(r"[0-9a-f]+$", end, entry["vip"][0]) for end in ("99", "98", "97", "96", "95", "94", "93"))
    entry["vip"] = [next(vip for vip in others if vip not in taken)]
    entry["release_former"] = release
    after = planned(changed, stored(plan))["endpoints"][0]
    old, new = ({vip["address"] for vip in endpoint["vips"]} for endpoint in (before, after))
    assert after["vips"][0]["address"] not in old
    assert set(after["former"]["vips"]) == (set() if release else old)
    assert new == {after["vips"][0]["address"]} | set(after["former"]["vips"])
    # Once more the same: nothing changes. And once they're gone, nothing has to be said any more.
    again = planned(changed, stored(planned(changed, stored(plan))))["endpoints"][0]
    assert again == after
    entry.pop("release_former")
    assert planned(changed, stored({"endpoints": [after]}))["endpoints"][0] == after


# Hosts that come and go

@given(st.integers(1, CONSTANT_UP_TO - 1), st.booleans(), st.booleans(), st.booleans(), st.data())
def test_one_more_host_changes_nothing_on_the_others(
        count: int, failback: bool, stacked: bool, dual: bool, data: st.DataObject) -> None:
    hosts = fleet_hosts(CONSTANT_UP_TO + 2)
    names = data.draw(st.permutations(list(hosts)))
    servers = names if stacked else names[-2:]
    lb_hosts = names[:count + 1]
    intent = {"vip": ["10.0.0.200", "2001:db8::200"][:1 + dual], "failback": failback}

    def parts(size: int) -> tuple[t.Any, t.Any]:
        backends = servers[:size] if stacked else servers
        plan = compute_plan({**intent, "lb_hosts": lb_hosts[:size], "apiserver_hosts": backends}, hosts, {})
        endpoint = plan["endpoints"][0]
        del endpoint["backends"]
        members = {}
        for instance in endpoint["instances"]:
            for member in instance.pop("members"):
                del member["peers"]
                members[instance["name"], member["host"]] = member
        return endpoint, members

    if not stacked:
        assume(not set(servers) & set(lb_hosts))
    (before, few), (after, more) = parts(count), parts(count + 1)
    assert before == after
    assert {key: more[key] for key in few} == few


@given(st.integers(1, 60), st.booleans())
def test_as_many_balancers_as_fit(count: int, failback: bool) -> None:
    hosts = fleet_hosts(60)
    names = list(hosts)[:count]
    intent = {"vip": "10.0.0.200", "lb_hosts": names, "apiserver_hosts": names, "failback": failback}
    limit = 49
    try:
        check(compute_plan(intent, hosts, {}), hosts)
    except PlanError as error:
        assert count > limit
        assert [problem.code for problem in error.problems] == ["too_many_balancers"]
        assert "at most %d " % limit in error.problems[0].rule
    else:
        assert count <= limit


@given(st.lists(st.integers(1, 254), min_size=1, max_size=6), st.booleans())
def test_explicit_priorities_are_kept_or_refused(priorities: list[int], failback: bool) -> None:
    hosts = fleet_hosts(len(priorities))
    for host, priority in zip(hosts.values(), priorities):
        host["priority"] = priority
    names = list(hosts)
    intent = {"vip": "10.0.0.200", "lb_hosts": names, "apiserver_hosts": names, "failback": failback}
    span = max(priorities) - min(priorities)
    fits = min(priorities) - 2 * (span + 1) >= 2 and (failback or max(priorities) + span + 1 <= 254)
    distinct = len(set(priorities)) == len(priorities)
    try:
        plan = compute_plan(intent, hosts, {})
    except PlanError as error:
        assert {problem.code for problem in error.problems} <= {"priority_tie", "priorities_too_wide"}
        assert not (fits and distinct)
    else:
        assert fits and distinct
        assert [member["priority"] for member in plan["endpoints"][0]["instances"][0]["members"]] == priorities
        check(plan, hosts)


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(1, 254)), min_size=1, max_size=40, unique=True),
       st.dictionaries(st.integers(0, 39), st.integers(1, 255), max_size=5))
def test_virtual_router_ids_are_unique_on_a_wire(vips: list[tuple[int, int]], written: dict[int, int]) -> None:
    hosts = {name: {"networks": [network("eth0", address, 16)]}
             for name, address in (("a", "10.9.255.251"), ("b", "10.9.255.252"))}
    assume(not {(255, 251), (255, 252)} & set(vips))
    assume(len(set(written.values())) == len(written))
    entries = [{"name": "e%d" % index, "vip": "10.9.%d.%d" % vip} for index, vip in enumerate(vips)]
    for index, number in written.items():
        if index < len(entries):
            entries[index]["virtual_router_id"] = number
    intent = {"list": entries, "lb_hosts": ["a", "b"], "apiserver_hosts": ["a", "b"]}
    plan = compute_plan(intent, hosts, {})
    check_vrids(plan)
    for entry, endpoint in zip(entries, plan["endpoints"]):
        number = endpoint["instances"][0]["virtual_router_id"]
        assert number == entry.get("virtual_router_id", number)
        if number not in (entry.get("virtual_router_id"), int(entry["vip"].rpartition(".")[2])):
            assert any("%s-ipv4 uses virtual router ID %d" % (entry["name"], number) in warning
                       for warning in plan["warnings"])
    # Deployed, they never change silently, whatever is put before them in the list.
    again = compute_plan({**intent, "list": entries[::-1]}, hosts, stored(plan))
    before, after = ({endpoint["name"]: endpoint["instances"] for endpoint in found["endpoints"]}
                     for found in (plan, again))
    assert after == before


@given(st.booleans(), st.booleans(), st.one_of(st.none(), st.just(8443), st.just(6443), st.just(9443)))
def test_a_deployed_port_never_changes_through_a_default(before: bool, after: bool, written: int | None) -> None:
    hosts = fleet_hosts(4)

    def intent(stacked: bool) -> dict[str, t.Any]:
        return {"vip": "10.0.0.200", "lb_hosts": ["h1", "h2"], "apiserver_hosts": ["h1", "h2"] if stacked else ["h3"]}

    first = {**intent(before), **({"port": written} if written else {})}
    assume(not (before and written == 6443))
    plan = compute_plan(first, hosts, {})
    try:
        again = compute_plan(intent(after), hosts, stored(plan))
    except PlanError as error:
        assert [problem.code for problem in error.problems] == ["port_would_change"]
        assert str(plan["endpoints"][0]["port"]) in error.problems[0].fix
    else:
        assert again["endpoints"][0]["port"] == plan["endpoints"][0]["port"]


# Anything at all

TRAPS = ["010", "00001234", "on", "52:54:00", "10.0.0.10/24", "::ffff:10.0.0.1", " 10.0.0.200 ", "10.0.0.200\n", "",
         "a b", "a\nb", "x\x00", "{ }", "#", "!", "${PATH}", "$(id)", "`id`", "a;b", "'", '"', "\\", "~SEQ(1)", "@host",
         "include /etc/passwd", "../../etc", "/", "-", ".", "..", "é", "\udc80", "h1", "eth0", "all", "%s", "{0}",
         "/readyz"]
junk = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12), st.sampled_from(TRAPS),
              st.binary(max_size=4), st.dates(), st.just(10 ** 400), st.builds(object)),
    lambda children: st.one_of(
        st.lists(children, max_size=3), st.tuples(children, children),
        st.dictionaries(st.one_of(st.sampled_from([*INTENT_KEYS, "hosts", "h1", "ipv4"]), st.text(max_size=4),
                                  st.integers(), st.none()), children, max_size=4)),
    max_leaves=8)
ENTRY = {"vip": "10.0.0.200", "lb_hosts": ["h1", "h2"], "apiserver_hosts": ["h1", "h2"]}
HOST_KEYS = [
    "interface", "address", "priority", "inventory_address", "networks", "keepalived_version", "haproxy_version"]


def plan_or_problems(intent: t.Any, hosts: t.Any, deployed: t.Any) -> None:
    """Nothing that can be written gives anything but a sound plan or problems that can be shown."""
    try:
        plan = compute_plan(intent, hosts, deployed)
    except PlanError as error:
        assert error.problems
        text = str(error)
        assert text.replace("\n", "").isprintable()
        text.encode("utf-8")
        for problem in error.problems:
            assert_plain(problem.to_dict())
            json.dumps(problem.to_dict(), allow_nan=False)
    else:
        check(plan, hosts)


@given(junk, junk, junk)
def test_junk(intent: t.Any, hosts: t.Any, deployed: t.Any) -> None:
    plan_or_problems(intent, hosts, deployed)


@given(st.dictionaries(st.sampled_from([*INTENT_KEYS, "interface", "address", "priority"]), junk, max_size=4))
def test_junk_in_variables(values: dict[str, t.Any]) -> None:
    plan_or_problems({**ENTRY, **values}, fleet_hosts(2), {})


@given(st.dictionaries(st.sampled_from([*INTENT_KEYS, "interface", "address", "priority", "hosts"]), junk, max_size=4))
def test_junk_in_an_entry(values: dict[str, t.Any]) -> None:
    plan_or_problems({"list": [{**ENTRY, **values}]}, fleet_hosts(2), {})


@given(st.dictionaries(st.sampled_from(HOST_KEYS), junk, max_size=4))
def test_junk_of_a_host(values: dict[str, t.Any]) -> None:
    hosts = fleet_hosts(2)
    hosts["h2"].update(values)
    plan_or_problems(ENTRY, hosts, {})
    plan_or_problems({"list": [{**ENTRY, "hosts": {"h2": values}}]}, fleet_hosts(2), {})


@given(st.lists(st.fixed_dictionaries({"interface": st.one_of(st.just("eth0"), junk), "prefix": st.one_of(
    st.integers(0, 130), junk), "address": st.one_of(st.sampled_from(["10.0.0.2", "10.0.0.200"]), junk)}), max_size=4))
def test_junk_in_networks(networks: list[t.Any]) -> None:
    hosts = fleet_hosts(2)
    hosts["h2"]["networks"] = networks
    plan_or_problems(ENTRY, hosts, {})


@given(st.text(min_size=1), st.sampled_from(["name", "dns_name", "health_path", "manifest_dir", "haproxy_image", "vip",
                                             "keepalived_image", "image_prefix", "haproxy_image_pull_policy",
                                             "accept_findings"]), st.booleans())
def test_no_text_gets_into_a_file_unless_it_is_harmless(text: str, key: str, static_pod: bool) -> None:
    mode = {"mode": "static_pod" if static_pod else "service", "keepalived_image": "keepalived:2.3.3"}
    for value in (text, "/" + text, "a" + text, "haproxy:" + text):
        plan_or_problems({**ENTRY, **mode, key: value}, fleet_hosts(2), {})


@given(st.dictionaries(st.sampled_from(["haproxy_image", "keepalived_image", "image_prefix", "manifest_dir"]),
                       st.one_of(st.text(min_size=1), st.from_regex(r"[a-z0-9./:_@-]{1,30}", fullmatch=True)),
                       min_size=1))
def test_no_text_adds_a_line_to_a_manifest(values: dict[str, t.Any]) -> None:
    intent = {**ENTRY, "mode": "static_pod", "keepalived_image": "keepalived:2.3.3", **values}
    try:
        plan = compute_plan(intent, fleet_hosts(2), {})
    except PlanError:
        return
    images = plan["endpoints"][0]["images"]
    for role in ("haproxy", "keepalived"):
        pod = pod_of(plan, "h1", role, "")
        assert yaml.safe_load("\n".join(yaml_lines(pod))) == pod
        assert pod["spec"]["containers"][0]["image"] == images[role]["image"]
    assert not re.search(r"[^A-Za-z0-9_./:@-]", str(images["haproxy"]["image"]) + plan["endpoints"][0]["manifest_dir"])


@given(st.text(min_size=1))
def test_no_host_name_gets_into_a_file_unless_it_is_harmless(name: str) -> None:
    hosts = fleet_hosts(2)
    hosts[name] = hosts.pop("h2")
    plan_or_problems({**ENTRY, "lb_hosts": ["h1", name], "apiserver_hosts": ["h1", name]}, hosts, {})


@given(st.data())
def test_stored_plans_are_not_trusted(data: st.DataObject) -> None:
    """A value anywhere in a stored plan is replaced by junk."""
    hosts = fleet_hosts(2)
    deployed = stored(compute_plan(ENTRY, hosts, {}))
    place: t.Any = deployed["h1"]
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if isinstance(place[key], (dict, list)) and place[key] and data.draw(st.booleans()):
            place = place[key]
            continue
        place[key] = data.draw(junk)
        break
    plan_or_problems(ENTRY, hosts, deployed)
    for host in hosts.values():
        host["networks"] = []
    plan_or_problems(ENTRY, hosts, deployed)


@given(st.text(), st.sampled_from(["none", "pass", "hmac"]))
def test_passwords_show_nowhere(password: str, auth: str) -> None:
    secret = "Zq9x" + password
    hosts = fleet_hosts(2)
    for host in hosts.values():
        host["keepalived_version"] = "2.4.2"
    for intent in ({**ENTRY, "auth": auth, "auth_password": secret},
                   {"list": [{**ENTRY, "auth": auth, "auth_password": secret}]},
                   {**ENTRY, "auth": auth, "auth_password": [secret]},
                   {**ENTRY, "list": {"auth_password": secret}},
                   {**ENTRY, "auth": {"password": secret}}):
        try:
            shown = json.dumps(compute_plan(intent, hosts, {}))
        except PlanError as error:
            shown = str(error) + json.dumps([problem.to_dict() for problem in error.problems])
        assert "Zq9x" not in shown


def test_the_keys_of_an_intent_are_public() -> None:
    assert _plan.INTENT_KEYS is SPEC_KEYS
    assert len(set(INTENT_KEYS)) == len(INTENT_KEYS)
