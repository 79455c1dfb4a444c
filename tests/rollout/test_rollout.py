# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Three hosts with an endpoint that runs, changed step by step. The order is part of it."""

from __future__ import annotations

import random
import re
import time

import pytest
from catalogue import (
    BREAK,
    INTERRUPTED,
    LOST,
    Change,
    Interrupted,
    backed_up_by_one,
    keepalived,
    mend,
    other_vip,
    vip,
    vrid,
    without_first_reload,
)
from changes import PREFERRED, SERVICES, Changes
from figures import MOMENT, Limits
from guide import SECRET as GUIDE_SECRET
from guide import by_hand
from user import MEMBERS, Run, members

NOTHING = dict.fromkeys(MEMBERS, 0)
SECRET = "s3cr3t-8"
KEEPALIVED = "/etc/keepalived/keepalived.conf"
# What is deployed, to the second of its last change; and which processes run with it.
DEPLOYED = (
    "find /etc/haproxy /etc/keepalived /etc/kubeha /etc/kubernetes/manifests /etc/systemd/system /etc/sysctl.d "
    "/etc/tmpfiles.d /usr/libexec /var/lib/kubeha -type f -printf '%p %T@ %m\\n' 2>/dev/null | sort; "
    "pgrep -x haproxy; pgrep -o -x keepalived")


def test_check_and_diff_say_what_a_run_will_do(changes: Changes) -> None:
    wanted = {"endpoint_health_path": "/livez", "endpoint_timing": {"check_fall": 7}}
    said = checked(changes, **wanted)
    assert orders(said) == {"haproxy": list(reversed(MEMBERS)), "keepalived": list(reversed(MEMBERS))}
    did = changes.site("--diff", **wanted).succeeded()
    assert orders(did) == orders(said)
    assert differences(did) == differences(said)
    assert any("/livez" in line for line in differences(did))
    # Members that won't hear each other change the other way round, and nobody reads the password.
    said = checked(changes, endpoint_auth="pass", endpoint_auth_password=SECRET, **wanted)
    assert orders(said)["keepalived"] == list(MEMBERS)
    assert "auth_pass" in said.output and SECRET not in said.output
    changes.settle()


def checked(changes: Changes, **variables: object) -> Run:
    """What a run says that it would do, and doesn't."""
    before = changes.on_all("sh", "-c", DEPLOYED)
    run = changes.site("--check", "--diff", **variables).succeeded()
    assert changes.on_all("sh", "-c", DEPLOYED) == before
    return run


def orders(run: Run) -> dict[str, list[str]]:
    """In which order hosts are changed, by what is changed."""
    tables = re.findall(r"^(\w+):\nWAVE +HOST .*\n((?: *\d+ .*\n)+)", run.output, re.M)
    return {title: [line.split()[1] for line in rows.splitlines()] for title, rows in tables}


def differences(run: Run) -> set[str]:
    """Lines that come and go. Once each: both daemons bring the plan, and the first one that does so writes it."""
    return {line for line in run.output.splitlines() if re.match(r"[+-](?![+-]{2} )", line)}


def test_change(changes: Changes, change: Change, request: pytest.FixtureRequest) -> None:
    runs = min(request.config.getoption("--runs"), change.most)
    done = 0
    try:
        with changes.judged():
            for number in range(1, runs + 1):
                for step in change.steps:
                    step.prepare(changes, number)
                    changes.noticed(
                        step.title, step.limits, lambda dummy, step=step, number=number: step.act(changes, number),
                        step.holder)
                    step.prove(changes, number)
                done = number
    finally:
        change.home(changes, runs if done == runs else 1)
        if done < runs:
            changes.settle()


def test_another_vip_at_once_also_after_it_was_refused(changes: Changes) -> None:
    """The former one is let go in the same run, so who holds it has to be known by what keepalived has."""
    other = vip(changes, 1)
    wanted = {**other, "endpoint_release_former": True}
    if changes.mode == SERVICES:
        without_first_reload(changes, 1)
        run = changes.site(**wanted).failed()
        assert "Put back, and well" in run.output, run.output
        assert changes.holders() == [PREFERRED]
        mend(changes)
    said = changes.site(**wanted).succeeded()
    assert orders(said)["keepalived"] == list(MEMBERS)
    assert changes.lab.holders(str(other["endpoint_vip"])) == [PREFERRED]
    assert changes.holders() == []
    changes.settle(endpoint_release_former=True)


def test_a_backup_stays_silent_between_a_holder_that_changed_and_one_that_did_not(changes: Changes) -> None:
    if changes.mode != SERVICES:
        pytest.skip("what breaks a reload here is a drop-in of systemd's")
    second = other_vip(changes)
    changes.verb("remove", "all")
    changes.site(**backed_up_by_one(changes, 100, 101)).succeeded()
    changes.until(lambda: (changes.holders(), changes.lab.holders(second)) == (["cp1"], ["cp2"]))
    without_first_reload(changes, 1)
    run = changes.site(**backed_up_by_one(changes, 77, 78)).failed()
    assert "cp3 stays silent: %s is held" % second in run.output, run.output
    assert [keepalived(changes, host) for host in MEMBERS] == ["speaks", "speaks", "silent"]
    assert [vrid(changes, host) for host in ("cp1", "cp2")] == [100, 78]
    assert (changes.holders(), changes.lab.holders(second)) == (["cp1"], ["cp2"])
    mend(changes)
    changes.site(**backed_up_by_one(changes, 77, 78)).succeeded()
    assert keepalived(changes, "cp3") == "speaks"
    assert (changes.holders(), changes.lab.holders(second)) == (["cp1"], ["cp2"])
    changes.verb("remove", "all")
    changes.settle()


