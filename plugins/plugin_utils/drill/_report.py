# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""The result of a drill as text and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..judge._table import table
from . import _judge
from ._schedule import Schedule, millis

SCHEMA = 1


def text(schedule: Schedule, results: Sequence[Mapping[str, Any]]) -> str:
    rows = [(result["fault"], result["host"], "yes" if result["held"] else "no",
             "-" if result["outage"] is None else millis(result["outage"]), millis(result["budget"]),
             "%d of %d" % (result["failed"], result["attempts"]), result["state"]) for result in results]
    lines = [table(("FAULT", "ON", "HELD THE VIP", "OUTAGE", "BUDGET", "FAILED", "RESULT"), rows), "",
             headline(schedule, results)]
    lines += ["%s on %s: %s" % (result["fault"], result["host"], result["why"]) for result in results if result["why"]]
    stalled = max((row["stalled"] for result in results for row in result["clients"]), default=0.0)
    if stalled:
        lines.append("A client itself stood still for %s in all; what timed out then isn't counted." % millis(stalled))
    lines += ["Left out: %s." % reason for reason in schedule.left_out]
    return "\n".join(lines)


def headline(schedule: Schedule, results: Sequence[Mapping[str, Any]]) -> str:
    done, wanted = len(results), len(schedule.steps)
    if _judge.is_over(results):
        last = results[-1]
        return "The drill stopped after %d of %d faults: %s on %s is %s." % (
            done, wanted, last["fault"], last["host"], last["state"])
    if done < wanted:
        return "The drill ended after %d of %d faults." % (done, wanted)
    worst = max((result["outage"] or 0.0 for result in results), default=0.0)
    return "All %d faults stayed within their budgets; the longest outage was %s." % (done, millis(worst))


def passed(schedule: Schedule, results: Sequence[Mapping[str, Any]]) -> bool:
    return len(results) == len(schedule.steps) and not _judge.is_over(results)


def values(schedule: Schedule, results: Sequence[Mapping[str, Any]], when: str) -> dict[str, Any]:
    """What endpoint_drill_file gets: runs of attempts are for the page."""
    return {
        "schema": SCHEMA, "at": when, "passed": passed(schedule, results), "headline": headline(schedule, results),
        "targets": [target._asdict() for target in schedule.targets], "left_out": list(schedule.left_out),
        "faults": [dict(result, clients=[{key: value for key, value in row.items() if key != "runs"}
                                         for row in result["clients"]]) for result in results],
    }
