# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""What the actions have in common that run their module on the host with its own part of the plan."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ..judge._observed import arguments_of_host
from ._run import owned, token


class InRun(ActionBase):
    """For modules that only have to know which run it is."""

    _supports_check_mode = True
    _supports_async = False
    _supports_diff = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        task_vars = task_vars or {}
        result: dict[str, t.Any] = super().run(tmp, task_vars)

        def execute(args: dict[str, t.Any]) -> dict[str, t.Any]:
            said: dict[str, t.Any] = self._execute_module(module_args=args, task_vars=task_vars)
            return said

        result.update(owned(execute, dict(self._arguments(task_vars), owner=token(task_vars))))
        return result

    def _arguments(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        return dict(self._task.args)


class OnHost(InRun):
    """And their host's part of the plan."""

    def _arguments(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        return arguments_of_host(self._task, task_vars)
