# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The program of kubeha-lease.service: it waits for as long as a run has its word, then looks, starts, and watches."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Set, Tuple

from ..host import _host_io, _owned_files_io
from ..model import _paths, _pod_paths
from ..segment import _packets, _vrrp
from ..segment._probe_io import Probe
from ..segment._segment_io import Part, run, vrrp_receiver
from . import _lease, _run_lock, _run_lock_io

FILE = _paths.LEASE
# What the kubelet gets back.
MANIFEST = _paths.STATE + "/lease.manifest"
UNIT = "keepalived.service"
_RUNNING = ("active", "reloading", "activating")
_SECONDS = 60.0
_LISTEN_SECONDS = 5.0
# Three intervals of VRRPv2 at its slowest useful pace.
_LISTEN_MOST = 12.0
_HEARD_MOST = 4096


class Unstoppable(OSError):
    """keepalived goes on, though another host has its VIPs as well."""


def main() -> None:
    while True:
        pause = turn()
        if pause is None:
            return
        rest(pause)


def rest(seconds: float) -> None:
    """For so long, or until keepalived runs: then it has to be watched."""
    while seconds > 0:
        time.sleep(min(seconds, _lease.PAUSE))
        seconds -= _lease.PAUSE
        lease = read()
        if not lease or (seconds > 0 and runs(lease)):
            return


def turn() -> Optional[float]:
    """Do what is due; in how many seconds the next thing may be, or None for never."""
    lease = read()
    running = bool(lease) and runs(lease)
    step = _lease.step(lease, _run_lock_io.clock(), running, _others(lease))
    if step.what == _lease.END:
        return None
    try:
        if step.what == _lease.LOOK and (_try(lease) or runs(lease)):
            # Another host may be about to hold as well, and not hear this one. A run may have started it meanwhile.
            return _lease.BREATH
        if step.what == _lease.GUARD:
            _guard(lease)
    except (OSError, ValueError, _host_io.Timeout) as error:
        _say(lease, str(error) if isinstance(error, Unstoppable) else "it can't be told who holds: %s" % error, running)
        return max(step.pause, _lease.PAUSE)
    return step.pause


def read() -> _lease.Lease:
    try:
        return _lease.lease_of(json.loads((_owned_files_io.read(FILE, 1 << 20) or b"{}").decode("utf-8")))
    except (ValueError, RecursionError):
        return {}


def runs(lease: _lease.Lease) -> bool:
    if lease["manifest"]:
        return os.path.lexists(lease["manifest"])
    said = _host_io.run(["systemctl", "show", "--property=ActiveState", "--value", UNIT], _SECONDS).text.strip()
    return said in _RUNNING


def _others(lease: _lease.Lease) -> bool:
    """Whether another run than the lease's changes this host."""
    lock = _run_lock_io.read_lock()
    return bool(lease) and _run_lock.counts(lock, _run_lock_io.clock()) and not _run_lock.is_same(lock, lease["run"])


def config_of(lease: _lease.Lease) -> str:
    path = _pod_paths.CONFIG["keepalived"] if lease["manifest"] else _paths.KEEPALIVED_CONFIG
    return (_owned_files_io.read(path) or b"").decode("utf-8", "replace")


def _try(lease: _lease.Lease) -> bool:
    """Whether it's started."""
    answer = look(_lease.dialects(config_of(lease)))
    if answer.start:
        # Looked at twice, and not by all hosts at the same time: hosts that differ don't hear each other.
        speaks = _lease.dialects(config_of(lease))
        time.sleep(_lease.turn(speaks) if answer.alone else 0.0)
        answer = look(speaks)
    if not answer.start:
        _say(lease, answer.why)
        return False
    with _run_lock_io.guarded():
        now = read()
        if _lease.step(now, _run_lock_io.clock(), runs(now) if now else False, _others(now)).what != _lease.LOOK:
            return False
        failure = _start(now)
        if not failure:
            _store(dict(now, phase=_lease.SPEAKING, why=answer.why))
            _log("the run that had stopped keepalived is gone (%s): it's started again, because %s" % (
                now["run"].get("name"), answer.why))
    if failure:
        _say(now, failure)
    return not failure


