# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.kubeha.apiserver.plugins.modules import endpoint_release

VIP, OTHER = "198.51.100.100", "198.51.100.101"


def endpoint(vip, *hosts):
    members = [{"host": host, "priority": 150 - number} for number, host in enumerate(hosts)]
    return {"name": vip, "vips": [{"address": vip}], "instances": [{"members": members}]}


PLAN = {"endpoints": [endpoint(VIP, "cp1", "cp2"), endpoint(OTHER, "cp2")]}


@pytest.fixture(name="host")
def fixture_host(monkeypatch):
    """cp1, which has its VIP, one that isn't its, and an address of its own."""
    host = SimpleNamespace(claims={VIP: ["cp1", "cp2"]}, keepalived=[], deleted=[])
    addresses = [SimpleNamespace(address=address, prefix=32, index=2) for address in (VIP, OTHER, "198.51.100.11")]
    monkeypatch.setattr(endpoint_release._host_io, "read_addresses", lambda: addresses)
    monkeypatch.setattr(endpoint_release._host_io, "read_links", lambda: [SimpleNamespace(index=2, name="eth0")])
    monkeypatch.setattr(endpoint_release._process_io, "keepalived_runs", lambda: bool(host.keepalived))
    monkeypatch.setattr(endpoint_release._claims_io, "claims", lambda endpoints, name: host.claims)

    def run(command, seconds):
        host.deleted.append(command)
        return SimpleNamespace(code=0, text="", error="")

    monkeypatch.setattr(endpoint_release._host_io, "run", run)
    return host


def release(force=False, check_mode=False):
    params = {"plan": PLAN, "host": "cp1", "force": force}
    return endpoint_release.release(SimpleNamespace(params=params, check_mode=check_mode))


def test_what_another_host_has_by_now_is_taken(host):
    assert release(check_mode=True) == {"changed": True, "released": [VIP], "kept": []} and not host.deleted
    assert release() == {"changed": True, "released": [VIP], "kept": []}
    assert host.deleted == [["ip", "address", "del", VIP + "/32", "dev", "eth0"]]


def test_what_nobody_else_has_goes_on_serving(host):
    host.claims = {VIP: ["cp1"]}
    assert release() == {"changed": False, "released": [], "kept": [VIP]} and not host.deleted
    assert release(force=True)["released"] == [VIP]


def test_a_keepalived_that_runs_knows_better(host):
    host.keepalived = ["process"]
    assert release(force=True) == {"changed": False, "released": [], "kept": []} and not host.deleted
