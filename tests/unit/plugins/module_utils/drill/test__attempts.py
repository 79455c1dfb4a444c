# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.kubeha.apiserver.plugins.module_utils.drill import _attempts
from hypothesis import given
from hypothesis import strategies as st

OUTCOMES = st.sampled_from((_attempts.OK, *_attempts.REASONS))


@given(st.lists(OUTCOMES, max_size=80), st.randoms(use_true_random=False))
def test_runs_have_all_attempts_in_the_order_of_their_beginnings(outcomes, random):
    attempts = _attempts.Attempts()
    numbers = [attempts.begin() for dummy in outcomes]
    for number in random.sample(numbers, len(numbers)):
        attempts.end(number, number * 0.01, 0.001 * number, outcomes[number])
    runs = attempts.told()
    assert [run[3] for run in runs for dummy in range(run[2])] == outcomes
    assert [run[0] for run in runs] == sorted(run[0] for run in runs)
    assert all(run[1] - run[0] <= _attempts.LONGEST_RUN + 1e-6 for run in runs)
    assert attempts.answered == (_attempts.OK in outcomes)


def test_what_never_ends_holds_back_only_what_came_after_it():
    attempts = _attempts.Attempts()
    first, second = attempts.begin(), attempts.begin()
    attempts.end(second, 0.01, 0.002, _attempts.OK)
    assert attempts.told() == []
    attempts.end(first, 0.0, 0.003, _attempts.OK)
    assert attempts.told() == [[0.0, 0.01, 2, "ok", 0.003]]


def test_there_is_an_end_to_what_is_kept(monkeypatch):
    monkeypatch.setattr(_attempts, "MOST_RUNS", 3)
    attempts = _attempts.Attempts()
    for number in range(10):
        attempts.end(attempts.begin(), number, 0.1, "ok" if number % 2 else "reset")
    assert attempts.full and len(attempts.told()) == 3
