# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
import typing as t

from ansible.plugins.action import ActionBase

from ..plugin_utils.task._delegate import reach_delegate
from ..plugin_utils.task._said import readable


class ActionModule(ActionBase):
    """Run the module, and note when: a drill compares clocks by that."""

    _supports_check_mode = False
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        task_vars = task_vars or {}
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        reach_delegate(self, task_vars)
        began = time.time()
        result.update(readable(self._execute_module(module_args=dict(self._task.args), task_vars=task_vars)))
        result["asked"] = {"from": began, "to": time.time()}
        return result
