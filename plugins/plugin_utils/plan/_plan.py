# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Turn intent into a plan: every value that any file of any host will contain, or all reasons why not."""

from __future__ import annotations

import contextlib
import gc
import itertools
import shlex
import typing as t
from collections import Counter
from collections.abc import Mapping

from ...module_utils.model._paths import PLAN_FILE
from ...module_utils.model._planfile import SCHEMA
from ...module_utils.model._secrets import HIDDEN
from ...module_utils.model._shapes import printable
from ..intent._addresses import FAMILIES, IPV6, Address, Located, require_netaddr, unusable_kind
from ..intent._errors import PlanError, Problems, Where, listed
from ..intent._spec import INTENT_KEYS, Globals, Host, Spec, literal, read_hosts, read_intent
from ..intent._values import safe_host_name
from . import _hmac
from . import _vrid as vrid
from ._features import AUTH_HMAC, FRACTIONAL_SCRIPT_INTERVAL
from ._metrics import check_metrics, plan_metrics
from ._placement import Instance, Topology, find_backends, place
from ._ports import Ports, plan_ports
from ._priorities import Ranks, rank
from ._stored import Stored, deployed_versions, elect, read_stored, served, stays, vote
from ._timing import Timing, fit
from ._union_find import Groups
from ._versions import FLOOR, HAPROXY, KEEPALIVED, Version, complete, image_tag, tag_version, version_text

if t.TYPE_CHECKING:
    from ...module_utils.model import _model as model

__all__ = ["INTENT_KEYS", "SCHEMA", "PlanError", "compute_plan"]

_OWN_FOLDERS = ("/etc/kubeha", "/run/kubeha", "/var/lib/kubeha")
_UNPRIVILEGED = 1024
# Connections of an endpoint: enough for 500 nodes behind one address, of a node's kubelet, proxy, network and what else
# watches. With fewer than 10,000 HAProxy starts where containers may open no more than 20,000 files.
_MAXCONN = 8192
_CONNECTIONS_PER_NODE = 8
MAX_AUTH_PASS = 8  # RFC 2338 section 5.3.10


def compute_plan(
        intent: Mapping[str, t.Any], hosts: Mapping[str, t.Any], deployed: Mapping[str, t.Any]) -> model.Plan:
    """Compute the plan for all endpoints.

    ``intent`` holds the public variables as YAML gave them: those of role endpoint without their prefix, `INTENT_KEYS`
    names them. ``hosts`` holds what is said and known of each host, ``deployed`` the plans that hosts have stored; see
    docs/architecture.md for all three and for the result, which consists of Python's plain types only.

    The same arguments give the same plan. There's no I/O. Time and memory grow linearly with the number of hosts.

    Raises PlanError with every problem found; ImportError where netaddr is missing.
    """
    require_netaddr()
    findings = Problems()
    with _collector_paused():
        endpoints = _plan_endpoints(findings, intent, hosts, deployed)
    if findings.problems:
        raise PlanError(findings.problems)
    return {"schema": SCHEMA, "warnings": findings.warnings, "endpoints": endpoints}


