# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Listen to and ask a network segment, with sockets that leave a running keepalived alone.

Each part (scan, probe, reach) owns its sockets and says when it wants to act next; one loop drives them all, so that
they share the time. What is heard is taken off the wire by packet sockets, before this host's packet filter.
"""

from __future__ import annotations

import array
import errno
import random
import selectors
import socket
import struct
import time
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.kubeha.apiserver.plugins.module_utils import _arp, _ndp, _reach
from ansible_collections.kubeha.apiserver.plugins.module_utils._heard import FAMILIES, Heard
from ansible_collections.kubeha.apiserver.plugins.module_utils._host_io import Timeout, read_addresses, read_links
from ansible_collections.kubeha.apiserver.plugins.module_utils._netlink import NetlinkError
from ansible_collections.kubeha.apiserver.plugins.module_utils._packets import (
    AH,
    ICMPV6,
    VRRP,
    IpPacket,
    Malformed,
    build_ip,
    multicast_mac,
    pack,
    parse_ip,
    text_of,
)
from ansible_collections.kubeha.apiserver.plugins.module_utils._vrrp import GROUPS, TTL

_ETH_P_IP, _ETH_P_ARP, _ETH_P_IPV6 = 0x0800, 0x0806, 0x86DD
_ARPHRD_ETHER = 1
_PACKET_HOST, _PACKET_BROADCAST, _PACKET_MULTICAST = 0, 1, 2
_SO_ATTACH_FILTER = 26
_IP_MULTICAST_IF, _IP_ADD_MEMBERSHIP, _IP_MULTICAST_LOOP = 32, 35, 34
_BUFFER = 1 << 20
_BATCH = 256
_SNAP = 9216

# Classic BPF: load byte, jump if equal, return. Offsets are from the IP header.
_LDB, _JEQ, _RET = 0x30, 0x15, 0x06
_BIND = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}


class WireError(Exception):
    """Why a part can't be done on this host, in words."""


def ask(task: Mapping[str, Any], host: str, seconds: float, max_seconds: float) -> Dict[str, Any]:
    """All that _wire_task found for a host, at the same time. A part that can't be done says why."""
    begun = time.monotonic()
    parts: Dict[str, Part] = {}
    results: Dict[str, Any] = {}
    makers: Dict[str, Callable[[], Part]] = {
        "scan": lambda: Scan(task["interfaces"], seconds, max_seconds),
        "probe": lambda: Probe(task["vips"], task["known"], seconds < Probe.UNHURRIED),
        "reach": lambda: Reach(task["paths"], host, max(seconds, SHORTEST_REACH)),
    }
    for name, make in makers.items():
        try:
            parts[name] = make()
        except (OSError, WireError, NetlinkError, Timeout) as error:
            results[name] = {"error": _reason(error, "")}
    run(list(parts.values()))
    results.update({name: part.result() for name, part in parts.items()})
    return dict(results, seconds=round(time.monotonic() - begun, 3))


def run(parts: Sequence[Part]) -> None:
    """Drive all parts until each is done."""
    with selectors.DefaultSelector() as selector:
        for part in parts:
            for handle in part.sockets:
                selector.register(handle, selectors.EVENT_READ, part)
        active = list(parts)
        while active:
            now = time.monotonic()
            wanted = {part: part.act(now) for part in active}
            active = [part for part, when in wanted.items() if when is not None]
            if not active:
                break
            wait = min(when for when in wanted.values() if when is not None) - time.monotonic()
            for key, _events in selector.select(max(0.0, wait)):
                key.data.drain(key.fileobj)
    for part in parts:
        part.close()


class Part:
    def __init__(self) -> None:
        self.sockets: List[socket.socket] = []
        self.begun = time.monotonic()

    def act(self, now: float) -> Optional[float]:
        """Do what is due; when to be called again, or None for never."""
        raise NotImplementedError

    def on_packet(self, handle: socket.socket, data: bytes, address: Tuple[Any, ...], now: float) -> None:
        raise NotImplementedError

    def drain(self, handle: socket.socket) -> None:
        for _count in range(_BATCH):
            try:
                data, address = handle.recvfrom(_SNAP)
            except BlockingIOError:
                return
            except OSError:
                return  # an interface that went away, or an ICMP error: nothing was heard
            self.on_packet(handle, data, address, time.monotonic())

    def result(self) -> Dict[str, Any]:
        raise NotImplementedError

    def close(self) -> None:
        for handle in self.sockets:
            handle.close()

    def elapsed(self, now: float) -> float:
        return now - self.begun

    def _own(self, handle: socket.socket) -> socket.socket:
        self.sockets.append(handle)
        return handle


