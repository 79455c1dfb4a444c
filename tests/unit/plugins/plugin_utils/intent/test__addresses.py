# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses and subnets, compared with two other implementations."""

from __future__ import annotations

import ipaddress

import netaddr
import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.intent._addresses import (
    Malformed,
    Subnet,
    parse_address,
    parse_located,
    parse_subnet,
    reserved_kind,
    subnet_of,
    unusable_kind,
)
from hypothesis import given
from hypothesis import strategies as st

addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))


@given(addresses)
def test_texts_are_canonical(address: ipaddress.IPv4Address) -> None:
    if address.version == 6 and address.ipv4_mapped is not None:  # type: ignore[attr-defined]
        return
    found = parse_address(str(address))
    assert found.number == int(address)
    if "." in str(found) and address.version == 6:
        assert ipaddress.ip_address(str(found)) == address, "netaddr writes ::1.2.3.4"
    else:
        assert str(found) == str(address)
    assert parse_address(address.exploded) == found


@given(st.text(alphabet="0123456789abcdefx.:/% ", max_size=20))
def test_what_is_read_is_what_netaddr_reads(text: str) -> None:
    try:
        found = parse_address(text)
    except Malformed:
        return
    assert int(netaddr.IPAddress(text, flags=netaddr.INET_PTON)) == found.number == int(ipaddress.ip_address(text))


@given(addresses, st.data())
def test_subnets(address: ipaddress.IPv4Address, data: st.DataObject) -> None:
    prefix = data.draw(st.integers(0, address.max_prefixlen))
    other = data.draw(st.ip_addresses(v=address.version))  # type: ignore[arg-type]
    if "mapped" in (other, address) or any(getattr(item, "ipv4_mapped", None) for item in (other, address)):
        return
    network = ipaddress.ip_network("%s/%d" % (address, prefix), strict=False)
    subnet = subnet_of(parse_address(str(address)), prefix)
    assert (subnet.first, subnet.prefix) == (int(network.network_address), prefix)
    assert subnet.holds(parse_address(str(other))) == (other in network)
    assert subnet.holds(parse_address(str(address)))


def test_families_do_not_mix() -> None:
    assert not parse_subnet("::/0").holds(parse_address("10.0.0.1"))
    assert not parse_subnet("0.0.0.0/0").holds(parse_address("2001:db8::1"))


@pytest.mark.parametrize("text", [
    "0.0.0.0", "0.255.0.1", "127.0.0.1", "169.254.1.1", "224.0.0.18", "239.1.2.3", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::2", "fe80::1", "febf::1", "ff02::12"])
def test_unusable(text: str) -> None:
    assert unusable_kind(parse_address(text))


@pytest.mark.parametrize("text", [
    "1.0.0.1", "10.0.0.1", "126.0.0.1", "128.0.0.1", "169.253.1.1", "198.51.100.1", "223.255.255.1", "fd00::1",
    "fec0::1",
    "2001:db8::1", "64:ff9b::1"])
def test_usable(text: str) -> None:
    assert unusable_kind(parse_address(text)) is None


@pytest.mark.parametrize(("text", "reserved"), [
    ("10.0.0.0/24", True), ("10.0.0.255/24", True), ("10.0.0.1/24", False), ("10.0.0.0/31", False),
    ("10.0.0.1/31", False),
    ("10.0.0.0/32", False), ("10.0.0.0/30", True), ("10.0.0.3/30", True), ("10.0.255.0/16", False),
    ("10.0.0.255/16", False),
    ("2001:db8::/64", True), ("2001:db8::/127", False), ("2001:db8::1/127", False), ("2001:db8::/126", True),
    ("2001:db8::3/126", False), ("2001:db8::/128", False), ("2001:db8::ffff:ffff:ffff:ff7f/64", False),
    ("2001:db8::ffff:ffff:ffff:ff80/64", True), ("2001:db8::ffff:ffff:ffff:ffff/64", True),
    ("2001:db8::fdff:ffff:ffff:ff80/64", True), ("2001:db8::fdff:ffff:ffff:ff7f/64", False),
    ("2001:db8::fdff:ffff:ffff:ff80/63", False), ("2001:db8::ff/120", True), ("2001:db8::7f/120", False),
    ("2001:db8::7f/121", False)])
def test_reserved_within_a_subnet(text: str, reserved: bool) -> None:
    located = parse_located(text)
    assert located.prefix is not None
    assert bool(reserved_kind(located.address, subnet_of(located.address, located.prefix))) is reserved


@given(st.integers(0, 30), st.integers(0, 2 ** 32 - 1))
def test_ipv4_subnets_reserve_their_ends(prefix: int, number: int) -> None:
    network = ipaddress.ip_network((number, prefix), strict=False)
    subnet = Subnet("ipv4", int(network.network_address), prefix)
    assert reserved_kind(parse_address(str(network.network_address)), subnet) == "the network's address"
    assert reserved_kind(parse_address(str(network.broadcast_address)), subnet) == "the broadcast address"


@pytest.mark.parametrize(("text", "reason"), [
    ("10.1", "four parts"), ("10.0.0.010", "leading zeros"), ("10.0.0.256", "above 255"),
    ("::ffff:10.0.0.1", "within an IPv6"),
    ("::ffff:a00:1", "written as IPv6"), ("fe80::1%2", "zone"), ("[::1]", "brackets"), ("1:2", "not a valid IPv6"),
    ("host", "neither"), ("", "neither"), ("10.0.0.1/0.0.0.255", "prefix"), ("10.0.0.1/024", "leading zeros"),
    ("10.0.0.1/33", "/32"), ("::1/129", "/128"), ("١٠.0.0.1", "neither"), ("10.0.0.1\n", "neither")])
def test_reasons(text: str, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        parse_located(text)
