# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `./dev monitoring` rests on, and the dashboard, without a Prometheus."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
RULES = yaml.safe_load((ROOT / "monitoring/alerts.yml").read_text(encoding="utf-8"))
DASHBOARD = json.loads((ROOT / "monitoring/dashboard.json").read_text(encoding="utf-8"))
shorter = runpy.run_path(str(ROOT / "tests/monitoring/shorter.py"))
drawing = runpy.run_path(str(ROOT / "tests/monitoring/drawing.py"))


def test_rules_whose_time_goes_by_faster() -> None:
    made = shorter["shorter"](RULES, 15, 40)
    before, after = (shorter["waits"](rules) for rules in (RULES, made))
    assert after == {name: min(seconds / 15, 40) for name, seconds in before.items()}
    text = json.dumps(made)
    assert "[60000ms]" in text and "[15m]" not in text
    assert "kubeha_textfile_timestamp_seconds < 8" in text and "kubeha_textfile_timestamp_seconds > 8" in text
    assert "120" not in text and "21 * 86400" in text


def panels() -> list[dict]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def test_the_dashboard_asks_for_what_there_is() -> None:
    helps = runpy.run_path(str(ROOT / "roles/keepalived/files/kubeha-metrics"))["HELP"]
    for panel in panels():
        assert panel["datasource"]["uid"] == "${datasource}"
        for target in panel["targets"]:
            assert set(re.findall(r"\bkubeha_\w+", target["expr"])) <= set(helps), panel["title"]
            assert target["datasource"]["uid"] == "${datasource}"
    assert [item["name"] for item in DASHBOARD["templating"]["list"]] == ["datasource", "endpoint"]
    assert "__inputs" not in DASHBOARD and DASHBOARD.get("id") is None


def test_no_panel_lies_over_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells


def test_it_can_be_drawn() -> None:
    series = {"metric": {"instance": "cp1:9100", "vip": "<none>"}, "values": [[0, "1"], [1, "0"], [2, "NaN"], [3, "1"]]}
    text = drawing["drawing"](DASHBOARD, {panel["title"]: [series] for panel in panels()}, 0, 4, "a note")
    assert text.startswith("<svg") and all(panel["title"] in text for panel in panels())
    assert "&lt;none&gt;" in text and "nan" not in text
    assert drawing["stretches"]([(0, 1), (1, 1), (2, 0), (5, 0)]) == [(0, 2, 1), (2, 3, 0), (5, 6, 0)]
