# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""What becomes of each thing that was written: kept, changed for a reason, or not carried over. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

from ..intent._errors import listed
from ..plan._versions import FLOOR, version_text
from ._outcome import Balancer, Outcome, in_pods, usable_image
from ._setup import Instance, Listener
from ._text import Place

if t.TYPE_CHECKING:
    from ...module_utils.model._model import Endpoint, Plan

KEPT, CHANGED, LOST = "kept", "changed", "not carried over"


class Row(t.NamedTuple):
    """One thing, as it was and as it will be."""

    verdict: str
    what: str
    old: str
    new: str
    places: tuple[Place, ...]


class _Fact(t.NamedTuple):
    """The same of one host."""

    verdict: str
    what: str
    old: str
    new: str
    place: Place


def rows_of(found: Outcome, plan: Plan | None) -> list[Row]:
    """Rows in the order of hosts and files; what hosts have in common is one row."""
    endpoint = plan["endpoints"][0] if plan else None
    order = [setup.host for setup in found.setups]
    balancers = sorted(found.balancers, key=lambda item: order.index(item.host))
    facts = [fact for balancer in balancers for fact in _facts(found, balancer, endpoint)]
    together: dict[tuple[str, str, str, str], list[Place]] = {}
    for fact in facts:
        together.setdefault(fact[:4], []).append(fact.place)
    return [Row(*key, tuple(dict.fromkeys(places))) for key, places in together.items()]


def _facts(found: Outcome, balancer: Balancer, endpoint: Endpoint | None) -> Iterator[_Fact]:
    for instance in balancer.instances:
        yield from _vrrp(found, balancer, instance, endpoint)
    listener = balancer.listener
    if listener:
        yield from _haproxy(found, listener, endpoint)
    else:
        place = balancer.instances[0].place
        yield _Fact(CHANGED, "balancing", "none on %s: its own API server answers" % balancer.host,
                    "HAProxy spreads connections to all API servers", place)
    for remark in balancer.setup.remarks:
        yield _Fact(LOST, "besides", remark.written, remark.meaning, remark.place)
    yield from _mode(balancer)


def _vrrp(found: Outcome, balancer: Balancer, instance: Instance, endpoint: Endpoint | None) -> Iterator[_Fact]:
    for vip in instance.vips:
        yield _Fact(KEPT, "virtual IP", str(vip.located), "endpoint_vip", vip.place)
    if instance.speaker == "kube-vip":
        yield _Fact(CHANGED, "who holds it", "kube-vip, by the lease %s" % instance.name,
                    "keepalived, by VRRP: it needs no API server to fail over", instance.place)
        yield _Fact(CHANGED, "vip_leaseduration", "%g s, until a lost holder is missed" % instance.lease,
                    _timing(endpoint), instance.at("vip_leaseduration"))
    elif instance.router_id is not None:
        yield _Fact(KEPT, "virtual router ID", str(instance.router_id), "endpoint_virtual_router_id",
                    instance.at("virtual_router_id"))
    if instance.interface:
        yield _Fact(KEPT, "interface", instance.interface, "endpoint_interface of each host",
                    instance.at("interface"))
    if instance.speaker != "keepalived":
        return
    yield _priority(found, balancer, instance, endpoint)
    yield _Fact(CHANGED, "advert_int", "%g s%s, a lost holder is missed after %.1f s" % (
        instance.advert, "" if "advert_int" in instance.places else " (usual)", silence(instance)),
        _timing(endpoint), instance.at("advert_int"))
    if instance.version == 2:
        yield _Fact(CHANGED, "VRRP", "version 2", "version 3, for parts of a second and IPv6",
                    instance.at("version"))
    if not instance.peers:
        yield _Fact(CHANGED, "transport", "multicast", "unicast; endpoint_vrrp_transport: multicast keeps it",
                    instance.place)
    else:
        yield _Fact(KEPT, "transport", "unicast_peer", "unicast", instance.at("unicast_peer"))
    if instance.auth != "none":
        yield _Fact(LOST, "authentication", "auth_type %s" % instance.auth,
                    "none: VRRPv2's password goes over the wire in clear text. endpoint_auth: pass and "
                    "endpoint_auth_password keep it, with whole seconds; packets of strangers are dropped either way",
                    instance.at("auth_type"))
    if instance.nopreempt:
        yield _Fact(KEPT, "failback", "nopreempt", "endpoint_failback: false", instance.at("nopreempt"))
    if instance.preempt_delay:
        yield _Fact(KEPT, "failback", "preempt_delay %g" % instance.preempt_delay, "endpoint_failback_delay",
                    instance.at("preempt_delay"))
    if instance.vmac:
        yield _Fact(LOST, "use_vmac", "a MAC address of VRRP's", "the interface's own; neighbours are told when the "
                    "VIP moves", instance.at("use_vmac"))
    for check in instance.checks:
        yield _Fact(CHANGED, "track_script %s" % check.name, "every %g s, fall %d, rise %d, weight %d" % (
            check.interval, check.fall, check.rise, check.weight), _checks(endpoint), check.place)
    if not instance.checks:
        yield _Fact(CHANGED, "track_script", "none: a host without HAProxy keeps the VIP", _checks(endpoint),
                    instance.place)
    if instance.sync_group:
        yield _Fact(KEPT, "vrrp_sync_group", instance.sync_group, "both families fail over together", instance.place)


