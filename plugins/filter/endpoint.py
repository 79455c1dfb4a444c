# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible.errors import AnsibleFilterError

from ..plugin_utils.intent._errors import PlanError
from ..plugin_utils.intent._intent import kind_of, plain
from ..plugin_utils.plan import _kubeadm
from ..plugin_utils.plan._plan import compute_plan


class FilterModule:
    """The plan, for templates and inventories."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "endpoint_plan": endpoint_plan,
            "endpoint_problems": endpoint_problems,
            "endpoint_member": endpoint_member,
            "endpoint_kubeadm": endpoint_kubeadm,
        }


def endpoint_plan(intent: t.Any, hosts: t.Any = None, deployed: t.Any = None) -> dict[str, t.Any]:
    """The plan for an intent; refuses a bad one with all its problems."""
    try:
        return dict(compute_plan(*_arguments("endpoint_plan", intent, hosts, deployed)))
    except PlanError as error:
        raise AnsibleFilterError("endpoint_plan: %s" % error) from error


def endpoint_problems(intent: t.Any, hosts: t.Any = None, deployed: t.Any = None) -> list[dict[str, t.Any]]:
    """All problems of an intent; an empty list where it can be planned."""
    try:
        compute_plan(*_arguments("endpoint_problems", intent, hosts, deployed))
    except PlanError as error:
        return [problem.to_dict() for problem in error.problems]
    return []


def endpoint_member(plan: t.Any, host: t.Any) -> list[dict[str, t.Any]]:
    """What one host is in every instance that it is a member of."""
    return [
        {"endpoint": endpoint["name"], "instance": instance["name"], "family": instance["family"],
         "virtual_router_id": instance["virtual_router_id"],
         **{key: value for key, value in member.items() if key != "host"}}
        for endpoint in _endpoints("endpoint_member", plan) for instance in endpoint["instances"]
        for member in instance["members"] if member["host"] == str(host)]


def endpoint_kubeadm(plan: t.Any, endpoint: t.Any = None, api_version: t.Any = "v1beta4") -> dict[str, t.Any]:
    """The piece of kubeadm's ClusterConfiguration that belongs to one endpoint."""
    endpoints = {item["name"]: item for item in _endpoints("endpoint_kubeadm", plan)}
    wanted = str(endpoint) if endpoint is not None or len(endpoints) != 1 else next(iter(endpoints))
    if wanted not in endpoints:
        raise AnsibleFilterError("endpoint_kubeadm: endpoint must be one of %s" % ", ".join(endpoints))
    if api_version not in _kubeadm.API_VERSIONS:
        raise AnsibleFilterError("endpoint_kubeadm: api_version must be one of %s" % ", ".join(_kubeadm.API_VERSIONS))
    return _kubeadm.cluster_configuration(plain(endpoints[wanted]), str(api_version))


def _endpoints(name: str, plan: t.Any) -> list[t.Any]:
    if not isinstance(plan, Mapping) or not isinstance(plan.get("endpoints"), list):
        raise AnsibleFilterError("%s: the input must be a plan, as endpoint_plan returns it" % name)
    endpoints: list[t.Any] = plan["endpoints"]
    return endpoints


def _arguments(name: str, *values: t.Any) -> list[dict[str, t.Any]]:
    for value, role in zip(values, ("intent", "hosts", "deployed")):
        if value is not None and not isinstance(value, Mapping):
            raise AnsibleFilterError("%s: %s must be a mapping, not %s" % (name, role, kind_of(value)))
    return [plain(value or {}) for value in values]
