# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""In which order hosts are changed, by what they do now. Pure: a plan and what was seen of each host in, waves out.

All hosts of a wave are changed at the same time, and one wave after the other. Of each endpoint:

- One host at a time, so that the others serve. An endpoint that runs nowhere yet has nobody to disturb: all its hosts
  change together. Of keepalived its preferred host comes first, so that it gets the VIP.
- Backups come first, the least preferred one before the others, and who holds the VIP comes last of those that run.
- A host that doesn't run yet comes after them: they have to know it before it starts, or it would take none of their
  adverts, and the VIP as well.

Endpoints with hosts of their own, or with the same hosts, take as many waves as the largest of them has hosts to
change. Where endpoints overlap in part, the order counts more than the number of waves. Where two hosts each hold what
the other one backs up, no order has both last.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Container, Dict, FrozenSet, Iterable, List, Mapping, Sequence, Set, Tuple

from ...module_utils.model import _planfile
from ...module_utils.model._accessors import members_of
from ...module_utils.model._planfile import SomebodyElses, Spoken, Unreadable
from ..judge._table import table
from ..plan._union_find import Groups
from . import _report, _voices

if TYPE_CHECKING:
    from ...module_utils.model._model import Endpoint, Plan

NOTHING = "nothing"
# Codes of what isn't done to an endpoint.
LEFT_OUT, TWO_CHANGES, CROSSED = "members_left_out", "mode_changes_alone", "holders_crossed"


@dataclass(frozen=True)
class Seen:
    """What was seen of one host.

    `force` is what a change takes there: nothing, or the word for it. `running` is whether the daemon serves already,
    `holds` are the VIPs that are there. `rekeyed` is whether it has another password than the planned one, `unloaded`
    whether it runs with something else than its files say.
    """

    force: str = NOTHING
    running: bool = False
    holds: FrozenSet[str] = frozenset()
    rekeyed: bool = False
    unloaded: bool = False

    @property
    def has_work(self) -> bool:
        return self.force != NOTHING


Host = str
# One host's place in the order, the smallest first; its name is looked up by the last number.
_Key = Tuple[int, int, int, int]


def with_deployed(plan: Plan, deployed: Mapping[Host, Spoken]) -> Plan:
    """The plan with the VIPs that members have until they change: who holds one that isn't planned any more is the
    holder all the same. Everything here is about this plan."""
    endpoints = []
    for endpoint in plan["endpoints"]:
        vips = {vip["address"]: vip for host in members_of(endpoint)
                for vip in _stored(endpoint, deployed.get(host))["vips"]}
        vips.update({vip["address"]: vip for vip in endpoint["vips"]})
        both = endpoint.copy()
        both["vips"] = list(vips.values())
        endpoints.append(both)
    return _planfile.with_endpoints(plan, endpoints)


def waves(plan: Plan, seen: Mapping[Host, Seen], preferred_first: bool = True) -> List[List[Host]]:
    """Each host with work in exactly one wave. Members that weren't seen may be running, for all that is known.

    `preferred_first` is for endpoints that run nowhere yet: whether who starts first matters.
    """
    order = _Order(plan, seen, preferred_first)
    numbers: Dict[Host, int] = {}
    for host, earliest in order.walk(numbers):
        taken: Set[int] = set()
        for name in order.endpoints_of[host]:
            taken |= order.taken[name]
        number = earliest
        while number in taken:
            number += 1
        numbers[host] = number
        for name in order.endpoints_of[host]:
            if name not in order.fresh:
                order.taken[name].add(number)
    # A number that nobody has would be a wave without hosts.
    used = {number: index for index, number in enumerate(sorted(set(numbers.values())))}
    result: List[List[Host]] = [[] for dummy in used]
    for host in sorted(numbers, key=order.position.__getitem__):
        result[used[numbers[host]]].append(host)
    return result