def _plan_endpoints(findings: Problems, intent: t.Any, hosts: t.Any, deployed: t.Any) -> list[model.Endpoint]:
    """The plan's endpoints; what it returns is worth nothing once there are problems."""
    specs, common = read_intent(findings, intent)
    known = read_hosts(findings, hosts, specs)
    stored = read_stored(findings, deployed)

    _check_names(findings, specs)
    _check_members(findings, specs)
    _check_unreadable(findings, specs, stored)
    _check_left(findings, specs, stored)
    _check_auth(findings, specs)
    _check_shared_hosts(findings, specs)
    _check_pods(findings, specs, common)
    vips = _check_vips(findings, specs, known, hosts, stored)
    vips.update(_keep_former_vips(findings, specs, vips, hosts, stored))

    topology = Topology(findings, known, common.settings, stored, vips)
    instances = [place(topology, spec) for spec in specs]
    backends = [find_backends(topology, spec, instances[index]) for index, spec in enumerate(specs)]
    ranks = [_rank(topology, spec) for spec in specs]
    vrids = _assign_vrids(findings, stored, instances)
    versions = _oldest_versions(findings, specs, known, common, stored)
    timings = [_fit_timing(findings, spec, versions[index]) for index, spec in enumerate(specs)]
    ports = plan_ports(findings, specs, common.health_port, stored,
                       common.metrics.port if common.metrics.exporter else None)
    check_metrics(findings, specs, common.metrics, common.health_port, ports)
    metrics = [plan_metrics(findings, common.metrics, *oldest[HAPROXY][:2], str(oldest[HAPROXY]))
               for oldest in versions]
    _check_pod_ports(findings, specs, common, ports)
    _check_connections(findings, common)

    if findings.problems:
        return []
    return [
        _endpoint(_Planned(spec, common, instances[index], backends[index], t.cast(Ranks, ranks[index]), vrids,
                           versions[index], t.cast(Timing, timings[index]), ports[index], metrics[index]))
        for index, spec in enumerate(specs)]


@contextlib.contextmanager
def _collector_paused() -> t.Iterator[None]:
    """Keep the garbage collector from searching, again and again, for cycles that planning doesn't make.

    It would go through all that Ansible holds, too, and make the time grow faster than the number of hosts.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


# Judging values beside each other

def _check_names(findings: Problems, specs: list[Spec]) -> None:
    """Endpoints have names of their own, and none has the name of another one's instance."""
    owners: dict[str, Spec] = {}
    for spec in specs:
        if "name" in spec.refused:
            continue
        for name in (spec.name, *("{0}-{1}".format(spec.name, family) for family in FAMILIES)):
            other = owners.setdefault(name, spec)
            if other is not spec:
                at = Where(findings, spec.variable("name"))
                at.problem("name_duplicate", spec.name, other=other.where.rstrip("."))
                break


def _check_members(findings: Problems, specs: list[Spec]) -> None:
    """Each endpoint has balancers and API servers, each of them once, with names that can be written into files."""
    for spec in specs:
        if not spec.lb_hosts and "lb_hosts" not in spec.written | spec.inherited:
            spec.lb_hosts = spec.apiserver_hosts
        for key, group in (("lb_hosts", "kube_lb or kube_control_plane"), ("apiserver_hosts", "kube_control_plane")):
            at, names = Where(findings, spec.origin(key)), getattr(spec, key)
            if not names and key not in spec.refused:
                at.problem("hosts_missing", group=group)
            unique = list(dict.fromkeys(names))
            if len(unique) < len(names):
                for name, count in Counter(names).items():
                    if count > 1:
                        at.problem("host_duplicate", name)
                setattr(spec, key, unique)
            for name in unique:
                if not safe_host_name(name):
                    at.problem("host_name_unsafe", name)
        if len(spec.lb_hosts) == 1:
            findings.warn("balancer_alone", endpoint=spec.name, host=spec.lb_hosts[0])


def _check_unreadable(findings: Problems, specs: list[Spec], stored: Stored) -> None:
    """Nobody is changed by those who can't tell what it runs. A minority that can't be read is told by the others, and
    is silent until they have changed; of what is newer nobody knows what it means."""
    told: set[str] = set()
    for spec in specs:
        mine = [host for host in stored.unreadable if host in spec.lb_hosts]
        readable = {record.host for record in stored.records(spec)} - set(mine)
        for host in mine:
            found = stored.unreadable[host]
            code = "newer_stored_plan" if found.newer else "bad_stored_plan"
            known = not found.newer and 2 * len(readable) >= len(readable) + len(mine)
            if not known and code not in spec.accept_findings:
                Where(findings, host + ": " + PLAN_FILE).problem(
                    code, None, endpoint=spec.name, reason=found.error, ports=spec.variable("port"),
                    vrid=spec.variable("virtual_router_id"))
            elif host not in told:
                findings.warn("deployed_unreadable", host=host, reason=found.error)
            told.add(host)
    for host, found in stored.unreadable.items():
        if host not in told:
            findings.warn("deployed_unreadable", host=host, reason=found.error)


