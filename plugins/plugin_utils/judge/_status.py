# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Planned beside observed. Pure: a plan and what `endpoint_info` returned for each host in, findings and rows out.

The same rules serve twice: a host waits until `unmet` is empty, then `judge` looks at all hosts together.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
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
)

from ...module_utils.cluster import _certificate, _components
from ...module_utils.daemons._haproxy import is_up
from ...module_utils.model import _accessors
from ...module_utils.model._planfile import NO_PLAN, deployed_of, with_endpoints
from ...module_utils.segment import _strangers
from ._table import table

if TYPE_CHECKING:
    from ...module_utils.model._model import Endpoint, Plan, Vip
    from ...module_utils.model._observation import Attempt, Observation
    from ._verdict import EndpointRow, FindingEntry, Level, Row, ServerRow, Verdict
from ...module_utils.model._accessors import members_of
from ...module_utils.proof._finding import ERROR, INFO, SEVERITIES, WARNING, Finding
from ...module_utils.proof._host_status import (
    DAEMONS,
    NO_HAPROXY,
    OWN_FAULTS,
    Expected,
    _listed,
    accepted_codes,
    address_port,
    attempts_of,
    check_text,
    daemon_findings,
    daemon_of,
    endpoint_findings,
    host_findings,
    is_dormant,
    servers_of,
    silent_findings,
    states_of,
    stored_endpoint,
)
from ..codes._codes import finding_of, fix_of

# Where every difference from the plan counts, as in `status`, these count too.
_STRICT = frozenset(
    [
        "takeover_pending",
        "backend_silent",
        "file_drifted",
        "service_disabled",
        "watchdog_stopped",
        "plan_outdated",
        "certificate_lacks_vip",
        "kubelet_absent",
    ]
)

# What a part that nobody but root sees would tell, and what is said in its absence.
_UNSEEN = {
    "haproxy": ("HAProxy's statistics", "haproxy_silent"),
    "keepalived": ("keepalived's state", "keepalived_silent"),
    "lease": ("what a run has stopped", ""),
    "listen": ("strangers' packets", ""),
    "notes_lost": ("the notes of what is ours", ""),
    "restart_pending": ("whether a restart is due", ""),
}

# The delay is counted in whole seconds by a check that runs once a second.
_FAILBACK_GRACE = 3


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


def judge(plan: Plan, observations: Mapping[str, Observation], scope: Optional[Scope] = None) -> Verdict:
    """All that was seen beside all that was planned."""
    scope = scope or Scope()
    scope = replace(scope, accept=scope.accept | accepted_codes(plan))
    findings: List[Finding] = []
    rows: List[Row] = []
    endpoint_rows: List[EndpointRow] = []
    holders: Dict[str, Dict[str, List[str]]] = {}
    members = list(dict.fromkeys(host for endpoint in plan["endpoints"] for host in members_of(endpoint)))
    for host in members:
        findings.extend(_presence(plan, host, observations, scope))
        if host in observations:
            findings.extend(_seen(host, observations[host], host_findings(plan, host, observations[host])))
            findings.extend(_node_findings(plan, host, observations[host]))
    for endpoint in plan["endpoints"]:
        deployed = deployed_members(endpoint, observations, scope.applied | scope.elsewhere)
        holders[endpoint["name"]] = _holders(endpoint, observations)
        for host in deployed:
            if host in observations:
                findings.extend(endpoint_findings(endpoint, host, observations[host]))
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
        "level": _level(findings),
        "findings": _said(findings),
        "rows": rows,
        "endpoints": endpoint_rows,
        "holders": holders,
        "servers": [
            row
            for endpoint in plan["endpoints"]
            for host in members_of(endpoint)
            if host in observations
            for row in _server_rows(endpoint, host, observations[host])
        ],
    }


def apart(observations: Mapping[str, Observation]) -> float:
    """How many seconds lie between the first observation and the last.

    By the hosts' clocks, which may differ, and by how long each has waited: whatever is more.
    """
    spans = [[found for found in said if found is not None] for said in (
        [info["at"] for info in observations.values()], [info.get("waited") for info in observations.values()])]
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


