#!/usr/bin/python
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_preflight_info
short_description: Read what could keep a host from carrying its part of an API endpoint
version_added: 1.0.0
author:
  - The kubeha.apiserver authors (@kubeha)
description:
  - Looks at everything on a host that has to do with the planned endpoints and isn't theirs. Interfaces, who listens on
    the ports, what manages the network and the packet filter and what they do to the VIP and to VRRP, kernel settings,
    programs of Kubernetes and the addresses that they use, the certificate of an API server.
  - Reads only, and needs nothing on the host but Python 3.9. M(kubeha.apiserver.endpoint_preflight) judges.
  - Never fails because a host is odd. Where a part can't be read, RV(errors) says so and that part is empty.
  - While it looks, it asks the network what M(kubeha.apiserver.endpoint_wire) asks.
  - In a play, its action plugin fills in O(host), and cuts O(plan) down to what concerns the host.
extends_documentation_fragment:
  - kubeha.apiserver._attributes
  - kubeha.apiserver._attributes.info_module
attributes:
  action:
    description: The action plugin runs on the controller.
    support: partial
    details:
      - Whether the network has to be asked is decided on the controller.
options:
  plan:
    description: The plan, as M(kubeha.apiserver.endpoint_plan) returns it.
    type: dict
    required: true
  host:
    description:
      - The host's name in the plan. The default is its name in the inventory.
    type: str
  wire:
    description:
      - Whether to ask the network too.
      - V(auto) asks unless the host's endpoints run already as they're planned, and somebody was seen to hold their
        VIPs. Listening takes seconds, and what the network thinks of an endpoint that runs shows in it. Only a play
        knows that; elsewhere it means V(always).
    type: str
    choices: [always, auto, never]
    default: always
  wire_seconds:
    description: For how long to listen, where nothing is heard that takes longer.
    type: float
    default: 5
  former:
    description:
      - Who balanced an endpoint by the stored plan and doesn't by O(plan), each with C(host), C(endpoint), C(address)
        and C(port). Whether they still serve is seen by connecting.
      - In a play the action plugin finds them.
    type: list
    elements: dict
    default: []
seealso:
  - module: kubeha.apiserver.endpoint_preflight
  - module: kubeha.apiserver.endpoint_wire
  - module: kubeha.apiserver.endpoint_info
"""

EXAMPLES = r"""
- name: Look at this host and its network
  kubeha.apiserver.endpoint_preflight_info:
    plan: "{{ result.plan }}"
  register: __endpoint_preflight

- name: Judge all hosts
  kubeha.apiserver.endpoint_preflight:
    plan: "{{ result.plan }}"
  run_once: true
"""

RETURN = r"""
at:
  description: What this host's clock said at the end, in seconds since 1970.
  returned: always
  type: float
elapsed:
  description: For how many seconds the module had run then.
  returned: always
  type: float
clock:
  description:
    - Between what the host's clock lies, less the controller's monotonic clock. Two hosts whose bounds don't overlap
      differ by what is between them at least.
  returned: in a play
  type: dict
  sample: {low: 1795380000.1, high: 1795380000.9}
interfaces:
  description: Network interfaces.
  returned: always
  type: list
  elements: dict
  sample: [{name: eth0, index: 2, up: true, carrier: true, mtu: 1500}]
addresses:
  description: All addresses but those of the loopback interface.
  returned: always
  type: list
  elements: dict
  sample: [{interface: eth0, address: 198.51.100.11, prefix: 24}]
listeners:
  description:
    - Who listens on the ports of the plan. C(unit) is the systemd unit or the pod, C(kubernetes) whether it answers as
      an API server does.
    - C(owner) is C(haproxy) or C(keepalived) for a daemon of this collection's, C(static_pod) for a static pod of
      somebody else's. That's told by control groups, whatever a process calls itself.
  returned: always
  type: list
  elements: dict
  sample:
    - address: 0.0.0.0
      port: 8443
      pid: 814
      program: haproxy
      unit: haproxy.service
      owner: haproxy
      kubernetes: false
network_managers:
  description: What configures each planned interface, and whether it leaves addresses alone that aren't its own.
  returned: always
  type: dict
  sample:
    eth0:
      networkd: {file: /etc/systemd/network/10-eth0.network, keep_configuration: "", keeps: false}
      networkmanager: null
