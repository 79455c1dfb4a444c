# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What is noted of files of ours, and whose a file is that is there now."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from typing import Dict, Iterable, List, Optional, Set

from ..host import _copies_io, _host_io, _ownership
from ..host import _owned_files_io as owned
from ..model import _paths, _planfile
from ._found import File

# Somebody else may have them, with or without this collection.
GUARDED = (_paths.HAPROXY_CONFIG, _paths.KEEPALIVED_CONFIG, _paths.IMAGE_AUTH)


def place(role: str) -> str:
    return "%s/files-%s.json" % (_paths.STATE, role)


def sums(role: str) -> Dict[str, List[str]]:
    """Files of ours, with the checksums of what we wrote."""
    try:
        return _ownership.noted_sums(json.loads(_host_io.read_file(place(role)) or b"[]"))
    except (OSError, ValueError, RecursionError):
        return {}


def ours(role: str) -> List[str]:
    """What is noted; and what is ours by its name or its marker, should the note be lost."""
    noted = sums(role)
    elsewhere = {path for other in _paths.ROLES if other != role for path in sums(other)}
    return [*noted, *(path for path in _named(role) if path not in noted and path not in elsewhere)]


def of_others(role: str) -> Set[str]:
    """What the other role has."""
    return {path for other in _paths.ROLES if other != role for path in ours(other)}


def _named(role: str) -> List[str]:
    paths = [path for path in _paths.named(role) if os.path.isfile(path)]
    if role == "keepalived":
        paths += [os.path.join(folder, name) for folder in sorted({os.path.dirname(layout.config[role])
                  for layout in _paths.LAYOUTS.values()}) for name in _host_io.list_folder(folder)
                  if _paths.is_key(name)]
    return [path for path in paths
            if path not in GUARDED or _ownership.has_marker(_host_io.read_file(path) or b"")]


def lost(role: str, files: List[File]) -> List[str]:
    """Notes that don't say what they should of files that are in place, so they're made anew."""
    noted = sums(role)
    known = all(sha256(file.content).hexdigest() in noted.get(file.path, []) for file in files if file.same_content)
    planned = any(file.path == _paths.PLAN_FILE for file in files)
    return [*[place(role)] * (not known), *[_paths.ROLE_PLAN % role] * (planned and not _is_plan(role))]


def missing() -> List[str]:
    """The same for whoever has no plan of the host's: notes of roles whose configuration is in place."""
    found = []
    for role in _paths.ROLES:
        configs = [layout.config[role] for layout in _paths.LAYOUTS.values()]
        ours = [path for path in configs if _ownership.has_marker(_host_io.read_file(path) or b"")]
        noted = sums(role)
        found += [place(role)] * any(path not in noted for path in ours)
        found += [_paths.ROLE_PLAN % role] * (bool(ours) and not _is_plan(role))
    return found


def _is_plan(role: str) -> bool:
    try:
        _planfile.read_plan(_planfile.parse_plan(_host_io.read_file(_paths.ROLE_PLAN % role)))
    except (OSError, _planfile.Unreadable):
        return False
    return True


def note(role: str, files: List[File], keep: Iterable[str] = (), batch: Optional[owned.Batch] = None) -> None:
    """What is planned, or in place; `keep` are paths that go on being ours, with what was noted of them."""
    before = sums(role)
    now = {path: before.get(path, []) for path in keep}
    for file in files:
        if file.path in now and file.present is not None and not _ownership.is_edited(
                file.path, file.present, now[file.path]):
            now[file.path] = [sha256(file.present).hexdigest()]
        now[file.path] = list(dict.fromkeys([*now.get(file.path, []), sha256(file.content).hexdigest()]))
    if now != before:
        write = owned.write if batch is None else batch.add
        write(place(role), (json.dumps(now, indent=1, sort_keys=True) + "\n").encode(), 0o600)


def copy_of(path: str, original: bool = False) -> Optional[str]:
    """Where a copy has to be made of what somebody else wrote; None where we wrote it, or there is one."""
    content = _host_io.read_file(path)
    if content is None or not _ownership.is_edited(path, content, _written(path)):
        return None
    return _copies_io.place(path, content, original)


def copy_of_ours(path: str) -> Optional[str]:
    """As `copy_of`, of a file that goes: without a note nobody has edited it, as it's known by its name alone."""
    return copy_of(path) if any(path in sums(role) for role in _paths.ROLES) else None


def is_foreign(path: str) -> bool:
    """A file of ours that somebody has written anew; what has no marker anyway is ours by its name."""
    content = _host_io.read_file(path) if path in GUARDED else None
    return _ownership.is_edited(path, content, _written(path)) and _ownership.classify(
        path, content, {}) == _ownership.FOREIGN


def is_other_key(file: File) -> bool:
    """Whether a run of ours has put another key there, in either mode, than the planned one."""
    name = os.path.basename(file.path)
    other = {os.path.join(os.path.dirname(layout.config["keepalived"]), name) for layout in _paths.LAYOUTS.values()}
    for path in {file.path} | other:
        content = _host_io.read_file(path)
        if content not in (None, file.content) and not _ownership.is_edited(path, content, _written(path)):
            return True
    return False


def originals(paths: Iterable[str]) -> Dict[str, str]:
    """What was there before us, by path."""
    found = {path: _copies_io.original(path) for path in paths if os.path.isdir(os.path.dirname(path))}
    return {path: kept for path, kept in found.items() if kept}


def _written(path: str) -> List[str]:
    return [item for role in _paths.ROLES for item in sums(role).get(path, [])]
