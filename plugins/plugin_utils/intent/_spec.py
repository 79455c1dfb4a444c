# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What was asked for and what is known, read value by value: the intent and the hosts.

Nothing here compares one endpoint or host with another; that's the planning proper. A value that was refused has its
default afterwards and is remembered in ``refused``, so that nothing is said twice.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field

from ...module_utils.model._secrets import HIDDEN
from ..plan._timing import DEFAULT as DEFAULT_TIMING
from ..plan._timing import TimingRequest, read_timing
from ..plan._versions import HAPROXY, KEEPALIVED, Version, parse_version, read_version
from . import _values as values
from ._addresses import (
    BITS,
    FAMILIES,
    IPV4,
    LOOPBACK,
    Address,
    Located,
    Malformed,
    Subnet,
    parse_address,
    subnet_of,
    unusable_kind,
)
from ._errors import Problems, Where, show

if t.TYPE_CHECKING:
    from ...module_utils.model._model import HAProxyLog, HAProxySettings

DEFAULT_NAME = "kube-apiserver"
# The official image: of a release with long support, the one that Debian 13 has.
HAPROXY_IMAGE = "haproxy:3.0.11"
HAPROXY_USER = 99
# In the place of an address: each balancer's own, which VRRP is sent from.
OWN_ADDRESS = "host"
# What is logged, and where, unless somebody says otherwise.
ALL, STDOUT = "all", "stdout"
_SHARE = re.compile(r"1/(?!1$)[1-9]\d{0,5}")
_SERVER = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):(\d{1,5})")
_SUGGESTIONS = 20  # beyond so many unknown hosts, looking for what was meant costs more than it helps


class HostValue(t.NamedTuple):
    """A value of a host and where it was written."""

    value: t.Any
    where: str


class Network(t.NamedTuple):
    """One address of one interface, as a host reported it."""

    interface: str
    address: Address
    subnet: Subnet

    @property
    def prefix(self) -> int | None:
        """The subnet's prefix; None where the address stands alone, which tells nothing of a subnet."""
        return self.subnet.prefix if self.subnet.prefix < BITS[self.subnet.family] else None


@dataclass
class HostSettings:
    """What is written about one host, or about all: in its variables, or in an entry of endpoint_list."""

    interface: HostValue | None = None
    priority: HostValue | None = None
    addresses: dict[str, HostValue] = field(default_factory=dict)   # by family: Located
    refused: set[str] = field(default_factory=set)


NO_SETTINGS = HostSettings()


class Host(t.NamedTuple):
    """What is said and known of one host."""

    settings: HostSettings
    inventory_address: Address | None
    networks: list[Network]
    versions: dict[str, Version]                                    # by daemon: installed
    pod_versions: dict[str, Version]                                # by daemon: running as a static pod


class Image(t.NamedTuple):
    """What a static pod runs."""

    reference: str | None
    pull_policy: str
    user: int


class Metrics(t.NamedTuple):
    """What Prometheus may read."""

    exporter: bool
    address: str                                                    # of loopback, or OWN_ADDRESS
    port: int
    allow: list[Subnet]
    textfile_dir: str | None


class Notify(t.NamedTuple):
    """What is run when a state changes."""

    script: str
    user: str | None


@dataclass
class Globals:
    """What is said once for all endpoints."""

    health_port: int
    maxconn: int | None
    maxconn_per_source: int | None
    haproxy: HAProxySettings
    nodes: int | None
    versions: dict[str, Version]                                    # by daemon
    images: dict[str, Image]                                        # by daemon
    image_auth: list[str]                                           # registries that want a password
    metrics: Metrics
    recorder: bool
    watchdog: bool
    notify: Notify | None
    refused: frozenset[str]
    settings: HostSettings                                          # of all hosts


