# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import types

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _owned_files_io as owned
from ansible_collections.kubeha.apiserver.plugins.modules import endpoint_drain


class Host:
    """Files that say how a host ranks, and a plan without endpoints."""

    def __init__(self, root, monkeypatch):
        self.drain, self.way = root / "drain", root / "gives-way"
        root.chmod(0o755)
        monkeypatch.setattr(owned, "TOP", str(root))
        monkeypatch.setattr(owned, "ROOT", owned.os.getuid())
        monkeypatch.setattr(endpoint_drain, "PATHS", {"maintenance": str(self.drain / "drained"),
                                                      "run": str(self.drain / "moving")})
        monkeypatch.setattr(endpoint_drain._paths, "GIVES_WAY", str(self.way))
        monkeypatch.setattr(owned, "write", lambda path, content, mode: self.write(path, content))
        self.drain.mkdir(mode=0o755)
        for name in ("drained", "moving"):
            self.write(self.drain / name, b"1\n")

    def write(self, path, content):
        (self.drain / path).write_bytes(content)

    def rank(self, reason, state="absent"):
        module = types.SimpleNamespace(check_mode=False, params={
            "reason": reason, "state": state, "plan": {"endpoints": []}, "host": "cp1", "wait": 0})
        return endpoint_drain.drain(module)["changed"]

    def says(self, name):
        return (self.drain / name).read_text().strip()


@pytest.fixture(name="host")
def fixture_host(tmp_path, monkeypatch):
    return Host(tmp_path, monkeypatch)


def test_a_run_gives_back_the_rank_that_a_run_has_taken(host):
    assert host.rank("run") and host.says("moving") == "0"
    assert not host.rank("run")


def test_a_run_leaves_a_host_that_gives_way_where_it_is(host):
    host.way.write_text("198.51.100.12\n")
    assert not host.rank("run") and host.says("moving") == "1"
    # What somebody wanted has nothing to do with that.
    assert host.rank("maintenance") and host.says("drained") == "0"
    host.way.unlink()
    assert host.rank("run") and host.says("moving") == "0"
