# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""All VRRP routers heard on one interface, put together from packets. The clock is the caller's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, NamedTuple, Optional, Set, Tuple

from ._packets import IpPacket, Malformed, parse_ip, text_of
from ._reach import probe_of
from ._vrrp import GROUPS, Advert, advert_of, claimed_vrid

FAMILIES = tuple(GROUPS)
# A network that is flooded with inventions must not fill the memory.
_ROUTERS_LIMIT = 2048
_PRIORITIES_LIMIT = 8
_ADDRESSES_LIMIT = 1024
_SOURCES_LIMIT = 8
_REJECTED_LIMIT = 256
# How many intervals of a router are listened to.
_INTERVALS = 3


@dataclass
class _Router:
    advert: Advert
    mac: str
    first: float
    last: float
    count: int = 0
    priorities: Set[int] = field(default_factory=set)
    addresses: Set[str] = field(default_factory=set)


class _Rejected(NamedTuple):
    """One kind of packet that isn't believed, from one sender. Fields are None where it doesn't even have those."""

    mac: str
    reason: str
    family: Optional[str] = None
    source: Optional[str] = None
    virtual_router_id: Optional[int] = None


class Heard:
    def __init__(self) -> None:
        self._routers: Dict[Tuple[Any, ...], _Router] = {}
        self._malformed: Dict[str, int] = {}
        self._malformed_from: Dict[str, None] = {}
        self._rejected: Dict[_Rejected, int] = {}

    def add(self, data: bytes, mac: str, now: float) -> None:
        """One IP packet as it came off the wire, from whatever sent it."""
        packet: Optional[IpPacket] = None
        try:
            packet = parse_ip(data)
            if probe_of(packet) is not None:
                return
            advert = advert_of(packet)
        except Malformed as error:
            self._reject(error.reason, mac, packet)
            return
        key = (advert.family, advert.version, advert.vrid, advert.source, mac, advert.multicast, advert.auth)
        router = self._routers.get(key)
        if router is None:
            if len(self._routers) >= _ROUTERS_LIMIT:
                self._malformed["too_many_routers"] = self._malformed.get("too_many_routers", 0) + 1
                return
            router = self._routers[key] = _Router(advert, mac, now, now)
        router.advert = advert
        router.last = now
        router.count += 1
        if len(router.priorities) < _PRIORITIES_LIMIT or advert.priority == 255:
            router.priorities.add(advert.priority)
        if len(router.addresses) < _ADDRESSES_LIMIT:
            router.addresses.update(advert.addresses)

    def _reject(self, reason: str, mac: str, packet: Optional[IpPacket]) -> None:
        self._malformed[reason] = self._malformed.get(reason, 0) + 1
        if len(self._malformed_from) < _SOURCES_LIMIT:
            self._malformed_from[mac] = None
        kind = _Rejected(mac, reason)
        if packet is not None:
            kind = _Rejected(mac, reason, packet.family, text_of(packet.source), claimed_vrid(packet))
        if kind in self._rejected or len(self._rejected) < _REJECTED_LIMIT:
            self._rejected[kind] = self._rejected.get(kind, 0) + 1

    def until(self, earliest: float, latest: float) -> float:
        """When to stop listening, for three intervals of all that was heard."""
        wanted = [router.first + _INTERVALS * router.advert.interval for router in self._routers.values()]
        return max(earliest, min(latest, max(wanted, default=earliest)))

    def result(self) -> Dict[str, Any]:
        routers = sorted(self._routers.values(), key=lambda router: (router.advert.family, router.advert.vrid))
        return {
            "routers": [_described(router) for router in routers],
            "malformed": dict(sorted(self._malformed.items())),
            "malformed_from": list(self._malformed_from),
            "rejected": [dict(kind._asdict(), count=count) for kind, count in self._rejected.items()],
            "free": {family: self._free(family) for family in FAMILIES},
        }

    def _free(self, family: str) -> List[int]:
        used = {router.advert.vrid for router in self._routers.values() if router.advert.family == family}
        return [vrid for vrid in range(1, 256) if vrid not in used]


def _described(router: _Router) -> Dict[str, Any]:
    advert = router.advert
    between = round((router.last - router.first) / (router.count - 1), 3) if router.count > 1 else None
    return {
        "family": advert.family,
        "source": advert.source,
        "mac": router.mac,
        "destination": "multicast" if advert.multicast else "unicast",
        "version": advert.version,
        "virtual_router_id": advert.vrid,
        "priority": advert.priority,
        "priorities": sorted(router.priorities),
        "interval": advert.interval,
        "seen_interval": between,
        "addresses": sorted(router.addresses),
        "auth": advert.auth,
        "checksum": advert.checksum,
        "count": router.count,
    }
