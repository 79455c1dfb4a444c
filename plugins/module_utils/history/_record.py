# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Lines of a host's record: which of them count, and in which shape. Pure.

The recorder writes them, but whoever is root on a host can write others.
"""

from __future__ import annotations

import json
import math
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Tuple

from ..model._shapes import printable

# Kinds that are a state, which lasts until the next line about the same says otherwise.
STATES = ("vip", "link", "advert", "stranger", "daemon", "mark", "lease", "manifest", "run", "holder", "check",
          "server", "loaded", "plan", "watchdog")
HAPPENINGS = ("boot", "recorder", "gap", "clock", "exit", "trouble", "dropped")
KINDS = frozenset(STATES + HAPPENINGS)
# What is said beside the value.
MORE = ("why", "mac", "before", "host")
WORD = 200
MOST = 20000


class Picked(NamedTuple):
    """`before` is what was the case when `events` begin. `cut` is whether older ones had to be left out."""

    events: List[Dict[str, Any]]
    before: List[Dict[str, Any]]
    cut: bool


def event_of(found: Any) -> Optional[Dict[str, Any]]:
    """One line's value; None where it's none of the recorder's."""
    if not isinstance(found, dict) or not isinstance(found.get("e"), str) or found["e"] not in KINDS:
        return None
    about, value = found.get("k"), found.get("v")
    if not isinstance(about, str) or not _is_time(found.get("t")) or not _is_time(found.get("w")):
        return None
    if not (value is None or isinstance(value, (bool, str)) or _is_time(value)):
        return None
    event = {"e": found["e"], "k": printable(about, WORD), "t": found["t"], "w": found["w"],
             "v": printable(value, WORD) if isinstance(value, str) else value}
    for name in MORE:
        more = found.get(name)
        if isinstance(more, str):
            event[name] = printable(more, WORD)
        elif _is_time(more):
            event[name] = more
    for name in ("first", "old"):
        if found.get(name):
            event[name] = True
    return event


def _is_time(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and (
        abs(value) < 1e14)


def pick(lines: Iterable[bytes], boot: str, now: Tuple[float, float], seconds: float, most: int = MOST) -> Picked:
    """Events of the last `seconds`, by the host's clocks: `now` is since boot, and of the day. Those of an earlier boot
    are marked `old`: their time since boot means nothing now."""
    before: Dict[Tuple[str, str], Dict[str, Any]] = {}
    events: List[Dict[str, Any]] = []
    cut, this_boot = False, ""
    for line in lines:
        try:
            found = json.loads(line.decode("utf-8"))
        except (ValueError, RecursionError):
            continue
        event = event_of(found)
        if event is None:
            continue
        if event["e"] in ("boot", "recorder") and isinstance(found.get("boot"), str):
            this_boot = found["boot"]
        event.pop("old", None)
        if this_boot != boot:
            event["old"] = True
        age = now[1] - event["w"] if this_boot != boot else now[0] - event["t"]
        if age > seconds:
            before[event["e"], event["k"]] = event
            continue
        events.append(event)
        if len(events) > most:
            gone = events.pop(0)
            before[gone["e"], gone["k"]] = gone
            cut = True
    return Picked(events, [event for (kind, dummy), event in before.items() if kind in STATES][-most:], cut)
