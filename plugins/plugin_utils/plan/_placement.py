# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Where things are: each balancer's interface and address, the subnet that they share, each API server's address.

For a balancer's address the sources are, in this order: what is written (endpoint_address), what the host reported
(its address in the VIP's subnet), the inventory's address if it's a literal in that subnet, and the plan that a member
has stored. So a host that can't be reached now stays where it was. An address that moves - any VIP, planned or
deployed - is never taken for a host's own.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..intent._addresses import BITS, FAMILIES, Address, Located, Subnet, reserved_kind, subnet_of, unusable_kind
from ..intent._errors import Problems, Where, listed
from ..intent._spec import Host, HostSettings, HostValue, Network, Spec
from ..intent._values import family_name
from ._stored import Record, Stored, elect, vote

K = t.TypeVar("K")
V = t.TypeVar("V")


class Member(t.NamedTuple):
    """A balancer's place within an instance."""

    host: str
    interface: str
    address: Address


@dataclass
class Instance:
    """The virtual router of one endpoint and family."""

    spec: Spec
    family: str
    subnet: Subnet
    members: list[Member]

    @property
    def name(self) -> str:
        """Its name in keepalived."""
        return "{0}-{1}".format(self.spec.name, self.family)

    def vip_prefix(self, vip: Address) -> int:
        """The prefix that belongs to a VIP: the subnet's, or a single address' where routers bring it."""
        return self.subnet.prefix if self.subnet.holds(vip) else BITS[self.family]


class Topology(t.NamedTuple):
    """What is known of hosts and of addresses that move."""

    findings: Problems
    hosts: dict[str, Host]
    everywhere: HostSettings        # said of all hosts
    stored: Stored
    vips: dict[Address, str]        # all planned VIPs, and the endpoint that each belongs to

    def settings(self, spec: Spec, name: str) -> Iterable[HostSettings]:
        """What is written about a host, the most specific first."""
        if name in spec.hosts:
            yield spec.hosts[name]
        yield spec.settings
        yield self.hosts[name].settings
        yield self.everywhere

    def interface_of(self, spec: Spec, name: str) -> HostValue | None:
        """The interface that is written."""
        return next((said.interface for said in self.settings(spec, name) if said.interface), None)

    def priority_of(self, spec: Spec, name: str) -> HostValue | None:
        """The priority that is written."""
        return next((said.priority for said in self.settings(spec, name) if said.priority), None)

    def address_of(self, spec: Spec, name: str, family: str) -> HostValue | None:
        """The address that is written."""
        return next((said.addresses[family] for said in self.settings(spec, name) if family in said.addresses), None)

    def refused(self, spec: Spec, name: str, *keys: str) -> bool:
        """Whether something that is written about a host can't be used, so that guessing would be wrong."""
        return any(not said.refused.isdisjoint(keys) for said in self.settings(spec, name))

    def own_networks(self, name: str, family: str) -> list[Network]:
        """A host's networks of a family, without the addresses that only stay there for a while."""
        host = self.hosts[name]
        return [network for network in host.networks if network.address.family == family
                and network.address not in self.vips
                and (network.address == host.inventory_address or not self.stored.is_vip(network.address, name))]

    def check_written(self, name: str, said: HostValue, interface: str | None) -> Network | None:
        """Judge an address that is written. Returns where the host has it, as far as that's known.

        Raises Refused after a problem.
        """
        at, address = Where(self.findings, said.where), said.value.address
        kind = unusable_kind(address)
        if kind:
            at.problem("address_kind", str(said.value), kind=kind)
            raise Refused
        if address in self.vips:
            at.problem("address_is_vip", str(said.value), endpoint=self.vips[address])
            raise Refused
        networks = self.hosts[name].networks
        matching = [network for network in networks
                    if network.address == address and interface in (None, network.interface)]
        if networks and not matching:
            at.problem("address_not_on_host", str(said.value), host=name, addresses=_addresses(networks),
                       more=" on " + interface if interface else "")
            raise Refused
        if matching and said.value.prefix is not None and matching[0].prefix not in (None, said.value.prefix):
            actual = Located(address, matching[0].prefix)
            at.problem("prefix_contradicts", str(said.value), host=name, actual=actual.prefix, fix=str(actual))
            raise Refused
        return matching[0] if matching else None


class Refused(Exception):
    """A problem was recorded, and there's nothing to go on with."""


def place(topology: Topology, spec: Spec) -> list[Instance]:
    """The instances of an endpoint, one for each family of its VIPs; those with problems are missing."""
    found = []
    for family in spec.families:
        try:
            found.append(_Draft(topology, spec, family).instance())
        except Refused:
            continue
    return found


class _Draft:
    """An instance in the making: members whose place is certain first, as they tell the subnet for the others."""

    def __init__(self, topology: Topology, spec: Spec, family: str) -> None:
        self.topology = topology
        self.spec = spec
        self.family = family
        self.vip = spec.vips(family)[0]
        self.stored = _voted(topology, spec, lambda record: record.members)
        self.at_vip = Where(topology.findings, spec.variable("vip"))
        self.known: dict[str, tuple[Located, str | None]] = {}   # address and interface
        self.unseen: list[str] = []
        self.outside: list[str] = []
        self.complete = True

    def instance(self) -> Instance:
        """Find all members, or raise Refused."""
        names = [name for name in self.spec.lb_hosts if name in self.topology.hosts]
        self.complete = len(names) == len(self.spec.lb_hosts) and bool(names)
        for name in names:
            self._attempt(self._look_up, name)
        if not self.known and not self.unseen and not self.outside:
            raise Refused
        subnet = self._subnet()
        self._place_outside(subnet)
        for name in self.unseen:
            self._attempt(self._recall, name, subnet)
        members = [self._attempt(self._member, name, subnet) for name in names if name in self.known]
        self._check_vips(subnet)
        self._refuse_duplicates()
        if not self.complete:
            raise Refused
        return Instance(self.spec, self.family, subnet, [member for member in members if member is not None])

    def _attempt(self, step: t.Callable[..., t.Any], *args: t.Any) -> t.Any:
        """Take a step for one host; one that is refused must not keep the others from being judged."""
        try:
            return step(*args)
        except Refused:
            self.complete = False
            return None

    # Members

    def _look_up(self, name: str) -> None:
        """Take a host's address from what is written or from what it reported."""
        topology = self.topology
        if topology.refused(self.spec, name, "address", "interface"):
            raise Refused
        said = topology.interface_of(self.spec, name)
        interface = said.value if said else None
        written = topology.address_of(self.spec, name, self.family)
        if written:
            network = topology.check_written(name, written, interface)
            prefix = network.prefix if network and network.prefix is not None else written.value.prefix
            # An address that stands alone tells no subnet, written or reported.
            located = Located(written.value.address, None if prefix == BITS[self.family] else prefix)
            self.known[name] = (located, network.interface if network else interface)
        elif topology.hosts[name].networks:
            self._choose_network(name, said)
        else:
            self.unseen.append(name)

    def _choose_network(self, name: str, said: HostValue | None) -> None:
        networks = self.topology.own_networks(name, self.family)
        if said:
            interfaces = dict.fromkeys(network.interface for network in networks)
            networks = [network for network in networks if network.interface == said.value]
            if not networks:
                Where(self.topology.findings, said.where).problem(
                    "interface_not_on_host", said.value, host=name, family=family_name(self.family),
                    interfaces=listed(interfaces))
                raise Refused
        inside = [network for network in networks if network.subnet.holds(self.vip.address)]
        if not inside and not self.spec.vip_routed:
            self.outside.append(name)
            return
        if inside:
            longest = max(network.subnet.prefix for network in inside)
            chosen = self._pick(name, [network for network in inside if network.subnet.prefix == longest])
        else:
            chosen = self._pick(name, networks)
        self.known[name] = (Located(chosen.address, chosen.prefix), chosen.interface)

    def _pick(self, name: str, networks: list[Network]) -> Network:
        """The one network to use: the inventory's address, the one deployed, or the first of a single interface."""
        stored = self.stored.get((name, self.family))
        for preferred in (self.topology.hosts[name].inventory_address, stored.located.address if stored else None):
            for network in networks:
                if network.address == preferred:
                    return network
        interfaces = dict.fromkeys(network.interface for network in networks)
        if len(interfaces) == 1:
            return networks[0]
        at = Where(self.topology.findings, name + ": endpoint_interface")
        if not networks:
            Where(self.topology.findings, name + ": endpoint_address").problem(
                "address_unknown", host=name, family=family_name(self.family))
        elif networks[0].subnet.holds(self.vip.address):
            at.problem("interface_ambiguous", host=name, interfaces=listed(interfaces))
        else:
            at.problem("address_ambiguous", host=name, family=family_name(self.family), addresses=_addresses(networks))
        raise Refused

    def _recall(self, name: str, subnet: Subnet) -> None:
        """Take the address of a host that reported nothing from the inventory, or from a stored plan."""
        said = self.topology.interface_of(self.spec, name)
        stored = self.stored.get((name, self.family))
        inventory = self.topology.hosts[name].inventory_address
        usable = [address for address in (inventory, stored.located.address if stored else None)
                  if address and address.family == self.family and address not in self.topology.vips]
        if not usable:
            Where(self.topology.findings, name + ": endpoint_address").problem(
                "address_unknown", host=name, family=family_name(self.family))
            raise Refused
        address = next((address for address in usable if subnet.holds(address)), usable[-1])
        if address == inventory and not subnet.holds(address):
            # A floating address, or a network for management: the host's own can be another one.
            Where(self.topology.findings, name + ": ansible_host").problem(
                "inventory_outside_subnet", str(address), host=name, subnet=subnet)
            raise Refused
        self.known[name] = (Located(address, None), said.value if said else None)

    def _member(self, name: str, subnet: Subnet) -> Member:
        """Judge a member by the subnet that all of them share."""
        located, interface = self.known[name]
        at = Where(self.topology.findings, name + ": endpoint_address")
        if not subnet.holds(located.address) or located.prefix not in (None, subnet.prefix):
            at.problem("member_outside_subnet", str(located), host=name, subnet=subnet)
            raise Refused
        kind = reserved_kind(located.address, subnet)
        if kind:
            at.problem("address_kind", str(located), kind="{0} of {1}".format(kind, subnet))
            raise Refused
        if interface is None and (name, self.family) in self.stored:
            interface = self.stored[name, self.family].interface
        if interface is None:
            Where(self.topology.findings, name + ": endpoint_interface").problem(
                "interface_unknown", host=name, address=located.address)
            raise Refused
        return Member(name, interface, located.address)

    def _refuse_duplicates(self) -> None:
        addresses = [(name, located.address) for name, (located, dummy) in self.known.items()]
        if _duplicates(self.topology.findings, addresses):
            self.complete = False

    # Subnet and VIPs

    def _subnet(self) -> Subnet:
        """The subnet of most members that tell one; else the VIP's own, by its prefix; else the one deployed."""
        stored = (self.stored.get((name, self.family)) for name in self.spec.lb_hosts)
        for sources in ((located for located, dummy in self.known.values()), [self.vip],
                        (member.located for member in stored if member)):
            votes = Counter(subnet_of(located.address, located.prefix) for located in sources
                            if located.prefix is not None and located.prefix < BITS[self.family])
            if votes:
                return max(votes, key=lambda subnet: (votes[subnet], subnet.holds(self.vip.address)))
        self._refuse_unknown_subnet()

    def _place_outside(self, subnet: Subnet) -> None:
        """Place hosts that reported no network with the VIP in it: their address may have been given to them alone.

        DHCPv6 and some providers hand out addresses with prefix /128 or /32, which say nothing of the subnet.
        """
        networks = {name: self.topology.own_networks(name, self.family) for name in self.outside}
        for name in self.outside:
            alone = [network for network in networks[name] if network.prefix is None and subnet.holds(network.address)]
            if alone:
                chosen = self._pick(name, alone)
                self.known[name] = (Located(chosen.address, None), chosen.interface)
                del networks[name]
        if networks and not self.known:
            self._refuse_vip(networks.values())
        for name in networks:
            Where(self.topology.findings, name + ": endpoint_address").problem(
                "member_outside_subnet", _addresses(networks[name]), host=name, subnet=subnet)
            self.complete = False

    def _refuse_vip(self, networks: Iterable[list[Network]]) -> t.NoReturn:
        subnets = dict.fromkeys(str(network.subnet) for found in networks for network in found)
        self.at_vip.problem("vip_outside_subnet", str(self.vip), networks=listed(
            subnets, empty="no {0} network".format(family_name(self.family))))
        raise Refused

    def _refuse_unknown_subnet(self) -> t.NoReturn:
        networks = [self.topology.own_networks(name, self.family) for name in self.outside]
        if networks and (not any(networks) or any(network.prefix for found in networks for network in found)):
            self._refuse_vip(networks)
        before = len(self.topology.findings.problems)
        for name in self.unseen:
            inventory = self.topology.hosts[name].inventory_address
            if inventory is None or inventory.family != self.family:
                Where(self.topology.findings, name + ": endpoint_address").problem(
                    "address_unknown", host=name, family=family_name(self.family))
        if len(self.topology.findings.problems) == before:
            routed = self.spec.vip_routed
            self.at_vip.problem("subnet_unknown", str(self.vip), fix=(
                "endpoint_address of each balancer" if routed else "{0}/24".format(self.vip.address)
                if self.family == FAMILIES[0] else "{0}/64".format(self.vip.address)))
        raise Refused

    def _check_vips(self, subnet: Subnet) -> None:
        for vip in self.spec.vips(self.family):
            inside = subnet.holds(vip.address)
            kind = reserved_kind(vip.address, subnet) if inside else None
            if not inside and not self.spec.vip_routed and vip.address in self.spec.former_vips:
                Where(self.topology.findings, self.spec.origin("release_former")).problem(
                    "former_unusable", str(vip), endpoint=self.spec.name,
                    reason="that lies outside of the balancers' subnet {0}".format(subnet))
            elif not inside and not self.spec.vip_routed:
                self.at_vip.problem("vip_outside_subnet", str(vip), networks=subnet)
            elif kind:
                self.at_vip.problem("vip_network_address", str(vip), kind=kind, subnet=subnet)
            elif vip.prefix not in (None, BITS[self.family], subnet.prefix if inside else None):
                fixed = Located(vip.address, subnet.prefix if inside else BITS[self.family])
                self.at_vip.problem("vip_prefix", str(vip), subnet=subnet, fix=fixed)
            else:
                continue
            self.complete = False


def find_backends(topology: Topology, spec: Spec, instances: list[Instance]) -> list[tuple[str, Address]]:
    """The API servers of an endpoint: host and address, of the first VIP's family where the host has one."""
    if not spec.vip:
        return []
    finder = _Backends(topology, spec, instances)
    failed = spec.lb_hosts if len(instances) < len(spec.families) else ()   # their problems have been told
    found = []
    for name in spec.apiserver_hosts:
        if name in topology.hosts and name not in failed:
            try:
                found.append((name, finder.address(name)))
            except Refused:
                continue
    members = [(member.host, member.address) for instance in instances for member in instance.members]
    if not _duplicates(topology.findings, members + found):
        _refuse_reported(topology, spec, dict(members + found))
    if finder.guessed:
        topology.findings.warn("backend_guessed", endpoint=spec.name, hosts=listed(
            "{0} at {1}".format(name, address) for name, address in found if name in finder.guessed))
    return found


def _refuse_reported(topology: Topology, spec: Spec, planned: Mapping[str, Address]) -> None:
    """Refuse a host whose planned address another one reports as its own: two names of one machine, mostly."""
    owners = {address: name for name, address in planned.items()}
    for name in dict.fromkeys([*spec.lb_hosts, *spec.apiserver_hosts]):
        for network in topology.hosts[name].networks if name in topology.hosts else ():
            owner = owners.get(network.address, name)
            if owner != name:
                Where(topology.findings, owner + ": endpoint_address").problem(
                    "address_duplicate", str(network.address), other=name)


class _Backends:
    """Looks for API servers' addresses."""

    def __init__(self, topology: Topology, spec: Spec, instances: list[Instance]) -> None:
        self.topology = topology
        self.spec = spec
        self.stored = _voted(topology, spec, lambda record: record.backends)
        first = spec.vip[0].address.family
        self.families = sorted(FAMILIES, key=lambda family: family != first)
        self.subnets = {instance.family: instance.subnet for instance in instances}
        self.members = {(member.host, instance.family): member.address
                        for instance in instances for member in instance.members}
        self.guessed: list[str] = []    # nobody but the inventory says that the API server is there

    def address(self, name: str) -> Address:
        """The address of an API server, or raise Refused."""
        if self.topology.refused(self.spec, name, "address"):
            raise Refused
        for source in (self._certain, self._likely):
            for family in self.families:
                address = source(name, family)
                if address is not None:
                    return address
        Where(self.topology.findings, name + ": endpoint_address").problem("backend_address_unknown", host=name)
        raise Refused

    def _certain(self, name: str, family: str) -> Address | None:
        """Its address as a balancer, as written, or within the VIP's subnet."""
        if (name, family) in self.members:
            return self.members[name, family]
        written = self.topology.address_of(self.spec, name, family)
        if written:
            self.topology.check_written(name, written, None)
            return t.cast(Address, written.value.address)
        subnet = self.subnets.get(family) or self._hint(family)
        if subnet is None:
            return None
        host = self.topology.hosts[name]
        networks = self.topology.own_networks(name, family)
        inside = [network.address for network in networks if subnet.holds(network.address)]
        inventory = self._inventory(name, family)
        if inventory in inside or (inventory is not None and not host.networks and subnet.holds(inventory)):
            return inventory
        return inside[0] if inside else None

    def _likely(self, name: str, family: str) -> Address | None:
        """Elsewhere: as deployed if the host reported nothing, by the inventory, or its only address."""
        networks = self.topology.own_networks(name, family)
        stored = self.stored.get(name)
        silent = not self.topology.hosts[name].networks
        if silent and stored and stored.family == family and stored not in self.topology.vips:
            return stored
        inventory = self._inventory(name, family)
        if inventory is not None and silent:
            self.guessed.append(name)
        # One that the host doesn't have is translated on the way to it.
        if inventory is not None and (silent or any(network.address == inventory for network in networks)):
            return inventory
        if len({network.interface for network in networks}) > 1:
            Where(self.topology.findings, name + ": endpoint_address").problem(
                "address_ambiguous", host=name, family=family_name(family), addresses=_addresses(networks))
            raise Refused
        return networks[0].address if networks else None

    def _inventory(self, name: str, family: str) -> Address | None:
        address = self.topology.hosts[name].inventory_address
        usable = (address is not None and address.family == family and address not in self.topology.vips
                  and not unusable_kind(address))
        return address if usable else None

    def _hint(self, family: str) -> Subnet | None:
        return next((subnet_of(vip.address, vip.prefix) for vip in self.spec.vips(family)
                     if vip.prefix is not None and vip.prefix < BITS[family]), None)


def _voted(topology: Topology, spec: Spec, part: t.Callable[[Record], dict[K, V]]) -> dict[K, V]:
    """Where hosts are, as most of those that have stored it say; where they can't agree nobody knows it.

    Whoever says otherwise is named where nothing else tells, as of a host that reported nothing.
    """
    said: dict[K, list[tuple[str, V]]] = {}
    for record in topology.stored.records(spec):
        for key, value in part(record).items():
            said.setdefault(key, []).append((record.host, value))
    found: dict[K, V] = {}
    for key, values in said.items():
        name = key[0] if isinstance(key, tuple) else key
        votes = vote(values)
        silent = name in topology.hosts and not topology.hosts[name].networks
        chosen = elect(topology.findings, spec, "place of {0}".format(name), votes) if silent else votes.elected
        if chosen is not None:
            found[key] = chosen
    return found


def _duplicates(findings: Problems, addresses: Iterable[tuple[str, Address]]) -> bool:
    """Refuse hosts of one endpoint with the same address."""
    owners: dict[Address, str] = {}
    before = len(findings.problems)
    for name, address in addresses:
        other = owners.setdefault(address, name)
        if other != name:
            Where(findings, name + ": endpoint_address").problem("address_duplicate", str(address), other=other)
    return len(findings.problems) > before


def _addresses(networks: Iterable[Network]) -> str:
    return listed("{0}/{1} on {2}".format(network.address, network.subnet.prefix, network.interface)
                  for network in networks)
