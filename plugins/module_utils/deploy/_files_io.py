# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Files as they're planned, or were kept, beside what is there. Users of containers have no names on the host."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from typing import Any, Iterable, List, Mapping

from ..daemons import _keepalived
from ..host import _host_io, _hostfacts, _ownership
from ..host import _owned_files_io as owned
from ..model import _secrets
from ._found import File, Status

SECONDS = 30.0


def all_planned(entries: Iterable[Mapping[str, Any]], secrets: Mapping[str, str]) -> List[File]:
    """What a folder has in its place isn't read. Programs that judge keepalived.conf find stand-ins for keys in it."""
    files = [planned(entry, secrets) for entry in entries]
    keys = {file.path: file.tested.decode("utf-8").strip() for file in files if file.kind == "hmac-key"}
    for file in files:
        if file.kind == "keepalived" and keys:
            file.tested = _keepalived.inlined(file.tested.decode("utf-8"), keys).encode("utf-8")
    return files


def planned(entry: Mapping[str, Any], secrets: Mapping[str, str]) -> File:
    # Programs that judge it see stand-ins: no secret lies in a file before it's in its own.
    tested = _secrets.filled(entry["content"], _secrets.stand_ins(secrets))
    return _beside(File(
        path=entry["path"], kind=entry["kind"], owner=entry["owner"], group=entry["group"], uid=uid(entry["owner"]),
        gid=gid(entry["group"]), mode=int(entry["mode"], 8), guarded=entry["guarded"], tested=tested.encode("utf-8"),
        content=_secrets.filled(entry["content"], secrets).encode("utf-8")))


def kept(folder: str, path: str, kind: str) -> File:
    """What was put aside below a folder of ours, to come back to its path."""
    return copied(folder + path, path, kind)


def copied(copy: str, path: str, kind: str) -> File:
    """A copy, wherever it is, that is to come back to its path."""
    status = os.lstat(copy)
    return _beside(File(
        path=path, kind=kind, owner=user_name(status.st_uid), group=group_name(status.st_gid), uid=status.st_uid,
        gid=status.st_gid, mode=stat.S_IMODE(status.st_mode), content=_host_io.read_file(copy) or b""))


def _beside(file: File) -> File:
    found = owned.status(file.path)
    if found is not None:
        file.status = Status(stat.S_IFMT(found.st_mode), stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)
        file.present = None if file.is_folder else _host_io.read_file(file.path)
    return file


def classify(role: str, files: List[File]) -> None:
    """Whose they are. The package manager is asked only where it can tell something."""
    for file in files:
        file.ownership = _ownership.classify(file.path, file.present, {})
    unknown = [file for file in files if file.ownership == _ownership.FOREIGN]
    if not unknown:
        return
    family = _hostfacts.parse_os_release(_host_io.read_text("/etc/os-release"))["family"]
    command = _ownership.shipped_command(family, [role])
    shipped = _ownership.parse_shipped(_host_io.run(command, SECONDS).text) if command else {}
    for file in unknown:
        file.ownership = _ownership.classify(file.path, file.present, shipped)


def uid(name: str) -> int:
    return int(name) if name.isdigit() else pwd.getpwnam(name).pw_uid


def gid(name: str) -> int:
    return int(name) if name.isdigit() else grp.getgrnam(name).gr_gid


def user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
