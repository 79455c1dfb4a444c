# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""The old configuration beside the plan: who holds what, and how long clients wait after five faults, by arithmetic.

These are upper bounds of what timers allow, not measurements: docs/measurements.md has those of this collection.
"""

from __future__ import annotations

import math
import typing as t

from ._outcome import Balancer, Outcome
from ._rows import silence, skew

if t.TYPE_CHECKING:
    from ...module_utils.model._model import Endpoint, Plan

NEVER = math.inf


class Pair(t.NamedTuple):
    """One line of the comparison."""

    what: str
    old: str
    new: str


def same(found: Outcome, plan: Plan) -> list[Pair]:
    """What both configurations say, side by side."""
    endpoint = plan["endpoints"][0]
    pairs = []
    for item in found.first.instances:
        instance = next(each for each in endpoint["instances"] if each["family"] == item.family)
        pairs.append(Pair("virtual IPs, %s" % item.family, _joined(str(vip.address) for vip in item.vips),
                          _joined(vip["address"] for vip in instance["vips"])))
        pairs.append(Pair("virtual router ID", "none" if item.router_id is None else str(item.router_id),
                          str(instance["virtual_router_id"])))
        priorities = {member["host"]: member["priority"] for member in instance["members"]}
        for balancer in found.balancers:
            mine = next((each for each in balancer.instances if each.family == item.family), None)
            pairs.append(Pair("priority of %s" % balancer.host,
                              "%d" % mine.priority if mine and mine.speaker == "keepalived" else "none",
                              str(priorities.get(balancer.host, "none"))))
        pairs.append(Pair("holds first", _first(found, item.family),
                          max(priorities, key=lambda host: priorities[host])))
    pairs.append(Pair("holds now", _joined(
        "%s on %s" % (vip, ", ".join(found.holders(vip)) or "no host") for vip in found.vips), ""))
    listener = found.first.listener
    pairs.append(Pair("port", _joined(str(port) for port in listener.ports) if listener else "that of API servers",
                      str(endpoint["port"])))
    pairs.append(Pair("API servers", _joined("%s:%d" % (server.address, server.port) for server in listener.servers)
                      if listener and listener.servers else "the holder's own",
                      _joined("%s:%d" % (server["address"], server["port"]) for server in endpoint["backends"])))
    return pairs


def outages(found: Outcome, plan: Plan) -> list[Pair]:
    """The longest outage that timers allow, old and new."""
    endpoint = plan["endpoints"][0]
    first = found.first
    old = [
        ("the holder's host dies", _host_dies(found)),
        ("keepalived is stopped", _keepalived_stops(found)),
        ("HAProxy dies on the holder", _haproxy_dies(found)),
        ("an API server dies", _server_dies(first)),
        ("an API server hangs", _server_hangs(first))]
    return [Pair(what, _seconds(value), _seconds(new)) for (what, value), new in zip(old, _new(endpoint))]


def _new(endpoint: Endpoint) -> list[float]:
    timing, haproxy = endpoint["timing"], endpoint["haproxy"]
    members = endpoint["instances"][0]["members"]
    second = sorted((member["priority"] for member in members), reverse=True)[min(1, len(members) - 1)]
    wait = (256 - second) / 256 * timing["advert_interval"]
    one_check = (min(haproxy["connect_timeout_ms"], haproxy["inter_ms"]) + haproxy["check_timeout_ms"]) / 1000
    hang = haproxy["inter_ms"] / 1000 + one_check + (haproxy["fall"] - 1) * (haproxy["fastinter_ms"] / 1000 + one_check)
    lost = timing["advert_interval"] * (timing["down_timer_adverts"] or 3) + wait
    # Its unit or its pod's script tells keepalived; clients of a dead API server are sent on at the first refusal.
    return [lost, wait, wait, 0.0, hang]


def _first(found: Outcome, family: str) -> str:
    ranks = {balancer.host: (item.priority, item.state == "MASTER") for balancer in found.balancers
             for item in balancer.instances if item.family == family and item.speaker == "keepalived"}
    if not ranks:
        return "whoever gets the lease"
    best = max(ranks.values())
    return _joined(host for host, rank in ranks.items() if rank == best)


def _next(found: Outcome) -> Balancer:
    return found.balancers[min(1, len(found.balancers) - 1)]


def _host_dies(found: Outcome) -> float:
    instance = _next(found).instances[0]
    if len(found.balancers) < 2:
        return NEVER
    return instance.lease if instance.speaker == "kube-vip" else silence(instance)


def _keepalived_stops(found: Outcome) -> float:
    instance = _next(found).instances[0]
    if len(found.balancers) < 2:
        return NEVER
    return instance.lease if instance.speaker == "kube-vip" else skew(instance)


def _haproxy_dies(found: Outcome) -> float:
    """A check moves the VIP if it has no weight, or one that outweighs the distance to the next host."""
    first, second = found.first, _next(found)
    if first.listener is None or first.instances[0].speaker != "keepalived":
        return NEVER if len(found.balancers) < 2 else _host_dies(found)
    waits = []
    for check in first.instances[0].checks:
        enough = check.weight == 0 or first.priority[0] + check.weight < second.priority[0]
        if enough:
            # A backup of higher priority takes over when the next advert comes; a FAULT says goodbye.
            waits.append(check.interval * check.fall + min(check.timeout, check.interval) + (
                skew(second.instances[0]) if check.weight == 0 else silence(second.instances[0])))
    return min(waits, default=NEVER)


def _server_dies(balancer: Balancer) -> float:
    listener = balancer.listener
    if listener is None or not listener.servers or listener.check == "none":
        return NEVER
    # A refused connection goes to another server where `option redispatch` says so.
    server = listener.servers[0]
    return 3.0 if listener.redispatch else server.inter * server.fall


def _server_hangs(balancer: Balancer) -> float:
    listener = balancer.listener
    if listener is None or not listener.servers or listener.check == "none":
        return NEVER
    if listener.check == "tcp":
        # A process that hangs still accepts connections.
        return NEVER
    server = listener.servers[0]
    timeout = listener.timeouts["check"][0] if "check" in listener.timeouts else server.inter
    return (server.inter + timeout) * server.fall


def _seconds(value: float) -> str:
    return "until somebody mends it" if value == NEVER else "%.1f s" % value


def _joined(texts: t.Iterable[str]) -> str:
    return ", ".join(texts)
