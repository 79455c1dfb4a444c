# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t
from collections.abc import Mapping

from ansible.utils.display import Display

from ..module_utils.model._planfile import NO_PLAN, deployed_of, with_endpoints
from ..module_utils.proof._finding import ERROR, INFO, Finding
from ..plugin_utils.intent._intent import asked_of, heard, plain
from ..plugin_utils.intent._registered import OBSERVED, PREFLIGHT, results
from ..plugin_utils.judge import _preflight, _wire_verdict
from ..plugin_utils.task._controller_files import writable_path, write_whole
from ..plugin_utils.task._on_controller import OnController

if t.TYPE_CHECKING:
    from ..module_utils.model._model import Plan
    from ..module_utils.model._observation import Observation


class ActionModule(OnController):
    """Judge what hosts and network said, all of them together: on the controller, no host contacted."""

    OPTIONS: t.ClassVar = {
        "plan": {"type": "dict", "required": True},
        "observations": {"type": "dict"},
        "fail": {"type": "bool", "default": True},
        "show": {"type": "str", "choices": ["all", "warnings", "none"], "default": "none"},
        "file": {"type": "path"},
    }

    def _answer(self, args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        file = writable_path("file", args["file"]) if args["file"] else None
        plan = plain(args["plan"])
        if not isinstance(plan.get("endpoints"), list):
            return {"failed": True, "msg": "plan: it must be a plan, as endpoint_plan returns it"}
        given = args["observations"]
        said = given if given is not None else read_observations(task_vars)
        observations = {str(host): heard(info) for host, info in said.items()}
        others = {host: heard(info) for host, info in asked_of(task_vars).items()} if given is None else {}
        findings = _preflight.preflight_findings(plan, observations, wire_findings(plan, observations), others)
        table = _preflight.text(findings, len(observations))
        problems = [finding for finding in findings if finding["severity"] == ERROR]
        if file:
            content = {"ok": not problems, "hosts": list(observations), "findings": findings}
            write_whole(file, json.dumps(content, indent=2) + "\n")
        shown = args["show"] == "all" or (args["show"] == "warnings" and worse_than_info(findings))
        if shown:
            Display().display(table + "\n")
        if problems and args["fail"]:
            # The message says it all once; what a failed task returns is printed in full.
            said = "Something is in the way of the endpoint, as shown above." if shown else table
            return {"failed": True, "problems": problems, "msg": said}
        return {"ok": not problems, "findings": findings, "problems": problems, "table": table,
                "hosts": list(observations)}


def read_observations(task_vars: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What the hosts of this batch registered."""
    found: dict[str, t.Any] = {}
    for host in [str(host) for host in task_vars.get("ansible_play_batch") or ()]:
        looked, observed = results(task_vars, host, PREFLIGHT, OBSERVED)
        if "listeners" in looked and not looked.get("failed"):
            found[host] = dict(observed, preflight=looked)
    return found


def wire_findings(plan: Plan, observations: Mapping[str, Observation]) -> list[Finding]:
    asked = {
        host: info["preflight"]["wire"]
        for host, info in observations.items()
        if "preflight" in info and info["preflight"]["wire"].get("asked")
    }
    if not asked:
        return []
    deployed = {host: with_endpoints(NO_PLAN, deployed_of(info).endpoints) for host, info in observations.items()
                if deployed_of(info).endpoints}
    taken_over = _preflight.taken_over(plan, observations)
    return _wire_verdict.wire_findings(plan, asked, deployed, taken_over)


def worse_than_info(findings: list[dict[str, t.Any]]) -> bool:
    return any(finding["severity"] != INFO for finding in findings)
