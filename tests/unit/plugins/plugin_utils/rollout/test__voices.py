# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members that sign adverts believe each other all through a change: judged by what keepalived 2.4.3 does, written down
here a second time, packet by packet."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.rollout import _voices
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.rollout._waves import (
    Seen,
    ahead,
    backups_to_stop,
    refusals,
    waves,
)
from ansible_collections.kubeha.apiserver.tests.unit import plans
from hypothesis import given
from hypothesis import strategies as st

HOSTS = ("h1", "h2", "h3")
MODES = ("receive-only", "permissive", "enforce")


class Conf(NamedTuple):
    """auth_hmac of a keepalived.conf; with no keys it isn't there."""

    mode: str = ""
    keys: Tuple[int, ...] = ()


NONE = Conf()
CONFS = [NONE, *(Conf(mode, keys) for mode in MODES for size in (1, 2, 3)
                 for keys in itertools.permutations((17, 99, 200), size))]


def sent(conf: Conf) -> Optional[int]:
    """The key of the trailer, where there is one (vrrp_auth_hmac_trailer_len and vrrp_auth_hmac_sign)."""
    return None if not conf.keys or conf.mode == "receive-only" else conf.keys[0]


def accepted(conf: Conf, trailer: Optional[int]) -> bool:
    """vrrp_check_packet: without the block a trailer makes the packet too long."""
    if not conf.keys:
        return trailer is None
    if trailer is None:
        return conf.mode != "enforce"
    return trailer in conf.keys


def all_accepted(confs: List[Conf]) -> bool:
    return all(accepted(one, sent(other)) for one, other in itertools.permutations(confs, 2))


def plan_of(conf: Conf) -> Dict[str, Any]:
    made = plans.endpoint("a", hosts=HOSTS, auth="hmac" if conf.keys else "none")
    if conf.keys:
        made["hmac"].update(mode=conf.mode, keys=list(conf.keys))
    return plans.plan(made)


PLANS = {conf: plan_of(conf) for conf in CONFS}
VIP = PLANS[NONE]["endpoints"][0]["vips"][0]["address"]


class Machine:
    """Three hosts: what their files say, and what their keepalived has loaded, if it runs."""

    def __init__(self, conf: Conf) -> None:
        self.files = dict.fromkeys(HOSTS, conf)
        self.loaded: Dict[str, Optional[Conf]] = dict(self.files)
        self.tasks = 0
        # Of every moment.
        self.rejected: List[str] = []

    def look(self, target: Conf, holder: str) -> Dict[str, Seen]:
        found = {}
        for host in HOSTS:
            loaded = self.loaded[host]
            work = loaded != target or self.files[host] != target
            found[host] = Seen(
                "nothing" if not work else "reload" if loaded else "start", loaded is not None,
                frozenset([VIP] if host == holder else []), unloaded=loaded not in (None, self.files[host]))
        return found

    def do(self) -> bool:
        """Whether the run is still there for its next task."""
        self.note()
        self.tasks -= 1
        return self.tasks >= 0

    def note(self) -> None:
        running = {host: conf for host, conf in self.loaded.items() if conf is not None}
        for one, other in itertools.permutations(running, 2):
            if not accepted(running[one], sent(running[other])):
                self.rejected.append("%s rejects %s: %s" % (one, other, running))

    def run(self, target: Conf, holder: str, tasks: int) -> bool:
        """A run that is killed after so many tasks. Says whether it stopped backups."""
        self.tasks = tasks
        if self.loaded[holder] is None:
            holder = next(host for host in HOSTS if self.loaded[host] is not None)
        seen, deployed = self.look(target, holder), {host: PLANS[conf] for host, conf in self.files.items()}
        stops = backups_to_stop(PLANS[target], deployed, seen)
        later = {host: replace(look, running=look.running and host not in stops.reasons)
                 for host, look in stops.seen.items()}
        for host in stops.reasons:
            if not self.do():
                return True
            self.loaded[host] = None
        for wave in waves(PLANS[target], later):
            for host in wave:
                if not self.do():
                    return bool(stops.divided)
                self.files[host] = target
                if not self.do():
                    return bool(stops.divided)
                self.loaded[host] = target
        self.note()
        return bool(stops.divided)


