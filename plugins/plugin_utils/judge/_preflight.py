# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What would go wrong, before anything is changed. Pure: a plan and what hosts and network said in, findings out.

A finding names the host, what was seen there, why it matters, and the command or variable that mends it. An endpoint
that runs as planned has none, beside those that are as true of it as they were before.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import replace
from typing import (
    TYPE_CHECKING,
    Any,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
    Union,
)

from ...module_utils.cluster import _certificate, _components
from ...module_utils.model import _accessors, _paths
from ...module_utils.model._planfile import NO_PLAN, deployed_of
from ...module_utils.model._shapes import printable
from ...module_utils.proof._finding import ERROR, INFO, SEVERITIES, WARNING, Finding
from ...module_utils.proof._host_status import NO_DAEMON, address_port
from ..codes import _codes
from ..codes._codes import finding_of
from ..intent._values import safe_host_name
from ..rollout import _waves
from . import _clocks
from ._table import table

if TYPE_CHECKING:
    from ...module_utils.model._model import Endpoint, Instance, Member, Plan
    from ...module_utils.model._observation import Daemon, Observation, Preflight, Process, Program

_WILDCARDS = frozenset(["0.0.0.0", "::"])
_COMPONENTS_THAT_MAY = frozenset(["kube-apiserver"])  # some advertise the VIP on purpose
_MANAGED_FIREWALLS = frozenset(["firewalld", "ufw"])


def preflight_findings(
    plan: Plan, observations: Mapping[str, Observation], wire: Iterable[Finding] = (),
    others: Optional[Mapping[str, Observation]] = None,
) -> List[Dict[str, Any]]:
    """[{code, severity, host, endpoint, seen, why, fix, accepted}], the worst first.

    `observations` are, by host, what `endpoint_info` returned, with what `endpoint_preflight_info` returned under
    "preflight"; members may be missing. `wire` are the network's findings. `others` are what `endpoint_info` returned
    for members that the run leaves out.
    """
    judge = _Judge(plan, observations, others or {})
    return _weighed(judge.findings() + [judge.mended(finding) for finding in wire], plan)


def text(findings: Sequence[Mapping[str, Any]], hosts: int) -> str:
    """All findings of all hosts as people read them: one line for each thing seen, then what to do about each code."""
    counts = [(sum(item["severity"] == severity for item in findings), severity) for severity in SEVERITIES]
    words = {ERROR: "error", WARNING: "warning", INFO: "note"}
    found = ", ".join("%d %s%s" % (count, words[name], "" if count == 1 else "s") for count, name in counts if count)
    title = "Preflight of %d host%s: %s" % (hosts, "" if hosts == 1 else "s", found or "nothing is in the way")
    if not findings:
        return title
    hosts_by_row: Dict[Tuple[str, ...], List[str]] = {}
    advice: Dict[Tuple[str, ...], List[str]] = {}
    for item in findings:
        severity = "accepted" if item.get("accepted") else item["severity"]
        row = (severity.upper(), item["code"], item["endpoint"] or "", item["seen"])
        hosts_by_row.setdefault(row, []).extend([item["host"]] if item["host"] else [])
        fixes = advice.setdefault((item["code"], item["why"]), [])
        if item["fix"] not in fixes:
            fixes.append(item["fix"])
    rows = [
        (severity, code, ", ".join(dict.fromkeys(names)) or endpoint, seen)
        for (severity, code, endpoint, seen), names in hosts_by_row.items()
    ]
    lines = [title, "", table(("", "CODE", "WHERE", "SEEN"), rows), ""]
    for (code, why), fixes in advice.items():
        lines.append("%s: %s." % (code, why))
        lines.extend("    %s" % fix for fix in fixes)
    return "\n".join(lines)


def _weighed(findings: List[Finding], plan: Plan) -> List[Dict[str, Any]]:
    """Without repetition, accepted ones as such, the worst first."""
    accepted = {code: item["name"] for item in plan["endpoints"] for code in item["accept_findings"]}
    for code, name in accepted.items():
        if code not in _codes.ACCEPTABLE:
            findings.append(finding_of("accept_unknown", "endpoint_accept_findings has %s" % code, None, name))
    unique: Dict[Tuple[Any, ...], Dict[str, Any]] = {}
    for found in findings:
        told = {**_codes.told(found), "accepted": found.code in accepted}
        if told["accepted"]:
            told["severity"] = INFO
        unique.setdefault((found.code, found.host, found.endpoint, found.seen), told)
    return sorted(unique.values(), key=lambda told: SEVERITIES.index(told["severity"]))