firewall:
  description:
    - What becomes of VRRP and of clients in the host's packet filter, as far as its rules tell.
    - C(outcome) is one of C(accept), C(drop) and C(unknown), C(where) the chain that drops.
  returned: always
  type: dict
  sample:
    manager: firewalld
    readable: true
    vrrp:
      - endpoint: kube-apiserver
        direction: in
        interface: eth0
        address: 198.51.100.12
        outcome: drop
        where: inet firewalld filter_IN_public
    clients:
      - endpoint: kube-apiserver
        interface: eth0
        address: 198.51.100.100
        port: 8443
        outcome: accept
        where: ""
default_routes:
  description: Interfaces of the default routes with the lowest metric.
  returned: always
  type: dict
  sample: {ipv4: [eth0], ipv6: []}
sysctls:
  description: Kernel settings that matter to the plan.
  returned: always
  type: dict
  sample: {net/ipv4/conf/eth0/rp_filter: {value: "1", writable: true}}
sysctl_files:
  description: Files that set one of the settings that the collection sets, and are read after its own.
  returned: always
  type: dict
  sample: {}
programs:
  description:
    - Programs of Kubernetes that run here, with the options that name addresses. Only those that root has started as a
      service or a static pod, or that may change the host's addresses.
  returned: always
  type: list
  elements: dict
  sample: [{name: kubelet, pid: 700, unit: kubelet.service, owner: null, options: {node-ip: 198.51.100.11}}]
loads:
  description: By daemon, what its service loads now but for the file that this collection writes.
  returned: always
  type: dict
  sample: {haproxy: [/etc/haproxy/conf.d], keepalived: []}
kubelet:
  description: Options of the kubelet in its files, where it doesn't run.
  returned: always
  type: dict
  sample: {}
static_pods:
  description:
    - What concerns static pods, or null where none are planned. C(foreign_manifests) are those in the planned folder
      that run the same daemons and that somebody else wrote.
    - C(missing_images) are the daemons whose image isn't there, looked for where the pull policy is V(Never).
  returned: always
  type: dict
  sample:
    kubelet: {installed: true, running: true, pid: 700, static_pod_path: /etc/kubernetes/manifests}
    foreign_manifests: {haproxy: [/etc/kubernetes/manifests/haproxy.yaml], keepalived: []}
    missing_images: [keepalived]
host_names:
  description: Addresses that C(/etc/hosts) has for the host's own name.
  returned: always
  type: list
  elements: str
  sample: [127.0.1.1]
node:
  description:
    - Name and addresses of this node as the cluster has them, asked with the kubelet's credentials. Empty where this
      host is no node or no API server answers.
  returned: always
  type: dict
  sample: {name: cp1, addresses: [198.51.100.11]}
certificates:
  description:
    - Names and addresses of the certificates of API servers, by endpoint and host. These are this host's API server
      and those of hosts that balance nothing.
  returned: always
  type: dict
  sample: {kube-apiserver: {cp1: {dns: [kubernetes, cp1], ip: [10.96.0.1, 198.51.100.11]}}}
former:
  description: Those of O(former) that still serve.
  returned: always
  type: list
  elements: dict
  sample: [{host: cp4, endpoint: kube-apiserver, address: 198.51.100.14, port: 8443}]
manage:
  description:
    - Whether M(kubeha.apiserver.endpoint_network) has something to change or to warn of on this host. V(true) where
      nobody can tell.
  returned: always
  type: bool
unwritable:
  description:
    - Folders that this collection has to write into, or to make folders in, and not even root can. Empty where it isn't
      root who looks.
  returned: always
  type: list
  elements: str
  sample: [/etc]
errors:
  description: Parts that couldn't be read, and why.
  returned: always
  type: dict
  sample: {}
wire:
  description:
    - What M(kubeha.apiserver.endpoint_wire) returns, where it was asked. In a play C(asked) says whether it was, and
      C(why) the reason.
  returned: always
  type: dict
