# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Break something while a client measures, and watch on every host who holds the address."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .faults import Fault
from .lab import Lab
from .podman import LabError


@dataclass(frozen=True)
class Change:
    """The address came to a host or left it, in seconds since the client's first attempt."""

    at: float
    host: str
    held: bool


@dataclass(frozen=True)
class Measurement:
    meter: dict[str, Any]
    """What meter.py says, see there."""
    fault: float
    """When the fault was injected, in seconds since the client's first attempt; the command returned at done."""
    done: float
    changes: list[Change]

    def holders(self, at: float) -> list[str]:
        state: dict[str, bool] = {}
        for change in self.changes:
            if change.at <= at:
                state[change.host] = change.held
        return sorted(host for host, held in state.items() if held)

    def two_holders(self) -> float:
        """Seconds from when a second host had the address to when one was left; counts all such periods."""
        total, since = 0.0, None
        for at in sorted({change.at for change in self.changes}):
            several = len(self.holders(at)) > 1
            if several and since is None:
                since = at
            elif not several and since is not None:
                total, since = total + at - since, None
        return total + (self.changes[-1].at - since if since is not None else 0.0)

    def takeover(self) -> float | None:
        """Seconds from the fault until another host had the address."""
        before = self.holders(self.fault)
        for change in self.changes:
            if change.at > self.fault and change.held and change.host not in before:
                return change.at - self.fault
        return None


def measure(
    lab: Lab,
    address: str,
    port: int,
    fault: Fault,
    host: str,
    *,
    seconds: float = 6,
    before: float = 1,
    client: str = "client",
    meter: Sequence[str] = (),
    mend: bool = True,
) -> Measurement:
    """The client measures for so many seconds; `before` seconds after its start the fault happens to the host."""
    target = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    command = ["python3", "/opt/lab/meter.py", f"--target={target}", f"--seconds={seconds}", "--attempts"]
    events: list[tuple[float, str, bool]] = []
    with contextlib.ExitStack() as stack:
        for name in lab.hosts:
            process = stack.enter_context(lab.background(name, "python3", "/opt/lab/address_watch.py", address))
            assert process.stdout is not None
            first = process.stdout.readline()
            if not first:
                raise LabError(f"cannot watch addresses on {name}")
            note(name, first, events)
            reader = threading.Thread(target=read, args=(name, process.stdout, events), daemon=True)
            reader.start()
        running = stack.enter_context(lab.background(client, *command, *meter))
        assert running.stdout is not None
        line = running.stdout.readline()
        if '"started"' not in line:
            raise LabError(f"no attempt to reach {target} succeeded: {line.strip()[:200]}")
        began = float(json.loads(line)["clock"])
        time.sleep(max(0.0, began + before - time.monotonic()))
        injected = time.monotonic()
        fault.inject(lab, host)
        done = time.monotonic()
        result = json.loads(running.stdout.read())
        changes = [Change(at - began, name, held) for at, name, held in sorted(events)]
        if mend:
            fault.mend(lab, host)
    if fault.silences:
        changes = sorted([*changes, Change(done - began, host, False)], key=lambda change: change.at)
    return Measurement(result, injected - began, done - began, changes)


def read(host: str, stream: Any, events: list[tuple[float, str, bool]]) -> None:
    for line in stream:
        note(host, line, events)


def note(host: str, line: str, events: list[tuple[float, str, bool]]) -> None:
    event = json.loads(line)
    if event["held"] or any(name == host for at, name, held in events):
        events.append((event["clock"], host, event["held"]))
