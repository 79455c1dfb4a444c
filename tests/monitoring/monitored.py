# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A running endpoint with node_exporters and a Prometheus, whose rules' time goes by faster than in real life."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from _lab.lab import Lab
from _lab.podman import podman
from changes import Changes
from prometheus import Prometheus
from shorter import shorter, waits
from user import MEMBERS, ROOT, User

LONG = bool(os.environ.get("KUBEHA_LONG"))
RULES = yaml.safe_load((ROOT / "monitoring" / "alerts.yml").read_text(encoding="utf-8"))
# Of text files, scrapes and rules in real life, in seconds.
INTERVAL = 15
# What takes 15 s takes three, which a busy machine keeps to. Nobody learns more from a rule that waits for longer.
FACTOR = 5
LONGEST = 40
# How far back rules look.
WINDOW = 900 / FACTOR
# For what happens on three busy hosts and comes here by way of a file, a timer and a scrape.
SLACK = 20.0
EXPORTER = os.environ.get("KUBEHA_NODE_EXPORTER", "")
FOLDER = "/var/lib/node_exporter"
# Of both kinds.
METRICS = {
    "endpoint_metrics": True,
    "endpoint_metrics_address": "host",
    "endpoint_metrics_allow": ["<lan:ipv4:0:prefix>"],
    "endpoint_metrics_textfile_dir": FOLDER,
}
FASTER = """
mkdir -p /etc/systemd/system/kubeha-metrics.timer.d /etc/systemd/system/kubeha-metrics.service.d
printf '[Timer]\\nOnUnitActiveSec=\\nOnActiveSec=1s\\nOnUnitActiveSec=%s\\nAccuracySec=50ms\\n' \
    >/etc/systemd/system/kubeha-metrics.timer.d/lab.conf
printf '[Unit]\\nStartLimitIntervalSec=0\\n' >/etc/systemd/system/kubeha-metrics.service.d/lab.conf
systemctl daemon-reload
systemctl restart kubeha-metrics.timer
"""


