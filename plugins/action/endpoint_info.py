# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ..plugin_utils.judge._observed import arguments_of_host, expectation
from ..plugin_utils.task._delegate import reach_delegate
from ..plugin_utils.task._said import readable

if t.TYPE_CHECKING:
    from ..module_utils.model._model import Plan


class ActionModule(ActionBase):
    """Run the module on the host, with its own part of the plan and what the other members make of its role."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        task_vars = task_vars or {}
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        reach_delegate(self, task_vars)
        args = arguments_of_host(self._task, task_vars)
        plan = args.get("plan")
        if isinstance(plan, dict) and isinstance(plan.get("endpoints"), list) and "expect" not in args:
            args["expect"] = expectation(t.cast("Plan", plan), args["host"], task_vars)
        result.update(readable(
            self._execute_module(module_args=args, task_vars=task_vars, wrap_async=self._task.async_val)))
        if args.get("gate") and not result.get("failed") and not result.get("met", True):
            # What a failed task returns is printed in full, and the rest of it helps nobody.
            unmet = result["unmet"]
            return {"failed": True, "changed": False, "met": False, "unmet": unmet, "msg": "; ".join(unmet)}
        return result
