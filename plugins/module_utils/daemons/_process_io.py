# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Find the processes of our services and pods, and of the kubelet; signal them, and have keepalived tell its state.

Control group and user are looked at first, and nothing else of a process that isn't one of these: a process can make
whoever reads its arguments wait for ever.
"""

from __future__ import annotations

import errno
import os
import pwd
import secrets
import signal
import stat
import time
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Set, Tuple

from ..cluster import _components
from ..host import _host_io, _owned_files_io, _ownership
from ..model import _paths, _pod_paths
from . import _keepalived_state as keepalived
from . import _podstate, _processes

PROC = "/proc"
CONTAINER_LOGS = "/var/log/containers"
CGROUPS = "/sys/fs/cgroup"
# Of version 1 one hierarchy is enough: a container is in each. systemd gives parts of its own away.
_HIERARCHIES = ("pids", "memory", "cpu", "systemd")
# Only tests have another one.
_SYSTEMS_ROOT = 0
_SYSTEMD_SECONDS = 10.0
_READ_SECONDS = 5.0
_PROC_LIMIT = 1 << 20
_CONFIG_LIMIT = 1 << 20
_NOTE_LIMIT = 1 << 12
_DUMP_LIMIT = 1 << 22
_DUMP = "keepalived.json"
KUBELET_UNIT = "kubelet.service"


# Whose


def find_service(role: str) -> Optional[_processes.Process]:
    """The main process of a daemon's service."""
    return _main_process(role + ".service")


def find_pod(role: str) -> Optional[_processes.Process]:
    """The daemon in our static pod."""
    user = pod_user(role)
    path = _pod_paths.CONFIG[role]
    found = (
        process
        for process in _described(_pod_pids(lambda container: _processes.is_our_pod(container, role)))
        if process.uid == user and _processes.names_file(process.argv, role, path)
    )
    return _processes.leader(found)


def pod_user(role: str) -> int:
    """The user that a pod's daemon must have. HAProxy's owns the files that root has made for it to write into."""
    if role == "keepalived":
        return _SYSTEMS_ROOT
    try:
        return os.lstat(_pod_paths.STATE[role] + "/down").st_uid
    except OSError:
        return -1


def keepalived_runs() -> bool:
    """One that may have a VIP of ours: the service, or our pod."""
    return find_service("keepalived") is not None or find_pod("keepalived") is not None


def find_in_static_pods(program: str) -> Set[int]:
    """Processes of a program in static pods of whomever: root has written their manifests."""
    processes = _described(_pod_pids(lambda container: container.static))
    return {process.pid for process in processes if process.argv[0].rsplit("/", 1)[-1] == program}


def service_pids(unit: str) -> Set[int]:
    """All processes of a service."""
    group, init = _unit(unit).group, cgroup_of(1)
    return {pid for pid in pids() if _processes.belongs(cgroup_of(pid), group, init)}


def our_pids(role: str) -> Set[int]:
    """All processes of a daemon, as a service or in our pod."""
    return service_pids(role + ".service") | set(_pod_pids(lambda container: _processes.is_our_pod(container, role)))


def pids() -> List[int]:
    return sorted(int(name) for name in os.listdir(PROC) if name.isdigit())


def _main_process(name: str) -> Optional[_processes.Process]:
    unit = _unit(name)
    if not unit.main_pid or not _processes.belongs(cgroup_of(unit.main_pid), unit.group, cgroup_of(1)):
        return None
    try:
        known = not unit.user or unit.user.isdigit()
        user = int(unit.user or _SYSTEMS_ROOT) if known else pwd.getpwnam(unit.user).pw_uid
    except KeyError:
        return None
    return next((process for process in _described([unit.main_pid]) if process.uid == user), None)


def _unit(name: str) -> _processes.Unit:
    output = _host_io.run(["systemctl", "show", _processes.UNIT_PROPERTIES, name], _SYSTEMD_SECONDS)
    return _processes.parse_unit(output.text if output.code == 0 else "")


