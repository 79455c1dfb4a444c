# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket
import struct

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.network import _netlink as netlink
from hypothesis import given
from hypothesis import strategies as st

SEQUENCE = 7


def attribute(kind, data):
    length = 4 + len(data)
    return struct.pack("=HH", length, kind) + data + b"\0" * (-length % 4)


def message(kind, payload, flags=2, sequence=SEQUENCE):
    length = 16 + len(payload)
    return struct.pack("=IHHII", length, kind, flags, sequence, 99) + payload + b"\0" * (-length % 4)


def link_payload(index=2, name=b"eth0", flags=1, hardware=1, more=b""):
    header = struct.pack("=BxHiII", 0, hardware, index, flags, 0)
    return header + attribute(3, name + b"\0") + attribute(4, struct.pack("=I", 1500)) + more


def address_payload(packed, prefix=24, index=2, flags=0x80, scope=0, local=None, more=b""):
    family = 2 if len(packed) == 4 else 10
    payload = struct.pack("=BBBBI", family, prefix, flags & 0xFF, scope, index) + attribute(1, packed)
    if local is not None:
        payload += attribute(2, local)
    return payload + more


DONE = message(3, struct.pack("=i", 0))


def one(payload, kind=netlink.RTM_NEWADDR):
    return netlink.Message(kind, payload)


def test_requests_are_dumps_of_links_and_addresses():
    for request, kind in ((netlink.link_dump_request(5), 18), (netlink.address_dump_request(5), 22)):
        assert struct.unpack_from("=IHHI", request) == (len(request), kind, 0x301, 5)


def test_link():
    mac = attribute(1, bytes.fromhex("020000000001"))
    info = attribute(18 | 0x8000, attribute(1, b"bond\0"))
    link = netlink.parse_link(one(link_payload(more=mac + attribute(33, b"\x01") + info), netlink.RTM_NEWLINK))
    assert link == netlink.Link(2, "eth0", True, True, 1500, "02:00:00:00:00:01", "bond", None)


def test_link_that_is_down_and_in_a_bridge():
    payload = link_payload(flags=0, more=attribute(33, b"\0") + attribute(10, struct.pack("=I", 5)))
    link = netlink.parse_link(one(payload, netlink.RTM_NEWLINK))
    assert (link.up, link.carrier, link.master, link.kind) == (False, False, 5, "device")


def test_loopback():
    assert netlink.parse_link(one(link_payload(hardware=772), netlink.RTM_NEWLINK)).kind == "loopback"


def test_ipv4_address():
    cache = attribute(6, struct.pack("=IIII", 0xFFFFFFFF, 0xFFFFFFFF, 12345, 12400))
    address = netlink.parse_address(one(address_payload(bytes([198, 51, 100, 11]), more=cache)))
    assert (address.address, address.prefix, address.family, address.scope) == ("198.51.100.11", 24, "ipv4", "global")
    assert address.flags == ()
    assert address.created == 123.45


def test_own_address_of_a_point_to_point_link():
    payload = address_payload(bytes([10, 0, 0, 2]), prefix=32, local=bytes([10, 0, 0, 1]))
    assert netlink.parse_address(one(payload)).address == "10.0.0.1"


def test_wide_flags_count_more_than_the_low_byte():
    packed = socket.inet_pton(socket.AF_INET6, "2001:db8::100")
    payload = address_payload(packed, prefix=128, flags=0, more=attribute(8, struct.pack("=I", 0x0261)))
    address = netlink.parse_address(one(payload))
    assert (address.address, address.family) == ("2001:db8::100", "ipv6")
    assert address.flags == ("secondary", "deprecated", "tentative", "noprefixroute")


def test_other_families_are_left_out():
    assert netlink.parse_address(one(struct.pack("=BBBBI", 28, 0, 0, 0, 2))) is None


def test_batches_of_a_dump():
    first = netlink.parse_batch(message(20, address_payload(b"\1\2\3\4")) + message(20, b"late", sequence=3), SEQUENCE)
    assert [len(first.messages), first.done, first.interrupted] == [1, False, False]
    last = netlink.parse_batch(message(20, address_payload(b"\1\2\3\4"), flags=0x12) + DONE, SEQUENCE)
    assert [len(last.messages), last.done, last.interrupted] == [1, True, True]


BAD_BATCHES = [
    (b"\0" * 5, "cut off"),
    (struct.pack("=IHHII", 8, 20, 0, SEQUENCE, 0), "a message of 8 bytes"),
    (struct.pack("=IHHII", 64, 20, 0, SEQUENCE, 0), "a message of 64 bytes"),
    (message(2, struct.pack("=i", -1) + b"\0" * 16), "errno 1"),
    (message(2, b""), "cut off"),
]


@pytest.mark.parametrize("datagram, text", BAD_BATCHES)
def test_bad_batches(datagram, text):
    with pytest.raises(netlink.NetlinkError, match=text):
        netlink.parse_batch(datagram, SEQUENCE)


BAD_ADDRESSES = [
    (b"", "0 bytes instead of 8"),
    (struct.pack("=BBBBI", 2, 24, 0, 0, 2), "has 0 bytes"),
    (struct.pack("=BBBBI", 2, 24, 0, 0, 2) + attribute(1, b"\1" * 16), "has 16 bytes"),
    (struct.pack("=BBBBI", 2, 99, 0, 0, 2) + attribute(1, b"\1" * 4), "prefix of 99"),
    (struct.pack("=BBBBI", 2, 24, 0, 0, 2) + b"\x02\0\1\0", "an attribute of 2 bytes"),
    (struct.pack("=BBBBI", 2, 24, 0, 0, 2) + b"\x40\0\1\0", "an attribute of 64 bytes"),
]


@pytest.mark.parametrize("payload, text", BAD_ADDRESSES)
def test_bad_addresses(payload, text):
    with pytest.raises(netlink.NetlinkError, match=text):
        netlink.parse_address(one(payload))


def test_one_kind_is_not_the_other():
    with pytest.raises(netlink.NetlinkError):
        netlink.parse_link(one(address_payload(b"\1\2\3\4")))
    with pytest.raises(netlink.NetlinkError):
        netlink.parse_address(one(link_payload(), netlink.RTM_NEWLINK))


def parse_all(datagram):
    """Whatever the bytes are, the only exception is the typed one."""
    try:
        messages = netlink.parse_batch(datagram, SEQUENCE).messages
    except netlink.NetlinkError:
        return
    for item in messages:
        for parse in (netlink.parse_link, netlink.parse_address):
            try:
                parse(item)
            except netlink.NetlinkError:
                pass


@given(st.binary(max_size=200))
def test_random_bytes(datagram):
    parse_all(datagram)


@given(st.data())
def test_mutated_dumps(data):
    whole = bytearray(
        message(16, link_payload(more=attribute(18, attribute(1, b"veth\0"))))
        + message(20, address_payload(b"\1\2\3\4", more=attribute(8, struct.pack("=I", 0x80))))
        + message(20, address_payload(b"\x20" * 16, prefix=64))
        + DONE
    )
    for _number in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    parse_all(bytes(whole[: data.draw(st.integers(0, len(whole)))]))


@given(st.binary(max_size=80))
def test_random_payloads(payload):
    parse_all(message(16, payload) + message(20, payload) + DONE)
