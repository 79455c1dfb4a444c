# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What one host does beside what is planned for it. Pure: a plan and an observation in, findings out.

A host waits until `unmet` is empty; `_status` judges all hosts together by the same rules.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import (
    TYPE_CHECKING,
    Dict,
    FrozenSet,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
)

from ..daemons._haproxy import is_up
from ..model import _accessors
from ..model._planfile import NO_PLAN, deployed_of
from ._finding import ERROR, OWN, Finding

if TYPE_CHECKING:
    from ..model._model import Backend, Endpoint, Plan
    from ..model._observation import Attempt, Daemon, HAProxy, Keepalived, Lease, Observation, Seen, Server
from ..model._accessors import members_of

Expected = Dict[str, Dict[str, Optional[bool]]]

DAEMONS = ("haproxy", "keepalived")
NO_DAEMON: Daemon = {
    "exists": None, "active": "", "sub": "", "enabled": False, "main_pid": None, "restarts": 0, "active_for": None,
    "changed_for": None}
# What was said of daemons that weren't touched.
NO_HAPROXY: HAProxy = {"hung": False, "error": None}
NO_KEEPALIVED: Keepalived = {"holders": {}, "instances": {}, "hung": False, "can_dump": True, "error": None}

# HAProxy's own words for "nothing listens there".
_UNREACHED = frozenset(["L4CON", "L4TOUT"])


def unmet(plan: Plan, host: str, info: Observation, expected: Expected) -> List[str]:
    """What this host doesn't do yet, in words; it sees nothing but itself."""
    findings = host_findings(plan, host, info)
    texts: List[str] = []
    for endpoint in plan["endpoints"]:
        if host not in members_of(endpoint) or is_dormant(endpoint, info):
            continue
        findings.extend(endpoint_findings(endpoint, host, info))
        findings.extend(silent_findings(endpoint, host, info))
        wanted = expected.get(endpoint["name"], {}).get(host)
        held = [vip["address"] for vip in endpoint["vips"] if vip["address"] in info["holds"]]
        missing = [vip["address"] for vip in endpoint["vips"] if vip["address"] not in held]
        if wanted is True and missing:
            texts.append("%s: it should hold %s" % (endpoint["name"], _listed(missing)))
        elif wanted is False and held:
            texts.append("%s: it should not hold %s" % (endpoint["name"], _listed(held)))
        elif held and missing:
            texts.append("%s: it holds %s without %s" % (endpoint["name"], _listed(held), _listed(missing)))
        starting = [name for name, state in states_of(endpoint, info).items() if state == "init"]
        if starting:
            texts.append("%s: keepalived is still starting %s" % (endpoint["name"], _listed(starting)))
    accepted = accepted_codes(plan)
    errors = [finding for finding in findings if finding.severity == ERROR and finding.code not in accepted]
    return texts + [finding.seen for finding in errors]


@dataclass(frozen=True)
class Gate:
    """What has to be proven of a host before the next one is touched.

    `daemons` were touched. `up` are endpoints of which HAProxy saw an API server before, `held` says who
    had each VIP before; `claims` are the members that have each VIP now, where the network could be asked.
    """

    daemons: Sequence[str]
    up: Sequence[str] = ()
    held: Mapping[str, Sequence[str]] = field(default_factory=dict)
    claims: Optional[Mapping[str, Sequence[str]]] = None


# What another host, or an API server, may be to blame for doesn't hold a change against the host that has it.
OWN_FAULTS = frozenset([
    "service_down", "reload_pending", "haproxy_hung", "haproxy_silent", "keepalived_hung", "keepalived_silent",
    "keepalived_fault", "backend_missing", "backend_unplanned",
])  # fmt: skip


