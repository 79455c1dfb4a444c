# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Planned beside observed. Pure: a plan and what `endpoint_info` returned for each host in, findings and rows out.

The same rules serve twice: a host waits until `unmet` is empty, then `judge` looks at all hosts together.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import (
    TYPE_CHECKING,
    Any,
    Container,
    Dict,
    FrozenSet,
    Iterable,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Union,
)

from ansible_collections.kubeha.apiserver.plugins.module_utils import (
    _certificate,
    _components,
    _hostview,
    _strangers,
)
from ansible_collections.kubeha.apiserver.plugins.module_utils._haproxy import is_up
from ansible_collections.kubeha.apiserver.plugins.module_utils._planfile import NO_PLAN, deployed_of, with_endpoints
from ansible_collections.kubeha.apiserver.plugins.module_utils._table import table

if TYPE_CHECKING:
    from ansible_collections.kubeha.apiserver.plugins.module_utils._model import Backend, Endpoint, Plan, Vip

Info = Mapping[str, Any]
Expected = Dict[str, Dict[str, Optional[bool]]]

ERROR, WARNING, INFO = "error", "warning", "info"
_SEVERITIES = (ERROR, WARNING, INFO)
DAEMONS = ("haproxy", "keepalived")

# code: (severity, fix). Words in braces are filled in for each finding. `site`, `status` and so on are playbooks.
CODES: Dict[str, Tuple[str, str]] = {
    "no_holder": (
        ERROR,
        "look at `journalctl -u keepalived` on the members: an instance in FAULT has a missing interface or a dead "
        "HAProxy",
    ),
    "two_holders": (
        ERROR,
        "the members don't hear each other: let VRRP (IP protocol 112) pass between them, and see that no other "
        "keepalived of the segment uses this virtual router ID",
    ),
    "wrong_holder": (ERROR, "mend what keeps the preferred host from holding, or run `site` again when it's well"),
    "takeover_pending": (WARNING, "wait; failback_delay lets a host that has come back settle first"),
    "unsettled": (ERROR, "look at `journalctl -u keepalived -u haproxy` there: something comes and goes"),
    "vips_split": (ERROR, "reload keepalived on the members: its sync group moves all addresses together"),
    "vip_silent": (
        ERROR,
        "let the port pass the firewalls between these hosts, and see that no other machine uses the address",
    ),
    "vip_wrong_answer": (ERROR, "ask the API servers themselves, then see HAProxy's log on the holder"),
    "vip_untried": (WARNING, "run `status`, which connects to the VIP from every member"),
    "stale_vip": (ERROR, "restart keepalived there; it drops what it doesn't manage any more"),
    "host_unreachable": (ERROR, "see that the host runs and that Ansible can log in"),
    "not_observed": (INFO, "run without --limit to include it"),
    "not_deployed": (ERROR, "run `site` for this host"),
    "not_deployed_yet": (INFO, "its turn comes later, or run `site` for it"),
    "bad_stored_plan": (WARNING, "run `site` for this host; it writes the plan again"),
    "newer_stored_plan": (
        ERROR,
        "use the version of this collection that wrote it, or a later one",
    ),
    "odd_answer": (
        WARNING,
        "see whether the host is what it should be; what it said besides is believed as far as others don't deny it",
    ),
    "plan_differs": (ERROR, "run `site` without --limit"),
    "plan_outdated": (WARNING, "run `site` without --limit"),
    "service_down": (
        ERROR,
        "run `site`, which starts it; where it ends again, `journalctl -u haproxy -u keepalived` there says why",
    ),
    "pod_down": (
        ERROR,
        "see /var/log/pods/*kubeha-* and `journalctl -u kubelet` there: perhaps its image can't be had, or it doesn't "
        "stay up",
    ),
    "manifest_missing": (ERROR, "run `site` for this host; `kubeadm reset` empties the folder"),
    "kubelet_absent": (
        INFO,
        "start the kubelet with `kubeadm init` or `join`; it starts the pods, and `status` proves them",
    ),
    "service_disabled": (WARNING, "run `site`; a host that boots would not take part"),
    "reload_pending": (ERROR, "run `site`; it reloads what runs something else than what is there"),
    "running_unknown": (WARNING, "run `site` again; the systemd drop-in records it at the next start or reload"),
    "restart_pending": (WARNING, "when it suits, backups first: {restart}"),
    "drained": (WARNING, "run `undrain` for it when it may serve again"),
    "left_moving": (WARNING, "run `site` again; it takes that back"),
    "stopped_for_change": (
        WARNING,
        "wait until that run is ready; where it's gone, run `site` again, which ends what it began",
    ),
    "started_by_itself": (WARNING, "run `site` again; it ends what that run began"),
    "version_older": (WARNING, "run `site` again, so that the plan uses only what this version can do"),
    "file_drifted": (WARNING, "run `site` to put it back, or move the change into the variables"),
    "haproxy_hung": (ERROR, "{kill}"),
    "haproxy_silent": (ERROR, "see the journal of haproxy there; the stats socket should answer root"),
    "haproxy_nearly_full": (
        WARNING,
        "find out who has them by `show table` on HAProxy's socket, or raise haproxy_maxconn or endpoint_nodes",
    ),
    "haproxy_source_refused": (
        WARNING,
        "find out who has that many by `show table` on HAProxy's socket; if they need them, raise "
        "haproxy_maxconn_per_source",
    ),
    "haproxy_files_ignored": (
        WARNING,
        "move them away, or run a HAProxy of your own for them: ours loads its own file only",
    ),
    "keepalived_hung": (ERROR, "{kill}"),
    "keepalived_silent": (ERROR, "see the journal of keepalived there; it should write its state when it's asked"),
    "keepalived_fault": (ERROR, "see the journal of keepalived there: it names what it tracks and misses"),
    "backend_missing": (ERROR, "run `site` for this host"),
    "backend_unplanned": (ERROR, "run `site` for this host"),
    "backend_down": (
        ERROR,
        "the port is open but the health check fails: ask the API server for its health path, and see that nothing "
        "(SELinux, a proxy) stands between",
    ),
    "backend_silent": (WARNING, "start the API server, or take the host out of endpoint_apiserver_hosts"),
    "backend_disabled": (WARNING, "somebody disabled it on the stats socket: enable it there, or reload haproxy"),
    "no_apiserver": (INFO, "start one with kubeadm; the VIP is ready for it"),
    "certificate_lacks_vip": (
        WARNING,
        _certificate.REPAIR.format(wanted="that"),
    ),
    "kubelet_took_vip": (ERROR, "give the kubelet its own address by --node-ip there, and restart it"),
    "kubelet_node_ip_unset": (
        WARNING,
        "give the kubelet its own address by --node-ip there; one that chooses for itself can choose the VIP",
    ),
    "vrrp_stranger": (
        WARNING,
        "stop what sends it: the switch knows the port of its MAC address, and `tcpdump -eni any 'ip proto 112 or ip6 "
        "proto 112'` shows more; of a member, run `site` for it",
    ),
    "anonymous_denied": (
        WARNING,
        "the API server answers 401, so it's alive but its readiness is unknown: allow anonymous requests to its "
        "health paths",
    ),
}

