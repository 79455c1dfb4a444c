# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is explored: plans, changes from one plan to another, mistakes that have to be found, and known faults."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import partial
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.kubeha.apiserver.plugins.module_utils.model._accessors import members_of
from ansible_collections.kubeha.apiserver.plugins.module_utils.run import _lease
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.rollout import _waves
from ansible_collections.kubeha.apiserver.tests.model import group, rollout
from ansible_collections.kubeha.apiserver.tests.model.group import Group
from ansible_collections.kubeha.apiserver.tests.model.members import Members, members
from ansible_collections.kubeha.apiserver.tests.model.rollout import Decisions, Rollout
from ansible_collections.kubeha.apiserver.tests.model.search import LIVELOCK
from ansible_collections.kubeha.apiserver.tests.unit import planning

A: Dict[str, Any] = {"name": "a", "vip": "198.51.100.100", "port": 8443, "virtual_router_id": 100}
B: Dict[str, Any] = {"name": "b", "vip": "198.51.100.101", "port": 9443, "virtual_router_id": 101}
# One of the first endpoint's hosts prefers the other endpoint.
CROSSING: Dict[str, List[List[str]]] = {
    "two endpoints that cross on 2 hosts": [["cp1", "cp2"], ["cp2", "cp1"]],
    "two endpoints that share 1 of 3 hosts": [["cp1", "cp2"], ["cp2", "cp3"]],
    "two endpoints, one within the other": [["cp1", "cp2", "cp3"], ["cp2", "cp1"]],
    "two endpoints that cross on 3 hosts": [["cp1", "cp2", "cp3"], ["cp3", "cp2", "cp1"]],
}
PASS: Dict[str, Any] = {"auth": "pass", "auth_password": "secret",
                        "timing": {"advert_interval": 1, "down_timer_adverts": 3}}
OLD_KEY, NEW_KEY = ("hex:" + 64 * digit for digit in "12")
# Keys and modes, one step after the other; None is no authentication.
HMAC: Dict[str, Tuple[Any, Any]] = {
    "to hmac that is only received": (None, ("receive-only", OLD_KEY)),
    "to hmac that is sent": (("receive-only", OLD_KEY), ("permissive", OLD_KEY)),
    "to hmac that is wanted": (("permissive", OLD_KEY), ("enforce", OLD_KEY)),
    "to hmac at once": (None, ("enforce", OLD_KEY)),
    "from hmac": (("receive-only", OLD_KEY), None),
    "from hmac at once": (("enforce", OLD_KEY), None),
    "another key as well": (("enforce", OLD_KEY), ("enforce", [OLD_KEY, NEW_KEY])),
    "another key first": (("enforce", [OLD_KEY, NEW_KEY]), ("enforce", [NEW_KEY, OLD_KEY])),
    "another key at once": (("enforce", OLD_KEY), ("enforce", NEW_KEY)),
}
# How much may go wrong in a rollout.
MISHAPS = 2
Faults = Optional[int]
# With how many faults at the same time, or mishaps in a run.
Made = Callable[[Any], Any]


class Case(NamedTuple):
    """`most` is how many faults at the same time leave few enough states to see them all; None is any number."""

    name: str
    make: Made
    most: Faults = None


def one(count: int, priorities: Sequence[int] = (), **more: Any) -> Any:
    """A plan of one endpoint."""
    known = planning.hosts(count)
    for host, priority in zip(known.values(), priorities):
        host["priority"] = priority
    for host in known.values() if more.get("auth") == "hmac" else ():
        host["keepalived_version"] = "2.4.3"
    wanted = {"lb_hosts": list(known), "apiserver_hosts": list(known), "virtual_router_id": 100, **more}
    return planning.plan(planning.intent(**wanted), known)


def two(hosts: List[List[str]], vrids: Sequence[int] = (100, 101), **more: Any) -> Any:
    """A plan of two endpoints."""
    entries = [{**entry, "lb_hosts": names, "virtual_router_id": vrid, **more}
               for entry, names, vrid in zip((A, B), hosts, vrids)]
    return planning.plan(planning.entries(*entries), planning.hosts(max(3, *map(len, hosts))))


