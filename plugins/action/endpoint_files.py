# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import time
import typing as t
from pathlib import Path

from ansible.errors import AnsibleActionFail

from ..module_utils.model import _secrets
from ..module_utils.model._planfile import NO_PLAN
from ..plugin_utils.files import _render
from ..plugin_utils.intent._intent import known_secrets, plain
from ..plugin_utils.intent._registered import LOOK, WAVES, registered
from ..plugin_utils.judge._observed import members_of_all, plan_of_host
from ..plugin_utils.rollout import _recall
from ..plugin_utils.task._piped import Piped
from ..plugin_utils.task._run import owned, token
from ..plugin_utils.task._said import readable

if t.TYPE_CHECKING:
    from ..module_utils.model._model import Plan

TEMPLATES = str(Path(__file__).resolve().parents[2] / "roles")
# keepalived's units that name a folder or a script of the user's. A look at HAProxy's files refuses what can't be used.
OF_USERS = frozenset({"metrics-unit", "hook-unit"})


class ActionModule(Piped):
    """Render this host's files on the controller, and have the module put them into place."""

    # What a play gives: the module gets files.
    OPTIONS: t.ClassVar = {
        "role": {"type": "str", "choices": ["haproxy", "keepalived"], "required": True},
        "plan": {"type": "dict"},
        "state": {"type": "str", "choices": ["present", "kept", "previous", "original", "absent"],
                  "default": "present"},
        "adopt": {"type": "bool", "default": False},
        "keep_stale": {"type": "bool", "default": False},
        "both": {"type": "bool", "default": False},
        "secrets": {"type": "dict", "no_log": True},
    }

    _supports_check_mode = True
    _supports_async = False
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        task_vars = task_vars or {}
        super().run(tmp, task_vars)
        dummy, args = self.validate_argument_spec(argument_spec=self.OPTIONS)
        if args["plan"] is None and args["state"] == "present":
            raise AnsibleActionFail("plan: it's needed if state is present")
        plan: Plan = plain(args["plan"]) or NO_PLAN
        host = plain(task_vars["inventory_hostname"])
        try:
            files = _render.render_host(plan, host, TEMPLATES, roles=(args["role"],))
            given = plain(args["secrets"])
            marks = _render.secret_placeholders(
                plan, host, lambda: _known(given, task_vars, self))
            look = args["both"] and self._task.check_mode and args["state"] == "present"
            others = (_render.render_host(plan, host, TEMPLATES, roles=("keepalived",))
                      if look and args["role"] == "haproxy" else [])
        except _render.RenderError as error:
            raise AnsibleActionFail(str(error)) from error
        module_args = {"role": args["role"], "state": args["state"], "adopt": args["adopt"],
                       "keep_stale": args["keep_stale"], "files": files, "owner": token(task_vars)}
        both = look and not marks
        if both and args["role"] == "keepalived":
            seen = _seen_beside(plan, host, _recall.digest(files, args), task_vars)
            if seen:
                return seen
        if others:
            module_args["units"] = [entry for entry in others if entry["kind"] in OF_USERS]
            module_args["beside"] = others if both else None
        if marks:
            module_args["sealed"] = _secrets.seal(marks, os.urandom(18))
        result = readable(owned(lambda given: self.execute(
            "kubeha.apiserver.endpoint_files", given, task_vars, piped=bool(marks)), module_args))
        result["mode"] = next((endpoint["mode"] for endpoint in plan_of_host(plan, host)["endpoints"]), None)
        # Whole files make no readable report; the diff shows them where it's wanted.
        for name in ("files", "beside", "units", "sealed"):
            result.get("invocation", {}).get("module_args", {}).pop(name, None)
        if others and result.get("beside"):
            result["beside"].update(mode=result["mode"], digest=_recall.digest(others, args), seen=time.monotonic())
        return result


def _seen_beside(plan: Plan, host: str, digest: str, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
    """What HAProxy's look has seen of keepalived, if no member had anything to do then and nothing was done since."""
    looks = {name: plain(registered(task_vars, name, LOOK)).get("beside") or {}
             for name in members_of_all(plan_of_host(plan, host))}
    waves = plain(task_vars.get(WAVES) or {}).get("waves")
    return _recall.recalled(looks, host, digest, waves, time.monotonic())


def _known(given: t.Any, task_vars: dict[str, t.Any], action: Piped) -> dict[str, dict[str, t.Any]]:
    """The secrets in the variables, but VRRP's passwords as given where they are."""
    found = known_secrets(task_vars, action._templar, action._task)
    return {**found, "passwords": given} if given else found