def _check_left(findings: Problems, specs: list[Spec], stored: Stored) -> None:
    """Nobody who has an endpoint is left out of it: it would go on by itself. Who can't be asked may have it still."""
    for spec in specs:
        records = stored.records(spec)
        asked = {record.host for record in records}
        gone = {host for record in records for host, dummy in record.members} - asked - set(spec.lb_hosts)
        if gone and "lb_hosts" not in spec.refused:
            # A stored plan has named them, and what is advised is run by root.
            names = [host for host in sorted(gone) if safe_host_name(host)]
            findings.warn("member_gone", endpoint=spec.name,
                          hosts=listed(printable(host, 60) for host in sorted(gone)),
                          names=shlex.quote(",".join(names)) if names else "NAME")
        for record in records:
            hosts = {host for host, dummy in record.members}
            if record.host in hosts and record.host not in spec.lb_hosts and "lb_hosts" not in spec.refused:
                Where(findings, spec.origin("lb_hosts")).problem(
                    "member_left", record.host, host=record.host, endpoint=spec.name)


def _check_auth(findings: Problems, specs: list[Spec]) -> None:
    """A password is there where one is needed, and is one that VRRP can carry."""
    for spec in specs:
        at = Where(findings, spec.origin("auth_password"))
        # The role's defaults write "enforce", and it means nothing there.
        if spec.auth != "hmac" and spec.auth_mode != "enforce" and "auth" not in spec.refused:
            Where(findings, spec.origin("auth_mode")).problem("auth_mode_unused", spec.auth_mode, auth=spec.auth)
        if spec.auth == "none":
            if spec.auth_password and "auth_password" in spec.written and "auth" not in spec.refused:
                at.problem("auth_password_unused", HIDDEN)
            continue
        keys = spec.auth_password or []
        if not keys and "auth_password" not in spec.refused:
            at.problem("auth_password_missing", auth=spec.auth)
        if spec.auth == "hmac":
            findings.warn("hmac_untried")
            if spec.auth_mode != "enforce":
                findings.warn("hmac_not_enforced", endpoint=spec.name, mode=spec.auth_mode)
            _check_keys(at, keys)
            continue
        if len(keys) > 1:
            at.problem("auth_password_invalid", HIDDEN, expected="one password with endpoint_auth: pass",
                       more="; VRRP has no room for another", fix="write that one alone")
        elif keys and len(keys[0]) > MAX_AUTH_PASS:
            at.problem("auth_password_invalid", HIDDEN, expected="at most 8 characters with endpoint_auth: pass",
                       more="; VRRP would cut it off", fix="choose one of 8 characters")
        if IPV6 in spec.families:
            Where(findings, spec.origin("auth")).problem("auth_pass_ipv6", spec.auth)


def _check_keys(at: Where, keys: list[str]) -> None:
    """keepalived takes them, and a number tells which is meant."""
    places = [at[index] for index in range(len(keys))] if len(keys) > 1 else [at]
    first: dict[int, int] = {}
    for index, (where, key) in enumerate(zip(places, keys)):
        if not _hmac.KEY.fullmatch(key):
            where.problem("auth_password_invalid", HIDDEN,
                          expected="32 to 64 characters, or hex: and 64 to 128 digits, with endpoint_auth: hmac",
                          more="; with another key keepalived goes on without authentication",
                          fix="make one by `openssl rand -hex 32`, and write hex: before it")
        elif first.setdefault(_hmac.key_id(key), index) != index:
            where.problem("auth_key_twice", HIDDEN, other=first[_hmac.key_id(key)])


def _check_shared_hosts(findings: Problems, specs: list[Spec]) -> None:
    """Endpoints that share a balancer agree on what exists once there."""
    first: dict[str, Spec] = {}
    for spec in specs:
        for host in spec.lb_hosts:
            other = first.setdefault(host, spec)
            if other.mode != spec.mode:
                Where(findings, spec.origin("mode")).problem(
                    "modes_mixed", spec.mode, host=host, other=other.name, mode=other.mode)
                break
            if spec.mode == "static_pod" and other.manifest_dir != spec.manifest_dir:
                Where(findings, spec.origin("manifest_dir")).problem(
                    "manifest_dirs_mixed", spec.manifest_dir, host=host, other=other.name, directory=other.manifest_dir)
                break