def _guard(lease: _lease.Lease) -> None:
    """Stop again where another host has a VIP that this one has, too: who doesn't hear the other one lets go."""
    if lease["phase"] != _lease.SPEAKING:
        _store_if_same(lease, dict(lease, phase=_lease.SPEAKING))
    speaks = _lease.dialects(config_of(lease))
    vips = {vip for item in speaks for vip in item.vips}
    listen = Listen(speaks, _lease.PAUSE, lambda advert: _lease.is_rival(speaks, advert))
    run([listen])
    if not listen.ended and not _here(vips):
        return
    first = _claims(speaks, True)
    if listen.ended:
        # Also one that doesn't hold yet: it would be the next to. A lie without an address stops nobody.
        both = sorted(vip for vip in first if first[vip])
        why = "another host has %s, and speaks another way" % ", ".join(both)
    else:
        both = list(_lease.conflict(_here(vips), first, _claims(speaks, True) if any(first.values()) else {}))
        why = "another host has %s as well" % ", ".join(both)
    if both:
        _log("stopping keepalived again: %s" % why)
        with _run_lock_io.guarded():
            now = read()
            if now and _lease.step(now, _run_lock_io.clock(), True, _others(now)).what == _lease.GUARD:
                try:
                    _stop(now)
                except OSError as error:
                    raise Unstoppable("%s, and it can't be stopped: %s" % (why, error)) from None
                _store(dict(now, phase=_lease.SILENT, why=why))


def _start(lease: _lease.Lease) -> str:
    """Why it can't be started; nothing where it is."""
    try:
        if not lease["manifest"]:
            _systemctl("start", "--no-block", UNIT)
        elif not give_back(lease["manifest"]):
            return "%s is gone, which the kubelet would start it from" % MANIFEST
    except OSError as error:
        return "it can't be started: %s" % error
    return ""


def _stop(lease: _lease.Lease) -> None:
    if lease["manifest"]:
        put_aside(lease["manifest"])
        _owned_files_io.remove(lease["manifest"])
    else:
        _systemctl("stop", UNIT)


def put_aside(manifest: str) -> None:
    """Keep what the kubelet has, to give it back. What was kept before stays where the kubelet has nothing."""
    content = _owned_files_io.read(manifest)
    if content:
        _owned_files_io.make_folder(os.path.dirname(MANIFEST))
        _owned_files_io.write(MANIFEST, content, 0o600)


def give_back(manifest: str) -> bool:
    """Whether there was anything to give back."""
    content = _owned_files_io.read(MANIFEST)
    if content:
        _owned_files_io.write(manifest, content, 0o600)
    return bool(content)


def _systemctl(*words: str) -> None:
    output = _host_io.run(["systemctl", *words], _SECONDS)
    if output.code != 0:
        raise OSError("systemctl %s: %s" % (" ".join(words), output.error or output.text.strip()))