@dataclass
class Spec:
    """One endpoint as asked for. ``where`` is what its variables begin with: endpoint_ or endpoint_list[1]."""

    where: str
    written: frozenset[str]                                         # in its entry or, without a list, in variables
    inherited: frozenset[str]                                       # in variables beside the list
    refused: frozenset[str]
    settings: HostSettings                                          # of all its hosts
    hosts: dict[str, HostSettings]
    name: str
    vip: list[Located]
    port: int | None
    apiserver_port: int
    mode: str
    lb_hosts: list[str]
    apiserver_hosts: list[str]
    virtual_router_id: dict[str, int]                               # by family
    failback: bool
    failback_delay: int
    vrrp_transport: str
    auth: str
    auth_password: list[str] | None = field(repr=False)             # keys of hmac; else one
    auth_mode: str
    timing: TimingRequest
    health_path: str
    health_check: str
    dns_name: str | None
    pod_subnets: list[Subnet]
    service_subnets: list[Subnet]
    vip_routed: bool
    release_former: bool
    manage_firewall: bool
    manage_network: bool
    vrrp_filter: bool
    adopt: bool
    accept_findings: list[str]
    manifest_dir: str
    former_vips: list[Address] = field(default_factory=list)        # deployed, and at the end of `vip`
    former_ports: list[int] = field(default_factory=list)           # deployed

    def variable(self, key: str) -> str:
        """The variable that sets a key of this endpoint."""
        return self.where + key

    def origin(self, key: str) -> str:
        """The variable that a key's value comes from: its own, or the one that all entries inherit."""
        inherits = key not in self.written and key in self.inherited
        return "endpoint_" + key if inherits else self.variable(key)

    @property
    def families(self) -> list[str]:
        """The families of its VIPs, IPv4 first."""
        found = {located.address.family for located in self.vip}
        return [family for family in FAMILIES if family in found]

    def vips(self, family: str) -> list[Located]:
        """Its VIPs of one family, in the order written."""
        return [located for located in self.vip if located.address.family == family]


class _Field(t.NamedTuple):
    read: values.Reader[t.Any]
    default: t.Any
    inherited: bool = True                                          # by an entry of endpoint_list
    as_it_is: bool = False                                          # the plan has it without haproxy_ before it


class _Fields(t.NamedTuple):
    """Fields of an endpoint, read."""

    values: dict[str, t.Any]
    written: frozenset[str]
    refused: frozenset[str]


def _host_name(at: Where, value: t.Any) -> str | None:
    return values.text(at, value, "the name of a host or group")


def _vrids(at: Where, value: t.Any) -> dict[str, int] | None:
    """One virtual router ID for both families, or a mapping with one for each."""
    read = values.integer(1, 255)
    if not isinstance(value, Mapping):
        number = read(at, value)
        return None if number is None else dict.fromkeys(FAMILIES, number)
    given = values.mapping(at, value, FAMILIES, "a number or a mapping of ipv4 and ipv6") or {}
    found = {family: number for family, item in given.items() for number in [read(at[family], item)] if number}
    return found if len(found) == len(value) else None


def _image_auth(at: Where, value: t.Any) -> dict[str, str] | None:
    """Registries, and user and password as the kubelet wants them; nothing of a password shows in a problem."""
    if not isinstance(value, Mapping):
        at.problem("value_type", HIDDEN, expected="a mapping of registries", found=values.describe(value, secret=True),
                   more=" such as {registry.example.org: {username: pull, password: ...}}")
        return None
    found = {}
    for name, item in value.items():
        registry = values.registry(at, name)
        login = values.login(at[registry], item) if registry is not None else None
        if registry is not None and login is not None:
            found[registry] = login
    return found if len(found) == len(value) else None


def _metrics_address(at: Where, value: t.Any) -> str | None:
    """One that no VIP leads to, whatever the host: of loopback, or the host's own."""
    given = values.text(at, value, "a loopback address, or " + OWN_ADDRESS)
    address = literal(given)
    if given in (None, OWN_ADDRESS):
        return given
    if address is None or unusable_kind(address) != LOOPBACK:
        at.problem("metrics_address_invalid", value)
        return None
    return str(address)


def _log_connections(at: Where, value: t.Any) -> str | None:
    """Which connections are logged."""
    given = values.text(at, value, "none, errors, all or a share such as 1/100")
    if given is not None and given not in ("none", "errors", ALL) and not _SHARE.fullmatch(given):
        at.problem("log_connections_invalid", value)
        return None
    return given


