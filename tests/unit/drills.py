# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drills as they may have come out."""

from __future__ import annotations

from ansible_collections.kubeha.apiserver.plugins.module_utils.drill import _attempts
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.drill import _asked, _judge, _schedule
from ansible_collections.kubeha.apiserver.tests.unit import plans

ASKED = _asked.Asked(["handover", "network_cut"], ["cp1", "cp2"], ["localhost"], {}, 10.0, None)
SCHEDULE = _schedule.schedule(plans.plan(plans.endpoint()), ASKED)


def runs(outcomes, beat=0.01):
    """As a client makes them."""
    attempts = _attempts.Attempts()
    for number, outcome in enumerate(outcomes):
        attempts.end(attempts.begin(), number * beat, 0.005, outcome)
    return [_judge.Run(*run) for run in attempts.told()]


def client(outcomes, name="localhost"):
    return _judge.Measured(name, 100.0, len(outcomes) * 0.01, 0.0, {"kube-apiserver": runs(outcomes)})


def result(number, lost):
    return _judge.judge(SCHEDULE.steps[number], SCHEDULE, ["198.51.100.100"], _judge.Faulted(101.0, 104.0),
                        [client(["ok"] * 110 + ["timeout"] * lost + ["ok"] * 600)], [], [])
