# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""What happened, in plain words and as values. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, NamedTuple

from . import _causes
from ._incidents import Incident, holders
from ._merge import Event, Host, Merged, members, spread

Clock = Callable[[float], datetime]

# A VIP that is on two hosts for a moment moves; for longer, two hold it.
_BOTH = 2.0
_DAEMONS = {"haproxy": "HAProxy", "keepalived": "keepalived"}


class Move(NamedTuple):
    """A VIP came to a host. `nobody` is for how long none had it."""

    at: float
    vip: str
    host: str
    back: bool
    nobody: float


class Told(NamedTuple):
    """An incident as people read it."""

    incident: Incident
    causes: list[_causes.Cause]
    moves: list[Move]
    both: list[str]
    text: str


def tell(found: Iterable[Incident], merged: Merged) -> list[Told]:
    every = [*merged.before(), *merged.events()]
    told = [_told(incident, merged, every) for incident in found]
    return [item for item in told if item.text]


def _told(incident: Incident, merged: Merged, every: list[Event]) -> Told:
    why = _causes.causes(incident, merged)
    moves, both = _moves(incident, every, merged.vips)
    parts = [_causes.text(cause) for cause in why[:6]]
    if len(why) > 6:
        parts.append("and %d more" % (len(why) - 6))
    begun = why[0].at if why else incident.at
    several = len(merged.vips) > 1
    # A host whose record wasn't read may have had it.
    all_read = not any(host.why or not host.events for host in merged.hosts.values())
    for move in moves:
        name = "the VIP %s" % move.vip if several else "the VIP"
        if move.back:
            parts.append("%s was back on %s after %s" % (name, move.host, seconds(move.at - begun)))
        else:
            later = "at once" if move.at - begun < 0.01 else "%s later" % seconds(move.at - begun)
            parts.append("%s took %s %s" % (move.host, name, later))
        if move.nobody > 1.0 and all_read:
            parts[-1] += ", which nobody had for %s" % seconds(move.nobody)
    parts += both
    left = [vip for vip, hosts in incident.lost.items() if not any(move.vip == vip for move in moves)
            and all_read and not holders(every, merged.vips, incident.last).get(vip)]
    parts += ["nobody took %s" % vip for vip in left]
    parts += [_ended(cause) for cause in why if cause.until is not None and cause.code not in (
        "run", "host_frozen", "stranger")][:4]
    return Told(incident, why, moves, both, "; ".join(parts))


def _ended(cause: _causes.Cause) -> str:
    kind, after = cause.code.partition("_")[0], seconds((cause.until or 0.0) - cause.at)
    if kind in _DAEMONS:
        return "%s ran again on %s after %s" % (_DAEMONS[kind], cause.host, after)
    if kind == "apiserver":
        return "the API server %s was up again after %s" % (cause.host, after)
    return "%s was there again after %s" % ("its interface" if kind == "link" else cause.host, after)


def _moves(incident: Incident, every: list[Event], vips: list[str]) -> tuple[list[Move], list[str]]:
    """Where VIPs went; and words for those that two hosts had."""
    found: list[Move] = []
    both: list[str] = []
    begun = holders(every, vips, incident.at - 0.001)
    for vip in dict.fromkeys(event.about for event in incident.events if event.kind == "vip"):
        having, first = set(begun.get(vip, ())), set(begun.get(vip, ()))
        empty: float | None = None
        doubled: float | None = None
        for event in incident.events:
            if event.kind != "vip" or event.about != vip:
                continue
            if event.value and event.host not in having:
                others = having - {event.host}
                if others and _gives_up(event, incident):
                    continue
                found.append(Move(event.at, vip, event.host, event.host in first,
                                  event.at - empty if empty is not None else 0.0))
                doubled = event.at if others and doubled is None else doubled
                having.add(event.host)
                empty = None
            elif not event.value:
                if len(having) == 2 and doubled is not None and event.host in having:
                    if event.at - doubled > _BOTH:
                        both.append("two hosts had %s for %s" % (vip, seconds(event.at - doubled)))
                    doubled = None
                having.discard(event.host)
                empty = event.at if not having else empty
    return sorted(found), both


