# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backups that a killed run has stopped, whenever it was killed and whatever happens then. As services."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import pytest
from canaries import LONG
from leases import BACKUPS, NEW, OLD, Backups
from user import Run, User

pytestmark = LONG


@pytest.fixture(name="backups", scope="module")
def fixture_backups(user: User, request: pytest.FixtureRequest) -> Backups:
    found = Backups(user, getattr(request.module, "SCENARIO", "") == "static_pod")
    found.site(OLD).succeeded()
    return found


@pytest.fixture(autouse=True)
def one_holder(backups: Backups) -> Iterator[None]:
    with backups.one_holder():
        yield


def test_killed_before_the_holder_has_changed(backups: Backups) -> None:
    backups.kill_site(NEW, changed=False)
    backups.status("stopped_for_change")
    assert backups.holders() == ["cp1"]
    backups.user.until(backups.all_run)
    backups.status("started_by_itself")
    assert backups.holders() == ["cp1"] and not backups.is_clean()
    backups.site(OLD).succeeded()
    assert backups.holders() == ["cp1"] and backups.is_clean()


def test_the_controller_comes_back_before_the_lease_has_ended(backups: Backups) -> None:
    backups.kill_site(NEW, changed=False)
    assert backups.none_runs()
    backups.site(OLD).succeeded()
    assert backups.all_run() and backups.holders() == ["cp1"] and backups.is_clean()


def test_a_stopped_backup_reboots_meanwhile(backups: Backups) -> None:
    backups.kill_site(NEW, changed=False)
    backups.user.lab.kill("cp3")
    backups.user.lab.boot("cp3")
    assert backups.is_silenced("cp3")
    backups.user.until(backups.all_run)
    backups.status("started_by_itself")
    assert backups.holders() == ["cp1"]


def test_killed_when_the_holder_has_changed(backups: Backups) -> None:
    """Of the step before, the run finds backups that have started by themselves."""
    backups.kill_site(NEW, changed=True)
    backups.status("stopped_for_change")
    backups.user.until(lambda: backups.stay_silent("another way"))
    backups.status("stopped_for_change")
    # Nobody has the VIP any more, so it's right to have it, and wrong again when the holder comes back.
    backups.stop("cp1")
    backups.user.until(lambda: backups.holders() in (["cp2"], ["cp3"]))
    backups.user.until(backups.all_run)
    backups.start("cp1")
    backups.user.until(lambda: backups.holders() == ["cp1"] and backups.none_runs())
    # It was heard, or asked for.
    backups.user.until(lambda: backups.stay_silent("another"))
    backups.site(NEW).succeeded()
    assert backups.all_run() and backups.holders() == ["cp1"] and backups.is_clean()


def test_the_controller_comes_back_to_a_holder_that_has_changed(backups: Backups) -> None:
    backups.kill_site(OLD, changed=True)
    assert backups.none_runs()
    backups.site(OLD).succeeded()
    assert backups.all_run() and backups.holders() == ["cp1"] and backups.is_clean()
    assert set(BACKUPS) == {host for host in BACKUPS if "virtual_router_id %d" % OLD in backups.user.on(
        host, "cat", backups.config)}


def test_the_holder_loses_power_before_it_has_proven_itself(backups: Backups) -> None:
    """The run starts the backups again, and the holder comes back with the new files."""
    backups.site(OLD).succeeded()
    backups.site_that_loses("cp1", NEW)
    backups.user.until(lambda: backups.holders() in (["cp2"], ["cp3"]))
    backups.user.lab.boot("cp1")
    backups.user.until(lambda: backups.holders() == ["cp1"] and backups.none_runs())
    backups.user.until(lambda: backups.stay_silent("another"))
    # A reboot doesn't make them forget it, and they don't wait for a run that has ended.
    backups.user.lab.kill("cp3")
    backups.user.lab.boot("cp3")
    backups.user.until(lambda: backups.stay_silent("another"))
    backups.site(NEW).succeeded()
    assert backups.all_run() and backups.holders() == ["cp1"] and backups.is_clean()


def test_who_was_left_below_all_others_takes_what_is_handed_over(backups: Backups) -> None:
    """cp2 has to be silent for the first endpoint, and nobody but cp3 could take the second one's VIP."""
    user = backups.user
    other = str(ipaddress.ip_address(user.vip) + 2)

    def site(*vrids: int) -> Run:
        return user.site(endpoint_vip=None, haproxy_maxconn=4096, endpoint_list=[
            {"name": "kube-apiserver", "vip": user.vip, "virtual_router_id": vrids[0], "lb_hosts": ["cp1", "cp2"]},
            {"name": "other", "vip": other, "port": 9443, "virtual_router_id": vrids[1], "lb_hosts": ["cp2", "cp3"]}])

    user.playbook("playbooks/remove.yml", endpoint_hosts="all").succeeded()
    site(100, 101).succeeded()
    user.until(lambda: user.lab.holders(other) == ["cp2"])
    user.on("cp3", "sh", "-c", "echo 1 >/var/lib/kubeha/drain/moving")
    run = site(77, 78).succeeded()
    assert "hand their VIPs over: cp2" in run.output, run.output
    assert user.on("cp3", "cat", "/var/lib/kubeha/drain/moving").strip() == "0"
    user.until(lambda: user.lab.holders(other) == ["cp2"] and backups.holders() == ["cp1"])
    assert backups.is_clean()
