# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

from ansible_collections.kubeha.apiserver.plugins.module_utils.history import _record as record

BOOT = "0b6ad5e4 12"


def line(kind="vip", about="198.51.100.100", value=True, t=100.0, **more):
    return json.dumps(dict({"t": t, "w": 1e9 + float(t), "e": kind, "k": about, "v": value}, **more)).encode()


def pick(lines, seconds=50.0, most=100):
    return record.pick(lines, BOOT, (200.0, 1e9 + 200.0), seconds, most)


def test_what_is_older_is_told_as_it_was_last():
    found = pick([line("recorder", "host", "start", 90.0, boot=BOOT), line(value=True, t=100.0),
                  line(value=False, t=120.0), line(value=True, t=180.0), line("gap", "host", 3.0, 110.0)])
    assert [(event["v"], event["t"]) for event in found.events] == [(True, 180.0)]
    assert [(event["e"], event["v"]) for event in found.before] == [("vip", False)]
    assert not found.cut


def test_of_an_earlier_boot_the_clock_counts():
    lines = [line("recorder", "host", "start", 190.0, boot="other 1"), line(t=190.0, value=True),
             line("boot", "host", False, 1.0, boot=BOOT)]
    lines[2] = line("boot", "host", False, 160.0, boot=BOOT)
    found = pick(lines)
    assert [event.get("old", False) for event in found.events] == [True, True, False]


def test_the_latest_are_kept():
    found = pick([line("recorder", "host", "start", 150.0, boot=BOOT)] +
                 [line(about=str(number), t=160.0 + number) for number in range(20)], most=5)
    assert found.cut and [event["k"] for event in found.events] == ["15", "16", "17", "18", "19"]
    assert [event["k"] for event in found.before] == ["10", "11", "12", "13", "14"]


def test_odd_lines_are_left_out():
    odd = [b"", b"{", b"[]", b"7", b"[" * 100000, b"\xff\xfe", line("nonsense"), line(about=7), line(value={}),
           line(value=[]), line(t=float("inf")), line(t=True), line(t="1"), line(about=None)]
    assert pick(odd) == record.Picked([], [], False)


def test_letters_that_a_terminal_obeys_are_escaped_and_nothing_is_endless():
    event = record.event_of(json.loads(line("run", "host", "\x1b[2J" + "x" * 5000, why="\n", mac=3.5, odd="x")))
    assert event["v"].startswith("\\x1b[2J") and len(event["v"]) < 300
    assert (event["why"], event["mac"]) == ("\\n", 3.5) and "odd" not in event
