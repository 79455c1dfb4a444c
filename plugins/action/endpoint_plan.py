# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import typing as t

from ansible import context
from ansible.utils.display import Display

from ..plugin_utils.intent import _names
from ..plugin_utils.intent._errors import PlanError, Problem, listed, problem_of
from ..plugin_utils.intent._intent import Collected, collect, plain
from ..plugin_utils.plan._plan import compute_plan
from ..plugin_utils.plan._report import plan_text
from ..plugin_utils.task._controller_files import writable_path, write_whole
from ..plugin_utils.task._on_controller import OnController

if t.TYPE_CHECKING:
    from ..module_utils.model._model import Endpoint, Plan

PLAYBOOKS = os.path.realpath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 2, "playbooks"))
# Problems that end when hosts report their addresses.
ASKING_HELPS = frozenset({"address_unknown", "backend_address_unknown", "interface_unknown", "inventory_outside_subnet",
                          "subnet_unknown"})


class ActionModule(OnController):
    """Collect the intent from arguments or variables, and plan: on the controller, no host contacted."""

    OPTIONS: t.ClassVar = {
        "intent": {"type": "dict"},
        "hosts": {"type": "dict"},
        "deployed": {"type": "dict"},
        "gather": {"type": "str", "choices": ["plan", "members", "named"], "default": "plan"},
        "named": {"type": "str"},
        "in_play": {"type": "bool", "default": False},
        "tags": {"type": "list", "elements": "str"},
        "or_ask": {"type": "bool", "default": False},
        "file": {"type": "path"},
        "show": {"type": "bool", "default": False},
    }
    REQUIRED_IF: t.ClassVar = [("gather", "named", ("named",))]

    def _answer(self, args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        result: dict[str, t.Any] = {}
        file = writable_path("file", args["file"]) if args["file"] else None
        if args["gather"] != "plan" and not task_vars.get("groups", {}).get("all"):
            return _refused(result, [problem_of("inventory_empty", "inventory")], "The run")
        strategy = str(self._task.get_play().strategy)
        if args["gather"] != "plan" and not _in_order(strategy):
            return _refused(result, [problem_of("strategy_unsupported", "strategy", strategy)], "The run")
        tagged = _tagged(args, task_vars) if args["gather"] != "plan" else []
        if tagged:
            return _refused(result, tagged, "The run")
        if args["gather"] == "named":
            return self._name(result, args["named"], task_vars)
        if args["intent"] is not None:
            intent, hosts, deployed = (plain(args[name] or {}) for name in ("intent", "hosts", "deployed"))
            problems: list[Problem] = []
        else:
            found = collect(task_vars, self._templar, asked=args["gather"] == "plan" and not args["or_ask"],
                            task=self._task)
            if args["gather"] == "members":
                problems = _misnamed(found) + _in_play(found.lb_hosts, args, task_vars)
                result["warnings"] = found.warnings
                named, wrong = self._named(args["named"], found.lb_hosts, task_vars)
                if problems or wrong or not found.lb_hosts:
                    return _refused(result, problems + wrong, "The run")
                known = task_vars["hostvars"] if task_vars else {}
                unknown, here = _unknown(found), set(_play(task_vars)).intersection(found.lb_hosts)
                result.update(members=found.members, balancers=found.lb_hosts, named=named,
                              first=next((host for host in found.lb_hosts if host in here), None),
                              unknown=unknown, unknown_here=[host for host in unknown if host in here],
                              unknown_elsewhere=[host for host in unknown if host not in here],
                              unlisted=_unlisted(found),
                              left=_left(found, known))
                return result
            ask = _to_ask(found, task_vars) if args["or_ask"] else []
            if ask:
                return {"ask": ask, "warnings": found.warnings}
            intent, hosts, deployed, problems = found.intent, found.hosts, found.deployed, found.problems
            result["warnings"] = found.warnings
        try:
            plan = compute_plan(intent, hosts, deployed)
        except PlanError as error:
            # What can't be read isn't missing.
            unread = {item.where.rpartition(": ")[2] for item in problems if item.code == "template_failed"}
            problems = problems + [item for item in error.problems
                                   if item.code != "vip_missing" or item.where not in unread]
        if problems:
            return _refused(result, problems, "The plan")
        if args["show"]:
            Display().display(plan_text(plan))
        if file:
            write_whole(file, json.dumps(plan, indent=2) + "\n")
        result["ask"] = []
        result["plan"] = plan
        result["warnings"] = result.get("warnings", []) + plan["warnings"]
        result["balancers"] = _balancers(plan["endpoints"])
        result["static_pods"] = _balancers(item for item in plan["endpoints"] if item["mode"] == "static_pod")
        result["preferred"] = _preferred(plan)
        return result

    def _name(self, result: dict[str, t.Any], variable: str, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Hosts that somebody named, members or not; ``all`` are the endpoint's balancers."""
        if _names.pieces(self._value(variable, task_vars)) == ["all"]:
            found = collect(task_vars, self._templar, task=self._task)
            hosts, problems = found.lb_hosts, _misnamed(found)
        else:
            hosts, problems = self._named(variable, None, task_vars)
        problems = problems or _names.outside(variable, hosts, _play(task_vars), "host_outside_limit")
        if problems or not hosts:
            return _refused(result, problems, variable)
        result["named"] = hosts
        return result

    def _named(self, variable: str | None, balancers: list[str] | None,
               task_vars: dict[str, t.Any]) -> tuple[list[str], list[Problem]]:
        if variable is None:
            return [], []
        hosts, problems = _names.hosts_named(
            variable, self._value(variable, task_vars), plain(task_vars.get("groups", {})),
            missing=variable not in task_vars)
        # What is unknown of balancers is told by itself.
        if balancers:
            problems += _names.outside(variable, hosts, balancers, "host_not_balancer")
            hosts = [host for host in hosts if host in balancers]
        return hosts, problems + _names.outside(variable, hosts, _play(task_vars), "host_outside_limit")

    def _value(self, variable: str, task_vars: dict[str, t.Any]) -> t.Any:
        return plain(self._templar.template(task_vars.get(variable)))


def _refused(result: dict[str, t.Any], problems: list[Problem], subject: str) -> dict[str, t.Any]:
    result.update(failed=True, msg=str(PlanError(problems, subject)), problems=[item.to_dict() for item in problems])
    return result


def _in_order(strategy: str) -> bool:
    """Whether a strategy is linear, or made of it: debug, mitogen_linear."""
    name = strategy.rpartition(".")[2]
    return name in ("linear", "debug") or name.endswith("_linear")


def _tagged(args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> list[Problem]:
    """Tags that nothing has. A playbook that imports one of ours has tags of its own, which nobody knows here."""
    playbooks: list[t.Any] = list(context.CLIARGS.get("args") or ())
    if args["tags"] is None or len(playbooks) != 1 or not _is_ours(str(playbooks[0])):
        return []
    given = {"--tags": task_vars.get("ansible_run_tags"), "--skip-tags": task_vars.get("ansible_skip_tags")}
    return [problem for where, names in given.items()
            for problem in _names.tags_unknown(where, [str(name) for name in names or ()], args["tags"])]


def _is_ours(playbook: str) -> bool:
    return playbook.startswith("kubeha.apiserver.") or os.path.dirname(os.path.realpath(playbook)) == PLAYBOOKS


def _play(task_vars: dict[str, t.Any]) -> list[str]:
    return [str(host) for host in task_vars.get("ansible_play_hosts_all") or ()]


def _misnamed(found: Collected) -> list[Problem]:
    """What keeps a run from knowing its hosts; with it all other problems that no host's answer would mend."""
    problems = list(found.problems)
    try:
        compute_plan(found.intent, found.hosts, found.deployed)
    except PlanError as error:
        problems += [item for item in error.problems if item.code not in ASKING_HELPS]
    return problems if any(map(_of_names, problems)) else []


def _of_names(problem: Problem) -> bool:
    return (problem.code in ("host_unknown", "hosts_missing", "intent_several")
            or problem.where.endswith(("lb_hosts", "apiserver_hosts"))
            or "lb_hosts[" in problem.where or "apiserver_hosts[" in problem.where)


def _in_play(balancers: list[str], args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> list[Problem]:
    """A run on no balancer does nothing, and must not end as if all were well."""
    play = _play(task_vars)
    if not args["in_play"] or not balancers or not set(play).isdisjoint(balancers):
        return []
    return [problem_of("no_host", "--limit", few=listed(balancers))]


def _balancers(endpoints: t.Iterable[Endpoint]) -> list[str]:
    return list(dict.fromkeys(
        member["host"] for endpoint in endpoints for instance in endpoint["instances"]
        for member in instance["members"]))


def _preferred(plan: Plan) -> list[str]:
    """Hosts that rank highest in any instance."""
    first = [max(instance["members"], key=lambda member: member["priority"])["host"]
             for endpoint in plan["endpoints"] for instance in endpoint["instances"]]
    return list(dict.fromkeys(first))


def _unknown(found: Collected) -> list[str]:
    """Members of which nobody but themselves can tell what the plan needs; none where it can be made as it is."""
    try:
        compute_plan(found.intent, found.hosts, found.deployed)
    except PlanError as error:
        places = {problem.where.partition(":")[0] for problem in error.problems if problem.code in ASKING_HELPS}
        # A subnet that nobody knows is no single host's matter.
        everyone = not places <= set(found.hosts)
        return [name for name, host in found.hosts.items()
                if (name in places or everyone) and not host.get("networks")]
    return []


def _unlisted(found: Collected) -> list[str]:
    """Balancers that no known stored plan has. They may run the endpoint without hosts of this play."""
    stored = _stored_members(found)
    return [name for name in found.lb_hosts
            if name in found.hosts and name not in stored and not found.hosts[name].get("networks")]


def _left(found: Collected, known: t.Container[str]) -> list[str]:
    """Balancers of stored plans that aren't any more, of the `known` hosts: they may not know it."""
    return [host for host in _stored_members(found) if host not in found.lb_hosts and host in known]


def _to_ask(found: Collected, task_vars: dict[str, t.Any]) -> list[str]:
    """Hosts without whose word no plan is made: nobody else tells what it needs, or they may run the endpoint."""
    here = {str(host) for host in task_vars.get("ansible_play_batch") or ()}
    left = [host for host in _left(found, task_vars["hostvars"]) if host not in here]
    return list(dict.fromkeys(_unknown(found) + _unlisted(found) + left))


def _stored_members(found: Collected) -> list[str]:
    return list(dict.fromkeys(
        member["host"] for deployed in found.deployed.values() for endpoint in deployed.endpoints
        for instance in endpoint["instances"] for member in instance["members"]))
