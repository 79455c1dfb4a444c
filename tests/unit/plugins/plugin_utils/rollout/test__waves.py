# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import time
from dataclasses import replace
from typing import Any, Dict, List, Sequence

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.model._planfile import Unreadable
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.rollout._report import text
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.rollout._waves import (
    Progress,
    Seen,
    ahead,
    alone,
    backups_to_stop,
    holds_any,
    neighbours,
    refusals,
    step,
    waves,
    with_deployed,
)
from ansible_collections.kubeha.apiserver.tests.unit import plans
from ansible_collections.kubeha.apiserver.tests.unit.plans import plan
from hypothesis import given
from hypothesis import strategies as st


def endpoint(name: str, hosts: Sequence[str]) -> Dict[str, Any]:
    """With a VIP of its own, which has the endpoint's name."""
    made = plans.endpoint(name, hosts=hosts)
    for part in (made, *made["instances"]):
        part["vips"][0]["address"] = name
    return made


def runs(*holds: str, force: str = "reload") -> Seen:
    return Seen(force, True, frozenset(holds))


HOSTS = ["h%d" % number for number in range(8)]
NEW = Seen("start")
IDLE = Seen("nothing", True)
THREE = plan(endpoint("a", ["h1", "h2", "h3"]))


def test_backups_first_the_least_preferred_before_the_others_and_the_holder_last() -> None:
    assert waves(THREE, {"h1": runs("a"), "h2": runs(), "h3": runs()}) == [["h3"], ["h2"], ["h1"]]


def test_who_holds_counts_and_not_who_is_planned_to() -> None:
    assert waves(THREE, {"h1": runs(), "h2": runs("a"), "h3": runs()}) == [["h3"], ["h1"], ["h2"]]


def test_hosts_with_nothing_to_do_are_in_no_wave() -> None:
    assert waves(THREE, {"h1": IDLE, "h2": runs(), "h3": IDLE}) == [["h2"]]
    assert waves(THREE, {"h1": IDLE, "h2": IDLE, "h3": IDLE}) == []
    assert waves(plan(), {"h1": runs()}) == []


def test_a_first_deployment_starts_the_preferred_host_and_then_all_others() -> None:
    assert waves(THREE, {"h1": NEW, "h2": NEW, "h3": NEW}) == [["h1"], ["h2", "h3"]]


def test_where_nobody_runs_and_the_first_gets_nothing_all_start_together() -> None:
    """As HAProxy does; on an endpoint that runs somewhere the order is the same."""
    some = {"h1": NEW, "h2": NEW, "h3": NEW}
    assert waves(THREE, some, preferred_first=False) == [["h1", "h2", "h3"]]
    some["h2"] = runs("a")
    assert waves(THREE, some, preferred_first=False) == waves(THREE, some)


def test_a_member_that_was_not_seen_may_be_running() -> None:
    assert waves(THREE, {"h2": NEW, "h3": NEW}) == [["h2"], ["h3"]]


def test_a_new_host_comes_when_all_others_know_it() -> None:
    assert waves(THREE, {"h1": NEW, "h2": runs("a"), "h3": runs()}) == [["h3"], ["h2"], ["h1"]]


def test_many_endpoints_take_the_waves_of_the_largest() -> None:
    names = ["c%d" % number for number in range(200)]
    many = plan(*(endpoint(name, [name + "x", name + "y", name + "z"]) for name in names))
    seen = {name + suffix: runs(*([name] if suffix == "x" else [])) for name in names for suffix in "xyz"}
    assert waves(many, seen) == [[name + suffix for name in names] for suffix in "zyx"]


def test_many_endpoints_on_the_same_hosts_take_the_waves_of_one() -> None:
    many = plan(*(endpoint("e%d" % number, ["h1", "h2", "h3"]) for number in range(200)))
    held = ["e%d" % number for number in range(200)]
    assert waves(many, {"h1": runs(*held), "h2": runs(), "h3": runs()}) == [["h3"], ["h2"], ["h1"]]


def test_hosts_that_each_hold_what_the_other_backs_up() -> None:
    crossed = plan(endpoint("a", ["h1", "h2"]), endpoint("b", ["h2", "h1"]))
    assert waves(crossed, {"h1": runs("a"), "h2": runs("b")}) == [["h2"], ["h1"]]


