# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.segment import _packets as packets
from ansible_collections.kubeha.apiserver.plugins.module_utils.segment import _vrrp as vrrp
from hypothesis import given
from hypothesis import strategies as st

SOURCES = {"ipv4": "198.51.100.11", "ipv6": "fe80::11"}
VIPS = {"ipv4": ["198.51.100.100", "198.51.100.101"], "ipv6": ["fe80::100", "2001:db8::100"]}
PEERS = {"ipv4": "198.51.100.12", "ipv6": "fe80::12"}

# As they came off a wire: virtual router 50, priority 150. keepalived 2.1.5, 2.2.7, 2.3.3 and 2.3.4 send the same.
KEEPALIVED = {
    "multicast": "45c0002000010000ff700f87c6120501e000001231329601000ac1a8c6120564",
    "unicast": "45c0002000010000ff702485c6120501c612050231329601000ad6a6c6120564",
    "pass": "45c0002800010000ff700f7fc6120501e0000012213296010101403ac61205647333637265740000",
    "none": "45c0002800010000ff70247dc6120501c61205022132960100017d54c61205640000000000000000",
    "ah": "45c0004000010000ff330fa4c6120501e000001270040000c612050100000001963dfa1a39fc34ac33794f542132960102017b54"
    "c61205640000000000000000",
    "ipv6": "6c06444c001870ff20010db8000500000000000000000001ff02000000000000000000000000001231329601000add4320010db8"
    "000500000000000000000064",
}


def packet(family="ipv4", destination=None, ttl=255, protocol=packets.VRRP, payload=None, **advert):
    destination = destination or vrrp.GROUPS[family]
    given = dict({"version": 3, "vrid": 50, "priority": 150, "interval": 1.0, "addresses": VIPS[family]}, **advert)
    if payload is None:
        payload = vrrp.build_advert(SOURCES[family], destination, **given)
    return packets.build_ip(packets.pack(SOURCES[family]), packets.pack(destination), protocol, payload, ttl)


def refusal(data):
    with pytest.raises(packets.Malformed) as caught:
        vrrp.parse_advert(data)
    return caught.value.reason


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@given(
    vrid=st.integers(1, 255),
    priority=st.integers(0, 255),
    centiseconds=st.integers(1, 4095),
    count=st.integers(0, 2),
    unicast=st.booleans(),
)
def test_version_3_comes_back_as_it_was_made(family, vrid, priority, centiseconds, count, unicast):
    destination = PEERS[family] if unicast else None
    advert = vrrp.parse_advert(
        packet(family, destination, vrid=vrid, priority=priority, interval=centiseconds / 100,
               addresses=VIPS[family][:count])
    )
    assert advert == vrrp.Advert(
        family, SOURCES[family], not unicast, 255, 3, vrid, priority, centiseconds / 100,
        tuple(VIPS[family][:count]), "none", "pseudo",
    )


@given(interval=st.integers(1, 255), password=st.none() | st.binary(min_size=1, max_size=12))
def test_version_2_comes_back_as_it_was_made(interval, password):
    advert = vrrp.parse_advert(packet(version=2, interval=interval, password=password))
    assert (advert.version, advert.interval, advert.checksum) == (2, interval, "plain")
    assert advert.auth == ("none" if password is None else "pass")
    assert advert.addresses == tuple(VIPS["ipv4"])


@pytest.mark.parametrize(
    "name,version,interval,auth,covered,is_multicast",
    [
        ("multicast", 3, 0.1, "none", "pseudo", True),
        ("unicast", 3, 0.1, "none", "pseudo", False),
        ("pass", 2, 1.0, "pass", "plain", True),
        ("none", 2, 1.0, "none", "plain", False),
        ("ah", 2, 1.0, "ah", "plain", True),
        ("ipv6", 3, 0.1, "none", "pseudo", True),
    ],
)
def test_what_keepalived_sends_is_understood(name, version, interval, auth, covered, is_multicast):
    data = bytes.fromhex(KEEPALIVED[name])
    family, source, vip = "ipv4", "198.18.5.1", "198.18.5.100"
    if name == "ipv6":
        family, source, vip = "ipv6", "2001:db8:5::1", "2001:db8:5::64"
    assert vrrp.parse_advert(data) == vrrp.Advert(
        family, source, is_multicast, 255, version, 50, 150, interval, (vip,), auth, covered)
    if auth != "ah":
        packet = packets.parse_ip(data)
        destination = packets.text_of(packet.destination)
        password = b"s3cret" if auth == "pass" else None
        assert vrrp.build_advert(source, destination, version, 50, 150, interval, [vip], password) == packet.payload


