# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a daemon had on a host before this collection came: a note of it, and whether the copies still fit. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Dict, List, Optional

_BIND = re.compile(r"^\s*bind\s+([^\s#]+)", re.MULTILINE)
_EVERYWHERE = ("", "*", "0.0.0.0", "::", "[::]")


class Unreadable(Exception):
    """It isn't a note that this version writes."""


@dataclass(frozen=True)
class Copy:
    """Of one file: where it is, and what it was like."""

    place: str
    sum: str
    mode: int
    uid: int
    gid: int


@dataclass(frozen=True)
class Before:
    """`foreign` is whether somebody else had configured it; `active` and `enabled` is what its unit was, `config` the
    path of the daemon's own configuration."""

    foreign: bool
    active: bool
    enabled: bool
    config: str = ""
    files: Dict[str, Copy] = field(default_factory=dict)
    sysctls: Dict[str, str] = field(default_factory=dict)


def written(before: Before) -> bytes:
    document = {
        "version": 1, "foreign": before.foreign, "active": before.active, "enabled": before.enabled,
        "config": before.config,
        "files": {path: vars(copy) for path, copy in before.files.items()}, "sysctls": before.sysctls}
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()


def parsed(content: bytes) -> Before:
    try:
        document = json.loads(content)
        if document["version"] != 1:
            raise Unreadable("another version wrote it")
        return Before(
            bool(document["foreign"]), bool(document["active"]), bool(document["enabled"]),
            str(document["config"]),
            {str(path): Copy(**copy) for path, copy in document["files"].items()},
            {str(name): str(value) for name, value in document["sysctls"].items()})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable(str(error)) from error


def misfit(copy: Copy, content: Optional[bytes], mode: int, uid: int, gid: int) -> str:
    """Why what lies at the copy's place isn't what was kept; nothing where it is."""
    if content is None:
        return "it's gone"
    if sha256(content).hexdigest() != copy.sum:
        return "its content has changed"
    if (uid, gid) != (copy.uid, copy.gid):
        return "its owner was %d:%d and is %d:%d" % (copy.uid, copy.gid, uid, gid)
    return "" if mode == copy.mode else "its mode was %04o and is %04o" % (copy.mode, mode)


def local_binds(config: str) -> List[Dict[str, Any]]:
    """Where a HAProxy with this configuration takes connections on whatever host it runs, or on loopback."""
    found = []
    for address in ",".join(_BIND.findall(config)).split(","):
        host, colon, port = address.rpartition(":")
        if not colon or not port.isdigit():
            continue
        if host in _EVERYWHERE:
            host = "::1" if host == "[::]" or host == "::" else "127.0.0.1"
        if host in ("127.0.0.1", "::1", "[::1]", "localhost"):
            found.append({"host": host.strip("[]"), "port": int(port)})
    return found
