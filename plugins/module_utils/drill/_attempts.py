# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What became of a client's attempts, in bounded space: runs of attempts with the same outcome. Pure."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

OK = "ok"
# An attempt that ran out of time while the client itself stood still says nothing.
UNKNOWN = "unknown"
REASONS = ("timeout", "refused", "reset", "unreachable", "http", "error", UNKNOWN)
# Of seconds: long enough for few of them, short enough for a drawing.
LONGEST_RUN = 0.25
MOST_RUNS = 20000


class Run:
    """From the start of its first attempt to that of its last one."""

    __slots__ = ("count", "first", "last", "outcome", "slowest")

    def __init__(self, first: float, outcome: str, latency: float) -> None:
        self.first = self.last = first
        self.count = 1
        self.outcome = outcome
        self.slowest = latency

    def told(self) -> List[Any]:
        return [round(self.first, 4), round(self.last, 4), self.count, self.outcome, round(self.slowest, 4)]


class Attempts:
    """Attempts end in another order than they begin; runs are made in the order of their beginnings."""

    def __init__(self) -> None:
        self.runs: List[Run] = []
        self._open: Dict[int, Optional[Any]] = {}
        self._next = 0
        self._number = 0
        self.answered = False

    @property
    def full(self) -> bool:
        return len(self.runs) >= MOST_RUNS

    def begin(self) -> int:
        """The new attempt's number."""
        number = self._number
        self._number += 1
        self._open[number] = None
        return number

    def end(self, number: int, start: float, latency: float, outcome: str) -> None:
        self._open[number] = (start, latency, outcome)
        self.answered = self.answered or outcome == OK
        while self._next in self._open and self._open[self._next] is not None:
            self._add(*self._open.pop(self._next))  # type: ignore[misc]
            self._next += 1

    def _add(self, start: float, latency: float, outcome: str) -> None:
        last = self.runs[-1] if self.runs else None
        if last is not None and last.outcome == outcome and start - last.first < LONGEST_RUN:
            last.last, last.count, last.slowest = start, last.count + 1, max(last.slowest, latency)
        elif not self.full:
            self.runs.append(Run(start, outcome, latency))

    def told(self) -> List[List[Any]]:
        return [run.told() for run in self.runs]
