# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What VRRP hosts do with our plan, and what a rollout does to them, explored as far as seconds go; `./dev model` goes
further. See docs/model.md."""

from __future__ import annotations

import os
from typing import Any, List, NamedTuple, Optional, Set

import pytest
from ansible_collections.kubeha.apiserver.tests.model import cases, search
from ansible_collections.kubeha.apiserver.tests.model.cases import Case, Mistake
from ansible_collections.kubeha.apiserver.tests.model.search import OUTSIDE, QUICK, SLOW, Step, Wrong

QUICKLY = os.environ.get("KUBEHA_HYPOTHESIS") == "quick"


def name(case: Any) -> str:
    return str(case.name)


def nothing_wrong(model: Any) -> None:
    found = search.explore(model)
    assert found.wrong is None, search.story(model, found)
    assert found.complete and found.states > (5 if QUICKLY else 50)


@pytest.mark.parametrize("case", cases.groups(2), ids=name)
def test_two_hosts_whatever_fails(case: Case) -> None:
    nothing_wrong(case.make(2 if QUICKLY or "cross" in case.name else None))


@pytest.mark.parametrize("case", cases.groups(3)[:4], ids=name)
def test_three_hosts_with_two_faults_at_the_same_time(case: Case) -> None:
    nothing_wrong(case.make(1 if QUICKLY else 2))


@pytest.mark.parametrize("case", cases.rollouts(2), ids=name)
def test_a_rollout_on_two_hosts_with_two_mishaps(case: Case) -> None:
    nothing_wrong(case.make(1 if QUICKLY else 2))


@pytest.mark.parametrize("case", cases.rollouts(3), ids=name)
def test_a_rollout_on_three_hosts_with_a_mishap(case: Case) -> None:
    nothing_wrong(case.make(0 if QUICKLY else 1))


@pytest.mark.parametrize("case", cases.walks(5), ids=name)
def test_more_hosts_at_random(case: Case) -> None:
    model = case.make(case.most)
    found = search.walk(model, seed=1, walks=5 if QUICKLY else 20, length=80)
    assert found.wrong is None, search.story(model, found)


# Mistakes


@pytest.mark.parametrize("mistake", cases.MISTAKES, ids=name)
def test_a_mistake_is_found(mistake: Mistake) -> None:
    model = mistake.make()
    found = search.explore(model)
    assert found.wrong and found.wrong.what == mistake.breaks
    assert mistake.breaks == search.LIVELOCK or search.replay(model, found.path)[0] == found.wrong


def test_faults_that_are_known_and_not_mended() -> None:
    for fault in cases.KNOWN:
        found = search.explore(fault.make())
        assert found.wrong and found.wrong.what == fault.breaks, fault.name


def test_at_random_a_mistake_is_found_and_its_story_shortened() -> None:
    model = cases.MISTAKES[0].make()
    found = search.walk(model, seed=1, walks=50, length=80)
    assert found.wrong and found.wrong.what == cases.MISTAKES[0].breaks
    assert len(found.path) <= len(search.explore(model).path) + 3


def test_a_story() -> None:
    [mistake] = [item for item in cases.MISTAKES if item.name.startswith("failback without")]
    model = mistake.make()
    assert search.story(model, search.explore(model)).splitlines() == [
        "1. cp1 holds.", "2. cp1 loses power.", "3. cp2 takes over.", "4. cp1 boots.", "5. cp1 takes over.",
        "6. So: cp1 takes over from cp2, which is well (moved without a cause).",
    ]


# The search


class Clock(NamedTuple):
    """Hours that pass by themselves, and somebody who may set the clock to the first of them."""

    hours: int
    ends: bool
    forbidden: Optional[int] = None

    def start(self) -> int:
        return 0

    def steps(self, state: int) -> List[Step[int]]:
        found = [Step(("set",), 0, OUTSIDE)]
        if state + 1 < self.hours or not self.ends:
            found.append(Step(("passes",), (state + 1) % self.hours, QUICK if state % 2 else SLOW))
        return found

    def judge(self, state: int, quiet: bool, still: bool) -> Optional[Wrong]:
        return Wrong("forbidden", "it's %d" % state) if state == self.forbidden else None

    def say(self, label: Any) -> str:
        return "An hour %s." % label[0]

    def begins(self) -> str:
        return "It's 0."


def test_all_states_are_seen_and_the_shortest_way_is_told() -> None:
    found = search.explore(Clock(12, True))
    assert (found.states, found.transitions, found.depth, found.complete, found.wrong) == (12, 23, 11, True, None)
    found = search.explore(Clock(12, True, forbidden=3))
    assert found.path == [("passes",)] * 3 and not found.complete
    assert search.story(Clock(12, True, forbidden=3), found).splitlines()[-1] == "5. So: it's 3 (forbidden)."


def test_what_never_ends_by_itself_is_a_livelock() -> None:
    found = search.explore(Clock(4, False))
    assert found.wrong and found.wrong.what == search.LIVELOCK
    assert found.path == [("passes",)] * 4


def test_models_begin_with_a_state_in_which_nothing_is_wrong_and_nothing_is_due() -> None:
    seen: Set[str] = set()
    for case in [*cases.groups(2), *cases.rollouts(2)]:
        model = case.make(0)
        assert {step.pace for step in model.steps(model.start())} <= {OUTSIDE} and case.name not in seen
        seen.add(case.name)
