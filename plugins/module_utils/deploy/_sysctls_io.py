# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Settings of the kernel, as our file for sysctl has them."""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import Collection, Dict, Iterable, List, Mapping

from ..host import _host_io, _hostfacts
from ..model import _paths
from ._found import File, text_of

CONF = "/etc/sysctl.conf"
# Of all that the collection sets.
KERNEL_DEFAULT = "0"


def present(files: List[File]) -> Dict[str, str]:
    """What the kernel has of all that is planned."""
    return {name: _current(name) for name in _settings(text_of(file.content) for file in files if _is_ours(file.path))}


def due(ours: Collection[str], files: List[File],
        noted: Mapping[str, str] = MappingProxyType({})) -> Dict[str, str]:
    """What the kernel doesn't have yet of what is planned; and what our file of an earlier run made, isn't planned any
    more, and nobody else wants. `noted` is what was there before us."""
    planned = _settings(text_of(file.content) for file in files if _is_ours(file.path))
    before = _settings(_host_io.read_text(path) for path in ours if _is_ours(path))
    gone = {name: value for name, value in before.items() if name not in planned}
    # What the files of others set at boot.
    theirs = _settings(_host_io.read_text(path) for path in [*_hostfacts.sysctl_files(_host_io.list_folder), CONF]
                       if path not in ours) if gone else {}
    released = {name: noted.get(name, KERNEL_DEFAULT) for name, value in gone.items()
                if _current(name) == value and noted.get(name, theirs.get(name)) != value}
    return {**released, **{name: value for name, value in planned.items() if _current(name) != value}}


def put(name: str, value: str) -> None:
    with open(place(name), "w", encoding="ascii") as stream:
        stream.write(value)


def place(name: str) -> str:
    return "/proc/sys/" + name.replace(".", "/")


def _current(name: str) -> str:
    return _host_io.read_text(place(name)).strip()


def _settings(texts: Iterable[str]) -> Dict[str, str]:
    return {name: value for text in texts for name, value in _hostfacts.parse_sysctls(text).items()}


def _is_ours(path: str) -> bool:
    return os.path.basename(path) == os.path.basename(_paths.SYSCTL_FILE)