# Where every difference from the plan counts, as in `status`, these count too.
_STRICT = frozenset(
    [
        "takeover_pending",
        "backend_silent",
        "file_drifted",
        "service_disabled",
        "plan_outdated",
        "certificate_lacks_vip",
        "kubelet_absent",
    ]
)

# The delay is counted in whole seconds by a check that runs once a second.
_FAILBACK_GRACE = 3

# HAProxy's own words for "nothing listens there".
_UNREACHED = frozenset(["L4CON", "L4TOUT"])


@dataclass(frozen=True)
class Finding:
    code: str
    severity: str
    message: str
    fix: str
    host: Optional[str] = None
    endpoint: Optional[str] = None

    def to_dict(self) -> Dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Scope:
    """What the judge can't see from the observations.

    `applied` are hosts that this run has just deployed to. Of members that aren't observed now, those in `elsewhere`
    are known to have the endpoint, those in `absent` not to have it. `partial` is a run that leaves members out; then
    those may be behind. `strict` is for those who want every difference to count. `accept` are codes to live with,
    besides those of the plan.
    """

    applied: FrozenSet[str] = frozenset()
    elsewhere: FrozenSet[str] = frozenset()
    absent: FrozenSet[str] = frozenset()
    unreachable: Mapping[str, str] = field(default_factory=dict)
    partial: bool = False
    strict: bool = False
    accept: FrozenSet[str] = frozenset()


def judge(plan: Plan, observations: Mapping[str, Info], scope: Optional[Scope] = None) -> Dict[str, Any]:
    """ok, findings, rows (one for each endpoint and member), endpoints (one for each VIP), holders and servers."""
    scope = scope or Scope()
    scope = replace(scope, accept=scope.accept | _accepted(plan))
    findings: List[Finding] = []
    rows: List[Dict[str, Any]] = []
    endpoint_rows: List[Dict[str, Any]] = []
    holders: Dict[str, Dict[str, List[str]]] = {}
    members = list(dict.fromkeys(host for endpoint in plan["endpoints"] for host in members_of(endpoint)))
    for host in members:
        findings.extend(_presence(plan, host, observations, scope))
        if host in observations:
            findings.extend(_host_findings(plan, host, observations[host]))
            findings.extend(_node_findings(plan, host, observations[host]))
    for endpoint in plan["endpoints"]:
        deployed = deployed_members(endpoint, observations, scope.applied | scope.elsewhere)
        holders[endpoint["name"]] = _holders(endpoint, observations)
        for host in deployed:
            if host in observations:
                findings.extend(_endpoint_findings(endpoint, host, observations[host]))
                findings.extend(_certificate_findings(endpoint, observations[host]))
        findings.extend(_holding(endpoint, observations, deployed, scope))
        findings.extend(_answers(endpoint, observations, deployed))
    findings.extend(_stranger_findings(plan, observations))
    findings = _weigh(findings + _unsettled(observations, findings), scope)
    for endpoint in plan["endpoints"]:
        rows.extend(_row(endpoint, host, observations, scope, findings) for host in members_of(endpoint))
        endpoint_rows.extend(_endpoint_row(endpoint, vip, observations) for vip in endpoint["vips"])
    return {
        "ok": not any(finding.severity == ERROR for finding in findings),
        "findings": [finding.to_dict() for finding in findings],
        "rows": rows,
        "endpoints": endpoint_rows,
        "holders": holders,
        "servers": [
            row
            for endpoint in plan["endpoints"]
            for host in members_of(endpoint)
            for row in _server_rows(endpoint, host, observations.get(host, {}))
        ],
    }


def unmet(plan: Plan, host: str, info: Info, expected: Expected) -> List[str]:
    """What this host doesn't do yet, in words; it sees nothing but itself."""
    findings = _host_findings(plan, host, info)
    texts: List[str] = []
    for endpoint in plan["endpoints"]:
        if host not in members_of(endpoint) or is_dormant(endpoint, info):
            continue
        findings.extend(_endpoint_findings(endpoint, host, info))
        findings.extend(_silent(endpoint, host, info))
        wanted = expected.get(endpoint["name"], {}).get(host)
        held = [vip["address"] for vip in endpoint["vips"] if vip["address"] in info.get("holds", ())]
        missing = [vip["address"] for vip in endpoint["vips"] if vip["address"] not in held]
        if wanted is True and missing:
            texts.append("%s: it should hold %s" % (endpoint["name"], _listed(missing)))
        elif wanted is False and held:
            texts.append("%s: it should not hold %s" % (endpoint["name"], _listed(held)))
        elif held and missing:
            texts.append("%s: it holds %s without %s" % (endpoint["name"], _listed(held), _listed(missing)))
        starting = [name for name, state in _states(endpoint, info).items() if state == "init"]
        if starting:
            texts.append("%s: keepalived is still starting %s" % (endpoint["name"], _listed(starting)))
    accepted = _accepted(plan)
    errors = [finding for finding in findings if finding.severity == ERROR and finding.code not in accepted]
    return texts + [finding.message for finding in errors]


@dataclass(frozen=True)
class Gate:
    """What has to be proven of a host before the next one is touched.

    `daemons` were touched. `up` are endpoints of which HAProxy saw an API server before, `held` are VIPs that somebody
    had; `claims` are the members that have each VIP now, where the network could be asked.
    """

    daemons: Sequence[str]
    up: Sequence[str] = ()
    held: Sequence[str] = ()
    claims: Optional[Mapping[str, Sequence[str]]] = None


