# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""Events of all hosts become incidents: what belongs together, and what ended it. Pure.

An event that ends something, as a daemon that runs again, belongs to the incident in which that began. Others belong to
what happened just before, on whichever host.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ._merge import Event, Merged

# Nothing for so long, and the next event is another incident.
QUIET = 8.0
# All is as it was for so long, and a VIP that moves is another incident.
_AT_ONCE = 1.0
# A run of ours may be silent for so long.
_SAME_RUN = 300.0
# A host's last sign of life is written this often.
_ALIVE = 6.0
_LONGEST = 30 * 86400.0
# What may have changed while a recorder didn't run.
_MISSED = frozenset(("vip", "mark", "link"))
# These alone are no incident.
_BESIDE = frozenset(("check", "holder", "plan", "loaded", "recorder", "dropped", "trouble", "advert", "watchdog"))
# These begin another one as soon as all is as it was.
_CAUSES = frozenset(("daemon", "link", "mark", "run", "off", "gap", "stranger", "server"))
# Several hosts see the same.
_SHARED = frozenset(("stranger", "server"))
_MOVES = frozenset((*_BESIDE, "vip", "server"))

Key = tuple[str, str, str]


@dataclass
class Incident:
    """What happened together. `open` is what began in it and hasn't ended."""

    events: list[Event] = field(default_factory=list)
    open: set[Key] = field(default_factory=set)
    last: float = 0.0
    # Who has a VIP that didn't have it before, and the other way round.
    moved: set[tuple[str, str]] = field(default_factory=set)
    # Hosts that lost a VIP in it, by VIP.
    lost: dict[str, set[str]] = field(default_factory=dict)
    # VIPs that nobody had before it: who has them when its run is over doesn't lose them to anybody else.
    new: set[str] = field(default_factory=set)

    def add(self, event: Event) -> None:
        self.events.append(event)
        self.last = max(self.last, event.at)
        key = key_of(event)
        if begins(event):
            self.open.add(key)
        else:
            self.open.discard(key)
        if event.kind == "vip":
            self.moved ^= {(event.about, event.host)}
        if event.kind == "vip" and not event.value:
            self.lost.setdefault(event.about, set()).add(event.host)
        if event.kind == "run" and not self.runs():
            self.moved = {(vip, host) for vip, host in self.moved if vip not in self.new}
            self.new = set()

    @property
    def at(self) -> float:
        return self.events[0].at

    def runs(self) -> bool:
        return any(kind == "run" for dummy, kind, dummy in self.open)

    def settled(self) -> bool:
        """All is as it was before."""
        return not self.moved and all(kind == "stranger" for dummy, kind, dummy in self.open)

    def awaits(self, vip: str, host: str) -> bool:
        """Whether the VIP had left this host, or nobody has it since."""
        lost = self.lost.get(vip, set())
        away = {where for what, where in self.moved if what == vip}
        return bool(away) and (host in lost or away <= lost)

    def only(self, kinds: frozenset[str]) -> bool:
        return all(event.kind in kinds for event in self.events)


def key_of(event: Event) -> Key:
    return event.host, event.kind, event.about


def begins(event: Event) -> bool:
    """Whether it's the beginning of something that will end."""
    if event.kind == "daemon":
        return bool(event.value != "running")
    if event.kind in ("link", "manifest"):
        return not event.value
    if event.kind == "server":
        return bool(event.value != "UP")
    if event.kind in ("mark", "lease", "run"):
        return bool(event.value) and event.about != "drained"
    return event.kind in ("stranger", "off") and event.value is not None


def ends(event: Event) -> bool:
    """Whether it may be the end of something."""
    return event.kind in ("daemon", "link", "manifest", "server", "mark", "lease", "run", "stranger",
                          "off") and not begins(event) and event.about != "drained"


def incidents(merged: Merged, since: float = float("-inf"), until: float = float("inf")) -> list[Incident]:
    """In the order in which they began, those of which something lies between the two moments."""
    found: list[Incident] = []
    current: Incident | None = None
    waiting: list[Event] = []
    new = _new_vips(merged)
    for event in _news(merged):
        opener = next((item for item in reversed(found) if key_of(event) in item.open), None) if ends(event) else None
        if opener is None and (current is None or not _belongs(event, current)):
            waiting = [item for item in waiting if event.at - item.at <= QUIET]
            if event.kind in _BESIDE:
                waiting.append(event)
                continue
            opener = Incident()
            found.append(opener)
            # A check fails before the VIP leaves.
            for item in waiting:
                opener.add(item)
            waiting = []
        current = opener or current
        if current is not None:
            if new.get(event.about) is event:
                current.new.add(event.about)
            current.add(event)
    found = [item for item in _joined(found) if not item.only(_BESIDE)]
    return [item for item in found if item.last >= since and item.at <= until]


