# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail

from ..plugin_utils.intent._intent import plain
from ..plugin_utils.plan import _kubeadm
from ..plugin_utils.task._controller_files import writable_path, write_whole
from ..plugin_utils.task._on_controller import OnController


class ActionModule(OnController):
    """Write what kubeadm has to be told of a plan's endpoints: on the controller, no host contacted."""

    _supports_diff = True

    OPTIONS: t.ClassVar = {
        "plan": {"type": "dict"},
        "file": {"type": "path", "required": True},
        "api_version": {"type": "str", "choices": list(_kubeadm.API_VERSIONS), "default": _kubeadm.API_VERSIONS[0]},
    }

    def _answer(self, args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        file = writable_path("file", args["file"])
        if args["plan"] is None:
            return {"file": str(file)}
        plan = plain(args["plan"])
        if not isinstance(plan.get("endpoints"), list):
            raise AnsibleActionFail("plan: it must be a plan, as endpoint_plan returns it")
        after = _kubeadm.document(plan, args["api_version"])
        try:
            before = file.read_text(encoding="utf-8") if file.exists() else None
        except (OSError, UnicodeDecodeError) as error:
            raise AnsibleActionFail("file: %s can't be read to compare with it: %s" % (file, error)) from error
        if before != after and not self._task.check_mode:
            write_whole(file, after)
        result: dict[str, t.Any] = {"changed": before != after, "file": str(file)}
        if self._task.diff:
            result["diff"] = {"before_header": str(file), "after_header": str(file), "before": before or "",
                              "after": after}
        return result
