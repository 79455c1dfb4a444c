# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The one reader of plans that hosts have stored, on hosts and on the controller. Pure.

A stored plan comes from a file on a host, so nothing in it is trusted. What leaves here has the shape that this
version of the collection gives to plans, so that it may be indexed; or it is `Unreadable`, with a reason.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Union

from . import _shapes
from ._shapes import Notes, Odd, address, anything, flag, integer, many, maybe, number, one_of, record, word

if TYPE_CHECKING:
    from ._model import Endpoint, Plan

SCHEMA = 1
# A plan of the largest instance, 254 members with as many peers each, has less than 4 MiB.
LARGEST = 1 << 24

NO_PLAN: Plan = {"schema": SCHEMA, "endpoints": []}


class Unreadable(Exception):
    """A stored plan can't be used. `newer` ones were written by a later version of the collection."""

    def __init__(self, reason: str, newer: bool = False) -> None:
        super().__init__(reason)
        self.newer = newer


class SomebodyElses(Unreadable):
    """keepalived there was configured by hand or by another tool: no plan tells what it says."""


def with_endpoints(plan: Plan, endpoints: List[Endpoint]) -> Plan:
    """The same plan for others."""
    made = plan.copy()
    made["endpoints"] = endpoints
    return made


# What a host's keepalived has: a plan that was read, nothing, or nobody knows.
Spoken = Union["Plan", Unreadable, None]


class Deployed(NamedTuple):
    """What a host says it has. `plan` is what was stored last, which HAProxy's files were made from; keepalived's may
    have been made from an earlier one, `speaks`. `error` says why one of them can't be read, `newer` whether a later
    version of the collection wrote it, and `unsure` whether that hides what keepalived has.
    """

    plan: Optional[Plan] = None
    speaks: Optional[Plan] = None
    error: Optional[str] = None
    newer: bool = False
    unsure: bool = False

    @property
    def keepalived(self) -> Optional[Plan]:
        """What keepalived has: decided here and nowhere else. None where it has nothing, or where nobody knows."""
        return None if self.unsure else self.speaks or self.plan

    @property
    def spoken(self) -> Spoken:
        """The same, with the reason where nobody knows."""
        return Unreadable(self.error or "", self.newer) if self.unsure else self.keepalived

    @property
    def endpoints(self) -> List[Endpoint]:
        """All that any daemon of the host has: after a run that was refused or killed between them they differ."""
        return [endpoint for plan in (self.plan, self.speaks) if plan for endpoint in plan["endpoints"]]

    @property
    def vips(self) -> List[str]:
        return list(dict.fromkeys(vip["address"] for endpoint in self.endpoints for vip in endpoint["vips"]))

    def to_dict(self) -> Dict[str, Any]:
        return dict(self._asdict())


def deployed_of(info: Any) -> Deployed:
    """What an observation says of it. Observations were read by `_observation`, so that what is there is a plan."""
    return Deployed(**info["deployed"])


def join(plan: Any, speaks: Any, names: Sequence[str] = ("its stored plan", "keepalived's plan")) -> Deployed:
    """From what two files, or an observation, have: None, a value, or Unreadable."""
    first, second = _read_or_why(plan), _read_or_why(speaks)
    failed = [(name, item) for name, item in zip(names, (first, second)) if isinstance(item, Unreadable)]
    known: List[Optional[Plan]] = [None if isinstance(item, Unreadable) else item for item in (first, second)]
    return Deployed(
        known[0], None if known[1] == known[0] else known[1],
        "; ".join("%s: %s" % item for item in failed) or None, any(item.newer for name, item in failed),
        isinstance(second if second is not None else first, Unreadable))


def _read_or_why(value: Any) -> Any:
    if value is None or isinstance(value, Unreadable):
        return value
    try:
        return read_plan(value)
    except Unreadable as error:
        return error


def parse_plan(content: Optional[bytes]) -> Any:
    """A file's content for `join`."""
    if content is None:
        return None
    if len(content) >= LARGEST:
        return Unreadable("it has more than %d bytes" % (LARGEST - 1))
    try:
        return json.loads(content, parse_int=_integer)
    except (ValueError, RecursionError) as error:
        return Unreadable("it isn't JSON: %s" % _shapes.printable(str(error), 200))


def _integer(digits: str) -> int:
    """Not of millions of digits, which takes minutes."""
    if len(digits) > 20:
        raise ValueError("a number has %d digits" % len(digits))
    return int(digits)