def test_a_holder_waits_for_a_backup_that_holds_something_else() -> None:
    chained = plan(endpoint("a", ["h1", "h2"]), endpoint("b", ["h2", "h3"]))
    assert waves(chained, {"h1": runs("a"), "h2": runs("b"), "h3": runs()}) == [["h3"], ["h2"], ["h1"]]


def test_ten_thousand_hosts_are_no_matter() -> None:
    names = ["c%d" % number for number in range(2500)]
    many = plan(*(endpoint(name, [name + suffix for suffix in "wxyz"]) for name in names))
    seen = {name + suffix: runs(*([name] if suffix == "w" else [])) for name in names for suffix in "wxyz"}
    began = time.process_time()
    assert [len(wave) for wave in waves(many, seen)] == [2500] * 4
    assert time.process_time() - began < 5


# While it goes on


def test_whose_turn_it_is() -> None:
    order = [["h3"], ["h2"], ["h1"]]
    assert step(THREE, order, 1, {})["hosts"] == ["h2"]
    assert step(THREE, order, 3, {}) == {"hosts": [], "stops": {}, "silenced": [], "doubtful": {}}


def test_where_one_fails_its_endpoint_stops_and_others_go_on() -> None:
    two = plan(endpoint("a", ["h1", "h2", "h3"]), endpoint("b", ["g1", "g2"]))
    order = [["h3", "g2"], ["h2", "g1"], ["h1"]]
    assert step(two, order, 1, {"h3": "broken"})["hosts"] == ["g1"]
    end = step(two, order, 3, {"h2": "broken"}, Progress(turned=frozenset(["h3", "g2", "h2", "g1"])))
    assert set(end["stops"]) == {"h1", "h2", "h3"}
    assert "a was stopped at h2" in end["stops"]["h1"] and "not touched" in end["stops"]["h1"]
    assert "broken" in end["stops"]["h2"] and "changed and proven" in end["stops"]["h3"]
    assert end["text"].splitlines()[0].split() == ["ENDPOINT", "HOST", "WAVE", "OUTCOME"]


# Who wouldn't hear the others any more


def speaking(hosts: Sequence[str] = ("h1", "h2", "h3"), **words: Any) -> Dict[str, Any]:
    some = plan(endpoint("a", hosts))
    some["endpoints"][0].update({"auth": "none", "transport": "unicast"})
    instance = some["endpoints"][0]["instances"][0]
    instance.update({"family": "ipv4", "virtual_router_id": 100, "vrrp_version": 3, "advert_interval": 0.1,
                     "vips": [{"address": "192.0.2.100"}]})
    for number, member in enumerate(instance["members"], 11):
        member.update({"interface": "eth0", "address": "192.0.2.%d" % number})
    for place in (some["endpoints"][0], instance, instance["members"][1]):
        place.update({key: value for key, value in words.items()
                      if key in place and (key != "vips" or place is instance)})
    return some


NEWCOMER = {"host": "h4", "priority": 147, "interface": "eth0", "address": "192.0.2.14"}
ALL_RUN = {"h1": runs(), "h2": runs("a"), "h3": runs()}


@pytest.mark.parametrize("words, why", [
    ({}, ""),
    ({"virtual_router_id": 77}, "virtual router ID"),
    ({"vrrp_version": 2, "auth": "pass", "advert_interval": 1}, "version, authentication, interval"),
    ({"transport": "multicast"}, "transport"),
    ({"vips": [{"address": "192.0.2.101"}, {"address": "192.0.2.100"}]}, "VIP"),
    ({"interface": "bond0"}, "interface or address"),
    ({"address": "192.0.2.21"}, "interface or address"),
    # Version 3 takes it from who holds.
    ({"advert_interval": 0.3}, ""),
])
def test_backups_that_would_not_hear_the_holder(words: Dict[str, Any], why: str) -> None:
    before = {host: speaking() for host in ALL_RUN}
    assert backups_to_stop(speaking(**words), before, ALL_RUN).reasons == ({"h1": why, "h3": why} if why else {})


def test_the_order_of_addresses_does_not_matter() -> None:
    two = [{"address": "192.0.2.101"}, {"address": "192.0.2.100"}]
    before = {host: speaking(vips=two) for host in ALL_RUN}
    assert backups_to_stop(speaking(vips=two[::-1]), before, ALL_RUN).reasons == {}


