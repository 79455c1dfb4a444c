# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.drill import _attempts
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.drill import _judge, _schedule
from ansible_collections.kubeha.apiserver.tests.unit.drills import SCHEDULE, client, runs
from hypothesis import given
from hypothesis import strategies as st

STEP = SCHEDULE.steps[0]
WHEN = _judge.Faulted(101.0, 104.0)


def by_hand(outcomes, beat=0.01):
    """The same, attempt by attempt: each pair of answered ones with a failed one in between."""
    known = [(number * beat, outcome == "ok") for number, outcome in enumerate(outcomes) if outcome != "unknown"]
    if not any(not well for at, well in known):
        return 0.0
    answered = [at for at, well in known if well]
    edges = [0.0, *answered, known[-1][0]]
    return max(right - left for left, right in zip(edges, edges[1:])
               if any(not well and left <= at <= right for at, well in known))


@given(st.lists(st.sampled_from(("ok", "ok", "timeout", "refused", "unknown")), min_size=1, max_size=60))
def test_the_longest_outage_is_that_of_single_attempts(outcomes):
    assert _judge.longest(runs(outcomes)).seconds == pytest.approx(by_hand(outcomes))


def test_one_lost_attempt_is_two_beats():
    assert _judge.longest(runs(["ok", "ok", "timeout", "ok"])).seconds == pytest.approx(0.02)
    assert _judge.outages(runs(["ok"] * 9)) == []
    assert [round(item.seconds, 2) for item in _judge.outages(runs(["ok", "reset", "ok", "ok", "reset", "reset"]))] == [
        0.02, 0.02]


def test_what_the_client_could_not_tell_is_no_failure():
    found = _judge.judge(STEP, SCHEDULE, [], WHEN, [client(["ok"] * 300 + ["unknown"] * 20 + ["ok"] * 400)], [], [])
    assert (found["state"], found["outage"], found["failed"]) == (_judge.WITHIN, 0.0, 0)


@pytest.mark.parametrize("lost, wanted", [(5, _judge.WITHIN), (60, _judge.OVER)])
def test_an_outage_is_judged_by_the_budget(lost, wanted):
    found = _judge.judge(
        STEP, SCHEDULE, ["198.51.100.100"], WHEN, [client(["ok"] * 300 + ["timeout"] * lost + ["ok"] * 400)], [], [])
    assert found["state"] == wanted and found["failed"] == lost
    assert found["outage"] == pytest.approx((lost + 1) * 0.01)
    assert ("was out for" in found["why"]) == (wanted == _judge.OVER)


def test_a_client_that_saw_nothing_for_longer_than_the_budget_has_not_measured():
    """It may have missed an outage as long as that."""
    found = _judge.judge(STEP, SCHEDULE, [], WHEN, [client(["ok"] * 300 + ["unknown"] * 40 + ["ok"] * 400)], [], [])
    assert found["state"] == _judge.VOID and "localhost knows nothing of 410 ms" in found["why"]
    outages = client(["ok"] * 300 + ["unknown"] * 40 + ["timeout"] * 40 + ["ok"] * 400)
    assert _judge.judge(STEP, SCHEDULE, [], WHEN, [outages], [], [])["state"] == _judge.OVER


@given(st.lists(st.sampled_from(("ok", "timeout", "unknown")), max_size=60))
def test_what_a_client_knows_nothing_of(outcomes):
    known = [0.0] + [number * 0.01 for number, outcome in enumerate(outcomes) if outcome != "unknown"]
    known.append(len(outcomes) * 0.01)
    wanted = max(later - earlier for earlier, later in zip(known, known[1:]))
    assert _judge.blind(runs(outcomes), len(outcomes) * 0.01) == pytest.approx(wanted, abs=0.0101)


def test_the_worst_client_counts():
    good, bad = client(["ok"] * 900), client(["ok"] * 300 + ["timeout"] * 99 + ["ok"] * 400)
    assert _judge.judge(STEP, SCHEDULE, [], WHEN, [good, bad], [], [])["state"] == _judge.OVER


@pytest.mark.parametrize("faulted, clients, troubles", [
    (_judge.Faulted(None, None, "why"), [client(["ok"] * 9)], []),
    (WHEN, [], []),
    (WHEN, [client(["ok"] * 900)], ["cp1: unreachable"]),
    # It measured before and after, and not then.
    (_judge.Faulted(99.0, 104.0), [client(["ok"] * 900)], []),
    (_judge.Faulted(1000.0, 1010.0), [client(["ok"] * 900)], []),
    (_judge.Faulted(101.0, 104.0, "the second half failed"), [client(["ok"] * 900)], []),
])
def test_what_was_not_measured_is_no_success(faulted, clients, troubles):
    found = _judge.judge(STEP, SCHEDULE, [], faulted, clients, troubles, [])
    assert found["state"] == _judge.VOID and found["why"]
    assert _judge.is_over([found])


def test_a_host_that_is_not_as_before_ends_the_drill():
    found = _judge.judge(STEP, SCHEDULE, [], WHEN, [client(["ok"] * 900)], [], ["cp1: keepalived is down"])
    assert (found["state"], found["why"]) == (_judge.UNWELL, "cp1: keepalived is down")
    assert _judge.is_over([found])


def test_what_a_client_says_is_believed_in_its_shape_alone():
    said = {"wall": 100.0, "seconds": 9.0, "stalls": [[1.0, 1.5]], "targets": {"x": [[0, 0.1, 3, "ok", 0.01]]}}
    assert _judge.measured_of("c", said) == _judge.Measured(
        "c", 100.0, 9.0, 0.5, {"x": [_judge.Run(0, 0.1, 3, "ok", 0.01)]})
    for key, value in (("wall", "now"), ("seconds", float("nan")), ("targets", []), ("targets", {"x": [[1]]}),
                       ("targets", {"x": [[2, 1, 3, "ok", 0.0]]}), ("targets", {"x": [[0, 1, 3, "<b>", 0.0]]}),
                       ("targets", {"x": [[0, 1, True, "ok", 0.0]]})):
        assert _judge.measured_of("c", dict(said, **{key: value})) is None, (key, value)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda items: st.lists(items, max_size=4)
                    | st.dictionaries(st.sampled_from(("wall", "seconds", "targets", "stalls", "seen", "now")), items)))
def test_no_answer_breaks_it(said):
    _judge.measured_of("c", said, said)
    assert isinstance(_judge.faulted_of(said), _judge.Faulted)


def test_clocks_that_may_agree_are_left_alone():
    asked = {"from": 1000.0, "to": 1001.0}
    assert _judge.ahead(asked, 1000.5) == 0
    assert _judge.ahead(asked, 400.5) == 600
    seen = {"now": 50.0, "wall": 400.5, "injected": 40.0, "undone": None, "error": ""}
    assert _judge.faulted_of({"seen": seen, "asked": asked}) == _judge.Faulted(990.5, None)


def test_reasons_of_clients_are_known():
    assert _attempts.OK not in _attempts.REASONS and _schedule.WORDS.keys() == set(_schedule._fault.FAULTS)
