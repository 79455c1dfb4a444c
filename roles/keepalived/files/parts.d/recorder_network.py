# Managed by kubeha.apiserver: changes here are overwritten by the next run.
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes from the network: the kernel's news of addresses and interfaces, and VRRP's packets."""

import errno
import select
import socket
import struct
from typing import Callable, Dict, List, NamedTuple, Optional, Set, Tuple

from recorder_base import TICK, Book
from shared_host import plain
from shared_wire import PACKET, advert, listen

STRANGERS = 16


class News:
    """What the kernel says of addresses and interfaces, as it happens."""

    LINK, ADDRESS = struct.Struct("=BxHiII"), struct.Struct("=BBBBI")
    HEADER, ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=HH")
    NEWLINK, DELLINK, NEWADDR, DELADDR = 16, 17, 20, 21
    UP = 0x1 | 0x10000  # switched on, and a cable in it
    GROUPS = 0x1 | 0x10 | 0x100  # links, addresses of IPv4 and of IPv6

    def __init__(self, book: Book, link_is_up: Callable[[], None]) -> None:
        self.book, self.link_is_up = book, link_is_up
        self.where: Dict[str, Set[int]] = {}
        self.socket: Optional[socket.socket] = None

    def begin(self) -> None:
        """With another plan other addresses count."""
        if self.socket is None and not self.book.root:
            self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
            self.socket.bind((0, self.GROUPS))
            self.socket.setblocking(False)
            self.book.poller.register(self.socket, select.POLLIN)
        self.where = {}
        self._ask()

    def _ask(self) -> None:
        """For all links and addresses, answered as news."""
        if self.socket is None:
            return
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as asking:
            asking.settimeout(2.0)
            for number, (kind, size) in enumerate(((18, 16), (22, 8)), 1):
                asking.send(self.HEADER.pack(16 + size, kind, 0x301, number, 0) + bytes(size))
                try:
                    while self.hear(asking.recv(1 << 18)):
                        pass
                except OSError:
                    return
        for vip in self.book.plan.vips:
            self.book.note("vip", vip, bool(self.where.get(vip)))

    def read(self) -> None:
        while self.socket is not None:
            try:
                self.hear(self.socket.recv(1 << 18))
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    return
                # Something was missed.
                self.where = {}
                self._ask()
                return

    def hear(self, data: bytes) -> bool:
        """Whether there's more to come."""
        offset = 0
        while offset + self.HEADER.size <= len(data):
            length, kind = self.HEADER.unpack_from(data, offset)[:2]
            payload = data[offset + self.HEADER.size:offset + length]
            if length < self.HEADER.size or kind in (2, 3):
                return False
            try:
                if kind in (self.NEWADDR, self.DELADDR):
                    self._address(payload, kind == self.NEWADDR)
                elif kind in (self.NEWLINK, self.DELLINK):
                    self._link(payload, kind == self.NEWLINK)
            except (struct.error, ValueError):
                pass
            offset += (length + 3) & ~3
        return True

    def _address(self, payload: bytes, there: bool) -> None:
        index = self.ADDRESS.unpack_from(payload)[4]
        found = self._attributes(payload, self.ADDRESS.size)
        address = plain(found.get(2, found.get(1, b"")))
        if address not in self.book.plan.vips:
            return
        places = self.where.setdefault(address, set())
        (places.add if there else places.discard)(index)
        self.book.note("vip", address, bool(places))

    def _link(self, payload: bytes, there: bool) -> None:
        flags = self.LINK.unpack_from(payload)[3]
        name = self._attributes(payload, self.LINK.size).get(3, b"").split(b"\0")[0].decode("utf-8", "replace")
        if name in self.book.plan.interfaces:
            up = there and flags & self.UP == self.UP
            before = self.book.known.get(("link", name))
            self.book.note("link", name, up)
            # Its socket is bound to an interface that may have been another one, or none.
            if up and (before is None or not before[0]):
                self.link_is_up()

    def _attributes(self, payload: bytes, start: int) -> Dict[int, bytes]:
        found = {}
        while start + self.ATTRIBUTE.size <= len(payload):
            length, kind = self.ATTRIBUTE.unpack_from(payload, start)
            if length < self.ATTRIBUTE.size:
                break
            found[kind & 0x3FFF] = payload[start + self.ATTRIBUTE.size:start + length]
            start += (length + 3) & ~3
        return found


