# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""One page that draws planned and observed: HTML with an SVG for each endpoint, nothing loaded from anywhere. Pure.

Names of hosts and what daemons said come from elsewhere, so every text goes through `_text`. Nothing is told by colour
alone: each state has a word and a sign of its own, and the drawing has the tables below it as its description.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Mapping, NamedTuple, Sequence, Set, Tuple

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
# What fits into a box, by the average width of a letter.
_NAME_LETTERS, _DETAIL_LETTERS = 20, 30


def status_page(plan: Plan, verdict: Verdict, when: str = "") -> str:
    """The whole page. `verdict` is what `endpoint_verify` found, `when` the time that people should read."""
    errors = [finding for finding in verdict["findings"] if finding["severity"] == "error"]
    warnings = [finding for finding in verdict["findings"] if finding["severity"] == "warning"]
    state = BAD if errors else WARN if warnings else OK
    headline = _headline(len(errors), len(warnings))
    sections = "".join(_endpoint(endpoint, verdict, index) for index, endpoint in enumerate(plan["endpoints"]))
    members = _members_of(plan)
    general = [item for item in verdict["findings"] if not item["endpoint"] and item["host"] not in members]
    return _PAGE % {
        "style": _STYLE,
        "title": _text("%s: API endpoints" % headline),
        "state": state,
        "sign": _sign(state),
        "headline": _text(headline),
        "when": '<p class="muted">As of <time>%s</time></p>' % _text(when) if when else "",
        "sections": sections,
        "general": _findings(general, "Elsewhere") if general else "",
    }


def _headline(errors: int, warnings: int) -> str:
    parts = [_count(errors, "problem")] if errors else []
    parts += [_count(warnings, "warning")] if warnings else []
    return ", ".join(parts) or "All as planned"


def _count(number: int, name: str) -> str:
    return "%d %s%s" % (number, name, "" if number == 1 else "s")


# One endpoint


def _endpoint(endpoint: Endpoint, verdict: Verdict, index: int) -> str:
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
    return _SECTION % {
        "id": "endpoint-%d" % index,
        "name": _text(name),
        "facts": "".join("<div><dt>%s</dt><dd>%s</dd></div>" % (_text(key), _text(value)) for key, value in facts),
        "drawing": drawing,
        "legend": _legend(),
        "members": _members(rows, findings),
        "servers": _servers(endpoint, verdict),
        "findings": _findings(findings, "Findings"),
    }


def _members(rows: Sequence[Mapping[str, Any]], findings: Sequence[Mapping[str, Any]]) -> str:
    lines = []
    for row in rows:
        state = _balancer_state(row, findings)
        effective = "" if row["effective_priority"] is None else " (now %d)" % row["effective_priority"]
        up = "unknown" if row["backends_up"] is None else "%d of %d up" % (row["backends_up"], row["backends"])
        cells = [
            "%s, %d%s" % (row["planned"], row["planned_priority"], effective), row["observed"],
            row["haproxy"] or "unknown",
            up,
        ]  # fmt: skip
        lines.append(
            '<tr class="%s"><th scope="row">%s%s</th>%s</tr>'
            % (state, _sign(state), _text(row["host"]), "".join("<td>%s</td>" % _text(cell) for cell in cells))
        )
    header = ("Balancer", "Planned", "Observed", "HAProxy", "API servers")
    return _table("Balancers", header, lines)


def _servers(endpoint: Endpoint, verdict: Verdict) -> str:
    seen = _seen_by(endpoint, verdict)
    if not seen:
        return ""
    watchers = list(dict.fromkeys(watcher for servers in seen.values() for watcher in servers))
    lines = []
    for backend in endpoint["backends"]:
        cells = []
        for watcher in watchers:
            server = seen.get(backend["name"], {}).get(watcher)
            state = _server_state(server)
            said = ("not seen",) if server is None else (server["status"], server["check"])
            text = " ".join(part for part in said if part)
            cells.append('<td class="%s">%s%s</td>' % (state, _sign(state), _text(text)))
        lines.append('<tr><th scope="row">%s</th>%s</tr>' % (_text(backend["name"]), "".join(cells)))
    header = ["API server"] + ["from %s" % name for name in watchers]
    return _table("API servers, as each HAProxy sees them", header, lines)


def _table(caption: str, header: Sequence[str], lines: Iterable[str]) -> str:
    heads = "".join('<th scope="col">%s</th>' % _text(name) for name in header)
    return _TABLE % (_text(caption), heads, "".join(lines))


