# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.kubeha.apiserver.plugins.module_utils.drill import _fault
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.drill import _asked, _schedule
from ansible_collections.kubeha.apiserver.tests.unit import plans

ALL = _asked.Asked(list(_fault.FAULTS), ["cp1", "cp2", "cp3"], ["localhost"], {}, 10.0, None)


def test_each_fault_is_done_on_one_host_after_the_other_before_a_worse_one_is():
    found = _schedule.schedule(plans.plan(plans.endpoint()), ALL)
    assert [(step.fault, step.host) for step in found.steps] == [
        (fault, host) for fault in _fault.FAULTS for host in ALL.hosts]
    assert [step.number for step in found.steps] == list(range(21))
    assert found.settle == 30 and found.left_out == []


def test_hosts_without_an_api_server_are_left_out_and_said():
    endpoint = plans.endpoint()
    endpoint["backends"] = [server for server in endpoint["backends"] if server["name"] != "cp2"]
    found = _schedule.schedule(plans.plan(endpoint), ALL)
    assert [step.host for step in found.steps if step.fault == "apiserver_stop"] == ["cp1", "cp3"]
    assert found.left_out == ["apiserver_stop on cp2: no API server runs there"]
    assert "Left out: apiserver_stop on cp2" in _schedule.text(found, ALL)


def test_what_somebody_has_written_is_the_budget():
    asked = ALL._replace(budgets={"handover": 7.0})
    found = _schedule.schedule(plans.plan(plans.endpoint()), asked)
    assert {step.budgets["kube-apiserver"] for step in found.steps if step.fault == "handover"} == {7.0}
    assert all(step.budgets["kube-apiserver"] != 7.0 for step in found.steps if step.fault != "handover")


def test_it_says_before_what_it_will_do():
    plan = plans.plan(plans.endpoint(families=("ipv4", "ipv6")))
    found = _schedule.schedule(plan, ALL)
    text = _schedule.text(found, ALL)
    for words in ("network_cut", "cp1, cp2, cp3", "EXPECTED", "BUDGET", "198.51.100.100:8443",
                  "[2001:db8:1::100]:8443", "the controller", "minutes"):
        assert words in text
    assert "nothing is done" in _schedule.text(found, ALL, True)


def test_a_client_measures_longer_than_a_step_takes():
    found = _schedule.schedule(plans.plan(plans.endpoint()), ALL)
    for step in found.steps:
        assert _schedule.longest(step, found) > step.seconds + found.settle + (600 if step.fault == "reboot" else 60)


def test_what_hosts_cannot_do_is_said_of_what_is_wanted_of_them():
    found = _schedule.schedule(plans.plan(plans.endpoint()), ALL._replace(faults=["handover"], hosts=["cp1"]))
    assert _schedule.impossible({"cp1": {"handover": "old", "reboot": "x"}, "cp2": {"handover": "y"}}, found) == [
        "handover on cp1: old"]
