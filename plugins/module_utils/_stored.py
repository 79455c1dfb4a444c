# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Plans that hosts have stored: what is deployed, as far as reachable members can tell.

A stored plan comes from a file on a host, so nothing in it is trusted: a plan that doesn't look like one is ignored
with a warning, and every value that gets into a new plan passes the same checks as a user's.
"""

from __future__ import annotations

import copy
import typing as t
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.kubeha.apiserver.plugins.module_utils._addresses import (
    BITS,
    FAMILIES,
    Address,
    Located,
    unusable_kind,
)
from ansible_collections.kubeha.apiserver.plugins.module_utils._errors import Findings, listed, printable
from ansible_collections.kubeha.apiserver.plugins.module_utils._spec import Spec, literal
from ansible_collections.kubeha.apiserver.plugins.module_utils._values import safe_interface
from ansible_collections.kubeha.apiserver.plugins.module_utils._versions import FLOOR, Version, parse_version

V = t.TypeVar("V")


class StoredMember(t.NamedTuple):
    """A balancer's place, as stored."""

    interface: str
    located: Located


@dataclass
class Record:
    """One endpoint, as one host has stored it."""

    host: str
    name: str
    mode: str
    ports: list[int]                                    # the first is the one that was planned then, others are former
    vips: list[Address]                                 # former ones among them
    vrids: dict[str, int]                               # by family
    members: dict[tuple[str, str], StoredMember]        # by host and family
    backends: dict[str, Address]                        # by host
    versions: dict[str, Version]                        # by daemon: the oldest among its members then


class Stored:
    """All records, to be found by endpoint."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.vips: set[Address] = set()
        self._by_name: dict[str, list[Record]] = {}
        self._by_vip: dict[Address, list[Record]] = {}
        for record in records:
            self._by_name.setdefault(record.name, []).append(record)
            for vip in record.vips:
                self._by_vip.setdefault(vip, []).append(record)
            self.vips.update(record.vips)

    def records(self, spec: Spec) -> list[Record]:
        """What hosts have stored of an endpoint: of its name or, if it was renamed, of its VIPs.

        The balancers' own come first, in the order of preference.
        """
        order = {name: index for index, name in enumerate(spec.lb_hosts)}
        vips = {vip.address for vip in spec.vip}
        found = [record for record in self._by_name.get(spec.name, ()) if _is_about(record, order, vips)]
        if not found:
            found = [record for vip in spec.vip for record in self._by_vip.get(vip.address, ())]
        return sorted(found, key=lambda record: order.get(record.host, len(order))) if len(found) > 1 else found


class Served(t.NamedTuple):
    """What clients of an endpoint may use."""

    vips: list[Address]
    ports: list[int]


def served(records: list[Record]) -> Served:
    """What at least half of the hosts have: who was away for long tells of what the others have let go."""
    return Served(_common([record.vips for record in records]), _common([record.ports for record in records]))


def stays(findings: Findings, spec: Spec, former: t.Sequence[object], new: str, kind: str = "") -> bool:
    """Whether what clients may still use is served beside what is written now, until somebody lets it go. Says so."""
    what = kind + listed(map(str, former))
    if spec.release_former:
        findings.warn("former_released", endpoint=spec.name, what=what, new=new)
    else:
        findings.warn("former_kept", endpoint=spec.name, what=what, are="are" if len(former) > 1 else "is")
    return not spec.release_former


def _common(lists: list[list[V]]) -> list[V]:
    counts = Counter(item for found in lists for item in dict.fromkeys(found))
    return [item for item, count in counts.items() if 2 * count >= len(lists)]


def deployed_versions(records: list[Record]) -> dict[tuple[str, str], Version]:
    """By host and daemon, the versions that an endpoint's balancers were planned for."""
    return {(host, daemon): version for record in reversed(records) for host, dummy in record.members
            for daemon, version in record.versions.items()}


def read_stored(findings: Findings, deployed: t.Any) -> Stored:
    """Read the plans that hosts have stored; unreadable ones are ignored with a warning."""
    if deployed is None:
        return Stored([])
    if not isinstance(deployed, Mapping):
        findings.warn("deployed_unreadable", host="the hosts", reason="not a mapping of hosts")
        return Stored([])
    records: list[Record] = []
    for host, plan in deployed.items():
        if plan is None:
            continue
        try:
            records += [_record(str(host), endpoint) for endpoint in _list(_mapping(plan), "endpoints")]
        except _Unreadable as error:
            findings.warn("deployed_unreadable", host=printable(str(host), 60), reason=error)
    return Stored(records)


