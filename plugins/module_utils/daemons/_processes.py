# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Whose a process is: by its control group and its user, never by its name, its arguments or its age. Pure.

A process of a service is in the control group that systemd names for its unit. A process of a pod of ours is in the
control group of a container that the kubelet has started for a static pod with our pod's name. Both are named by
files and folders that only root can make:

- The kubelet links the log of every container in /var/log/containers as POD_NAMESPACE_CONTAINER-ID.log, to a file
  below NAMESPACE_POD_UID. No name of Kubernetes has an underscore, so neither can be taken for another.
- The UID of a static pod is a checksum of its manifest, 32 digits. A pod that came through the API server has a UUID
  with dashes, which the API server chooses. So nobody who may only create pods can make one that counts as static.
- Every runtime and both drivers name a container's control group with its ID, or its pod's with the UID: as in
  kubepods/burstable/podUID/ID, kubepods-burstable-podUID.slice/cri-containerd-ID.scope, or just ID.

A user may name control groups at will below one that systemd has given away, so whoever looks there has to see
who owns them.
"""

from __future__ import annotations

import re
from typing import Iterable, List, NamedTuple, Optional, Sequence, Tuple

from ..model import _pod_paths

# The capability to change addresses, of the host's network or of one's own.
NET_ADMIN = 12

_LINK = re.compile(r"\A([a-z0-9.-]+)_([a-z0-9.-]+)_([a-z0-9-]+)-([0-9a-f]{64})\.log\Z")
_STATIC_UID = re.compile(r"\A[0-9a-f]{32}\Z")
# At the end of a control group's name; systemd's own have a suffix.
_CONTAINER_GROUP = re.compile(r"(?:\A|[:-])([0-9a-f]{64})(?:\.scope)?\Z")
_POD_GROUP = re.compile(r"(?:\A|-)pod([0-9a-f_-]+)(?:\.slice)?\Z")
_UNIT_SUFFIXES = (".service", ".scope")


class Process(NamedTuple):
    """`started` is in seconds after boot; `uid` and `gid` are as this host counts users."""

    pid: int
    parent: int
    started: float
    argv: Tuple[str, ...]
    uid: int = 0
    gid: int = 0


class Status(NamedTuple):
    """Of /proc/PID/status: real, effective, saved and file system's user and group, and what it may do."""

    uids: Tuple[int, ...]
    gids: Tuple[int, ...]
    capabilities: int


def parse_status(text: str) -> Optional[Status]:
    """None of a process that has ended."""
    found = {key: value.split() for key, colon, value in (line.partition(":") for line in text.splitlines()) if colon}
    try:
        uids, gids = (tuple(int(word) for word in found[key]) for key in ("Uid", "Gid"))
        return Status(uids, gids, int(found["CapEff"][0], 16))
    except (KeyError, IndexError, ValueError):
        return None


def runs_as(status: Optional[Status], uid: int) -> bool:
    """With no other user to change to, as a program with the setuid bit has."""
    return status is not None and len(status.uids) == 4 and set(status.uids) == {uid}


def may(status: Optional[Status], capability: int) -> bool:
    return status is not None and bool(status.capabilities >> capability & 1)


# Services


class Unit(NamedTuple):
    """A service as systemd has it; `group` is empty where it has no process."""

    main_pid: int
    group: str
    user: str


UNIT_PROPERTIES = "--property=MainPID,ControlGroup,User"


def parse_unit(text: str) -> Unit:
    found = {key: value for key, equals, value in (line.partition("=") for line in text.splitlines()) if equals}
    main = found.get("MainPID", "")
    return Unit(int(main) if main.isdigit() else 0, found.get("ControlGroup", "").rstrip("/"), found.get("User", ""))


def service_path(text: str) -> str:
    """Of /proc/PID/cgroup the path that systemd keeps: in its own hierarchy of version 1, else in that of version 2."""
    paths = dict(_hierarchies(text))
    return paths.get("name=systemd", paths.get("", ""))


def is_in(path: str, group: str) -> bool:
    """Whether a control group is this one or below it."""
    return bool(group) and (path == group or path.startswith(group + "/"))


def belongs(text: str, group: str, init: str) -> bool:
    """Whether a process, of /proc/PID/cgroup, is in the group that systemd names for a unit.

    In a container each of them may see the way to process 1 or not.
    """
    mine, units = _below(service_path(text), init), _below(group, init)
    return bool(units) and mine[: len(units)] == units


def unit_of(text: str, init: str) -> Optional[str]:
    """The unit of systemd's that a process belongs to, of /proc/PID/cgroup and of that of process 1.

    The outermost one: what is below is named by whoever the unit belongs to. So a user's own haproxy.service is part of
    user@1000.service.
    """
    parts = _below(service_path(text), init)
    return next((part for part in parts if part.endswith(_UNIT_SUFFIXES)), None)


def is_users(text: str, init: str) -> bool:
    """Whether it belongs to somebody's session."""
    return _below(service_path(text), init)[:1] == ["user.slice"]


def _below(path: str, init: str) -> List[str]:
    """Without what a container that runs systemd itself is in."""
    top = service_path(init)
    top = top[: -len("/init.scope")] if top.endswith("/init.scope") else ""
    return [part for part in (path[len(top) :] if is_in(path, top) else path).split("/") if part]


