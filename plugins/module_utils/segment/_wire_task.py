# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What one host has to listen for, to ask and to try, for the endpoints that the plan gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Tuple

if TYPE_CHECKING:
    from ..model._model import Plan


def wire_task(plan: Plan, host: str) -> Dict[str, Any]:
    """interfaces to listen on, vips to ask for, known: where the other members' addresses are, and paths to try.

    What several instances have in common is there once.
    """
    interfaces: Dict[str, None] = {}
    vips: Dict[Tuple[str, str], Dict[str, Any]] = {}
    known: Dict[Tuple[str, str, str], Dict[str, Any]] = {}
    paths: Dict[Tuple[str, ...], Dict[str, Any]] = {}
    for endpoint in plan["endpoints"]:
        for instance in endpoint["instances"]:
            mine = next((member for member in instance["members"] if member["host"] == host), None)
            if mine is None:
                continue
            interface = mine["interface"]
            interfaces[interface] = None
            for vip in instance["vips"]:
                vips[interface, vip["address"]] = {"interface": interface, "address": vip["address"]}
            others = [member for member in instance["members"] if member["host"] != host]
            for member in others:
                key = (member["host"], interface, member["address"])
                known[key] = {
                    "host": member["host"],
                    "interface": interface,
                    "address": member["address"],
                    "source": mine["address"],
                }
            key = (interface, mine["address"], endpoint["transport"])
            path = paths.setdefault(key, _path(key, instance["family"]))
            for member in others:
                peer = {"host": member["host"], "address": member["address"]}
                if peer not in path["peers"]:
                    path["peers"].append(peer)
    return {
        "interfaces": list(interfaces),
        "vips": list(vips.values()),
        "known": list(known.values()),
        "paths": list(paths.values()),
    }


def _path(key: Tuple[str, str, str], family: str) -> Dict[str, Any]:
    peers: List[Dict[str, str]] = []
    return {"interface": key[0], "address": key[1], "transport": key[2], "family": family, "peers": peers}
