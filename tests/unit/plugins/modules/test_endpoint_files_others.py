# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import json
import os
import stat
from hashlib import sha256

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.deploy import _hook_io, _records_io, _units_io
from ansible_collections.kubeha.apiserver.plugins.modules import endpoint_files
from ansible_collections.kubeha.apiserver.tests.unit.plugins.modules.files_hosts import (
    GROUP,
    OURS,
    STRIDE,
    USER,
    Exit,
    FakeModule,
    read,
)


def copies(host):
    folder = host.path("/var/lib/kubeha/adopted")
    return sorted(os.path.join(top, name)[len(folder):] for top, _folders, names in os.walk(folder) for name in names)


def copy_name(path, text):
    return "%s.%s" % (path, sha256(text.encode()).hexdigest()[:12])


@pytest.mark.parametrize("edited", ["drop_in", "hook", "haproxy"])
def test_what_was_edited_by_hand_is_replaced_after_a_copy(host, edited):
    """A drop-in, a script, and a configuration that still says that it's ours."""
    files = host.files(haproxy=OURS + "one\n", drop_in=OURS, hook="#!/bin/bash\n")
    host.run(files)
    path = {"drop_in": host.drop_in, "hook": host.path("/usr/libexec/hook"), "haproxy": host.haproxy}[edited]
    by_hand = OURS + "# an admin's\n"
    host.write(path, by_hand, 0o600)
    copy = host.path("/var/lib/kubeha/adopted") + copy_name(path, by_hand)
    would = host.run(files, check_mode=True)
    assert would["kept_files"] == [copy] and not os.path.exists(copy)
    did = host.run(files)
    assert did["kept_files"] == [copy] and host.warnings == [
        "Somebody else has written %s. What it said is kept as %s." % (path, copy)]
    assert read(copy) == by_hand and stat.S_IMODE(os.stat(copy).st_mode) == 0o600
    # Once: nothing changes any more, and nothing is kept that we wrote.
    assert host.run(files)["kept_files"] == [] and host.warnings == []
    host.run(host.files(haproxy=OURS + "two\n", drop_in=OURS + "two\n", hook="#!/bin/bash\n:\n"))
    assert copies(host) == [copy_name(path, by_hand)]
    # What is left is named, and isn't what was there before us.
    assert host.run([], state="absent")["kept"] == [copy]
    assert not os.path.exists(path) and read(copy) == by_hand


def test_what_was_edited_by_hand_and_is_planned_no_more_goes_after_a_copy(host):
    host.run(host.files(haproxy=OURS, drop_in=OURS))
    host.write(host.drop_in, OURS + "# an admin's\n")
    result = host.run(host.files(haproxy=OURS))
    assert result["removed_files"] == [host.drop_in] and len(result["kept_files"]) == 1
    assert read(result["kept_files"][0]) == OURS + "# an admin's\n" and not os.path.exists(host.drop_in)


def test_removal_keeps_a_copy_of_what_was_edited(host):
    host.run(host.files(haproxy=OURS, drop_in=OURS))
    host.write(host.drop_in, OURS + "# an admin's\n")
    would = host.run([], state="absent", check_mode=True)
    did = host.run([], state="absent")
    assert would["kept_files"] == did["kept_files"] == did["kept"] and len(did["kept"]) == 1
    assert read(did["kept"][0]) == OURS + "# an admin's\n" and not os.path.exists(host.drop_in)


@pytest.mark.parametrize("which", ["haproxy", "image auth"])
@pytest.mark.parametrize("how", ["planned no more", "removed"])
def test_what_somebody_has_written_anew_stays(host, monkeypatch, which, how):
    """A configuration of a service that was moved to pods, and the kubelet's file of registries."""
    auth = host.path("/var/lib/kubelet/config.json")
    monkeypatch.setattr(_records_io, "GUARDED", (host.haproxy, auth))
    entry = dict(host.files(haproxy='{\n "#": "Managed by kubeha.apiserver"\n}\n')[0], path=auth, kind="image-auth")
    host.run([*host.files(haproxy=OURS, drop_in=OURS), entry])
    path, theirs = (host.haproxy, "global\n") if which == "haproxy" else (auth, '{"auths": {"theirs": {}}}\n')
    host.write(path, theirs)
    result = host.run(host.files(drop_in=OURS)) if how == "planned no more" else host.run([], state="absent")
    assert path not in result["removed_files"] and result["foreign_files"] == [path]
    assert read(path) == theirs


def test_a_file_that_was_there_by_accident_comes_back(host):
    """An admin's own 90-kubeha.conf."""
    path = host.path("/etc/sysctl.d/90-kubeha.conf")
    host.write(path, "vm.swappiness = 1\n")
    ours = [{"path": path, "kind": "unit", "guarded": False, "owner": USER, "group": GROUP, "mode": "0644",
             "secret": False, "content": OURS}]
    copy = host.path("/var/lib/kubeha/adopted") + path
    assert host.run(ours)["kept_files"] == [copy] and read(copy) == "vm.swappiness = 1\n"
    assert host.run(ours)["kept_files"] == []
    result = host.run([], state="absent")
    assert result["changed_files"] == [path] and read(path) == "vm.swappiness = 1\n" and result["kept"] == []


