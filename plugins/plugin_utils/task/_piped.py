# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""Run a module whose arguments carry secrets, without a file of them on the host or on the controller.

By default Ansible copies a module with its arguments into a folder below ~/.ansible/tmp, on the controller first and
then on the host. Where the run is killed, both stay. What is piped into the host's Python is no file anywhere.
"""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase


class Piped(ActionBase):
    """`execute` pipes a module into Python, whatever the user's settings say, where the connection can."""

    _piped = False

    def execute(self, name: str, args: dict[str, t.Any], task_vars: dict[str, t.Any], piped: bool) -> dict[str, t.Any]:
        self._piped = piped and self._can_pipe()
        before = self._set_pipelining(True) if self._piped else None
        try:
            result: dict[str, t.Any] = self._execute_module(module_name=name, module_args=args, task_vars=task_vars)
        finally:
            if self._piped:
                self._set_pipelining(before)
            self._piped = False
        return result

    def _is_pipelining_enabled(self, module_style: str, wrap_async: bool = False) -> bool:
        """Also where a user wants to keep files on hosts, for debugging."""
        return self._piped and module_style == "new" or bool(super()._is_pipelining_enabled(module_style, wrap_async))

    def _can_pipe(self) -> bool:
        become = self._connection.become
        # Before ansible-core 2.19 methods don't say it of themselves, and only su can't.
        return bool(self._connection.has_pipelining
                    and (not become or getattr(become, "pipelining", become.name.rpartition(".")[2] != "su")))

    def _set_pipelining(self, value: t.Any) -> t.Any:
        """What it was. Not every connection has the option."""
        try:
            before = self._connection.get_option("pipelining")
            self._connection.set_option("pipelining", value)
        except (KeyError, AttributeError, ValueError):
            return None
        return before
