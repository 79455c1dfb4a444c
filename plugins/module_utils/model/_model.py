# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The plan as types. `compute_plan` makes it, mypy holds all that reads it to these keys, and `./dev generate` writes
docs/plan.md from the comments here.

Units are seconds unless a key ends in `_ms`. This is for type checkers only: import it under TYPE_CHECKING.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, List, Optional, TypedDict

if TYPE_CHECKING:
    # Python 3.11. Annotations aren't evaluated, so that older ones run this too.
    from typing import NotRequired


class Vip(TypedDict):
    """One virtual IP of an instance."""

    address: str                        # of the VIP, without its prefix
    prefix: int                         # of the subnet that it's in


class EndpointVip(Vip):
    """One virtual IP of an endpoint."""

    family: str                         # ipv4 or ipv6


class Timing(TypedDict):
    """VRRP's timing, as all instances of the endpoint have it."""

    profile: str                        # the name of the profile that it begins with
    advert_interval: float              # VRRP's interval between adverts
    down_timer_adverts: Optional[int]   # null where the oldest keepalived lacks it


class Member(TypedDict):
    """A balancer's part in an instance."""

    host: str                           # its name in the inventory
    state: str                          # MASTER or BACKUP, with which keepalived starts
    priority: int                       # VRRP's, 1 to 254
    interface: str                      # that has the VIP and speaks VRRP
    address: str                        # VRRP is sent from it
    prefix: int                         # of the subnet that both are in
    peers: List[str]                    # addresses of the other members


class Instance(TypedDict):
    """One virtual router: the endpoint's VIPs of one family."""

    name: str                           # of the endpoint, and the family
    family: str                         # ipv4 or ipv6
    virtual_router_id: int              # 1 to 255, of its own in the subnet
    vrrp_version: int                   # 2 with `auth: pass`, else 3
    advert_interval: float              # as in the endpoint's timing
    down_timer_adverts: Optional[int]   # null where the oldest keepalived lacks it
    vips: List[Vip]                     # all of this family
    members: List[Member]               # in the order of the balancers


class Check(TypedDict):
    """A check that keepalived runs. One without weight makes a FAULT when it fails; another one costs priority."""

    name: str                           # of the endpoint, and the kind
    kind: str                           # local: HAProxy lives; apiservers: one of them is up
    weight: int                         # added to the priority when it fails
    interval: float                     # between two of its runs
    timeout: float                      # after which a run has failed
    fall: int                           # failures in a row until it has failed
    rise: int                           # successes in a row until it's well again
    hangs: NotRequired[int]             # of kind local: so many time-outs in a row count as one failure


class Bind(TypedDict):
    """An address that HAProxy listens on."""

    address: str                        # `*`, or a VIP where endpoints share a port
    port: int                           # that clients use, or a former one
    family: str                         # ipv4 or ipv6


class Health(TypedDict):
    """Where HAProxy answers keepalived's checks."""

    address: str                        # a local one
    port: int                           # one for all endpoints of a host
    live_path: str                      # 200 where HAProxy lives
    ready_path: str                     # 200 where it has an API server that is up, else 503


class ServerCheck(TypedDict):
    """How HAProxy checks an API server."""

    kind: str                           # https or tcp
    path: Optional[str]                 # null with tcp
    accept: List[int]                   # HTTP's status codes


class HAProxyLog(TypedDict):
    """Which connections HAProxy logs, and where."""

    connections: str                    # none, errors, all or a share such as 1/100
    target: Optional[str]               # ADDRESS:PORT of a syslog server; null for the journal or the pod's log


class HAProxySettings(TypedDict):
    """What haproxy.cfg has as the variables haproxy_... say it."""

    balance: str                        # which server gets a new connection, in HAProxy's word
    log: NotRequired[HAProxyLog]        # where it isn't all connections, in the usual place


class HAProxy(HAProxySettings):
    """HAProxy's part of the endpoint."""

    binds: List[Bind]                   # what it listens on
    nonlocal_bind: bool                 # whether it binds VIPs that the host doesn't hold
    health: Health                      # what keepalived's checks ask
    maxconn: int                        # 2 x 8 x endpoint_nodes where that is more than 8192
    maxconn_per_source: int             # half of it
    check: ServerCheck                  # how it tells which API servers are up
    inter_ms: int                       # between two checks of a server
    fastinter_ms: int                   # the same while a server comes or goes
    downinter_ms: int                   # the same of a server that is down
    check_timeout_ms: int               # for a check's answer
    fall: int                           # failed checks in a row until a server is down
    rise: int                           # good ones in a row until it's up
    slowstart_ms: int                   # in which a server that has come up gets its full share
    connect_timeout_ms: int             # to connect to a server
    queue_timeout_ms: int               # for a connection that waits for a server
    client_timeout_ms: int              # of silence of a client
    server_timeout_ms: int              # of silence of a server
    tunnel_timeout_ms: int              # of silence in a stream: kubectl exec, logs -f, watches
    client_fin_ms: int                  # of a connection that the client has half closed
    server_fin_ms: int                  # the same of the server
    hard_stop_after: float              # for how long connections outlive a reload