def _gives_up(event: Event, incident: Incident) -> bool:
    """Two backups may take a VIP at the same time; one lets go at once."""
    return any(item.kind == "vip" and item.about == event.about and item.host == event.host and not item.value
               and 0 <= item.at - event.at < _BOTH for item in incident.events)


def seconds(value: float) -> str:
    """As exact as it's worth saying."""
    value = max(0.0, value)
    if value >= 7200:
        return "%.1f h" % (value / 3600)
    if value >= 120:
        return "%d min" % round(value / 60)
    return ("%.2f s" if value < 1 else "%.1f s" if value < 10 else "%.0f s") % value


# The whole


def report(told: list[Told], merged: Merged, since: float, until: float, clock: Clock) -> str:
    lines = ["From %s to %s:" % (stamp(clock(since)), stamp(clock(until)))]
    day = clock(since).date()
    for item in told:
        at = clock(item.causes[0].at if item.causes else item.incident.at)
        when = at.strftime("%H:%M:%S.") + str(at.microsecond // 100000)
        if at.date() != day:
            when = at.strftime("%Y-%m-%d ") + when
        lines.append("  %s  %s" % (when, item.text))
    if not told:
        lines.append("  Nothing is on record.")
    lines += ["  %s: %s" % (name, word) for name, word in doubts(merged, since)]
    apart = spread(host for host in merged.hosts.values() if not host.why)
    if told and len(merged.hosts) > 1:
        lines.append("  Times of different hosts may be %s apart." % seconds(apart))
    return "\n".join(lines)


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S %Z").strip()


def doubts(merged: Merged, since: float) -> list[tuple[str, str]]:
    """What a reader has to know of each host's record."""
    found = []
    for host in merged.hosts.values():
        first = min((event.at for event in [*host.before, *host.events]), default=None)
        if host.why:
            found.append((host.name, "its record couldn't be read: %s" % host.why))
        elif first is None:
            found.append((host.name, "it has no record: set endpoint_recorder and run site"))
        elif not host.records:
            found.append((host.name, "its recorder doesn't run now"))
        elif host.cut:
            found.append((host.name, "more has happened than is shown"))
        elif first > since + 60:
            found.append((host.name, "its record begins later"))
    return found


def values(told: list[Told], merged: Merged, since: float, until: float, clock: Clock) -> dict[str, Any]:
    """For programs."""
    return {
        "schema": 1,
        "since": _iso(clock(since)),
        "until": _iso(clock(until)),
        "hosts": {name: _host(merged.hosts[name]) for name in members(merged)},
        "incidents": [_incident(item, clock) for item in told],
    }


def _host(host: Host) -> dict[str, Any]:
    return {"read": not host.why, "why": host.why or None, "records": host.records, "cut": host.cut,
            "uncertain": round(host.uncertain, 3), "events": len(host.events)}


def _incident(item: Told, clock: Clock) -> dict[str, Any]:
    return {
        "at": _iso(clock(item.incident.at)),
        "until": _iso(clock(item.incident.last)),
        "over": not item.incident.open,
        "text": item.text,
        "causes": [{"code": cause.code, "host": cause.host, "about": cause.about or None, "at": _iso(clock(cause.at)),
                    "until": None if cause.until is None else _iso(clock(cause.until))} for cause in item.causes],
        "moves": [{"at": _iso(clock(move.at)), "vip": move.vip, "host": move.host, "back": move.back,
                   "nobody_seconds": round(move.nobody, 3)} for move in item.moves],
        "events": [{"at": _iso(clock(event.at)), "host": event.host, "kind": event.kind, "about": event.about,
                    "value": event.value, **event.more} for event in item.incident.events],
    }


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")