class Scan(Part):
    """Routers heard on each interface."""

    def __init__(self, interfaces: Iterable[str], seconds: float, max_seconds: float) -> None:
        super().__init__()
        self._earliest = self.begun + seconds
        self._latest = self.begun + max(seconds, max_seconds)
        self._heard: Dict[str, Heard] = {}
        self._errors: Dict[str, str] = {}
        self._interfaces: Dict[socket.socket, str] = {}
        self._ended = self.begun
        for interface in dict.fromkeys(interfaces):
            try:
                self._listen(interface)
                self._heard[interface] = Heard()
            except OSError as error:
                self._errors[interface] = _reason(error, interface)

    def _listen(self, interface: str) -> None:
        for family in FAMILIES:
            try:
                self._own(_member(interface, family))
            except OSError as error:
                if family == "ipv4" or error.errno in (errno.ENODEV, errno.EPERM):
                    raise
                continue  # a host without IPv6
            self._interfaces[self._own(vrrp_tap(interface, family))] = interface

    def act(self, now: float) -> Optional[float]:
        if not self._heard:
            return None
        until = max(heard.until(self._earliest, self._latest) for heard in self._heard.values())
        self._ended = now
        return None if now >= until else min(until, now + 1)

    def on_packet(self, handle: socket.socket, data: bytes, address: Tuple[Any, ...], now: float) -> None:
        if handle in self._interfaces and _is_for_us(address):
            self._heard[self._interfaces[handle]].add(data, address[4].hex(":"), now)

    def result(self) -> Dict[str, Any]:
        interfaces: Dict[str, Any] = {name: dict(heard.result(), error=None) for name, heard in self._heard.items()}
        for name, text in self._errors.items():
            interfaces[name] = dict(Heard().result(), error=text)
        return {"seconds": round(self._ended - self.begun, 3), "interfaces": interfaces, "error": None}


class Link:
    """One Ethernet interface: asking who has an address, by ARP or neighbour discovery."""

    def __init__(self, interface: str) -> None:
        self.interface = interface
        self.index = socket.if_nametoindex(interface)
        self.arp = _tap(interface, _ETH_P_ARP, None)
        self.nd = _tap(interface, _ETH_P_IPV6, _filter(6, [ICMPV6]))
        name, _protocol, _kind, hardware, mac = self.arp.getsockname()
        if hardware != _ARPHRD_ETHER:
            raise WireError("%s isn't Ethernet" % name)
        self.mac: bytes = mac
        self.sockets = [self.arp, self.nd]

    def ask_in_secret(self, target: bytes) -> None:
        """Ask for an address as whoever means to take it does."""
        if len(target) == 4:
            self._broadcast(_arp.build_probe(self.mac, target))
        else:
            self.send_ip(_ndp.build_probe(target), multicast_mac(_ndp.solicited_node(target)))

    def ask(self, source: bytes, target: bytes) -> None:
        if len(target) == 4:
            self._broadcast(_arp.build_request(self.mac, source, target))
        else:
            packet = _ndp.build_solicitation(self.mac, source, target)
            self.send_ip(packet, multicast_mac(_ndp.solicited_node(target)))

    def send_ip(self, packet: bytes, mac: bytes) -> None:
        protocol = _ETH_P_IP if packet[0] >> 4 == 4 else _ETH_P_IPV6
        self.nd.sendto(packet, (self.interface, protocol, 0, 0, mac))

    def _broadcast(self, frame: bytes) -> None:
        self.arp.sendto(frame, (self.interface, _ETH_P_ARP, 0, 0, _arp.BROADCAST))

    def close(self) -> None:
        for handle in self.sockets:
            handle.close()


class Answer:
    """Who says to have `target`, or to be about to take it."""

    def __init__(self, target: bytes, mac: bytes, how: str) -> None:
        self.target = target
        self.mac = mac
        self.how = how


