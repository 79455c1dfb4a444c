# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each finding that advises a command has a test that provokes it, runs that command, and looks again.

Such a test says `follow(FILE, "CODE")`, or stands in ELSEWHERE.
"""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.proof import _host_status
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.codes._codes import ACCEPTABLE, CODES
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.judge import _preflight, _status, _wire_verdict

ROOT = Path(__file__).resolve().parents[2]
STORIES = ("e2e", "preflight", "rollout", "usage")
COMMAND = re.compile(r"`([^`]+)`")
# They show what is wrong, and mend nothing; as in tests/usage/user.py.
LOOKS = re.compile(r"journalctl |tcpdump |show table$|preflight$|status$")
# Code: the test that does as advised in words of its own.
ELSEWHERE = {
    "certificate_lacks_vip": "tests/e2e/run.py::certificate",
    "kubelet_absent": "tests/e2e/run.py::init",
    "manifest_missing": "tests/e2e/run.py::put_back",
    "left_moving": "tests/rollout/test_rollout.py::test_interrupted_anywhere_and_run_again",
    "stopped_for_change": "tests/usage/test_story.py::test_backups_that_a_killed_run_has_silenced",
    "started_by_itself": "tests/usage/test_story.py::test_backups_that_a_killed_run_has_silenced",
}
# Code: why nobody runs it.
UNTRIED = {
    "clock_breaks_hmac": "all hosts of a lab have one clock, and no NTP",
    "clock_differs": "all hosts of a lab have one clock, and no NTP",
    "not_deployed_yet": "its turn comes later",
    "plan_outdated": "plan_differs, in a run that leaves members out",
}


def in_code(module: object) -> dict[str, set[str]]:
    """Functions of a module, and the commands in what they say; not in their docstrings."""
    found: dict[str, set[str]] = {}
    for function in ast.parse(inspect.getsource(module)).body:  # type: ignore[arg-type]
        if isinstance(function, (ast.FunctionDef, ast.ClassDef)):
            for node in ast.walk(function):
                if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and isinstance(node.body[0], ast.Expr):
                    node.body[0].value = ast.Constant("")
            texts = [node.value for node in ast.walk(function) if isinstance(node, ast.Constant)]
            commands = {command for text in texts if isinstance(text, str) for command in COMMAND.findall(text)}
            if commands:
                found[function.name] = commands
    return found


# Where a fix is put together: function, and the codes of what it says.
TOGETHER = {
    _preflight: {
        "_open_vrrp": ["firewall_drops_vrrp"],
        "_open_port": ["firewall_drops_clients"],
        "_comment_out": ["nonlocal_bind_overridden"],
    },
    _host_status: {"_repair": ["haproxy_hung", "keepalived_hung", "restart_pending"]},
    _status: {},
    _wire_verdict: {},
}


@pytest.mark.parametrize("module", TOGETHER, ids=lambda module: module.__name__.rpartition(".")[2])
def test_every_place_that_makes_up_a_command_is_known(module: object) -> None:
    assert set(in_code(module)) == set(TOGETHER[module])  # type: ignore[index]


def advised() -> set[str]:
    """Codes whose fix has a command that mends something."""
    found = {code for code in ACCEPTABLE if any(not LOOKS.match(text) for text in COMMAND.findall(CODES[code].fix))}
    return found.union(*(codes for places in TOGETHER.values() for codes in places.values()))


def followed() -> set[str]:
    texts = [path.read_text(encoding="utf-8") for name in STORIES for path in (ROOT / "tests" / name).glob("*.py")]
    calls = [call for text in texts for call in re.findall(r"\.follow\(([^()]*)\)", text)]
    return {code for call in calls for code in re.findall(r'(?<!=)"(\w+)"', call)}


def test_every_command_that_is_advised_is_run_by_a_test() -> None:
    assert advised() == followed() & advised() | set(ELSEWHERE) | set(UNTRIED)


def test_no_reason_is_left_over() -> None:
    assert not (set(ELSEWHERE) | set(UNTRIED)) & followed()
    assert all(reason for reason in UNTRIED.values())


@pytest.mark.parametrize("code", ELSEWHERE)
def test_tests_elsewhere_exist(code: str) -> None:
    path, _separator, name = ELSEWHERE[code].partition("::")
    assert re.search(r"^def %s\(" % name, (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