def _priority(found: Outcome, balancer: Balancer, instance: Instance, endpoint: Endpoint | None) -> _Fact:
    planned = {member["host"]: member["priority"] for item in (endpoint["instances"] if endpoint else [])
               if item["family"] == instance.family for member in item["members"]}
    same = [item.host for item in found.balancers if item.priority[0] == balancer.priority[0]]
    new = "%d" % planned[balancer.host] if balancer.host in planned else "by the order of endpoint_lb_hosts"
    if len(same) > 1:
        new += "; equal ones leave the next one to chance"
    return _Fact(CHANGED, "priority of %s" % balancer.host, "%s %d" % (instance.state, instance.priority), new,
                 instance.at("priority"))


def _timing(endpoint: Endpoint | None) -> str:
    if endpoint is None:
        return "endpoint_timing"
    timing = endpoint["timing"]
    return "%g s, after %.1f s (endpoint_timing: %s)" % (
        timing["advert_interval"], timing["advert_interval"] * (timing["down_timer_adverts"] or 3), timing["profile"])


def _checks(endpoint: Endpoint | None) -> str:
    if endpoint is None:
        return "checks of the plan"
    return "; ".join("%s: every %g s, fall %d, %s" % (
        {"local": "HAProxy", "apiservers": "API servers"}.get(check["kind"], check["kind"]), check["interval"],
        check["fall"], "weight %d" % check["weight"] if check["weight"] else "FAULT") for check in endpoint["checks"])


