# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What keepalived says about itself: its version, and the JSON that it writes when it's sent a signal. Pure."""

from __future__ import annotations

import json
import re
from typing import Any, Dict, Optional

_VERSION = re.compile(r"^Keepalived v(\d+\.\d+(?:\.\d+)?)", re.MULTILINE)
_MASK = re.compile(r"^Sig(?:Blk|Cgt):\s*([0-9a-fA-F]+)\s*$", re.MULTILINE)
_STATES = {0: "init", 1: "backup", 2: "master", 3: "fault"}


class DumpError(Exception):
    """The dump is incomplete or isn't keepalived's."""


def parse_version(output: str) -> Optional[str]:
    """`keepalived --version` begins with `Keepalived v2.2.7 (01/16,2022)`."""
    match = _VERSION.search(output)
    return match.group(1) if match else None


def expects_signal(status: str, signal: int) -> bool:
    """Whether /proc/PID/status says that the process waits for or catches this signal.

    keepalived takes its signals from a descriptor, so it blocks those that it wants and ignores all others. A process
    that does neither would be killed by a real-time signal.
    """
    return any(int(mask, 16) >> (signal - 1) & 1 for mask in _MASK.findall(status))


def parse_dump(content: bytes) -> Dict[str, Dict[str, Any]]:
    """{instance: its state, priorities and times}. keepalived writes in place, so a dump may still be growing."""
    try:
        entries = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DumpError("incomplete or not JSON: %s" % error) from error
    # With `json_version 2` in the configuration the instances are one key of several.
    if isinstance(entries, dict):
        entries = entries.get("vrrp")
    if not isinstance(entries, list):
        raise DumpError("no list of VRRP instances")
    instances = {}
    for entry in entries:
        data = entry.get("data") if isinstance(entry, dict) else None
        if not isinstance(data, dict) or not isinstance(data.get("iname"), str):
            raise DumpError("an instance without data or name")
        instances[data["iname"]] = _describe(data)
    return instances


def _describe(data: Dict[str, Any]) -> Dict[str, Any]:
    state = data.get("state")
    return {
        "state": _STATES.get(state, str(state)) if isinstance(state, int) else "unknown",
        "virtual_router_id": _number(data.get("vrid")),
        "priority": _number(data.get("base_priority")),
        "effective_priority": _number(data.get("effective_priority")),
        "master_priority": _number(data.get("master_priority")),
        "last_transition": _number(data.get("last_transition")),
    }


def _number(value: Any) -> Any:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