def _findings(findings: Sequence[Mapping[str, Any]], heading: str) -> str:
    if not findings:
        return '<p class="quiet">%sNothing differs from the plan.</p>' % _sign(OK)
    items = []
    for finding in findings:
        state = _SEVERITY_STATES.get(finding["severity"], IDLE)
        where = "<b>%s</b> " % _text(finding["host"]) if finding["host"] else ""
        fix = "" if finding["severity"] == "info" else '<p class="muted">%s</p>' % _marked(_capital(finding["fix"]))
        word = _SEVERITY_WORDS.get(finding["severity"], "Note")
        items.append(
            _FINDING % (state, _sign(state), word, where, _text(finding["message"]), _text(finding["code"]), fix)
        )
    return '<h3>%s</h3><ul class="findings">%s</ul>' % (_text(heading), "".join(items))


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
    def middle(self) -> float:
        return self.y + _BOX_HEIGHT / 2


def _drawing(
    endpoint: Endpoint,
    verdict: Verdict,
    rows: Sequence[Mapping[str, Any]],
    findings: Sequence[Mapping[str, Any]],
    index: int,
) -> str:
    counts = (len(endpoint["vips"]), len(rows), len(endpoint["backends"]))
    height = _TOP + max(counts) * (_BOX_HEIGHT + _GAP) - _GAP + 16
    vips = _vip_boxes(endpoint, verdict, height)
    balancers = _balancer_boxes(endpoint, rows, findings, height)
    servers = _server_boxes(endpoint, verdict, height)
    lines = _vip_lines(endpoint, verdict, vips, balancers, rows) + _server_lines(endpoint, verdict, balancers, servers)
    heads = "".join(
        '<text class="head" x="%g" y="20">%s</text>' % (_COLUMNS[column][0], title)
        for column, title in (("vip", "Virtual IP"), ("balancer", "Balancers"), ("apiserver", "API servers"))
    )
    boxes = "".join(_draw_box(box) for box in [*vips, *balancers, *servers])
    return _SVG % {
        "width": _WIDTH,
        "height": height,
        "id": "drawing-%d" % index,
        "title": _text("Who holds and serves %s" % endpoint["name"]),
        "desc": _text(_description(endpoint, verdict, rows)),
        "body": heads + "".join(lines) + boxes,
    }


def _description(endpoint: Endpoint, verdict: Verdict, rows: Sequence[Mapping[str, Any]]) -> str:
    parts = []
    for vip in endpoint["vips"]:
        holders = verdict["holders"].get(endpoint["name"], {}).get(vip["address"], [])
        parts.append("%s is held by %s." % (vip["address"], " and ".join(holders) or "nobody that was seen"))
    parts += ["%s: %s." % (row["host"], row["observed"]) for row in rows]
    return " ".join(parts)


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
) -> List[str]:
    holders = verdict["holders"].get(endpoint["name"], {})
    backups: List[str] = []
    held: List[str] = []
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
) -> List[str]:
    seen = _seen_by(endpoint, verdict)
    calm: List[str] = []
    loud: List[str] = []
    for balancer in balancers:
        for backend, box in zip(endpoint["backends"], servers):
            server = seen.get(backend["name"], {}).get(balancer.name)
            if server is None:
                continue
            state = _server_state(server)
            active = " active" if balancer.strong and state == OK else ""
            (calm if state == OK and not active else loud).append(_line(balancer, box, "serves " + state + active))
    return calm + loud


def _line(left: _Box, right: _Box, kind: str) -> str:
    x1, x2 = left.x + left.width, right.x
    bend = (x2 - x1) / 2
    return '<path class="line %s" d="M%g %gC%g %g %g %g %g %g"/>' % (
        kind,
        x1,
        left.middle,
        x1 + bend,
        left.middle,
        x2 - bend,
        right.middle,
        x2,
        right.middle,
    )


def _draw_box(box: _Box) -> str:
    texts = "".join(
        '<text class="detail" x="%g" y="%g">%s</text>'
        % (box.x + 44, box.y + 42 + 16 * number, _text(_short(line, _DETAIL_LETTERS)))
        for number, line in enumerate(box.lines)
    )
    return (
        "<g class=\"box %s%s\"><title>%s</title>"
        "<rect x=\"%g\" y=\"%g\" width=\"%g\" height=\"%d\" rx=\"10\"/>%s"
        "<text class=\"name\" x=\"%g\" y=\"%g\">%s</text>%s</g>"
    ) % (
        box.state, " strong" if box.strong else "", _text(". ".join((box.name, *box.lines))),
        box.x, box.y, box.width, _BOX_HEIGHT, _mark(box.state, box.x + 23, box.y + 23),
        box.x + 44, box.y + 24, _text(_short(box.name, _NAME_LETTERS)), texts,
    )  # fmt: skip


