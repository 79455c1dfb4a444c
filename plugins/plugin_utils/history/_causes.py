# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""Why an incident happened. Pure.

A cause is what nothing else in the incident explains: a host that lost power lost its daemons, too, and a daemon that a
run restarted wasn't stopped by somebody.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from ._incidents import Incident
from ._merge import Event, Merged


class Cause(NamedTuple):
    """`host` is where, `about` what else it's about, `until` when it was over, as far as it's known."""

    code: str
    host: str
    at: float
    about: str = ""
    until: float | None = None


# Each with what is said of it: %(host)s, %(about)s. DAEMON stands for HAProxy and keepalived.
WORDS = {
    "host_lost_power": "%(host)s went off without being shut down",
    "host_rebooted": "%(host)s was shut down or rebooted",
    "host_frozen": "%(host)s stood still for %(about)s s (frozen, suspended or starved)",
    "host_silent": "%(host)s fell silent, and its own record couldn't be read",
    "link_lost": "%(host)s lost its interface %(about)s",
    "haproxy_oom": "%(host)s lost HAProxy (killed, out of memory)",
    "haproxy_killed": "%(host)s lost HAProxy (killed by %(about)s)",
    "haproxy_stopped": "HAProxy was stopped on %(host)s",
    "haproxy_failed": "%(host)s lost HAProxy (%(about)s)",
    "haproxy_hung": "HAProxy hung on %(host)s (%(about)s)",
    "haproxy_reloaded": "HAProxy on %(host)s loaded its configuration anew",
    "keepalived_reloaded": "keepalived on %(host)s loaded its configuration anew",
    "keepalived_oom": "%(host)s lost keepalived (killed, out of memory)",
    "keepalived_killed": "%(host)s lost keepalived (killed by %(about)s)",
    "keepalived_stopped": "keepalived was stopped on %(host)s",
    "keepalived_failed": "%(host)s lost keepalived (%(about)s)",
    "keepalived_hung": "keepalived hung on %(host)s (%(about)s)",
    "apiserver_down": "the API server %(host)s was down (%(about)s)",
    "no_apiserver": "HAProxy on %(host)s saw no API server",
    "drained": "%(host)s was drained",
    "undrained": "%(host)s was undrained",
    "run": "a run of %(about)s worked on %(host)s",
    "stranger": "%(host)s, which is no member, sent adverts with our virtual router ID (%(about)s)",
    "not_heard": "%(about)s no longer heard %(host)s, which went on (a switch, a cable, a packet filter)",
    "clock_stepped": "the clock of %(host)s was set by %(about)s s",
    "unknown": "no reason is on record",
}
# What explains all else that a host does.
_WHOLE = frozenset(("host_lost_power", "host_rebooted", "host_frozen"))
_DAEMONS = ("haproxy", "keepalived")
# Who ran for so long had been well again.
_FOR_A_WHILE = 3.0
# A watchdog has seen by then that a keepalived hangs, whatever the timing.
_NOTICED = 10.0
# No watchdog has a host give way that soon.
_GIVES_WAY = 1.0


def causes(incident: Incident, merged: Merged) -> list[Cause]:
    """The first one first; `unknown` where there's none."""
    hosts = list(dict.fromkeys(event.host for event in incident.events))
    runs = _runs(incident.events)
    busy = {host: [(cause.at, cause.until) for cause in runs if host in cause.host.split(", ")] for host in hosts}
    found: list[Cause] = []
    for host in hosts:
        mine = [event for event in incident.events if event.host == host]
        whole = list(_of_host(mine))
        off = [cause for cause in whole if cause.code != "host_frozen"]
        if not off:
            found += [*_of_link(mine), *_of_daemons(mine, busy[host], bool(whole))]
        elif off[-1].until is not None:
            found += _of_daemons(_once_back(mine, off[-1].until), busy[host], True)
        found += whole
        found += _of_marks(mine)
        found += [Cause("clock_stepped", host, event.at, "%g" % event.value) for event in mine
                  if event.kind == "clock" and isinstance(event.value, (int, float))
                  and not any(cause.code == "host_frozen" for cause in whole)]
    found += _of_servers(incident.events, found)
    found += _strangers(incident.events)
    found += _silence(incident, merged, found, runs)
    drains = [cause for cause in found if cause.code in ("drained", "undrained")]
    found += [cause for cause in runs if not drains]
    found.sort(key=lambda cause: cause.at)
    moved = any(event.kind == "vip" for event in incident.events)
    if all(cause.code == "clock_stepped" for cause in found) and moved:
        found.append(Cause("unknown", incident.events[0].host, incident.at))
    return found


def text(cause: Cause) -> str:
    return WORDS[cause.code] % {"host": cause.host, "about": cause.about}


