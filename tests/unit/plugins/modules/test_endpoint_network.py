# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import stat

import pytest
from ansible_collections.kubeha.apiserver.plugins.modules import endpoint_network

OURS = "# Managed by kubeha.apiserver\n[Network]\nKeepConfiguration=static\n"


class FakeModule:
    check_mode = False
    _diff = False

    def __init__(self, state):
        self.params = {"state": state, "plan": {}, "host": "cp1"}
        self.warnings = []

    def warn(self, warning):
        self.warnings.append(warning)


class Host:
    def __init__(self, root, monkeypatch):
        self.root = root
        self.path = str(root / "etc/systemd/network/eth0.network.d/90-kubeha.conf")
        self.files = {self.path: OURS}
        self.state = root / "var/lib/kubeha/network.json"
        (root / "etc").mkdir()
        for name, value in (("TOP", str(root)), ("ROOT", os.getuid()), ("ROOT_GROUP", os.getgid())):
            monkeypatch.setattr(endpoint_network.owned, name, value)
        monkeypatch.setattr(endpoint_network._copies_io, "FOLDER", str(root / "var/lib/kubeha/adopted"))
        monkeypatch.setattr(endpoint_network, "STATE_FILE", str(self.state))
        monkeypatch.setattr(endpoint_network, "run", lambda argv: "")
        monkeypatch.setattr(endpoint_network._host_io, "read_links", list)
        monkeypatch.setattr(endpoint_network.Network, "_drop_ins", lambda network: (
            self.files if network.module.params["state"] == "present" else {}, False))

    def run(self, state="present"):
        module = FakeModule(state)
        result = endpoint_network.Network(module).run()
        self.warnings = module.warnings
        return result


@pytest.fixture(name="host")
def fixture_host(tmp_path, monkeypatch):
    return Host(tmp_path, monkeypatch)


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_what_is_put_there_goes_again(host, umask):
    before = os.umask(umask)
    assert host.run()["added"] == [host.path]
    os.umask(before)
    assert stat.S_IMODE(os.stat(host.path).st_mode) == 0o644
    assert {stat.S_IMODE(path.stat().st_mode) for path in host.root.rglob("*") if path.is_dir()} == {0o755}
    assert not host.run()["changed"]
    assert host.run("absent")["removed"] == [host.path] and not host.state.exists()


@pytest.mark.parametrize("state, text", [
    ("present", OURS + "# an admin's\n"), ("absent", OURS + "# an admin's\n"), ("absent", "[Network]\nDHCP=yes\n")])
def test_what_was_edited_is_copied_first(host, state, text):
    host.run()
    with open(host.path, "w", encoding="utf-8") as stream:
        stream.write(text)
    result = host.run(state)
    (copy,) = result["kept_files"]
    with open(copy, encoding="utf-8") as stream:
        assert stream.read() == text
    assert copy in host.warnings[0] and os.path.exists(host.path) == (state == "present")


def test_what_an_earlier_version_noted_is_understood(host):
    host.run()
    host.state.write_text(json.dumps({"files": [host.path], "rules": []}))
    assert host.run("absent")["kept_files"] == [] and not os.path.exists(host.path)
