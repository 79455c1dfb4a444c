# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What hosts are observed to do, as types. `endpoint_info` and `endpoint_preflight_info` make it, `_observation` of the
controller brings what came over the wire into this shape, mypy holds all that reads it to these keys, and `./dev
generate` writes docs/observation.md from the comments here.

This is for type checkers only: import it under TYPE_CHECKING.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Optional, TypedDict

if TYPE_CHECKING:
    # Python 3.11. Annotations aren't evaluated, so that older ones run this too.
    from typing import NotRequired

    from ._model import Plan


class Link(TypedDict):
    """A network interface."""

    name: str                           # the kernel's
    index: int                          # the same
    up: bool                            # administratively
    carrier: Optional[bool]             # null where the kernel doesn't say
    mtu: Optional[int]                  # in bytes
    mac: NotRequired[str]               # only endpoint_info tells
    kind: NotRequired[str]              # the same


class Network(TypedDict):
    """An address that others can reach."""

    interface: str                      # that has it
    address: str                        # without its prefix
    prefix: int                         # of its subnet
    family: str                         # ipv4 or ipv6
    scope: str                          # the kernel's word
    flags: List[str]                    # the same
    vip: bool                           # whether it's a planned VIP, or a deployed one


class Package(TypedDict):
    """HAProxy or keepalived as the operating system has it."""

    path: Optional[str]                 # of the program
    installed: Optional[str]            # version of what is installed, by its own words
    candidate: Optional[str]            # version that would be installed


class Deployed(TypedDict):
    """The plans that are stored on the host."""

    plan: Optional[Plan]                # stored last
    speaks: Optional[Plan]              # keepalived's, where it's another one
    error: Optional[str]                # why one of them can't be read
    newer: bool                         # whether a later version of the collection wrote it
    unsure: bool                        # whether nobody knows which plan keepalived has


class Daemon(TypedDict):
    """HAProxy or keepalived as systemd or its static pod runs it. Times are seconds before now."""

    exists: Optional[bool]              # whether there is a unit or a manifest; null where nobody looked
    active: str                         # systemd's word, or active and inactive
    sub: str                            # systemd's word, or running and dead
    enabled: bool                       # whether it's started at boot
    masked: NotRequired[bool]           # of a service: whether systemd refuses to start it
    main_pid: Optional[int]             # as the host counts
    restarts: int                       # by systemd
    active_for: Optional[float]         # null where it isn't active
    changed_for: Optional[float]        # since its state changed
    version: NotRequired[Optional[str]]  # of a static pod: what the daemon says of itself
    image: NotRequired[Optional[str]]   # of a static pod: what the manifest names


class Server(TypedDict):
    """An API server as HAProxy sees it."""

    name: str                           # of its host
    address: str                        # with its port
    status: str                         # HAProxy's word
    check_status: Optional[str]         # of the last check, HAProxy's word
    check_code: Optional[int]           # of the last check, HTTP's
    last_chk: Optional[str]             # of the last check, in words
    sessions: Optional[int]             # at the moment
    changed_for: Optional[int]          # seconds since the status changed


class Frontend(TypedDict):
    """HAProxy's clients of one endpoint."""

    status: str                         # HAProxy's word
    sessions: Optional[int]             # at the moment
    most: Optional[int]                 # sessions that it takes
    refused: Optional[int]              # connections, since it started


class HAProxy(TypedDict):
    """What HAProxy says on its stats socket. Keys that may be missing are there only where it answers."""

    hung: bool                          # whether it takes connections and doesn't answer
    error: Optional[str]                # what failed
    version: NotRequired[Optional[str]]  # of the process
    uptime_s: NotRequired[Optional[int]]  # seconds since it started
    pid: NotRequired[Optional[int]]     # of its worker
    description: NotRequired[Optional[str]]  # by which its configuration is known
    stopping: NotRequired[bool]         # whether it only ends what it has
    sessions: NotRequired[Optional[int]]  # at the moment
    frontends: NotRequired[Dict[str, Frontend]]  # by endpoint
    backends: NotRequired[Dict[str, List[Server]]]  # by endpoint


class Instance(TypedDict):
    """A virtual router as keepalived has it."""

    state: Optional[str]                # master, backup, fault or init
    virtual_router_id: Optional[int]    # 1 to 255
    priority: Optional[int]             # configured
    effective_priority: Optional[int]   # after all checks
    master_priority: NotRequired[Optional[int]]  # of the last advert that it took
    last_transition: NotRequired[Optional[float]]  # when its state changed, in seconds since 1970
    rejected: NotRequired[Dict[str, int]]  # packets since it started, by reason


class Holder(TypedDict):
    """What keepalived's notify script has noted."""

    holds: bool                         # whether the instance was told to hold
    age: float                          # of the note, in seconds


class Keepalived(TypedDict):
    """What keepalived notes, and what it says when it's asked."""

    holders: Dict[str, Holder]          # by instance or sync group
    instances: Dict[str, Instance]      # by name; empty where it wasn't asked
    rejects: NotRequired[Dict[str, Dict[str, int]]]  # by instance and reason, while the host listened
    hung: bool                          # whether it was asked and didn't answer
    can_dump: bool                      # false where it was built without the means to tell
    error: Optional[str]                # what failed


