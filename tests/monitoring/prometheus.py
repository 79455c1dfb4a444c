# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real Prometheus that reads the hosts of a lab, and what it says."""

from __future__ import annotations

import contextlib
import json
import math
import os
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

PROGRAM = os.environ.get("KUBEHA_PROMETHEUS", "prometheus")


class Prometheus:
    """`targets` has addresses with a port for each job, by the instance's name; `interval` is in seconds, for scrapes
    and rules."""

    def __init__(self, folder: Path, rules: dict[str, Any], targets: dict[str, dict[str, str]], interval: int) -> None:
        self.folder = folder
        self.log = folder / "prometheus.log"
        self.began = time.time()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = "127.0.0.1:%d" % free.getsockname()[1]
        every = "%ds" % interval
        (folder / "rules.yml").write_text(yaml.safe_dump(rules), encoding="utf-8")
        (folder / "prometheus.yml").write_text(yaml.safe_dump({
            "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
            "rule_files": ["rules.yml"],
            "scrape_configs": [{"job_name": job, "static_configs": [
                {"targets": [address], "labels": {"instance": name}} for name, address in hosts.items()
            ]} for job, hosts in targets.items()],
        }), encoding="utf-8")

    @contextlib.contextmanager
    def running(self) -> Iterator[Prometheus]:
        # On time, also where others keep the machine busy; who isn't root does without.
        command = ["nice", "-n", "-10", PROGRAM, "--config.file=prometheus.yml", "--storage.tsdb.path=data",
                   "--log.level=warn", "--web.listen-address=" + self.address]
        with self.log.open("wb") as log, subprocess.Popen(
                command, cwd=self.folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL) as process:
            try:
                self.wait(process)
                yield self
            finally:
                process.terminate()

    def wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen("http://%s/-/ready" % self.address, timeout=5):
                return
            assert process.poll() is None and time.monotonic() < deadline, self.log.read_text(encoding="utf-8")
            time.sleep(0.1)

    def ask(self, what: str, **parameters: object) -> Any:
        url = "http://%s/api/v1/%s?%s" % (self.address, what, urllib.parse.urlencode(parameters))
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError("%s: %s" % (parameters, error.read().decode())) from error

    def query(self, expression: str) -> list[dict[str, Any]]:
        return list(self.ask("query", query=expression)["result"])

    def series(self, expression: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        return list(self.ask("query_range", query=expression, start=start, end=end, step=step)["result"])

    def alerts(self, *states: str) -> set[str]:
        """Names of those that are firing, or pending, now."""
        return {alert["labels"]["alertname"] for alert in self.ask("alerts")["alerts"]
                if alert["state"] in (states or ("firing",))}

    def fired(self, since: float) -> set[str]:
        """Names of all that have fired since then, for however short a time: each evaluation leaves a sample."""
        back = max(1, math.ceil(time.time() - since))
        found = self.query('count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[%ds]))' % back)
        return {item["metric"]["alertname"] for item in found}

    def reads_all(self, jobs: str = ".+") -> bool:
        """Whether all targets of the jobs, a regular expression, answer."""
        states = [item["value"][1] for item in self.query('up{job=~"%s"}' % jobs)]
        return bool(states) and set(states) == {"1"} and bool(self.query("kubeha_endpoint_members"))
