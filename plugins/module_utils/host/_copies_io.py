# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Copies of what somebody else wrote where this collection writes. They stay until somebody deletes them."""

from __future__ import annotations

import os
import stat
from hashlib import sha256
from typing import List, Optional

from . import _owned_files_io as owned

FOLDER = "/var/lib/kubeha/adopted"


def place(path: str, content: bytes, original: bool) -> Optional[str]:
    """Where a copy has to be made; None where there is one.

    An `original` was there before us, and comes back when we go: it has the path's own name, if none has it yet. Where
    it has come back, and is replaced again, there is its copy.
    """
    kept, exact = FOLDER + path, _exact(path, content)
    if original and not os.path.lexists(kept):
        return kept
    return None if os.path.lexists(exact) or owned.read(kept) == content else exact


def there(path: str, content: bytes) -> str:
    """Where a copy is, once it has been kept."""
    exact = _exact(path, content)
    return exact if os.path.lexists(exact) else FOLDER + path


def _exact(path: str, content: bytes) -> str:
    return "%s%s.%s" % (FOLDER, path, sha256(content).hexdigest()[:12])


def keep(path: str, content: bytes, found: os.stat_result, original: bool) -> None:
    """With its mode and owner, in a folder that only root can read."""
    copy = place(path, content, original)
    if copy is None:
        return
    owned.make_folder(os.path.dirname(FOLDER))
    owned.make_folder(FOLDER, 0o700)
    owned.make_folder(os.path.dirname(copy))
    owned.write(copy, content, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)


def original(path: str) -> Optional[str]:
    """What was there before us."""
    kept = FOLDER + path
    return kept if os.path.isfile(kept) and not os.path.islink(kept) else None


def left() -> List[str]:
    """All copies that are there."""
    return sorted(os.path.join(top, name) for top, dummy, names in os.walk(FOLDER) for name in names)
