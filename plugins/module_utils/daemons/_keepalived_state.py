# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What keepalived says about itself: its version, and the JSON that it writes when it's sent a signal. Pure."""

from __future__ import annotations

import json
import re
from typing import Any, Dict, Mapping, Optional

_VERSION = re.compile(r"^Keepalived v(\d+\.\d+(?:\.\d+)?)", re.MULTILINE)
_MASK = re.compile(r"^Sig(?:Blk|Cgt):\s*([0-9a-fA-F]+)\s*$", re.MULTILINE)
# packet_len_err, ip_ttl_err, invalid_authtype, authtype_mismatch, auth_failure, auth_ext_invalid_hmac and so on; not
# advert_rcvd, advert_sent, become_master, release_master, pri_zero_rcvd, pri_zero_sent.
_REJECTED = re.compile(r"_err$|^invalid_|^auth")
_STATES = {0: "init", 1: "backup", 2: "master", 3: "fault"}


class DumpError(Exception):
    """The dump is incomplete or isn't keepalived's."""


class CannotDump(DumpError):
    """This keepalived was built without the means to tell."""


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
        instances[data["iname"]] = dict(_describe(data), rejected=_rejected(entry.get("stats")))
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


def _rejected(stats: Any) -> Dict[str, int]:
    """How many packets an instance has rejected since it started, by reason, in keepalived's words."""
    counts = stats if isinstance(stats, dict) else {}
    return {
        name: count
        for name, count in counts.items()
        if _REJECTED.search(name) and isinstance(count, int) and not isinstance(count, bool) and count > 0
    }


def rejected_since(before: Mapping[str, Any], after: Mapping[str, Any]) -> Dict[str, Dict[str, int]]:
    """What was rejected between two dumps of one process, by instance and reason."""
    grown: Dict[str, Dict[str, int]] = {}
    for name, instance in after.items():
        earlier = (before.get(name) or {}).get("rejected") or {}
        more = {reason: count - earlier.get(reason, 0) for reason, count in (instance.get("rejected") or {}).items()}
        more = {reason: count for reason, count in more.items() if count > 0}
        if more:
            grown[name] = more
    return grown


def _number(value: Any) -> Any:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