def _log_target(at: Where, value: t.Any) -> str | None:
    """Where connections are logged: HAProxy's own output, or a syslog server."""
    given = values.text(at, value, "stdout, or the address and port of a syslog server")
    match = _SERVER.fullmatch(given or "")
    server = literal(match[1] or match[2]) if match else None
    if given in (None, STDOUT):
        return given
    good = match is not None and server is not None and unusable_kind(server) in (None, LOOPBACK)
    if not good or not 0 < int(given.rpartition(":")[2]) < 65536:
        at.problem("log_target_invalid", value)
        return None
    return given


_PORT = values.integer(1, 65535)
_VERSIONS = {daemon: read_version(daemon) for daemon in (HAPROXY, KEEPALIVED)}
_PULL_POLICY = values.choice("Always", "IfNotPresent", "Never")
_HOSTS = values.listing(_host_name, "a list of hosts", empty=True)
_SUBNETS = values.listing(values.subnet, "a list of networks", empty=True)

# Variables, by the name without endpoint_.
_ENDPOINT_FIELDS: dict[str, _Field] = {
    "name": _Field(values.name, DEFAULT_NAME, inherited=False),
    "vip": _Field(values.listing(values.address, "an address or a list of addresses"), [], inherited=False),
    "port": _Field(_PORT, None),
    "apiserver_port": _Field(_PORT, 6443),
    "mode": _Field(values.choice("service", "static_pod"), "service"),
    "lb_hosts": _Field(_HOSTS, []),
    "apiserver_hosts": _Field(_HOSTS, []),
    "virtual_router_id": _Field(_vrids, {}, inherited=False),
    "failback": _Field(values.boolean, True),
    "failback_delay": _Field(values.integer(0, 3600), 30),
    "vrrp_transport": _Field(values.choice("unicast", "multicast"), "unicast"),
    "auth": _Field(values.choice("none", "pass", "hmac", secret=True), "none"),  # a password gets here by mistake
    "auth_password": _Field(values.passwords, None),
    "auth_mode": _Field(values.choice("receive-only", "permissive", "enforce"), "enforce"),
    "timing": _Field(read_timing, DEFAULT_TIMING),
    "health_path": _Field(values.http_path, "/readyz"),
    "health_check": _Field(values.choice("https", "https_strict", "tcp"), "https"),
    "dns_name": _Field(values.dns_name, None, inherited=False),
    "pod_subnets": _Field(_SUBNETS, []),
    "service_subnets": _Field(_SUBNETS, [Subnet(IPV4, 10 << 24 | 96 << 16, 12)]),
    "vip_routed": _Field(values.boolean, False),
    "release_former": _Field(values.boolean, False),
    "manage_firewall": _Field(values.boolean, False),
    "manage_network": _Field(values.boolean, False),
    "vrrp_filter": _Field(values.boolean, True),
    "adopt": _Field(values.boolean, False),
    "accept_findings": _Field(values.listing(values.finding, "a list of findings' codes", empty=True), []),
    "manifest_dir": _Field(values.file_path, "/etc/kubernetes/manifests"),
}
_GLOBAL_FIELDS: dict[str, _Field] = {
    "haproxy_health_port": _Field(_PORT, 8481),
    "haproxy_maxconn": _Field(values.integer(100, 1000000), None),
    "haproxy_maxconn_per_source": _Field(values.integer(10, 1000000), None),
    "haproxy_balance": _Field(values.choice("leastconn", "roundrobin", "first", "source"), "leastconn", as_it_is=True),
    "haproxy_log_connections": _Field(_log_connections, ALL),
    "haproxy_log_target": _Field(_log_target, STDOUT),
    "nodes": _Field(values.integer(1, 50000), None),
    "haproxy_version": _Field(_VERSIONS[HAPROXY], None),
    "keepalived_version": _Field(_VERSIONS[KEEPALIVED], None),
    "image_prefix": _Field(values.registry, None),
    "image_auth": _Field(_image_auth, {}),
    "haproxy_image": _Field(values.haproxy_image, HAPROXY_IMAGE),
    "haproxy_image_user": _Field(values.integer(0, 65535), HAPROXY_USER),
    "keepalived_image": _Field(values.keepalived_image, None),
    "haproxy_image_pull_policy": _Field(_PULL_POLICY, "IfNotPresent"),
    "keepalived_image_pull_policy": _Field(_PULL_POLICY, "IfNotPresent"),
    "metrics": _Field(values.boolean, False),
    "metrics_address": _Field(_metrics_address, "127.0.0.1"),
    "metrics_port": _Field(values.integer(1024, 65535), 8405),
    "metrics_allow": _Field(_SUBNETS, []),
    "metrics_textfile_dir": _Field(values.textfile_dir, None),
    "recorder": _Field(values.boolean, False),
    "watchdog": _Field(values.boolean, True),
    "notify_script": _Field(values.script, None),
    "notify_user": _Field(values.user, None),
}
_HOST_FIELDS: dict[str, values.Reader[t.Any]] = {
    "interface": values.interface,
    "address": values.host_addresses,
    "priority": values.integer(1, 254),
}

