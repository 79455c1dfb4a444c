# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Neighbour discovery: asking whether an IPv6 address is in use without claiming it (RFC 4862), and who has it."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass
from typing import Optional

from ._packets import ICMPV6, IpPacket, Malformed, build_ip, checksum, pseudo_header

SOLICITATION, ADVERTISEMENT = 135, 136
UNSPECIFIED = b"\0" * 16

_HOPS = 255
_MESSAGE = struct.Struct("!BBHI16s")
_SOURCE_MAC, _TARGET_MAC = 1, 2
_OVERRIDE = 1 << 29
_ALL_NODES = ipaddress.IPv6Address("ff02::1").packed
_SOLICITED = ipaddress.IPv6Address("ff02::1:ff00:0").packed


@dataclass(frozen=True)
class Neighbour:
    """A solicitation or an advertisement for `target`. `mac` is the one it names, if any."""

    kind: int
    source: bytes
    target: bytes
    mac: Optional[bytes]

    @property
    def is_probe(self) -> bool:
        """Someone asks for an address that it means to take."""
        return self.kind == SOLICITATION and self.source == UNSPECIFIED


def solicited_node(target: bytes) -> bytes:
    """The group that whoever has the address listens to."""
    return _SOLICITED[:13] + target[13:]


def build_probe(target: bytes) -> bytes:
    """An IPv6 packet as of duplicate address detection: from nobody, so it changes no neighbour's table."""
    return _build(SOLICITATION, UNSPECIFIED, solicited_node(target), 0, target, b"")


def build_solicitation(mac: bytes, source: bytes, target: bytes) -> bytes:
    option = struct.pack("!BB6s", _SOURCE_MAC, 1, mac)
    return _build(SOLICITATION, source, solicited_node(target), 0, target, option)


def build_advertisement(mac: bytes, target: bytes, destination: bytes = _ALL_NODES) -> bytes:
    option = struct.pack("!BB6s", _TARGET_MAC, 1, mac)
    return _build(ADVERTISEMENT, target, destination, _OVERRIDE, target, option)


def neighbour_of(packet: IpPacket) -> Optional[Neighbour]:
    """None for ICMPv6 that is about something else."""
    payload = packet.payload
    if packet.family != "ipv6" or packet.protocol != ICMPV6 or not payload:
        return None
    if payload[0] not in (SOLICITATION, ADVERTISEMENT):
        return None
    if len(payload) < _MESSAGE.size:
        raise Malformed("short")
    if packet.ttl != _HOPS:
        raise Malformed("ttl")
    if checksum(pseudo_header(packet.source, packet.destination, len(payload), ICMPV6) + payload) != 0:
        raise Malformed("checksum")
    kind, code, _sum, _flags, target = _MESSAGE.unpack_from(payload)
    if code != 0:
        raise Malformed("code")
    wanted = _SOURCE_MAC if kind == SOLICITATION else _TARGET_MAC
    return Neighbour(kind, packet.source, target, _option(payload[_MESSAGE.size :], wanted))


def _build(kind: int, source: bytes, destination: bytes, flags: int, target: bytes, options: bytes) -> bytes:
    blank = _MESSAGE.pack(kind, 0, 0, flags, target) + options
    total = checksum(pseudo_header(source, destination, len(blank), ICMPV6) + blank)
    message = _MESSAGE.pack(kind, 0, total, flags, target) + options
    return build_ip(source, destination, ICMPV6, message, _HOPS)


def _option(data: bytes, wanted: int) -> Optional[bytes]:
    found = None
    while data:
        # One option that makes no sense makes the whole message void.
        if len(data) < 2 or data[1] == 0 or len(data) < data[1] * 8:
            raise Malformed("option")
        if data[0] == wanted and data[1] == 1:
            found = data[2:8]
        data = data[data[1] * 8 :]
    return found