@dataclass(frozen=True)
class StoppedBackups:
    """Where keepalived is stopped while members of an endpoint change what they have to agree on, lest each side hold
    the VIP.

    Of each such endpoint one member goes on running until it has changed, the holder if possible; `divided` has the
    names. `reasons` has the others, with what of VRRP changes. Those of them that hold a VIP, of whatever endpoint,
    hand it over before: `handing_over`. `seen` is what each host holds then. `crossed` has endpoints of which any
    choice would leave a VIP to nobody, by name and why.
    """

    seen: Mapping[Host, Seen]
    divided: Sequence[str] = ()
    reasons: Mapping[Host, str] = field(default_factory=dict)
    handing_over: Sequence[Host] = ()
    crossed: Mapping[str, str] = field(default_factory=dict)


def backups_to_stop(plan: Plan, deployed: Mapping[Host, Spoken], seen: Mapping[Host, Seen]) -> StoppedBackups:
    choice = _Choice(plan["endpoints"], seen)
    changes: Dict[str, str] = {}
    endpoints = []
    # What it believes is a step behind its files, which nobody knows.
    unloaded = {host for host in seen if seen[host].unloaded}
    for endpoint in plan["endpoints"]:
        members = choice.running(endpoint)
        # Who doesn't run may be all that still has what who runs has loaded.
        words = disagreements(
            endpoint, deployed, {host: seen[host].rekeyed for host in members_of(endpoint) if host in seen}, unloaded)
        if members and words:
            changes[endpoint["name"]] = ", ".join(words)
            # Who is about to take over wasn't seen to hold, so it doesn't count whether anybody was.
            if len(members) > 1 or any(holds_any(endpoint, seen[host]) for host in members):
                endpoints.append(endpoint)
    choice, crossed = _choose(plan, seen, endpoints)
    reasons: Dict[Host, Dict[str, None]] = {}
    for endpoint in endpoints:
        if endpoint["name"] not in crossed:
            for host in choice.stopped.intersection(choice.running(endpoint)):
                reasons.setdefault(host, {})[changes[endpoint["name"]]] = None
    return StoppedBackups(
        seen=choice.afterwards(),
        divided=[name for name in changes if name not in crossed],
        reasons={host: ", ".join(reasons[host]) for host in seen if host in reasons},
        handing_over=choice.handing_over(),
        crossed={name: "%s changes, and keepalived is stopped on all members but one meanwhile; %s hold VIPs that "
                       "nobody else could take then" % (changes[name], ", ".join(crossed[name])) for name in crossed})


def _choose(plan: Plan, seen: Mapping[Host, Seen],
            endpoints: Sequence[Endpoint]) -> Tuple[_Choice, Dict[str, List[Host]]]:
    """Who goes on running, and endpoints for which nobody could, with those who hold something."""
    choice = _Choice(plan["endpoints"], seen)
    changing = {endpoint["name"] for endpoint in endpoints}
    crossed: Dict[str, List[Host]] = {}
    for together in choice.parts():
        part, lost = _attempt(together, seen, [item for item in together if item["name"] in changing])
        choice.stopped |= part.stopped
        crossed.update(lost)
    return choice, crossed


def _attempt(together: Sequence[Endpoint], seen: Mapping[Host, Seen],
             order: List[Endpoint]) -> Tuple[_Choice, Dict[str, List[Host]]]:
    """The same for endpoints that share hosts. One for which nobody could chooses first in another attempt."""
    promoted: Set[str] = set()
    while True:
        choice = _Choice(together, seen)
        crossed = [endpoint for endpoint in order if not choice.stop_backups(endpoint)]
        endpoint = next((endpoint for endpoint in crossed if endpoint["name"] not in promoted), None)
        if endpoint is None:
            return choice, {endpoint["name"]: [host for host in choice.running(endpoint) if seen[host].holds]
                            for endpoint in crossed}
        promoted.add(endpoint["name"])
        order.remove(endpoint)
        order.insert(0, endpoint)


