# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import time
import typing as t
from collections.abc import Mapping

from ansible.utils.display import Display

from ..module_utils.model import _accessors
from ..module_utils.model._planfile import SomebodyElses, Spoken, deployed_of
from ..module_utils.model._shapes import printable
from ..plugin_utils.intent import _intent, _names
from ..plugin_utils.intent._intent import plain
from ..plugin_utils.judge import _status
from ..plugin_utils.judge._observed import members_of_all, observations_of, why_not
from ..plugin_utils.rollout import _giving_back, _report, _waves
from ..plugin_utils.task._on_controller import OnController

if t.TYPE_CHECKING:
    from ..module_utils.model._model import Plan


class ActionModule(OnController):
    """Order the hosts by what they said, and say who is next: on the controller, no host contacted, no fact read."""

    OPTIONS: t.ClassVar = {
        "plan": {"type": "dict"},
        "hosts": {"type": "raw"},
        "leave_one": {"type": "bool", "default": False},
        "originals": {"type": "dict"},
        "silence": {"type": "bool", "default": False},
        "keepalived_ready": {"type": "bool", "default": False},
        "title": {"type": "str", "required": True},
        "looks": {"type": "dict"},
        "work": {"type": "dict"},
        "deployed": {"type": "dict"},
        "outcomes": {"type": "dict"},
        "silent": {"type": "dict"},
        "turned": {"type": "list", "elements": "str"},
        "locked": {"type": "list", "elements": "dict"},
        "so_far": {"type": "dict"},
        "rollout": {"type": "dict"},
        "number": {"type": "int"},
        "renewal_due": {"type": "bool", "default": False},
    }

    def _answer(self, args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        result: dict[str, t.Any] = {}
        if args["hosts"] is not None and args["number"] is None:
            return self._start_named(result, args, task_vars)
        args = {name: plain(value) for name, value in args.items()}
        if args["number"] is None:
            play = _listed(task_vars, "ansible_play_hosts_all")
            result.update(_start(args["plan"], args, play))
            result["keepalived_idle"] = args["keepalived_ready"] and _keepalived_is_idle(result, args, play)
        else:
            result.update(_next(args["plan"], args, _listed(task_vars, "ansible_play_hosts")))
        if result.get("text"):
            Display().display("%s\n" % result["text"])
        return result

    def _start_named(self, result: dict[str, t.Any], args: dict[str, t.Any],
                     task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Hosts that somebody named, by the plan that members have stored."""
        play = [str(host) for host in task_vars["ansible_play_hosts_all"]]
        hosts, wrong = _names.hosts_named("hosts", plain(args["hosts"]), plain(task_vars.get("groups", {})))
        wrong += _names.outside("hosts", hosts, play, "host_outside_limit")
        observed = observations_of(args["looks"] or {})
        plan = _status.stored_plan(observed.fresh)
        wrong += _intent.machines_twice({host: info["identity"] for host, info in observed.fresh.items()})
        problems = [str(problem) for problem in wrong]
        problems += ["%s can't be reached: %s" % item for item in observed.unreachable.items() if item[0] in hosts]
        if not problems and args["leave_one"]:
            problems = _status.undrainable(plan, observed.fresh, hosts)
        seen = {
            host: _waves.Seen(args["title"] if host in hosts else _waves.NOTHING, True, frozenset(info["holds"]))
            for host, info in observed.fresh.items()}
        originals = plain(args["originals"])
        if not problems and originals is not None:
            problems = _giving_back.refusals(plan, seen, hosts, originals)
        if problems:
            result.update(failed=True, msg="\n".join(problems))
            return result
        stages = _giving_back.stages(plan, seen) if originals is not None else []
        waves = [stage.hosts for stage in stages] if originals is not None else _waves.waves(plan, seen)
        result.update(
            waves=waves, numbers=list(range(len(waves) + 1)) if waves else [], lost={}, plan=plan,
            held=_waves.holders(seen), stages=[stage.kind for stage in stages],
            quiet=[], yielding=[], divided=[], ahead={}, idle=[], leased=[], alone={},
            began=str(time.time()),
            text=(_giving_back.text(args["title"], stages, seen) if originals is not None
                  else _report.text(args["title"], waves, seen)),
            **_concerned(plan, waves, seen, set(play)))
        if result["text"]:
            Display().display("%s\n" % result["text"])
        return result


def _start(plan: Plan, args: dict[str, t.Any], play: set[str]) -> dict[str, t.Any]:
    seen: dict[str, _waves.Seen] = {}
    lost: dict[str, str] = {}
    looks = {host: look for host, look in _said(args["looks"], members_of_all(plan)).items()
             if look and isinstance(look, Mapping) and not look.get("skipped") and not look.get("unreachable")}
    for host, look in looks.items():
        if look.get("failed"):
            lost[host] = why_not(look)
            continue
        force = str(look.get("force"))
        if args["work"] is not None:
            force = "upgrade" if args["work"].get(host) else _waves.NOTHING
        seen[host] = _waves.Seen(force, bool(look.get("serving")), frozenset(look.get("holds") or []),
                                 bool(look.get("rekeyed")), bool(look.get("unloaded")))
    deployed = {str(host): deployed_of(_intent.heard({"deployed": said})).spoken
                for host, said in (args["deployed"] or {}).items() if said}
    foreign = [host for host, look in looks.items() if look.get("foreign")]
    deployed.update({host: SomebodyElses("it has none") for host in foreign})
    plan = _waves.with_deployed(plan, deployed)
    if args["silence"]:
        lost.update(_refused(plan, deployed, seen))
    stopped = _waves.neighbours(plan, lost)
    for host in stopped:
        if host in seen:
            seen[host] = dataclasses.replace(seen[host], force=_waves.NOTHING)
    stopping = _waves.backups_to_stop(plan, deployed, seen) if args["silence"] else _waves.StoppedBackups(seen)
    later = {host: dataclasses.replace(look, running=look.running and host not in stopping.reasons)
             for host, look in stopping.seen.items()}
    # Only who starts keepalived first gets the VIP.
    waves = _waves.waves(plan, later, preferred_first=args["silence"] or args["work"] is not None)
    return {
        "quiet": list(stopping.reasons),
        "yielding": list(stopping.handing_over),
        "divided": list(stopping.divided),
        "ahead": _waves.ahead(plan, deployed, {host: look.rekeyed for host, look in seen.items()}, stopping.divided),
        "alone": _waves.alone(plan, deployed, stopping.seen, stopping.reasons) if args["silence"] else {},
        "leased": [host for host in seen if args["silence"] and not seen[host].running
                   and looks[host].get("leased")],
        "idle": [host for host, look in seen.items() if not look.running],
        "foreign": foreign,
        "waves": waves,
        "numbers": list(range(len(waves) + 1)) if waves or stopped else [],
        "held": _waves.holders(seen),
        "lost": lost,
        "began": str(time.time()),
        "so_far": args.get("so_far") or {},
        "text": _report.text(args["title"], waves, seen, stopping.reasons, stopping.handing_over),
        **_concerned(plan, waves, seen, play),
    }


def _keepalived_is_idle(started: Mapping[str, t.Any], args: dict[str, t.Any], play: set[str]) -> bool:
    """Whether keepalived's order would be none, and no endpoint refused: by what HAProxy's looks have seen of it, where
    HAProxy itself has nothing to do anywhere."""
    looks = {host: look.get("beside") if isinstance(look, Mapping) else None
             for host, look in _said(args["looks"], members_of_all(args["plan"])).items()}
    if started["numbers"] or started["foreign"] or not looks or not all(looks.values()):
        return False
    would = _start(args["plan"], dict(args, title="keepalived", looks=looks, silence=True), play)
    return not would["numbers"] and not would["foreign"]


def _refused(plan: Plan, deployed: dict[str, Spoken],
             seen: dict[str, _waves.Seen]) -> dict[str, str]:
    """Hosts of endpoints that aren't changed. The preflight says so, too, but of passwords only the hosts' files
    tell."""
    found: dict[str, str] = {}
    endpoints = {item["name"]: item for item in plan["endpoints"]}
    moved = [host for host, look in seen.items() if look.force == "switch"]
    refused = _waves.refusals(plan, deployed, {host: look.rekeyed for host, look in seen.items()}, moved)
    crossed = _waves.backups_to_stop(plan, deployed, seen).crossed
    refused += [(_waves.CROSSED, name, why) for name, why in crossed.items()]
    for code, name, why in refused:
        if code not in endpoints[name]["accept_findings"]:
            found.update({host: why for host in _accessors.members_of(endpoints[name]) if host in seen})
    return found


def _concerned(plan: Plan, waves: list[list[str]], seen: t.Container[str],
               play: set[str]) -> dict[str, list[str]]:
    """Whom nobody else may change meanwhile: all members of endpoints with work, in this play and outside of it."""
    concerned = _waves.neighbours(plan, {host: "" for wave in waves for host in wave})
    return {"members": [host for host in concerned if host in seen],
            "outside": [host for host in concerned if host not in play]}


def _next(plan: Plan, args: dict[str, t.Any], active: set[str]) -> dict[str, t.Any]:
    if args["renewal_due"]:
        # Who has a turn is told when that has been done.
        return {"renew": True, "hosts": [], "stops": {}, "turned": args["turned"] or []}
    rollout = args["rollout"]
    failures, unsure = _failures(rollout, args, active)
    for item in args["locked"] or ():
        if item.get("holder") or item.get("mistaken"):
            failures[str(item["item"])] = printable(str(item.get("msg")))
    turned = args["turned"] or []
    silent = frozenset(host for host, began in (args["silent"] or {}).items() if str(began) == rollout["began"])
    progress = _waves.Progress(frozenset(turned), silent, frozenset(rollout["idle"]), frozenset(unsure),
                               frozenset(rollout["divided"]), rollout["ahead"])
    waves, number = rollout["waves"], args["number"]
    result = _waves.step(plan, waves, number, failures, progress)
    result.update(renew=False, turned=turned + result["hosts"])
    # The order has just been printed when the first wave begins, and backups are chosen meanwhile.
    if result["hosts"] and number > 0:
        result["text"] = "%s, %s" % (args["title"], _report.wave(number, len(waves), result["hosts"]))
    elif number == len(waves):
        result["so_far"] = _report.so_far(rollout.get("so_far") or {}, args["title"], [
            host for host in turned if host not in failures], result.pop("stopped", {}))
    if args["number"] == 0:
        stopped = _waves.neighbours(plan, failures)
        result["quiet"] = [host for host in rollout["quiet"] if host not in stopped]
    return result


def _failures(rollout: dict[str, t.Any], args: dict[str, t.Any],
              active: set[str]) -> tuple[dict[str, str], list[str]]:
    """Hosts that stop their endpoints, and why; and those of them of which nobody knows what they run now."""
    failures = dict(rollout["lost"])
    unsure: list[str] = []
    for host in rollout["members"]:
        outcome = (args["outcomes"] or {}).get(host)
        if isinstance(outcome, Mapping) and outcome.get("title") == args["title"]:
            failures[host] = printable(str(outcome.get("text")))
            unsure += [host] if str(outcome.get("well", True)) == "False" else []
        elif host not in active:
            failures[host] = "it was lost on the way"
            unsure.append(host)
    return failures, unsure


def _said(values: Mapping[str, t.Any] | None, hosts: list[str]) -> dict[str, t.Any]:
    """By host and in this order, as far as they said anything."""
    return {host: values[host] for host in hosts if values and host in values}


def _listed(task_vars: dict[str, t.Any], variable: str) -> set[str]:
    return {str(name) for name in task_vars.get(variable) or ()}
