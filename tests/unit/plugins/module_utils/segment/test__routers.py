# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random

from ansible_collections.kubeha.apiserver.plugins.module_utils.segment import _packets as packets
from ansible_collections.kubeha.apiserver.plugins.module_utils.segment import _reach, _vrrp
from ansible_collections.kubeha.apiserver.plugins.module_utils.segment._routers import Heard

MAC = "02:00:00:00:00:21"


def packet(source="198.51.100.21", vrid=51, priority=150, interval=1.0, version=3, vips=None, group=None):
    vips = vips or ["198.51.100.200"]
    group = group or ("ff02::12" if ":" in source else "224.0.0.18")
    payload = _vrrp.build_advert(source, group, version, vrid, priority, interval, vips)
    return packets.build_ip(packets.pack(source), packets.pack(group), packets.VRRP, payload)


def test_a_router_is_put_together_from_its_adverts():
    heard = Heard()
    for number in range(4):
        heard.add(packet(priority=150 if number < 3 else 140), MAC, 10.0 + number)
    result = heard.result()
    assert result["routers"] == [{
        "family": "ipv4", "source": "198.51.100.21", "mac": MAC, "destination": "multicast", "version": 3,
        "virtual_router_id": 51, "priority": 140, "priorities": [140, 150], "interval": 1.0, "seen_interval": 1.0,
        "addresses": ["198.51.100.200"], "auth": "none", "checksum": "pseudo", "count": 4,
    }]
    assert 51 not in result["free"]["ipv4"]
    assert (len(result["free"]["ipv4"]), len(result["free"]["ipv6"])) == (254, 255)
    assert result["malformed"] == {} and result["malformed_from"] == []


def test_routers_are_told_apart():
    heard = Heard()
    heard.add(packet(), MAC, 1)
    heard.add(packet(), "02:00:00:00:00:22", 1)
    heard.add(packet(vrid=52), MAC, 1)
    heard.add(packet(version=2), MAC, 1)
    heard.add(packet(group="198.51.100.11"), MAC, 1)
    heard.add(packet(source="fe80::21", vips=["fe80::1"]), MAC, 1)
    routers = heard.result()["routers"]
    assert len(routers) == 6 and [router["destination"] for router in routers].count("unicast") == 1
    assert all(router["seen_interval"] is None for router in routers)


def test_a_slow_router_is_waited_for():
    heard = Heard()
    assert heard.until(14.0, 30.0) == 14.0
    heard.add(packet(interval=1.0), MAC, 10.5)
    assert heard.until(14.0, 30.0) == 14.0
    heard.add(packet(interval=5.0, vrid=9), MAC, 12.0)
    assert heard.until(14.0, 30.0) == 27.0
    heard.add(packet(interval=40.0, vrid=10), MAC, 12.0)
    assert heard.until(14.0, 30.0) == 30.0


def test_malformed_packets_are_counted_by_reason():
    heard = Heard()
    heard.add(packet()[:-1], MAC, 1)
    heard.add(b"", MAC, 1)
    heard.add(packet()[:-1] + b"\x99", MAC, 1)
    assert heard.result()["malformed"] == {"checksum": 1, "ip_length": 1, "short": 1}
    assert heard.result()["malformed_from"] == [MAC] and heard.result()["routers"] == []


def test_who_sent_what_is_not_believed():
    heard = Heard()
    for _number in range(3):
        heard.add(packet()[:-1] + b"\x99", MAC, 1)
    heard.add(packet(source="198.51.100.22")[:-1] + b"\x99", MAC, 1)
    heard.add(b"", MAC, 1)
    sender = {"mac": MAC, "family": "ipv4", "virtual_router_id": 51, "reason": "checksum"}
    assert heard.result()["rejected"] == [
        dict(sender, source="198.51.100.21", count=3),
        dict(sender, source="198.51.100.22", count=1),
        {"mac": MAC, "family": None, "source": None, "virtual_router_id": None, "reason": "short", "count": 1},
    ]


def test_a_flood_of_senders_fills_no_memory():
    heard = Heard()
    for number in range(1000):
        heard.add(packet(source="198.51.%d.%d" % divmod(number, 256))[:-1] + b"\x99", MAC, 1)
    assert len(heard.result()["rejected"]) == 256 and heard.result()["malformed"] == {"checksum": 1000}


def test_what_carries_an_hmac_is_a_router_and_its_virtual_router_id_is_taken():
    trailer = bytes([1, 1, 0, 0]) + b"\0" * 24
    payload = _vrrp.build_advert("198.51.100.21", "224.0.0.18", 3, 51, 150, 0.1, ["198.51.100.200"]) + trailer
    heard = Heard()
    source, group = packets.pack("198.51.100.21"), packets.pack("224.0.0.18")
    heard.add(packets.build_ip(source, group, packets.VRRP, payload), MAC, 1)
    heard.add(packet(), MAC, 1)
    result = heard.result()
    assert [router["auth"] for router in result["routers"]] == ["hmac", "none"]
    assert result["malformed"] == {} and 51 not in result["free"]["ipv4"]


def test_what_tests_reachability_is_neither_a_router_nor_malformed():
    source, group = packets.pack("198.51.100.21"), packets.pack("224.0.0.18")
    probe = _reach.build_probe(source, group, _reach.Probe(_reach.LINK, 0, 0, b"12345678"))
    heard = Heard()
    heard.add(packets.build_ip(source, group, packets.VRRP, probe), MAC, 1)
    assert heard.result()["routers"] == [] and heard.result()["malformed"] == {}


def test_a_flood_of_inventions_fills_no_memory():
    heard = Heard()
    for number in range(4000):
        heard.add(packet(source="198.18.%d.%d" % divmod(number, 250)), "mac-%d" % number, 1)
        heard.add(packet()[:-1], "mac-%d" % number, 1)
    for number in range(2000):
        vips = ["198.19.%d.%d" % divmod(number * 10 + offset, 250) for offset in range(10)]
        heard.add(packet(source="198.18.0.1", vips=vips, priority=number % 256), "mac-1", 1)
    result = heard.result()
    assert len(result["routers"]) == 2048 and result["malformed"]["too_many_routers"] > 1000
    assert len(result["malformed_from"]) <= 8
    assert max(len(router["addresses"]) for router in result["routers"]) < 1100
    assert max(len(router["priorities"]) for router in result["routers"]) <= 9


def test_ten_thousand_packets_of_anything():
    random_ = random.Random(3)
    heard = Heard()
    for number in range(10000):
        data = bytearray(packet() if number % 2 else random_.randbytes(random_.randrange(80)))
        for _count in range(random_.randrange(4)):
            if data:
                data[random_.randrange(len(data))] = random_.randrange(256)
        heard.add(bytes(data), MAC, number / 100)
    result = heard.result()
    assert sum(router["count"] for router in result["routers"]) + sum(result["malformed"].values()) == 10000
