# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of test_leases.py with static pods: a manifest is put aside, and the kubelet gets it back."""

from __future__ import annotations

import test_leases
from leases import NEW, OLD, Backups

SCENARIO = "static_pod"
pytestmark = test_leases.pytestmark
fixture_backups = test_leases.fixture_backups
one_holder = test_leases.one_holder
test_killed_before_the_holder_has_changed = test_leases.test_killed_before_the_holder_has_changed
test_the_controller_comes_back_before = test_leases.test_the_controller_comes_back_before_the_lease_has_ended
test_a_stopped_backup_reboots_meanwhile = test_leases.test_a_stopped_backup_reboots_meanwhile
test_killed_when_the_holder_has_changed = test_leases.test_killed_when_the_holder_has_changed
test_the_controller_comes_back_after_that = test_leases.test_the_controller_comes_back_to_a_holder_that_has_changed
test_the_holder_loses_power_before_its_proof = test_leases.test_the_holder_loses_power_before_it_has_proven_itself


def test_a_pod_that_nobody_can_end_stops_the_run(backups: Backups) -> None:
    """Without a kubelet it would go on and say what others no longer hear."""
    # Whatever the steps before have left.
    backups.site(OLD).succeeded()
    backups.user.on("cp3", "systemctl", "stop", "kubelet")
    run = backups.site(NEW).failed()
    assert "no kubelet runs here" in run.output, run.output
    assert backups.all_run() and backups.holders() == ["cp1"]
    assert "virtual_router_id %d" % OLD in backups.user.on("cp1", "cat", backups.config)
    backups.user.on("cp3", "systemctl", "start", "kubelet")
    backups.site(OLD).succeeded()
    assert backups.all_run() and backups.holders() == ["cp1"] and backups.is_clean()
