# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Addresses and subnets: strict reading, and what an address may be used for.

An address is a family and a number: quick to compare, hash and mask. netaddr reads and writes IPv6; IPv4, of which a
fleet has many, is simple enough to be done here in a tenth of the time. What others are generous about (``10.1``,
``010.0.0.1``, ``::ffff:10.0.0.1``, ``fe80::1%eth0``, ``/0.0.0.255``) is refused, because each reader of a
configuration file is generous in another way.
"""

from __future__ import annotations

import re
import typing as t

try:
    import netaddr
    HAS_NETADDR = True
except ImportError:
    HAS_NETADDR = False

IPV4 = "ipv4"
IPV6 = "ipv6"
FAMILIES = (IPV4, IPV6)
BITS = {IPV4: 32, IPV6: 128}

_ALL_ONES = {IPV4: 2 ** 32 - 1, IPV6: 2 ** 128 - 1}
_V4_TEXT = re.compile(r"(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})")
_V4_LOOKALIKE = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_V6_TEXT = re.compile(r"[0-9A-Fa-f:]{2,39}")
_PREFIX_TEXT = re.compile(r"0|[1-9][0-9]{0,2}")


class Address(t.NamedTuple):
    """One address."""

    family: str
    number: int

    def __str__(self) -> str:
        """The canonical text (RFC 5952 for IPv6)."""
        if self.family == IPV4:
            number = self.number
            return "%d.%d.%d.%d" % (number >> 24, number >> 16 & 255, number >> 8 & 255, number & 255)
        return str(netaddr.IPAddress(self.number, 6))


class Subnet(t.NamedTuple):
    """A network: its first address and its prefix."""

    family: str
    first: int
    prefix: int

    def holds(self, address: Address) -> bool:
        """Whether an address lies in this network."""
        return address.family == self.family and address.number & _mask(self.family, self.prefix) == self.first

    def __str__(self) -> str:
        return "{0}/{1}".format(Address(self.family, self.first), self.prefix)


class Located(t.NamedTuple):
    """An address with the prefix it was written with, or None where it was written alone."""

    address: Address
    prefix: t.Optional[int]

    def __str__(self) -> str:
        return str(self.address) if self.prefix is None else "{0}/{1}".format(self.address, self.prefix)


class Malformed(Exception):
    """A text that isn't an address: why, and what to do instead."""

    def __init__(self, reason: str, fix: str = "write it in full, such as 198.51.100.100 or 2001:db8::100") -> None:
        super().__init__(reason)
        self.reason = reason
        self.fix = fix


def require_netaddr() -> None:
    """Fail with one clear sentence where the controller lacks netaddr."""
    if not HAS_NETADDR:
        raise ImportError("kubeha.apiserver needs the Python package netaddr, 1.0 or newer, on the Ansible controller: "
                          "install it for the Python that runs Ansible")


def parse_address(text: str) -> Address:
    """Read one address; raise Malformed where it isn't one, or is written in a way that readers disagree about."""
    match = _V4_TEXT.fullmatch(text)
    if match:
        octets = [int(octet) for octet in match.groups()]
        if max(octets) < 256:
            return Address(IPV4, octets[0] << 24 | octets[1] << 16 | octets[2] << 8 | octets[3])
    elif _V6_TEXT.fullmatch(text) and ":" in text:
        return _parse_ipv6(text)
    raise _explain(text)


def parse_located(text: str) -> Located:
    """Read an address that may carry its subnet's prefix."""
    plain, slash, prefix = text.partition("/")
    address = parse_address(plain)
    return Located(address, _parse_prefix(prefix, address.family) if slash else None)


def parse_subnet(text: str) -> Subnet:
    """Read a network; raise Malformed where bits are set behind the prefix."""
    located = parse_located(text)
    if located.prefix is None:
        raise Malformed("the prefix is missing", "write a network such as 10.96.0.0/12")
    subnet = subnet_of(located.address, located.prefix)
    if subnet.first != located.address.number:
        raise Malformed("{0} is an address within {1}".format(located.address, subnet), "write {0}".format(subnet))
    return subnet


