# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""When a keepalived that a run has stopped may start again without it. Pure: notes, clock and what was heard in.

A run stops backups while members wouldn't take each other's adverts, and has a lease on each that it renews. When that
has run out the run is gone, or too slow to go on: it notices before its next change. Members may differ by then in
what they speak, so a backup starts only

- where nobody has any of its VIPs: the endpoint is down, and holding it again is right;
- or where who has them speaks what this host speaks, so that it's heard.

Once it speaks it goes on listening, and is stopped again where another host has the same VIP.
"""

from __future__ import annotations

import ipaddress
import math
from dataclasses import dataclass
from typing import Any, Collection, Dict, FrozenSet, Iterable, List, Mapping, Optional, Tuple

from ._run_lock import Clock

SCHEMA = 1
SILENT, SPEAKING = "silent", "speaking"
LIFE = 600.0
# How often is looked, before and after the lease has run out, and how far hosts that start at the same time are apart.
PAUSE = 5.0
RETRY = 30.0
BREATH = 0.5
APART = 8.0
# Nobody is asked to wait for longer, however many members there are.
_LONGEST_TURN = 60.0

Lease = Dict[str, Any]


def begun(before: Lease, clock: Clock, run: Mapping[str, Any], life: float, mode: str, manifest: str = "",
          running: bool = False) -> Lease:
    """A new lease, or a renewed one: what it says of the beginning stays. With no `life` it ends at once.

    One that has ended while keepalived runs stays so: it's watched until the run has stopped it.
    """
    if before and step(before, clock, running, False).what == GUARD:
        return before
    since = before["since"] if before and before["boot"] == clock.boot else clock.now
    return {"schema": SCHEMA, "boot": clock.boot, "since": round(since, 3), "until": round(clock.now + life, 3),
            "life": life, "run": dict(run), "mode": mode, "manifest": manifest, "phase": SILENT, "why": ""}


def lease_of(found: Any) -> Lease:
    """A stored lease, or nothing."""
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        return {}
    if not all(isinstance(found.get(key), (int, float)) and math.isfinite(found[key])
               for key in ("since", "until", "life")):
        return {}
    if not all(isinstance(found.get(key), str) for key in ("boot", "mode", "manifest", "phase", "why")):
        return {}
    return found if isinstance(found.get("run"), dict) else {}


def left(lease: Mapping[str, Any], clock: Clock) -> float:
    """Seconds for which the run still has its word. After a restart of the host it has as many as it had asked for."""
    until: float = lease["until"] if lease["boot"] == clock.boot else lease["life"]
    return max(0.0, min(until - clock.now, float(lease["life"])))


def since(lease: Mapping[str, Any], clock: Clock) -> float:
    """How many seconds ago it began, as far as that is known."""
    start: float = lease["since"] if lease["boot"] == clock.boot else 0.0
    return max(0.0, clock.now - start)


# What a configuration of ours speaks


@dataclass(frozen=True)
class Dialect:
    """One VRRP instance, as far as others have to agree with it."""

    interface: str
    vrid: int
    version: int
    auth: str                       # none, pass or hmac
    password: str
    interval: float
    vips: FrozenSet[str]
    source: str
    peers: FrozenSet[str]           # none with multicast

    @property
    def family(self) -> str:
        return "ipv6" if any(":" in vip for vip in self.vips) else "ipv4"

    def __repr__(self) -> str:
        return "Dialect(%s, %d)" % (self.interface, self.vrid)


def dialects(text: str) -> List[Dialect]:
    """Of a keepalived.conf that this collection wrote; raises ValueError where it's none."""
    found = []
    for instance in _instances(text):
        words = {line.split()[0]: line.split(None, 1)[1].strip() for line in instance[""] if len(line.split()) > 1}
        secrets = {line.split()[0]: line.split(None, 1)[1] for line in instance.get("authentication", ())}
        vips = frozenset(_address(line) for line in instance.get("virtual_ipaddress", ()))
        try:
            found.append(Dialect(
                words["interface"], int(words["virtual_router_id"]), int(words["version"]),
                "pass" if secrets else "hmac" if "auth_hmac" in instance else "none", secrets.get("auth_pass", ""),
                float(words["advert_int"]), vips,
                _address(words.get("unicast_src_ip") or words.get("mcast_src_ip", "")),
                frozenset(_address(line) for line in instance.get("unicast_peer", ()))))
        except (KeyError, IndexError) as error:
            raise ValueError("an instance lacks %s" % error) from None
    if not found or not all(item.vips for item in found):
        raise ValueError("it has no VRRP instance with addresses")
    return found


def _address(line: str) -> str:
    """As adverts have it."""
    word = (line.split() or [""])[0].partition("/")[0]
    return str(ipaddress.ip_address(word)) if word else ""


