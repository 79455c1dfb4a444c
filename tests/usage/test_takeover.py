# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What somebody has typed by hand is taken over while a client connects every 10 ms: it fails on a host, and is given
back; it succeeds, and is given back. The order is part of it.

Figures are printed, and not judged: on a busy machine they say more of the machine."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from _lab.measure import measuring
from canaries import LONG
from guide import by_hand, ours, theirs
from user import MEMBERS, Run, User

pytestmark = LONG
# Another virtual router ID than theirs, 51.
WANTED = {"endpoint_virtual_router_id": 77, "endpoint_adopt": True}
# Of a daemon that doesn't start with what we write; theirs has no such word.
BREAK = ("mkdir -p /run/systemd/system/%(name)s.service.d; "
         "printf '[Service]\\nExecStartPre=/bin/sh -c \"! grep -q kubeha %(config)s\"\\n' "
         ">/run/systemd/system/%(name)s.service.d/zz-broken.conf; systemctl daemon-reload")
MEND = "rm -rf /run/systemd/system/%(name)s.service.d; systemctl daemon-reload"
HAPROXY = {"name": "haproxy", "config": "/etc/haproxy/haproxy.cfg"}
KEEPALIVED = {"name": "keepalived", "config": "/etc/keepalived/keepalived.conf"}
# Far beyond what a busy machine does to clients that nobody cuts off.
SECONDS, SHARE = 3, 0.1


@pytest.fixture(scope="module")
def before(user: User) -> dict[str, str]:
    by_hand(user)
    return theirs(user)


def noticed(user: User, title: str, act: Callable[[], Run]) -> Run:
    """What a client sees of it, until the host that they call MASTER holds for good."""
    with measuring(user.lab, user.vip, 8443) as running:
        began = time.monotonic()
        run = act()
        user.until(lambda: [host for host, held in running.watch.held.items() if held] == ["cp1"])
        seen = running.finish(began, time.monotonic())
    failed, of = seen.failures(0, seen.end), len(seen.attempts)
    twice, nobody = seen.two_holders(), seen.without_holder()
    print("\n  %s: %d of %d connections failed; two holders for %.3f s; no holder for %.3f s" % (
        title, failed, of, twice, nobody))
    assert twice < SECONDS and nobody < SECONDS
    assert failed < SHARE * of
    return run


@pytest.mark.parametrize("daemon", [HAPROXY, KEEPALIVED], ids=lambda daemon: daemon["name"])
def test_a_takeover_that_fails_on_the_second_host_is_given_back(
        user: User, before: dict[str, str], daemon: dict[str, str]) -> None:
    user.lab.run("cp2", "sh", "-ec", BREAK % daemon)
    noticed(user, "takeover, refused by cp2's %s" % daemon["name"], lambda: user.site(**WANTED).failed())
    user.lab.run("cp2", "sh", "-ec", MEND % daemon)
    noticed(user, "given back after that", lambda: given_back(user).succeeded())
    assert theirs(user) == before and not ours(user)


def test_a_takeover(user: User, before: dict[str, str]) -> None:
    noticed(user, "takeover", lambda: user.site(**WANTED).succeeded())
    assert user.plan_on("cp2")["instances"][0]["virtual_router_id"] == 77


def given_back(user: User) -> Run:
    return user.playbook("playbooks/remove.yml", endpoint_hosts="all", endpoint_restore=True)


def test_what_was_there_before_fails_on_a_host_and_ours_comes_back(user: User, before: dict[str, str]) -> None:
    """Once its HAProxy doesn't start any more, nobody's keepalived is touched."""
    user.lab.run("cp2", "sh", "-ec", BREAK.replace("! grep", "grep") % HAPROXY)
    run = noticed(user, "given back, refused by cp2's haproxy", lambda: given_back(user).failed())
    user.lab.run("cp2", "sh", "-ec", MEND % HAPROXY)
    assert "restore" in run.output
    assert not any(user.site(**WANTED).succeeded().changed[host] for host in MEMBERS)


def test_a_run_that_is_killed_is_run_again(user: User, before: dict[str, str]) -> None:
    def silent() -> bool:
        return all(user.says(host, "! systemctl -q is-active keepalived") for host in MEMBERS[1:])

    user.killed_when("playbooks/remove.yml", silent, endpoint_hosts="all", endpoint_restore=True)
    noticed(user, "given back, by the run after a killed one", lambda: given_back(user).succeeded())
    assert theirs(user) == before and not ours(user)