class _Place(NamedTuple):
    """One endpoint on one host: its instances there, and what was seen."""

    host: str
    endpoint: Endpoint
    members: List[Tuple[Instance, Member]]
    seen: Preflight
    info: Observation

    @property
    def name(self) -> str:
        return str(self.endpoint["name"])

    @property
    def interfaces(self) -> List[str]:
        return list(dict.fromkeys(member["interface"] for _instance, member in self.members))

    @property
    def address(self) -> str:
        return ",".join(dict.fromkeys(member["address"] for _instance, member in self.members))

    @property
    def stored(self) -> List[Endpoint]:
        """The endpoints that are deployed on this host."""
        return (deployed_of(self.info).plan or NO_PLAN)["endpoints"]

    @property
    def deployed(self) -> bool:
        return any(endpoint["name"] == self.name for endpoint in self.stored)

    @property
    def deployed_ports(self) -> List[int]:
        """What the deployed HAProxy listens on, also where the plan that was stored last is gone or can't be read."""
        endpoints = deployed_of(self.info).endpoints
        balancing = [port for endpoint in endpoints for port in _accessors.ports_of(endpoint)]
        exporters = filter(None, map(_accessors.exporter_of, endpoints))
        return balancing + [endpoint["haproxy"]["health"]["port"] for endpoint in endpoints] + [
            exporter["port"] for exporter in exporters]


# Seconds between members' clocks where no advert says when it was sent.
_CLOCK_SLACK = 30