"""

import json
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Set, Tuple, cast

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.cluster import _cluster_io, _components
from ..module_utils.daemons import _podstate, _process_io, _processes
from ..module_utils.host import _host_io, _hostfacts, _parts
from ..module_utils.model import _accessors, _paths
from ..module_utils.network import _carrier_io, _filter, _netconfig, _netfilter
from ..module_utils.segment import _wire_io, _wire_task

if TYPE_CHECKING:
    from ..module_utils.model._model import Endpoint, Instance, Member, Plan
    from ..module_utils.model._observation import (
        Firewall,
        FormerMember,
        LookedAt,
        Managers,
        Names,
        Networkd,
        Process,
        Program,
        Routes,
        StaticPodKubelet,
        StaticPods,
        Sysctl,
    )

COMMAND_SECONDS = 5.0
TLS_SECONDS = 1.0
FORMER_SECONDS = 1.0
CONFIG = {"haproxy": _paths.HAPROXY_CONFIG, "keepalived": _paths.KEEPALIVED_CONFIG}
UNITS = ("firewalld", "ufw", "nftables", "NetworkManager", "systemd-networkd")
MULTICAST = {"ipv4": "224.0.0.18", "ipv6": "ff02::12"}
# What an API server answers to /readyz, well or not, with anonymous requests or without.
API_STATUS = (200, 401, 403, 500)


def main() -> None:
    begun = time.monotonic()
    module = AnsibleModule(
        argument_spec={
            "plan": {"type": "dict", "required": True},
            "host": {"type": "str"},
            "wire": {"type": "str", "choices": ["always", "auto", "never"], "default": "always"},
            "wire_seconds": {"type": "float", "default": _wire_io.SECONDS},
            "former": {"type": "list", "elements": "dict", "default": []},
        },
        supports_check_mode=True,
    )
    plan, host = module.params["plan"], module.params["host"]
    if not isinstance(plan.get("endpoints"), list):
        module.fail_json(msg="plan: it must be a plan, as endpoint_plan returns it")
    if not host:
        module.fail_json(msg="host: the plan's name of this host is needed where there's no action plugin")
    with ThreadPoolExecutor(max_workers=1) as pool:
        # Listening takes seconds in which there's nothing else to do.
        looking = pool.submit(Observer(plan, host, module.params["former"]).result)
        wire: Dict[str, Any] = {}
        if module.params["wire"] != "never":
            wire = _wire_io.ask(_wire_task.wire_task(plan, host), host, module.params["wire_seconds"])
        seen = looking.result()
    at, elapsed = time.time(), time.monotonic() - begun
    module.exit_json(changed=False, wire=wire, at=at, elapsed=elapsed, **seen)


class Observer(_parts.Parts):
    """What is observed of this host."""

    def __init__(self, plan: Plan, host: str, former: Iterable[FormerMember] = ()) -> None:
        super().__init__()
        self.host = host
        self.former = list(former)
        self.endpoints: List[Endpoint] = plan["endpoints"]
        self.members = [
            (endpoint, instance, member)
            for endpoint in self.endpoints
            for instance in endpoint["instances"]
            for member in instance["members"]
            if member["host"] == host
        ]
        self.interfaces = list(dict.fromkeys(member["interface"] for _endpoint, _instance, member in self.members))

    def result(self) -> LookedAt:
        links = self.read("interfaces", _host_io.read_links, [])
        addresses = self.read("addresses", _host_io.read_addresses, [])
        names = {link.index: link.name for link in links}
        addressed = {names[item.index] for item in addresses if item.index in names and ":" not in item.address}
        said = _host_io.together(self._commands())
        units = _hostfacts.parse_units(self._output(said, "units"))
        active = {name for name in UNITS if units.get(name, {}).get("ActiveState") == "active"}
        programs = self.read("programs", lambda: list(_cluster_io.read_programs()), [])
        listeners = self.read("listeners", self._listeners, [])
        kubelet = _components.kubelet_of_files([_cluster_io.read_text(path) for path in _components.KUBELET_FILES])
        return {
            "interfaces": [
                {"name": link.name, "index": link.index, "up": link.up, "carrier": link.carrier, "mtu": link.mtu}
                for link in links
            ],
            "addresses": [
                {"interface": names[item.index], "address": item.address, "prefix": item.prefix}
                for item in addresses
                if item.index in names and item.scope != "host"
            ],
            "listeners": listeners,
            "network_managers": self._network_managers({link.name: link.index for link in links}, active),
            "firewall": self._firewall(said, active),
            "default_routes": self.read("default_routes", default_routes, {"ipv4": [], "ipv6": []}),
            "sysctls": {name: sysctl(name) for name in self._sysctl_names(addressed)},
            "sysctl_files": self.read("sysctl_files", partial(later_sysctl_files, self._our_sysctls()), {}),
            "programs": programs,
            "loads": {name: self.read("loads", partial(loads, name), []) for name in CONFIG},
            "kubelet": kubelet,
            "node": self.read("node", partial(_cluster_io.read_node, options_of(programs) or kubelet, TLS_SECONDS), {}),
            "static_pods": self.read("static_pods", self._static_pods, None),
            "host_names": host_names(),
            "certificates": self._certificates(),
            "former": self._former(),
            "manage": self._manages(),
            "unwritable": self.read("unwritable", self._unwritable, []),
            "errors": self.errors,
        }

    def _former(self) -> List[FormerMember]:
        calls: Dict[str, Callable[[], _host_io.Attempt]] = {
            "%(address)s %(port)d" % item: partial(
                _host_io.https_get, item["address"], item["port"], None, FORMER_SECONDS)
            for item in self.former}
        answers = _host_io.together(calls)
        return [item for item in self.former if answers["%(address)s %(port)d" % item].tcp == "ok"]

    def _unwritable(self) -> List[str]:
        # Others than root write nowhere, which is no fault of the host's.
        return _host_io.unwritable(
            folder for endpoint in self.endpoints
            for folder in _paths.folders(endpoint["mode"], endpoint["manifest_dir"])) if os.geteuid() == 0 else []

    def _manages(self) -> bool:
        """Whether endpoint_network has something to do or to say here, or nobody can tell."""
        try:
            carrier = _carrier_io.Carrier(self.endpoints, self.host)
            return bool(carrier.due().changes or carrier.former_peers or carrier.warnings)
        except (OSError, _carrier_io.CommandError):
            return True

    def _commands(self) -> Dict[str, Callable[[], _host_io.Output]]:
        argvs: Dict[str, List[str]] = {}
        if os.path.isdir("/run/systemd/system"):
            argvs["units"] = ["systemctl", "show", "--property=Id,ActiveState"] + [name + ".service" for name in UNITS]
        nft = _host_io.find_binary("nft")
        if nft:
            argvs["nft"] = [nft, "--json", "list", "ruleset"]
        return {name: partial(_host_io.run, argv, COMMAND_SECONDS) for name, argv in argvs.items()}

    # Ports

    def _listeners(self) -> List[Process]:
        balancing = {port for endpoint in self.endpoints for port in _accessors.ports_of(endpoint)}
        health = {endpoint["haproxy"]["health"]["port"] for endpoint in self.endpoints if endpoint.get("haproxy")}
        exporters = {exporter["port"] for exporter in map(_accessors.exporter_of, self.endpoints) if exporter}
        ports = balancing | health | exporters | {endpoint["apiserver_port"] for endpoint in self.endpoints}
        found: List[Tuple[str, int, str]] = []
        for path in ("/proc/net/tcp", "/proc/net/tcp6"):
            found.extend(_hostfacts.parse_listening_sockets(_cluster_io.read_text(path), ports))
        pids = read_owners({inode for _address, _port, inode in found}) if found else {}
        owners = _process_io.Owners()
        listeners: List[Process] = []
        for address, port, inode in found:
            pid = pids.get(inode)
            program = first_line("/proc/%d/comm" % pid) if pid else None
            owner = owners.owner(pid) if pid else None
            listeners.append(
                {
                    "address": address,
                    "port": port,
                    "pid": pid,
                    "program": program,
                    "unit": owners.unit(pid) if pid else None,
                    "owner": owner,
                    "kubernetes": port in balancing and self._is_apiserver(program, owner, address, port),
                }
            )
        return listeners

    def _is_apiserver(self, program: Optional[str], owner: Optional[str], address: str, port: int) -> bool:
        if program in ("haproxy", "nginx", "envoy"):
            return False  # what they pass on to an API server would answer
        if program == "kube-apiserver" and owner == "static_pod":
            return True
        return _host_io.https_get(reachable(address), port, "/readyz", TLS_SECONDS).status in API_STATUS

    def _certificates(self) -> Dict[str, Dict[str, Names]]:
        found = {}
        for endpoint in self.endpoints:
            names, errors = _cluster_io.read_certificates(endpoint, self.host, TLS_SECONDS)
            self.errors.update({"certificate of %s" % name: error for name, error in errors.items()})
            if names:
                found[endpoint["name"]] = names
        return found

    # Static pods

    def _static_pods(self) -> Optional[StaticPods]:
        mine = [endpoint for endpoint, _instance, _member in self.members if endpoint["mode"] == "static_pod"]
        if not mine:
            return None
        images = mine[0]["images"] or {}
        return {
            "kubelet": cast("StaticPodKubelet", _process_io.find_kubelet()),
            "foreign_manifests": {
                role: _process_io.foreign_manifests(mine[0]["manifest_dir"] or "", role) for role in _paths.ROLES
            },
            "missing_images": missing_images(
                {role: image["image"] for role, image in images.items() if image["pull_policy"] == "Never"}
            ),
        }

    # Who manages the network

    def _network_managers(self, indices: Mapping[str, int], active: Set[str]) -> Dict[str, Managers]:
        managers: Dict[str, Managers] = {}
        for interface in self.interfaces:
            if interface not in indices:
                continue
            managers[interface] = {
                "networkd": self.read("networkd", partial(read_networkd, indices[interface]), None)
                if "systemd-networkd" in active
                else None,
                "networkmanager": self.read("networkmanager", partial(read_networkmanager, indices[interface]), None)
                if "NetworkManager" in active
                else None,
            }
        return managers

    # The packet filter

    def _firewall(self, said: Mapping[str, _host_io.Output], active: Set[str]) -> Firewall:
        manager = firewall_manager(active)
        ruleset = self.read("firewall", partial(read_ruleset, self._output(said, "nft")), None)
        result: Firewall = {"manager": manager, "readable": ruleset is not None, "vrrp": [], "clients": []}
        if ruleset is None:
            return result
        if ruleset.filters and not manager:
            result["manager"] = "nftables"
        for endpoint, instance, member in self.members:
            for direction, other in self._conversations(endpoint, instance, member):
                mine = member["address"]
                # Any address of the prefix stands for it.
                theirs = other.partition("/")[0]
                source, destination = (theirs, mine) if direction == _netfilter.IN else (mine, other)
                if direction == _netfilter.IN and endpoint["transport"] == "multicast":
                    destination = MULTICAST[instance["family"]]
                verdict = ruleset.judge(
                    _netfilter.Packet(
                        direction, member["interface"], _netfilter.VRRP, source, destination, family=instance["family"]
                    )
                )
                result["vrrp"].append(
                    {
                        "endpoint": endpoint["name"],
                        "direction": direction,
                        "interface": member["interface"],
                        "address": other,
                        "outcome": verdict.outcome,
                        "where": verdict.where,
                    }
                )
            for vip in instance["vips"]:
                verdict = ruleset.judge(
                    _netfilter.Packet(
                        _netfilter.IN,
                        member["interface"],
                        _netfilter.TCP,
                        None,
                        vip["address"],
                        endpoint["port"],
                        family=instance["family"],
                    )
                )
                result["clients"].append(
                    {
                        "endpoint": endpoint["name"],
                        "interface": member["interface"],
                        "address": vip["address"],
                        "port": endpoint["port"],
                        "outcome": verdict.outcome,
                        "where": verdict.where,
                    }
                )
        return result

    @staticmethod
    def _conversations(
        endpoint: Endpoint, instance: Instance, member: Member
    ) -> Iterator[Tuple[str, str]]:
        for peer in _filter.sources(endpoint, instance, member):
            yield _netfilter.IN, peer
            if endpoint["transport"] == "unicast":
                yield _netfilter.OUT, peer
        if endpoint["transport"] == "multicast":
            yield _netfilter.OUT, MULTICAST[instance["family"]]

    # The kernel

    def _our_sysctls(self) -> List[str]:
        return list(
            dict.fromkeys(
                "net/%s/ip_nonlocal_bind" % bind["family"]
                for endpoint in self.endpoints
                if endpoint["haproxy"]["nonlocal_bind"]
                for bind in endpoint["haproxy"]["binds"]
            )
        )

    def _sysctl_names(self, addressed: Iterable[str]) -> List[str]:
        interfaces = {member["interface"] for dummy, instance, member in self.members if instance["family"] == "ipv4"}
        names = ["net/ipv4/conf/%s/rp_filter" % name for name in ["all", *sorted(interfaces)]]
        names += ["net/ipv4/conf/%s/arp_ignore" % name for name in ["all", *sorted(addressed)]]
        return names + self._our_sysctls() + ["net/ipv4/ip_local_port_range", "net/ipv4/ip_local_reserved_ports"]

    def _output(self, said: Mapping[str, _host_io.Output], name: str) -> str:
        if name not in said:
            return ""
        output = said[name]
        if output.error or output.code:
            self.errors[name] = output.error or output.text.strip()[:300]
            return ""
        return output.text


def read_owners(inodes: Set[str]) -> Dict[str, int]:
    """Processes by the sockets that they have."""
    owners: Dict[str, int] = {}
    for pid in _process_io.pids():
        try:
            descriptors = os.listdir("/proc/%d/fd" % pid)
        except OSError:
            continue  # ended in between
        for descriptor in descriptors:
            try:
                target = os.readlink("/proc/%d/fd/%s" % (pid, descriptor))
            except OSError:
                continue
            if target.startswith("socket:[") and target[8:-1] in inodes:
                owners.setdefault(target[8:-1], pid)
        if len(owners) == len(inodes):
            break
    return owners


def loads(daemon: str) -> List[str]:
    """What the service that runs loads besides the file that is ours, or is to be."""
    process = _process_io.find_service(daemon)
    return [path for path in _processes.loaded_files(process.argv if process else []) if path != CONFIG[daemon]]


def options_of(programs: List[Program]) -> Mapping[str, str]:
    """The running kubelet's."""
    return next((item["options"] for item in programs if item["name"] in _components.KUBELETS), {})


