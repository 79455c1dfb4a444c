# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils.judge import _clocks
from ..plugin_utils.judge._asked import former_members, worth_asking
from ..plugin_utils.judge._observed import arguments_of_host, members_of_all, read_observations

if t.TYPE_CHECKING:
    from ..module_utils.model._observation import Observation


class ActionModule(ActionBase):
    """Decide whether to ask the network, then run the module with the host's own part of the plan."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        task_vars = task_vars or {}
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        args = arguments_of_host(self._task, task_vars)
        if not isinstance(args.get("plan"), dict) or not isinstance(args["plan"].get("endpoints"), list):
            raise AnsibleActionFail("plan: it must be a plan, as endpoint_plan returns it")
        observed = read_observations(task_vars, members_of_all(args["plan"]))
        known = {**observed.earlier, **observed.fresh}
        why = _reason(args, known)
        args["wire"] = "always" if why else "never"
        args["former"] = former_members(args["plan"], known.get(args["host"]))
        # Which hosts asked at the same time, and how far their clocks are apart, only the controller can tell, by a
        # clock that nobody sets.
        began = time.monotonic()
        result.update(self._execute_module(module_args=args, task_vars=task_vars))
        window = {"began": began, "ended": time.monotonic()}
        if "at" in result and "elapsed" in result:
            result["clock"] = self._clock(_clocks.offset(result["at"], result["elapsed"], **window), args["plan"])
        asked = dict(result.get("wire") or {}, window=window) if why else {}
        result["wire"] = dict(asked, asked=bool(why), why=why or "the endpoint runs as planned")
        return result

    def _clock(self, known: dict[str, float], plan: t.Mapping[str, t.Any]) -> dict[str, float]:
        """Where seconds decide who is believed, the host is asked once more, in as little time as can be."""
        if not any(endpoint.get("auth") == "hmac" for endpoint in plan["endpoints"]):
            return known
        began = time.monotonic()
        said = self._low_level_execute_command("date +%s.%N").get("stdout", "")
        return _clocks.tighter(known, said, began, time.monotonic())


def _reason(args: dict[str, t.Any], known: dict[str, Observation]) -> str:
    """Why the network is asked; nothing where it isn't."""
    wanted = args.get("wire", "always")
    if wanted == "never" or not args["plan"]["endpoints"]:
        return ""
    if wanted == "always":
        return "it was asked for"
    return worth_asking(args["plan"], args["host"], known)
