# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Sockets that hear and ask on one network segment, and leave a running keepalived alone."""

from __future__ import annotations

import array
import errno
import selectors
import socket
import struct
import time
from typing import Any, Dict, List, Optional, Sequence, Tuple

from . import _arp, _ndp
from ._packets import AH, ICMPV6, VRRP, Malformed, multicast_mac, pack, parse_ip, text_of
from ._vrrp import GROUPS, TTL

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


class Link:
    """One Ethernet interface: asking who has an address, by ARP or neighbour discovery."""

    def __init__(self, interface: str) -> None:
        self.interface = interface
        self.index = socket.if_nametoindex(interface)
        self.arp = tap(interface, _ETH_P_ARP, None)
        self.nd = tap(interface, _ETH_P_IPV6, protocol_filter(6, [ICMPV6]))
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


def is_for_us(address: Tuple[Any, ...]) -> bool:
    """Not what a promiscuous interface overhears, and not another VLAN's."""
    return address[2] in (_PACKET_HOST, _PACKET_BROADCAST, _PACKET_MULTICAST)


def reason(error: Exception, interface: str) -> str:
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


# Sockets


def vrrp_tap(interface: str, family: str) -> socket.socket:
    """VRRP as it comes off the wire."""
    if family == "ipv4":
        return tap(interface, _ETH_P_IP, protocol_filter(9, [VRRP, AH]))
    return tap(interface, _ETH_P_IPV6, protocol_filter(6, [VRRP, AH]))


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


def vrrp_member(interface: str, family: str) -> socket.socket:
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


def tap(interface: str, protocol: int, program: Optional[bytes]) -> socket.socket:
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


def protocol_filter(offset: int, protocols: Sequence[int]) -> bytes:
    """Let through what has one of these protocols at this offset, so that a busy host's traffic stays in the kernel."""
    program = [struct.pack("HBBI", _LDB, 0, 0, offset)]
    for number, protocol in enumerate(protocols):
        program.append(struct.pack("HBBI", _JEQ, len(protocols) - number, 0, protocol))
    program.append(struct.pack("HBBI", _RET, 0, 0, 0))
    program.append(struct.pack("HBBI", _RET, 0, 0, _SNAP))
    return b"".join(program)
