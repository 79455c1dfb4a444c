# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Timing: profiles, a user's own values, and what keepalived's version and VRRP's version leave of them.

A host that vanishes is noticed after ``down_timer_adverts`` x ``advert_interval`` and a skew below one interval
(RFC 9568 section 6.1, keepalived.conf(5)). Many short intervals beat few long ones: with 0.1 s x 10 it takes 1 s, and
10 lost packets in a row to get it wrong.

A hung API server is noticed by HAProxy after at most ``inter`` and one check, then ``fall`` - 1 times ``fastinter``
and one check. A check takes at most the connect timeout and the check timeout (HAProxy's configuration manual,
"timeout check"). keepalived's own check of the API servers must be slower than that, or it would move the VIP for
what HAProxy is about to solve.
"""

from __future__ import annotations

import functools
import math
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..intent import _values as values
from ..intent._errors import Where
from ._features import DOWN_TIMER_ADVERTS, FRACTIONAL_SCRIPT_INTERVAL, Feature
from ._versions import Version, version_text

DEFAULT_DOWN_TIMER_ADVERTS = 3


@dataclass(frozen=True)
class Timing:
    """All timers of one endpoint, in seconds; the keys of a user's mapping have the same names."""

    profile: str
    advert_interval: float            # keepalived: advert_int
    down_timer_adverts: t.Optional[int]   # keepalived >= 2.2.3; None is VRRP's 3
    check_interval: float             # keepalived's check of the API servers, as HAProxy sees them
    check_timeout: float
    check_fall: int
    check_rise: int
    local_interval: float             # keepalived's check that the local HAProxy answers
    local_timeout: float
    local_fall: int
    local_rise: int
    inter: float                      # HAProxy's checks of each API server
    fastinter: float
    downinter: float
    timeout_check: float
    timeout_connect: float            # what a client loses on a dead API server before HAProxy tries the next
    fall: int
    rise: int
    slowstart: float
    timeout_queue: float
    timeout_client: float
    timeout_server: float
    timeout_tunnel: float             # silent streams: kubectl exec, logs -f, watches
    timeout_client_fin: float
    timeout_server_fin: float
    hard_stop_after: float            # how long connections outlive a reload

    @property
    def down_time(self) -> float:
        """Seconds without adverts after which the master counts as gone, without the skew."""
        return self.advert_interval * (self.down_timer_adverts or DEFAULT_DOWN_TIMER_ADVERTS)

    @property
    def haproxy_detection(self) -> float:
        """The longest that HAProxy needs to see that an API server is dead or hung."""
        one_check = min(self.timeout_connect, self.inter) + self.timeout_check
        return self.inter + one_check + (self.fall - 1) * (self.fastinter + one_check)

    @property
    def keepalived_detection(self) -> float:
        """How long keepalived's check must fail before it counts."""
        return self.check_interval * self.check_fall


_BALANCED = Timing(
    profile="balanced", advert_interval=0.1, down_timer_adverts=10,
    check_interval=1, check_timeout=1, check_fall=6, check_rise=2,
    local_interval=1, local_timeout=1, local_fall=2, local_rise=2,
    # Longer than the second after which a kernel sends a lost SYN again: losing one condemns no API server. HAProxy
    # gives its own checks the connect timeout or inter to connect, whichever is shorter.
    inter=1.2, fastinter=0.2, downinter=1, timeout_check=1, timeout_connect=1.2, fall=2, rise=2, slowstart=0,
    timeout_queue=5, timeout_client=60, timeout_server=60, timeout_tunnel=14400,
    timeout_client_fin=10, timeout_server_fin=10, hard_stop_after=60)

