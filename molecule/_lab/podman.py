# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The podman command, and what it needs to start systemd containers on this machine."""

from __future__ import annotations

import functools
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import time

# Everything that a lab leaves behind carries it: images "image", networks and containers the lab's name.
LABEL = "io.kubeha.lab"
INSIDE = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BEGAN = int(os.environ.get("KUBEHA_BEGAN") or time.time())


class LabError(Exception):
    """Something that the person at the keyboard should read."""


def say(text: str) -> None:
    """Announce what is being done, with the time since the command began, as the shell scripts do."""
    seconds = int(time.time()) - BEGAN
    print(f"[{seconds // 60:2}:{seconds % 60:02}] {text}", file=sys.stderr, flush=True)


def podman(*arguments: str, data: bytes | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    return _run(["podman", *arguments], f"podman {' '.join(arguments[:3])}", data, check)


def inside(
    container: str, folder: pathlib.Path, *command: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a command in a container. `podman exec` costs 0.15 s of processor time, and labs are looked at in loops; so
    root enters a running container's namespaces and cgroup directly. `folder` has what `kept` made podman write."""
    entered = _entrance(container, folder) if os.geteuid() == 0 and not os.environ.get("KUBEHA_ROOTLESS") else []
    if not entered:
        return podman("exec", container, *command, check=check)
    return _run([*entered, *command], f"{container}: {' '.join(command[:2])}", None, check)


def kept(container: str, folder: pathlib.Path) -> tuple[str, str]:
    """Options by which podman writes down which container it is, and its first process."""
    return f"--cidfile={folder / container}.id", f"--pidfile={folder / container}.pid"


def _entrance(container: str, folder: pathlib.Path) -> list[str]:
    """The beginning of a command that runs the rest inside; nothing where the container doesn't run."""
    try:
        identity = (folder / f"{container}.id").read_text(encoding="ascii").strip()
        first = int((folder / f"{container}.pid").read_text(encoding="ascii"))
        groups = pathlib.Path(f"/proc/{first}/cgroup").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return []
    # A process that has the number of one that has ended isn't in this container.
    if not identity or identity not in groups:
        return []
    procs = []
    both = "name=systemd" in groups
    for line in groups.splitlines():
        _number, controllers, place = line.split(":", 2)
        top = {"name=systemd": "/systemd", "": "/unified" if both else ""}.get(controllers)
        # Where podman puts what it runs; in version 2 alone, no process may be above a unit.
        file = pathlib.Path(f"/sys/fs/cgroup{top}{place.removesuffix('/init.scope') if both else place}/cgroup.procs")
        if top is not None and file.exists():
            procs.append(str(file))
    join = 'while [ "$1" != -- ]; do echo $$ >"$1"; shift; done; shift; exec "$@"'
    environment = ["env", "-i", f"PATH={INSIDE}", "HOME=/root", "TERM=xterm", "container=podman"]
    return ["sh", "-c", join, "sh", *procs, "--", *environment, "nsenter", f"--target={first}", "--all"]


def _run(command: list[str], name: str, data: bytes | None, check: bool) -> subprocess.CompletedProcess[str]:
    # Opened from a directory that the user may not enter (su, a removed one), podman refuses to start.
    result = subprocess.run(command, input=data, capture_output=True, cwd="/", check=False)
    completed = subprocess.CompletedProcess(
        result.args, result.returncode, result.stdout.decode(errors="replace"), result.stderr.decode(errors="replace")
    )
    if check and completed.returncode != 0:
        raise LabError(
            f"{name} … failed with {completed.returncode}: {(completed.stderr or completed.stdout).strip()}"
        )
    return completed


def labelled(kind: str, lab: str | None = None) -> list[str]:
    """Names of our own containers, networks or images; of one lab or of all."""
    value = LABEL if lab is None else f"{LABEL}={lab}"
    arguments = {
        "container": ["ps", "--all", "--format", "{{.Names}}"],
        "network": ["network", "ls", "--format", "{{.Name}}"],
        "image": ["images", "--format", "{{.Repository}}:{{.Tag}}"],
    }[kind]
    return sorted(set(podman(*arguments, "--filter", f"label={value}").stdout.split()))


@functools.cache
def any_container() -> tuple[str, ...]:
    """Options that this machine needs to start containers at all."""
    options = ["--security-opt=label=disable"]
    # crun 1.8 refuses a machine that mounts both versions of cgroups.
    if shutil.which("runc") and not os.environ.get("KUBEHA_DEFAULT_RUNTIME"):
        options.append("--runtime=runc")
    # Raising a limit above the hard one, as podman does, needs CAP_SYS_RESOURCE, which is not always there.
    for name, number, wanted in (("nofile", resource.RLIMIT_NOFILE, 20000), ("nproc", resource.RLIMIT_NPROC, 16384)):
        hard = resource.getrlimit(number)[1]
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        options.append(f"--ulimit={name}={limit}:{limit}")
    return tuple(options)


def system_container() -> tuple[str, ...]:
    """Options that let systemd and keepalived run inside."""
    # SYS_ADMIN: units get the sandboxes that they ask for, as on a real host.
    capabilities = "NET_ADMIN,NET_RAW,NET_BROADCAST,SYS_ADMIN"
    return (*any_container(), "--systemd=always", "--pids-limit=-1", f"--cap-add={capabilities}")
