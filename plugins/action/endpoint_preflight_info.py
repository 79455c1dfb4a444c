# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.kubeha.apiserver.plugins.module_utils._preflight import worth_asking
from ansible_collections.kubeha.apiserver.plugins.plugin_utils._intent import plain
from ansible_collections.kubeha.apiserver.plugins.plugin_utils._observed import (
    members_of_all,
    plan_of_host,
    read_observations,
)

WIRE = "kubeha.apiserver.endpoint_wire"


class ActionModule(ActionBase):
    """Ask the network and look at the host, in one task: the network first, while all hosts are at it together."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        task_vars = task_vars or {}
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        args = dict(self._task.args)
        plan = args.get("plan")
        if not isinstance(plan, Mapping) or not isinstance(plan.get("endpoints"), list):
            raise AnsibleActionFail("plan: it must be a plan, as endpoint_plan returns it")
        host = str(args.get("host") or self._task.delegate_to or task_vars["inventory_hostname"])
        args.update(host=host, plan=plan_of_host(plain(plan), host))
        why = self._reason(args, host, task_vars)
        wire = self._ask(args, task_vars) if why else {}
        if wire.get("failed") or wire.get("unreachable"):
            result.update(wire)
            return result
        result.update(self._execute_module(module_args=args, task_vars=task_vars))
        result["wire"] = dict(wire, asked=bool(why), why=why or "the endpoint runs as planned")
        return result

    def _reason(self, args: dict[str, t.Any], host: str, task_vars: dict[str, t.Any]) -> str:
        """Why the network is asked; nothing where it isn't."""
        wanted = args.get("wire", "always")
        if wanted == "never" or not args["plan"]["endpoints"]:
            return ""
        if wanted == "always":
            return "it was asked for"
        observed = read_observations(task_vars, members_of_all(args["plan"]))
        return worth_asking(args["plan"], host, {**observed.earlier, **observed.fresh})

    def _ask(self, args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        task = self._task.copy()
        task.action = WIRE
        task.args = {"plan": args["plan"], "host": args["host"]}
        if args.get("wire_seconds") is not None:
            task.args["seconds"] = args["wire_seconds"]
        action = self._shared_loader_obj.action_loader.get(
            WIRE,
            task=task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        answer: dict[str, t.Any] = action.run(task_vars=task_vars)
        return {key: value for key, value in answer.items() if key != "invocation"}
