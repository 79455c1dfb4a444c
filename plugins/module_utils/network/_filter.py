# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A packet filter that keeps strangers' VRRP packets away from keepalived. Pure: plan and host in, rules for nft out.

It drops packets of our virtual routers that don't come from a member, and nothing else: other virtual routers on the
interface may be another daemon's. It never lets anything in that another table drops.

The chain is one of prerouting before connection tracking. One of ingress would be a little cheaper, but it belongs to a
device: it can't be loaded before the device is there, and is gone when the device is made anew.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Dict, Iterable, List, Mapping, NamedTuple, Sequence, Tuple

from ..host import _sandbox
from ..model import _paths

if TYPE_CHECKING:
    from ..model._model import Endpoint, Instance, Member

# An IPv6 advert to the group comes from the sender's link-local address (RFC 9568, 5.1.2.2), which no plan knows.
LINK_LOCAL = "fe80::/10"
TABLE = "kubeha"
FILE = "/etc/kubeha/filter.nft"
UNIT_FILE = _paths.FILTER_UNIT
# Reassembly, which connection tracking brings along, has -400, and connection tracking itself -200.
_PRIORITY = -310
_ADDRESS_OF = {"ipv4": "ip", "ipv6": "ip6"}
_WORD = re.compile(r"[^\s,{}]+")


class Router(NamedTuple):
    """A virtual router on one interface. Others use its number for routers of their own on other interfaces."""

    interface: str
    family: str
    vrid: int

    def __str__(self) -> str:
        return "%s %s %d" % self


# The members that each is heard from, this host left out.
Peers = Dict[Router, Tuple[str, ...]]


def peers(endpoints: Iterable[Endpoint], host: str) -> Peers:
    """What a plan says of the host's virtual routers."""
    found: Peers = {}
    for endpoint in endpoints:
        for instance in endpoint["instances"]:
            for member in instance["members"]:
                if member["host"] == host:
                    router = Router(member["interface"], instance["family"], instance["virtual_router_id"])
                    found[router] = _together(found.get(router, ()), sources(endpoint, instance, member))
    return found


def sources(endpoint: Endpoint, instance: Instance, member: Member) -> List[str]:
    """Whom a member hears from: addresses of its peers, and a prefix where the plan doesn't tell all of them."""
    unknown = endpoint.get("transport") == "multicast" and instance["family"] == "ipv6" and member["peers"]
    return [*member["peers"], *([LINK_LOCAL] if unknown else [])]


def widened(planned: Peers, former: Mapping[str, Sequence[str]]) -> Peers:
    """The planned routers, with peers that they had. `former` has the routers' names, and may come from a file."""
    return {router: _together(known, [text for text in former.get(str(router), ()) if _is_address(text, router.family)])
            for router, known in planned.items()}


def noted(known: Peers) -> Dict[str, List[str]]:
    """As `widened` reads it."""
    return {str(router): list(addresses) for router, addresses in sorted(known.items())}


def rules(known: Peers) -> str:
    """What `nft -f` reads. It replaces the whole table in one transaction: no packet sees half of it."""
    lines = [
        "# " + _paths.HEADER,
        "add table inet " + TABLE,
        "delete table inet " + TABLE,
        "table inet %s {" % TABLE,
        "\tchain vrrp {",
        "\t\ttype filter hook prerouting priority %d; policy accept;" % _PRIORITY,
    ]
    for router, addresses in sorted(known.items()):
        source = "meta nfproto " + router.family
        if addresses:
            source = "%s saddr != { %s }" % (_ADDRESS_OF[router.family], ", ".join(addresses))
        # The second byte of a VRRP packet is its virtual router ID. nft 0.9.8 (Debian 11) can't list a rule, nor a
        # ruleset with it, that names this byte after the protocol: it aborts.
        words = (router.interface, router.vrid, source)
        lines.append('\t\tiifname "%s" @th,8,8 %d %s meta l4proto 112 drop' % words)
    return "\n".join([*lines, "\t}", "}", ""])


def unit(nft: str) -> str:
    """The service that loads it at boot, and again whenever nftables.service has emptied the whole ruleset."""
    load = "%s -f %s" % (nft, FILE)
    return "\n".join([
        "# " + _paths.HEADER,
        "[Unit]",
        "Description=Drop VRRP packets of this host's virtual routers that no member has sent",
        "DefaultDependencies=no",
        "Conflicts=shutdown.target",
        "Wants=network-pre.target",
        "After=local-fs.target nftables.service",
        "PartOf=nftables.service",
        "ReloadPropagatedFrom=nftables.service",
        "Before=network-pre.target keepalived.service shutdown.target",
        "",
        "[Service]",
        "Type=oneshot",
        "RemainAfterExit=yes",
        "ExecStart=" + load,
        "ExecReload=" + load,
        "ExecStop=-%s delete table inet %s" % (nft, TABLE),
        *_sandbox.helper(["CAP_NET_ADMIN"], ["AF_NETLINK"]),
        "",
        "[Install]",
        "WantedBy=multi-user.target",
        "",
    ])


def normal(listing: str) -> List[List[str]]:
    """What `nft list table` says, whatever the order in which it lists the elements of a set."""
    return [sorted(_WORD.findall(line)) for line in listing.splitlines() if _WORD.search(line)]


def _together(*lists: Iterable[str]) -> Tuple[str, ...]:
    return tuple(sorted({address for addresses in lists for address in addresses}))


def _is_address(text: object, family: str) -> bool:
    if text == LINK_LOCAL:
        return family == "ipv6"
    try:
        return isinstance(text, str) and "%" not in text and "ipv%d" % ipaddress.ip_address(text).version == family
    except ValueError:
        return False