# The variables of an intent, without the prefix endpoint_; haproxy_* and keepalived_* have theirs.
INTENT_KEYS: tuple[str, ...] = (*_ENDPOINT_FIELDS, "list", *_GLOBAL_FIELDS)

_ENTRY_KEYS: tuple[str, ...] = (*_ENDPOINT_FIELDS, *_HOST_FIELDS, "hosts")
_ALL_KEYS: tuple[str, ...] = (*INTENT_KEYS, *_HOST_FIELDS)


def read_intent(findings: Problems, intent: t.Any) -> tuple[list[Spec], Globals]:
    """Read the intent: its endpoints in the order of the list, and what is said once for all of them."""
    if not isinstance(intent, Mapping):
        Where(findings, "intent").problem(
            "value_type", intent, expected="a mapping of variables", found=values.describe(intent), more="")
        return [], _read_globals(findings, {})
    given = _present(_read_variables(findings, intent))
    top = _read_fields(findings, "endpoint_", given, {})
    if "list" in given:
        specs = _read_list(findings, given["list"], top)
    else:
        specs = [_spec("endpoint_", top, frozenset(), NO_SETTINGS, {})]
    return specs, _read_globals(findings, given)


def image_logins(value: t.Any) -> dict[str, str]:
    """What the kubelet tells registries, of an endpoint_image_auth that the plan has accepted."""
    return _image_auth(Where(Problems(), ""), value or {}) or {}


def read_hosts(findings: Problems, hosts: t.Any, specs: list[Spec]) -> dict[str, Host]:
    """Read the hosts that any endpoint names."""
    if not isinstance(hosts, Mapping):
        Where(findings, "hosts").problem("host_data_invalid", hosts)
        return {}
    found: dict[str, Host] = {}
    unknown: set[str] = set()
    for spec in specs:
        for key in ("lb_hosts", "apiserver_hosts"):
            for name in getattr(spec, key):
                if name in hosts and name not in found:
                    found[name] = _read_host(findings, name, hosts[name])
                elif name not in hosts and name not in unknown:
                    unknown.add(name)
                    near = values.closest(name, map(str, hosts)) if len(unknown) <= _SUGGESTIONS else None
                    Where(findings, spec.variable(key)).problem(
                        "host_unknown", name, fix="write {0}".format(near) if near else "add it to the inventory")
    return found


def literal(value: t.Any) -> Address | None:
    """An address in the inventory, None where it holds a name or anything else."""
    if isinstance(value, str):
        try:
            return parse_address(str.__str__(value).strip())
        except Malformed:
            return None
    return None


def _present(given: Mapping[str, t.Any] | None) -> dict[str, t.Any]:
    """A variable that is null counts as not set: this is how Ansible's users leave one out."""
    return {key: value for key, value in (given or {}).items() if value is not None}


def _read_variables(findings: Problems, intent: Mapping[t.Any, t.Any]) -> dict[str, t.Any]:
    known: dict[str, t.Any] = {}
    for key, value in intent.items():
        if isinstance(key, str) and key in _ALL_KEYS:
            known[str.__str__(key)] = value
            continue
        near = values.nearest(key, _ALL_KEYS)
        Where(findings, "endpoint_" + str(show(key, 0))).problem(
            "key_unknown", kind="variable", fix="write {0}".format(_variable(near)) if near else "remove it")
    return known


def _variable(key: str) -> str:
    return key if key.startswith((HAPROXY + "_", KEEPALIVED + "_")) else "endpoint_" + key


