# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Planned files beside what is on a host, and what follows from that. Pure."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Set, Tuple

from ..daemons import _haproxy, _keepalived
from ..host import _ownership
from ..model import _paths, _planfile


class Status(NamedTuple):
    """Of what has a name itself, links not followed."""

    kind: int
    mode: int
    uid: int
    gid: int


@dataclass
class File:
    """One planned file beside what is on the host."""

    path: str
    kind: str
    owner: str
    group: str
    uid: int
    gid: int
    mode: int
    content: bytes
    # As programs see it that judge it.
    tested: bytes = b""
    guarded: bool = False
    present: Optional[bytes] = None
    status: Optional[Status] = None
    ownership: str = _ownership.ABSENT

    @property
    def is_folder(self) -> bool:
        return self.status is not None and self.status.kind == stat.S_IFDIR

    @property
    def same_content(self) -> bool:
        return self.status is not None and self.present == self.content

    @property
    def changed(self) -> bool:
        return not self.same_content or self.status != Status(stat.S_IFREG, self.mode, self.uid, self.gid)


@dataclass
class Found:
    """What is on the host, and what would have to be done."""

    files: List[File]
    stale: List[str] = field(default_factory=list)
    sysctls: Dict[str, str] = field(default_factory=dict)
    folders: List[str] = field(default_factory=list)
    units: List[str] = field(default_factory=list)
    left: List[str] = field(default_factory=list)
    foreign_manifests: List[str] = field(default_factory=list)
    kept: List[str] = field(default_factory=list)
    foreign: List[str] = field(default_factory=list)
    lost: List[str] = field(default_factory=list)
    modes: List[Tuple[str, int]] = field(default_factory=list)
    other_mode: List[str] = field(default_factory=list)
    invalid: List[Dict[str, Any]] = field(default_factory=list)
    not_validated: List[str] = field(default_factory=list)

    @property
    def changed_files(self) -> List[File]:
        return [file for file in self.files if file.changed]

    @property
    def rewritten(self) -> List[File]:
        """What is replaced, but what a package has put there."""
        return [file for file in self.files
                if not file.same_content and file.ownership != _ownership.PACKAGE_DEFAULT]

    @property
    def config(self) -> Optional[File]:
        """The daemon's own configuration."""
        return next((file for file in self.files if file.kind in _paths.ROLES), None)

    @property
    def manifest(self) -> Optional[File]:
        """Of a static pod; a service has none."""
        return next((file for file in self.files if file.kind == "manifest"), None)

    @property
    def plan(self) -> Optional[bytes]:
        return next((file.content for file in self.files if file.path == _paths.PLAN_FILE), None)

    @property
    def adopted(self) -> List[File]:
        return [file for file in self.changed_files if file.guarded and file.ownership == _ownership.FOREIGN]


def told(found: Found) -> Dict[str, Any]:
    """What the module returns of files."""
    changed = [file.path for file in found.changed_files]
    return {
        "changed": bool(changed or found.stale or found.left or found.foreign_manifests or found.folders
                        or found.modes or found.units or found.sysctls or found.lost),
        "changed_files": changed,
        "removed_files": found.stale + found.left,
        "adopted_files": [file.path for file in found.adopted] + found.foreign_manifests,
        "validated": not found.not_validated,
        "not_validated": found.not_validated,
        "folders_changed": found.folders + [folder for folder, _mode in found.modes],
        "kept_files": found.kept,
        "notes_changed": found.lost,
        "foreign_files": found.foreign,
        "units_changed": found.units,
        "sysctls_changed": sorted(found.sysctls),
    }


def least_force(result: Mapping[str, Any]) -> str:
    if not result["active"]:
        return "start"
    if result["needs_restart"]:
        return "restart"
    if result["pending_reload"]:
        return "reload"
    if result["changed"]:
        return "files"
    return "nothing" if result["enabled"] and not result["moving"] and not result["leased"] else "enable"


def serving_backends(haproxy: Mapping[str, Any]) -> List[str]:
    return sorted(name for name, servers in (haproxy.get("backends") or {}).items()
                  if any(_haproxy.is_up(server["status"]) for server in servers))


def rekeyed(running: Optional[bytes], planned: bytes) -> bool:
    """Whether the daemon's members would have different passwords once one of them has the planned file."""
    before = _keepalived.secrets(text_of(running))
    after = _keepalived.secrets(planned.decode("utf-8"))
    return bool(before and after) and before != after


def vips_of(planned: Optional[bytes], deployed: _planfile.Deployed) -> Set[str]:
    """VIPs that the planned files have, and those that what is here has: what HAProxy's turn has stored isn't what
    keepalived has before its own."""
    return {*_planfile.join(_planfile.parse_plan(planned), None).vips, *deployed.vips}


def text_of(content: Optional[bytes]) -> str:
    return (content or b"").decode("utf-8", "replace")