def not_proven(plan: Plan, host: str, info: Observation, gate: Gate) -> List[str]:
    """What is wrong with a host that was just changed, in words."""
    mine = _accessors.endpoints_of(plan, host)
    findings = daemon_findings(mine, host, info, gate.daemons)
    texts: List[str] = []
    for endpoint in mine:
        if "haproxy" in gate.daemons:
            findings.extend(endpoint_findings(endpoint, host, {**info, "keepalived": NO_KEEPALIVED}))
            if endpoint["name"] in gate.up and not any(map(_has_checked, servers_of(endpoint, info).values())):
                texts.append("%s: HAProxy sees no API server any more" % endpoint["name"])
        if "keepalived" in gate.daemons:
            findings.extend(endpoint_findings(endpoint, host, {**info, "haproxy": NO_HAPROXY}))
            texts.extend(_other_instances(endpoint, host, info))
        for vip in endpoint["vips"]:
            if gate.claims is None:
                continue
            holders = gate.claims.get(vip["address"], ())
            # Who held it together before may still: it's another turn that mends them, which this one mustn't keep
            # from coming. The proof at the end counts all holders.
            if len(holders) > 1 and not set(holders) <= set(gate.held.get(vip["address"], ())):
                texts.append("%s is held by %s" % (vip["address"], _listed(holders)))
            elif not holders and ("keepalived" in gate.daemons or vip["address"] in gate.held):
                texts.append("nobody holds %s" % vip["address"])
    return [finding.seen for finding in findings if finding.code in OWN_FAULTS] + texts


def _has_checked(server: Server) -> bool:
    """Up by a check that this process made: at its start HAProxy takes all servers for up."""
    status = (server["check_status"] or "").lstrip("* ")
    return is_up(server["status"]) and status.startswith("L") and "OK" in status


def _other_instances(endpoint: Endpoint, host: str, info: Observation) -> List[str]:
    """Where keepalived speaks another virtual router than the planned one, or isn't done starting."""
    found = info["keepalived"]["instances"]
    texts = []
    for instance in endpoint["instances"]:
        state = found.get(instance["name"])
        if not found:
            continue
        if state is None:
            texts.append("keepalived has no instance %s" % instance["name"])
        elif state["state"] == "init":
            texts.append("keepalived is still starting %s" % instance["name"])
        elif state["virtual_router_id"] not in (None, instance["virtual_router_id"]):
            texts.append("keepalived speaks virtual router %s" % state["virtual_router_id"])
    return texts


def is_dormant(endpoint: Endpoint, info: Observation) -> bool:
    """Whether static pods lie there, and no kubelet runs that could start them. Before `kubeadm init` that's right."""
    kubelet = info["static_pod_kubelet"]
    return bool(
        endpoint["mode"] == "static_pod"
        and kubelet
        and not kubelet.get("running")
        and not any(pod["active"] == "active" for pod in info["pods"].values())
    )


def stored_endpoint(endpoint: Endpoint, info: Observation) -> Optional[Endpoint]:
    plan = deployed_of(info).plan or NO_PLAN
    return next((item for item in plan["endpoints"] if item["name"] == endpoint["name"]), None)


def host_findings(plan: Plan, host: str, info: Observation) -> List[Finding]:
    mine = _accessors.endpoints_of(plan, host)
    if not any(stored_endpoint(endpoint, info) for endpoint in mine):
        return []
    findings = _stale_vips(mine, host, info)
    if any(is_dormant(endpoint, info) for endpoint in mine):
        findings.append(finding_of("kubelet_absent", "not proven: kubelet absent", host))
    else:
        findings.extend(daemon_findings(mine, host, info))
    if info["drain"]["drained"]:
        findings.append(finding_of("drained", "it's drained, and ranks below all others", host))
    if info["gives_way"]:
        text = "it has given way to %s, which doesn't hear its adverts" % info["gives_way"]
        findings.append(finding_of("gives_way", text, host))
    elif info["drain"]["moving"]:
        findings.append(finding_of("left_moving", "a run that restarted something has left it below all others", host))
    ignored = info["haproxy_ignored"]
    if ignored and mine[0]["mode"] == "service":
        findings.append(finding_of("haproxy_files_ignored", "HAProxy doesn't load %s" % _listed(ignored), host))
    if info["lease"]:
        findings.append(_left_stopped(info["lease"], host))
    if info["notes_lost"]:
        text = "its notes of what is ours are gone or can't be read: %s" % _listed(info["notes_lost"])
        findings.append(finding_of("notes_lost", text, host))
    for path in info.get("drifted", ()):
        findings.append(finding_of("file_drifted", "%s isn't what the plan makes of it" % path, host))
    return findings


