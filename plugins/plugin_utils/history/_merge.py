# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""The records of all hosts, on one clock. Pure.

Each host's time since boot is compared with the controller's clock when the record is read, which is certain within the
time that reading took. What hosts heard of each other narrows that: when a host takes a VIP, its first advert reaches
the others within a millisecond or so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...module_utils.history import _record
from ...module_utils.model import _accessors, _planfile
from ...module_utils.model._shapes import printable

# An advert and the VIP that it's about lie no further apart, whatever the clocks are.
_TOGETHER = 5.0
_ENDLESS = 1e15
_NOTHING = "it said nothing"


class Event(NamedTuple):
    """A fact of a host. `at` is in seconds since 1970, by the controller's clock."""

    at: float
    host: str
    kind: str
    about: str
    value: Any
    first: bool = False
    more: Mapping[str, Any] = {}


class Clock(NamedTuple):
    """A host's time since boot less the controller's time of day: between the two."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2


@dataclass
class Host:
    """What a host has said. `why` is why it hasn't."""

    name: str
    why: str = ""
    records: bool = False
    cut: bool = False
    events: list[Event] = field(default_factory=list)
    before: list[Event] = field(default_factory=list)
    uncertain: float = 0.0
    plan: Any = None


@dataclass
class Merged:
    """All hosts. `owners` are hosts by the addresses that they send adverts from."""

    hosts: dict[str, Host]
    owners: dict[str, str]
    vips: list[str]

    def events(self) -> list[Event]:
        return sorted((event for host in self.hosts.values() for event in host.events), key=lambda event: event.at)

    def before(self) -> list[Event]:
        return [event for host in self.hosts.values() for event in host.before]


def merge(answers: Mapping[str, Any]) -> Merged:
    """What `endpoint_history_info` returned, by host; or why it didn't."""
    hosts = {name: _host(name, answer) for name, answer in answers.items()}
    owners: dict[str, str] = {}
    vips: list[str] = []
    for host in hosts.values():
        for endpoint in host.plan["endpoints"] if host.plan else ():
            vips += [vip["address"] for vip in endpoint["vips"]]
            for instance in endpoint["instances"]:
                owners.update((member["address"], member["host"]) for member in instance["members"])
    merged = Merged(hosts, owners, list(dict.fromkeys(vips)))
    clocks = {name: clock for name, answer in answers.items() for clock in [clock_of(answer)] if clock is not None}
    for name, (seconds, uncertain) in corrections(merged, clocks).items():
        host = hosts[name]
        host.uncertain = uncertain
        host.events = [event._replace(at=event.at + seconds) for event in host.events]
        host.before = [event._replace(at=event.at + seconds) for event in host.before]
    return merged


def clock_of(answer: Any) -> Clock | None:
    said = answer.get("clock") if isinstance(answer, Mapping) else None
    if not isinstance(said, Mapping) or not _is_number(said.get("low")) or not _is_number(said.get("high")):
        return None
    return Clock(float(said["low"]), float(said["high"])) if said["low"] <= said["high"] else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _ENDLESS


def _host(name: str, answer: Any) -> Host:
    record = answer.get("record") if isinstance(answer, Mapping) else None
    clock = clock_of(answer)
    if not isinstance(record, Mapping) or clock is None or not _is_number(record.get("boot")) or not _is_number(
            record.get("wall")):
        said = answer.get("msg") if isinstance(answer, Mapping) else None
        return Host(name, why=printable(str(said or "").strip().partition("\n")[0], 200).strip() or _NOTHING)
    host = Host(name, records=record.get("records") is True, cut=record.get("cut") is True,
                uncertain=(clock.high - clock.low) / 2)
    try:
        host.plan = _planfile.read_plan(record.get("plan"))
    except _planfile.Unreadable:
        host.plan = None
    # By how much the host's clock is wrong now; of an earlier boot nothing else is known.
    wrong = record["wall"] - (record["boot"] - clock.middle)
    for into, said in ((host.events, record.get("events")), (host.before, record.get("before"))):
        for item in said[:_record.MOST] if isinstance(said, list) else ():
            found = _record.event_of(item)
            if found is not None:
                at = found["w"] - wrong if found.get("old") else found["t"] - clock.middle
                more = {key: value for key, value in found.items() if key in _record.MORE}
                if _is_number(more.get("before")):
                    more["before"] -= wrong
                into.append(Event(at, name, found["e"], found["k"], found["v"], bool(found.get("first")), more))
    return host


# Clocks


def corrections(merged: Merged, clocks: Mapping[str, Clock]) -> dict[str, tuple[float, float]]:
    """{host: (seconds to add, how uncertain that is)}, beside the host whose clock is known best."""
    order = sorted((name for name in clocks if not merged.hosts[name].why),
                   key=lambda name: (clocks[name].high - clocks[name].low, name))
    found: dict[str, tuple[float, float]] = {}
    apart = _apart(merged)
    for name in order:
        width = (clocks[name].high - clocks[name].low) / 2
        # By each host that is placed already: how far this one's events have to move.
        wanted = [item + found[other][0] for other in found for item in apart.get((name, other), ())]
        wanted = [item for item in wanted if abs(item) <= width + max(found[other][1] for other in found)]
        if wanted:
            middle = sorted(wanted)[len(wanted) // 2]
            # Its own bounds count more than what it says to have heard.
            found[name] = (min(max(middle, -width), width), min(width, 0.05))
        else:
            found[name] = (0.0, width)
    return found


def _apart(merged: Merged) -> dict[tuple[str, str], list[float]]:
    """{(host, other): seconds to add to the host's times so that what both saw is at the same time}."""
    taken = [event for event in merged.events() if event.kind == "vip" and event.value is True and not event.first]
    heard = [event for event in merged.events() if event.kind == "advert" and event.value and not event.first]
    found: dict[tuple[str, str], list[float]] = {}
    for event in heard:
        sender = merged.owners.get(event.about.partition(" ")[2])
        near = [item for item in taken if item.host == sender and abs(item.at - event.at) < _TOGETHER]
        if near and sender is not None and sender != event.host:
            other = min(near, key=lambda item: abs(item.at - event.at))
            found.setdefault((event.host, sender), []).append(other.at - event.at)
            found.setdefault((sender, event.host), []).append(event.at - other.at)
    return found


def spread(hosts: Iterable[Host]) -> float:
    """How far events of different hosts may be apart from what is said."""
    return max((host.uncertain for host in hosts), default=0.0)


def members(merged: Merged) -> list[str]:
    """In the plan's order, as far as there's one."""
    known = [name for host in merged.hosts.values() for endpoint in (host.plan["endpoints"] if host.plan else ())
             for name in _accessors.members_of(endpoint)]
    return [name for name in dict.fromkeys([*known, *merged.hosts]) if name in merged.hosts]
