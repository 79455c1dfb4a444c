# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.utils.display import Display

from ..plugin_utils.existing import _outcome, _rows, _sameness, _written
from ..plugin_utils.intent._errors import PlanError
from ..plugin_utils.intent._intent import plain
from ..plugin_utils.plan._plan import compute_plan
from ..plugin_utils.task._controller_files import writable_path, write_whole
from ..plugin_utils.task._on_controller import OnController

if t.TYPE_CHECKING:
    from ..module_utils.model._model import Plan


class ActionModule(OnController):
    """Turn what hosts have into variables that mean the same: on the controller, no host contacted."""

    _supports_diff = True

    OPTIONS: t.ClassVar = {
        "hosts": {"type": "dict"},
        "apiservers": {"type": "list", "elements": "str", "default": []},
        "vip": {"type": "list", "elements": "str", "default": []},
        "accept_findings": {"type": "list", "elements": "str", "default": []},
        "file": {"type": "path"},
        "show": {"type": "bool", "default": False},
    }

    def _answer(self, args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        file = writable_path("file", args["file"]) if args["file"] else None
        if file and file.exists():
            raise AnsibleActionFail("file: %s exists, and may have been edited; name another file, or move it" % file)
        if args["hosts"] is None:
            return {}
        answers = {host: _answer(answer) for host, answer in plain(args["hosts"]).items()}
        found = _outcome.outcome_of(answers, args["apiservers"], args["vip"], args["accept_findings"])
        plan: Plan | None = None
        if found.variables and not found.problems:
            try:
                plan = compute_plan(_outcome.planned_intent(found), _outcome.planned_hosts(found), {})
            except PlanError as error:
                found.problems += error.problems
        rows = _rows.rows_of(found, plan)
        same, outages = (_sameness.same(found, plan), _sameness.outages(found, plan)) if plan else ([], [])
        if args["show"]:
            Display().display(_written.report(found, rows, same, outages))
        result: dict[str, t.Any] = {
            "report": [dict(row._asdict(), places=list(map(str, row.places))) for row in rows],
            "comparison": [pair._asdict() for pair in same], "outages": [pair._asdict() for pair in outages]}
        if found.problems:
            result.update(failed=True, msg=str(PlanError(found.problems, "The import")),
                          problems=[item.to_dict() for item in found.problems])
            return result
        result.update(variables=found.variables, host_variables=found.host_variables)
        if plan:
            result["warnings"] = plan.get("warnings", [])
        if file:
            text = _written.inventory_text(found)
            if not self._task.check_mode:
                write_whole(file, text)
            result["changed"] = True
            if self._task.diff:
                result["diff"] = {"before_header": str(file), "after_header": str(file), "before": "", "after": text}
        return result


def _answer(answer: t.Any) -> dict[str, t.Any] | None:
    """What a host said, if it said anything."""
    existing = answer.get("existing") if isinstance(answer, dict) else None
    return existing if isinstance(existing, dict) else None