PROFILES: dict[str, Timing] = {
    "balanced": _BALANCED,
    # For hosts that stall: virtual machines that are migrated, disks that are shared.
    "safe": replace(
        _BALANCED, profile="safe", down_timer_adverts=30, check_interval=2, check_timeout=2, check_fall=9,
        local_interval=2, local_timeout=2, inter=2, fastinter=1, downinter=2, timeout_check=3, fall=3, rise=3),
    # For real machines on a quiet network.
    "aggressive": replace(
        _BALANCED, profile="aggressive", down_timer_adverts=5, check_fall=4,
        # A lost SYN is a failed check here.
        inter=0.5, fastinter=0.25, downinter=0.5, timeout_connect=0.5),
    # Intervals, fall and rise of kubeadm's document on HA; HAProxy's are its defaults, which that document leaves.
    "kubeadm": replace(
        _BALANCED, profile="kubeadm", advert_interval=1, down_timer_adverts=None,
        check_interval=3, check_timeout=3, check_fall=10, check_rise=2,
        local_interval=3, local_timeout=3, local_fall=10, local_rise=2,
        inter=2, fastinter=2, downinter=2, timeout_check=5, fall=3, rise=2),
}
DEFAULT_PROFILE = "balanced"

# Before keepalived 2.2.3 three lost adverts are a lost host, so the interval has to give the time.
_BEFORE_DOWN_TIMER = {"balanced": 0.3, "safe": 1, "aggressive": 0.2, "kubeadm": 1}

_MILLISECONDS = 0.001
_CHECK = values.seconds(0.1, 60, 0.1)
_COUNT = values.integer(1, 100)
_STREAM = values.seconds(1, 7 * 86400, _MILLISECONDS)

# What a user's mapping may hold. Ranges: VRRPv3 counts centiseconds in 12 bits (RFC 9568 section 5.2.7);
# down_timer_adverts 1 to 100 (keepalived.conf(5)). A connect timeout above 1.5 s would let one dead API server slow
# each client by more than 4.5 s in all, as it is paid up to three times.
KEYS: dict[str, values.Reader[t.Any]] = {
    "advert_interval": values.seconds(0.01, 40.95, 0.01),
    "down_timer_adverts": _COUNT,
    "check_interval": _CHECK, "check_timeout": _CHECK, "check_fall": _COUNT, "check_rise": _COUNT,
    "local_interval": _CHECK, "local_timeout": _CHECK, "local_fall": _COUNT, "local_rise": _COUNT,
    "inter": values.seconds(0.1, 60, _MILLISECONDS),
    "fastinter": values.seconds(0.1, 60, _MILLISECONDS),
    "downinter": values.seconds(0.1, 60, _MILLISECONDS),
    "timeout_check": values.seconds(0.1, 60, _MILLISECONDS),
    "timeout_connect": values.seconds(0.05, 1.5, _MILLISECONDS),
    "fall": _COUNT, "rise": _COUNT,
    "slowstart": values.seconds(0, 3600, _MILLISECONDS),
    "timeout_queue": values.seconds(0.1, 600, _MILLISECONDS),
    "timeout_client": _STREAM, "timeout_server": _STREAM, "timeout_tunnel": _STREAM,
    "timeout_client_fin": _STREAM, "timeout_server_fin": _STREAM,
    "hard_stop_after": values.seconds(1, 86400, 1),
}
_SCRIPT_TIMES = ("check_interval", "check_timeout", "local_interval", "local_timeout")


@dataclass(frozen=True)
class TimingRequest:
    """A profile and what the user wrote beside it."""

    base: Timing
    written: Mapping[str, t.Any]

    @property
    def name(self) -> str:
        """The profile's name, or custom."""
        return "custom" if self.written else self.base.profile


DEFAULT = TimingRequest(_BALANCED, {})


