# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The lock of a host as files that nobody but root can open, and the check that each change begins with."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import time
from contextlib import contextmanager
from typing import Any, Iterator, List, Mapping, Optional

from ..host import _owned_files_io
from ..model import _paths
from . import _run_lock

LOCK = _paths.RUN + "/lock"
# Locked while the lock is looked at; what it says is who was the last to release it.
GUARD = LOCK + ".guard"
GUARD_SECONDS = 10.0
_POLL_SECONDS = 0.05
_LIMIT = 1 << 16
_BOOT_ID = "/proc/sys/kernel/random/boot_id"


class Busy(OSError):
    """Somebody has had the guard for too long."""


def clock() -> _run_lock.Clock:
    try:
        with open(_BOOT_ID, encoding="ascii") as stream:
            boot = stream.read().strip()
    except OSError:
        boot = "unknown"
    return _run_lock.Clock(boot, time.clock_gettime(time.CLOCK_BOOTTIME))


@contextmanager
def guarded(seconds: float = GUARD_SECONDS) -> Iterator[int]:
    """One run at a time is in here; the guard's descriptor. Ends with Busy where somebody doesn't let go of it."""
    deadline = time.monotonic() + seconds
    while True:
        _owned_files_io.make_folder(os.path.dirname(GUARD), 0o755, os.geteuid(), os.getegid())
        try:
            descriptor = _open_guard()
        except FileNotFoundError:
            # A run that has removed everything has just taken the folder away.
            if time.monotonic() >= deadline:
                raise
            time.sleep(_POLL_SECONDS)
            continue
        try:
            _lock(descriptor, deadline)
            if _is_guard(descriptor):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _open_guard() -> int:
    """A file that only root can open. One that others could open is replaced: they may still have it open."""
    with _owned_files_io.opened(os.path.dirname(GUARD)) as folder:
        name = os.path.basename(GUARD)
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        for dummy in range(3):
            try:
                descriptor = os.open(name, flags | os.O_CREAT, 0o600, dir_fd=folder)
            except OSError as error:
                if error.errno not in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
                    raise
            else:
                found = os.fstat(descriptor)
                if (stat.S_ISREG(found.st_mode) and not found.st_mode & 0o077 and found.st_nlink == 1
                        and found.st_uid == os.geteuid()):
                    return descriptor
                os.close(descriptor)
                if not _is_same(found, _owned_files_io.status(GUARD)):
                    continue  # another run has replaced it just now
            try:
                os.unlink(name, dir_fd=folder)
            except FileNotFoundError:
                continue
    raise OSError(errno.EEXIST, "it can't be made a file of root's", GUARD)


def _lock(descriptor: int, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise Busy(errno.EBUSY, "another run has had it for %g s. `fuser -v %s` names its process"
                           % (GUARD_SECONDS, GUARD), GUARD) from None
        time.sleep(_POLL_SECONDS)


def _is_guard(descriptor: int) -> bool:
    """Whether it's still what others would open."""
    return _is_same(os.fstat(descriptor), _owned_files_io.status(GUARD))


def _is_same(one: os.stat_result, other: Optional[os.stat_result]) -> bool:
    return other is not None and (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


def read_lock() -> _run_lock.Note:
    try:
        return _parsed(_owned_files_io.read(LOCK, _LIMIT) or b"")
    except _owned_files_io.Untrusted:
        return {}


def read_last(guard: int) -> _run_lock.Note:
    return _parsed(os.pread(guard, _LIMIT, 0))


def _parsed(content: bytes) -> _run_lock.Note:
    try:
        return _run_lock.note_of(json.loads(content.decode("utf-8")))
    except (ValueError, RecursionError):
        return {}


def store(note: Optional[_run_lock.Note]) -> None:
    if note is None:
        _owned_files_io.remove(LOCK)
    else:
        _owned_files_io.write(LOCK, json.dumps(note).encode(), 0o600, os.geteuid(), os.getegid())


def others() -> List[str]:
    """What is in the lock's folder besides it: that stays until the run that has it lets others in."""
    folder = os.path.dirname(GUARD)
    paths = [os.path.join(folder, name) for name in sorted(os.listdir(folder))] if os.path.isdir(folder) else []
    return [path for path in paths if path not in (LOCK, GUARD)]


def leave() -> None:
    """Inside of the guard, and without a lock: nothing is left on a host from which everything was removed."""
    folder = os.path.dirname(GUARD)
    if not os.path.lexists(_paths.PLAN_FILE) and not others():
        _owned_files_io.remove(GUARD)
        try:
            os.rmdir(folder)
        except OSError:
            # Somebody has come meanwhile.
            return


def store_last(guard: int, note: _run_lock.Note) -> None:
    """It keeps its inode, which others wait for; nobody reads it but who has locked it."""
    os.ftruncate(guard, 0)
    os.pwrite(guard, json.dumps(note).encode(), 0)


OWNER = {"owner": {"type": "dict"}}


def own(owner: Optional[Mapping[str, Any]], life: float = _run_lock.LIFE) -> _run_lock.Answer:
    """Whether this run may change the host, else `lost` says why not. Where it may its lock is renewed."""
    owner = owner or {}
    # Where nobody has ever taken the lock there's nothing to renew.
    if not owner.get("held") and _owned_files_io.status(LOCK) is None:
        return _run_lock.Answer()
    with guarded():
        before = read_lock()
        answer = _run_lock.own(before, owner, clock(), life)
        if not answer.lost and answer.lock is not None and answer.lock != before:
            store(answer.lock)
        return answer


def ensure(module: Any, life: float = _run_lock.LIFE) -> None:
    """What every module does before it changes anything. Ends the module where the host isn't this run's any more."""
    if module.check_mode:
        return
    answer = own(module.params.get("owner"), life)
    if answer.lost:
        module.fail_json(msg="Nothing was changed here, because %s." % answer.lost, lost=True, holder=answer.holder)
