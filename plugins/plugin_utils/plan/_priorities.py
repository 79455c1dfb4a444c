# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Priorities of balancers, and the weights of what may change them.

While it runs, a balancer's effective priority is

    priority
    + bonus     while it holds the VIP; only without failback, so that the VIP stays where it is
    + settle    (negative) while its HAProxy is healthy for less than failback_delay and it doesn't hold; only with
                failback, so that a host that has just returned waits
    + weight    (negative) while its HAProxy sees no API server

With ``span`` the distance between the highest and the lowest priority, it must hold that

    bonus or |settle| > span                      else it couldn't outweigh a preferred host
    |weight| > span + bonus or |settle|           else a host that fails the check could rank above one that passes
    lowest + weight >= 2                          else a drained host, which is cut to 1, would tie with one that isn't
    highest + bonus <= 254

for any set of failed hosts to leave the best host with the VIP (RFC 9568 section 5.2.4: 0 and 255 have meanings of
their own; keepalived.conf(5) cuts effective priorities to 1 to 254). A weight of twice the bonus fulfils the second as
soon as the bonus fulfils the first. Weights that leave room for settle as well are taken where there are any. Where
priorities lie too far apart for that, a host that sees no API server and has just returned has 1, too: for the time of
the delay it may leave the VIP to a drained one.
"""

from __future__ import annotations

import itertools
import typing as t

from ..intent._errors import Problems, Where
from ..intent._spec import HostValue

HIGHEST_COMPUTED = 150
# 1 is what is left of a host that is drained.
LOWEST_EFFECTIVE = 2
HIGHEST_VALID = 254

# The bonus of endpoints with up to 25 balancers without explicit priorities: adding one changes nothing on the others.
CONSTANT_BONUS = 25
CONSTANT_UP_TO = CONSTANT_BONUS


class Ranks(t.NamedTuple):
    """Priorities by host and what is added to them."""

    priorities: dict[str, int]
    weight: int
    bonus: int      # 0 with failback
    settle: int     # 0 without failback

    @property
    def preferred(self) -> str:
        """The host with the highest priority."""
        return max(self.priorities, key=lambda host: self.priorities[host])


def rank(findings: Problems, where: str, hosts: list[str], explicit: dict[str, HostValue],
         failback: bool) -> Ranks | None:
    """Give each host a priority: the explicit one, or 150, 149, 148, ... in the order of the list.

    ``where`` is the variable that lists the hosts. Ties and priorities that leave no room for the weights are problems.
    """
    priorities: dict[str, int] = {}
    computed = HIGHEST_COMPUTED
    for host in hosts:
        if host in explicit:
            priorities[host] = explicit[host].value
        else:
            priorities[host] = computed
            computed -= 1
    weights = _weights(list(priorities.values()), failback)
    if weights is None and not explicit:
        _refuse_count(findings, where, len(hosts), failback)
        return None
    tied = _refuse_ties(findings, priorities, explicit)
    if weights is None:
        _refuse_span(findings, where, priorities, failback)
    if weights is None or tied:
        return None
    return Ranks(priorities, *weights)


def _weights(priorities: list[int], failback: bool) -> tuple[int, int, int] | None:
    """Weight, bonus and settle: the constants where they fit, else the smallest that do."""
    low, high = min(priorities), max(priorities)
    span = high - low
    shifts = [shift for shift in (CONSTANT_BONUS, span + 1) if shift > span]
    # Of the weight, which is twice the shift, and of settle.
    for parts, shift in itertools.product((3, 2) if failback else (2,), shifts):
        bonus, settle = (0, -shift) if failback else (shift, 0)
        if low - parts * shift >= LOWEST_EFFECTIVE and high + bonus <= HIGHEST_VALID:
            return -2 * shift, bonus, settle
    return None


def _limit(failback: bool) -> int:
    """How many balancers there can be if none has an explicit priority."""
    count = CONSTANT_UP_TO
    while _weights([HIGHEST_COMPUTED, HIGHEST_COMPUTED - count], failback):
        count += 1
    return count


def _refuse_ties(findings: Problems, priorities: dict[str, int], explicit: dict[str, HostValue]) -> bool:
    owners: dict[int, str] = {}
    used = frozenset(priorities.values())
    free = next((number for number in range(HIGHEST_COMPUTED, 0, -1) if number not in used), HIGHEST_VALID)
    tied = False
    for host, priority in priorities.items():
        other = owners.setdefault(priority, host)
        if other == host:
            continue
        tied = True
        culprit, rival = (host, other) if host in explicit else (other, host)
        more = "" if rival in explicit else "; {0}'s follows from its place in the list".format(rival)
        findings.problem("priority_tie", explicit[culprit].where, priority, host=culprit, other=rival, more=more,
                         free=free)
    return tied


def _refuse_span(findings: Problems, where: str, priorities: dict[str, int], failback: bool) -> None:
    low, high = min(priorities.values()), max(priorities.values())
    # As close together as so many hosts can be.
    closest = len(priorities) - 1
    fitting = [number for number in range(1 + closest, HIGHEST_VALID + 1)
               if _weights([number - closest, number], failback)]
    if not fitting:
        _refuse_count(findings, where, len(priorities), failback)
        return
    if high in fitting:
        least = next(number for number in range(low, high) if _weights([number, high], failback))
        need = "with {0} as the highest, the lowest must be at least {1}".format(high, least)
    elif high > fitting[-1]:
        need = "the highest must be at most {0}".format(fitting[-1])
    else:
        need = "the highest must be at least {0}".format(fitting[0])
    findings.problem("priorities_too_wide", where, priorities, low=low, high=high, need=need)


def _refuse_count(findings: Problems, where: str, count: int, failback: bool) -> None:
    Where(findings, where).problem(
        "too_many_balancers", count, limit=_limit(failback), more="" if failback else " without failback")
