# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Run a container's own program beside one of its processes, with no right that this process doesn't have.

The program is in all namespaces of the process, has its root, its user and group and no other group, no capability
and no way to get one, and limits of its own. It reads its file from standard input, which is memory: nothing is left
on a disk, whatever happens. It stays out of the container's control group, lest its memory be the daemon's.

Between entering and executing nothing may be imported and no name looked up: that would be read from the container's
files, as root.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import select
import signal
import time
from typing import Any, List, Optional, Sequence, Tuple

from ..host import _host_io
from . import _process_io, _processes

STDIN = "/proc/self/fd/0"
_FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_ENVIRONMENT = {"PATH": ":".join(_FOLDERS), "LC_ALL": "C", "LANGUAGE": "C"}
# The user's comes last: until then we're root, who may enter the others.
_NAMESPACES = ("cgroup", "ipc", "uts", "net", "pid", "mnt", "user")
_OUTPUT_LIMIT = 1 << 20
_END_SECONDS = 2.0
_MEMORY = 1 << 30
_FILE = 1 << 24
# 126 and 127 are a shell's.
_NOT_CONFINED, _NOT_FOUND = 125, 127

_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 1, 24, 38, 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Capabilities(ctypes.Structure):
    _fields_ = [("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32)]


def run_beside(process: _processes.Process, argv: Sequence[str], content: bytes, seconds: float) -> _host_io.Output:
    """What a program of the process's container says of `content`, which is its standard input."""
    try:
        with _process_io.held(process) as send:
            limits = _files_limit(process.pid)
            namespaces, root = _places(process.pid)
            user, group = _inside(process)
            try:
                send(0)  # it's still there, so what was opened is its own
                return _run(namespaces, root, user, group, limits, argv, content, seconds)
            finally:
                for descriptor in [*namespaces, root]:
                    os.close(descriptor)
    except OSError as error:
        return _host_io.Output(None, "", "%s can't be run in its container: %s" % (argv[0], error.strerror or error))


def _files_limit(pid: int) -> Tuple[int, int]:
    """As many files as the process may have: HAProxy checks its configuration against that."""
    told = _processes.files_limit(_process_io.text_of(pid, "limits"))
    own = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return (min(told[0], own), min(told[1], own)) if told else (min(1024, own), own)


def _places(pid: int) -> Tuple[List[int], int]:
    """Descriptors of the namespaces that aren't ours already, and of the root folder."""
    found: List[int] = []
    try:
        for name in _NAMESPACES:
            path = "%s/%d/ns/%s" % (_process_io.PROC, pid, name)
            if os.path.exists(path) and os.readlink(path) != os.readlink("/proc/self/ns/" + name):
                found.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        return found, os.open("%s/%d/root" % (_process_io.PROC, pid), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        for descriptor in found:
            os.close(descriptor)
        raise


def _inside(process: _processes.Process) -> Tuple[int, int]:
    """Its user and group as its own user namespace counts them."""
    numbers = []
    for number, name in ((process.uid, "uid_map"), (process.gid, "gid_map")):
        mapped = number
        if os.readlink("%s/%d/ns/user" % (_process_io.PROC, process.pid)) != os.readlink("/proc/self/ns/user"):
            told = _processes.inside(number, _process_io.text_of(process.pid, name))
            if told is None:
                raise OSError(errno.EPERM, "its user %d isn't one of its user namespace" % number)
            mapped = told
        numbers.append(mapped)
    return numbers[0], numbers[1]


def _run(
    namespaces: List[int],
    root: int,
    user: int,
    group: int,
    limits: Tuple[int, int],
    argv: Sequence[str],
    content: bytes,
    seconds: float,
) -> _host_io.Output:
    libc = ctypes.CDLL(None, use_errno=True)
    calls = (libc.setns, libc.prctl, libc.capset)
    paths = [os.path.join(folder, argv[0]) for folder in _FOLDERS]
    memory = os.memfd_create("configuration", os.MFD_CLOEXEC)
    reader, writer = os.pipe2(os.O_CLOEXEC)
    try:
        with os.fdopen(os.dup(memory), "wb") as stream:
            stream.write(content)
        os.lseek(memory, 0, os.SEEK_SET)
        # Nobody finds it who hasn't been given its descriptor.
        os.fchmod(memory, 0o444)
        child = os.fork()
        if child == 0:
            code = _NOT_CONFINED
            try:
                _enter(calls, namespaces, root, memory, writer)
                _drop(calls, user, group, limits, int(seconds) + 1)
                code = _NOT_FOUND
                for path in paths:
                    try:
                        os.execve(path, list(argv), _ENVIRONMENT)
                    except FileNotFoundError:
                        continue
            except BaseException:  # pylint: disable=broad-exception-caught  # no word of it: its text would be read
                pass
            finally:
                os._exit(code)  # pylint: disable=protected-access  # nothing of the parent's may happen here
        os.close(writer)
        writer = -1
        return _outcome(child, reader, argv[0], seconds)
    finally:
        for descriptor in (memory, reader, writer):
            if descriptor >= 0:
                os.close(descriptor)


def _enter(calls: Sequence[Any], namespaces: List[int], root: int, memory: int, writer: int) -> None:
    """Into the namespaces. Who returns is a child of the one that enters, which waits for it and ends with its code."""
    os.dup2(memory, 0)
    os.dup2(writer, 1)
    os.dup2(writer, 2)
    for descriptor in namespaces:
        if calls[0](descriptor, 0) != 0:
            raise OSError(ctypes.get_errno(), "setns")
    os.fchdir(root)
    os.chroot(".")
    os.chdir("/")
    os.closerange(3, 1 << 16)
    # A namespace of processes takes in children only.
    child = os.fork()
    if child == 0:
        os.setsid()
        return
    # Its parent is told to end it, and reaps it: what is left to the container's first process may stay as a zombie.
    signal.signal(signal.SIGTERM, lambda number, frame: os.killpg(child, signal.SIGKILL))
    os.closerange(0, 3)
    status = os.waitpid(child, 0)[1]
    os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))


def _drop(calls: Sequence[Any], user: int, group: int, limits: Tuple[int, int], seconds: int) -> None:
    """All rights. The order matters: none of these steps is possible after the next one."""
    _setns, prctl, capset = calls
    for kind, value in (
        (resource.RLIMIT_CORE, (0, 0)),
        (resource.RLIMIT_CPU, (seconds, seconds)),
        (resource.RLIMIT_AS, (_MEMORY, _MEMORY)),
        (resource.RLIMIT_FSIZE, (_FILE, _FILE)),
        (resource.RLIMIT_NOFILE, limits),
    ):
        resource.setrlimit(kind, value)
    number, none = ctypes.c_ulong, ctypes.c_ulong(0)
    prctl(_PR_CAP_AMBIENT, number(_PR_CAP_AMBIENT_CLEAR_ALL), none, none, none)
    capability = 0
    while prctl(_PR_CAPBSET_DROP, number(capability), none, none, none) == 0:
        capability += 1
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)
    header, nothing = _Header(_CAPABILITY_VERSION, 0), (_Capabilities * 2)()
    kept = capability == 0 or capset(ctypes.byref(header), nothing) != 0
    if kept or prctl(_PR_SET_NO_NEW_PRIVS, number(1), none, none, none) != 0:
        raise OSError(errno.EPERM, "it keeps rights")
    prctl(_PR_SET_PDEATHSIG, number(signal.SIGKILL), none, none, none)
    # keepalived before 2.2.8 ends itself by this signal while it looks; what runs too long is killed.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.umask(0o077)


def _outcome(child: int, reader: int, program: str, seconds: float) -> _host_io.Output:
    deadline = time.monotonic() + seconds
    chunks: List[bytes] = []
    size, status = 0, None
    while size < _OUTPUT_LIMIT and status is None and time.monotonic() < deadline:
        if not select.select([reader], [], [], max(0.0, deadline - time.monotonic()))[0]:
            break
        chunk = os.read(reader, 1 << 16)
        chunks.append(chunk)
        size += len(chunk)
        if not chunk:
            status = _ended(child, deadline)
    if status is None:
        os.kill(child, signal.SIGTERM)
        if _ended(child, time.monotonic() + _END_SECONDS) is None:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        return _host_io.Output(None, "", "%s took longer than %g s, or said too much" % (program, seconds))
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
    meanings = {
        _NOT_CONFINED: "%s can't be run with the rights of its container only" % program,
        _NOT_FOUND: "its container has no %s" % program,
    }
    if code in meanings:
        return _host_io.Output(None, "", meanings[code])
    return _host_io.Output(code, b"".join(chunks).decode("utf-8", "replace"))


def _ended(child: int, deadline: float) -> Optional[int]:
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        time.sleep(0.002)
    return None
