# Managed by kubeha.apiserver: changes here are overwritten by the next run.
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom kubeha-watchdog hears, and how it asks and tells the network who has an address."""

import socket
import struct
import time
from typing import Callable, FrozenSet, NamedTuple

from shared_host import plain

# A host that has an address answers at once. Who didn't is asked once more.
ASKED, ANSWERED = 2, 0.25


class Router(NamedTuple):
    """A virtual router of this host's, and who else speaks for it."""

    name: str
    interface: str
    vrid: int
    priority: int
    members: FrozenSet[str]

    @property
    def family(self) -> int:
        return 6 if any(":" in member for member in self.members) else 4

    @classmethod
    def of(cls, text: str) -> "Router":
        name, interface, vrid, priority, *members = text.split(",")
        return cls(name, interface, int(vrid), int(priority), frozenset(plain(member) for member in members))


def answers_arp(interface: str, address: str, own: str) -> bool:
    """RFC 826. As a request of this host's, whom also those answer who answer their own network only."""
    wanted = socket.inet_aton(address)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806)) as handle:
        handle.bind((interface, 0x0806))
        mac = handle.getsockname()[4]
        request = struct.pack("!6s6sHHHBBH6s4s6s4s", b"\xff" * 6, mac, 0x0806, 1, 0x0800, 6, 4, 1, mac,
                              socket.inet_aton(own or "0.0.0.0"), bytes(6), wanted)

        def is_it(packet: bytes) -> bool:
            return len(packet) >= 42 and packet[28:32] == wanted and packet[22:28] != mac

        return asked(handle, lambda: handle.send(request), is_it)


def announce_arp(interface: str, address: str, mac: bytes) -> None:
    """RFC 5227: an announcement, in the name of whoever has the address."""
    place = socket.inet_aton(address)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806)) as handle:
        handle.bind((interface, 0x0806))
        for kind in (1, 2, 1):
            handle.send(struct.pack("!6s6sHHHBBH6s4s6s4s", b"\xff" * 6, handle.getsockname()[4], 0x0806, 1, 0x0800,
                                    6, 4, kind, mac, place, b"\xff" * 6 if kind == 2 else bytes(6), place))


def announce_neighbour(interface: str, address: str, mac: bytes) -> None:
    """RFC 4861, 7.2.6: an unsolicited advertisement that overrides."""
    place = socket.inet_pton(socket.AF_INET6, address)
    with neighbours(interface) as handle:
        packet = struct.pack("!BBHI16sBB6s", 136, 0, 0, 0x20000000, place, 2, 1, mac)
        for _time in range(3):
            handle.sendto(packet, ("ff02::1", 0, 0, socket.if_nametoindex(interface)))


def neighbours(interface: str) -> socket.socket:
    handle = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    handle.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
    handle.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    return handle


def has_neighbour(interface: str, address: str) -> bool:
    """RFC 4861."""
    wanted = socket.inet_pton(socket.AF_INET6, address)
    index = socket.if_nametoindex(interface)
    with open("/sys/class/net/%s/address" % interface, encoding="ascii") as stream:
        mac = bytes.fromhex(stream.read().strip().replace(":", ""))
    with neighbours(interface) as handle:
        # The kernel sums it up.
        request = struct.pack("!BBHI16sBB6s", 135, 0, 0, 0, wanted, 1, 1, mac)
        group = socket.inet_ntop(socket.AF_INET6, bytes.fromhex("ff0200000000000000000001ff") + wanted[13:])

        def is_it(packet: bytes) -> bool:
            return len(packet) >= 24 and packet[0] == 136 and packet[8:24] == wanted

        return asked(handle, lambda: handle.sendto(request, (group, 0, 0, index)), is_it)


def asked(handle: socket.socket, send: Callable[[], object], is_it: Callable[[bytes], bool]) -> bool:
    for _time in range(ASKED):
        send()
        deadline = time.monotonic() + ANSWERED
        while (left := deadline - time.monotonic()) > 0:
            handle.settimeout(left)
            try:
                if is_it(handle.recv(2048)):
                    return True
            except socket.timeout:
                break
    return False
