# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Names of hosts as a user writes them: the hosts of the inventory that they mean, or what is wrong with each.

Ansible's patterns are no names here: an empty one means all hosts, and a typo in one means others than intended.
"""

from __future__ import annotations

import json
import typing as t
from collections.abc import Collection, Mapping, Sequence

from ...module_utils.model._shapes import printable
from ._errors import Problem, listed, problem_of
from ._values import closest, describe

_PATTERN = frozenset("*?[]!&:~;<>|^$(){}\\")
_EVERYBODY = frozenset({"all", "ungrouped"})
# Ansible's own words.
_ANY_TAG = frozenset({"all", "always", "never", "tagged", "untagged"})
# So many suggestions; each costs a look at all hosts.
_SUGGESTIONS = 20


class Named(t.NamedTuple):
    """Hosts, each once, in the order written; with a problem, none should be used."""

    hosts: list[str]
    problems: list[Problem]


def from_json(value: t.Any) -> t.Any:
    """The list or mapping that a text is in JSON, as ``-e name='["a", "b"]'`` gives it; anything else as it is."""
    if isinstance(value, str) and value.strip()[:1] in ("[", "{"):
        try:
            found = json.loads(value)
        except ValueError:
            return value
        return found if isinstance(found, (list, dict)) else value
    return value


def pieces(value: t.Any) -> t.Any:
    """The items of a list of names, however it's written; what is no list comes back as it is."""
    value = from_json(value)
    if isinstance(value, str):
        return [part.strip() for part in str.__str__(value).split(",")]
    if isinstance(value, (list, tuple)):
        return [str.__str__(item).strip() if isinstance(item, str) else item for item in value]
    return value


def is_pattern(name: str) -> bool:
    """Whether Ansible would take this for a pattern of hosts, of a name that no host and no group has."""
    return not _PATTERN.isdisjoint(name)


def hosts_named(where: str, value: t.Any, groups: Mapping[str, Sequence[str]], missing: bool = False) -> Named:
    """The hosts that the variable ``where`` names: hosts or groups of the inventory, or problems."""
    known = list(groups.get("all", ()))
    items = pieces(value)
    if missing or items is None or (isinstance(items, list) and all(item == "" for item in items)):
        return Named([], [problem_of("hosts_unnamed", where, None if missing else value, variable=where)])
    more = ", as in -e %s=HOST,HOST" % where
    if isinstance(value, str) and value.strip()[:1] in ("[", "{") and from_json(value) is value:
        return Named([], [problem_of("value_type", where, value, expected="names between commas or a list in JSON",
                                     found="text that is neither", more=more)])
    if not isinstance(items, list):
        return Named([], [problem_of("value_type", where, value, expected="a list of hosts", found=describe(value),
                                     more=more)])
    hosts: list[str] = []
    problems: list[Problem] = []
    choices = known + list(groups)
    for index, item in enumerate(items):
        place = where if len(items) == 1 else "%s[%d]" % (where, index)
        if isinstance(item, str) and item in known:
            hosts.append(item)
        elif isinstance(item, str) and item not in _EVERYBODY and groups.get(item):
            hosts.extend(groups[item])
        else:
            problems.append(_wrong(place, item, groups, choices if len(problems) < _SUGGESTIONS else []))
    return Named(list(dict.fromkeys(hosts)), problems)


def tags_unknown(where: str, names: Sequence[str], known: Sequence[str]) -> list[Problem]:
    """A problem for every tag that is neither Ansible's own nor among `known`, those of the playbook."""
    few = "one of %s" % ", ".join(known) if known else "no tags: this playbook is run as a whole"
    return [problem_of("tag_unknown", where, name, few=few) for name in names
            if name not in _ANY_TAG and name not in known]


def outside(where: str, hosts: Sequence[str], allowed: Collection[str], code: str) -> list[Problem]:
    """A problem for every host that a run can't act on, though the inventory has it."""
    few = listed(sorted(allowed))
    return [problem_of(code, where, host, few=few) for host in hosts if host not in allowed]


def _wrong(place: str, item: t.Any, groups: Mapping[str, Sequence[str]], choices: Sequence[str]) -> Problem:
    if not isinstance(item, str):
        return problem_of("value_type", place, item, expected="a host's name", found=describe(item), more=", in quotes")
    if not item:
        return problem_of("value_empty", place, "", expected="the host that is missing between the commas",
                          rest="a comma out")
    if item in _EVERYBODY:
        return problem_of("host_pattern", place, item, reason="this means hosts that nobody named")
    if item in groups:
        return problem_of("group_empty", place, item)
    if is_pattern(item):
        return problem_of("host_pattern", place, item, reason="patterns may mean others than intended")
    near = closest(item, choices)
    return problem_of("host_unknown", place, item,
                      fix="write %s" % printable(near, 120) if near else "add it to the inventory")
