# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils import _hostview as hostview
from ansible_collections.kubeha.apiserver.plugins.modules import endpoint_info
from ansible_collections.kubeha.apiserver.tests.unit.plugins.module_utils.plans import endpoint, plan, pods


@pytest.mark.parametrize("made", [endpoint(nonlocal_bind=True), pods(endpoint(nonlocal_bind=True))])
def test_every_file_that_is_put_there_is_looked_at(made):
    """Else it would count as drifted. Manifests are where the plan wants them; what carries a secret isn't compared."""
    planned = {entry["path"] for entry in hostview.host_files(plan(made), "cp1")
               if entry["kind"] != "manifest" and not entry["secret"]}
    assert planned - set(endpoint_info.OUR_FILES) == set()


@pytest.mark.parametrize("stored, role, deployed", [
    (None, None, {"plan": None, "speaks": None, "error": None}),
    ({"endpoints": [1]}, {"endpoints": [1]}, {"plan": {"endpoints": [1]}, "speaks": None, "error": None}),
    # A run came as far as HAProxy's files.
    ({"endpoints": [2]}, {"endpoints": [1]}, {"plan": {"endpoints": [2]}, "speaks": {"endpoints": [1]}, "error": None}),
    ({"endpoints": [2]}, "nonsense", {"plan": {"endpoints": [2]}, "speaks": None, "error": None}),
])
def test_what_keepalived_was_made_from(monkeypatch, stored, role, deployed):
    files = {"/etc/kubeha/plan.json": stored, "/var/lib/kubeha/plan-keepalived.json": role}
    monkeypatch.setattr(endpoint_info._host_io, "read_file", lambda path: (
        None if files[path] is None else json.dumps(files[path]).encode()))
    assert endpoint_info.read_deployed() == deployed


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