def test_who_holds_a_vip_that_is_not_planned_any_more_is_the_holder() -> None:
    before, changed = speaking(), speaking(vips=[{"address": "192.0.2.101"}])
    changed["endpoints"][0]["vips"] = [{"address": "192.0.2.101"}]
    changed = with_deployed(changed, dict.fromkeys(ALL_RUN, before))
    found = backups_to_stop(changed, dict.fromkeys(ALL_RUN, before), ALL_RUN)
    assert list(found.reasons) == ["h1", "h3"]
    assert alone(changed, dict.fromkeys(ALL_RUN, before), ALL_RUN, found.reasons) == {"h2": ["a"]}
    assert waves(changed, ALL_RUN)[-1] == ["h2"]
    assert with_deployed(before, {"h1": None, "h2": before}) == before


def test_where_a_stored_plan_cannot_be_read_only_one_member_speaks() -> None:
    """It may be deaf to the others and they to it; nobody knows."""
    deployed = dict.fromkeys(ALL_RUN, speaking())
    deployed["h1"] = Unreadable("it isn't JSON")
    found = backups_to_stop(with_deployed(speaking(), deployed), deployed, ALL_RUN)
    assert list(found.reasons) == ["h1", "h3"] and "h1's stored plan" in found.reasons["h3"]


def test_members_that_come_and_go_say_nothing_new() -> None:
    before = {host: speaking() for host in ALL_RUN}
    fewer, more = speaking(), speaking()
    del fewer["endpoints"][0]["instances"][0]["members"][2]
    more["endpoints"][0]["instances"][0]["members"].append(NEWCOMER)
    assert backups_to_stop(fewer, before, ALL_RUN).reasons == backups_to_stop(more, before, ALL_RUN).reasons == {}


def test_another_password_silences_like_another_type() -> None:
    before = {host: speaking(auth="pass") for host in ALL_RUN}
    seen = dict(ALL_RUN, h2=Seen("reload", True, frozenset(["a"]), rekeyed=True))
    assert backups_to_stop(speaking(auth="pass"), before, seen).reasons == {"h1": "password", "h3": "password"}
    # The password is of another endpoint on the same host.
    assert backups_to_stop(speaking(), {host: speaking() for host in ALL_RUN}, seen).reasons == {}


def test_stopped_backups_come_after_the_holder() -> None:
    seen = dict(ALL_RUN, h1=Seen("reload"), h3=Seen("reload"))
    assert waves(THREE, seen) == [["h2"], ["h1"], ["h3"]]


STOPPED = [["h2"], ["h1"], ["h3"]]


def went(*turned: str, stopped: Sequence[str] = ("h1", "h3"), idle: Sequence[str] = (),
         unsure: Sequence[str] = ()) -> Progress:
    return Progress(frozenset(turned), frozenset(stopped), frozenset(idle), frozenset(unsure), frozenset(["a"]))


def test_where_the_holder_was_put_back_stopped_backups_start_as_before() -> None:
    assert step(THREE, STOPPED, 1, {"h2": "broken"}, went("h2"))["hosts"] == []
    end = step(THREE, STOPPED, 3, {"h2": "broken"}, went("h2"))
    assert end["silenced"] == ["h1", "h3"] and end["doubtful"] == {}
    lost = step(THREE, STOPPED, 3, {"h2": "lost"}, went("h2", unsure=["h2"]))
    assert lost["doubtful"] == {"h1": ["a"], "h3": ["a"]}


def test_what_an_earlier_run_has_changed_is_in_doubt_as_well() -> None:
    """h2 is lost before its turn. It has what is planned on its disk, or doesn't, and h1 may have it, too."""
    def doubts(*hosts: str) -> Dict[str, Any]:
        progress = replace(went(unsure=["h2"]), ahead={"a": hosts})
        return step(THREE, STOPPED, 3, {"h2": "lost"}, progress)["doubtful"]

    assert doubts() == {}
    assert doubts("h2") == {"h1": ["a"], "h3": ["a"]}
    # Of the two that start again each may speak the way that the other one doesn't.
    assert doubts("h1") == {"h1": ["a"], "h3": ["a"]}
    assert doubts("h1", "h2") == {"h1": ["a"], "h3": ["a"]}
    assert doubts("h1", "h2", "h3") == {"h1": ["a"], "h3": ["a"]}, "a host that has failed may be put back"


