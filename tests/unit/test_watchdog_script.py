# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubeha-watchdog, with the processes and addresses that a host has."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.run import _run_lock
from ansible_collections.kubeha.apiserver.plugins.module_utils.segment import _vrrp
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.files import _host_files
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan._timing import PROFILES
from ansible_collections.kubeha.apiserver.tests.unit.planning import intent, plan
from ansible_collections.kubeha.apiserver.tests.unit.scripts import load
from hypothesis import given
from hypothesis import strategies as st

SCRIPT = Path(__file__).resolve().parents[2] / "roles/keepalived/files/kubeha-watchdog"
VIP = "198.51.100.100/32"
OTHER = "2001:db8::100/128"
ID = "4f0e" * 16

watchdog = load(SCRIPT)
# Which the script finds beside itself.
host_of, wire = sys.modules["watchdog_host"], sys.modules["shared_wire"]
OTHER_ROUTER = "b,eth0,77,149,198.51.100.13"
ROUTER = "a,eth0,100,150,198.51.100.12,198.51.100.13"


class Machine:
    """A host with a keepalived whose process 20 watches over 21, a clock that the test sets, and no kernel."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, seconds: float = 1.5) -> None:
        self.root, self.at, self.waits = root, 100.0, 0
        self.addresses = {(VIP, "eth0"), ("198.51.100.11/24", "eth0")}
        self.said: list[str] = []
        self.ended: list[int] = []
        self.service = self.parent = 20
        self.asked = 0
        monkeypatch.setattr(host_of, "run", self.run)
        monkeypatch.setattr(os, "kill", self.kill)
        # Who else has the VIP, when it's asked for.
        self.rival, self.questions = True, []
        monkeypatch.setattr(host_of, "answers_arp", self.answer)
        monkeypatch.setattr(host_of, "has_neighbour", self.answer)
        (root / watchdog.NOTE.lstrip("/")).parent.mkdir(parents=True)
        self.begin()
        self.host = watchdog.Host(str(root))
        self.watchdog = watchdog.Watchdog(seconds, [VIP, OTHER], self.host, lambda: self.at, self.said.append)

    def run(self, *command: str) -> str:
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


class Listener(Machine):
    """The same, which hears others' adverts."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(root, monkeypatch)
        self.adverts: list[tuple[str, int, int]] = []
        self.told: list[tuple[str, str, bytes]] = []
        self.files = {name: root / path.lstrip("/") for name, path in (
            ("moving", host_of.MOVING), ("holder", host_of.HOLDER + "a"), ("way", watchdog.GIVES_WAY))}
        for name in ("moving", "holder"):
            self.files[name].parent.mkdir(parents=True, exist_ok=True)
        self.files["moving"].write_text("0\n")
        self.files["holder"].write_text("1\n")
        monkeypatch.setattr(self.host, "packets", self.packets)
        monkeypatch.setattr(self.host, "announce", lambda *told: self.told.append(told))
        monkeypatch.setattr(watchdog.time, "sleep", self.sleep)
        monkeypatch.setattr(host_of.time, "clock_gettime", lambda _clock: self.at)
        self.begin_to_listen()

    def begin_to_listen(self) -> None:
        routers = [watchdog.Router.of(text) for text in (OTHER_ROUTER, ROUTER)]
        self.mute = watchdog.Mute(1.5, [VIP], routers, self.host, lambda: self.at, self.said.append)

    def packets(self, routers: t.Any) -> t.Iterator[tuple[str, bytes, bytes]]:
        assert [(router.interface, router.family) for router in routers] == [("eth0", 4), ("eth0", 4)]
        for source, vrid, priority in self.adverts:
            payload = _vrrp.build_advert(source, "198.51.100.11", 3, vrid, priority, 0.1, ["198.51.100.100"])
            header = bytes((0x45, 0, 0, 20 + len(payload), 0, 0, 0, 0, 255, 112, 0, 0))
            addresses = socket.inet_aton(source) + socket.inet_aton("198.51.100.11")
            yield "eth0", header + addresses + payload, b"\2\0\0\0\0\2"

    def sleep(self, seconds: float) -> None:
        """keepalived gives way as soon as it sees the file."""
        self.at += seconds
        if self.moving:
            self.addresses.discard((VIP, "eth0"))

    def hear(self, seconds: float, *adverts: tuple[str, int, int]) -> None:
        for _step in range(round(seconds / 0.25)):
            self.at += 0.25
            self.adverts = list(adverts)
            self.mute.look()

    def lock(self, seconds: float, boot: str = "this") -> None:
        """As a run does it, for so many seconds of the test's clock."""
        self.note({"boot": boot, "at": self.at, "until": self.at + seconds})

    def note(self, lock: t.Any) -> None:
        for path, content in ((host_of.BOOT, "this\n"), (host_of.LOCK, json.dumps(lock))):
            place = self.root / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(content)

    def unlock(self) -> None:
        (self.root / host_of.LOCK.lstrip("/")).unlink()

    @property
    def moving(self) -> bool:
        return self.files["moving"].read_text().strip() == "1"


