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
from typing import TYPE_CHECKING, Any, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ...module_utils.cluster import _certificate, _components
from ...module_utils.model import _accessors
from ...module_utils.model._planfile import NO_PLAN, deployed_of
from ..rollout import _waves
from . import _clocks
from ._table import table

if TYPE_CHECKING:
    from ...module_utils.model._model import Endpoint, Instance, Member, Plan

Seen = Mapping[str, Any]

ERROR, WARNING, INFO = "error", "warning", "info"
SEVERITIES = (ERROR, WARNING, INFO)


class Rule(NamedTuple):
    """Words in braces are filled in for each finding."""

    severity: str
    why: str
    fix: str


RULES: Dict[str, Rule] = {
    # The interface
    "interface_missing": Rule(
        ERROR,
        "keepalived speaks VRRP on this interface and puts the VIP there",
        "set endpoint_interface for {host} to an interface that it has",
    ),
    "interface_down": Rule(
        ERROR, "an interface that is down carries neither VRRP nor the VIP", "`ip link set {interface} up` there"
    ),
    "interface_no_carrier": Rule(
        ERROR,
        "without a link the instance is in FAULT, and this host can't hold the VIP",
        "see to the cable, the switch port or the virtual network of {interface}",
    ),
    "address_missing": Rule(
        ERROR,
        "VRRP is sent from the member's own address, and the VIP needs its subnet there",
        "set endpoint_address or endpoint_interface for {host} to what it has, or give the address back to {interface}",
    ),
    "mtu_differs": Rule(
        WARNING,
        "what fits through one holder doesn't fit through another: after a failover large answers hang",
        "set the same MTU on all members' interfaces",
    ),
    "clock_breaks_hmac": Rule(
        ERROR,
        "a member drops authenticated adverts that are more than 5 s off by its own clock: both would hold the VIP",
        "set the clock of {host}, and keep it by NTP (`timedatectl set-ntp true` there, or chrony)",
    ),
    "clock_differs": Rule(
        WARNING,
        "{why}",
        "set the clock of {host}, and keep it by NTP (`timedatectl set-ntp true` there, or chrony)",
    ),
    "members_left_out": Rule(
        ERROR,
        "members that don't agree on it don't hear each other, so a VIP would be on two hosts",
        "run it without --limit and serial, when all of them can be reached; take one that is gone for good out of "
        "endpoint_lb_hosts",
    ),
    "mode_changes_alone": Rule(
        ERROR,
        "the holder would have to let go of the VIP for as long as it's moved, while no other host may take it",
        "change endpoint_mode in one run, and the rest in another one",
    ),
    "holders_crossed": Rule(
        ERROR,
        "members that don't agree on it don't hear each other, so all but one are silent until that one has changed; "
        "who is silent can't hold VIPs of its other endpoints either",
        "where several endpoints change, change one of them in a run; else give those that only one of these hosts "
        "balances another balancer before",
    ),
    # Ports
    "port_taken": Rule(
        ERROR,
        "HAProxy can't start while something else has its port",
        "stop {program} there, or set endpoint_port to a free port",
    ),
    "apiserver_on_port": Rule(
        ERROR,
        "an API server has the balancing port on every address of the host, so HAProxy can't bind it",
        "let clients use another port (endpoint_port: {free}), or let the API server listen on another one (kubeadm's "
        "localAPIEndpoint.bindPort, for example {moved}) and set endpoint_apiserver_port to that",
    ),
    "health_port_taken": Rule(
        ERROR,
        "keepalived asks HAProxy for its health on this port",
        "set haproxy_health_port to a free port, or stop {program} there",
    ),
    "port_ephemeral": Rule(
        WARNING,
        "the kernel gives ports of this range to outgoing connections; one of them can keep HAProxy from starting",
        "choose an endpoint_port outside of the range, or add it to net.ipv4.ip_local_reserved_ports there",
    ),
    "apiserver_port_differs": Rule(
        WARNING,
        "HAProxy will look for an API server where none is",
        "set endpoint_apiserver_port: {port}",
    ),
    # Daemons of somebody else
    "haproxy_foreign": Rule(
        ERROR,
        "somebody else has configured HAProxy there, and this run would replace that",
        "remove it, balance on other hosts (endpoint_lb_hosts), or set endpoint_adopt: true to take it over after a "
        "backup",
    ),
    "keepalived_foreign": Rule(
        ERROR,
        "somebody else has configured keepalived there, and this run would replace that",
        "remove it, balance on other hosts (endpoint_lb_hosts), or set endpoint_adopt: true to take it over after a "
        "backup",
    ),
    "haproxy_files_ignored": Rule(
        WARNING,
        "this collection's HAProxy loads its own file only, and whoever needs what is in others is served no longer",
        "move them away, run a HAProxy of your own for them, or accept this finding",
    ),
    "service_in_the_way": Rule(
        ERROR,
        "the pod and the service fight for the same port, or for VRRP's socket and addresses",
        "`systemctl disable --now {daemon}` there",
    ),
    "mode_changes": Rule(
        WARNING,
        "each host is moved at its turn, the backups first, and who holds the VIP last; the others serve meanwhile",
        "set endpoint_mode: {mode} to stay with what is deployed",
    ),
    # Static pods
    "kubelet_missing": Rule(
        ERROR,
        "static pods are started by a kubelet, and there is none",
        "install the kubelet there, balance on hosts that have one (endpoint_lb_hosts), or set endpoint_mode: service",
    ),
    "manifest_dir_not_read": Rule(
        ERROR,
        "the kubelet starts static pods from the folder in its own configuration, and from no other one",
        "set endpoint_manifest_dir: {wanted}",
    ),
    "manifest_dir_unset": Rule(
        ERROR,
        "a kubelet without staticPodPath starts no static pods",
        "set staticPodPath: {wanted} in the kubelet's configuration, and restart it",
    ),
    "image_missing": Rule(
        ERROR,
        "the pull policy is Never, so the kubelet takes the image from nowhere else",
        "import it there (`ctr --namespace k8s.io images import FILE`), or set {variable}_image_pull_policy: "
        "IfNotPresent",
    ),
    "keepalived_other": Rule(
        WARNING,
        "two of them on a host fight for VRRP's socket and addresses",
        "stop it, unless its instances have nothing to do with this endpoint",
    ),
    "kube_vip_running": Rule(
        WARNING,
        "two managers of one VIP hold it in two places",
        "remove kube-vip's manifest or daemon set before this endpoint takes its VIP over",
    ),
    # What takes the VIP away
    "networkd_drops_vip": Rule(
        WARNING,
        "systemd-networkd removes addresses that it doesn't know: at each `networkctl reconfigure`, and from systemd "
        "257 on whenever it's restarted, as by an upgrade",
        "set endpoint_manage_network: true, or KeepConfiguration=static in {file}",
    ),
    "networkmanager_drops_vip": Rule(
        INFO,
        "NetworkManager removes addresses that it doesn't know when somebody activates or reapplies the connection; "
        "keepalived puts the VIP back within about half a second",
        "do so on one balancer at a time, a drained one first; NetworkManager has no setting against it",
    ),
    # What keeps packets away
    "firewall_drops_vrrp": Rule(
        ERROR,
        "members that don't hear each other all hold the VIP",
        "{fix}",
    ),
    "firewall_drops_clients": Rule(
        ERROR,
        "clients can't reach the VIP while this host holds it",
        "{fix}",
    ),
    "firewall_unclear": Rule(
        INFO,
        "its rules are more than this check understands; the test on the wire tells",
        "see that IP protocol 112 from the peers and the balancing port are let in",
    ),
    "rp_filter_strict": Rule(
        WARNING,
        "strict reverse path filtering drops clients' packets to the VIP, because answers would leave by another "
        "interface",
        # With slashes, because an interface's name may have dots.
        "`sysctl -w net/ipv4/conf/{interface}/rp_filter=2`, and keep it in /etc/sysctl.d",
    ),
    "arp_flux": Rule(
        WARNING,
        "the kernel answers for an address on whatever interface it's asked, so peers may send VRRP to the one where "
        "keepalived doesn't listen, and two hosts hold the VIP",
        "take {other} out of that subnet, or `sysctl -w net.ipv4.conf.all.arp_ignore=1 "
        "net.ipv4.conf.all.arp_announce=2` there, and keep it in /etc/sysctl.d",
    ),
    "nonlocal_bind_readonly": Rule(
        ERROR,
        "endpoints share a port, so HAProxy binds VIPs that the host doesn't hold yet, and that needs {setting} = 1",
        "set it where the host's network namespace is made, or give each endpoint a port of its own",
    ),
    "nonlocal_bind_overridden": Rule(
        WARNING,
        "after the next boot HAProxy couldn't bind VIPs that the host doesn't hold",
        "{fix}",
    ),
    # Who takes the VIP for its own
    "kubelet_took_vip": Rule(
        ERROR,
        "the node's address must stay on the node, and the VIP moves: its pods and its API server get lost with it",
        "set --node-ip={address} for the kubelet (nodeRegistration.kubeletExtraArgs) and restart it",
    ),
    "kubelet_node_ip_unset": Rule(
        WARNING,
        "a kubelet that chooses for itself can choose the VIP when it starts on the holder",
        "set --node-ip={address} for the kubelet (nodeRegistration.kubeletExtraArgs, or KUBELET_EXTRA_ARGS)",
    ),
    "hostname_is_vip": Rule(
        ERROR,
        "the kubelet and kubeadm take the address of the host's name for the node's own",
        "let {name} in /etc/hosts be the host's own address; give the VIP another name (endpoint_dns_name)",
    ),
    "component_uses_vip": Rule(
        ERROR,
        "it stops working, or answers for another host, when the VIP moves",
        "give it the host's own address, {address}",
    ),
    "calico_may_take_vip": Rule(
        WARNING,
        "Calico takes the first address that it finds for the node's, and that can be the VIP",
        "set IP_AUTODETECTION_METHOD of calico-node to kubernetes-internal-ip, or to cidr= with the members' subnet",
    ),
    # Clients
    "certificate_lacks_vip": Rule(
        WARNING,
        "clients that come by way of the VIP refuse this certificate",
        _certificate.REPAIR,
    ),
    # This check itself
    "check_incomplete": Rule(INFO, "what can't be read can't be judged", "see that Ansible runs as root there"),
    "accept_unknown": Rule(
        WARNING, "no finding has this code, so nothing is accepted by it", "correct endpoint_accept_findings"
    ),
}

