# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.deploy import _leftovers_io as leftovers
from ansible_collections.kubeha.apiserver.plugins.module_utils.deploy import _previous_io
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _owned_files_io as owned
from ansible_collections.kubeha.apiserver.plugins.module_utils.model import _paths


@pytest.fixture(name="state", autouse=True)
def fixture_state(tmp_path, monkeypatch):
    for name, value in (("TOP", str(tmp_path)), ("ROOT", os.getuid()), ("ROOT_GROUP", os.getgid())):
        monkeypatch.setattr(owned, name, value)
    monkeypatch.setattr(_paths, "STATE", str(tmp_path / "lib/kubeha"))
    monkeypatch.setattr(_previous_io, "FOLDER", str(tmp_path / "lib/kubeha/previous"))
    (tmp_path / "lib/kubeha/previous").mkdir(parents=True)
    return tmp_path / "lib/kubeha"


def test_what_the_dead_have_left_is_swept_and_nothing_else(state):
    own = os.getpid()
    for name in (".haproxy.cfg.kubeha-4194305", ".kubeha-staging-4194305-ab_c", ".kubeha-check-abc",
                 # This process's own, and what isn't ours.
                 ".haproxy.cfg.kubeha-%d" % own, ".kubeha-staging-%d-abc" % own, "haproxy.cfg", ".haproxy.cfg.swp"):
        (state / name).touch()
    left = leftovers.find("haproxy", [])
    assert [os.path.basename(path) for path in left] == [
        ".haproxy.cfg.kubeha-4194305", ".kubeha-check-abc", ".kubeha-staging-4194305-ab_c"]
    leftovers.sweep("haproxy", left)
    assert leftovers.find("haproxy", []) == [] and len(list(state.iterdir())) == 5


@pytest.mark.parametrize("there, content", [
    # Killed before the first rename, between both, and after the second.
    ({"haproxy": "old", ".haproxy-a": "new"}, "old"),
    ({".haproxy-a.old": "old", ".haproxy-a": "new"}, "new"),
    ({".haproxy-a.old": "old", "haproxy": "new"}, "new"),
])
def test_a_set_is_whole_wherever_its_exchange_was_killed(state, there, content):
    for name, text in there.items():
        (state / "previous" / name).mkdir()
        (state / "previous" / name / "x").write_text(text)
    leftovers.sweep("haproxy", leftovers.find("haproxy", []))
    assert os.listdir(state / "previous") == ["haproxy"]
    assert (state / "previous/haproxy/x").read_text() == content
