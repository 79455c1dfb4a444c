# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""What one host's files mean: VRRP instances, and listeners in front of API servers. Pure.

keepalived.conf(5), HAProxy's configuration manual and kube-vip's documentation say what a directive means and what
counts where it isn't written.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..intent._addresses import IPV4, IPV6, Address, Located, parse_located
from ..intent._addresses import Malformed as NoAddress
from . import _haproxy_cfg, _keepalived_conf, _pods
from ._haproxy_cfg import Section
from ._keepalived_conf import Statement
from ._text import File, Malformed, Place

# keepalived's own values.
_PRIORITY, _ADVERT, _FALL, _RISE = 100, 1.0, 1, 1
# HAProxy's.
_INTER, _SERVER_FALL = 2.0, 3
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_TIME = re.compile(r"(\d+)(us|ms|s|m|h|d)?")
# What stands in each haproxy.cfg and keepalived.conf of this collection's.
_OWN_MARK = re.compile(r"\s*(?:frontend kubeha:|(?:vrrp_)?track_file kubeha_)")
_TRUE = frozenset({"true", "yes", "1", "on"})
# Directives that are understood, or that mean nothing to clients. All others are reported.
_INSTANCE = frozenset({
    "state", "interface", "virtual_router_id", "priority", "advert_int", "nopreempt", "preempt", "preempt_delay",
    "authentication", "virtual_ipaddress", "virtual_ipaddress_excluded", "track_script", "unicast_peer",
    "unicast_src_ip", "version", "use_vmac", "native_ipv6", "mcast_src_ip", "dont_track_primary", "debug"})
_PROXY = frozenset({
    "bind", "mode", "default_backend", "option", "balance", "server", "default-server", "timeout", "maxconn",
    "http-check", "tcp-check", "log", "log-format", "log-tag", "retries", "description"})
_SERVER_WORDS = frozenset({"backup", "weight", "send-proxy", "send-proxy-v2", "source", "maxconn", "disabled"})
_NGINX_SERVER = re.compile(r"^\s*server\s+([^\s;{]+):(\d+)")
_NGINX_LISTEN = re.compile(r"^\s*listen\s+(?:[^\s;]*:)?(\d+)")


class Check(t.NamedTuple):
    """A script that keepalived runs."""

    name: str
    place: Place
    interval: float
    timeout: float
    fall: int
    rise: int
    weight: int


class Vip(t.NamedTuple):
    """A virtual address as an instance has it."""

    located: Located
    place: Place

    @property
    def address(self) -> Address:
        return self.located.address


@dataclass(frozen=True)
class Instance:
    """A virtual router on this host. kube-vip's lease is one too: without virtual router ID."""

    name: str
    place: Place
    speaker: str                                    # keepalived or kube-vip
    vips: tuple[Vip, ...]
    state: str = "BACKUP"
    interface: str = ""
    router_id: int | None = None
    priority: int = _PRIORITY
    advert: float = _ADVERT
    version: int = 2
    nopreempt: bool = False
    preempt_delay: float = 0.0
    auth: str = "none"
    peers: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    sync_group: str = ""
    lease: float = 15.0                             # kube-vip's, in seconds
    vmac: bool = False
    places: Mapping[str, Place] = field(default_factory=dict)

    @property
    def family(self) -> str:
        return self.vips[0].address.family if self.vips else IPV4

    @property
    def addresses(self) -> frozenset[Address]:
        return frozenset(vip.address for vip in self.vips)

    def at(self, key: str) -> Place:
        """Where a value is written, or else the instance."""
        return self.places.get(key, self.place)


class Server(t.NamedTuple):
    """An API server as a listener reaches it."""

    name: str
    address: str                                    # or a name
    port: int
    inter: float
    fall: int
    place: Place


@dataclass(frozen=True)
class Listener:
    """What spreads connections to API servers."""

    name: str
    place: Place
    program: str                                    # haproxy, lvs, nginx or kube-vip
    bind: Place                                     # where its port is written
    ports: tuple[int, ...]
    servers: tuple[Server, ...]
    addresses: tuple[str, ...] = ()                 # that it binds, where not all
    http: bool = False
    balance: tuple[str, Place] | None = None
    maxconn: tuple[int, Place] | None = None
    check: str = "tcp"                              # tcp, http, tls or none
    path: str = ""
    check_place: Place | None = None
    redispatch: bool = False
    timeouts: Mapping[str, tuple[float, Place]] = field(default_factory=dict)