def leaving(observations: Mapping[str, Observation]) -> List[str]:
    """Hosts that rank below all others: drained, or being restarted by a run."""
    return [host for host, info in observations.items() if any(info["drain"].values())]


def undrainable(plan: Plan, observations: Mapping[str, Observation], hosts: Sequence[str]) -> List[str]:
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


def is_well(endpoint: Endpoint, host: str, info: Observation) -> bool:
    """Whether a member could hold the VIP, for all that was seen of it."""
    if stored_endpoint(endpoint, info) is None or info["drain"]["drained"]:
        return False
    findings = daemon_findings([endpoint], host, info)
    findings += endpoint_findings(endpoint, host, {**info, "haproxy": NO_HAPROXY})
    return not any(finding.code in OWN_FAULTS for finding in findings)


def deployed_members(
    endpoint: Endpoint, observations: Mapping[str, Observation], applied: Iterable[str] = ()
) -> List[str]:
    """Members that have this endpoint: this run gave it to them, or their stored plan says so.

    Not those that wait for a kubelet to run it.
    """
    fresh = set(applied)
    return [
        host
        for host in members_of(endpoint)
        if (host in fresh or (host in observations and stored_endpoint(endpoint, observations[host]) is not None))
        and not (host in observations and is_dormant(endpoint, observations[host]))
    ]


def stored_plan(observations: Mapping[str, Observation]) -> Plan:
    """The plan that hosts have stored: of each endpoint what most of its members have, the first of them at a tie."""
    plans = [deployed_of(info).plan for info in observations.values()]
    versions: Dict[str, List[Endpoint]] = {}
    for host, plan in zip(observations, plans):
        # Nobody stores an endpoint that isn't its own.
        for endpoint in _accessors.endpoints_of(plan or NO_PLAN, host):
            versions.setdefault(endpoint["name"], []).append(endpoint)
    first = next((plan for plan in plans if plan), NO_PLAN)
    return with_endpoints(first, [max(found, key=found.count) for found in versions.values()])


def nothing_seen(unreachable: Iterable[str], silent: Mapping[str, str]) -> Verdict:
    """The verdict where no host has a plan; `silent` are those that were asked, with why they have none."""
    findings = [finding_of("host_unreachable", "it can't be reached", host) for host in unreachable]
    findings += [finding_of("not_deployed", why or "it has no plan", host) for host, why in silent.items()]
    return {"ok": False, "level": _level(findings) if findings else "error", "findings": _said(findings), "rows": [],
            "endpoints": [], "holders": {}, "servers": []}


def _level(findings: Sequence[Finding]) -> Level:
    """The worst of them, in one word. Where the only errors are hosts that couldn't be asked, nobody knows."""
    errors = {finding.code for finding in findings if finding.severity == ERROR}
    if errors:
        return "unreachable" if errors == {"host_unreachable"} else "error"
    return "warning" if any(finding.severity == WARNING for finding in findings) else "ok"


def _said(findings: Sequence[Finding]) -> List[FindingEntry]:
    return [
        {"code": found.code, "severity": found.severity, "message": found.seen, "fix": fix_of(found),
         "host": found.host, "endpoint": found.endpoint}
        for found in findings
    ]


# Whether a host is there at all


def _presence(plan: Plan, host: str, observations: Mapping[str, Observation], scope: Scope) -> List[Finding]:
    if host in scope.unreachable:
        return [finding_of("host_unreachable", "it can't be reached: %s" % scope.unreachable[host], host)]
    if host not in observations:
        return [finding_of("not_observed", "this run has not looked at it", host)]
    info = observations[host]
    stored = deployed_of(info)
    findings = []
    if stored.error:
        code = "newer_stored_plan" if stored.newer else "bad_stored_plan"
        findings.append(finding_of(
            code, "its stored plan can't be read: %s" % stored.error, host, ports="endpoint_port",
            vrid="endpoint_virtual_router_id"))
    if info.get("oddities"):
        findings.append(finding_of("odd_answer", "it said what can't be: %s" % "; ".join(info["oddities"]), host))
    for endpoint in plan["endpoints"]:
        if host not in members_of(endpoint):
            continue
        theirs = stored_endpoint(endpoint, info)
        if theirs is None and not stored.error:
            code = "not_deployed_yet" if scope.partial and host not in scope.applied else "not_deployed"
            findings.append(finding_of(code, "it doesn't have this endpoint", host, endpoint["name"]))
        elif theirs is not None and theirs != endpoint:
            code = "plan_outdated" if scope.partial and host not in scope.applied else "plan_differs"
            text = "its stored plan differs in %s" % _listed(_differing_keys(endpoint, theirs))
            findings.append(finding_of(code, text, host, endpoint["name"]))
    return findings