def answer_of(data: bytes, frame_mac: bytes, is_arp: bool) -> Optional[Answer]:
    """What a frame says about who has an address; None where it says nothing, or nothing that can be believed."""
    try:
        if is_arp:
            arp = _arp.parse_arp(data)
            if arp.is_probe:
                return Answer(arp.target, arp.sender_mac, "probe")
            return Answer(arp.sender, arp.sender_mac, "reply" if arp.operation == _arp.REPLY else "announcement")
        neighbour = _ndp.neighbour_of(parse_ip(data))
    except Malformed:
        return None
    if neighbour is None or neighbour.kind == _ndp.SOLICITATION and not neighbour.is_probe:
        return None
    return Answer(neighbour.target, neighbour.mac or frame_mac, "probe" if neighbour.is_probe else "reply")


class Probe(Part):
    """Whether addresses are in use, asked as RFC 5227 and RFC 4862 want it, and who has those of known hosts.

    RFC 5227: a random wait up to PROBE_WAIT (1 s), three probes 1 to 2 s apart, then 2 s for answers. That takes 4.0 to
    4.6 s with the values here, which are within its bounds. In a hurry it's a fifth of that, outside of them.
    """

    PROBES = 3
    UNHURRIED = 5.0

    def __init__(self, vips: Iterable[Mapping[str, Any]], known: Iterable[Mapping[str, Any]], hurry: bool) -> None:
        super().__init__()
        pace = 0.2 if hurry else 1.0
        first = self.begun + random.uniform(0.0, 0.4) * pace
        self._times = [first + number * (1.0 + random.uniform(0.0, 0.05)) * pace for number in range(self.PROBES)]
        self._until = self._times[-1] + 2.0 * pace
        self._links: Dict[str, Link] = {}
        self._errors: Dict[str, str] = {}
        self._tap_links: Dict[socket.socket, Link] = {}
        self._ended = self.begun
        self._macs = sorted({link.mac for link in read_links() if link.mac and link.mac != "00:00:00:00:00:00"})
        self._own_addresses: Dict[str, str] = {}
        sources: Dict[Tuple[str, int], bytes] = {}
        for entry in read_addresses():
            name, packed = _name_of(entry.index), pack(entry.address)
            self._own_addresses[entry.address] = name
            sources.setdefault((name, len(packed)), packed)
        self._vips = [self._vip(vip) for vip in vips]
        self._known = [_known_host(entry, sources, self._own_addresses) for entry in known]
        for name in dict.fromkeys(
            [vip["interface"] for vip in self._vips] + [item["interface"] for item in self._known]
        ):
            self._open(name)
        self._asked = 0
        self._wanted: Dict[Tuple[str, bytes], Dict[str, Any]] = {
            (vip["interface"], vip["packed"]): vip for vip in self._vips
        }
        self._members: Dict[Tuple[str, bytes], List[Dict[str, Any]]] = {}
        for item in self._known:
            self._members.setdefault((item["interface"], item["packed"]), []).append(item)

    def _vip(self, vip: Mapping[str, Any]) -> Dict[str, Any]:
        packed = pack(vip["address"])
        address = text_of(packed)
        held_on = self._own_addresses.get(address)
        return {
            "interface": vip["interface"],
            "address": address,
            "packed": packed,
            "held_on": held_on,
            "probes": 0,
            "answers": {},
            "error": None,
        }

    def _open(self, interface: str) -> None:
        try:
            link = self._links[interface] = Link(interface)
        except (OSError, WireError) as error:
            self._errors[interface] = _reason(error, interface)
            return
        for handle in link.sockets:
            self._tap_links[self._own(handle)] = link

    def act(self, now: float) -> Optional[float]:
        self._ended = now
        if not self._links or now >= self._until:
            return None
        if self._asked < self.PROBES:
            if now < self._times[self._asked]:
                return self._times[self._asked]
            self._asked += 1
            self._ask()
        return self._times[self._asked] if self._asked < self.PROBES else self._until

    def _ask(self) -> None:
        for vip in self._vips:
            if vip["held_on"] is None and vip["interface"] in self._links:
                try:
                    self._links[vip["interface"]].ask_in_secret(vip["packed"])
                    vip["probes"] += 1
                except OSError as error:
                    vip["error"] = _reason(error, vip["interface"])
        for item in self._known:
            if not item["macs"] and item["from"] is not None and item["interface"] in self._links:
                try:
                    self._links[item["interface"]].ask(item["from"], item["packed"])
                except OSError:
                    continue  # the VIPs' error says it

    def on_packet(self, handle: socket.socket, data: bytes, address: Tuple[Any, ...], now: float) -> None:
        link = self._tap_links[handle]
        if not _is_for_us(address):
            return
        answer = answer_of(data, address[4], handle is link.arp)
        if answer is None or answer.mac == link.mac:
            return
        mac = answer.mac.hex(":")
        vip = self._wanted.get((link.interface, answer.target))
        if vip is not None and vip["held_on"] is None:
            seen = vip["answers"].setdefault(mac, {"mac": mac, "how": [], "count": 0})
            seen["count"] += 1
            if answer.how not in seen["how"]:
                seen["how"].append(answer.how)
        if answer.how != "probe":
            for item in self._members.get((link.interface, answer.target), ()):
                item["macs"][mac] = None

    def result(self) -> Dict[str, Any]:
        known: Dict[str, Dict[str, None]] = {}
        for item in self._known:
            known.setdefault(item["host"], {}).update(item["macs"])
        owner = {mac: host for host, macs in known.items() for mac in macs}
        addresses = []
        for vip in self._vips:
            answers = [dict(answer, host=owner.get(mac)) for mac, answer in sorted(vip["answers"].items())]
            addresses.append(
                {
                    "interface": vip["interface"],
                    "address": vip["address"],
                    "family": "ipv4" if len(vip["packed"]) == 4 else "ipv6",
                    "held": vip["held_on"] is not None,
                    "held_on": vip["held_on"],
                    "probes": vip["probes"],
                    "answers": answers,
                    "error": vip["error"] or self._errors.get(vip["interface"]),
                }
            )
        return {
            "seconds": round(self._ended - self.begun, 3),
            "addresses": addresses,
            "known": {host: sorted(macs) for host, macs in known.items()},
            "known_addresses": [
                {"host": item["host"], "address": item["address"], "macs": sorted(item["macs"])} for item in self._known
            ],
            "macs": self._macs,
            "error": None,
        }


