# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random

from ansible_collections.kubeha.apiserver.plugins.plugin_utils.history import _incidents, _merge, _story
from ansible_collections.kubeha.apiserver.tests.unit.recording import HOSTS, START, VIP, Records


def test_what_ends_something_belongs_to_where_it_began():
    records = Records()
    records.add(100.0, "cp1", "daemon", "keepalived", "gone")
    records.moves(100.0, "cp1", "cp2")
    records.add(400.0, "cp1", "daemon", "keepalived", "running")
    # Long after: nothing but a VIP that comes back.
    records.moves(450.0, "cp2", "cp1")
    found = _incidents.incidents(records.merged())
    assert len(found) == 1 and round(found[0].last - START) == 450
    assert not found[0].open and not found[0].moved


def test_what_happens_when_all_is_over_is_something_else():
    records = Records()
    for at in (100.0, 104.0):
        records.add(at, "cp3", "daemon", "haproxy", "gone")
        records.add(at + 1, "cp3", "daemon", "haproxy", "running")
    assert len(_incidents.incidents(records.merged())) == 2


def test_only_what_lies_between_the_two_moments():
    records = Records()
    for at in (100.0, 200.0, 300.0):
        records.add(at, "cp3", "gap", "host", 4.0)
    found = _incidents.incidents(records.merged(), START + 150, START + 250)
    assert [round(item.at - START) for item in found] == [200]


def test_a_run_is_one_incident_whatever_it_restarts():
    records = Records()
    for number, host in enumerate(HOSTS):
        begun = 100.0 + 60 * number
        records.add(begun, host, "run", "host", "root@admin")
        records.add(begun + 5, host, "daemon", "haproxy", "gone")
        records.add(begun + 5, host, "exit", "haproxy", "stopped")
        records.add(begun + 6, host, "daemon", "haproxy", "running")
        records.add(begun + 20, host, "run", "host", None)
    assert records.causes() == [[("run", "cp1, cp2, cp3")]]


def test_a_first_deployment_is_over_with_its_run():
    """Its VIP comes from nowhere, so it's never as it was before. What happens at once afterwards is something else."""
    records = Records(held=False)
    for host in HOSTS:
        records.add(100.0, host, "run", "host", "root@admin")
        records.add(130.0, host, "run", "host", None)
    records.moves(120.0, None, "cp3")
    records.moves(121.0, "cp3", "cp1")
    for at in (132.0, 137.0):
        # The VIP is seen to go before its daemon is.
        records.moves(at, "cp1", "cp2")
        records.add(at + 0.1, "cp1", "daemon", "keepalived", "gone")
        records.add(at + 0.1, "cp1", "exit", "keepalived", "stopped")
        records.add(at + 1, "cp1", "daemon", "keepalived", "running")
        records.moves(at + 3, "cp2", "cp1")
    assert records.causes() == [[("run", "cp1, cp2, cp3")], *[[("keepalived_stopped", "cp1")]] * 2]


def test_whose_record_is_not_there_may_have_had_the_vip():
    records = Records()
    records.why["cp1"] = "it's off"
    records.add(100.0, "cp2", "link", "eth1", False)
    records.moves(100.0, None, "cp2")
    records.add(104.0, "cp3", "daemon", "haproxy", "gone")
    assert len(_incidents.incidents(records.merged())) == 1


def test_a_host_that_was_off_had_no_vip_meanwhile():
    records = Records()
    for host in ("cp2", "cp3"):
        records.add(100.3, host, "advert", records.router("cp1"), None)
    records.moves(100.7, None, "cp2")
    records.add(120.0, "cp1", "boot", "host", False, first=True, before=START + 98.0)
    records.add(121.0, "cp1", "vip", VIP, False, first=True)
    records.moves(150.0, "cp2", "cp1")
    [told] = records.told()
    assert [(cause.code, round(cause.at - START, 1)) for cause in told.causes] == [("host_lost_power", 100.3)]
    assert [(move.host, move.back) for move in told.moves] == [("cp2", False), ("cp1", True)]


def test_any_order_of_anything_is_told():
    """Thousands of random records: no traceback, each event at most once, in order."""
    kinds = {"vip": (VIP, (True, False)), "daemon": ("haproxy", ("gone", "running", "frozen", 7)),
             "exit": ("haproxy", ("oom", "stopped", None, "signal KILL")), "link": ("eth0", (True, False)),
             "server": ("kube-apiserver/cp1", ("UP", "DOWN", None)), "gap": ("host", (3.0, None, "x")),
             "boot": ("host", (True, False)), "mark": ("drained", (True, False)), "clock": ("host", (5.0, "x")),
             "run": ("host", ("a", "b", None)), "stranger": ("100 198.51.100.77", (7, None)),
             "advert": ("100 198.51.100.11", (150, 0, None)), "check": ("haproxy", ("12", None))}
    for seed in range(60):
        chosen = random.Random(seed)
        records = Records()
        for dummy in range(80):
            kind = chosen.choice(sorted(kinds))
            about, values = kinds[kind]
            more = {"before": START + chosen.uniform(0, 1000)} if kind == "boot" else {}
            records.add(chosen.uniform(2, 600), chosen.choice(HOSTS), kind, about, chosen.choice(values), **more)
        merged = _merge.merge(records.answers())
        found = _incidents.incidents(merged)
        ids = [id(event) for item in found for event in item.events]
        assert len(ids) == len(set(ids))
        for item in found:
            assert [event.at for event in item.events] == sorted(event.at for event in item.events)
        assert all(item.text for item in _story.tell(found, merged))
