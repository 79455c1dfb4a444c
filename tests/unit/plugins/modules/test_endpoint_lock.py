# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from ansible_collections.kubeha.apiserver.plugins.action import endpoint_lock as action
from ansible_collections.kubeha.apiserver.plugins.modules import endpoint_lock

ONE = {"controller": "a", "process": 1, "started": "7", "name": "one@a"}
TWO = {"controller": "a", "process": 2, "started": "8", "name": "two@a"}


@pytest.fixture(name="lock")
def fixture_lock(tmp_path, monkeypatch):
    monkeypatch.setattr(endpoint_lock, "LOCK", str(tmp_path / "lock"))
    monkeypatch.setattr(endpoint_lock, "GUARD", str(tmp_path / "lock.guard"))

    def change(owner, state="present", ttl=1800, force=False, since=None):
        said = endpoint_lock.change({"owner": owner, "state": state, "ttl": ttl, "force": force, "since": since})
        return said["holder"] or said["changer"]

    return change


def test_one_run_at_a_time(lock):
    assert lock(ONE) == {}
    assert lock(ONE) == {}
    assert lock(TWO)["name"] == "one@a"
    # What isn't one's own isn't released.
    assert lock(TWO, state="absent") == {} and lock(TWO)["name"] == "one@a"
    lock(ONE, state="absent")
    assert lock(TWO) == {}


def test_a_lock_ends_by_time_or_force(lock):
    lock(ONE)
    assert lock(TWO, ttl=0) == {}
    assert lock(ONE, force=True) == {}


def test_what_somebody_else_has_changed_meanwhile_is_refused(lock):
    looked = time.time() - 0.01
    lock(ONE, since=looked)
    lock(ONE, state="absent")
    # One's own changes are no news.
    assert lock(ONE, since=looked) == {}
    lock(ONE, state="absent")
    assert lock(TWO, since=looked)["name"] == "one@a"
    assert lock(TWO, since=time.time() + 1) == {}


def test_what_a_run_did_that_was_killed_is_news_as_well(lock):
    looked = time.time() - 0.01
    lock(ONE)
    assert lock(TWO, since=looked, force=True)["name"] == "one@a"
    assert lock(TWO, since=time.time() + 1, force=True) == {}


def test_what_is_no_lock_keeps_nobody_out(lock):
    for content in ("", "nonsense", "[]", '{"at": "never"}'):
        with open(endpoint_lock.LOCK, "w", encoding="utf-8") as stream:
            stream.write(content)
        assert lock(ONE) == {}


def test_whether_its_process_still_runs():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    holder = action._owner(process.pid)
    assert action._runs(holder)
    assert not action._runs(dict(holder, started="0"))
    process.communicate(b"\n")
    assert not action._runs(holder)
    assert holder["controller"] == action._owner(os.getpid())["controller"]


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="only /proc tells")
def test_one_that_was_killed_and_that_nobody_waits_for_does_not_run():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    holder = action._owner(process.pid)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    try:
        assert os.path.exists("/proc/%d" % process.pid)
        assert not action._runs(holder)
    finally:
        process.communicate()