def _haproxy(found: Outcome, listener: Listener, endpoint: Endpoint | None) -> Iterator[_Fact]:
    port = found.variables["endpoint_port"]
    place = listener.bind
    if port in listener.ports:
        yield _Fact(KEPT, "port", str(port), "endpoint_port", place)
    else:
        yield _Fact(LOST, "port", listed([str(item) for item in listener.ports]),
                    "%d: API servers on the same hosts listen on the old one. Tell clients of the new port: "
                    "docs/kubeadm.md" % port, place)
    if listener.program != "haproxy":
        names = {"lvs": "keepalived's virtual_server (LVS)", "nginx": "nginx, as kube-lb or l4lb",
                 "kube-vip": "lb_enable: %s" % listener.balance[0] if listener.balance else "none"}
        yield _Fact(CHANGED, "balancing", names[listener.program], "HAProxy, which asks API servers whether they are "
                    "ready; they see its address instead of the client's",
                    listener.balance[1] if listener.balance else place)
    if listener.addresses:
        yield _Fact(CHANGED, "bind", listed(list(listener.addresses)), "every address of the host", place)
    for server in listener.servers:
        name = found.servers.get(str(server.place))
        if name:
            yield _Fact(KEPT, "API server", "%s %s:%d" % (server.name, server.address, server.port),
                        "%s, endpoint_apiserver_hosts" % name, server.place)
        else:
            yield _Fact(LOST, "API server", "%s %s:%d" % (server.name, server.address, server.port),
                        "no host of the inventory has this address or name: add it", server.place)
    if listener.program != "haproxy":
        return
    yield _health(listener, endpoint)
    if listener.balance:
        kept = listener.balance[0] == (endpoint["haproxy"]["balance"] if endpoint else listener.balance[0])
        yield _Fact(KEPT if kept else LOST, "balance", listener.balance[0], "haproxy_balance" if kept else
                    endpoint["haproxy"]["balance"] if endpoint else "", listener.balance[1])
    if listener.maxconn:
        kept = "haproxy_maxconn" in found.variables
        yield _Fact(KEPT if kept else LOST, "maxconn", str(listener.maxconn[0]),
                    "haproxy_maxconn" if kept else "what endpoint_nodes needs", listener.maxconn[1])
    if endpoint:
        settings = endpoint["haproxy"]
        new = {"connect": settings["connect_timeout_ms"], "client": settings["client_timeout_ms"],
               "server": settings["server_timeout_ms"], "tunnel": settings["tunnel_timeout_ms"],
               "check": settings["check_timeout_ms"], "queue": settings["queue_timeout_ms"]}
        for name, (value, where) in listener.timeouts.items():
            yield _Fact(CHANGED, "timeout %s" % name, "%g s" % value, "%g s" % (new[name] / 1000), where)


def _health(listener: Listener, endpoint: Endpoint | None) -> _Fact:
    old = {"http": "httpchk %s" % listener.path, "tls": "ssl-hello-chk", "tcp": "tcp-check: a connection",
           "none": "none"}
    place = listener.check_place or listener.place
    check = endpoint["haproxy"]["check"] if endpoint else None
    new = "HTTPS %s" % check["path"] if check and check["path"] else "HTTPS /readyz"
    if listener.path and check and listener.path == check["path"]:
        return _Fact(KEPT, "check of API servers", old[listener.check], new, place)
    return _Fact(CHANGED, "check of API servers", old[listener.check], "%s: up when it says that it's ready" % new,
                 place)


def _mode(balancer: Balancer) -> Iterator[_Fact]:
    pods = balancer.setup.pods & {"keepalived", "haproxy", "kube-vip"}
    place = balancer.instances[0].place
    if in_pods(balancer):
        yield _Fact(KEPT, "runs as", "static pods", "endpoint_mode: static_pod", place)
        for role, (image, where) in balancer.setup.images.items():
            if usable_image(role, image):
                yield _Fact(KEPT, "image of %s" % role, image, "%s_image" % role, where)
            elif role in FLOOR:
                yield _Fact(LOST, "image of %s" % role, image, "%s must be %s or newer. For keepalived, build "
                            "images/keepalived/Containerfile of this collection, and write %s_image" % (
                                role, version_text(FLOOR[role]), role), where)
    elif pods:
        yield _Fact(CHANGED, "runs as", "%s as a static pod, the rest as services" % listed(sorted(pods)),
                    "services; endpoint_mode: static_pod makes both pods", balancer.setup.images[min(pods)][1])
    for unit, active in sorted(balancer.setup.units.items()):
        if not active:
            yield _Fact(CHANGED, unit, "not running", "started", place)


def silence(instance: Instance) -> float:
    """For how long a holder that vanished isn't missed: RFC 9568 section 6.1, RFC 3768 section 6.1."""
    return 3 * instance.advert + skew(instance)


def skew(instance: Instance) -> float:
    """What a backup waits longer than others: RFC 3768 counts it in seconds, RFC 9568 in intervals."""
    share = (256 - instance.priority) / 256
    return share * (instance.advert if instance.version == 3 else 1.0)