def _known_host(
    entry: Mapping[str, Any], sources: Mapping[Tuple[str, int], bytes], own: Mapping[str, str]
) -> Dict[str, Any]:
    packed = pack(entry["address"])
    source = sources.get((entry["interface"], len(packed)))
    # Never from an address that's somebody else's.
    if own.get(entry.get("source", "")) == entry["interface"]:
        source = pack(entry["source"])
    return {
        "host": entry["host"],
        "interface": entry["interface"],
        "address": entry["address"],
        "packed": packed,
        "from": source,
        "macs": {},
    }


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
        self.targets: List[_Target] = []
        self.peers: Dict[bytes, _Peer] = {}
        for peer in given["peers"]:
            known = _Peer(peer["host"], peer["address"])
            self.peers[_reach.identity(peer["host"], text_of(pack(peer["address"])))] = known
            if not self.multicast:
                # Of two hosts one keeps quiet at first: a stateful filter in between lets answers through, and would
                # hide that it lets nothing else through.
                quiet = _QUIET if (peer["host"], peer["address"]) < (host, self.address) else 0.0
                target = _Target(pack(peer["address"]), None, quiet)
                known.target = target
                self.targets.append(target)
        if self.multicast:
            target = _Target(group, multicast_mac(group), 0.0)
            self.targets.append(target)
            for known in self.peers.values():
                known.target = target

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
    def __init__(self, host: str, address: str) -> None:
        self.host = host
        self.address = address
        self.hearing = _reach.Hearing()
        self.target: Optional[_Target] = None

    @property
    def is_late(self) -> bool:
        return self.target is not None and self.target.stack_sent > 0


# Below this there's no time left for both hosts of a pair to be heard.
SHORTEST_REACH = 3.0
_QUIET = 1.5
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
                self._errors.append(dict(given, error=_reason(error, given["interface"])))
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
            target.error = _reason(error, path.interface)

    def _send_past_filter(self, path: _Path, target: _Target, now: float) -> None:
        probe = self._probe(path, _reach.LINK, target.sent, now)
        payload = _reach.build_probe(path.source, target.packed, probe)
        try:
            path.link.send_ip(build_ip(path.source, target.packed, VRRP, payload, TTL), target.mac or _arp.BROADCAST)
        except OSError as error:
            target.error = _reason(error, path.interface)
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
            target.refused = _reason(error, path.interface)

    def _probe(self, path: _Path, kind: int, sequence: int, now: float) -> _reach.Probe:
        return _reach.Probe(kind, sequence, int(self.elapsed(now) * 1000), path.identity)

    def on_packet(self, handle: socket.socket, data: bytes, address: Tuple[Any, ...], now: float) -> None:
        path = self._owners[handle]
        if handle is path.receiver:
            self._on_received(path, data, address)
        elif not _is_for_us(address):
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
        assert target is not None
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