def _left_stopped(lease: Lease, host: str) -> Finding:
    begun = "%s has stopped keepalived here for a change, %s ago" % (lease["run"], _span(lease["since"]))
    if lease["phase"] == "speaking":
        return finding_of("started_by_itself", begun + ", and hasn't ended that; it has started again by itself", host)
    if lease["left"] > 0:
        ends = "it starts again by itself in %s, unless that run goes on" % _span(lease["left"])
    else:
        ends = "that run is gone, and it isn't started yet: %s" % (lease["why"] or "who holds is being looked at")
    return finding_of("stopped_for_change", "%s; %s" % (begun, ends), host)


def _span(seconds: float) -> str:
    return "%d s" % seconds if seconds < 120 else "%d min" % (seconds / 60)


def _stale_vips(mine: Sequence[Endpoint], host: str, info: Observation) -> List[Finding]:
    planned = {vip["address"] for endpoint in mine for vip in endpoint["vips"]}
    stale = [address for address in info["holds"] if address not in planned]
    return [finding_of("stale_vip", "it still holds %s, which isn't planned" % address, host) for address in stale]


def daemon_findings(
    mine: Sequence[Endpoint], host: str, info: Observation, names: Sequence[str] = DAEMONS
) -> List[Finding]:
    findings: List[Finding] = []
    pods = mine[0]["mode"] == "static_pod"
    for name in names:
        daemon = daemon_of(mine[0], info, name)
        if pods and daemon["exists"] is False:
            findings.append(finding_of("manifest_missing", "the manifest of %s is gone" % name, host))
        if daemon["active"] not in ("active", "reloading"):
            findings.append(_down(name, pods, daemon, host))
            continue
        if not pods and not daemon["enabled"]:
            findings.append(finding_of("service_disabled", "%s isn't started at boot" % name, host))
        findings.extend(_loaded(name, host, info))
        findings.extend(_version(name, mine, host, info))
    if "haproxy" in names and _is_active("haproxy", mine, info):
        haproxy = info["haproxy"]
        if haproxy["hung"]:
            text = "HAProxy doesn't answer: %s" % haproxy["error"]
            findings.append(finding_of("haproxy_hung", text, host, command=_repair("haproxy", pods, "kill")))
        elif haproxy["error"]:
            findings.append(finding_of("haproxy_silent", "HAProxy's stats socket: %s" % haproxy["error"], host))
    keepalived = info["keepalived"]
    if "keepalived" in names and mine[0].get("watchdog") and info["watchdog"] is False:
        findings.append(finding_of("watchdog_stopped", "kubeha-watchdog doesn't run", host))
    if keepalived["hung"]:
        text = "keepalived doesn't answer: %s" % keepalived["error"]
        findings.append(finding_of("keepalived_hung", text, host, command=_repair("keepalived", pods, "kill")))
    elif keepalived["error"] and keepalived["can_dump"] and _is_active("keepalived", mine, info):
        findings.append(finding_of("keepalived_silent", "keepalived's state: %s" % keepalived["error"], host))
    return findings


def _repair(name: str, pods: bool, how: str) -> str:
    """What starts a daemon anew, also one that doesn't react, not even to a request to stop."""
    if pods:
        return "restart the container of %s there" % name
    kill = "systemctl kill --signal=KILL %s; " % name if how == "kill" else ""
    return "`%ssystemctl restart %s` there" % (kill, name)


def _is_active(name: str, mine: Sequence[Endpoint], info: Observation) -> bool:
    return daemon_of(mine[0], info, name)["active"] == "active"


