# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of a change is judged by, and the table that documentation shows."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Sequence

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "molecule"))
sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "tests" / "usage"))
sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "tests" / "rollout"))

import figures
from _lab.measure import Change, Measurement
from catalogue import BOTH, CHANGES
from figures import Figures, Limits

HELD = Change(-1.0, "cp1", True)
GAP = [HELD, Change(0.5, "cp1", False), Change(0.53, "cp2", True)]
TWICE = [HELD, Change(0.5, "cp2", True), Change(0.75, "cp1", False)]


def seen(text: str, changes: Sequence[Change] = (HELD,), end: float = 1.0) -> Figures:
    """One attempt each 10 ms; x was refused, l got no answer in time, anything else succeeded."""
    words = {"x": (None, "refused"), "l": (None, "timeout")}
    attempts = [(i * 0.01, *words.get(letter, (0.002, "cp1"))) for i, letter in enumerate(text)]
    return Figures.of(Measurement(attempts, 0.2, 0.7, end, list(changes)), streams=0)


def test_what_was_seen() -> None:
    run = seen("." * 97 + "xxl", GAP)
    assert (run.attempts, run.failed, run.late, run.moves, run.not_held, run.held_twice, run.seconds, run.missed) == (
        100, 3, 1, 1, 0.03, 0, 0.5, 0)
    assert seen("." * 100, TWICE).held_twice == 0.25


@pytest.mark.parametrize(
    "run, limits, beyond",
    [
        (seen("." * 100), Limits(moves=0, streams=0), ""),
        (seen("." * 99 + "x"), Limits(), "1 connections failed"),
        (seen("." * 99 + "x"), Limits(failed=1), ""),
        (seen("." * 97 + "xxx", GAP), Limits(failed_each=3, not_held_each=0.05), ""),
        (seen("." * 96 + "xxxx", GAP), Limits(failed_each=3, not_held_each=0.05), "4 connections failed"),
        (seen("." * 100, GAP), Limits(moves=0, not_held=0.02), "nobody held the VIP, the VIP came to a host 1 times"),
        (seen("." * 100, TWICE), Limits(), "two held the VIP"),
        # Late answers count, unless the client itself had to wait for a processor.
        (seen("." * 99 + "l"), Limits(), "1 connections failed"),
        (seen("." * 90 + "l", end=1.0), Limits(), ""),
        (seen("." * 90 + "x", end=1.0), Limits(), "1 connections failed"),
        # What takes a moment takes longer there.
        (seen("." * 87 + "xxx", end=1.0), Limits(failed=1), ""),
        (seen("." * 86 + "xxxx", end=1.0), Limits(failed=1), "4 connections failed"),
        (seen("." * 90, GAP), Limits(not_held=0.02), ""),
        (seen("." * 90, TWICE), Limits(held_twice=0.05), "two held the VIP"),
        # Or they are very few.
        (seen("." * 999 + "l", end=10.0), Limits(), ""),
        (seen("." * 998 + "ll", end=10.0), Limits(), "2 connections failed"),
        (seen("." * 999 + "x", end=10.0), Limits(), "1 connections failed"),
    ],
)
def test_what_clients_may_see(run: Figures, limits: Limits, beyond: str) -> None:
    found = run.beyond(limits)
    assert len(found) == len(list(filter(None, beyond.split(", "))))
    for text, part in zip(found, beyond.split(", ")):
        assert part in text


def test_a_row_has_the_median_and_the_worst() -> None:
    runs = [seen("." * 100), seen("." * 99 + "x"), seen("." * 97 + "xxl", GAP)]
    assert figures.cells("it", runs) == ("it", "3", "1", "3", "100", "100", "1", "0.03", "0.00", "0", "0")
    assert figures.markdown({"it": runs}).splitlines()[-1] == "| it | 3 | 1 (3) | 100 | 0.03 s | 0.00 s | 0 |"
    assert len({len(line) for line in figures.table({"it": runs, "another": runs}).splitlines()}) == 1
    assert figures.document({"it": runs})[0]["runs"][2]["failed"] == 3


@pytest.mark.parametrize("mode", BOTH)
def test_rows_of_a_table_are_told_apart(mode: str) -> None:
    changes = [change for change in CHANGES if mode in change.modes]
    titles = [step.title for change in changes for step in change.steps]
    assert len(set(titles)) == len(titles)
    assert len({change.name for change in changes}) == len(changes)
    assert any(mode in change.brief for change in changes)
    assert all(set(change.brief) <= set(change.modes) for change in CHANGES)
