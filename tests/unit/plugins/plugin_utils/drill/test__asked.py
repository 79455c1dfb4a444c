# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.drill import _fault
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.drill import _asked
from hypothesis import given
from hypothesis import strategies as st

BALANCERS = ["cp1", "cp2", "cp3"]
GROUPS = {"all": [*BALANCERS, "client", "other"], "clients": ["client", "other"]}


def read(play=(), **given_):
    return _asked.read({"endpoint_drill": True, **given_}, GROUPS, BALANCERS, play or BALANCERS)


def codes(problems):
    return sorted(problem.code for problem in problems)


def test_without_more_words_all_but_a_reboot_is_done_everywhere():
    asked, problems = read()
    assert problems == [] and asked.hosts == BALANCERS and asked.clients == ["localhost"]
    assert asked.faults == [name for name in _fault.FAULTS if name != "reboot"] and asked.seconds == 10


@pytest.mark.parametrize("word", [None, False, "no", "false", 0])
def test_it_has_to_be_wanted(word):
    assert codes(read(endpoint_drill=word)[1]) == ["drill_unconfirmed"]
    assert codes(_asked.read({}, GROUPS, BALANCERS, BALANCERS)[1]) == ["drill_unconfirmed"]


def test_faults_are_done_from_the_mildest_to_the_worst_and_each_once():
    assert read(endpoint_drill_faults="reboot,handover , reboot")[0].faults == ["handover", "reboot"]
    assert read(endpoint_drill_faults=["network_cut", "haproxy_hang"])[0].faults == ["haproxy_hang", "network_cut"]


def test_all_problems_are_told_at_once():
    dummy, problems = read(
        play=["cp1"], endpoint_drill="no", endpoint_drill_faults="hang", endpoint_hosts="client",
        endpoint_drill_clients="cp2,nobody", endpoint_drill_budget={"handover": "soon", "other": 1},
        endpoint_drill_seconds=500, endpoint_drill_apiserver_unit="x; reboot")
    assert codes(problems) == sorted([
        "drill_unconfirmed", "drill_partial", "choice_unknown", "host_not_balancer", "drill_client_balances",
        "host_unknown", "value_type", "key_unknown", "number_range", "value_characters"])
    assert all(problem.fix and problem.rule for problem in problems)


@pytest.mark.parametrize("value", ["", [], [""], "handover,", "all", 7, {"handover": 1}, True])
def test_what_names_no_fault_is_refused(value):
    assert read(endpoint_drill_faults=value)[1]


def test_budgets_are_for_all_or_by_fault():
    assert read(endpoint_drill_budget="0.5")[0].budgets == dict.fromkeys(_fault.FAULTS, 0.5)
    assert read(endpoint_drill_budget={"handover": 1})[0].budgets == {"handover": 1}
    assert read(endpoint_drill_budget='{"network_cut": 2.5}')[0].budgets == {"network_cut": 2.5}


def test_groups_are_clients_too():
    assert read(endpoint_drill_clients="clients,localhost")[0].clients == ["client", "other", "localhost"]


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
                    lambda items: st.lists(items, max_size=3) | st.dictionaries(st.text(max_size=8), items, max_size=3))


@given(st.sampled_from(_asked.VARIABLES), JSON)
def test_whatever_is_written_is_read_or_refused(name, value):
    asked, problems = read(**{name: value})
    if not problems:
        assert asked.faults and asked.hosts and asked.clients
        assert _fault.LEAST <= asked.seconds <= _fault.MOST
        assert all(0 < budget <= 60 for budget in asked.budgets.values())