def _seen(host: str, info: Observation, findings: List[Finding]) -> List[Finding]:
    """What somebody who isn't root can't see is no fault of the host's."""
    unseen = info["unseen"]
    if not unseen:
        return findings
    said, codes = zip(*(_UNSEEN.get(part, (part, "")) for part in unseen))
    text = "this user can't see %s" % _listed(said)
    return [finding for finding in findings if finding.code not in codes] + [finding_of("not_seen", text, host)]


def _differing_keys(ours: Endpoint, theirs: Endpoint) -> List[str]:
    return sorted(key for key in set(ours) | set(theirs) if ours.get(key) != theirs.get(key))


# The cluster behind the endpoint


def _certificate_findings(endpoint: Endpoint, info: Observation) -> List[Finding]:
    """Of the API servers that this host has asked."""
    findings = []
    for server, names in sorted(info["certificates"].get(endpoint["name"], {}).items()):
        missing = _certificate.lacking(names, endpoint)
        if missing:
            text = "its API server's certificate is for %s, not for %s" % (_certificate.listed(names), _listed(missing))
            findings.append(finding_of(
                "certificate_lacks_vip", text, server, endpoint["name"], wanted=_listed(missing)))
    return findings


def _node_findings(plan: Plan, host: str, info: Observation) -> List[Finding]:
    kubelet = info["kubelet"]
    if not kubelet:
        return []
    vips = {vip["address"] for endpoint in plan["endpoints"] for vip in endpoint["vips"]}
    trouble = _components.node_ip_trouble(
        kubelet["name"], kubelet["options"], kubelet["running"], info["node"], vips
    )
    own = dict.fromkeys(member["address"] for endpoint in plan["endpoints"] for instance in endpoint["instances"]
                        for member in instance["members"] if member["host"] == host)  # fmt: skip
    return [finding_of(trouble[0], trouble[1], host, address=",".join(own))] if trouble else []


# All hosts together


def _holders(endpoint: Endpoint, observations: Mapping[str, Observation]) -> Dict[str, List[str]]:
    return {
        vip["address"]: [host for host, info in observations.items() if vip["address"] in info["holds"]]
        for vip in endpoint["vips"]
    }


def _holding(
    endpoint: Endpoint, observations: Mapping[str, Observation], deployed: Sequence[str], scope: Scope
) -> List[Finding]:
    if not deployed:
        return []
    findings: List[Finding] = []
    name, holders = endpoint["name"], _holders(endpoint, observations)
    unseen = [host for host in members_of(endpoint) if host not in observations and host not in scope.absent]
    for address, hosts in holders.items():
        if len(hosts) > 1:
            findings.append(finding_of("two_holders", "%s is held by %s" % (address, _listed(hosts)), None, name))
        elif not hosts and not (unseen and _answering(endpoint, address, observations)):
            findings.append(finding_of("no_holder", "nobody holds %s" % address, None, name))
    if len({tuple(hosts) for hosts in holders.values()}) > 1 and all(holders.values()):
        text = ", ".join("%s by %s" % (address, _listed(hosts)) for address, hosts in holders.items())
        findings.append(finding_of("vips_split", "its addresses are on different hosts: %s" % text, None, name))
    # A plan that can't be read says nothing of whether its host is to hold.
    seen = [host for host in members_of(endpoint) if host in observations]
    unreadable = [host for host in seen if deployed_of(observations[host]).error]
    unknown = [host for host in (*unseen, *unreadable) if host not in deployed]
    expected = expected_of(endpoint, deployed, unknown, leaving(observations))
    wanted = next((host for host, holds in expected.items() if holds), None)
    for address, hosts in holders.items():
        if wanted is not None and hosts and wanted not in hosts:
            text = "%s is held by %s instead of %s" % (address, _listed(hosts), wanted)
            info = observations.get(wanted)
            reason = "" if info is None else _why_not(endpoint, info)
            left = 0.0 if reason or info is None else _failback_left(endpoint, info)
            if left > 0:
                text += ", which takes it back in %d s" % left
                findings.append(finding_of("takeover_pending", text, wanted, name))
            else:
                findings.append(finding_of("wrong_holder", text + (": " + reason if reason else ""), wanted, name))
    return findings