# A sign for each state, drawn around (0, 0): a check mark, an exclamation mark, a cross, a dash.
_SIGNS = {
    OK: "M-4.5 0.5L-1.5 3.5L4.5 -3.5",
    WARN: "M0 -5V1M0 4.2V4.6",
    BAD: "M-3.6 -3.6L3.6 3.6M3.6 -3.6L-3.6 3.6",
    IDLE: "M-4 0H4",
}
_WORDS = {OK: "well", WARN: "warning", BAD: "problem", IDLE: "not known"}


def _mark(state: str, x: float, y: float) -> str:
    place = '<g class="mark" transform="translate(%g %g)">' % (x, y)
    return '%s<circle r="10"/><path d="%s"/></g>' % (place, _SIGNS[state])


def _sign(state: str) -> str:
    """The same sign beside text, with its word for those who don't see it."""
    return '<svg class="sign %s" viewBox="-11 -11 22 22" role="img" aria-label="%s">%s</svg>' % (
        state,
        _WORDS[state],
        _mark(state, 0, 0),
    )


def _legend() -> str:
    items = (
        ("holds ok", "holds the VIP"), ("backup", "could take it"), ("serves ok active", "traffic to an API server"),
        ("serves bad", "API server is down"),
    )  # fmt: skip
    return '<p class="legend">%s</p>' % "".join(
        '<span><svg viewBox="0 0 34 8" aria-hidden="true"><path class="line %s" d="M1 4H33"/></svg>%s</span>'
        % (kind, _text(word))
        for kind, word in items
    )