class _Judge:
    def __init__(self, plan: Plan, observations: Mapping[str, Observation], others: Mapping[str, Observation]) -> None:
        self.plan = plan
        self.others = others
        self.vips = {vip["address"] for endpoint in plan["endpoints"] for vip in endpoint["vips"]}
        self.mending: set[str] = set()
        self.places = [
            _Place(host, endpoint, members, info["preflight"], info)
            for endpoint in plan["endpoints"]
            for host, members in _members(endpoint).items()
            if host in observations and "preflight" in observations[host]
            for info in [observations[host]]
        ]

    def findings(self) -> List[Finding]:
        found: List[Finding] = []
        for place in self.places:
            for check in (
                self._interface, self._ports, self._mode, self._daemons, self._takeover, self._static_pods,
                self._network_managers, self._firewall, self._kernel, self._folders, self._own_address,
                self._certificate, self._itself,
            ):  # fmt: skip
                found.extend(check(place))
        return [*found, *self._former_members(), *self._clocks(), *self._mtus(), *self._agreements()]

    def mended(self, finding: Finding) -> Finding:
        """VRRP that a packet filter drops which this run opens is no reason to stop."""
        involved = {finding.host, *re.split(r"[\s,]+", finding.seen)}
        if finding.code == "vrrp_blocked" and involved & self.mending:
            return replace(finding, severity=INFO, seen=finding.seen + "; this run opens the packet filter")
        return finding

    def _former_members(self) -> Iterator[Finding]:
        told = {(item["host"], item["endpoint"]): item for place in self.places for item in place.seen["former"]}
        for item in told.values():
            # A stored plan has named it, and what is advised is run by root.
            host = item["host"] if safe_host_name(item["host"]) else "NAME"
            seen = "%s still serves it at %s, and isn't among its balancers any more" % (
                printable(item["host"], 60), address_port(item["address"], item["port"]))
            yield finding_of("former_member_serves", seen, None, item["endpoint"], former=host)

    def _agreements(self) -> Iterator[Finding]:
        deployed = {place.host: deployed_of(place.info).spoken for place in self.places}
        moved = [place.host for place in self.places for item in place.stored
                 if item["name"] == place.name and item["mode"] != place.endpoint["mode"]]
        known = {**{host: deployed_of(info).spoken for host, info in self.others.items()}, **deployed}
        for code, name, why in _waves.refusals(self.plan, known, dict.fromkeys(deployed, False), moved):
            yield finding_of(code, why, None, name)
        plan = _waves.with_deployed(self.plan, deployed)
        vips = {vip["address"] for endpoint in plan["endpoints"] for vip in endpoint["vips"]}
        seen = {
            place.host: _waves.Seen(
                "change", any(program["name"] == "keepalived" for program in place.seen["programs"]),
                frozenset(item["address"] for item in place.seen["addresses"]) & vips)
            for place in self.places}
        for name, why in _waves.backups_to_stop(plan, deployed, seen).crossed.items():
            yield finding_of(_waves.CROSSED, why, None, name)

    # The interface

    def _interface(self, place: _Place) -> Iterator[Finding]:
        links = {link["name"]: link for link in place.seen["interfaces"]}
        for _instance, member in place.members:
            name = member["interface"]
            link = links.get(name)
            if link is None:
                has = ", ".join(sorted(set(links) - {"lo"})) or "none"
                yield finding_of(
                    "interface_missing", "no interface %s; it has %s" % (name, has), place.host, place.name)
                continue
            if not link["up"]:
                yield finding_of("interface_down", "%s is down" % name, place.host, interface=name)
            elif link["carrier"] is False:
                yield finding_of("interface_no_carrier", "%s has no carrier" % name, place.host, interface=name)
            mine = [item["address"] for item in place.seen["addresses"] if item["interface"] == name]
            if member["address"] not in mine and not place.seen["errors"].get("addresses"):
                own = [address for address in mine if address not in self.vips and not _link_local(address)]
                text_ = "%s hasn't %s; it has %s" % (name, member["address"], ", ".join(own) or "no address")
                yield finding_of("address_missing", text_, place.host, place.name, interface=name)

    def _clocks(self) -> Iterator[Finding]:
        for endpoint in self.plan["endpoints"]:
            said = {place.host: _clocks.read(place.seen.get("clock")) for place in self.places
                    if place.endpoint is endpoint}  # fmt: skip
            clocks = {host: clock for host, clock in said.items() if clock is not None}
            # keepalived drops an advert that is older or newer than its window, and warns from half of it on.
            window = endpoint["hmac"]["time_window"] if "hmac" in endpoint else None
            for item in _clocks.apart(clocks, window / 2 if window else _CLOCK_SLACK):
                seen = "its clock is %.1f s or more %s %s's" % (
                    abs(item.seconds), "ahead of" if item.seconds > 0 else "behind", item.other)  # fmt: skip
                if window and abs(item.seconds) > window:
                    yield finding_of("clock_breaks_hmac", seen, item.host, endpoint["name"])
                else:
                    yield finding_of("clock_differs", seen, item.host, endpoint["name"])

    def _mtus(self) -> Iterator[Finding]:
        by_endpoint: Dict[str, Dict[int, List[str]]] = {}
        for place in self.places:
            mtus = by_endpoint.setdefault(place.name, {})
            for link in place.seen["interfaces"]:
                if link["name"] in place.interfaces and link["mtu"]:
                    mtus.setdefault(link["mtu"], []).append(place.host)
        for name, mtus in by_endpoint.items():
            if len(mtus) > 1:
                said = "; ".join("%d on %s" % (mtu, ", ".join(mtus[mtu])) for mtu in sorted(mtus))
                yield finding_of("mtu_differs", "MTU %s" % said, None, name)

    # Ports and daemons

    def _ports(self, place: _Place) -> Iterator[Finding]:
        endpoint = place.endpoint
        binds = [bind["address"] for bind in endpoint["haproxy"]["binds"]]
        health, exporter = endpoint["haproxy"]["health"], _accessors.exporter_of(endpoint)
        for item in place.seen["listeners"]:
            if _is_ours(item, place):
                continue
            where = "%s listens on %s" % (_process(item), _socket(item["address"], item["port"]))
            if item["port"] in _accessors.ports_of(endpoint) and _overlaps(item["address"], binds):
                if item["kubernetes"]:
                    text_ = "an API server, %s" % where
                    free, moved = _other_ports(item["port"])
                    yield finding_of("apiserver_on_port", text_, place.host, place.name, free=free, moved=moved)
                else:
                    yield finding_of("port_taken", where, place.host, place.name, program=item["program"] or "it")
            if item["port"] == health["port"] and _overlaps(item["address"], [health["address"]]):
                yield finding_of("health_port_taken", where, place.host, program=item["program"] or "it")
            if exporter and item["port"] == exporter["port"] and _overlaps(
                    item["address"], [exporter["address"]] if exporter["address"] else place.address.split(",")):
                yield finding_of("metrics_port_taken", where, place.host, other=item["program"] or "something else")
        yield from self._port_range(place)
        yield from self._apiserver_port(place)

    @staticmethod
    def _port_range(place: _Place) -> Iterator[Finding]:
        limits = _numbers(_sysctl(place, "net/ipv4/ip_local_port_range"))
        reserved = _sysctl(place, "net/ipv4/ip_local_reserved_ports")
        port = place.endpoint["port"]
        if len(limits) == 2 and limits[0] <= port <= limits[1] and not _in_ranges(port, reserved):
            text_ = "port %d is one of %d to %d, which are for outgoing connections" % (port, limits[0], limits[1])
            yield finding_of("port_ephemeral", text_, place.host, place.name)

    @staticmethod
    def _apiserver_port(place: _Place) -> Iterator[Finding]:
        backend = next((item for item in place.endpoint["backends"] if item["name"] == place.host), None)
        for program in place.seen["programs"]:
            said = program["options"].get("secure-port", "6443")
            if backend and program["name"] == "kube-apiserver" and said.isdigit() and int(said) != backend["port"]:
                text_ = "the API server listens on port %s, and %d is planned" % (said, backend["port"])
                yield finding_of("apiserver_port_differs", text_, place.host, place.name, port=said)

    @staticmethod
    def _mode(place: _Place) -> Iterator[Finding]:
        """Daemons of ours that run in the other mode."""
        before = {endpoint["mode"] for endpoint in place.stored}
        wanted = place.endpoint["mode"]
        old = "service" if wanted == "static_pod" else "static_pod"
        daemons = place.info["services"] if old == "service" else place.info["pods"]
        active = sorted(name for name, daemon in daemons.items() if daemon["active"] == "active")
        if old in before and active:
            words = {"service": "as services", "static_pod": "as static pods"}
            text_ = "%s of this collection run here %s" % (" and ".join(active), words[old])
            yield finding_of("mode_changes", text_, place.host, mode=old)

    def _takeover(self, place: _Place) -> Iterator[Finding]:
        """A service is taken over by the rollout. A pod or a container of somebody else's isn't."""
        pods = place.endpoint["mode"] == "static_pod"
        runs = any(program["name"] == "keepalived" and (pods or program["owner"] != "keepalived")
                   for program in place.seen["programs"])
        foreign = any(daemon == "keepalived" for daemon, _path in _foreign(place))
        if not (runs and foreign and place.endpoint["adopt"]) or place.deployed:
            return
        vips = {vip["address"] for vip in place.endpoint["vips"]}
        holders = [other.host for other in self.places if other.name == place.name and not vips.isdisjoint(
            item["address"] for item in other.seen["addresses"])]
        if holders:
            text_ = "somebody else's keepalived runs here, and %s holds a VIP of this endpoint" % ", ".join(holders)
            yield finding_of("takeover_interrupts", text_, place.host)

    def _daemons(self, place: _Place) -> Iterator[Finding]:
        adopted = place.endpoint["adopt"]
        for daemon, path in _foreign(place):
            text_ = "%s was written by somebody else" % path
            text_ += "; this run takes it over and keeps the original" if adopted else ""
            code = "haproxy_foreign" if daemon == "haproxy" else "keepalived_foreign"
            yield finding_of(code, text_, place.host, None, INFO if adopted else None)
        if place.endpoint["mode"] == "service":
            yield from _ignored(place)
            for daemon, service in sorted(place.info["services"].items()):
                if service.get("masked"):
                    yield finding_of("service_masked", "%s.service is masked" % daemon, place.host, daemon=daemon)
        for program in place.seen["programs"]:
            if program["name"] == "kube-vip":
                yield finding_of("kube_vip_running", "kube-vip runs here (process %d)" % program["pid"], place.host)
            elif program["name"] == "keepalived" and not _is_our_keepalived(program, place):
                where = program["unit"] or "no unit of systemd's"
                text_ = "a keepalived of %s runs here (process %d)" % (where, program["pid"])
                yield finding_of("keepalived_other", text_, place.host)

    def _static_pods(self, place: _Place) -> Iterator[Finding]:
        seen = place.seen["static_pods"]
        if place.endpoint["mode"] != "static_pod" or not seen:
            return
        kubelet, wanted = seen["kubelet"], place.endpoint["manifest_dir"] or ""
        if not kubelet["installed"]:
            yield finding_of("kubelet_missing", "no kubelet is installed", place.host)
        elif kubelet["running"] and not kubelet["static_pod_path"]:
            yield finding_of("manifest_dir_unset", "the kubelet has no staticPodPath", place.host, wanted=wanted)
        elif kubelet["running"] and kubelet["static_pod_path"] != wanted.rstrip("/"):
            text_ = "the kubelet reads %s, not %s" % (kubelet["static_pod_path"], wanted)
            yield finding_of("manifest_dir_not_read", text_, place.host, wanted=kubelet["static_pod_path"])
        for daemon in seen["missing_images"]:
            text_ = "the image %s isn't there" % (place.endpoint["images"] or {})[daemon]["image"]
            yield finding_of("image_missing", text_, place.host, variable=daemon)
        ours = any(endpoint["mode"] == "service" for endpoint in place.stored)
        for daemon, service in sorted(place.info["services"].items()):
            if service["active"] == "active" and not ours:
                text_ = "%s.service of somebody else is active" % daemon
                yield finding_of("service_in_the_way", text_, place.host, daemon=daemon)

    # What takes the VIP or packets away

    def _network_managers(self, place: _Place) -> Iterator[Finding]:
        for interface in place.interfaces:
            managers = place.seen["network_managers"].get(interface)
            if managers is None:
                continue
            networkd = managers["networkd"]
            if networkd and not networkd["keeps"]:
                managed = place.endpoint.get("manage_network")
                value = networkd["keep_configuration"]
                text_ = "networkd configures %s by %s, KeepConfiguration is %s" % (
                    interface,
                    networkd["file"],
                    value or "not set",
                )
                text_ += "; this run sets it" if managed else ""
                yield finding_of(
                    "networkd_drops_vip", text_, place.host, None, INFO if managed else None, file=networkd["file"])
            if managers["networkmanager"]:
                text_ = "NetworkManager configures %s" % interface
                yield finding_of("networkmanager_drops_vip", text_, place.host)

    def _firewall(self, place: _Place) -> Iterator[Finding]:
        firewall = place.seen["firewall"]
        manager = firewall["manager"]
        mends = bool(place.endpoint.get("manage_firewall")) and manager in _MANAGED_FIREWALLS
        if manager and not firewall["readable"]:
            text_ = "%s is active, and there is no nft to read its rules" % manager
            yield finding_of("firewall_unclear", text_, place.host)
        vrrp = [item for item in firewall["vrrp"] if item["endpoint"] == place.name]
        clients = [item for item in firewall["clients"] if item["endpoint"] == place.name]
        suffix = "; this run opens it" if mends else ""
        for direction, words in (("in", "from"), ("out", "to")):
            dropped = [item for item in vrrp if item["direction"] == direction and item["outcome"] == "drop"]
            if dropped:
                self.mending |= {place.host} if mends else set()
                peers = list(dict.fromkeys(item["address"] for item in dropped))
                text_ = "%s drops VRRP %s %s (%s)" % (
                    manager or "the packet filter",
                    words,
                    ", ".join(peers),
                    dropped[0]["where"],
                )
                yield finding_of(
                    "firewall_drops_vrrp", text_ + suffix, place.host, place.name, INFO if mends else None,
                    command=_open_vrrp(manager, direction, dropped[0]["where"], peers))
        for item in clients:
            if item["outcome"] == "drop":
                where = _socket(item["address"], item["port"])
                text_ = "%s drops new connections to %s (%s)" % (manager or "the packet filter", where, item["where"])
                yield finding_of(
                    "firewall_drops_clients", text_ + suffix, place.host, place.name, INFO if mends else None,
                    command=_open_port(manager, item["where"], item["port"]))
        unclear = [item["where"] for item in vrrp + clients if item["outcome"] == "unknown"]
        if unclear:
            text_ = "whether %s lets VRRP and clients in depends on %s" % (
                manager or "the packet filter",
                ", ".join(dict.fromkeys(unclear)),
            )
            yield finding_of("firewall_unclear", text_, place.host)

    def _kernel(self, place: _Place) -> Iterator[Finding]:
        routes = place.seen["default_routes"]["ipv4"]
        for instance, member in place.members:
            interface = member["interface"]
            filters = [_sysctl(place, "net/ipv4/conf/%s/rp_filter" % name) for name in ("all", interface)]
            # The larger of the two counts, and 2 is "loose".
            strict = max((int(value) for value in filters if value.isdigit()), default=0) == 1
            if instance["family"] == "ipv4" and strict and routes and interface not in routes:
                text_ = "rp_filter is strict on %s, and the default route leaves by %s" % (interface, ", ".join(routes))
                yield finding_of("rp_filter_strict", text_, place.host, interface=interface)
            for other in _neighbours(place, member) if instance["family"] == "ipv4" else ():
                values = [_sysctl(place, "net/ipv4/conf/%s/arp_ignore" % name) for name in ("all", other)]
                if max((int(value) for value in values if value.isdigit()), default=1) == 0:
                    text_ = "%s has an address in the subnet of %s as well, and arp_ignore is 0 there" % (
                        other, interface)
                    yield finding_of("arp_flux", text_, place.host, other=other)
        if not place.endpoint["haproxy"]["nonlocal_bind"]:
            return
        for path, setting in sorted(place.seen["sysctls"].items()):
            if path.endswith("ip_nonlocal_bind") and setting["value"] != "1" and not setting["writable"]:
                name = path.replace("/", ".")
                text_ = "%s is %s and can't be written" % (name, setting["value"])
                yield finding_of("nonlocal_bind_readonly", text_, place.host, setting=name)
        for path, files in sorted(place.seen["sysctl_files"].items()):
            name = path.replace("/", ".")
            text_ = "%s sets %s = 0 after ours sets 1" % (", ".join(files), name)
            yield finding_of("nonlocal_bind_overridden", text_, place.host, command=_comment_out(name, files))

    def _folders(self, place: _Place) -> Iterator[Finding]:
        if place.seen["unwritable"]:
            text_ = "not even root can write into %s" % ", ".join(place.seen["unwritable"])
            yield finding_of("folder_read_only", text_, place.host)

    # Who takes the VIP for its own

    def _own_address(self, place: _Place) -> Iterator[Finding]:
        taken = [vip for vip in place.seen["host_names"] if vip in self.vips]
        if taken:
            text_ = "/etc/hosts has %s for the host's own name" % ", ".join(taken)
            yield finding_of("hostname_is_vip", text_, place.host)
        running = {program["name"] for program in place.seen["programs"]}
        for program in place.seen["programs"]:
            yield from self._program(place, program)
        if "kubelet" not in running and place.seen["kubelet"]:
            stopped: Program = {
                "name": "kubelet", "options": place.seen["kubelet"], "pid": 0, "unit": None, "owner": None}
            yield from self._program(place, stopped, False)

    def _program(self, place: _Place, program: Program, running: bool = True) -> Iterator[Finding]:
        name, options = program["name"], program["options"]
        if name in _components.KUBELETS:
            trouble = _components.node_ip_trouble(name, options, running, place.seen["node"], self.vips)
            if trouble:
                yield finding_of(trouble[0], trouble[1], place.host, address=place.address)
        elif name == "calico-node":
            method = options.get("IP_AUTODETECTION_METHOD", "first-found")
            if options.get("IP", "autodetect") == "autodetect" and method == "first-found":
                text_ = "calico-node runs with autodetection first-found"
                yield finding_of("calico_may_take_vip", text_, place.host)
            elif options.get("IP", "").partition("/")[0] in self.vips:
                yield finding_of(
                    "component_uses_vip", "calico-node has IP=%s" % options["IP"], place.host, address=place.address)
        for option, value in sorted(options.items()):
            taken = self.vips.intersection(_hosts_named(value)) if option != "node-ip" else set()
            if taken and option != "IP":
                text_ = "%s has --%s=%s" % (name, option, value)
                severity = WARNING if name in _COMPONENTS_THAT_MAY else None
                yield finding_of("component_uses_vip", text_, place.host, None, severity, address=place.address)

    # Clients, and this check

    @staticmethod
    def _certificate(place: _Place) -> Iterator[Finding]:
        for server, names in sorted(place.seen["certificates"].get(place.name, {}).items()):
            missing = _certificate.lacking(names, place.endpoint)
            if missing:
                known = _certificate.listed(names)
                text_ = "the API server's certificate is for %s, not for %s" % (known, ", ".join(missing))
                yield finding_of("certificate_lacks_vip", text_, server, place.name, wanted=", ".join(missing))

    @staticmethod
    def _itself(place: _Place) -> Iterator[Finding]:
        for part, error in sorted(place.seen["errors"].items()):
            yield finding_of("check_incomplete", "%s: %s" % (part, error), place.host)