def missing_images(images: Mapping[str, str]) -> List[str]:
    """Of {daemon: image} those that containerd doesn't have; none where it can't be asked."""
    ctr = _host_io.find_binary("ctr") if images else None
    if ctr is None:
        return []
    output = _host_io.run([ctr, "--namespace", "k8s.io", "images", "list", "--quiet"], COMMAND_SECONDS)
    if output.code != 0:
        return []
    present = set(output.text.split())
    return [daemon for daemon, image in images.items() if _podstate.canonical_image(image) not in present]


def read_networkd(index: int) -> Optional[Networkd]:
    state = _netconfig.link_state(_cluster_io.read_text(_netconfig.LINK_STATE % index))
    path = _netconfig.network_file(state)
    if path is None:
        return None
    listings = [(folder, _host_io.list_folder(folder)) for folder in _netconfig.drop_in_folders(path)]
    paths = [path] + _netconfig.drop_ins_in_order(listings)
    value = _netconfig.keep_configuration([_cluster_io.read_text(name) for name in paths])
    return {"file": path, "keep_configuration": value, "keeps": _netconfig.keeps_foreign(value)}


def read_networkmanager(index: int) -> Optional[Dict[str, Any]]:
    connection = _netconfig.nm_connection(_cluster_io.read_text(_netconfig.NM_STATE % index))
    if connection is None:
        return None
    folder = _netconfig.NM_CONNECTIONS
    devices = [_cluster_io.read_text(os.path.join(folder, name)) for name in _host_io.list_folder(folder)]
    external = {_netconfig.nm_external(text) for text in devices}
    return None if connection in external else {"connection": connection}