def _check_pods(findings: Problems, specs: list[Spec], common: Globals) -> None:
    """Static pods have images that tell what they run, and a folder of the kubelet's."""
    specs = [spec for spec in specs if spec.mode == "static_pod"]
    for spec in specs:
        folder = next((folder for folder in _OWN_FOLDERS if (spec.manifest_dir + "/").startswith(folder + "/")), None)
        if folder:
            Where(findings, spec.origin("manifest_dir")).problem("manifest_dir_taken", spec.manifest_dir, folder=folder)
    for daemon, image in common.images.items() if specs else ():
        variable, reference = daemon + "_image", image.reference
        if reference is None:
            if variable not in common.refused:
                Where(findings, variable).problem("image_unset", daemon=daemon)
            continue
        tag, told = image_tag(reference), tag_version(reference)
        if "@" not in reference and tag in (None, "latest"):
            findings.warn("image_floating", variable=variable, image=reference, what="tag latest" if tag else "no tag")
        if told and complete(told) < FLOOR[daemon] and daemon not in common.versions:
            Where(findings, variable).problem("image_too_old", reference, daemon=daemon, found=".".join(map(str, told)),
                                              needed=version_text(FLOOR[daemon]))


def _check_connections(findings: Problems, common: Globals) -> None:
    limit = common.maxconn_per_source
    if limit and limit > _maxconn(common):
        Where(findings, "haproxy_maxconn_per_source").problem("source_above_maxconn", limit, maxconn=_maxconn(common))


def _check_pod_ports(findings: Problems, specs: list[Spec], common: Globals, ports: list[Ports]) -> None:
    """Whoever isn't root listens on no port below 1024."""
    user = common.images[HAPROXY].user
    pods = [(spec, ports[index].port) for index, spec in enumerate(specs) if spec.mode == "static_pod" and user]
    for spec, port in pods:
        if port < _UNPRIVILEGED and "port" not in spec.refused:
            Where(findings, spec.origin("port")).problem("image_port_privileged", port, user=user)
        for former in spec.former_ports:
            if former < _UNPRIVILEGED:
                Where(findings, spec.origin("release_former")).problem(
                    "former_unusable", "port {0}".format(former), endpoint=spec.name,
                    reason="HAProxy's pod runs as user {0}, which can't listen on it".format(user))
    if pods and common.health_port < _UNPRIVILEGED:
        Where(findings, "haproxy_health_port").problem("image_port_privileged", common.health_port, user=user)


def _check_vips(findings: Problems, specs: list[Spec], known: dict[str, Host], hosts: t.Any,
                stored: Stored) -> dict[Address, str]:
    """Each VIP is one that can move, once. Returns those that can, and the endpoints that they belong to."""
    vips: dict[Address, str] = {}
    for spec in specs:
        at = Where(findings, spec.variable("vip"))
        if not spec.vip and "vip" not in spec.refused:
            at.problem("vip_missing")
        kinds = {vip: unusable_kind(vip.address) for vip in spec.vip}
        for vip, kind in kinds.items():
            if kind:
                at.problem("vip_kind", str(vip), kind=kind)
        spec.vip = [vip for vip in spec.vip if not kinds[vip]]
        for vip in spec.vip:
            if vip.address in vips:
                at.problem("vip_duplicate", str(vip), other=vips[vip.address])
            vips[vip.address] = spec.name
            _check_cluster_networks(at, spec, vip.address)
    owners, called = _owners(vips, known, stored), _called(vips, known, hosts)
    for spec in specs:
        for vip in spec.vip:
            if vip.address in called and called[vip.address] != owners.get(vip.address):
                Where(findings, called[vip.address] + ": ansible_host").problem(
                    "vip_is_ansible_host", str(vip), endpoint=spec.name, host=printable(called[vip.address], 60))
            elif vip.address in owners:
                Where(findings, spec.variable("vip")).problem(
                    "vip_is_host_address", str(vip), host=printable(owners[vip.address], 60))
    # A host's own address goes on being that: else what is right about the host would be called wrong.
    return {address: name for address, name in vips.items() if address not in owners}


