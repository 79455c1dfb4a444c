# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one host does beside its plan."""

from __future__ import annotations

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.model import _accessors
from ansible_collections.kubeha.apiserver.plugins.module_utils.proof import _host_status
from ansible_collections.kubeha.apiserver.tests.unit import plans
from ansible_collections.kubeha.apiserver.tests.unit.observing import instance, observe

HOSTS = ["cp1", "cp2", "cp3"]
VIP4, VIP6 = "198.51.100.100", "2001:db8:1::100"
NAME = "kube-apiserver"


def make_plan(dual=False, failback=True, hosts=tuple(HOSTS), name=NAME, mode="service"):
    made = plans.endpoint(name, ("ipv4", "ipv6") if dual else ("ipv4",), hosts, failback=failback)
    return plans.plan(plans.pods(made) if mode == "static_pod" else made)


def test_unmet():
    plan = make_plan(dual=True)
    expected = {NAME: {"cp1": True, "cp2": False}}
    assert _host_status.unmet(plan, "cp1", observe(plan, "cp1"), expected) == []
    assert _host_status.unmet(plan, "cp2", observe(plan, "cp2"), expected) == []
    assert "it should hold" in _host_status.unmet(plan, "cp1", observe(plan, "cp1", holder="cp2"), expected)[0]
    assert "it should not hold" in _host_status.unmet(plan, "cp2", observe(plan, "cp2", holder="cp2"), expected)[0]
    half = dict(observe(plan, "cp3"), holds=[VIP6])
    assert _host_status.unmet(plan, "cp3", half, {}) == ["%s: it holds %s without %s" % (NAME, VIP6, VIP4)]
    down = observe(plan, "cp3")
    down["services"]["haproxy"]["active"] = "failed"
    assert _host_status.unmet(plan, "cp3", down, {}) == ["haproxy is failed"]


def test_a_host_whose_keepalived_starts_or_is_in_fault_is_not_ready():
    plan = make_plan()
    for state, text in (("init", "still starting"), ("fault", "in FAULT")):
        info = observe(plan, "cp2")
        info["keepalived"]["instances"] = {NAME + "-ipv4": instance(state)}
        assert [text in line for line in _host_status.unmet(plan, "cp2", info, {})] == [True]


def test_settle_is_longer_than_a_takeover():
    assert _accessors.settle_seconds(make_plan(), "cp1") == 1.65
    assert _accessors.settle_seconds(make_plan(), "stranger") == 0.0


def test_address_port():
    assert _host_status.address_port(VIP4, 1) == "198.51.100.100:1"
    assert _host_status.address_port(VIP6, 1) == "[2001:db8:1::100]:1"


def gate(daemons=("haproxy", "keepalived"), up=(NAME,), held=("cp1",), claims=None):
    return _host_status.Gate(daemons, up, {VIP4: held} if held else {}, {VIP4: ["cp1"]} if claims is None else claims)


def proven(change, **how):
    plan = make_plan()
    info = observe(plan, "cp2")
    change(info)
    return _host_status.not_proven(plan, "cp2", info, gate(**how))


def test_a_host_that_is_well_has_proven_itself():
    assert proven(lambda info: None) == []


@pytest.mark.parametrize(
    "word, change",
    [
        ("keepalived is failed", lambda info: info["services"]["keepalived"].update(active="failed")),
        ("another configuration", lambda info: info["reload_pending"].update(haproxy=True)),
        ("doesn't answer", lambda info: info["haproxy"].update(hung=True)),
        ("in FAULT", lambda info: info["keepalived"]["instances"].update({NAME + "-ipv4": instance("fault")})),
        ("still starting", lambda info: info["keepalived"]["instances"].update({NAME + "-ipv4": instance("init")})),
        ("no instance", lambda info: info["keepalived"]["instances"].update({"other": instance("backup")})),
        ("no API server any more", lambda info: [
            entry.update(status="DOWN") for entry in info["haproxy"]["backends"][NAME]]),
        # What HAProxy takes for up without having looked proves nothing.
        ("no API server any more", lambda info: [
            entry.update(check_status="INI") for entry in info["haproxy"]["backends"][NAME]]),
        ("has no server cp3", lambda info: info["haproxy"]["backends"][NAME].pop()),
    ],
)  # fmt: skip
def test_what_keeps_a_host_from_having_proven_itself(word, change):
    assert any(word in text for text in proven(change)), proven(change)


def test_a_vip_that_is_held_twice_or_by_nobody():
    assert proven(lambda info: None, claims={VIP4: ["cp1", "cp3"]}) == ["%s is held by cp1, cp3" % VIP4]
    assert proven(lambda info: None, claims={VIP4: []}) == ["nobody holds %s" % VIP4]
    # Who held it together before is mended at another turn, but nobody may join them.
    both = ["cp1", "cp3"]
    assert proven(lambda info: None, held=both, claims={VIP4: both}) == []
    assert proven(lambda info: None, held=both, claims={VIP4: ["cp1", "cp2", "cp3"]}) != []
    # HAProxy is there before keepalived is.
    assert proven(lambda info: None, daemons=["haproxy"], held=[], claims={VIP4: []}) == []


def test_api_servers_that_were_down_before_hold_nothing_against_a_host():
    def all_down(info):
        for entry in info["haproxy"]["backends"][NAME]:
            entry.update(status="DOWN", check_status="L7STS")

    assert proven(all_down, up=()) == []


def test_only_the_daemon_that_was_touched_counts():
    assert proven(lambda info: info["services"]["keepalived"].update(active="failed"), daemons=["haproxy"]) == []