def test_who_is_ahead() -> None:
    before = {"h1": speaking(virtual_router_id=77), "h2": speaking(), "h3": speaking(virtual_router_id=77)}
    rekeyed = dict.fromkeys(ALL_RUN, False)
    assert ahead(speaking(virtual_router_id=77), before, rekeyed, ["a"]) == {"a": ["h1", "h3"]}
    assert ahead(speaking(virtual_router_id=77), before, rekeyed, []) == {}
    # Who wasn't seen may have anything.
    del rekeyed["h3"]
    assert ahead(speaking(virtual_router_id=77), before, rekeyed, ["a"]) == {"a": ["h1"]}


def test_who_does_not_run_waits_where_only_its_own_files_differ() -> None:
    """h2 has the new files, for all that is known, and may not have loaded them: h1 and h3 would not hear it."""
    before = {"h1": speaking(), "h2": speaking(virtual_router_id=77), "h3": speaking()}
    seen = {"h1": NEW, "h2": replace(runs(), holds=frozenset(["a"])), "h3": NEW}
    found = backups_to_stop(speaking(virtual_router_id=77), before, seen)
    assert (found.divided, found.reasons) == (["a"], {})


def test_where_the_holder_has_changed_stopped_backups_go_on_without_each_other() -> None:
    assert step(THREE, STOPPED, 2, {"h1": "broken"}, went("h2", "h1"))["hosts"] == ["h3"]
    end = step(THREE, STOPPED, 3, {"h1": "broken"}, went("h2", "h1", "h3"))
    assert end["silenced"] == []
    assert [line.split()[1:] for line in end["text"].splitlines()[1:]] == [
        ["h1", "2", "broken"], ["h2", "1", "changed", "and", "proven"], ["h3", "3", "changed", "and", "proven"]]


def test_a_stopped_backup_goes_on_where_only_another_endpoint_of_its_host_has_failed() -> None:
    """That other endpoint may have nobody else."""
    chained = plan(endpoint("a", ["h1", "h2"]), endpoint("b", ["h2", "h3"]))
    progress = went("h1", stopped=["h2"], unsure=["h3"])
    assert step(chained, [["h1"], ["h2"], ["h3"]], 1, {"h3": "lost"}, progress)["hosts"] == ["h2"]
    assert step(chained, [["h1"], ["h2"], ["h3"]], 1, {"h1": "broken"}, progress)["hosts"] == []


def test_where_one_could_not_be_stopped_nothing_is_changed_and_the_others_start_as_before() -> None:
    lost = went(stopped=["h3"], unsure=["h1"])
    assert step(THREE, STOPPED, 0, {"h1": "lost"}, lost)["hosts"] == []
    end = step(THREE, STOPPED, 3, {"h1": "lost"}, lost)
    assert end["silenced"] == ["h3"] and end["doubtful"] == {}
    assert "h2: not touched" in end["stops"]["h2"]


@st.composite
def agreements(draw: Any) -> Any:
    """Endpoints that share hosts, some of which change what their members have to agree on, and what comes of it."""
    hosts = HOSTS[:draw(st.integers(2, 6))]
    seen = {host: runs() if draw(st.booleans()) else NEW for host in hosts}
    endpoints = []
    for number in range(draw(st.sampled_from([1, 1, 2, 3, 4]))):
        members = draw(st.lists(st.sampled_from(hosts), min_size=1, unique=True))
        endpoints.append(endpoint("e%d" % number, members))
        holder = draw(st.sampled_from(members))
        seen[holder] = runs(*seen[holder].holds, "e%d" % number)
    changing = draw(st.lists(st.sampled_from(endpoints), min_size=1, unique_by=lambda item: item["name"]))
    before = plan(*copy.deepcopy(endpoints))
    for item in changing:
        item["instances"][0]["virtual_router_id"] = 77
    outcomes = {host: draw(st.sampled_from(["done", "done", "failed", "lost"])) for host in hosts}
    # Hosts that can't be stopped, and hosts whose VIPs nobody takes.
    stubborn = draw(st.lists(st.sampled_from(hosts), max_size=1)), draw(st.lists(st.sampled_from(hosts), max_size=1))
    return plan(*endpoints), dict.fromkeys(hosts, before), seen, {item["name"] for item in changing}, outcomes, stubborn


