# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Plans that hosts have stored: what is deployed, as far as reachable members can tell.

`_planfile` has read them. Each host has one voice: what only a minority says doesn't decide for all, and who differs is
named. Every value that gets into a new plan passes the same checks as a user's.
"""

from __future__ import annotations

import copy
import typing as t
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ...module_utils.model._planfile import NO_PLAN, Deployed, join
from ...module_utils.model._shapes import printable
from ..intent._addresses import BITS, Address, Located, unusable_kind
from ..intent._errors import Problems, listed
from ..intent._spec import Spec, literal
from ..intent._values import safe_interface
from ._versions import FLOOR, Version, parse_version

if t.TYPE_CHECKING:
    from ...module_utils.model._model import Endpoint, Member

V = t.TypeVar("V")


class StoredMember(t.NamedTuple):
    """A balancer's place, as stored."""

    interface: str
    located: Located

    def __str__(self) -> str:
        return "{0} on {1}".format(self.located, self.interface)


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
    """All records, to be found by endpoint. `unreadable` are hosts whose stored plan can't be read."""

    def __init__(self, records: Iterable[Record], unreadable: Mapping[str, Deployed] = MappingProxyType({})) -> None:
        self.unreadable = unreadable
        self._by_name: dict[str, list[Record]] = {}
        self._by_vip: dict[Address, list[Record]] = {}
        self._vips_of: dict[str, set[Address]] = {}
        for record in records:
            self._by_name.setdefault(record.name, []).append(record)
            self._vips_of.setdefault(record.host, set()).update(record.vips)
            for vip in record.vips:
                self._by_vip.setdefault(vip, []).append(record)
        self._vips = {vip for found in self._by_name.values() for vip in served(found).vips}

    def is_vip(self, address: Address, host: str) -> bool:
        """Whether an address is a VIP for what `host` itself has stored, or at least half of those who have one."""
        return address in self._vips or address in self._vips_of.get(host, ())

    def records(self, spec: Spec) -> list[Record]:
        """What hosts have stored of an endpoint: of its name or, if it was renamed, of its VIPs.

        The balancers' own come first, in the order of preference.
        """
        order = {name: index for index, name in enumerate(spec.lb_hosts)}
        vips = {vip.address for vip in spec.vip}
        found = [record for record in self._by_name.get(spec.name, ()) if _is_about(record, order, vips)]
        if not found:
            about = [record for vip in spec.vip for record in self._by_vip.get(vip.address, ())]
            found = list({(record.host, record.name): record for record in about}.values())
        return sorted(found, key=lambda record: order.get(record.host, len(order))) if len(found) > 1 else found


class Served(t.NamedTuple):
    """What clients of an endpoint may use."""

    vips: list[Address]
    ports: list[int]


def served(records: list[Record]) -> Served:
    """What at least half of the hosts have: who was away for long tells of what the others have let go."""
    return Served(_common([record.vips for record in records]), _common([record.ports for record in records]))


def stays(findings: Problems, spec: Spec, former: t.Sequence[object], new: str, kind: str = "") -> bool:
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


@dataclass(frozen=True)
class Vote(t.Generic[V]):
    """What hosts say, by value. `elected` is what at least half of them have and more than any other value, or None."""

    elected: V | None
    said: dict[V, list[str]]

    def others(self) -> dict[V, list[str]]:
        return {value: hosts for value, hosts in self.said.items() if value != self.elected}

    def __str__(self) -> str:
        return "; ".join("{0} on {1}".format(value, listed(hosts)) for value, hosts in self.said.items())


def vote(said: Iterable[tuple[str, V]]) -> Vote[V]:
    """Of (host, value): a host that's alone with what it says doesn't decide, unless it's alone to say anything."""
    found: dict[V, list[str]] = {}
    for host, value in said:
        found.setdefault(value, []).append(host)
    ranked = sorted(found, key=lambda value: -len(found[value]))
    total = sum(map(len, found.values()))
    most = len(found[ranked[0]]) if ranked else 0
    tied = len(ranked) > 1 and len(found[ranked[1]]) == most
    return Vote(ranked[0] if ranked and 2 * most >= total and not tied else None, found)