class Remark(t.NamedTuple):
    """Something that an operator should know of a line."""

    place: Place
    written: str
    meaning: str


@dataclass
class Setup:
    """All that one host has."""

    host: str
    instances: list[Instance] = field(default_factory=list)
    listeners: list[Listener] = field(default_factory=list)
    served: list[Remark] = field(default_factory=list)      # besides an API
    remarks: list[Remark] = field(default_factory=list)
    own: list[Place] = field(default_factory=list)          # files of this collection's
    images: dict[str, tuple[str, Place]] = field(default_factory=dict)  # of pods: keepalived, haproxy, kube-vip
    units: dict[str, bool] = field(default_factory=dict)    # by name: active
    addresses: dict[str, list[Located]] = field(default_factory=dict)   # by interface
    server: tuple[str, int] | None = None                   # that its kubelet uses: host and port
    unread: list[tuple[str, str]] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)  # of keepalived and HAProxy

    @property
    def pods(self) -> set[str]:
        """What runs as static pods."""
        return set(self.images)


def setup_of(host: str, existing: Mapping[str, t.Any]) -> Setup:
    """What `endpoint_import_info` found on a host, understood. Raises Malformed of `_text`."""
    found = Setup(host)
    try:
        files = _read_answer(found, existing)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Malformed(Place(host, "endpoint_import_info", 0), "it isn't what that module returns") from error
    found.own = [Place(host, file.path, number) for file in files for number in _own_line(file)]
    containers = _pods.read(host, files)
    found.images = {role: (item.image, item.place) for role in ("keepalived", "haproxy", "kube-vip")
                    for item in containers if item.of(role)}
    _read_keepalived(found, [file for file in files if file.role == "keepalived"] or _mounted(
        files, containers, "keepalived"), containers)
    _read_haproxy(found, [file for file in files if file.role == "haproxy"] or _mounted(files, containers, "haproxy"))
    for file in files:
        if file.role == "nginx":
            _read_nginx(found, file)
    for container in containers:
        if container.of("kube-vip"):
            _read_kube_vip(found, container)
    return found


def _read_answer(found: Setup, existing: Mapping[str, t.Any]) -> list[File]:
    """The files; the rest becomes part of the setup."""
    found.units = {str(item["name"]): bool(item["active"]) for item in existing["units"]}
    found.unread = [(str(item["path"]), str(item["why"])) for item in existing["unread"]]
    found.server = _server(str(existing["server"]))
    found.versions = {str(name): str(version) for name, version in existing["versions"].items()}
    for item in existing["addresses"]:
        located = located_of("%s/%d" % (item["address"], int(item["prefix"])))
        if located:
            found.addresses.setdefault(str(item["interface"]), []).append(located)
    return [File(str(item["path"]), str(item["role"]), str(item["text"])) for item in existing["files"]]


def located_of(text: str) -> Located | None:
    """An address with or without its prefix."""
    try:
        return parse_located(text)
    except NoAddress:
        return None


def seconds(text: str, unit: str = "ms") -> float | None:
    """A time as HAProxy writes it."""
    match = _TIME.fullmatch(text)
    return int(match[1]) * _UNITS[match[2] or unit] if match else None


def _own_line(file: File) -> Iterable[int]:
    for number, line in enumerate(file.text.splitlines(), 1):
        if _OWN_MARK.match(line):
            yield number


def _server(url: str) -> tuple[str, int] | None:
    match = re.fullmatch(r"https://(\[[^\]]+\]|[^:/]+)(?::(\d+))?/?", url)
    return (match[1].strip("[]"), int(match[2] or 443)) if match else None


def _mounted(files: Sequence[File], containers: Sequence[_pods.Container], role: str) -> list[File]:
    """Configuration that a pod of that role mounts, in its folder or by itself."""
    wanted = [path.rstrip("/") for item in containers if item.of(role) for path in item.mounts]
    suffix = {"keepalived": ".conf", "haproxy": ".cfg"}[role]
    return [file for file in files if file.role == "mounted" and file.path.endswith(suffix)
            and any(file.path == path or file.path.startswith(path + "/") for path in wanted)]


# keepalived


