# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of tasks are read under the names that tasks give them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.intent import _registered

ROOT = Path(__file__).resolve().parents[5]
NAMES = sorted(value for value in vars(_registered).values() if str(value).startswith("__endpoint"))


class HostVars(dict):
    raw_get = dict.__getitem__


@pytest.mark.parametrize("name", NAMES)
def test_a_task_registers_it(name: str) -> None:
    tasks = [*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("playbooks/*.yml")]
    registers = re.compile(r"register: %s$" % name, re.MULTILINE)
    assert any(registers.search(path.read_text(encoding="utf-8")) for path in tasks)


def test_only_this_file_reads_what_other_hosts_have_registered() -> None:
    plugins = [path for path in (ROOT / "plugins").rglob("*.py") if "raw_get" in path.read_text(encoding="utf-8")]
    # _intent.py reads what users have written for a host.
    assert sorted(path.name for path in plugins) == ["_intent.py", "_registered.py"]


@pytest.mark.parametrize(("variables", "found"), [
    ({"cp1": {"__endpoint_info": {"up": True}}}, {"up": True}), ({"cp1": {}}, {}), ({}, {}),
    ({"cp1": {"__endpoint_info": "nonsense"}}, {})])
def test_a_result_or_nothing(variables: dict, found: dict) -> None:
    assert _registered.registered({"hostvars": HostVars(variables)}, "cp1", _registered.OBSERVED) == found


def test_a_hosts_variables_are_put_together_once() -> None:
    asked = []

    class Slow(HostVars):
        def raw_get(self, host: str) -> dict:
            asked.append(host)
            return self[host]

    slow = Slow({"cp1": {"__endpoint_info": {"up": True}, "__endpoint_others": "nonsense"}})
    names = (_registered.OBSERVED, _registered.ASKED, _registered.OTHERS)
    assert _registered.results({"hostvars": slow}, "cp1", *names) == [{"up": True}, {}, {}]
    assert asked == ["cp1"]