class StaticPodKubelet(TypedDict, total=False):
    """Whether there's a kubelet that starts static pods; empty where nobody has to know."""

    installed: bool                     # whether there is a kubelet
    running: bool                       # with a configuration, which it has from kubeadm
    pid: Optional[int]                  # of its process
    static_pod_path: Optional[str]      # from where it starts static pods


class Kubelet(TypedDict, total=False):
    """The kubelet; empty where there is none."""

    running: bool                       # whether it runs
    name: str                           # of the program
    options: Dict[str, str]             # those that name addresses


class Node(TypedDict, total=False):
    """This host as the cluster has it; empty where nobody could tell."""

    name: str                           # of the node
    addresses: List[str]                # all of its addresses


class Names(TypedDict):
    """Whom a certificate is for."""

    dns: List[str]                      # names
    ip: List[str]                       # addresses


class Lease(TypedDict, total=False):
    """A run has stopped keepalived for a change; empty where none has."""

    run: str                            # its name
    since: float                        # seconds ago
    left: float                         # seconds until keepalived starts again by itself
    phase: str                          # silent or speaking
    why: str                            # it hasn't started again yet


class Drain(TypedDict):
    """Whether this host ranks below all others."""

    drained: bool                       # because somebody wants it left alone
    moving: bool                        # because a run restarts something


class Listener(TypedDict):
    """A socket that listens on a port of the plan."""

    address: str                        # of the socket
    port: int                           # the same


class Attempt(TypedDict):
    """A connection to a VIP from this host."""

    endpoint: str                       # its name
    address: str                        # of the VIP
    port: int                           # that clients use
    local: bool                         # whether this host holds the VIP
    source: NotRequired[Optional[str]]  # address from which it connected
    tcp: str                            # ok, refused, timeout, unreachable or error
    http_status: Optional[int]          # of the answer to the health check's request
    millis: float                       # until then
    error: Optional[str]                # what failed


class Address(TypedDict):
    """An address of an interface."""

    interface: str                      # that has it
    address: str                        # without its prefix
    prefix: int                         # of its subnet


class Process(TypedDict):
    """Who listens on a port of the plan."""

    address: str                        # of the socket
    port: int                           # the same
    pid: Optional[int]                  # null where it can't be known, as all that follows
    program: Optional[str]              # its name
    unit: Optional[str]                 # of systemd, or the pod
    owner: Optional[str]                # haproxy or keepalived of ours, or static_pod
    kubernetes: bool                    # whether it answers as an API server does


class Networkd(TypedDict):
    """systemd-networkd's configuration of an interface."""

    file: str                           # that configures it
    keep_configuration: Optional[str]   # its setting KeepConfiguration
    keeps: bool                         # whether it leaves addresses alone that aren't its own


class Managers(TypedDict):
    """What configures an interface."""

    networkd: Optional[Networkd]        # null where it doesn't
    networkmanager: Optional[Dict[str, Any]]  # the same


class Verdict(TypedDict):
    """What becomes of packets in the packet filter."""

    endpoint: str                       # whose packets
    interface: str                      # that they pass
    address: str                        # the peer, or the VIP
    outcome: str                        # accept, drop or unknown
    where: str                          # the chain that drops


class VRRPVerdict(Verdict):
    """The same of VRRP."""

    direction: str                      # in or out


class ClientVerdict(Verdict):
    """The same of clients."""

    port: int                           # that they connect to


class Firewall(TypedDict):
    """The packet filter, as far as its rules tell."""

    manager: Optional[str]              # firewalld, ufw or nftables
    readable: bool                      # whether nft shows its rules
    vrrp: List[VRRPVerdict]             # for each peer and direction
    clients: List[ClientVerdict]        # for each VIP


class Routes(TypedDict):
    """Interfaces of the default routes with the lowest metric."""

    ipv4: List[str]                     # of this family
    ipv6: List[str]                     # the same


class Sysctl(TypedDict):
    """A setting of the kernel."""

    value: Optional[str]                # null where there's none
    writable: bool                      # whether we may set it


class Program(TypedDict):
    """A program of Kubernetes, or of VRRP, that runs here."""

    name: str                           # the program's
    pid: int                            # its process
    unit: Optional[str]                 # of systemd, or the pod
    owner: Optional[str]                # haproxy or keepalived of ours, or static_pod
    options: Dict[str, str]             # those that name addresses


class StaticPods(TypedDict):
    """What concerns static pods."""

    kubelet: StaticPodKubelet           # that starts them
    foreign_manifests: Dict[str, List[str]]  # of somebody else's that run the same daemons, by daemon
    missing_images: List[str]           # daemons whose image isn't there


class FormerMember(TypedDict):
    """A host that balanced an endpoint by the stored plan, and doesn't by the new one."""

    host: str                           # its name
    endpoint: str                       # the endpoint's
    address: str                        # where it balanced
    port: int                           # that only its HAProxy listens on