def read_plan(value: Any) -> Plan:
    """A plan of this schema, complete; raises Unreadable."""
    if not isinstance(value, Mapping):
        raise Unreadable("it isn't a mapping")
    schema = value.get("schema")
    if isinstance(schema, bool) or not isinstance(schema, int):
        raise Unreadable("it names no schema")
    if schema != SCHEMA:
        raise Unreadable("it has schema %s, and this version of the collection reads schema %d"
                         % (_shapes.printable(str(schema), 20), SCHEMA), schema > SCHEMA)
    try:
        plan: Plan = _PLAN(value, "it", Notes(strict=True))
    except Odd as odd:
        raise Unreadable(str(odd)) from None
    names = [instance["name"] for endpoint in plan["endpoints"] for instance in endpoint["instances"]]
    if len(set(names)) < len(names):
        raise Unreadable("it has an instance's name twice")
    return plan


def _version(value: Any, where: str, notes: Notes) -> str:
    found = word(value, where, notes)
    if not re.match(r"[0-9]{1,5}(\.[0-9]{1,5}){0,4}\Z", found):
        raise Odd("%s isn't a version" % where)
    return found


def _words(value: Any, where: str, dummy: Notes) -> List[str]:
    """Of these a plan can have thousands."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value) \
            or not "".join(value).isprintable():
        raise Odd("%s isn't a list of texts" % where)
    return list(value)


def _family(shape: Any) -> Any:
    """Addresses of the family that an instance names."""

    def read(value: Any, where: str, notes: Notes) -> Dict[str, Any]:
        found: Dict[str, Any] = shape(value, where, notes)
        wanted = found["family"] == "ipv6"
        for item in found["vips"] + found.get("members", []):
            if (":" in item["address"]) != wanted:
                raise Odd("%s has an address of another family" % where)
        return found

    return read


_PORT = integer(1, 65535)
_PREFIX = integer(0, 128)
_FAMILY = one_of("ipv4", "ipv6")
_MILLIS = integer(0, 10**9)
_LONG = integer(0, 10**6)

_INSTANCE = record({
    "name": word, "family": _FAMILY, "virtual_router_id": integer(1, 255), "vrrp_version": one_of(2, 3),
    "advert_interval": number, "down_timer_adverts": maybe(_LONG),
    "vips": many(record({"address": address, "prefix": _PREFIX}, {}, {}), 1024, "address"),
    "members": many(record({
        "host": word, "state": one_of("MASTER", "BACKUP"), "priority": integer(1, 254), "interface": word,
        "address": address, "prefix": _PREFIX, "peers": _words}, {}, {}), 1024, "host"),
}, {}, {})

_HAPROXY = record({
    "check": record({"kind": word, "path": maybe(word), "accept": many(integer(100, 599), 100)}, {}, {}),
    "health": record({"address": address, "port": _PORT}, {}, {}),
    "binds": many(record({"address": word, "port": _PORT, "family": _FAMILY}, {}, {})),
    "nonlocal_bind": flag,
}, {"log": record({"connections": word}, {"target": maybe(word)}, {})}, {})

_METRICS = record({}, {}, {
    "exporter": (maybe(record({"port": _PORT}, {"address": maybe(address)}, {})), None),
    "textfile_dir": (maybe(word), None)})

_NOTIFY = record({"script": word}, {"user": maybe(word)}, {})

_HMAC = record({
    "mode": one_of("receive-only", "permissive", "enforce"), "keys": many(integer(1, 255), 255),
    "time_window": integer(1, 300)}, {}, {})

_ENDPOINT = record({
    "name": word, "mode": one_of("service", "static_pod"), "port": _PORT, "apiserver_port": _PORT,
    "vips": many(record({"address": address, "prefix": _PREFIX, "family": _FAMILY}, {}, {}), 1024, "address"),
    "failback": flag, "failback_delay": number, "transport": one_of("unicast", "multicast"),
    "auth": one_of("none", "pass", "hmac"), "versions": record({"keepalived": _version, "haproxy": _version}, {}, {}),
    "instances": many(_family(_INSTANCE), 2, "family"),
    "backends": many(record({"name": word, "address": address, "port": _PORT}, {}, {}), unique="name"),
    "haproxy": _HAPROXY,
}, {"metrics": _METRICS, "recorder": flag, "watchdog": flag, "notify": _NOTIFY, "hmac": _HMAC}, {
    "former": (record({"vips": many(address, 1024), "ports": many(_PORT, 1024)}, {}, {}), {"vips": [], "ports": []}),
    "accept_findings": (many(word, 1024), []), "image_auth": (many(word, 1024), []),
    "manifest_dir": (maybe(word), None), "dns_name": (maybe(word), None), "images": (maybe(anything), None),
})

_PLAN = record({"endpoints": many(_ENDPOINT, unique="name")}, {"warnings": many(_shapes.text)}, {})