def containers() -> _processes.Groups:
    """What the kubelet has started, by the folders that only it writes to."""
    found = [_processes.parse_pod(name) for name in _roots_names(_podstate.POD_LOGS)]
    for name in _roots_names(CONTAINER_LOGS):
        try:
            found.append(_processes.parse_container(name, os.readlink(os.path.join(CONTAINER_LOGS, name))))
        except OSError:
            continue  # no link, or gone
    return _processes.Groups(item for item in found if item)


def _roots_names(folder: str) -> List[str]:
    try:
        status = os.stat(folder)
        if status.st_uid != _owned_files_io.ROOT or status.st_mode & 0o022:
            return []
        return os.listdir(folder)
    except OSError:
        return []


def _pod_pids(wanted: Callable[[_processes.Container], bool]) -> List[int]:
    groups = containers()
    ours = _processes.Groups(item for item in [*groups.pods.values(), *groups.containers.values()] if wanted(item))
    if not ours.pods:
        return []
    found: List[int] = []
    for folder, names, _files in os.walk(_hierarchy()):
        # A user names groups below his own as he likes.
        names[:] = [name for name in names if _is_roots(os.path.join(folder, name), ours.owner(name) is not None)]
        for name in [name for name in names if ours.owner(name)]:
            names.remove(name)
            for below, _names, _files in os.walk(os.path.join(folder, name)):
                found += _members(below)
    return found


def _is_roots(path: str, named: bool) -> bool:
    """A container with users of its own may own its group, in a folder of root's."""
    try:
        return named or os.lstat(path).st_uid == _owned_files_io.ROOT
    except OSError:
        return False


def _hierarchy() -> str:
    if os.path.exists(os.path.join(CGROUPS, "cgroup.controllers")):
        return CGROUPS
    paths = [os.path.join(CGROUPS, name) for name in _HIERARCHIES]
    return next((path for path in paths if os.path.isdir(path)), CGROUPS)


def _members(group: str) -> List[int]:
    try:
        return [int(word) for word in _host_io.read_text(os.path.join(group, "cgroup.procs")).split() if word != "0"]
    except (OSError, ValueError):
        return []


class Owners:
    """Whose processes are, read once for all of them."""

    def __init__(self) -> None:
        self._groups = containers()
        self._init = cgroup_of(1)
        self._static = set(_pod_pids(lambda container: container.static))
        self._ours = {role: our_pids(role) for role in _pod_paths.NAMES}
        self._namespace = _users_of(os.getpid())

    def owner(self, pid: int) -> Optional[str]:
        """haproxy or keepalived, if it's ours, or static_pod for one of whomever's."""
        ours = next((role for role, numbers in self._ours.items() if pid in numbers), None)
        return ours or ("static_pod" if pid in self._static else None)

    def unit(self, pid: int) -> Optional[str]:
        """What whoever reads of it would look for."""
        text = cgroup_of(pid)
        container = self._groups.said(text)
        return container.words if container else _processes.unit_of(text, self._init)

    def is_trusted(self, pid: int) -> bool:
        """Whether root has started it as a service or a static pod, or it may change addresses of this host."""
        return pid in self._static or self._is_service(pid) or self._may_change_addresses(pid)

    def may_run(self, program: str, pid: int) -> bool:
        """Whether this is such a program: who can't change addresses takes none, and only root starts a kubelet."""
        if program in _components.KUBELETS:
            return self._is_service(pid)
        if program in _components.SERVERS:
            return pid in self._static or self._is_service(pid)
        return self._may_change_addresses(pid)

    def _is_service(self, pid: int) -> bool:
        text = cgroup_of(pid)
        unit = _processes.unit_of(text, self._init)
        if unit is None or not unit.endswith(".service") or _processes.is_users(text, self._init):
            return False
        if _processes.runs_as(status_of(pid), _SYSTEMS_ROOT):
            return True
        # Services run programs of users too, as cron does.
        main = _main_process(unit)
        return main is not None and main.pid == pid

    def _may_change_addresses(self, pid: int) -> bool:
        return _processes.may(status_of(pid), _processes.NET_ADMIN) and _users_of(pid) == self._namespace


