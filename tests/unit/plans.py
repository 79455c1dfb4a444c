# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans as `compute_plan` makes them, for tests of what comes after the plan."""

from __future__ import annotations

import copy
import functools
import json
from typing import Any, Dict, List, Optional, Sequence

from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan._plan import compute_plan

VIPS = {"ipv4": ("198.51.100.100", 24), "ipv6": ("2001:db8:1::100", 64)}
NETS = {"ipv4": "198.51.100.%d", "ipv6": "2001:db8:1::%d"}
IMAGES = {"haproxy_image": "docker.io/library/haproxy:3.0.11",
          "keepalived_image": "registry.example.org/keepalived:2.3.3", "keepalived_image_pull_policy": "Never"}


def plan(*endpoints: Dict[str, Any]) -> Dict[str, Any]:
    return {"schema": 1, "warnings": [], "endpoints": list(endpoints)}


def planned(intent: Dict[str, Any], hosts: Dict[str, Any]) -> Dict[str, Any]:
    """The first endpoint of a plan. Nobody else has it: change what you like."""
    return copy.deepcopy(_planned(json.dumps(intent), json.dumps(hosts)))


@functools.cache
def _planned(intent: str, hosts: str) -> Dict[str, Any]:
    return compute_plan(json.loads(intent), json.loads(hosts), {})["endpoints"][0]


def pods(made: Optional[Dict[str, Any]] = None, **more: Any) -> Dict[str, Any]:
    """An endpoint as static pods."""
    made = made or endpoint()
    found = endpoint(made["name"], mode="static_pod", keepalived=made["versions"]["keepalived"])
    made["checks"][0] = found["checks"][0]
    made.update({key: found[key] for key in ("mode", "manifest_dir", "images", "image_auth")})
    made.update(more)
    return made


def endpoint(name: str = "kube-apiserver", families: Sequence[str] = ("ipv4",),
             hosts: Sequence[str] = ("cp1", "cp2", "cp3"),
             nets: Optional[Dict[str, str]] = None, vips: Optional[Dict[str, Any]] = None, octet: int = 11,
             failback: bool = True, transport: str = "unicast", auth: str = "none", keepalived: str = "2.2.7",
             haproxy: str = "2.6.12", port: int = 8443, apiserver_port: int = 6443, interface: str = "eth0",
             advert: float = 0.1, adverts: Any = "planned", vrid: int = 100, kind: str = "https",
             failback_delay: float = 30,
             binds: Optional[List[Dict[str, Any]]] = None, nonlocal_bind: bool = False, mode: str = "service",
             metrics: Optional[Dict[str, Any]] = None,
             **haproxy_options: Any) -> Dict[str, Any]:
    """One endpoint of stacked hosts. `binds` and so on are what other endpoints beside it would lead to."""
    nets, vips = nets or NETS, vips or VIPS
    intent = {
        "name": name, "vip": ["%s/%d" % tuple(vips[family]) for family in families], "lb_hosts": list(hosts),
        "apiserver_hosts": list(hosts), "port": port, "apiserver_port": apiserver_port, "failback": failback,
        "failback_delay": failback_delay, "vrrp_transport": transport, "auth": auth, "health_check": kind,
        "virtual_router_id": {family: vrid + number for number, family in enumerate(families)},
        "timing": "balanced" if advert == 0.1 else {"advert_interval": advert}, "mode": mode,
        "keepalived_version": keepalived, "haproxy_version": haproxy,
    }
    if auth != "none":
        intent["auth_password"] = "correct" if auth == "pass" else "correct" * 5
    if auth == "hmac":
        intent["keepalived_version"] = "2.4.2"
    if mode == "static_pod":
        intent.update(IMAGES)
    known = {host: {"networks": [
        {"interface": interface, "address": nets[family] % (octet + number), "prefix": vips[family][1]}
        for family in families]} for number, host in enumerate(hosts)}
    made = planned(intent, known)
    if adverts != "planned":
        for part in (made["timing"], *made["instances"]):
            part["down_timer_adverts"] = adverts
    options = dict(haproxy_options)
    if binds is not None:
        options["binds"] = copy.deepcopy(binds)
    if nonlocal_bind:
        options["nonlocal_bind"] = True
    unknown = set(options) - set(made["haproxy"])
    assert not unknown, "the plan has no %s" % unknown
    made["haproxy"].update(options)
    if metrics:
        made["metrics"] = metrics
    return made
