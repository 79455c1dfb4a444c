#!/usr/bin/env python3
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a plan for a large fleet takes, how much memory, and how both grow.

Endpoints of three balancers, each endpoint on a subnet of its own, hosts with what they report: a loopback, a pod
network and the interface that counts. Each size runs in a process of its own, best of a few.

    tests/benchmark/plan.py [BALANCERS]

Exits 1 where a figure misses its target.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import sys
import time
import typing as t

from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan._plan import compute_plan

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


def measure(balancers: int) -> tuple[float, float]:
    """CPU seconds of one plan, which waits for nothing, and the peak of memory in MB, input included."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(_measure, (balancers,))


def _measure(balancers: int) -> tuple[float, float]:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    intent, hosts = fleet(balancers)
    start = time.process_time()
    plan = compute_plan(intent, hosts, {})
    seconds = time.process_time() - start
    planned = sum(len(endpoint["instances"][0]["members"]) for endpoint in plan["endpoints"])
    if planned != balancers:
        raise AssertionError("%d balancers were planned" % planned)
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    """Print the figures, and how they compare with the targets."""
    balancers = int(sys.argv[1]) if len(sys.argv) > 1 else BALANCERS
    once = [measure(balancers) for dummy in range(RUNS)]
    twice = [measure(2 * balancers) for dummy in range(RUNS)]
    seconds = min(run[0] for run in once)
    figures = {
        "balancers": balancers,
        "endpoints": balancers // PER_ENDPOINT,
        "seconds": round(seconds, 2),
        "peak_mb": round(max(run[1] for run in once)),
        "ratio": round(min(run[0] for run in twice) / seconds, 2),
    }
    print(json.dumps(figures))
    met = (figures["seconds"] <= MAX_SECONDS and figures["peak_mb"] <= MAX_MEGABYTES and figures["ratio"] <= MAX_RATIO)
    print("targets: %g s, %d MB, ratio %g: %s" % (MAX_SECONDS, MAX_MEGABYTES, MAX_RATIO, "met" if met else "missed"))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
