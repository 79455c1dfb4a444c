#!/usr/bin/env python3
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells when addresses come to this host and leave it, as the kernel says so.

    address_watch.py ADDRESS...

Prints one JSON line per change: {"clock": CLOCK_MONOTONIC, "address": …, "held": true or false}, and one per address
at the start. An address is held while any interface has it. Ends when its input does. All containers share one kernel
and so one clock.
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
from typing import NamedTuple, Union

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


class Place(NamedTuple):
    """Where an address is; it can be on several interfaces, and with several prefixes."""

    address: Address
    interface: int
    prefix: int


NLMSG_DONE = 3
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR = 0x10, 0x100
NLM_F_REQUEST_DUMP = 0x301
IFA_ADDRESS, IFA_LOCAL = 1, 2


def main() -> None:
    watched = {ipaddress.ip_address(text) for text in sys.argv[1:]}
    # Subscribed before the dump: what changes in between is told twice and never missed.
    changes = netlink(RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR)
    places = current_places()
    for address in watched:
        tell(address, is_held(address, places))
    while True:
        readable = select.select([changes, sys.stdin], [], [])[0]
        if sys.stdin in readable:
            return
        for kind, place in parse(changes.recv(65536)):
            if place is None or place.address not in watched:
                continue
            before = is_held(place.address, places)
            places = places | {place} if kind == RTM_NEWADDR else places - {place}
            if is_held(place.address, places) != before:
                tell(place.address, not before)


def is_held(address: Address, places: set[Place]) -> bool:
    return any(place.address == address for place in places)


def tell(address: Address, held: bool) -> None:
    print(json.dumps({"clock": time.monotonic(), "address": str(address), "held": held}), flush=True)


def netlink(groups: int) -> socket.socket:
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    link.bind((0, groups))
    return link


def current_places() -> set[Place]:
    found = set()
    with netlink(0) as link:
        # struct nlmsghdr, then struct ifaddrmsg with family AF_UNSPEC: both families
        link.send(struct.pack("=IHHIIBBBBI", 24, RTM_GETADDR, NLM_F_REQUEST_DUMP, 1, 0, 0, 0, 0, 0, 0))
        while True:
            for kind, place in parse(link.recv(65536)):
                if kind == NLMSG_DONE:
                    return found
                if place is not None:
                    found.add(place)


def parse(data: bytes) -> Iterator[tuple[int, Place | None]]:
    while len(data) >= 16:
        length, kind = struct.unpack_from("=IH", data)
        place = None
        if kind in (RTM_NEWADDR, RTM_DELADDR):
            attributes = {}
            offset = 16 + 8
            while offset + 4 <= length:
                size, name = struct.unpack_from("=HH", data, offset)
                attributes[name] = data[offset + 4 : offset + size]
                offset += (size + 3) & ~3
            raw = attributes.get(IFA_LOCAL) or attributes.get(IFA_ADDRESS)
            # struct ifaddrmsg: family, prefixlen, flags, scope, index
            prefix, interface = struct.unpack_from("=xBxxI", data, 16)
            place = Place(ipaddress.ip_address(raw), interface, prefix) if raw else None
        yield kind, place
        data = data[(length + 3) & ~3 :]


if __name__ == "__main__":
    main()
