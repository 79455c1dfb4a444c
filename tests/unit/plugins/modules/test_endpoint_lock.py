# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fcntl
import json
import os
import stat
import subprocess
import sys
import time

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _owned_files_io as owned
from ansible_collections.kubeha.apiserver.plugins.module_utils.run import _run_lock_io
from ansible_collections.kubeha.apiserver.plugins.modules import endpoint_lock
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.task import _run

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="hosts are Linux")
ONE = {"controller": "a", "process": 1, "started": "7", "name": "one@a"}
TWO = {"controller": "a", "process": 2, "started": "8", "name": "two@a"}


@pytest.fixture(name="run")
def fixture_run(tmp_path, monkeypatch):
    tmp_path.chmod(0o755)
    folder = tmp_path / "kubeha"
    monkeypatch.setattr(owned, "TOP", str(tmp_path))
    monkeypatch.setattr(owned, "ROOT", os.getuid())
    monkeypatch.setattr(_run_lock_io, "LOCK", str(folder / "lock"))
    monkeypatch.setattr(_run_lock_io, "GUARD", str(folder / "lock.guard"))
    monkeypatch.setattr(_run_lock_io._paths, "PLAN_FILE", str(tmp_path / "plan.json"))
    (tmp_path / "plan.json").touch()
    return folder


@pytest.fixture(name="lock")
def fixture_lock(run):
    def change(owner, state="present", ttl=1800, force=False, since="", within=None):
        said = endpoint_lock.change({"owner": owner, "state": state, "ttl": ttl, "force": force, "since": since,
                                     "within": within})
        return said.get("holder") or said.get("changer") or {}

    return change


def now(seconds=0.0):
    clock = _run_lock_io.clock()
    return "%s %f" % (clock.boot, clock.now + seconds)


def test_one_run_at_a_time(lock):
    assert lock(ONE) == {}
    assert lock(ONE) == {}
    assert lock(TWO)["name"] == "one@a"
    # What isn't one's own isn't released.
    assert lock(TWO, state="absent") == {} and lock(TWO)["name"] == "one@a"
    lock(ONE, state="absent")
    assert lock(TWO) == {}


def test_a_lock_ends_by_time_or_force(lock):
    lock(ONE, ttl=0)
    # Times are noted in whole milliseconds.
    time.sleep(0.001)
    assert lock(TWO) == {}
    assert lock(ONE, force=True) == {}


def test_what_somebody_else_has_changed_meanwhile_is_refused(lock):
    looked = now(-0.01)
    lock(ONE, since=looked)
    lock(ONE, state="absent")
    # One's own changes are no news.
    assert lock(ONE, since=looked) == {}
    lock(ONE, state="absent")
    assert lock(TWO, since=looked)["name"] == "one@a"
    assert lock(TWO, since=now(1)) == {}


def test_what_a_run_did_that_was_killed_is_news_as_well(lock):
    looked = now(-0.01)
    lock(ONE)
    assert lock(TWO, since=looked, force=True)["name"] == "one@a"
    assert lock(TWO, since=now(1), force=True) == {}


def test_a_wall_clock_that_was_ahead_keeps_nobody_out(lock, run):
    """Notes of earlier releases, which are from the future once the clock is set back."""
    run.mkdir(mode=0o755)
    note = json.dumps(dict(TWO, at=4e9))
    for name in ("lock", "lock.guard"):
        (run / name).write_text(note)
    assert lock(ONE, since=now()) == {}


def test_nothing_is_left_where_everything_was_removed(lock, run):
    lock(ONE)
    lock(TWO, state="absent")
    assert run.exists()
    lock(ONE, state="absent")
    assert run.exists()
    (run.parent / "plan.json").unlink()
    (run / "haproxy").mkdir()
    lock(ONE)
    lock(ONE, state="absent")
    assert run.exists()
    (run / "haproxy").rmdir()
    lock(ONE)
    lock(ONE, state="absent")
    assert not run.exists()


