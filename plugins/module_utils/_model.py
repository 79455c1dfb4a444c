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

    address: str
    prefix: int                         # of the subnet that it's in


class EndpointVip(Vip):
    """One virtual IP of an endpoint."""

    family: str                         # ipv4 or ipv6


class Timing(TypedDict):
    """VRRP's timing, as all instances of the endpoint have it."""

    profile: str                        # the name of the profile that it begins with
    advert_interval: float
    down_timer_adverts: Optional[int]   # null where the oldest keepalived lacks it


class Member(TypedDict):
    """A balancer's part in an instance."""

    host: str
    state: str                          # MASTER or BACKUP, with which keepalived starts
    priority: int
    interface: str
    address: str                        # VRRP is sent from it
    prefix: int
    peers: List[str]                    # addresses of the other members


class Instance(TypedDict):
    """One virtual router: the endpoint's VIPs of one family."""

    name: str                           # of the endpoint, and the family
    family: str                         # ipv4 or ipv6
    virtual_router_id: int
    vrrp_version: int                   # 2 with `auth: pass`, else 3
    advert_interval: float
    down_timer_adverts: Optional[int]   # null where the oldest keepalived lacks it
    vips: List[Vip]
    members: List[Member]               # in the order of the balancers


class Check(TypedDict):
    """A check that keepalived runs. One without weight makes a FAULT when it fails; another one costs priority."""

    name: str
    kind: str                           # local: HAProxy lives; apiservers: one of them is up
    weight: int
    interval: float
    timeout: float
    fall: int
    rise: int
    hangs: NotRequired[int]             # of kind local: so many time-outs in a row count as one failure


class Bind(TypedDict):
    """An address that HAProxy listens on."""

    address: str                        # `*`, or a VIP where endpoints share a port
    port: int
    family: str                         # ipv4 or ipv6


class Health(TypedDict):
    """Where HAProxy answers keepalived's checks."""

    address: str
    port: int
    live_path: str
    ready_path: str


class ServerCheck(TypedDict):
    """How HAProxy checks an API server."""

    kind: str                           # https or tcp
    path: Optional[str]                 # null with tcp
    accept: List[int]                   # HTTP's status codes


class HAProxy(TypedDict):
    """HAProxy's part of the endpoint."""

    binds: List[Bind]
    nonlocal_bind: bool                 # whether it binds VIPs that the host doesn't hold
    health: Health
    maxconn: int                        # 2 x 8 x endpoint_nodes where that is more than 8192
    maxconn_per_source: int             # half of it
    check: ServerCheck
    inter_ms: int
    fastinter_ms: int
    downinter_ms: int
    check_timeout_ms: int
    fall: int
    rise: int
    slowstart_ms: int
    connect_timeout_ms: int
    queue_timeout_ms: int
    client_timeout_ms: int
    server_timeout_ms: int
    tunnel_timeout_ms: int
    client_fin_ms: int
    server_fin_ms: int
    hard_stop_after: float


class Backend(TypedDict):
    """An API server."""

    name: str                           # of its host
    address: str
    port: int


class Former(TypedDict):
    """Deployed, not written any more, and still served: `vips` and `binds` have them too."""

    vips: List[str]
    ports: List[int]


class Image(TypedDict):
    """The container image of a static pod."""

    image: str
    pull_policy: str
    user: int


class Endpoint(TypedDict):
    """All that was decided about one endpoint."""

    name: str
    mode: str                           # service or static_pod
    port: int                           # that clients use
    apiserver_port: int
    stacked: bool                       # whether an API server runs on one of the balancers
    dns_name: Optional[str]
    control_plane_endpoint: str         # what kubeadm is told
    vips: List[EndpointVip]
    failback: bool
    failback_delay: float
    holder_bonus: int                   # priority of who holds: more than all differences without failback, else 0
    settle_weight: int                  # of who doesn't hold and whose HAProxy is healthy for less than failback_delay
    transport: str                      # unicast or multicast
    auth: str                           # none, pass or hmac; the secret itself is never in the plan
    sync_group: Optional[str]           # its name where the endpoint has two instances
    timing: Timing
    versions: Dict[str, str]            # by daemon: the oldest among the balancers, or the floor
    instances: List[Instance]
    checks: List[Check]                 # in this order
    haproxy: HAProxy
    backends: List[Backend]
    manage_firewall: bool
    manage_network: bool
    adopt: bool
    accept_findings: List[str]          # codes
    former: Former
    manifest_dir: Optional[str]         # this and `images` only in mode static_pod
    images: Optional[Dict[str, Image]]  # by daemon
    image_auth: List[str]               # registries that want a password; never the password


class Plan(TypedDict):
    """What `compute_plan` returns. Hosts store their endpoints of it; `_planfile` reads that again."""

    schema: int
    warnings: NotRequired[List[str]]    # aren't stored
    endpoints: List[Endpoint]
