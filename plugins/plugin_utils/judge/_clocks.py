# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""How far hosts' clocks are apart, at least. Pure.

A host says what time it is, and the controller knows by its own monotonic clock between when it was asked: so each
host's clock lies within bounds, and two whose bounds don't overlap differ. The controller's own time of day is nowhere
in this.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple, Optional


class Offset(NamedTuple):
    """A host's clock less the controller's monotonic one, in seconds: it's between the two."""

    low: float
    high: float


class Apart(NamedTuple):
    """`host` is this many seconds ahead of `other` at least; behind it where that's negative."""

    host: str
    other: str
    seconds: float


def offset(at: float, elapsed: float, began: float, ended: float) -> Dict[str, float]:
    """`at` is what the host's clock said `elapsed` seconds after its module began, which was after `began`."""
    return Offset(round(at - ended, 3), round(at - min(began + elapsed, ended), 3))._asdict()


def tighter(known: Mapping[str, float], said: str, began: float, ended: float) -> Dict[str, float]:
    """With what `date +%s.%N` said between those two moments, which takes less time than a module."""
    try:
        more = offset(float(said.strip()), 0.0, began, ended)
    except ValueError:
        return dict(known)
    both = {"low": max(known["low"], more["low"]), "high": min(known["high"], more["high"])}
    # A clock that was set in between has no bounds in common; then the later look counts.
    return both if both["low"] <= both["high"] else more


def read(said: Any) -> Optional[Offset]:
    """An offset as it was noted, None where it wasn't."""
    low, high = (said.get("low"), said.get("high")) if isinstance(said, Mapping) else (None, None)
    if not isinstance(low, (int, float)) or not isinstance(high, (int, float)):
        return None
    return Offset(float(low), float(high))


def apart(clocks: Mapping[str, Offset], limit: float) -> List[Apart]:
    """Hosts that differ by more than the limit, each once, beside the one that it differs most from.

    Of two it's the one that is further from the middle of all; of two hosts alone, the second one.
    """
    middles = sorted((clock.low + clock.high) / 2 for clock in clocks.values())
    middle = middles[(len(middles) - 1) // 2] if middles else 0.0
    by_distance = sorted(clocks, key=lambda host: abs((clocks[host].low + clocks[host].high) / 2 - middle))
    found: List[Apart] = []
    for number, host in enumerate(by_distance):
        differences = [Apart(host, other, _difference(clocks[host], clocks[other])) for other in by_distance[:number]]
        worst = max(differences, key=lambda difference: abs(difference.seconds), default=None)
        if worst is not None and abs(worst.seconds) > limit:
            found.append(worst)
    return found


def _difference(one: Offset, other: Offset) -> float:
    """By how much they surely differ."""
    if one.low > other.high:
        return one.low - other.high
    if one.high < other.low:
        return one.high - other.low
    return 0.0
