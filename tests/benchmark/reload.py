#!/usr/bin/env python3
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that fail while HAProxy is reloaded, with one of three API servers ill. Started by ./dev bench reload.

    reload.py [--roots bookworm,trixie,sid] [--modes refuse,hang,500] [--reloads 12]
"""

from __future__ import annotations

import argparse
import itertools
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "wire"))

from balancing import Balancer, versions
from conftest import roots
from net import Segment, sweep


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--roots", default=",".join(roots()))
    parser.add_argument("--modes", default="healthy,refuse,hang,500")
    parser.add_argument("--reloads", type=int, default=12)
    parser.add_argument("--forget", action="store_true", help="the new worker isn't told which servers are up")
    arguments = parser.parse_args()
    sweep()
    found = {name: roots()[name] for name in arguments.roots.split(",")}
    print("| HAProxy | one API server | reloads | failed requests | slowest, s |")
    print("|---|---|---|---|---|")
    number = itertools.count(os.getpid() % 200)
    for name, mode in itertools.product(found, arguments.modes.split(",")):
        version = versions({name: found[name]})[name]
        with Segment(next(number) % 250 + 1) as segment, Balancer(segment, found[name], version) as balancer:
            balancer.make("api1", mode)
            if mode != "healthy":
                balancer.wait_for(lambda servers: servers["api1"].split()[0] in ("DOWN", "NOLB"))
            clients = balancer.clients(arguments.reloads, 25, 0)
            for _number in range(arguments.reloads):
                began = time.monotonic()
                balancer.reload(remember=not arguments.forget)
                time.sleep(max(0.0, began + 0.95 - time.monotonic()))
            result = clients.result()
            print(f"| {version} | {mode} | {arguments.reloads} | {result['failed']} of {result['tried']} | "
                  f"{result['slowest']:g} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
