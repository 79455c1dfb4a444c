# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Would a packet pass the host's netfilter rules? Pure: the JSON of `nft -j list ruleset` in, yes, no or unknown out.

A rule that this doesn't understand may match or not, and both ways are followed: so "drop" and "accept" are certain,
and everything else is "unknown". iptables' own rules are in that ruleset too, wherever iptables is the nf_tables one.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any, Dict, FrozenSet, List, Mapping, Optional, Sequence, Set, Tuple, Union

# What this collection has loaded itself follows the plan, so it's in nobody's way.
_OURS = ("inet", "kubeha")
ACCEPT, DROP, UNKNOWN = "accept", "drop", "unknown"
_CONTINUE, _RETURN = "continue", "return"

IN, OUT = "in", "out"
VRRP, TCP = 112, 6
_HOOKS = {IN: ("prerouting", "input"), OUT: ("output", "postrouting")}
_PROTOCOLS = {"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "ah": 51, "ipv6-icmp": 58, "icmpv6": 58,
              "vrrp": 112, "carp": 112}  # fmt: skip
# nft prints the names that it has in its own tables; those of the ports that matter here aren't among them.
_PRIORITIES = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}
_NESTING = 32


@dataclass(frozen=True)
class Packet:
    """One that begins a conversation. None is what isn't known, such as the address of any client."""

    direction: str
    interface: str
    protocol: int
    source: Optional[str]
    destination: Optional[str]
    port: Optional[int] = None
    family: str = "ipv4"


@dataclass(frozen=True)
class Verdict:
    """`where` is the chain that drops, as `nft list chain` takes it."""

    outcome: str
    where: str = ""