def _instances(text: str) -> Iterable[Dict[str, List[str]]]:
    """Lines of each vrrp_instance by the block that they're in, its own by nothing."""
    blocks: List[str] = []
    instance: Dict[str, List[str]] = {}
    for line in (line.strip() for line in text.splitlines()):
        if not line or line[0] in "#!":
            continue
        if line.endswith("{"):
            blocks.append(line.split()[0])
            if blocks == ["vrrp_instance"]:
                instance = {"": []}
            elif blocks[0] == "vrrp_instance":
                instance.setdefault(blocks[-1], [])
        elif line == "}":
            if blocks == ["vrrp_instance"]:
                yield instance
            del blocks[-1:]
        elif blocks[:1] == ["vrrp_instance"]:
            instance[blocks[1] if len(blocks) > 1 else ""].append(line)


# What was seen of the network


@dataclass(frozen=True)
class Heard:
    """An advert that came through this host's packet filter, as keepalived would get it."""

    interface: str
    source: str
    vrid: int
    version: int
    auth: str
    password: str
    interval: float
    addresses: FrozenSet[str]
    priority: int
    group: bool = False             # by multicast


@dataclass(frozen=True)
class Answer:
    """Whether to start. `alone` is that nobody has any VIP."""

    start: bool
    why: str
    alone: bool = False


def may_start(speaks: Collection[Dialect], claimed: Mapping[str, bool], heard: Collection[Heard]) -> Answer:
    """`claimed` says of each VIP whether another host has it; one that isn't there couldn't be asked for."""
    alone = True
    for mine in speaks:
        unknown = sorted(mine.vips - set(claimed))
        if unknown:
            return Answer(False, "the network can't be asked who has %s" % ", ".join(unknown))
        held = sorted(vip for vip in mine.vips if claimed[vip])
        about = [advert for advert in heard if _is_about(mine, advert)]
        strange = [advert for advert in about if not understands(mine, advert)]
        if strange:
            return Answer(False, "%s speaks another way of %s than this host does" % (
                strange[0].source, ", ".join(sorted(mine.vips))))
        if held and not about:
            return Answer(False, "another host has %s, and isn't heard" % ", ".join(held))
        alone = alone and not held and not about
    return Answer(True, "nobody has its addresses" if alone else "the holder speaks as this host does", alone)


def _is_about(mine: Dialect, advert: Heard) -> bool:
    """What strangers send keeps nobody silent: who has a VIP and isn't heard does."""
    return (advert.interface == mine.interface and advert.priority > 0
            and (":" in advert.source) == (mine.family == "ipv6")
            and (not mine.peers or advert.source in mine.peers)
            and (advert.vrid == mine.vrid or bool(advert.addresses & mine.vips)))


def is_rival(speaks: Collection[Dialect], advert: Heard) -> bool:
    """Whether who sent that says to have a VIP of this host's, and they wouldn't hear each other."""
    return any(_is_about(mine, advert) and bool(advert.addresses & mine.vips) and not understands(mine, advert)
               for mine in speaks)


def understands(mine: Dialect, advert: Heard) -> bool:
    """Whether keepalived would take that advert."""
    # With peers it doesn't join the group, and in the group it has no peers.
    if advert.group == bool(mine.peers):
        return False
    # What hmac says can't be told from here.
    if mine.auth == "hmac" or advert.auth != mine.auth or (mine.auth == "pass" and advert.password != mine.password):
        return False
    if mine.version == 2 and advert.interval != mine.interval:
        return False
    return (advert.vrid, advert.version, advert.addresses) == (mine.vrid, mine.version, mine.vips)


def turn(speaks: Collection[Dialect]) -> float:
    """Seconds to wait before the last look, so that hosts that may differ don't start at the same time."""
    places = [sorted({*item.peers, item.source}).index(item.source) for item in speaks if item.peers]
    return min(_LONGEST_TURN, APART * max(places, default=0))


@dataclass(frozen=True)
class Step:
    """What the host's program does next: nothing, look, or look for another holder."""

    what: str
    pause: float = 0.0


WAIT, LOOK, GUARD, END = "wait", "look", "guard", "end"


def step(lease: Lease, clock: Clock, running: bool, others: bool) -> Step:
    """`running` is whether keepalived runs here, `others` whether a run that isn't the lease's changes this host."""
    if not lease:
        return Step(END)
    remaining = left(lease, clock)
    # A pod that has started by its lease starts with its host as well, whoever has a word then.
    if running and (remaining <= 0 or lease["phase"] == SPEAKING):
        return Step(GUARD, BREATH)
    if remaining > 0:
        return Step(WAIT, min(remaining, PAUSE))
    return Step(WAIT, PAUSE) if others else Step(LOOK, RETRY)


def conflict(held: Collection[str], first: Mapping[str, bool], second: Mapping[str, bool]) -> Tuple[str, ...]:
    """VIPs that this host has still and that another host had twice in a row: no hand-over takes as long."""
    return tuple(sorted(vip for vip in held if first.get(vip) and second.get(vip)))


def described(lease: Lease, clock: Clock, running: Optional[bool]) -> Dict[str, Any]:
    """What `status` says of it; nothing where there's none."""
    if not lease:
        return {}
    return {"run": str(lease["run"].get("name") or "a run"), "since": round(since(lease, clock), 1),
            "left": round(left(lease, clock), 1), "phase": SPEAKING if running else SILENT, "why": lease["why"]}