class Monitored(Changes):
    """Somebody who is called when an alert fires."""

    def __init__(self, lab: Lab, mode: str, folder: Path) -> None:
        super().__init__(lab, mode)
        self.folder = folder
        self.lines: list[tuple[str, str, str, str]] = []
        self.rules = shorter(RULES, FACTOR, LONGEST)
        self.prometheus = self.reading("hurried", FACTOR, self.rules)

    def reading(self, name: str, factor: int, rules: dict[str, Any]) -> Prometheus:
        """A Prometheus of the lab that isn't started yet."""
        folder = self.folder / name
        folder.mkdir()
        targets = {job: {"%s:%d" % (host, port): "%s:%d" % (self.lab.address(host), port) for host in MEMBERS}
                   for job, port in (("node", 9100), ("haproxy", 8405))}
        return Prometheus(folder, rules, targets, INTERVAL // factor)

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Deployed, at rest, and read by Prometheus."""
        print("\n  Durations of rules, timers and scrapes are divided by %d, and no rule waits for longer "
              "than %d s." % (FACTOR, LONGEST))
        self._everywhere(self.install)
        self.settle()
        self.hurry(FACTOR)
        with self.prometheus.running():
            self.until(self.prometheus.reads_all)
            self.until(self.is_quiet, SLACK + WINDOW)
            yield

    @contextlib.contextmanager
    def unhurried(self) -> Iterator[None]:
        """With another Prometheus, that has all durations as they are."""
        self.hurry(1)
        try:
            with self._read_by("unhurried", 1, RULES):
                yield
        finally:
            self.hurry(FACTOR)

    def patient(self) -> contextlib.AbstractContextManager[None]:
        """With another Prometheus, whose rules wait as long as they do in real life: a run isn't quicker than there.
        They look back as short a time as the others, so that a change rests soon from the one before."""
        return self._read_by("patient", FACTOR, shorter(RULES, FACTOR, None))

    @contextlib.contextmanager
    def _read_by(self, name: str, factor: int, rules: dict[str, Any]) -> Iterator[None]:
        before = self.prometheus
        try:
            with self.reading(name, factor, rules).running() as self.prometheus:
                self.until(self.prometheus.reads_all)
                yield
        finally:
            self.prometheus = before

    def recover(self) -> None:
        """From whatever was left of a fault."""
        for host in MEMBERS:
            self.lab.apiserver(host, "healthy")
        self.verb("undrain", *MEMBERS)
        self.settle()
        self.until(self.is_quiet, SLACK + WINDOW + 60)

    def install(self, host: str) -> None:
        """As docs/monitoring.md says: with a folder that is root's. Nothing but that folder is read, once a second."""
        podman("cp", EXPORTER, "%s:/root/node-exporter.deb" % self.lab.container(host))
        self.lab.run(host, "sh", "-ec", (
            "dpkg --install /root/node-exporter.deb; mkdir -p %s; "
            "echo 'ARGS=\"--collector.disable-defaults --collector.textfile --collector.textfile.directory=%s\"' "
            ">/etc/default/prometheus-node-exporter; systemctl restart prometheus-node-exporter") % (FOLDER, FOLDER))

    def hurry(self, factor: int) -> None:
        self.everywhere("sh", "-ec", FASTER % ("%ds" % (INTERVAL // factor)))

    def until(self, reached: Callable[[], bool], seconds: float = 120) -> None:
        """Looks less often than those who measure: Prometheus needs the machine."""
        User.until(self, reached, seconds)

    def is_quiet(self) -> bool:
        return not self.prometheus.alerts("firing", "pending")

    def provoke(self, alert: str, inject: Callable[[], object], mend: Callable[[], object], *,
                beside: Iterable[str] = (), late: float = 0) -> None:
        """The alert fires within its time after the fault, and ends after it's mended; no other one fires, but for
        those that say another side of the same. `late`: seconds until the fault is there."""
        began = time.time()
        inject()
        broken = time.time()
        self.until(lambda: alert in self.prometheus.alerts(), waits(self.rules)[alert] + SLACK + late)
        fired = time.time()
        for other in beside:
            self.until(lambda name=other: name in self.prometheus.alerts(), waits(self.rules)[other] + SLACK)
        mend()
        mended = time.time()
        self.until(self.is_quiet, SLACK + WINDOW + 60)
        self.lines.append((alert, ", ".join(beside), "%.0f s" % (fired - broken), "%.0f s" % (time.time() - mended)))
        found = self.prometheus.fired(began)
        assert found == {alert, *beside}, found

    def has_rested(self) -> bool:
        """Whether the VIP has hardly moved for as long as a rule looks back. No step moves it more than four times."""
        moves = self.prometheus.query(
            'sum by (vrrp_instance) (increase(kubeha_vrrp_transitions_total{state="master"}[%ds]))' % WINDOW)
        return all(float(item["value"][1]) < 2.5 for item in moves)

    def no_alert(self, act: Callable[[], object], but: Iterable[str] = ()) -> None:
        """None fires meanwhile, but for those that may, and none is left. What was done before isn't counted."""
        self.until(self.has_rested, SLACK + WINDOW)
        began = time.time()
        act()
        self.until(lambda: self.prometheus.alerts("firing", "pending") <= set(but), SLACK + WINDOW)
        # Who reads nothing sees nothing. HAProxy's exporter goes along to another interface, where nobody asks it.
        assert self.prometheus.reads_all("node")
        found = self.prometheus.fired(began)
        assert found <= set(but), found

    def table(self) -> str:
        head = ("alert", "beside", "after", "ended after")
        widths = [max(len(line[column]) for line in (head, *self.lines)) for column in range(len(head))]
        return "\n".join("  " + "  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip()
                         for line in (head, *self.lines))
