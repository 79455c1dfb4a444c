# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.segment import _claims_io
from ansible_collections.kubeha.apiserver.tests.unit.plans import endpoint

VIP = "198.51.100.100"


class Probe:
    """What the network says, without one."""

    said: dict = {}

    def __init__(self, vips, known, hurry, doubt):
        self.asked = (list(vips), list(known))
        # Whoever has it asks for it, too: there may be another one.
        assert doubt
        Probe.last = self

    def result(self):
        return {"addresses": [dict({"address": VIP, "held": False, "error": None, "answers": []}, **Probe.said)]}


@pytest.fixture(autouse=True)
def fixture_network(monkeypatch):
    monkeypatch.setattr(_claims_io, "Probe", Probe)
    monkeypatch.setattr(_claims_io, "run", lambda parts: None)


@pytest.mark.parametrize("said, members", [
    ({}, []),
    ({"held": True}, ["cp1"]),
    ({"answers": [{"host": "cp3", "how": ["reply"]}]}, ["cp3"]),
    ({"held": True, "answers": [{"host": "cp2", "how": ["probe", "reply"]}]}, ["cp1", "cp2"]),
    # Another member asks for it at the same time; a router answers for everybody.
    ({"answers": [{"host": "cp2", "how": ["probe"]}, {"host": None, "how": ["reply"]}]}, []),
])
def test_members_that_have_a_vip(said, members):
    Probe.said = said
    assert _claims_io.claims([endpoint()], "cp1") == {VIP: members}
    assert Probe.last.asked[0] == [{"interface": "eth0", "address": VIP}]
    assert [item["host"] for item in Probe.last.asked[1]] == ["cp2", "cp3"]


def test_members_are_known_where_they_were_deployed_too():
    moved = endpoint()
    for member in moved["instances"][0]["members"]:
        member.update(interface="bond0", address=member["address"].replace("198.51.100.", "198.51.100.2"))
    _claims_io.claims([moved], "cp1", [endpoint()])
    assert [(item["host"], item["interface"], item["address"]) for item in Probe.last.asked[1]] == [
        ("cp2", "bond0", "198.51.100.12"), ("cp3", "bond0", "198.51.100.13"),
        ("cp2", "bond0", "198.51.100.212"), ("cp3", "bond0", "198.51.100.213")]


def test_who_cannot_ask_says_so():
    Probe.said = {"error": "no such interface"}
    with pytest.raises(_claims_io.ClaimsError, match="no such interface"):
        _claims_io.claims([endpoint()], "cp1")