def _members(endpoint: Endpoint) -> Dict[str, List[Tuple[Instance, Member]]]:
    """{host: (instance, the host's part in it)}"""
    found: Dict[str, List[Tuple[Instance, Member]]] = {}
    for instance in endpoint["instances"]:
        for member in instance["members"]:
            found.setdefault(member["host"], []).append((instance, member))
    return found


def _foreign(place: _Place) -> List[Tuple[str, str]]:
    """(daemon, path) of what somebody else wrote and this run would replace: configurations, or static pods."""
    if place.endpoint["mode"] == "static_pod":
        manifests = place.seen["static_pods"]["foreign_manifests"] if place.seen["static_pods"] else {}
        return [(daemon, path) for daemon, paths in sorted(manifests.items()) for path in paths]
    owners = sorted(place.info["config_owner"].items())
    return [("haproxy" if "haproxy" in path else "keepalived", path) for path, whose in owners if whose == "foreign"]


def taken_over(plan: Plan, observations: Mapping[str, Observation]) -> Set[str]:
    """Hosts whose keepalived is a service of somebody else's that this run replaces while clients go on. They're those
    of endpoints of which all members are there: one that is left out would go on speaking."""
    services = {
        host for host, info in observations.items()
        if info["config_owner"].get(_paths.KEEPALIVED_CONFIG) == "foreign"
        and info["services"]["keepalived"]["active"] == "active"}
    return {host for endpoint in plan["endpoints"] if endpoint["adopt"] and endpoint["mode"] == "service"
            and set(_accessors.members_of(endpoint)) <= set(observations)
            for host in _accessors.members_of(endpoint) if host in services}


