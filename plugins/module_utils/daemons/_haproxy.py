# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What HAProxy says about itself: `haproxy -v`, and `show info; show stat` on its stats socket. Pure."""

from __future__ import annotations

import csv
import re
from hashlib import sha256
from typing import Any, Dict, List, Optional

# One exchange for both: HAProxy ends each answer with an empty line.
STATE_COMMAND = b"show info; show stat\n"

# What a worker knows of its servers, in the form that the next one reads at its start. The first line is a version.
SERVERS_COMMAND = b"show servers state\n"
NO_SERVERS = "1\n"

_VERSION = re.compile(r"^HA-?Proxy version (\d+\.\d+(?:\.\d+)?)", re.MULTILINE)
_STAT_HEADER = "# pxname,svname,"
_MARK = re.compile(r"^\s*description (kubeha:[0-9a-f]+)\s*$", re.MULTILINE)


class HaproxyError(Exception):
    """The answer isn't one of HAProxy's."""


def parse_version(output: str) -> Optional[str]:
    """`HAProxy version 2.6.12-1+deb12u3 2025/10/03` is 2.6.12."""
    match = _VERSION.search(output)
    return match.group(1) if match else None


def parse_state(answer: str) -> Dict[str, Any]:
    """The answer to STATE_COMMAND: version, uptime_s, pid, stopping, frontends and backends."""
    start = answer.find(_STAT_HEADER)
    if start < 0:
        raise HaproxyError("no statistics in the answer: %r" % answer[:80])
    info = _parse_info(answer[:start])
    frontends: Dict[str, Any] = {}
    backends: Dict[str, List[Dict[str, Any]]] = {}
    for row in _parse_stat(answer[start:]):
        name, server = row.get("pxname") or "", row.get("svname") or ""
        if server == "FRONTEND":
            frontends[name] = {"status": row.get("status") or "", "sessions": _number(row.get("scur")),
                               "most": _number(row.get("slim")), "refused": _number(row.get("dcon"))}
        elif server == "BACKEND":
            backends.setdefault(name, [])
        else:
            backends.setdefault(name, []).append(_server(server, row))
    return {
        "version": parse_version("HAProxy version " + info.get("Version", "")),
        "uptime_s": _number(info.get("Uptime_sec")),
        "pid": _number(info.get("Pid")),
        "description": info.get("description") or None,
        "stopping": info.get("Stopping", "0") == "1",
        "sessions": _number(info.get("CurrConns")),
        "frontends": frontends,
        "backends": backends,
    }


def config_mark(text: str) -> Optional[str]:
    """What a configuration of ours has HAProxy say of itself, so that the one that runs can be told from all others."""
    found = _MARK.search(text)
    return found.group(1) if found else None


def has_loaded(text: str, description: Optional[str]) -> Optional[bool]:
    """Whether the HAProxy that says this of itself runs a configuration of ours; None where it doesn't tell."""
    mark = config_mark(text)
    return description == mark if mark and (description or "").startswith("kubeha:") else None


def reload_is_due(content: bytes, description: Optional[str], note: Optional[str], pod: bool) -> bool:
    """Whether the running HAProxy has loaded something else than this configuration.

    What it says of itself counts first: a reload that was noted may have failed. A service's note counts as well,
    because a file that was edited by hand keeps its mark. The note of a pod is of its start and knows nothing of
    reloads.
    """
    said = has_loaded(content.decode("utf-8", "replace"), description)
    differs = note != sha256(content).hexdigest()
    if said is None:
        return differs
    return not said or (differs and note is not None and not pod)


def is_servers_state(answer: str) -> bool:
    """Whether it can be left to the next worker."""
    return answer.startswith(NO_SERVERS + "# ")


def is_up(status: str) -> bool:
    """`UP`, and `UP 1/2` on its way down; `no check` is unknown, which isn't up."""
    return status.split(" ", 1)[0] == "UP"


def _server(name: str, row: Dict[str, str]) -> Dict[str, Any]:
    return {
        "name": name,
        "address": row.get("addr") or "",
        "status": row.get("status") or "",
        "check_status": row.get("check_status") or "",
        "check_code": _number(row.get("check_code")),
        "last_chk": row.get("last_chk") or "",
        "sessions": _number(row.get("scur")),
        "changed_for": _number(row.get("lastchg")),
    }


def _parse_info(text: str) -> Dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, colon, value in pairs if colon}


def _parse_stat(text: str) -> List[Dict[str, str]]:
    lines = text[len("# ") :].splitlines()
    end = next((number for number, line in enumerate(lines) if not line.strip()), len(lines))
    try:
        return list(csv.DictReader(lines[:end], strict=True))
    except csv.Error as error:
        raise HaproxyError("statistics: %s" % error) from error


def _number(text: Any) -> Optional[int]:
    return int(text) if isinstance(text, str) and text.isdigit() and text.isascii() else None
