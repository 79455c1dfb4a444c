# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.history import _causes
from ansible_collections.kubeha.apiserver.tests.unit.recording import VIP, Records

CASES = {}


def case(*wanted):
    def note(tell):
        CASES[tell.__name__] = (tell, list(wanted))
        return tell
    return note


def daemon(records, name, why, host="cp1", at=100.0):
    records.add(at, host, "daemon", name, "gone")
    records.add(at, host, "exit", name, why)
    records.add(at + 3, host, "daemon", name, "running")


@case(("haproxy_oom", "cp1"))
def out_of_memory(records):
    records.add(99.5, "cp1", "mark", "haproxy-down", True)
    daemon(records, "haproxy", "oom")


@case(("keepalived_killed", "cp1"))
def killed(records):
    daemon(records, "keepalived", "signal KILL")


@case(("keepalived_hung", "cp1"))
def ended_by_its_watchdog(records):
    records.add(98.6, "cp1", "daemon", "keepalived", "frozen")
    records.moves(100.0, "cp1", "cp2")
    records.add(100.0, "cp1", "watchdog", "keepalived", "hangs for 1.5 s (stopped by a signal)")
    daemon(records, "keepalived", "signal KILL")


@case(("keepalived_hung", "cp1"), ("keepalived_killed", "cp1"))
def ended_by_its_watchdog_and_killed_later(records):
    records.moves(100.0, "cp1", "cp2")
    records.add(100.0, "cp1", "watchdog", "keepalived", "hangs for 1.5 s (it waits)")
    daemon(records, "keepalived", "signal KILL")
    daemon(records, "keepalived", "signal KILL", at=107.0)


@case(("haproxy_failed", "cp1"))
def failed(records):
    daemon(records, "haproxy", "exit 1")


@case(("keepalived_killed", "cp1"), ("haproxy_stopped", "cp1"), ("keepalived_killed", "cp1"),
      ("keepalived_hung", "cp1"))
def one_after_the_other_before_all_is_well(records):
    records.moves(100.0, "cp1", "cp2")
    daemon(records, "keepalived", "signal KILL", at=100.1)
    daemon(records, "haproxy", "stopped", at=106.0)
    daemon(records, "keepalived", "signal KILL", at=110.0)
    records.add(117.0, "cp1", "daemon", "keepalived", "frozen")
    records.add(118.0, "cp1", "daemon", "keepalived", "running")


@case(("keepalived_killed", "cp1"))
def ended_by_systemd_once_more(records):
    records.moves(99.9, "cp1", "cp2")
    records.add(100.0, "cp1", "daemon", "keepalived", "gone")
    records.add(100.0, "cp1", "exit", "keepalived", "signal KILL")
    records.add(101.0, "cp1", "daemon", "keepalived", "running")
    daemon(records, "keepalived", "stopped", at=102.0)


@case(("keepalived_killed", "cp1"), ("keepalived_stopped", "cp1"))
def killed_and_then_a_manifest_was_taken_away(records):
    daemon(records, "keepalived", "signal KILL")
    records.add(106.0, "cp1", "manifest", "keepalived", False)
    daemon(records, "keepalived", "unknown", at=107.0)


@case(("keepalived_stopped", "cp1"))
def stopped(records):
    daemon(records, "keepalived", "stopped")


@case(("haproxy_stopped", "cp1"))
def a_manifest_was_taken_away(records):
    records.add(99.0, "cp1", "manifest", "haproxy", False)
    daemon(records, "haproxy", "unknown")


@case(("haproxy_hung", "cp1"))
def frozen(records):
    records.add(100.0, "cp1", "daemon", "haproxy", "frozen")


@case(("haproxy_hung", "cp1"))
def unanswered(records):
    records.add(100.0, "cp1", "check", "haproxy", "4711")
    records.moves(100.2, "cp1", "cp2")


@case(("link_lost", "cp1"))
def link(records):
    records.add(100.0, "cp1", "link", "eth0", False)
    records.add(101.0, "cp1", "server", "kube-apiserver/cp2", "DOWN", why="L4TOUT")


@case(("host_frozen", "cp1"))
def stood_still(records):
    records.add(100.0, "cp1", "gap", "host", 4.0)
    records.moves(100.4, None, "cp2")
    records.add(104.2, "cp1", "check", "haproxy", "4711")
    records.add(101.0, "cp2", "server", "kube-apiserver/cp1", "DOWN", why="L4TOUT")


@case(("host_rebooted", "cp1"))
def rebooted(records):
    daemon(records, "keepalived", "stopped", at=100.0)
    records.add(130.0, "cp1", "boot", "host", True, first=True, before=1796000101.0)


