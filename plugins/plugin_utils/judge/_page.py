# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""One page that draws planned and observed: HTML with an SVG for each endpoint. Its words and shapes stand in the
template status.html.j2; here is decided what they show, and where it's drawn.

Names of hosts and what daemons said come from elsewhere, so the template escapes every text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Mapping, NamedTuple, Sequence, Set, Tuple

if TYPE_CHECKING:
    from ...module_utils.model._model import Endpoint, Plan

Verdict = Mapping[str, Any]

OK, WARN, BAD, IDLE = "ok", "warn", "bad", "idle"
_WORST_FIRST = (BAD, WARN, IDLE, OK)
_SEVERITY_STATES = {"error": BAD, "warning": WARN}
_SEVERITY_WORDS = {"error": "Problem", "warning": "Warning", "info": "Note"}

# The drawing: three columns of boxes, and lines between them.
_WIDTH = 1000
_TOP = 44
_BOX_HEIGHT = 68
_GAP = 22
_COLUMNS = {"vip": (2, 264), "balancer": (368, 264), "apiserver": (734, 264)}
_HEADS = (("Virtual IP", "vip"), ("Balancers", "balancer"), ("API servers", "apiserver"))
# A sign for each state, drawn around (0, 0): a check mark, an exclamation mark, a cross, a dash.
_SIGNS = {
    OK: "M-4.5 0.5L-1.5 3.5L4.5 -3.5",
    WARN: "M0 -5V1M0 4.2V4.6",
    BAD: "M-3.6 -3.6L3.6 3.6M3.6 -3.6L-3.6 3.6",
    IDLE: "M-4 0H4",
}
_WORDS = {OK: "well", WARN: "warning", BAD: "problem", IDLE: "not known"}
_LEGEND = (
    ("holds ok", "holds the VIP"), ("backup", "could take it"), ("serves ok active", "traffic to an API server"),
    ("serves bad", "API server is down"),
)  # fmt: skip


def view(plan: Plan, verdict: Verdict, when: str = "") -> Dict[str, Any]:
    """What the template shows. `verdict` is what `endpoint_verify` found, `when` the time that people should read."""
    errors = [finding for finding in verdict["findings"] if finding["severity"] == "error"]
    warnings = [finding for finding in verdict["findings"] if finding["severity"] == "warning"]
    state = BAD if errors else WARN if warnings else OK
    members = _members_of(plan)
    general = [item for item in verdict["findings"] if not item["endpoint"] and item["host"] not in members]
    return {
        "headline": _headline(len(errors), len(warnings)), "state": state, "when": when,
        "signs": _SIGNS, "words": _WORDS, "legend": _LEGEND,
        "endpoints": [_endpoint(endpoint, verdict, index) for index, endpoint in enumerate(plan["endpoints"])],
        "general": [_finding(item) for item in general],
    }


def _headline(errors: int, warnings: int) -> str:
    parts = [_count(errors, "problem")] if errors else []
    parts += [_count(warnings, "warning")] if warnings else []
    return ", ".join(parts) or "All as planned"


def _count(number: int, name: str) -> str:
    return "%d %s%s" % (number, name, "" if number == 1 else "s")


# One endpoint


def _endpoint(endpoint: Endpoint, verdict: Verdict, index: int) -> Dict[str, Any]:
    name = endpoint["name"]
    rows = [row for row in verdict["rows"] if row["endpoint"] == name]
    hosts = {row["host"] for row in rows}
    findings = [
        finding for finding in verdict["findings"]
        if finding["endpoint"] == name or (not finding["endpoint"] and finding["host"] in hosts)
    ]  # fmt: skip
    drawing = _drawing(endpoint, verdict, rows, findings, index)
    facts = [
        ("Clients use", endpoint["control_plane_endpoint"]),
        ("Mode", endpoint["mode"].replace("_", " ")),
        (
            "VRRP",
            "%s, virtual router %s"
            % (
                endpoint["transport"],
                ", ".join(str(instance["virtual_router_id"]) for instance in endpoint["instances"]),
            ),
        ),
        ("Failback", "after %g s" % endpoint["failback_delay"] if endpoint["failback"] else "no"),
    ]
    return {
        "name": name,
        "facts": facts,
        "drawing": drawing,
        "members": [_member(row, findings) for row in rows],
        **_servers(endpoint, verdict),
        "findings": [_finding(finding) for finding in findings],
    }


def _member(row: Mapping[str, Any], findings: Sequence[Mapping[str, Any]]) -> Dict[str, Any]:
    effective = "" if row["effective_priority"] is None else " (now %d)" % row["effective_priority"]
    up = "unknown" if row["backends_up"] is None else "%d of %d up" % (row["backends_up"], row["backends"])
    planned = "%s, %d%s" % (row["planned"], row["planned_priority"], effective)
    return {"host": row["host"], "state": _balancer_state(row, findings),
            "cells": [planned, row["observed"], row["haproxy"] or "unknown", up]}


