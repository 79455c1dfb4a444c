# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""The import as people read it, and the inventory file that it writes. Pure: an outcome in, text out."""

from __future__ import annotations

import json
import textwrap
import typing as t
from collections.abc import Sequence

from ...module_utils.model._shapes import printable
from ..judge._table import table
from ._outcome import Outcome
from ._rows import CHANGED, KEPT, LOST, Row
from ._sameness import Pair

_HEAD = """# Written by the playbook import, from what hosts had. It's an inventory: name it beside yours.
#   ansible-playbook kubeha.apiserver.plan -i INVENTORY -i THIS_FILE --diff
# Passwords aren't in it.
"""
_HEADINGS = {
    KEPT: "Kept", CHANGED: "Changed, because this is better", LOST: "Not carried over: look whether you need it"}


def report(found: Outcome, rows: Sequence[Row], same: Sequence[Pair], outages: Sequence[Pair]) -> str:
    """Everything that was understood, in tables."""
    parts = []
    for verdict, heading in _HEADINGS.items():
        mine = [row for row in rows if row.verdict == verdict]
        if mine:
            parts.append(heading + "\n" + _indented(_prose(mine) if verdict == LOST else table(
                ("WHAT", "BEFORE", "NOW", "WHERE"),
                [(row.what, _short(row.old), _short(row.new), _where(row)) for row in mine])))
    for heading, pairs in (("Old and new, side by side", same),
                           ("Longest outage that the timers allow (arithmetic, not measured)", outages)):
        if pairs:
            parts.append(heading + "\n" + _indented(table(("", "BEFORE", "NOW"), [tuple(pair) for pair in pairs])))
    if found.variables:
        parts.append("Variables\n" + _indented(variables_text(found)))
    return "\n\n".join(parts) + "\n"


def variables_text(found: Outcome) -> str:
    """What is the same for all hosts, then what differs by host."""
    lines = ["%s: %s" % item for item in _values(found.variables)]
    for host, variables in found.host_variables.items():
        lines += ["%s: %s: %s" % (host, key, value) for key, value in _values(variables)]
    return "\n".join(lines)


def inventory_text(found: Outcome) -> str:
    """An inventory of its own, because variables of hosts and of all of them belong into one file."""
    lines = [_HEAD + "all:", "  vars:"]
    lines += ["    %s: %s" % item for item in _values(found.variables)]
    if found.variables.get("endpoint_mode") == "static_pod" and "keepalived_image" not in found.variables:
        lines.append("    # keepalived_image: REGISTRY/keepalived:VERSION    # needed; images/keepalived makes one")
    if found.host_variables:
        lines.append("  hosts:")
    for host, variables in found.host_variables.items():
        lines.append("    %s:" % json.dumps(host))
        lines += ["      %s: %s" % item for item in _values(variables)]
    return "\n".join(lines) + "\n"


def _values(variables: t.Mapping[str, t.Any]) -> list[tuple[str, str]]:
    """As JSON, which YAML reads in one way only."""
    return [(key, json.dumps({str(name): item for name, item in value.items()} if isinstance(value, dict) else value))
            for key, value in variables.items()]


def _where(row: Row) -> str:
    more = len(row.places) - 1
    return "%s%s" % (_short(str(row.places[0])), " and %d more" % more if more else "")


def _prose(rows: Sequence[Row]) -> str:
    """Reasons are too long for a table."""
    return "\n".join("%s: %s (%s)\n%s" % (_short(row.what), _short(row.old), _where(row), textwrap.fill(
        printable(row.new, 400), 100, initial_indent="    ", subsequent_indent="    ")) for row in rows)


def _short(text: str) -> str:
    return printable(text, 200)


def _indented(text: str) -> str:
    return "\n".join("  " + line for line in text.splitlines())
