# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.intent import _roles


@pytest.mark.parametrize("name, value", [
    ("haproxy_package", "haproxy"), ("haproxy_package", "haproxy=3.0.*"), ("keepalived_package", "keepalived/trixie"),
    ("haproxy_package_state", "latest"), ("keepalived_package_state", None), ("endpoint_verify_timeout", "90"),
])
def test_what_roles_understand(name: str, value: Any) -> None:
    assert _roles.problems({"cp1": {name: value}, "cp2": {}}) == []


@pytest.mark.parametrize("name, value, code, fix", [
    ("keepalived_package_state", "lastest", "choice_unknown", "write latest"),
    ("haproxy_package_state", "absent", "choice_unknown", "write present"),
    ("haproxy_package", "-o Dpkg::Options", "value_characters", None),
    ("haproxy_package", ["haproxy"], "value_type", None),
    ("keepalived_package", " ", "value_empty", None),
    ("endpoint_verify_timeout", "60s", "value_type", None),
    ("endpoint_verify_timeout", 0, "number_range", None),
])
def test_what_they_do_not(name: str, value: Any, code: str, fix: str | None) -> None:
    [problem] = _roles.problems({"cp1": {name: value}, "cp2": {}})
    assert (problem.code, problem.where, problem.value) == (code, "cp1: " + name, value)
    assert fix is None or problem.fix == fix


def test_what_all_hosts_have_alike_is_said_once() -> None:
    wrong = {"haproxy_package_state": "newest"}
    assert [problem.where for problem in _roles.problems({"cp1": wrong, "cp2": wrong})] == ["haproxy_package_state"]
    assert [problem.where for problem in _roles.problems({"cp1": wrong, "cp2": wrong, "cp3": {}})] == [
        "cp1: haproxy_package_state", "cp2: haproxy_package_state"]
