# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import types
from pathlib import Path

import pytest
from ansible_collections.kubeha.apiserver.plugins.action import endpoint_plan as action
from ansible_collections.kubeha.apiserver.plugins.module_utils.model import _planfile
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.intent._errors import problem_of
from ansible_collections.kubeha.apiserver.tests.unit import plans

NETWORKS = [{"interface": "eth0", "address": "198.51.100.%d", "prefix": 24}]
HOSTS = ("cp1", "cp2", "cp3")


def host(number):
    return {"networks": [{**NETWORKS[0], "address": "198.51.100.1%d" % number}]}


def found(hosts, stored=()):
    """What is known, with who balances by the plan that cp1 has stored."""
    intent = {"vip": "198.51.100.100", "lb_hosts": list(HOSTS), "apiserver_hosts": list(HOSTS)}
    deployed = {"cp1": _planfile.Deployed(plan=plans.plan(plans.endpoint(hosts=stored)))} if stored else {}
    return types.SimpleNamespace(intent=intent, hosts=hosts, deployed=deployed, lb_hosts=list(HOSTS))


ALL = {name: host(number) for number, name in enumerate(HOSTS, 1)}


@pytest.mark.parametrize(("said", "asked"), [
    (found(ALL), []),
    (found(ALL, HOSTS), []),
    (found({**ALL, "cp3": {}}), ["cp3"]),  # nobody tells its addresses
    (found({**ALL, "cp3": {"address": "198.51.100.13"}}), ["cp3"]),  # it may run the endpoint
    (found({**ALL, "cp3": {"address": "198.51.100.13"}}, HOSTS), []),
    (found(ALL, (*HOSTS, "cp4")), ["cp4"]),  # it may not know that it balances no more
    (found(ALL, (*HOSTS, "cp9")), []),  # the inventory doesn't have it
    (found({**ALL, "cp3": {}}, ("cp1", "cp4")), ["cp3", "cp4"])])
def test_who_has_to_be_asked_before_there_is_a_plan(said, asked):
    variables = {"ansible_play_batch": ["cp1", "cp2"], "hostvars": {name: {} for name in (*HOSTS, "cp4")}}
    assert action._to_ask(said, variables) == asked


def test_a_host_of_this_play_has_answered():
    said = found(ALL, (*HOSTS, "cp4"))
    assert action._to_ask(said, {"ansible_play_batch": ["cp4"], "hostvars": {"cp4": {}}}) == []


@pytest.mark.parametrize("ask", [["cp3"], []])
def test_a_plan_or_who_has_to_be_asked(monkeypatch, ask):
    made = found(ALL)
    made.problems, made.warnings = [], ["careful"]
    seen = {}

    def collect(*_args, **more):
        seen.update(more)
        return made

    monkeypatch.setattr(action, "collect", collect)
    monkeypatch.setattr(action, "_to_ask", lambda *_args: ask)
    plugin = object.__new__(action.ActionModule)
    plugin._task = types.SimpleNamespace(get_play=lambda: types.SimpleNamespace(strategy="linear"))
    plugin._templar = None
    args = {"gather": "plan", "intent": None, "file": None, "show": False, "or_ask": True}
    result = plugin._answer(args, {})
    assert result["ask"] == ask and ("plan" in result) is (not ask)
    # Who has been asked in an earlier play counts for nothing now.
    assert seen["asked"] is False
    assert "plan" in plugin._answer({**args, "or_ask": False}, {}) and seen["asked"] is True


def test_what_can_not_be_read_is_not_missing(monkeypatch):
    made = found(ALL)
    made.intent.pop("vip")
    made.problems, made.warnings = [], []
    monkeypatch.setattr(action, "collect", lambda *_args, **_more: made)
    plugin = object.__new__(action.ActionModule)
    plugin._task = types.SimpleNamespace(get_play=lambda: types.SimpleNamespace(strategy="linear"))
    plugin._templar = None
    args = {"gather": "plan", "intent": None, "file": None, "show": False, "or_ask": False}
    assert [item["code"] for item in plugin._answer(args, {})["problems"]] == ["vip_missing"]
    made.problems = [problem_of("template_failed", "cp1: endpoint_vip", "{{ x }}", reason="undefined", fix="define it")]
    assert [item["code"] for item in plugin._answer(args, {})["problems"]] == ["template_failed"]


OURS = "plugins/action/../../playbooks/site.yml"


@pytest.mark.parametrize("playbooks, run, skip, wrong", [
    ([OURS], ["all"], [], []),
    ([OURS], ["haproxy", "always"], ["verify"], []),
    ([OURS], ["nope", "haproxy"], ["keepalive"], [("--tags", "nope"), ("--skip-tags", "keepalive")]),
    (["kubeha.apiserver.site"], ["nope"], [], [("--tags", "nope")]),
    (["mine.yml"], ["nope"], [], []),
    ([OURS, "mine.yml"], ["nope"], [], []),
    ([], ["nope"], [], []),
])
def test_tags_that_nothing_has_are_refused_where_the_playbook_is_ours(monkeypatch, playbooks, run, skip, wrong):
    monkeypatch.chdir(Path(action.__file__).parents[2])
    monkeypatch.setattr(action.context, "CLIARGS", {"args": playbooks})
    args = {"tags": ["haproxy", "verify"]}
    problems = action._tagged(args, {"ansible_run_tags": run, "ansible_skip_tags": skip})
    assert [(item.where, item.value) for item in problems] == wrong
    assert all("haproxy, verify" in item.fix and item.code == "tag_unknown" for item in problems)
    assert action._tagged({"tags": None}, {"ansible_run_tags": ["nope"]}) == []


def test_a_playbook_without_tags_says_so(monkeypatch):
    monkeypatch.setattr(action.context, "CLIARGS", {"args": ["kubeha.apiserver.drain"]})
    (problem,) = action._tagged({"tags": []}, {"ansible_run_tags": ["haproxy"]})
    assert "no tags" in problem.fix