def groups(count: int) -> List[Case]:
    """One endpoint on so many hosts, and all that cross on them."""
    found = []
    for name, hosts in {"%d hosts" % count: None, **_crossing(count)}.items():
        for failback in (True, False):
            plan = two(hosts, failback=failback) if hosts else one(count, failback=failback)
            most = 3 if hosts and len(hosts[0]) == 3 else None
            found.append(Case("%s, %s" % (name, _returns(failback)), partial(_group, plan), most))
    if count == 2:
        for failback, priorities in ((True, (9, 8)), (True, (52, 51)), (True, (254, 253)), (False, (7, 6))):
            found.append(Case("2 hosts with priorities %d and %d, %s" % (*priorities, _returns(failback)), partial(
                _group, one(2, priorities, failback=failback))))
    return found


def rollouts(count: int) -> List[Case]:
    """Each kind of change, of one endpoint and of endpoints that cross."""
    found = []

    def add(name: str, before: Any, after: Any, force: str = "reload", secrets: Any = ("secret", "secret"),
            runs: int = 2) -> None:
        name = "%s, %d runs" % (name, runs) if runs > 2 else name
        found.append(Case(name, partial(_rollout, before, after, force, secrets, runs), MISHAPS))

    for failback in (True, False):
        old, last = one(count, failback=failback), "%d hosts, %s" % (count, _returns(failback))
        other = one(count, failback=failback, virtual_router_id=77)
        add("a reload, " + last, old, old)
        add("a restart, " + last, old, old, "restart")
        add("another virtual router ID, " + last, old, other)
        add("another virtual router ID by a restart, " + last, old, other, "restart")
        add("another virtual router ID, " + last, old, other, runs=3)
        add("another virtual router ID by a restart, " + last, old, other, "restart", runs=3)
        add("multicast, " + last, old, one(count, failback=failback, vrrp_transport="multicast"))
        add("another VIP, " + last, old, _moved(old, failback))
        secret: Any = one(count, failback=failback, **PASS)
        add("another password, " + last, secret, secret, secrets=("old", "new"))
    for name, (former, planned) in HMAC.items():
        add("%s, %d hosts" % (name, count), *(
            one(count, **({"auth": "hmac", "auth_mode": given[0], "auth_password": given[1]} if given else {}))
            for given in (former, planned)))
    add("a first deployment, %d hosts" % count, None, one(count))
    for name, hosts in _crossing(count).items():
        old = two(hosts)
        add("another virtual router ID of the first, " + name, old, two(hosts, (77, 101)))
        add("another virtual router ID of the second, " + name, old, two(hosts, (100, 77)))
        add("other virtual router IDs, " + name, old, two(hosts, (77, 78)))
        add("other virtual router IDs by a restart, " + name, old, two(hosts, (77, 78)), "restart")
        add("other virtual router IDs, " + name, old, two(hosts, (77, 78)), runs=3)
        add("other virtual router IDs by a restart, " + name, old, two(hosts, (77, 78)), "restart", runs=3)
        add("a restart, " + name, old, old, "restart")
    return found


def walks(count: int) -> List[Case]:
    """What has too many states to see them all."""
    names, last = ["cp%d" % number for number in range(1, count + 1)], "%d hosts" % count
    crossing = [names, names[::-1]]
    found = [Case("%s, %s" % (last, _returns(failback)), partial(_group, one(count, failback=failback)))
             for failback in (True, False)]
    for name, before, after in (
            ("another virtual router ID, ", one(count), one(count, virtual_router_id=77)),
            ("other virtual router IDs, two endpoints that cross on ", two(crossing), two(crossing, (77, 78)))):
        found.append(Case(name + last, partial(_rollout, before, after, "reload", ("secret", "secret"), 3), 4))
    return found


def _crossing(count: int) -> Dict[str, List[List[str]]]:
    return {name: hosts for name, hosts in CROSSING.items() if count == len({host for part in hosts for host in part})}


def _group(plan: Any, faults: Faults = None) -> Group:
    return Group(dict.fromkeys(_hosts(plan), plan), faults=faults)


def _rollout(before: Any, after: Any, force: str, secrets: Tuple[str, str], runs: int, mishaps: int) -> Rollout:
    return Rollout(before, after, force, mishaps, secrets, runs=runs)


