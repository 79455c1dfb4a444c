# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observations as modules make them, for tests of what comes after them: the one place where they're made up."""

from __future__ import annotations

import ast
import copy
from pathlib import Path
from typing import Any, Dict, Set

TYPES = Path(__file__).resolve().parents[2] / "plugins" / "module_utils" / "model" / "_observation.py"
# What the controller adds to an observation.
ADDED = {"drifted", "oddities", "preflight"}
OURS = {"pid": 514, "program": "haproxy", "unit": "haproxy.service", "owner": "haproxy", "kubernetes": False}


def keys(name: str, required: bool = False) -> Set[str]:
    """The keys of a type, or only those that are always there."""
    nodes = {node.name: node for node in ast.parse(TYPES.read_text("utf-8")).body if isinstance(node, ast.ClassDef)}
    node = nodes[name]
    if required and node.keywords:
        return set()
    found = {item.target.id for item in node.body if isinstance(item, ast.AnnAssign)
             if isinstance(item.target, ast.Name)
             and not (required and ast.unparse(item.annotation).startswith("NotRequired"))}
    return found.union(*(keys(base.id, required) for base in node.bases
                         if isinstance(base, ast.Name) and base.id in nodes))


def daemon(active: str = "active", **more: Any) -> Dict[str, Any]:
    return {"exists": True, "active": active, "sub": "running", "enabled": True, "main_pid": 512, "restarts": 0,
            "active_for": 3600.25, "changed_for": 3600.25, **more}


def server(name: str, status: str = "UP", check: str = "L7OK", code: Any = 200) -> Dict[str, Any]:
    return {"name": name, "address": "", "status": status, "check_status": check, "check_code": code, "last_chk": "",
            "sessions": 0, "changed_for": 9}


def instance(state: str, **more: Any) -> Dict[str, Any]:
    return {"state": state, "virtual_router_id": 100, "priority": 150, "effective_priority": 150, **more}


def observe(plan: Dict[str, Any], host: str, holder: str = "cp1", running: bool = True) -> Dict[str, Any]:
    """A host that does all that is planned; or where nothing is deployed yet."""
    endpoints = plan["endpoints"] if running else []
    vips = [vip["address"] for endpoint in endpoints for vip in endpoint["vips"]]
    both = ("haproxy", "keepalived")
    return {
        "os": {"family": "debian", "systemd": True},
        "users": dict.fromkeys(("haproxy", "keepalived_script"), running),
        "selinux_booleans": {},
        "packages": {"haproxy": {"path": "/usr/sbin/haproxy", "installed": "2.6.12", "candidate": None},
                     "keepalived": {"path": "/usr/sbin/keepalived", "installed": "2.2.7", "candidate": None}},
        "deployed": {"plan": copy.deepcopy(plan) if running else None, "speaks": None, "error": None, "newer": False,
                     "unsure": False},
        "files": {},
        "config_owner": dict.fromkeys(
            ["/etc/haproxy/haproxy.cfg", "/etc/keepalived/keepalived.conf"], "ours" if running else "absent"),
        "notes_lost": [],
        "interfaces": [],
        "identity": {},
        "networks": [],
        "holds": vips if host == holder else [],
        "held_for": dict.fromkeys(vips, 86400.5) if host == holder else {},
        "services": {name: daemon("active" if running else "inactive") for name in both},
        "pods": {"haproxy": daemon(version="2.6.12"), "keepalived": daemon(version="2.2.7")} if running else {},
        "static_pod_kubelet": {"installed": True, "running": True},
        "watchdog": running,
        "gives_way": None,
        "running": {"haproxy": "a" * 64, "keepalived": "b" * 64},
        "reload_pending": dict.fromkeys(both, False),
        "restart_pending": dict.fromkeys(both, False),
        "haproxy": {
            "version": "2.6.12", "uptime_s": 999, "hung": False, "error": None,
            "backends": {endpoint["name"]: [server(backend["name"]) for backend in endpoint["backends"]]
                         for endpoint in endpoints},
        } if running else {"hung": False, "error": None},
        "keepalived": {"holders": {}, "instances": {}, "hung": False, "can_dump": True, "error": None},
        "haproxy_ignored": [],
        "drain": {"drained": False, "moving": False},
        "listening": [],
        "listeners": [],
        "connect": [
            {"endpoint": endpoint["name"], "address": vip["address"], "port": endpoint["port"],
             "local": host == holder, "source": None, "tcp": "ok", "http_status": 200, "millis": 3.2, "error": None}
            for endpoint in endpoints for vip in endpoint["vips"]
        ],
        "apiservers": {},
        "certificates": {},
        "kubelet": {},
        "node": {},
        "lease": {},
        "at": 1.0,
        "looked": "boot 1",
        "errors": {},
        "unseen": [],
    }  # fmt: skip