class _Choice:
    """Which member of each endpoint goes on running while members would drop each other's adverts."""

    def __init__(self, endpoints: Sequence[Endpoint], seen: Mapping[Host, Seen]) -> None:
        self.seen = seen
        self.stopped: Set[Host] = set()
        self._endpoints = endpoints
        # None of them is ever stopped.
        self._remaining: Set[Host] = set()
        self._endpoints_of: Dict[Host, List[Endpoint]] = {}
        self._running: Dict[str, List[Host]] = {}
        for endpoint in endpoints:
            members = [host for host in members_of(endpoint) if host in seen and seen[host].running]
            self._running[endpoint["name"]] = members
            for host in members:
                self._endpoints_of.setdefault(host, []).append(endpoint)

    def running(self, endpoint: Endpoint) -> List[Host]:
        """Those that were seen, by preference."""
        return self._running[endpoint["name"]]

    def parts(self) -> List[List[Endpoint]]:
        """Endpoints that share hosts, by themselves or by others: what is chosen for one part matters to no other."""
        groups: Groups[Host] = Groups()
        for index, endpoint in enumerate(self._endpoints):
            groups.join(index, self.running(endpoint))
        return [[self._endpoints[index] for index in part] for part in groups.members()]

    def stop_backups(self, endpoint: Endpoint) -> bool:
        """All but one of them, where each VIP that is held can stay with somebody who runs."""
        members = self.running(endpoint)
        # The holder, and of several the one that has changed already: it can't go back.
        for remaining in sorted((host for host in members if host not in self.stopped), key=lambda host: (
                not holds_any(endpoint, self.seen[host]), self.seen[host].has_work)):
            backups = {host for host in members if host != remaining and self.seen[host].has_work}
            if self._may_stop(backups):
                self.stopped |= backups
                self._remaining.add(remaining)
                return True
        return False

    def _may_stop(self, hosts: Set[Host]) -> bool:
        affected = [endpoint for host in hosts for endpoint in self._endpoints_of[host]]
        return self._remaining.isdisjoint(hosts) and all(
            any(host not in self.stopped and host not in hosts for host in self.running(endpoint))
            for endpoint in affected if self._is_held(endpoint))

    def _is_held(self, endpoint: Endpoint) -> bool:
        return any(holds_any(endpoint, self.seen[host]) for host in self.running(endpoint))

    def handing_over(self) -> List[Host]:
        """Who hands a VIP over before it's stopped."""
        held = self._held()
        return [host for host in self.seen if host in self.stopped and not self.seen[host].holds <= held]

    def afterwards(self) -> Dict[Host, Seen]:
        """What each host holds when they have."""
        held = self._held()
        holds = {host: set() if host in self.stopped else set(look.holds) for host, look in self.seen.items()}
        for host in self.stopped:
            for endpoint in self._endpoints_of[host]:
                taker = next((member for member in self.running(endpoint) if member not in self.stopped), None)
                if taker is not None:
                    vips = {vip["address"] for vip in endpoint["vips"]}
                    holds[taker] |= self.seen[host].holds & vips - held
        return {host: replace(look, holds=frozenset(holds[host])) for host, look in self.seen.items()}

    def _held(self) -> Set[str]:
        """By those who go on running."""
        return {vip for host in self._endpoints_of if host not in self.stopped for vip in self.seen[host].holds}


def alone(plan: Plan, deployed: Mapping[Host, Spoken], seen: Mapping[Host, Seen],
          stopped: Container[Host]) -> Dict[Host, List[str]]:
    """Holders that let go of what nobody else may take: all other members are stopped until they have changed. With
    the names of these endpoints."""
    found: Dict[Host, List[str]] = {}
    for endpoint in plan["endpoints"]:
        members = members_of(endpoint)
        running = [host for host in members if host in seen and seen[host].running and host not in stopped]
        if len(running) != 1 or not all(host in seen for host in members):
            continue
        [host] = running
        if holds_any(endpoint, seen[host]) and disagreements(endpoint, deployed, {host: seen[host].rekeyed}):
            found.setdefault(host, []).append(endpoint["name"])
    return found


