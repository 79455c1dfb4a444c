#!/usr/bin/env python3
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What HAProxy on this host thinks of its servers.

    haproxy_servers.py [--within SECONDS] [--unused SERVER] [SERVER=STATE...]

Prints {"SERVER": "UP" or "DOWN"} as JSON; waits until the servers named are in these states, and fails if they
don't get there, or if the unused one was given a connection since HAProxy's last start or reload. Asked at HAProxy's
socket and in a few lines, so that tests don't believe the modules that they test.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import socket
import sys
import time

# Of a service, and of a static pod.
SOCKETS = ("/var/lib/haproxy/kubeha.sock", "/run/kubeha/stats/kubeha.sock")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("expected", nargs="*", metavar="SERVER=STATE")
    parser.add_argument("--within", type=float, default=10)
    parser.add_argument("--unused", default="")
    arguments = parser.parse_args()
    expected = dict(item.split("=") for item in arguments.expected)
    deadline = time.monotonic() + arguments.within
    while True:
        found = servers()
        if all(found.get(name) == state for name, state in expected.items()):
            print(json.dumps(found))
            given = [row["stot"] for row in rows() if row["svname"] == arguments.unused and row["stot"] != "0"]
            if given:
                print(f"{arguments.unused} was given {given[0]} connections", file=sys.stderr)
            return 1 if given else 0
        if time.monotonic() > deadline:
            print(json.dumps(found))
            print(f"not within {arguments.within:g} s: {' '.join(arguments.expected)}", file=sys.stderr)
            return 1
        time.sleep(0.1)


def rows() -> list[dict[str, str]]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(next(path for path in SOCKETS if os.path.exists(path)))
        connection.sendall(b"show stat\n")
        return list(csv.DictReader(connection.makefile().read().lstrip("# ").splitlines()))


def servers() -> dict[str, str]:
    # "UP 1/2" is one that has just failed a check and still gets connections; "NOLB" is alive and gets none.
    return {
        row["svname"]: "UP" if row["status"].startswith("UP") else "DOWN"
        for row in rows()
        if row["svname"] not in ("FRONTEND", "BACKEND")
    }


if __name__ == "__main__":
    sys.exit(main())
