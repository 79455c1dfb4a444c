# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
import typing as t

from ..plugin_utils.task._on_host import InRun


class ActionModule(InRun):
    """Run the module on the host, which has to be this run's, and note when: a drill compares clocks by that."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        began = time.time()
        result = super().run(tmp, task_vars)
        result["asked"] = {"from": began, "to": time.time()}
        return result