def refusals(plan: Plan, deployed: Mapping[Host, Spoken], rekeyed: Mapping[Host, bool],
             moved: Container[Host] = ()) -> List[Tuple[str, str, str]]:
    """Endpoints whose members would drop each other's adverts, whatever the order of changes: code, name, and why.

    `rekeyed` has the hosts of the run, each with whether its password changes, `moved` those whose mode changes.
    `deployed` may have hosts that the run leaves out.
    """
    found: List[Tuple[str, str, str]] = []
    for endpoint in plan["endpoints"]:
        members = members_of(endpoint)
        changes = disagreements(
            endpoint, deployed, {host: rekeyed[host] for host in members if host in rekeyed}, rekeyed)
        # They may run it, for all that is known.
        others = [host for host in members if host not in rekeyed]
        said = "%s changes, and all members have to agree on that; " % ", ".join(changes)
        if changes and others:
            found.append((LEFT_OUT, endpoint["name"], said + "this run leaves out %s" % ", ".join(others)))
        for host, unaware in _not_members_for(endpoint, deployed, rekeyed, others).items():
            why = "%s isn't a member for %s, which this run leaves out and which would drop its adverts" % (
                host, ", ".join(unaware))
            found.append((LEFT_OUT, endpoint["name"], why))
        if changes and any(host in moved for host in members):
            found.append((TWO_CHANGES, endpoint["name"], said + "the mode changes as well"))
    return found


def _not_members_for(endpoint: Endpoint, deployed: Mapping[Host, Spoken], run: Container[Host],
                     others: Sequence[Host]) -> Dict[Host, List[Host]]:
    """Hosts of the run that others wouldn't take adverts from, with the names of these others."""
    found: Dict[Host, List[Host]] = {}
    wanted = {key: address for key, (dummy, address) in _places(endpoint).items() if key[1] in run}
    for other in others:
        known = {key: address for key, (dummy, address) in _places(_stored(endpoint, deployed.get(other))).items()}
        for host in dict.fromkeys(key[1] for key, address in wanted.items() if known.get(key) != address):
            found.setdefault(host, []).append(other)
    return found


def disagreements(endpoint: Endpoint, deployed: Mapping[Host, Spoken], rekeyed: Mapping[Host, bool],
                  exactly: Container[Host] = ()) -> List[str]:
    """What of VRRP changes on these members that all of them have to agree on, in words.

    With hmac they may differ and believe each other. `exactly` has hosts for which that isn't enough.
    """
    changes: Dict[str, None] = {}
    for host, other_password in rekeyed.items():
        if isinstance(deployed.get(host), SomebodyElses):
            changes["somebody else's configuration is taken over"] = None
        elif isinstance(deployed.get(host), Unreadable):
            # Nobody knows whether the others would take its adverts.
            changes["something that %s's stored plan doesn't tell" % host] = None
        changes.update(dict.fromkeys(_advert_mismatch(
            _stored(endpoint, deployed.get(host)), endpoint, host in exactly)))
        if other_password and endpoint["auth"] != "none":
            changes["password"] = None
    return list(changes)


def ahead(plan: Plan, deployed: Mapping[Host, Spoken], rekeyed: Mapping[Host, bool],
          divided: Iterable[str]) -> Dict[str, List[Host]]:
    """Of `divided` endpoints members whose files are as planned already, in what all have to agree on."""
    names = set(divided)
    return {
        endpoint["name"]: [host for host in members_of(endpoint) if host in rekeyed and not disagreements(
            endpoint, deployed, {host: rekeyed[host]}, rekeyed)]
        for endpoint in plan["endpoints"] if endpoint["name"] in names}


def _stored(endpoint: Endpoint, plan: Spoken) -> Endpoint:
    """What a host's keepalived has of this endpoint; the endpoint itself where it has none, or nobody knows."""
    endpoints: Sequence[Endpoint] = plan["endpoints"] if isinstance(plan, dict) else ()
    return next((item for item in endpoints if item["name"] == endpoint["name"]), endpoint)


