# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""One page with a drawing for each fault: what a client saw, and when. Its words and shapes stand in the template
drill.html.j2; here is decided where they're drawn. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...module_utils.drill import _attempts
from . import _judge, _report
from ._schedule import WORDS, Schedule, millis

_WIDTH, _LEFT, _RIGHT, _TOP, _ROW, _CHART = 1000, 60, 16, 34, 26, 80
# Of seconds, before and after what is of interest.
_BEFORE, _AFTER = 1.0, 1.5
_STATES = {_judge.WITHIN: "ok", _judge.OVER: "bad", _judge.UNWELL: "bad", _judge.VOID: "warn"}
_MOST = 4000


def view(schedule: Schedule, results: Sequence[Mapping[str, Any]], when: str) -> dict[str, Any]:
    """What the template shows."""
    good = _report.passed(schedule, results)
    return {
        "headline": _report.headline(schedule, results), "state": "ok" if good else "bad", "when": when,
        "width": _WIDTH, "left": _LEFT, "right": _WIDTH - _RIGHT, "left_out": schedule.left_out,
        "endpoints": ", ".join(sorted({"%s port %d" % (target.address, target.port) for target in schedule.targets})),
        "faults": [_fault(number, result) for number, result in enumerate(results)],
    }


def _fault(number: int, result: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": "fault-%d" % number, "state": _STATES[result["state"]], "result": result["state"],
        "title": "%s: %s" % (result["host"], WORDS[result["fault"]]), "why": result["why"],
        "facts": [("Held the VIP", "yes" if result["held"] else "no"),
                  ("Longest outage", "-" if result["outage"] is None else millis(result["outage"])),
                  ("Budget", millis(result["budget"])), ("Expected at most", millis(result["expected"])),
                  ("Failed", "%d of %d" % (result["failed"], result["attempts"]))],
        "drawings": [_drawing(row) for row in result["clients"]],
    }


def _drawing(row: Mapping[str, Any]) -> dict[str, Any]:
    runs = [_judge.Run(*run) for run in row["runs"]]
    begin, end = _window(row, runs)
    scale = _Scale(begin, end)
    shown = [run for run in runs if run.last >= begin and run.first <= end][:_MOST]
    ceiling = max([0.05] + [run.slowest for run in shown if run.outcome == _attempts.OK])
    chart = _TOP + _ROW + 12
    return {
        "name": "%s from %s" % (row["target"], "the controller" if row["client"] == "localhost" else row["client"]),
        "height": chart + _CHART + 24, "top": _TOP, "row": _ROW, "chart": chart, "bottom": chart + _CHART,
        "ceiling": millis(ceiling),
        "bars": [dict(_bar(scale, run), title="%d %s at %.2f s" % (
            run.number, run.outcome if run.outcome != _attempts.OK else "answered", run.first)) for run in shown],
        "dots": [{"x": scale.x((run.first + run.last) / 2),
                  "y": round(chart + _CHART - _CHART * run.slowest / ceiling, 1)}
                 for run in shown if run.outcome == _attempts.OK],
        "outage": {"x": scale.x(row["from"]), "width": round(max(2.0, scale.x(row["to"]) - scale.x(row["from"])), 1),
                   "text": millis(row["outage"])} if row["outage"] else None,
        "marks": [{"x": scale.x(row[key]), "text": word}
                  for key, word in (("injected", "fault"), ("undone", "put back"))
                  if row[key] is not None and begin <= row[key] <= end],
        "ticks": [{"x": scale.x(at), "text": "%g s" % at} for at in scale.ticks()],
    }


def _window(row: Mapping[str, Any], runs: Sequence[_judge.Run]) -> tuple[float, float]:
    """What happened, and a little around it."""
    moments = [row[key] for key in ("injected", "undone") if row[key] is not None]
    moments += [moment for run in runs if run.outcome not in (_attempts.OK, _attempts.UNKNOWN)
                for moment in (run.first, run.last)]
    last = runs[-1].last if runs else 1.0
    if not moments:
        return 0.0, max(last, 1.0)
    begin = min(max(0.0, min(moments) - _BEFORE), last)
    return begin, max(min(last, max(moments) + _AFTER), begin + 1.0)


def _bar(scale: _Scale, run: _judge.Run) -> dict[str, Any]:
    kind = {_attempts.OK: "answered", _attempts.UNKNOWN: "unknown"}.get(run.outcome, "failed")
    x = scale.x(run.first)
    return {"kind": kind, "x": x, "width": round(max(1.5, scale.x(run.last + 0.01) - x), 1)}


class _Scale:
    """Where a moment is drawn."""

    def __init__(self, begin: float, end: float) -> None:
        self.begin, self.end = begin, end

    def x(self, at: float) -> float:
        part = (min(max(at, self.begin), self.end) - self.begin) / (self.end - self.begin)
        return round(_LEFT + part * (_WIDTH - _LEFT - _RIGHT), 1)

    def ticks(self) -> list[float]:
        """Whole seconds, some ten of them."""
        step = next((step for step in (1, 2, 5, 10, 20, 60) if (self.end - self.begin) / step <= 12), 120)
        first = int(-(-self.begin // step)) * step
        return [float(at) for at in range(first, int(self.end) + 1, step)]