_WILDCARDS = frozenset(["0.0.0.0", "::"])
_COMPONENTS_THAT_MAY = frozenset(["kube-apiserver"])  # some advertise the VIP on purpose
_MANAGED_FIREWALLS = frozenset(["firewalld", "ufw"])


def preflight_findings(
    plan: Plan, observations: Mapping[str, Seen], wire: Iterable[Mapping[str, Any]] = (), known: Iterable[str] = (),
    others: Optional[Mapping[str, Seen]] = None
) -> List[Dict[str, Any]]:
    """[{code, severity, host, endpoint, seen, why, fix, accepted}], the worst first.

    `observations` are, by host, what `endpoint_info` returned, with what `endpoint_preflight_info` returned under
    "preflight"; members may be missing. `wire` are the network's findings, and `known` the codes that they can have.
    `others` are what `endpoint_info` returned for members that the run leaves out.
    """
    judge = _Judge(plan, observations, others or {})
    findings = judge.findings() + [judge.mended(dict(finding)) for finding in wire]
    return _weighed(findings, plan, frozenset(known))


def worth_asking(plan: Plan, host: str, observations: Mapping[str, Seen]) -> str:
    """Why the network has to be asked on behalf of a host, or nothing where its endpoints run as they're planned.

    What an endpoint that runs has to fear from the network shows in who holds its VIPs. So it's asked where there's
    something new to it (a VIP, a VRID, a transport, a member, an interface) or where nobody holds.
    """
    info = observations.get(host) or {}
    stored = {item["name"]: item for item in (deployed_of(info).plan or NO_PLAN)["endpoints"]}
    held = {address for seen in observations.values() for address in seen.get("holds") or ()}
    for endpoint in plan["endpoints"]:
        theirs = stored.get(endpoint["name"])
        if theirs is None:
            return "%s isn't deployed here" % endpoint["name"]
        if _on_the_wire(theirs) != _on_the_wire(endpoint):
            return "%s changes on the wire" % endpoint["name"]
        running = info.get("pods" if endpoint["mode"] == "static_pod" else "services") or {}
        if (running.get("keepalived") or {}).get("active") != "active":
            return "keepalived isn't running here"
        if not all(vip["address"] in held for vip in endpoint["vips"]):
            return "nobody was seen to hold %s" % endpoint["name"]
    return ""


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


