# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import struct

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.segment import _arp, _ndp, _packets
from ansible_collections.kubeha.apiserver.plugins.module_utils.segment import _segment_io as segment

# What needs a network is tested in tests/wire, between namespaces.

MAC = bytes.fromhex("020000000012")
V4, V6 = _packets.pack("198.51.100.100"), _packets.pack("2001:db8::100")


@pytest.mark.parametrize(
    "data,is_arp,target,how",
    [
        (_arp.build_reply(MAC, V4, MAC, V4), True, V4, "reply"),
        (_arp.build_request(MAC, V4, V4), True, V4, "announcement"),
        (_arp.build_probe(MAC, V4), True, V4, "probe"),
        (_ndp.build_advertisement(MAC, V6), False, V6, "reply"),
        (_ndp.build_probe(V6), False, V6, "probe"),
    ],
)
def test_what_a_frame_says_about_an_address(data, is_arp, target, how):
    answer = segment.answer_of(data, MAC, is_arp)
    assert (answer.target, answer.mac, answer.how) == (target, MAC, how)


@pytest.mark.parametrize(
    "data,is_arp",
    [
        (b"", True),
        (b"", False),
        (_ndp.build_solicitation(MAC, _packets.pack("2001:db8::1"), V6), False),
        (_packets.build_ip(V6, V6, _packets.VRRP, b""), False),
    ],
)
def test_what_a_frame_does_not_say(data, is_arp):
    assert segment.answer_of(data, MAC, is_arp) is None


def run_filter(program, data):
    """What the kernel would do with the three instructions that are used."""
    code = [struct.unpack_from("HBBI", program, offset) for offset in range(0, len(program), 8)]
    at = loaded = 0
    while True:
        kind, yes, no, value = code[at]
        at += 1
        if kind == segment._RET:
            return value
        if kind == segment._LDB:
            loaded = data[value]
        else:
            assert kind == segment._JEQ
            at += yes if loaded == value else no


@pytest.mark.parametrize("protocols", [[112], [112, 51], [58, 112, 51]])
def test_the_filter_lets_through_what_is_asked_for(protocols):
    program = segment.protocol_filter(9, protocols)
    for protocol in range(256):
        taken = run_filter(program, b"\0" * 9 + bytes([protocol]))
        assert bool(taken) == (protocol in protocols)


def test_reasons_are_words():
    assert segment.reason(OSError(errno.ENODEV, "x"), "eth7") == "there is no interface eth7"
    assert segment.reason(OSError("no interface with this name"), "eth7") == "there is no interface eth7"
    assert segment.reason(OSError(errno.ENETDOWN, "x"), "eth0") == "eth0 is down"
    assert segment.reason(PermissionError(errno.EPERM, "x"), "eth0") == "not permitted"
    assert segment.reason(segment.WireError("lo isn't Ethernet"), "lo") == "lo isn't Ethernet"