def _read_keepalived(found: Setup, files: Sequence[File], containers: Sequence[_pods.Container]) -> None:
    statements = _keepalived_conf.read(found.host, files)
    checks = {item.argument: _check(item) for item in statements if item.name == "vrrp_script"}
    groups = {member.name: group.argument for group in statements if group.name == "vrrp_sync_group"
              for part in group.each("group") for member in part.block}
    version = next((_integer(word.argument, 2) for item in statements if item.name == "global_defs"
                    for word in item.each("vrrp_version")), 2)
    for item in statements:
        if item.name == "vrrp_instance":
            found.instances.append(_instance(item, checks, groups, version))
            found.remarks += [_not_carried(entry.words, entry.place) for entry in item.block
                              if entry.name not in _INSTANCE and not entry.name.startswith("garp_")]
        elif item.name == "virtual_server":
            found.listeners.append(_lvs(item))
            found.remarks += [_not_carried(entry.words, entry.place) for entry in item.block
                              if entry.name not in ("real_server", "protocol", "delay_loop")]
        elif item.name in ("virtual_server_group", "bfd_instance", "vrrp_track_process", "vrrp_track_file",
                           "vrrp_track_bfd", "static_ipaddress", "static_routes", "static_rules"):
            found.remarks.append(_not_carried(item.words, item.place))
    for container in containers:
        if container.of("keepalived") and not files:
            _read_osixia(found, container)


def _instance(item: Statement, checks: Mapping[str, Check], groups: Mapping[str, str], version: int) -> Instance:
    def value(*names: str) -> str:
        statement = item.last(*names)
        return statement.argument if statement else ""

    vips = []
    for part in item.each("virtual_ipaddress", "virtual_ipaddress_excluded"):
        for entry in part.block:
            located = located_of(entry.name)
            if located:
                vips.append(Vip(located, entry.place))
    if any(vip.address.family == IPV6 for vip in vips):
        version = 3
    auth = item.last("authentication")
    kind = auth.last("auth_type") if auth else None
    tracked = [entry for part in item.each("track_script") for entry in part.block]
    return Instance(
        name=item.argument, place=item.place, speaker="keepalived", vips=tuple(vips),
        state=value("state").upper() or "BACKUP", interface=value("interface"),
        router_id=_integer(value("virtual_router_id"), None),
        priority=_integer(value("priority"), _PRIORITY), advert=_decimal(value("advert_int"), _ADVERT),
        version=_integer(value("version"), version), nopreempt=item.last("nopreempt") is not None,
        preempt_delay=_decimal(value("preempt_delay"), 0.0), auth=kind.argument if kind else "none",
        peers=tuple(entry.name for part in item.each("unicast_peer") for entry in part.block),
        checks=tuple(_weighted(checks[entry.name], entry) for entry in tracked if entry.name in checks),
        sync_group=groups.get(item.argument, ""),
        vmac=item.last("use_vmac") is not None,
        places={**{entry.name: entry.place for entry in item.block}, **({"auth_type": kind.place} if kind else {})})


def _check(item: Statement) -> Check:
    def number(name: str, default: float) -> float:
        statement = item.last(name)
        return _decimal(statement.argument, default) if statement else default

    interval = number("interval", 1)
    weight = item.last("weight")
    return Check(
        item.argument, weight.place if weight else item.place, interval, number("timeout", interval),
        int(number("fall", _FALL)), int(number("rise", _RISE)), int(number("weight", 0)))


def _weighted(check: Check, tracked: Statement) -> Check:
    """An instance may give a script another weight."""
    if "weight" in tracked.words[:-1]:
        return check._replace(weight=_integer(tracked.words[tracked.words.index("weight") + 1], check.weight))
    return check


def _lvs(item: Statement) -> Listener:
    servers = []
    for real in item.each("real_server"):
        address, port = (*real.words[1:3], "", "")[:2]
        servers.append(Server(address, address, _integer(port, 0), 60.0, 1, real.place))
    return Listener(
        "virtual_server", item.place, "lvs", item.place, (_integer((*item.words, "", "")[2], 0),), tuple(servers),
        addresses=(item.argument,), check="none" if not any(real.block for real in item.each("real_server")) else "tcp")


