# Managed by kubeha.apiserver: changes here are overwritten by the next run.
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several programs read of their host: files, and processes of our daemons. `root` is where /proc and /var are."""

import glob
import ipaddress
import os
import stat
from typing import Any, Iterator, List, Optional

LARGEST = 1 << 24


def plain(address: Any) -> str:
    """The one spelling that compares."""
    return str(ipaddress.ip_address(address))


def read(path: str, limit: int = LARGEST) -> Optional[bytes]:
    """A plain file's content, None where there's none: others may have put a link or a pipe there."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        with os.fdopen(handle, "rb") as stream:
            return stream.read(limit) if stat.S_ISREG(os.fstat(handle).st_mode) else None
    except OSError:
        return None


def processes_of(name: str, root: str) -> Iterator[int]:
    """The service's, or those of containers of our static pod's: by their control group."""
    ids = containers(name, root)
    for place in glob.glob(root + "/proc/[0-9]*"):
        if (read(place + "/comm", 64) or b"").strip() != name.encode():
            continue
        groups = (read(place + "/cgroup") or b"").decode("utf-8", "replace").splitlines()
        paths = [line.split(":", 2)[-1] for line in groups if "/user.slice/" not in line]
        if any("/system.slice/%s.service" % name in path or any(item in path for item in ids) for path in paths):
            yield int(os.path.basename(place))


def containers(name: str, root: str) -> List[str]:
    """IDs. Only the kubelet makes these names, and a static pod's UID has no dash in it."""
    found = []
    for link in glob.glob(root + "/var/log/containers/kubeha-%s-*_kube-system_%s-*.log" % (name, name)):
        try:
            pod = os.readlink(link).partition("/kube-system_kubeha-%s-" % name)[2].partition("/")[0]
        except OSError:
            continue
        uid = pod.rpartition("_")[2]
        if len(uid) == 32 and uid.isalnum():
            found.append(link[:-len(".log")].rpartition("-")[2])
    return found
