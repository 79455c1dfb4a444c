# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Folders of ours, and what tmpfiles.d makes at boot: their modes and owners, and how they go."""

from __future__ import annotations

import os
import stat
from typing import List, Tuple

from ..daemons import _podstate
from ..host import _copies_io, _host_io, _ownership
from ..host import _owned_files_io as owned
from ..model import _paths
from . import _files_io, _previous_io
from ._found import File

OWN = _ownership.OWN_FOLDER.rstrip("/")
RUN_FOLDERS = ("haproxy", "keepalived", "unit")


def missing(files: List[File]) -> List[str]:
    """What the planned tmpfiles make and isn't there as it should be."""
    return [item.path for item in _volatile(files) if _differs(item)]


def make(files: List[File]) -> None:
    """As every boot does it. A folder of root's that was somebody else's may have anything in it."""
    for item in _volatile(files):
        if item.folder:
            owned.make_folder(item.path, item.mode, *_owners(item))
            for path in owned.traps(item.path):
                owned.remove(path)
        elif not owned.mend(item.path, item.mode, *_owners(item)) and owned.status(item.path) is None:
            owned.write(item.path, item.content.encode(), item.mode, *_owners(item))


def _volatile(files: List[File]) -> List[_podstate.Volatile]:
    return [item for file in files if file.kind == "tmpfiles" for item in _podstate.volatile(file.content.decode())]


def _owners(item: _podstate.Volatile) -> Tuple[int, int]:
    return _files_io.uid(item.owner), _files_io.gid(item.group)


def _differs(item: _podstate.Volatile) -> bool:
    if not (item.owner.isdigit() or _host_io.has_user(item.owner)):
        return True  # The user is made before its folder is.
    if item.folder:
        return owned.folder_differs(item.path, item.mode, *_owners(item)) or bool(owned.traps(item.path))
    found = owned.status(item.path)
    return found is None or not stat.S_ISREG(found.st_mode) or (
        stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) != (item.mode, *_owners(item))


def wrong_modes(files: List[File]) -> List[Tuple[str, int]]:
    """Folders of ours that others read, and those that nobody else may, as far as they're there with another mode: with
    the mode that they should have."""
    made_by_pods = {item.path for item in _volatile(files)}
    shared = {os.path.dirname(file.path) for file in files if _is_ours(os.path.dirname(file.path))}
    shared.update([OWN, _paths.STATE, _paths.DRAIN, _paths.RUN])
    shared.update(os.path.join(_paths.RUN, name) for name in RUN_FOLDERS)
    modes = {**dict.fromkeys(shared, 0o755), _copies_io.FOLDER: 0o700, _previous_io.FOLDER: 0o700}
    return [(path, mode) for path, mode in sorted(modes.items())
            if path not in made_by_pods and os.path.isdir(path) and owned.folder_differs(path, mode)]


def remove_if_ours(folder: str) -> None:
    """Empty, and none that a package has."""
    if _is_ours(folder):
        _remove_empty(folder)


def remove_empty_below(folder: str) -> None:
    """Folders without any file, the innermost first."""
    for top, dummy, names in os.walk(folder, topdown=False):
        if not names:
            _remove_empty(top)


def files_below(folder: str) -> List[str]:
    return sorted(os.path.join(top, name) for top, dummy, names in os.walk(folder) for name in names)


def _is_ours(folder: str) -> bool:
    return "kubeha" in folder or folder.endswith(".service.d")


def _remove_empty(folder: str) -> None:
    try:
        os.rmdir(folder)
    except OSError:
        return
