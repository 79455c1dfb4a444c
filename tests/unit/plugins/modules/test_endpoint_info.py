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
