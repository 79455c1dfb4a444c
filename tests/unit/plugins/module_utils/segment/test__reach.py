# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.segment import _packets as packets
from ansible_collections.kubeha.apiserver.plugins.module_utils.segment import _reach as reach
from ansible_collections.kubeha.apiserver.plugins.module_utils.segment import _vrrp as vrrp
from hypothesis import given
from hypothesis import strategies as st

PAIRS = {
    "ipv4": (packets.pack("198.51.100.11"), packets.pack("198.51.100.12")),
    "ipv6": (packets.pack("2001:db8::11"), packets.pack("ff02::12")),
}
ME = reach.identity("cp1", "198.51.100.11")


def packet(family, probe):
    source, destination = PAIRS[family]
    payload = reach.build_probe(source, destination, probe)
    return packets.build_ip(source, destination, packets.VRRP, payload)


@pytest.mark.parametrize("family", sorted(PAIRS))
@given(
    kind=st.sampled_from([reach.LINK, reach.STACK]),
    sequence=st.integers(0, 2**32 - 1),
    elapsed=st.integers(0, 2**32 - 1),
    sender=st.binary(min_size=8, max_size=8),
)
def test_a_probe_comes_back_and_is_vrrp_that_no_router_believes(family, kind, sequence, elapsed, sender):
    probe = reach.Probe(kind, sequence, elapsed, sender)
    data = packet(family, probe)
    assert reach.probe_of(packets.parse_ip(data)) == probe
    # All is well with it but its virtual router ID.
    with pytest.raises(packets.Malformed) as caught:
        vrrp.parse_advert(data)
    assert caught.value.reason == "vrid"
    other = bytearray(packets.parse_ip(data).payload)
    other[1], other[6:8] = 7, b"\0\0"
    source, destination = PAIRS[family]
    total = packets.checksum(packets.pseudo_header(source, destination, len(other), packets.VRRP) + bytes(other))
    other[6:8] = total.to_bytes(2, "big")
    advert = vrrp.parse_advert(packets.build_ip(source, destination, packets.VRRP, bytes(other)))
    assert advert.vrid == 7 and advert.auth == "none"


def test_hosts_are_told_apart_by_name_and_address():
    assert len({ME, reach.identity("cp2", "198.51.100.11"), reach.identity("cp1", "198.51.100.12")}) == 3


@given(st.integers(0, 79), st.integers(1, 255))
def test_whatever_is_changed_is_no_probe(where, change):
    data = bytearray(packet("ipv6", reach.Probe(reach.LINK, 5, 900, ME)))
    data[where] ^= change
    try:
        parsed = packets.parse_ip(bytes(data))
    except packets.Malformed:
        return
    # Flow label, class and hop limit aren't covered by any checksum.
    if where not in (0, 1, 2, 3, 7):
        assert reach.probe_of(parsed) is None


def hear(events, began=0.0):
    """events: (sequence, seconds since this host began, late); the peer began at `began`."""
    hearing = reach.Hearing()
    for sequence, at, late in events:
        hearing.on_wire(reach.Probe(reach.LINK, sequence, int((at - began) * 1000), ME), at, late)
    return hearing.result()


def test_all_is_heard():
    result = hear([(number, 0.2 + 0.2 * number, False) for number in range(20)])
    assert (result["wire"], result["wire_late"], result["missed"], result["lost"]) == (20, 0, 0, 0)
    assert result["peer_began"] == 0.0


def test_losses_are_counted_and_order_does_not_matter():
    assert hear([(0, 0.2, False), (4, 1.0, False), (2, 0.6, True)])["lost"] == 2
    assert hear([])["lost"] == 0


def test_the_first_that_comes_tells_how_many_did_not():
    assert hear([(8, 1.8, False)])["missed"] == 7
    assert hear([(1, 0.4, False)])["missed"] == 0


@given(st.floats(0.0, 5.0), st.integers(0, 3))
def test_what_was_sent_before_this_host_listened_is_not_missed(earlier, more):
    """A peer that sends since `earlier` seconds before, one packet each 0.2 s at most, of which all arrive."""
    sequence = int(earlier / reach.SPACING) + more
    first = -earlier + sequence * reach.SPACING
    if first < 0:
        sequence, first = sequence + 1, first + reach.SPACING
    before = sum(1 for number in range(sequence) if -earlier + number * reach.SPACING >= 0)
    assert hear([(sequence, first, False)], began=-earlier)["missed"] <= before


def test_received_is_split_by_when_this_host_spoke():
    hearing = reach.Hearing()
    hearing.on_received(reach.Probe(reach.LINK, 0, 0, ME), False)
    hearing.on_received(reach.Probe(reach.LINK, 1, 200, ME), True)
    hearing.on_received(reach.Probe(reach.STACK, 0, 400, ME), True)
    hearing.on_wire(reach.Probe(reach.STACK, 0, 400, ME), 0.4, True)
    result = hearing.result()
    assert (result["received"], result["received_late"], result["received_stack"], result["wire_stack"]) == (1, 1, 1, 1)
    assert result["wire"] == result["missed"] == 0
