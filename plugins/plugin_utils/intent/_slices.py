# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""Groups that name an endpoint's hosts, and whether this run sees them whole.

AWX gives each slice of a job an inventory that has the slice's hosts only, every Nth by name. A host that is named and
missing is a problem already; of a group nothing shows that hosts are missing.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ._errors import Problem, problem_of
from ._names import pieces

# The first of them that has hosts, or the last.
DEFAULT_GROUPS: dict[str, tuple[str, ...]] = {
    "lb_hosts": ("kube_lb", "kube_control_plane"), "apiserver_hosts": ("kube_control_plane",)}
# AWX gives each of its variables both names.
_PREFIXES = ("awx", "tower")


def default_group(key: str, groups: Mapping[str, t.Any]) -> str:
    """The group that has these hosts where nobody names any."""
    names = DEFAULT_GROUPS[key]
    return next((name for name in names if groups.get(name)), names[-1])


def is_slice(variables: Mapping[str, t.Any]) -> bool:
    """Whether AWX runs this as a slice of a job.

    AWX tells a playbook neither number nor count of slices. It makes a sliced job a workflow that is named like the
    job's template. Whoever launches it may tell the count.
    """
    for prefix in _PREFIXES:
        count = variables.get(prefix + "_job_slice_count")
        if count is not None:
            return str(count).strip() not in ("0", "1")
    return any(
        variables.get(prefix + "_job_template_name") is not None
        and variables[prefix + "_job_template_name"] == variables.get(prefix + "_workflow_job_name")
        for prefix in _PREFIXES)


def cut_groups(intent: Mapping[str, t.Any], groups: Mapping[str, t.Any]) -> list[Problem]:
    """A problem for each place where a group says which hosts an endpoint has."""
    entries = intent.get("list")
    scopes = [("endpoint_list[%d]." % index, entry) for index, entry in enumerate(entries)
              if isinstance(entry, Mapping)] if isinstance(entries, list) and entries else [("endpoint_", {})]
    found: dict[str, list[str]] = {}
    for prefix, entry in scopes:
        for key in DEFAULT_GROUPS:
            where, scope = (prefix + key, entry) if entry.get(key) is not None else ("endpoint_" + key, intent)
            found[where] = _groups_of(scope.get(key), key, groups)
    return [problem_of("job_sliced", where, ", ".join(names)) for where, names in found.items() if names]


def _groups_of(value: t.Any, key: str, groups: Mapping[str, t.Any]) -> list[str]:
    if value is None:
        return [default_group(key, groups)]
    names = pieces(value)
    hosts = groups.get("all", ())
    return [name for name in names if isinstance(name, str) and name in groups and name not in hosts
            ] if isinstance(names, list) else []