class Ruleset:
    """The tables, chains and sets of `nft -j list ruleset`."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.chains: Dict[Tuple[str, str, str], Mapping[str, Any]] = {}
        self.rules: Dict[Tuple[str, str, str], List[Sequence[Any]]] = {}
        self.sets: Dict[Tuple[str, str, str], Any] = {}
        for entry in document.get("nftables", ()):
            for kind, value in entry.items() if isinstance(entry, Mapping) else ():
                if (_fields(value).get("family"), _fields(value).get("table")) == _OURS:
                    continue
                if kind == "chain":
                    self.chains[(value["family"], value["table"], value["name"])] = value
                elif kind == "rule":
                    key = (value["family"], value["table"], value["chain"])
                    self.rules.setdefault(key, []).append(value.get("expr") or ())
                elif kind in ("set", "map"):
                    self.sets[(value["family"], value["table"], value["name"])] = value.get("elem", [])

    @property
    def filters(self) -> bool:
        """Whether anything here could drop a packet."""
        return any(chain.get("policy") == "drop" for chain in self.chains.values()) or bool(self.rules)

    def judge(self, packet: Packet) -> Verdict:
        """What becomes of a packet on its way through all base chains."""
        outcome = Verdict(ACCEPT)
        for key in self._base_chains(packet):
            outcomes, where = _Walk(self, key, packet).run()
            if outcomes == {DROP}:
                return Verdict(DROP, where)
            if DROP in outcomes and outcome.outcome == ACCEPT:
                outcome = Verdict(UNKNOWN, where)
        return outcome

    def _base_chains(self, packet: Packet) -> List[Tuple[str, str, str]]:
        families = ("inet", "ip") if packet.family == "ipv4" else ("inet", "ip6")
        hooks = _HOOKS[packet.direction]
        found = [
            (hooks.index(chain["hook"]), _priority(chain.get("prio", 0)), key)
            for key, chain in self.chains.items()
            if key[0] in families and chain.get("hook") in hooks and chain.get("type") in ("filter", "nat", "route")
        ]
        return [key for _hook, _prio, key in sorted(found)]


class _Walk:
    """One packet through one base chain."""

    def __init__(self, ruleset: Ruleset, base: Tuple[str, str, str], packet: Packet) -> None:
        self.ruleset = ruleset
        self.base = base
        self.packet = packet
        self.where = ""

    def run(self) -> Tuple[FrozenSet[str], str]:
        outcomes = self._chain(self.base, 0)
        policy = self.ruleset.chains[self.base].get("policy", ACCEPT)
        if outcomes & {_CONTINUE, _RETURN}:
            outcomes = (outcomes - {_CONTINUE, _RETURN}) | {policy}
            if policy == DROP and not self.where:
                self.where = _name(self.base)
        return frozenset(outcomes), self.where

    def _chain(self, key: Tuple[str, str, str], depth: int) -> Set[str]:
        """The verdicts that are possible, among them "continue" where the end of the chain is reached."""
        if key not in self.ruleset.chains or depth > _NESTING:
            return {ACCEPT, DROP}
        outcomes: Set[str] = set()
        for rule in self.ruleset.rules.get(key, ()):
            ends = self._rule(key, rule, depth)
            outcomes |= ends - {_CONTINUE}
            if _CONTINUE not in ends:
                return outcomes
        return outcomes | {_CONTINUE}

    def _rule(self, key: Tuple[str, str, str], statements: Sequence[Any], depth: int) -> Set[str]:
        certain = True
        for statement in statements:
            kind, body = _single(statement)
            if kind == "match":
                matches = self._match(key, _fields(body))
                if matches is False:
                    return {_CONTINUE}
                certain = certain and matches is True
            elif kind == "xt":
                matches = _extension(body, statements)
                if matches is False:
                    return {_CONTINUE}
                certain = certain and matches is True
            elif kind in ("limit", "connlimit", "quota", "ct count"):
                certain = False
            else:
                ends = self._statement(key, kind, body, depth)
                if ends is not None:
                    return ends if certain else ends | {_CONTINUE}
        return {_CONTINUE}

    def _statement(self, key: Tuple[str, str, str], kind: str, body: Any, depth: int) -> Optional[Set[str]]:
        """None for what decides nothing, such as a counter."""
        if kind == "accept":
            return {ACCEPT}
        if kind in ("drop", "reject"):
            self.where = self.where or _name(key)
            return {DROP}
        if kind == "return":
            return {_RETURN}
        if kind in ("jump", "goto"):
            inner = self._chain((key[0], key[1], str(_fields(body).get("target"))), depth + 1)
            if kind == "goto":
                return {_RETURN if end == _CONTINUE else end for end in inner}
            return {_CONTINUE if end == _RETURN else end for end in inner}
        if kind == "vmap":
            return self._verdict_map(key, _fields(body), depth)
        return {ACCEPT, DROP} if kind in ("queue", "synproxy", "tproxy") else None

    def _verdict_map(self, key: Tuple[str, str, str], body: Mapping[str, Any], depth: int) -> Set[str]:
        value = self._value(key, body.get("key"))
        pairs = self._elements(key, body.get("data"))
        if pairs is None:
            return {ACCEPT, DROP, _CONTINUE}
        ends: Set[str] = set()
        for pair in pairs:
            if not (isinstance(pair, Sequence) and len(pair) == 2):
                return {ACCEPT, DROP, _CONTINUE}
            matches = _equal(value, pair[0])
            if matches is False:
                continue
            kind, inner = _single(pair[1])
            found = self._statement(key, kind, inner, depth)
            if matches is True:
                return ends | (found or {_CONTINUE})
            ends |= found or {_CONTINUE}
        return ends | {_CONTINUE}

    def _match(self, key: Tuple[str, str, str], body: Mapping[str, Any]) -> Optional[bool]:
        left, right = body.get("left"), body.get("right")
        value = self._value(key, left)
        if value is _MISSING:
            return False  # a field of another protocol: the rule can't match
        operator = body.get("op", "==")
        if operator not in ("==", "in", "!="):
            return None
        elements = self._elements(key, right)
        if elements is None:
            return None
        answers = [_equal(value, element) for element in elements]
        found = True if True in answers else None if None in answers else False
        if operator == "!=" and found is not None:
            return not found
        return found

    def _elements(self, key: Tuple[str, str, str], right: Any) -> Optional[Sequence[Any]]:
        if isinstance(right, str) and right.startswith("@"):
            return _plain_elements(self.ruleset.sets.get((key[0], key[1], right[1:])))
        if isinstance(right, Mapping) and "set" in right:
            return _plain_elements(right["set"])
        return _plain_elements(right if isinstance(right, list) else [right])

    def _value(self, key: Tuple[str, str, str], left: Any) -> Any:
        """What the packet has there; None where that isn't known, _MISSING where there's no such field."""
        kind, value = _single(left)
        body = _fields(value)
        packet = self.packet
        if kind == "meta":
            return self._meta(body.get("key"))
        if kind == "ct":
            # It's new, and nothing translated its addresses.
            return {"state": "new", "status": ""}.get(str(body.get("key")))
        if kind != "payload" or "field" not in body:
            return None
        protocol, field = body.get("protocol"), body["field"]
        if protocol in ("ip", "ip6"):
            if (protocol == "ip") != (packet.family == "ipv4"):
                return _MISSING
            return {"saddr": packet.source, "daddr": packet.destination, "protocol": packet.protocol,
                    "nexthdr": packet.protocol}.get(str(field))  # fmt: skip
        if protocol in ("tcp", "udp", "th", "sctp", "icmp", "icmpv6"):
            if protocol != "th" and _PROTOCOLS.get(str(protocol)) != packet.protocol:
                return _MISSING
            if packet.protocol not in (6, 17, 132) and protocol == "th":
                return _MISSING
            return packet.port if field == "dport" else None
        return None

    def _meta(self, name: Any) -> Any:
        packet = self.packet
        inward = packet.direction == IN
        if name in ("iifname", "iif", "oifname", "oif"):
            return packet.interface if (name[0] == "i") == inward else ""
        if name == "l4proto":
            return packet.protocol
        if name in ("nfproto", "protocol"):
            return packet.family
        return None


_MISSING = object()


def _extension(body: Any, statements: Sequence[Any]) -> Optional[bool]:
    """A match of iptables' own, of which nft tells no more than the name. Two are in every ruleset made by iptables.

    Alone in its rule, conntrack is there for established connections or invalid packets, not for new ones; and
    addrtype lets pass what is addressed to this host, or drops what isn't.
    """
    name = body.get("name") if isinstance(body, Mapping) else None
    kinds = {_single(statement)[0] for statement in statements} - {"counter", "log"}
    if name == "conntrack" and "match" not in kinds:
        return False
    if name == "addrtype" and kinds <= {"xt", "return", "accept", "drop", "reject"}:
        return not kinds & {"drop", "reject"}
    return None


def _equal(value: Any, element: Any) -> Optional[bool]:
    if value is None:
        return None
    if isinstance(element, Mapping):
        kind, inner = _single(element)
        body = _fields(inner)
        if kind == "elem":
            return _equal(value, body.get("val"))
        if kind == "prefix" and isinstance(value, str):
            return _inside(value, "%s/%s" % (body.get("addr"), body.get("len")))
        if kind == "range" and isinstance(inner, list) and len(inner) == 2:
            return _between(value, inner[0], inner[1])
        return None
    if element == "*":
        return True
    if isinstance(value, str) and isinstance(element, str) and element.endswith("*"):
        return value.startswith(element[:-1])
    if isinstance(value, int):
        number = _PROTOCOLS.get(element, element) if isinstance(element, str) else element
        return value == number if isinstance(number, int) else None
    if value in ("ipv4", "ipv6"):
        return element in (["ipv4", "ip"] if value == "ipv4" else ["ipv6", "ip6"])
    return _same_address(value, element)


def _same_address(value: str, element: Any) -> bool:
    try:
        return ipaddress.ip_address(value) == ipaddress.ip_address(str(element))
    except ValueError:
        return bool(value == element)


def _inside(value: str, network: str) -> Optional[bool]:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return None


def _between(value: Union[str, int], low: Any, high: Any) -> Optional[bool]:
    try:
        if isinstance(value, int):
            return int(low) <= value <= int(high)
        first, last, mine = (ipaddress.ip_address(item) for item in (low, high, value))
        return first.version == mine.version and int(first) <= int(mine) <= int(last)
    except (TypeError, ValueError):
        return None


def _plain_elements(elements: Any) -> Optional[Sequence[Any]]:
    if isinstance(elements, Mapping) or elements is None:
        return None
    return elements if isinstance(elements, list) else [elements]


def _fields(body: Any) -> Mapping[str, Any]:
    return body if isinstance(body, Mapping) else {}


def _single(statement: Any) -> Tuple[str, Any]:
    if isinstance(statement, Mapping) and len(statement) == 1:
        kind, body = next(iter(statement.items()))
        return kind, body
    return "", {}


def _priority(value: Any) -> int:
    return value if isinstance(value, int) else _PRIORITIES.get(str(value), 0)


def _name(key: Tuple[str, str, str]) -> str:
    return " ".join(key)
