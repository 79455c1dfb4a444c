# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""What the readers of somebody else's files share: files, and places in them. Pure."""

from __future__ import annotations

import typing as t


class File(t.NamedTuple):
    """A file of a host."""

    path: str
    role: str           # keepalived, haproxy, manifest or nginx
    text: str


class Place(t.NamedTuple):
    """A line of a file of a host."""

    host: str
    path: str
    line: int

    def __str__(self) -> str:
        return "%s %s:%d" % self


class Malformed(Exception):
    """A file that its own program could not read either, or that nothing here understands."""

    def __init__(self, place: Place, reason: str) -> None:
        super().__init__(place, reason)
        self.place = place
        self.reason = reason
