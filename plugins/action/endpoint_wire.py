# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
import typing as t

from ansible.plugins.action import ActionBase

from ..plugin_utils.judge._observed import arguments_of_host


class ActionModule(ActionBase):
    """Run the module on the host, with its own part of the plan, and note when that was."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        task_vars = task_vars or {}
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        args = arguments_of_host(self._task, task_vars)
        began = time.monotonic()
        result.update(self._execute_module(module_args=args, task_vars=task_vars))
        result["window"] = {"began": began, "ended": time.monotonic()}
        return result