def _on_the_wire(endpoint: Endpoint) -> Any:
    """What of a plan others on the network can notice, but for priorities and timers."""
    return [
        endpoint["transport"],
        [
            [instance["name"], instance["virtual_router_id"], instance["vrrp_version"], instance["vips"]]
            + [[member["host"], member["interface"], member["address"]] for member in instance["members"]]
            for instance in endpoint["instances"]
        ],
    ]


def _weighed(findings: List[Dict[str, Any]], plan: Plan, known: Iterable[str]) -> List[Dict[str, Any]]:
    """Without repetition, accepted ones as such, the worst first."""
    accepted = {code: item["name"] for item in plan["endpoints"] for code in item["accept_findings"]}
    codes = set(RULES) | set(known) | {finding["code"] for finding in findings}
    for code in accepted:
        if code not in codes:
            findings.append(_finding("accept_unknown", None, accepted[code], "endpoint_accept_findings has %s" % code))
    unique: Dict[Tuple[Any, ...], Dict[str, Any]] = {}
    for finding in findings:
        finding["accepted"] = finding["code"] in accepted
        if finding["accepted"]:
            finding["severity"] = INFO
        unique.setdefault((finding["code"], finding["host"], finding["endpoint"], finding["seen"]), finding)
    return sorted(unique.values(), key=lambda finding: SEVERITIES.index(finding["severity"]))