def _read_osixia(found: Setup, container: _pods.Container) -> None:
    """The image that kubeadm's guide names writes its configuration from its environment where none is mounted."""
    def value(name: str) -> str:
        setting = container.environment.get("KEEPALIVED_" + name)
        return setting.value if setting else ""

    texts = re.findall(r"[0-9A-Fa-f:.]{3,}(?:/\d+)?", value("VIRTUAL_IPS").partition(":[")[2] or value("VIRTUAL_IPS"))
    vips = [Vip(located, container.environment["KEEPALIVED_VIRTUAL_IPS"].place)
            for text in texts for located in [located_of(text)] if located]
    if vips:
        found.instances.append(Instance(
            name="VI_1", place=container.place, speaker="keepalived", vips=tuple(vips),
            interface=value("INTERFACE") or "eth0", router_id=_integer(value("ROUTER_ID"), 51),
            priority=_integer(value("PRIORITY"), 150), auth="PASS", state=value("STATE") or "BACKUP", nopreempt=True,
            peers=tuple(re.findall(r"[0-9A-Fa-f:.]{7,}", value("UNICAST_PEERS").partition(":[")[2]))))


# HAProxy


def _read_haproxy(found: Setup, files: Sequence[File]) -> None:
    sections = _haproxy_cfg.read(found.host, files)
    backends = {section.name: section for section in sections if section.kind == "backend"}
    limit = next((line for section in sections if section.kind == "global" for line in section.own("maxconn")), None)
    for section in sections:
        if section.kind not in ("listen", "frontend"):
            continue
        target = section if section.kind == "listen" else backends.get(_default_backend(section))
        listener = _listener(section, target, limit)
        if listener.servers:
            found.listeners.append(listener)
            found.remarks += [_not_carried(line.words, line.place) for part in (section, target) if part
                              for line in dict.fromkeys(part.lines) if _is_strange(line)]
        elif section.last("stats") or any(line.starts("stats") for line in section.lines):
            found.remarks.append(Remark(
                section.place, "%s %s: statistics" % (section.kind, section.name),
                "it isn't carried over: `status` asks HAProxy through a socket that only root can use"))
        elif section.kind == "listen" or _default_backend(section) or section.own("use_backend"):
            found.served.append(Remark(section.place, "%s %s" % (section.kind, section.name),
                                       "it spreads something that isn't an API server"))
        else:
            found.remarks.append(Remark(section.place, "%s %s" % (section.kind, section.name),
                                        "it answers by itself, and isn't carried over"))


def _is_strange(line: _haproxy_cfg.Line) -> bool:
    return line.words[0] not in _PROXY or (line.words[0] == "server" and not _SERVER_WORDS.isdisjoint(line.words[3:]))


def _not_carried(words: Sequence[str], place: Place) -> Remark:
    return Remark(place, " ".join(words), "this collection has nothing that means the same")


def _default_backend(section: Section) -> str:
    line = section.last("default_backend") or section.last("use_backend")
    return line.words[1] if line and len(line.words) > 1 else ""


def _listener(front: Section, back: Section | None, limit: _haproxy_cfg.Line | None) -> Listener:
    ports: list[int] = []
    addresses: list[str] = []
    bind = next((line.place for line in front.own("bind")), front.place)
    for line in front.own("bind"):
        for part in (line.words[1] if len(line.words) > 1 else "").split(","):
            address, _colon, port = part.rpartition(":")
            ports.append(_integer(port, 0))
            if address.strip("[]") not in ("", "*", "::", "0.0.0.0", "v4", "v6"):
                addresses.append(address.strip("[]"))
    back = back or front
    mode = front.last("mode")
    check, path, place = _health(back)
    balance = back.last("balance")
    own_limit = front.last("maxconn") or limit
    timeouts = {}
    for name in ("connect", "client", "server", "tunnel", "check", "queue"):
        written = back.last("timeout", name) or front.last("timeout", name)
        value = seconds(written.words[2]) if written and len(written.words) > 2 else None
        if written and value is not None:
            timeouts[name] = (value, written.place)
    return Listener(
        front.name, front.place, "haproxy", bind, tuple(dict.fromkeys(port for port in ports if port)),
        tuple(_servers(back)), tuple(dict.fromkeys(addresses)),
        http=mode is not None and mode.words[1:2] == ("http",),
        balance=(balance.words[1], balance.place) if balance and len(balance.words) > 1 else None,
        maxconn=(_integer(own_limit.words[1], 0), own_limit.place) if own_limit and len(own_limit.words) > 1 else None,
        check=check, path=path, check_place=place,
        redispatch=back.last("option", "redispatch") is not None, timeouts=timeouts)


