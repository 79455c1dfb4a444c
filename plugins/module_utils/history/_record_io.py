# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What this host's recorder has written."""

from __future__ import annotations

import os
import time
from typing import Any, Dict, List

from ..host import _deployed_io, _host_io
from ..host import _owned_files_io as owned
from ..model import _paths
from . import _record

# More than the recorder writes.
FILES = 4
LARGEST = 1 << 20


def collect(seconds: float) -> Dict[str, Any]:
    """The last so many seconds."""
    boot = boot_of(_host_io.read_text("/proc/sys/kernel/random/boot_id"), _host_io.read_text("/proc/1/stat"))
    now = (time.clock_gettime(time.CLOCK_BOOTTIME), time.time())
    picked = _record.pick(_lines(), boot, now, seconds)
    units = _host_io.run(["systemctl", "is-active", os.path.basename(_paths.RECORDER_UNIT)], 10.0)
    return {"schema": 1, "boot": round(now[0], 3), "wall": round(now[1], 3), "records": units.text.strip() == "active",
            "plan": _deployed_io.read_deployed().plan, **picked._asdict()}


def boot_of(boot: str, first: str) -> str:
    """As the recorder names it: a container's start is one, too."""
    fields = first.rpartition(")")[2].split()
    return "%s %s" % (boot.strip(), fields[19] if len(fields) > 19 else 0)


def _lines() -> List[bytes]:
    """The oldest first."""
    lines: List[bytes] = []
    for number in range(FILES - 1, -1, -1):
        try:
            lines += (owned.read(os.path.join(_paths.RECORD, str(number)), limit=LARGEST) or b"").splitlines()
        except (OSError, ValueError):
            continue
    return lines
