# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans made by hand in the schema of docs/architecture.md, for tests of what comes after the plan."""

from __future__ import annotations

import copy
from typing import Any, Dict, List, Optional, Sequence

VIPS = {"ipv4": ("198.51.100.100", 24), "ipv6": ("2001:db8:1::100", 64)}
NETS = {"ipv4": "198.51.100.%d", "ipv6": "2001:db8:1::%d"}


def plan(*endpoints: Dict[str, Any]) -> Dict[str, Any]:
    return {"schema": 1, "warnings": [], "endpoints": list(endpoints)}


def pods(made: Optional[Dict[str, Any]] = None, **more: Any) -> Dict[str, Any]:
    """An endpoint as static pods."""
    made = made or endpoint()
    made["checks"][0].update(fall=1, hangs=2)
    made.update(
        mode="static_pod", manifest_dir="/etc/kubernetes/manifests", image_auth=[],
        images={"haproxy": {"image": "docker.io/library/haproxy:3.0.11", "pull_policy": "IfNotPresent", "user": 99},
                "keepalived": {"image": "registry.example.org/keepalived:2.3.3", "pull_policy": "Never", "user": 0}})
    made.update(more)
    return made


def endpoint(name: str = "kube-apiserver", families: Sequence[str] = ("ipv4",),
             hosts: Sequence[str] = ("cp1", "cp2", "cp3"),
             nets: Optional[Dict[str, str]] = None, vips: Optional[Dict[str, Any]] = None, octet: int = 11,
             failback: bool = True, transport: str = "unicast", auth: str = "none", keepalived: str = "2.2.7",
             haproxy: str = "2.6.12", port: int = 8443, apiserver_port: int = 6443, interface: str = "eth0",
             advert: float = 0.1, adverts: Optional[int] = 10, vrid: int = 100, kind: str = "https",
             failback_delay: float = 30, binds: Optional[List[Dict[str, Any]]] = None, nonlocal_bind: bool = False,
             **haproxy_options: Any) -> Dict[str, Any]:
    """One endpoint, with the values that the plan would give it by default."""
    nets = nets or NETS
    vips = vips or VIPS
    bonus = 0 if failback else 10
    instances = []
    for index, family in enumerate(families):
        addresses = [nets[family] % (octet + number) for number in range(len(hosts))]
        instances.append({
            "name": "%s-%s" % (name, family), "family": family, "virtual_router_id": vrid + index,
            "vrrp_version": 2 if auth == "pass" else 3, "advert_interval": advert, "down_timer_adverts": adverts,
            "vips": [{"address": vips[family][0], "prefix": vips[family][1]}],
            "members": [
                {"host": host, "state": "MASTER" if failback and not number else "BACKUP", "priority": 150 - number,
                 "interface": interface, "address": addresses[number], "prefix": vips[family][1],
                 "peers": [address for other, address in enumerate(addresses) if other != number]}
                for number, host in enumerate(hosts)],
        })
    options = {
        "binds": binds or [{"address": "*", "port": port, "family": family} for family in families],
        "nonlocal_bind": nonlocal_bind,
        "health": {"address": "127.0.0.1", "port": 8481, "live_path": "/livez", "ready_path": "/readyz/" + name},
        "maxconn": 4096,
        "maxconn_per_source": 2048,
        "check": {"kind": kind, "path": "/readyz",
                  "accept": {"https": [200, 401], "https_strict": [200], "tcp": []}[kind]},
        "inter_ms": 1000, "fastinter_ms": 500, "downinter_ms": 1000, "check_timeout_ms": 1000, "fall": 2, "rise": 2,
        "slowstart_ms": 0, "connect_timeout_ms": 1000, "client_timeout_ms": 60000, "server_timeout_ms": 60000,
        "tunnel_timeout_ms": 3600000, "queue_timeout_ms": 5000, "client_fin_ms": 1000, "server_fin_ms": 1000,
        "hard_stop_after": 60,
    }
    options.update(haproxy_options)
    family = families[0]
    return copy.deepcopy({
        "name": name, "mode": "service", "port": port, "apiserver_port": apiserver_port, "stacked": True,
        "dns_name": None, "control_plane_endpoint": "%s:%d" % (vips[family][0], port),
        "vips": [{"address": vips[family][0], "prefix": vips[family][1], "family": family} for family in families],
        "failback": failback, "failback_delay": failback_delay, "holder_bonus": bonus,
        "settle_weight": -25 if failback else 0, "transport": transport, "auth": auth,
        "sync_group": name if len(families) > 1 else None,
        "timing": {"profile": "balanced", "advert_interval": advert, "down_timer_adverts": adverts},
        "versions": {"keepalived": keepalived, "haproxy": haproxy},
        "instances": instances,
        "checks": [
            {"name": name + "-local", "kind": "local", "weight": 0, "interval": 1, "timeout": 1, "fall": 2, "rise": 2,
             "hangs": 1},
            {"name": name + "-apiservers", "kind": "apiservers", "weight": -50, "interval": 1, "timeout": 1, "fall": 5,
             "rise": 2},
        ],
        "haproxy": options,
        "backends": [{"name": host, "address": nets[family] % (octet + number), "port": apiserver_port}
                     for number, host in enumerate(hosts)],
    })