def _short(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[: letters - 1] + "\u2026"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _marked(text: str) -> str:
    """Commands and names stand between grave accents."""
    parts = _text(text).split("`")
    return "".join("<code>%s</code>" % part if number % 2 else part for number, part in enumerate(parts))


def _text(value: Any) -> str:
    """For an element or a quoted attribute; what can't be in HTML, such as control characters, has a sign there."""
    printable = "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in str(value))
    return html.escape(printable, quote=True)


_SVG = (
    '<div class="scroll" tabindex="0"><svg class="drawing" viewBox="0 0 %(width)d %(height)g" role="img"'
    ' aria-labelledby="%(id)s-title %(id)s-desc">'
    '<title id="%(id)s-title">%(title)s</title><desc id="%(id)s-desc">%(desc)s</desc>%(body)s</svg></div>'
)

_TABLE = (
    '<div class="scroll" tabindex="0"><table><caption>%s</caption>'
    "<thead><tr>%s</tr></thead><tbody>%s</tbody></table></div>"
)
_FINDING = '<li class="%s">%s<div><p><span class="word">%s</span> %s%s <code>%s</code></p>%s</div></li>'

_SECTION = """<section aria-labelledby="%(id)s">
<h2 id="%(id)s">%(name)s</h2>
<dl class="facts">%(facts)s</dl>
%(drawing)s
%(legend)s
%(findings)s
<details><summary>All that was seen</summary>
%(members)s
%(servers)s
</details>
</section>
"""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">
<title>%(title)s</title>
<style>
%(style)s</style>
</head>
<body>
<header class="%(state)s">
%(sign)s
<div><h1>%(headline)s</h1>%(when)s</div>
</header>
<main>
%(sections)s%(general)s
</main>
</body>
</html>
"""

_STYLE = """:root {
  color-scheme: light dark;
  --page: #f4f6f8; --card: #ffffff; --text: #1b2026; --muted: #5b6570; --edge: #d9dfe5; --faint: #b3bcc6;
  --ok: #1a7f37; --warn: #8a5a00; --bad: #c6202c; --idle: #66707b; --accent: #0b62cf;
  --ok-soft: #e6f5ea; --warn-soft: #fff3d6; --bad-soft: #fdeaea; --idle-soft: #eef1f4; --accent-soft: #e8f1fd;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0e1217; --card: #161b22; --text: #e8edf2; --muted: #9aa5b1; --edge: #2c343d; --faint: #4a5460;
    --ok: #4cc267; --warn: #e0a72e; --bad: #ff6b66; --idle: #98a2ad; --accent: #5ea3f8;
    --ok-soft: #12281a; --warn-soft: #2e2410; --bad-soft: #341619; --idle-soft: #20262e; --accent-soft: #14263d;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--text); line-height: 1.5;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
}
header { display: flex; gap: 16px; align-items: center; padding: 28px 24px 8px; max-width: 1120px; margin: 0 auto; }
header .sign { width: 48px; height: 48px; flex: none; }
h1 { margin: 0; font-size: 1.75rem; line-height: 1.2; letter-spacing: -0.01em; }
header p { margin: 2px 0 0; }
main { max-width: 1120px; margin: 0 auto; padding: 16px 24px 48px; display: grid; gap: 24px; }
section {
  background: var(--card); border: 1px solid var(--edge); border-radius: 14px; padding: 22px 24px 20px; min-width: 0;
}
h2 { margin: 0; font-size: 1.25rem; overflow-wrap: anywhere; }
h3 { margin: 20px 0 8px; font-size: 1rem; }
.muted, .quiet, dt { color: var(--muted); }
.quiet { display: flex; gap: 8px; align-items: center; margin: 18px 0 0; }
.facts { display: flex; flex-wrap: wrap; gap: 4px 32px; margin: 8px 0 12px; font-size: 0.9rem; }
.facts div { display: flex; gap: 8px; min-width: 0; }
.facts dd { margin: 0; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
.drawing { display: block; width: 100%; min-width: 680px; height: auto; margin-top: 8px; }
.drawing text { fill: var(--text); }
.drawing .head { fill: var(--muted); font-size: 13px; font-weight: 600; letter-spacing: 0.04em; }
.drawing .name { font-size: 16px; font-weight: 650; }
.drawing .detail { fill: var(--muted); font-size: 12.5px; font-variant-numeric: tabular-nums; }
.box rect { fill: var(--card); stroke: var(--edge); stroke-width: 1.25; }
.box.strong rect { stroke: var(--accent); stroke-width: 2; fill: var(--accent-soft); }
.box.bad rect { stroke: var(--bad); stroke-width: 2; fill: var(--bad-soft); }
.box.warn rect { stroke: var(--warn); stroke-width: 1.75; fill: var(--warn-soft); }
.box.idle rect { stroke-dasharray: 5 4; fill: var(--idle-soft); }
.mark circle { fill: var(--idle); }
.ok .mark circle, .mark.ok circle { fill: var(--ok); }
.warn .mark circle { fill: var(--warn); }
.bad .mark circle { fill: var(--bad); }
.mark path { fill: none; stroke: var(--card); stroke-width: 2.4; stroke-linecap: round; stroke-linejoin: round; }
.sign { width: 20px; height: 20px; flex: none; vertical-align: -4px; margin-right: 6px; }
.line { fill: none; stroke: var(--faint); stroke-width: 1.25; stroke-linecap: round; }
.line.holds { stroke: var(--accent); stroke-width: 4; }
.line.holds.bad { stroke: var(--bad); }
.line.backup { stroke-dasharray: 2 6; stroke-width: 1.75; }
.line.serves.active { stroke: var(--ok); stroke-width: 2; }
.line.serves.bad { stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 6 5; }
.line.serves.warn { stroke: var(--warn); stroke-width: 1.5; stroke-dasharray: 6 5; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 22px; margin: 12px 0 0; font-size: 0.82rem; color: var(--muted); }
.legend span { display: inline-flex; align-items: center; gap: 8px; }
.legend svg { width: 34px; height: 8px; }
.findings { list-style: none; margin: 0; padding: 0; display: grid; gap: 8px; }
.findings li {
  display: flex; gap: 10px; padding: 10px 14px; border-radius: 10px; background: var(--idle-soft);
  overflow-wrap: anywhere;
}
.findings li.bad { background: var(--bad-soft); }
.findings li.warn { background: var(--warn-soft); }
.findings li > div { min-width: 0; }
.findings p { margin: 0; }
.findings .muted { font-size: 0.9rem; }
.findings .word { font-weight: 650; }
.findings .bad .word, li.bad .word { color: var(--bad); }
li.warn .word { color: var(--warn); }
code { font: 0.85em ui-monospace, "DejaVu Sans Mono", monospace; color: var(--muted); }
details { margin-top: 18px; }
summary { cursor: pointer; font-weight: 600; font-size: 0.95rem; }
table { border-collapse: collapse; width: 100%; margin-top: 14px; font-size: 0.9rem; }
table { font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--muted); padding-bottom: 4px; }
th, td { text-align: left; padding: 7px 14px 7px 0; border-top: 1px solid var(--edge); vertical-align: top; }
thead th { border-top: 0; color: var(--muted); font-weight: 500; font-size: 0.82rem; white-space: nowrap; }
tbody th { font-weight: 600; }
@media print { body { background: none; } section { break-inside: avoid; } }
"""