def subnet_of(address: Address, prefix: int) -> Subnet:
    """The network that an address with this prefix lies in."""
    return Subnet(address.family, address.number & _mask(address.family, prefix), prefix)


def unusable_kind(address: Address) -> str | None:
    """What kind of address this is, where no host on a subnet can have it and no VIP can be it; else None.

    IPv4: RFC 1122 section 3.2.1.3, RFC 3927, RFC 5771, RFC 1112. IPv6: RFC 4291 sections 2.5 to 2.7.
    """
    number = address.number
    kinds = _V4_KINDS if address.family == IPV4 else _V6_KINDS
    for first, prefix, kind in kinds:
        if number >> (BITS[address.family] - prefix) == first:
            return kind
    return None


def reserved_kind(address: Address, subnet: Subnet) -> str | None:
    """What an address is reserved for in its subnet; None where a host may have it.

    IPv4: the network's and the broadcast address, except in /31 (RFC 3021) and /32. IPv6: the subnet-router anycast
    address (RFC 4291 section 2.6.1), except in /127 (RFC 6164) and /128, and the anycast addresses of RFC 2526.
    """
    host_bits = BITS[subnet.family] - subnet.prefix
    number = address.number - subnet.first
    top = 2 ** host_bits - 1
    if host_bits < 2:
        return None
    if subnet.family == IPV4:
        return "the network's address" if number == 0 else "the broadcast address" if number == top else None
    if number == 0:
        return "the subnet-router anycast address"
    if host_bits >= 8 and number >> 7 == top >> 7:
        return "one of the 128 reserved anycast addresses (RFC 2526)"
    if host_bits == 64 and number >> 7 == 0xfdffffffffffff80 >> 7:
        return "one of the 128 reserved anycast addresses (RFC 2526)"
    return None


LOOPBACK = "a loopback address"
_V4_KINDS = (
    (0x00, 8, "an address of 0.0.0.0/8, which means no address,"),
    (0x7f, 8, LOOPBACK),
    (0xa9fe, 16, "a link-local address"),
    (0xe, 4, "a multicast address"),
    (0xf, 4, "a reserved address (240.0.0.0/4)"),
)
_V6_KINDS = (
    (0, 128, "the unspecified address"),
    (1, 128, LOOPBACK),
    (0, 96, "an IPv4-compatible address"),
    (0xfe80 >> 6, 10, "a link-local address"),
    (0xff, 8, "a multicast address"),
)


def _mask(family: str, prefix: int) -> int:
    ones = _ALL_ONES[family]
    return ones ^ (ones >> prefix)


def _parse_ipv6(text: str) -> Address:
    try:
        number = int(netaddr.IPAddress(text, 6, flags=netaddr.INET_PTON))
    except (netaddr.AddrFormatError, ValueError):
        raise Malformed("not a valid IPv6 address") from None
    if number >> 32 == 0xffff:
        v4 = Address(IPV4, number & 0xffffffff)
        raise Malformed("this is an IPv4 address written as IPv6", "write {0}".format(v4))
    return Address(IPV6, number)


def _parse_prefix(text: str, family: str) -> int:
    if not _PREFIX_TEXT.fullmatch(text):
        raise Malformed("the part after the slash must be a prefix, a number without leading zeros",
                        "write the length of the prefix, such as /24")
    if int(text) > BITS[family]:
        raise Malformed("the prefix can be at most /{0}".format(BITS[family]),
                        "write the length of the prefix, such as /24")
    return int(text)


def _explain(text: str) -> Malformed:
    """Why a text isn't an address, for the ways in which people get it wrong."""
    if "%" in text:
        return Malformed("a zone (what follows the %) has no place here",
                         "write the address alone, and the interface as endpoint_interface")
    if _V4_LOOKALIKE.fullmatch(text):
        if text.count(".") != 3:
            return Malformed("an IPv4 address has four parts", "write all four parts")
        return Malformed("a part has leading zeros or is above 255", "write decimal numbers without leading zeros")
    if ":" in text and "." in text:
        return Malformed("an IPv4 address within an IPv6 address is refused", "write the address of one family alone")
    if text.startswith("["):
        return Malformed("brackets belong to URLs", "write the address without brackets and port")
    return Malformed("this is neither")
