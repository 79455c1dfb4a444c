# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.kubeha.apiserver.plugins.modules import endpoint_bridge

V4, V6, OWN = "198.51.100.100", "2001:db8::100", "198.51.100.11"
MEMBERS = [{"host": "cp1", "priority": 150}, {"host": "cp2", "priority": 149}]
INSTANCE = {"members": MEMBERS, "advert_interval": 0.1, "down_timer_adverts": 10}
PLAN = {"endpoints": [{"name": "a", "vips": [{"address": V4}, {"address": V6}], "instances": [INSTANCE]}]}
LO, ETH0 = 1, 2


@pytest.fixture(name="host")
def fixture_host(monkeypatch):
    """cp1, which has both VIPs; what `ip` was told, and what a keepalived does while somebody sleeps."""
    host = SimpleNamespace(there={(V4, ETH0), (V6, ETH0), (OWN, ETH0)}, said=[], then=[])
    io = endpoint_bridge._host_io
    links = [SimpleNamespace(index=LO, name="lo"), SimpleNamespace(index=ETH0, name="eth0")]
    monkeypatch.setattr(io, "read_links", lambda: links)
    monkeypatch.setattr(
        io, "read_addresses", lambda: [SimpleNamespace(address=item[0], index=item[1]) for item in host.there])

    def run(command, seconds):
        host.said.append(" ".join(command))
        place = (command[3].partition("/")[0], LO)
        host.there = host.there | {place} if command[2] == "replace" else host.there - {place}
        return SimpleNamespace(code=0, text="", error="")

    monkeypatch.setattr(io, "run", run)
    monkeypatch.setattr(endpoint_bridge.time, "sleep", lambda seconds: host.then.pop(0)() if host.then else None)
    return host


def bridge(state, check_mode=False, wait=None):
    params = {"plan": PLAN, "host": "cp1", "wait": wait}
    made = endpoint_bridge.Bridge(SimpleNamespace(params=params, check_mode=check_mode))
    return made.begin() if state == "present" else made.end()


def test_what_the_host_has_is_on_the_loopback_interface_for_some_time(host):
    assert bridge("present", check_mode=True)["bridged"] == [V4, V6] and not host.said
    assert bridge("present") == {"changed": True, "bridged": [V4, V6], "waited": 0.0}
    # 15 s, twice 1.65 s, and 15 s more than anybody waits
    assert host.said == [
        "ip address replace %s dev lo scope host valid_lft 34 preferred_lft 34" % place
        for place in (V4 + "/32", V6 + "/128")]


def test_it_goes_when_keepalived_has_it_again(host):
    bridge("present")
    host.there -= {(V4, ETH0), (V6, ETH0)}
    host.then = [lambda: None, lambda: host.there.add((V4, ETH0)), lambda: host.there.add((V6, ETH0))]
    assert bridge("absent")["bridged"] == [V4, V6]
    assert host.then == [] and host.there == {(V4, ETH0), (V6, ETH0), (OWN, ETH0)}


def test_it_goes_if_keepalived_never_has_it_again(host):
    bridge("present")
    host.there = {(V4, LO), (OWN, ETH0)}
    assert bridge("absent", wait=0.01)["bridged"] == [V4]
    assert host.there == {(OWN, ETH0)}


def test_where_nothing_is_held_nothing_is_done(host):
    host.there = {(OWN, ETH0)}
    assert bridge("present") == {"changed": False, "bridged": [], "waited": 0.0}
    assert not bridge("absent")["changed"] and not host.said
