# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from xml.etree import ElementTree

from ansible_collections.kubeha.apiserver.plugins.plugin_utils.files import _render
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.history import _chart
from ansible_collections.kubeha.apiserver.tests.unit.recording import START, VIP, Records

ROLES = str(Path(__file__).resolve().parents[5] / "roles")


def view(records, seconds=500):
    return _chart.view(records.told(), records.merged(), START, START + seconds,
                       lambda at: datetime.fromtimestamp(at, timezone.utc))


def test_who_held_when_is_drawn():
    records = Records()
    records.add(250.0, "cp1", "daemon", "keepalived", "gone")
    records.moves(250.0, "cp1", "cp2")
    lanes = {lane["host"]: lane["bars"] for lane in view(records)["lanes"]}
    assert [item["kind"] for item in lanes["cp1"]] == ["holds", "out"]
    holds, out = lanes["cp1"]
    # Both within a pixel or two of the middle.
    assert abs(holds["x"] + holds["width"] - out["x"]) < 2 and abs(lanes["cp2"][0]["x"] - out["x"]) < 2
    assert lanes["cp3"] == []


def test_the_page_stands_alone_and_escapes_what_hosts_say():
    records = Records()
    records.why["cp3"] = "<script>alert(1)</script>"
    records.add(100.0, "cp1", "daemon", "haproxy", "gone")
    records.add(100.0, "cp1", "exit", "haproxy", "<img src=x>")
    text = _render.history_page(view(records), ROLES)
    assert "<script" not in text and "<img" not in text and "&lt;img src=x&gt;" in text
    assert "http" not in text.replace("http-equiv", "")
    drawing = text[text.index('<svg class="drawing"'):]
    assert ElementTree.fromstring(drawing[:drawing.index("</svg>") + 6]).tag == "svg"


def test_what_lies_outside_is_not_drawn_and_nothing_is_a_page_too():
    assert VIP in str(view(Records()))
    found = view(Records(), seconds=0.5)
    assert found["headline"] == "Nothing is on record" and all(lane["bars"] == [] for lane in found["lanes"])
    assert "Nothing is on record" in _render.history_page(found, ROLES)