def _check_cluster_networks(at: Where, spec: Spec, vip: Address) -> None:
    for key in ("pod_subnets", "service_subnets"):
        for subnet in getattr(spec, key):
            if subnet.holds(vip):
                at.problem("vip_in_cluster_network", str(vip), subnet=subnet, variable=spec.origin(key))


def _keep_former_vips(findings: Problems, specs: list[Spec], vips: t.Container[Address], hosts: t.Any,
                      stored: Stored) -> dict[Address, str]:
    """Deployed VIPs that aren't written any more stay beside the new ones, until somebody lets them go."""
    kept: dict[Address, str] = {}
    for spec in specs:
        former = [vip for vip in served(stored.records(spec)).vips if vip not in vips and vip not in kept]
        if not former or not spec.vip or "vip" in spec.refused:
            continue
        if not stays(findings, spec, former, listed(str(vip) for vip in spec.vip)):
            continue
        for vip, host in _called(former, {}, hosts).items():
            Where(findings, spec.origin("release_former")).problem(
                "former_unusable", str(vip), endpoint=spec.name,
                reason="that is {0}'s own address now".format(printable(host, 60)))
        spec.former_vips = former
        spec.vip = [*spec.vip, *(Located(vip, None) for vip in former)]
        kept.update(dict.fromkeys(former, spec.name))
    return kept


def _owners(vips: t.Container[Address], known: dict[str, Host], stored: Stored) -> dict[Address, str]:
    """VIPs that are a host's own address, and the host: it has no other one there. Who has another just holds it."""
    found: dict[Address, str] = {}
    for name, host in known.items():
        for network in host.networks:
            if network.address in vips and not stored.is_vip(network.address, name) and not any(
                    other.subnet.holds(network.address) and other.address not in vips for other in host.networks):
                found.setdefault(network.address, name)
    return found


def _called(vips: t.Container[Address], known: dict[str, Host], hosts: t.Any) -> dict[Address, str]:
    """VIPs by which the inventory calls a host, and the host."""
    found: dict[Address, str] = {}
    for name, value in hosts.items() if isinstance(hosts, Mapping) else ():
        host = known.get(name) if isinstance(name, str) else None
        own = host.inventory_address if host else literal(value.get("inventory_address")) if isinstance(
            value, Mapping) else None
        if own in vips:
            found.setdefault(t.cast(Address, own), str(name))
    return found


# Computing what isn't written

def _rank(topology: Topology, spec: Spec) -> Ranks | None:
    names = [name for name in spec.lb_hosts if name in topology.hosts]
    if not names or any(topology.refused(spec, name, "priority") for name in names):
        return None
    said = {name: topology.priority_of(spec, name) for name in names}
    explicit = {name: priority for name, priority in said.items() if priority}
    return rank(topology.findings, spec.origin("lb_hosts"), names, explicit, spec.failback)


def _assign_vrids(findings: Problems, stored: Stored, instances: list[list[Instance]]) -> dict[str, int]:
    """Virtual router IDs by instance."""
    claims = [_claim(findings, stored, instance) for group in instances for instance in group]
    return vrid.assign(findings, claims)


