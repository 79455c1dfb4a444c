# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a host's preflight asks others: the network, and hosts that have balanced before. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Tuple

from ...module_utils.model import _accessors
from ...module_utils.model._planfile import NO_PLAN, deployed_of
from ...module_utils.proof._host_status import daemon_of

if TYPE_CHECKING:
    from ...module_utils.model._model import Endpoint, Plan
    from ...module_utils.model._observation import FormerMember, Observation


def worth_asking(plan: Plan, host: str, observations: Mapping[str, Observation]) -> str:
    """Why the network has to be asked on behalf of a host, or nothing where its endpoints run as they're planned.

    What an endpoint that runs has to fear from the network shows in who holds its VIPs. So it's asked where there's
    something new to it (a VIP, a VRID, a transport, a member, an interface) or where nobody holds.
    """
    info = observations.get(host)
    stored = {item["name"]: item for item in (info and deployed_of(info).plan or NO_PLAN)["endpoints"]}
    held = {address for seen in observations.values() for address in seen["holds"]}
    for endpoint in plan["endpoints"]:
        theirs = stored.get(endpoint["name"])
        if info is None or theirs is None:
            return "%s isn't deployed here" % endpoint["name"]
        if _on_the_wire(theirs) != _on_the_wire(endpoint):
            return "%s changes on the wire" % endpoint["name"]
        if daemon_of(endpoint, info, "keepalived")["active"] != "active":
            return "keepalived isn't running here"
        if not all(vip["address"] in held for vip in endpoint["vips"]):
            return "nobody was seen to hold %s" % endpoint["name"]
    return ""


def former_members(plan: Plan, info: Optional[Observation]) -> List[FormerMember]:
    """Who balanced by this host's stored plan, and by the new one doesn't. Where an API server has the same port,
    nobody can tell what answers there."""
    planned = {endpoint["name"]: set(_accessors.members_of(endpoint)) for endpoint in plan["endpoints"]}
    addresses = {member["address"] for endpoint in plan["endpoints"] for instance in endpoint["instances"]
                 for member in instance["members"]}
    stored = (info and deployed_of(info).plan or NO_PLAN)["endpoints"]
    found: Dict[Tuple[str, str], FormerMember] = {}
    for endpoint in stored:
        name, port = endpoint["name"], endpoint["port"]
        if name not in planned or any(backend["port"] == port for backend in endpoint["backends"]):
            continue
        for instance in endpoint["instances"]:
            for member in instance["members"]:
                host, address = member["host"], member["address"]
                if host not in planned[name] and address not in addresses:
                    found.setdefault((host, name), {"host": host, "endpoint": name, "address": address, "port": port})
    return list(found.values())


def _on_the_wire(endpoint: Endpoint) -> Any:
    """What of a plan others on the network can notice, but for priorities and timers."""
    return [
        endpoint["transport"],
        [
            [instance["name"], instance["virtual_router_id"], instance["vrrp_version"], instance["vips"]]
            + [[member["host"], member["interface"], member["address"]] for member in instance["members"]]
            for instance in endpoint["instances"]
        ],
    ]
