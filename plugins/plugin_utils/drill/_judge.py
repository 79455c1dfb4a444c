# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""What clients saw of a fault becomes outages, and those a verdict. Pure.

An outage reaches from the start of the last attempt that was answered to that of the next one, with one in between that
wasn't. So one lost attempt at a beat of 10 ms is an outage of 20 ms. What a client couldn't tell, because it stood
still itself, is neither an answer nor a failure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ...module_utils.drill import _attempts
from ...module_utils.model._shapes import printable
from ._schedule import Schedule, Step, millis

WITHIN, OVER, VOID, UNWELL = "within budget", "over budget", "not measured", "not as before"
_MOST_TARGETS = 100


class Run(NamedTuple):
    """Attempts with one outcome: seconds since the client's first attempt."""

    first: float
    last: float
    number: int
    outcome: str
    slowest: float


class Outage(NamedTuple):
    begun: float
    ended: float

    @property
    def seconds(self) -> float:
        return self.ended - self.begun


class Measured(NamedTuple):
    """One client's; `wall` is its first attempt by the controller's clock."""

    client: str
    wall: float
    seconds: float
    stalled: float
    targets: dict[str, list[Run]]


def measured_of(client: str, said: Any, asked: Any = None) -> Measured | None:
    """What a client returned, as far as it has the shape that it's to have; else None. `asked` is when it was."""
    if not isinstance(said, Mapping) or not isinstance(said.get("targets"), Mapping):
        return None
    if not _numbers(said.get("wall"), said.get("seconds")) or len(said["targets"]) > _MOST_TARGETS:
        return None
    targets = {}
    for name, runs in said["targets"].items():
        if not isinstance(runs, list) or len(runs) > _attempts.MOST_RUNS:
            return None
        found = [_run_of(run) for run in runs]
        if None in found:
            return None
        targets[str(name)] = [run for run in found if run is not None]
    stalls = said.get("stalls")
    stalled = sum(item[1] - item[0] for item in stalls
                  if isinstance(item, list) and len(item) == 2 and _numbers(*item)) if isinstance(stalls, list) else 0.0
    return Measured(client, said["wall"] + ahead(asked, said.get("now")), said["seconds"], round(stalled, 3), targets)


def _run_of(run: Any) -> Run | None:
    if not isinstance(run, list) or len(run) != 5 or not _numbers(run[0], run[1], run[2], run[4]):
        return None
    if run[3] != _attempts.OK and run[3] not in _attempts.REASONS:
        return None
    return Run(*run) if 0 <= run[0] <= run[1] and run[2] >= 1 else None


def _numbers(*values: Any) -> bool:
    return all(isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
               for value in values)


def ahead(asked: Any, now: Any) -> float:
    """What to add to a host's clock for the controller's: nothing where it may be the same."""
    if not isinstance(asked, Mapping) or not _numbers(asked.get("from"), asked.get("to"), now):
        return 0.0
    if asked["from"] <= now <= asked["to"]:
        return 0.0
    return float((asked["from"] + asked["to"]) / 2 - now)


def outages(runs: Sequence[Run]) -> list[Outage]:
    """In the order of time. Those at either end are bounded by the first and the last attempt."""
    found = []
    answered = runs[0].first if runs else 0.0
    failed: float | None = None
    for run in runs:
        if run.outcome == _attempts.UNKNOWN:
            continue
        if run.outcome != _attempts.OK:
            failed = run.last
            continue
        if failed is not None:
            found.append(Outage(answered, run.first))
        answered, failed = run.last, None
    if failed is not None:
        found.append(Outage(answered, failed))
    return found


def longest(runs: Sequence[Run]) -> Outage:
    return max(outages(runs), key=lambda outage: outage.seconds, default=Outage(0.0, 0.0))


def blind(runs: Sequence[Run], seconds: float) -> float:
    """The longest time of which the client knows nothing: an outage as long as that may have been."""
    known = [run for run in runs if run.outcome != _attempts.UNKNOWN]
    edges = [0.0, *(moment for run in known for moment in (run.first, run.last)), seconds]
    return max(later - earlier for earlier, later in zip(edges[::2], edges[1::2]))


