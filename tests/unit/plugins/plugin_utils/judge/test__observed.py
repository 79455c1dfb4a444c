# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.judge import _observed as observed
from ansible_collections.kubeha.apiserver.tests.unit import plans

HOSTS = ["cp1", "cp2", "cp3"]
PLAN = plans.plan(plans.endpoint())
HAS = {"networks": [], "deployed": {"plan": PLAN, "error": None}}
HAS_NOT = {"networks": [], "deployed": {"plan": None, "error": None}}


class HostVars(dict):
    """As Ansible's: raw_get gives what was written, without templating."""

    raw_get = dict.__getitem__


def variables(batch, own=None, others=None, asked=None):
    """What a task sees in a batch, where hosts have registered `own` observations."""
    hostvars = HostVars({host: {} for host in HOSTS})
    for host, info in (own or {}).items():
        hostvars[host]["__endpoint_info"] = info
    for name, results in (("__endpoint_others", others), ("__endpoint_asked", asked)):
        if results:
            items = [dict(info, item=host) for host, info in results.items()]
            hostvars[batch[0]][name] = {"results": items}
    return {"hostvars": hostvars, "ansible_play_batch": batch, **hostvars[batch[0]]}


def read_of(task_vars):
    return observed.read_observations(task_vars, [*HOSTS, "not-in-the-inventory"])


def test_fresh_are_those_of_the_batch():
    seen = read_of(variables(["cp2"], {"cp1": HAS, "cp2": HAS}))
    assert (list(seen.fresh), list(seen.earlier)) == (["cp2"], ["cp1"])


def test_members_outside_of_the_batch_that_were_looked_at_are_fresh():
    seen = read_of(variables(["cp2"], {"cp1": HAS_NOT, "cp2": HAS}, others={"cp1": HAS}))
    assert list(seen.fresh) == ["cp2", "cp1"]
    assert seen.fresh["cp1"]["deployed"]["plan"] == PLAN


def test_what_the_shell_said_where_no_module_ran():
    said = {"failed": True, "msg": "No start of json char found\nSee stderr"}
    assert observed.why_not(dict(said, module_stderr="")) == "No start of json char found"
    assert observed.why_not(dict(said, module_stderr="Hello!\n/bin/sh: 1: sudo: not found\n")) == (
        "No start of json char found: /bin/sh: 1: sudo: not found")
    assert observed.why_not(dict(said, module_stderr="\x1b[31m red")) == "No start of json char found: \\x1b[31m red"
    assert observed.why_not({"msg": None, "module_stderr": None}) == "no reason was given"


@pytest.mark.parametrize("info", [{"unreachable": True, "msg": "no route\nmore"}, {"failed": True, "msg": "no route"}])
def test_hosts_that_could_not_be_asked(info):
    seen = read_of(variables(HOSTS, {"cp1": HAS, "cp2": info}))
    assert seen.unreachable == {"cp2": "no route"}
    assert list(seen.fresh) == ["cp1"]


def test_skipped_is_not_seen():
    seen = read_of(variables(HOSTS, {"cp1": {"skipped": True, "changed": False}}))
    assert seen == observed.Observed({}, {}, {})


def test_scope_of_a_whole_run():
    scope = observed.scope_of(PLAN, observed.Observed({}, {}, {}), variables(HOSTS))
    assert (scope.applied, scope.partial) == (frozenset(HOSTS), False)


def test_scope_of_a_batch():
    task_vars = variables(["cp2", "other"], {"cp1": HAS, "cp3": HAS_NOT})
    scope = observed.scope_of(PLAN, read_of(task_vars), task_vars)
    assert scope.applied == {"cp2"}
    assert (scope.elsewhere, scope.absent, scope.partial) == ({"cp1"}, {"cp3"}, True)


EXPECTATION_DATA = [
    # (batch, own observations, asked, host, expected)
    (HOSTS, {}, {}, "cp1", True),
    (HOSTS, {}, {}, "cp2", False),
    # The first batch of several: nobody knows whether cp1 has the endpoint.
    (["cp2"], {"cp2": HAS_NOT}, {}, "cp2", None),
    (["cp2"], {"cp2": HAS_NOT}, {"cp1": HAS_NOT, "cp3": HAS_NOT}, "cp2", True),
    (["cp2"], {"cp2": HAS_NOT}, {"cp1": HAS, "cp3": HAS_NOT}, "cp2", False),
    (["cp1"], {"cp1": HAS_NOT}, {}, "cp1", True),
    (["cp2"], {"cp1": HAS, "cp2": HAS}, {}, "cp2", False),
    # What an earlier batch saw of a member is older than what it reported itself.
    (["cp2"], {"cp1": HAS}, {"cp1": HAS_NOT}, "cp2", False),
]


@pytest.mark.parametrize("batch, own, asked, host, expected", EXPECTATION_DATA)
def test_expectation(batch, own, asked, host, expected):
    task_vars = variables(batch, own, asked=asked)
    assert observed.expectation(PLAN, host, task_vars) == {"kube-apiserver": expected}


def test_no_expectation_of_strangers():
    assert observed.expectation(PLAN, "other", variables(HOSTS)) == {}


def test_plan_of_host():
    other = plans.endpoint("other", hosts=("cp9",))
    plan = dict(PLAN, endpoints=[*PLAN["endpoints"], other])
    assert observed.plan_of_host(plan, "cp9") == dict(PLAN, endpoints=[other])
    assert observed.plan_of_host(plan, "stranger")["endpoints"] == []