def _ignored(place: _Place) -> Iterator[Finding]:
    """Configuration of somebody else's that is loaded now, and won't be; or that lies there as if it were."""
    loads = place.seen["loads"]
    severity = WARNING if place.endpoint["adopt"] else ERROR
    if loads.get("keepalived"):
        text_ = "keepalived loads %s now, and doesn't after this run" % ", ".join(loads["keepalived"])
        yield finding_of("keepalived_foreign", text_, place.host, None, severity)
    if loads.get("haproxy"):
        text_ = "HAProxy loads %s now, and doesn't after this run" % ", ".join(loads["haproxy"])
        yield finding_of("haproxy_files_ignored", text_, place.host, None, severity)
    elif place.info["haproxy_ignored"]:
        text_ = "HAProxy doesn't load %s" % ", ".join(place.info["haproxy_ignored"])
        yield finding_of("haproxy_files_ignored", text_, place.host)


def _is_ours(listener: Process, place: _Place) -> bool:
    """HAProxy as the service that this collection configures, or as the pod of an endpoint that is deployed."""
    if listener["program"] is None:
        # Not even root may look at every process of a container. HAProxy has the ports that it was given, and runs.
        daemon = _deployed(place).get("haproxy", NO_DAEMON)
        return listener["port"] in place.deployed_ports and daemon["active"] == "active"
    return listener["program"] == "haproxy" and _is_known("haproxy", listener, place)


