# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""rtnetlink: build the two dump requests, parse the kernel's answers. Pure bytes in, typed values out.

The kernel is asked directly because minimal hosts have no `ip`, and because its text output isn't an interface.
Layouts: linux/netlink.h, linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h; everything is in host byte order.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass
from typing import Dict, Iterator, List, Optional, Tuple

RTM_NEWLINK = 16
RTM_GETLINK = 18
RTM_NEWADDR = 20
RTM_GETADDR = 22

_NLMSG_ERROR = 2
_NLMSG_DONE = 3
_NLM_F_REQUEST = 0x001
_NLM_F_DUMP = 0x300
_NLM_F_DUMP_INTR = 0x010

_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_LINK = struct.Struct("=BxHiII")  # family, hardware type, index, flags, change mask
_ADDRESS = struct.Struct("=BBBBI")  # family, prefix, flags, scope, interface index
_ATTRIBUTE = struct.Struct("=HH")  # length, type
_U32 = struct.Struct("=I")
_CACHEINFO = struct.Struct("=IIII")  # preferred, valid, created, updated; the last two in 1/100 s since boot

_ATTRIBUTE_TYPE_MASK = 0x3FFF  # the two high bits say "nested" and "network byte order"

_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_MASTER, _IFLA_LINKINFO, _IFLA_CARRIER = 1, 3, 4, 10, 18, 33
_IFLA_INFO_KIND = 1
_IFA_ADDRESS, _IFA_LOCAL, _IFA_CACHEINFO, _IFA_FLAGS = 1, 2, 6, 8

_IFF_UP = 0x1
_ARPHRD_LOOPBACK = 772

_AF_INET = 2
_AF_INET6 = 10

