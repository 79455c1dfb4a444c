# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Intents and hosts that tests of the plan begin with."""

from __future__ import annotations

import copy
import typing as t

from ansible_collections.kubeha.apiserver.plugins.plugin_utils.intent._errors import PlanError, Problem
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan._plan import compute_plan

VIP = "198.51.100.100"
VIP6 = "2001:db8::100"
THREE = ["cp1", "cp2", "cp3"]


def host(number: int, **more: t.Any) -> dict[str, t.Any]:
    """A host that has reported its networks: 198.51.100.NUMBER and 2001:db8::NUMBER on eth0."""
    found: dict[str, t.Any] = {
        "inventory_address": "198.51.100.%d" % number,
        "networks": [
            network("lo", "127.0.0.1", 8),
            network("eth0", "198.51.100.%d" % number, 24),
            network("eth0", "2001:db8::%d" % number, 64),
            network("eth0", "fe80::%d" % number, 64),
        ],
        "keepalived_version": "2.2.7",
        "haproxy_version": "2.6.12",
    }
    found.update(more)
    return found


def network(interface: str, address: str, prefix: int) -> dict[str, t.Any]:
    return {"interface": interface, "address": address, "prefix": prefix}


def hosts(count: int = 3) -> dict[str, dict[str, t.Any]]:
    """cp1, cp2, ... with addresses that end in 11, 12, ..."""
    return {"cp%d" % number: host(10 + number) for number in range(1, count + 1)}


def offline(count: int = 3) -> dict[str, dict[str, t.Any]]:
    """The same hosts before anybody has asked them: the inventory is all there is."""
    return {"cp%d" % number: {"inventory_address": "198.51.100.%d" % (10 + number)} for number in range(1, count + 1)}


def intent(**more: t.Any) -> dict[str, t.Any]:
    """Three stacked hosts and one VIP."""
    found: dict[str, t.Any] = {"vip": VIP, "lb_hosts": list(THREE), "apiserver_hosts": list(THREE)}
    found.update(more)
    return found


def pods(**more: t.Any) -> dict[str, t.Any]:
    """The same as static pods."""
    return intent(**{"mode": "static_pod", "keepalived_image": "keepalived:2.3.3", **more})


def entries(*entry: t.Any, **more: t.Any) -> dict[str, t.Any]:
    """Several endpoints on the same three hosts."""
    found = intent(list=list(entry), **more)
    del found["vip"]
    return found


def plan(
    wanted: t.Any = None,
    known: t.Any = None,
    deployed: t.Any = None,
) -> dict[str, t.Any]:
    """The plan for an intent; of its arguments nothing may change."""
    arguments = (intent() if wanted is None else wanted, hosts() if known is None else known, deployed or {})
    before = copy.deepcopy(arguments)
    found = compute_plan(*arguments)
    assert arguments == before
    return t.cast("dict[str, t.Any]", found)


def first(wanted: t.Any = None, known: t.Any = None, deployed: t.Any = None) -> dict[str, t.Any]:
    """The plan's first endpoint."""
    endpoint: dict[str, t.Any] = plan(wanted, known, deployed)["endpoints"][0]
    return endpoint


def problems(wanted: t.Any = None, known: t.Any = None, deployed: t.Any = None) -> list[Problem]:
    """The problems of an intent; none if it can be planned."""
    try:
        plan(wanted, known, deployed)
    except PlanError as error:
        return error.problems
    return []


def codes(wanted: t.Any = None, known: t.Any = None, deployed: t.Any = None) -> list[str]:
    return [problem.code for problem in problems(wanted, known, deployed)]


def warned(wanted: t.Any = None, known: t.Any = None, deployed: t.Any = None) -> list[str]:
    """The codes of a plan's warnings."""
    return [warning.rpartition("[")[2].rstrip("]") for warning in plan(wanted, known, deployed)["warnings"]]


def stored(found: dict[str, t.Any]) -> dict[str, t.Any]:
    """A plan as its balancers have stored it."""
    names = [member["host"] for endpoint in found["endpoints"] for instance in endpoint["instances"]
             for member in instance["members"]]
    return {name: {"schema": 1, "endpoints": [endpoint for endpoint in found["endpoints"] if any(
        member["host"] == name for instance in endpoint["instances"] for member in instance["members"])]}
        for name in names}