def _is_our_keepalived(program: Program, place: _Place) -> bool:
    return _is_known("keepalived", program, place)


def _deployed(place: _Place) -> Dict[str, Daemon]:
    """The daemons of the mode that is deployed here."""
    pods = any(endpoint["mode"] == "static_pod" for endpoint in place.stored)
    return place.info["pods"] if pods else place.info["services"]


def _is_known(daemon: str, process: Union[Process, Program], place: _Place) -> bool:
    """A process of ours, or of a static pod of somebody else's that is a finding already."""
    foreign = place.endpoint["mode"] == "static_pod" and any(name == daemon for name, _path in _foreign(place))
    return process["owner"] == daemon or (foreign and process["owner"] == "static_pod")


def _overlaps(address: str, binds: Iterable[str]) -> bool:
    """Whether a socket on one address is in the way of another one: a wildcard is in everybody's way."""
    return any(address in _WILDCARDS or bind == "*" or bind in _WILDCARDS or address == bind for bind in binds)


def _process(listener: Process) -> str:
    name = listener["program"] or "an unknown process"
    unit = listener["unit"]
    about = ["process %d" % listener["pid"]] if listener["pid"] else []
    about += [unit] if unit and not unit.startswith(name) else []
    return "%s (%s)" % (name, ", ".join(about)) if about else name


