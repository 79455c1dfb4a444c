#!/usr/bin/env python3
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client of the endpoint sees: a new TLS connection every few milliseconds, and what became of each.

    meter.py --target ADDRESS:PORT [--seconds 10 | --count 100] [--interval 0.01] [--limit 0.25] [--path /version]
             [--attempts]

An attempt is a TCP connection, a TLS handshake, one GET and its answer. It succeeds when an answer with a status
below 500 has come within the limit, counted from the start of the attempt. Attempts start on a fixed beat whatever
became of the earlier ones, so a slow answer delays nobody.

It measures for --seconds, for --count attempts, or until its input ends. A first line says {"event": "started",
"clock": T} as soon as the first attempt has succeeded. At the end comes one JSON document:

    attempts, failures      counts
    longest_outage_ms       the longest time from the start of a successful attempt to the start of the next one
                            that succeeded, with at least one failed attempt started in between; 0 without failures.
                            So one lost attempt at an interval of 10 ms is an outage of 20 ms.
    outage                  {"from", "to"}: that gap, in seconds since the first attempt
    slow                    successful attempts that took longer than --slow
    slowest_ms              the longest successful attempt
    median_ms               of the successful ones
    errors                  how many failed for which reason
    backends                how many were answered by which host
    clock                   CLOCK_MONOTONIC at the first attempt, to line up with events on other hosts
    timeline                with --attempts: [start ms, latency ms or null, host or error] of each attempt
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import json
import ssl
import statistics
import sys
import time
from typing import Any

CONTEXT = ssl.create_default_context()
CONTEXT.check_hostname = False
CONTEXT.verify_mode = ssl.CERT_NONE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", required=True, help="ADDRESS:PORT or [ADDRESS]:PORT")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--count", type=int)
    parser.add_argument("--interval", type=float, default=0.01)
    parser.add_argument("--limit", type=float, default=0.25)
    parser.add_argument("--slow", type=float, default=0.1)
    parser.add_argument("--path", default="/version")
    parser.add_argument("--attempts", action="store_true")
    arguments = parser.parse_args()
    address, dummy, port = arguments.target.rpartition(":")
    meter = Meter(address.strip("[]"), int(port), arguments.path, arguments.limit)
    asyncio.run(meter.run(arguments.seconds, arguments.count, arguments.interval))
    json.dump(meter.summary(arguments.slow, arguments.attempts), sys.stdout)
    print(flush=True)


class Meter:
    def __init__(self, address: str, port: int, path: str, limit: float) -> None:
        self.address = address
        self.port = port
        self.limit = limit
        self.request = f"GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode()
        self.began = 0.0
        # (start, latency or None, host or error), seconds since the first attempt
        self.records: list[tuple[float, float | None, str]] = []
        self.announced = False

    async def run(self, seconds: float | None, count: int | None, interval: float) -> None:
        loop = asyncio.get_running_loop()
        over = asyncio.Event()
        if seconds is None and count is None:
            loop.add_reader(sys.stdin, over.set)
        self.began = time.monotonic()
        tasks: set[asyncio.Task[None]] = set()
        beat = attempts = 0
        while not over.is_set() and (seconds is None or beat * interval < seconds) and attempts != count:
            task = loop.create_task(self.attempt())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            attempts += 1
            beat += 1
            # On the beat, without catching up in a burst after the machine was busy elsewhere.
            late = time.monotonic() - self.began - beat * interval
            if late > interval:
                beat += int(late / interval)
            await asyncio.sleep(max(0.0, self.began + beat * interval - time.monotonic()))
        if tasks:
            await asyncio.wait(tasks)
        self.records.sort()

    async def attempt(self) -> None:
        start = time.monotonic()
        latency: float | None = None
        try:
            result = await asyncio.wait_for(self.converse(), self.limit)
            latency = time.monotonic() - start
        except (asyncio.TimeoutError, TimeoutError):
            result = "timeout"
        except ConnectionRefusedError:
            result = "refused"
        except (ConnectionResetError, BrokenPipeError, ssl.SSLError, asyncio.IncompleteReadError):
            result = "reset"
        except (OSError, ValueError) as error:
            result = type(error).__name__ if not isinstance(error, OSError) else f"errno {error.errno}"
        self.records.append((start - self.began, latency, result))
        if latency is not None and not self.announced:
            self.announced = True
            print(json.dumps({"event": "started", "clock": self.began}), flush=True)

    async def converse(self) -> str:
        reader, writer = await asyncio.open_connection(self.address, self.port, ssl=CONTEXT)
        try:
            writer.write(self.request)
            head = await reader.readuntil(b"\r\n\r\n")
            status = int(head.split(b" ", 2)[1])
            body = await reader.read(4096)
            if status >= 500:
                raise ValueError(f"status {status}")
            # A real API server does not say on which host it is.
            return str(json.loads(body).get("host", "unknown"))
        finally:
            # No goodbye: a close_notify that waits for a dead peer would outlive the attempt.
            writer.transport.abort()

    def summary(self, slow: float, attempts: bool) -> dict[str, Any]:
        succeeded = [record for record in self.records if record[1] is not None]
        latencies = [latency for start, latency, host in self.records if latency is not None]
        outage = longest_outage(self.records)
        result: dict[str, Any] = {
            "attempts": len(self.records),
            "failures": len(self.records) - len(succeeded),
            "longest_outage_ms": round((outage[1] - outage[0]) * 1000),
            "outage": {"from": round(outage[0], 4), "to": round(outage[1], 4)},
            "slow": sum(latency > slow for latency in latencies),
            "slowest_ms": round(max(latencies, default=0.0) * 1000),
            "median_ms": round(statistics.median(latencies) * 1000, 1) if latencies else None,
            "errors": collections.Counter(error for start, latency, error in self.records if latency is None),
            "backends": collections.Counter(host for start, latency, host in succeeded),
            "clock": self.began,
        }
        if attempts:
            result["timeline"] = [
                [round(start * 1000, 1), None if latency is None else round(latency * 1000, 1), text]
                for start, latency, text in self.records
            ]
        return result


def longest_outage(records: list[tuple[float, float | None, str]]) -> tuple[float, float]:
    """Begin and end; records are in order of their start. Failures at either end are bounded by the first and last."""
    longest = (0.0, 0.0)
    last_success = records[0][0] if records else 0.0
    failed = False
    for start, latency, dummy in records:
        if latency is None:
            failed = True
            if start - last_success > longest[1] - longest[0]:
                longest = (last_success, start)
            continue
        if failed and start - last_success > longest[1] - longest[0]:
            longest = (last_success, start)
        last_success, failed = start, False
    return longest


if __name__ == "__main__":
    main()
