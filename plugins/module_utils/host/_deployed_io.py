# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The plans that this host has stored."""

from __future__ import annotations

from typing import Any

from ..model import _paths, _planfile
from ..model._planfile import LARGEST, Deployed, Unreadable
from . import _host_io


def read_deployed() -> Deployed:
    paths = (_paths.PLAN_FILE, _paths.ROLE_PLAN % "keepalived")
    return _planfile.join(_content(paths[0]), _content(paths[1]), paths)


def _content(path: str) -> Any:
    try:
        return _planfile.parse_plan(_host_io.read_file(path, LARGEST))
    except OSError as error:
        return Unreadable(str(error.strerror))
