# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.kubeha.apiserver.plugins.action import endpoint_waves as action
from ansible_collections.kubeha.apiserver.plugins.module_utils.model import _accessors as accessors
from ansible_collections.kubeha.apiserver.tests.unit import plans

PLAN = {"endpoints": [{"name": "api", "vips": [], "instances": [
    {"members": [{"host": "cp%d" % number, "priority": 150 - number} for number in (1, 2, 3)]}]}]}


def turn(number, outcome, turned=(), **rollout):
    rollout = {"waves": [["cp1"], ["cp2"], ["cp3"]], "members": ["cp1", "cp2", "cp3"], "lost": {}, "idle": [],
               "quiet": ["cp2", "cp3"], "divided": ["api"], "ahead": {}, "began": "1", **rollout}
    args = {"title": "keepalived", "outcomes": {"cp2": dict(outcome, title="keepalived")},
            "silent": {"cp1": "", "cp2": "1", "cp3": 1}, "turned": list(turned), "locked": None, "rollout": rollout,
            "number": number, "renewal_due": False}
    return action._next(PLAN, args, {"cp1", "cp2", "cp3"})


@pytest.mark.parametrize("idle", [[], ["cp2"]])
def test_a_backup_that_has_started_by_itself_stops_its_endpoint(idle):
    """The holder must not change then: they wouldn't hear each other."""
    spoke = {"text": "keepalived has started again", "well": False}
    assert turn(0, spoke, idle=idle)["hosts"] == []
    assert set(turn(3, spoke, idle=idle)["stops"]) == {"cp1", "cp2", "cp3"}


@pytest.mark.parametrize("nothing", [{}, {"unreachable": True}, {"skipped": True}])
def test_hosts_that_said_nothing_are_in_no_wave(nothing):
    looks = {"cp1": {"force": "reload", "serving": True, "holds": ["198.51.100.100"]}, "cp2": nothing,
             "cp3": {"failed": True, "msg": "its files can't be read\nfor a reason"},
             "of another play": {"force": "reload"}}
    args = {"title": "HAProxy", "looks": looks, "work": None, "deployed": {"cp2": {}, "cp3": None}, "silence": False}
    started = action._start(PLAN, args, {"cp1", "cp2", "cp3"})
    assert started["waves"] == [] and started["numbers"] == [0]
    assert started["lost"] == {"cp3": "its files can't be read"}
    assert action._start(PLAN, dict(args, looks={**looks, "cp3": nothing}), set())["waves"] == [["cp1"]]


IDLE = {"force": "nothing", "serving": True, "holds": []}
SEEN = {**IDLE, "beside": IDLE}


@pytest.mark.parametrize(("said", "idle"), [
    ({}, True),
    ({"cp2": {**SEEN, "force": "reload"}}, False),  # HAProxy has work
    ({"cp2": {"failed": True, "msg": "no"}}, False),
    ({"cp2": IDLE}, False), ({"cp2": {**IDLE, "beside": {}}}, False), ({"cp2": {}}, False), ({"cp2": None}, False),
    ({"cp2": {**SEEN, "foreign": True}}, False),
    ({"cp2": {**IDLE, "beside": {**IDLE, "foreign": True}}}, False),
    ({"cp2": {**IDLE, "beside": {**IDLE, "force": "restart"}}}, False)])
def test_keepalived_is_idle_if_a_look_of_its_own_would_order_nobody(said, idle):
    plan = plans.plan(plans.endpoint())
    looks = {**dict.fromkeys(accessors.members_of(plan["endpoints"][0]), SEEN), **said}
    args = {"title": "haproxy", "plan": plan, "looks": looks, "work": None, "deployed": None, "silence": False}
    play = set(looks)
    assert action._keepalived_is_idle(action._start(plan, args, play), args, play) is idle
    nobody = dict(args, looks={})
    assert not action._keepalived_is_idle(action._start(plan, nobody, play), nobody, play)


