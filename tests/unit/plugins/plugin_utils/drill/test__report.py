# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

from ansible_collections.kubeha.apiserver.plugins.plugin_utils.drill import _report
from ansible_collections.kubeha.apiserver.tests.unit.drills import SCHEDULE, result

GOOD = [result(number, 3) for number in range(4)]


def test_all_within_budget_is_a_pass():
    text = _report.text(SCHEDULE, GOOD)
    assert _report.passed(SCHEDULE, GOOD)
    assert "All 4 faults stayed within their budgets; the longest outage was 40 ms." in text
    assert text.count("within budget") == 4 and "HELD THE VIP" in text


def test_the_first_one_over_budget_is_the_last():
    results = [GOOD[0], result(1, 200)]
    text = _report.text(SCHEDULE, results)
    assert not _report.passed(SCHEDULE, results)
    assert "The drill stopped after 2 of 4 faults: handover on cp2 is over budget." in text
    assert "kube-apiserver was out for 2010 ms" in text


def test_what_broke_off_is_no_pass():
    assert not _report.passed(SCHEDULE, GOOD[:3])
    assert "ended after 3 of 4" in _report.text(SCHEDULE, GOOD[:3])


def test_json_has_all_but_single_attempts():
    values = json.loads(json.dumps(_report.values(SCHEDULE, GOOD, "now")))
    assert values["passed"] and [fault["state"] for fault in values["faults"]] == ["within budget"] * 4
    assert values["faults"][0]["clients"][0]["outage"] == 0.04
    assert "runs" not in values["faults"][0]["clients"][0]
