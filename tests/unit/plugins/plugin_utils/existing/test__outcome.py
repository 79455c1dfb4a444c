# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each configuration of the corpus means the variables that its case names, or is refused with these codes."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.codes._codes import SECTIONS
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


TWO = """vrrp_instance A {
virtual_router_id 51
virtual_ipaddress {
198.51.100.100
}
}
vrrp_instance B {
virtual_router_id 52
virtual_ipaddress {
198.51.100.101
}
}
"""


def two(role: str = "keepalived", text: str = TWO) -> dict[str, t.Any]:
    """A host with two virtual IPs, or with one other file."""
    return {"files": [{"path": "/etc/a", "role": role, "text": text}], "addresses": [], "unread": [], "units": [],
            "versions": {}, "server": ""}


def codes(hosts: dict[str, dict[str, t.Any] | None], **more: t.Any) -> list[str]:
    return [problem.code for problem in outcome_of(hosts, **more).problems]


def test_which_of_several_virtual_ips_has_to_be_said() -> None:
    assert "import_several" in codes({"cp1": two()})
    found = outcome_of({"cp1": two()}, vips=["198.51.100.101"], accepted=["import_serves_more"])
    assert found.variables["endpoint_virtual_router_id"] == 52
    assert found.variables["endpoint_vip"] == ["198.51.100.101"] and not found.problems


def test_a_virtual_ip_that_is_none_is_said() -> None:
    assert "address_invalid" in codes({"cp1": two()}, vips=["198.51.100.1000"])


def test_a_virtual_ip_that_no_file_has_is_said() -> None:
    [problem] = outcome_of({"cp1": two()}, vips=["198.51.100.102", "198.51.100.100"],
                           accepted=["import_serves_more"]).problems
    assert (problem.code, problem.where, problem.value) == ("import_vip_unknown", "endpoint_vip", "198.51.100.102")
    assert "198.51.100.100, 198.51.100.101" in problem.rule


def test_a_host_without_an_answer_and_a_file_that_can_not_be_read() -> None:
    assert codes({"cp1": two(), "cp2": None}, vips=["198.51.100.100"], accepted=["import_serves_more"]) == [
        "import_no_answer"]
    unread = dict(two(), unread=[{"path": "/etc/haproxy/haproxy.cfg", "why": "it isn't a plain file"}])
    assert codes({"cp1": unread}, vips=["198.51.100.100"], accepted=["import_serves_more"]) == ["import_unreadable"]


def test_what_is_ours_is_not_imported() -> None:
    assert codes({"cp1": two("haproxy", "global\nfrontend kubeha:health:1\n")}) == ["import_ours"]


def test_every_code_has_a_case() -> None:
    refused = {code for case in cases.cases() for code in cases.read(case)["expected"]["refused"] or []}
    here = {"import_several", "import_vip_unknown", "import_no_answer", "import_ours"}
    assert refused | here == set(SECTIONS["Importing what runs"])