@pytest.mark.parametrize("covered", ["plain", "pseudo", "old_unicast"])
def test_checksums_of_version_3_over_ipv4_that_are_in_use(covered):
    assert vrrp.parse_advert(packet(destination=PEERS["ipv4"], covered=covered)).checksum == covered


@pytest.mark.parametrize("covered", ["plain", "old_unicast"])
def test_over_ipv6_there_is_one_checksum(covered):
    assert refusal(packet("ipv6", PEERS["ipv6"], covered=covered)) == "checksum"


def authentication_header(payload, following=packets.VRRP, words=4):
    return bytes([following, words, 0, 0]) + b"\0" * 20 + payload


def test_version_2_behind_an_authentication_header():
    payload = bytearray(vrrp.build_advert(SOURCES["ipv4"], vrrp.GROUPS["ipv4"], 2, 50, 150, 1, VIPS["ipv4"]))
    payload[4], payload[6:8] = 2, b"\0\0"
    payload[6:8] = packets.checksum(bytes(payload)).to_bytes(2, "big")
    assert vrrp.parse_advert(packet(protocol=packets.AH, payload=authentication_header(bytes(payload)))).auth == "ah"
    # It says to be authenticated, and isn't.
    assert refusal(packet(payload=bytes(payload))) == "auth"


def changed(payload, **fields):
    """With some bytes replaced and the checksum put right again."""
    data = bytearray(payload)
    for where, value in fields.items():
        data[int(where[1:])] = value
    data[6:8] = b"\0\0"
    return bytes(data[:6]) + packets.checksum(bytes(data)).to_bytes(2, "big") + bytes(data[8:])


V2 = vrrp.build_advert(SOURCES["ipv4"], vrrp.GROUPS["ipv4"], 2, 50, 150, 1, VIPS["ipv4"])
V3 = vrrp.build_advert(SOURCES["ipv4"], vrrp.GROUPS["ipv4"], 3, 50, 150, 1, VIPS["ipv4"])


@pytest.mark.parametrize(
    "data,reason",
    [
        (packet(payload=V3[:7]), "short"),
        (packet(payload=b""), "short"),
        (packet(payload=changed(V3, _0=0x41)), "version"),
        (packet(payload=changed(V3, _0=0x11)), "version"),
        (packet(payload=changed(V3, _0=0x32)), "type"),
        (packet(payload=changed(V3, _1=0)), "vrid"),
        (packet("ipv6", payload=V2), "version_family"),
        (packet(payload=changed(V3, _3=3)), "length"),
        (packet(payload=changed(V3, _3=255)), "length"),
        (packet(payload=V3[:6] + b"\x12\x34" + V3[8:]), "checksum"),
        (packet(payload=changed(V3, _5=0)), "interval"),
        (packet(payload=changed(V2, _5=0)), "interval"),
        (packet(payload=changed(V2, _4=3)), "auth"),
        (packet(ttl=254), "ttl"),
        (packet("ipv6", ttl=64), "ttl"),
        (packet(protocol=17), "not_vrrp"),
        (packet(protocol=packets.AH, payload=b"\x70"), "short"),
        (packet(protocol=packets.AH, payload=b"\x70\x00" + b"\0" * 40), "ah"),
        (packet(protocol=packets.AH, payload=b"\x70\xff" + b"\0" * 40), "ah"),
        (packet(protocol=packets.AH, payload=authentication_header(V2, 6)), "not_vrrp"),
    ],
)
def test_adverts_that_are_not_believed(data, reason):
    assert refusal(data) == reason
    assert reason in vrrp.REASONS


def test_reserved_bits_of_version_3_are_ignored():
    plain = vrrp.build_advert(SOURCES["ipv4"], vrrp.GROUPS["ipv4"], 3, 50, 150, 1, VIPS["ipv4"], covered="plain")
    assert vrrp.parse_advert(packet(payload=changed(plain, _4=0xF0))).interval == 1.0


def test_unicast_may_come_through_routers():
    assert vrrp.parse_advert(packet(destination=PEERS["ipv4"], ttl=63)).ttl == 63


# Scheme 1, key 1, zeros; a time and a counter; 16 bytes of HMAC: as keepalived 2.4.2 and newer append it.
HMAC = bytes([1, 1, 0, 0]) + bytes(range(8)) + b"\xa5" * 16


