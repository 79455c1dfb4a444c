# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What would have to be done for planned files: a look at the host, which changes nothing."""

from __future__ import annotations

import os
from typing import Collection, Dict, Iterator, List

from ..daemons import _process_io
from ..host import _host_io, _ownership
from ..model import _secrets
from . import _daemon_io, _files_io, _folders_io, _leftovers_io, _records_io, _sysctls_io, _units_io
from ._found import File, Found, text_of

# Somebody else's configuration isn't ours to show, and may hold secrets of any form.
NOT_SHOWN = "(written by somebody else, not shown)\n"


def look(role: str, files: List[File], listed: List[str], others: Collection[str], keep_stale: bool) -> Found:
    """`listed` are files of ours as they're noted, `others` those of the other role. With `keep_stale` what isn't
    planned any more stays."""
    _files_io.classify(role, [file for file in files if file.guarded])
    planned = {file.path for file in files}
    gone = [path for path in listed if path not in planned and path not in others]
    foreign = [path for path in gone if _records_io.is_foreign(path)]
    stale = [path for path in gone if path not in foreign and os.path.lexists(path)]
    if keep_stale:
        stale = []
    found = Found(files, stale, foreign=foreign)
    found.sysctls = _sysctls_io.due([*stale, *planned], files)
    found.folders = _folders_io.missing(files)
    found.modes = _folders_io.wrong_modes(files)
    copies = [*(_records_io.copy_of(file.path, file.path not in listed) for file in found.rewritten),
              *map(_records_io.copy_of_ours, stale)]
    found.kept = [copy for copy in copies if copy]
    found.units = _units_io.due([file.path for file in found.changed_files], planned)
    found.left = _leftovers_io.find(role, [*listed, *planned])
    found.lost = _records_io.lost(role, files)
    if found.manifest:
        found.foreign_manifests = _process_io.foreign_manifests(os.path.dirname(found.manifest.path), role)
    # What serves goes on doing so until the host's turn comes.
    found.other_mode = _daemon_io.in_other_mode(bool(found.manifest))
    return found


def diffs(found: Found) -> Iterator[Dict[str, str]]:
    """As Ansible shows them; no secret is in them."""
    for file in found.changed_files:
        before, after = _secrets.differences(text_of(file.present), text_of(file.content))
        if file.guarded and file.ownership == _ownership.FOREIGN:
            before = NOT_SHOWN
        header = "%s (%s %s:%s)"
        yield {
            "before_header": file.path if file.status is None else header % (
                file.path, oct(file.status.mode), _files_io.user_name(file.status.uid),
                _files_io.group_name(file.status.gid)),
            "after_header": header % (file.path, oct(file.mode), file.owner, file.group),
            "before": before,
            "after": after,
        }
    for path in found.stale:
        before = NOT_SHOWN if _records_io.is_foreign(path) else _secrets.masked(_host_io.read_text(path))
        yield {"before_header": path, "after_header": "%s (removed)" % path, "before": before, "after": ""}