def spoken(plan: t.Any, speaks: t.Any) -> t.Any:
    """A stored plan with the virtual routers that keepalived speaks: HAProxy's turn stores it before keepalived's, and
    that may fail. `speaks` is the plan of keepalived's files, if it's another one.
    """
    try:
        vrids = {key: instance["virtual_router_id"] for key, instance in _instances(speaks)}
        plan = copy.deepcopy(plan)
        for key, instance in _instances(plan):
            instance["virtual_router_id"] = vrids.get(key, instance["virtual_router_id"])
        return plan
    except _Unreadable:
        return plan


def _instances(plan: t.Any) -> t.Iterator[tuple[tuple[str, str], t.Any]]:
    for endpoint in map(_mapping, _list(_mapping(plan), "endpoints")):
        for instance in map(_mapping, _list(endpoint, "instances")):
            _integer(instance, "virtual_router_id", 1, 255)
            yield (_text(endpoint, "name"), _text(instance, "family")), instance


def _is_about(record: Record, hosts: t.Container[str], vips: set[Address]) -> bool:
    """Whether a record of the right name is of this endpoint, and not of another cluster's that has the same name."""
    return (record.host in hosts or not vips.isdisjoint(record.vips)
            or any(host in hosts for host, dummy in record.members))


class _Unreadable(Exception):
    pass


def _record(host: str, endpoint: t.Any) -> Record:
    endpoint = _mapping(endpoint)
    vrids: dict[str, int] = {}
    members: dict[tuple[str, str], StoredMember] = {}
    for instance in _list(endpoint, "instances"):
        instance = _mapping(instance)
        family = instance.get("family")
        if family not in FAMILIES:
            raise _Unreadable("an instance has no known family")
        vrids[family] = _integer(instance, "virtual_router_id", 1, 255)
        for member in _list(instance, "members"):
            members[_text(_mapping(member), "host"), family] = _member(member, family)
    return Record(
        host=host,
        name=_text(endpoint, "name"),
        mode=_text({"mode": "service", **endpoint}, "mode"),
        ports=[_integer(endpoint, "port", 1, 65535), *_former_ports(endpoint)],
        vips=[_address(_mapping(vip)) for vip in _list(endpoint, "vips")],
        vrids=vrids,
        members=members,
        backends={_text(_mapping(item), "name"): _address(item) for item in _list(endpoint, "backends")},
        versions=_versions(endpoint.get("versions")))


def _former_ports(endpoint: Mapping[t.Any, t.Any]) -> list[int]:
    ports = _list(_mapping(endpoint.get("former") or {"ports": []}), "ports")
    return [_integer({"ports": port}, "ports", 1, 65535) for port in ports]


def _versions(value: t.Any) -> dict[str, Version]:
    texts = _mapping(value or {})
    found = {daemon: parse_version(_text(texts, daemon)) for daemon in FLOOR if daemon in texts}
    return {daemon: version for daemon, version in found.items() if version and version >= FLOOR[daemon]}


def _member(member: Mapping[t.Any, t.Any], family: str) -> StoredMember:
    address, interface = _address(member), _text(member, "interface")
    if address.family != family or not safe_interface(interface):
        raise _Unreadable("a member's address or interface isn't usable")
    return StoredMember(interface, Located(address, _integer(member, "prefix", 0, BITS[family])))


def _mapping(value: t.Any) -> Mapping[t.Any, t.Any]:
    if not isinstance(value, Mapping):
        raise _Unreadable("something in it isn't a mapping")
    return value


def _list(value: Mapping[t.Any, t.Any], key: str) -> list[t.Any]:
    found = value.get(key)
    if not isinstance(found, list):
        raise _Unreadable("{0} isn't a list".format(key))
    return found


def _text(value: Mapping[t.Any, t.Any], key: str) -> str:
    found = value.get(key)
    if not isinstance(found, str):
        raise _Unreadable("{0} isn't a text".format(key))
    return str.__str__(found)


def _integer(value: Mapping[t.Any, t.Any], key: str, low: int, high: int) -> int:
    found = value.get(key)
    if isinstance(found, bool) or not isinstance(found, int) or not low <= found <= high:
        raise _Unreadable("{0} isn't a number from {1} to {2}".format(key, low, high))
    return int(found)


def _address(value: Mapping[t.Any, t.Any]) -> Address:
    found = literal(value.get("address"))
    if found is None or unusable_kind(found):
        raise _Unreadable("an address isn't usable")
    return found
