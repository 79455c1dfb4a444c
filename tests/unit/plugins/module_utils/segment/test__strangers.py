# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.segment import _packets, _strangers, _vrrp
from ansible_collections.kubeha.apiserver.plugins.module_utils.segment._routers import Heard
from ansible_collections.kubeha.apiserver.tests.unit import plans
from hypothesis import given
from hypothesis import strategies as st

ADDRESSES = {"cp1": "198.51.100.11", "cp2": "198.51.100.12", "cp3": "198.51.100.13"}
MACS = {"02:00:00:00:00:11": "cp1", "02:00:00:00:00:12": "cp2", "02:00:00:00:00:13": "cp3"}
MINE = {host: mac for mac, host in MACS.items()}
MALLORY = "02:00:00:00:00:99"
PLAN = plans.plan(plans.endpoint())


def advert(source, mac, damage=0, **changes):
    fields = {"version": 3, "vrid": 100, "priority": 150, "interval": 0.1, "addresses": ["198.51.100.100"], **changes}
    payload = bytearray(_vrrp.build_advert(source, "198.51.100.12", **fields))
    payload[6] ^= damage
    packed = _packets.pack(source), _packets.pack("198.51.100.12")
    return _packets.build_ip(*packed, _packets.VRRP, bytes(payload)), mac


def named(*packets, plan=None, host="cp2"):
    """Whom a host names that has heard these."""
    plan = PLAN if plan is None else plan
    heard = Heard()
    for data, mac in packets:
        heard.add(data, mac, 1)
    kept = _strangers.heard_of(plan, host, {"eth0": heard.result()})
    return _strangers.strangers(plan, host, kept, MACS)


HOLDER = advert(ADDRESSES["cp1"], MINE["cp1"])


def test_members_are_no_strangers():
    assert named(HOLDER, advert(ADDRESSES["cp3"], MINE["cp3"], priority=148)) == []


@pytest.mark.parametrize("packet,what", [
    (advert("198.51.100.66", MALLORY), "VRRPv3 adverts, priority 150"),
    (advert("198.51.100.66", MALLORY, damage=0xFF), "packets that are no adverts (checksum)"),
    (advert("198.51.100.66", MALLORY, version=2, interval=1, password=b"x"),
     "VRRPv2 adverts with authentication pass, priority 150"),
    (advert(ADDRESSES["cp1"], MALLORY), "VRRPv3 adverts, priority 150, in the name of cp1"),
])
def test_a_machine_that_is_no_member(packet, what):
    (found,) = named(HOLDER, packet)
    assert (found.host, found.endpoint, found.virtual_router_id, found.what) == ("cp2", "kube-apiserver", 100, what)
    assert "MAC %s" % MALLORY in found.sender


def test_a_member_that_speaks_otherwise_than_planned():
    (found,) = named(HOLDER, advert(ADDRESSES["cp3"], MINE["cp3"], version=2, interval=1))
    assert found.sender == "198.51.100.13 (cp3)"
    assert found.what == "VRRPv2 adverts, priority 150, where the plan has VRRPv3, authentication none"
    assert named(HOLDER, plan=plans.plan(plans.endpoint(auth="hmac")))[0].sender == "198.51.100.11 (cp1)"


def test_a_network_that_changes_mac_addresses_is_none():
    assert named(advert(ADDRESSES["cp1"], MALLORY)) == []


def test_other_virtual_routers_and_other_interfaces_are_no_matter():
    assert named(advert("198.51.100.66", MALLORY, vrid=101)) == []
    assert named(advert("198.51.100.66", MALLORY), plan=plans.plan(plans.endpoint(interface="eth1"))) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.sampled_from(_strangers.Packet._fields), x, max_size=9))


@given(JSON)
def test_a_host_that_lies_gives_no_traceback(heard):
    packet = {"interface": "eth0", "mac": MALLORY, "source": "x", "family": "ipv4", "virtual_router_id": 100}
    odd = dict.fromkeys(("reason", "version", "auth", "priority"), heard)
    for said in (heard, [heard], [{**packet, **odd}], [{**packet, "mac": heard}, {**packet, "source": heard}]):
        _strangers.strangers(PLAN, "cp2", said, MACS)