def _users_of(pid: int) -> Optional[str]:
    """Its user namespace: in one of its own, anybody has every capability, which is worth nothing outside."""
    try:
        return os.readlink("%s/%d/ns/user" % (PROC, pid))
    except OSError:
        return None


# What they say


def cgroup_of(pid: int) -> str:
    return text_of(pid, "cgroup")


def status_of(pid: int) -> Optional[_processes.Status]:
    return _processes.parse_status(text_of(pid, "status"))


def arguments(pid: int) -> Tuple[str, ...]:
    """Only of a process that is known to be somebody's whom we trust."""
    return tuple(text_of(pid, "cmdline").split("\0")[:-1])


def _described(numbers: Iterable[int]) -> Iterator[_processes.Process]:
    """Processes with one user, that haven't ended."""
    for pid in sorted(set(numbers)):
        status = status_of(pid)
        if status is None or not _processes.runs_as(status, status.uids[0]):
            continue
        ticks = os.sysconf("SC_CLK_TCK")
        told, argv = _processes.parse_stat(text_of(pid, "stat"), ticks), arguments(pid)
        if told and argv:
            yield _processes.Process(pid, told[0], told[1], argv, status.uids[0], status.gids[0])


def text_of(pid: int, name: str) -> str:
    """Empty where it has ended in between."""
    try:
        return (_host_io.read_file("%s/%d/%s" % (PROC, pid, name), _PROC_LIMIT) or b"").decode("utf-8", "replace")
    except OSError:
        return ""


def note(path: str) -> Optional[str]:
    """The first word of what a daemon's script has noted; None where it isn't to be believed.

    The folder of HAProxy's pod may be its user's, and some files of keepalived's are its scripts' user's.
    """
    owners = {pod_user("haproxy"), *_script_user()}
    try:
        words = (_owned_files_io.read(path, _NOTE_LIMIT, owners) or b"").split()
    except OSError:
        return None
    return words[0].decode("utf-8", "replace") if words else None


def _script_user() -> List[int]:
    try:
        return [pwd.getpwnam(_paths.SCRIPT_USER).pw_uid]
    except KeyError:
        return []


# Signals


