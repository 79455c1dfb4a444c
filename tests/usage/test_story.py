# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Three fresh hosts, used and misused step by step. The order is part of it."""

from __future__ import annotations

import pytest
from user import MEMBERS, User, members

NOTHING = dict.fromkeys(MEMBERS, 0)


def test_bad_intent_is_refused_before_a_host_is_touched(user: User) -> None:
    run = user.site(endpoint_vip=user.lab.address("cp2"), endpoint_port=6443, endpoint_priority=300,
                    keepalived_package_state="lastest").failed()
    for code in ("vip_is_host_address", "port_taken_by_apiserver", "number_range", "choice_unknown"):
        assert code in run.output
    assert "Traceback" not in run.output
    assert user.touched() == []


def test_a_drill_is_refused_before_a_host_is_asked(user: User) -> None:
    refused = user.playbook(
        "playbooks/drill.yml", "--limit", "cp1,cp2", endpoint_drill_faults="reeboot", endpoint_drill_budget="soon",
        endpoint_hosts="client", endpoint_drill_clients="cp1").failed()
    for code in ("drill_unconfirmed", "choice_unknown", "value_type", "host_not_balancer", "drill_client_balances",
                 "drill_partial"):
        assert "[%s]" % code in refused.output
    assert user.touched() == []


def test_an_endpoint_without_any_host_is_not_green(user: User) -> None:
    run = user.site(endpoint_lb_hosts="no_such_group").failed()
    assert "no_such_group" in run.output


def test_check_mode_before_anything_is_there(user: User) -> None:
    run = user.site("--check", "--diff").succeeded()
    assert all(count > 0 for count in members(run.changed).values()), run.output
    assert "virtual_ipaddress" in run.output
    assert user.touched() == []


def test_limit_deploys_one_host_of_the_whole_plan(user: User) -> None:
    run = user.site("--limit", "cp2").succeeded()
    assert set(run.ok) == {"cp2"}
    assert user.touched() == ["cp2"]
    assert user.holders() == ["cp2"]
    hosts = [member["host"] for member in user.plan_on("cp2")["instances"][0]["members"]]
    assert hosts == list(MEMBERS)


@pytest.mark.parametrize("seconds", [4, 7, 11])
def test_a_run_that_is_killed(user: User, seconds: float) -> None:
    user.killed_site(seconds)
    assert user.holders() != []


def test_and_the_run_after_it(user: User) -> None:
    user.site().succeeded()
    assert user.holders() == ["cp1"]
    assert members(user.site().succeeded().changed) == NOTHING


def test_backups_that_a_killed_run_has_silenced(user: User) -> None:
    """They start again by themselves. `test_leases.py` has more of this."""
    backups = ["cp2", "cp3"]
    silent = "test -e /var/lib/kubeha/lease.json && ! systemctl -q is-active keepalived"
    user.killed_site_when(lambda: all(user.says(host, silent) for host in backups),
                          endpoint_virtual_router_id=77, __endpoint_lease_seconds=20)
    said = user.playbook("playbooks/status.yml").failed()
    assert "stopped_for_change" in said.output, said.output
    user.until(lambda: all(user.says(host, "systemctl -q is-active keepalived") for host in backups))
    assert "started_by_itself" in user.playbook("playbooks/status.yml").output
    assert user.holders() == ["cp1"]
    user.site().succeeded()
    left = "ls /var/lib/kubeha/lease* /etc/systemd/system/kubeha-lease* /usr/libexec/kubeha/lease*"
    assert user.holders() == ["cp1"] and not any(user.says(host, left) for host in MEMBERS)
    assert all(user.says(host, "systemctl -q is-enabled keepalived") for host in MEMBERS)


def test_a_host_that_a_killed_run_has_left_below_all_others(user: User) -> None:
    """It takes what is handed over to it."""
    for host in ("cp2", "cp3"):
        user.on(host, "sh", "-c", "echo 1 >/var/lib/kubeha/drain/moving")
    user.playbook("playbooks/drain.yml", endpoint_hosts="cp1").succeeded()
    assert user.holders() == ["cp2"]
    user.playbook("playbooks/undrain.yml", endpoint_hosts="cp1").succeeded()
    user.until(lambda: user.holders() == ["cp1"])