def _claim(findings: Problems, stored: Stored, instance: Instance) -> vrid.Claim:
    spec, family = instance.spec, instance.family
    variable = spec.variable("virtual_router_id")
    for other in spec.virtual_router_id:
        if len(spec.virtual_router_id) == 1 and other not in spec.families:
            Where(findings, variable).problem("vrid_family_missing", spec.virtual_router_id, family=other)
    said = vote((record.host, record.vrids[family]) for record in stored.records(spec) if family in record.vrids)
    written = spec.virtual_router_id.get(family)
    deployed = elect(findings, spec, "virtual router ID", said)
    if deployed is None and said.said:
        # What is written is changed to in an order that's safe whatever each of them has.
        deployed = next((vrid for vrid in said.said if vrid != written), None)
        if written is None:
            Where(findings, variable).problem("hosts_disagree", None, what="virtual router ID", said=said,
                                              variable=variable, endpoint=spec.name)
    return vrid.Claim(
        name=instance.name,
        vip=spec.vips(family)[0].address,
        subnet=instance.subnet,
        links=[(member.host, member.interface) for member in instance.members],
        written=written,
        deployed=deployed,
        where=variable,
        pin="{0}" if len(spec.families) == 1 else "{{{{{0}: {{0}}}}}}".format(family))


class _Oldest(t.NamedTuple):
    """The oldest version of a daemon among balancers that belong together, and who has it."""

    version: Version
    host: str
    known: bool = False

    def __str__(self) -> str:
        return version_text(self.version) if self.known else "an unknown one, taken for " + version_text(self.version)


def _oldest_versions(
        findings: Problems, specs: list[Spec], known: dict[str, Host], common: Globals,
        stored: Stored) -> list[dict[str, _Oldest]]:
    """The oldest versions that matter to each endpoint: the hosts' own, the user's word, or what was planned before.

    One process on a host serves all of its endpoints, so endpoints that share balancers, directly or through others,
    are planned for the same versions.
    """
    groups: Groups[str] = Groups()
    for index, spec in enumerate(specs):
        groups.join(index, spec.lb_hosts)
    oldest: dict[tuple[int, str], _Oldest] = {}
    unknown: dict[str, dict[str, None]] = {KEEPALIVED: {}, HAPROXY: {}}
    for index, spec in enumerate(specs):
        before = deployed_versions([record for record in stored.records(spec) if record.mode == spec.mode])
        for host, daemon in itertools.product(spec.lb_hosts, unknown):
            if spec.mode == "static_pod":
                version = _pod_version(daemon, known.get(host), common) or before.get((host, daemon))
            else:
                own = known[host].versions.get(daemon) if host in known else None
                version = own or common.versions.get(daemon) or before.get((host, daemon))
            if version is None:
                unknown[daemon][host] = None
            found = _Oldest(version or FLOOR[daemon], host, version is not None)
            key = groups.of(index), daemon
            oldest[key] = min(oldest.get(key, found), found, key=lambda item: item.version)
    for daemon, hosts in unknown.items():
        if hosts:
            findings.warn("version_unknown", daemon=daemon, hosts=listed(hosts), floor=version_text(FLOOR[daemon]))
    nothing = {daemon: _Oldest(FLOOR[daemon], "no host") for daemon in unknown}
    return [{daemon: oldest.get((groups.of(index), daemon), nothing[daemon]) for daemon in nothing}
            for index in range(len(specs))]


def _pod_version(daemon: str, host: Host | None, common: Globals) -> Version | None:
    """The version in a static pod: as written, as its image's tag tells, or of the pod that runs.

    A tag says more than the pod, which may be of the image before. Where the tag is cut short (2.3), a pod of the same
    series tells the rest.
    """
    told = tag_version(common.images[daemon].reference)
    running = host.pod_versions.get(daemon) if host else None
    if daemon in common.versions or not told:
        return common.versions.get(daemon) or running
    if running and running[:len(told)] == told:
        return running
    return max(complete(told), FLOOR[daemon])


def _fit_timing(findings: Problems, spec: Spec, versions: dict[str, _Oldest]) -> Timing | None:
    keepalived = versions[KEEPALIVED]
    if spec.auth == "hmac" and not AUTH_HMAC.known_to(keepalived.version):
        Where(findings, spec.origin("auth")).problem(
            "auth_needs_version", spec.auth, needed=version_text(AUTH_HMAC.since), host=keepalived.host,
            found=keepalived)
    return fit(Where(findings, spec.origin("timing")), spec.timing, _vrrp_version(spec), keepalived.version,
               keepalived.host, str(keepalived))


