#!/usr/bin/env python3
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a plan for a large fleet takes, how much memory, and how both grow; and how long its changes take to order.

Endpoints of three balancers, each endpoint on a subnet of its own, hosts with what they report: a loopback, a pod
network and the interface that counts. For the order there are two endpoints to two balancers, each of which holds what
the other one backs up, and all virtual router IDs change. Each size runs in a process of its own, best of a few.

    tests/benchmark/plan.py [BALANCERS]

Exits 1 where a figure misses its target.
"""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import resource
import sys
import time
import typing as t

from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan._plan import compute_plan
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.rollout import _waves

BALANCERS = 10000
PER_ENDPOINT = 3
RUNS = 5
MAX_SECONDS = 2.0
MAX_MEGABYTES = 300
MAX_RATIO = 2.2


def fleet(balancers: int) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
    """Intent and hosts: the last endpoint has the balancers that are left over."""
    entries, hosts = [], {}
    for index in range(max(1, balancers // PER_ENDPOINT)):
        subnet = "10.%d.%d" % (index >> 8, index & 255)
        last = index == balancers // PER_ENDPOINT - 1
        names = ["lb-%d-%d" % (index, number) for number in range(PER_ENDPOINT + (balancers % PER_ENDPOINT) * last)]
        for number, name in enumerate(names, 11):
            address = "%s.%d" % (subnet, number)
            hosts[name] = {
                "inventory_address": address,
                "keepalived_version": "2.2.7",
                "haproxy_version": "2.6.12",
                "networks": [
                    {"interface": "lo", "address": "127.0.0.1", "prefix": 8},
                    {"interface": "eth0", "address": address, "prefix": 24},
                    {"interface": "cni0", "address": "192.168.%d.1" % number, "prefix": 24},
                ],
            }
        entries.append({"name": "endpoint-%d" % index, "vip": subnet + ".100", "lb_hosts": names,
                        "apiserver_hosts": names})
    return {"list": entries, "service_subnets": ["172.20.0.0/16"]}, hosts


def pairs(balancers: int) -> tuple[dict[str, t.Any], dict[str, t.Any], dict[str, _waves.Seen]]:
    """A plan, what each host has stored, and what it does."""
    entries, hosts = [], {}
    for index in range(balancers // 2):
        subnet = "10.%d.%d" % (index >> 8, index & 255)
        names = ["lb-%d-%d" % (index, number) for number in range(2)]
        for number, name in enumerate(names):
            network = {"interface": "eth0", "address": "%s.%d" % (subnet, 11 + number), "prefix": 24}
            hosts[name] = {"inventory_address": network["address"], "networks": [network]}
            entries.append({"name": "of-" + name, "vip": "%s.%d" % (subnet, 100 + number), "lb_hosts": names,
                            "apiserver_hosts": names, "virtual_router_id": 100 + number})
    intent = {"list": entries, "service_subnets": ["172.20.0.0/16"]}
    stored: dict[str, t.Any] = {}
    for endpoint in compute_plan(intent, hosts, {})["endpoints"]:
        for member in endpoint["instances"][0]["members"]:
            stored.setdefault(member["host"], {"schema": 1, "endpoints": []})["endpoints"].append(endpoint)
    for entry in entries:
        entry["virtual_router_id"] += 50
    plan = compute_plan(intent, hosts, {})
    seen = {entry["name"][len("of-"):]: _waves.Seen("restart", True, frozenset([entry["vip"]])) for entry in entries}
    return plan, stored, seen


def measure(what: t.Callable[[int], float], balancers: int) -> tuple[float, float]:
    """CPU seconds, in which nothing is waited for, and the peak of memory in MB, input included; best of a few."""
    runs = []
    for dummy in range(RUNS):
        with multiprocessing.get_context("fork").Pool(1) as pool:
            runs.append(pool.apply(_measure, (what, balancers)))
    return min(run[0] for run in runs), max(run[1] for run in runs)


def _measure(what: t.Callable[[int], float], balancers: int) -> tuple[float, float]:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    return what(balancers), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def plan_seconds(balancers: int) -> float:
    """Of one plan."""
    intent, hosts = fleet(balancers)
    start = time.process_time()
    plan = compute_plan(intent, hosts, {})
    seconds = time.process_time() - start
    planned = sum(len(endpoint["instances"][0]["members"]) for endpoint in plan["endpoints"])
    if planned != balancers:
        raise AssertionError("%d balancers were planned" % planned)
    return seconds


def order_seconds(balancers: int) -> float:
    """Of one choice of the backups that are stopped, and of the waves."""
    plan, stored, seen = pairs(balancers)
    start = time.process_time()
    stopping = _waves.backups_to_stop(plan, stored, seen)
    waves = _waves.waves(plan, {
        host: dataclasses.replace(look, running=host not in stopping.reasons) for host, look in stopping.seen.items()})
    seconds = time.process_time() - start
    if len(stopping.reasons) != balancers // 2 or sum(map(len, waves)) != balancers:
        raise AssertionError("%d backups are stopped, %d waves" % (len(stopping.reasons), len(waves)))
    return seconds


def main() -> int:
    """Print the figures, and how they compare with the targets."""
    balancers = int(sys.argv[1]) if len(sys.argv) > 1 else BALANCERS
    seconds, memory = measure(plan_seconds, balancers)
    ordered, dummy = measure(order_seconds, balancers)
    figures = {
        "balancers": balancers,
        "endpoints": balancers // PER_ENDPOINT,
        "seconds": round(seconds, 2),
        "peak_mb": round(memory),
        "ratio": round(measure(plan_seconds, 2 * balancers)[0] / seconds, 2),
        "order_seconds": round(ordered, 2),
        "order_ratio": round(measure(order_seconds, 2 * balancers)[0] / ordered, 2),
    }
    print(json.dumps(figures))
    met = (max(figures["seconds"], figures["order_seconds"]) <= MAX_SECONDS and figures["peak_mb"] <= MAX_MEGABYTES
           and max(figures["ratio"], figures["order_ratio"]) <= MAX_RATIO)
    print("targets: %g s, %d MB, ratio %g: %s" % (MAX_SECONDS, MAX_MEGABYTES, MAX_RATIO, "met" if met else "missed"))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
