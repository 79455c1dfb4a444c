# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Break something while a client measures, and watch on every host who holds the address."""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .assets.meter import longest_outage
from .faults import Fault
from .lab import Lab
from .podman import LabError


@dataclass(frozen=True)
class Change:
    """The address came to a host or left it."""

    at: float
    host: str
    held: bool


@dataclass(frozen=True)
class Measurement:
    """All times are in seconds since the client's first attempt."""

    attempts: list[tuple[float, float | None, str]]
    """Start, latency or None where no answer came, and the host that answered or the error."""
    fault: float
    mended: float
    """When the fault was injected, and when its undoing began; or the end of the measurement."""
    end: float
    changes: list[Change]

    def holders(self, at: float) -> list[str]:
        state: dict[str, bool] = {}
        for change in self.changes:
            if change.at <= at:
                state[change.host] = change.held
        return sorted(host for host, held in state.items() if held)

    def between(self, begin: float, end: float) -> list[tuple[float, float | None, str]]:
        """Attempts that started then."""
        return [attempt for attempt in self.attempts if begin <= attempt[0] < end]

    def failures(self, begin: float, end: float) -> int:
        return sum(latency is None for dummy, latency, text in self.between(begin, end))

    def outage(self, begin: float, end: float) -> tuple[float, float]:
        return longest_outage(self.between(begin, end))

    def outage_ms(self, begin: float, end: float) -> int:
        first, last = self.outage(begin, end)
        return round((last - first) * 1000)

    def trouble(self, begin: float, end: float) -> float:
        """Seconds from begin to the start of the last attempt that failed; 0 without failures."""
        return max((start - begin for start, latency, text in self.between(begin, end) if latency is None), default=0.0)

    def without_holder(self) -> float:
        """Seconds for which nobody had the address, in all, from the first attempt on."""
        return sum(end - begin for begin, end in self._spans(0))

    def longest_two_holders(self) -> float:
        """The longest time for which more than one host had the address."""
        return max((end - begin for begin, end in self._spans(2)), default=0.0)

    def _spans(self, count: int) -> list[tuple[float, float]]:
        """Times between the first attempt and the end for which so many hosts had it; two stands for more, too."""
        times = sorted({0.0} | {change.at for change in self.changes if 0 < change.at < self.end})
        spans: list[tuple[float, float]] = []
        for begin, end in zip(times, [*times[1:], self.end]):
            if min(len(self.holders(begin)), 2) != count:
                continue
            if spans and spans[-1][1] == begin:
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((begin, end))
        return spans

    def two_holders(self) -> float:
        """Seconds for which more than one host had the address, in all."""
        times = sorted({change.at for change in self.changes if change.at < self.end})
        return sum(
            following - at for at, following in zip(times, [*times[1:], self.end]) if len(self.holders(at)) > 1
        )

    def takeover(self) -> float | None:
        """Seconds from the fault until another host had the address."""
        before = self.holders(self.fault)
        return next(
            (
                change.at - self.fault
                for change in self.changes
                if self.fault < change.at < self.mended and change.held and change.host not in before
            ),
            None,
        )


def measure(
    lab: Lab,
    address: str,
    port: int,
    fault: Fault,
    host: str,
    *,
    before: float = 1,
    broken: float = 5,
    recovered: Callable[[], object] | None = None,
    after: float = 1,
    client: str = "client",
) -> Measurement:
    """A client measures `before` the fault happens to the host, and for so long as it is `broken`.

    With `recovered`, it goes on while the fault is mended, until that function returns, and `after` that.
    """
    with measuring(lab, address, port, client) as running:
        time.sleep(max(0.0, running.began + before - time.monotonic()))
        injected = time.monotonic()
        fault.inject(lab, host)
        if fault.silences:
            # Nobody there can say so, but it answers for nothing any more.
            running.watch.silence(host)
        time.sleep(max(0.0, injected + broken - time.monotonic()))
        mended = time.monotonic()
        if recovered:
            fault.mend(lab, host)
            running.watch.start(host)
            recovered()
            time.sleep(after)
        return running.finish(injected, mended)


@contextlib.contextmanager
def measuring(lab: Lab, address: str, port: int, client: str = "client") -> Iterator[Measuring]:
    """A client connects and every host is watched, from here on until the measuring is finished."""
    target = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    command = ["python3", "/opt/lab/meter.py", f"--target={target}", "--attempts"]
    with contextlib.ExitStack() as stack:
        watch = Watch(lab, address, stack)
        for name in lab.hosts:
            watch.start(name)
        meter = stack.enter_context(lab.background(client, *command))
        assert meter.stdout is not None
        line = meter.stdout.readline() if select.select([meter.stdout], [], [], 10)[0] else ""
        if '"started"' not in line:
            raise LabError(f"no attempt to reach {target} succeeded")
        yield Measuring(meter, watch, float(json.loads(line)["clock"]))


@dataclass
class Measuring:
    """`began` is the CLOCK_MONOTONIC of the first attempt."""

    meter: subprocess.Popen[str]
    watch: Watch
    began: float

    def finish(self, fault: float, mended: float) -> Measurement:
        """What was seen; both times are CLOCK_MONOTONIC."""
        assert self.meter.stdout is not None and self.meter.stdin is not None
        end = time.monotonic()
        self.meter.stdin.close()
        result = json.loads(self.meter.stdout.read())
        changes = [Change(at - self.began, name, held) for at, name, held in self.watch.changes]
        attempts = [
            (start / 1000, None if latency is None else latency / 1000, text)
            for start, latency, text in result["timeline"]
        ]
        return Measurement(attempts, fault - self.began, mended - self.began, end - self.began, changes)


class Watch:
    """Who has the address, and since when: changes are (CLOCK_MONOTONIC, host, held)."""

    def __init__(self, lab: Lab, address: str, stack: contextlib.ExitStack) -> None:
        self.lab = lab
        self.address = address
        self.stack = stack
        self.running: dict[str, subprocess.Popen[str]] = {}
        self.silent: set[str] = set()
        self.held: dict[str, bool] = {}
        self.recorded: list[tuple[float, str, bool]] = []

    @property
    def changes(self) -> list[tuple[float, str, bool]]:
        return sorted(self.recorded)

    def start(self, host: str) -> None:
        """Watch the host; one that was silenced speaks for itself again."""
        if host in self.silent:
            self.silent.discard(host)
            self.note(time.monotonic(), host, self.held[host])
        if host in self.running and self.running[host].poll() is None:
            return
        process = self.stack.enter_context(
            self.lab.background(host, "python3", "/opt/lab/address_watch.py", self.address)
        )
        assert process.stdout is not None
        first = process.stdout.readline()
        if not first:
            raise LabError(f"cannot watch addresses on {host}")
        self.tell(host, first)
        self.running[host] = process
        threading.Thread(target=self.read, args=(host, process.stdout), daemon=True).start()

    def silence(self, host: str) -> None:
        self.note(time.monotonic(), host, False)
        self.silent.add(host)

    def read(self, host: str, stream: Any) -> None:
        with contextlib.suppress(ValueError):
            for line in stream:
                self.tell(host, line)
        # The host is gone, and its address with it.
        self.held[host] = False

    def tell(self, host: str, line: str) -> None:
        event = json.loads(line)
        self.held[host] = event["held"]
        if host not in self.silent:
            self.note(event["clock"], host, event["held"])

    def note(self, at: float, host: str, held: bool) -> None:
        if held or any(name == host for dummy, name, state in self.recorded):
            self.recorded.append((at, host, held))
