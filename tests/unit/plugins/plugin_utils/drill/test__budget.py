# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.drill import _fault
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.drill import _budget
from ansible_collections.kubeha.apiserver.tests.unit import plans
from hypothesis import given
from hypothesis import strategies as st


def test_what_the_plan_says_of_each_fault():
    """Of balanced: adverts each 0.1 s, ten of them, a check that hangs twice for a second."""
    endpoint = plans.endpoint()
    skew = _budget.skew(endpoint)
    assert 0 < skew < 0.1 and _budget.down(endpoint) == pytest.approx(1.0)
    assert _budget.expected("handover", endpoint) == 0
    assert _budget.expected("keepalived_stop", endpoint) == skew
    assert _budget.expected("network_cut", endpoint) == pytest.approx(1.0 + skew, abs=0.002)
    assert 2 < _budget.expected("haproxy_hang", endpoint) < 4.2


@given(st.sampled_from(_fault.FAULTS), st.floats(0.01, 5), st.integers(1, 30), st.integers(1, 254))
def test_a_slower_vrrp_never_has_a_smaller_budget(fault, interval, adverts, priority):
    endpoint = plans.endpoint()
    for instance in endpoint["instances"]:
        instance.update(advert_interval=interval, down_timer_adverts=adverts)
        for member in instance["members"]:
            member["priority"] = priority
    before = _budget.budget(fault, endpoint)
    assert before >= _budget.MARGIN
    for instance in endpoint["instances"]:
        instance.update(advert_interval=interval * 2, down_timer_adverts=adverts + 1)
    assert _budget.budget(fault, endpoint) >= before


def test_vrrp_2_counts_the_skew_in_whole_seconds():
    endpoint = plans.endpoint()
    endpoint["instances"][0]["vrrp_version"] = 2
    assert _budget.skew(endpoint) > 0.1
