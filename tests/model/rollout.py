# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout of keepalived's configuration: what a run does to hosts, task after task, and what they do meanwhile.

Between any two tasks VRRP may do what it does, a host may crash and boot, a host's turn may fail or its connection may
be lost, and the run may be killed. Another run follows, perhaps with mishaps of its own, and to the last one nothing
happens. Who is next, who is stopped, who hands over and who stays stopped is decided by `_waves`, what a lease allows
by `_lease`. The order of tasks within a turn is that of roles/endpoint/tasks, told here a second time.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, FrozenSet, Iterable, List, Mapping, NamedTuple, Optional, Set, Tuple

from ansible_collections.kubeha.apiserver.plugins.module_utils.model._accessors import members_of
from ansible_collections.kubeha.apiserver.plugins.module_utils.run import _lease
from ansible_collections.kubeha.apiserver.plugins.module_utils.run._run_lock import Clock
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.rollout import _waves
from ansible_collections.kubeha.apiserver.tests.model.group import ONE, SOME
from ansible_collections.kubeha.apiserver.tests.model.members import Member, Members, members
from ansible_collections.kubeha.apiserver.tests.model.search import OUTSIDE, QUICK, SLOW, Label, Step, Wrong

CONVERGES, SERVING = "the next run doesn't finish it", "nobody runs keepalived"
PROPERTIES = (ONE, SOME, SERVING, CONVERGES)
NONE, OLD, NEW = range(3)
NO_LEASE, COUNTS, ENDED = range(3)


@dataclass(frozen=True)
class Decisions:
    """Our code, in one place so that a test can put a mistake there. What isn't code here is in the roles."""

    backups_to_stop: Callable[..., _waves.StoppedBackups] = _waves.backups_to_stop
    waves: Callable[..., List[List[str]]] = _waves.waves
    step: Callable[..., Dict[str, Any]] = _waves.step
    ahead: Callable[..., Dict[str, List[str]]] = _waves.ahead
    may_start: Callable[..., _lease.Answer] = _lease.may_start
    is_rival: Callable[..., bool] = _lease.is_rival
    lease_step: Callable[..., _lease.Step] = _lease.step
    lease_begun: Callable[..., _lease.Lease] = _lease.begun
    unranks: bool = True            # before it looks, hosts that a killed run has left below all others
    guards: bool = True             # by a lease that has ended what it starts in doubt
    stops_leased: bool = True       # what a lease has started and doesn't prove itself, where others are put back


class Host(NamedTuple):
    """`disk` and `runs` are which plan its files are of, and the keepalived that runs."""

    disk: int
    runs: int
    up: bool = True
    enabled: bool = True
    lease: int = NO_LEASE
    moving: bool = False


Task = Tuple[str, str]
Names = FrozenSet[str]


class Run(NamedTuple):
    order: Tuple[Tuple[str, ...], ...]
    quiet: Tuple[str, ...]
    restarts: Tuple[str, ...]           # who hands over what it holds, and restarts keepalived
    seen: Names
    ran: Names
    divided: Names
    failures: Tuple[Tuple[str, str], ...]
    ahead: Tuple[Tuple[str, Tuple[str, ...]], ...]
    tasks: Tuple[Task, ...]
    number: int = -1
    turned: Names = frozenset()
    stopped: Names = frozenset()
    unsure: Names = frozenset()

    @property
    def progress(self) -> _waves.Progress:
        idle = self.seen - self.ran
        return _waves.Progress(self.turned, self.stopped, idle, self.unsure, self.divided, dict(self.ahead))


BEGINS = Run((), (), (), frozenset(), frozenset(), frozenset(), (), (), ())


class State(NamedTuple):
    """`holds` has of each endpoint who holds. `run` goes on, `runs` have begun."""

    hosts: Tuple[Host, ...]
    holds: Tuple[Names, ...]
    mishaps: int
    run: Optional[Run] = None
    runs: int = 0