def test_removal_leaves_what_others_put_into_our_folder(host):
    plan = {"path": host.path("/etc/kubeha/plan.json"), "kind": "plan", "guarded": False, "owner": USER, "group": GROUP,
            "mode": "0644", "secret": False, "content": "{}\n"}
    host.run([*host.files(haproxy=OURS), plan])
    notes = host.path("/etc/kubeha/notes")
    host.write(notes, "mine\n")
    result = host.run([], state="absent")
    assert result["foreign_files"] == [notes] and read(notes) == "mine\n" and not os.path.exists(plan["path"])


def test_what_an_earlier_version_noted_is_understood(host):
    files = host.files(haproxy=OURS + "one\n", drop_in=OURS)
    host.run(files)
    noted = host.path("/var/lib/kubeha/files-haproxy.json")
    host.write(noted, json.dumps(sorted(json.loads(read(noted)))))
    result = host.run(host.files(haproxy=OURS + "two\n"))
    assert result["kept_files"] == [] and result["removed_files"] == [host.drop_in]


@pytest.fixture(name="umask", params=[0o022, 0o027, 0o077])
def fixture_umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_modes_are_the_same_whatever_the_umask(node, umask):
    node.run(node.pod_files())
    modes = {str(path.relative_to(node.root)): stat.S_IMODE(path.lstat().st_mode)
             for top in ("etc", "run/kubeha", "var/lib/kubeha") for path in (node.root / top).rglob("*")}
    assert modes == {
        "etc/tmpfiles.d": 0o755, "etc/tmpfiles.d/kubeha.conf": 0o644, "etc/kubeha": 0o755, "etc/kubeha/haproxy": 0o755,
        "etc/kubeha/haproxy/run": 0o755, "etc/kubeha/haproxy/haproxy.cfg": 0o644, "etc/kubernetes": 0o755,
        "etc/kubernetes/manifests": 0o755, "etc/kubernetes/manifests/kubeha-haproxy.yaml": 0o600,
        "run/kubeha/haproxy": 0o755, "run/kubeha/haproxy/down": 0o644, "var/lib/kubeha/before-haproxy.json": 0o600,
        "var/lib/kubeha/files-haproxy.json": 0o600}
    assert stat.S_IMODE(os.stat(node.path("/run/kubeha")).st_mode) == 0o755


@pytest.mark.parametrize("path, mode", [
    ("/run/kubeha", 0o750), ("/etc/kubeha", 0o700), ("/var/lib/kubeha", 0o700), ("/run/kubeha/haproxy", 0o700),
    ("/run/kubeha/haproxy/down", 0o666), ("/etc/kubeha/haproxy", 0o750)])
def test_wrong_modes_are_a_change_and_are_mended(node, path, mode):
    node.run(node.pod_files())
    node.starts()
    right = stat.S_IMODE(os.stat(node.path(path)).st_mode)
    os.chmod(node.path(path), mode)
    would = node.run(node.pod_files(), check_mode=True)
    assert would["changed"] and would["folders_changed"] == [node.path(path)] and would["force"] == "files"
    assert stat.S_IMODE(os.stat(node.path(path)).st_mode) == mode
    assert node.run(node.pod_files())["folders_changed"] == [node.path(path)]
    assert stat.S_IMODE(os.stat(node.path(path)).st_mode) == right
    assert not node.run(node.pod_files())["changed"]


@pytest.mark.parametrize("folder, mode", [("/etc/haproxy", 0o777), ("/etc", 0o775), ("/etc/systemd/system", 0o1777)])
def test_folders_that_others_can_write_to_are_refused_before_anything_changes(host, folder, mode):
    os.makedirs(host.path(folder), exist_ok=True)
    os.chmod(host.path(folder), mode)
    before = host.everything()
    for check_mode in (True, False):
        result = host.run(host.files(haproxy=OURS, drop_in=OURS), check_mode=check_mode)
        assert result["failed"] and "mode 0755" in result["msg"] and "%04o" % mode in result["msg"]
    assert host.everything() == before