def read_timing(at: Where, value: t.Any) -> TimingRequest | None:
    """Read endpoint_timing: a profile's name, or a mapping of `KEYS` and, optionally, ``profile`` to start from."""
    if not isinstance(value, Mapping):
        return _profile(at, value)
    given = values.mapping(at, value, ("profile",) + tuple(KEYS), "a profile's name or a mapping")
    if given is None:
        return None
    complete = len(given) == len(value)
    given = {key: item for key, item in given.items() if item is not None}
    base = _profile(at["profile"], given.pop("profile", DEFAULT_PROFILE))
    written: dict[str, t.Any] = {key: KEYS[key](at[key], item) for key, item in given.items()}
    if base is None or None in written.values() or not complete:
        return None
    request = TimingRequest(base.base, written)
    timing = replace(base.base, **written)
    if timing.keepalived_detection <= timing.haproxy_detection:
        at.problem("timing_order", written, keepalived="{0:g}".format(timing.keepalived_detection),
                   haproxy="{0:g}".format(timing.haproxy_detection),
                   fall=math.floor(timing.haproxy_detection / timing.check_interval) + 1)
        return None
    return request


def fit(at: Where, request: TimingRequest, vrrp_version: int, keepalived: Version, host: str,
        found: str) -> Timing | None:
    """The timing that VRRP's version and the oldest keepalived can do: ``found`` on ``host``, for problems."""
    timing = replace(request.base, **request.written)
    needs = functools.partial(_needs_version, host=host, found=found)
    fits = FRACTIONAL_SCRIPT_INTERVAL.known_to(keepalived) or _script_times_fit(at, timing, needs)
    if vrrp_version == 2:
        fits = _whole_seconds_fit(at, request) and fits
        timing = replace(timing, advert_interval=request.written.get("advert_interval", 1),
                         down_timer_adverts=request.written.get("down_timer_adverts"))
    if not DOWN_TIMER_ADVERTS.known_to(keepalived):
        fits = _down_timer_fits(at, request, needs) and fits
        interval = _BEFORE_DOWN_TIMER[request.base.profile] if vrrp_version == 3 else timing.advert_interval
        timing = replace(timing, advert_interval=request.written.get("advert_interval", interval),
                         down_timer_adverts=None)
    return timing if fits else None


def _profile(at: Where, value: t.Any) -> TimingRequest | None:
    name = values.choice(*PROFILES)(at, value)
    return TimingRequest(PROFILES[name], {}) if name is not None else None


def _script_times_fit(at: Where, timing: Timing, needs: t.Callable[..., None]) -> bool:
    fractions = [key for key in _SCRIPT_TIMES if getattr(timing, key) != int(getattr(timing, key))]
    for key in fractions:
        needs(at[key], getattr(timing, key), FRACTIONAL_SCRIPT_INTERVAL, "write whole seconds")
    return not fractions


def _down_timer_fits(at: Where, request: TimingRequest, needs: t.Callable[..., None]) -> bool:
    written = request.written.get("down_timer_adverts", DEFAULT_DOWN_TIMER_ADVERTS)
    if written != DEFAULT_DOWN_TIMER_ADVERTS:
        needs(at["down_timer_adverts"], written, DOWN_TIMER_ADVERTS,
              "remove it, and choose advert_interval so that three are enough")
    return bool(written == DEFAULT_DOWN_TIMER_ADVERTS)


def _needs_version(at: Where, value: t.Any, needed: Feature, fix: str, host: str, found: str) -> None:
    at.problem("timing_needs_version", value, needed=version_text(needed.since), fix=fix, host=host, found=found)


def _whole_seconds_fit(at: Where, request: TimingRequest) -> bool:
    """VRRP version 2 counts whole seconds (RFC 3768 section 5.3.7)."""
    written = request.written.get("advert_interval")
    if written is None:
        if request.base.profile == "aggressive":
            at.problem("timing_needs_vrrp3", "aggressive")
            return False
        if request.base.advert_interval < 1:
            at.findings.warn("auth_pass_slow", seconds="{0:g}".format(request.base.down_time))
        return True
    if written != int(written):
        at["advert_interval"].problem("timing_needs_vrrp3", written)
        return False
    return True
