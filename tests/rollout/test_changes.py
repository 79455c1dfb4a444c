# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Three hosts with an endpoint that runs, changed step by step. The order is part of it."""

from __future__ import annotations

import random
import time

import pytest
from changes import HANDOVER, Changes, Row
from user import MEMBERS

# One host's kernel says that the address has gone a moment before the next one's says that it has come.
MOMENT = 0.05
NOTHING = dict.fromkeys(MEMBERS, 0)


def unnoticed(row: Row, moves: int = 0, lost: int = 3) -> None:
    """Somebody always held the VIP, two never for longer than a handover, and few connections failed for each move."""
    assert row.not_held <= MOMENT * moves, row.measurement.changes
    assert row.held_twice <= HANDOVER, row.measurement.changes
    assert row.refused <= moves * lost, [entry for entry in row.measurement.attempts if entry[1] is None]


def test_haproxy_is_reloaded(changes: Changes) -> None:
    row = changes.noticed("HAProxy's configuration", lambda: changes.site(endpoint_health_path="/livez").succeeded())
    unnoticed(row)
    assert changes.plan_on("cp3")["haproxy"]["check"]["path"] == "/livez"


def test_an_api_server_leaves_and_comes_back(changes: Changes) -> None:
    unnoticed(changes.noticed(
        "API server removed", lambda: changes.site(endpoint_apiserver_hosts="cp1,cp2").succeeded()))
    unnoticed(changes.noticed("API server added", lambda: changes.site().succeeded()))


def test_keepalived_is_reloaded(changes: Changes) -> None:
    unnoticed(changes.noticed(
        "keepalived's configuration", lambda: changes.site(endpoint_failback_delay=4).succeeded()))


def alone(row: Row) -> None:
    """Never two, and nobody only until the one that changed knows that it's alone."""
    assert row.held_twice == 0, row.measurement.changes
    # VRRP 2 counts in whole seconds, three of them.
    assert row.not_held < 6, row.measurement.changes


def test_members_that_would_not_hear_each_other(changes: Changes) -> None:
    alone(changes.noticed("virtual router ID", lambda: changes.site(endpoint_virtual_router_id=77).succeeded()))
    password = {"endpoint_virtual_router_id": 77, "endpoint_auth": "pass", "endpoint_auth_password": "s3cr3t-8"}
    alone(changes.noticed("authentication, so VRRP 2", lambda: changes.site(**password).succeeded()))
    alone(changes.noticed(
        "back to VRRP 3, another ID", lambda: changes.site(endpoint_virtual_router_id=100).succeeded()))


def test_drain_and_undrain(changes: Changes) -> None:
    unnoticed(changes.noticed(
        "drain of the holder",
        lambda: changes.playbook("playbooks/drain.yml", endpoint_hosts="cp1").succeeded()), moves=1)
    assert changes.holders() == ["cp2"]
    assert "drained" in changes.playbook("playbooks/status.yml").succeeded().output
    refused = changes.playbook("playbooks/drain.yml", endpoint_hosts="cp2,cp3").failed()
    assert "nobody would be left" in refused.output
    # Whoever deploys meanwhile leaves it drained.
    changes.site(endpoint_failback_delay=4).succeeded()
    assert changes.holders() == ["cp2"]
    unnoticed(changes.noticed("undrain", lambda: changes.undrain("cp1")), moves=1)


def test_a_drained_host_stays_drained_over_a_reboot(changes: Changes) -> None:
    changes.playbook("playbooks/drain.yml", endpoint_hosts="cp1").succeeded()
    changes.lab.kill("cp1")
    changes.lab.boot("cp1")
    time.sleep(6)
    assert changes.holders() == ["cp2"]
    changes.playbook("playbooks/undrain.yml", endpoint_hosts="cp1").succeeded()
    changes.settle()


def test_packages_are_upgraded(changes: Changes) -> None:
    for host in MEMBERS:
        changes.newer_package(host, "haproxy")
    row = changes.noticed(
        "package of HAProxy, all hosts", lambda: changes.site(haproxy_package_state="latest").succeeded())
    assert all("+newer" in changes.on(host, "dpkg-query", "-W", "haproxy") for host in MEMBERS)
    # Away from the preferred host, on to the one that ranks next once its HAProxy has settled, and back.
    unnoticed(row, moves=3)
    changes.settle()


def test_a_balancer_leaves_and_another_comes(changes: Changes) -> None:
    def leave() -> None:
        changes.playbook("playbooks/remove.yml", endpoint_hosts="cp3").succeeded()
        changes.site(endpoint_lb_hosts="cp1,cp2").succeeded()

    unnoticed(changes.noticed("balancer removed", leave))
    again = changes.playbook("playbooks/remove.yml", endpoint_hosts="cp3").succeeded()
    assert again.changed["cp3"] == 0
    left = changes.on("cp3", "find", "/etc", "/run", "/usr", "/var", "-xdev", "-name", "*kubeha*")
    assert left == ""
    unnoticed(changes.noticed("balancer added", lambda: changes.site().succeeded()))


def test_a_change_that_does_not_serve_is_rolled_back(changes: Changes) -> None:
    taken = "import socket, time; s = socket.socket(); s.bind(('', 9443)); s.listen(); time.sleep(600)"
    changes.lab.run("cp2", "systemd-run", "--unit=taken", "python3", "-c", taken)
    before = changes.on("cp2", "cat", "/etc/haproxy/haproxy.cfg")

    def change() -> None:
        run = changes.site(endpoint_port=9443, endpoint_accept_findings=["port_taken"]).failed()
        assert "Put back, and well" in run.output
        assert "cp1   3     not touched" in run.output

    row = changes.noticed("broken change, rolled back", change)
    unnoticed(row, moves=1, lost=5)
    assert changes.on("cp2", "cat", "/etc/haproxy/haproxy.cfg") == before
    assert changes.plan_on("cp1")["port"] == changes.plan_on("cp2")["port"] == 8443
    changes.lab.run("cp2", "systemctl", "stop", "taken")
    changes.settle(endpoint_port=8443)


def test_killed_anywhere_and_run_again(changes: Changes, request: pytest.FixtureRequest) -> None:
    seed = request.config.getoption("--seed") or random.randrange(1, 1000)
    points = random.Random(seed)
    for number in range(request.config.getoption("--kills")):
        path = "/livez" if number % 2 == 0 else "/readyz"
        seconds = points.uniform(3, 14)

        def change(path: str = path, seconds: float = seconds) -> None:
            changes.killed_site(seconds, endpoint_health_path=path, endpoint_failback_delay=4)
            changes.site(endpoint_health_path=path).succeeded()

        unnoticed(changes.noticed("killed after %.1f s, run again (seed %d)" % (seconds, seed), change))


def test_two_runs_at_once(changes: Changes) -> None:
    # Whatever the runs that were killed have left: the next one is to have something to do.
    changes.settle()
    with changes.running_site(endpoint_health_path="/livez") as first:
        changes.until(lambda: changes.on("cp3", "cat", "/run/kubeha/lock") != "")
        second = changes.site(endpoint_health_path="/healthz").failed()
        assert "has been changing this host since" in second.output
        assert first.wait() == 0
    assert changes.plan_on("cp1")["haproxy"]["check"]["path"] == "/livez"
    assert changes.on("cp1", "cat", "/run/kubeha/lock") == ""


def test_nothing_is_left_to_do(changes: Changes) -> None:
    changes.settle()
    run = changes.site().succeeded()
    assert {host: run.changed[host] for host in MEMBERS} == NOTHING
