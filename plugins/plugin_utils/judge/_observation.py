# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a host says, brought into a known shape before anybody reads it. Pure.

A member may be old, broken or hostile. What is odd in its words is left out, and noted under "oddities"; what is left
may be indexed by those who judge, and printed as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Mapping, Tuple

from ...module_utils.model import _planfile
from ...module_utils.model._shapes import (
    Notes,
    Odd,
    Shape,
    address,
    anything,
    flag,
    integer,
    many,
    mapping,
    maybe,
    number,
    one_of,
    record,
    setting,
    text,
)
from ...module_utils.proof._host_status import DAEMONS, NO_DAEMON, NO_HAPROXY, NO_KEEPALIVED

if TYPE_CHECKING:
    from ...module_utils.model._observation import Observation, Preflight


def observation(raw: Any) -> Observation:
    """What `endpoint_info` returned, with what `endpoint_preflight_info` returned under "preflight"."""
    notes = Notes(strict=False)
    try:
        found: Observation = _INFO(raw, "it", notes)
    except (Odd, RecursionError) as error:
        unread = _planfile.Deployed(error="nothing it said can be read", unsure=True).to_dict()
        found, notes.found = _INFO({"deployed": unread}, "it", notes), [str(error)]
    if notes.found:
        found["oddities"] = notes.found
    return found


def preflight(raw: Any) -> Preflight:
    """What `endpoint_preflight_info` returned."""
    notes = Notes(strict=False)
    try:
        found: Preflight = _PREFLIGHT(raw, "it", notes)
    except (Odd, RecursionError) as error:
        found, notes.found = _PREFLIGHT({}, "it", notes), [str(error)]
    if notes.found:
        found["errors"]["what it said"] = "; ".join(notes.found)
    return found


def _deployed(value: Any, where: str, notes: Notes) -> Dict[str, Any]:
    if value is None:
        return _planfile.Deployed().to_dict()
    if not isinstance(value, Mapping):
        raise Odd("%s isn't a mapping" % where)
    found = _planfile.join(value.get("plan"), value.get("speaks"))
    said = value.get("error")
    if said:
        found = found._replace(error=text(str(said), where, notes), newer=found.newer or value.get("newer") is True,
                               unsure=found.unsure or bool(value.get("unsure", not found.speaks)))
    return found.to_dict()


def _filled(**fields: Any) -> Shape:
    """All of it can be missing."""
    return record({}, {}, fields)


_NAME = (text, "")
_MAYBE_TEXT = (maybe(text), None)
_FLAG = (flag, False)
_MAYBE_FLAG = (maybe(flag), None)
_MAYBE_INTEGER = (maybe(integer()), None)
_MAYBE_NUMBER = (maybe(number), None)
_TEXTS = many(text)
_PORT = integer(0, 65535)
_FAMILY = one_of("ipv4", "ipv6")


def _each(shape: Shape, otherwise: Any) -> Tuple[Shape, Dict[str, Any]]:
    """Of each daemon."""
    return _filled(**dict.fromkeys(DAEMONS, (shape, otherwise))), dict.fromkeys(DAEMONS, otherwise)


def _part(known: Mapping[str, Any], **shapes: Shape) -> Shape:
    """With what is known where nothing is said."""
    return record({}, {name: shape for name, shape in shapes.items() if name not in known},
                  {name: (shapes.get(name, anything), value) for name, value in known.items()})


_DAEMON = _part(
    NO_DAEMON, exists=maybe(flag), active=text, enabled=flag, masked=flag, main_pid=maybe(integer()),
    active_for=maybe(number), changed_for=maybe(number), version=maybe(text))
_SERVER = record({"name": text, "status": text}, {}, {
    "address": _NAME, "check_status": _MAYBE_TEXT, "check_code": _MAYBE_INTEGER, "last_chk": _MAYBE_TEXT,
    "sessions": _MAYBE_INTEGER, "changed_for": _MAYBE_INTEGER})
_FRONTEND = _filled(status=_NAME, sessions=_MAYBE_INTEGER, most=_MAYBE_INTEGER, refused=_MAYBE_INTEGER)
_NODE = record({"name": text, "addresses": many(address)}, {}, {}, empty=True)
_CERTIFICATES = mapping(mapping(_filled(dns=(_TEXTS, []), ip=(_TEXTS, []))))