@pytest.fixture(name="listener")
def fixture_listener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Listener:
    return Listener(tmp_path, monkeypatch)


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


# Nobody hears this host


RIVAL = ("198.51.100.12", 100, 149)


def test_who_is_not_heard_gives_way_and_tells_who_has_the_vip(listener: Listener) -> None:
    listener.hear(1.5, RIVAL)
    assert not listener.moving
    listener.hear(0.5, RIVAL)
    assert listener.moving and listener.files["way"].read_text() == "198.51.100.12\n"
    assert listener.told == [("198.51.100.100", "eth0", b"\2\0\0\0\0\2")]
    assert listener.said == ["<4>198.51.100.12 doesn't hear this host's adverts, and has %s as well: this host gives "
                             "way for 60 s" % VIP]


@pytest.mark.parametrize("advert", [
    ("198.51.100.12", 100, 151), ("198.51.100.12", 101, 149), ("198.51.100.99", 100, 149), ("198.51.100.12", 100, 0)],
    ids=["ranks higher", "another router", "a stranger", "resigns"])
def test_others_are_no_reason_to_give_way(listener: Listener, advert: tuple[str, int, int]) -> None:
    listener.hear(60, advert)
    assert not listener.moving and not listener.questions


def test_a_backup_asks_nobody(listener: Listener) -> None:
    """Not even where it holds another endpoint's VIP."""
    listener.files["holder"].write_text("0\n")
    listener.files["holder"].with_name("holder-b").write_text("1\n")
    listener.hear(600, RIVAL)
    assert not listener.moving and not listener.questions


def test_who_takes_the_vip_back_gives_the_former_holder_its_time(listener: Listener) -> None:
    listener.files["holder"].write_text("0\n")
    listener.hear(60, RIVAL)
    listener.files["holder"].write_text("1\n")
    listener.hear(1.5, RIVAL)
    listener.hear(60)
    assert not listener.moving and not listener.questions


def test_it_gives_way_to_nobody_who_does_not_answer_for_the_vip(listener: Listener) -> None:
    listener.rival = False
    listener.hear(60, RIVAL)
    assert not listener.moving and 30 < len(listener.questions) <= 60


def test_adverts_with_pauses_are_of_one_who_hears(listener: Listener) -> None:
    for _time in range(20):
        listener.hear(1, RIVAL)
        listener.hear(2)
    assert not listener.moving


def test_one_who_speaks_once_a_second_speaks_on(listener: Listener) -> None:
    for _time in range(3):
        listener.hear(0.25, RIVAL)
        listener.hear(0.75)
    assert listener.moving


def test_it_tries_again_later_and_later(listener: Listener) -> None:
    pauses = []
    for _time in range(8):
        listener.hear(3, RIVAL)
        assert listener.moving
        begun = listener.at
        while listener.moving:
            listener.hear(1, RIVAL)
        pauses.append(round(listener.at - begun, -1))
        assert not listener.files["way"].exists()
        listener.addresses.add((VIP, "eth0"))
    assert pauses == [60, 120, 240, 480, 960, 1920, 3600, 3600]
    listener.hear(700)
    listener.hear(3, RIVAL)
    assert "gives way for 60 s" in listener.said[-1]


def test_a_run_may_end_it_and_begins_nothing_while_it_moves_the_host(listener: Listener) -> None:
    listener.files["moving"].write_text("1\n")
    listener.hear(5, RIVAL)
    assert not listener.said and not listener.files["way"].exists()
    listener.files["moving"].write_text("0\n")
    listener.hear(5, RIVAL)
    assert listener.moving
    listener.files["moving"].write_text("0\n")
    listener.addresses.add((VIP, "eth0"))
    listener.hear(0.25)
    assert not listener.files["way"].exists() and not listener.moving


def test_it_does_not_begin_while_a_run_changes_the_host(listener: Listener) -> None:
    listener.lock(600)
    listener.hear(60, RIVAL)
    assert not listener.moving and not listener.questions and not listener.said
    listener.unlock()
    listener.hear(1, RIVAL)
    assert listener.moving, "it looks once a second"