class Rollout:
    """From one plan to another on hosts with the same names. `force` is what the change takes: reload or restart.

    `before` is None where nothing runs yet. `mishaps` is how many things may go wrong before the last run begins.
    `runs` is how many runs there are: the first ones begin at any time, the last one when hosts are back.
    """

    def __init__(self, before: Optional[Any], after: Any, force: str = "reload", mishaps: int = 2,
                 secrets: Tuple[str, str] = ("secret", "secret"), decisions: Decisions = Decisions(),
                 runs: int = 2) -> None:
        self._plans = {OLD: before, NEW: after}
        self.hosts = list(dict.fromkeys(host for endpoint in after["endpoints"] for host in members_of(endpoint)))
        self._place = {host: number for number, host in enumerate(self.hosts)}
        self._rekeyed = secrets[0] != secrets[1]
        self._force, self._mishaps, self._decide = force, mishaps, decisions
        self._runs = runs
        self._parts: Dict[int, List[Members]] = {
            which: members(dict.fromkeys(self.hosts, plan), dict.fromkeys(self.hosts, secret))
            for (which, plan), secret in zip(self._plans.items(), secrets) if plan}
        self.names = [endpoint["name"] for endpoint in after["endpoints"]]
        self._look = functools.cache(self._looked)
        self._understood = functools.cache(Member.takes)

    def start(self) -> State:
        if not self._plans[OLD]:
            return State((Host(NONE, NONE, enabled=False),) * len(self.hosts), (frozenset(),) * len(self.names),
                         self._mishaps)
        # Where nothing changes at all, packages or passwords do, on all hosts.
        which = {host: OLD if self._plans[OLD] == self._plans[NEW] or self._changes(host) else NEW
                 for host in self.hosts}
        return State(tuple(Host(which[host], which[host]) for host in self.hosts),
                     tuple(frozenset(list(part)[:1]) for part in self._parts[OLD]), self._mishaps)

    def _changes(self, host: str) -> bool:
        old, new = ([endpoint for endpoint in self._plans[which]["endpoints"] if host in members_of(endpoint)]
                    for which in (OLD, NEW))
        return old != new

    def begins(self) -> str:
        if not self._plans[OLD]:
            return "Nothing runs yet."
        return " ".join("%s holds%s." % (list(part)[0], self._of(number))
                        for number, part in enumerate(self._parts[OLD]))

    def steps(self, state: State) -> List[Step[State]]:
        quick = self._vrrp(state)
        quick += self._guards(state, not quick)
        return [*quick, *self._leases(state), *self._of_run(state, not quick), *self._outside(state, not quick)]

    # Hosts

    def _running(self, state: State, number: int) -> Dict[str, Member]:
        found = {}
        for host in self._parts[NEW][number]:
            look = self._at(state, host)
            if look.up and look.runs:
                found[host] = self._parts[look.runs][number][host]
        return found

    def _at(self, state: State, host: str) -> Host:
        return state.hosts[self._place[host]]

    def _set(self, state: State, host: str, **values: Any) -> State:
        """A host that has stopped holds nothing."""
        place = self._place[host]
        look = state.hosts[place]._replace(**values)
        hosts = (*state.hosts[:place], look, *state.hosts[place + 1:])
        holds = state.holds
        if not look.runs or not look.up:
            holds = tuple(names - {host} for names in holds)
        return state._replace(hosts=hosts, holds=holds)

    def _vrrp(self, state: State) -> List[Step[State]]:
        found = []
        for number, holders in enumerate(state.holds):
            running = self._running(state, number)
            ranks = {host: (mine.rank(False, False, False, self._at(state, host).moving, host in holders), mine.address)
                     for host, mine in running.items()}
            for host, mine in running.items():
                heard = [ranks[other] for other in holders
                         if other != host and self._understood(mine, running[other])]
                if host in holders:
                    if any(other > ranks[host] for other in heard):
                        found.append(Step(("yields", host, number), _held(state, number, holders - {host}), QUICK))
                elif all(other[0] < ranks[host][0] for other in heard):
                    found.append(Step(("takes", host, number), _held(state, number, holders | {host}), QUICK))
        return found

    def _leased(self, state: State, host: str) -> str:
        look = self._at(state, host)
        if not look.up or not look.lease:
            return _lease.END
        return self._decide.lease_step(_LEASE, _clock(look), bool(look.runs), state.run is not None).what

    def _leased_anew(self, state: State, host: str) -> int:
        look = self._at(state, host)
        clock = _clock(look)
        lease = self._decide.lease_begun(_LEASE if look.lease else {}, clock, {}, _lease.LIFE, "service",
                                         running=bool(look.runs))
        return COUNTS if _lease.left(lease, clock) else ENDED

    def _heard(self, state: State, host: str) -> List[_lease.Heard]:
        """Adverts that reach a host, of whatever endpoint."""
        found = []
        for number, holders in enumerate(state.holds):
            running = self._running(state, number)
            mine = self._parts[NEW][number].get(host)
            if mine:
                found += [running[other].advert for other in holders if other != host and (
                    not running[other].speaks.peers or mine.speaks.source in running[other].speaks.peers)]
        return found

    def _claimed(self, state: State, host: str) -> Dict[str, bool]:
        """Of each VIP in this host's files whether another host has it."""
        parts = self._parts[self._at(state, host).disk]
        return {vip: any(other != host and vip in self._running(state, number)[other].speaks.vips for other in holders)
                for number, holders in enumerate(state.holds) if host in parts[number]
                for vip in parts[number][host].speaks.vips}

    def _speaks(self, state: State, host: str) -> List[_lease.Dialect]:
        return [part[host].speaks for part in self._parts[self._at(state, host).disk] if host in part]

    def _guards(self, state: State, quiet: bool) -> List[Step[State]]:
        """A keepalived that its lease has started stops again where another host has the same VIP: at once where they
        don't hear each other, else when no hand-over would take as long."""
        found = []
        for host in self.hosts:
            if self._leased(state, host) != _lease.GUARD:
                continue
            claimed, speaks = self._claimed(state, host), self._speaks(state, host)
            rival = any(self._decide.is_rival(speaks, advert) for advert in self._heard(state, host))
            held = [vip for number, holders in enumerate(state.holds) if host in holders
                    for vip in self._parts[NEW][number][host].speaks.vips]
            if (rival and any(claimed.values())) or (quiet and _lease.conflict(held, claimed, claimed)):
                found.append(Step(("stops again", host), self._set(state, host, runs=NONE), QUICK))
        return found

    def _leases(self, state: State) -> List[Step[State]]:
        found = []
        for host in self.hosts:
            look, what = self._at(state, host), self._leased(state, host)
            # A run renews its leases.
            if look.lease == COUNTS and look.up and state.run is None:
                found.append(Step(("lease ends", host), self._set(state, host, lease=ENDED), SLOW))
            elif what == _lease.LOOK and self._decide.may_start(
                    self._speaks(state, host), self._claimed(state, host), self._heard(state, host)).start:
                found.append(Step(("lease starts", host), self._set(state, host, runs=look.disk), SLOW))
        return found

    # From outside

    def _outside(self, state: State, quiet: bool) -> List[Step[State]]:
        found: List[Step[State]] = []
        last = state.runs == self._runs
        # The last run begins when hosts are back and have had the seconds that they need.
        if state.run is None and not last and (
                state.runs + 1 < self._runs or quiet and all(host.up for host in state.hosts)):
            found.append(Step(("run begins", state.runs + 1), self._begun(state), OUTSIDE))
        for host in self.hosts:
            look = self._at(state, host)
            if not look.up:
                runs = look.disk if look.enabled and not look.lease else NONE
                lease = COUNTS if look.lease else NO_LEASE
                found.append(Step(("boots", host), self._set(state, host, up=True, runs=runs, lease=lease), OUTSIDE))
            elif state.mishaps and not last:
                found.append(Step(("crashes", host), _worse(self._set(state, host, up=False, runs=NONE)), OUTSIDE))
        if state.run and state.mishaps and not last:
            found.append(Step(("killed",), _worse(state._replace(run=None)), OUTSIDE))
        return found

    # A run

    def _looked(self, hosts: Tuple[Host, ...], holds: Tuple[Names, ...]) -> Tuple[Run, Tuple[str, ...]]:
        """What `endpoint_waves` begins with, and whose leases this run takes over."""
        seen: Dict[str, _waves.Seen] = {}
        deployed: Dict[str, Any] = {}
        for host, look in zip(self.hosts, hosts):
            if not look.up:
                continue
            if look.runs != NEW or look.disk != NEW:
                force = self._force if look.runs else "start"
            else:
                force = _waves.NOTHING if (look.lease, look.moving) == (NO_LEASE, False) else "enable"
            held = frozenset(vip for number, holders in enumerate(holds) if host in holders
                             for vip in self._parts[look.runs][number][host].speaks.vips)
            seen[host] = _waves.Seen(force, bool(look.runs), held, self._rekeyed and look.disk == OLD,
                                     look.runs not in (NONE, look.disk))
            if look.disk:
                deployed[host] = self._plans[look.disk]
        plan = _waves.with_deployed(self._plans[NEW], deployed)
        lost: Dict[str, str] = {}
        refused = _waves.refusals(plan, deployed, {host: look.rekeyed for host, look in seen.items()})
        crossed = self._decide.backups_to_stop(plan, deployed, seen).crossed
        for name in [*(name for dummy, name, dummy in refused), *crossed]:
            lost.update({host: "refused" for endpoint in plan["endpoints"] if endpoint["name"] == name
                         for host in members_of(endpoint) if host in seen})
        for host in _waves.neighbours(plan, lost):
            if host in seen:
                seen[host] = replace(seen[host], force=_waves.NOTHING)
        stops = self._decide.backups_to_stop(plan, deployed, seen)
        later = {host: replace(look, running=look.running and host not in stops.reasons)
                 for host, look in stops.seen.items()}
        alone = _waves.alone(plan, deployed, stops.seen, stops.reasons)
        order = tuple(tuple(wave) for wave in self._decide.waves(plan, later))
        handing = [*(("rank", host) for host in stops.reasons if stops.handing_over),
                   *(("hand", host) for host in stops.handing_over), ("choose", "")]
        # Who is alone has its VIP on the loopback interface while keepalived restarts, and nobody could take it.
        restarts = tuple(host for host, look in seen.items() if look.force == "restart" and host not in alone)
        run = Run(order, tuple(stops.reasons), restarts, frozenset(seen),
                  frozenset(host for host, look in seen.items() if look.running), frozenset(stops.divided),
                  tuple(lost.items()),
                  tuple((name, tuple(hosts)) for name, hosts in self._decide.ahead(
                      plan, deployed, {host: look.rekeyed for host, look in seen.items()}, stops.divided).items()),
                  tuple(handing) if order else ())
        return run, tuple(host for host, look in zip(self.hosts, hosts)
                          if look.up and look.lease and not look.runs and seen[host].has_work)

    def _begun(self, state: State) -> State:
        """Whom a run that is gone has left below all others gets its planned rank, and the time to take over with it,
        before this one looks."""
        left = [host for host, look in zip(self.hosts, state.hosts) if look.up and look.moving and self._decide.unranks]
        tasks = [*(("unrank", host) for host in left), *([("settle", "")] if left else []), ("look", "")]
        return state._replace(run=BEGINS._replace(tasks=tuple(tasks)), runs=state.runs + 1)

    def _seen(self, state: State) -> State:
        run, leased = self._look(state.hosts, state.holds)
        for host in leased:
            state = self._set(state, host, lease=COUNTS)
        return self._next(state._replace(run=run))

    def _next(self, state: State) -> State:
        """With the tasks of the next wave, where this one's are done; without the run, where all is done."""
        while state.run and not state.run.tasks:
            run = state.run
            number = run.number + 1
            plan, failures = self._plans[NEW], dict(run.failures)
            if number > len(run.order):
                return state._replace(run=None)
            if number < len(run.order):
                # Locks are renewed on all members.
                concerned = _waves.neighbours(plan, {host: "" for wave in run.order for host in wave})
                for host in concerned:
                    if host in run.seen and host not in failures and not self._at(state, host).up:
                        state = self._failed(state, host, "it was lost on the way", True)
                        assert state.run
                        run, failures = state.run, dict(state.run.failures)
            said = self._decide.step(plan, run.order, number, failures, run.progress)
            if number == len(run.order):
                tasks = self._at_the_end(run, said)
            else:
                tasks = [task for tasks in zip(*(self._turn(run, host) for host in said["hosts"])) for task in tasks]
            tasks = [task for task in tasks if task[0] != "-"]
            state = state._replace(run=run._replace(
                number=number, tasks=tuple(tasks), turned=run.turned.union(said["hosts"])))
        return state

    def _turn(self, run: Run, host: str) -> List[Task]:
        """change.yml; each turn has as many tasks, because hosts of a wave go together."""
        restarted = host in run.restarts and host not in run.stopped
        return [(what if doing else "-", host) for what, doing in (
            ("rank", restarted), ("hand", restarted), ("files", True), ("halt", restarted), ("load", True),
            ("prove", True))]

    def _at_the_end(self, run: Run, said: Mapping[str, Any]) -> List[Task]:
        tasks = []
        for host in said.get("silenced", ()):
            doubts = ",".join(said["doubtful"].get(host, ()))
            tasks.append(("again " + doubts, host))
        return tasks + [("unrank", host) for host in run.quiet]

    def _of_run(self, state: State, quiet: bool) -> List[Step[State]]:
        if not state.run:
            return []
        (what, host), rest = state.run.tasks[0], state.run.tasks[1:]
        label: Label = (what, host)
        after = state._replace(run=state.run._replace(tasks=rest))
        if what == "settle":
            return [Step(label, after, SLOW)] if quiet else []
        if what == "look":
            return [Step(label, self._seen(after), SLOW)]
        if what != "choose" and not self._at(state, host).up:
            return [Step(("unreachable", host), self._next(self._failed(after, host, "lost", True)), SLOW)]
        # Stopping follows a lease at once.
        pace = QUICK if what == "stop" else SLOW
        if what == "prove" and not self._at(state, host).runs:
            return [Step(("fails", host), self._next(self._put_back(after, host)), pace)]
        found = [Step((name, host), self._next(done), pace) for name, done in self._done(after, label, quiet)]
        if state.runs < self._runs and state.mishaps and what in ("stop", "files", "load", "prove"):
            lost = self._failed(_worse(after), host, "it was lost on the way", True)
            found.append(Step(("lost", host), self._next(lost), OUTSIDE))
            if what == "prove":
                found.append(Step(("fails", host), self._next(self._put_back(_worse(after), host)), OUTSIDE))
        return found

    def _done(self, state: State, label: Label, quiet: bool) -> Iterable[Tuple[str, State]]:
        """What a task leaves; nothing while it waits."""
        what, host = str(label[0]), str(label[1])
        assert state.run
        run = state.run
        holds = any(host in holders for holders in state.holds)
        if what == "rank":
            yield what, self._set(state, host, moving=True)
        elif what == "hand" and not holds:
            yield what, state
        elif what == "hand" and quiet:
            # Nobody takes it.
            yield "keeps", state if run.number >= 0 else self._failed(state, host, "nobody took it", False)
        elif what == "choose":
            spared = _waves.neighbours(self._plans[NEW], dict(run.failures))
            tasks = [task for other in run.quiet if other not in spared
                     for task in (("lease", other), ("stop", other))]
            yield what, state._replace(run=run._replace(tasks=tuple(tasks)))
        elif what == "lease":
            yield what, self._set(state, host, lease=self._leased_anew(state, host))
        elif what == "stop":
            # Renewed at once.
            silent = self._set(state, host, runs=NONE, enabled=False, lease=COUNTS)
            yield what, silent._replace(run=run._replace(stopped=run.stopped | {host}))
        elif what == "files":
            yield what, self._set(state, host, disk=NEW)
        elif what == "halt":
            yield what, self._set(state, host, runs=NONE)
        elif what == "load":
            yield what, self._set(state, host, runs=NEW, enabled=True)
        elif what == "prove":
            yield what, self._set(state, host, lease=NO_LEASE, moving=False)
        elif what == "unrank":
            yield what, self._set(state, host, moving=False)
        elif what.startswith("again "):
            doubts = what.split(" ", 1)[1].split(",")
            if any(holders - {host} for name, holders in zip(self.names, state.holds) if name in doubts):
                yield "stays", self._set(state, host, lease=ENDED)
            else:
                lease = ENDED if doubts != [""] and self._decide.guards else NO_LEASE
                yield "starts again", self._set(
                    state, host, runs=self._at(state, host).disk, enabled=not lease, lease=lease)

    def _failed(self, state: State, host: str, why: str, unsure: bool) -> State:
        """Of whom nobody knows what they run nothing more is done."""
        assert state.run
        run = state.run
        return state._replace(run=run._replace(
            failures=(*run.failures, (host, why)), unsure=run.unsure | {host} if unsure else run.unsure,
            tasks=tuple(task for task in run.tasks if task[1] != host)))

    def _put_back(self, state: State, host: str) -> State:
        """The former files, or nothing where keepalived didn't run, was stopped, or was started by a lease."""
        assert state.run
        run = state.run
        state = self._failed(state, host, "it failed", False)
        leased = self._decide.stops_leased and self._at(state, host).lease
        if host in run.ran and host not in run.stopped and not leased:
            return self._set(state, host, disk=OLD, runs=OLD, moving=False)
        return self._set(state, host, runs=NONE, enabled=False, moving=False)

    # What has to be true

    def judge(self, state: State, quiet: bool, still: bool) -> Optional[Wrong]:
        unharmed = state.mishaps == self._mishaps
        for number, holders in enumerate(state.holds):
            running = self._running(state, number)
            if self._plans[OLD] and unharmed and not running:
                return Wrong(SERVING, "no member of %s runs keepalived, though nothing has failed" % self.names[number])
            if quiet and len(holders) > 1:
                return Wrong(ONE, "%s both hold %s, and adverts are delivered" % (
                    " and ".join(sorted(holders)), self.names[number]))
            able = [host for host in self._parts[NEW][number] if self._at(state, host).up and (
                host in running or self._at(state, host).lease and not self._beside_a_stranger(state, host))]
            if still and not holders and able:
                return Wrong(SOME, "nobody holds %s, and %s could" % (self.names[number], able[0]))
        if still and state.runs == self._runs and state.run is None:
            for host in self.hosts:
                if self._at(state, host) != Host(NEW, NEW):
                    return Wrong(CONVERGES, "the next run has ended, and %s %s" % (
                        host, _state_of(self._at(state, host))))
        return None

    def _beside_a_stranger(self, state: State, host: str) -> bool:
        """Whether it would be a second holder of something: one keepalived serves all endpoints of a host."""
        parts = self._parts[self._at(state, host).disk]
        return any(host in part and not self._understood(part[host], self._running(state, number)[other])
                   for number, (part, holders) in enumerate(zip(parts, state.holds)) for other in holders - {host})

    def say(self, label: Label) -> str:
        what = str(label[0])
        if what == "run begins":
            return "A run begins." if label[1] == 1 else "The next run begins."
        if what in _ABOUT_ALL:
            return _ABOUT_ALL[what]
        sentence = _SENTENCES[what] % label[1]
        return sentence + (self._of(int(str(label[2]))) + "." if what in ("takes", "yields") else "")

    def _of(self, number: int) -> str:
        return "" if len(self.names) == 1 else " " + self.names[number]


