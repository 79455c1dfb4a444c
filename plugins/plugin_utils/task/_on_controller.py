# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""What the actions have in common that contact no host."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ._controller_files import refuse_no_path


class OnController(ActionBase):
    """`_answer` gets the arguments that fit `OPTIONS`, and returns what is to be said beside `changed: false`."""

    OPTIONS: t.ClassVar[dict[str, dict[str, t.Any]]]
    REQUIRED_IF: t.ClassVar[list[tuple[str, t.Any, tuple[str, ...]]]] = []

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    _supports_diff = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        for name, option in self.OPTIONS.items():
            if option.get("type") == "path":
                refuse_no_path(name, self._task.args.get(name))
        dummy, args = self.validate_argument_spec(argument_spec=self.OPTIONS, required_if=self.REQUIRED_IF)
        result.update({"changed": False, **self._answer(args, task_vars or {})})
        return result

    def _answer(self, args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        raise NotImplementedError
