# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of test_leases.py with static pods: a manifest is put aside, and the kubelet gets it back."""

from __future__ import annotations

from leases import NEW, OLD, Backups
from test_leases import *  # noqa: F403

SCENARIO = "static_pod"


def test_a_pod_that_nobody_can_end_stops_the_run(backups: Backups) -> None:
    """Without a kubelet it would go on and say what others no longer hear."""
    backups.user.on("cp3", "systemctl", "stop", "kubelet")
    run = backups.site(NEW).failed()
    assert "no kubelet runs here" in run.output, run.output
    assert backups.all_run() and backups.holders() == ["cp1"]
    assert "virtual_router_id %d" % OLD in backups.user.on("cp1", "cat", backups.config)
    backups.user.on("cp3", "systemctl", "start", "kubelet")
    backups.site(OLD).succeeded()
    assert backups.all_run() and backups.holders() == ["cp1"] and backups.is_clean()