def _advert_mismatch(before: Endpoint, after: Endpoint, exactly: bool) -> List[str]:
    """What of it keeps members from taking each other's adverts, in words."""
    old, new = _advert_parameters(before), _advert_parameters(after)
    common = set(old) & set(new)
    words = [word for (family, word), said in new.items()
             if (family, word) not in common or _conflict(old[family, word], said, exactly)]
    # A member that comes or goes has no place to compare.
    places, wanted = _places(before), _places(after)
    if any(places[key] != wanted[key] for key in set(places) & set(wanted)):
        words.append("interface or address")
    return list(dict.fromkeys(words))


def _conflict(before: Any, after: Any, exactly: bool) -> bool:
    if isinstance(before, _voices.Voice) and not exactly:
        return not before.gets_on_with(after)
    return bool(before != after)


def _advert_parameters(endpoint: Endpoint) -> Dict[Tuple[str, str], Any]:
    """What members have to agree on to take each other's adverts, by family and in words."""
    found: Dict[Tuple[str, str], Any] = {}
    for instance in endpoint["instances"]:
        version = instance["vrrp_version"]
        said = {
            "virtual router ID": instance["virtual_router_id"],
            "version": version,
            "authentication": _voices.of(endpoint),
            "transport": endpoint["transport"],
            # Version 3 takes the interval from who holds.
            "interval": instance["advert_interval"] if version == 2 else None,
            # keepalived drops an advert with other addresses than its own.
            "VIP": sorted(vip["address"] for vip in instance["vips"]),
        }
        found.update({(instance["family"], word): value for word, value in said.items()})
    return found


def _places(endpoint: Endpoint) -> Dict[Tuple[str, str], Any]:
    """Where each member sends from, which is what the others look for."""
    return {
        (instance["family"], member["host"]): (member["interface"], member["address"])
        for instance in endpoint["instances"] for member in instance["members"]
    }


def holders(seen: Mapping[Host, Seen]) -> Dict[str, List[Host]]:
    """Each VIP that is held, and by whom."""
    held: Dict[str, List[Host]] = {}
    for host, look in seen.items():
        for vip in sorted(look.holds):
            held.setdefault(vip, []).append(host)
    return held


def holds_any(endpoint: Endpoint, seen: Seen) -> bool:
    return any(vip["address"] in seen.holds for vip in endpoint["vips"])


@dataclass
class _Node:
    """A host, or a barrier between two groups of hosts of one endpoint (its key sorts before any host's)."""

    key: _Key
    before: int = 0
    after: List[int] = field(default_factory=list)
    number: int = -1