def _servers(endpoint: Endpoint, verdict: Verdict) -> Dict[str, Any]:
    """The header and the rows of a table: each API server, as each HAProxy sees it."""
    seen = _seen_by(endpoint, verdict)
    watchers = list(dict.fromkeys(watcher for servers in seen.values() for watcher in servers))
    rows = []
    for backend in endpoint["backends"]:
        cells = []
        for watcher in watchers:
            server = seen.get(backend["name"], {}).get(watcher)
            said = ("not seen",) if server is None else (server["status"], server["check"])
            cells.append({"state": _server_state(server), "text": " ".join(part for part in said if part)})
        rows.append({"name": backend["name"], "cells": cells})
    header = ["API server"] + ["from %s" % name for name in watchers] if watchers else []
    return {"watchers": header, "servers": rows}


def _finding(finding: Mapping[str, Any]) -> Dict[str, Any]:
    """Commands and names stand between grave accents in `fix`: of its parts every second one is such."""
    told = finding["severity"] != "info"
    return {
        "state": _SEVERITY_STATES.get(finding["severity"], IDLE),
        "word": _SEVERITY_WORDS.get(finding["severity"], "Note"),
        "host": finding["host"], "message": finding["message"], "code": finding["code"],
        "fix": (finding["fix"][:1].upper() + finding["fix"][1:]).split("`") if told else [],
    }


def _members_of(plan: Plan) -> Set[str]:
    return {
        member["host"]
        for endpoint in plan["endpoints"]
        for instance in endpoint["instances"]
        for member in instance["members"]
    }


# States


def _balancer_state(row: Mapping[str, Any], findings: Sequence[Mapping[str, Any]]) -> str:
    observed = row["observed"]
    states = [_SEVERITY_STATES.get(finding["severity"], OK) for finding in findings if finding["host"] == row["host"]]
    if observed in ("fault", "down", "unreachable"):
        states.append(BAD)
    elif observed in ("not observed", "not deployed", "waits for kubelet"):
        states.append(IDLE)
    return _worst(states)


def _server_state(server: Any) -> str:
    if server is None:
        return IDLE
    if server["up"]:
        return OK
    return WARN if server["status"].startswith(("MAINT", "DRAIN")) else BAD


def _worst(states: Sequence[str]) -> str:
    return next((state for state in _WORST_FIRST if state in states), OK)


def _seen_by(endpoint: Endpoint, verdict: Verdict) -> Dict[str, Dict[str, Mapping[str, Any]]]:
    """{API server: {balancer: what its HAProxy says}}"""
    seen: Dict[str, Dict[str, Mapping[str, Any]]] = {}
    for server in verdict.get("servers", ()):
        if server["endpoint"] == endpoint["name"]:
            seen.setdefault(server["server"], {})[server["host"]] = server
    return seen


# The drawing


class _Box(NamedTuple):
    """One thing that is drawn; `lines` are its texts below the name."""

    column: str
    y: float
    state: str
    name: str
    lines: Tuple[str, ...]
    strong: bool = False

    @property
    def x(self) -> float:
        return _COLUMNS[self.column][0]

    @property
    def width(self) -> float:
        return _COLUMNS[self.column][1]

    @property
    def height(self) -> int:
        return _BOX_HEIGHT

    @property
    def middle(self) -> float:
        return self.y + _BOX_HEIGHT / 2


def _drawing(
    endpoint: Endpoint,
    verdict: Verdict,
    rows: Sequence[Mapping[str, Any]],
    findings: Sequence[Mapping[str, Any]],
    index: int,
) -> Dict[str, Any]:
    counts = (len(endpoint["vips"]), len(rows), len(endpoint["backends"]))
    height = _TOP + max(counts) * (_BOX_HEIGHT + _GAP) - _GAP + 16
    vips = _vip_boxes(endpoint, verdict, height)
    balancers = _balancer_boxes(endpoint, rows, findings, height)
    servers = _server_boxes(endpoint, verdict, height)
    holders = verdict["holders"].get(endpoint["name"], {})
    return {
        "id": "drawing-%d" % index,
        "name": endpoint["name"],
        "width": _WIDTH,
        "height": height,
        "held": [{"address": vip["address"], "holders": holders.get(vip["address"], [])} for vip in endpoint["vips"]],
        "rows": rows,
        "heads": [(title, _COLUMNS[column][0]) for title, column in _HEADS],
        "lines": _vip_lines(endpoint, verdict, vips, balancers, rows) + _server_lines(
            endpoint, verdict, balancers, servers),
        "boxes": [*vips, *balancers, *servers],
    }


