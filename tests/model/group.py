# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A VRRP group: what keepalived on each host does with a plan while hosts, HAProxy, API servers and adverts fail.

There is no clock. A backup may take over as soon as it gets no advert that ranks as high as it does, and a holder
lets go as soon as it gets a higher one; in which order, and what breaks in between, is left open, so all timings are
covered. What has to be true within a budget is judged where VRRP's timers have nothing left to do.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.kubeha.apiserver.tests.model.members import Members, members
from ansible_collections.kubeha.apiserver.tests.model.search import OUTSIDE, QUICK, SLOW, Label, Step, Wrong

ONE, SOME = "two holders", "no holder"
RANK, PREFERRED, STEADY = "a worse host holds", "a less preferred host holds", "moved without a cause"
PROPERTIES = (ONE, SOME, RANK, PREFERRED, STEADY)


class State(NamedTuple):
    """Hosts are bits. `cut` has of each host those whose adverts it doesn't get, `holds` of each endpoint who holds."""

    off: int
    broken: int         # its HAProxy is dead
    blind: int          # its HAProxy sees no API server
    fresh: int          # its HAProxy has come back less than failback_delay ago
    drained: int
    cut: Tuple[int, ...]
    holds: Tuple[int, ...]


class Group:
    """`plans` has what each host was given. `faults` is how many things may be wrong at the same time."""

    def __init__(self, plans: Mapping[str, Any], secrets: Optional[Mapping[str, str]] = None,
                 faults: Optional[int] = None, parts: Optional[List[Members]] = None) -> None:
        first = next(iter(plans.values()))
        self.names = [endpoint["name"] for endpoint in first["endpoints"]]
        self.hosts = list(plans)
        self._faults = faults
        parts = parts or members(plans, secrets)
        self._endpoints = [_Endpoint(self.hosts, part, endpoint) for part, endpoint in zip(parts, first["endpoints"])]
        # Who is nobody's peer has nothing to lose.
        self._links = [(here, there) for here in range(len(self.hosts)) for there in range(len(self.hosts))
                       if here != there and any(
                           here in item.members and there in item.members for item in self._endpoints)]

    def start(self) -> State:
        holds = tuple(1 << item.members[0] for item in self._endpoints)
        return State(0, 0, 0, 0, 0, (0,) * len(self.hosts), holds)

    def begins(self) -> str:
        return ". ".join("%s holds%s" % (self.hosts[item.members[0]], self._of(number))
                         for number, item in enumerate(self._endpoints)) + "."

    def steps(self, state: State) -> List[Step[State]]:
        return [*self._vrrp(state), *self._later(state), *self._outside(state)]

    def _vrrp(self, state: State) -> List[Step[State]]:
        found = []
        for number, endpoint in enumerate(self._endpoints):
            holders = state.holds[number]
            for host in endpoint.members:
                bit = 1 << host
                if not endpoint.able(state, host):
                    continue
                heard = [other for other in endpoint.members
                         if holders & endpoint.taken[host] & ~state.cut[host] & 1 << other]
                mine = endpoint.rank(state, host, holders)
                if holders & bit:
                    if any((endpoint.rank(state, other, holders), endpoint.address[other])
                           > (mine, endpoint.address[host]) for other in heard):
                        found.append(Step(("yields", host, number), _held(state, number, holders & ~bit), QUICK))
                elif all(endpoint.rank(state, other, holders) < mine for other in heard):
                    found.append(Step(("takes", host, number), _held(state, number, holders | bit), QUICK,
                                      endpoint.cause(state, host, heard, self)))
        return found

    def _later(self, state: State) -> List[Step[State]]:
        return [Step(("settles", host), state._replace(fresh=state.fresh & ~(1 << host)), SLOW)
                for host in range(len(self.hosts)) if state.fresh & 1 << host]

    def _outside(self, state: State) -> List[Step[State]]:
        found = []
        may_break = self._faults is None or self._wrong(state) < self._faults
        for host in range(len(self.hosts)):
            bit = 1 << host
            changes: List[Tuple[str, Dict[str, Any]]] = []
            if state.drained & bit:
                changes.append(("undrained", {"drained": state.drained & ~bit}))
            elif may_break:
                changes.append(("drained", {"drained": state.drained | bit}))
            if state.off & bit:
                changes.append(("boots", {"off": state.off & ~bit, "fresh": state.fresh | bit}))
            elif state.broken & bit:
                changes.append(("haproxy up", {"broken": state.broken & ~bit, "fresh": state.fresh | bit}))
            elif state.blind & bit:
                changes.append(("sees", {"blind": state.blind & ~bit}))
            elif may_break:
                changes += [("dies", {"off": state.off | bit, "fresh": state.fresh & ~bit}),
                            ("haproxy down", {"broken": state.broken | bit, "fresh": state.fresh & ~bit}),
                            ("blind", {"blind": state.blind | bit})]
            for what, values in changes:
                found.append(Step((what, host), self._released(state._replace(**values)), OUTSIDE))
        for here, there in self._links:
            bit = 1 << there
            if state.cut[here] & bit or may_break:
                what = "heard" if state.cut[here] & bit else "lost"
                cut = (*state.cut[:here], state.cut[here] ^ bit, *state.cut[here + 1:])
                found.append(Step((what, there, here), state._replace(cut=cut), OUTSIDE))
        return found

    def _wrong(self, state: State) -> int:
        return sum(bin(mask).count("1") for mask in (state.off, state.broken, state.blind, state.drained, *state.cut))

    def _released(self, state: State) -> State:
        """Who is in FAULT, or off, lets go at once."""
        return state._replace(holds=tuple(
            holders & endpoint.able_mask(state) for holders, endpoint in zip(state.holds, self._endpoints)))

    def judge(self, state: State, quiet: bool, still: bool) -> Optional[Wrong]:
        if not quiet:
            return None
        for number, endpoint in enumerate(self._endpoints):
            wrong = endpoint.judge(state, state.holds[number], self, number)
            if wrong:
                return wrong
        return None

    def say(self, label: Label) -> str:
        what, host = str(label[0]), self.hosts[int(str(label[1]))]
        if what in ("takes", "yields"):
            return _SENTENCES[what] % host + self._of(int(str(label[2]))) + "."
        if what in ("heard", "lost"):
            return _SENTENCES[what] % (self.hosts[int(str(label[2]))], host)
        return _SENTENCES[what] % host

    def _of(self, number: int) -> str:
        return "" if len(self.names) == 1 else " " + self.names[number]


