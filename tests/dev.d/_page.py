# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write two status pages into a folder: one of an endpoint that is well, one where much is wrong."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ansible_collections.kubeha.apiserver.plugins.plugin_utils.files import _render
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.judge import _page, _status
from ansible_collections.kubeha.apiserver.tests.unit import configs, observing
from ansible_collections.kubeha.apiserver.tests.unit.plans import endpoint, plan

VIPS = ["198.51.100.100", "2001:db8:1::100"]
LONG = "a-balancer-with-a-very-long-name-in-rack-17"


def page(*arguments: Any) -> str:
    return _render.page(_page.view(*arguments), configs.ROLES)


def observe(of: dict[str, Any], priority: int, holds: bool = False, down: tuple[str, ...] = ()) -> dict[str, Any]:
    """What a host says of the only endpoint of a plan."""
    item = of["endpoints"][0]
    vips = [vip["address"] for vip in item["vips"]]
    servers = [
        {"name": backend["name"], "status": "DOWN", "check_status": "L7STS", "check_code": 500, "last_chk": ""}
        if backend["name"] in down
        else {"name": backend["name"], "status": "UP", "check_status": "L7OK", "check_code": 200, "last_chk": ""}
        for backend in item["backends"]
    ]
    said = observing.observe(of, "cp1")
    return {
        **said,
        "holds": vips if holds else [],
        "haproxy": {**said["haproxy"], "version": "2.6.12", "uptime_s": 5000, "backends": {item["name"]: servers}},
        "keepalived": {
            **said["keepalived"],
            "instances": {one["name"]: observing.instance("master" if holds else "backup", effective_priority=priority)
                          for one in item["instances"]},
        },
        "connect": [
            {"endpoint": item["name"], "address": vip, "port": item["port"], "tcp": "ok", "http_status": 200,
             "millis": 3.2, "local": holds}
            for vip in vips
        ],
    }  # fmt: skip


def well() -> str:
    planned = plan(endpoint())
    hosts = {"cp%d" % number: observe(planned, 151 - number, number == 1) for number in (1, 2, 3)}
    return page(planned, _status.judge(planned, hosts), "2026-11-22 12:00:00 UTC")


def broken() -> str:
    planned = plan(endpoint(families=("ipv4", "ipv6"), hosts=("lb1.example.com", "lb2", LONG)))
    planned["endpoints"][0]["backends"] = [
        {"name": "cp%d" % number, "address": "198.51.100.2%d" % number, "port": 6443} for number in range(1, 6)
    ]
    hosts = {
        "lb1.example.com": observe(planned, 150, True, ("cp3",)),
        "lb2": observe(planned, 149, True, ("cp3", "cp5")),
    }
    hosts["lb2"]["reload_pending"]["haproxy"] = True
    hosts["lb2"]["running"]["haproxy"] = "x"
    scope = _status.Scope(unreachable={LONG: "No route to host <script>alert(1)</script>"})
    return page(planned, _status.judge(planned, hosts, scope), "2026-11-22 12:00:00 UTC")


if __name__ == "__main__":
    for made in (well, broken):
        (Path(sys.argv[1]) / (made.__name__ + ".html")).write_text(made(), encoding="utf-8")