def _socket(address: str, port: int) -> str:
    return ("[%s]:%d" if ":" in address else "%s:%d") % (address, port)


def _other_ports(port: int) -> Tuple[int, int]:
    """For HAProxy, and for the API server."""
    return (8443 if port != 8443 else 9443), (port + 10000 if port < 20000 else 16443)


def _neighbours(place: _Place, member: Member) -> List[str]:
    """Other interfaces with an address in the subnet of an IPv4 member, where its own has one."""
    subnet = ipaddress.ip_interface("%s/%d" % (member["address"], member["prefix"])).network
    found = {item["interface"] for item in place.seen["addresses"] if ipaddress.ip_address(item["address"]) in subnet}
    return sorted(found - {member["interface"]}) if member["interface"] in found else []


def _sysctl(place: _Place, path: str) -> str:
    found = place.seen["sysctls"].get(path)
    return found["value"] or "" if found else ""


def _numbers(words: str) -> List[int]:
    return [int(word) for word in words.split() if word.isdigit()]


def _in_ranges(port: int, ranges: str) -> bool:
    """Whether "1,5-9" has the port."""
    for part in ranges.split(","):
        low, _dash, high = part.strip().partition("-")
        if low.isdigit() and int(low) <= port <= int(high if high.isdigit() else low):
            return True
    return False


