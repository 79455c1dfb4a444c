# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Variables that are nearly ours: what is misspelt has no effect, and nothing else would say so.

Other roles have variables that begin like ours (haproxy_exporter_port), so only these count as meant for us: the same
letters, whatever the underscores; the same words in another order; a word of the field for one of our variables; and
at most two slips of a finger, one in a short name, two in the part before the first underscore.
"""

from __future__ import annotations

import typing as t

PREFIXES = ("endpoint", "haproxy", "keepalived")
_SHORT = 6

# What others call it, after endpoint_.
_ALIASES = {
    "vip": "ip ips vips vip_address vip_addresses virtual_ip virtual_ips virtual_address virtual_ipaddress floating_ip",
    "virtual_router_id": "vrid vr_id router_id virtual_router vrrp_id vrrp_vrid",
    "auth_password": "auth_pass password pass vrrp_password vrrp_pass auth_secret",
    "auth": "auth_type authentication",
    "interface": "iface nic device vrrp_interface vip_interface",
    "failback": "preempt nopreempt no_preempt preemption",
    "failback_delay": "preempt_delay",
    "vrrp_transport": "transport unicast multicast",
    "timing": "advert_int advert_interval vrrp_interval",
    "lb_hosts": "lb balancers lb_group lb_nodes load_balancers nodes members",
    "apiserver_hosts": "apiservers masters backends api_hosts control_plane_hosts",
    "apiserver_port": "api_port backend_port src_port",
    "port": "dest_port frontend_port bind_port vip_port listen_port",
    "dns_name": "dns fqdn hostname domain",
    "manifest_dir": "manifests_dir manifest_path static_pod_path",
}
_MEANT = {word: key for key, words in _ALIASES.items() for word in words.split()}


def alias(key: str, known: t.Collection[str]) -> str | None:
    """The key, without endpoint_, that a word of the field stands for."""
    return _MEANT[key] if _MEANT.get(key) in known else None


def meant(name: str, known: t.Collection[str]) -> str | None:
    """Which of our variables somebody meant who wrote another name; None where it's somebody else's, or right."""
    head, _underscore, tail = name.partition("_")
    if name in known or not head or len(name) > 60:
        return None
    if head in PREFIXES and tail in known:  # endpoint_endpoint_vip
        return tail
    squeezed = _squeezed(name)
    same = next((choice for choice in sorted(known) if _squeezed(choice) == squeezed), None)
    if same is not None or not tail:
        return same
    prefix = min(PREFIXES, key=lambda choice: distance(head.lower(), choice))
    slips = distance(head.lower(), prefix)
    if slips > 2:
        return None
    if prefix == "endpoint" and tail in _MEANT:
        return "endpoint_" + _MEANT[tail]
    found = []
    for choice in sorted(known):
        ours, _underscore, wanted = choice.partition("_")
        if ours != prefix:
            continue
        if sorted(wanted.split("_")) == sorted(tail.split("_")):
            return choice
        allowed = 1 if min(len(tail), len(wanted)) < _SHORT or slips else 2
        length = abs(len(tail) - len(wanted))
        if length <= allowed:
            found += [(apart, choice) for apart in [distance(tail, wanted)] if apart <= allowed]
    return min(found)[1] if found else None


def distance(one: str, other: str) -> int:
    """Slips between two words: letters that are missing, too many, wrong, or exchanged with their neighbour."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        two_before, before, row = before, row, [i]
        for j, wanted in enumerate(other, 1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                best = min(best, two_before[j - 2] + 1)
            row.append(best)
    return row[-1]


def _squeezed(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