@contextmanager
def held(process: _processes.Process) -> Iterator[Callable[[int], None]]:
    """What sends signals to this very process: whoever gets its number next gets none."""
    descriptor: Optional[int] = None
    try:
        descriptor = _descriptor(process.pid)
        if descriptor is None:  # there is a moment between looking and sending
            send: Callable[[int], None] = partial(os.kill, process.pid)
        else:
            send = partial(signal.pidfd_send_signal, descriptor)
        told = _processes.parse_stat(text_of(process.pid, "stat"), os.sysconf("SC_CLK_TCK"))
        if told is None or told[1] != process.started:
            raise ProcessLookupError(errno.ESRCH, "process %d has ended" % process.pid)
        yield send
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _descriptor(pid: int) -> Optional[int]:
    """None where the kernel, or the one that Python was built for, is older than 5.3."""
    if not hasattr(os, "pidfd_open") or not hasattr(signal, "pidfd_send_signal"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError as error:
        if error.errno == errno.ENOSYS:
            return None
        raise


def signal_process(process: _processes.Process, number: int) -> None:
    with held(process) as send:
        send(number)


# keepalived


def dump_keepalived(process: _processes.Process, seconds: float) -> Dict[str, Dict[str, Any]]:
    """State of all VRRP instances. keepalived writes it into a file when it's sent a signal.

    A file of somebody else's that has the name already is moved out of the way.
    """
    number = signal.SIGRTMIN + 2
    with held(process) as send:
        if not keepalived.expects_signal(text_of(process.pid, "status"), number):
            raise keepalived.CannotDump("this keepalived can't dump its state as JSON")
        # Its own view of /tmp, which systemd or the pod may have made private.
        root = os.open("%s/%d/root" % (PROC, process.pid), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            folder = os.open("tmp", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=root)
        finally:
            os.close(root)
        try:
            before = _stamp(folder)
            if before is not None and not _is_roots_file(before):
                os.rename(_DUMP, "%s.%s" % (_DUMP, secrets.token_hex(8)), src_dir_fd=folder, dst_dir_fd=folder)
                before = None
            send(number)
            return _await_dump(folder, before, seconds)
        finally:
            os.close(folder)


def _await_dump(folder: int, before: Optional[os.stat_result], seconds: float) -> Dict[str, Dict[str, Any]]:
    deadline = time.monotonic() + seconds
    taken = False
    while time.monotonic() < deadline:
        time.sleep(0.01)
        now = _stamp(folder)
        taken = now is not None and not _is_roots_file(now)
        if now is None or taken or (before is not None and _version(now) == _version(before)):
            continue
        try:
            found = keepalived.parse_dump(_read_dump(folder))
        except (FileNotFoundError, keepalived.DumpError):
            continue  # still being written
        # It holds VRRP's password as well. Who else waits for it asks again.
        with suppress(FileNotFoundError):
            os.unlink(_DUMP, dir_fd=folder)
        return found
    if taken:
        raise keepalived.DumpError("somebody else keeps a file of keepalived's from being written: /tmp/%s" % _DUMP)
    raise _host_io.Timeout("keepalived didn't write its state within %g s" % seconds)


def _stamp(folder: int) -> Optional[os.stat_result]:
    try:
        return os.stat(_DUMP, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _is_roots_file(found: os.stat_result) -> bool:
    """With no other name, by which somebody could have made it look new."""
    return stat.S_ISREG(found.st_mode) and found.st_uid == _owned_files_io.ROOT and found.st_nlink == 1


def _version(found: os.stat_result) -> Tuple[int, ...]:
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def _read_dump(folder: int) -> bytes:
    descriptor = os.open(_DUMP, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    with os.fdopen(descriptor, "rb") as stream:
        if not _is_roots_file(os.fstat(descriptor)):
            raise keepalived.DumpError("it isn't keepalived's")
        return stream.read(_DUMP_LIMIT)


# The kubelet


def find_kubelet() -> Dict[str, Any]:
    """installed, running, pid, static_pod_path. Before `kubeadm init` it has no configuration and only tries to run."""
    process = _main_process(KUBELET_UNIT)
    options = _podstate.kubelet_options(process.argv) if process else {}
    paths = [options.get("config", _podstate.KUBELET_CONFIG), *_drop_ins(options.get("config-dir"))]
    texts = [text for text in map(_roots_text, paths) if text]
    return {
        "installed": process is not None or _host_io.find_binary("kubelet") is not None,
        "running": process is not None and bool(texts or options.get("pod-manifest-path")),
        "pid": process.pid if process else None,
        "static_pod_path": _podstate.static_pod_path(options, texts) or None,
    }


def foreign_manifests(folder: str, role: str) -> List[str]:
    """Somebody else's static pods that run the same daemon, as kubeadm's document has them."""
    found = []
    for path in (os.path.join(folder, name) for name in _host_io.list_folder(folder) if _podstate.is_manifest(name)):
        try:
            text = _roots_text(path)
        except _owned_files_io.Untrusted:
            continue  # a pipe or a folder: the kubelet starts nothing from it either
        if _podstate.balancer_of(text) == role and not _ownership.has_marker(text.encode("utf-8")):
            found.append(path)
    return found


def _drop_ins(folder: Optional[str]) -> List[str]:
    """In the order in which the kubelet reads them."""
    if not folder:
        return []
    return [os.path.join(folder, name) for name in _host_io.list_folder(folder) if name.endswith(".conf")]


def _roots_text(path: str) -> str:
    """Of a plain file that root has where only root writes; the kubelet's own folder is the system's root."""
    content = _owned_files_io.read(os.path.join("/", path), _CONFIG_LIMIT, seconds=_READ_SECONDS)
    return (content or b"").decode("utf-8", "replace")