def _places(count: int, height: float) -> List[float]:
    """Tops of the boxes of a column, in the middle of the drawing."""
    used = count * (_BOX_HEIGHT + _GAP) - _GAP
    start = _TOP + (height - _TOP - 16 - used) / 2
    return [start + number * (_BOX_HEIGHT + _GAP) for number in range(count)]


def _vip_boxes(endpoint: Endpoint, verdict: Verdict, height: float) -> List[_Box]:
    seen = {row["address"]: row for row in verdict["endpoints"] if row["endpoint"] == endpoint["name"]}
    boxes = []
    for y, vip in zip(_places(len(endpoint["vips"]), height), endpoint["vips"]):
        row = seen.get(vip["address"], {})
        holders = row.get("holders", [])
        state = BAD if len(holders) != 1 else OK if row.get("answers") else WARN
        said = "no answer was seen"
        if row.get("answers"):
            status = "" if row["http_status"] is None else "HTTP %d " % row["http_status"]
            said = "answers %sin %g ms" % (status, row["millis"])
        held = "held by %s" % ", ".join(holders) if holders else "held by nobody"
        boxes.append(_Box("vip", y, state, vip["address"], (held, said), True))
    return boxes


def _balancer_boxes(
    endpoint: Endpoint, rows: Sequence[Mapping[str, Any]], findings: Sequence[Mapping[str, Any]], height: float
) -> List[_Box]:
    addresses: Dict[str, List[str]] = {}
    for instance in endpoint["instances"]:
        for member in instance["members"]:
            addresses.setdefault(member["host"], []).append(member["address"])
    boxes = []
    for y, row in zip(_places(len(rows), height), rows):
        state = _balancer_state(row, findings)
        priority = row["planned_priority"] if row["effective_priority"] is None else row["effective_priority"]
        holds = row["observed"].startswith("holds")
        observed = "holds the VIP" if row["observed"] == "holds" else row["observed"]
        lines = ("%s, priority %d" % (observed, priority), ", ".join(addresses.get(row["host"], [])))
        boxes.append(_Box("balancer", y, state, row["host"], lines, holds))
    return boxes


def _server_boxes(endpoint: Endpoint, verdict: Verdict, height: float) -> List[_Box]:
    seen = _seen_by(endpoint, verdict)
    boxes = []
    for y, backend in zip(_places(len(endpoint["backends"]), height), endpoint["backends"]):
        servers = list(seen.get(backend["name"], {}).values())
        up = sum(bool(server["up"]) for server in servers)
        if not servers:
            state, said = IDLE, "nobody looked"
        elif up == len(servers):
            state, said = OK, "up"
        else:
            # Of several reasons the most frequent, and one is enough for a picture.
            checks = [server["check"] or server["status"] for server in servers if not server["up"]]
            reason = max(checks, key=checks.count)
            state = BAD if up == 0 else WARN
            who = "" if up == 0 else " for %d of %d" % (len(servers) - up, len(servers))
            said = "down%s, %s" % (who, reason)
        where = ("[%s]:%d" if ":" in backend["address"] else "%s:%d") % (backend["address"], backend["port"])
        boxes.append(_Box("apiserver", y, state, backend["name"], (said, where)))
    return boxes


def _vip_lines(
    endpoint: Endpoint, verdict: Verdict, vips: Sequence[_Box], balancers: Sequence[_Box],
    rows: Sequence[Mapping[str, Any]]
) -> List[Dict[str, Any]]:
    holders = verdict["holders"].get(endpoint["name"], {})
    backups: List[Dict[str, Any]] = []
    held: List[Dict[str, Any]] = []
    for vip, box in zip(endpoint["vips"], vips):
        for row, balancer in zip(rows, balancers):
            if row["host"] in holders.get(vip["address"], []):
                two = len(holders[vip["address"]]) > 1
                held.append(_line(box, balancer, "holds " + (BAD if two else OK)))
            else:
                backups.append(_line(box, balancer, "backup"))
    return backups + held


def _server_lines(
    endpoint: Endpoint, verdict: Verdict, balancers: Sequence[_Box], servers: Sequence[_Box]
) -> List[Dict[str, Any]]:
    seen = _seen_by(endpoint, verdict)
    calm: List[Dict[str, Any]] = []
    loud: List[Dict[str, Any]] = []
    for balancer in balancers:
        for backend, box in zip(endpoint["backends"], servers):
            server = seen.get(backend["name"], {}).get(balancer.name)
            if server is None:
                continue
            state = _server_state(server)
            active = " active" if balancer.strong and state == OK else ""
            (calm if state == OK and not active else loud).append(_line(balancer, box, "serves " + state + active))
    return calm + loud


def _line(left: _Box, right: _Box, kind: str) -> Dict[str, Any]:
    x1, x2 = left.x + left.width, right.x
    return {"kind": kind, "x1": x1, "y1": left.middle, "bend": (x1 + x2) / 2, "x2": x2, "y2": right.middle}
