# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The set of files that a daemon last ran with, for going back to."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from typing import Iterable, List

from ..host import _host_io
from ..host import _owned_files_io as owned
from ..model import _paths, _pod_paths

FOLDER = _paths.STATE + "/previous"


def place(role: str) -> str:
    return os.path.join(FOLDER, role)


def is_whole(role: str, paths: Iterable[str]) -> bool:
    """Whether a pod's manifest is there as well: it isn't while a run has the pod silenced."""
    name = os.path.basename(_pod_paths.manifest_path("", role))
    return all(os.path.lexists(path) for path in paths if os.path.basename(path) == name)


def keep(role: str, paths: Iterable[str]) -> None:
    owned.make_folder(_paths.STATE)
    owned.make_folder(FOLDER, 0o700)
    fresh = tempfile.mkdtemp(prefix=".%s-" % role, dir=FOLDER)
    try:
        _copy(role, paths, fresh)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    # An exchange of folders isn't atomic, but both are whole all the time.
    old = fresh + ".old"
    if os.path.lexists(place(role)):
        os.rename(place(role), old)
    os.rename(fresh, place(role))
    shutil.rmtree(old, ignore_errors=True)


def _copy(role: str, paths: Iterable[str], fresh: str) -> None:
    for path in paths:
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            continue
        content = _host_io.read_file(path) or b""
        if path == _paths.PLAN_FILE:
            content = _host_io.read_file(_paths.ROLE_PLAN % role) or content
        owned.make_folder(os.path.dirname(fresh + path), 0o700)
        owned.write_new(fresh + path, content, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)


def unfinished(role: str) -> List[str]:
    """What runs that were killed while they kept a set have left."""
    return [os.path.join(FOLDER, name) for name in _host_io.list_folder(FOLDER) if name.startswith(".%s-" % role)]


def finish(role: str, left: Iterable[str]) -> None:
    """Where a set was just being exchanged, the new one is whole."""
    for path in left:
        if path.endswith(".old") and not os.path.lexists(place(role)):
            fresh = path[:-len(".old")]
            os.rename(fresh if os.path.lexists(fresh) else path, place(role))
