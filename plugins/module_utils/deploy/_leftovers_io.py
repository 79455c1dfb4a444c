# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What runs that were killed have left: folders of files that were judged, files that weren't whole, sets."""

from __future__ import annotations

import os
import re
import shutil
from typing import Iterable, List

from ..host import _host_io
from ..host import _owned_files_io as owned
from ..model import _paths
from . import _previous_io

_NAME = re.compile(r"\.(?:kubeha-(?:staging|check)-(?:(\d+)-)?\w+|.+\.kubeha-(\d+))\Z")


def find(role: str, paths: Iterable[str]) -> List[str]:
    """Beside the files of these paths, and among our own."""
    folders = {os.path.dirname(path) for path in paths} | {os.path.dirname(_paths.STATE), _paths.STATE}
    return [os.path.join(folder, name) for folder in sorted(folders) for name in _host_io.list_folder(folder)
            if _is_left(name)] + _previous_io.unfinished(role)


def _is_left(name: str) -> bool:
    match = _NAME.match(name)
    if match is None:
        return False
    pid = match.group(1) or match.group(2)
    # A number is given to other processes later, but none of Python's is likely to be among them.
    return pid is None or b"python" not in (_host_io.read_file("/proc/%s/comm" % pid) or b"")


def sweep(role: str, left: Iterable[str]) -> None:
    """Remove what `find` found."""
    left = [path for path in left if os.path.lexists(path)]
    _previous_io.finish(role, left)
    for path in left:
        if os.path.lexists(path):
            remove(path)


def remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        owned.remove(path)