# What another host, or an API server, may be to blame for doesn't hold a change against the host that has it.
_OWN_FAULTS = frozenset([
    "service_down", "reload_pending", "haproxy_hung", "haproxy_silent", "keepalived_hung", "keepalived_silent",
    "keepalived_fault", "backend_missing", "backend_unplanned",
])  # fmt: skip


def not_proven(plan: Plan, host: str, info: Info, gate: Gate) -> List[str]:
    """What is wrong with a host that was just changed, in words."""
    mine = _hostview.endpoints_of(plan, host)
    findings = _daemons(mine, host, info, gate.daemons)
    texts: List[str] = []
    for endpoint in mine:
        if "haproxy" in gate.daemons:
            findings.extend(_endpoint_findings(endpoint, host, dict(info, keepalived={})))
            if endpoint["name"] in gate.up and not any(map(_has_checked, _servers(endpoint, info).values())):
                texts.append("%s: HAProxy sees no API server any more" % endpoint["name"])
        if "keepalived" in gate.daemons:
            findings.extend(_endpoint_findings(endpoint, host, dict(info, haproxy={})))
            texts.extend(_other_instances(endpoint, host, info))
        for vip in endpoint["vips"]:
            if gate.claims is None:
                continue
            holders = gate.claims.get(vip["address"], ())
            if len(holders) > 1:
                texts.append("%s is held by %s" % (vip["address"], _listed(holders)))
            elif not holders and ("keepalived" in gate.daemons or vip["address"] in gate.held):
                texts.append("nobody holds %s" % vip["address"])
    return [finding.message for finding in findings if finding.code in _OWN_FAULTS] + texts


def _has_checked(server: Mapping[str, Any]) -> bool:
    """Up by a check that this process made: at its start HAProxy takes all servers for up."""
    status = (server.get("check_status") or "").lstrip("* ")
    return is_up(server["status"]) and status.startswith("L") and "OK" in status


def _other_instances(endpoint: Endpoint, host: str, info: Info) -> List[str]:
    """Where keepalived speaks another virtual router than the planned one, or isn't done starting."""
    found = (info.get("keepalived") or {}).get("instances") or {}
    texts = []
    for instance in endpoint["instances"]:
        state = found.get(instance["name"])
        if not found:
            continue
        if state is None:
            texts.append("keepalived has no instance %s" % instance["name"])
        elif state.get("state") == "init":
            texts.append("keepalived is still starting %s" % instance["name"])
        elif state.get("virtual_router_id") not in (None, instance["virtual_router_id"]):
            texts.append("keepalived speaks virtual router %s" % state["virtual_router_id"])
    return texts


def apart(observations: Mapping[str, Info]) -> float:
    """How many seconds lie between the first observation and the last.

    By the hosts' clocks, which may differ, and by how long each has waited: whatever is more.
    """
    spans = [[info[key] for info in observations.values() if info.get(key) is not None] for key in ("at", "waited")]
    return max([max(span) - min(span) for span in spans if span], default=0.0)


def expected_holders(
    plan: Plan, deployed: Iterable[str], unknown: Iterable[str] = (), leaving: Iterable[str] = ()
) -> Expected:
    """{endpoint: {host: it holds the VIP: True, False, or None where either is right}} for deployed members.

    `unknown` are members that may be deployed and running for all that is known, as under --limit; `leaving` are those
    that rank below all others.
    """
    known, maybe, last = set(deployed), set(unknown), set(leaving)
    return {endpoint["name"]: expected_of(endpoint, known, maybe, last) for endpoint in plan["endpoints"]}


def expected_of(
    endpoint: Endpoint, deployed: Container[str], unknown: Container[str], leaving: Container[str]
) -> Dict[str, Optional[bool]]:
    """The same for one endpoint."""
    ranked = sorted(members_of(endpoint), key=lambda host: host in leaving)
    here = [host for host in ranked if host in deployed]
    perhaps = [host for host in ranked if host in unknown and host not in deployed]
    expected: Dict[str, Optional[bool]] = {}
    for host in here:
        outranked = any(ranked.index(other) < ranked.index(host) for other in perhaps)
        if len(here) == 1 and not perhaps:
            expected[host] = True
        elif not endpoint["failback"]:
            expected[host] = None
        elif host != here[0]:
            expected[host] = False
        else:
            expected[host] = None if outranked else True
    return expected


def leaving(observations: Mapping[str, Info]) -> List[str]:
    """Hosts that rank below all others: drained, or being restarted by a run."""
    return [host for host, info in observations.items() if any((info.get("drain") or {}).values())]


def undrainable(plan: Plan, observations: Mapping[str, Info], hosts: Sequence[str]) -> List[str]:
    """Why these hosts can't all be drained."""
    texts = []
    named = set(hosts)
    known = {host for endpoint in plan["endpoints"] for host in members_of(endpoint)}
    for host in hosts:
        if host not in known:
            texts.append("%s balances nothing: no member has a plan with it" % host)
    for endpoint in plan["endpoints"]:
        members = members_of(endpoint)
        if named.isdisjoint(members):
            continue
        others = [host for host in members if host not in named]
        well = [host for host in others if host in observations and is_well(endpoint, host, observations[host])]
        if not well:
            said = "%s can't serve either" % _listed(others) if others else "there is no other"
            texts.append("%s: nobody would be left, since %s" % (endpoint["name"], said))
    return texts


def is_well(endpoint: Endpoint, host: str, info: Info) -> bool:
    """Whether a member could hold the VIP, for all that was seen of it."""
    if _stored_endpoint(endpoint, info) is None or (info.get("drain") or {}).get("drained"):
        return False
    findings = _daemons([endpoint], host, info) + _endpoint_findings(endpoint, host, dict(info, haproxy={}))
    return not any(finding.code in _OWN_FAULTS for finding in findings)


def deployed_members(endpoint: Endpoint, observations: Mapping[str, Info], applied: Iterable[str] = ()) -> List[str]:
    """Members that have this endpoint: this run gave it to them, or their stored plan says so.

    Not those that wait for a kubelet to run it.
    """
    fresh = set(applied)
    return [
        host
        for host in members_of(endpoint)
        if (host in fresh or _stored_endpoint(endpoint, observations.get(host, {})) is not None)
        and not is_dormant(endpoint, observations.get(host, {}))
    ]