def test_taking_over_what_kubeadms_guide_says(changes: Changes) -> None:
    """VRRPv2, multicast and a password there, VRRPv3 and unicast here, and one virtual router ID: they don't hear each
    other."""
    if changes.mode != SERVICES:
        pytest.skip("somebody else's pods aren't taken over")
    wanted = {"endpoint_virtual_router_id": 51, "endpoint_adopt": True}
    changes.verb("remove", "all")
    by_hand(changes)
    try:
        with changes.judged():
            changes.lab.run("cp1", "sh", "-c", BREAK, "ExecStartPre=/bin/sh -c '! grep -q kubeha_ %s'" % KEEPALIVED)
            refused = changes.noticed("takeover, refused by the holder, put back", Limits(failed=5, not_held=0.1),
                                      lambda dummy: changes.site(**wanted).failed())
            assert refused.moves == 0
            mend(changes)
            assert "auth_pass %s" % GUIDE_SECRET in changes.on("cp1", "cat", KEEPALIVED)
            assert [keepalived(changes, host) for host in MEMBERS] == ["speaks", "speaks", "speaks"]
            changes.noticed("takeover of the guide's services", Limits(failed=3, not_held=MOMENT),
                            lambda dummy: changes.site(**wanted).succeeded())
        again = changes.site(**wanted).succeeded()
        assert set(members(again.changed).values()) == {0}
        assert [vrid(changes, host) for host in MEMBERS] == [51, 51, 51]
    finally:
        mend(changes)
        changes.verb("remove", "all")
        changes.settle(endpoint_adopt=True)


def test_a_drained_host_stays_drained_over_a_reboot(changes: Changes) -> None:
    changes.verb("drain", "cp1")
    changes.lab.kill("cp1")
    changes.lab.boot("cp1")
    time.sleep(6)
    assert changes.holders() == ["cp2"]
    changes.verb("undrain", "cp1")
    changes.settle()


def test_two_runs_at_once(changes: Changes) -> None:
    before = changes.on_all("pgrep", "-o", "-x", "keepalived")
    with changes.running_site(endpoint_health_path="/livez", endpoint_failback_delay=4) as first:
        changes.until(lambda: changes.on("cp3", "cat", "/run/kubeha/lock") != "")
        # It would have to silence backups before anything else.
        second = changes.site("--tags", "keepalived", endpoint_virtual_router_id=77).failed()
        assert "Nothing is done here" in second.output, second.output
        assert first.wait() == 0
    assert changes.on_all("pgrep", "-o", "-x", "keepalived") == before
    assert changes.plan_on("cp1")["haproxy"]["check"]["path"] == "/livez"
    assert changes.on("cp1", "cat", "/run/kubeha/lock") == ""
    changes.settle()


def test_interrupted_anywhere_and_run_again(changes: Changes, request: pytest.FixtureRequest) -> None:
    """Half of the runs are killed with their controller, half lose a host. The next run finishes what they began."""
    seed = request.config.getoption("--seed") or random.randrange(1, 1000)
    points = random.Random(seed)
    kinds = [kind for kind in INTERRUPTED if changes.mode in kind.modes]
    survived = {False: [Toggle(changes, kind) for kind in kinds],
                True: [Toggle(changes, kind) for kind in kinds if kind.power]}
    with changes.judged():
        for number in range(request.config.getoption("--kills")):
            power = number % 2 == 1
            toggle = survived[power][number // 2 % len(survived[power])]
            toggle.interrupt(points, power)
            print("  seed %d, number %d" % (seed, number + 1))
    changes.settle(endpoint_virtual_router_id=100, endpoint_release_former=True)


class Toggle:
    """One of two values is deployed, and the other one is what the next run is about."""

    lengths: dict[str, float] = {}

    def __init__(self, changes: Changes, kind: Interrupted) -> None:
        self.changes = changes
        self.kind = kind
        self.there = False

    def interrupt(self, points: random.Random, power: bool) -> None:
        point = points.uniform(0, self.length())
        host = points.choice(MEMBERS)
        variables = self.next()
        title, limits = "", Limits()

        def change(running) -> None:
            nonlocal title, limits
            if power:
                title, limits = LOST[self.changes.lost_after(point, host, running, **variables)]
            else:
                title, limits = "killed, run again: %s" % self.kind.title, self.kind.limits
                self.changes.killed_after(point, **variables)
            self.changes.site(**variables).succeeded()

        seen = self.changes.measured(change)
        print("\n  %s, after %.1f s%s" % (self.kind.title, point, ", " + host if power else ""))
        self.changes.record(title, limits, seen)

    def next(self) -> dict[str, object]:
        self.there = not self.there
        return dict(self.kind.values(self.changes, 1 if self.there else 2))

    def length(self) -> float:
        """Of a run that isn't interrupted."""
        if self.kind.title not in self.lengths:
            began = time.monotonic()
            self.changes.settle(**self.next())
            self.lengths[self.kind.title] = time.monotonic() - began
        return self.lengths[self.kind.title]


def test_nothing_is_left_to_do(changes: Changes) -> None:
    changes.settle()
    run = changes.site().succeeded()
    assert {host: run.changed[host] for host in MEMBERS} == NOTHING


def test_remove(changes: Changes) -> None:
    changes.verb("remove", "all")
    for host in MEMBERS:
        assert changes.on(host, "find", "/etc", "/run", "/usr", "/var/lib", "-xdev", "-name", "*kubeha*") == ""
    again = changes.playbook("playbooks/remove.yml", endpoint_hosts="all").succeeded()
    assert {host: again.changed[host] for host in MEMBERS} == NOTHING
