# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Whether addresses are in use on a network segment, and by whom."""

from __future__ import annotations

import random
import socket
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

from ..host._host_io import read_addresses, read_links
from ._packets import pack, text_of
from ._segment_io import Link, Part, WireError, answer_of, is_for_us, reason


class Probe(Part):
    """Whether addresses are in use, asked as RFC 5227 and RFC 4862 want it, and who has those of known hosts.

    RFC 5227: a random wait up to PROBE_WAIT (1 s), three probes 1 to 2 s apart, then 2 s for answers. That takes 4.0 to
    4.6 s with the values here, which are within its bounds. In a hurry it's a fifth of that, outside of them.
    """

    PROBES = 3
    UNHURRIED = 5.0
    HALF_WAIT = 0.2
    LONGEST_GAP = 1.05

    def __init__(self, vips: Iterable[Mapping[str, Any]], known: Iterable[Mapping[str, Any]], hurry: bool,
                 doubt: bool = False) -> None:
        """With `doubt`, addresses that this host has are asked for, too: somebody else may have them as well."""
        super().__init__()
        self._doubt = doubt
        self._pace = 0.2 if hurry else 1.0
        self._times = [self.begun + random.uniform(0.0, 2 * self.HALF_WAIT) * self._pace]
        while len(self._times) < self.PROBES:
            self._times.append(self._times[-1] + random.uniform(1.0, self.LONGEST_GAP) * self._pace)
        self._until = self._times[-1] + 2.0 * self._pace
        # First probe of others, by MAC address and VIP: they run this module, too.
        self._probing: Dict[Tuple[str, bytes], List[float]] = {}
        self._links: Dict[str, Link] = {}
        self._errors: Dict[str, str] = {}
        self._tap_links: Dict[socket.socket, Link] = {}
        self._ended = self.begun
        self._macs = sorted({link.mac for link in read_links() if link.mac and link.mac != "00:00:00:00:00:00"})
        self._own_addresses: Dict[str, str] = {}
        sources: Dict[Tuple[str, int], bytes] = {}
        for entry in read_addresses():
            name, packed = _name_of(entry.index), pack(entry.address)
            self._own_addresses[entry.address] = name
            sources.setdefault((name, len(packed)), packed)
        self._vips = [self._vip(vip) for vip in vips]
        self._known = [_known_host(entry, sources, self._own_addresses) for entry in known]
        for name in dict.fromkeys(
            [vip["interface"] for vip in self._vips] + [item["interface"] for item in self._known]
        ):
            self._open(name)
        self._asked = 0
        self._wanted: Dict[Tuple[str, bytes], Dict[str, Any]] = {
            (vip["interface"], vip["packed"]): vip for vip in self._vips
        }
        self._members: Dict[Tuple[str, bytes], List[Dict[str, Any]]] = {}
        for item in self._known:
            self._members.setdefault((item["interface"], item["packed"]), []).append(item)

    def _vip(self, vip: Mapping[str, Any]) -> Dict[str, Any]:
        packed = pack(vip["address"])
        address = text_of(packed)
        held_on = self._own_addresses.get(address)
        return {
            "interface": vip["interface"],
            "address": address,
            "packed": packed,
            "held_on": held_on,
            "asked_for": held_on is None or self._doubt,
            "probes": 0,
            "answers": {},
            "error": None,
        }

    def _open(self, interface: str) -> None:
        try:
            link = self._links[interface] = Link(interface)
        except (OSError, WireError) as error:
            self._errors[interface] = reason(error, interface)
            return
        for handle in link.sockets:
            self._tap_links[self._own(handle)] = link

    def act(self, now: float) -> Optional[float]:
        self._ended = now
        if not self._links or now >= self._until:
            return None
        if self._asked < self.PROBES:
            if now < self._times[self._asked]:
                return self._times[self._asked]
            self._asked += 1
            self._ask()
        return self._times[self._asked] if self._asked < self.PROBES else self._until

    def _ask(self) -> None:
        for vip in self._vips:
            if vip["asked_for"] and vip["interface"] in self._links:
                try:
                    self._links[vip["interface"]].ask_in_secret(vip["packed"])
                    vip["probes"] += 1
                except OSError as error:
                    vip["error"] = reason(error, vip["interface"])
        for item in self._known:
            if not item["macs"] and item["from"] is not None and item["interface"] in self._links:
                try:
                    self._links[item["interface"]].ask(item["from"], item["packed"])
                except OSError:
                    continue  # the VIPs' error says it

    def on_packet(self, handle: socket.socket, data: bytes, address: Tuple[Any, ...], now: float) -> None:
        link = self._tap_links[handle]
        if not is_for_us(address):
            return
        answer = answer_of(data, address[4], handle is link.arp)
        if answer is None or answer.mac == link.mac:
            return
        mac = answer.mac.hex(":")
        vip = self._wanted.get((link.interface, answer.target))
        if vip is not None and answer.how == "probe":
            self._probing.setdefault((mac, answer.target), []).append(self.elapsed(now))
        if vip is not None and vip["asked_for"]:
            seen = vip["answers"].setdefault(mac, {"mac": mac, "how": [], "count": 0})
            seen["count"] += 1
            if answer.how not in seen["how"]:
                seen["how"].append(answer.how)
        if answer.how != "probe":
            for item in self._members.get((link.interface, answer.target), ()):
                item["macs"][mac] = None

    def result(self) -> Dict[str, Any]:
        known: Dict[str, Dict[str, None]] = {}
        for item in self._known:
            known.setdefault(item["host"], {}).update(item["macs"])
        owner = {mac: host for host, macs in known.items() for mac in macs}
        addresses = []
        for vip in self._vips:
            answers = [dict(answer, host=owner.get(mac)) for mac, answer in sorted(vip["answers"].items())]
            addresses.append(
                {
                    "interface": vip["interface"],
                    "address": vip["address"],
                    "family": "ipv4" if len(vip["packed"]) == 4 else "ipv6",
                    "held": vip["held_on"] is not None,
                    "held_on": vip["held_on"],
                    "probes": vip["probes"],
                    "answers": answers,
                    "error": vip["error"] or self._errors.get(vip["interface"]),
                }
            )
        return {
            "seconds": round(self._ended - self.begun, 3),
            "addresses": addresses,
            "known": {host: sorted(macs) for host, macs in known.items()},
            "known_addresses": [
                {"host": item["host"], "address": item["address"], "macs": sorted(item["macs"])} for item in self._known
            ],
            "macs": self._macs,
            "probing": self._beginnings(),
            "error": None,
        }

    def _beginnings(self) -> Dict[str, float]:
        """When others began to probe, in seconds since this host did, where their first probe was surely heard."""
        found: Dict[str, float] = {}
        for (mac, _target), times in self._probing.items():
            if len(times) >= self.PROBES or times[0] > self.LONGEST_GAP * self._pace:
                found[mac] = round(times[0] - self.HALF_WAIT * self._pace, 3)
        return found


def _known_host(
    entry: Mapping[str, Any], sources: Mapping[Tuple[str, int], bytes], own: Mapping[str, str]
) -> Dict[str, Any]:
    packed = pack(entry["address"])
    source = sources.get((entry["interface"], len(packed)))
    # Never from an address that's somebody else's.
    if own.get(entry.get("source", "")) == entry["interface"]:
        source = pack(entry["source"])
    return {
        "host": entry["host"],
        "interface": entry["interface"],
        "address": entry["address"],
        "packed": packed,
        "from": source,
        "macs": {},
    }


def _name_of(index: int) -> str:
    try:
        return socket.if_indextoname(index)
    except OSError:
        return ""