def _why_not(endpoint: Endpoint, info: Observation) -> str:
    """The likeliest reason that a preferred host doesn't hold."""
    daemons = {name: daemon_of(endpoint, info, name) for name in DAEMONS}
    down = [name for name, daemon in daemons.items() if daemon["exists"] is not None and daemon["active"] != "active"]
    if down:
        return "%s is down there" % _listed(down)
    if info["haproxy"]["hung"]:
        return "HAProxy hangs there"
    servers = servers_of(endpoint, info)
    if servers and not any(is_up(server["status"]) for server in servers.values()):
        return "HAProxy there sees no API server"
    return ""


def _failback_left(endpoint: Endpoint, info: Observation) -> float:
    """Seconds until a preferred host that is well takes the VIP back."""
    uptime = info["haproxy"].get("uptime_s")
    return 0.0 if uptime is None else max(0.0, endpoint["failback_delay"] + _FAILBACK_GRACE - uptime)


def _answers(endpoint: Endpoint, observations: Mapping[str, Observation], deployed: Sequence[str]) -> List[Finding]:
    if not deployed:
        return []
    findings: List[Finding] = []
    for host in members_of(endpoint):
        if host in observations:
            findings.extend(silent_findings(endpoint, host, observations[host]))
    for vip in endpoint["vips"]:
        if not any(attempts_of(endpoint, info, vip["address"]) for info in observations.values()):
            text = "nobody has connected to %s" % address_port(vip["address"], endpoint["port"])
            findings.append(finding_of("vip_untried", text, None, endpoint["name"]))
    return findings


def _answering(
    endpoint: Endpoint, address: str, observations: Mapping[str, Observation]
) -> List[Tuple[str, Attempt]]:
    return [
        (host, attempt)
        for host, info in observations.items()
        for attempt in attempts_of(endpoint, info, address)
        if attempt["tcp"] == "ok"
    ]


def _unsettled(observations: Mapping[str, Observation], findings: Sequence[Finding]) -> List[Finding]:
    """Hosts that didn't come to rest, although nothing is wrong with what was seen last."""
    if any(finding.severity == ERROR or finding.code == "takeover_pending" for finding in findings):
        return []
    return [
        finding_of(
            "unsettled", "after %g s still: %s" % (info.get("waited") or 0, "; ".join(info.get("unmet", ()))), host
        )
        for host, info in observations.items()
        if info.get("met") is False
    ]


# What else speaks VRRP


