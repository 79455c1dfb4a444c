# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Programs of Kubernetes on a host, and the addresses that they were told to use. Pure: command lines in.

Only options that name addresses leave here: command lines may carry secrets.
"""

from __future__ import annotations

import shlex
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

# program: its options that say which address is the host's own, or where it listens
OPTIONS: Dict[str, Tuple[str, ...]] = {
    "kubelet": ("node-ip", "address", "hostname-override", "cloud-provider"),
    "kube-apiserver": ("advertise-address", "bind-address", "secure-port"),
    "etcd": (
        "initial-advertise-peer-urls", "advertise-client-urls", "listen-peer-urls", "listen-client-urls",
    ),
    "kube-proxy": ("bind-address", "hostname-override"),
    "flanneld": ("iface", "public-ip"),
    "kube-vip": (),
    "keepalived": (),
    "k3s": ("node-ip", "advertise-address"),
    "rke2": ("node-ip", "advertise-address"),
}  # fmt: skip
# Calico is told by its environment.
ENVIRONMENT: Dict[str, Tuple[str, ...]] = {"calico-node": ("IP", "IP_AUTODETECTION_METHOD")}
# Where kubeadm and the packages put the kubelet's options, for a kubelet that doesn't run.
KUBELET_FILES = ("/var/lib/kubelet/kubeadm-flags.env", "/etc/default/kubelet", "/etc/sysconfig/kubelet")
_KUBELET_VARIABLES = ("KUBELET_KUBEADM_ARGS", "KUBELET_EXTRA_ARGS")


def program(argv: Sequence[str]) -> Optional[str]:
    """Which of the programs above a command line runs."""
    if not argv:
        return None
    name = argv[0].rsplit("/", 1)[-1]
    if name in OPTIONS or name in ENVIRONMENT:
        return name
    return None


def describe(name: str, argv: Sequence[str], environment: Mapping[str, str]) -> Dict[str, Any]:
    wanted = OPTIONS.get(name, ())
    found = {option: value for option, value in _options(argv[1:]) if option in wanted}
    found.update({key: environment[key] for key in ENVIRONMENT.get(name, ()) if key in environment})
    return {"name": name, "options": found}


def kubelet_of_files(texts: Sequence[str]) -> Dict[str, str]:
    """Options of a kubelet out of the files that set its environment."""
    argv: List[str] = []
    for text in texts:
        for line in text.splitlines():
            key, equals, value = line.strip().partition("=")
            if equals and key in _KUBELET_VARIABLES:
                try:
                    argv += [word for part in shlex.split(value) for word in part.split()]
                except ValueError:
                    continue
    return {option: value for option, value in _options(argv) if option in OPTIONS["kubelet"]}


def environment_of(data: bytes) -> Dict[str, str]:
    """What /proc/PID/environ holds."""
    pairs = (item.decode("utf-8", "replace").partition("=") for item in data.split(b"\0"))
    return {key: value for key, equals, value in pairs if equals}


def _options(argv: Sequence[str]) -> List[Tuple[str, str]]:
    """--name=value and --name value."""
    found = []
    for index, word in enumerate(argv):
        if not word.startswith("-"):
            continue
        name, equals, value = word.lstrip("-").partition("=")
        if equals:
            found.append((name, value))
        elif index + 1 < len(argv) and not argv[index + 1].startswith("-"):
            found.append((name, argv[index + 1]))
    return found
