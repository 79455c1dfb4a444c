# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.drill import _fault, _fault_io
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _owned_files_io
from ansible_collections.kubeha.apiserver.plugins.module_utils.run import _run_lock_io


class Host:
    """A folder instead of a root, and what systemd and nft were told."""

    def __init__(self, root, monkeypatch):
        self.root = root
        self.told = []
        self.fails = ()
        self.armed = True
        for module, names in ((_fault, ("FILE", "MANIFEST", "SEEN", "PROGRAM", "UNIT_FILE")),
                              (_fault_io._paths, ("STATE", "RUN", "DRAIN", "MOVING")),
                              (_run_lock_io, ("LOCK", "GUARD"))):
            for name in names:
                monkeypatch.setattr(module, name, str(root) + getattr(module, name))
        monkeypatch.setattr(_owned_files_io, "TOP", str(root))
        for name in ("ROOT", "ROOT_GROUP"):
            monkeypatch.setattr(_owned_files_io, name, root.stat().st_uid if name == "ROOT" else root.stat().st_gid)
        monkeypatch.setattr(_fault_io._host_io, "run", self.run)
        (root / "manifests").mkdir()

    def run(self, argv, dummy_seconds):
        self.told.append(" ".join(argv))
        if argv == _fault.ARMED:
            text = "ActiveState=active\nNextElapseUSecMonotonic=5s\n" if self.armed else ""
            return _fault_io._host_io.Output(0, text)
        return _fault_io._host_io.Output(1 if any(word in " ".join(argv) for word in self.fails) else 0, "no")

    def has_told(self, words):
        return any(words in line for line in self.told)

    @property
    def manifest(self):
        return self.root / "manifests" / "kubeha-haproxy.yaml"


@pytest.fixture(name="host")
def a_host(tmp_path, monkeypatch):
    return Host(tmp_path, monkeypatch)


def pod(host):
    host.manifest.write_text("kind: Pod\n")
    return _fault.Work("haproxy_stop", manifests=(str(host.manifest),))


def left(host):
    return sorted(str(path.relative_to(host.root)) for path in host.root.rglob("*")
                  if path.is_file() and "lock" not in path.name)


def test_the_end_is_armed_before_the_fault_is(host):
    _fault_io.arm(_fault.Work("haproxy_stop", units=("haproxy.service",)), 5)
    order = [next(number for number, line in enumerate(host.told) if words in line)
             for words in ("enable --quiet kubeha-drill.service", "--on-active=6000ms", "systemctl show", "inject")]
    assert order == sorted(order)
    assert not host.has_told("stop --no-block")


def test_what_cannot_be_ended_is_not_begun(host):
    host.armed = False
    with pytest.raises(OSError, match="timer"):
        _fault_io.arm(pod(host), 5)
    assert not host.has_told("inject --") and host.manifest.read_text() == "kind: Pod\n"
    assert left(host) == ["manifests/kubeha-haproxy.yaml", "run/kubeha/drill.json"]


def test_a_timer_that_is_gone_meanwhile_keeps_the_fault_from_beginning(host):
    _fault_io.arm(pod(host), 5)
    host.armed = False
    _fault_io.inject()
    assert host.manifest.exists() and "certain" in _fault_io.look()["error"]
    assert _fault_io.look()["injected"] is None


def test_a_manifest_comes_back_and_nothing_stays(host):
    _fault_io.arm(pod(host), 5)
    _fault_io.inject()
    assert not host.manifest.exists()
    assert _fault_io.undo() == "haproxy_stop"
    assert host.manifest.read_text() == "kind: Pod\n"
    assert left(host) == ["manifests/kubeha-haproxy.yaml", "run/kubeha/drill.json"]
    seen = _fault_io.look()
    assert seen["injected"] <= seen["undone"] <= seen["now"]
    assert _fault_io.undo() is None


def test_one_that_somebody_has_put_there_meanwhile_stays(host):
    _fault_io.arm(pod(host), 5)
    _fault_io.inject()
    host.manifest.write_text("kind: Other\n")
    _fault_io.undo()
    assert host.manifest.read_text() == "kind: Other\n"


def test_a_second_fault_is_refused(host):
    _fault_io.arm(pod(host), 5)
    with pytest.raises(OSError, match="isn't over"):
        _fault_io.arm(_fault.Work("handover", moving=True), 5)


def test_all_is_tried_and_the_note_stays_where_something_failed(host):
    work = _fault.Work("haproxy_stop", moving=True, units=("haproxy.service",), manifests=(str(host.manifest),))
    host.manifest.write_text("kind: Pod\n")
    _fault_io.arm(work, 5)
    _fault_io.inject()
    host.fails = ("start --no-block",)
    with pytest.raises(OSError):
        _fault_io.undo()
    assert host.manifest.exists() and Path(_fault_io._paths.MOVING).read_text() == "0\n"
    assert json.loads(Path(_fault.FILE).read_text())["fault"] == "haproxy_stop"
    host.fails = ()
    assert _fault_io.undo() == "haproxy_stop"


def test_a_handover_is_a_word_to_keepalived(host):
    _fault_io.arm(_fault.Work("handover", moving=True), 5)
    _fault_io.inject()
    assert Path(_fault_io._paths.MOVING).read_text() == "1\n"
    _fault_io.undo()
    assert Path(_fault_io._paths.MOVING).read_text() == "0\n"


def test_a_fault_that_was_put_back_before_it_began_never_begins(host):
    _fault_io.arm(pod(host), 5)
    _fault_io.undo()
    _fault_io.inject()
    assert host.manifest.exists() and host.has_told("systemctl stop kubeha-drill-inject.timer")