def _hierarchies(text: str) -> Iterable[Tuple[str, str]]:
    for line in text.splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3:
            yield parts[1], parts[2]


# Pods


class Container(NamedTuple):
    """As the kubelet has started it. `id` is its runtime's, `uid` the pod's."""

    namespace: str
    pod: str
    uid: str
    name: str
    id: str

    @property
    def static(self) -> bool:
        return bool(_STATIC_UID.match(self.uid))

    @property
    def words(self) -> str:
        return "%s %s/%s" % ("static pod" if self.static else "pod", self.namespace, self.pod)


def parse_container(link: str, target: str) -> Optional[Container]:
    """Of a link in /var/log/containers, and where it leads: .../NAMESPACE_POD_UID/CONTAINER/0.log."""
    name = _LINK.match(link)
    folders = target.split("/")[-3:-1]
    parts = folders[0].split("_") if len(folders) == 2 else []
    if name is None or len(parts) != 3:
        return None
    pod, namespace, container, identity = name.groups()
    if (namespace, pod, container) != (parts[0], parts[1], folders[1]):
        return None
    return Container(namespace, pod, parts[2], container, identity)


def is_our_pod(container: Container, role: str) -> bool:
    """A container of the static pod of one of our manifests. The kubelet appends the node's name to that of the pod."""
    return (
        container.static
        and container.namespace == _pod_paths.NAMESPACE
        and container.name in ("", role)
        and container.pod.startswith(_pod_paths.NAMES[role] + "-")
    )


def parse_pod(folder: str) -> Optional[Container]:
    """Of a folder in /var/log/pods: a pod, whichever of its containers."""
    parts = folder.split("_")
    return Container(parts[0], parts[1], parts[2], "", "") if len(parts) == 3 else None


class Groups:
    """Which control groups belong to which container or pod, by their names."""

    def __init__(self, found: Iterable[Container]) -> None:
        known = list(found)
        self.containers = {item.id: item for item in known if item.id}
        self.pods = {item.uid: item for item in known}

    def owner(self, group: str) -> Optional[Container]:
        found = _CONTAINER_GROUP.search(group)
        if found:
            return self.containers.get(found.group(1))
        found = _POD_GROUP.search(group)
        # systemd takes a dash for a step, so the kubelet writes another sign for it.
        return self.pods.get(found.group(1).replace("_", "-")) if found else None

    def said(self, text: str) -> Optional[Container]:
        """Whose a process is by the names in its /proc/PID/cgroup alone. That's good for words, not for rights."""
        parts = [part for _controllers, path in _hierarchies(text) for part in reversed(path.split("/"))]
        return next((owner for owner in map(self.owner, parts) if owner), None)


# Which of them


def names_file(argv: Sequence[str], program: str, path: str) -> bool:
    """Whether a command line runs a program with a file, as in `-f FILE` and `--use-file=FILE`."""
    if not argv or argv[0].rsplit("/", 1)[-1] != program:
        return False
    return any(word == path or word.endswith("=" + path) for word in argv[1:])


def loaded_files(argv: Sequence[str]) -> List[str]:
    """The files and folders that a command line has HAProxy or keepalived load.

    That's `-f PLACE` and all that follows `--` for the one, `-f FILE` and `--use-file=FILE` for the other.
    """
    words = list(argv[1:])
    rest = words.index("--") if "--" in words else len(words)
    found = [word for before, word in zip(words[:rest], words[1:rest]) if before in ("-f", "--use-file")]
    found += [word.partition("=")[2] for word in words[:rest] if word.startswith("--use-file=")]
    return found + words[rest + 1 :]


def parse_stat(text: str, ticks: int) -> Optional[Tuple[int, float]]:
    """(parent, seconds after boot at its start) from /proc/PID/stat. A program's name may contain anything."""
    fields = text.rpartition(")")[2].split()
    if len(fields) < 20 or fields[0] in "ZX" or not (fields[1].isdigit() and fields[19].isdigit()):
        return None
    return int(fields[1]), int(fields[19]) / ticks


def leader(processes: Iterable[Process]) -> Optional[Process]:
    """Of the processes of a daemon of ours, the one that started the others; of several daemons the youngest.

    Two are there for the moment in which the kubelet replaces a pod.
    """
    known = list(processes)
    pids = {process.pid for process in known}
    leaders = [process for process in known if process.parent not in pids]
    return max(leaders, key=lambda process: (process.started, process.pid), default=None)


def inside(number: int, table: str) -> Optional[int]:
    """A user of this host as a container with users of its own counts them. `table` is its uid_map or gid_map."""
    for line in table.splitlines():
        words = line.split()
        if len(words) == 3 and all(word.isdigit() for word in words):
            first, outside, count = (int(word) for word in words)
            if outside <= number < outside + count:
                return first + number - outside
    return None


def files_limit(limits: str) -> Optional[Tuple[int, int]]:
    """Of /proc/PID/limits how many files a process may open: soft and hard."""
    for line in limits.splitlines():
        words = line.split()
        if words[:3] == ["Max", "open", "files"] and len(words) >= 5 and words[3].isdigit() and words[4].isdigit():
            return int(words[3]), int(words[4])
    return None
