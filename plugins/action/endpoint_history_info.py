# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
import typing as t

from ansible.plugins.action import ActionBase

from ..plugin_utils.judge import _clocks
from ..plugin_utils.task._said import readable


class ActionModule(ActionBase):
    """Run the module, and note when: the controller's clock is what all hosts' are compared with."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        began = time.time()
        result.update(readable(self._execute_module(module_args=dict(self._task.args), task_vars=task_vars)))
        ended = time.time()
        record = result.get("record")
        boot, wall = (record.get("boot"), record.get("wall")) if isinstance(record, dict) else (None, None)
        if isinstance(boot, (int, float)) and isinstance(wall, (int, float)):
            # It was asked between these two; and once more, in as little time as can be.
            known = {"low": wall - ended, "high": wall - began}
            began = time.time()
            said = self._low_level_execute_command("date +%s.%N").get("stdout", "")
            clock = _clocks.tighter(known, said, began, time.time())
            result["clock"] = {name: round(clock[name] - (wall - boot), 3) for name in ("low", "high")}
        return result
