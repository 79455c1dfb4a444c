# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab consists of. Pure: a mapping as read from YAML in, objects and an inventory out.

    suite: bookworm                       # of every host that names none
    networks:
      lan: {families: [ipv4, ipv6]}       # [ipv4] where nothing is said
    hosts:
      cp1:
        groups: [kube_control_plane]
        apiserver: true                   # runs the stand-in for kube-apiserver
        kind: system                      # or kubernetes, kubelet: see kubernetes.py
        number: 11                        # last part of its addresses; counted from 11 where nothing is said
        networks: [lan]                   # the first network where nothing is said
        vars: {}
      client: {}
    vars:                                 # of all hosts
      endpoint_vip: "<lan:ipv4:100>"      # address number 100 of that network; ":prefix" appends /LENGTH
                                          # VIPs are 100 to 109: the stand-ins' certificate names them, and api.lab
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .podman import LabError

FAMILIES = ("ipv4", "ipv6")
KINDS = ("system", "kubernetes", "kubelet")


@dataclass(frozen=True)
class Network:
    name: str
    families: tuple[str, ...]


@dataclass(frozen=True)
class Host:
    name: str
    suite: str
    groups: tuple[str, ...]
    networks: tuple[str, ...]
    number: int
    apiserver: bool
    kind: str
    vars: Mapping[str, Any]


@dataclass(frozen=True)
class Topology:
    networks: Mapping[str, Network]
    hosts: Mapping[str, Host]
    vars: Mapping[str, Any]


Subnets = Mapping[str, Mapping[str, str]]


def parse(document: Any) -> Topology:
    mapping = _mapping("topology", document, {"suite", "networks", "hosts", "vars"})
    networks = {}
    for name, value in _mapping("networks", mapping.get("networks") or {"lan": {}}).items():
        families = tuple(_mapping(name, value, {"families"}).get("families", ("ipv4",)))
        if not families or not set(families) <= set(FAMILIES):
            raise LabError(f"network {name}: families are {' and '.join(FAMILIES)}, not {families}")
        networks[name] = Network(name, families)
    hosts = {}
    keys = {"suite", "groups", "networks", "number", "apiserver", "kind", "vars"}
    for position, (name, value) in enumerate(_mapping("hosts", mapping.get("hosts")).items()):
        entry = _mapping(name, value, keys)
        host = Host(
            name=name,
            suite=entry.get("suite", mapping.get("suite", "bookworm")),
            groups=tuple(entry.get("groups", ())),
            networks=tuple(entry.get("networks", list(networks)[:1])),
            number=entry.get("number", 11 + position),
            apiserver=entry.get("apiserver", False),
            kind=entry.get("kind", "system"),
            vars=entry.get("vars", {}),
        )
        unknown = set(host.networks) - set(networks)
        if unknown:
            raise LabError(f"host {name}: there is no network {', '.join(sorted(unknown))}")
        if host.kind not in KINDS:
            raise LabError(f"host {name}: kind is one of {', '.join(KINDS)}, not {host.kind!r}")
        hosts[name] = host
    if not hosts:
        raise LabError("a topology needs hosts")
    return Topology(networks, hosts, mapping.get("vars") or {})


def address(subnets: Subnets, network: str, family: str, number: int, prefix: bool = False) -> str:
    """Address number 100 ends in .100 and in ::100."""
    subnet = ipaddress.ip_network(subnets[network][family])
    offset = number if family == "ipv4" else int(str(number), 16)
    return f"{subnet[offset]}/{subnet.prefixlen}" if prefix else str(subnet[offset])


def addresses(host: Host, subnets: Subnets) -> list[str]:
    """All of them, the one to connect to first."""
    return [
        address(subnets, network, family, host.number)
        for network in host.networks
        for family in FAMILIES
        if family in subnets[network]
    ]


def inventory(topology: Topology, subnets: Subnets, connection: Mapping[str, Any]) -> dict[str, Any]:
    groups: dict[str, Any] = {}
    for host in topology.hosts.values():
        for group in host.groups:
            groups.setdefault(group, {"hosts": {}})["hosts"][host.name] = {}
    return {
        "all": {
            "vars": {**connection, **fill(topology.vars, subnets)},
            "hosts": {
                host.name: {"ansible_host": addresses(host, subnets)[0], **fill(host.vars, subnets)}
                for host in topology.hosts.values()
            },
            "children": groups,
        }
    }


PLACEHOLDER = re.compile(r"<(\w+):(ipv4|ipv6):(\d+)(:prefix)?>")


def fill(value: Any, subnets: Subnets) -> Any:
    """Replace <NETWORK:FAMILY:NUMBER> everywhere in it."""
    if isinstance(value, Mapping):
        return {key: fill(item, subnets) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [fill(item, subnets) for item in value]
    if isinstance(value, str):
        return PLACEHOLDER.sub(lambda m: address(subnets, m[1], m[2], int(m[3]), bool(m[4])), value)
    return value


def _mapping(where: str, value: Any, keys: set[str] | None = None) -> dict[str, Any]:
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise LabError(f"{where}: a mapping is needed, not {value!r}")
    unknown = set(value) - keys if keys is not None else set()
    if unknown:
        known = ", ".join(sorted(keys or ()))
        raise LabError(f"{where}: unknown keys {', '.join(sorted(map(str, unknown)))}; known are {known}")
    return value
