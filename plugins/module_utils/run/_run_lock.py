# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Which run may change a host. Pure: notes that are on the host, and its clock, in; new notes out.

Times are seconds since the host's boot, and say of which boot: no clock that somebody sets moves a lock's end. A lock
of another boot is void.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional

Note = Dict[str, Any]

# A lock that isn't renewed counts no more after this. Each change renews it.
LIFE = 600.0
# Nobody keeps a host for longer without a word, whatever a note says.
LONGEST = 7200.0
_WHO = ("controller", "process", "started")


@dataclass(frozen=True)
class Clock:
    """Seconds since boot, suspended time included, and which boot."""

    boot: str
    now: float

    def __str__(self) -> str:
        return "%s %.3f" % (self.boot, self.now)


def moment(text: str) -> Optional[Clock]:
    """What a Clock printed; None where it's something else."""
    boot, dummy, now = text.rpartition(" ")
    try:
        return Clock(boot, float(now)) if boot else None
    except ValueError:
        return None


def note_of(found: Any) -> Note:
    """A stored note, or nothing: others than us may have written the file."""
    if not isinstance(found, dict) or not isinstance(found.get("boot"), str):
        return {}
    if not all(_is_number(found.get(key)) for key in ("at", "until")):
        return {}
    return found if found.get("within") is None or _is_number(found["within"]) else {}


def _is_number(value: Any) -> bool:
    # Neither NaN nor infinity.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e12


def is_same(note: Mapping[str, Any], owner: Mapping[str, Any]) -> bool:
    return all(note.get(key) == owner.get(key) for key in _WHO)


def counts(note: Mapping[str, Any], clock: Clock) -> bool:
    """Whether a lock still keeps others out."""
    return bool(note) and note["boot"] == clock.boot and clock.now < min(note["until"], note["at"] + LONGEST)


@dataclass(frozen=True)
class Answer:
    """`lock` is the note to be stored; None where there's to be none. `holder` or `changer` is who is in the way."""

    lock: Optional[Note] = None
    holder: Note = field(default_factory=dict)
    changer: Note = field(default_factory=dict)
    lost: str = ""


def take(lock: Note, last: Note, owner: Mapping[str, Any], clock: Clock, life: float = LIFE, since: str = "",
         within: Optional[float] = None, force: bool = False) -> Answer:
    """Take the lock, or renew it. `last` is who released it last, `since` when the caller has looked at the host.

    `within` seconds from now all changes have to be begun, however often the lock is renewed meanwhile.
    """
    other = lock if lock and not is_same(lock, owner) else {}
    if counts(other, clock) and not force:
        return Answer(lock, holder=other)
    looked = moment(since)
    if looked is not None:
        if looked.boot != clock.boot:
            return Answer(lock or None, changer={"name": "a restart of the host", "boot": clock.boot, "at": 0.0})
        # A lock that counts no more is one of a run that was killed on the way.
        for note in (last, other):
            if note and not is_same(note, owner) and note["boot"] == clock.boot and note["at"] >= looked.now:
                return Answer(lock or None, changer=note)
    return Answer(_note(owner, clock, life, None if within is None else clock.now + within))


def _note(owner: Mapping[str, Any], clock: Clock, life: float, within: Optional[float]) -> Note:
    who = {key: owner.get(key) for key in (*_WHO, "name")}
    return dict(who, boot=clock.boot, at=round(clock.now, 3), until=round(clock.now + min(life, LONGEST), 3),
                within=None if within is None else round(within, 3))


def release(lock: Note, owner: Mapping[str, Any], clock: Clock) -> Optional[Note]:
    """Who released it, where it was the owner's; None where it's left alone."""
    return _note(owner, clock, 0.0, None) if lock and is_same(lock, owner) else None


def own(lock: Note, owner: Mapping[str, Any], clock: Clock, life: float = LIFE) -> Answer:
    """Before a change: is the host still this run's? `owner["held"]` is whether the run has taken it.

    A run that hasn't is only kept from changing what somebody else is changing. One's own lock that has run out counts
    as long as nobody else wanted it: what it forbids is `within`.
    """
    if lock and is_same(lock, owner):
        if lock["boot"] != clock.boot:
            return Answer(lost="the host was restarted since this run has taken it")
        if lock.get("within") is not None and clock.now > lock["within"]:
            return Answer(lock, lost="this run took too long: backups that it had stopped may have started again")
        until = max(lock["until"], clock.now + life)
        return Answer(dict(lock, at=round(clock.now, 3), until=round(until, 3)))
    # Of the controller's own runs it knows which have ended.
    void = owner.get("void")
    if counts(lock, clock) and not (isinstance(void, dict) and void and is_same(lock, void)):
        return Answer(lock, holder=lock, lost="%s changes this host" % lock.get("name"))
    return Answer(lock or None, lost="this run's lock is gone: another run has changed this host meanwhile"
                  if owner.get("held") else "")
