#!/usr/bin/env python3
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What strangers' packets and faults do to an endpoint, by keepalived. Started by ./dev wire --strangers.

Each row is one run in namespaces of its own: three members, keepalived with what the plan gives it. `filter` is that
with what `endpoint_manage_firewall` loads; what comes in a member's name passes it, so that kind is left out. `without`
is keepalived as it was before `vrrp_lower_prio_no_advert`. Figures are worth something on a quiet machine only.

    strangers.py [--roots bookworm,sid] [--rates 20,2000] [--kinds junk,version] [--faults stop,kill,freeze] [--runs 3]
                 [--options with,filter,without]
"""

from __future__ import annotations

import argparse
import itertools
import os
import pathlib
import signal
import sys
import time
import typing as t

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "wire"))

import attack
from ansible_collections.kubeha.apiserver.plugins.module_utils.network import _filter
from conftest import roots
from net import Keepalived, Segment, sweep

HOSTS = ["cp1", "cp2", "cp3"]
SECONDS = 4.0
# Later lines win.
OPTIONS: dict[str, list[str]] = {"with": [], "filter": [], "without": ["vrrp_lower_prio_no_advert false"]}
SIGNALS = {"stop": signal.SIGTERM, "kill": signal.SIGKILL, "freeze": signal.SIGSTOP}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--roots", default=",".join(roots()))
    parser.add_argument("--rates", default="20,2000")
    parser.add_argument("--transports", default="unicast,multicast")
    parser.add_argument("--kinds", default="", help="all, in turn, unless named")
    parser.add_argument("--faults", default="stop,kill,freeze")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--options", default="with,filter")
    args = parser.parse_args()
    sweep()
    numbers = itertools.cycle(range(1, 251))
    print("| keepalived | option | transport | packets/s | adverts | longest gap | moves | two holders | nobody |")
    print("|---|---|---|---|---|---|---|---|---|")
    for root, option in itertools.product(listed(args.roots), listed(args.options)):
        for transport, rate in itertools.product(listed(args.transports), listed(args.rates)):
            for _run in range(args.runs):
                print(attacked(next(numbers), root, option, transport, int(rate), listed(args.kinds)), flush=True)
        for fault in listed(args.faults):
            for _run in range(args.runs):
                print(failed(next(numbers), root, option, fault), flush=True)


def attacked(number: int, root: str, option: str, transport: str, rate: int, kinds: list[str]) -> str:
    with Segment(number) as segment:
        plan, _daemons = deployed(segment, root, option, transport)
        segment.add("mallory", 66)
        kinds = [kind for kind in kinds or attack.kinds(segment, plan, segment.address("mallory"))
                 if (option, kind) != ("filter", "replay")]
        packets = [frame.hex() for frame in attack.frames(segment, plan, "mallory", kinds)]
        seen = attack.watch(segment, plan, SECONDS, lambda: segment.process(
            "mallory", attack.flood, packets, rate, SECONDS + 1))
    wanted = SECONDS / plan["endpoints"][0]["instances"][0]["advert_interval"]
    return "| %s %s | %s | %s | %d | %d of %d | %d ms | %d | %d ms | %d ms |" % (
        root, attack.version_of(roots()[root]), option, transport, rate, seen.count("cp1"), wanted,
        seen.gap("cp1") * 1000, seen.moves(), seen.two() * 1000, seen.nobody() * 1000)  # fmt: skip


def failed(number: int, root: str, option: str, fault: str) -> str:
    """The holder's keepalived ends or stands still; how long until another member has the address."""
    with Segment(number) as segment:
        plan, daemons = deployed(segment, root, option, "unicast")
        processes = descendants(daemons["cp1"].process.pid)
        at: list[float] = []

        def strike() -> None:
            at.append(time.monotonic())
            for pid in processes[:1] if fault == "stop" else processes:
                os.kill(pid, SIGNALS[fault])

        seen = attack.watch(segment, plan, 2.0, strike)
        for pid in processes if fault == "freeze" else ():
            os.kill(pid, signal.SIGCONT)
    gained = [when - at[0] for host in HOSTS[1:] for when, held in seen.holders[host] if held and when > at[0]]
    # What was killed or stands still leaves its address where it is.
    two = "%3d ms" % (seen.two() * 1000) if fault == "stop" else "   -  "
    return "%-9s %-7s %-6s taken over after %4d ms  two holders %s" % (
        root, option, fault, min(gained, default=0) * 1000, two)  # fmt: skip


def deployed(segment: Segment, root: str, option: str, transport: str) -> tuple[t.Any, dict[str, Keepalived]]:
    for index, host in enumerate(HOSTS, 1):
        segment.add(host, index)
    version = attack.version_of(roots()[root])
    plan = segment.plan(HOSTS, vrrp_transport=transport, keepalived_version=version)
    for host in HOSTS if option == "filter" else ():
        segment.nft(segment.namespace(host), _filter.rules(_filter.peers(plan["endpoints"], host)))
    daemons = attack.deploy(segment, plan, roots()[root], more=OPTIONS[option])
    time.sleep(1.5)
    return plan, daemons


def descendants(pid: int) -> list[int]:
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(found for child in children for found in descendants(int(child)))]


def listed(text: str) -> list[str]:
    return [item for item in text.split(",") if item]


if __name__ == "__main__":
    main()