def _finding(
    code: str, host: Optional[str], endpoint: Optional[str], seen: str, severity: Optional[str] = None, **details: Any
) -> Dict[str, Any]:
    rule = RULES[code]
    values = dict(details, host=host)
    return {
        "code": code,
        "severity": severity or rule.severity,
        "host": host,
        "endpoint": endpoint,
        "seen": seen,
        "why": rule.why.format(**values),
        "fix": rule.fix.format(**values),
    }


class _Place(NamedTuple):
    """One endpoint on one host: its instances there, and what was seen."""

    host: str
    endpoint: Endpoint
    members: List[Tuple[Instance, Member]]
    seen: Seen
    info: Seen

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
        return balancing + [endpoint["haproxy"]["health"]["port"] for endpoint in endpoints]


# Seconds between members' clocks. keepalived takes an authenticated advert for stale after this many.
_HMAC_LIMIT, _HMAC_SLACK, _CLOCK_SLACK = 5, 3, 30
_CLOCK_WHY = {
    "hmac": "a member drops authenticated adverts that are more than 5 s off by its own clock, and clocks drift",
    "other": "new certificates aren't valid yet where the clock is behind, and what happened first can't be told from "
    "logs; with endpoint_auth: hmac two hosts would hold the VIP",
}


class _Judge:
    def __init__(self, plan: Plan, observations: Mapping[str, Seen], others: Mapping[str, Seen]) -> None:
        self.plan = plan
        self.others = others
        self.vips = {vip["address"] for endpoint in plan["endpoints"] for vip in endpoint["vips"]}
        self.mending: set[str] = set()
        self.places = [
            _Place(host, endpoint, members, info["preflight"], info)
            for endpoint in plan["endpoints"]
            for host, members in _members(endpoint).items()
            for info in [observations.get(host) or {}]
            if info.get("preflight")
        ]

    def findings(self) -> List[Dict[str, Any]]:
        found: List[Dict[str, Any]] = []
        for place in self.places:
            for check in (
                self._interface, self._ports, self._mode, self._daemons, self._static_pods, self._network_managers,
                self._firewall, self._kernel, self._own_address, self._certificate, self._itself,
            ):  # fmt: skip
                found.extend(check(place))
        return found + list(self._clocks()) + list(self._mtus()) + list(self._agreements())

    def mended(self, finding: Dict[str, Any]) -> Dict[str, Any]:
        """VRRP that a packet filter drops which this run opens is no reason to stop."""
        involved = set(re.split(r"[\s,]+", finding["seen"])) | {finding["host"]}
        if finding["code"] == "vrrp_blocked" and involved & self.mending:
            finding.update(severity=INFO, seen=finding["seen"] + "; this run opens the packet filter")
        return finding

    def _agreements(self) -> Iterator[Dict[str, Any]]:
        deployed = {place.host: deployed_of(place.info).spoken for place in self.places}
        moved = [place.host for place in self.places for item in place.stored
                 if item["name"] == place.name and item["mode"] != place.endpoint["mode"]]
        known = {**{host: deployed_of(info).spoken for host, info in self.others.items()}, **deployed}
        for code, name, why in _waves.refusals(self.plan, known, dict.fromkeys(deployed, False), moved):
            yield _finding(code, None, name, why)
        plan = _waves.with_deployed(self.plan, deployed)
        vips = {vip["address"] for endpoint in plan["endpoints"] for vip in endpoint["vips"]}
        seen = {
            place.host: _waves.Seen(
                "change", any(program["name"] == "keepalived" for program in place.seen["programs"]),
                frozenset(item["address"] for item in place.seen["addresses"]) & vips)
            for place in self.places}
        for name, why in _waves.hush(plan, deployed, seen).crossed.items():
            yield _finding(_waves.CROSSED, None, name, why)

    # The interface

    def _interface(self, place: _Place) -> Iterator[Dict[str, Any]]:
        links = {link["name"]: link for link in place.seen["interfaces"]}
        for _instance, member in place.members:
            name = member["interface"]
            link = links.get(name)
            if link is None:
                has = ", ".join(sorted(set(links) - {"lo"})) or "none"
                yield _finding("interface_missing", place.host, place.name, "no interface %s; it has %s" % (name, has))
                continue
            if not link["up"]:
                yield _finding("interface_down", place.host, None, "%s is down" % name, interface=name)
            elif link["carrier"] is False:
                yield _finding("interface_no_carrier", place.host, None, "%s has no carrier" % name, interface=name)
            mine = [item["address"] for item in place.seen["addresses"] if item["interface"] == name]
            if member["address"] not in mine and not place.seen["errors"].get("addresses"):
                own = [address for address in mine if address not in self.vips and not _link_local(address)]
                text_ = "%s hasn't %s; it has %s" % (name, member["address"], ", ".join(own) or "no address")
                yield _finding("address_missing", place.host, place.name, text_, interface=name)

    def _clocks(self) -> Iterator[Dict[str, Any]]:
        for endpoint in self.plan["endpoints"]:
            said = {place.host: _clocks.read(place.seen.get("clock")) for place in self.places
                    if place.endpoint is endpoint}  # fmt: skip
            clocks = {host: clock for host, clock in said.items() if clock is not None}
            hmac = endpoint["auth"] == "hmac"
            for item in _clocks.apart(clocks, _HMAC_SLACK if hmac else _CLOCK_SLACK):
                seen = "its clock is %.1f s or more %s %s's" % (
                    abs(item.seconds), "ahead of" if item.seconds > 0 else "behind", item.other)  # fmt: skip
                if hmac and abs(item.seconds) > _HMAC_LIMIT:
                    yield _finding("clock_breaks_hmac", item.host, endpoint["name"], seen)
                else:
                    why = _CLOCK_WHY["hmac" if hmac else "other"]
                    yield _finding("clock_differs", item.host, endpoint["name"], seen, why=why)

    def _mtus(self) -> Iterator[Dict[str, Any]]:
        by_endpoint: Dict[str, Dict[int, List[str]]] = {}
        for place in self.places:
            mtus = by_endpoint.setdefault(place.name, {})
            for link in place.seen["interfaces"]:
                if link["name"] in place.interfaces and link["mtu"]:
                    mtus.setdefault(link["mtu"], []).append(place.host)
        for name, mtus in by_endpoint.items():
            if len(mtus) > 1:
                said = "; ".join("%d on %s" % (mtu, ", ".join(mtus[mtu])) for mtu in sorted(mtus))
                yield _finding("mtu_differs", None, name, "MTU %s" % said)

    # Ports and daemons

    def _ports(self, place: _Place) -> Iterator[Dict[str, Any]]:
        endpoint = place.endpoint
        binds = [bind["address"] for bind in endpoint["haproxy"]["binds"]]
        health = endpoint["haproxy"]["health"]
        for item in place.seen["listeners"]:
            if _is_ours(item, place):
                continue
            where = "%s listens on %s" % (_process(item), _socket(item["address"], item["port"]))
            if item["port"] in _accessors.ports_of(endpoint) and _overlaps(item["address"], binds):
                if item["kubernetes"]:
                    text_ = "an API server, %s" % where
                    free, moved = _other_ports(item["port"])
                    yield _finding("apiserver_on_port", place.host, place.name, text_, free=free, moved=moved)
                else:
                    yield _finding("port_taken", place.host, place.name, where, program=item["program"] or "it")
            if item["port"] == health["port"] and _overlaps(item["address"], [health["address"]]):
                yield _finding("health_port_taken", place.host, None, where, program=item["program"] or "it")
        yield from self._port_range(place)
        yield from self._apiserver_port(place)

    @staticmethod
    def _port_range(place: _Place) -> Iterator[Dict[str, Any]]:
        limits = _numbers(_sysctl(place, "net/ipv4/ip_local_port_range"))
        reserved = _sysctl(place, "net/ipv4/ip_local_reserved_ports")
        port = place.endpoint["port"]
        if len(limits) == 2 and limits[0] <= port <= limits[1] and not _in_ranges(port, reserved):
            text_ = "port %d is one of %d to %d, which are for outgoing connections" % (port, limits[0], limits[1])
            yield _finding("port_ephemeral", place.host, place.name, text_)

    @staticmethod
    def _apiserver_port(place: _Place) -> Iterator[Dict[str, Any]]:
        backend = next((item for item in place.endpoint["backends"] if item["name"] == place.host), None)
        for program in place.seen["programs"]:
            said = program["options"].get("secure-port", "6443")
            if backend and program["name"] == "kube-apiserver" and said.isdigit() and int(said) != backend["port"]:
                text_ = "the API server listens on port %s, and %d is planned" % (said, backend["port"])
                yield _finding("apiserver_port_differs", place.host, place.name, text_, port=said)

    @staticmethod
    def _mode(place: _Place) -> Iterator[Dict[str, Any]]:
        """Daemons of ours that run in the other mode."""
        before = {endpoint["mode"] for endpoint in place.stored}
        wanted = place.endpoint["mode"]
        old = "service" if wanted == "static_pod" else "static_pod"
        daemons = place.info.get("services" if old == "service" else "pods") or {}
        active = sorted(name for name, daemon in daemons.items() if daemon.get("active") == "active")
        if old in before and active:
            words = {"service": "as services", "static_pod": "as static pods"}
            text_ = "%s of this collection run here %s" % (" and ".join(active), words[old])
            yield _finding("mode_changes", place.host, None, text_, mode=old)

    def _daemons(self, place: _Place) -> Iterator[Dict[str, Any]]:
        adopted = place.endpoint["adopt"]
        for daemon, path in _foreign(place):
            text_ = "%s was written by somebody else" % path
            text_ += "; this run takes it over and keeps the original" if adopted else ""
            yield _finding(daemon + "_foreign", place.host, None, text_, INFO if adopted else None)
        if place.endpoint["mode"] == "service":
            yield from _ignored(place)
        for program in place.seen["programs"]:
            if program["name"] == "kube-vip":
                yield _finding("kube_vip_running", place.host, None, "kube-vip runs here (process %d)" % program["pid"])
            elif program["name"] == "keepalived" and not _is_our_keepalived(program, place):
                where = program["unit"] or "no unit of systemd's"
                text_ = "a keepalived of %s runs here (process %d)" % (where, program["pid"])
                yield _finding("keepalived_other", place.host, None, text_)

    def _static_pods(self, place: _Place) -> Iterator[Dict[str, Any]]:
        seen = place.seen.get("static_pods")
        if place.endpoint["mode"] != "static_pod" or not seen:
            return
        kubelet, wanted = seen["kubelet"], place.endpoint["manifest_dir"] or ""
        if not kubelet["installed"]:
            yield _finding("kubelet_missing", place.host, None, "no kubelet is installed")
        elif kubelet["running"] and not kubelet["static_pod_path"]:
            yield _finding("manifest_dir_unset", place.host, None, "the kubelet has no staticPodPath", wanted=wanted)
        elif kubelet["running"] and kubelet["static_pod_path"] != wanted.rstrip("/"):
            text_ = "the kubelet reads %s, not %s" % (kubelet["static_pod_path"], wanted)
            yield _finding("manifest_dir_not_read", place.host, None, text_, wanted=kubelet["static_pod_path"])
        for daemon in seen["missing_images"]:
            text_ = "the image %s isn't there" % (place.endpoint["images"] or {})[daemon]["image"]
            yield _finding("image_missing", place.host, None, text_, variable=daemon)
        ours = any(endpoint["mode"] == "service" for endpoint in place.stored)
        for daemon, service in sorted((place.info.get("services") or {}).items()):
            if service.get("active") == "active" and not ours:
                text_ = "%s.service of somebody else is active" % daemon
                yield _finding("service_in_the_way", place.host, None, text_, daemon=daemon)

    # What takes the VIP or packets away

    def _network_managers(self, place: _Place) -> Iterator[Dict[str, Any]]:
        for interface in place.interfaces:
            managers = place.seen["network_managers"].get(interface) or {}
            networkd = managers.get("networkd")
            if networkd and not networkd["keeps"]:
                managed = place.endpoint.get("manage_network")
                value = networkd["keep_configuration"]
                text_ = "networkd configures %s by %s, KeepConfiguration is %s" % (
                    interface,
                    networkd["file"],
                    value or "not set",
                )
                text_ += "; this run sets it" if managed else ""
                yield _finding(
                    "networkd_drops_vip", place.host, None, text_, INFO if managed else None, file=networkd["file"]
                )
            if managers.get("networkmanager"):
                text_ = "NetworkManager configures %s" % interface
                yield _finding("networkmanager_drops_vip", place.host, None, text_)

    def _firewall(self, place: _Place) -> Iterator[Dict[str, Any]]:
        firewall = place.seen["firewall"]
        manager = firewall["manager"]
        mends = bool(place.endpoint.get("manage_firewall")) and manager in _MANAGED_FIREWALLS
        if manager and not firewall["readable"]:
            text_ = "%s is active, and there is no nft to read its rules" % manager
            yield _finding("firewall_unclear", place.host, None, text_)
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
                yield _finding(
                    "firewall_drops_vrrp",
                    place.host,
                    place.name,
                    text_ + suffix,
                    INFO if mends else None,
                    fix=_open_vrrp(manager, direction, dropped[0]["where"], peers),
                )
        for item in clients:
            if item["outcome"] == "drop":
                where = _socket(item["address"], item["port"])
                text_ = "%s drops new connections to %s (%s)" % (manager or "the packet filter", where, item["where"])
                yield _finding(
                    "firewall_drops_clients",
                    place.host,
                    place.name,
                    text_ + suffix,
                    INFO if mends else None,
                    fix=_open_port(manager, item["where"], item["port"]),
                )
        unclear = [item["where"] for item in vrrp + clients if item["outcome"] == "unknown"]
        if unclear:
            text_ = "whether %s lets VRRP and clients in depends on %s" % (
                manager or "the packet filter",
                ", ".join(dict.fromkeys(unclear)),
            )
            yield _finding("firewall_unclear", place.host, None, text_)

    def _kernel(self, place: _Place) -> Iterator[Dict[str, Any]]:
        routes = place.seen["default_routes"]["ipv4"]
        for instance, member in place.members:
            interface = member["interface"]
            filters = [_sysctl(place, "net/ipv4/conf/%s/rp_filter" % name) for name in ("all", interface)]
            # The larger of the two counts, and 2 is "loose".
            strict = max((int(value) for value in filters if value.isdigit()), default=0) == 1
            if instance["family"] == "ipv4" and strict and routes and interface not in routes:
                text_ = "rp_filter is strict on %s, and the default route leaves by %s" % (interface, ", ".join(routes))
                yield _finding("rp_filter_strict", place.host, None, text_, interface=interface)
            for other in _neighbours(place, member) if instance["family"] == "ipv4" else ():
                values = [_sysctl(place, "net/ipv4/conf/%s/arp_ignore" % name) for name in ("all", other)]
                if max((int(value) for value in values if value.isdigit()), default=1) == 0:
                    text_ = "%s has an address in the subnet of %s as well, and arp_ignore is 0 there" % (
                        other, interface)
                    yield _finding("arp_flux", place.host, None, text_, other=other)
        if not place.endpoint["haproxy"]["nonlocal_bind"]:
            return
        for path, setting in sorted(place.seen["sysctls"].items()):
            if path.endswith("ip_nonlocal_bind") and setting["value"] != "1" and not setting["writable"]:
                name = path.replace("/", ".")
                text_ = "%s is %s and can't be written" % (name, setting["value"])
                yield _finding("nonlocal_bind_readonly", place.host, None, text_, setting=name)
        for path, files in sorted(place.seen["sysctl_files"].items()):
            name = path.replace("/", ".")
            text_ = "%s sets %s = 0 after ours sets 1" % (", ".join(files), name)
            yield _finding("nonlocal_bind_overridden", place.host, None, text_, fix=_comment_out(name, files))

    # Who takes the VIP for its own

    def _own_address(self, place: _Place) -> Iterator[Dict[str, Any]]:
        taken = [vip for vip in place.seen["host_names"] if vip in self.vips]
        if taken:
            text_ = "/etc/hosts has %s for the host's own name" % ", ".join(taken)
            yield _finding("hostname_is_vip", place.host, None, text_, name="the host's name")
        running = {program["name"] for program in place.seen["programs"]}
        programs = list(place.seen["programs"])
        if "kubelet" not in running and place.seen["kubelet"]:
            programs.append({"name": "kubelet", "options": place.seen["kubelet"], "stopped": True})
        for program in programs:
            yield from self._program(place, program)

    def _program(self, place: _Place, program: Mapping[str, Any]) -> Iterator[Dict[str, Any]]:
        name, options = program["name"], program["options"]
        if name in _components.KUBELETS:
            node = place.seen.get("node") or {}
            trouble = _components.node_ip_trouble(name, options, not program.get("stopped"), node, self.vips)
            if trouble:
                yield _finding(trouble[0], place.host, None, trouble[1], address=place.address)
        elif name == "calico-node":
            method = options.get("IP_AUTODETECTION_METHOD", "first-found")
            if options.get("IP", "autodetect") == "autodetect" and method == "first-found":
                text_ = "calico-node runs with autodetection first-found"
                yield _finding("calico_may_take_vip", place.host, None, text_)
            elif options.get("IP", "").partition("/")[0] in self.vips:
                yield _finding(
                    "component_uses_vip",
                    place.host,
                    None,
                    "calico-node has IP=%s" % options["IP"],
                    address=place.address,
                )
        for option, value in sorted(options.items()):
            taken = self.vips.intersection(_hosts_named(value)) if option != "node-ip" else set()
            if taken and option != "IP":
                text_ = "%s has --%s=%s" % (name, option, value)
                severity = WARNING if name in _COMPONENTS_THAT_MAY else None
                yield _finding("component_uses_vip", place.host, None, text_, severity, address=place.address)

    # Clients, and this check

    @staticmethod
    def _certificate(place: _Place) -> Iterator[Dict[str, Any]]:
        for server, names in sorted((place.seen["certificates"].get(place.name) or {}).items()):
            missing = _certificate.lacking(names, place.endpoint)
            if missing:
                known = _certificate.listed(names)
                text_ = "the API server's certificate is for %s, not for %s" % (known, ", ".join(missing))
                yield _finding("certificate_lacks_vip", server, place.name, text_, wanted=", ".join(missing))

    @staticmethod
    def _itself(place: _Place) -> Iterator[Dict[str, Any]]:
        for part, error in sorted(place.seen["errors"].items()):
            yield _finding("check_incomplete", place.host, None, "%s: %s" % (part, error))


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
        manifests = (place.seen.get("static_pods") or {}).get("foreign_manifests") or {}
        return [(daemon, path) for daemon, paths in sorted(manifests.items()) for path in paths]
    owners = sorted((place.info.get("config_owner") or {}).items())
    return [("haproxy" if "haproxy" in path else "keepalived", path) for path, whose in owners if whose == "foreign"]


