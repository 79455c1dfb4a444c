#!/usr/bin/env python3
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open connections and keep them until standard input ends: connections.py --target ADDRESS:PORT --count N

Prints how many are open when all have been tried.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import socket
import sys


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True)
    parser.add_argument("--count", type=int, default=1000)
    arguments = parser.parse_args()
    address, dummy, port = arguments.target.rpartition(":")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with contextlib.ExitStack() as stack:
        opened = 0
        for dummy_number in range(arguments.count):
            with contextlib.suppress(OSError):
                stack.enter_context(socket.create_connection((address.strip("[]"), int(port)), timeout=5))
                opened += 1
        print(opened, flush=True)
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
