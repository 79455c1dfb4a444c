# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubeha-watchdog, with the processes and addresses that a host has."""

from __future__ import annotations

import os
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.files import _host_files
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan._timing import PROFILES
from ansible_collections.kubeha.apiserver.tests.unit.planning import intent, plan
from ansible_collections.kubeha.apiserver.tests.unit.scripts import load

SCRIPT = Path(__file__).resolve().parents[2] / "roles/keepalived/files/kubeha-watchdog"
VIP = "198.51.100.100/32"
OTHER = "2001:db8::100/128"
ID = "4f0e" * 16

watchdog = load(SCRIPT)


class Machine:
    """A host with a keepalived whose process 20 watches over 21, a clock that the test sets, and no kernel."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, seconds: float = 1.5) -> None:
        self.root, self.at, self.waits = root, 100.0, 0
        self.addresses = {(VIP, "eth0"), ("198.51.100.11/24", "eth0")}
        self.said: list[str] = []
        self.ended: list[int] = []
        self.service = self.parent = 20
        self.asked = 0
        monkeypatch.setattr(watchdog, "run", self.run)
        monkeypatch.setattr(os, "kill", self.kill)
        # Who else has the VIP, when it's asked for.
        self.rival, self.questions = True, []
        monkeypatch.setattr(watchdog, "answers_arp", self.answer)
        monkeypatch.setattr(watchdog, "has_neighbour", self.answer)
        (root / watchdog.NOTE.lstrip("/")).parent.mkdir(parents=True)
        self.begin()
        self.watchdog = watchdog.Watchdog(seconds, [VIP, OTHER], watchdog.Host(str(root)), lambda: self.at,
                                          self.said.append)

    def run(self, *command: str, wanted: str = "output") -> str:
        if command[0] == "systemctl":
            self.asked += 1
            return "%d\n" % self.service
        if command[1] == "-o":
            return "".join("2: %s    inet %s scope global %s\\ valid_lft forever\n" % (name, address, name)
                           for address, name in sorted(self.addresses))
        self.addresses.discard((command[3], command[5]))
        return "0"

    def answer(self, *asked: str) -> bool:
        self.questions.append(asked)
        return self.rival

    def kill(self, process: int, signal: int) -> None:
        assert signal == 9
        self.ended.append(process)
        self.gone(process)

    def begin(self, main: int = 20, child: int = 21, group: str = "/system.slice/keepalived.service") -> None:
        self.process(main, "S", group=group, parent=1, children=[child])
        self.process(child, "S", group=group, parent=main)

    def process(self, number: int, state: str, waits: int = 0, computed: float = 0, name: str = "keepalived",
                parent: int = 20, group: str = "/", children: t.Iterable[int] = ()) -> None:
        place = self.root / "proc" / str(number)
        (place / "task" / str(number)).mkdir(parents=True, exist_ok=True)
        for path, content in (
                ("comm", name + "\n"), ("cgroup", "0::%s\n" % group),
                ("stat", "%d (a ) b) %s %d 0\n" % (number, state, parent)),
                ("status", "Name:\t%s\nState:\t%s (x)\nvoluntary_ctxt_switches:\t%d\nnonvoluntary_ctxt_switches:\t9\n"
                 % (name, state, waits)),
                ("schedstat", "%d 5 7\n" % (computed * 1e9)),
                ("task/%d/children" % number, " ".join(map(str, children)))):
            (place / path).write_text(content, encoding="utf-8")

    def gone(self, number: int) -> None:
        shutil.rmtree(self.root / "proc" / str(number), ignore_errors=True)

    def look(self, seconds: float, state: str = "S", waits: bool = True, computes: float = 0, child: int = 21) -> None:
        """In ticks. A process that computes gets that share of a processor."""
        for _step in range(round(seconds / 0.25)):
            self.at += 0.25
            self.waits += waits
            if (self.root / "proc" / str(child)).exists():
                self.process(child, state, self.waits, self.at * computes, parent=self.parent)
            self.watchdog.look()

    @property
    def noted(self) -> str | None:
        path = self.root / watchdog.NOTE.lstrip("/")
        return path.read_text(encoding="utf-8") if path.exists() else None

    @property
    def holds(self) -> bool:
        return (VIP, "eth0") in self.addresses


@pytest.fixture(name="machine")
def fixture_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path, monkeypatch)
    made.look(2)
    return made


def test_one_that_is_well_is_left_alone(machine: Machine) -> None:
    asked = machine.asked
    machine.look(3600)
    assert machine.holds and not machine.ended and not machine.said and not machine.questions
    assert machine.asked == asked, "all is well, and no process is started for that"


@pytest.mark.parametrize("state, why", [
    ("T", "stopped by a signal"), ("t", "held by a debugger"), ("D", "blocked in the kernel"), ("S", "it waits")])
def test_one_that_hangs_is_ended_and_loses_its_vips_and_nothing_else(machine: Machine, state: str, why: str) -> None:
    machine.look(1.25, state, waits=False)
    assert machine.holds
    machine.look(0.25, state, waits=False)
    assert machine.addresses == {("198.51.100.11/24", "eth0")}
    assert machine.ended == [20, 21], "the main process first, which would start the other one anew"
    assert machine.said == ["<4>keepalived hangs for 1.5 s (%s): took %s from eth0, and ended it" % (why, VIP)]
    assert machine.noted == "hangs for 1.5 s (%s)\n" % why


@pytest.mark.parametrize("hangs", [True, False])
def test_a_vip_that_nobody_else_has_stays_until_somebody_has_it(machine: Machine, hangs: bool) -> None:
    machine.rival = False
    if not hangs:
        machine.gone(20), machine.gone(21)
    machine.look(60, "T", waits=False)
    assert machine.holds and not machine.ended and not machine.said
    assert machine.questions[0] == ("eth0", VIP.partition("/")[0], "198.51.100.11")
    assert len(machine.questions) <= 60, "it's asked once a second"
    machine.rival = True
    machine.look(1, "T", waits=False)
    assert not machine.holds and machine.ended == ([20, 21] if hangs else [])


def test_ipv6_is_asked_for_too(machine: Machine) -> None:
    machine.addresses = {(OTHER, "eth0"), ("2001:db8::11/64", "eth0"), ("198.51.100.11/24", "eth0")}
    machine.look(2, "T", waits=False)
    assert machine.questions == [("eth0", "2001:db8::100")]
    assert (OTHER, "eth0") not in machine.addresses


def test_a_backup_that_hangs_is_ended_too(machine: Machine) -> None:
    machine.addresses.discard((VIP, "eth0"))
    machine.look(2, "T", waits=False)
    assert machine.ended == [20, 21] and "no virtual IP was here" in machine.said[0]


def test_what_comes_after_one_that_hung_is_watched_again(machine: Machine) -> None:
    machine.look(2, "T", waits=False)
    machine.begin(30, 31)
    machine.service = machine.parent = 30
    machine.addresses.add((VIP, "eth0"))
    machine.look(60, child=31)
    assert machine.holds and machine.ended == [20, 21]
    machine.look(2, "T", waits=False, child=31)
    assert not machine.holds and machine.ended == [20, 21, 30, 31]


def test_a_starved_host_is_no_fault_of_keepaliveds(machine: Machine) -> None:
    machine.look(600, "R", waits=False, computes=0.02)
    assert machine.holds and not machine.ended


def test_one_that_spins_is_ended_after_longer(machine: Machine) -> None:
    machine.look(4, "R", waits=False, computes=1)
    assert machine.holds
    machine.look(1, "R", waits=False, computes=1)
    assert not machine.holds and machine.ended == [20, 21]


def test_a_host_that_stood_still_gives_keepalived_its_time(machine: Machine) -> None:
    machine.at += 60
    machine.look(1.5, waits=False)
    assert machine.holds
    machine.look(0.5, waits=False)
    assert not machine.holds


def test_a_killed_one_that_does_not_come_back_loses_its_vips(machine: Machine) -> None:
    machine.gone(20), machine.gone(21)
    machine.look(1.5)
    assert machine.holds
    machine.look(0.5)
    assert not machine.holds and not machine.ended and machine.noted is None
    assert machine.said == ["<4>keepalived is gone for 1.5 s: took %s from eth0" % VIP]
    asked = machine.asked
    machine.look(600)
    assert machine.asked - asked < 150, "one that isn't there costs little"


def test_a_killed_one_that_is_started_again_takes_its_vips_away_by_itself(machine: Machine) -> None:
    """It has no process yet that speaks VRRP."""
    machine.gone(20), machine.gone(21)
    machine.look(1.25)
    machine.service = 30
    machine.process(30, "S", parent=1)
    machine.look(10)
    assert machine.holds and not machine.ended


def test_a_main_process_that_is_stopped_starts_nothing(machine: Machine) -> None:
    machine.gone(21)
    machine.process(20, "T", parent=1)
    machine.look(2)
    assert not machine.holds and machine.ended == [20]


def test_one_that_ends_in_peace_has_left_nothing(machine: Machine) -> None:
    machine.gone(20), machine.gone(21)
    machine.addresses.clear()
    machine.look(10)
    # Somebody else has it from now on.
    machine.addresses.add((VIP, "eth0"))
    machine.look(10)
    assert machine.holds and not machine.said


def test_where_none_ever_ran_nothing_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(tmp_path, monkeypatch)
    machine.service = 0
    machine.look(60)
    assert machine.holds and not machine.said


@pytest.mark.parametrize("address, interface", [
    ("198.51.100.100/24", "eth0"), ("198.51.100.101/32", "eth0"), (VIP, "lo")])
def test_only_what_keepalived_adds_is_taken(machine: Machine, address: str, interface: str) -> None:
    """The loopback interface has the VIP for a run that has keepalived let go of it."""
    machine.addresses.add((address, interface))
    machine.look(2, "T", waits=False)
    assert (address, interface) in machine.addresses and not machine.holds


def test_a_pod_is_known_by_its_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(tmp_path, monkeypatch)
    machine.service = 0
    logs = tmp_path / "var/log/containers"
    logs.mkdir(parents=True)
    uid = "0a" * 16
    (logs / ("kubeha-keepalived-cp1_kube-system_keepalived-%s.log" % ID)).symlink_to(
        "/var/log/pods/kube-system_kubeha-keepalived-cp1_%s/keepalived/0.log" % uid)
    machine.begin(group="/kubepods.slice/pod%s/cri-containerd-%s.scope" % (uid, ID))
    # Another one's, and a user's of the same name.
    machine.begin(40, 41, "/kubepods.slice/podx/cri-containerd-%s.scope" % ("77" * 32))
    machine.begin(50, 51, "/user.slice/%s" % ID)
    machine.look(10)
    machine.look(2, "T", waits=False)
    assert machine.ended == [20, 21] and not machine.holds


def test_its_patience_is_longer_than_a_takeover_and_than_keepaliveds_own_pauses() -> None:
    for name, timing in PROFILES.items():
        seconds = float(_host_files.host_view(plan(intent(timing=name)), "cp1")["watchdog"]["seconds"])
        assert seconds > timing.down_time + timing.advert_interval
        assert seconds > max(timing.local_interval, timing.check_interval if name == "kubeadm" else 0)
        assert seconds < timing.down_time + max(timing.check_interval, 1) + 1


def test_a_real_process(tmp_path: Path) -> None:
    """What is read of /proc is what this kernel writes."""
    program = tmp_path / "keepalived"
    program.symlink_to(shutil.which("bash") or "/bin/bash")
    # bash is keepalived's main process, and its child the one that speaks.
    process = subprocess.Popen([str(program), "-c", "(while :; do read -t 0.05; done) <>/dev/zero; :"],
                               stdin=subprocess.DEVNULL)
    try:
        host = watchdog.Host()
        deadline = watchdog.time.monotonic() + 10
        while not (children := host._children(process.pid)):
            assert watchdog.time.monotonic() < deadline
        host._open(children[0])
        first = host._looks()
        assert set(first) == set(children)
        while host._looks() == first:
            assert watchdog.time.monotonic() < deadline
        host.end(children)
        process.wait(10)
        while host._looks():
            assert watchdog.time.monotonic() < deadline
    finally:
        process.kill()
        process.wait()