_INFO = record({}, {
    "heard": many(anything),
    "claims": maybe(mapping(_TEXTS)),
    "met": maybe(flag),
    "unmet": _TEXTS,
    "waited": maybe(number),
    "drifted": _TEXTS,
    "preflight": lambda value, where, notes: preflight(value),
}, {
    "os": (mapping(anything), {}),
    "users": (mapping(flag), {}),
    "selinux_booleans": (mapping(flag), {}),
    "packages": _each(_filled(path=_MAYBE_TEXT, installed=_MAYBE_TEXT, candidate=_MAYBE_TEXT),
                      {"path": None, "installed": None, "candidate": None}),
    "deployed": (_deployed, _planfile.Deployed().to_dict()),
    "files": (mapping(text), {}),
    "config_owner": (mapping(text), {}),
    "notes_lost": (_TEXTS, []),
    "interfaces": (many(record({"name": text}, {}, {
        "index": (integer(), 0), "up": _FLAG, "carrier": _MAYBE_FLAG, "mtu": _MAYBE_INTEGER, "mac": _NAME,
        "kind": _NAME})), []),
    "identity": (mapping(anything), {}),
    "networks": (many(anything), []),
    "holds": (many(address), []),
    "held_for": (mapping(number), {}),
    "services": _each(_DAEMON, NO_DAEMON),
    "pods": (mapping(_DAEMON), {}),
    "static_pod_kubelet": (record(
        {}, {"running": flag, "installed": flag, "static_pod_path": maybe(text)}, {}), {}),
    "watchdog": _MAYBE_FLAG,
    "gives_way": _MAYBE_TEXT,
    "running": _each(*_MAYBE_TEXT),
    "reload_pending": _each(*_FLAG),
    "restart_pending": _each(*_FLAG),
    "haproxy": (_part(
        NO_HAPROXY, version=maybe(text), uptime_s=maybe(number), hung=flag, error=maybe(text),
        frontends=mapping(_FRONTEND), backends=mapping(many(_SERVER, unique="name"))), NO_HAPROXY),
    "keepalived": (_part(
        NO_KEEPALIVED, hung=flag, can_dump=flag, error=maybe(text), holders=mapping(anything),
        instances=mapping(_filled(
            state=_MAYBE_TEXT, priority=_MAYBE_INTEGER, effective_priority=_MAYBE_INTEGER,
            virtual_router_id=_MAYBE_INTEGER)), rejects=mapping(mapping(integer()))), NO_KEEPALIVED),
    "haproxy_ignored": (_TEXTS, []),
    "drain": (_filled(drained=_FLAG, moving=_FLAG), {"drained": False, "moving": False}),
    "listening": (many(_PORT), []),
    "listeners": (many(_filled(address=_NAME, port=(_PORT, 0))), []),
    "connect": (many(record(
        {"endpoint": text, "address": address, "port": _PORT, "tcp": text}, {},
        {"local": _FLAG, "http_status": _MAYBE_INTEGER, "error": _MAYBE_TEXT, "millis": (number, 0.0)})), []),
    "apiservers": (mapping(maybe(flag)), {}),
    "certificates": (_CERTIFICATES, {}),
    "kubelet": (record({"running": flag, "name": text, "options": mapping(text)}, {}, {}, empty=True), {}),
    "node": (_NODE, {}),
    "lease": (record(
        {"run": text, "since": number, "left": number, "phase": text, "why": text}, {}, {}, empty=True), {}),
    "at": _MAYBE_NUMBER,
    "looked": _NAME,
    "errors": (mapping(text), {}),
    "unseen": (_TEXTS, []),
})

_PACKET = {"endpoint": _NAME, "interface": _NAME, "outcome": _NAME, "where": _NAME}

# What the network said

_ERROR = {"error": _MAYBE_TEXT}
_ROUTER = record({
    "family": _FAMILY, "source": address, "mac": text, "destination": text, "version": integer(0, 15),
    "virtual_router_id": integer(0, 255), "priority": integer(0, 255), "interval": number, "auth": text,
    "addresses": many(address)}, {}, {"priorities": (many(integer(0, 255)), [])})
_REJECTED = record(
    {"family": _FAMILY, "mac": text, "reason": text},
    {}, {"source": (maybe(address), None), "virtual_router_id": _MAYBE_INTEGER})
