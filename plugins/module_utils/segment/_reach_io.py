# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Whether VRRP passes between this host and its peers."""

from __future__ import annotations

import socket
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

from . import _arp, _reach
from ._packets import VRRP, IpPacket, Malformed, build_ip, multicast_mac, pack, parse_ip, text_of
from ._segment_io import Link, Part, WireError, answer_of, is_for_us, reason, vrrp_receiver, vrrp_sender, vrrp_tap
from ._vrrp import GROUPS, TTL

# Below this there's no time left for both hosts of a pair to be heard.
SHORTEST_REACH = 3.0
_QUIET = 2.0
_STACK_PACKETS = 4
_SLACK = 0.3
_ASK_AGAIN = 0.5


class Reach(Part):
    """Whether protocol 112 passes between this host and its peers, in both directions.

    Most packets go out past this host's own packet filter. One that tracks connections would otherwise let the peers'
    packets in as answers, which it doesn't do for adverts. The last few go through it.
    """

    def __init__(self, paths: Iterable[Mapping[str, Any]], host: str, seconds: float) -> None:
        super().__init__()
        self._until = self.begun + seconds
        self._stack_at = self._until - _SLACK - _STACK_PACKETS * _reach.SPACING
        self._paths: List[_Path] = []
        self._errors: List[Dict[str, Any]] = []
        self._owners: Dict[socket.socket, _Path] = {}
        self._ended = self.begun
        for given in paths:
            if not given["peers"]:
                continue
            try:
                path = _Path(given, host)
            except (OSError, WireError) as error:
                self._errors.append(dict(given, error=reason(error, given["interface"])))
                continue
            self._paths.append(path)
            for handle in path.sockets:
                self._owners[self._own(handle)] = path

    def act(self, now: float) -> Optional[float]:
        self._ended = now
        if not self._paths or now >= self._until:
            return None
        due = [self._until]
        for path in self._paths:
            for target in path.targets:
                if now >= target.due:
                    target.due = now + self._send(path, target, now)
                due.append(target.due)
        return min(due)

    def _send(self, path: _Path, target: _Target, now: float) -> float:
        """Do the next thing for this target; in how many seconds the one after is due."""
        if now >= self._stack_at:
            if target.stack_sent < _STACK_PACKETS:
                self._send_through_filter(path, target, now)
        elif target.mac is None:
            self._ask(path, target)
            target.asked += 1
            return _reach.SPACING if target.asked < 4 else _ASK_AGAIN
        elif self.elapsed(now) >= target.quiet:
            self._send_past_filter(path, target, now)
        return _reach.SPACING

    def _ask(self, path: _Path, target: _Target) -> None:
        try:
            path.link.ask(path.source, target.packed)
        except OSError as error:
            target.error = reason(error, path.interface)

    def _send_past_filter(self, path: _Path, target: _Target, now: float) -> None:
        probe = self._probe(path, _reach.LINK, target.sent, now)
        payload = _reach.build_probe(path.source, target.packed, probe)
        try:
            path.link.send_ip(build_ip(path.source, target.packed, VRRP, payload, TTL), target.mac or _arp.BROADCAST)
        except OSError as error:
            target.error = reason(error, path.interface)
            return
        target.sent += 1
        target.first = self.elapsed(now) if target.first is None else target.first
        target.last = self.elapsed(now)

    def _send_through_filter(self, path: _Path, target: _Target, now: float) -> None:
        payload = _reach.build_probe(
            path.source, target.packed, self._probe(path, _reach.STACK, target.stack_sent, now)
        )
        target.stack_sent += 1
        try:
            path.sender.sendto(payload, (text_of(target.packed), 0))
        except OSError as error:
            target.refused = reason(error, path.interface)

    def _probe(self, path: _Path, kind: int, sequence: int, now: float) -> _reach.Probe:
        return _reach.Probe(kind, sequence, int(self.elapsed(now) * 1000), path.identity)

    def on_packet(self, handle: socket.socket, data: bytes, address: Tuple[Any, ...], now: float) -> None:
        path = self._owners[handle]
        if handle is path.receiver:
            self._on_received(path, data, address)
        elif not is_for_us(address):
            return
        elif handle is path.tap:
            self._on_wire(path, data, now)
        else:
            answer = answer_of(data, address[4], handle is path.link.arp)
            if answer is None or answer.how == "probe" or answer.mac == path.link.mac:
                return
            for target in path.targets:
                if target.mac is None and target.packed == answer.target:
                    target.mac = answer.mac

    def _on_wire(self, path: _Path, data: bytes, now: float) -> None:
        try:
            probe = _reach.probe_of(parse_ip(data))
        except Malformed:
            return
        peer = path.peers.get(probe.sender) if probe is not None else None
        if probe is not None and peer is not None:
            peer.hearing.on_wire(probe, self.elapsed(now), peer.is_late)

    def _on_received(self, path: _Path, data: bytes, address: Tuple[Any, ...]) -> None:
        for packet in _received(path, data, address):
            probe = _reach.probe_of(packet)
            peer = path.peers.get(probe.sender) if probe is not None else None
            if probe is not None and peer is not None:
                peer.hearing.on_received(probe, peer.is_late)
                return

    def result(self) -> Dict[str, Any]:
        pairs = [self._pair(path, peer) for path in self._paths for peer in path.peers.values()]
        for given in self._errors:
            pairs += [_untried(given, peer) for peer in given["peers"]]
        return {"seconds": round(self._ended - self.begun, 3), "pairs": pairs, "error": None}

    def _pair(self, path: _Path, peer: _Peer) -> Dict[str, Any]:
        target = peer.target
        return dict(
            peer.hearing.result(),
            interface=path.interface,
            family=path.family,
            transport=path.transport,
            address=path.address,
            peer=peer.host,
            peer_address=peer.address,
            mac=target.mac.hex(":") if target.mac and not path.multicast else None,
            sent=target.sent,
            sent_from=None if target.first is None else round(target.first, 3),
            sent_until=None if target.last is None else round(target.last, 3),
            sent_stack=target.stack_sent,
            listened=round(self._ended - self.begun, 3),
            refused=target.refused,
            error=target.error,
        )


