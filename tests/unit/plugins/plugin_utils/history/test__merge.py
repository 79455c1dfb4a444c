# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.history import _merge
from ansible_collections.kubeha.apiserver.tests.unit.recording import HOSTS, START, VIP, Records
from hypothesis import example, given
from hypothesis import strategies as st

JUNK = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20) | st.sampled_from(["vip", "boot"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["record", "clock", "low", "high", "events", "before", "boot", "wall", "plan", "e", "k", "v",
                         "t", "w", "first", "old", "msg"]), inner, max_size=6), max_leaves=20)


def moved(records):
    return [event for event in records.merged().events() if event.kind in ("vip", "advert") and not event.first]


@pytest.mark.parametrize("skew", [0.0, 0.2, -0.3])
def test_what_hosts_heard_of_each_other_narrows_their_clocks(skew):
    records = Records(wide=0.8, skew=skew)
    records.moves(100.0, "cp1", "cp2")
    records.moves(200.0, "cp2", "cp3")
    events = moved(records)
    apart = {}
    for event in events:
        if event.value:
            apart.setdefault(round(event.at), []).append(event.at)
    assert all(max(times) - min(times) < 0.01 for times in apart.values())
    assert sorted(round(host.uncertain, 2) for host in records.merged().hosts.values()) == [0.05, 0.05, 0.8]


def test_no_host_is_moved_beyond_its_own_bounds():
    """By what another one says to have heard."""
    records = Records(wide=0.01)
    records.add(100.0, "cp2", "vip", VIP, True)
    for host in ("cp1", "cp3"):
        records.add(103.0, host, "advert", records.router("cp2"), 149)
    for event in moved(records):
        assert abs(event.at - START - (100.0 if event.host == "cp2" else 103.0)) < 0.02


def test_of_an_earlier_boot_the_clock_is_corrected_by_what_it_is_wrong_now():
    records = Records(wide=0.01)
    records.add(50.0, "cp3", "gap", "host", 3.0, old=True)
    records.events["cp3"][-1]["t"] = 12.0
    assert [round(event.at - START) for event in records.merged().events() if event.kind == "gap"] == [50]


@given(st.dictionaries(st.sampled_from(HOSTS), JUNK))
@example({"cp1": {"record": None, "clock": None, "msg": "\r"}})
def test_whatever_a_member_says_is_no_traceback(answers):
    merged = _merge.merge(answers)
    assert set(merged.hosts) == set(answers)
    assert all(host.why for host in merged.hosts.values() if not host.events and not host.before and not host.records)


def test_a_host_that_said_nothing_says_why():
    records = Records()
    records.why["cp2"] = "No route to host\nmore"
    merged = records.merged()
    assert merged.hosts["cp2"].why == "No route to host" and merged.hosts["cp2"].events == []
    assert _merge.members(merged) == list(HOSTS)
