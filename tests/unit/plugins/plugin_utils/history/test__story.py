# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.history import _incidents, _story
from ansible_collections.kubeha.apiserver.tests.unit.recording import START, VIP, Records


def clock(at):
    return datetime.fromtimestamp(at, timezone.utc)


def failover():
    records = Records()
    records.add(100.4, "cp1", "mark", "haproxy-down", True)
    records.add(100.5, "cp1", "daemon", "haproxy", "gone")
    records.add(100.5, "cp1", "exit", "haproxy", "oom")
    records.moves(100.4, "cp1", "cp2")
    records.add(101.9, "cp1", "daemon", "haproxy", "running")
    records.add(101.9, "cp1", "mark", "haproxy-down", False)
    records.moves(141.4, "cp2", "cp1")
    return records


def test_the_story_of_a_failover():
    [told] = failover().told()
    assert told.text == ("cp1 lost HAProxy (killed, out of memory); cp2 took the VIP 0.06 s later; the VIP was back on "
                         "cp1 after 41 s; HAProxy ran again on cp1 after 1.5 s")


def test_two_that_hold_and_nobody_who_holds():
    records = Records()
    records.add(100.0, "cp1", "daemon", "keepalived", "frozen")
    records.moves(100.0, None, "cp2")
    records.add(106.0, "cp1", "daemon", "keepalived", "running")
    records.add(106.06, "cp1", "vip", VIP, False)
    [told] = records.told()
    assert "two hosts had 198.51.100.100 for 6.0 s" in told.text
    records = Records()
    records.add(100.0, "cp1", "daemon", "keepalived", "gone")
    records.add(100.0, "cp1", "vip", VIP, False)
    [told] = records.told()
    assert told.text.endswith("nobody took 198.51.100.100")
    records.moves(130.0, None, "cp3")
    assert "cp3 took the VIP 30 s later, which nobody had for 30 s" in records.told()[0].text


def test_who_holds_for_a_moment_took_nothing():
    records = Records()
    records.moves(100.0, "cp1", "cp2")
    records.add(100.1, "cp3", "vip", VIP, True)
    records.add(100.3, "cp3", "vip", VIP, False)
    assert [move.host for move in records.told()[0].moves] == ["cp2"]


def test_of_a_host_that_was_not_read_nothing_is_claimed():
    records = Records()
    records.why["cp2"] = "No route to host"
    records.add(100.0, "cp1", "daemon", "keepalived", "gone")
    records.add(100.0, "cp1", "vip", VIP, False)
    assert "nobody" not in records.told()[0].text


def test_the_report_and_its_doubts():
    records = failover()
    records.why["cp3"] = "No route to host"
    merged = records.merged()
    told = _story.tell(_incidents.incidents(merged), merged)
    lines = _story.report(told, merged, START, START + 500, clock).split("\n")
    assert lines[0] == "From 2026-11-30 00:53:20 UTC to 2026-11-30 01:01:40 UTC:"
    assert lines[1].startswith("  00:55:00.4  cp1 lost HAProxy (killed, out of memory);")
    assert lines[2:] == ["  cp3: its record couldn't be read: No route to host",
                         "  Times of different hosts may be 0.05 s apart."]


def test_values_are_json_and_nothing_is_a_story_too():
    records = failover()
    merged = records.merged()
    values = _story.values(records.told(), merged, START, START + 500, clock)
    assert json.loads(json.dumps(values)) == values
    [incident] = values["incidents"]
    assert incident["over"] and incident["causes"][0]["code"] == "haproxy_oom"
    empty = Records()
    assert "Nothing is on record." in _story.report(empty.told(), empty.merged(), START, START + 9, clock)


@pytest.mark.parametrize("value, wanted", [
    (-1, "0.00 s"), (0.06, "0.06 s"), (4.06, "4.1 s"), (41, "41 s"), (600, "10 min"), (9000, "2.5 h")])
def test_times_are_as_exact_as_it_is_worth(value, wanted):
    assert _story.seconds(value) == wanted
