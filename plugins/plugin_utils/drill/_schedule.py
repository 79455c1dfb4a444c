# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""Which faults on which hosts in which order, and how long clients may miss the endpoint for each. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from ...module_utils.drill import _fault
from ...module_utils.model import _accessors
from ..judge._table import table
from . import _budget

if TYPE_CHECKING:
    from ...module_utils.model._model import Plan
    from ._asked import Asked

WORDS = {
    _fault.HANDOVER: "hands its VIPs over",
    _fault.APISERVER_STOP: "its API server is stopped",
    _fault.KEEPALIVED_STOP: "its keepalived is stopped",
    _fault.HAPROXY_STOP: "its HAProxy is stopped",
    _fault.HAPROXY_HANG: "its HAProxy hangs (SIGSTOP)",
    _fault.NETWORK_CUT: "its network is cut",
    _fault.REBOOT: "it reboots",
}
# A host that isn't back by then has failed.
REBOOT_SECONDS = 600.0
# Beside the fault and the way back, for a step's tasks.
_OVERHEAD = 20.0


class Target(NamedTuple):
    """What clients connect to."""

    name: str
    endpoint: str
    address: str
    port: int
    path: str


class Step(NamedTuple):
    number: int
    fault: str
    host: str
    seconds: float
    expected: float
    budgets: dict[str, float]           # by endpoint


class Schedule(NamedTuple):
    steps: list[Step]
    targets: list[Target]
    left_out: list[str]
    settle: float                       # how long an endpoint may take to be as it was


def targets(plan: Plan) -> list[Target]:
    found = []
    for endpoint in plan["endpoints"]:
        path = endpoint["haproxy"]["check"]["path"] or "/readyz"
        for vip in endpoint["vips"]:
            name = endpoint["name"] if len(endpoint["vips"]) == 1 else "%s %s" % (endpoint["name"], vip["address"])
            found.append(Target(name, endpoint["name"], vip["address"], endpoint["port"], path))
    return found


def schedule(plan: Plan, asked: Asked) -> Schedule:
    """From the mildest fault to the worst, each on one host after the other."""
    steps: list[Step] = []
    left_out = []
    for fault in asked.faults:
        for host in asked.hosts:
            endpoints = _accessors.endpoints_of(plan, host)
            if fault == _fault.APISERVER_STOP and not any(
                    server["name"] == host for endpoint in plan["endpoints"] for server in endpoint["backends"]):
                left_out.append("%s on %s: no API server runs there" % (fault, host))
                continue
            budgets = {endpoint["name"]: asked.budgets.get(fault, _budget.budget(fault, endpoint))
                       for endpoint in plan["endpoints"]}
            expected = max((_budget.expected(fault, endpoint) for endpoint in endpoints), default=0.0)
            steps.append(Step(len(steps), fault, host, asked.seconds, expected, budgets))
    settle = max((endpoint["failback_delay"] for endpoint in plan["endpoints"] if endpoint["failback"]), default=0.0)
    return Schedule(steps, targets(plan), left_out, settle)


def longest(step: Step, found: Schedule) -> float:
    """For how long a client measures at most."""
    return step.seconds + 2 * found.settle + 420 + (REBOOT_SECONDS if step.fault == _fault.REBOOT else 0)


def text(found: Schedule, asked: Asked, check_mode: bool = False) -> str:
    rows = []
    for fault in asked.faults:
        mine = [step for step in found.steps if step.fault == fault]
        if mine:
            budget = max(max(step.budgets.values()) for step in mine)
            rows.append((fault, WORDS[fault], ", ".join(step.host for step in mine),
                         millis(max(step.expected for step in mine)), millis(budget)))
    minutes = sum(step.seconds + found.settle + _OVERHEAD for step in found.steps) / 60
    verb = "would break" if check_mode else "breaks"
    lines = [
        "This drill %s a running endpoint, one fault on one host after the other. Each fault ends by itself after %g s."
        % (verb, asked.seconds),
        "", table(("FAULT", "WHAT HAPPENS", "ON", "EXPECTED", "BUDGET"), rows), "",
        "Expected is the longest outage by the plan's arithmetic where the host holds the VIP. The drill stops at the "
        "first outage over its budget.",
        "Clients: %s; a new TLS connection each 10 ms to %s." % (
            ", ".join("the controller" if name == "localhost" else name for name in asked.clients),
            ", ".join(sorted({address(target) for target in found.targets}))),
        "It takes about %d minutes." % max(1, round(minutes)),
    ]
    lines += ["Left out: %s." % reason for reason in found.left_out]
    if check_mode:
        lines.append("Check mode: nothing is done.")
    return "\n".join(lines)


def address(target: Target) -> str:
    return ("[%s]:%d" if ":" in target.address else "%s:%d") % (target.address, target.port)


def millis(seconds: float) -> str:
    return "%d ms" % round(seconds * 1000) if seconds < 10 else "%.1f s" % seconds


def impossible(said: Mapping[str, Mapping[str, str]], found: Schedule) -> list[str]:
    """What hosts say that they can't do, of what is wanted of them."""
    return ["%s on %s: %s" % (step.fault, step.host, said[step.host][step.fault]) for step in found.steps
            if step.fault in said.get(step.host, {})]
