# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.intent._errors import Problems, Where
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan._versions import (
    FLOOR,
    HAPROXY,
    KEEPALIVED,
    parse_version,
    read_version,
    version_text,
)


@pytest.mark.parametrize(("given", "version"), [
    ("2.2.7", (2, 2, 7)), ("v2.2.7", (2, 2, 7)), ("2.6.12-1+deb12u2", (2, 6, 12)), ("1:2.3.3-1", (2, 3, 3)),
    ("1:2.2.8-1build2", (2, 2, 8)), ("2.2.8-3.el9", (2, 2, 8)), ("2.4.22-f8e3218", (2, 4, 22)), ("3.2", (3, 2, 0)),
    ("3.2-dev5", (3, 2, 0)), (" 2.1.5 ", (2, 1, 5)), ("2.10.0~rc1", (2, 10, 0)),
])
def test_versions_of_distributions(given: str, version: tuple[int, int, int]) -> None:
    assert parse_version(given) == version


@pytest.mark.parametrize("given", ["", "2", "latest", "2.2.7; reboot", "2.2.7\n2", "2..7", "a2.2", "2.2.7#", "99999.1"])
def test_no_versions(given: str) -> None:
    assert parse_version(given) is None


def test_versions_compare_as_numbers() -> None:
    assert parse_version("2.10.0") > parse_version("2.9.9")  # type: ignore[operator]


@pytest.mark.parametrize("daemon", [HAPROXY, KEEPALIVED])
def test_the_floor_is_supported(daemon: str) -> None:
    findings = Problems()
    assert read_version(daemon)(Where(findings, "version"), version_text(FLOOR[daemon])) == FLOOR[daemon]
    assert read_version(daemon)(Where(findings, "version"), "1.9.9") is None
    assert [problem.code for problem in findings.problems] == ["version_too_old"]
