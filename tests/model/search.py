# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An explicit-state search: all states that a model can come to, the shortest way first.

Model checkers such as SPIN and solvers such as Z3 want the whole model in a language of their own, so the plan and the
order of a rollout would have to be written a second time there, and that copy would be what is checked. This search
calls the code that users run, and needs a hundred lines and no package.
"""

from __future__ import annotations

import random
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Callable, Dict, Generic, Hashable, List, NamedTuple, Optional, Protocol, Sequence, Tuple, TypeVar

S = TypeVar("S", bound=Hashable)
# What happens, by which model, and to whom: `Model.say` makes a sentence of it.
Label = Tuple[Hashable, ...]
# VRRP's own timers come before all that takes longer, and that before what somebody does or what breaks.
QUICK, SLOW, OUTSIDE = range(3)
LIVELOCK = "livelock"


class Wrong(NamedTuple):
    """A property that doesn't hold, and a sentence that says so."""

    what: str
    why: str


# Before Python 3.11 a named tuple can't be generic.
@dataclass
class Step(Generic[S]):
    """One thing that may happen. `wrong` is set where it breaks a property whatever comes after it."""

    label: Label
    state: S
    pace: int
    wrong: Optional[Wrong] = None


class Model(Protocol[S]):
    def start(self) -> S:
        ...

    def steps(self, state: S) -> List[Step[S]]:
        ...

    def judge(self, state: S, quiet: bool, still: bool) -> Optional[Wrong]:
        """`quiet` is that VRRP's timers have nothing left to do, `still` that nothing happens by itself any more."""

    def say(self, label: Label) -> str:
        ...

    def begins(self) -> str:
        ...


@dataclass
class Found:
    """What was seen. `path` leads to what is wrong, if anything is."""

    states: int = 0
    transitions: int = 0
    depth: int = 0
    complete: bool = False
    seconds: float = 0.0
    wrong: Optional[Wrong] = None
    path: List[Label] = field(default_factory=list)


def explore(model: Model[S], seconds: float = float("inf"),
            told: Callable[[int, int], None] = lambda known, waiting: None) -> Found:
    """Breadth first, until all is seen, something is wrong, or time is up.

    `told` is called every few seconds, with how many states are known and how many of them are still to be looked at.
    """
    began = last = time.monotonic()
    found = Found()
    first = model.start()
    number: Dict[S, int] = {first: 0}
    waiting = deque([first])
    came: List[Tuple[int, Optional[Label]]] = [(0, None)]
    depths = [0]
    # What happens by itself, to find out whether it ends.
    by_itself: Dict[int, List[int]] = {}

    def path(place: int) -> List[Label]:
        labels: List[Label] = []
        while True:
            place, label = came[place]
            if label is None:
                return labels[::-1]
            labels.append(label)

    while waiting:
        now = time.monotonic()
        if now - last > 5:
            last = now
            told(len(came), len(waiting))
        if now - began > seconds:
            break
        state = waiting.popleft()
        place = number[state]
        steps = model.steps(state)
        paces = {step.pace for step in steps}
        found.wrong = model.judge(state, QUICK not in paces, not paces & {QUICK, SLOW})
        if found.wrong:
            found.path = path(place)
            break
        for step in steps:
            found.transitions += 1
            following = number.get(step.state)
            if following is None:
                following = number[step.state] = len(came)
                came.append((place, step.label))
                depths.append(depths[place] + 1)
                waiting.append(step.state)
            if step.pace != OUTSIDE:
                by_itself.setdefault(place, []).append(following)
            if step.wrong:
                found.wrong, found.path = step.wrong, [*path(place), step.label]
                break
        if found.wrong:
            break
    else:
        found.complete = True
        circling = _circling(by_itself)
        if circling:
            found.wrong = Wrong(LIVELOCK, "this goes on and on, though nothing happens from outside")
            found.path = path(min(circling, key=depths.__getitem__)) + _circle(model, number, circling)
    found.states, found.depth, found.seconds = len(came), depths[-1], time.monotonic() - began
    return found


def _circling(by_itself: Dict[int, List[int]]) -> List[int]:
    """Places from which something may go on for ever: what is left when all that ends has been taken away."""
    left = {place: len(following) for place, following in by_itself.items()}
    before: Dict[int, List[int]] = {}
    for place, following in by_itself.items():
        for other in following:
            before.setdefault(other, []).append(place)
    ended = [place for place in before if place not in left]
    while ended:
        for place in before.get(ended.pop(), ()):
            left[place] -= 1
            if not left[place]:
                ended.append(place)
    return [place for place, count in left.items() if count]


def _circle(model: Model[S], number: Dict[S, int], circling: Sequence[int]) -> List[Label]:
    """Once around."""
    places = set(circling)
    states = {place: state for state, place in number.items() if place in places}
    state, labels, seen = states[min(places)], [], set()
    while state not in seen:
        seen.add(state)
        step = next(step for step in model.steps(state) if step.pace != OUTSIDE and number[step.state] in places)
        labels.append(step.label)
        state = step.state
    return labels


def walk(model: Model[S], seed: int, walks: int, length: int, seconds: float = float("inf")) -> Found:
    """At random, for what is too large to be seen whole. After each thing that happens VRRP has its time or not. Of
    what is found everything is left out that isn't needed."""
    began = time.monotonic()
    chance = random.Random(seed)
    found = Found()
    for dummy in range(walks):
        state = model.start()
        path: List[Label] = []
        while len(path) < length and time.monotonic() - began < seconds:
            steps = model.steps(state)
            quick = [step for step in steps if step.pace == QUICK]
            if not steps:
                break
            step = chance.choice(quick if quick and chance.random() < 0.7 else steps)
            path.append(step.label)
            found.transitions += 1
            found.wrong = step.wrong or _judged(model, step.state)
            if found.wrong:
                found.path = _shortened(model, path, found.wrong.what)
                found.seconds = time.monotonic() - began
                return found
            state = step.state
        found.states += len(path)
        found.depth = max(found.depth, len(path))
    found.seconds = time.monotonic() - began
    return found


def _judged(model: Model[S], state: S) -> Optional[Wrong]:
    paces = {step.pace for step in model.steps(state)}
    return model.judge(state, QUICK not in paces, not paces & {QUICK, SLOW})


def replay(model: Model[S], path: Sequence[Label]) -> Tuple[Optional[Wrong], S]:
    """What goes wrong on that way, if anything, and where it ends; what can't happen there is left out."""
    state = model.start()
    wrong = _judged(model, state)
    for label in path:
        if wrong:
            break
        step = next((step for step in model.steps(state) if step.label == label), None)
        if step:
            wrong, state = step.wrong or _judged(model, step.state), step.state
    return wrong, state


def _shortened(model: Model[S], path: List[Label], what: str) -> List[Label]:
    place = len(path) - 1
    while place >= 0:
        shorter = path[:place] + path[place + 1:]
        wrong = replay(model, shorter)[0]
        if wrong and wrong.what == what:
            path = shorter
        place -= 1
    return path


def story(model: Model[S], found: Found) -> str:
    """In numbered sentences: how it begins, what happens, and what is wrong then."""
    assert found.wrong, "nothing is wrong"
    sentences = [model.begins(), *map(model.say, found.path), "So: %s (%s)." % (found.wrong.why, found.wrong.what)]
    return "\n".join("%d. %s" % item for item in enumerate(sentences, 1))