# Sockets


def vrrp_tap(interface: str, family: str) -> socket.socket:
    """VRRP as it comes off the wire."""
    if family == "ipv4":
        return _tap(interface, _ETH_P_IP, _filter(9, [VRRP, AH]))
    return _tap(interface, _ETH_P_IPV6, _filter(6, [VRRP, AH]))


def vrrp_receiver(interface: str, family: str) -> socket.socket:
    """VRRP as programs get it, behind the packet filter. Others that listen get their own copy."""
    handle = socket.socket(_BIND[family], socket.SOCK_RAW, VRRP)
    try:
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        _join(handle, interface, family)
        handle.setblocking(False)
    except OSError:
        handle.close()
        raise
    return handle


def vrrp_sender(interface: str, family: str, source: bytes) -> socket.socket:
    """As keepalived sends: from one address, through one interface."""
    handle = socket.socket(_BIND[family], socket.SOCK_RAW, VRRP)
    try:
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        index = socket.if_nametoindex(interface)
        if family == "ipv4":
            handle.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, TTL)
            handle.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, TTL)
            handle.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_LOOP, 0)
            handle.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_IF, struct.pack("4s4si", b"", source, index))
        else:
            handle.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, TTL)
            handle.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, TTL)
            handle.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
            handle.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        handle.bind((text_of(source), 0))
        handle.setblocking(False)
    except OSError:
        handle.close()
        raise
    return handle


def _member(interface: str, family: str) -> socket.socket:
    """Keeps this host in VRRP's group, so that network card and switch let it hear."""
    handle = socket.socket(_BIND[family], socket.SOCK_DGRAM)
    try:
        _join(handle, interface, family)
        handle.setblocking(False)
    except OSError:
        handle.close()
        raise
    return handle


def _join(handle: socket.socket, interface: str, family: str) -> None:
    index = socket.if_nametoindex(interface)
    group = pack(GROUPS[family])
    if family == "ipv4":
        handle.setsockopt(socket.IPPROTO_IP, _IP_ADD_MEMBERSHIP, struct.pack("4s4si", group, b"", index))
    else:
        handle.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, struct.pack("16si", group, index))


def _tap(interface: str, protocol: int, program: Optional[bytes]) -> socket.socket:
    # Bound to a protocol only once the filter is there, lest something else be queued before.
    handle = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    try:
        if program is not None:
            code = array.array("B", program)
            where, _size = code.buffer_info()
            handle.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(program) // 8, where))
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        handle.bind((interface, protocol))
        handle.setblocking(False)
    except OSError:
        handle.close()
        raise
    return handle


def _filter(offset: int, protocols: Sequence[int]) -> bytes:
    """Let through what has one of these protocols at this offset, so that a busy host's traffic stays in the kernel."""
    program = [struct.pack("HBBI", _LDB, 0, 0, offset)]
    for number, protocol in enumerate(protocols):
        program.append(struct.pack("HBBI", _JEQ, len(protocols) - number, 0, protocol))
    program.append(struct.pack("HBBI", _RET, 0, 0, 0))
    program.append(struct.pack("HBBI", _RET, 0, 0, _SNAP))
    return b"".join(program)


def _is_for_us(address: Tuple[Any, ...]) -> bool:
    """Not what a promiscuous interface overhears, and not another VLAN's."""
    return address[2] in (_PACKET_HOST, _PACKET_BROADCAST, _PACKET_MULTICAST)


def _name_of(index: int) -> str:
    try:
        return socket.if_indextoname(index)
    except OSError:
        return ""


def _reason(error: Exception, interface: str) -> str:
    number = getattr(error, "errno", None)
    if number == errno.ENODEV or "no interface with this name" in str(error):
        return "there is no interface %s" % interface
    if number == errno.ENETDOWN:
        return "%s is down" % interface
    if number in (errno.EPERM, errno.EACCES):
        return "not permitted"
    if number == errno.EADDRNOTAVAIL:
        return "the planned address isn't on %s" % interface
    return getattr(error, "strerror", None) or str(error)