def _link_local(address: str) -> bool:
    return ipaddress.ip_address(address).is_link_local


def _hosts_named(value: str) -> Iterator[str]:
    """The addresses in an option: one, or those of a list, of URLs, with a port or a prefix or without."""
    for part in value.split(","):
        host = re.sub(r"\A[a-z]+://", "", part.strip()).partition("/")[0]
        if host.startswith("["):
            yield host[1:].partition("]")[0]
        else:
            yield host if host.count(":") > 1 else host.partition(":")[0]


def _open_vrrp(manager: Optional[str], direction: str, where: str, peers: Sequence[str]) -> str:
    if manager in _MANAGED_FIREWALLS and direction == "in":
        command = " && ".join("ufw allow proto vrrp from %s" % peer for peer in peers)
        if manager == "firewalld":
            family = "ipv6" if ":" in peers[0] else "ipv4"
            rule = "--add-rich-rule='rule family=\"%s\" source address=\"%s\" protocol value=\"vrrp\" accept'"
            rules = " ".join(rule % (family, peer) for peer in peers)
            command = "firewall-cmd --permanent %s && firewall-cmd --reload" % rules
        return "set endpoint_manage_firewall: true, or `%s` there" % command
    field = "saddr" if direction == "in" else "daddr"
    family = "ip6" if ":" in peers[0] else "ip"
    return "`nft insert rule %s %s %s { %s } meta l4proto 112 accept` there, and the same where the ruleset is kept" % (
        where,
        family,
        field,
        ", ".join(peers),
    )


def _comment_out(setting: str, files: Sequence[str]) -> str:
    """Names of files are a host's words: what a shell would take for more than a name stays out of the command."""
    plain = [path for path in files if re.fullmatch(r"/[A-Za-z0-9._/@:+-]+", path)]
    if plain != list(files):
        return "remove %s from that file" % setting
    # Dots stand for slashes as well, as sysctl has it.
    return "`sed -i 's|^[[:space:]-]*%s|# &|' %s` there" % (setting, " ".join(files))


def _open_port(manager: Optional[str], where: str, port: int) -> str:
    if manager in _MANAGED_FIREWALLS:
        command = "ufw allow %d/tcp" % port
        if manager == "firewalld":
            command = "firewall-cmd --permanent --add-port=%d/tcp && firewall-cmd --reload" % port
        return "set endpoint_manage_firewall: true, or `%s` there" % command
    return "`nft insert rule %s tcp dport %d accept` there, and the same where the ruleset is kept" % (where, port)