def _moved(old: Any, failback: bool) -> Any:
    """The former VIP is served beside the new one."""
    names = _hosts(old)
    wanted = planning.intent(lb_hosts=names, apiserver_hosts=names, virtual_router_id=100, failback=failback,
                             vip="198.51.100.110")
    return planning.plan(wanted, planning.hosts(len(names)), planning.stored(old))


def _returns(failback: bool) -> str:
    return "failback" if failback else "no failback"


def _hosts(plan: Any) -> List[str]:
    return list(dict.fromkeys(host for endpoint in plan["endpoints"] for host in members_of(endpoint)))


# Mistakes


class Mistake(NamedTuple):
    """`breaks` is the property that the shortest story ends with."""

    name: str
    make: Callable[[], Any]
    breaks: str


def _on(host: str, change: Callable[[Any], None], **more: Any) -> Group:
    """One host has another plan than the others."""
    plan = one(2, **more)
    other = copy.deepcopy(plan)
    change(other["endpoints"][0])
    return Group({name: other if name == host else plan for name in _hosts(plan)})


def _everywhere(change: Callable[[Any], None], **more: Any) -> Group:
    plan = copy.deepcopy(one(2, **more))
    change(plan["endpoints"][0])
    return _group(plan)


def _with(**weights: Any) -> Group:
    """Every host's keepalived has another weight than the plan's."""
    plan = one(2)
    parts: List[Members] = [{host: replace(member, **weights) for host, member in part.items()}
                            for part in members(dict.fromkeys(_hosts(plan), plan))]
    return Group(dict.fromkeys(_hosts(plan), plan), parts=parts)


def _instance(**values: Any) -> Callable[[Any], None]:
    return lambda endpoint: endpoint["instances"][0].update(values)


def _weight(check: int, weight: int) -> Callable[[Any], None]:
    return lambda endpoint: endpoint["checks"][check].update(weight=weight)


def _weights(weight: int, settle: int) -> Callable[[Any], None]:
    def change(endpoint: Any) -> None:
        endpoint["settle_weight"] = settle
        endpoint["checks"][1]["weight"] = weight
    return change


def _equal(endpoint: Any) -> None:
    for member in endpoint["instances"][0]["members"]:
        member["priority"] = 150


def _other_peer(endpoint: Any) -> None:
    endpoint["instances"][0]["members"][1]["peers"] = ["198.51.100.99"]


def _change(force: str = "reload", mishaps: int = 2, runs: int = 2, **decisions: Any) -> Rollout:
    """Of what all members have to agree on."""
    return Rollout(one(2), one(2, virtual_router_id=77), force, mishaps, decisions=Decisions(**decisions), runs=runs)


def _no_stop(plan: Any, deployed: Any, seen: Any) -> _waves.StoppedBackups:
    found = _waves.backups_to_stop(plan, deployed, seen)
    return replace(found, reasons={}, divided=[])


def _if_held(plan: Any, deployed: Any, seen: Any) -> _waves.StoppedBackups:
    if any(look.holds for look in seen.values()):
        return _waves.backups_to_stop(plan, deployed, seen)
    return _waves.StoppedBackups(seen)


def _deaf_to_passwords(plan: Any, deployed: Any, seen: Any) -> _waves.StoppedBackups:
    return _waves.backups_to_stop(plan, deployed, {host: replace(look, rekeyed=False) for host, look in seen.items()})


def _reversed(plan: Any, seen: Any) -> List[List[str]]:
    return _waves.waves(plan, seen)[::-1]


def _at_once(plan: Any, seen: Any) -> List[List[str]]:
    return [[host for wave in _waves.waves(plan, seen) for host in wave]]


def _endless(lease: Any, clock: Any, running: bool, others: bool) -> _lease.Step:
    return _lease.Step(_lease.WAIT, 5)


def _running_only(plan: Any, seen: Any) -> List[List[str]]:
    """Stopped backups, and whoever doesn't run, aren't started."""
    ran = {host for host, look in seen.items() if look.running}
    return [wave for wave in ([host for host in wave if host in ran] for wave in _waves.waves(plan, seen)) if wave]