def daemon_of(endpoint: Endpoint, info: Observation, name: str) -> Daemon:
    """HAProxy or keepalived as the endpoint's mode has it: what systemd says, or what pod of ours there is."""
    return (info["pods"] if endpoint["mode"] == "static_pod" else info["services"]).get(name, NO_DAEMON)


def _down(name: str, pods: bool, daemon: Daemon, host: str) -> Finding:
    if pods:
        return finding_of("pod_down", "the pod of %s isn't running" % name, host)
    state = (daemon["active"] or "not known to systemd") + (" and masked" if daemon.get("masked") else "")
    return finding_of("service_down", "%s is %s" % (name, state), host)


def _loaded(name: str, host: str, info: Observation) -> List[Finding]:
    if not info["reload_pending"][name]:
        return []
    if info["running"][name] is None:
        return [finding_of("running_unknown", "nothing says which configuration %s has loaded" % name, host)]
    return [finding_of("reload_pending", "%s has loaded another configuration than the one that is there" % name, host)]


def _version(name: str, mine: Sequence[Endpoint], host: str, info: Observation) -> List[Finding]:
    pod = daemon_of(mine[0], info, name) if mine[0]["mode"] == "static_pod" else None
    # A pod brings its own, whatever the host has.
    installed = info["packages"][name]["installed"] if pod is None else pod.get("version")
    planned = max((endpoint["versions"][name] for endpoint in mine), key=_version_key)
    findings = []
    if installed and _version_key(installed) < _version_key(planned):
        verb = "is installed" if pod is None else "runs"
        text = "%s %s %s, the plan was made for %s" % (name, installed, verb, planned)
        findings.append(finding_of("version_older", text, host))
    running = info["haproxy"].get("version") if name == "haproxy" else None
    if pod is None and installed and running and running != installed:
        text = "%s %s runs, %s is installed" % (name, running, installed)
        findings.append(finding_of("restart_pending", text, host, command=_repair(name, pod is not None, "restart")))
    elif info["restart_pending"][name]:
        what = "its program or its systemd drop-in" if pod is None else "its manifest"
        text = "%s was started before %s was replaced" % (name, what)
        findings.append(finding_of("restart_pending", text, host, command=_repair(name, pod is not None, "restart")))
    return findings


def _version_key(version: str) -> Tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def endpoint_findings(endpoint: Endpoint, host: str, info: Observation) -> List[Finding]:
    findings = [
        finding_of("keepalived_fault", "%s is in FAULT" % name, host, endpoint)
        for name, state in states_of(endpoint, info).items()
        if state == "fault"
    ]
    findings += _connections(endpoint, host, info)
    return findings + _backends(endpoint, host, info) if "backends" in info["haproxy"] else findings


def _connections(endpoint: Endpoint, host: str, info: Observation) -> List[Finding]:
    """Whether others can still connect, and whether somebody couldn't."""
    frontend = info["haproxy"].get("frontends", {}).get(endpoint["name"])
    if frontend is None:
        return []
    findings = []
    sessions, most, refused = frontend["sessions"] or 0, frontend["most"] or 0, frontend["refused"] or 0
    if most and sessions >= _accessors.nearly_full(most):
        text = "HAProxy has %d of %d connections" % (sessions, most)
        findings.append(finding_of("haproxy_nearly_full", text, host, endpoint))
    if refused:
        text = "HAProxy has refused %d connections of sources that have %s already" % (
            refused, endpoint["haproxy"].get("maxconn_per_source", "too many"))
        findings.append(finding_of("haproxy_source_refused", text, host, endpoint))
    return findings


def states_of(endpoint: Endpoint, info: Seen) -> Dict[str, Optional[str]]:
    """State of each instance, where keepalived was asked."""
    found = info["keepalived"]["instances"]
    names = [instance["name"] for instance in endpoint["instances"]]
    return {name: found[name]["state"] if name in found else None for name in names}