class _Order:
    """Hosts and barriers as a graph, walked from what has to wait for nothing."""

    def __init__(self, plan: Plan, seen: Mapping[Host, Seen], preferred_first: bool) -> None:
        self.seen = seen
        self.preferred_first = preferred_first
        self.endpoints_of: Dict[Host, List[str]] = {}
        self.taken: Dict[str, Set[int]] = {}
        self.fresh: Set[str] = set()
        self.position: Dict[Host, int] = {}
        self.nodes: List[_Node] = []
        self.hosts: List[Host] = []
        self._place: Dict[Host, int] = {}
        members = {endpoint["name"]: members_of(endpoint) for endpoint in plan["endpoints"]}
        for endpoint in plan["endpoints"]:
            for rank, host in enumerate(members[endpoint["name"]]):
                self._add(host, rank, endpoint["name"])
        for endpoint in plan["endpoints"]:
            self._link(endpoint, members[endpoint["name"]])

    def _add(self, host: Host, rank: int, name: str) -> None:
        look = self.seen.get(host)
        if look is None or not look.has_work:
            return
        if host not in self._place:
            place = len(self.nodes)
            self.position[host] = place
            self._place[host] = place
            # Who runs goes by the reverse of preference, who doesn't by preference.
            group = 2 if not look.running else 1 if look.holds else 0
            self.nodes.append(_Node((1, group, rank if group == 2 else -rank, place)))
            self.hosts.append(host)
            self.endpoints_of[host] = []
        self.endpoints_of[host].append(name)

    def _link(self, endpoint: Endpoint, members: Sequence[Host]) -> None:
        name = endpoint["name"]
        self.taken[name] = set()
        working = [host for host in members if host in self._place]
        if all(host in self.seen and not self.seen[host].running for host in members):
            self.fresh.add(name)
            groups = [working[:1], working[1:]] if self.preferred_first else [working]
        else:
            runs = [host for host in working if self.seen[host].running]
            groups = [
                [host for host in runs if not holds_any(endpoint, self.seen[host])],
                [host for host in runs if holds_any(endpoint, self.seen[host])],
                [host for host in working if not self.seen[host].running],
            ]
        groups = [group for group in groups if group]
        for earlier, later in zip(groups, groups[1:]):
            barrier = len(self.nodes)
            self.nodes.append(_Node((0, 0, 0, barrier)))
            for host in earlier:
                self._edge(self._place[host], barrier)
            for host in later:
                self._edge(barrier, self._place[host])

    def _edge(self, earlier: int, later: int) -> None:
        self.nodes[earlier].after.append(later)
        self.nodes[later].before += 1

    def walk(self, numbers: Mapping[Host, int]) -> Any:
        """(host, the earliest wave it may be in), each after all that it waits for; `numbers` gets the host's wave
        before the next one is asked for. Where hosts wait for each other, the first of them waits no longer."""
        names = {self._place[host]: host for host in self.hosts}
        ready = [node.key for node in self.nodes if not node.before]
        heapq.heapify(ready)
        waiting = sorted(node.key for place, node in enumerate(self.nodes) if place in names)
        waiting.reverse()
        done: Set[int] = set()
        while True:
            while ready:
                place = heapq.heappop(ready)[-1]
                if place in done:
                    continue
                done.add(place)
                yield from self._visit(place, names, numbers, ready)
            while waiting and waiting[-1][-1] in done:
                waiting.pop()
            if not waiting:
                return
            ready.append(waiting.pop())

    def _visit(self, place: int, names: Mapping[int, Host], numbers: Mapping[Host, int], ready: List[_Key]) -> Any:
        node = self.nodes[place]
        if place in names:
            yield names[place], node.number + 1
            node.number = numbers[names[place]]
        for later in node.after:
            other = self.nodes[later]
            other.number = max(other.number, node.number)
            other.before -= 1
            if other.before == 0:
                heapq.heappush(ready, other.key)


# While it goes on


@dataclass(frozen=True)
class Progress:
    """What hosts have noted of a rollout.

    `turned` are those whose turn has come, `stopped` the backups whose keepalived a run has stopped, `idle` those where
    none was running before.
    Of `unsure` hosts nobody knows what they run now: they were lost, or couldn't be put back. `divided` are endpoints
    whose members before the change take no adverts of members after it, `ahead` their members that a run before this
    one has given the planned files.
    """

    turned: FrozenSet[Host] = frozenset()
    stopped: FrozenSet[Host] = frozenset()
    idle: FrozenSet[Host] = frozenset()
    unsure: FrozenSet[Host] = frozenset()
    divided: FrozenSet[str] = frozenset()
    ahead: Mapping[str, Sequence[Host]] = field(default_factory=dict)

    @property
    def not_running(self) -> FrozenSet[Host]:
        return self.stopped | self.idle


def neighbours(plan: Plan, hosts: Mapping[Host, str]) -> Dict[Host, str]:
    """Members of the endpoints that these hosts belong to, themselves included, and which endpoint that is."""
    found: Dict[Host, str] = {}
    for endpoint in plan["endpoints"]:
        members = members_of(endpoint)
        if any(host in hosts for host in members):
            for host in members:
                found.setdefault(host, endpoint["name"])
    return found


