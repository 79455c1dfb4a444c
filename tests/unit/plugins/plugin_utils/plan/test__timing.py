# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Profiles and the arithmetic behind them."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.intent._errors import Problems, Where
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan._timing import KEYS, PROFILES, Timing, read_timing


@pytest.mark.parametrize("name", PROFILES)
def test_profiles_are_sound(name: str) -> None:
    timing = PROFILES[name]
    assert timing.profile == name
    assert timing.keepalived_detection > timing.haproxy_detection
    assert timing.timeout_connect <= 1.5, "kubeadm's reference: a dead API server slows clients for 11 s"
    findings = Problems()
    for key, reader in KEYS.items():
        value = getattr(timing, key)
        assert value is None or reader(Where(findings, key), value) == value
    assert findings.problems == []


@pytest.mark.parametrize("name", sorted(set(PROFILES) - {"aggressive"}))
def test_a_lost_syn_fails_no_check(name: str) -> None:
    """A kernel sends it again after one second; HAProxy's checks have the shorter of these two to connect."""
    assert min(PROFILES[name].timeout_connect, PROFILES[name].inter) >= 1.2


def test_every_timer_can_be_set() -> None:
    assert {field.name for field in dataclasses.fields(Timing)} == {"profile", *KEYS}


@pytest.mark.parametrize(("name", "adverts", "down_time"), [
    ("balanced", 0.1, 1.0), ("safe", 0.1, 3.0), ("aggressive", 0.1, 0.5), ("kubeadm", 1, 3)])
def test_how_soon_a_lost_host_is_noticed(name: str, adverts: float, down_time: float) -> None:
    assert PROFILES[name].advert_interval == adverts
    assert PROFILES[name].down_time == pytest.approx(down_time)


def test_kubeadm_s_document() -> None:
    """keepalived: interval 3, fall 10, rise 2. HAProxy: its defaults."""
    timing = PROFILES["kubeadm"]
    assert (timing.check_interval, timing.check_fall, timing.check_rise) == (3, 10, 2)
    assert (timing.inter, timing.fall, timing.rise) == (2, 3, 2)


def test_how_long_haproxy_can_need() -> None:
    """2 s until the next check, 1 s connecting, 1 s waiting; then twice 0.5 s, 1 s, 1 s."""
    timing = dataclasses.replace(
        PROFILES["balanced"], inter=2, fastinter=0.5, timeout_connect=1, timeout_check=1, fall=3)
    assert timing.haproxy_detection == 2 + 1 + 1 + 2 * (0.5 + 1 + 1)


def test_a_mapping_starts_from_a_profile() -> None:
    wish = read_timing(Where(Problems(), "timing"), {"profile": "safe", "fall": "4", "check_fall": 12, "rise": None})
    assert wish is not None
    assert (wish.base.profile, wish.written, wish.name) == ("safe", {"fall": 4, "check_fall": 12}, "custom")
    empty = read_timing(Where(Problems(), "timing"), {"profile": None})
    assert empty is not None and empty.name == "balanced"
    plain = read_timing(Where(Problems(), "timing"), {"profile": "safe"})
    assert plain is not None and plain.name == "safe"
