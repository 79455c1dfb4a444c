# Managed by kubeha.apiserver: changes here are overwritten by the next run.
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VRRP's packets, for each program that hears them."""

import array
import socket
import struct
from typing import NamedTuple, Optional

from shared_host import plain

# By IP version: Ethernet's type, where IP's header has the protocol, and the group's Ethernet address.
FAMILIES = {4: (0x0800, 9, "01005e000012"), 6: (0x86DD, 6, "333300000012")}
PACKET, MEMBERSHIP = 263, 1


class Advert(NamedTuple):
    """What one says; `interval` is in seconds, `family` an IP version."""

    source: str
    vrid: int
    priority: int
    interval: float
    family: int


def advert(data: bytes) -> Optional[Advert]:
    """Of an IP packet; None for what is no advert."""
    family = data[0] >> 4 if data else 0
    if family == 4 and len(data) >= 20:
        start, source = (data[0] & 0x0F) * 4, data[12:16]
    elif family == 6 and len(data) >= 40:
        start, source = 40, data[8:24]
    else:
        return None
    if len(data) < start + 8 or data[start] not in (0x21, 0x31):
        return None
    timing = int.from_bytes(data[start + 4:start + 6], "big")
    interval = float(timing & 0xFF) if data[start] >> 4 == 2 else (timing & 0x0FFF) / 100.0
    return Advert(plain(source), data[start + 1], data[start + 2], interval, family)


def listen(interface: str, family: int) -> socket.socket:
    """For packets of VRRP, without waiting. The kernel looks at one byte of each packet, and hands on no other."""
    protocol, offset, group = FAMILIES[family]
    # Not bound before the filter is there, lest something else be queued.
    handle = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0)
    try:
        # Load the protocol's byte; VRRP passes.
        code = array.array("B", struct.pack("HBBIHBBIHBBIHBBI", 0x30, 0, 0, offset, 0x15, 0, 1, 112,
                                            0x06, 0, 0, 512, 0x06, 0, 0, 0))
        handle.setsockopt(socket.SOL_SOCKET, 26, struct.pack("HP", 4, code.buffer_info()[0]))
        handle.bind((interface, protocol))
        handle.setsockopt(PACKET, MEMBERSHIP, struct.pack(
            "iHH8s", socket.if_nametoindex(interface), 0, 6, bytes.fromhex(group)))
    except OSError:
        handle.close()
        raise
    return handle
