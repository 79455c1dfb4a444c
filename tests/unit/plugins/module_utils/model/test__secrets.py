# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets are carried whole, and shown nowhere: neither in problems of an intent nor in differences of files."""

from __future__ import annotations

import base64
import json
import typing as t

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.model import _secrets
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.intent._errors import PlanError
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan._plan import compute_plan

SHORT = ["1", "42", "start", "198.51", "true", "a", "no", "0"]
CANARY = "Canary.7Kq"
LOGIN = {"username": CANARY, "password": CANARY}


@pytest.mark.parametrize("password", SHORT)
def test_a_sealed_secret_is_no_text_that_a_result_may_contain(password: str) -> None:
    sealed = _secrets.seal({"<<mark>>": password}, b"0123456789abcdef")
    assert _secrets.unseal(sealed) == {"<<mark>>": password}
    assert len(sealed) > 40 and sealed != _secrets.seal({"<<mark>>": password}, b"another salt")
    assert _secrets.HIDDEN in repr({"sealed": sealed}) and str(sealed) not in repr({"sealed": sealed})
    assert json.loads(json.dumps({"sealed": sealed}))["sealed"] == sealed


def test_nothing_sealed() -> None:
    assert _secrets.unseal("") == {}


@pytest.mark.parametrize("line", [
    "auth_pass %s", "    auth_pass %s  # of old", "authentication { auth_type PASS auth_pass %s }", "key 1 %s",
    "  key 12 %s", 'auth_pass "%s with blanks"', "\tauth_pass\t%s",
])
def test_differences_hide_old_and_new(line: str) -> None:
    before, after = _secrets.differences("a\n%s\nb\n" % line % "Old.secret", "a\n%s\nb\n" % line % CANARY)
    assert "Old.secret" not in before and CANARY not in after
    assert before != after
    assert _secrets.differences("same\n", "same\n") == ["same\n", "same\n"]


@pytest.mark.parametrize("key", ["k" * 32, "K/+=_.-9" * 8, "hex:" + 64 * "0", "hex:" + 128 * "f"])
@pytest.mark.parametrize("end", ["", "\n"])
def test_a_file_that_is_a_key_is_hidden_whole(key: str, end: str) -> None:
    assert _secrets.masked(key + end) == _secrets.HIDDEN + "\n" and _secrets.are_in(key + end)
    before, after = _secrets.differences(key + end, key[:-1] + "A" + end)
    assert before != after and key[:9] not in before + after
    assert _secrets.masked("two\n%s\n" % key) == "two\n%s\n" % key, "that's no key of ours"


def test_stand_ins_are_as_long_and_of_the_same_kind() -> None:
    keys = {"a": "k" * 40, "b": "hex:" + 64 * "9", "c": "secret"}
    assert _secrets.stand_ins(keys) == {"a": "x" * 40, "b": "hex:" + 64 * "0", "c": "xxxxxx"}


@pytest.mark.parametrize("text", [
    '{"auths": {"registry.example.org": {"auth": "%s"}}}', '{"auths": {"r": {"username": "%s", "password":"x"}}}',
    '{\n "auth"\n :\n "%s"\n}', '{"registrytoken": "a\\"%s"}', '{"identitytoken" : "%s"}', '{"registryToken": "%s"}',
])
def test_what_a_registry_wants_is_hidden_whoever_wrote_it(text: str) -> None:
    assert CANARY not in _secrets.masked(text % CANARY)


@pytest.mark.parametrize("name", ["https://%s:%s@registry.example.org", "%s:%s@registry.example.org/haproxy:3.2"])
def test_user_and_password_before_a_host(name: str) -> None:
    assert CANARY not in _secrets.without_user_info(name % (CANARY, CANARY))


def test_a_digest_is_no_password() -> None:
    image = "registry.example.org:5000/haproxy:3.2@sha256:" + 64 * "0"
    assert _secrets.without_user_info(image) == image


def broken(**intent: t.Any) -> dict[str, t.Any]:
    return {"vip": "not an address", "port": "no port", "lb_hosts": ["cp1"], "apiserver_hosts": ["cp1"], **intent}


# Wherever a secret can get to by a slip, beside where it belongs.
SLIPS: list[t.Any] = [
    broken(auth_password=CANARY),
    broken(auth="pass", auth_password=CANARY + "too long"),
    broken(auth="pass", auth_password=[CANARY]),
    broken(auth="pass", auth_password={CANARY: CANARY}),
    broken(auth=CANARY),
    broken(auth={"pass": CANARY}),
    broken(auth={"type": "pass", "value": {"password": CANARY}}),
    broken(image_auth=CANARY),
    broken(image_auth=[LOGIN]),
    broken(image_auth={"registry.example.org": [CANARY]}),
    broken(image_auth={"registry.example.org": CANARY + ":" + CANARY}),
    broken(image_auth={"registry.example.org": {**LOGIN, "extra": 1}}),
    broken(image_auth={"registry.example.org": {"username": CANARY + ":", "password": CANARY}}),
    broken(image_auth={"https://%s:%s@registry.example.org" % (CANARY, CANARY): LOGIN}),
    broken(image_prefix="%s:%s@registry.example.org" % (CANARY, CANARY)),
    broken(haproxy_image="%s:%s@registry.example.org/ha proxy" % (CANARY, CANARY)),
    broken(list="- vip: x\n  auth_password: " + CANARY),
    broken(list=json.dumps([{"auth_password": CANARY}])),
    broken(list={"auth_password": CANARY, "image_auth": {"r": LOGIN}}),
    broken(list=[{"vip": 1, "auth_pass": CANARY}]),
    broken(list=[{"vip": {"auth_password": CANARY}}]),
    broken(list=["auth_password: " + CANARY]),
    broken(list=[[{"auth_password": CANARY}]]),
    broken(list=[{"auth_password=" + CANARY: None}]),
    broken(list=[{"hosts": {"cp1": {"auth_password": CANARY}}}]),
    broken(list=[{"hosts": [{"auth_password": CANARY}]}]),
    broken(vip={"auth_password": CANARY}),
    broken(timing={"auth_password": CANARY}),
    broken(**{"auth_pasword": CANARY}),
    broken(**{"auth_password=" + CANARY: 1}),
    [{"auth_password": CANARY}],
    "endpoint_auth_password: " + CANARY,
]


@pytest.mark.parametrize("intent", SLIPS, ids=lambda intent: str(intent)[-60:])
def test_no_problem_shows_a_secret(intent: t.Any) -> None:
    pytest.importorskip("netaddr", reason="plans are made on the controller")
    with pytest.raises(PlanError) as caught:
        compute_plan(intent, {}, {})
    said = str(caught.value) + json.dumps([problem.to_dict() for problem in caught.value.problems])
    for form in (CANARY, repr(CANARY), base64.b64encode(CANARY.encode()).decode()):
        assert form not in said
