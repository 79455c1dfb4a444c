# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of hosts: exactly the hosts that are named, or a problem for each that isn't one."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.intent._names import (
    from_json,
    hosts_named,
    outside,
    pieces,
)
from hypothesis import given
from hypothesis import strategies as st

GROUPS = {"all": ["cp1", "cp2", "cp3", "w1"], "ungrouped": [], "kube_control_plane": ["cp1", "cp2", "cp3"],
          "nobody": []}


@pytest.mark.parametrize(("value", "hosts"), [
    ("cp1", ["cp1"]), ("cp2,cp1", ["cp2", "cp1"]), (" cp2 , cp1 ", ["cp2", "cp1"]), (["cp1", " cp2"], ["cp1", "cp2"]),
    ('["cp1","cp2"]', ["cp1", "cp2"]), ("cp1,cp1", ["cp1"]), ("kube_control_plane", ["cp1", "cp2", "cp3"]),
    (["w1", "kube_control_plane"], ["w1", "cp1", "cp2", "cp3"]),
])
def test_exactly_the_hosts_that_are_named(value: t.Any, hosts: list[str]) -> None:
    assert hosts_named("endpoint_hosts", value, GROUPS) == (hosts, [])


@pytest.mark.parametrize(("value", "codes", "fix"), [
    ("", ["hosts_unnamed"], "endpoint_hosts=HOST,HOST"), ([], ["hosts_unnamed"], ""), (None, ["hosts_unnamed"], ""),
    (",", ["hosts_unnamed"], ""), ("  ", ["hosts_unnamed"], ""), (["", " "], ["hosts_unnamed"], ""),
    ("[]", ["hosts_unnamed"], ""), ('[""]', ["hosts_unnamed"], ""),
    ("cp9", ["host_unknown"], "add it to"), ("ccp2", ["host_unknown"], "write cp2"),
    ("CP2", ["host_unknown"], "write cp2"), ("cp-3", ["host_unknown"], "cp3"),
    ("zebra", ["host_unknown"], "add it to the inventory"),
    ("cp2,cp9,", ["host_unknown", "value_empty"], ""),
    ("!cp1", ["host_pattern"], "write out"), ("all:!w1", ["host_pattern"], ""), ("cp*", ["host_pattern"], ""),
    ("~cp.*", ["host_pattern"], ""), ("cp[1:3]", ["host_pattern"], ""),
    ("kube_control_plane:&all", ["host_pattern"], ""),
    ("all", ["host_pattern"], ""), (["cp1", "ungrouped"], ["host_pattern"], ""),
    ("nobody", ["group_empty"], ""), ('["cp1", "cp2"', ["value_type"], ""), ("['cp1', 'cp2']", ["value_type"], ""),
    (7, ["value_type"], ""), (True, ["value_type"], ""), ({"cp1": 1}, ["value_type"], ""),
    ('{"cp1": 1}', ["value_type"], ""),
    (["cp1", 7, None], ["value_type", "value_type"], ""), ([["cp1"]], ["value_type"], ""),
])
def test_all_that_is_wrong_at_once(value: t.Any, codes: list[str], fix: str) -> None:
    found = hosts_named("endpoint_hosts", value, GROUPS)
    assert [problem.code for problem in found.problems] == codes
    assert all(problem.where.startswith("endpoint_hosts") for problem in found.problems)
    assert fix in found.problems[0].fix
    json.dumps([problem.to_dict() for problem in found.problems])


def test_a_variable_that_nobody_wrote() -> None:
    found = hosts_named("endpoint_hosts", None, GROUPS, missing=True)
    assert [item.code for item in found.problems] == ["hosts_unnamed"]


def test_a_host_wins_over_a_group_and_a_pattern() -> None:
    groups = {"all": ["a[1]", "2001:db8::1", "x"], "x": ["2001:db8::1"]}
    assert hosts_named("endpoint_hosts", ["a[1]", "2001:db8::1", "x"], groups) == (groups["all"], [])


def test_hosts_that_this_run_cannot_act_on() -> None:
    found = outside("endpoint_hosts", ["cp1", "w1"], ["cp1", "cp2"], "host_not_balancer")
    assert [(item.code, item.value) for item in found] == [("host_not_balancer", "w1")]
    assert "cp1, cp2" in found[0].rule
    assert outside("endpoint_hosts", ["cp1"], ["cp1"], "host_outside_limit") == []


@pytest.mark.parametrize(("value", "meant"), [
    ('["a", "b"]', ["a", "b"]), (' {"a": 1}', {"a": 1}), ("[2001:db8::1]", "[2001:db8::1]"), ("7", "7"), ("a,b", "a,b"),
    ("[", "["), (7, 7), (None, None),
])
def test_json_in_a_text(value: t.Any, meant: t.Any) -> None:
    assert from_json(value) == meant


def test_what_is_no_list_stays() -> None:
    assert pieces(7) == 7
    assert pieces({"a": 1}) == {"a": 1}


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(GROUPS["all"]),
                    lambda inner: st.lists(inner, max_size=4), max_leaves=5))
def test_only_hosts_of_the_inventory_come_out(value: t.Any) -> None:
    found = hosts_named("endpoint_hosts", value, GROUPS)
    assert set(found.hosts) <= set(GROUPS["all"])
    assert found.hosts or found.problems
