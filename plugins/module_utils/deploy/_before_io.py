# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The note of what was there before, and the copies that belong to it. Both are made once, before anything changes."""

from __future__ import annotations

import os
import stat
from hashlib import sha256
from typing import Dict, Iterable, List, Optional

from ..host import _copies_io, _host_io, _ownership
from ..host import _owned_files_io as owned
from ..model import _paths
from . import _before, _daemon_io, _sysctls_io
from ._found import File


def place(role: str) -> str:
    return "%s/before-%s.json" % (_paths.STATE, role)


def note(role: str, files: List[File], manifests: Iterable[str] = ()) -> None:
    """Where there is none yet. The note comes last: with it, all copies are there."""
    if os.path.lexists(place(role)):
        return
    config = next((file for file in files if file.kind in _paths.ROLES), None)
    paths = [config.path] if config and config.present is not None else []
    copies = {path: _copy(path) for path in [*paths, *manifests]}
    unit = _daemon_io.systemd_unit(role)
    foreign = bool(config and config.ownership == _ownership.FOREIGN) or any(True for dummy in manifests)
    owned.write(place(role), _before.written(_before.Before(
        foreign=foreign, active=unit.get("ActiveState") in ("active", "reloading"),
        enabled=unit.get("UnitFileState") == "enabled", config=config.path if config else "",
        files={path: copy for path, copy in copies.items() if copy}, sysctls=_sysctls_io.present(files))), 0o600)


def _copy(path: str) -> Optional[_before.Copy]:
    content, found = _host_io.read_file(path), owned.status(path)
    if content is None or found is None:
        return None
    found = os.stat(path)
    kept = _copies_io.place(path, content, original=True)
    _copies_io.keep(path, content, found, original=True)
    return _before.Copy(kept or _copies_io.there(path, content), sha256(content).hexdigest(),
                        stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)


def read(role: str) -> Optional[_before.Before]:
    """None where there's no note; `_before.Unreadable` where it can't be read."""
    content = owned.read(place(role))
    return None if content is None else _before.parsed(content)


def runs(role: str) -> bool:
    """Whether the unit's process was started without our drop-in: since what was there before came back, or ever."""
    unit = _daemon_io.systemd_unit(role)
    environment = _host_io.read_file("/proc/%s/environ" % unit.get("MainPID", "0"))
    return unit.get("ActiveState") == "active" and environment is not None and b"KUBEHA_EXECUTION=" not in environment


def sysctls(role: str) -> Dict[str, str]:
    """What the kernel's settings were, as far as that is known."""
    try:
        before = read(role)
    except (OSError, _before.Unreadable):
        return {}
    return before.sysctls if before else {}


def misfits(before: _before.Before) -> List[str]:
    """What of the copies is no more what it was, in words."""
    said = []
    for path, copy in before.files.items():
        why = owned.trouble(os.path.dirname(copy.place)) or _misfit(copy)
        if why:
            said.append("%s, the copy of %s: %s" % (copy.place, path, why))
    return said


def _misfit(copy: _before.Copy) -> str:
    found = owned.status(copy.place)
    if found is None or not stat.S_ISREG(found.st_mode):
        return "it's gone"
    return _before.misfit(
        copy, _host_io.read_file(copy.place), stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)


def given_back(role: str) -> List[str]:
    """Copies that say what is in place again."""
    try:
        before = read(role)
    except (OSError, _before.Unreadable):
        return []
    return [copy.place for path, copy in (before.files if before else {}).items()
            if copy.place.startswith(_copies_io.FOLDER + "/") and not _misfit(copy)
            and _host_io.read_file(path) == _host_io.read_file(copy.place)]