def _backends(endpoint: Endpoint, host: str, info: Observation) -> List[Finding]:
    servers = servers_of(endpoint, info)
    findings = []
    silent = []
    for backend in endpoint["backends"]:
        server = servers.pop(backend["name"], None)
        if server is None:
            text = "HAProxy has no server %s" % backend["name"]
            findings.append(finding_of("backend_missing", text, host, endpoint))
        elif is_up(server["status"]):
            if server["check_code"] == 401:
                text = "%s answers 401 to HAProxy's check" % backend["name"]
                findings.append(finding_of("anonymous_denied", text, host, endpoint))
        elif server["status"].startswith(("MAINT", "DRAIN")):
            text = "HAProxy has %s in %s" % (backend["name"], server["status"])
            findings.append(finding_of("backend_disabled", text, host, endpoint))
        elif _listens(backend, server, info):
            text = "HAProxy finds %s %s: %s" % (backend["name"], server["status"], check_text(server))
            findings.append(finding_of("backend_down", text, host, endpoint))
        else:
            silent.append(backend["name"])
    for name in sorted(servers):
        text = "HAProxy has a server %s, which isn't planned" % name
        findings.append(finding_of("backend_unplanned", text, host, endpoint))
    if silent and len(silent) == len(endpoint["backends"]):
        findings.append(finding_of("no_apiserver", "no API server listens yet", host, endpoint))
    else:
        for name in silent:
            text = "nothing listens on API server %s" % name
            findings.append(finding_of("backend_silent", text, host, endpoint))
    return findings


def servers_of(endpoint: Endpoint, info: Seen) -> Dict[str, Server]:
    return {server["name"]: server for server in info["haproxy"].get("backends", {}).get(endpoint["name"], ())}


def _listens(backend: Backend, server: Server, info: Observation) -> bool:
    """By this host's own attempt, or where it made none, by what HAProxy's check met."""
    tried = info["apiservers"].get(address_port(backend["address"], backend["port"]))
    if tried is None:
        return server["check_status"] not in _UNREACHED
    return bool(tried)


def check_text(server: Server) -> str:
    code = server["check_code"]
    parts = [server["check_status"] or "no check yet", "" if code is None else str(code), server["last_chk"]]
    return " ".join(part for part in parts if part)


def address_port(address: str, port: int) -> str:
    return ("[%s]:%d" if ":" in address else "%s:%d") % (address, port)


def silent_findings(endpoint: Endpoint, host: str, info: Observation) -> List[Finding]:
    """The VIP as seen from this host."""
    findings = []
    check = endpoint["haproxy"]["check"]
    for attempt in attempts_of(endpoint, info):
        where = address_port(attempt["address"], attempt["port"])
        if attempt["tcp"] != "ok":
            text = "%s doesn't answer from here: %s" % (where, attempt["error"] or attempt["tcp"])
            findings.append(finding_of("vip_silent", text, host, endpoint))
        elif check["kind"] != "tcp" and _api_is_up(endpoint, info):
            status = attempt["http_status"]
            if status not in check["accept"]:
                said = "HTTP %d" % status if status else attempt["error"] or "nothing"
                text = "%s accepts connections, and API servers are up, but the answer is: %s" % (where, said)
                findings.append(finding_of("vip_wrong_answer", text, host, endpoint))
    return findings


def _api_is_up(endpoint: Endpoint, info: Observation) -> bool:
    return any(is_up(server["status"]) for server in servers_of(endpoint, info).values())


def attempts_of(endpoint: Endpoint, info: Observation, address: Optional[str] = None) -> List[Attempt]:
    return [
        attempt
        for attempt in info["connect"]
        if attempt["endpoint"] == endpoint["name"] and address in (None, attempt["address"])
    ]


def accepted_codes(plan: Plan) -> FrozenSet[str]:
    return frozenset(code for endpoint in plan["endpoints"] for code in endpoint["accept_findings"])


def finding_of(
    code: str, seen: str, host: Optional[str], endpoint: Optional[Endpoint] = None, **words: str
) -> Finding:
    return Finding(code, OWN[code], host, endpoint["name"] if endpoint else None, seen, tuple(words.items()))


def _listed(items: Sequence[str]) -> str:
    return ", ".join(items)