class Heard(NamedTuple):
    """Of one router: when last, its priority, and how often it sends."""

    at: float
    priority: int
    silence: float
    is_stranger: bool


class Wire:
    """VRRP's packets as they come off the wire, before any filter: those of members and those of strangers."""

    STATISTICS, TIMESTAMP = 6, 35

    def __init__(self, book: Book) -> None:
        self.book = book
        self.sockets: List[socket.socket] = []
        self.heard: Dict[Tuple[int, str], Heard] = {}

    def begin(self) -> None:
        for handle in self.sockets:
            handle.close()
        self.sockets = []
        families = {family for _vrid, family in self.book.plan.routers}
        for interface in sorted(self.book.plan.interfaces) if not self.book.root else ():
            for family in sorted(families):
                try:
                    handle = listen(interface, family)
                except OSError as error:
                    self.book.tell("trouble", interface, error.strerror or str(error))
                    continue
                handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)
                handle.setsockopt(socket.SOL_SOCKET, self.TIMESTAMP, 1)
                self.sockets.append(handle)

    def read(self) -> None:
        """What has come since the last tick, as far as there's time; the kernel says when each came."""
        for handle in self.sockets:
            for _count in range(256):
                try:
                    data, more, _flags, address = handle.recvmsg(512, 64)
                except OSError:
                    break
                # Not what this host itself sends, nor what is for another one's card.
                if address[2] <= 2:
                    at = self.book.moment.boot
                    if more and len(more[0][2]) >= 16:
                        seconds, nanoseconds = struct.unpack("qq", more[0][2][:16])
                        at = self.book.moment.at(seconds + nanoseconds / 1e9)
                    self.hear(data, address[4].hex(":"), at)

    def hear(self, data: bytes, mac: str, at: float) -> None:
        found = advert(data)
        if found is None:
            return
        source, vrid, priority, interval, family = found
        router = self.book.plan.routers.get((vrid, family))
        if router is None:
            return
        members, silence = router
        # IPv6 by multicast comes from link-local addresses, which the plan doesn't have.
        stranger = source not in members and not source.startswith("fe80:")
        before = self.heard.get((vrid, source))
        if before is None and stranger and sum(item.is_stranger for item in self.heard.values()) >= STRANGERS:
            return
        silence = max(silence, interval * 4) if stranger else silence
        self.heard[vrid, source] = Heard(at, priority, silence, stranger)
        more = {"mac": mac} if stranger else {}
        self.book.note("stranger" if stranger else "advert", "%d %s" % (vrid, source), priority, at, **more)

    def miss(self, stood: bool) -> None:
        """Who has fallen silent. Where this host itself stood still, or packets were lost, nobody has yet."""
        # All are asked: asking sets each one's count back.
        lost = sum(map(self._lost, self.sockets)) > 0
        for key, item in list(self.heard.items()):
            if stood or lost:
                self.heard[key] = item._replace(at=max(item.at, self.book.moment.boot - TICK))
            elif self.book.moment.boot - item.at > item.silence + 2 * TICK:
                del self.heard[key]
                kind, about = "stranger" if item.is_stranger else "advert", "%d %s" % key
                if item.priority == 0:
                    # It has said so itself.
                    self.book.known[kind, about] = (None, {})
                else:
                    self.book.note(kind, about, None, item.at)
                if item.is_stranger:
                    self.book.forget(kind, about)

    def _lost(self, handle: socket.socket) -> bool:
        try:
            return bool(struct.unpack("II", handle.getsockopt(PACKET, self.STATISTICS, 8))[1])
        except (OSError, struct.error):
            return False