def _vrrp_version(spec: Spec) -> int:
    """VRRP version 3 unless a password is sent in the clear, which only version 2 can (RFC 9568 section 9)."""
    return 2 if spec.auth == "pass" else 3


# Writing it down

class _Planned(t.NamedTuple):
    """All that was decided about one endpoint."""

    spec: Spec
    common: Globals
    instances: list[Instance]
    backends: list[tuple[str, Address]]
    ranks: Ranks
    vrids: dict[str, int]
    versions: dict[str, _Oldest]
    timing: Timing
    ports: Ports
    metrics: model.Metrics | None


def _endpoint(planned: _Planned) -> model.Endpoint:
    spec, timing, ranks, port = planned.spec, planned.timing, planned.ranks, planned.ports.port
    instances = {instance.family: instance for instance in planned.instances}
    static_pod = spec.mode == "static_pod"
    endpoint: model.Endpoint = {
        "name": spec.name,
        "mode": spec.mode,
        "port": port,
        "apiserver_port": spec.apiserver_port,
        "stacked": planned.ports.stacked,
        "dns_name": spec.dns_name,
        "control_plane_endpoint": _control_plane_endpoint(spec, port),
        "vips": [{"address": str(address), "prefix": instances[address.family].vip_prefix(address),
                  "family": address.family} for address, dummy in spec.vip],
        "failback": spec.failback,
        "failback_delay": spec.failback_delay,
        "holder_bonus": ranks.bonus,
        "settle_weight": ranks.settle if spec.failback_delay else 0,
        "transport": spec.vrrp_transport,
        "auth": spec.auth,
        "sync_group": spec.name if len(instances) > 1 else None,
        "timing": {"profile": spec.timing.name, "advert_interval": timing.advert_interval,
                   "down_timer_adverts": timing.down_timer_adverts},
        "versions": {daemon: version_text(oldest.version) for daemon, oldest in planned.versions.items()},
        "instances": [_instance(planned, instance) for instance in planned.instances],
        "checks": _checks(planned),
        "haproxy": _haproxy(planned),
        "backends": [{"name": host, "address": str(address), "port": spec.apiserver_port}
                     for host, address in planned.backends],
        "manage_firewall": spec.manage_firewall,
        "manage_network": spec.manage_network,
        "vrrp_filter": spec.vrrp_filter,
        "adopt": spec.adopt,
        "accept_findings": spec.accept_findings,
        "former": {"vips": [str(vip) for vip in spec.former_vips], "ports": spec.former_ports},
        "manifest_dir": spec.manifest_dir if static_pod else None,
        "images": _images(planned.common) if static_pod else None,
        "image_auth": planned.common.image_auth if static_pod else [],
    }
    if planned.metrics:
        endpoint["metrics"] = planned.metrics
    if planned.common.recorder:
        endpoint["recorder"] = True
    if planned.common.watchdog:
        endpoint["watchdog"] = True
    if spec.auth == "hmac":
        endpoint["hmac"] = {
            "mode": spec.auth_mode, "keys": [_hmac.key_id(key) for key in spec.auth_password or ()],
            "time_window": _hmac.time_window(timing.advert_interval)}
    notify = planned.common.notify
    if notify:
        endpoint["notify"] = {"script": notify.script, "user": notify.user}
    return endpoint


def _images(common: Globals) -> dict[str, model.Image]:
    return {daemon: {"image": t.cast(str, image.reference), "pull_policy": image.pull_policy, "user": image.user}
            for daemon, image in common.images.items()}


def _control_plane_endpoint(spec: Spec, port: int) -> str:
    """What kubeadm's --control-plane-endpoint wants."""
    address = spec.vip[0].address
    host = spec.dns_name or ("[{0}]" if address.family == IPV6 else "{0}").format(address)
    return "{0}:{1}".format(host, port)


