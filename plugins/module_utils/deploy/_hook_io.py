# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The user's script that runs when a state changes: whether it may be run, by the rules of kubeha-hook."""

from __future__ import annotations

import os
import pwd
import re
import stat
from typing import List

from ..host import _owned_files_io as owned
from ..model import _paths

SERVICE = _paths.HOOK_UNITS[0]
_SCRIPT = re.compile(r"^ExecStart=.* (/\S+)$", re.MULTILINE)
_USER = re.compile(r"^User=(\S+)$", re.MULTILINE)


def trouble(unit: bytes) -> str:
    """Why what the unit with this content starts may not be run here; nothing where it may."""
    text = unit.decode("utf-8", "replace")
    script, user = _SCRIPT.search(text), _USER.search(text)
    said = _of_user(user.group(1)) if user else ""
    return said or (_of_script(script.group(1)) if script else "")


def _of_user(name: str) -> str:
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return "there is no user %s here" % name
    return "%s is root by another name" % name if found.pw_uid == 0 else ""


def _of_script(path: str) -> str:
    real = os.path.realpath(path)
    if not os.path.lexists(path):
        return "%s isn't there" % path
    if real != path:
        return "%s is a link: name %s" % (path, real)
    if not os.path.isdir(path):
        return _of_file(path, False)
    said = owned.trouble(path)
    if said:
        return "%s: %s" % (path, said)
    for name in sorted(os.listdir(path)):
        said = "" if name.startswith(".") else _of_file(os.path.join(path, name), True)
        if said:
            return said
    return ""


def _of_file(path: str, among_others: bool) -> str:
    """In a folder, what can't be executed is no script, nor is a folder."""
    found = os.lstat(path)
    if among_others and (stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode) and not _executable(found)):
        return ""
    said: List[str] = []
    if not stat.S_ISREG(found.st_mode):
        said.append("it's no file")
    if not owned.only_root_writes(found):
        said.append("others than root can write to it")
    if not _executable(found):
        said.append("nobody can execute it")
    said.append(owned.trouble(os.path.dirname(path)))
    why = next(filter(None, said), "")
    return "%s: %s" % (path, why) if why else ""


def _executable(found: os.stat_result) -> bool:
    return bool(stat.S_IMODE(found.st_mode) & 0o111)