@case(("host_rebooted", "cp1"), ("keepalived_stopped", "cp1"))
def rebooted_and_then_stopped(records):
    records.moves(100.0, "cp1", "cp2")
    records.add(130.0, "cp1", "boot", "host", True, first=True, before=1796000101.0)
    records.add(130.1, "cp1", "daemon", "keepalived", "gone", first=True)
    records.add(131.0, "cp1", "daemon", "keepalived", "running")
    records.add(131.2, "cp1", "loaded", "haproxy", 4711)
    records.moves(134.0, "cp2", "cp1")
    records.moves(134.8, "cp1", "cp2")
    daemon(records, "keepalived", "stopped", at=135.8)


@case(("apiserver_down", "cp3"))
def api_server(records):
    for number, host in enumerate(("cp1", "cp2", "cp3")):
        records.add(100.0 + number, host, "server", "kube-apiserver/cp3", "DOWN", why="L4CON")


@case(("no_apiserver", "cp1"))
def pods_see_no_api_server(records):
    records.add(100.0, "cp1", "check", "kube-apiserver-ipv4", "down")
    records.moves(101.0, "cp1", "cp2")


@case(("drained", "cp1"))
def drained(records):
    records.add(99.0, "cp1", "run", "host", "root@admin")
    records.add(100.0, "cp1", "mark", "drained", True)
    records.moves(100.5, "cp1", "cp2")
    records.add(103.0, "cp1", "run", "host", None)


@case(("haproxy_killed", "cp1"), ("run", "cp2"))
def killed_during_a_run(records):
    records.add(101.0, "cp2", "run", "host", "root@admin")
    daemon(records, "haproxy", "signal SEGV")


@case(("stranger", "198.51.100.77"))
def stranger(records):
    for host in ("cp1", "cp2"):
        records.add(100.0, host, "stranger", "100 198.51.100.77", 250, mac="02:00:00:00:00:01")


@case(("clock_stepped", "cp2"))
def clock(records):
    records.add(100.0, "cp2", "clock", "host", -3600.0)


@case(("host_silent", "cp1"))
def its_record_is_gone(records):
    records.why["cp1"] = "No route to host"
    for host in ("cp2", "cp3"):
        records.add(100.0, host, "advert", records.router("cp1"), None)
    records.moves(100.4, None, "cp2")


@case(("not_heard", "cp1"))
def partition(records):
    for host in ("cp2", "cp3"):
        records.add(100.0, host, "advert", records.router("cp1"), None)
    records.moves(100.4, None, "cp2")


@case(("not_heard", "cp1"))
def nobody_hears_the_holder_which_gives_way(records):
    for host in ("cp2", "cp3"):
        records.add(100.0, host, "advert", records.router("cp1"), None)
    records.moves(101.0, None, "cp2")
    records.add(102.7, "cp1", "mark", "moving", True)
    records.add(102.7, "cp1", "vip", VIP, False)


@case(("keepalived_reloaded", "cp2"))
def somebody_changed_its_configuration(records):
    records.add(99.8, "cp2", "loaded", "keepalived", 4711)
    records.moves(100.0, "cp1", "cp2")


@case(("run", "cp1"))
def a_first_run_switches_the_recorder_on(records):
    records.add(2.0, "cp1", "run", "host", "root@admin", first=True)
    records.moves(3.0, "cp1", "cp2")
    records.add(9.0, "cp1", "run", "host", None)


@case(("unknown", "cp1"))
def nobody_knows(records):
    records.moves(100.0, "cp1", "cp2")


@pytest.mark.parametrize("name", sorted(CASES))
def test_the_cause_is_named(name):
    tell, wanted = CASES[name]
    records = Records()
    tell(records)
    [found] = records.causes()
    assert found == wanted


def test_all_words_fit():
    for code in _causes.WORDS:
        assert _causes.text(_causes.Cause(code, "HOST", 0.0, "ABOUT")).count("%") == 0


def test_every_code_has_a_case():
    said = {code for _tell, wanted in CASES.values() for code, _host in wanted}
    daemons = {name.partition("_")[2] for name in said if name.startswith(("haproxy_", "keepalived_"))}
    others = {code for code in _causes.WORDS if not code.startswith(("haproxy_", "keepalived_"))}
    assert others - said == {"host_lost_power", "undrained"}
    assert daemons == {"oom", "killed", "failed", "stopped", "hung", "reloaded"}


def test_a_backup_that_gives_way_is_silent_and_nothing_is_wrong():
    records = Records()
    daemon(records, "keepalived", "stopped")
    records.moves(100.0, "cp1", "cp2")
    records.moves(130.0, "cp2", "cp1")
    for host in ("cp1", "cp3"):
        records.add(130.1, host, "advert", records.router("cp2"), None)
    assert records.causes() == [[("keepalived_stopped", "cp1")]]
    assert VIP in records.merged().vips
