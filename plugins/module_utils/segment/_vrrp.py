# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""VRRP adverts, version 2 (RFC 3768) and 3 (RFC 9568), over IPv4 and IPv6.

Strict about what every implementation agrees on, tolerant where they are known to differ: whether version 3's checksum
covers a pseudo header over IPv4, and of which destination (keepalived's old unicast form); whether it covers what
follows the advert (keepalived's HMAC isn't covered over IPv4); how long version 2 is.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

from ._packets import AH, VRRP, IpPacket, Malformed, checksum, is_multicast, pack, parse_ip, pseudo_header, text_of

GROUPS = {"ipv4": "224.0.0.18", "ipv6": "ff02::12"}
ADVERTISEMENT = 1
TTL = 255

# Why a packet isn't believed. Those of _packets are among them.
REASONS = (
    "short",  # it ends before its header does
    "ip_version",
    "ip_length",
    "ip_fragment",
    "ip_checksum",
    "ah",  # an authentication header that makes no sense
    "not_vrrp",
    "version",
    "type",
    "vrid",  # 0
    "version_family",  # version 2 has no IPv6
    "length",  # fewer addresses than it says
    "interval",  # 0
    "auth",  # a type that RFC 2338 doesn't have
    "checksum",
    "ttl",  # multicast that came through a router
)

_HEADER = struct.Struct("!BBBBHH")
# What keepalived 2.4 appends: scheme, key, zeros; seconds, fraction and counter; 16 bytes of HMAC-SHA256.
_HMAC_TRAILER = struct.Struct("!BBHIHH16s")
_HMAC_SHA256 = 1
_AUTH_DATA = 8
_AUTH_NAMES = {0: "none", 1: "pass", 2: "ah"}
_SIZES = {"ipv4": 4, "ipv6": 16}


@dataclass(frozen=True)
class Advert:
    """`interval` in seconds. `checksum` says what it covered: plain, pseudo or old_unicast."""

    family: str
    source: str
    multicast: bool
    ttl: int
    version: int
    vrid: int
    priority: int
    interval: float
    addresses: Tuple[str, ...]
    auth: str
    checksum: str


def parse_advert(data: bytes) -> Advert:
    """One IP packet as it came off the wire; raises Malformed."""
    return advert_of(parse_ip(data))


def advert_of(packet: IpPacket) -> Advert:
    payload, authenticated = packet.payload, packet.protocol == AH
    if authenticated:
        payload = _after_authentication_header(payload)
    elif packet.protocol != VRRP:
        raise Malformed("not_vrrp")
    if len(payload) < _HEADER.size:
        raise Malformed("short")
    first, vrid, priority, count, timing, _sum = _HEADER.unpack_from(payload)
    version = first >> 4
    if version not in (2, 3):
        raise Malformed("version")
    if first & 0x0F != ADVERTISEMENT:
        raise Malformed("type")
    if vrid == 0:
        raise Malformed("vrid")
    if version == 2 and packet.family == "ipv6":
        raise Malformed("version_family")
    size = _SIZES[packet.family]
    end = _HEADER.size + count * size
    if len(payload) < end:
        raise Malformed("length")
    # What follows the advert may be covered or not. Version 2 has its 8 bytes of authentication within.
    covered = _checksum_kind(payload, packet, version) or _checksum_kind(
        payload[: end + (_AUTH_DATA if version == 2 else 0)], packet, version
    )
    if covered is None:
        raise Malformed("checksum")
    if version == 2:
        interval, auth = float(timing & 0xFF), _auth_name(timing >> 8, authenticated)
    else:
        interval, auth = (timing & 0x0FFF) / 100.0, _trailer_name(payload[end:])
    if interval == 0:
        raise Malformed("interval")
    multicast = is_multicast(packet.destination)
    if multicast and packet.ttl != TTL:
        raise Malformed("ttl")
    addresses = [payload[offset : offset + size] for offset in range(_HEADER.size, end, size)]
    return Advert(
        family=packet.family,
        source=text_of(packet.source),
        multicast=multicast,
        ttl=packet.ttl,
        version=version,
        vrid=vrid,
        priority=priority,
        interval=interval,
        addresses=tuple(text_of(address) for address in addresses),
        auth=auth,
        checksum=covered,
    )


def claimed_vrid(packet: IpPacket) -> Optional[int]:
    """The virtual router ID of a packet that may be no advert: it's all that a router looks at before it reacts."""
    payload = packet.payload
    if packet.protocol == AH:
        try:
            payload = _after_authentication_header(payload)
        except Malformed:
            return None
    return payload[1] if len(payload) > 1 else None


def build_advert(
    source: str,
    destination: str,
    version: int,
    vrid: int,
    priority: int,
    interval: float,
    addresses: Sequence[str],
    password: Optional[bytes] = None,
    covered: str = "pseudo",
) -> bytes:
    """The payload of an IP packet. `covered` is the kind of checksum; version 2 knows only plain ones."""
    timing = (int(password is not None) << 8) | int(interval) if version == 2 else int(round(interval * 100))
    body = b"".join(pack(address) for address in addresses)
    if version == 2:
        body += (password or b"").ljust(_AUTH_DATA, b"\0")[:_AUTH_DATA]
    first = (version << 4) | ADVERTISEMENT
    blank = _HEADER.pack(first, vrid, priority, len(addresses), timing, 0) + body
    over = _covered(blank, pack(source), pack(destination), "plain" if version == 2 else covered)
    return _HEADER.pack(first, vrid, priority, len(addresses), timing, checksum(over)) + body


def _checksum_kind(payload: bytes, packet: IpPacket, version: int) -> Optional[str]:
    """What the checksum covered, or None where it's wrong whatever that was."""
    kinds: List[str] = ["plain"] if version == 2 else ["pseudo"]
    if version == 3 and packet.family == "ipv4":
        kinds += ["plain", "old_unicast"]
    return next(
        (kind for kind in kinds if checksum(_covered(payload, packet.source, packet.destination, kind)) == 0), None
    )


def _covered(payload: bytes, source: bytes, destination: bytes, kind: str) -> bytes:
    if kind == "plain":
        return payload
    if kind == "old_unicast":
        destination = pack(GROUPS["ipv4"])
    return pseudo_header(source, destination, len(payload), VRRP) + payload


def _trailer_name(trailer: bytes) -> str:
    """keepalived's HMAC, or whatever else another implementation may append."""
    if not trailer:
        return "none"
    if len(trailer) == _HMAC_TRAILER.size:
        scheme, _key, reserved, *_rest = _HMAC_TRAILER.unpack(trailer)
        if scheme == _HMAC_SHA256 and reserved == 0:
            return "hmac"
    return "trailer"


def _auth_name(number: int, authenticated: bool) -> str:
    if number not in _AUTH_NAMES or (number == 2) != authenticated:
        raise Malformed("auth")
    return _AUTH_NAMES[number]


def _after_authentication_header(payload: bytes) -> bytes:
    """RFC 4302: next header, length in words of 4 bytes less 2."""
    if len(payload) < 2:
        raise Malformed("short")
    length = (payload[1] + 2) * 4
    if length < 12 or len(payload) < length:
        raise Malformed("ah")
    if payload[0] != VRRP:
        raise Malformed("not_vrrp")
    return payload[length:]
