# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from ansible_collections.kubeha.apiserver.plugins.plugin_utils.drill import _judge, _page
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.files import _render
from ansible_collections.kubeha.apiserver.tests.unit.drills import SCHEDULE, client, result

ROLES = str(Path(__file__).resolve().parents[5] / "roles")


def drawing(text, number=0):
    part = text.split('<svg class="drawing"')[number + 1]
    return ElementTree.fromstring('<svg class="drawing"' + part[:part.index("</svg>") + 6])


def test_each_fault_is_drawn_with_its_outage_and_when_it_was():
    found = _page.view(SCHEDULE, [result(0, 3), result(1, 200)], "now")
    assert [fault["result"] for fault in found["faults"]] == ["within budget", "over budget"]
    one = found["faults"][1]["drawings"][0]
    failed = [item for item in one["bars"] if item["kind"] == "failed"]
    fault, back = (mark["x"] for mark in one["marks"])
    # The outage begins a tenth of a second after the fault, and ends before it's put back at 4 s.
    assert fault < failed[0]["x"] < failed[-1]["x"] < back
    assert one["outage"]["x"] <= failed[0]["x"] and one["outage"]["text"] == "2010 ms"
    text = _render.drill_page(found, ROLES)
    assert drawing(text).tag == drawing(text, 1).tag == "svg"


def test_the_page_stands_alone_and_escapes():
    bad = dict(result(0, 3), why="<script>alert(1)</script>")
    text = _render.drill_page(_page.view(SCHEDULE, [bad], "now"), ROLES)
    assert "<script" not in text and "&lt;script&gt;" in text
    assert "http" not in text.replace("http-equiv", "")


def test_what_was_not_measured_is_a_page_too():
    void = _judge.judge(SCHEDULE.steps[0], SCHEDULE, [], _judge.Faulted(None, None, "gone"), [], [], [])
    text = _render.drill_page(_page.view(SCHEDULE, [void], "now"), ROLES)
    assert "not measured" in text and '<svg class="drawing"' not in text
    empty = _judge.judge(
        SCHEDULE.steps[0], SCHEDULE, [], _judge.Faulted(100.0, None), [client(["ok"]), client([])], [], [])
    assert _render.drill_page(_page.view(SCHEDULE, [empty], "now"), ROLES)