def look(plan: Dict[str, Any], host: str, running: bool = False) -> Dict[str, Any]:
    """The same before anything is changed: what `endpoint_preflight_info` returns where nothing is in the way."""
    mine = [
        (item, member)
        for item in plan["endpoints"]
        for instance_ in item["instances"]
        for member in instance_["members"]
        if member["host"] == host
    ]
    vips = [vip["address"] for item, _member in mine for vip in item["vips"]]
    ports = sorted({item["port"] for item, _member in mine} | {8481}) if running else []
    return {
        "interfaces": [
            {"name": "lo", "index": 1, "up": True, "carrier": True, "mtu": 65536},
            {"name": "eth0", "index": 2, "up": True, "carrier": True, "mtu": 1500},
        ],
        "addresses": [
            {"interface": "eth0", "address": member["address"], "prefix": member["prefix"]}
            for _item, member in mine
        ]
        + [{"interface": "eth0", "address": "fe80::1", "prefix": 64}]
        + ([{"interface": "eth0", "address": vips[0], "prefix": 32}] if running and host == "cp1" else []),
        "listeners": [dict(OURS, address="0.0.0.0", port=port) for port in ports]
        + [{"address": "::", "port": 6443, "pid": 700, "program": "kube-apiserver", "unit": "a pod",
            "owner": "static_pod", "kubernetes": False}],
        "network_managers": {"eth0": {"networkd": None, "networkmanager": None}},
        "firewall": {
            "manager": None,
            "readable": True,
            "vrrp": [
                {"endpoint": item["name"], "direction": direction, "interface": "eth0", "address": peer,
                 "outcome": "accept", "where": ""}
                for item, member in mine for peer in member["peers"] for direction in ("in", "out")
            ],
            "clients": [
                {"endpoint": item["name"], "interface": "eth0", "address": vips[0], "port": item["port"],
                 "outcome": "accept", "where": ""}
                for item, _member in mine
            ],
        },
        "default_routes": {"ipv4": ["eth0"], "ipv6": []},
        "sysctls": {
            "net/ipv4/conf/all/rp_filter": {"value": "2", "writable": True},
            "net/ipv4/conf/eth0/rp_filter": {"value": "2", "writable": True},
            "net/ipv4/ip_local_port_range": {"value": "32768\t60999", "writable": True},
            "net/ipv4/ip_local_reserved_ports": {"value": "", "writable": True},
        },
        "sysctl_files": {},
        "programs": [
            {"name": "kubelet", "pid": 600, "unit": "kubelet.service", "owner": None,
             "options": {"node-ip": mine[0][1]["address"]}},
            {"name": "kube-apiserver", "pid": 700, "unit": "a pod", "owner": "static_pod",
             "options": {"secure-port": "6443"}},
            {"name": "etcd", "pid": 701, "unit": "a pod", "owner": "static_pod",
             "options": {"listen-peer-urls": "https://%s:2380" % mine[0][1]["address"]}},
        ],
        "kubelet": {},
        "host_names": ["127.0.1.1"],
        "node": {"name": host, "addresses": [mine[0][1]["address"]]},
        "certificates": {
            item["name"]: {host: {"dns": ["kubernetes"], "ip": ["10.96.0.1", vips[0]]}} for item, _member in mine
        },
        "former": [],
        "manage": False,
        "unwritable": [],
        "clock": {"low": 1795380000.0, "high": 1795380001.0},
        "errors": {},
        "loads": {"haproxy": [], "keepalived": []},
        "static_pods": None,
        "wire": {},
        "at": 1795380000.0,
        "elapsed": 0.5,
    }  # fmt: skip