_VRIDS = many(integer(1, 255), 255)
_SCAN = _filled(interfaces=(mapping(_filled(
    routers=(many(_ROUTER), []), rejected=(many(_REJECTED), []),
    free=(_filled(ipv4=(_VRIDS, []), ipv6=(_VRIDS, [])), {"ipv4": [], "ipv6": []}), **_ERROR)), {}), **_ERROR)
_PROBE = _filled(
    addresses=(many(record({"address": address}, {}, {
        "held": _FLAG, "interface": _NAME,
        "answers": (many(record({"mac": text, "how": _TEXTS}, {}, {"host": _MAYBE_TEXT})), []), **_ERROR})), []),
    known=(mapping(_TEXTS), {}),
    known_addresses=(many(record({"host": text, "address": address, "macs": _TEXTS}, {}, {})), []),
    macs=(_TEXTS, []), probing=(mapping(number), {}), **_ERROR)
_COUNTS = ("sent", "wire", "received", "wire_late", "received_late", "wire_stack", "received_stack", "missed", "lost")
_TIMES = ("sent_from", "sent_until", "listened")
_PAIR = record({"transport": text, "address": address, "peer": text}, {}, {
    **{name: (integer(0), 0) for name in _COUNTS}, **dict.fromkeys(_TIMES, (number, 0.0)),
    "refused": _MAYBE_TEXT, "peer_began": _MAYBE_NUMBER, **_ERROR})
_WIRE = record({}, {
    "scan": _SCAN, "probe": _PROBE, "reach": _filled(pairs=(many(_PAIR), []), **_ERROR), "seconds": maybe(number),
    "window": maybe(record({"began": number, "ended": number}, {}, {})), "asked": maybe(flag), "why": maybe(text),
}, {})

_PREFLIGHT = _filled(
    at=_MAYBE_NUMBER, elapsed=_MAYBE_NUMBER, manage=_FLAG,
    former=(many(record({"host": text, "endpoint": text, "address": address, "port": _PORT}, {}, {})), []),
    interfaces=(many(record({"name": text}, {}, {
        "index": (integer(), 0), "up": (flag, True), "carrier": _MAYBE_FLAG, "mtu": _MAYBE_INTEGER}),
        unique="name"), []),
    addresses=(many(record({"interface": text, "address": address, "prefix": integer(0, 128)}, {}, {})), []),
    listeners=(many(record({"address": text, "port": _PORT}, {}, {
        "pid": _MAYBE_INTEGER, "program": _MAYBE_TEXT, "unit": _MAYBE_TEXT, "owner": _MAYBE_TEXT,
        "kubernetes": _FLAG})), []),
    network_managers=(mapping(_filled(
        networkd=(maybe(_filled(file=_NAME, keep_configuration=_MAYBE_TEXT, keeps=_FLAG)), None),
        networkmanager=(anything, None))), {}),
    firewall=(_filled(
        manager=_MAYBE_TEXT, readable=_FLAG,
        vrrp=(many(record({"address": address}, {}, {"direction": _NAME, **_PACKET})), []),
        clients=(many(record({"address": address, "port": _PORT}, {}, _PACKET)), [])),
        {"manager": None, "readable": False, "vrrp": [], "clients": []}),
    default_routes=(_filled(ipv4=(_TEXTS, []), ipv6=(_TEXTS, [])), {"ipv4": [], "ipv6": []}),
    sysctls=(mapping(_filled(value=(maybe(setting), None), writable=_FLAG)), {}),
    sysctl_files=(mapping(_TEXTS), {}),
    programs=(many(record({"name": text}, {}, {
        "pid": (integer(), 0), "unit": _MAYBE_TEXT, "owner": _MAYBE_TEXT, "options": (mapping(text), {})})), []),
    loads=(mapping(_TEXTS), {}),
    kubelet=(mapping(text), {}),
    node=(_NODE, {}),
    static_pods=(maybe(record({
        "kubelet": _filled(installed=_FLAG, running=_FLAG, static_pod_path=_MAYBE_TEXT)}, {}, {
        "foreign_manifests": (mapping(_TEXTS), {}),
        "missing_images": (many(one_of("haproxy", "keepalived")), [])})), None),
    host_names=(_TEXTS, []),
    unwritable=(_TEXTS, []),
    certificates=(_CERTIFICATES, {}),
    errors=(mapping(text), {}),
    wire=(_WIRE, {}),
)