_SENTENCES = {
    "takes": "%s takes over", "yields": "%s hears a holder that ranks above it, and lets go",
    "settles": "%s's HAProxy has been well for the delay of failback.", "drained": "%s is drained.",
    "undrained": "%s is undrained.", "dies": "%s loses power.", "boots": "%s boots.",
    "haproxy down": "%s's HAProxy dies.", "haproxy up": "%s's HAProxy comes back.",
    "blind": "%s's HAProxy sees no API server any more.", "sees": "%s's HAProxy sees an API server again.",
    "lost": "%s gets no adverts of %s any more.", "heard": "%s gets adverts of %s again.",
}
# How fit a host is to hold: the best one should.
_UNFIT, _LEFT_ALONE, _BLIND, _WELL = range(4)
_FIT = ("has no HAProxy", "is drained", "sees no API server", "is well")


def _held(state: State, number: int, holders: int) -> State:
    return state._replace(holds=(*state.holds[:number], holders, *state.holds[number + 1:]))


class _Endpoint:
    """One endpoint of the group; hosts by number."""

    def __init__(self, hosts: Sequence[str], part: Members, endpoint: Any) -> None:
        place = {host: number for number, host in enumerate(hosts)}
        self.members = [place[host] for host in part]
        self.failback = endpoint["failback"]
        self.delayed = not self.failback or endpoint["failback_delay"] > 0
        self.address = {place[host]: member.address for host, member in part.items()}
        self.taken = {place[host]: sum(1 << place[other] for other, theirs in part.items()
                                       if other != host and member.takes(theirs)) for host, member in part.items()}
        self._faulting = sum(1 << place[host] for host, member in part.items() if not member.broken)
        self._all = sum(1 << host for host in self.members)
        self._ranks = {place[host]: [
            member.rank(bool(code & 1), bool(code & 2), bool(code & 4), bool(code & 8), bool(code & 16))
            for code in range(32)] for host, member in part.items()}

    def able_mask(self, state: State) -> int:
        return self._all & ~state.off & ~(state.broken & self._faulting)

    def able(self, state: State, host: int) -> bool:
        return bool(self.able_mask(state) & 1 << host)

    def rank(self, state: State, host: int, holders: int) -> int:
        code = ((state.broken >> host & 1) | (state.blind >> host & 1) << 1 | (state.fresh >> host & 1) << 2
                | (state.drained >> host & 1) << 3 | (holders >> host & 1) << 4)
        return self._ranks[host][code]

    def _fit(self, state: State, host: int) -> int:
        bit = 1 << host
        if state.broken & bit:
            return _UNFIT
        if state.drained & bit:
            return _LEFT_ALONE
        return _BLIND if state.blind & bit else _WELL

    def cause(self, state: State, host: int, heard: Sequence[int], group: Group) -> Optional[Wrong]:
        """What is wrong with taking over from these, if anything."""
        mine = self._fit(state, host)
        for other in heard:
            theirs = self._fit(state, other)
            early = self.delayed and bool(state.fresh & 1 << host)
            if theirs > mine or theirs == mine != _LEFT_ALONE and (not self.failback or early):
                return Wrong(STEADY, "%s takes over from %s, which %s" % (
                    group.hosts[host], group.hosts[other], _FIT[theirs]))
        return None

    def judge(self, state: State, holders: int, group: Group, number: int) -> Optional[Wrong]:
        """What is wrong where nothing happens in VRRP any more, by what is delivered and whatever is understood."""
        name, hosts = group.names[number], group.hosts
        held = [host for host in self.members if holders & 1 << host]
        for place, one in enumerate(held):
            for other in held[place + 1:]:
                if not state.cut[one] & 1 << other and not state.cut[other] & 1 << one:
                    return Wrong(ONE, "%s and %s both hold %s, and adverts are delivered" % (
                        hosts[one], hosts[other], name))
        for host in self.members:
            bit = 1 << host
            if not self.able(state, host) or holders & bit:
                continue
            heard = [other for other in held if not state.cut[host] & 1 << other]
            if not heard:
                return Wrong(SOME, "%s could hold %s, knows of no holder, and doesn't" % (hosts[host], name))
            mine = self._fit(state, host)
            best = max(heard, key=lambda other: (self._fit(state, other), -self.members.index(other)))
            theirs = self._fit(state, best)
            if theirs < mine:
                return Wrong(RANK, "%s holds %s and %s, and %s %s" % (
                    hosts[best], name, _FIT[theirs], hosts[host], _FIT[mine]))
            if (self.failback and theirs == mine != _LEFT_ALONE and not state.fresh & bit
                    and self.members.index(host) < self.members.index(best)):
                return Wrong(PREFERRED, "%s holds %s, and %s, which is preferred, is no worse" % (
                    hosts[best], name, hosts[host]))
        return None
