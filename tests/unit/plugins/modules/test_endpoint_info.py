# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.kubeha.apiserver.plugins.modules import endpoint_info
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.files import _host_files as hostview
from ansible_collections.kubeha.apiserver.tests.unit.plans import endpoint, plan, pods


@pytest.mark.parametrize("made", [endpoint(nonlocal_bind=True), pods(endpoint(nonlocal_bind=True))])
def test_every_file_that_is_put_there_is_looked_at(made):
    """Else it would count as drifted. Manifests are where the plan wants them; what carries a secret isn't compared."""
    planned = {entry["path"] for entry in hostview.host_files(plan(made), "cp1")
               if entry["kind"] != "manifest" and not entry["secret"]}
    assert planned - set(endpoint_info.OUR_FILES) == set()


@pytest.mark.parametrize("ahead, held, active, expected", [
    (0, 100.0, 500.0, 100.0),
    # The clock was set after keepalived noted when it became master: by a day ahead, and back.
    (86400, 2.0, 500.0, 2.0), (-86400, 100.0, 500.0, 0.0), (86400, 100.0, 3.0, 3.0)])
def test_a_clock_that_was_set_makes_no_holder_old(monkeypatch, ahead, held, active, expected):
    monkeypatch.setattr(endpoint_info.time, "time", lambda: 1000000.0 + ahead)
    monkeypatch.setattr(endpoint_info.time, "monotonic", lambda: 7.0)
    observer = object.__new__(endpoint_info.Observer)
    observer.unchanged_since, observer.mode = {}, "service"
    info = {
        "holds": ["198.51.100.100"], "held_for": {"198.51.100.100": held},
        "keepalived": {"instances": {"a": {"state": "MASTER", "last_transition": 1000000.0 - 100}}, "holders": {}},
        "services": {"keepalived": {"active_for": active, "changed_for": 1.0}}, "pods": {}}
    endpoint = {"name": "e", "vips": [{"address": "198.51.100.100"}], "instances": [{"name": "a"}]}
    assert observer._lasting(endpoint, info) == expected


@pytest.mark.parametrize("before, after, rejects", [
    ({}, {}, {}),
    ({"auth_failure": 3}, {"auth_failure": 11}, {"auth_failure": 8}),
    ({"auth_failure": 3}, {"auth_failure": 3}, {}),
    ({}, {"ip_ttl_err": 1}, {"ip_ttl_err": 1}),
])
def test_what_is_heard_and_what_keepalived_rejects_meanwhile(monkeypatch, before, after, rejects):
    name, listened = "kube-apiserver-ipv4", []

    def scan(interfaces, duration):
        listened.append((interfaces, round(duration, 3)))
        packet = {"mac": "02:00:00:00:00:99", "source": "198.51.100.66", "family": "ipv4", "reason": "checksum"}
        return {"eth0": {"routers": [], "rejected": [dict(packet, virtual_router_id=vrid) for vrid in (7, 100)]}}

    monkeypatch.setattr(endpoint_info._scan_io, "scan", scan)
    observer = object.__new__(endpoint_info.Observer)
    observer.plan, observer.mode, observer.errors = plan(endpoint()), "service", {}
    observer.params = {"host": "cp1", "listen": 0.4}
    observer._dump = lambda: {"instances": {name: {"rejected": after}}}
    info = {"services": {"keepalived": {"main_pid": 7}}, "pods": {}}
    seen = observer._listen(info, {"instances": {name: {"rejected": before}}, "hung": False})
    assert listened == [(["eth0"], 0.4)]
    assert [packet["virtual_router_id"] for packet in seen["heard"]] == [100]
    assert seen["keepalived"]["rejects"] == ({name: rejects} if rejects else {}) and seen["keepalived"]["hung"] is False
