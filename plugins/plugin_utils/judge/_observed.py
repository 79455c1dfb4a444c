# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""What this run knows of the members: who was observed, who has the endpoint, who is left out."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ...module_utils.model import _accessors
from ...module_utils.model._planfile import with_endpoints
from ...module_utils.model._shapes import printable
from ...module_utils.proof import _host_status
from ..intent._intent import heard, plain
from ..intent._registered import ASKED, OBSERVED, OTHERS, results
from . import _status

if t.TYPE_CHECKING:
    from ...module_utils.model._model import Plan
    from ...module_utils.model._observation import Observation


class Observed(t.NamedTuple):
    """Observations by host; `fresh` ones were made at this point of the run, `earlier` ones may be outdated."""

    fresh: dict[str, Observation]
    earlier: dict[str, Observation]
    unreachable: dict[str, str]


def read_observations(
    task_vars: Mapping[str, t.Any], hosts: t.Iterable[str], variable: str = OBSERVED, others: t.Any = None
) -> Observed:
    """What `hosts` registered under `variable`, and what a loop over hosts outside of this batch registered.

    Only those hosts' variables are read, because reading them takes long where there are many.
    """
    batch = set(_names(task_vars.get("ansible_play_batch")))
    fresh: dict[str, Observation] = {}
    earlier: dict[str, Observation] = {}
    unreachable: dict[str, str] = {}
    seen_before: dict[str, Observation] = {}
    for host in hosts:
        info, *before = results(task_vars, host, variable, ASKED, OTHERS)
        if _is_observation(info):
            (fresh if host in batch else earlier)[str(host)] = heard(info)
        elif host in batch and (info.get("unreachable") or info.get("failed")):
            unreachable[str(host)] = why_not(info)
        # What an earlier batch saw of a member still tells whether it has the endpoint, until it reports itself.
        for result in before:
            seen_before.update(_looped(result))
    earlier = {**seen_before, **earlier}
    fresh.update(_looped(task_vars.get(OTHERS) if others is None else others))
    return Observed(fresh, earlier, unreachable)


def observations_of(registered: Mapping[str, t.Any]) -> Observed:
    """What hosts registered at this point of the run, by host."""
    return Observed(
        {str(host): heard(info) for host, info in registered.items() if _is_observation(info)}, {},
        {str(host): why_not(info) for host, info in registered.items()
         if isinstance(info, Mapping) and (info.get("unreachable") or info.get("failed"))})


def scope_of(plan: Plan, observed: Observed, task_vars: Mapping[str, t.Any]) -> _status.Scope:
    """Which members this run deploys to, and what is known of the others."""
    members = set(members_of_all(plan))
    applied = members.intersection(_names(task_vars.get("ansible_play_batch")))
    others = {host: info for host, info in observed.earlier.items() if host in members - applied}
    elsewhere = {host for endpoint in plan["endpoints"] for host in _status.deployed_members(endpoint, others)}
    return _status.Scope(
        applied=frozenset(applied),
        elsewhere=frozenset(elsewhere),
        absent=frozenset(set(others) - elsewhere),
        unreachable={host: text for host, text in observed.unreachable.items() if host in members},
        partial=bool(members - applied),
    )


def expectation(plan: Plan, host: str, task_vars: Mapping[str, t.Any]) -> dict[str, bool | None]:
    """Whether `host` is to hold each endpoint's VIPs once this batch is done."""
    observed = read_observations(task_vars, members_of_all(plan))
    scope = scope_of(plan, observed, task_vars)
    expected: dict[str, bool | None] = {}
    leaving = _status.leaving({**observed.earlier, **observed.fresh})
    for endpoint in plan["endpoints"]:
        deployed = [
            name
            for name in _status.deployed_members(endpoint, observed.earlier, scope.applied)
            if name not in observed.fresh or not _host_status.is_dormant(endpoint, observed.fresh[name])
        ]
        unknown = [
            name for name in _accessors.members_of(endpoint) if name not in deployed and name not in scope.absent
        ]
        holds = _status.expected_of(endpoint, deployed, unknown, leaving)
        if host in holds:
            expected[endpoint["name"]] = holds[host]
    return expected


def members_of_all(plan: Plan) -> list[str]:
    return list(dict.fromkeys(host for endpoint in plan["endpoints"] for host in _accessors.members_of(endpoint)))


def arguments_of_host(task: t.Any, task_vars: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What a module gets on a host: its name, and of the plan only the endpoints that it's a member of, because a plan
    may be of thousands of hosts."""
    args = dict(task.args)
    args["host"] = host = str(args.get("host") or task.delegate_to or task_vars["inventory_hostname"])
    plan = args.get("plan")
    if isinstance(plan, Mapping) and isinstance(plan.get("endpoints"), list):
        args["plan"] = plain(plan_of_host(t.cast("Plan", plan), host))
    return args


def plan_of_host(plan: Plan, host: str) -> Plan:
    """Only the endpoints that `host` is a member of."""
    return with_endpoints(plan, _accessors.endpoints_of(plan, host))


def _looped(registered: t.Any) -> dict[str, Observation]:
    results = registered.get("results") if isinstance(registered, Mapping) else None
    return {str(item["item"]): heard(item) for item in results or () if _is_observation(item)}


def _is_observation(info: t.Any) -> bool:
    return isinstance(info, Mapping) and "networks" in info and not info.get("failed") and not info.get("unreachable")


def _names(value: t.Any) -> list[str]:
    return [str(name) for name in value or ()]


def why_not(result: Mapping[str, t.Any]) -> str:
    """In a line. Where no module could be run, Ansible says that it read no result; what the shell said says why."""
    said = str(result.get("msg") or "no reason was given").strip().split("\n", 1)[0]
    shell = str(result.get("module_stderr") or "").strip().rsplit("\n", 1)[-1].strip()
    return printable("%s: %s" % (said, shell) if shell and shell not in said else said, 300)
