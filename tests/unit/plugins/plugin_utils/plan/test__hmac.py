# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any, Dict, List

import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan import _hmac
from ansible_collections.kubeha.apiserver.tests.unit import planning
from ansible_collections.kubeha.apiserver.tests.unit.planning import host, intent
from hypothesis import given
from hypothesis import strategies as st

KEYS = ["hex:" + 64 * digit for digit in "123"]
IDS = dict(zip(KEYS, (206, 195, 184)))
NEW_ENOUGH = {name: host(number, keepalived_version="2.4.3") for number, name in enumerate(planning.THREE, 11)}


def planned(**more: Any) -> Dict[str, Any]:
    wanted = {"auth": "hmac", "auth_password": KEYS[0], **more}
    endpoint: Dict[str, Any] = planning.plan(intent(**wanted), NEW_ENOUGH)["endpoints"][0]
    return endpoint


def problems(**more: Any) -> List[Any]:
    return [(found.code, found.where) for found in planning.problems(intent(**more), NEW_ENOUGH)]


@given(st.text(min_size=1))
def test_an_id_is_one_that_keepalived_takes(key: str) -> None:
    assert 1 <= _hmac.key_id(key) <= 255


def test_ids_stay_what_they_are() -> None:
    """All members have to have the same one, whichever version of the collection made it."""
    assert [_hmac.key_id(key) for key in KEYS] == [IDS[key] for key in KEYS]


def test_the_first_key_sends_and_all_are_taken() -> None:
    assert planned()["hmac"] == {"mode": "enforce", "keys": [IDS[KEYS[0]]], "time_window": 5}
    assert planned(auth_password=[KEYS[2], KEYS[0]])["hmac"]["keys"] == [IDS[KEYS[2]], IDS[KEYS[0]]]
    assert planned(auth_mode="receive-only")["hmac"]["mode"] == "receive-only"
    assert "hmac" not in planning.plan()["endpoints"][0]


@pytest.mark.parametrize("interval, seconds", [(0.1, 5), (1, 5), (1.7, 6), (2, 6), (40, 120), (400, 300)])
def test_the_window_is_what_keepalived_would_choose_or_a_little_more(interval: float, seconds: int) -> None:
    assert _hmac.time_window(interval) == seconds


def test_a_mode_without_hmac_is_a_mistake() -> None:
    assert problems(auth_mode="permissive") == [("auth_mode_unused", "endpoint_auth_mode")]
    assert problems(auth="pass", auth_password="secret", auth_mode="receive-only") == [
        ("auth_mode_unused", "endpoint_auth_mode")]
    # The role's defaults say so.
    assert planning.problems(intent()) == [] == problems(auth_mode="enforce")


def alike(key: str) -> str:
    """Another one with the same ID."""
    return next(other for other in map("hex:{0:064x}".format, range(10000)) if _hmac.key_id(other) == _hmac.key_id(key))


def test_each_key_is_looked_at() -> None:
    assert problems(auth="hmac", auth_password=[KEYS[0], "short", 5]) == [
        ("auth_password_invalid", "endpoint_auth_password[2]")]
    assert problems(auth="hmac", auth_password=[KEYS[0], "short"]) == [
        ("auth_password_invalid", "endpoint_auth_password[1]")]
    assert problems(auth="hmac", auth_password=[KEYS[0], KEYS[1], alike(KEYS[0])]) == [
        ("auth_key_twice", "endpoint_auth_password[2]")]
    assert problems(auth="hmac", auth_password=[KEYS[0], KEYS[0]]) == [("auth_key_twice", "endpoint_auth_password[1]")]
    assert problems(auth="hmac", auth_password=[]) == [("auth_password_invalid", "endpoint_auth_password")]
    assert problems(auth="pass", auth_password=["one", "two"]) == [("auth_password_invalid", "endpoint_auth_password")]


@pytest.mark.parametrize("old", [0, 1, 2])
def test_one_host_that_is_too_old_is_enough(old: int) -> None:
    name = planning.THREE[old]
    mixed = {**NEW_ENOUGH, name: host(11 + old, keepalived_version="2.4.1")}
    [found] = planning.problems(intent(auth="hmac", auth_password=KEYS[0], auth_mode="receive-only"), mixed)
    assert found.code == "auth_needs_version" and name in found.rule


def test_a_host_without_a_version_counts_as_old() -> None:
    unknown = host(13)
    del unknown["keepalived_version"]
    mixed = {**NEW_ENOUGH, planning.THREE[2]: unknown}
    assert [found.code for found in planning.problems(
        intent(auth="hmac", auth_password=KEYS[0]), mixed)] == ["auth_needs_version"]