_FLAG_NAMES = (
    (0x001, "secondary"),  # of an IPv6 address: temporary
    (0x008, "dadfailed"),
    (0x020, "deprecated"),
    (0x040, "tentative"),
    (0x100, "managetempaddr"),
    (0x200, "noprefixroute"),
)
_SCOPE_NAMES = {0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere"}


class NetlinkError(Exception):
    """The bytes aren't what the kernel would send, or the kernel refused."""


@dataclass(frozen=True)
class Message:
    kind: int
    payload: bytes


@dataclass(frozen=True)
class Batch:
    """What one datagram held. A dump is complete when a batch is `done`; `interrupted` asks for a new dump."""

    messages: List[Message]
    done: bool
    interrupted: bool


@dataclass(frozen=True)
class Link:
    index: int
    name: str
    up: bool
    carrier: Optional[bool]
    mtu: Optional[int]
    mac: str
    kind: str
    master: Optional[int]


@dataclass(frozen=True)
class Address:
    index: int
    address: str
    prefix: int
    family: str
    scope: str
    flags: Tuple[str, ...]
    created: Optional[float]  # seconds since boot


def link_dump_request(sequence: int) -> bytes:
    return _dump_request(RTM_GETLINK, sequence, _LINK.pack(0, 0, 0, 0, 0))


def address_dump_request(sequence: int) -> bytes:
    return _dump_request(RTM_GETADDR, sequence, _ADDRESS.pack(0, 0, 0, 0, 0))


def parse_batch(datagram: bytes, sequence: int) -> Batch:
    """Messages of this sequence; those of an older request that was given up are skipped."""
    messages: List[Message] = []
    done = interrupted = False
    offset = 0
    while offset < len(datagram):
        if len(datagram) - offset < _HEADER.size:
            raise NetlinkError("a message header is cut off at byte %d" % offset)
        length, kind, flags, seen, _port = _HEADER.unpack_from(datagram, offset)
        if length < _HEADER.size or offset + length > len(datagram):
            raise NetlinkError("a message of %d bytes at byte %d of %d" % (length, offset, len(datagram)))
        payload = datagram[offset + _HEADER.size : offset + length]
        offset += _aligned(length)
        if seen != sequence:
            continue
        interrupted = interrupted or bool(flags & _NLM_F_DUMP_INTR)
        if kind == _NLMSG_DONE:
            done = True
        elif kind == _NLMSG_ERROR:
            _raise_error(payload)
        else:
            messages.append(Message(kind, payload))
    return Batch(messages, done, interrupted)


def parse_link(message: Message) -> Link:
    if message.kind != RTM_NEWLINK:
        raise NetlinkError("message type %d instead of a link" % message.kind)
    _family, hardware, index, flags, _change = _unpack(_LINK, message.payload, "link")
    attributes = _attributes(message.payload, _LINK.size)
    carrier = attributes.get(_IFLA_CARRIER)
    master = attributes.get(_IFLA_MASTER)
    mtu = attributes.get(_IFLA_MTU)
    return Link(
        index=index,
        name=_text(attributes.get(_IFLA_IFNAME, b"")),
        up=bool(flags & _IFF_UP),
        carrier=None if not carrier else bool(carrier[0]),
        mtu=None if mtu is None else _unpack(_U32, mtu, "MTU")[0],
        mac=attributes.get(_IFLA_ADDRESS, b"").hex(":"),
        kind=_link_kind(hardware, attributes.get(_IFLA_LINKINFO)),
        master=None if master is None else _unpack(_U32, master, "master")[0],
    )


def parse_address(message: Message) -> Optional[Address]:
    """None for families other than IPv4 and IPv6."""
    if message.kind != RTM_NEWADDR:
        raise NetlinkError("message type %d instead of an address" % message.kind)
    family, prefix, low_flags, scope, index = _unpack(_ADDRESS, message.payload, "address")
    if family not in (_AF_INET, _AF_INET6):
        return None
    attributes = _attributes(message.payload, _ADDRESS.size)
    # On a point-to-point link IFA_ADDRESS is the other end; the own address is then in IFA_LOCAL.
    packed = attributes.get(_IFA_LOCAL, attributes.get(_IFA_ADDRESS, b""))
    if len(packed) != (4 if family == _AF_INET else 16):
        raise NetlinkError("an address of family %d has %d bytes" % (family, len(packed)))
    address = ipaddress.IPv4Address(packed) if family == _AF_INET else ipaddress.IPv6Address(packed)
    if prefix > address.max_prefixlen:
        raise NetlinkError("%s has a prefix of %d" % (address, prefix))
    wide = attributes.get(_IFA_FLAGS)
    flags = low_flags if wide is None else _unpack(_U32, wide, "flags")[0]
    cache = attributes.get(_IFA_CACHEINFO)
    return Address(
        index=index,
        address=str(address),
        prefix=prefix,
        family="ipv%d" % address.version,
        scope=_SCOPE_NAMES.get(scope, str(scope)),
        flags=tuple(name for bit, name in _FLAG_NAMES if flags & bit),
        created=None if cache is None else _unpack(_CACHEINFO, cache, "cache info")[2] / 100.0,
    )


def _dump_request(kind: int, sequence: int, payload: bytes) -> bytes:
    header = _HEADER.pack(_HEADER.size + len(payload), kind, _NLM_F_REQUEST | _NLM_F_DUMP, sequence, 0)
    return header + payload


def _raise_error(payload: bytes) -> None:
    if len(payload) < 4:
        raise NetlinkError("an error message is cut off")
    number = struct.unpack_from("=i", payload)[0]
    if number:
        raise NetlinkError("the kernel refused: errno %d" % -number)


def _link_kind(hardware: int, linkinfo: Optional[bytes]) -> str:
    kind = _attributes(linkinfo, 0).get(_IFLA_INFO_KIND) if linkinfo else None
    if kind:
        return _text(kind)
    return "loopback" if hardware == _ARPHRD_LOOPBACK else "device"


def _attributes(payload: bytes, start: int) -> Dict[int, bytes]:
    return dict(_each_attribute(payload, start))


def _each_attribute(payload: bytes, start: int) -> Iterator[Tuple[int, bytes]]:
    offset = _aligned(start)
    while len(payload) - offset >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(payload, offset)
        if length < _ATTRIBUTE.size or offset + length > len(payload):
            raise NetlinkError("an attribute of %d bytes at byte %d of %d" % (length, offset, len(payload)))
        yield kind & _ATTRIBUTE_TYPE_MASK, payload[offset + _ATTRIBUTE.size : offset + length]
        offset += _aligned(length)


def _unpack(layout: struct.Struct, data: bytes, what: str) -> Tuple[int, ...]:
    if len(data) < layout.size:
        raise NetlinkError("%s: %d bytes instead of %d" % (what, len(data), layout.size))
    return layout.unpack_from(data)


def _text(data: bytes) -> str:
    return data.split(b"\0", 1)[0].decode("utf-8", "replace")


def _aligned(length: int) -> int:
    return (length + 3) & ~3
