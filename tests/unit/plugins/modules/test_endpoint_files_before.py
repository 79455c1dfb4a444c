# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import stat
import subprocess
from hashlib import sha256

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.deploy import (
    _records_io,
    _sysctls_io,
)
from ansible_collections.kubeha.apiserver.plugins.module_utils.model import _paths
from ansible_collections.kubeha.apiserver.tests.unit.plugins.modules.files_hosts import GROUP, OURS, USER, read


def taken_over(host):
    """Theirs was running, and this host's folders are this user's."""
    host.write(host.haproxy, "theirs\n    bind :8443\n", 0o640)
    host.unit.update(ActiveState="active", UnitFileState="enabled")
    planned = host.files(haproxy=OURS + "one\n", drop_in=OURS)
    host.run(planned, adopt=True)
    host.unit.update(UnitFileState="disabled")
    return planned


def test_what_was_there_before_comes_back_with_what_its_unit_was(host):
    planned = taken_over(host)
    before = host.everything()
    said = host.run([], state="original", check_mode=True)
    assert host.everything() == before
    back = host.run([], state="original")
    assert said["before"] == back["before"] == {
        "foreign": True, "active": True, "enabled": True, "binds": [{"host": "127.0.0.1", "port": 8443}],
        "files": ["%s (0640 %s:%s)" % (host.haproxy, USER, GROUP)]}
    assert (back["changed_files"], back["removed_files"]) == ([host.haproxy], [host.drop_in])
    assert read(host.haproxy).startswith("theirs\n") and os.stat(host.haproxy).st_mode & 0o777 == 0o640
    # Copies stay until all hosts have been proven, so a run that was killed is run again.
    again = host.run([], state="original")
    assert again["before"] == back["before"] and not again["changed"]
    gone = host.run([], state="absent")
    assert gone["kept"] == [] and gone["foreign_files"] == [] and read(host.haproxy).startswith("theirs\n")
    assert not os.path.exists(host.path("/var/lib/kubeha"))
    assert not host.run([], state="original")["before"]["foreign"]
    host.run(planned, adopt=True)
    assert host.run([], state="original", check_mode=True)["before"]["foreign"]


def test_ours_comes_back_where_what_was_there_before_does_not_work(host, monkeypatch):
    monkeypatch.setattr(_paths, "LAYOUTS", {"service": _paths.LAYOUTS["service"]._replace(
        config={"haproxy": host.haproxy, "keepalived": ""})})
    monkeypatch.setattr(_records_io, "GUARDED", (host.haproxy,))
    planned = taken_over(host)
    host.write(str(host.running), sha256((OURS + "one\n").encode()).hexdigest())
    host.run([], state="kept")
    host.run([], state="original")
    assert host.run([], state="kept")["previous"], "a second run keeps what the first one has kept"
    back = host.run([], state="previous")
    assert back["previous"] and sorted(back["changed_files"]) == sorted([host.haproxy, host.drop_in])
    assert not host.run(planned)["changed"]
    assert host.run([], state="original", check_mode=True)["before"]["foreign"]


def test_the_note_of_what_was_there_before_is_never_made_anew(host):
    taken_over(host)
    note = host.path("/var/lib/kubeha/before-haproxy.json")
    first = read(note)
    assert stat.S_IMODE(os.stat(note).st_mode) == 0o600
    host.write(host.haproxy, "edited by somebody\n")
    host.run(host.files(haproxy=OURS + "two\n", drop_in=OURS), adopt=True)
    assert read(note) == first and host.run([], state="original")["changed_files"] == [host.haproxy]
    assert read(host.haproxy).startswith("theirs\n")


def test_a_keepalived_that_is_stopped_before_its_turn_is_noted_as_it_was(host):
    path = host.path("/etc/keepalived/keepalived.conf")
    host.write(path, "theirs\n")
    host.unit.update(ActiveState="active", UnitFileState="enabled")
    planned = host.files(keepalived=OURS)
    host.run(planned, role="keepalived", state="kept")
    host.unit.update(ActiveState="inactive", UnitFileState="disabled")
    host.run(planned, role="keepalived", adopt=True)
    before = host.run([], role="keepalived", state="original")["before"]
    assert before["active"] and before["enabled"] and before["foreign"] and read(path) == "theirs\n"


@pytest.mark.parametrize("harm, why", [
    (os.unlink, "it's gone"),
    (lambda copy: os.chmod(copy, 0o600), "its mode was 0640 and is 0600"),
    (lambda copy: os.truncate(copy, 3), "its content has changed"),
    (lambda copy: (os.unlink(copy), os.symlink("/etc/passwd", copy)), "it's gone"),
    (lambda copy: os.chmod(os.path.dirname(copy), 0o777), "others than its owner"),
])
def test_a_copy_that_is_not_what_was_kept_is_refused(host, harm, why):
    taken_over(host)
    harm(host.path("/var/lib/kubeha/adopted") + host.haproxy)
    before = host.everything()
    refused = host.run([], state="original")
    assert refused["failed"] and "Nothing was changed" in refused["msg"] and why in refused["msg"], refused["msg"]
    assert host.everything() == before


@pytest.mark.parametrize("content, why", [(None, "isn't known"), (b"{", "can't be read"), (b"[]", "can't be read")])
def test_a_note_that_is_not_there_or_is_no_note_is_refused(host, content, why):
    taken_over(host)
    note = host.path("/var/lib/kubeha/before-haproxy.json")
    os.unlink(note)
    if content is not None:
        host.write(note, content.decode())
    refused = host.run([], state="original")
    assert refused["failed"] and why in refused["msg"]
    assert read(host.haproxy).startswith(OURS)


def test_a_kernel_setting_is_what_it_was(host, monkeypatch):
    """Somebody had set it by hand, in no file."""
    monkeypatch.setattr(_sysctls_io, "place", lambda name: host.path("/proc/sys/") + name)
    monkeypatch.setattr(_sysctls_io, "_is_ours", lambda path: path.endswith("90-kubeha.conf"))
    host.write(host.path("/proc/sys/") + "net.x", "7")
    planned = [*host.files(haproxy=OURS), dict(host.files(haproxy="# ours\nnet.x = 1\n")[0], kind="sysctl",
                                               path=host.path("/etc/sysctl.d/90-kubeha.conf"), guarded=False)]
    host.write(host.haproxy, "theirs\n")
    host.run(planned, adopt=True)
    assert read(host.path("/proc/sys/") + "net.x") == "1"
    assert host.run([], state="original")["sysctls_changed"] == ["net.x"]
    assert read(host.path("/proc/sys/") + "net.x") == "7"


def test_what_was_there_before_runs_once_its_unit_was_started_without_our_drop_in(host):
    assert host.run([], state="original")["runs"], "where this collection hasn't been nothing is touched"
    taken_over(host)
    host.unit["MainPID"] = str(os.getpid())
    assert not host.run([], state="original")["runs"], "it has just come back"
    assert host.run([], state="original")["runs"]
    with subprocess.Popen(["sleep", "60"], env={"KUBEHA_EXECUTION": "x"}) as ours:
        host.unit["MainPID"] = str(ours.pid)
        assert not host.run([], state="original")["runs"]
        ours.kill()
    host.unit.update(ActiveState="inactive", MainPID="0")
    assert not host.run([], state="original")["runs"]