@given(agreements())
def test_of_members_that_would_drop_each_others_adverts_one_runs_and_all_that_is_held_stays_so(case: Any) -> None:
    some, before, seen, changing = case[:4]
    found = backups_to_stop(some, before, seen)
    assert {*found.divided, *found.crossed} == changing
    for item in some["endpoints"]:
        running = [host for host in hosts_of(item) if seen[host].running and host not in found.reasons]
        assert any(holds_any(item, found.seen[host]) for host in running)
        assert item["name"] not in found.divided or len(running) == 1
    assert not any(found.seen[host].holds for host in found.reasons)
    # Nobody is stopped, or hands anything over, in vain.
    assert set(found.reasons) <= {
        host for item in some["endpoints"] if item["name"] in found.divided for host in hosts_of(item)}
    assert set(found.handing_over) == {host for host in found.reasons if seen[host].holds}
    if len(some["endpoints"]) == 1:
        assert not found.handing_over and not found.crossed


@given(agreements())
def test_members_that_run_always_take_each_others_adverts(case: Any) -> None:
    some, before, seen, changing, outcomes, (stubborn, clinging) = case
    crossed = backups_to_stop(some, before, seen).crossed
    failures = {host: "crossed" for item in some["endpoints"] if item["name"] in crossed for host in hosts_of(item)}
    seen = {host: replace(look, force="nothing") if host in neighbours(some, failures) else look
            for host, look in seen.items()}
    found = backups_to_stop(some, before, seen)
    order = waves(some, {host: replace(look, running=look.running and host not in found.reasons)
                         for host, look in found.seen.items()})
    failures.update({host: "nobody took it" for host in found.handing_over if host in clinging})
    to_stop = [host for host in found.reasons if host not in neighbours(some, failures)]
    # Where stopping it fails, nobody knows whether it runs.
    failures.update({host: "lost" for host in to_stop if host in stubborn})
    unsure, turned = [host for host in to_stop if host in failures], []
    stopped = [host for host in to_stop if host not in failures]
    says = {host: "old" for host, look in seen.items() if look.running and host not in stopped}

    def progress() -> Progress:
        idle = [host for host, look in seen.items() if not look.running]
        return Progress(*map(frozenset, (turned, stopped, idle, unsure, found.divided)))

    def agree() -> bool:
        return all(len({says[host] for host in hosts_of(item) if host in says}) <= 1
                   for item in some["endpoints"] if item["name"] in found.divided)

    for number in range(len(order)):
        for host in step(some, order, number, failures, progress())["hosts"]:
            ran = says.pop(host, None)
            turned.append(host)
            if outcomes[host] == "done":
                says[host] = "new"
            else:
                failures[host] = outcomes[host]
                if outcomes[host] == "lost":
                    unsure.append(host)
                elif ran:
                    says[host] = ran
            assert agree()
    end = step(some, order, len(order), failures, progress())
    assert set(neighbours(some, failures)) <= set(end["stops"])
    if not failures or len(some["endpoints"]) == 1:
        assert set(end["stops"]) == set(neighbours(some, failures))
    assert all(host in turned or host in end["stops"] for wave in order for host in wave)
    says.update({host: "old" for host in end["silenced"] if host not in end["doubtful"]})
    assert agree()
    # Somebody can hold it.
    if "lost" not in failures.values() and len(some["endpoints"]) == 1:
        assert says


CROSSED = plan(endpoint("a", ["h1", "h2"]), endpoint("b", ["h2", "h1"]))


def test_hosts_that_hold_what_the_other_backs_up_hand_over_before_they_are_stopped() -> None:
    changed = copy.deepcopy(CROSSED)
    changed["endpoints"][0]["instances"][0]["virtual_router_id"] = 77
    found = backups_to_stop(changed, {"h1": CROSSED, "h2": CROSSED}, {"h1": runs("a"), "h2": runs("b")})
    assert (list(found.reasons), list(found.handing_over), found.divided) == (["h2"], ["h2"], ["a"])
    assert {host: look.holds for host, look in found.seen.items()} == {"h1": {"a", "b"}, "h2": frozenset()}
    said = text("keepalived", [["h1"], ["h2"]], {"h1": runs("a"), "h2": runs("b")}, found.reasons, found.handing_over)
    assert said.splitlines()[-1] == "Before that these hand their VIPs over: h2"


def test_what_nobody_else_could_hold_keeps_a_host_from_being_stopped() -> None:
    some = plan(endpoint("a", ["h1", "h2"]), endpoint("b", ["h1"]), endpoint("c", ["h2"]))
    changed = copy.deepcopy(some)
    changed["endpoints"][0]["instances"][0]["virtual_router_id"] = 77
    found = backups_to_stop(changed, {"h1": some, "h2": some}, {"h1": runs("a", "b"), "h2": runs("c")})
    assert not found.reasons and not found.divided
    assert found.crossed == {
        "a": "virtual router ID changes, and keepalived is stopped on all members but one meanwhile; h1, h2 hold "
             "VIPs that nobody else could take then"}


