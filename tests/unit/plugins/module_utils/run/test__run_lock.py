# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.run import _run_lock
from ansible_collections.kubeha.apiserver.plugins.module_utils.run._run_lock import Clock

ONE = {"controller": "a", "process": 1, "started": "7", "name": "one@a"}
TWO = {"controller": "b", "process": 1, "started": "7", "name": "two@b"}
HELD = dict(ONE, held=True)


def at(now, boot="boot"):
    return Clock(boot, now)


def taken(now=0.0, **how):
    return _run_lock.take({}, {}, ONE, at(now), **how).lock


def test_a_lock_is_renewed_by_each_change():
    lock = taken()
    for now in range(0, 6000, 500):
        lock = _run_lock.own(lock, HELD, at(now)).lock
        assert _run_lock.take(lock, {}, TWO, at(now + 599)).holder["name"] == "one@a"
    assert _run_lock.take(lock, {}, TWO, at(now + 601)).lock["name"] == "two@b"


def test_a_run_notices_that_another_one_has_taken_its_host():
    theirs = _run_lock.take(taken(), {}, TWO, at(700.0)).lock
    assert "two@b changes this host" in _run_lock.own(theirs, HELD, at(701.0)).lost
    # Also when that one has ended, was void by then, or the host was restarted.
    assert "lock is gone" in _run_lock.own({}, HELD, at(702.0)).lost
    assert "lock is gone" in _run_lock.own(theirs, HELD, at(5000.0)).lost
    assert "restarted" in _run_lock.own(taken(), HELD, at(1.0, "next")).lost


def test_a_run_that_never_took_the_host_is_only_kept_out_by_others():
    assert _run_lock.own({}, TWO, at(1.0)).lost == ""
    assert "one@a changes this host" in _run_lock.own(taken(), TWO, at(1.0)).lost
    assert _run_lock.own(taken(), TWO, at(601.0)).lost == ""


def test_a_run_that_its_own_controller_knows_to_have_ended_keeps_nobody_out():
    dead = taken()
    assert _run_lock.own(dead, dict(TWO, void=dead), at(1.0)).lost == ""
    assert _run_lock.own(dead, dict(TWO, void=dict(dead, started="8")), at(1.0)).lost != ""
    assert _run_lock.own(dead, dict(TWO, void={}), at(1.0)).lost != ""
    assert "lock is gone" in _run_lock.own(dead, dict(TWO, held=True, void=dead), at(1.0)).lost


def test_a_lock_that_nobody_else_wanted_is_still_ones_own():
    assert _run_lock.own(taken(), HELD, at(5000.0)).lost == ""


def test_renewals_do_not_move_the_time_within_which_changes_begin():
    lock = taken(within=100.0)
    lock = _run_lock.own(lock, HELD, at(99.0)).lock
    assert "took too long" in _run_lock.own(lock, HELD, at(100.1)).lost
    # The next wave has a time of its own.
    again = _run_lock.take(lock, {}, ONE, at(99.0), within=100.0).lock
    assert _run_lock.own(again, HELD, at(198.0)).lost == ""


def test_what_was_seen_before_somebody_elses_change_or_a_restart_is_old():
    last = _run_lock.release(taken(10.0), ONE, at(20.0))
    assert _run_lock.take({}, last, TWO, at(30.0), since="boot 15.0").changer["name"] == "one@a"
    assert _run_lock.take({}, last, TWO, at(30.0), since="boot 25.0").changer == {}
    assert _run_lock.take({}, last, ONE, at(30.0), since="boot 15.0").changer == {}
    assert "restart" in _run_lock.take({}, {}, TWO, at(3.0, "next"), since="boot 15.0").changer["name"]


@pytest.mark.parametrize("note", [
    None, [], "x", {}, {"boot": 1, "at": 1, "until": 2}, {"boot": "boot", "at": "1", "until": 2},
    {"boot": "boot", "at": True, "until": 2}, {"boot": "boot", "at": 1, "until": float("inf")},
    {"boot": "boot", "at": 1, "until": float("nan")}, {"boot": "boot", "at": 1, "until": 2, "within": "x"},
    # As earlier releases wrote it, by the wall clock.
    {"controller": "a", "process": 1, "started": "7", "name": "one@a", "at": 1795817075.1},
])
def test_what_is_no_note_keeps_nobody_out(note):
    assert _run_lock.note_of(note) == {}


def test_nobody_keeps_a_host_for_ever():
    lock = _run_lock.take({}, {}, ONE, at(0.0), life=1e9).lock
    lock["until"] = 1e11
    assert _run_lock.take(_run_lock.note_of(lock), {}, TWO, at(_run_lock.LONGEST + 1)).lock["name"] == "two@b"


def test_two_runs_never_both_own_a_host_whatever_happens():
    """Runs take, renew, stall, die and come back; hosts restart; wall clocks don't exist here."""
    random_ = random.Random(11)
    for dummy in range(300):
        lock, last, clock = {}, {}, at(0.0, "0")
        held = {"one@a": False, "two@b": False}
        for step in range(60):
            clock = Clock(clock.boot, clock.now + random_.choice([0.1, 5.0, 300.0, 599.0, 601.0, 4000.0]))
            if random_.random() < 0.05:
                lock, last, clock = {}, {}, at(1.0, str(step + 1))
            who = random_.choice([ONE, TWO])
            run, other = who["name"], (TWO if who is ONE else ONE)["name"]
            what = random_.random()
            if what < 0.35 and not held[run]:
                answer = _run_lock.take(lock, last, who, clock)
                if not answer.holder:
                    lock, held[run] = answer.lock, True
            elif what < 0.5 and held[run]:
                note = _run_lock.release(lock, who, clock)
                if note:
                    lock, last = {}, note
                held[run] = False
            elif held[run]:
                answer = _run_lock.own(lock, dict(who, held=True), clock)
                if answer.lost:
                    held[run] = False
                    continue
                lock = answer.lock
                # It may change the host now, so nobody else may.
                assert _run_lock.own(lock, {"name": other, "process": -1, "held": held[other]}, clock).lost
