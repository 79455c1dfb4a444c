# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people and Ansible read of an import."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.existing import _outcome, _written
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.existing._rows import CHANGED, KEPT, LOST, Row
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.existing._text import Place
from ansible_collections.kubeha.apiserver.tests.unit.plugins.plugin_utils.existing import cases

WHERE = Place("cp1", "/etc/keepalived/keepalived.conf", 7)


@pytest.mark.parametrize("case", cases.cases(), ids=lambda case: case.name)
def test_the_inventory_says_the_same_variables(case: Path) -> None:
    hosts = cases.existing(case)
    found = _outcome.outcome_of(hosts, list(hosts))
    everything = yaml.safe_load(_written.inventory_text(found))["all"]
    assert (everything["vars"] or {}) == found.variables
    assert everything.get("hosts", {}) == found.host_variables
    assert "SECRET-" not in _written.inventory_text(found)


def test_a_static_pod_needs_an_image() -> None:
    hosts = cases.existing(cases.case("kubeadm-static-pods"))
    assert "# keepalived_image:" in _written.inventory_text(_outcome.outcome_of(hosts, list(hosts)))


def test_a_report() -> None:
    rows = [Row(KEPT, "port", "8443", "endpoint_port", (WHERE,) * 3), Row(CHANGED, "VRRP", "2", "3", (WHERE,)),
            Row(LOST, "authentication", "auth_type PASS", "because " * 40, (WHERE,))]
    text = _written.report(_outcome.Outcome(), rows, [], [])
    assert "cp1 /etc/keepalived/keepalived.conf:7 and 2 more" in text
    assert all(len(line) <= 104 for line in text.splitlines())
    assert [text.index(heading) for heading in ("Kept", "Changed", "Not carried over")] == sorted(
        text.index(heading) for heading in ("Kept", "Changed", "Not carried over"))


def test_what_hosts_wrote_does_not_reach_the_terminal_raw() -> None:
    rows = [Row(KEPT, "port", "\x1b[2J8443", "endpoint_port", (WHERE,)), Row(LOST, "a", "\x1b[2J", "b\x07", (WHERE,))]
    assert not {"\x1b", "\x07"} & set(_written.report(_outcome.Outcome(), rows, [], []))
