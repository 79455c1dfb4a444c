# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils.intent._intent import plain
from ..plugin_utils.plan import _kubeadm
from ..plugin_utils.task._controller_files import writable_path, write_whole


class ActionModule(ActionBase):
    """Write what kubeadm has to be told of a plan's endpoints: on the controller, no host contacted."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        dummy, args = self.validate_argument_spec(argument_spec={
            "plan": {"type": "dict"},
            "file": {"type": "path", "required": True},
            "api_version": {"type": "str", "choices": list(_kubeadm.API_VERSIONS), "default": _kubeadm.API_VERSIONS[0]},
        })
        file = writable_path("file", args["file"])
        result.update(changed=False, file=str(file))
        if args["plan"] is None:
            return result
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
        result["changed"] = before != after
        if self._task.diff:
            result["diff"] = {"before_header": str(file), "after_header": str(file), "before": before or "",
                              "after": after}
        return result
