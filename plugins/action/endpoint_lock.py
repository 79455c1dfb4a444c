# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import getpass
import os
import pathlib
import socket
import time
import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.kubeha.apiserver.plugins.plugin_utils._delegate import reach_delegate


class ActionModule(ActionBase):
    """Take the lock in this run's name; where a run of this controller has left one, see whether it still runs."""

    _supports_check_mode = True
    _supports_async = False
    _supports_diff = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        task_vars = task_vars or {}
        super().run(tmp, task_vars)
        reach_delegate(self, task_vars)
        args = dict(self._task.args)
        # This is a worker; the process that was started is its parent.
        args["owner"] = owner = _owner(os.getppid())
        result: dict[str, t.Any] = self._execute_module(module_args=args, task_vars=task_vars)
        holder = result.get("holder") or {}
        if holder and holder.get("controller") == owner["controller"] and not _runs(holder):
            result = self._execute_module(module_args=dict(args, force=True), task_vars=task_vars)
            holder = result.get("holder") or {}
        if result.get("failed"):
            return result
        changer = result.get("changer") or {}
        if holder:
            result.update(failed=True, msg=(
                "%s has been changing this host since %s. Nothing is done here until it's ready; should it be gone, "
                "its lock counts no more %d minutes after that." % (
                    holder.get("name"), _time(holder), round(float(args.get("ttl", 1800)) / 60))))
        elif changer:
            result.update(failed=True, msg=(
                "%s has changed this host at %s, after this run had looked at it. Nothing is done here: run it again."
                % (changer.get("name"), _time(changer))))
        return result


def _time(note: dict[str, t.Any]) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(note["at"]))


def _owner(process: int) -> dict[str, t.Any]:
    return {
        "controller": _controller(),
        "process": process,
        "started": _started(process),
        "name": "%s@%s (process %d)" % (_user(), socket.gethostname(), process),
    }


def _runs(holder: dict[str, t.Any]) -> bool:
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
