#!/usr/bin/env python3
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients lose on a network that loses packets. Started by ./dev bench loss.

A client with 60 streams and 20 connections a second, HAProxy and three API servers, in namespaces. Each host loses the
given share of the packets that reach it. "pod" is the image that labs build, with a pod's configuration and user.

    loss.py [--loss 0,10,30,50] [--seconds 60] [--roots bookworm,trixie,pod]
"""

from __future__ import annotations

import argparse
import itertools
import os
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "wire"))

from balancing import POD, Balancer, versions
from conftest import roots
from net import Segment, sweep

DOWN = re.compile(r"Server \S+ is DOWN, reason: ([^,]*)")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loss", default="0,10,30,50", help="per mille, each way")
    parser.add_argument("--seconds", type=float, default=60)
    known = roots()
    if os.environ.get("KUBEHA_HAPROXY_IMAGE"):
        known["pod"] = os.environ["KUBEHA_HAPROXY_IMAGE"]
    parser.add_argument("--roots", default=",".join(known))
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--replace", nargs=2, action="append", default=[], help="OLD NEW in the configuration")
    arguments = parser.parse_args()
    sweep()
    found = {name: known[name] for name in arguments.roots.split(",")}
    print("| HAProxy | loss each way | streams ended | by their own TCP | failed connections | servers marked down |")
    print("|---|---|---|---|---|---|")
    number = itertools.count(os.getpid() % 200)
    for name, loss, _run in itertools.product(found, arguments.loss.split(","), range(arguments.runs)):
        with Segment(next(number) % 250 + 1) as segment:
            version = versions({name: found[name]})[name]
            pod = name == "pod"

            def edit(text: str) -> str:
                for old, new in arguments.replace:
                    assert old in text, old
                    text = text.replace(old, new)
                return text

            with Balancer(segment, found[name], version, edit, **(POD if pod else {})) as balancer:
                if int(loss):
                    balancer.lose(int(loss))
                result = balancer.clients(arguments.seconds, 20, 60).result()
                reasons = [match.group(1) for match in map(DOWN.search, balancer.log()) if match]
                print(f"| {version}{', pod' if pod else ''} | {int(loss) / 10:g} % | {result['ended']} | "
                      f"{result['gave_up']} | {result['failed']} of {result['tried']} | "
                      f"{len(reasons)} {sorted(set(reasons))} |", flush=True)
                print(result["why"], time.strftime("%X"), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