def test_metrics_have_a_folder_of_root_and_are_written_in_one_place(host, monkeypatch):
    unit = host.path("/etc/systemd/system/kubeha-metrics.service")
    monkeypatch.setattr(_units_io, "METRICS_SERVICE", unit)

    def files(name):
        text = OURS + "ExecStart=/usr/bin/env python3 /etc/kubeha/metrics cp1 %s/kubeha.prom\n" % host.path(name)
        return host.files(drop_in=OURS) + [
            dict(host.files(drop_in=text)[0], path=unit, kind="metrics-unit")]

    before = host.everything()
    assert "it isn't there" in host.run(files("/var/one"))["msg"]
    # A look at HAProxy's files tells of keepalived's.
    assert "it isn't there" in host.run(host.files(drop_in=OURS), check_mode=True, units=files("/var/one"))["msg"]
    assert host.everything() == before
    for name in ("one", "two"):
        os.makedirs(host.path("/var/" + name))
    os.chmod(host.path("/var/one"), 0o777)
    assert "metrics can't be written into" in host.run(files("/var/one"), check_mode=True)["msg"]
    os.chmod(host.path("/var/one"), 0o755)
    host.run(files("/var/one"))
    for name in ("one", "two"):
        host.write(host.path("/var/%s/kubeha.prom" % name), "kubeha_host_drained 0\n")
    host.run(files("/var/two"))
    assert [os.listdir(host.path("/var/" + name)) for name in ("one", "two")] == [[], ["kubeha.prom"]]
    host.run(host.files(drop_in=OURS))
    assert os.listdir(host.path("/var/two")) == [] and not os.path.exists(unit)


def test_a_script_that_can_not_be_run_is_refused_before_anything_changes(host, monkeypatch):
    unit, script = host.path("/etc/systemd/system/kubeha-hook.service"), host.path("/opt/moved")
    monkeypatch.setattr(_hook_io, "SERVICE", unit)
    text = OURS + "ExecStart=/usr/bin/env python3 /etc/kubeha/hook cp1 %s\n" % script
    files = host.files(drop_in=OURS) + [dict(host.files(drop_in=text)[0], path=unit, kind="hook-unit")]
    before = host.everything()
    for check_mode in (True, False):
        assert "%s isn't there" % script in host.run(files, check_mode=check_mode)["msg"]
    # A look at HAProxy's files tells of keepalived's.
    assert "isn't there" in host.run(host.files(drop_in=OURS), check_mode=True, units=files)["msg"]
    assert host.everything() == before


def test_all_that_is_in_the_way_is_said_at_once(host, monkeypatch):
    unit = host.path("/etc/systemd/system/kubeha-hook.service")
    monkeypatch.setattr(_hook_io, "SERVICE", unit)
    text = OURS + "ExecStart=/usr/bin/env python3 /etc/kubeha/hook cp1 /opt/moved\n"
    host.write(host.haproxy, "global\n    maxconn 7\n")
    before = host.everything()
    result = host.run(host.files(haproxy=OURS) + [dict(host.files(drop_in=text)[0], path=unit, kind="hook-unit")])
    assert "/opt/moved isn't there" in result["msg"] and "was written by somebody else" in result["msg"]
    assert result["foreign_files"] == [host.haproxy]
    assert host.everything() == before


class Full:
    """The n-th step that writes fails, as on a full disk or one that was made read-only meanwhile."""

    NAMES = ("open", "mkdir", "rename", "fsync", "link", "fchmod")

    def __init__(self, monkeypatch, at, number):
        self.left, self.number = at, number
        for name in self.NAMES:
            monkeypatch.setattr(os, name, self.counted(name, getattr(os, name)))

    def counted(self, name, call):
        def called(*arguments, **more):
            writes = name != "open" or arguments[1] & (os.O_CREAT | os.O_WRONLY)
            if writes and self.left is not None:
                self.left -= 1
                if self.left < 0:
                    self.left = None  # undoing works: it needs no space
                    raise OSError(self.number, os.strerror(self.number))
            return call(*arguments, **more)
        return called


def test_wherever_writing_fails_the_set_is_a_whole_one(host):
    old = host.files(haproxy=OURS + "one\n", drop_in=OURS + "one\n", hook="#!/bin/bash\n:\n")
    new = host.files(haproxy=OURS + "two\n", drop_in=OURS + "two\n", hook="#!/bin/bash\ntrue\n")
    paths = [entry["path"] for entry in old]
    host.run(old)
    host.write(str(host.running), sha256((OURS + "one\n").encode()).hexdigest() + "\n")
    outcomes = set()
    for at in range(0, 200, STRIDE):
        number = (errno.ENOSPC, errno.EROFS)[at % 2]
        with pytest.MonkeyPatch.context() as patched:
            Full(patched, at, number)
            module = FakeModule({"role": "haproxy", "files": new, "state": "present", "adopt": False,
                                 "keep_stale": False, "beside": None, "units": None, "sealed": None})
            deployment = endpoint_files.Deployment(module)
            try:
                deployment.run()
                raise AssertionError("it returns by an exception")
            except Exit as result:
                assert not result.result.get("failed")
                break
            except OSError as error:
                assert error.errno == number
        present = [read(path) for path in paths]
        whole = [[entry["content"] for entry in files] for files in (old, new)]
        assert present in whole, "step %d" % at
        assert deployment.touched == (present == whole[1]), "step %d: its message tells which" % at
        outcomes.add(present == whole[0])
        assert not [path for path in host.root.rglob(".*") if ".kubeha-" in path.name], "step %d" % at
        if present == whole[1]:
            host.run(old)
    assert outcomes >= {True} and at > 20, "every step that writes has failed once"
    assert not host.run(new)["changed"]
