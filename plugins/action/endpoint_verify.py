# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
import time
import typing as t

from ansible.utils.display import Display

from ..module_utils.model._planfile import NO_PLAN, deployed_of
from ..module_utils.proof._finding import ERROR
from ..plugin_utils.files._render import RenderError, page, render_host
from ..plugin_utils.intent._intent import heard, machines_twice, plain
from ..plugin_utils.intent._registered import OBSERVED
from ..plugin_utils.judge import _page, _status
from ..plugin_utils.judge._observed import Observed, members_of_all, plan_of_host, read_observations, scope_of
from ..plugin_utils.rollout import _report
from ..plugin_utils.task._controller_files import writable_path, write_whole
from ..plugin_utils.task._on_controller import OnController

if t.TYPE_CHECKING:
    from ..module_utils.model._model import Plan
    from ..module_utils.model._observation import Observation
    from ..plugin_utils.judge._verdict import FindingEntry, StatusFile, Verdict

ROLES = str(pathlib.Path(__file__).resolve().parents[2] / "roles")


class ActionModule(OnController):
    """Judge what the members do, all of them together: on the controller, no host contacted."""

    OPTIONS: t.ClassVar = {
        "plan": {"type": "dict"},
        "observations": {"type": "dict"},
        "variable": {"type": "str", "default": OBSERVED},
        "others": {"type": "dict"},
        "strict": {"type": "bool", "default": False},
        "accept": {"type": "list", "elements": "str", "default": []},
        "together": {"type": "float"},
        "fail": {"type": "bool", "default": True},
        "show": {"type": "bool", "default": False},
        "so_far": {"type": "dict"},
        "file": {"type": "path"},
        "html": {"type": "path"},
    }

    def _answer(self, args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        result: dict[str, t.Any] = {}
        wanted = {name: writable_path(name, args[name]) if args[name] else None for name in ("file", "html")}
        observed = self._observed(args, task_vars)
        plan: Plan = plain(args["plan"]) if args["plan"] else _status.stored_plan(observed.fresh)
        if not _is_plan(plan):
            result.update(failed=True, msg="plan: it must be a plan, as endpoint_plan returns it")
            return result
        if not plan["endpoints"]:
            if wanted["file"]:
                silent = {host: deployed_of(info).error or "" for host, info in sorted(observed.fresh.items())}
                write_status(wanted["file"], _status.nothing_seen(sorted(observed.unreachable), silent))
            result.update(failed=True, problems=[], msg=_nothing_stored(observed))
            return result
        twice = machines_twice({host: info["identity"] for host, info in observed.fresh.items()})
        if twice:
            result.update(failed=True, problems=[problem.to_dict() for problem in twice],
                          msg="\n".join(str(problem) for problem in twice))
            return result
        apart = _status.apart(observed.fresh)
        result["judged"] = args["together"] is None or apart <= args["together"]
        if not result["judged"]:
            return result
        scope = dataclasses.replace(
            scope_of(plan, observed, task_vars), strict=args["strict"], accept=frozenset(args["accept"]))
        if not args["plan"]:
            # Nothing was deployed just now, and nobody was left out on purpose.
            scope = dataclasses.replace(scope, applied=frozenset(), partial=False)
        try:
            seen = with_drift(plan, observed.fresh)
        except (RenderError, KeyError) as error:  # a stored plan of another version of this collection
            result["warnings"] = ["Can't tell whether files were changed since they were deployed: %s" % error]
            seen = observed.fresh
        verdict = _status.judge(plan, seen, scope)
        table = _status.text(verdict)
        problems = [finding for finding in verdict["findings"] if finding["severity"] == ERROR]
        summary = "" if args["so_far"] is None else _report.summary(
            plan, verdict, plain(args["so_far"]), sorted(scope.applied))
        if args["show"] or summary:
            Display().display((table if args["show"] else summary) + "\n")
        if wanted["file"]:
            write_status(wanted["file"], verdict)
        if wanted["html"]:
            when = time.strftime("%Y-%m-%d %H:%M:%S %Z")
            write_whole(wanted["html"], page(_page.view(plan, verdict, when), ROLES))
        if problems and args["fail"]:
            # The message says it all once; what a failed task returns is printed in full.
            said = ":\n\n%s" % (_status.findings_text(_report.by_endpoint(problems)) if summary else table)
            said = ", as shown above." if args["show"] else said
            result.update(failed=True, problems=problems, msg="What the hosts do isn't what was planned%s" % said)
            return result
        if not args["show"]:
            result.setdefault("warnings", []).extend(_unproven(verdict["findings"]))
        result.update(verdict, table=table, problems=problems)
        return result

    def _observed(self, args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> Observed:
        if args["observations"] is not None:
            return Observed({str(host): heard(info) for host, info in args["observations"].items()}, {}, {})
        plan = args["plan"]
        hosts = members_of_all(plan) if _is_plan(plan) else task_vars["ansible_play_hosts_all"]
        return read_observations(task_vars, [str(host) for host in hosts], args["variable"], args["others"])


def write_status(path: pathlib.Path, verdict: Verdict) -> None:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    written: StatusFile = {"schema": 1, "at": at, **verdict}
    write_whole(path, json.dumps(written, indent=2) + "\n")


def _is_plan(plan: t.Any) -> bool:
    return isinstance(plan, dict) and isinstance(plan.get("endpoints"), list)


def with_drift(plan: Plan, observations: dict[str, Observation]) -> dict[str, Observation]:
    """The observations, each with those of the host's files that aren't what its plan makes of them."""
    judged: dict[str, Observation] = {}
    for host, info in observations.items():
        mine = plan_of_host(plan, host)
        there = plan_of_host(deployed_of(info).plan or NO_PLAN, host)
        # One that has stored another plan has other files, which is a finding already.
        files = render_host(mine, host, ROLES) if there["endpoints"] == mine["endpoints"] else []
        judged[host] = {**info, "drifted": [entry["path"] for entry in files if _has_drifted(entry, info)]}
    return judged


def _has_drifted(entry: dict[str, t.Any], info: Observation) -> bool:
    # What carries a secret can't be rendered here; the stored plan is compared by its content.
    if entry["secret"] or entry["kind"] == "plan" or entry["path"] in info["unseen"]:
        return False
    return info["files"].get(entry["path"]) != hashlib.sha256(entry["content"].encode()).hexdigest()


def _unproven(findings: list[FindingEntry]) -> list[str]:
    """A run that ends green hasn't proven static pods that no kubelet has started."""
    absent = [finding for finding in findings if finding["code"] == "kubelet_absent"]
    return ["%s: %s" % (finding["host"], finding["message"]) for finding in absent]


def _nothing_stored(observed: Observed) -> str:
    lines = ["No member has a stored plan: nothing is deployed, or none of them could be asked."]
    lines += ["%s: %s" % item for item in sorted(observed.unreachable.items())]
    lines += ["%s: %s" % (host, deployed_of(info).error) for host, info in sorted(observed.fresh.items())
              if deployed_of(info).error]
    return "\n".join(lines)
