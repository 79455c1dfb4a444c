# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""ARP: asking whether an IPv4 address is in use without claiming it (RFC 5227), and who has it."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ._packets import Malformed

BROADCAST = b"\xff" * 6
REQUEST, REPLY = 1, 2

_ARP = struct.Struct("!HHBBH6s4s6s4s")
_ETHERNET, _IPV4 = 1, 0x0800


@dataclass(frozen=True)
class Arp:
    operation: int
    sender_mac: bytes
    sender: bytes
    target: bytes

    @property
    def is_probe(self) -> bool:
        """Someone asks for an address that it means to take."""
        return self.operation == REQUEST and self.sender == b"\0\0\0\0"


def build_probe(mac: bytes, target: bytes) -> bytes:
    """A request from nobody: it changes no neighbour's table."""
    return build_request(mac, b"\0\0\0\0", target)


def build_request(mac: bytes, sender: bytes, target: bytes) -> bytes:
    return _ARP.pack(_ETHERNET, _IPV4, 6, 4, REQUEST, mac, sender, b"\0" * 6, target)


def build_reply(mac: bytes, sender: bytes, target_mac: bytes, target: bytes) -> bytes:
    return _ARP.pack(_ETHERNET, _IPV4, 6, 4, REPLY, mac, sender, target_mac, target)


def parse_arp(data: bytes) -> Arp:
    """What follows the Ethernet header, padding and all."""
    if len(data) < _ARP.size:
        raise Malformed("short")
    hardware, protocol, mac_size, size, operation, sender_mac, sender, _target_mac, target = _ARP.unpack_from(data)
    if (hardware, protocol, mac_size, size) != (_ETHERNET, _IPV4, 6, 4):
        raise Malformed("not_ethernet")
    if operation not in (REQUEST, REPLY):
        raise Malformed("operation")
    if sender_mac[0] & 1:
        raise Malformed("sender_mac")
    return Arp(operation, sender_mac, sender, target)