def is_dormant(endpoint: Endpoint, info: Info) -> bool:
    """Whether static pods lie there, and no kubelet runs that could start them. Before `kubeadm init` that's right."""
    kubelet = info.get("static_pod_kubelet")
    return bool(
        endpoint["mode"] == "static_pod"
        and kubelet
        and not kubelet.get("running")
        and not any(pod.get("active") == "active" for pod in (info.get("pods") or {}).values())
    )


def members_of(endpoint: Endpoint) -> List[str]:
    """Hosts of all instances, the preferred one first."""
    priorities: Dict[str, int] = {}
    for instance in endpoint["instances"]:
        for member in instance["members"]:
            priorities[member["host"]] = max(member["priority"], priorities.get(member["host"], 0))
    return sorted(priorities, key=lambda host: -priorities[host])


def stored_plan(observations: Mapping[str, Info]) -> Plan:
    """The plan that hosts have stored: of each endpoint what most of its members have, the first of them at a tie."""
    plans = [deployed_of(info).plan for info in observations.values()]
    versions: Dict[str, List[Endpoint]] = {}
    for host, plan in zip(observations, plans):
        # Nobody stores an endpoint that isn't its own.
        for endpoint in _hostview.endpoints_of(plan or NO_PLAN, host):
            versions.setdefault(endpoint["name"], []).append(endpoint)
    first = next((plan for plan in plans if plan), NO_PLAN)
    return with_endpoints(first, [max(found, key=found.count) for found in versions.values()])


def settle_seconds(plan: Plan, host: str) -> float:
    """How long a host's state has to last to be believed: longer than it takes a backup to miss its master."""
    timers = [
        instance["advert_interval"] * ((instance["down_timer_adverts"] or 3) + 1)
        for endpoint in plan["endpoints"]
        if host in members_of(endpoint)
        for instance in endpoint["instances"]
    ]
    return round(1.5 * max(timers), 3) if timers else 0.0


# Whether a host is there at all


def _presence(plan: Plan, host: str, observations: Mapping[str, Info], scope: Scope) -> List[Finding]:
    if host in scope.unreachable:
        return [_finding("host_unreachable", "it can't be reached: %s" % scope.unreachable[host], host)]
    if host not in observations:
        return [_finding("not_observed", "this run has not looked at it", host)]
    info = observations[host]
    stored = deployed_of(info)
    findings = []
    if stored.error:
        code = "newer_stored_plan" if stored.newer else "bad_stored_plan"
        findings.append(_finding(code, "its stored plan can't be read: %s" % stored.error, host))
    if info.get("oddities"):
        findings.append(_finding("odd_answer", "it said what can't be: %s" % "; ".join(info["oddities"]), host))
    for endpoint in plan["endpoints"]:
        if host not in members_of(endpoint):
            continue
        theirs = _stored_endpoint(endpoint, info)
        if theirs is None and not stored.error:
            code = "not_deployed_yet" if scope.partial and host not in scope.applied else "not_deployed"
            findings.append(_finding(code, "it doesn't have this endpoint", host, endpoint))
        elif theirs is not None and theirs != endpoint:
            code = "plan_outdated" if scope.partial and host not in scope.applied else "plan_differs"
            text = "its stored plan differs in %s" % _listed(_differing_keys(endpoint, theirs))
            findings.append(_finding(code, text, host, endpoint))
    return findings


def _stored_endpoint(endpoint: Endpoint, info: Info) -> Optional[Endpoint]:
    plan = deployed_of(info).plan or NO_PLAN
    return next((item for item in plan["endpoints"] if item["name"] == endpoint["name"]), None)


def _differing_keys(ours: Endpoint, theirs: Endpoint) -> List[str]:
    return sorted(key for key in set(ours) | set(theirs) if ours.get(key) != theirs.get(key))


# The cluster behind the endpoint


def _certificate_findings(endpoint: Endpoint, info: Info) -> List[Finding]:
    """Of the API servers that this host has asked."""
    findings = []
    for server, names in sorted(((info.get("certificates") or {}).get(endpoint["name"]) or {}).items()):
        missing = _certificate.lacking(names, endpoint)
        if missing:
            text = "its API server's certificate is for %s, not for %s" % (_certificate.listed(names), _listed(missing))
            findings.append(_finding("certificate_lacks_vip", text, server, endpoint))
    return findings


def _node_findings(plan: Plan, host: str, info: Info) -> List[Finding]:
    kubelet = info.get("kubelet") or {}
    if not kubelet:
        return []
    vips = {vip["address"] for endpoint in plan["endpoints"] for vip in endpoint["vips"]}
    trouble = _components.node_ip_trouble(
        kubelet["name"], kubelet["options"], kubelet["running"], info.get("node") or {}, vips
    )
    return [_finding(trouble[0], trouble[1], host)] if trouble else []


# One host by itself


def _host_findings(plan: Plan, host: str, info: Info) -> List[Finding]:
    mine = _hostview.endpoints_of(plan, host)
    if not any(_stored_endpoint(endpoint, info) for endpoint in mine):
        return []
    findings = _stale_vips(mine, host, info)
    if any(is_dormant(endpoint, info) for endpoint in mine):
        findings.append(_finding("kubelet_absent", "not proven: kubelet absent", host))
    else:
        findings.extend(_daemons(mine, host, info))
    drain = info.get("drain") or {}
    if drain.get("drained"):
        findings.append(_finding("drained", "it's drained, and ranks below all others", host))
    if drain.get("moving"):
        findings.append(_finding("left_moving", "a run that restarted something has left it below all others", host))
    ignored = info.get("haproxy_ignored") or ()
    if ignored and mine[0]["mode"] == "service":
        findings.append(_finding("haproxy_files_ignored", "HAProxy doesn't load %s" % _listed(list(ignored)), host))
    if info.get("lease"):
        findings.append(_left_stopped(info["lease"], host))
    for path in info.get("drifted") or ():
        findings.append(_finding("file_drifted", "%s isn't what the plan makes of it" % path, host))
    return findings


