# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""HAProxy's look at a host looks at keepalived as well. Whether keepalived's own look may take that for its own."""

from __future__ import annotations

import hashlib
import json
import typing as t
from collections.abc import Mapping

# For as long a look is believed.
FRESH_SECONDS = 60


def recalled(
    looks: Mapping[str, Mapping[str, t.Any]], host: str, digest: str, waves: t.Any, now: float
) -> dict[str, t.Any]:
    """What HAProxy's look has seen of keepalived on `host`; empty where a look is due.

    `looks` are those of all members of the host's endpoints. Each has its time (`seen`, seconds of a monotonic clock,
    like `now`) and the `digest` of what it compared. They hold if HAProxy's `waves` were none: nothing was done since.
    """
    if waves != [] or not all(look and now - look["seen"] < FRESH_SECONDS for look in looks.values()):
        return {}
    mine = dict(looks.get(host) or {})
    return mine if mine.get("digest") == digest else {}


def digest(files: list[t.Any], args: Mapping[str, t.Any]) -> str:
    """Of all that a look compares with what is there. There's no secret in it: files have placeholders for them."""
    said = json.dumps([files, args["adopt"], args["keep_stale"]], sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()
