# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""Who this run is, for hosts that note who changes them."""

from __future__ import annotations

import getpass
import os
import pathlib
import socket
import typing as t
from collections.abc import Mapping

from ..intent._registered import LOCK


def token(task_vars: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """This run, and whether it has taken the lock of the task's host."""
    lock = task_vars.get(LOCK)
    # This is a worker; the process that was started is its parent.
    return dict(owner_of(os.getppid()), held=isinstance(lock, Mapping) and bool(lock.get("held")))


def owned(execute: t.Callable[[dict[str, t.Any]], dict[str, t.Any]], args: dict[str, t.Any]) -> dict[str, t.Any]:
    """What a module returns; asked once more where a run of this controller keeps it out that has ended."""
    result = execute(args)
    holder = result.get("holder") if result.get("lost") else None
    if isinstance(holder, Mapping) and holder and is_void(holder, args["owner"]):
        result = execute(dict(args, owner=dict(args["owner"], void=dict(holder))))
    return result


def is_void(holder: Mapping[str, t.Any], owner: Mapping[str, t.Any]) -> bool:
    return holder.get("controller") == owner["controller"] and not runs(holder)


def owner_of(process: int) -> dict[str, t.Any]:
    return {
        "controller": _controller(),
        "process": process,
        "started": _started(process),
        "name": "%s@%s (process %d)" % (_user(), socket.gethostname(), process),
    }


def runs(holder: Mapping[str, t.Any]) -> bool:
    """By its start too: numbers of processes are used again."""
    started = _started(int(holder.get("process") or 0))
    return started != "" and started == holder.get("started")


def _controller() -> str:
    """This machine since its last boot, in this view of its processes: where a number means one process."""
    parts = [socket.gethostname()]
    for path in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        try:
            file = pathlib.Path(path)
            parts.append(os.readlink(path) if file.is_symlink() else file.read_text(encoding="ascii").strip())
        except OSError:
            continue
    return " ".join(parts)


def _started(process: int) -> str:
    try:
        # The name, in parentheses, may contain anything.
        fields = pathlib.Path("/proc/%d/stat" % process).read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return "alive" if _answers(process) else ""
    # One that was killed stays in the list until somebody asks how it ended, which in a container may be nobody.
    return "" if fields[0] in "ZX" else fields[19]


def _answers(process: int) -> bool:
    """Where there's no /proc, as on macOS."""
    if os.path.isdir("/proc/self") or process <= 0:
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