def _left_stopped(lease: Mapping[str, Any], host: str) -> Finding:
    begun = "%s has stopped keepalived here for a change, %s ago" % (lease["run"], _span(lease["since"]))
    if lease["phase"] == "speaking":
        return _finding("started_by_itself", begun + ", and hasn't ended that; it has started again by itself", host)
    if lease["left"] > 0:
        ends = "it starts again by itself in %s, unless that run goes on" % _span(lease["left"])
    else:
        ends = "that run is gone, and it isn't started yet: %s" % (lease["why"] or "who holds is being looked at")
    return _finding("stopped_for_change", "%s; %s" % (begun, ends), host)


def _span(seconds: float) -> str:
    return "%d s" % seconds if seconds < 120 else "%d min" % (seconds / 60)


def _stale_vips(mine: Sequence[Endpoint], host: str, info: Info) -> List[Finding]:
    planned = {vip["address"] for endpoint in mine for vip in endpoint["vips"]}
    stale = [address for address in info.get("holds", ()) if address not in planned]
    return [_finding("stale_vip", "it still holds %s, which isn't planned" % address, host) for address in stale]


def _daemons(mine: Sequence[Endpoint], host: str, info: Info, names: Sequence[str] = DAEMONS) -> List[Finding]:
    findings: List[Finding] = []
    pods = mine[0]["mode"] == "static_pod"
    for name in names:
        daemon = _running(mine[0], info).get(name) or {}
        if pods and daemon.get("exists") is False:
            findings.append(_finding("manifest_missing", "the manifest of %s is gone" % name, host))
        if daemon.get("active") not in ("active", "reloading"):
            findings.append(_down(name, pods, daemon, host))
            continue
        if not pods and not daemon.get("enabled"):
            findings.append(_finding("service_disabled", "%s isn't started at boot" % name, host))
        findings.extend(_loaded(name, host, info))
        findings.extend(_version(name, mine, host, info))
    if "haproxy" in names and _is_active("haproxy", mine, info):
        haproxy = info.get("haproxy") or {}
        if haproxy.get("hung"):
            text = "HAProxy doesn't answer: %s" % haproxy.get("error")
            findings.append(_finding("haproxy_hung", text, host, words=_repairs("haproxy", pods)))
        elif haproxy.get("error"):
            findings.append(_finding("haproxy_silent", "HAProxy's stats socket: %s" % haproxy["error"], host))
    keepalived = info.get("keepalived") or {}
    if keepalived.get("hung"):
        text = "keepalived doesn't answer: %s" % keepalived.get("error")
        findings.append(_finding("keepalived_hung", text, host, words=_repairs("keepalived", pods)))
    elif keepalived.get("error") and keepalived.get("can_dump", True) and _is_active("keepalived", mine, info):
        findings.append(_finding("keepalived_silent", "keepalived's state: %s" % keepalived["error"], host))
    return findings


def _repairs(name: str, pods: bool) -> Dict[str, str]:
    """Commands for a daemon that runs an old program, and for one that doesn't react, not even to a request to stop."""
    if pods:
        return dict.fromkeys(("restart", "kill"), "restart the container of %s there" % name)
    return {
        "restart": "`systemctl restart %s` there" % name,
        "kill": "`systemctl kill --signal=KILL %s; systemctl restart %s` there" % (name, name),
    }


def _is_active(name: str, mine: Sequence[Endpoint], info: Info) -> bool:
    return bool((_running(mine[0], info).get(name) or {}).get("active") == "active")


def _running(endpoint: Endpoint, info: Info) -> Mapping[str, Any]:
    """HAProxy and keepalived as the endpoint's mode has them: what systemd says, or what pods of ours there are."""
    return info.get("pods" if endpoint["mode"] == "static_pod" else "services") or {}


def _down(name: str, pods: bool, daemon: Mapping[str, Any], host: str) -> Finding:
    if pods:
        return _finding("pod_down", "the pod of %s isn't running" % name, host)
    return _finding("service_down", "%s is %s" % (name, daemon.get("active") or "not known to systemd"), host)


def _loaded(name: str, host: str, info: Info) -> List[Finding]:
    if not (info.get("reload_pending") or {}).get(name):
        return []
    if (info.get("running") or {}).get(name) is None:
        return [_finding("running_unknown", "nothing says which configuration %s has loaded" % name, host)]
    return [_finding("reload_pending", "%s has loaded another configuration than the one that is there" % name, host)]


def _version(name: str, mine: Sequence[Endpoint], host: str, info: Info) -> List[Finding]:
    pod = ((info.get("pods") or {}).get(name) or {}) if mine[0]["mode"] == "static_pod" else None
    # A pod brings its own, whatever the host has.
    installed = ((info.get("packages") or {}).get(name) or {}).get("installed") if pod is None else pod.get("version")
    planned = max((endpoint["versions"][name] for endpoint in mine), key=_version_key)
    findings = []
    if installed and _version_key(installed) < _version_key(planned):
        verb = "is installed" if pod is None else "runs"
        text = "%s %s %s, the plan was made for %s" % (name, installed, verb, planned)
        findings.append(_finding("version_older", text, host))
    running = (info.get(name) or {}).get("version")
    if pod is None and installed and running and running != installed:
        text = "%s %s runs, %s is installed" % (name, running, installed)
        findings.append(_finding("restart_pending", text, host, words=_repairs(name, pod is not None)))
    elif (info.get("restart_pending") or {}).get(name):
        what = "its program or its systemd drop-in" if pod is None else "its manifest"
        text = "%s was started before %s was replaced" % (name, what)
        findings.append(_finding("restart_pending", text, host, words=_repairs(name, pod is not None)))
    return findings


def _version_key(version: str) -> Tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


# One host's part of one endpoint


def _endpoint_findings(endpoint: Endpoint, host: str, info: Info) -> List[Finding]:
    findings = [
        _finding("keepalived_fault", "%s is in FAULT" % name, host, endpoint)
        for name, state in _states(endpoint, info).items()
        if state == "fault"
    ]
    findings += _connections(endpoint, host, info)
    seen = (info.get("haproxy") or {}).get("backends")
    return findings if seen is None else findings + _backends(endpoint, host, info)