class LookedAt(TypedDict):
    """What a host shows before anything is changed."""

    interfaces: List[Link]              # all
    addresses: List[Address]            # all but the loopback interface's
    listeners: List[Process]            # on ports of the plan
    network_managers: Dict[str, Managers]  # by planned interface
    firewall: Firewall                  # what it does to VRRP and clients
    default_routes: Routes              # those in use
    sysctls: Dict[str, Sysctl]          # that matter to the plan, by path
    sysctl_files: Dict[str, List[str]]  # that set what ours sets, and are read later
    programs: List[Program]             # that may take the VIP for their own
    loads: Dict[str, List[str]]         # what a service loads besides our file, by daemon
    kubelet: Dict[str, str]             # options in its files
    node: Node                          # the host as the cluster has it
    static_pods: Optional[StaticPods]   # null where none are planned
    host_names: List[str]               # addresses of the host's own name in /etc/hosts
    certificates: Dict[str, Dict[str, Names]]  # of API servers, by endpoint and host
    former: List[FormerMember]          # that still serve
    manage: bool                        # whether endpoint_network has something to do here
    unwritable: List[str]               # folders that a run has to write into, and not even root can
    errors: Dict[str, str]              # parts that couldn't be read, and why


class Preflight(LookedAt):
    """What `endpoint_preflight_info` returns."""

    wire: Dict[str, Any]                # what endpoint_wire returns, where it was asked
    at: Optional[float]                 # what the clock said at the end, in seconds since 1970
    elapsed: Optional[float]            # for how many seconds the module had run then
    clock: NotRequired[Any]             # between what the clock lies; the action plugin adds it


class Lasting(TypedDict):
    """What doesn't change while the host is observed."""

    os: Dict[str, Any]                  # what the host runs
    users: Dict[str, bool]              # which of the daemons' users exist
    selinux_booleans: Dict[str, bool]   # where SELinux is enforcing
    packages: Dict[str, Package]        # by daemon
    deployed: Deployed                  # plans that are stored here
    files: Dict[str, str]               # SHA-256 of ours, by path
    config_owner: Dict[str, str]        # ours, package_default, foreign or absent, by path
    notes_lost: List[str]               # files that say what is ours here, and don't any more


class Seen(TypedDict):
    """What the host does at a moment."""

    interfaces: List[Link]              # all
    identity: Dict[str, Any]            # by which two names of one machine are found
    networks: List[Network]             # addresses
    holds: List[str]                    # VIPs that are on its interfaces
    held_for: Dict[str, float]          # seconds, by VIP
    services: Dict[str, Daemon]         # as systemd sees them, by daemon
    pods: Dict[str, Daemon]             # as static pods, by daemon; empty where nobody planned any
    static_pod_kubelet: StaticPodKubelet  # that starts them
    watchdog: Optional[bool]            # whether kubeha-watchdog runs; nothing where systemd couldn't be asked
    gives_way: Optional[str]            # the member that doesn't hear this host, which ranks below it for that
    running: Dict[str, Optional[str]]   # SHA-256 of the configuration that each daemon has loaded
    reload_pending: Dict[str, bool]     # whether an active daemon has loaded another one than the one that is there
    restart_pending: Dict[str, bool]    # whether it was started before its program, drop-in or manifest was replaced
    haproxy: HAProxy                    # its own words
    keepalived: Keepalived              # its own words
    haproxy_ignored: List[str]          # configuration that others have put beside HAProxy's
    drain: Drain                        # whether it ranks below all others
    listening: List[int]                # ports
    listeners: List[Listener]           # the same with addresses
    connect: List[Attempt]              # to each VIP
    apiservers: Dict[str, bool]         # whether something listens on those that HAProxy doesn't see
    certificates: Dict[str, Dict[str, Names]]  # of API servers, by endpoint and host
    kubelet: Kubelet                    # of this host
    node: Node                          # the host as the cluster has it
    lease: Lease                        # of a run that has stopped keepalived
    heard: NotRequired[List[Dict[str, Any]]]  # packets of our virtual routers, where the host listened
    claims: NotRequired[Optional[Dict[str, List[str]]]]  # which members have each VIP, as the network says
    met: NotRequired[bool]              # whether it does what is expected; this and the next two where that is known
    unmet: NotRequired[List[str]]       # what it doesn't do yet
    waited: NotRequired[Optional[float]]  # seconds
    drifted: NotRequired[List[str]]     # files that aren't what the plan makes of them; the controller adds it
    oddities: NotRequired[List[str]]    # what of its words can't be; the controller adds it
    preflight: NotRequired[Preflight]   # what endpoint_preflight_info returned; the controller adds it


class Observation(Lasting, Seen):
    """What `endpoint_info` returns."""

    at: Optional[float]                 # when, in seconds since 1970 by the host's clock
    looked: str                         # when the look began, for the order of events on this host
    errors: Dict[str, str]              # parts that couldn't be read, and why
    unseen: List[str]                   # those that only root can see, where it wasn't root who looked
