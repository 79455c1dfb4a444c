#!/usr/bin/env python3
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells when addresses come to this host and leave it, as the kernel says so.

    address_watch.py ADDRESS...

Prints one JSON line per change: {"clock": CLOCK_MONOTONIC, "address": …, "held": true or false}, and one per address
at the start. Ends when its input does. All containers share one kernel and so one clock.
"""

from __future__ import annotations

import ipaddress
import json
import select
import socket
import struct
import sys
import time
from collections.abc import Iterator
from typing import Union

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

NLMSG_DONE = 3
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR = 0x10, 0x100
NLM_F_REQUEST_DUMP = 0x301
IFA_ADDRESS, IFA_LOCAL = 1, 2


def main() -> None:
    watched = {ipaddress.ip_address(text) for text in sys.argv[1:]}
    # Subscribed before the dump: what changes in between is told twice and never missed.
    changes = netlink(RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR)
    held = current_addresses() & watched
    for address in watched:
        tell(address, address in held)
    while True:
        readable = select.select([changes, sys.stdin], [], [])[0]
        if sys.stdin in readable:
            return
        for kind, address in parse(changes.recv(65536)):
            if address in watched and (kind == RTM_NEWADDR) != (address in held):
                held.symmetric_difference_update({address})
                tell(address, kind == RTM_NEWADDR)


def tell(address: Address, held: bool) -> None:
    print(json.dumps({"clock": time.monotonic(), "address": str(address), "held": held}), flush=True)


def netlink(groups: int) -> socket.socket:
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    link.bind((0, groups))
    return link


def current_addresses() -> set[Address]:
    found = set()
    with netlink(0) as link:
        # struct nlmsghdr, then struct ifaddrmsg with family AF_UNSPEC: both families
        link.send(struct.pack("=IHHIIBBBBI", 24, RTM_GETADDR, NLM_F_REQUEST_DUMP, 1, 0, 0, 0, 0, 0, 0))
        while True:
            for kind, address in parse(link.recv(65536)):
                if kind == NLMSG_DONE:
                    return found
                if address is not None:
                    found.add(address)


def parse(data: bytes) -> Iterator[tuple[int, Address | None]]:
    while len(data) >= 16:
        length, kind = struct.unpack_from("=IH", data)
        address = None
        if kind in (RTM_NEWADDR, RTM_DELADDR):
            attributes = {}
            offset = 16 + 8
            while offset + 4 <= length:
                size, name = struct.unpack_from("=HH", data, offset)
                attributes[name] = data[offset + 4 : offset + size]
                offset += (size + 3) & ~3
            raw = attributes.get(IFA_LOCAL) or attributes.get(IFA_ADDRESS)
            address = ipaddress.ip_address(raw) if raw else None
        yield kind, address
        data = data[(length + 3) & ~3 :]


if __name__ == "__main__":
    main()
