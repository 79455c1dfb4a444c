# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""keepalived agrees with the model of it: ways of the model, at random, gone on real daemons, and the holders compared.

The configuration is the rendered one. What its scripts would ask of HAProxy stands in files here.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import time
import typing as t

from ansible_collections.kubeha.apiserver.plugins.plugin_utils.files import _render
from ansible_collections.kubeha.apiserver.tests.model.group import Group, State
from ansible_collections.kubeha.apiserver.tests.model.members import ROLES
from ansible_collections.kubeha.apiserver.tests.model.search import OUTSIDE, QUICK, SLOW, Label, Step
from net import Keepalived, Segment, ip

HOSTS = ("cp1", "cp2", "cp3")
TRACES, EVENTS, FAULTS = 10, 7, 3
# A script is run, a backup misses its master, and something to spare.
BUDGET = 4.0
# A starved machine makes backups miss adverts that were sent.
PATIENCE = 10.0
VIP = 100


def test_real_daemons_go_where_the_model_goes(root: str | None) -> None:
    with contextlib.ExitStack() as stack:
        traces = [Trace(stack.enter_context(Segment(201 + number)), root, number) for number in range(TRACES)]
        for trace in traces:
            stack.callback(trace.end)
        time.sleep(BUDGET)
        for trace in traces:
            trace.compare()
        for _event in range(EVENTS):
            for trace in traces:
                trace.go_on()
            time.sleep(BUDGET)
            for trace in traces:
                trace.compare()
    assert sum(trace.moves for trace in traces) > TRACES


class Trace:
    """One way through the model, on hosts of its own."""

    def __init__(self, segment: Segment, root: str | None, seed: int) -> None:
        self._segment, self._root, self._seed, self._chance = segment, root, seed, random.Random(seed)
        for index, host in enumerate(HOSTS, 1):
            segment.add(host, index)
        self._plan = segment.plan(HOSTS)
        self._model = Group(dict.fromkeys(HOSTS, self._plan), faults=FAULTS)
        self._daemons: dict[str, Keepalived] = {}
        self._state = self._model.start()
        self._before = self._state.holds[0]
        self.story: list[str] = []
        self.moves = 0
        for host in HOSTS:
            self._boot(host)
        self._tell()

    def go_on(self) -> None:
        """Something happens. What it leads to in the model isn't one state only."""
        step = self._chance.choice([step for step in self._model.steps(self._state) if step.pace in (SLOW, OUTSIDE)])
        self._state = step.state
        self.story.append(self._model.say(step.label))
        self._do(step)
        self._tell()

    def compare(self) -> None:
        possible = {state.holds[0]: state for state in self._quiet()}
        deadline = time.monotonic() + PATIENCE
        held = self._held()
        while held not in possible and time.monotonic() < deadline:
            time.sleep(0.2)
            held = self._held()
        self.moves += held != self._before
        self._before = held
        names = [host for bit, host in enumerate(HOSTS) if held & 1 << bit]
        assert held in possible, "way %d: %s hold, but not in the model: %s" % (
            self._seed, names, " ".join(self.story))
        self._state = possible[held]
        self._tell()

    def end(self) -> None:
        for host in list(self._daemons):
            self._cut_power(host)

    def _quiet(self) -> list[State]:
        """Where VRRP's timers may lead from here."""
        seen, waiting, found = {self._state}, [self._state], []
        while waiting:
            state = waiting.pop()
            following = [step.state for step in self._model.steps(state) if step.pace == QUICK]
            found += [] if following else [state]
            waiting += [other for other in following if other not in seen]
            seen.update(following)
        return found

    def _do(self, step: Step[State]) -> None:
        what, number = str(step.label[0]), int(str(step.label[1]))
        if what == "dies":
            self._cut_power(HOSTS[number])
        elif what == "boots":
            self._boot(HOSTS[number])
        elif what in ("lost", "heard"):
            self._deliver(step.label, what == "heard")

    def _deliver(self, label: Label, delivered: bool) -> None:
        sender, receiver = (HOSTS[int(str(place))] for place in label[1:])
        rules = "table ip %s { chain c { type filter hook input priority 0; ip saddr %s ip protocol 112 drop; } }"
        namespace = self._segment.namespace(receiver)
        if delivered:
            self._segment.nft(namespace, f"delete table ip {sender}\n")
        else:
            self._segment.nft(namespace, rules % (sender, self._segment.address(sender)))

    def _boot(self, host: str) -> None:
        [entry] = [entry for entry in _render.render_host(self._plan, host, ROLES, ("keepalived",))
                   if entry["kind"] == "keepalived"]
        self._daemons[host] = self._segment.keepalived(host, _simplified(entry["content"]), self._root)

    def _cut_power(self, host: str) -> None:
        process = self._daemons.pop(host).process
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if self._held() & 1 << HOSTS.index(host):
            address = self._segment.make(VIP)
            ip("-n", self._segment.namespace(host), "address", "del", f"{address}/32", "dev", "eth0")

    def _tell(self) -> None:
        """What keepalived's scripts and files say of each host."""
        state = self._state
        for bit, host in enumerate(HOSTS):
            if host not in self._daemons:
                continue
            settled = not state.fresh & ~state.holds[0] & 1 << bit
            _write(self._daemons[host], {
                "down": state.broken >> bit & 1, "drained": state.drained >> bit & 1, "blind": state.blind >> bit & 1,
                "settled": int(settled)})

    def _held(self) -> int:
        found = 0
        for bit, host in enumerate(HOSTS):
            text = subprocess.run(["ip", "-j", "-n", self._segment.namespace(host), "address", "show", "eth0"],
                                  check=True, capture_output=True).stdout
            addresses = [item["local"] for item in json.loads(text)[0]["addr_info"]]
            found |= (self._segment.make(VIP) in addresses) << bit
        return found


def _simplified(conf: str) -> str:
    """Scripts look for what `_tell` says, once a second."""
    for word, test in (("live", "/bin/true"), ("ready", "/bin/grep -q 0 /run/blind"),
                       ("settled", "/bin/grep -q 1 /run/settled")):
        conf = re.sub(r'script "\S+ %s [^"]*"' % word, 'script "%s"' % test, conf)
    conf = re.sub(r"^(\s+)(fall|rise|interval) \S+$", r"\1\2 1", conf, flags=re.M)
    conf = re.sub(r'^\s+notify .*\n', "", conf, flags=re.M)
    conf = re.sub(r'file "\S*/(down|drained|moving)"', r'file "/run/\1"', conf)
    return re.sub(r"script_user \S+", "script_user root", conf)


def _write(daemon: Keepalived, values: t.Mapping[str, int]) -> None:
    """Into its own /run, which is there as soon as it has mounted it."""
    folder = pathlib.Path("/proc/%d/root/run" % daemon.process.pid)
    deadline = time.monotonic() + 5
    while not (folder / "keepalived.conf").exists():
        assert time.monotonic() < deadline, "\n".join(daemon.lines())
        time.sleep(0.02)
    for name, value in values.items():
        (folder / name).write_text("%d\n" % value)
