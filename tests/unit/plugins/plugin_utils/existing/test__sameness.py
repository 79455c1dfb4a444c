# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Old and new beside each other, and the outages that timers allow: computed by hand here."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.existing import _outcome, _sameness
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan._plan import compute_plan
from ansible_collections.kubeha.apiserver.tests.unit.plugins.plugin_utils.existing import cases

FAULTS = ("the holder's host dies", "keepalived is stopped", "HAProxy dies on the holder", "an API server dies",
          "an API server hangs")


def changed(*edits: tuple[str, str]) -> dict[str, t.Any]:
    """kubeadm's guide, with these words replaced in every file."""
    hosts = cases.existing(cases.case("kubeadm-services"))
    for existing in hosts.values():
        for file in existing["files"]:
            for old, new in edits:
                file["text"] = file["text"].replace(old, new)
    return hosts


def before(*edits: tuple[str, str]) -> dict[str, str]:
    hosts = changed(*edits)
    found = _outcome.outcome_of(hosts, list(hosts))
    assert not found.problems
    plan = compute_plan(_outcome.planned_intent(found), _outcome.planned_hosts(found), {})
    return {pair.what: pair.old for pair in _sameness.outages(found, plan)}


def test_the_guide_of_kubeadm() -> None:
    # 3 x 1 s and (256 - 100) / 256 s; the check: 10 x 3 s, its time-out 3 s, and the takeover; HAProxy asks every 2 s,
    # three times, and `timeout check` is 10 s.
    assert before() == dict(zip(FAULTS, ("3.6 s", "0.6 s", "36.6 s", "3.0 s", "36.0 s")))


@pytest.mark.parametrize("edit, fault, old", [
    (("weight -2", "weight 0"), "HAProxy dies on the holder", "33.6 s"),
    (("weight -2", "weight -1"), "HAProxy dies on the holder", "until somebody mends it"),
    (("interval 3", "interval 1"), "HAProxy dies on the holder", "14.6 s"),
    (("check_apiserver\n}", "another\n}"), "HAProxy dies on the holder", "until somebody mends it"),
    (("option redispatch", ""), "an API server dies", "6.0 s"),
    (("option ssl-hello-chk", "option tcp-check"), "an API server hangs", "until somebody mends it"),
    (("timeout check 10s", ""), "an API server hangs", "12.0 s"),
    (("virtual_router_id 51", "virtual_router_id 51\n    advert_int 5"), "the holder's host dies", "15.6 s"),
])
def test_each_setting_counts(edit: tuple[str, str], fault: str, old: str) -> None:
    assert before(edit)[fault] == old
    assert before()[fault] != old


def test_what_both_say() -> None:
    hosts = changed()
    found = _outcome.outcome_of(hosts, list(hosts))
    plan = compute_plan(_outcome.planned_intent(found), _outcome.planned_hosts(found), {})
    pairs = {pair.what: (pair.old, pair.new) for pair in _sameness.same(found, plan)}
    assert pairs["virtual IPs, ipv4"] == ("198.51.100.100",) * 2
    assert pairs["virtual router ID"] == ("51",) * 2
    assert pairs["priority of cp2"] == ("100", "149")
    assert pairs["holds first"] == ("cp1",) * 2
    assert pairs["holds now"][0] == "198.51.100.100 on cp1"
    assert pairs["port"] == ("8443",) * 2
