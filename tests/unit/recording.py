# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records as `endpoint_history_info` returns them, of hosts whose clocks all differ: made up here and nowhere else."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from ansible_collections.kubeha.apiserver.plugins.plugin_utils.history import _incidents, _merge, _story
from ansible_collections.kubeha.apiserver.tests.unit.plans import endpoint, plan

VIP = "198.51.100.100"
HOSTS = ("cp1", "cp2", "cp3")
ADDRESS = dict(zip(HOSTS, ("198.51.100.11", "198.51.100.12", "198.51.100.13")))
START = 1796000000.0
NOW = 5000.0


class Records:
    """What happened `at` seconds after START, as each host's clocks have it. cp1 has the VIP at first, if it's held."""

    def __init__(self, wide: float = 0.05, skew: float = 0.0, held: bool = True) -> None:
        self.wide, self.skew = wide, skew
        self.events: Dict[str, List[Dict[str, Any]]] = {host: [] for host in HOSTS}
        self.why: Dict[str, str] = {}
        self.plan = plan(endpoint())
        for host in HOSTS:
            self.add(1.0, host, "recorder", "host", "start", first=True)
            self.add(1.0, host, "vip", VIP, held and host == "cp1", first=True)
            for name in ("haproxy", "keepalived"):
                self.add(1.0, host, "daemon", name, "running", first=True)
            if held and host != "cp1":
                self.add(1.0, host, "advert", self.router("cp1"), 150, first=True)

    def router(self, host: str) -> str:
        return "100 " + ADDRESS[host]

    def boot(self, host: str) -> float:
        """Its time since boot at START."""
        return 7000.0 * (HOSTS.index(host) + 1)

    def add(self, at: float, host: str, kind: str, about: str, value: Any, **more: Any) -> None:
        wrong = 40.0 * HOSTS.index(host)
        self.events[host].append(dict({"t": self.boot(host) + at, "w": START + at + wrong, "e": kind, "k": about,
                                       "v": value}, **more))

    def moves(self, at: float, source: Optional[str], target: str) -> None:
        """The VIP goes, and others hear of it."""
        if source:
            self.add(at, source, "vip", VIP, False)
        self.add(at + 0.06, target, "vip", VIP, True)
        for host in HOSTS:
            if host != target:
                self.add(at + 0.06, host, "advert", self.router(target), 150 - HOSTS.index(target))

    def answers(self) -> Dict[str, Any]:
        said: Dict[str, Any] = {}
        for host in HOSTS:
            if host in self.why:
                said[host] = {"unreachable": True, "msg": self.why[host]}
                continue
            # The true difference lies within the bounds, but not in their middle.
            off = self.boot(host) - START + self.skew * HOSTS.index(host)
            said[host] = {
                "clock": {"low": off - self.wide, "high": off + self.wide},
                "record": {"schema": 1, "boot": self.boot(host) + NOW, "records": True, "plan": self.plan, "cut": False,
                           "wall": START + NOW + 40.0 * HOSTS.index(host), "before": [],
                           "events": sorted(self.events[host], key=lambda event: event["t"])}}
        return said

    def merged(self) -> _merge.Merged:
        return _merge.merge(self.answers())

    def told(self) -> List[_story.Told]:
        merged = self.merged()
        return _story.tell(_incidents.incidents(merged), merged)

    def causes(self) -> List[List[tuple]]:
        return [[(cause.code, cause.host) for cause in item.causes] for item in self.told()]