def _until(events: Iterable[Event], kind: str, about: str, after: float) -> float | None:
    """When it was well again."""
    well = {"daemon": "running", "link": True, "server": "UP", "off": None, "mark": False, "stranger": None}
    return next((event.at for event in events if event.kind == kind and event.about == about and event.at >= after
                 and event.value == well[kind]), None)


def _of_host(mine: list[Event]) -> Iterable[Cause]:
    for event in mine:
        if event.kind == "off" and event.value is not None:
            code = "host_rebooted" if event.value else "host_lost_power"
            yield Cause(code, event.host, event.at, "", _until(mine, "off", "host", event.at + 0.001))
        elif event.kind == "gap" and isinstance(event.value, (int, float)):
            yield Cause("host_frozen", event.host, event.at, "%.1f" % event.value, event.at + event.value)


def _of_link(mine: list[Event]) -> Iterable[Cause]:
    seen = set()
    for event in mine:
        if event.kind == "link" and not event.value and event.about not in seen:
            seen.add(event.about)
            yield Cause("link_lost", event.host, event.at, event.about, _until(mine, "link", event.about, event.at))


def _of_daemons(mine: list[Event], busy: list[tuple[float, float | None]], stood: bool) -> Iterable[Cause]:
    """Where the host itself stood still, no check says anything of a daemon."""
    for name in _DAEMONS:
        states = [event for event in mine if event.kind == "daemon" and event.about == name]
        gone = _times(states, "gone")
        for number, times in enumerate(gone):
            after = gone[number - 1][-1].at if number else -math.inf
            before = gone[number + 1][0].at if number + 1 < len(gone) else math.inf
            yield from _of_an_end(name, times, [event for event in mine if after < event.at < before], busy)
        frozen = _times(states, "frozen")
        for times in frozen:
            if any(event.kind == "watchdog" and event.value and times[0].at <= event.at <= times[0].at + _NOTICED
                   for event in mine if name == "keepalived"):
                continue  # its end says so
            yield Cause("%s_hung" % name, times[0].host, times[0].at, "stopped by a signal",
                        _until(states, "daemon", name, times[0].at))
        if name == "haproxy" and not gone and not frozen and not stood:
            hung = next((event for event in mine if event.kind == "check" and event.about == "haproxy"
                         and event.value), None)
            if hung and not _is_planned(hung.at, busy):
                yield Cause("haproxy_hung", hung.host, hung.at, "it didn't answer keepalived's check")
        loaded = next((event for event in mine if event.kind == "loaded" and event.about == name and event.value), None)
        if loaded and not states and not _is_planned(loaded.at, busy):
            yield Cause("%s_reloaded" % name, loaded.host, loaded.at)


def _once_back(mine: list[Event], at: float) -> list[Event]:
    """What isn't part of a start."""
    return [event for event in mine if event.at > at and event.kind not in ("loaded", "check")]


def _times(states: list[Event], value: str) -> list[list[Event]]:
    """When it came to that; what happened again before it had run for a while is the same."""
    found: list[list[Event]] = []
    for number, event in enumerate(states):
        before = states[number - 1] if number else None
        if event.value != value or (value == "frozen" and before and before.value == "gone"):
            continue
        if found and not (before and before.value == "running" and event.at - before.at >= _FOR_A_WHILE):
            found[-1].append(event)
        else:
            found.append([event])
    return found


def _of_an_end(name: str, gone: list[Event], around: list[Event],
               busy: list[tuple[float, float | None]]) -> Iterable[Cause]:
    """`around` has what happened on that host between the end before and the next one."""
    at = gone[0].at
    marked = [event.at for event in around if event.kind == "mark" and event.about == "haproxy-down"
              and event.value and at - 2.0 <= event.at <= at]
    # keepalived lets go of the VIP before it ends.
    left = [event.at for event in around if event.kind == "vip" and not event.value and at - 3.0 <= event.at <= at]
    begun = min([at, *(marked if name == "haproxy" else left)])
    dog = next((str(event.value) for event in around if name == "keepalived" and event.kind == "watchdog"
                and event.value and abs(event.at - at) <= 2.0), None)
    if dog is not None:
        yield Cause("keepalived_hung", gone[0].host, begun, dog + "; its watchdog ended it",
                    _until(around, "daemon", name, at))
        return
    code, about = _ending([str(event.value) for event in around if event.kind == "exit" and event.about == name])
    # It's looked for once a second.
    if any(event.kind == "manifest" and event.about == name and not event.value and event.at <= gone[-1].at + 2.0
           for event in around):
        code = "stopped"
    if code in ("killed", "oom") or not _is_planned(begun, busy):
        yield Cause("%s_%s" % (name, code), gone[0].host, begun, about, _until(around, "daemon", name, at))


