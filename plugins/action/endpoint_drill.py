# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import pathlib
import time
import typing as t

from ansible.utils.display import Display

from ..plugin_utils.drill import _asked, _judge, _page, _report, _schedule
from ..plugin_utils.files._render import drill_page
from ..plugin_utils.intent._errors import PlanError
from ..plugin_utils.intent._intent import plain
from ..plugin_utils.intent._registered import (
    DRILL,
    DRILL_BEGUN,
    DRILL_ENDED,
    DRILL_FAULT,
    DRILL_MEASURED,
    DRILL_POSSIBLE,
    DRILLED,
    VERDICT,
    registered,
)
from ..plugin_utils.judge import _status
from ..plugin_utils.judge._observed import members_of_all, read_observations
from ..plugin_utils.task._controller_files import writable_path, write_whole
from ..plugin_utils.task._on_controller import OnController

ROLES = str(pathlib.Path(__file__).resolve().parents[2] / "roles")
# From when a fault is armed until it's over, beside what it lasts.
GRACE = 2.0


class ActionModule(OnController):
    """Say what a drill is to do, whose turn it is, and what came of it: on the controller, no host contacted."""

    OPTIONS: t.ClassVar = {
        "do": {"type": "str", "required": True,
               "choices": ["check", "schedule", "turn", "wait", "judge", "report"]},
        "balancers": {"type": "list", "elements": "str", "default": []},
        "step": {"type": "int", "default": 0},
        "file": {"type": "path"},
        "html": {"type": "path"},
    }

    def _answer(self, args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        wanted = {name: writable_path(name, args[name]) if args[name] else None for name in ("file", "html")}
        asked, problems = _asked.read(
            {name: plain(self._templar.template(task_vars[name])) for name in _asked.VARIABLES if name in task_vars},
            plain(task_vars.get("groups", {})), args["balancers"],
            [str(host) for host in task_vars["ansible_play_hosts_all"]])
        if problems:
            return {"failed": True, "problems": [problem.to_dict() for problem in problems],
                    "msg": str(PlanError(problems, "The drill"))}
        if args["do"] == "check":
            return dict(asked._asdict())
        mine = str(task_vars["inventory_hostname"])
        # It was green then, and is judged by that until the end.
        plan = plain(registered(task_vars, mine, DRILL).get("plan")) or _status.stored_plan(
            read_observations(task_vars, args["balancers"]).fresh)
        found = _schedule.schedule(plan, asked)
        results = plain(registered(task_vars, mine, DRILLED).get("results") or [])
        if args["do"] == "schedule":
            return self._scheduled(plan, found, asked, task_vars)
        if args["do"] == "turn":
            return self._turn(found, args["step"], results)
        if args["do"] == "judge":
            return self._judged(found, args["step"], results, task_vars)
        if args["do"] == "wait":
            step = found.steps[args["step"]]
            if registered(task_vars, step.host, DRILL_FAULT).get("changed"):
                time.sleep(step.seconds + GRACE)
            return {}
        return self._reported(found, results, wanted)

    def _scheduled(self, plan: t.Any, found: _schedule.Schedule, asked: _asked.Asked,
                   task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        said = {host: plain(registered(task_vars, host, DRILL_POSSIBLE).get("impossible") or {})
                for host in asked.hosts}
        wrong = _schedule.impossible(said, found)
        if wrong:
            return {"failed": True, "msg": "These faults can't be made; nothing was touched. Leave them out of "
                    "endpoint_drill_faults, or mend the reason:\n" + "\n".join("  " + line for line in wrong)}
        if not found.steps:
            return {"failed": True, "msg": "There is nothing to do: %s" % "; ".join(found.left_out)}
        check_mode = bool(self._task.check_mode)
        text = _schedule.text(found, asked, check_mode)
        Display().display(text + "\n")
        return {"text": text, "plan": plan, "steps": [step.number for step in found.steps],
                "hosts": members_of_all(plan), "settle": found.settle}

    def _turn(self, found: _schedule.Schedule, number: int, results: list[t.Any]) -> dict[str, t.Any]:
        step = found.steps[number]
        # What isn't there came of a step that broke off.
        go = not _judge.is_over(results) and len(results) == number
        if go:
            Display().display("%d of %d: %s, %s" % (
                number + 1, len(found.steps), step.host, _schedule.WORDS[step.fault]))
        return {"go": go, "host": step.host, "fault": step.fault, "lasts": step.seconds,
                "reboots": step.fault == "reboot", "longest": _schedule.longest(step, found),
                "targets": [[target.name, target.address, target.port, target.path] for target in found.targets]}

    def _judged(self, found: _schedule.Schedule, number: int, results: list[t.Any],
                task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        step = found.steps[number]
        mine = str(task_vars["inventory_hostname"])
        troubles, clients = [], []
        for name in (DRILL_BEGUN, DRILL_MEASURED):
            for said in plain(registered(task_vars, mine, name).get("results") or []):
                if said.get("failed") or said.get("unreachable"):
                    troubles.append("%s: %s" % (said.get("item"), str(said.get("msg")).split("\n", 1)[0]))
                elif "measured" in said:
                    client = str(said["item"]["item"])
                    told = dict(said["measured"], now=said.get("now"))
                    measured = _judge.measured_of(client, told, said.get("asked"))
                    if measured is None:
                        troubles.append("%s: what it measured can't be read" % client)
                    else:
                        clients.append(measured)
        broke = registered(task_vars, step.host, DRILL_FAULT)
        if broke.get("failed") or broke.get("unreachable"):
            troubles.append("%s: %s" % (step.host, plain(broke.get("msg"))))
        verdict = plain(registered(task_vars, mine, VERDICT))
        unwell = ["%s: %s" % (problem["host"] or problem["endpoint"], problem["message"])
                  for problem in verdict.get("problems") or ()]
        if verdict.get("failed") and not unwell:
            unwell = [str(verdict.get("msg"))]
        judged = _judge.judge(
            step, found, plain(broke.get("held") or []),
            _judge.faulted_of(plain(registered(task_vars, step.host, DRILL_ENDED))), clients, troubles, unwell)
        Display().display("  %s%s" % (judged["state"], ": longest outage %s of at most %s" % (
            _schedule.millis(judged["outage"]), _schedule.millis(judged["budget"]))
            if judged["outage"] is not None else ""))
        return {"results": [*results, judged]}

    def _reported(self, found: _schedule.Schedule, results: list[t.Any],
                  wanted: dict[str, pathlib.Path | None]) -> dict[str, t.Any]:
        text = _report.text(found, results)
        when = time.strftime("%Y-%m-%d %H:%M:%S %Z")
        values = _report.values(found, results, when)
        Display().display("\n" + text + "\n")
        if wanted["file"]:
            write_whole(wanted["file"], json.dumps(values, indent=2) + "\n")
        if wanted["html"]:
            write_whole(wanted["html"], drill_page(_page.view(found, results, when), ROLES))
        if not _report.passed(found, results):
            return {"failed": True, "msg": _report.headline(found, results), "drill": values}
        return {"drill": values, "text": text}