def test_keepalived_is_not_idle_where_its_turn_would_refuse():
    """A member outside of this run doesn't know that cp2 is one."""
    plan = plans.plan(plans.endpoint(hosts=("cp1", "cp2", "cp3")))
    play = {"cp1", "cp2"}
    args = {"title": "haproxy", "plan": plan, "looks": dict.fromkeys(play, SEEN), "work": None, "silence": False,
            "deployed": dict.fromkeys(("cp1", "cp2", "cp3"), {"plan": plan})}
    assert action._keepalived_is_idle(action._start(plan, args, play), args, play)
    args["deployed"]["cp3"] = {"plan": plans.plan(plans.endpoint(hosts=("cp1", "cp3")))}
    assert action._start(plan, dict(args, title="keepalived", silence=True), play)["lost"]
    assert not action._keepalived_is_idle(action._start(plan, args, play), args, play)


def test_work_that_is_given_counts_instead_of_what_files_would_take():
    looks = {"cp%d" % number: {"force": "restart", "serving": True} for number in (1, 2, 3)}
    args = {"title": "package", "looks": looks, "work": {"cp2": True, "cp3": False}, "deployed": None, "silence": False}
    assert action._start(PLAN, args, set(looks))["waves"] == [["cp2"]]


def test_a_turn_counts_from_when_its_wave_begins():
    fine = {"text": "of another rollout"}
    began = turn(0, fine, lost={}, members=["cp1"], divided=[])
    assert began["hosts"] == began["turned"] == ["cp1"]
    assert turn(1, fine, turned=["cp1"], members=["cp1"])["turned"] == ["cp1", "cp2"]


def test_nobody_has_a_turn_before_locks_are_renewed():
    args = {"title": "keepalived", "outcomes": {}, "silent": {}, "turned": ["cp1"], "locked": None, "number": 1,
            "rollout": {"waves": [["cp1"], ["cp2"]], "members": ["cp1", "cp2"], "lost": {}, "idle": [], "quiet": [],
                        "divided": [], "ahead": {}, "began": "1"}}
    due = action._next(PLAN, {**args, "renewal_due": True}, {"cp1", "cp2"})
    assert due["renew"] and due["hosts"] == [] and due["turned"] == ["cp1"] and "text" not in due
    then = action._next(PLAN, {**args, "turned": due["turned"], "renewal_due": False}, {"cp1", "cp2"})
    assert not then["renew"] and then["hosts"] == ["cp2"] and then["turned"] == ["cp1", "cp2"]
    lost = action._next(PLAN, {**args, "turned": due["turned"], "renewal_due": False}, {"cp1"})
    assert lost["hosts"] == []


def test_a_wave_is_announced_and_the_last_one_sums_up_the_run():
    fine = {"text": "of another rollout"}
    assert turn(1, fine, members=["cp1"])["text"] == "keepalived, wave 2 of 3: cp2"
    assert "text" not in turn(0, fine, members=["cp1"])
    before = {"changed": {"cp1": ["haproxy"]}, "stopped": {}}
    assert "so_far" not in turn(2, fine, members=["cp1"], so_far=before)
    end = turn(3, {"text": "broken"}, turned=["cp1", "cp2"], so_far=before)
    assert end["so_far"] == {"changed": {"cp1": ["haproxy", "keepalived"]}, "stopped": {"api": "cp2: broken"}}


def test_somebody_elses_keepalived_is_taken_over_by_one_speaker_at_a_time():
    """Old and new members don't hear each other: backups are stopped, and the holder changes with its VIP."""
    vip = "198.51.100.100"
    endpoint = plans.endpoint()
    hosts = [member["host"] for member in endpoint["instances"][0]["members"]]
    looks = {host: {"force": "restart", "serving": True, "foreign": True, "holds": [vip] if host == hosts[1] else []}
             for host in hosts}
    args = {"title": "keepalived", "looks": looks, "work": None, "deployed": {}, "silence": True}
    started = action._start({"endpoints": [endpoint]}, args, set(hosts))
    assert started["waves"] == [[hosts[1]], [hosts[0]], [hosts[2]]]
    assert set(started["quiet"]) == {hosts[0], hosts[2]}
    assert started["alone"] == {hosts[1]: [endpoint["name"]]}
    assert started["foreign"] == hosts and started["lost"] == {}
    # Who is left out would go on as before.
    left = action._start({"endpoints": [endpoint]}, dict(args, looks=dict(list(looks.items())[:2])), set(hosts))
    assert set(left["lost"]) == set(hosts[:2]) and left["waves"] == []