def _connections(endpoint: Endpoint, host: str, info: Info) -> List[Finding]:
    """Whether others can still connect, and whether somebody couldn't."""
    frontend = ((info.get("haproxy") or {}).get("frontends") or {}).get(endpoint["name"]) or {}
    findings = []
    sessions, most, refused = (frontend.get(key) or 0 for key in ("sessions", "most", "refused"))
    if most and sessions >= _hostview.nearly_full(most):
        text = "HAProxy has %d of %d connections" % (sessions, most)
        findings.append(_finding("haproxy_nearly_full", text, host, endpoint))
    if refused:
        text = "HAProxy has refused %d connections of sources that have %s already" % (
            refused, endpoint["haproxy"].get("maxconn_per_source", "too many"))
        findings.append(_finding("haproxy_source_refused", text, host, endpoint))
    return findings


def _states(endpoint: Endpoint, info: Info) -> Dict[str, Optional[str]]:
    """State of each instance, where keepalived was asked."""
    instances = (info.get("keepalived") or {}).get("instances") or {}
    return {
        instance["name"]: (instances.get(instance["name"]) or {}).get("state") for instance in endpoint["instances"]
    }


def _backends(endpoint: Endpoint, host: str, info: Info) -> List[Finding]:
    servers = _servers(endpoint, info)
    findings = []
    silent = []
    for backend in endpoint["backends"]:
        server = servers.pop(backend["name"], None)
        if server is None:
            text = "HAProxy has no server %s" % backend["name"]
            findings.append(_finding("backend_missing", text, host, endpoint))
        elif is_up(server["status"]):
            if server.get("check_code") == 401:
                text = "%s answers 401 to HAProxy's check" % backend["name"]
                findings.append(_finding("anonymous_denied", text, host, endpoint))
        elif server["status"].startswith(("MAINT", "DRAIN")):
            text = "HAProxy has %s in %s" % (backend["name"], server["status"])
            findings.append(_finding("backend_disabled", text, host, endpoint))
        elif _listens(backend, server, info):
            text = "HAProxy finds %s %s: %s" % (backend["name"], server["status"], _check_text(server))
            findings.append(_finding("backend_down", text, host, endpoint))
        else:
            silent.append(backend["name"])
    for name in sorted(servers):
        text = "HAProxy has a server %s, which isn't planned" % name
        findings.append(_finding("backend_unplanned", text, host, endpoint))
    if silent and len(silent) == len(endpoint["backends"]):
        findings.append(_finding("no_apiserver", "no API server listens yet", host, endpoint))
    else:
        for name in silent:
            text = "nothing listens on API server %s" % name
            findings.append(_finding("backend_silent", text, host, endpoint))
    return findings


def _servers(endpoint: Endpoint, info: Info) -> Dict[str, Mapping[str, Any]]:
    backends = (info.get("haproxy") or {}).get("backends") or {}
    return {server["name"]: server for server in backends.get(endpoint["name"], ())}


def _listens(backend: Backend, server: Mapping[str, Any], info: Info) -> bool:
    """By this host's own attempt, or where it made none, by what HAProxy's check met."""
    tried = (info.get("apiservers") or {}).get(address_port(backend["address"], backend["port"]))
    if tried is None:
        return server.get("check_status") not in _UNREACHED
    return bool(tried)


def _check_text(server: Mapping[str, Any]) -> str:
    code = server.get("check_code")
    parts = [server.get("check_status") or "no check yet", "" if code is None else str(code), server.get("last_chk")]
    return " ".join(part for part in parts if part)


def address_port(address: str, port: int) -> str:
    return ("[%s]:%d" if ":" in address else "%s:%d") % (address, port)


# All hosts together


def _holders(endpoint: Endpoint, observations: Mapping[str, Info]) -> Dict[str, List[str]]:
    return {
        vip["address"]: [host for host, info in observations.items() if vip["address"] in info.get("holds", ())]
        for vip in endpoint["vips"]
    }


def _holding(
    endpoint: Endpoint, observations: Mapping[str, Info], deployed: Sequence[str], scope: Scope
) -> List[Finding]:
    if not deployed:
        return []
    findings: List[Finding] = []
    holders = _holders(endpoint, observations)
    unseen = [host for host in members_of(endpoint) if host not in observations and host not in scope.absent]
    for address, hosts in holders.items():
        if len(hosts) > 1:
            findings.append(_finding("two_holders", "%s is held by %s" % (address, _listed(hosts)), None, endpoint))
        elif not hosts and not (unseen and _answering(endpoint, address, observations)):
            findings.append(_finding("no_holder", "nobody holds %s" % address, None, endpoint))
    if len({tuple(hosts) for hosts in holders.values()}) > 1 and all(holders.values()):
        text = ", ".join("%s by %s" % (address, _listed(hosts)) for address, hosts in holders.items())
        findings.append(_finding("vips_split", "its addresses are on different hosts: %s" % text, None, endpoint))
    # A plan that can't be read says nothing of whether its host is to hold.
    unreadable = [host for host in members_of(endpoint) if deployed_of(observations.get(host, {})).error]
    unknown = [host for host in (*unseen, *unreadable) if host not in deployed]
    expected = expected_of(endpoint, deployed, unknown, leaving(observations))
    wanted = next((host for host, holds in expected.items() if holds), None)
    for address, hosts in holders.items():
        if wanted is not None and hosts and wanted not in hosts:
            text = "%s is held by %s instead of %s" % (address, _listed(hosts), wanted)
            info = observations.get(wanted, {})
            reason = _why_not(endpoint, info)
            left = 0.0 if reason else _failback_left(endpoint, info)
            if left > 0:
                text += ", which takes it back in %d s" % left
                findings.append(_finding("takeover_pending", text, wanted, endpoint))
            else:
                findings.append(_finding("wrong_holder", text + (": " + reason if reason else ""), wanted, endpoint))
    return findings


def _why_not(endpoint: Endpoint, info: Info) -> str:
    """The likeliest reason that a preferred host doesn't hold."""
    daemons = _running(endpoint, info)
    down = [name for name in DAEMONS if daemons.get(name) and daemons[name].get("active") != "active"]
    haproxy = info.get("haproxy") or {}
    if down:
        return "%s is down there" % _listed(down)
    if haproxy.get("hung"):
        return "HAProxy hangs there"
    servers = _servers(endpoint, info)
    if servers and not any(is_up(server["status"]) for server in servers.values()):
        return "HAProxy there sees no API server"
    return ""


