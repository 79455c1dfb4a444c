# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.segment import _packets as packets
from hypothesis import given
from hypothesis import strategies as st

V4, V6 = packets.pack("198.51.100.11"), packets.pack("2001:db8::11")
PAIRS = [(V4, packets.pack("198.51.100.12")), (V6, packets.pack("2001:db8::12"))]


def test_checksum_of_rfc_1071s_example():
    assert packets.checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2


@given(st.binary(max_size=64))
def test_data_with_its_own_checksum_sums_to_nothing(data):
    data += b"\0" * (len(data) % 2)
    total = packets.checksum(data)
    assert packets.checksum(data + total.to_bytes(2, "big")) == 0


@pytest.mark.parametrize("source,destination", PAIRS)
@given(payload=st.binary(max_size=40), padding=st.binary(max_size=20))
def test_what_is_built_is_parsed(source, destination, payload, padding):
    packet = packets.parse_ip(packets.build_ip(source, destination, packets.VRRP, payload, 64) + padding)
    assert (packet.source, packet.destination, packet.ttl) == (source, destination, 64)
    assert (packet.protocol, packet.payload) == (packets.VRRP, payload)
    assert packet.family == ("ipv4" if len(source) == 4 else "ipv6")


def test_options_of_ipv4_are_skipped():
    built = bytearray(packets.build_ip(V4, V4, 112, b"payload"))
    built[0] = 0x46
    built[2:4] = (len(built) + 4).to_bytes(2, "big")
    built[10:12] = b"\0\0"
    header = bytes(built[:20]) + b"\x94\x04\0\0"
    header = header[:10] + packets.checksum(header).to_bytes(2, "big") + header[12:]
    assert packets.parse_ip(header + b"payload").payload == b"payload"


@pytest.mark.parametrize(
    "change,reason",
    [
        (lambda data: data[:19], "short"),
        (lambda data: b"", "short"),
        (lambda data: b"\x55" + data[1:], "ip_version"),
        (lambda data: b"\x44" + data[1:], "ip_length"),
        (lambda data: data[:-1], "ip_length"),
        (lambda data: data[:6] + b"\x20\x00" + data[8:], "ip_fragment"),
        (lambda data: data[:6] + b"\x00\x01" + data[8:], "ip_fragment"),
        (lambda data: data[:8] + b"\x01" + data[9:], "ip_checksum"),
    ],
)
def test_ipv4_that_is_not_believed(change, reason):
    with pytest.raises(packets.Malformed) as caught:
        packets.parse_ip(change(packets.build_ip(V4, V4, 112, b"payload")))
    assert caught.value.reason == reason


@pytest.mark.parametrize("cut,reason", [(39, "short"), (45, "ip_length")])
def test_ipv6_that_is_not_believed(cut, reason):
    with pytest.raises(packets.Malformed) as caught:
        packets.parse_ip(packets.build_ip(V6, V6, 112, b"payload")[:cut])
    assert caught.value.reason == reason


def test_multicast():
    assert packets.multicast_mac(packets.pack("224.0.0.18")).hex(":") == "01:00:5e:00:00:12"
    assert packets.multicast_mac(packets.pack("239.129.2.3")).hex(":") == "01:00:5e:01:02:03"
    assert packets.multicast_mac(packets.pack("ff02::12")).hex(":") == "33:33:00:00:00:12"
    assert packets.is_multicast(packets.pack("ff02::12")) and not packets.is_multicast(V4)
