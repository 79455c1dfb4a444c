# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Scan, probe and reach at the same time: each says when it wants to act next, and one loop drives them all."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, Mapping

from ..host._host_io import Timeout
from ..network._netlink import NetlinkError
from ._probe_io import Probe
from ._reach_io import SHORTEST_REACH, Reach
from ._scan_io import Scan
from ._segment_io import Part, WireError, reason, run

# The least that RFC 5227's probes and both hosts of a pair need, with something to spare for hosts that begin late.
SECONDS = 5.0
# Three intervals of a router that advertises every four seconds.
MAX_SECONDS = 12.0


def ask(
    task: Mapping[str, Any], host: str, seconds: float = SECONDS, max_seconds: float = MAX_SECONDS
) -> Dict[str, Any]:
    """All that _wire_task found for a host, at the same time. A part that can't be done says why."""
    begun = time.monotonic()
    parts: Dict[str, Part] = {}
    results: Dict[str, Any] = {}
    makers: Dict[str, Callable[[], Part]] = {
        "scan": lambda: Scan(task["interfaces"], seconds, max_seconds),
        "probe": lambda: Probe(task["vips"], task["known"], seconds < Probe.UNHURRIED),
        "reach": lambda: Reach(task["paths"], host, max(seconds, SHORTEST_REACH)),
    }
    for name, make in makers.items():
        try:
            parts[name] = make()
        except (OSError, WireError, NetlinkError, Timeout) as error:
            results[name] = {"error": reason(error, "")}
    run(list(parts.values()))
    results.update({name: part.result() for name, part in parts.items()})
    return dict(results, seconds=round(time.monotonic() - begun, 3))