class Backend(TypedDict):
    """An API server."""

    name: str                           # of its host
    address: str                        # where HAProxy connects to
    port: int                           # the same


class Former(TypedDict):
    """Deployed, not written any more, and still served: `vips` and `binds` have them too."""

    vips: List[str]                     # addresses
    ports: List[int]                    # that clients used


class Image(TypedDict):
    """The container image of a static pod."""

    image: str                          # the whole reference
    pull_policy: str                    # the kubelet's word
    user: int                           # user ID that the container runs as


class Exporter(TypedDict):
    """Where HAProxy's metrics are read."""

    address: Optional[str]              # of loopback; null for each balancer's own one
    port: int                           # of that address
    allow: List[str]                    # networks that may ask, beside the host itself


class Metrics(TypedDict):
    """What is written for Prometheus."""

    exporter: Optional[Exporter]        # HAProxy's own
    textfile_dir: Optional[str]         # the folder that node_exporter reads


class Notify(TypedDict):
    """What is run when a state changes."""

    script: str                         # a file on the hosts, or a folder of them
    user: Optional[str]                 # null for one that systemd makes


class Hmac(TypedDict):
    """How keepalived signs adverts, and whom it believes."""

    mode: str                           # receive-only, permissive or enforce, in keepalived's words
    keys: List[int]                     # their IDs, the one that this host sends with first; never the keys
    time_window: int                    # seconds by which a sender's clock may differ from the receiver's


class Endpoint(TypedDict):
    """All that was decided about one endpoint."""

    name: str                           # unique among the endpoints
    mode: str                           # service or static_pod
    port: int                           # that clients use
    apiserver_port: int                 # that API servers listen on
    stacked: bool                       # whether an API server runs on one of the balancers
    dns_name: Optional[str]             # by which clients may call it, too
    control_plane_endpoint: str         # what kubeadm is told
    vips: List[EndpointVip]             # in the order written, former ones last
    failback: bool                      # whether the preferred host takes the VIP back
    failback_delay: float               # for which it has to be healthy before
    holder_bonus: int                   # priority of who holds: more than all differences without failback, else 0
    settle_weight: int                  # of who doesn't hold and whose HAProxy is healthy for less than failback_delay
    transport: str                      # unicast or multicast
    auth: str                           # none, pass or hmac; the secret itself is never in the plan
    sync_group: Optional[str]           # its name where the endpoint has two instances
    timing: Timing                      # of VRRP
    versions: Dict[str, str]            # by daemon: the oldest among the balancers, or the floor
    instances: List[Instance]           # one for each family
    checks: List[Check]                 # in this order
    haproxy: HAProxy                    # its settings
    backends: List[Backend]             # the API servers
    manage_firewall: bool               # whether the packet filter is opened
    manage_network: bool                # whether network managers are told to keep the VIP
    vrrp_filter: bool                   # whether the kernel drops VRRP packets of no member's
    adopt: bool                         # whether somebody else's configuration is taken over
    accept_findings: List[str]          # codes
    former: Former                      # what isn't written any more
    manifest_dir: Optional[str]         # this and `images` only in mode static_pod
    images: Optional[Dict[str, Image]]  # by daemon
    image_auth: List[str]               # registries that want a password; never the password
    metrics: NotRequired[Metrics]       # where any are on
    recorder: NotRequired[bool]         # where each balancer records what happens
    watchdog: NotRequired[bool]         # where a balancer lets go of the VIPs once its keepalived hangs
    notify: NotRequired[Notify]         # where there is a script
    hmac: NotRequired[Hmac]             # where auth is hmac


class Plan(TypedDict):
    """What `compute_plan` returns. Hosts store their endpoints of it; `_planfile` reads that again."""

    schema: int                         # by which a reader knows whether it can read it
    warnings: NotRequired[List[str]]    # aren't stored
    endpoints: List[Endpoint]           # in the order written