class Faulted(NamedTuple):
    """When a fault began and ended, by the controller's clock."""

    injected: float | None
    undone: float | None
    why: str = ""


def faulted_of(result: Any) -> Faulted:
    """Of what the host said when it was put back."""
    if not isinstance(result, Mapping) or result.get("failed") or result.get("unreachable"):
        said = result.get("msg") if isinstance(result, Mapping) else ""
        return Faulted(None, None, printable(str(said or "it couldn't be asked").strip().split("\n", 1)[0], 300))
    seen = result.get("seen")
    if not isinstance(seen, Mapping) or not _numbers(seen.get("now"), seen.get("wall")):
        return Faulted(None, None, "it doesn't say when")
    shift = seen["wall"] - seen["now"] + ahead(result.get("asked"), seen["wall"])
    times = [seen[key] + shift if _numbers(seen.get(key)) else None for key in ("injected", "undone")]
    return Faulted(times[0], times[1], printable(str(seen.get("error") or ""), 300))


def judge(step: Step, schedule: Schedule, held: Sequence[str], faulted: Faulted, clients: Sequence[Measured],
          troubles: Sequence[str], unwell: Sequence[str]) -> dict[str, Any]:
    """One step's result. `troubles` are why it isn't measured, `unwell` what isn't as before."""
    places = {target.name: target for target in schedule.targets}
    rows = []
    for client in clients:
        for name, runs in sorted(client.targets.items()):
            if name in places:
                rows.append(_row(client, name, runs, step.budgets[places[name].endpoint], faulted))
    worst = max(rows, key=lambda row: (row["over"], row["outage"]), default=None)
    why = [*troubles, *_unmeasured(step, faulted, clients, rows)]
    if not any(row["over"] for row in rows):
        why += ["%s knows nothing of %s, which is longer than the budget: measure from a host that isn't busy" % (
            row["client"], millis(row["blind"])) for row in rows if row["blind"] > row["budget"]]
    state = VOID if why else OVER if worst is not None and worst["over"] else UNWELL if unwell else WITHIN
    return {
        "fault": step.fault, "host": step.host, "held": list(held), "state": state,
        "why": "; ".join(why or (_over(rows) if state == OVER else list(unwell)[:5])),
        "expected": step.expected, "budget": worst["budget"] if worst else max(step.budgets.values(), default=0.0),
        "outage": worst["outage"] if worst else None,
        "failed": sum(row["failed"] for row in rows), "attempts": sum(row["attempts"] for row in rows),
        "clients": rows,
    }


def _row(client: Measured, name: str, runs: Sequence[Run], budget: float, faulted: Faulted) -> dict[str, Any]:
    found = longest(runs)
    failed = sum(run.number for run in runs if run.outcome not in (_attempts.OK, _attempts.UNKNOWN))
    return {
        "client": client.client, "target": name, "budget": budget, "outage": round(found.seconds, 3),
        "over": found.seconds > budget, "from": round(found.begun, 3), "to": round(found.ended, 3),
        "blind": round(blind(runs, client.seconds), 3),
        "failed": failed, "attempts": sum(run.number for run in runs), "stalled": client.stalled,
        "seconds": client.seconds,
        "injected": None if faulted.injected is None else round(faulted.injected - client.wall, 3),
        "undone": None if faulted.undone is None else round(faulted.undone - client.wall, 3),
        "runs": [list(run) for run in runs],
    }


def _over(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return ["%s was out for %s for %s" % (row["target"], millis(row["outage"]), row["client"])
            for row in rows if row["over"]]


def _unmeasured(step: Step, faulted: Faulted, clients: Sequence[Measured], rows: Sequence[Any]) -> list[str]:
    if not rows:
        return ["no client has measured"]
    # A host that has rebooted has forgotten when that was.
    if step.fault == "reboot":
        return []
    if faulted.injected is None:
        return ["the fault wasn't made%s" % (": " + faulted.why if faulted.why else "")]
    found = [faulted.why] if faulted.why else []
    for client in clients:
        if not client.wall <= faulted.injected <= client.wall + client.seconds:
            found.append("%s didn't measure while it was made" % client.client)
    return found


def is_over(results: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the drill ends here."""
    return any(result["state"] != WITHIN for result in results)
