# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Somebody who looks before doing anything."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from _lab.lab import Lab
from user import Run, User

FAILURES = ("error", "warning")


class Looker(User):
    """Runs the preflight, and reads what it found."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        super().__init__(lab)
        self.file = folder / "findings.json"

    def preflight(self, *arguments: str, **variables: object) -> Run:
        return self.playbook("playbooks/preflight.yml", *arguments, endpoint_preflight_file=str(self.file), **variables)

    def found(self, *severities: str) -> set[tuple[str, str | None]]:
        """(code, host) of what the last look found."""
        findings = json.loads(self.file.read_text())["findings"]
        return {(item["code"], item["host"]) for item in findings if item["severity"] in (severities or FAILURES)}

    def sh(self, host: str, script: str) -> str:
        return self.lab.run(host, "sh", "-euc", script).stdout


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)