def step(plan: Plan, order: Sequence[Sequence[Host]], number: int, failures: Mapping[Host, str],
         progress: Progress = Progress()) -> Dict[str, Any]:
    """Hosts of a wave that may go on; after the last wave who has failed, and why, with a table.

    Stopped backups whose turn never came are `silenced` then. The `doubtful` among them wouldn't hear a member that
    speaks another way, or that may do so when it's back, in these endpoints: they mustn't start where that one has the
    VIP, and have to be watched.
    """
    blocked = _blocked(plan, order, failures, progress)
    if number < len(order):
        return {"hosts": [host for host in order[number] if host not in blocked], "stops": {}}
    concerned = {**blocked, **neighbours(plan, failures)}
    turns = {host: index + 1 for index, wave in enumerate(order) for host in wave}
    culprits = {}
    for endpoint in plan["endpoints"]:
        members = members_of(endpoint)
        culprits[endpoint["name"]] = [host for host in members if host in failures] or [
            host for host in members if host in blocked and host not in progress.not_running]
    stops: Dict[Host, str] = {}
    rows = []
    for host, name in concerned.items():
        if host in failures:
            what = failures[host]
        elif host in progress.turned:
            what = "changed and proven"
        else:
            what = "not touched" if host in turns else "nothing to do"
        rows.append((name, host, turns.get(host, ""), what))
        stops[host] = "%s was stopped at %s. %s: %s" % (name, ", ".join(culprits[name]), host, what)
    silenced = [host for host in concerned
                if host in progress.stopped and host not in progress.turned and host not in failures]
    result: Dict[str, Any] = {"hosts": [], "stops": stops, "silenced": silenced,
                              "doubtful": _doubtful(plan, silenced, failures, progress)}
    if stops:
        untouched = {host: blocked[host] for host in turns if host in blocked and host not in progress.turned}
        result["stopped"] = stopped = _report.stopped(plan, failures, untouched)
        result["text"] = table(("ENDPOINT", "HOST", "WAVE", "OUTCOME"), rows) if _report.are_few(
            plan["endpoints"]) else table(("ENDPOINT", "STOPPED BECAUSE OF"), list(stopped.items()))
    return result


def _doubtful(plan: Plan, silenced: Sequence[Host], failures: Mapping[Host, str],
              progress: Progress) -> Dict[Host, List[str]]:
    changed = (progress.turned - set(failures)) | ((progress.unsure & progress.turned) - progress.not_running)
    found: Dict[Host, List[str]] = {}
    for endpoint in plan["endpoints"]:
        name, members = endpoint["name"], set(members_of(endpoint))
        if name not in progress.divided:
            continue
        ahead = set(progress.ahead.get(name, ()))
        # What each may speak, now or after a restart.
        planned = members & (changed | ahead)
        former = members - ((progress.turned | ahead) - set(failures))
        for host in silenced:
            if host in members and (former if host in ahead else planned) - {host}:
                found.setdefault(host, []).append(name)
    return found


def _blocked(plan: Plan, order: Sequence[Sequence[Host]], failures: Mapping[Host, str],
             progress: Progress) -> Dict[Host, str]:
    """Hosts that mustn't be touched any more, and which endpoint it is for.

    A host that sent no adverts before its turn sends none when that fails, and harms nobody. The holder has changed by
    then, so stopped backups go on all the same, whatever fails in other endpoints: else nobody could take over, here or
    there. Where another endpoint keeps the holder from changing, members that don't run yet would drop its adverts.
    """
    ran = {host for host in failures if host not in progress.not_running}
    waiting = {host for endpoint in plan["endpoints"] if endpoint["name"] in progress.divided
               and not ran.isdisjoint(members_of(endpoint)) for host in members_of(endpoint)}
    blocked = {host: name for host, name in neighbours(plan, failures).items()
               if host in waiting or host in failures or host not in progress.stopped}
    unchanged = {host for wave in order for host in wave if host in blocked} - progress.turned - progress.not_running
    for endpoint in plan["endpoints"]:
        members = members_of(endpoint)
        if endpoint["name"] in progress.divided and not unchanged.isdisjoint(members):
            for host in progress.not_running.intersection(members):
                blocked.setdefault(host, endpoint["name"])
    return blocked
