# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Packets that show whether VRRP would pass between two hosts, and that no VRRP router takes for an advert.

To everything that filters, such a packet is VRRP: protocol 112, well-formed, a right checksum, a hop limit of 255. To
routers it belongs to virtual router 0, which can't exist, so they drop it where they drop all that isn't theirs.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import Any, Dict, Optional

from ._packets import VRRP, IpPacket, checksum, pseudo_header

# How it was sent: past the sender's own packet filter, or through it.
LINK, STACK = 1, 2
# Seconds between packets to one peer; never less, so that the receiver can reckon with it.
SPACING = 0.2

_HEADER = struct.Struct("!BBBBHH")
_FIRST, _VRID, _PRIORITY, _INTERVAL = 0x31, 0, 1, 100
# Where an advert has its addresses: 32 bytes, 8 of IPv4 or 2 of IPv6.
_BODY = struct.Struct("!8sB3xII8s4x")
_MAGIC = b"kubeha.1"
_COUNTS = {4: 8, 16: 2}


@dataclass(frozen=True)
class Probe:
    """`elapsed` are milliseconds since the sender began to listen."""

    kind: int
    sequence: int
    elapsed: int
    sender: bytes


def identity(host: str, address: str) -> bytes:
    """Tells this sender from others that test the same network at the same time."""
    return hashlib.sha256(("%s %s" % (host, address)).encode()).digest()[:8]


def build_probe(source: bytes, destination: bytes, probe: Probe) -> bytes:
    """The payload of an IP packet."""
    body = _BODY.pack(_MAGIC, probe.kind, probe.sequence, probe.elapsed, probe.sender)
    fields = [_FIRST, _VRID, _PRIORITY, _COUNTS[len(source)], _INTERVAL, 0]
    blank = _HEADER.pack(*fields) + body
    fields[5] = checksum(pseudo_header(source, destination, len(blank), VRRP) + blank)
    return _HEADER.pack(*fields) + body


def probe_of(packet: IpPacket) -> Optional[Probe]:
    """None for whatever isn't such a packet."""
    payload = packet.payload
    if packet.protocol != VRRP or len(payload) != _HEADER.size + _BODY.size or payload[:2] != bytes([_FIRST, _VRID]):
        return None
    if checksum(pseudo_header(packet.source, packet.destination, len(payload), VRRP) + payload) != 0:
        return None
    magic, kind, sequence, elapsed, sender = _BODY.unpack_from(payload, _HEADER.size)
    if magic != _MAGIC or kind not in (LINK, STACK):
        return None
    return Probe(kind, sequence, elapsed, sender)


class Hearing:
    """What was heard of one peer: on the wire, and of that by programs, behind this host's packet filter."""

    def __init__(self) -> None:
        self.wire = 0
        self.received = 0
        # Since this host sent through its own filter, which then may let answers in that it wouldn't let in otherwise.
        self.wire_late = 0
        self.received_late = 0
        self.wire_stack = 0
        self.received_stack = 0
        # When the peer began to listen, in seconds since this host did.
        self.peer_began: Optional[float] = None
        # Packets that the peer sent while this host listened, before the first one that came.
        self.missed = 0
        self._lowest = 0
        self._highest = 0

    def on_wire(self, probe: Probe, elapsed: float, late: bool) -> None:
        """`elapsed` are seconds since this host began to listen."""
        if self.peer_began is None:
            self.peer_began = elapsed - probe.elapsed / 1000.0
        if probe.kind == STACK:
            self.wire_stack += 1
            return
        if self.wire + self.wire_late == 0:
            self._lowest = self._highest = probe.sequence
            # At most so many were sent before this host began to listen.
            early = int(max(0.0, -self.peer_began) / SPACING) + 1
            self.missed = max(0, probe.sequence - early)
        if late:
            self.wire_late += 1
        else:
            self.wire += 1
        self._lowest = min(self._lowest, probe.sequence)
        self._highest = max(self._highest, probe.sequence)

    def on_received(self, probe: Probe, late: bool) -> None:
        if probe.kind == STACK:
            self.received_stack += 1
        elif late:
            self.received_late += 1
        else:
            self.received += 1

    def result(self) -> Dict[str, Any]:
        return {
            "wire": self.wire,
            "received": self.received,
            "wire_late": self.wire_late,
            "received_late": self.received_late,
            "wire_stack": self.wire_stack,
            "received_stack": self.received_stack,
            "peer_began": None if self.peer_began is None else round(self.peer_began, 3),
            "missed": self.missed,
            "lost": self._lost(),
        }

    def _lost(self) -> int:
        heard = self.wire + self.wire_late
        return max(0, self._highest - self._lowest + 1 - heard) if heard else 0
