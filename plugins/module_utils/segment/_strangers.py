# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Who sends packets with our virtual router IDs that aren't the members' own adverts. Pure.

A host listens for a moment and keeps what concerns its virtual routers (`heard_of`); whoever sees all hosts judges it
(`strangers`), since only then it's known which MAC addresses are whose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Set, Tuple

if TYPE_CHECKING:
    from ..model._model import Endpoint, Instance, Member, Plan


_MOST = 64


class Packet(NamedTuple):
    """One kind of packet from one sender, as a host says. `reason` is why it's no advert."""

    interface: str
    mac: str
    source: str
    family: str
    virtual_router_id: int
    reason: Optional[str]
    version: int
    auth: str
    priority: int

    @property
    def sender(self) -> str:
        return "%s (MAC %s)" % (self.source, self.mac)


class Stranger(NamedTuple):
    """`what` is what it sends, in words."""

    host: str
    endpoint: str
    virtual_router_id: int
    sender: str
    what: str


def interfaces_of(plan: Plan, host: str) -> List[str]:
    """Where a host has virtual routers."""
    return list(dict.fromkeys(member["interface"] for _endpoint, _instance, member in _memberships(plan, host)))


def heard_of(plan: Plan, host: str, scan: Mapping[str, Any]) -> List[Dict[str, Any]]:
    """Of what was heard on each interface, the packets with virtual router IDs of this host."""
    found: List[Dict[str, Any]] = []
    for interface, heard in scan.items():
        mine = {
            (instance["family"], instance["virtual_router_id"])
            for _endpoint, instance, member in _memberships(plan, host)
            if member["interface"] == interface
        }
        for packet in [*heard.get("routers", ()), *heard.get("rejected", ())]:
            if (packet["family"], packet["virtual_router_id"]) in mine:
                found.append(dict({"reason": None}, **packet, interface=interface))
    return found[:_MOST]


def packets_of(heard: Any) -> List[Packet]:
    """What a host says that it heard, whatever it says."""
    found: List[Packet] = []
    for entry in heard if isinstance(heard, list) else ():
        if not isinstance(entry, dict):
            continue
        packet = Packet(
            interface=str(entry.get("interface")),
            mac=str(entry.get("mac")),
            source=str(entry.get("source")),
            family=str(entry.get("family")),
            virtual_router_id=_number(entry.get("virtual_router_id")),
            reason=None if entry.get("reason") is None else str(entry["reason"]),
            version=_number(entry.get("version")),
            auth=str(entry.get("auth")),
            priority=_number(entry.get("priority")),
        )
        found.append(packet)
    return found[:_MOST]


def strangers(plan: Plan, host: str, heard: Any, macs: Mapping[str, str]) -> List[Stranger]:
    """`heard` is what `heard_of` kept on that host, `macs` are the members by their MAC addresses."""
    packets = packets_of(heard)
    found: Dict[Stranger, None] = {}
    senders: Dict[str, Set[str]] = {}
    for packet in packets:
        senders.setdefault(packet.source, set()).add(packet.mac)
    for endpoint, instance, member in _memberships(plan, host) if packets else ():
        for packet in packets:
            where = (packet.interface, packet.family, packet.virtual_router_id)
            if where == (member["interface"], instance["family"], instance["virtual_router_id"]):
                what = _strange(endpoint, instance, packet, macs, senders[packet.source])
                if what:
                    name = "%s (%s)" % (packet.source, macs[packet.mac]) if packet.mac in macs else packet.sender
                    found[Stranger(host, endpoint["name"], instance["virtual_router_id"], name, what)] = None
    return list(found)


def _strange(
    endpoint: Endpoint, instance: Instance, packet: Packet, macs: Mapping[str, str], senders: Set[str]
) -> Optional[str]:
    if packet.reason is not None:
        return "packets that are no adverts (%s)" % packet.reason
    what = "VRRPv%d adverts%s, priority %d" % (
        packet.version,
        "" if packet.auth == "none" else " with authentication %s" % packet.auth,
        packet.priority,
    )
    addresses = {member["address"]: member["host"] for member in instance["members"]}
    # IPv6 by multicast comes from link-local addresses, which the plan doesn't have.
    owner = addresses.get(packet.source) or macs.get(packet.mac)
    if owner not in addresses.values():
        return what
    if (packet.version, packet.auth) != (instance["vrrp_version"], endpoint["auth"]):
        return "%s, where the plan has VRRPv%d, authentication %s" % (
            what,
            instance["vrrp_version"],
            endpoint["auth"],
        )
    # Some networks give all frames another source; so only beside the member's own it's a copy.
    if macs.get(packet.mac) != owner and any(macs.get(mac) == owner for mac in senders):
        return "%s, in the name of %s" % (what, owner)
    return None


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _memberships(plan: Plan, host: str) -> Iterator[Tuple[Endpoint, Instance, Member]]:
    for endpoint in plan["endpoints"]:
        for instance in endpoint["instances"]:
            for member in instance["members"]:
                if member["host"] == host:
                    yield endpoint, instance, member