@pytest.mark.parametrize("covered", ["plain", "pseudo", "old_unicast"])
def test_keepalived_appends_its_hmac_after_the_checksum_was_made(covered):
    payload = vrrp.build_advert(
        SOURCES["ipv4"], PEERS["ipv4"], 3, 50, 150, 0.1, VIPS["ipv4"], covered=covered) + HMAC
    advert = vrrp.parse_advert(packet(destination=PEERS["ipv4"], payload=payload))
    assert (advert.auth, advert.checksum, advert.vrid, advert.addresses) == ("hmac", covered, 50, tuple(VIPS["ipv4"]))


def test_over_ipv6_the_kernel_has_the_checksum_cover_the_hmac():
    blank = bytearray(vrrp.build_advert(SOURCES["ipv6"], PEERS["ipv6"], 3, 50, 150, 0.1, VIPS["ipv6"]) + HMAC)
    blank[6:8] = b"\0\0"
    header = packets.pseudo_header(
        packets.pack(SOURCES["ipv6"]), packets.pack(PEERS["ipv6"]), len(blank), packets.VRRP)
    blank[6:8] = packets.checksum(header + bytes(blank)).to_bytes(2, "big")
    assert vrrp.parse_advert(packet("ipv6", PEERS["ipv6"], payload=bytes(blank))).auth == "hmac"


@pytest.mark.parametrize("trailer", [
    b"\0" * 4, b"\1" * 20, b"\2" + HMAC[1:], HMAC[:2] + b"\1" + HMAC[3:], HMAC + b"\0"])
def test_another_trailer_that_the_checksum_leaves_out(trailer):
    assert vrrp.parse_advert(packet(payload=V3 + trailer)).auth == "trailer"


def test_a_trailer_makes_no_wrong_checksum_right():
    assert refusal(packet(payload=V3[:6] + b"\x12\x34" + V3[8:] + HMAC)) == "checksum"


@pytest.mark.parametrize("extra", [4, 28])
def test_version_2_may_be_longer_than_its_authentication(extra):
    assert vrrp.parse_advert(packet(payload=V2 + b"\7" * extra)).auth == "none"


def test_the_virtual_router_id_of_what_is_no_advert():
    def claimed(payload, protocol=packets.VRRP):
        return vrrp.claimed_vrid(packets.parse_ip(packet(payload=payload, protocol=protocol)))

    assert claimed(b"\xff\x32") == 50 and claimed(V3[:6] + b"\x12\x34" + V3[8:]) == 50
    assert claimed(authentication_header(V2), packets.AH) == 50
    assert claimed(b"\x31") is None and claimed(b"\x70\xff" + b"\0" * 40, packets.AH) is None


def test_what_follows_an_advert_is_told():
    payload = changed(V3 + b"\0" * 16)
    assert vrrp.parse_advert(packet(payload=payload)).auth == "trailer"


def test_ten_thousand_random_and_mutated_packets():
    """Each is an advert or has a reason from the list; whatever is an advert says what was in the packet."""
    random_ = random.Random(0)
    seeds = [
        packet(family, version=version, interval=1)
        for family, version in (("ipv4", 2), ("ipv4", 3), ("ipv6", 3))
    ]
    believed = 0
    reasons = set()
    for number in range(10000):
        if number % 4 == 0:
            data = random_.randbytes(random_.randrange(120))
        else:
            data = bytearray(random_.choice(seeds))
            for _count in range(random_.randrange(1, 4)):
                where = random_.randrange(len(data))
                how = random_.randrange(4)
                if how == 0:
                    data[where] = random_.randrange(256)
                elif how == 1:
                    data[where] ^= 1 << random_.randrange(8)
                elif how == 2:
                    del data[where]
                else:
                    data.insert(where, random_.randrange(256))
            data = bytes(data)
        try:
            advert = vrrp.parse_advert(data)
        except packets.Malformed as error:
            assert error.reason in vrrp.REASONS
            reasons.add(error.reason)
            continue
        believed += 1
        assert 1 <= advert.vrid <= 255 and 0 <= advert.priority <= 255 and advert.interval > 0
    assert believed < 2000 and len(reasons) >= 10


@given(st.binary(max_size=200))
def test_no_packet_gives_a_traceback(data):
    try:
        vrrp.parse_advert(data)
    except packets.Malformed as error:
        assert error.reason in vrrp.REASONS