def elect(findings: Problems, spec: Spec, what: str, said: Vote[V]) -> V | None:
    """What counts of what hosts have stored; whoever says otherwise is named."""
    if said.elected is not None:
        for value, hosts in said.others().items():
            findings.warn("host_differs", hosts=listed(hosts), what=what, endpoint=spec.name, value=value,
                          elected=said.elected)
    return said.elected


def deployed_versions(records: list[Record]) -> dict[tuple[str, str], Version]:
    """By host and daemon, the versions that an endpoint's balancers were planned for; the oldest where hosts differ."""
    said: dict[tuple[str, str], list[tuple[str, Version]]] = {}
    for record in records:
        for host in dict.fromkeys(host for host, dummy in record.members):
            for daemon, version in record.versions.items():
                said.setdefault((host, daemon), []).append((record.host, version))
    return {key: vote(found).elected or min(version for dummy, version in found) for key, found in said.items()}


def read_stored(findings: Problems, deployed: t.Any) -> Stored:
    """Read the plans that hosts have stored: as `Deployed`, or as they are."""
    if deployed is None:
        return Stored([])
    if not isinstance(deployed, Mapping):
        findings.warn("deployed_unreadable", host="the hosts", reason="not a mapping of hosts")
        return Stored([])
    records: list[Record] = []
    unreadable: dict[str, Deployed] = {}
    for name, said in deployed.items():
        host = printable(str(name), 60)
        found = said if isinstance(said, Deployed) else join(said, None)
        try:
            mine = [_record(host, endpoint) for endpoint in _spoken(found)]
        except ValueError as error:
            found, mine = found._replace(error=str(error), unsure=True), []
        records += mine
        if found.error:
            unreadable[host] = found
    return Stored(records, unreadable)


def _spoken(deployed: Deployed) -> t.Iterator[Endpoint]:
    """The stored endpoints with the virtual routers that keepalived speaks: HAProxy's turn stores the plan before
    keepalived's, and that may fail."""
    vrids = {(endpoint["name"], instance["family"]): instance["virtual_router_id"]
             for endpoint in (deployed.keepalived or NO_PLAN)["endpoints"] for instance in endpoint["instances"]}
    for endpoint in copy.deepcopy((deployed.plan or NO_PLAN)["endpoints"]):
        for instance in endpoint["instances"]:
            key = (endpoint["name"], instance["family"])
            instance["virtual_router_id"] = vrids.get(key, instance["virtual_router_id"])
        yield endpoint


def _is_about(record: Record, hosts: t.Container[str], vips: set[Address]) -> bool:
    """Whether a record of the right name is of this endpoint, and not of another cluster's that has the same name."""
    return (record.host in hosts or not vips.isdisjoint(record.vips)
            or any(host in hosts for host, dummy in record.members))


def _record(host: str, endpoint: Endpoint) -> Record:
    """Of an endpoint that `_planfile` has read."""
    return Record(
        host=host,
        name=endpoint["name"],
        mode=endpoint["mode"],
        ports=list(dict.fromkeys([endpoint["port"], *endpoint["former"]["ports"]])),
        vips=[_address(vip) for vip in endpoint["vips"]],
        vrids={instance["family"]: instance["virtual_router_id"] for instance in endpoint["instances"]},
        members={(member["host"], instance["family"]): _member(member, instance["family"])
                 for instance in endpoint["instances"] for member in instance["members"]},
        backends={item["name"]: _address(item) for item in endpoint["backends"]},
        versions=_versions(endpoint["versions"]))


def _versions(texts: Mapping[str, str]) -> dict[str, Version]:
    found = {daemon: parse_version(texts[daemon]) for daemon in FLOOR}
    return {daemon: version for daemon, version in found.items() if version and version >= FLOOR[daemon]}


def _member(member: Member, family: str) -> StoredMember:
    if not safe_interface(member["interface"]) or member["prefix"] > BITS[family]:
        raise ValueError("a member's address or interface isn't usable")
    return StoredMember(member["interface"], Located(_address(member), member["prefix"]))


def _address(value: Mapping[str, t.Any]) -> Address:
    found = literal(value["address"])
    if found is None or unusable_kind(found):
        raise ValueError("an address isn't usable")
    return found
