# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A running endpoint that is changed while a client connects every 10 ms, another keeps a stream, and every host
tells when the VIP comes and goes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import figures
import yaml
from _lab.lab import Lab
from _lab.measure import Measurement, Measuring, measuring
from figures import Figures, Limits
from user import MEMBERS, ROOT, User

NEWER_PACKAGE = Path(__file__).with_name("newer_package.py")
# Of an endpoint that came to rest.
BEFORE = AFTER = 1.0
PREFERRED = MEMBERS[0]
SERVICES, PODS = "services", "pods"
BOTH = (SERVICES, PODS)
# Molecule's scenario whose hosts each mode is tried on.
SCENARIOS = {SERVICES: "default", PODS: "static_pod"}


def topology(mode: str) -> dict[str, Any]:
    """Of a lab in that mode, without what is the scenario's own, as the script that it puts on its hosts."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "molecule" / SCENARIOS[mode] / "topology.yml").read_text())
    for variable in ("endpoint_notify_script", "endpoint_recorder"):
        found["vars"].pop(variable, None)
    return found


class Changes(User):
    """Somebody who changes what runs, and clients who shouldn't notice."""

    def __init__(self, lab: Lab, mode: str) -> None:
        super().__init__(lab)
        self.mode = mode
        # Where clients are, which isn't always where they were at the start.
        self.planned_vip = self.vip
        self.port = 8443
        self.rows: dict[str, list[Figures]] = {}
        self.noted: list[str] = []

    # Measuring

    def noticed(self, title: str, limits: Limits, change: Callable[[Measuring], object],
                holder: str = PREFERRED) -> Figures:
        """What clients see of a change, until that host has the VIP for good. A new line in the table."""
        seen = self.measured(change, holder)
        self.record(title, limits, seen)
        return seen

    def measured(self, change: Callable[[Measuring], object], holder: str = PREFERRED) -> Figures:
        stream = "python3 /opt/lab/stream.py --target %s:%d" % (self.vip, self.port)
        with self.lab.background("client", *stream.split()) as watcher:
            assert watcher.stdout is not None and watcher.stdin is not None
            assert "started" in watcher.stdout.readline()
            measurement = self.followed(self.vip, self.port, change, holder)
            watcher.stdin.close()
            return Figures.of(measurement, int(json.loads(watcher.stdout.readline())["broken"]))

    def followed(self, vip: str, port: int, change: Callable[[Measuring], object], holder: str) -> Measurement:
        """A client of one VIP, and who holds it, while something is changed and until that host has it for good."""
        with measuring(self.lab, vip, port) as running:
            time.sleep(BEFORE)
            began = time.monotonic()
            change(running)
            done = time.monotonic()
            self.until(lambda: [host for host, held in running.watch.held.items() if held] == [holder])
            time.sleep(AFTER)
            return running.finish(began, done)

    def record(self, title: str, limits: Limits, seen: Figures) -> None:
        """What is more than clients may see is noted, so that the other runs are seen, too."""
        runs = self.rows.setdefault(title, [])
        runs.append(seen)
        print("\n  %s, run %d: %s" % (title, len(runs), seen))
        self.noted += ["%s, run %d: %s" % (title, len(runs), text) for text in seen.beyond(limits)]

    @contextlib.contextmanager
    def judged(self) -> Iterator[None]:
        """Whatever was noted meanwhile is wrong."""
        self.noted = []
        yield
        assert not self.noted, "\n".join(self.noted)

    def table(self) -> str:
        return figures.table(self.rows)

    def write(self, folder: Path) -> None:
        """What has been measured, for documentation and for programs."""
        content = {"mode": self.mode, "processors": os.cpu_count(), "changes": figures.document(self.rows)}
        (folder / ("rollout-%s.json" % self.mode)).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        (folder / ("rollout-%s.md" % self.mode)).write_text(figures.markdown(self.rows), encoding="utf-8")

    # Acting

    def settle(self, **variables: object) -> None:
        """The endpoint as it's meant to be, with its preferred host holding."""
        self.site(**variables).succeeded()
        self.until(lambda: self.holders() == [PREFERRED])

    def verb(self, name: str, *hosts: str) -> None:
        self.playbook("playbooks/%s.yml" % name, endpoint_hosts=",".join(hosts)).succeeded()

    @contextlib.contextmanager
    def running_site(self, **variables: object) -> Iterator[subprocess.Popen[bytes]]:
        """A run that goes on meanwhile, in a process group of its own."""
        process = subprocess.Popen(
            self.command("playbooks/site.yml", **variables), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL, cwd=ROOT, start_new_session=True)
        try:
            yield process
        finally:
            process.wait()

    def killed_after(self, seconds: float, **variables: object) -> None:
        """Deploy, and be killed with every child, if there is something left to kill."""
        with self.running_site(**variables) as run, contextlib.suppress(subprocess.TimeoutExpired):
            try:
                run.wait(seconds)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(run.pid, signal.SIGKILL)

    def lost_after(self, seconds: float, host: str, running: Measuring, **variables: object) -> bool:
        """Deploy, and let a host lose its power meanwhile. Whether it had the VIP. The host is back afterwards."""
        with self.running_site(**variables) as run:
            with contextlib.suppress(subprocess.TimeoutExpired):
                run.wait(seconds)
            held = running.watch.held[host]
            self.lab.kill(host)
            running.watch.silence(host)
        self.lab.boot(host)
        running.watch.start(host)
        return held

    def until(self, reached: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not reached():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def on_all(self, *command: str) -> dict[str, str]:
        return dict(zip(MEMBERS, self._everywhere(lambda host: self.on(host, *command))))

    def everywhere(self, *command: str) -> None:
        """As `on_all`, of what must succeed."""
        self._everywhere(lambda host: self.lab.run(host, *command))

    def newer_packages(self, name: str, *more: str) -> None:
        """Every host finds the same program with a newer version in its package repository; a "broken" one, perhaps."""
        script = NEWER_PACKAGE.read_text(encoding="utf-8")
        self._everywhere(lambda host: self.lab.run(host, "python3", "-c", script, name, *more))

    @staticmethod
    def _everywhere(act: Callable[[str], object]) -> Iterable:
        with ThreadPoolExecutor() as pool:
            return list(pool.map(act, MEMBERS))