def _failback_left(endpoint: Endpoint, info: Info) -> float:
    """Seconds until a preferred host that is well takes the VIP back."""
    uptime = (info.get("haproxy") or {}).get("uptime_s")
    return 0.0 if uptime is None else max(0.0, endpoint["failback_delay"] + _FAILBACK_GRACE - uptime)


def _answers(endpoint: Endpoint, observations: Mapping[str, Info], deployed: Sequence[str]) -> List[Finding]:
    if not deployed:
        return []
    findings: List[Finding] = []
    for host in members_of(endpoint):
        if host in observations:
            findings.extend(_silent(endpoint, host, observations[host]))
    for vip in endpoint["vips"]:
        if not any(_attempts(endpoint, info, vip["address"]) for info in observations.values()):
            text = "nobody has connected to %s" % address_port(vip["address"], endpoint["port"])
            findings.append(_finding("vip_untried", text, None, endpoint))
    return findings


def _silent(endpoint: Endpoint, host: str, info: Info) -> List[Finding]:
    """The VIP as seen from this host."""
    findings = []
    check = endpoint["haproxy"]["check"]
    for attempt in _attempts(endpoint, info):
        where = address_port(attempt["address"], attempt["port"])
        if attempt["tcp"] != "ok":
            text = "%s doesn't answer from here: %s" % (where, attempt.get("error") or attempt["tcp"])
            findings.append(_finding("vip_silent", text, host, endpoint))
        elif check["kind"] != "tcp" and _api_is_up(endpoint, info):
            status = attempt.get("http_status")
            if status not in check["accept"]:
                said = "HTTP %d" % status if status else attempt.get("error") or "nothing"
                text = "%s accepts connections, and API servers are up, but the answer is: %s" % (where, said)
                findings.append(_finding("vip_wrong_answer", text, host, endpoint))
    return findings


def _api_is_up(endpoint: Endpoint, info: Info) -> bool:
    return any(is_up(server["status"]) for server in _servers(endpoint, info).values())


def _attempts(endpoint: Endpoint, info: Info, address: Optional[str] = None) -> List[Mapping[str, Any]]:
    return [
        attempt
        for attempt in info.get("connect") or ()
        if attempt["endpoint"] == endpoint["name"] and address in (None, attempt["address"])
    ]


def _answering(
    endpoint: Endpoint, address: str, observations: Mapping[str, Info]
) -> List[Tuple[str, Mapping[str, Any]]]:
    return [
        (host, attempt)
        for host, info in observations.items()
        for attempt in _attempts(endpoint, info, address)
        if attempt["tcp"] == "ok"
    ]


def _unsettled(observations: Mapping[str, Info], findings: Sequence[Finding]) -> List[Finding]:
    """Hosts that didn't come to rest, although nothing is wrong with what was seen last."""
    if any(finding.severity == ERROR or finding.code == "takeover_pending" for finding in findings):
        return []
    return [
        _finding("unsettled", "after %g s still: %s" % (info.get("waited") or 0, "; ".join(info.get("unmet") or ())),
                 host)
        for host, info in observations.items()
        if info.get("met") is False
    ]


# What else speaks VRRP


def _stranger_findings(plan: Plan, observations: Mapping[str, Info]) -> List[Finding]:
    """The same sender is one finding, whoever heard it."""
    macs = {str(link["mac"]): host for host, info in observations.items() for link in info.get("interfaces") or ()
            if link.get("mac")}  # fmt: skip
    heard_by: Dict[Tuple[str, int, str], Dict[str, None]] = {}
    sent: Dict[Tuple[str, int, str], Dict[str, None]] = {}
    for host, info in observations.items():
        for found in _strangers.strangers(plan, host, info.get("heard"), macs):
            key = (found.endpoint, found.virtual_router_id, found.sender)
            heard_by.setdefault(key, {})[host] = None
            sent.setdefault(key, {})[found.what] = None
    findings = []
    for (name, vrid, sender), hosts in heard_by.items():
        what = "; ".join(sent[name, vrid, sender])
        text = "%s sends to virtual router %d: %s (heard by %s)" % (sender, vrid, what, _listed(list(hosts)))
        findings.append(_finding("vrrp_stranger", text, None, name))
    return findings or _rejecting(plan, observations)


def _rejecting(plan: Plan, observations: Mapping[str, Info]) -> List[Finding]:
    """What keepalived rejects and nobody else can tell from a member's adverts, such as another password."""
    findings = []
    for endpoint in plan["endpoints"]:
        for instance in endpoint["instances"]:
            for host, info in observations.items():
                rejects = ((info.get("keepalived") or {}).get("rejects") or {}).get(instance["name"])
                if rejects:
                    heard = [packet for packet in _strangers.packets_of(info.get("heard"))
                             if packet.virtual_router_id == instance["virtual_router_id"]]  # fmt: skip
                    text = "keepalived rejects packets of %s (%s); it hears %s" % (
                        instance["name"],
                        ", ".join("%s: %s" % item for item in sorted(rejects.items())),
                        _listed(list(dict.fromkeys(packet.sender for packet in heard))) or "nobody",
                    )
                    findings.append(_finding("vrrp_stranger", text, host, endpoint))
    return findings


# What people see


def _row(
    endpoint: Endpoint, host: str, observations: Mapping[str, Info], scope: Scope, findings: Sequence[Finding]
) -> Dict[str, Any]:
    info = observations.get(host, {})
    member = next(m for i in endpoint["instances"] for m in i["members"] if m["host"] == host)
    states = (info.get("keepalived") or {}).get("instances") or {}
    priorities = {
        (states.get(instance["name"]) or {}).get("effective_priority") for instance in endpoint["instances"]
    }
    servers = list(_servers(endpoint, info).values())
    mine = [f for f in findings if f.host == host and f.endpoint in (None, endpoint["name"])]
    mine.sort(key=lambda finding: _SEVERITIES.index(finding.severity))
    return {
        "endpoint": endpoint["name"],
        "host": host,
        "planned": member["state"],
        "planned_priority": member["priority"],
        "observed": _observed(endpoint, host, info, scope),
        "effective_priority": priorities.pop() if len(priorities) == 1 else None,
        "haproxy": _haproxy_text(endpoint, info),
        "backends_up": sum(is_up(server["status"]) for server in servers) if servers else None,
        "backends": len(endpoint["backends"]),
        "note": mine[0].message if mine else "",
        "findings": [finding.code for finding in mine],
    }