def _log(text: str) -> None:
    """A line for the journal of the unit."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _say(lease: _lease.Lease, why: str, running: bool = False) -> None:
    if why != lease["why"]:
        _log("keepalived %s: %s. It's looked at again every %g s" % (
            "goes on" if running else "isn't started", why, _lease.PAUSE if running else _lease.RETRY))
        _store_if_same(lease, dict(lease, why=why))


def _store_if_same(before: _lease.Lease, lease: _lease.Lease) -> None:
    with _run_lock_io.guarded():
        if read() == before:
            _store(lease)


def _store(lease: _lease.Lease) -> None:
    _owned_files_io.write(FILE, (json.dumps(lease, indent=1) + "\n").encode(), 0o600)


# The network


def look(speaks: Sequence[_lease.Dialect]) -> _lease.Answer:
    """Ask who has the VIPs, and listen to what is spoken, at the same time."""
    listen, probe = Listen(speaks), Probe(_vips(speaks), (), False, doubt=True)
    run([listen, probe])
    return _lease.may_start(speaks, _claimed(probe), listen.heard())


def _claims(speaks: Sequence[_lease.Dialect], hurry: bool) -> Dict[str, bool]:
    probe = Probe(_vips(speaks), (), hurry, doubt=True)
    run([probe])
    return _claimed(probe)


def _vips(speaks: Sequence[_lease.Dialect]) -> List[Dict[str, str]]:
    return [{"interface": item.interface, "address": vip} for item in speaks for vip in sorted(item.vips)]


def _claimed(probe: Probe) -> Dict[str, bool]:
    """Who only asks for a VIP as we do doesn't have it."""
    return {entry["address"]: any(set(answer["how"]) - {"probe"} for answer in entry["answers"])
            for entry in probe.result()["addresses"] if not entry["error"]}


def _here(vips: Iterable[str]) -> Set[str]:
    return {item.address for item in _host_io.read_addresses()} & set(vips)


class Listen(Part):
    """Adverts behind this host's packet filter, as keepalived gets them."""

    def __init__(self, speaks: Sequence[_lease.Dialect], seconds: Optional[float] = None,
                 ends: Callable[[_lease.Heard], bool] = lambda advert: False) -> None:
        """Until one `ends` it, or for `seconds`: the default is three intervals, and something to spare."""
        super().__init__()
        if seconds is None:
            seconds = min(max(3 * max(item.interval for item in speaks) + 1.0, _LISTEN_SECONDS), _LISTEN_MOST)
        self._until = self.begun + seconds
        self._ends = ends
        self.ended = False
        self._heard: Dict[_lease.Heard, None] = {}
        self._places: Dict[socket.socket, Tuple[str, str, List[bytes]]] = {}
        for interface, family in sorted({(item.interface, item.family) for item in speaks}):
            sources = [item.source for item in speaks if item.interface == interface and item.family == family]
            own = [_packets.pack(source) for source in sources if source]
            place = (interface, family, [*own, _packets.pack(_vrrp.GROUPS[family])])
            self._places[self._own(vrrp_receiver(interface, family))] = place

    def act(self, now: float) -> Optional[float]:
        return None if self.ended or now >= self._until else self._until

    def on_packet(self, handle: socket.socket, data: bytes, address: Tuple[Any, ...], now: float) -> None:
        interface, family, destinations = self._places[handle]
        for packet in _received(family, destinations, data, address):
            try:
                advert = _vrrp.advert_of(packet)
            except _packets.Malformed:
                continue
            # Version 2 says its password to everybody.
            after = packet.payload[8 + 4 * len(advert.addresses):] if advert.version == 2 else b""
            password = after[:8].rstrip(b"\0").decode("utf-8", "replace")
            heard = _lease.Heard(interface, advert.source, advert.vrid, advert.version, advert.auth, password,
                                 advert.interval, frozenset(advert.addresses), advert.priority,
                                 packet.destination == _packets.pack(_vrrp.GROUPS[family]))
            self.ended = self.ended or self._ends(heard)
            if len(self._heard) < _HEARD_MOST:
                self._heard[heard] = None
            return

    def heard(self) -> List[_lease.Heard]:
        return list(self._heard)


def _received(family: str, destinations: Sequence[bytes], data: bytes,
              address: Tuple[Any, ...]) -> List[_packets.IpPacket]:
    """What a raw socket gave: with the header for IPv4, without it for IPv6."""
    if family == "ipv4":
        try:
            return [_packets.parse_ip(data)]
        except _packets.Malformed:
            return []
    source = _packets.pack(address[0].partition("%")[0])
    return [_packets.IpPacket("ipv6", source, target, _vrrp.TTL, _packets.VRRP, data) for target in destinations]


if __name__ == "__main__":
    main()