def _is_planned(at: float, busy: list[tuple[float, float | None]]) -> bool:
    """Whether a run of ours worked on the host."""
    return any(begun - 2.0 <= at and (ended is None or at <= ended + 2.0) for begun, ended in busy)


def _ending(why: list[str]) -> tuple[str, str]:
    """Of several ends in a row the violent one counts: what was killed is stopped and started by systemd afterwards."""
    if "oom" in why:
        return "oom", ""
    for item in why:
        if item.startswith("signal "):
            return "killed", "SIG" + item.partition(" ")[2]
    if "stopped" in why:
        return "stopped", ""
    said = next((item for item in why if item != "unknown"), "")
    return "failed", said or "nothing says why"


def _of_marks(mine: list[Event]) -> Iterable[Cause]:
    for event in mine:
        if event.kind == "mark" and event.about == "drained":
            yield Cause("drained" if event.value else "undrained", event.host, event.at)


def _runs(events: Iterable[Event]) -> list[Cause]:
    """One for each run, with all of its hosts."""
    begun: dict[str, list[Event]] = {}
    ended: dict[str, float] = {}
    events = list(events)
    for event in events:
        if event.kind == "run" and event.value:
            begun.setdefault(str(event.value), []).append(event)
    for who, starts in begun.items():
        for start in starts:
            later = [event.at for event in events if event.kind == "run" and event.host == start.host
                     and event.at > start.at and event.value != who]
            if later:
                ended[who] = max(ended.get(who, 0.0), later[0])
    return [Cause("run", ", ".join(dict.fromkeys(start.host for start in starts)), starts[0].at, who, ended.get(who))
            for who, starts in begun.items()]


def _of_servers(events: list[Event], found: list[Cause]) -> Iterable[Cause]:
    """An API server that is down, unless its host is, or whoever looks can see nothing."""
    blind = {cause.host for cause in found if cause.code in _WHOLE or cause.code in ("link_lost", "haproxy_hung")}
    without = {cause.host for cause in found if cause.code.startswith("haproxy_")}
    seen: dict[str, list[Event]] = {}
    for event in events:
        if event.kind == "server" and event.value != "UP" and event.host not in blind:
            seen.setdefault(event.about.rpartition("/")[2], []).append(event)
    for name, downs in seen.items():
        if name in blind:
            continue
        ends = [at for down in downs for at in [_until(
            [event for event in events if event.host == down.host], "server", down.about, down.at)] if at is not None]
        why = next((str(down.more.get("why")) for down in downs if down.more.get("why")), "no reason")
        yield Cause("apiserver_down", name, downs[0].at, why, max(ends) if len(ends) == len(downs) else None)
    if not seen:
        for event in events:
            if event.kind == "check" and event.value == "down" and event.host not in blind | without:
                yield Cause("no_apiserver", event.host, event.at)
                return


def _strangers(events: Iterable[Event]) -> Iterable[Cause]:
    events = list(events)
    seen = set()
    for event in events:
        if event.kind == "stranger" and event.value is not None and event.about not in seen:
            seen.add(event.about)
            vrid, dummy, source = event.about.partition(" ")
            mac = event.more.get("mac")
            yield Cause("stranger", source, event.at, "%s, priority %s%s" % (
                vrid, event.value, ", from %s" % mac if mac else ""),
                _until([item for item in events if item.host == event.host], "stranger", event.about, event.at))


def _gave_way(silent: Event, events: Iterable[Event]) -> bool:
    """A backup that held is silent as soon as it hears the preferred one."""
    return any(event.kind == "advert" and event.value and event.about != silent.about and event.host == silent.host
               and silent.at - 1.0 <= event.at <= silent.at + 0.15 for event in events)


def _silence(incident: Incident, merged: Merged, found: list[Cause], runs: list[Cause]) -> Iterable[Cause]:
    """A member that others didn't hear any more, and that nothing on record explains."""
    known = {name for cause in [*found, *runs] for name in cause.host.split(", ")}
    deaf: dict[str, list[Event]] = {}
    for event in incident.events:
        if event.kind == "advert" and event.value is None:
            sender = merged.owners.get(event.about.partition(" ")[2])
            if sender is not None and sender not in known and event.host not in known and not _gave_way(
                    event, incident.events):
                deaf.setdefault(sender, []).append(event)
    for sender, events in deaf.items():
        host = merged.hosts.get(sender)
        # Later its watchdog has it give way.
        lost = any(event.kind == "vip" and event.host == sender and not event.value
                   and event.at < events[0].at + _GIVES_WAY for event in incident.events)
        if host is None or host.why or not host.events:
            yield Cause("host_silent", sender, events[0].at)
        elif not lost:
            who = ", ".join(dict.fromkeys(event.host for event in events))
            yield Cause("not_heard", sender, events[0].at, who)