def test_the_endpoint_with_the_fewest_choices_has_the_first_one() -> None:
    some = plan(endpoint("a", ["h1", "h2"]), endpoint("b", ["h3", "h4"]), endpoint("c", ["h1", "h3"]))
    changed = copy.deepcopy(some)
    for item in changed["endpoints"]:
        item["instances"][0]["virtual_router_id"] = 77
    seen = {"h1": runs("a"), "h2": runs(), "h3": runs("b", "c"), "h4": runs()}
    found = backups_to_stop(changed, dict.fromkeys(seen, some), seen)
    assert not found.crossed and len(found.divided) == 3


def test_a_run_that_leaves_members_out() -> None:
    before = {host: speaking() for host in ALL_RUN}
    changed = speaking(virtual_router_id=77, transport="multicast")
    assert refusals(changed, before, dict.fromkeys(ALL_RUN, False)) == []
    assert refusals(changed, before, {"h2": False}) == [
        ("members_left_out", "a", "virtual router ID, transport changes, and all members have to agree on that; this "
                                  "run leaves out h1, h3")]
    assert refusals(speaking(), before, {"h2": False}) == []
    assert [item[0] for item in refusals(speaking(auth="pass"), {}, {"h2": True})] == ["members_left_out"]
    # A first deployment, host by host.
    assert refusals(speaking(), {}, {"h2": False}) == []


def test_a_member_joins_when_all_others_learn_of_it() -> None:
    """Others wouldn't hear it, nor speak to it by unicast: it would take the VIP that they hold."""
    before = {host: speaking() for host in ALL_RUN}
    more = speaking()
    more["endpoints"][0]["instances"][0]["members"].append(NEWCOMER)
    assert refusals(more, before, dict.fromkeys([*ALL_RUN, "h4"], False)) == []
    assert refusals(more, before, {"h4": False}) == [
        ("members_left_out", "a",
         "h4 isn't a member for h1, h2, h3, which this run leaves out and which would drop its adverts")]
    # Batch by batch, the new one last.
    assert refusals(more, before, {"h1": False}) == []
    assert refusals(more, dict(before, h1=more, h2=more), {"h3": False}) == []
    assert refusals(more, dict.fromkeys(ALL_RUN, more), {"h4": False}) == []
    # Its address has changed since, and its own files say so already.
    moved = speaking(address="192.0.2.99")
    assert [why for dummy, dummy, why in refusals(moved, dict(before, h2=moved), {"h2": False})] == [
        "h2 isn't a member for h1, h3, which this run leaves out and which would drop its adverts"]


def test_the_mode_changes_in_a_run_of_its_own() -> None:
    before, everybody = {host: speaking() for host in ALL_RUN}, dict.fromkeys(ALL_RUN, False)
    assert refusals(speaking(), before, everybody, moved=["h1"]) == []
    assert [item[0] for item in refusals(speaking(virtual_router_id=77), before, everybody, moved=["h1"])] == [
        "mode_changes_alone"]


def test_a_holder_whose_peers_are_stopped_is_alone() -> None:
    before, changed = {host: speaking() for host in ALL_RUN}, speaking(virtual_router_id=77)
    assert alone(changed, before, ALL_RUN, ["h1", "h3"]) == {"h2": ["a"]}
    assert alone(changed, before, ALL_RUN, ["h1"]) == alone(speaking(), before, ALL_RUN, ["h1", "h3"]) == {}
    # A run was killed that had silenced them.
    assert alone(changed, before, dict(ALL_RUN, h1=NEW, h3=NEW), []) == {"h2": ["a"]}
    assert alone(changed, before, {"h2": ALL_RUN["h2"], "h3": NEW}, []) == {}
    assert alone(changed, before, dict(ALL_RUN, h2=runs()), ["h1", "h3"]) == {}


def test_where_nobody_was_seen_to_hold_one_of_them_may_be_about_to_take_over() -> None:
    before, changed = {host: speaking() for host in ALL_RUN}, speaking(virtual_router_id=77)
    assert list(backups_to_stop(changed, before, dict(ALL_RUN, h2=runs())).reasons) == ["h2", "h3"]
    alone_ = backups_to_stop(changed, before, {"h1": NEW, "h2": runs(), "h3": NEW})
    # The others mustn't start before it has changed.
    assert (alone_.divided, alone_.reasons) == (["a"], {})


