# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A rollout as people read it: host by host while there are few, a line for each wave and each endpoint of many. Pure.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Sequence, Sized

from ...module_utils.model._accessors import members_of
from ...module_utils.proof._finding import ERROR
from ..judge._table import table

if TYPE_CHECKING:
    from ...module_utils.model._model import Plan
    from ..judge._verdict import FindingEntry, Verdict
    from ._waves import Seen

Host = str
# More endpoints have one line each; of more hosts only the first and the last are named.
FEW_ENDPOINTS, FEW_HOSTS = 3, 12


def are_few(endpoints: Sized) -> bool:
    """Whether people want to read of each of their hosts."""
    return len(endpoints) <= FEW_ENDPOINTS


def named(hosts: Sequence[Host]) -> str:
    """``cp1, cp2, cp3``, or ``200 hosts, cp2-0001 … cp2-0200``."""
    return ", ".join(hosts) if len(hosts) <= FEW_HOSTS else "%d hosts, %s … %s" % (len(hosts), hosts[0], hosts[-1])


def wave(number: int, count: int, hosts: Sequence[Host]) -> str:
    """The wave with this number, from 0 on, of so many."""
    return "wave %d of %d: %s" % (number + 1, count, named(hosts))


def text(title: str, order: Sequence[Sequence[Host]], seen: Mapping[Host, Seen],
         silenced: Mapping[Host, str] = MappingProxyType({}), handing_over: Sequence[Host] = ()) -> str:
    """The order as people read it; nothing where there is none. `silenced` are hosts with the reason."""
    if not order:
        return ""
    lines = [title + ":"]
    if max(map(len, order)) > FEW_HOSTS:
        lines += ["%s (%s)" % (wave(number, len(order), hosts), ", ".join(dict.fromkeys(
            seen[host].force for host in hosts))) for number, hosts in enumerate(order)]
    else:
        lines.append(table(("WAVE", "HOST", "CHANGE", "HOLDS"), [
            (number if place == 0 else "", host, seen[host].force, ", ".join(sorted(seen[host].holds)))
            for number, hosts in enumerate(order, 1) for place, host in enumerate(hosts)]))
    reasons: Dict[str, List[Host]] = {}
    for host, why in silenced.items():
        reasons.setdefault(why, []).append(host)
    lines += ["keepalived is stopped until the holder has changed, because members would drop each other's adverts "
              "meanwhile (%s): %s" % (why, named(hosts)) for why, hosts in reasons.items()]
    if handing_over:
        lines.append("Before that these hand their VIPs over: %s" % named(handing_over))
    return "\n".join(lines)


def stopped(plan: Plan, failures: Mapping[Host, str], untouched: Mapping[Host, str]) -> Dict[str, str]:
    """Why endpoints were stopped, by name. `untouched` are hosts whose turn never came, with the endpoint that it's
    for."""
    found = {}
    for endpoint in plan["endpoints"]:
        members = members_of(endpoint)
        why = ["%s: %s" % (host, failures[host]) for host in members if host in failures] or [
            "%s: not touched, because of %s" % (host, untouched[host]) for host in members if host in untouched]
        if why:
            found[endpoint["name"]] = "; ".join(why)
    return found


def so_far(earlier: Mapping[str, Any], title: str, done: Sequence[Host], why: Mapping[str, str]) -> Dict[str, Any]:
    """What a run has changed when this rollout has ended, by host, and what stopped endpoints first, by name."""
    changed = {host: list(titles) for host, titles in earlier.get("changed", {}).items()}
    for host in done:
        changed.setdefault(host, []).append(title)
    return {"changed": changed, "stopped": {**why, **earlier.get("stopped", {})}}


def summary(plan: Plan, verdict: Verdict, done: Mapping[str, Any], batch: Sequence[Host]) -> str:
    """Of many endpoints one line each: name, virtual IPs, who holds them, what was changed or why it couldn't be.

    `done` is what `so_far` has returned last, or nothing. Endpoints that only others than the batch belong to aren't
    this run's.
    """
    changed: Mapping[Host, Sequence[str]] = done.get("changed", {})
    reasons: Mapping[str, str] = done.get("stopped", {})
    concerned = {*batch, *changed}
    endpoints = [endpoint for endpoint in plan["endpoints"]
                 if endpoint["name"] in reasons or not concerned.isdisjoint(members_of(endpoint))]
    if are_few(endpoints):
        return ""
    wrong: Dict[str, List[str]] = {}
    # What is wrong with an endpoint tells more than what is with a host.
    for finding in sorted(verdict["findings"], key=lambda finding: finding["host"] is not None):
        if finding["severity"] == ERROR:
            wrong.setdefault(finding["endpoint"] or finding["host"] or "", []).append(finding["message"])
    rows = []
    states: List[str] = []
    for endpoint in endpoints:
        name, members = endpoint["name"], members_of(endpoint)
        errors = [message for key in dict.fromkeys([name, *members]) for message in wrong.get(key, ())]
        holders = dict.fromkeys(host for hosts in verdict["holders"].get(name, {}).values() for host in hosts)
        states.append("stopped" if name in reasons else "not as planned" if errors else "as planned")
        said = [_changes([title for host in members for title in changed.get(host, ())])]
        said += ["stopped: %s" % reasons[name]] if name in reasons else []
        said += ["not as planned: %s" % errors[0]] if errors else []
        said += ["and %d more" % (len(errors) - 1)] if len(errors) > 1 else []
        rows.append((name, ", ".join(vip["address"] for vip in endpoint["vips"]), ", ".join(holders) or "nobody seen",
                     "; ".join(part for part in said if part) or "no change"))
    return "%s\n\n%d endpoints: %s. %d hosts were changed." % (
        table(("ENDPOINT", "VIRTUAL IP", "HELD BY", "OUTCOME"), rows), len(rows),
        ", ".join("%d %s" % (states.count(state), state) for state in ("as planned", "stopped", "not as planned")),
        len(changed))


def by_endpoint(findings: Sequence[FindingEntry]) -> List[Dict[str, Any]]:
    """The same with an endpoint in the place of its hosts, as `judge._status.findings_text` takes them."""
    return list({(item["code"], item["message"], item["endpoint"] or item["host"]):
                 {**item, "endpoint": None, "host": item["endpoint"] or item["host"]} for item in findings}.values())


def _changes(titles: Sequence[str]) -> str:
    return "; ".join("%s changed on %d" % (title, titles.count(title)) for title in dict.fromkeys(titles))
