# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What `status` writes, as types: docs/status.schema.json is made from them (`./dev generate`).

A key or a word of a Literal may be added within a major version; none goes, and none changes what it means.
"""

from __future__ import annotations

from typing import Dict, List, Literal, Optional, TypedDict

Level = Literal["ok", "warning", "error", "unreachable"]


class FindingEntry(TypedDict):
    """What isn't as planned."""

    code: str                           # docs/status.md lists all
    severity: str                       # error, warning or info
    message: str                        # what was seen, for people
    fix: str                            # what mends it, for people
    host: Optional[str]                 # null where it's about all of them
    endpoint: Optional[str]             # null where it's about the host


class Row(TypedDict):
    """A member of an endpoint."""

    endpoint: str                       # its name
    host: str                           # its name in the inventory
    planned: str                        # MASTER or BACKUP
    planned_priority: int               # of VRRP
    observed: str                       # holds, holds N of M, backup, not the holder, fault, down, drained, ...
    effective_priority: Optional[int]   # as keepalived says it; null where it doesn't
    haproxy: str                        # its version, down or hung; empty where it isn't known
    backends_up: Optional[int]          # API servers that its HAProxy takes for up; null where that isn't known
    backends: int                       # API servers that are planned
    note: str                           # the message of its worst finding, or nothing
    findings: List[str]                 # codes


class EndpointRow(TypedDict):
    """A virtual IP."""

    endpoint: str                       # its name
    address: str                        # the virtual IP
    port: int                           # that clients use
    holders: List[str]                  # hosts that have it
    answers: bool                       # whether any host got an answer there
    answered_to: Optional[str]          # which host that was; null for none
    millis: Optional[float]             # how long it took
    http_status: Optional[int]          # of the answer; null where none was asked for


class ServerRow(TypedDict):
    """An API server, as one host's HAProxy sees it."""

    endpoint: str                       # its name
    host: str                           # whose HAProxy
    server: str                         # the API server's name
    status: str                         # in HAProxy's words
    up: bool                            # whether it gets connections
    check: str                          # what its last check said


class Verdict(TypedDict):
    """All that was judged."""

    ok: bool                            # no finding is an error
    level: Level                        # the worst; unreachable where the only errors are hosts that said nothing
    findings: List[FindingEntry]        # errors first
    rows: List[Row]                     # one for each endpoint and member
    endpoints: List[EndpointRow]        # one for each virtual IP
    holders: Dict[str, Dict[str, List[str]]]  # hosts by endpoint and virtual IP
    servers: List[ServerRow]            # one for each endpoint, member and API server


class StatusFile(Verdict):
    """The file that endpoint_status_file names."""

    schema: Literal[1]                  # this description; another number would mean something else
    at: str                             # when it was judged, by the controller's clock, in UTC: 2026-11-29T20:12:25Z
