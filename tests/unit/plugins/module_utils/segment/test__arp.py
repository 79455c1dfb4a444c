# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.segment import _arp as arp
from ansible_collections.kubeha.apiserver.plugins.module_utils.segment._packets import Malformed, pack

MAC, OTHER = bytes.fromhex("020000000011"), bytes.fromhex("020000000012")
SELF, TARGET = pack("198.51.100.11"), pack("198.51.100.100")
PADDING = b"\0" * 18


def test_a_probe_claims_nothing():
    data = arp.build_probe(MAC, TARGET)
    assert len(data) == 28 and data[14:18] == b"\0\0\0\0" and data[18:24] == b"\0" * 6
    parsed = arp.parse_arp(data + PADDING)
    assert parsed == arp.Arp(arp.REQUEST, MAC, b"\0\0\0\0", TARGET) and parsed.is_probe


def test_requests_and_replies():
    request = arp.parse_arp(arp.build_request(MAC, SELF, TARGET))
    assert (request.operation, request.sender, request.target, request.is_probe) == (arp.REQUEST, SELF, TARGET, False)
    reply = arp.parse_arp(arp.build_reply(OTHER, TARGET, MAC, SELF) + PADDING)
    assert (reply.operation, reply.sender_mac, reply.sender, reply.is_probe) == (arp.REPLY, OTHER, TARGET, False)


@pytest.mark.parametrize(
    "where,value,reason",
    [(1, 6, "not_ethernet"), (2, 0x86, "not_ethernet"), (4, 8, "not_ethernet"), (5, 16, "not_ethernet"),
     (7, 8, "operation"), (8, 0x01, "sender_mac"), (8, 0xFF, "sender_mac")],
)
def test_arp_that_is_not_believed(where, value, reason):
    data = bytearray(arp.build_reply(OTHER, TARGET, MAC, SELF))
    data[where] = value
    with pytest.raises(Malformed) as caught:
        arp.parse_arp(bytes(data))
    assert caught.value.reason == reason


def test_ten_thousand_random_frames():
    random_ = random.Random(1)
    good = arp.build_reply(OTHER, TARGET, MAC, SELF)
    for number in range(10000):
        data = bytearray(good if number % 2 else random_.randbytes(random_.randrange(64)))
        for _count in range(random_.randrange(3)):
            if data:
                data[random_.randrange(len(data))] = random_.randrange(256)
        try:
            parsed = arp.parse_arp(bytes(data[: random_.randrange(64)] if number % 5 == 0 else data))
        except Malformed:
            continue
        assert len(parsed.sender) == len(parsed.target) == 4 and len(parsed.sender_mac) == 6