def firewall_manager(active: Set[str]) -> Optional[str]:
    if "firewalld" in active:
        return "firewalld"
    if "ufw" in active and _netconfig.ufw_enabled(_cluster_io.read_text(_netconfig.UFW_CONFIG)):
        return "ufw"
    return None


def read_ruleset(text: str) -> Optional[_netfilter.Ruleset]:
    """Around the JSON, nft may warn of tables that are iptables'."""
    begin = text.find("{")
    return None if begin < 0 else _netfilter.Ruleset(json.JSONDecoder().raw_decode(text, begin)[0])


def default_routes() -> Routes:
    found = _hostfacts.parse_default_routes(*map(_cluster_io.read_text, ("/proc/net/route", "/proc/net/ipv6_route")))
    return {"ipv4": found["ipv4"], "ipv6": found["ipv6"]}


def sysctl(path: str) -> Sysctl:
    value = _host_io.read_file("/proc/sys/" + path)
    return {
        "value": None if value is None else value.decode().strip(),
        "writable": os.access("/proc/sys/" + path, os.W_OK),
    }


def later_sysctl_files(names: List[str]) -> Dict[str, List[str]]:
    """Files that are read after ours and set what ours sets."""
    found: Dict[str, List[str]] = {}
    ours = os.path.basename(_paths.SYSCTL_FILE)
    for path in _hostfacts.sysctl_files(_host_io.list_folder) if names else ():
        if os.path.basename(path) <= ours:
            continue
        settings = _hostfacts.parse_sysctls(_cluster_io.read_text(path))
        for setting in names:
            if settings.get(setting.replace("/", ".")) == "0":
                found.setdefault(setting, []).append(path)
    return found


def host_names() -> List[str]:
    mine = {socket.gethostname(), socket.gethostname().split(".")[0]}
    found = []
    for line in _cluster_io.read_text("/etc/hosts").splitlines():
        words = line.partition("#")[0].split()
        if mine & set(words[1:]):
            found.append(words[0])
    return found


def reachable(address: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)


def first_line(path: str) -> Optional[str]:
    return next(iter(_cluster_io.read_text(path).splitlines()), None)


if __name__ == "__main__":
    main()
