# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""One page that draws who held the VIP and what was out, and lists each incident. Its words and shapes stand in the
template history.html.j2; here is decided where they're drawn. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from . import _story
from ._incidents import begins
from ._merge import Event, Merged, members

_WIDTH, _LEFT, _RIGHT, _TOP, _ROW = 1000, 150, 16, 56, 44
_TICKS = 5
# More is a list that nobody reads, and a page that no browser likes.
_MOST = 500
_STATES = ("daemon", "link", "mark", "off")
_OUT = {"daemon": "%s was %s", "link": "%s was down", "off": "the host was off", "mark": "%s"}


def view(told: list[_story.Told], merged: Merged, since: float, until: float, clock: _story.Clock) -> dict[str, Any]:
    """What the template shows."""
    scale = _Scale(since, until)
    lanes = [_lane(name, number, merged, scale) for number, name in enumerate(members(merged))]
    bad = sum(any(cause.code not in ("run", "drained", "undrained") for cause in item.causes) for item in told)
    height = _TOP + len(lanes) * _ROW + 8
    return {
        "headline": _headline(len(told), bad), "state": "warn" if bad else "ok",
        "period": "%s to %s" % tuple(_story.stamp(clock(at)) for at in (since, until)),
        "width": _WIDTH, "height": height, "lanes": lanes, "left": _LEFT, "right": _WIDTH - _RIGHT,
        "ticks": [{"x": scale.x(at), "text": clock(at).strftime("%H:%M:%S")} for at in scale.ticks()],
        "marks": [{"x": scale.x(item.incident.at), "number": number} for number, item in enumerate(told[:_MOST], 1)],
        "incidents": [_incident(number, item, clock) for number, item in enumerate(told[:_MOST], 1)],
        "more": max(0, len(told) - _MOST),
        "doubts": [{"host": host, "text": text} for host, text in _story.doubts(merged, since)],
    }


def _headline(number: int, bad: int) -> str:
    if not number:
        return "Nothing is on record"
    words = "%d incident%s" % (number, "" if number == 1 else "s")
    return words + (", %d unplanned" % bad if bad else ", all planned")


class _Scale:
    """Where a moment is drawn."""

    def __init__(self, since: float, until: float) -> None:
        self.since, self.until = since, max(until, since + 0.001)

    def x(self, at: float) -> float:
        part = (min(max(at, self.since), self.until) - self.since) / (self.until - self.since)
        return round(_LEFT + part * (_WIDTH - _LEFT - _RIGHT), 1)

    def ticks(self) -> list[float]:
        return [self.since + (self.until - self.since) * number / (_TICKS - 1) for number in range(_TICKS)]


def _lane(name: str, number: int, merged: Merged, scale: _Scale) -> dict[str, Any]:
    host = merged.hosts[name]
    events = [*host.before, *sorted(host.events, key=lambda event: event.at)]
    bars = []
    for vip in merged.vips:
        mine = [event for event in events if event.kind == "vip" and event.about == vip]
        bars += [_bar("holds", begun, ended, "%s had %s" % (name, vip), scale)
                 for begun, ended, dummy in _spans(mine, scale.until)]
    for key in dict.fromkeys((event.kind, event.about) for event in events if event.kind in _STATES):
        mine = [event for event in events if (event.kind, event.about) == key]
        for begun, ended, event in _spans(mine, scale.until):
            words = (event.about, event.value)[:_OUT[event.kind].count("%s")]
            bars.append(_bar("out", begun, ended, "%s: %s" % (name, _OUT[event.kind] % words), scale))
    bars += [_bar("out", event.at, event.at + event.value, "%s stood still" % name, scale) for event in events
             if event.kind == "gap" and isinstance(event.value, (int, float))]
    return {"host": name, "y": _TOP + number * _ROW, "known": not host.why,
            "bars": [item for item in bars if item is not None][:_MOST]}


def _spans(events: Iterable[Event], until: float) -> list[tuple[float, float, Event]]:
    """From when until when a state lasted that is worth a bar."""
    found: list[tuple[float, float, Event]] = []
    open_: Event | None = None
    for event in events:
        on = bool(event.value) if event.kind in ("vip", "mark") else begins(event)
        if on and open_ is None:
            open_ = event
        elif not on and open_ is not None:
            found.append((open_.at, event.at, open_))
            open_ = None
    if open_ is not None:
        found.append((open_.at, until, open_))
    return found


def _bar(kind: str, begun: float, ended: float, title: str, scale: _Scale) -> dict[str, Any] | None:
    if ended < scale.since or begun > scale.until:
        return None
    x = scale.x(begun)
    return {"kind": kind, "x": x, "width": max(2.0, round(scale.x(ended) - x, 1)), "title": title}


def _incident(number: int, item: _story.Told, clock: _story.Clock) -> dict[str, Any]:
    planned = all(cause.code in ("run", "drained", "undrained") for cause in item.causes)
    return {
        "number": number, "at": _story.stamp(clock(item.causes[0].at if item.causes else item.incident.at)),
        "state": "ok" if planned else "warn" if not item.incident.open else "bad",
        "text": item.text, "codes": list(dict.fromkeys(cause.code for cause in item.causes)),
        "rows": [[clock(event.at).strftime("%H:%M:%S.%f")[:-3], event.host, event.kind, event.about,
                  "" if event.value is None else str(event.value)] for event in item.incident.events[:_MOST]],
    }
