# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""IPv4 and IPv6 packets as they come off the wire: who sent what to whom, or why nobody should believe it."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

VRRP, AH, ICMPV6 = 112, 51, 58

_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_MORE_FRAGMENTS_OR_OFFSET = 0x3FFF
_DONT_FRAGMENT = 0x4000
_INTERNETWORK_CONTROL = 0xC0


class Malformed(Exception):
    """A packet that can't be believed. `reason` is one word of a fixed list."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class IpPacket:
    """`protocol` and `payload` are what follows the IP header. Addresses are packed."""

    family: str
    source: bytes
    destination: bytes
    ttl: int
    protocol: int
    payload: bytes


def checksum(data: bytes) -> int:
    """The internet checksum of RFC 1071. Over data that carries its own, right checksum it's 0."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def pseudo_header(source: bytes, destination: bytes, length: int, protocol: int) -> bytes:
    """What the checksum of a payload also covers: RFC 793 for IPv4, RFC 8200 for IPv6."""
    if len(source) == 4:
        return source + destination + struct.pack("!BBH", 0, protocol, length)
    return source + destination + struct.pack("!IxxxB", length, protocol)


def parse_ip(data: bytes) -> IpPacket:
    """A frame's payload; what follows the end of the packet is padding."""
    if not data:
        raise Malformed("short")
    version = data[0] >> 4
    if version == 4:
        return _parse_ipv4(data)
    if version == 6:
        return _parse_ipv6(data)
    raise Malformed("ip_version")


def build_ip(source: bytes, destination: bytes, protocol: int, payload: bytes, ttl: int = 255) -> bytes:
    if len(source) == 16:
        return (
            _IPV6.pack((6 << 28) | (_INTERNETWORK_CONTROL << 20), len(payload), protocol, ttl, source, destination)
            + payload
        )
    fields = [0x45, _INTERNETWORK_CONTROL, _IPV4.size + len(payload), 0, _DONT_FRAGMENT, ttl, protocol, 0]
    fields[7] = checksum(_IPV4.pack(*fields, source, destination))
    return _IPV4.pack(*fields, source, destination) + payload


def text_of(packed: bytes) -> str:
    return str(ipaddress.ip_address(packed))


def pack(address: str) -> bytes:
    return ipaddress.ip_address(address).packed


def is_multicast(packed: bytes) -> bool:
    return ipaddress.ip_address(packed).is_multicast


def multicast_mac(group: bytes) -> bytes:
    """The MAC address that frames to a group go to: RFC 1112 and RFC 2464."""
    if len(group) == 16:
        return b"\x33\x33" + group[-4:]
    return b"\x01\x00\x5e" + bytes([group[1] & 0x7F]) + group[2:]


def _parse_ipv4(data: bytes) -> IpPacket:
    if len(data) < _IPV4.size:
        raise Malformed("short")
    first, _tos, total, _id, fragment, ttl, protocol, _sum, source, destination = _IPV4.unpack_from(data)
    header = (first & 0x0F) * 4
    if header < _IPV4.size or total < header or len(data) < total:
        raise Malformed("ip_length")
    if fragment & _MORE_FRAGMENTS_OR_OFFSET:
        raise Malformed("ip_fragment")
    if checksum(data[:header]) != 0:
        raise Malformed("ip_checksum")
    return IpPacket("ipv4", source, destination, ttl, protocol, data[header:total])


def _parse_ipv6(data: bytes) -> IpPacket:
    if len(data) < _IPV6.size:
        raise Malformed("short")
    _flow, length, protocol, hops, source, destination = _IPV6.unpack_from(data)
    if len(data) < _IPV6.size + length:
        raise Malformed("ip_length")
    return IpPacket("ipv6", source, destination, hops, protocol, data[_IPV6.size : _IPV6.size + length])