@pytest.mark.parametrize("before", CONFS, ids=str)
def test_backups_are_stopped_where_members_would_not_believe_each_other_and_nowhere_else(before: Conf) -> None:
    deployed = dict.fromkeys(HOSTS, PLANS[before])
    seen = {"h1": Seen("reload", True, frozenset([VIP])), "h2": Seen("reload", True), "h3": Seen("reload", True)}
    for after in CONFS:
        found = backups_to_stop(PLANS[after], deployed, seen)
        assert bool(found.reasons) is not all_accepted([before, after]), after
        assert set(found.reasons.values()) <= {"authentication"}


@given(st.sampled_from(CONFS), st.lists(st.tuples(
    st.sampled_from(CONFS), st.sampled_from(HOSTS), st.integers(0, 12)), min_size=1, max_size=6))
def test_however_many_runs_are_killed_no_two_that_run_reject_each_other(
        conf: Conf, history: List[Tuple[Conf, str, int]]) -> None:
    machine = Machine(conf)
    for target, holder, tasks in history:
        machine.run(target, holder, tasks)
    machine.run(history[-1][0], "h1", 100)
    assert machine.rejected == []
    assert set(machine.files.values()) == set(machine.loaded.values()) == {history[-1][0]}


TO_HMAC = [NONE, Conf("receive-only", (17,)), Conf("permissive", (17,)), Conf("enforce", (17,))]
ROTATION = [Conf("enforce", keys) for keys in ((17,), (17, 99), (99, 17), (99,))]


@pytest.mark.parametrize("steps", [TO_HMAC, TO_HMAC[::-1], ROTATION], ids=["there", "back", "another key"])
def test_the_documented_ways_stop_nobody(steps: List[Conf]) -> None:
    machine = Machine(steps[0])
    for step in steps[1:]:
        # Each run is killed once wherever it can be, and begun again.
        for tasks in (*range(8), 100):
            assert not machine.run(step, "h2", tasks)
    assert machine.rejected == []


def test_a_step_too_many_is_seen_though_the_files_have_the_one_between() -> None:
    """h1 has the files of permissive, and goes on with receive-only: enforce wouldn't hear it."""
    machine = Machine(TO_HMAC[2])
    machine.loaded["h1"] = TO_HMAC[1]
    assert machine.run(TO_HMAC[3], "h1", 100) and machine.rejected == []


@pytest.mark.parametrize("after", [TO_HMAC[1], TO_HMAC[2]])
def test_all_members_have_to_take_part_all_the_same(after: Conf) -> None:
    """Who is left out would be two steps behind after the next run."""
    deployed = dict.fromkeys(HOSTS, PLANS[TO_HMAC[1] if after.mode == "permissive" else NONE])
    run = dict.fromkeys(HOSTS[:2], False)
    assert [code for code, dummy, dummy in refusals(PLANS[after], deployed, run)] == ["members_left_out"]
    assert refusals(PLANS[after], deployed, dict.fromkeys(HOSTS, False)) == []
    deployed = dict.fromkeys(HOSTS, PLANS[after])
    assert refusals(PLANS[after], deployed, run) == []


def test_who_believes_both_is_not_ahead() -> None:
    deployed = {"h1": PLANS[TO_HMAC[1]], "h2": PLANS[NONE], "h3": PLANS[TO_HMAC[2]]}
    assert ahead(PLANS[TO_HMAC[2]], deployed, dict.fromkeys(HOSTS, False), ["a"]) == {"a": ["h3"]}


def test_a_plan_that_names_no_keys_may_mean_any() -> None:
    unknown, known = _voices.Voice("hmac"), _voices.of(PLANS[TO_HMAC[2]]["endpoints"][0])
    assert not unknown.gets_on_with(known) and not known.gets_on_with(unknown)
    assert not known.gets_on_with(_voices.Voice("pass"))
    assert unknown.gets_on_with(_voices.Voice("hmac"))