def _observed(endpoint: Endpoint, host: str, info: Info, scope: Scope) -> str:
    if host in scope.unreachable:
        return "unreachable"
    if not info:
        return "not observed"
    vips = [vip["address"] for vip in endpoint["vips"]]
    held = sum(address in info.get("holds", ()) for address in vips)
    if held:
        return "holds" if held == len(vips) else "holds %d of %d" % (held, len(vips))
    if _stored_endpoint(endpoint, info) is None:
        return "not deployed"
    if is_dormant(endpoint, info):
        return "waits for kubelet"
    if (_running(endpoint, info).get("keepalived") or {}).get("active") != "active":
        return "down"
    if (info.get("drain") or {}).get("drained"):
        return "drained"
    if "fault" in _states(endpoint, info).values() or _haproxy_text(endpoint, info) in ("down", "hung"):
        return "fault"
    return "backup"


def _haproxy_text(endpoint: Endpoint, info: Info) -> str:
    daemon = _running(endpoint, info).get("haproxy") or {}
    haproxy = info.get("haproxy") or {}
    if not info or is_dormant(endpoint, info):
        return ""
    if daemon.get("exists") and daemon.get("active") not in ("active", "reloading"):
        return "down"
    if haproxy.get("hung"):
        return "hung"
    if endpoint["mode"] == "static_pod":
        return haproxy.get("version") or daemon.get("version") or ""
    return haproxy.get("version") or ((info.get("packages") or {}).get("haproxy") or {}).get("installed") or ""


def _server_rows(endpoint: Endpoint, host: str, info: Info) -> List[Dict[str, Any]]:
    """What the HAProxy of one host says of each API server."""
    return [
        {
            "endpoint": endpoint["name"],
            "host": host,
            "server": name,
            "status": server["status"],
            "up": is_up(server["status"]),
            "check": _check_text(server),
        }
        for name, server in _servers(endpoint, info).items()
    ]


def _endpoint_row(endpoint: Endpoint, vip: Vip, observations: Mapping[str, Info]) -> Dict[str, Any]:
    holders = _holders(endpoint, observations)[vip["address"]]
    # From outside counts more than from the holder itself.
    tried = sorted(
        (bool(attempt.get("local")), attempt["millis"], host, attempt)
        for host, attempt in _answering(endpoint, vip["address"], observations)
    )
    best = tried[0] if tried else None
    return {
        "endpoint": endpoint["name"],
        "address": vip["address"],
        "port": endpoint["port"],
        "holders": holders,
        "answers": best is not None,
        "answered_to": best[2] if best else None,
        "millis": best[1] if best else None,
        "http_status": best[3].get("http_status") if best else None,
    }


def text(verdict: Mapping[str, Any]) -> str:
    """The whole verdict as people read it."""
    rows = [
        (
            row["endpoint"],
            row["host"],
            "%s %d" % (row["planned"], row["planned_priority"]),
            "%s %d" % (row["observed"], row["effective_priority"])
            if row["effective_priority"] is not None and row["observed"] in ("holds", "backup")
            else row["observed"],
            row["haproxy"],
            "" if row["backends_up"] is None else "%d of %d" % (row["backends_up"], row["backends"]),
            row["note"],
        )
        for row in verdict["rows"]
    ]
    parts = ["\n".join(_endpoint_line(row) for row in verdict["endpoints"])]
    parts.append(table(("ENDPOINT", "HOST", "PLANNED", "OBSERVED", "HAPROXY", "API SERVERS", "NOTE"), rows))
    if verdict["findings"]:
        parts.append(findings_text(verdict["findings"]))
    return "\n\n".join(part for part in parts if part)


def findings_text(findings: Sequence[Mapping[str, Any]]) -> str:
    """One line for what several hosts have in common, and one for what to do about it."""
    hosts: Dict[Tuple[str, ...], List[str]] = {}
    for finding in findings:
        key = (finding["severity"], finding["code"], finding["endpoint"] or "", finding["message"], finding["fix"])
        hosts.setdefault(key, []).extend([finding["host"]] if finding["host"] else [])
    lines = []
    for (severity, code, endpoint, message, fix), names in hosts.items():
        where = ", ".join(part for part in (endpoint, *names) if part)
        lines.append("%s %s: %s%s" % (severity.upper(), code, where + ": " if where else "", message))
        if severity != INFO:
            lines.append("    %s" % fix)
    return "\n".join(lines)


def _endpoint_line(row: Mapping[str, Any]) -> str:
    where = address_port(row["address"], row["port"])
    holder = "held by %s" % _listed(row["holders"]) if row["holders"] else "held by nobody that was seen"
    if not row["answers"]:
        return "%s %s %s, doesn't answer" % (row["endpoint"], where, holder)
    said = "" if row["http_status"] is None else "HTTP %d " % row["http_status"]
    return "%s %s %s, answers %s %sin %g ms" % (row["endpoint"], where, holder, row["answered_to"], said, row["millis"])


def _weigh(findings: Sequence[Finding], scope: Scope) -> List[Finding]:
    weighed = []
    for finding in dict.fromkeys(findings):
        severity = finding.severity
        if scope.strict and finding.code in _STRICT:
            severity = ERROR
        if finding.code in scope.accept:
            severity = INFO
        weighed.append(replace(finding, severity=severity))
    return sorted(weighed, key=lambda finding: _SEVERITIES.index(finding.severity))


def _accepted(plan: Plan) -> FrozenSet[str]:
    return frozenset(code for endpoint in plan["endpoints"] for code in endpoint["accept_findings"])


def _finding(
    code: str, message: str, host: Optional[str], endpoint: Union[Endpoint, str, None] = None,
    words: Optional[Mapping[str, str]] = None,
) -> Finding:
    severity, fix = CODES[code]
    name = endpoint if endpoint is None or isinstance(endpoint, str) else endpoint["name"]
    return Finding(code, severity, message, fix.format_map(words or {}), host, name)


def _listed(items: Sequence[str]) -> str:
    return ", ".join(items)