def _stranger_findings(plan: Plan, observations: Mapping[str, Observation]) -> List[Finding]:
    """The same sender is one finding, whoever heard it."""
    macs = {str(link["mac"]): host for host, info in observations.items() for link in info["interfaces"]
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
        findings.append(finding_of("vrrp_stranger", text, None, name, interface="any"))
    return findings or _rejecting(plan, observations)


def _rejecting(plan: Plan, observations: Mapping[str, Observation]) -> List[Finding]:
    """What keepalived rejects and nobody else can tell from a member's adverts, such as another password."""
    findings = []
    for endpoint in plan["endpoints"]:
        for instance in endpoint["instances"]:
            for host, info in observations.items():
                rejects = info["keepalived"].get("rejects", {}).get(instance["name"])
                if rejects:
                    heard = [packet for packet in _strangers.packets_of(info.get("heard"))
                             if packet.virtual_router_id == instance["virtual_router_id"]]  # fmt: skip
                    text = "keepalived rejects packets of %s (%s); it hears %s" % (
                        instance["name"],
                        ", ".join("%s: %s" % item for item in sorted(rejects.items())),
                        _listed(list(dict.fromkeys(packet.sender for packet in heard))) or "nobody",
                    )
                    findings.append(finding_of("vrrp_stranger", text, host, endpoint["name"], interface="any"))
    return findings


# What people see


def _row(
    endpoint: Endpoint, host: str, observations: Mapping[str, Observation], scope: Scope, findings: Sequence[Finding]
) -> Row:
    info = observations.get(host)
    member = next(m for i in endpoint["instances"] for m in i["members"] if m["host"] == host)
    states = info["keepalived"]["instances"] if info else {}
    names = [instance["name"] for instance in endpoint["instances"]]
    priorities = {states[name]["effective_priority"] if name in states else None for name in names}
    servers = list(servers_of(endpoint, info).values()) if info else []
    mine = [f for f in findings if f.host == host and f.endpoint in (None, endpoint["name"])]
    mine.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return {
        "endpoint": endpoint["name"],
        "host": host,
        "planned": member["state"],
        "planned_priority": member["priority"],
        "observed": _observed(endpoint, host, info, scope),
        "effective_priority": priorities.pop() if len(priorities) == 1 else None,
        "haproxy": _haproxy_text(endpoint, info) if info else "",
        "backends_up": sum(is_up(server["status"]) for server in servers) if servers else None,
        "backends": len(endpoint["backends"]),
        "note": mine[0].seen if mine else "",
        "findings": [finding.code for finding in mine],
    }


def _observed(endpoint: Endpoint, host: str, info: Optional[Observation], scope: Scope) -> str:
    if host in scope.unreachable:
        return "unreachable"
    if info is None:
        return "not observed"
    vips = [vip["address"] for vip in endpoint["vips"]]
    held = sum(address in info["holds"] for address in vips)
    if held:
        return "holds" if held == len(vips) else "holds %d of %d" % (held, len(vips))
    if stored_endpoint(endpoint, info) is None:
        return "not deployed"
    if is_dormant(endpoint, info):
        return "waits for kubelet"
    if daemon_of(endpoint, info, "keepalived")["active"] != "active":
        return "down"
    if info["drain"]["drained"]:
        return "drained"
    if "fault" in states_of(endpoint, info).values() or _haproxy_text(endpoint, info) in ("down", "hung"):
        return "fault"
    return "not the holder" if "keepalived" in info["unseen"] else "backup"


def _haproxy_text(endpoint: Endpoint, info: Observation) -> str:
    daemon = daemon_of(endpoint, info, "haproxy")
    if is_dormant(endpoint, info):
        return ""
    if daemon["exists"] and daemon["active"] not in ("active", "reloading"):
        return "down"
    if info["haproxy"]["hung"]:
        return "hung"
    if "haproxy" in info["unseen"]:
        return ""
    fallback = daemon.get("version") if endpoint["mode"] == "static_pod" else info["packages"]["haproxy"]["installed"]
    return info["haproxy"].get("version") or fallback or ""


def _server_rows(endpoint: Endpoint, host: str, info: Observation) -> List[ServerRow]:
    """What the HAProxy of one host says of each API server."""
    return [
        {
            "endpoint": endpoint["name"],
            "host": host,
            "server": name,
            "status": server["status"],
            "up": is_up(server["status"]),
            "check": check_text(server),
        }
        for name, server in servers_of(endpoint, info).items()
    ]


def _endpoint_row(endpoint: Endpoint, vip: Vip, observations: Mapping[str, Observation]) -> EndpointRow:
    holders = _holders(endpoint, observations)[vip["address"]]
    # From outside counts more than from the holder itself.
    tried = sorted(
        (attempt["local"], attempt["millis"], host, attempt)
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
        "http_status": best[3]["http_status"] if best else None,
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
    return sorted(weighed, key=lambda finding: SEVERITIES.index(finding.severity))