def _ignored(place: _Place) -> Iterator[Dict[str, Any]]:
    """Configuration of somebody else's that is loaded now, and won't be; or that lies there as if it were."""
    loads = place.seen.get("loads") or {}
    severity = WARNING if place.endpoint["adopt"] else ERROR
    if loads.get("keepalived"):
        text_ = "keepalived loads %s now, and doesn't after this run" % ", ".join(loads["keepalived"])
        yield _finding("keepalived_foreign", place.host, None, text_, severity)
    if loads.get("haproxy"):
        text_ = "HAProxy loads %s now, and doesn't after this run" % ", ".join(loads["haproxy"])
        yield _finding("haproxy_files_ignored", place.host, None, text_, severity)
    elif place.info.get("haproxy_ignored"):
        text_ = "HAProxy doesn't load %s" % ", ".join(place.info["haproxy_ignored"])
        yield _finding("haproxy_files_ignored", place.host, None, text_)


def _is_ours(listener: Mapping[str, Any], place: _Place) -> bool:
    """HAProxy as the service that this collection configures, or as the pod of an endpoint that is deployed."""
    if listener["program"] is None:
        # Not even root may look at every process of a container. HAProxy has the ports that it was given, and runs.
        daemon = _deployed(place).get("haproxy") or {}
        return listener["port"] in place.deployed_ports and daemon.get("active") == "active"
    return listener["program"] == "haproxy" and _is_known("haproxy", listener, place)


def _is_our_keepalived(program: Mapping[str, Any], place: _Place) -> bool:
    return _is_known("keepalived", program, place)


def _deployed(place: _Place) -> Mapping[str, Any]:
    """The daemons of the mode that is deployed here."""
    pods = any(endpoint["mode"] == "static_pod" for endpoint in place.stored)
    return place.info.get("pods" if pods else "services") or {}


def _is_known(daemon: str, process: Mapping[str, Any], place: _Place) -> bool:
    """A process of ours, or of a static pod of somebody else's that is a finding already."""
    foreign = place.endpoint["mode"] == "static_pod" and any(name == daemon for name, _path in _foreign(place))
    return process["owner"] == daemon or (foreign and process["owner"] == "static_pod")


def _overlaps(address: str, binds: Iterable[str]) -> bool:
    """Whether a socket on one address is in the way of another one: a wildcard is in everybody's way."""
    return any(address in _WILDCARDS or bind == "*" or bind in _WILDCARDS or address == bind for bind in binds)


def _process(listener: Mapping[str, Any]) -> str:
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
    return (place.seen["sysctls"].get(path) or {}).get("value") or ""


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