def _instance(planned: _Planned, instance: Instance) -> model.Instance:
    spec, timing = planned.spec, planned.timing
    addresses = [str(member.address) for member in instance.members]
    preferred = planned.ranks.preferred if spec.failback else None
    return {
        "name": instance.name,
        "family": instance.family,
        "virtual_router_id": planned.vrids[instance.name],
        "vrrp_version": _vrrp_version(spec),
        "advert_interval": timing.advert_interval,
        "down_timer_adverts": timing.down_timer_adverts,
        "vips": [{"address": str(vip.address), "prefix": instance.vip_prefix(vip.address)}
                 for vip in spec.vips(instance.family)],
        "members": [{
            "host": member.host,
            "state": "MASTER" if member.host == preferred else "BACKUP",
            "priority": planned.ranks.priorities[member.host],
            "interface": member.interface,
            "address": addresses[index],
            "prefix": instance.subnet.prefix,
            "peers": addresses[:index] + addresses[index + 1:],
        } for index, member in enumerate(instance.members)],
    }


def _checks(planned: _Planned) -> list[model.Check]:
    """keepalived's checks: without weight, failing is FAULT; with one, it costs priority."""
    name, timing = planned.spec.name, planned.timing
    local: model.Check = {
        "name": name + "-local", "kind": "local", "weight": 0, "interval": timing.local_interval,
        "timeout": timing.local_timeout, "fall": timing.local_fall, "rise": timing.local_rise, "hangs": 1}
    if planned.spec.mode == "static_pod":
        # Nothing else tells of a HAProxy that was killed: one refused connection is enough, and only hangs are tried
        # again.
        quick = 0.5 if FRACTIONAL_SCRIPT_INTERVAL.known_to(planned.versions[KEEPALIVED].version) else 1
        local.update({"interval": min(quick, timing.local_interval), "fall": 1, "hangs": timing.local_fall})
    return [
        local,
        {"name": name + "-apiservers", "kind": "apiservers", "weight": planned.ranks.weight,
         "interval": timing.check_interval, "timeout": timing.check_timeout, "fall": timing.check_fall,
         "rise": timing.check_rise},
    ]


def _haproxy(planned: _Planned) -> model.HAProxy:
    spec, timing = planned.spec, planned.timing
    return {
        **planned.common.haproxy,
        "binds": planned.ports.binds(spec),
        "nonlocal_bind": planned.ports.shared,
        "health": {"address": "127.0.0.1", "port": planned.common.health_port, "live_path": "/livez",
                   "ready_path": "/readyz/" + spec.name},
        "maxconn": _maxconn(planned.common),
        "maxconn_per_source": planned.common.maxconn_per_source or _maxconn(planned.common) // 2,
        "check": _CHECKS[spec.health_check](spec.health_path),
        "inter_ms": _ms(timing.inter),
        "fastinter_ms": _ms(timing.fastinter),
        "downinter_ms": _ms(timing.downinter),
        "check_timeout_ms": _ms(timing.timeout_check),
        "fall": timing.fall,
        "rise": timing.rise,
        "slowstart_ms": _ms(timing.slowstart),
        "connect_timeout_ms": _ms(timing.timeout_connect),
        "queue_timeout_ms": _ms(timing.timeout_queue),
        "client_timeout_ms": _ms(timing.timeout_client),
        "server_timeout_ms": _ms(timing.timeout_server),
        "tunnel_timeout_ms": _ms(timing.timeout_tunnel),
        "client_fin_ms": _ms(timing.timeout_client_fin),
        "server_fin_ms": _ms(timing.timeout_server_fin),
        "hard_stop_after": timing.hard_stop_after,
    }


def _maxconn(common: Globals) -> int:
    """What all nodes may open behind one address has to fit into the half that one source gets."""
    return common.maxconn or max(_MAXCONN, 2 * _CONNECTIONS_PER_NODE * (common.nodes or 0))


_CHECKS: dict[str, t.Callable[[str], model.ServerCheck]] = {
    # 401 is what a healthy API server says where anonymous requests are off (--anonymous-auth=false).
    "https": lambda path: {"kind": "https", "path": path, "accept": [200, 401]},
    "https_strict": lambda path: {"kind": "https", "path": path, "accept": [200]},
    "tcp": lambda path: {"kind": "tcp", "path": None, "accept": []},
}


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
