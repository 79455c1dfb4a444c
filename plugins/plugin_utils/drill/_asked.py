# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""What somebody wants of a drill, as variables say it: values, or all problems at once. Pure."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ...module_utils.drill import _fault
from ..intent import _names, _values
from ..intent._errors import Problem, Problems, Where, problem_of

CONTROLLER = "localhost"
VARIABLES = ("endpoint_drill", "endpoint_drill_faults", "endpoint_drill_clients", "endpoint_drill_budget",
             "endpoint_drill_seconds", "endpoint_drill_apiserver_unit", "endpoint_hosts")
_SECONDS = _values.seconds(_fault.LEAST, _fault.MOST, 0.1)
_BUDGET = _values.seconds(0.001, 60, 0.001)


class Asked(NamedTuple):
    faults: list[str]
    hosts: list[str]
    clients: list[str]
    budgets: dict[str, float]
    seconds: float
    apiserver_unit: str | None


def read(given: Mapping[str, Any], groups: Mapping[str, Sequence[str]], balancers: Sequence[str],
         play: Sequence[str]) -> tuple[Asked, list[Problem]]:
    """`given` has the variables that are set, by name; `play` are the hosts of this run."""
    found = Problems()
    place = functools.partial(Where, found)
    problems: list[Problem] = []
    wanted = given.get("endpoint_drill")
    if wanted is None or _values.boolean(place("endpoint_drill"), wanted) is False:
        problems.append(problem_of("drill_unconfirmed", "endpoint_drill", wanted))
    faults = _faults(given.get("endpoint_drill_faults"), place("endpoint_drill_faults"))
    hosts = list(balancers)
    if given.get("endpoint_hosts") is not None:
        hosts, wrong = _names.hosts_named("endpoint_hosts", given["endpoint_hosts"], groups)
        problems += wrong + _names.outside("endpoint_hosts", hosts, balancers, "host_not_balancer")
        hosts = [host for host in balancers if host in hosts]
    clients, wrong = _clients(given.get("endpoint_drill_clients"), groups, balancers)
    problems += wrong
    absent = [host for host in balancers if host not in play]
    if absent:
        problems.append(problem_of("drill_partial", "--limit", None, few=", ".join(absent[:5])))
    seconds = given.get("endpoint_drill_seconds")
    lasting = 10.0 if seconds is None else _SECONDS(place("endpoint_drill_seconds"), seconds)
    budgets = _budgets(given.get("endpoint_drill_budget"), place("endpoint_drill_budget"))
    unit = given.get("endpoint_drill_apiserver_unit")
    if unit is not None:
        at = place("endpoint_drill_apiserver_unit")
        text = _values.text(at, unit, "the name of a service, as in kube-apiserver.service")
        if text is not None and not _fault.is_unit(text):
            at.problem("value_characters", text, expected="the name of a service, as in kube-apiserver.service",
                       allowed="letters, digits and _.@-, with .service at the end")
    return Asked(faults, hosts, clients, budgets, lasting or 10.0, unit), [*problems, *found.problems]


def _faults(value: Any, at: Where) -> list[str]:
    """In the order of the table, whatever order they're written in. A reboot has to be named."""
    if value is None:
        return [name for name in _fault.FAULTS if name != _fault.REBOOT]
    items = _names.pieces(value)
    read_all = _values.listing(_values.choice(*_fault.FAULTS), "a list of faults")
    names = read_all(at, items) or []
    return [name for name in _fault.FAULTS if name in names]


def _clients(value: Any, groups: Mapping[str, Sequence[str]],
             balancers: Sequence[str]) -> tuple[list[str], list[Problem]]:
    where = "endpoint_drill_clients"
    if value is None:
        return [CONTROLLER], []
    known = dict(groups, all=[*groups.get("all", ()), CONTROLLER])
    hosts, problems = _names.hosts_named(where, value, known)
    problems += [problem_of("drill_client_balances", where, host) for host in hosts if host in balancers]
    return hosts, problems


def _budgets(value: Any, at: Where) -> dict[str, float]:
    """One for all of them, or by fault."""
    value = _names.from_json(value)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        number = _BUDGET(at, value)
        return {} if number is None else dict.fromkeys(_fault.FAULTS, number)
    given = _values.mapping(at, value, _fault.FAULTS, "seconds, or a mapping of faults to seconds") or {}
    read_all = {str(name): _BUDGET(at[name], item) for name, item in given.items()}
    return {name: number for name, number in read_all.items() if number is not None}