_ABOUT_ALL = {"killed": "The run is killed.", "look": "The run looks at all hosts.",
              "settle": "The run gives VIPs the time to move.",
              "choose": "The run chooses which backups it stops."}
_SENTENCES = {
    "takes": "%s takes over", "yields": "%s hears a holder that ranks above it, and lets go",
    "stops again": "%s hears a holder that wouldn't hear it, and stops again.",
    "lease ends": "The lease on %s ends.", "lease starts": "%s's lease has keepalived start again.",
    "boots": "%s boots.", "crashes": "%s loses power.",
    "unreachable": "The run can't reach %s.", "lost": "The run loses its connection to %s.",
    "fails": "%s can't prove itself, and is put back or stopped.",
    "rank": "The run has %s rank below all others.", "hand": "%s has handed over what it held.",
    "keeps": "%s keeps what it holds, because nobody takes it.",
    "lease": "The run takes a lease on %s.", "stop": "The run stops keepalived on %s.",
    "files": "The run puts new files into place on %s.", "halt": "keepalived ends on %s, to be restarted.",
    "load": "%s's keepalived loads the new files.", "prove": "%s proves itself.",
    "unrank": "%s has its planned rank again.", "stays": "%s stays stopped, because another host holds.",
    "starts again": "The run starts keepalived on %s as before.",
}


_LEASE = _lease.begun({}, Clock("boot", 0), {}, _lease.LIFE, "service")


def _clock(look: Host) -> Clock:
    return Clock("boot", 2 * _lease.LIFE if look.lease == ENDED else 0)


def _held(state: State, number: int, holders: Names) -> State:
    return state._replace(holds=(*state.holds[:number], holders, *state.holds[number + 1:]))


def _worse(state: State) -> State:
    return state._replace(mishaps=state.mishaps - 1)


def _state_of(look: Host) -> str:
    said: Set[str] = set()
    if look.runs != NEW:
        said.add("runs no keepalived" if not look.runs else "runs the former plan")
    if look.disk != NEW:
        said.add("has the former files")
    if look.lease:
        said.add("has a lease")
    if look.moving:
        said.add("ranks below all others")
    return " and ".join(sorted(said))
