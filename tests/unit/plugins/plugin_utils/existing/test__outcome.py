# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each configuration of the corpus means the variables that its case names, or is refused with these codes."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.existing import _rows, _sameness, _written
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.existing._outcome import (
    Outcome,
    outcome_of,
    planned_hosts,
    planned_intent,
)
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan._plan import compute_plan
from ansible_collections.kubeha.apiserver.tests.unit.plugins.plugin_utils.existing import cases


def outcome(case: Path, **more: t.Any) -> Outcome:
    hosts = cases.existing(case)
    return outcome_of(hosts, [host for host in hosts if not host.startswith("lb")], **more)


@pytest.mark.parametrize("case", cases.cases(), ids=lambda case: case.name)
def test_a_configuration_means_these_variables(case: Path) -> None:
    expected = cases.read(case)["expected"]
    assert "SECRET-" not in str(cases.existing(case))
    found = outcome(case)
    assert sorted({problem.code for problem in found.problems}) == sorted(expected["refused"] or [])
    if expected["refused"]:
        text = "\n".join(map(str, found.problems))
        for part in expected.get("says") or []:
            assert str(part) in text
        return
    assert found.variables == expected["variables"]
    assert found.host_variables == (expected["hosts"] or {})
    plan = compute_plan(planned_intent(found), planned_hosts(found), {})
    rows = _rows.rows_of(found, plan)
    text = _written.report(found, rows, _sameness.same(found, plan), _sameness.outages(found, plan))
    for part in expected.get("says") or []:
        assert str(part) in text
