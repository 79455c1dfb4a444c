# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Programs of Kubernetes on a host, and the addresses that they were told to use. Pure: command lines and files in.

Only options that name addresses leave here: command lines may carry secrets.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

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
# Each of them makes the host a node.
KUBELETS = ("kubelet", "k3s", "rke2")
# They need no right on the host's network. All others do.
SERVERS = ("kube-apiserver", "etcd")
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


class Kubeconfig(NamedTuple):
    """The server, the PEM text of its authority, and the files with certificate and key."""

    server: str
    authority: str
    certificate: str
    key: str


def parse_kubeconfig(text: str) -> Optional[Kubeconfig]:
    """A kubelet's, as kubeadm writes it: one server, one user. None where it's none of that shape."""
    found = dict(re.findall(r"^\s*(?:-\s+)?([a-z-]+):\s*\"?([^\s\"]+)\"?\s*$", text, re.MULTILINE))
    server, authority = found.get("server", ""), found.get("certificate-authority-data", "")
    certificate, key = found.get("client-certificate", ""), found.get("client-key", "")
    if not (server.startswith("https://") and authority and certificate and key):
        return None
    try:
        return Kubeconfig(server, base64.b64decode(authority).decode("ascii"), certificate, key)
    except ValueError:
        return None


def node_addresses(body: bytes) -> Optional[List[str]]:
    """A node's own addresses out of what the API says of it; None where that's no node."""
    try:
        node = json.loads(body)
        addresses = node["status"]["addresses"] if node["kind"] == "Node" else None
        return addresses and [item["address"] for item in addresses if item["type"] != "Hostname"]
    except (ValueError, LookupError, TypeError):
        return None


def node_ip_trouble(
    name: str, options: Mapping[str, str], running: bool, node: Mapping[str, Any], vips: Set[str]
) -> Optional[Tuple[str, str]]:
    """(code, what is seen) where a kubelet has a VIP for its own address, or may take one."""
    said = [part.strip() for part in options.get("node-ip", "").split(",") if part.strip()]
    if vips.intersection(said):
        return "kubelet_took_vip", "%s has --node-ip=%s" % (name, options["node-ip"])
    taken = sorted(vips.intersection(node.get("addresses") or ()))
    if taken:
        return "kubelet_took_vip", "the cluster has %s for an address of node %s" % (", ".join(taken), node["name"])
    # A cloud knows the addresses of its machines.
    if running and not said and options.get("cloud-provider", "") in ("", "external"):
        return "kubelet_node_ip_unset", "%s runs without --node-ip" % name
    return None


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