def _health(back: Section) -> tuple[str, str, Place | None]:
    """How HAProxy checks, what it asks for, and where that is written. Of several kinds the last one counts."""
    kinds = {"httpchk": "http", "ssl-hello-chk": "tls", "tcp-check": "tcp"}
    written = [line for line in [*back.inherited, *back.lines] if line.words[0] == "option" and line.words[1:2]
               and line.words[1] in kinds]
    if written and kinds[written[-1].words[1]] == "http":
        send = next((line for line in back.own("http-check", "send") if "uri" in line.words[:-1]), None)
        if send:
            path = send.words[send.words.index("uri") + 1]
            return "http", path if path.startswith("/") else "", send.place
        path = next((word for word in written[-1].words[2:] if word.startswith("/")), "/")
        return "http", path, written[-1].place
    if written:
        return kinds[written[-1].words[1]], "", written[-1].place
    checked = any("check" in line.words for line in [*back.own("server"), *back.own("default-server")])
    return ("tcp" if checked else "none"), "", None


def _servers(back: Section) -> Iterable[Server]:
    usual: dict[str, str] = {}
    for line in [*[line for line in back.inherited if line.starts("default-server")], *back.own("default-server")]:
        usual.update(zip(line.words[1:], line.words[2:]))
    for line in back.own("server"):
        if len(line.words) < 3:
            continue
        options = {**usual, **dict(zip(line.words[3:], line.words[4:]))}
        address, colon, port = line.words[2].rpartition(":")
        if not colon or not port.isdigit():
            address, port = line.words[2], "0"
        yield Server(line.words[1], address.strip("[]"), int(port),
                     seconds(options.get("inter", "")) or _INTER, _integer(options.get("fall", ""), _SERVER_FALL),
                     line.place)


# Others


def _read_nginx(found: Setup, file: File) -> None:
    """nginx's stream module, as kubeasz configures it under the names kube-lb and l4lb."""
    ports: list[int] = []
    servers: list[Server] = []
    bind = Place(found.host, file.path, 1)
    for number, line in enumerate(file.text.splitlines(), 1):
        listen, server = _NGINX_LISTEN.match(line), _NGINX_SERVER.match(line)
        if listen:
            ports.append(int(listen[1]))
            bind = Place(found.host, file.path, number)
        elif server:
            servers.append(Server(server[1], server[1].strip("[]"), int(server[2]), 10.0, 1,
                                  Place(found.host, file.path, number)))
    if servers:
        found.listeners.append(Listener(
            "stream", servers[0].place, "nginx", bind, tuple(ports), tuple(servers), check="none"))


def _read_kube_vip(found: Setup, container: _pods.Container) -> None:
    """kube-vip's documentation, "Flags and environment variables"; older names of variables, too."""
    def value(*names: str) -> str:
        return next((container.environment[name].value for name in names if name in container.environment), "")

    def true(name: str) -> bool:
        return value(name).lower() in _TRUE

    environment = container.environment
    setting = environment.get("address") or environment.get("vip_address")
    located = located_of(setting.value) if setting else None
    if true("svc_enable"):
        found.served.append(Remark(container.environment["svc_enable"].place, "svc_enable",
                                   "kube-vip announces Services of type LoadBalancer, too"))
    if setting is None or located is None or not (true("cp_enable") or "cp_enable" not in container.environment):
        return
    if true("bgp_enable"):
        found.served.append(Remark(container.environment["bgp_enable"].place, "bgp_enable",
                                   "the address is announced by BGP, which VRRP can't replace"))
    found.instances.append(Instance(
        name=value("vip_leasename") or "plndr-cp-lock", place=container.place, speaker="kube-vip",
        vips=(Vip(located, setting.place),), interface=value("vip_interface", "interface"),
        lease=_decimal(value("vip_leaseduration"), 15.0),
        places={name: item.place for name, item in container.environment.items()}))
    port = _integer(value("port"), 6443)
    where = container.environment["port"].place if "port" in container.environment else container.place
    found.listeners.append(Listener("kube-vip", container.place, "kube-vip", where, (port,), (), check="none",
                                    balance=("IPVS", container.environment["lb_enable"].place) if true("lb_enable")
                                    else None))


def _integer(text: str, default: t.Any) -> t.Any:
    return int(text) if re.fullmatch(r"[+-]?\d{1,9}", text) else default


def _decimal(text: str, default: float) -> float:
    return float(text) if re.fullmatch(r"[+-]?\d{1,6}(?:\.\d{1,6})?", text) else default
