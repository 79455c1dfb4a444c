# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write pages into a folder: status of an endpoint that is well, and of one where much is wrong; history of a night
in which little happened, and of one in which much did."""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible_collections.kubeha.apiserver.plugins.plugin_utils.files import _render
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.history import _chart
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.judge import _page, _status
from ansible_collections.kubeha.apiserver.tests.unit import configs, observing
from ansible_collections.kubeha.apiserver.tests.unit.plans import endpoint, plan
from ansible_collections.kubeha.apiserver.tests.unit.recording import START, Records

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


def history(records: Records, seconds: float) -> str:
    view = _chart.view(records.told(), records.merged(), START, START + seconds,
                       lambda at: datetime.fromtimestamp(at, timezone.utc))
    return _render.history_page(view, configs.ROLES)


def ends(records: Records, at: float, host: str, daemon: str, why: str, seconds: float) -> None:
    records.add(at, host, "daemon", daemon, "gone")
    records.add(at, host, "exit", daemon, why)
    records.add(at + seconds, host, "daemon", daemon, "running")


def calm() -> str:
    records = Records()
    ends(records, 1200.0, "cp3", "haproxy", "stopped", 3.0)
    return history(records, 4000)


def eventful() -> str:
    records = Records()
    ends(records, 400.0, "cp1", "haproxy", "oom", 1.3)
    records.moves(400.1, "cp1", "cp2")
    records.moves(441.0, "cp2", "cp1")
    ends(records, 1500.0, "cp1", "keepalived", "signal KILL", 20.0)
    records.moves(1500.4, "cp1", "cp2")
    records.moves(1560.0, "cp2", "cp1")
    records.add(2600.0, "cp2", "link", "eth0", False)
    records.add(2900.0, "cp2", "link", "eth0", True)
    records.add(3000.0, "cp2", "run", "host", "root@admin")
    records.add(3040.0, "cp2", "run", "host", None)
    records.add(3300.0, "cp1", "daemon", "haproxy", "frozen")
    records.moves(3301.2, "cp1", "cp2")
    records.why["cp3"] = "Failed to connect to the host via ssh: no route to host <script>alert(1)</script>"
    return history(records, 4000)


if __name__ == "__main__":
    for made in (well, broken, calm, eventful):
        (Path(sys.argv[1]) / (made.__name__ + ".html")).write_text(made(), encoding="utf-8")