def _new_vips(merged: Merged) -> dict[str, Event]:
    """{VIP: how the first host took it}, where every host has said that it didn't have it before."""
    if any(host.why or host.cut for host in merged.hosts.values()):
        return {}
    taken: dict[str, Event] = {}
    for event in sorted([*merged.before(), *merged.events()], key=lambda event: event.at):
        if event.kind == "vip" and event.value:
            taken.setdefault(event.about, event)
    return {vip: event for vip, event in taken.items() if not event.first}


def _belongs(event: Event, current: Incident) -> bool:
    # A run locks hosts more than once.
    if event.kind == "run" and event.at - current.last < _SAME_RUN and any(
            item.kind == "run" and item.value == event.value for item in current.events):
        return True
    if event.at - current.last > QUIET and not current.runs():
        return False
    # A VIP may go before it's seen why.
    if event.kind == "vip" and current.settled() and event.at - current.last > _AT_ONCE:
        return False
    if event.kind in _SHARED and any(item.kind == event.kind and item.about == event.about for item in current.events):
        return True
    return not (current.settled() and event.kind in _CAUSES and (
        begins(event) or event.kind == "gap" or event.about == "drained"))


def _news(merged: Merged) -> list[Event]:
    """All that was seen to happen, with what has to be concluded: a host that went and came back."""
    news: list[Event] = []
    for host in merged.hosts.values():
        known = {(event.kind, event.about): event.value for event in host.before}
        for event in host.events:
            if event.kind == "boot":
                news += _off(merged, event, known)
            elif event.kind != "recorder" and (not event.first or event.kind == "run" and event.value):
                # A run that has just switched the recorder on goes on.
                news.append(event)
            elif event.kind in _MISSED and known.get((event.kind, event.about), event.value) != event.value:
                # It changed while nobody recorded.
                news.append(event)
            known[event.kind, event.about] = event.value
    return sorted(news, key=lambda event: event.at)


def _off(merged: Merged, boot: Event, known: dict[tuple[str, str], Any]) -> list[Event]:
    """A host went, with its VIPs, and came back."""
    before = boot.more.get("before")
    # One that never recorded before wasn't seen to go.
    if not isinstance(before, (int, float)) or not 0 < boot.at - before < _LONGEST:
        return []
    at = _went(merged, boot, before)
    news = [Event(at, boot.host, "off", "host", bool(boot.value)), Event(boot.at, boot.host, "off", "host", None)]
    for kind, about in list(known):
        if kind == "vip" and known[kind, about]:
            news.append(Event(at, boot.host, kind, about, False))
            known[kind, about] = False
    return news


def _went(merged: Merged, boot: Event, before: float) -> float:
    """When a host went: others noticed it sooner than its last sign of life tells."""
    own = {address for address, host in merged.owners.items() if host == boot.host}
    silent = [event.at for event in merged.events()
              if event.kind == "advert" and not event.value and event.about.partition(" ")[2] in own
              and before - 1.0 <= event.at <= min(before + _ALIVE, boot.at)]
    # Before they say so themselves.
    return min(silent, default=before) - 0.001


def _joined(found: Iterable[Incident]) -> list[Incident]:
    """A VIP that only moves does so because of what happened before: it comes back to a host that had lost it, or from
    nowhere."""
    kept: list[Incident] = []
    for item in found:
        back = {(event.about, event.host) for event in item.events if event.kind == "vip" and event.value}
        before = None
        if back and item.only(_MOVES):
            before = next((other for other in sorted(kept, key=lambda other: -other.last)
                           if any(other.awaits(vip, host) for vip, host in back)), None)
        if before is None:
            kept.append(item)
            continue
        for event in item.events:
            before.add(event)
    for item in kept:
        item.events.sort(key=lambda event: event.at)
    return kept


def holders(events: Iterable[Event], vips: Iterable[str], until: float) -> dict[str, set[str]]:
    """{VIP: hosts that have it} at a moment."""
    found: dict[str, set[str]] = {vip: set() for vip in vips}
    for event in sorted(events, key=lambda event: event.at):
        if event.kind == "vip" and event.at <= until:
            (found.setdefault(event.about, set()).add if event.value else found.setdefault(
                event.about, set()).discard)(event.host)
    return found


def values(events: Iterable[Event], kind: str) -> Mapping[tuple[str, str], Any]:
    return {(event.host, event.about): event.value for event in events if event.kind == kind}