class _Path:
    """From one of this host's addresses to its peers, in the way the plan will go."""

    def __init__(self, given: Mapping[str, Any], host: str) -> None:
        self.interface: str = given["interface"]
        self.family: str = given["family"]
        self.multicast = given["transport"] == "multicast"
        self.transport: str = given["transport"]
        self.source = pack(given["address"])
        self.address = text_of(self.source)
        self.identity = _reach.identity(host, self.address)
        self.link = Link(self.interface)
        self.tap = vrrp_tap(self.interface, self.family)
        self.receiver = vrrp_receiver(self.interface, self.family)
        self.sender = vrrp_sender(self.interface, self.family, self.source)
        group = pack(GROUPS[self.family])
        everyone = _Target(group, multicast_mac(group), 0.0)
        self.targets: List[_Target] = [everyone] if self.multicast else []
        self.peers: Dict[bytes, _Peer] = {}
        for peer in given["peers"]:
            target = everyone
            if not self.multicast:
                # Of two hosts one keeps quiet at first: a stateful filter in between lets answers through, and would
                # hide that it lets nothing else through.
                quiet = _QUIET if (peer["host"], peer["address"]) < (host, self.address) else 0.0
                target = _Target(pack(peer["address"]), None, quiet)
                self.targets.append(target)
            name = _reach.identity(peer["host"], text_of(pack(peer["address"])))
            self.peers[name] = _Peer(peer["host"], peer["address"], target)

    @property
    def sockets(self) -> List[socket.socket]:
        return [*self.link.sockets, self.tap, self.receiver]

    def close(self) -> None:
        for handle in [*self.sockets, self.sender]:
            handle.close()


class _Target:
    def __init__(self, packed: bytes, mac: Optional[bytes], quiet: float) -> None:
        self.packed = packed
        self.mac = mac
        self.quiet = quiet
        self.sent = 0
        self.first: Optional[float] = None
        self.last: Optional[float] = None
        self.stack_sent = 0
        self.refused: Optional[str] = None
        self.error: Optional[str] = None
        self.asked = 0
        self.due = 0.0


class _Peer:
    def __init__(self, host: str, address: str, target: _Target) -> None:
        self.host = host
        self.address = address
        self.target = target
        self.hearing = _reach.Hearing()

    @property
    def is_late(self) -> bool:
        return self.target.stack_sent > 0


def _untried(given: Mapping[str, Any], peer: Mapping[str, Any]) -> Dict[str, Any]:
    return dict(
        _reach.Hearing().result(),
        interface=given["interface"],
        family=given["family"],
        transport=given["transport"],
        address=given["address"],
        peer=peer["host"],
        peer_address=peer["address"],
        mac=None,
        sent=0,
        sent_from=None,
        sent_until=None,
        sent_stack=0,
        listened=0.0,
        refused=None,
        error=given["error"],
    )


def _received(path: _Path, data: bytes, address: Tuple[Any, ...]) -> List[IpPacket]:
    """What a raw socket gave: with the header for IPv4, without it for IPv6."""
    if path.family == "ipv4":
        try:
            return [parse_ip(data)]
        except Malformed:
            return []
    source = pack(address[0].partition("%")[0])
    ours = [path.source, pack(GROUPS["ipv6"])]
    return [IpPacket("ipv6", source, destination, TTL, VRRP, data) for destination in ours]