def _read_list(findings: Problems, entries: t.Any, top: _Fields) -> list[Spec]:
    at = Where(findings, "endpoint_list")
    if not isinstance(entries, (list, tuple)):
        at.problem("value_type", entries, expected="a list of mappings", found=values.describe(entries), more="")
        return []
    if not entries:
        at.problem("list_empty", entries)
    for key in top.written:
        if not _ENDPOINT_FIELDS[key].inherited:
            Where(findings, "endpoint_" + key).problem("list_and_single", key="endpoint_" + key)
    inherited = {key: value for key, value in top.values.items() if _ENDPOINT_FIELDS[key].inherited}
    return [spec for index, entry in enumerate(entries)
            for spec in [_read_entry(at[index], entry, inherited, top)] if spec is not None]


def _read_entry(at: Where, entry: t.Any, inherited: dict[str, t.Any], top: _Fields) -> Spec | None:
    given = values.mapping(at, entry, _ENTRY_KEYS, "a mapping such as {vip: 198.51.100.100}")
    if given is None:
        return None
    given = _present(given)
    where = at.where + "."
    fields = _read_fields(at.findings, where, given, inherited)
    refused = fields.refused | (top.refused & inherited.keys()) - fields.written
    hosts: dict[str, HostSettings] = {}
    if "hosts" in given:
        hosts = _read_entry_hosts(at["hosts"], given["hosts"], fields)
    settings = _read_settings(at.findings, where, given)
    return _spec(where, fields._replace(refused=refused), top.written, settings, hosts)


def _read_entry_hosts(at: Where, value: t.Any, fields: _Fields) -> dict[str, HostSettings]:
    members = [*fields.values["lb_hosts"], *fields.values["apiserver_hosts"]]
    if not isinstance(value, Mapping):
        at.problem("value_type", value, expected="a mapping of hosts", found=values.describe(value), more="")
        return {}
    found: dict[str, HostSettings] = {}
    known = frozenset(members)
    for name, item in value.items():
        if not isinstance(name, str) or name not in known:
            near = values.closest(name, members) if isinstance(name, str) else None
            at.problem("host_not_member", name, fix="write {0}".format(near) if near else "remove it")
            continue
        given = values.mapping(at[name], item, _HOST_FIELDS, "a mapping of interface, address and priority")
        found[str.__str__(name)] = _read_settings(at.findings, at[name].where + ".", _present(given))
    return found


def _read_fields(findings: Problems, where: str, given: Mapping[str, t.Any], inherited: dict[str, t.Any]) -> _Fields:
    """Read an endpoint's fields out of ``given``; absent ones are inherited or have their default."""
    found = dict(inherited)
    written = frozenset(key for key in _ENDPOINT_FIELDS if key in given)
    refused = set()
    for key, spec in _ENDPOINT_FIELDS.items():
        value = None
        if key in written:
            value = spec.read(Where(findings, where + key), given[key])
            if value is None:
                refused.add(key)
        if value is not None:
            found[key] = value
        elif key not in found:
            found[key] = spec.default
    return _Fields(found, written, frozenset(refused))


def _read_globals(findings: Problems, given: Mapping[str, t.Any]) -> Globals:
    found = {}
    refused = set()
    for key, spec in _GLOBAL_FIELDS.items():
        value = spec.read(Where(findings, _variable(key)), given[key]) if key in given else None
        found[key] = spec.default if value is None else value
        if value is None and key in given:
            refused.add(key)
    return Globals(
        health_port=found["haproxy_health_port"],
        maxconn=found["haproxy_maxconn"],
        maxconn_per_source=found["haproxy_maxconn_per_source"],
        haproxy=t.cast("HAProxySettings", {
            **{key[len(HAPROXY) + 1:]: found[key] for key, spec in _GLOBAL_FIELDS.items() if spec.as_it_is},
            **_log(found["haproxy_log_connections"], found["haproxy_log_target"])}),
        nodes=found["nodes"],
        versions={name: found[name + "_version"] for name in _VERSIONS if found[name + "_version"]},
        images={name: Image(_reference(found[name + "_image"], found["image_prefix"]),
                            found[name + "_image_pull_policy"], found.get(name + "_image_user", 0))
                for name in _VERSIONS},
        image_auth=list(found["image_auth"]),
        metrics=Metrics(found["metrics"], found["metrics_address"], found["metrics_port"], found["metrics_allow"],
                        found["metrics_textfile_dir"]),
        recorder=found["recorder"],
        watchdog=found["watchdog"],
        notify=Notify(found["notify_script"], found["notify_user"]) if found["notify_script"] else None,
        refused=frozenset(refused),
        settings=_read_settings(findings, "endpoint_", given))


