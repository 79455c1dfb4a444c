# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The podman command, and what it needs to start systemd containers on this machine."""

from __future__ import annotations

import functools
import os
import resource
import shutil
import subprocess
import sys
import time

# Everything that a lab leaves behind carries it: images "image", networks and containers the lab's name.
LABEL = "io.kubeha.lab"
BEGAN = int(os.environ.get("KUBEHA_BEGAN") or time.time())


class LabError(Exception):
    """Something that the person at the keyboard should read."""


def say(text: str) -> None:
    """Announce what is being done, with the time since the command began, as the shell scripts do."""
    seconds = int(time.time()) - BEGAN
    print(f"[{seconds // 60:2}:{seconds % 60:02}] {text}", file=sys.stderr, flush=True)


def podman(*arguments: str, data: bytes | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    # Opened from a directory that the user may not enter (su, a removed one), podman refuses to start.
    result = subprocess.run(["podman", *arguments], input=data, capture_output=True, cwd="/", check=False)
    completed = subprocess.CompletedProcess(
        result.args, result.returncode, result.stdout.decode(errors="replace"), result.stderr.decode(errors="replace")
    )
    if check and completed.returncode != 0:
        raise LabError(
            f"podman {' '.join(arguments[:3])} … failed with {completed.returncode}: "
            f"{(completed.stderr or completed.stdout).strip()}"
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