def test_of_two_holders_the_preferred_one_goes_on_speaking_or_who_has_changed_already() -> None:
    before = {host: speaking() for host in ALL_RUN}
    changed = speaking(virtual_router_id=77)
    assert list(backups_to_stop(changed, before, dict(ALL_RUN, h3=runs("a"))).reasons) == ["h1", "h3"]
    assert backups_to_stop(changed, before, dict(ALL_RUN, h3=runs("a"))).handing_over == []
    assert list(backups_to_stop(changed, before, dict(ALL_RUN, h3=runs("a", force="nothing"))).reasons) == ["h1", "h2"]


# Any fleet


@st.composite
def fleets(draw: Any) -> Any:
    count = draw(st.integers(1, 5))
    endpoints = [endpoint("e%d" % number, draw(st.lists(st.sampled_from(HOSTS), min_size=1, unique=True)))
                 for number in range(count)]
    members = sorted({member["host"] for item in endpoints for member in item["instances"][0]["members"]})
    known = draw(st.lists(st.sampled_from(members), unique=True))
    held: Dict[str, List[str]] = {}
    for item in endpoints:
        hosts = [member["host"] for member in item["instances"][0]["members"] if member["host"] in known]
        holder = draw(st.sampled_from([None, *hosts]))
        if holder:
            held.setdefault(holder, []).append(item["name"])
    seen = {
        host: Seen(draw(st.sampled_from(["nothing", "reload", "restart", "start"])),
                   host in held or draw(st.booleans()), frozenset(held.get(host, ())))
        for host in known
    }
    return plan(*endpoints), seen


def hosts_of(item: Dict[str, Any]) -> List[str]:
    return [member["host"] for member in item["instances"][0]["members"]]


@given(fleets())
def test_every_host_with_work_is_in_exactly_one_wave(fleet: Any) -> None:
    found = [host for wave in waves(*fleet) for host in wave]
    assert sorted(found) == sorted(host for host, look in fleet[1].items() if look.force != "nothing")
    assert all(waves(*fleet))


@given(fleets())
def test_one_host_of_an_endpoint_at_a_time_unless_nothing_runs_yet(fleet: Any) -> None:
    (some, seen), order = fleet, waves(*fleet)
    for item in some["endpoints"]:
        members = hosts_of(item)
        if all(host in seen and not seen[host].running for host in members):
            continue
        assert max([len(set(wave) & set(members)) for wave in order], default=0) <= 1


@given(fleets())
def test_one_endpoint_is_in_order(fleet: Any) -> None:
    some, seen = plan(fleet[0]["endpoints"][0]), fleet[1]
    item = some["endpoints"][0]
    members = hosts_of(item)
    order = waves(some, {host: look for host, look in seen.items() if host in members})
    number = {host: index for index, wave in enumerate(order) for host in wave}
    fresh = all(host in seen and not seen[host].running for host in members)
    assert len(order) == (min(2, len(number)) if fresh else len(number))

    def kind(host: str) -> int:
        return 2 if not seen[host].running else 1 if holds_any(item, seen[host]) else 0

    for early in number:
        for late in number:
            if kind(early) < kind(late):
                assert number[early] < number[late]
            elif kind(early) == kind(late) == 0 and not seen[late].holds and not seen[early].holds:
                # Backups from the least preferred on.
                assert (number[early] < number[late]) == (members.index(early) > members.index(late))


@given(fleets())
def test_a_host_that_holds_all_that_is_held_is_last(fleet: Any) -> None:
    some, seen = fleet
    number = {host: index for index, wave in enumerate(waves(some, seen)) for host in wave}
    holders = [host for host, look in seen.items() if look.holds]
    if len(holders) != 1 or holders[0] not in number:
        return
    for item in some["endpoints"]:
        if holds_any(item, seen[holders[0]]):
            others = [host for host in hosts_of(item) if host in number and seen[host].running and host != holders[0]]
            assert all(number[host] < number[holders[0]] for host in others)


@given(fleets())
def test_the_same_fleet_has_the_same_waves(fleet: Any) -> None:
    some, seen = fleet
    assert waves(some, seen) == waves(some, dict(reversed(list(seen.items()))))
