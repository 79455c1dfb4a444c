# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
import typing as t

from ansible.plugins.action import ActionBase

from ..module_utils.host._identity import same
from ..plugin_utils.intent._intent import plain
from ..plugin_utils.intent._registered import OBSERVED, registered
from ..plugin_utils.task import _run
from ..plugin_utils.task._delegate import reach_delegate
from ..plugin_utils.task._said import readable


class ActionModule(ActionBase):
    """Take the lock in this run's name; where a run of this controller has left one, see whether it still runs."""

    _supports_check_mode = True
    _supports_async = False
    _supports_diff = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        task_vars = task_vars or {}
        super().run(tmp, task_vars)
        reach_delegate(self, task_vars)
        args = dict(self._task.args)
        args["owner"] = owner = _run.token(task_vars)
        host = str(task_vars["inventory_hostname"])
        if self._task.delegate_to:
            # Whether the lock is held is known of the host that the task is about.
            owner["held"] = False
            seen = _identities(task_vars, task_vars.get("ansible_play_hosts_all") or [])
        else:
            seen = {}
            if args.get("state") != "absent":
                args["machine"] = _identities(task_vars, [host]).get(host)
        result = readable(self._execute_module(module_args=args, task_vars=task_vars))
        holder = result.get("holder") or {}
        if holder and _run.is_void(holder, owner):
            result = readable(self._execute_module(module_args=dict(args, force=True), task_vars=task_vars))
            holder = result.get("holder") or {}
        if result.get("failed"):
            return result
        twin = next((host for host, identity in seen.items()
                     if host != self._task.delegate_to and same(identity, result.get("identity"))), None)
        if twin is not None:
            result.update(failed=True, mistaken=twin, msg=(
                "%s and %s are one machine, so who else changes %s isn't known. Nothing is done there: correct how "
                "it's reached, or use one name for a machine." % (twin, *[self._task.delegate_to] * 2)))
            return result
        changer = result.get("changer") or {}
        when = time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(time.time() - float(result.get("ago") or 0)))
        if result.get("lost"):
            result.update(failed=True, lost=True, msg="Nothing was changed here, because %s." % result["lost"])
        elif holder:
            result.update(failed=True, msg=(
                "%s is changing this host, and was last seen there at %s. Nothing is done here until it's ready; "
                "should it be gone, its lock counts no more %d minutes after that." % (
                    holder.get("name"), when, round((holder["until"] - holder["at"]) / 60))))
        elif changer:
            result.update(failed=True, msg=(
                "%s has changed this host at %s, after this run had looked at it. Nothing is done here: run it again."
                % (changer.get("name"), when)))
        return result


def _identities(task_vars: dict[str, t.Any], hosts: t.Iterable[str]) -> dict[str, t.Any]:
    """Which machines this run has seen behind names."""
    observed = {str(host): registered(task_vars, str(host), OBSERVED) for host in hosts}
    return {host: plain(info["identity"]) for host, info in observed.items() if info.get("identity")}