def _renewed(before: Any, *args: Any, **more: Any) -> _lease.Lease:
    """Also where it has ended, and keepalived runs."""
    return _lease.begun(before, *args)


def _never_silenced(*args: Any) -> Dict[str, Any]:
    """Stopped backups whose turn never came aren't started at the end, and their leases go."""
    return dict(_waves.step(*args), doubtful={})


SAME: Any = one(2)
SHARED = CROSSING["two endpoints that share 1 of 3 hosts"]
KEYS: Any = one(2, **PASS)
MISTAKES = [
    Mistake("a weight of the API servers that is too small", lambda: _everywhere(_weight(1, -1)), group.RANK),
    Mistake("a bonus of the holder that outweighs the API servers",
            lambda: _everywhere(lambda endpoint: endpoint.update(holder_bonus=60), failback=False), group.RANK),
    Mistake("a dead HAProxy that only costs rank", lambda: _with(broken=-1), group.RANK),
    Mistake("equal priorities", lambda: _everywhere(_equal), group.PREFERRED),
    Mistake("a drained host that ranks above", lambda: _with(drained=0), group.RANK),
    Mistake("failback without a delay, which flaps",
            lambda: _everywhere(lambda endpoint: endpoint.update(settle_weight=0)), group.STEADY),
    Mistake("no bonus of the holder without failback",
            lambda: _everywhere(lambda endpoint: endpoint.update(holder_bonus=0), failback=False), group.STEADY),
    Mistake("another virtual router ID on one host", lambda: _on("cp2", _instance(virtual_router_id=77)), group.ONE),
    Mistake("a peer that one host doesn't know", lambda: _on("cp2", _other_peer), group.ONE),
    Mistake("another password on one host", lambda: Group(
        dict.fromkeys(_hosts(KEYS), KEYS), {"cp1": "old", "cp2": "new"}), group.ONE),
    Mistake("another password without stopping the backups", lambda: Rollout(
        KEYS, KEYS, secrets=("old", "new"), decisions=Decisions(backups_to_stop=_deaf_to_passwords)), group.ONE),
    Mistake("hmac at once without stopping the backups", lambda: Rollout(
        one(2), one(2, auth="hmac", auth_password=OLD_KEY), decisions=Decisions(backups_to_stop=_no_stop)), group.ONE),
    Mistake("a backup that isn't stopped", lambda: _change(backups_to_stop=_no_stop), group.ONE),
    Mistake("backups that are stopped only where somebody was seen to hold",
            lambda: _change(backups_to_stop=_if_held), group.ONE),
    Mistake("waves in reverse order, the holder last", lambda: _change(waves=_reversed), group.ONE),
    Mistake("all hosts restart in one wave", lambda: Rollout(
        SAME, SAME, "restart", decisions=Decisions(waves=_at_once)), rollout.SERVING),
    Mistake("a lease that never ends", lambda: _change(lease_step=_endless), group.SOME),
    Mistake("a lease that asks nobody", lambda: _change(
        may_start=lambda *args: _lease.Answer(True, "")), LIVELOCK),
    Mistake("a next run that doesn't start stopped backups", lambda: _change(waves=_running_only), rollout.CONVERGES),
    Mistake("stopped backups that start beside a holder that has changed",
            lambda: _change(step=_never_silenced), group.ONE),
    Mistake("weights that leave a drained host the rank of one that sees no API server and has just come back",
            lambda: _everywhere(_weights(-50, -25), priorities=(77, 76)), group.RANK),
    Mistake("a backup that starts in doubt, and that nobody watches", lambda: _change(guards=False), group.ONE),
    Mistake("a host that a killed run has left below all others", lambda: Rollout(
        two(SHARED), two(SHARED, (77, 78)), "restart", decisions=Decisions(unranks=False)), rollout.CONVERGES),
    Mistake("a run that forgets whom the one before has changed", lambda: _change(
        runs=3, ahead=lambda *args: {}), group.ONE),
    Mistake("a host put back that its lease has started", lambda: _change(runs=3, stops_leased=False), group.ONE),
    Mistake("a lease renewed while keepalived runs by it", lambda: _change(runs=3, lease_begun=_renewed), group.ONE),
]
# Faults of ours that this model has found, and that aren't mended: none.
KNOWN: List[Mistake] = []
