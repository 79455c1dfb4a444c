#!/usr/bin/env python3
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open connections and keep them until standard input ends: connections.py --target ADDRESS:PORT --count N

Prints how many are open when all have been tried. With --again each is opened anew within 20 s: before the
other side has waited long enough, and never many at the same time.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import select
import socket
import sys


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--again", action="store_true")
    arguments = parser.parse_args()
    address, dummy, port = arguments.target.rpartition(":")
    target = (address.strip("[]"), int(port))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    links: list[socket.socket] = []
    fill(links, target, arguments.count)
    print(len(links), flush=True)
    while not select.select([sys.stdin], [], [], 1 if arguments.again else None)[0]:
        oldest, links = links[:arguments.count // 20 + 1], links[arguments.count // 20 + 1:]
        for link in oldest:
            link.close()
        fill(links, target, arguments.count - len(links))
    return 0


def fill(links: list[socket.socket], target: tuple[str, int], count: int) -> None:
    for dummy_number in range(count):
        with contextlib.suppress(OSError):
            links.append(socket.create_connection(target, timeout=5))


if __name__ == "__main__":
    sys.exit(main())
