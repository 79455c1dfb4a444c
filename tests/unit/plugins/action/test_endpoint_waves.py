# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.kubeha.apiserver.plugins.action import endpoint_waves as action

PLAN = {"endpoints": [{"name": "api", "vips": [], "instances": [
    {"members": [{"host": "cp%d" % number, "priority": 150 - number} for number in (1, 2, 3)]}]}]}


def turn(number, outcome, turned=(), **rollout):
    rollout = {"waves": [["cp1"], ["cp2"], ["cp3"]], "members": ["cp1", "cp2", "cp3"], "lost": {}, "idle": [],
               "quiet": ["cp2", "cp3"], "divided": ["api"], "began": "1", **rollout}
    args = {"title": "keepalived", "outcomes": {"cp2": dict(outcome, title="keepalived")},
            "silent": {"cp1": "", "cp2": "1", "cp3": 1}, "turned": list(turned), "locked": None, "rollout": rollout,
            "number": number}
    return action._next(PLAN, args, {"cp1", "cp2", "cp3"})


@pytest.mark.parametrize("idle", [[], ["cp2"]])
def test_a_backup_that_has_started_by_itself_stops_its_endpoint(idle):
    """The holder must not change then: they wouldn't hear each other."""
    spoke = {"text": "keepalived has started again", "well": False}
    assert turn(0, spoke, idle=idle)["hosts"] == []
    assert set(turn(3, spoke, idle=idle)["stops"]) == {"cp1", "cp2", "cp3"}
