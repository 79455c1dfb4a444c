# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""What all hosts' files mean together: this collection's variables, or why there can't be any. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ..intent import _values as values
from ..intent._addresses import FAMILIES, Address
from ..intent._errors import Problem, Problems, Where, listed
from ..plan._versions import FLOOR, complete, tag_version
from ._setup import Instance, Listener, Setup, located_of, setup_of
from ._text import Malformed, Place

APISERVER_PORT, SHARED_PORT = 6443, 8443
_PROBES = frozenset({"/healthz", "/livez", "/readyz", "/"})
_BALANCE = ("leastconn", "roundrobin", "first", "source")
_MAXCONN = range(100, 1000001)


class Balancer(t.NamedTuple):
    """A host that has the endpoint, with its part in it."""

    setup: Setup
    instances: tuple[Instance, ...]                 # IPv4's first
    listener: Listener | None

    @property
    def host(self) -> str:
        return self.setup.host

    @property
    def priority(self) -> tuple[int, bool]:
        return max((item.priority, item.state == "MASTER") for item in self.instances)


@dataclass
class Outcome:
    """The result: variables, where there are no problems that forbid them."""

    balancers: list[Balancer] = field(default_factory=list)         # in order of preference
    setups: list[Setup] = field(default_factory=list)
    servers: dict[str, str] = field(default_factory=dict)           # place of a server's line: host of the inventory
    backends: list[str] = field(default_factory=list)               # hosts that run API servers
    variables: dict[str, t.Any] = field(default_factory=dict)
    host_variables: dict[str, dict[str, t.Any]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def first(self) -> Balancer:
        """The one that holds first."""
        return self.balancers[0]

    @property
    def listeners(self) -> list[Listener]:
        return [item.listener for item in self.balancers if item.listener]

    @property
    def vips(self) -> list[Address]:
        """Each once, in the order of the balancers."""
        return list(dict.fromkeys(vip.address for item in self.balancers for instance in item.instances
                                  for vip in instance.vips))

    def holders(self, vip: Address) -> list[str]:
        """Who has it on an interface."""
        return [setup.host for setup in self.setups if any(
            located.address == vip for many in setup.addresses.values() for located in many)]


def outcome_of(hosts: Mapping[str, Mapping[str, t.Any] | None], apiservers: Sequence[str] = (),
               vips: Sequence[str] = (), accepted: Sequence[str] = ()) -> Outcome:
    """Understand what hosts have: {host: what `endpoint_import_info` returned, or None where it gave no answer}.

    `apiservers` are the inventory's control planes. `vips` are given where files have several. Codes in `accepted` are
    lived with.
    """
    findings = Problems()
    found = Outcome()
    for host, existing in hosts.items():
        if existing is None:
            findings.problem("import_no_answer", host)
            continue
        try:
            setup = setup_of(host, existing)
        except Malformed as error:
            findings.problem("import_unreadable", str(error.place), reason=error.reason)
            continue
        for path, why in setup.unread:
            findings.problem("import_unreadable", "%s %s" % (host, path), reason=why)
        for place in setup.own[:1]:
            findings.problem("import_ours", str(place))
        found.setups.append(setup)
    read = values.listing(values.address, "an address or a list of addresses", empty=True)
    wanted = {located.address for located in read(Where(findings, "endpoint_vip"), vips) or ()}
    _choose(found, findings, wanted)
    for setup in found.setups:
        for remark in setup.served:
            findings.problem("import_serves_more", str(remark.place), remark.written, meaning=remark.meaning)
    if found.balancers:
        _compare(found, findings)
        found.balancers.sort(key=lambda item: item.priority, reverse=True)
        _recognise(found, list(hosts))
        _write(found, list(hosts), apiservers)
    elif not findings.problems:
        without = next(((setup, item) for setup in found.setups for item in setup.listeners), None)
        if without:
            findings.problem("import_no_vip", str(without[1].bind), listed(list(without[1].addresses)) or None)
        else:
            findings.problem("import_nothing", listed(list(hosts)))
    found.problems = [problem for problem in findings.problems if problem.code not in accepted]
    return found


# Which of all that's there is the endpoint


def _choose(found: Outcome, findings: Problems, wanted: set[Address]) -> None:
    named = {located.address for setup in found.setups if setup.server
             for located in [located_of(setup.server[0])] if located}
    vips = {vip.address for setup in found.setups for item in setup.instances for vip in item.vips}
    for address in sorted(wanted - vips, key=str) if vips else ():
        findings.problem("import_vip_unknown", "endpoint_vip", str(address), few=listed(sorted(map(str, vips))))
    certain = wanted or named & vips
    ports = {setup.server[1] for setup in found.setups if setup.server}
    for setup in found.setups:
        instances = _of_endpoint(setup, certain)
        if setup.instances and certain and not instances:
            instances = tuple(item for item in setup.instances if item.vips)
        for instance in setup.instances:
            if instance not in instances and certain:
                findings.problem("import_serves_more", str(instance.place), "vrrp_instance %s" % instance.name,
                                 meaning="it holds %s, which isn't this endpoint's" % _addresses(instance))
        listener = _listener_of(setup, ports, findings)
        if instances:
            found.balancers.append(Balancer(setup, instances, listener))
    if not certain and len({frozenset(item.addresses) for balancer in found.balancers for item in balancer.instances
                            if item.family == balancer.instances[0].family}) > 1:
        several = [item for item in found.balancers if len(item.instances) > len({i.family for i in item.instances})]
        if several:
            findings.problem("import_several", str(several[0].instances[0].place), few=listed(
                [_addresses(instance) for instance in several[0].instances]))


def _of_endpoint(setup: Setup, certain: set[Address]) -> tuple[Instance, ...]:
    """Instances with one of these addresses, those that fail over with them, and all where nobody says which."""
    usable = [item for item in setup.instances if item.vips]
    mine = [item for item in usable if item.addresses & certain] if certain else usable
    groups = {item.sync_group for item in mine if item.sync_group}
    families = {item.family for item in mine}
    mine += [item for item in usable if item not in mine and item.sync_group in groups and item.family not in families]
    return tuple(sorted(mine, key=lambda item: FAMILIES.index(item.family)))


def _listener_of(setup: Setup, ports: set[int], findings: Problems) -> Listener | None:
    """The one that clients are told of, or else the first that leads to API servers' usual port."""
    tests: list[Callable[[Listener], bool]] = [
        lambda item: bool(ports & set(item.ports)),
        lambda item: any(server.port == APISERVER_PORT for server in item.servers) and not item.http,
        lambda item: not item.http and any(word in item.name.lower() for word in ("kube", "k8s", "api"))]
    chosen = next((item for test in tests for item in setup.listeners if test(item)), None)
    if chosen is None and len(setup.listeners) == 1 and not setup.listeners[0].http:
        chosen = setup.listeners[0]
    for item in setup.listeners:
        if item is not chosen and not (chosen and item.servers and _same(item, chosen)):
            findings.problem("import_serves_more", str(item.bind), "%s, port %s" % (
                item.name, listed([str(port) for port in item.ports])),
                meaning="it spreads something that isn't this endpoint")
    return chosen


def _same(one: Listener, other: Listener) -> bool:
    return {(item.address, item.port) for item in one.servers} == {(item.address, item.port) for item in other.servers}


# Whether hosts agree


def _compare(found: Outcome, findings: Problems) -> None:
    balancers = [setup.host for setup in found.setups]
    members = sorted(found.balancers, key=lambda item: balancers.index(item.host))
    _agree(findings, "the virtual IPs", [{str(vip.address): vip.place for instance in item.instances
                                          for vip in instance.vips} for item in members])
    for family in FAMILIES:
        _agree(findings, "the virtual router ID", [
            {str(instance.router_id): instance.at("virtual_router_id") for instance in item.instances
             if instance.family == family and instance.router_id is not None} for item in members])
    _agree(findings, "the port", [
        {str(port): item.listener.bind for port in item.listener.ports} if item.listener else {} for item in members])
    for vip in sorted(found.vips):
        holders = found.holders(vip)
        if len(holders) > 1:
            findings.problem("import_two_holders", str(vip), hosts=listed(holders))


def _agree(findings: Problems, what: str, values: Sequence[Mapping[str, Place]]) -> None:
    """Each host's values, with the place of each: all have to be those of the first host that has any."""
    first = next((item for item in values if item), {})
    for item in values:
        if item and set(item) != set(first):
            findings.problem("import_contradiction", str(min(item.values())), listed(sorted(item)), what=what,
                             first=str(min(first.values())), expected=listed(sorted(first)))


# What it is in variables


def _recognise(found: Outcome, hosts: Sequence[str]) -> None:
    """Which hosts of the inventory the API servers are: by an address of theirs, or by name."""
    vips = set(found.vips)
    by_address = {located.address: setup.host for setup in found.setups for many in setup.addresses.values()
                  for located in many if located.address not in vips}
    answered = {setup.host for setup in found.setups}
    for listener in found.listeners:
        for server in listener.servers:
            located = located_of(server.address)
            if located:
                name = by_address.get(located.address)
            else:
                short = {server.address, server.address.partition(".")[0]}
                name = next((host for host in hosts if {host, host.partition(".")[0]} & short), None)
            if name is None and server.name in hosts and server.name not in answered:
                name = server.name
            if name:
                found.servers[str(server.place)] = name


def _write(found: Outcome, hosts: Sequence[str], apiservers: Sequence[str]) -> None:
    first = found.first
    variables = found.variables
    instances = first.instances
    variables["endpoint_vip"] = [str(vip.address) for item in instances for vip in item.vips]
    balancers = [item.host for item in found.balancers]
    servers = [host for host in hosts if host in found.servers.values()]
    backends = found.backends = servers or [host for host in apiservers if host in hosts] or balancers
    variables["endpoint_port"] = port_of(first, set(backends) & set(balancers) != set())
    router_ids = {item.family: item.router_id for item in instances if item.router_id is not None}
    if router_ids:
        one = len(set(router_ids.values())) == 1 and len(router_ids) == 1
        variables["endpoint_virtual_router_id"] = next(iter(router_ids.values())) if one else router_ids
    variables["endpoint_lb_hosts"] = balancers
    if set(backends) != set(balancers):
        variables["endpoint_apiserver_hosts"] = backends
    own_ports = {server.port for listener in found.listeners for server in listener.servers if server.port}
    if own_ports and own_ports != {APISERVER_PORT}:
        variables["endpoint_apiserver_port"] = min(own_ports)
    if any(in_pods(item) for item in found.balancers):
        variables["endpoint_mode"] = "static_pod"
        for role in ("keepalived", "haproxy"):
            image = first.setup.images.get(role, ("",))[0]
            if usable_image(role, image):
                variables[role + "_image"] = image
    if any(item.nopreempt for item in instances):
        variables["endpoint_failback"] = False
    delay = max((item.preempt_delay for item in instances), default=0)
    if delay and variables.get("endpoint_failback", True):
        variables["endpoint_failback_delay"] = min(int(delay), 3600)
    names = [setup.server[0] for setup in found.setups if setup.server and located_of(setup.server[0]) is None]
    if names:
        variables["endpoint_dns_name"] = names[0].lower()
    _write_haproxy(variables, first.listener)
    variables["endpoint_adopt"] = True
    for item in found.balancers:
        if item.instances[0].interface:
            found.host_variables[item.host] = {"endpoint_interface": item.instances[0].interface}


def _write_haproxy(variables: dict[str, t.Any], listener: Listener | None) -> None:
    if not listener:
        return
    if listener.path and listener.path.partition("?")[0] not in _PROBES and listener.program == "haproxy":
        variables["endpoint_health_path"] = listener.path
    if listener.balance and listener.balance[0] in _BALANCE and listener.balance[0] != "leastconn":
        variables["haproxy_balance"] = listener.balance[0]
    if listener.maxconn and listener.maxconn[0] in _MAXCONN:
        variables["haproxy_maxconn"] = listener.maxconn[0]


def in_pods(balancer: Balancer) -> bool:
    """All of its daemons are pods. Where one is a service, services are what goes on; kube-vip's pod is no daemon."""
    listener = balancer.listener
    daemons = {item.speaker for item in balancer.instances}
    if listener and listener.servers:
        daemons.add(listener.program)
    return daemons <= balancer.setup.pods - {"kube-vip"}


def usable_image(role: str, image: str) -> bool:
    """Whether its tag says no version that is too old."""
    told = tag_version(image) if image else None
    return bool(image) and role in FLOOR and (told is None or complete(told) >= FLOOR[role])


def port_of(balancer: Balancer, shared: bool) -> int:
    """The port that clients use, where HAProxy can have it: API servers on the same host already listen on theirs."""
    listener, server = balancer.listener, balancer.setup.server
    ports = listener.ports if listener else ()
    port = server[1] if server and (not ports or server[1] in ports) else next(iter(ports), APISERVER_PORT)
    own = {item.port for item in listener.servers} if listener else set()
    return SHARED_PORT if shared and port in (own or {APISERVER_PORT}) else port


def _addresses(instance: Instance) -> str:
    return listed([str(vip.address) for vip in instance.vips])


def planned_hosts(found: Outcome) -> dict[str, dict[str, t.Any]]:
    """What the plan has to know of hosts: their addresses, without the virtual ones."""
    vips = set(found.vips)
    hosts: dict[str, dict[str, t.Any]] = {}
    for setup in found.setups:
        networks = [{"interface": interface, "address": str(located.address), "prefix": located.prefix}
                    for interface, many in setup.addresses.items() for located in many if located.address not in vips]
        hosts[setup.host] = {"networks": networks, "inventory_address": setup.host,
                             **{name + "_version": version for name, version in setup.versions.items()},
                             **{key.partition("_")[2]: value
                                for key, value in found.host_variables.get(setup.host, {}).items()}}
    return hosts


def planned_intent(found: Outcome) -> dict[str, t.Any]:
    """The variables as the plan reads them. An image that somebody has to build yet has a name here."""
    intent = {key.removeprefix("endpoint_"): value for key, value in found.variables.items()}
    intent.setdefault("apiserver_hosts", found.backends)
    if "mode" in intent:
        intent.setdefault("keepalived_image", "keepalived")
    return intent