def test_the_folder_may_go_while_another_run_comes(lock, run, monkeypatch):
    opened, gone = _run_lock_io._open_guard, []

    def once_gone():
        if not gone:
            gone.append(run.rmdir())
        return opened()

    monkeypatch.setattr(_run_lock_io, "_open_guard", once_gone)
    assert lock(ONE) == {} and gone


def test_what_is_no_lock_keeps_nobody_out(lock, run):
    lock(ONE)
    for content in ("", "nonsense", "[]", '{"at": "never"}', "[" * 50000):
        (run / "lock").write_text(content)
        assert lock(ONE) == {}


@pytest.mark.parametrize("umask", [0o000, 0o027, 0o077])
def test_modes_do_not_depend_on_the_umask(lock, run, umask):
    before = os.umask(umask)
    try:
        lock(ONE)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.lstat().st_mode) for path in (run, run / "lock", run / "lock.guard")}
    assert modes == {"kubeha": 0o755, "lock": 0o600, "lock.guard": 0o600}


@pytest.mark.parametrize("kind", ["readable", "linked", "link", "pipe"])
def test_nobody_else_can_have_the_guard(lock, run, tmp_path, kind):
    """Whoever has a guard open that others could open isn't waited for."""
    run.mkdir(mode=0o755)
    guard, elsewhere = run / "lock.guard", tmp_path / "elsewhere"
    if kind == "pipe":
        os.mkfifo(guard)
    elif kind == "link":
        elsewhere.write_text("theirs")
        guard.symlink_to(elsewhere)
    else:
        guard.write_text("")
        guard.chmod(0o644 if kind == "readable" else 0o600)
        if kind == "linked":
            os.link(guard, elsewhere)
    theirs = os.open(guard, os.O_RDONLY | os.O_NONBLOCK)
    try:
        fcntl.flock(theirs, fcntl.LOCK_EX)
        assert lock(ONE) == {}
        assert lock(TWO)["name"] == "one@a"
        assert stat.S_IMODE(guard.lstat().st_mode) == 0o600 and stat.S_ISREG(guard.lstat().st_mode)
    finally:
        os.close(theirs)
    assert kind != "link" or elsewhere.read_text() == "theirs"


def test_waiting_for_the_guard_ends(lock, run):
    lock(ONE)
    theirs = os.open(run / "lock.guard", os.O_RDWR)
    try:
        fcntl.flock(theirs, fcntl.LOCK_EX)
        with pytest.raises(_run_lock_io.Busy, match="fuser"), _run_lock_io.guarded(0.0):
            pass
    finally:
        os.close(theirs)


class Module:
    check_mode = False

    def __init__(self, owner):
        self.params = {"owner": owner}

    def fail_json(self, **said):
        raise Ended(said)


class Ended(Exception):
    pass


def test_every_change_makes_sure_of_its_host(lock):
    _run_lock_io.ensure(Module(None))
    lock(ONE)
    mine = dict(ONE, held=True)
    _run_lock_io.ensure(Module(mine))
    with pytest.raises(Ended, match="one@a changes this host"):
        _run_lock_io.ensure(Module(dict(TWO, held=False)))
    lock(TWO, force=True)
    with pytest.raises(Ended) as caught:
        _run_lock_io.ensure(Module(mine))
    assert caught.value.args[0]["lost"] is True
    lock(TWO, state="absent")
    with pytest.raises(Ended, match="lock is gone"):
        _run_lock_io.ensure(Module(mine))


def test_whether_its_process_still_runs():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    holder = _run.owner_of(process.pid)
    assert _run.runs(holder)
    assert not _run.runs(dict(holder, started="0"))
    process.communicate(b"\n")
    assert not _run.runs(holder)
    assert holder["controller"] == _run.owner_of(os.getpid())["controller"]


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="only /proc tells")
def test_one_that_was_killed_and_that_nobody_waits_for_does_not_run():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    holder = _run.owner_of(process.pid)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    try:
        assert os.path.exists("/proc/%d" % process.pid)
        assert not _run.runs(holder)
    finally:
        process.communicate()
