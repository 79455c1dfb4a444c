# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.segment import _ndp as ndp
from ansible_collections.kubeha.apiserver.plugins.module_utils.segment._packets import (
    ICMPV6,
    VRRP,
    Malformed,
    build_ip,
    checksum,
    pack,
    parse_ip,
    pseudo_header,
    text_of,
)

MAC = bytes.fromhex("020000000011")
SELF, TARGET = pack("2001:db8::11"), pack("2001:db8::12:3456")


def neighbour(data):
    return ndp.neighbour_of(parse_ip(data))


def test_a_probe_is_as_in_duplicate_address_detection():
    packet = parse_ip(ndp.build_probe(TARGET))
    assert text_of(packet.source) == "::" and text_of(packet.destination) == "ff02::1:ff12:3456" and packet.ttl == 255
    # RFC 4861: no source link-layer address when it comes from nobody.
    assert len(packet.payload) == 24
    parsed = ndp.neighbour_of(packet)
    assert parsed.is_probe and parsed.target == TARGET and parsed.mac is None


def test_solicitations_and_advertisements():
    asked = neighbour(ndp.build_solicitation(MAC, SELF, TARGET))
    assert (asked.kind, asked.source, asked.target, asked.mac, asked.is_probe) == (135, SELF, TARGET, MAC, False)
    told = neighbour(ndp.build_advertisement(MAC, TARGET))
    assert (told.kind, told.target, told.mac, told.is_probe) == (136, TARGET, MAC, False)


def message(change=lambda data: data, ttl=255):
    built = change(bytearray(parse_ip(ndp.build_advertisement(MAC, TARGET)).payload))
    built[2:4] = b"\0\0"
    group = pack("ff02::1")
    total = checksum(pseudo_header(TARGET, group, len(built), ICMPV6) + bytes(built))
    built[2:4] = total.to_bytes(2, "big")
    return build_ip(TARGET, group, ICMPV6, bytes(built), ttl)


def with_byte(where, value):
    def change(data):
        data[where] = value
        return data

    return change


@pytest.mark.parametrize(
    "data,reason",
    [
        (message(lambda data: data[:23]), "short"),
        (message(ttl=254), "ttl"),
        (message(with_byte(1, 1)), "code"),
        (message(with_byte(25, 0)), "option"),
        (message(with_byte(25, 2)), "option"),
        (message(lambda data: data + b"\x01"), "option"),
        (message()[:-1] + b"\x99", "checksum"),
    ],
)
def test_neighbours_that_are_not_believed(data, reason):
    with pytest.raises(Malformed) as caught:
        neighbour(data)
    assert caught.value.reason == reason


def test_what_is_about_something_else():
    assert neighbour(message(with_byte(0, 134))) is None
    assert neighbour(build_ip(SELF, TARGET, VRRP, b"")) is None
    assert neighbour(build_ip(SELF, TARGET, ICMPV6, b"")) is None
    assert neighbour(build_ip(pack("198.51.100.1"), pack("198.51.100.2"), ICMPV6, b"\x88" * 24)) is None
    # Another option comes first.
    assert neighbour(message(lambda data: data[:24] + b"\x0e\x01......" + data[24:])).mac == MAC


def test_ten_thousand_random_packets():
    random_ = random.Random(2)
    good = ndp.build_advertisement(MAC, TARGET)
    for number in range(10000):
        data = bytearray(good if number % 2 else random_.randbytes(random_.randrange(100)))
        for _count in range(random_.randrange(3)):
            if data:
                data[random_.randrange(len(data))] = random_.randrange(256)
        try:
            parsed = neighbour(bytes(data))
        except Malformed:
            continue
        assert parsed is None or len(parsed.target) == 16