def test_it_does_not_end_while_a_run_changes_the_host(listener: Listener) -> None:
    listener.hear(3, RIVAL)
    listener.lock(600)
    listener.hear(300, RIVAL)
    assert listener.moving and listener.files["way"].exists()
    listener.unlock()
    listener.hear(1, RIVAL)
    assert not listener.moving and not listener.files["way"].exists()


def test_what_a_run_writes_meanwhile_is_the_runs(listener: Listener) -> None:
    listener.hear(3, RIVAL)
    listener.lock(600)
    listener.files["moving"].write_text("0\n")
    listener.hear(0.25)
    assert not listener.files["way"].exists()
    listener.files["moving"].write_text("1\n")
    listener.unlock()
    listener.hear(300)
    assert listener.moving


def test_a_run_that_restarts_it_ends_nothing(listener: Listener) -> None:
    listener.hear(3, RIVAL)
    listener.lock(600)
    listener.mute.leave()
    assert listener.moving and listener.files["way"].exists()
    listener.begin_to_listen()
    listener.unlock()
    listener.hear(62, RIVAL)
    assert not listener.moving and not listener.files["way"].exists()


def test_the_lock_of_a_killed_run_ends_by_itself(listener: Listener) -> None:
    listener.lock(100)
    listener.hear(98, RIVAL)
    assert not listener.moving
    listener.hear(4, RIVAL)
    assert listener.moving


NUMBERS = st.one_of(st.floats(-1e9, 1e9), st.integers(-9999, 9999))
LOCKS = st.one_of(
    st.builds(lambda boot, at, until, more: {"boot": boot, "at": at, "until": until, **more},
              st.sampled_from(["this", "other"]), NUMBERS, NUMBERS, st.just({"name": "run"})),
    st.dictionaries(st.sampled_from(["boot", "at", "until"]), st.one_of(st.none(), st.text(), st.lists(st.none()))),
    st.none(), st.text(), st.lists(st.integers()), st.integers())


@given(LOCKS, st.floats(-1e4, 1e9))
def test_a_lock_counts_for_it_as_it_does_for_runs(
        tmp_path_factory: pytest.TempPathFactory, lock: t.Any, now: float) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        listener = Listener(tmp_path_factory.mktemp("host"), monkeypatch)
        listener.at = now
        listener.note(lock)
        counts = _run_lock.counts(_run_lock.note_of(lock), _run_lock.Clock("this", now))
        assert listener.host.is_locked() == counts


def test_whoever_ends_the_watchdog_ends_that_too(listener: Listener) -> None:
    listener.hear(5, RIVAL)
    assert listener.moving
    listener.mute.leave()
    assert not listener.moving and not listener.files["way"].exists()
    listener.files["moving"].write_text("1\n")
    listener.mute.leave()
    assert listener.moving, "that is a run's"


def test_a_killed_watchdog_goes_on(listener: Listener) -> None:
    listener.hear(5, RIVAL)
    listener.begin_to_listen()
    listener.hear(50, RIVAL)
    assert listener.moving
    listener.hear(10, RIVAL)
    assert not listener.moving and not listener.files["way"].exists()


def test_what_keepalived_does_not_watch_is_not_written(listener: Listener) -> None:
    listener.files["moving"].unlink()
    listener.hear(60, RIVAL)
    assert not listener.files["moving"].exists() and not listener.said


@given(st.binary(max_size=80))
def test_no_packet_is_a_traceback(data: bytes) -> None:
    found = wire.advert(data)
    assert found is None or (0 <= found[1] <= 255 and 0 <= found[2] <= 255)


def test_a_real_process(tmp_path: Path) -> None:
    """What is read of /proc is what this kernel writes."""
    program = tmp_path / "keepalived"
    program.symlink_to(shutil.which("bash") or "/bin/bash")
    # bash is keepalived's main process, and its child the one that speaks.
    process = subprocess.Popen([str(program), "-c", "(while :; do read -t 0.05; done) <>/dev/zero; :"],
                               stdin=subprocess.DEVNULL)
    try:
        host = watchdog.Host()
        deadline = time.monotonic() + 10
        while not (children := host._children(process.pid)):
            assert time.monotonic() < deadline
        host._open(children[0])
        first = host._looks()
        assert set(first) == set(children)
        while host._looks() == first:
            assert time.monotonic() < deadline
        host.end(children)
        process.wait(10)
        while host._looks():
            assert time.monotonic() < deadline
    finally:
        process.kill()
        process.wait()