def _log(connections: str, target: str) -> dict[str, HAProxyLog]:
    """Nothing for what HAProxy does anyhow."""
    if (connections, target) == (ALL, STDOUT):
        return {}
    return {"log": {"connections": connections, "target": None if target == STDOUT else target}}


def _reference(image: str | None, prefix: str | None) -> str | None:
    """The whole reference: an image that names no registry is in the user's own, or in Docker's."""
    if image is None:
        return None
    first, slash, dummy = image.partition("/")
    if slash and (first == "localhost" or not {".", ":"}.isdisjoint(first)):
        return image
    return "{0}/{1}".format(prefix or ("docker.io" if slash else "docker.io/library"), image)


def _read_settings(findings: Problems, where: str, given: Mapping[str, t.Any]) -> HostSettings:
    """Read interface, address and priority."""
    if not any(key in given for key in _HOST_FIELDS):
        return NO_SETTINGS
    found = HostSettings()
    for key, read in _HOST_FIELDS.items():
        if given.get(key) is None:
            continue
        at = Where(findings, where + key)
        value = read(at, given[key])
        if value is None:
            found.refused.add(key)
        elif key == "address":
            found.addresses = {family: HostValue(item, at.where) for family, item in value.items()}
        else:
            setattr(found, key, HostValue(value, at.where))
    return found


def _spec(where: str, fields: _Fields, inherited: frozenset[str], settings: HostSettings,
          hosts: dict[str, HostSettings]) -> Spec:
    return Spec(where=where, written=fields.written, inherited=inherited, refused=fields.refused, settings=settings,
                hosts=hosts, **fields.values)


def _read_host(findings: Problems, name: str, value: t.Any) -> Host:
    if not isinstance(value, Mapping):
        Where(findings, name).problem("host_data_invalid", value)
        return Host(HostSettings(refused=set(_HOST_FIELDS)), None, [], {}, {})
    where = name + ": "
    versions = {}
    pod_versions = {}
    for daemon, read in _VERSIONS.items():
        given = value.get(daemon + "_version")
        version = read(Where(findings, where + daemon + "_version"), given) if given is not None else None
        if version:
            versions[daemon] = version
        running = value.get(daemon + "_pod_version")
        version = parse_version(str.__str__(running)) if isinstance(running, str) else None
        if version:
            pod_versions[daemon] = version
    return Host(
        settings=_read_settings(findings, where + "endpoint_", value),
        inventory_address=_usable(literal(value.get("inventory_address"))),
        networks=_read_networks(findings, name, value.get("networks")),
        versions=versions,
        pod_versions=pod_versions)


def _usable(address: Address | None) -> Address | None:
    """Hosts behind a forwarded port have ansible_host: 127.0.0.1, which is nobody's address on a network."""
    return None if address is None or unusable_kind(address) else address


def _read_networks(findings: Problems, name: str, value: t.Any) -> list[Network]:
    """The networks that a host reported, without those that no VIP can be in."""
    if value is None:
        return []
    if not isinstance(value, (list, tuple)):
        findings.warn("facts_unreadable", host=name, reason="not a list")
        return []
    found = []
    for item in value:
        try:
            network = _read_network(item)
        except ValueError:
            findings.warn("facts_unreadable", host=name, reason=str(show(item)))
        else:
            if network is not None:
                found.append(network)
    return found


def _read_network(item: t.Any) -> Network | None:
    """One reported network, None where no VIP can be in it; raises ValueError where it isn't one."""
    if not isinstance(item, Mapping):
        raise ValueError
    interface, prefix = item.get("interface"), item.get("prefix")
    address = literal(item.get("address"))
    if address is None or not isinstance(interface, str) or not values.safe_interface(interface):
        raise ValueError
    if isinstance(prefix, bool) or not isinstance(prefix, int) or not 0 <= prefix <= BITS[address.family]:
        raise ValueError
    if unusable_kind(address):
        return None
    return Network(str.__str__(interface), address, subnet_of(address, int(prefix)))
