# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What problems show of values: enough to find them, on one line, in plain types, and no password."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.model._shapes import printable
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.codes._codes import CODES
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.intent._errors import (
    PlanError,
    Problems,
    Where,
    listed,
    show,
)
from hypothesis import given
from hypothesis import strategies as st

LOOP: list[t.Any] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(("value", "shown"), [
    (None, None), (True, True), (8443, 8443), (2 ** 64, "a number of 65 bits"), (0.1, 0.1),
    (float("nan"), "nan"), (float("-inf"), "-inf"), ("a\nb", "a\\nb"), ("\ud800", "\\ud800"),
    ("x" * 300, "x" * 120 + "..."), ((1, "a"), [1, "a"]), (list(range(9)), [0, 1, 2, 3, 4, 5, 6, 7, "..."]),
    ([[[1]]], [["a list"]]), (LOOP, [["a list"]]),
    ({"a": {1: {}}}, {"a": {"1": "a mapping"}}), ({"auth_password": "x", "Secret": 1}, dict.fromkeys(
        ("auth_password", "Secret"), "(hidden)")), ("auth_password: x", "(hidden)"), (b"", "something of type bytes"),
    ({number: number for number in range(9)}, {**{str(number): number for number in range(8)}, "...": "..."}),
])
def test_show(value: t.Any, shown: t.Any) -> None:
    assert show(value) == shown
    json.dumps(show(value), allow_nan=False)


@given(st.text(), st.integers(1, 300))
def test_printable(text: str, limit: int) -> None:
    found = printable(text, limit)
    assert found.isprintable()
    assert text[:limit] in found or not text[:limit].isprintable()
    found.encode("utf-8")


def test_listed() -> None:
    assert listed([]) == "none"
    assert listed("abc") == "a, b, c"
    assert listed(range(8)) == "0, 1, 2, 3, 4 and 3 more"


def test_the_same_is_not_said_twice() -> None:
    findings = Problems()
    for dummy in range(2):
        Where(findings, "endpoint_list")[1]["vip"].problem("vip_missing")
        findings.warn("hmac_untried")
    Where(findings, "endpoint_list")[2]["vip"].problem("vip_missing")
    assert [problem.where for problem in findings.problems] == ["endpoint_list[1].vip", "endpoint_list[2].vip"]
    assert len(findings.warnings) == 1


def test_a_value_cannot_fill_in_words() -> None:
    findings = Problems()
    findings.problem("vip_kind", "endpoint_vip", "{kind}", kind="{0.__class__}")
    assert findings.problems[0].rule == "{0.__class__} can't be a virtual IP"
    assert findings.problems[0].value == "{kind}"


def test_the_message_counts() -> None:
    findings = Problems()
    findings.problem("vip_missing", "endpoint_vip")
    lines = str(PlanError(findings.problems)).splitlines()
    assert lines[0] == "The plan has 1 problem; no host was touched."
    assert lines[1].startswith("  1. endpoint_vip: an endpoint needs")


def test_sentences() -> None:
    """Rules and fixes are joined with punctuation, so they bring none and begin in lower case."""
    names = ("Calico", "HAProxy", "HAProxy's", "NetworkManager", "VRRP", "VRRP's")
    for code, entry in CODES.items():
        for text in filter(None, (entry.why, entry.fix)):
            assert not text.endswith((".", ":", " ")) and not text.startswith(" "), code
            assert text[0] in "{`K" or text[0].islower() or text.split()[0] in names, code
