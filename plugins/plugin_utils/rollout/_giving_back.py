# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""Giving back what was there before a takeover: in which order, and where not. Pure.

Ours and theirs don't take each other's adverts, so one side at a time speaks. HAProxy changes first where no VIP is;
keepalived is stopped there, the holder changes with its VIP on the loopback interface meanwhile, and the others follow.
The holder's HAProxy comes last: by then its keepalived, which looks at it, is theirs.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ...module_utils.model._accessors import members_of
from ...module_utils.model._shapes import printable
from ..judge._table import table
from . import _waves

if t.TYPE_CHECKING:
    from ...module_utils.model._model import Plan

HAPROXY, SILENCE, KEEPALIVED = "haproxy", "silence", "keepalived"
WORDS = {HAPROXY: "HAProxy as it was", SILENCE: "keepalived is silent until the holder has changed",
         KEEPALIVED: "keepalived as it was"}


class Stage(t.NamedTuple):
    kind: str
    hosts: list[str]


def stages(plan: Plan, seen: Mapping[str, _waves.Seen]) -> list[Stage]:
    """All hosts with work, who holds a VIP last."""
    hosts = [host for wave in _waves.waves(plan, seen) for host in wave]
    hosts.sort(key=lambda host: bool(seen[host].holds))
    if not hosts:
        return []
    *backups, last = hosts
    return [*(Stage(HAPROXY, [host]) for host in backups),
            *([Stage(SILENCE, backups)] if backups else []),
            Stage(KEEPALIVED, [last]),
            *(Stage(KEEPALIVED, [host]) for host in backups),
            Stage(HAPROXY, [last])]


def refusals(plan: Plan, seen: Mapping[str, _waves.Seen], named: Sequence[str],
             originals: Mapping[str, t.Any]) -> list[str]:
    """Why it isn't begun. `originals` is by host what was there before, or why nobody knows."""
    looks = {host: _looks(originals.get(host)) for host in named if host in seen}
    said = ["%s: %s" % (host, printable(str(look.get("msg", "nobody knows what was here before"))))
            for host, found in looks.items() for look in found or [{}] if not isinstance(look.get("before"), Mapping)]
    befores = [look["before"] for found in looks.values() for look in found
               if isinstance(look.get("before"), Mapping)]
    if plan["endpoints"] and befores and not said and not any(before.get("foreign") is True for before in befores):
        said.append("Nothing that somebody else had configured was taken over on these hosts. Run remove without "
                    "endpoint_restore.")
    for endpoint in plan["endpoints"]:
        members = members_of(endpoint)
        missing = [host for host in members if host not in named or host not in seen]
        if missing and not set(members).isdisjoint(named):
            said.append("%s: what was there before doesn't take our adverts, so all members have to go back in one "
                        "run; this one leaves out %s. Run it with -e endpoint_hosts=all, with all of them reachable."
                        % (endpoint["name"], ", ".join(missing)))
        pods = endpoint["mode"] == "static_pod" and not set(members).isdisjoint(named)
        if pods:
            said.append("%s: it runs as static pods, and what was there before comes back only to services. Run remove "
                        "without endpoint_restore: files come back, and you start what they're for."
                        % endpoint["name"])
    holders = sorted(host for host in named if host in seen and seen[host].holds)
    if len(holders) > 1:
        said.append("%s hold VIPs, and one host at a time can go back without letting go of any. Drain all of them but "
                    "one: the playbook drain with -e endpoint_hosts=HOST." % ", ".join(holders))
    return said


def _looks(original: t.Any) -> list[Mapping[str, t.Any]]:
    results = original.get("results") if isinstance(original, Mapping) else None
    return [look for look in results if isinstance(look, Mapping)] if isinstance(results, list) else []


def text(title: str, order: Sequence[Stage], seen: Mapping[str, _waves.Seen]) -> str:
    if not order:
        return ""
    rows = [(number if place == 0 else "", host, WORDS[stage.kind], ", ".join(sorted(seen[host].holds)))
            for number, stage in enumerate(order, 1) for place, host in enumerate(stage.hosts)]
    return "%s:\n%s" % (title, table(("WAVE", "HOST", "CHANGE", "HOLDS"), rows))
