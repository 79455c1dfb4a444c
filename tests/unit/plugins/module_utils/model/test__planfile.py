# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.deploy._found import vips_of
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _deployed_io as deployed_io
from ansible_collections.kubeha.apiserver.plugins.module_utils.model import _planfile as planfile
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan._plan import SCHEMA
from ansible_collections.kubeha.apiserver.tests.unit.plans import endpoint, plan, pods

MODULES = "ansible_collections.kubeha.apiserver.plugins.modules."
OLD, NEW = plan(endpoint(vrid=9)), plan(endpoint(vips={"ipv4": ("198.51.100.77", 24)}))


def changed(**values):
    return json.dumps(plan(dict(endpoint(), **values))).encode()


@pytest.mark.parametrize("made", [plan(), OLD, NEW, plan(pods()), plan(endpoint(families=("ipv4", "ipv6"))),
                                  plan(endpoint(auth="hmac"))])
def test_plans_of_this_schema_are_read_as_they_are(made):
    assert planfile.read_plan(json.loads(json.dumps(made))) == made
    assert planfile.SCHEMA == SCHEMA


@pytest.mark.parametrize("content, reason", [
    (b"", "isn't JSON"), (b"{", "isn't JSON"), (b"\xff\xfe", "isn't JSON"), (b"[" * 100000, "isn't JSON"),
    (b'{"schema": ' + b"9" * 100000 + b"}", "isn't JSON"), (b" " * planfile.LARGEST, "bytes"), (b"1", "mapping"),
    (b"{}", "names no schema"), (b'{"schema": true}', "names no schema"), (b'{"schema": 0}', "schema 0"),
    (b'{"schema": 1}', "endpoints"), (b'{"schema": 1, "endpoints": [1]}', "endpoints[0]"),
    (changed(port=0), "port"), (changed(port=True), "port"), (changed(name="a\nb"), "name"),
    (changed(failback_delay=float("nan")), "failback_delay"), (changed(instances={}), "instances"),
    (changed(vips=[{"address": "x", "prefix": 1, "family": "ipv4"}]), "address"),
    (changed(surprise=[[[[[[[[[[[[[[1]]]]]]]]]]]]]]), "nested"),
    (json.dumps(plan(endpoint(), endpoint())).encode(), "twice"),
    (changed(backends=endpoint()["backends"] * 2), "twice"),
    (changed(hmac={"mode": "off", "keys": [1], "time_window": 5}), "mode"),
    (changed(hmac={"mode": "enforce", "keys": [0], "time_window": 5}), "keys"),
    (changed(hmac={"mode": "enforce", "keys": [1]}), "time_window"),
])
def test_whatever_else_is_there_has_a_reason(content, reason):
    if content == b"1" or content[:1] == b"{" and reason != "isn't JSON":
        with pytest.raises(planfile.Unreadable, match=reason.replace("[", r"\[")):
            planfile.read_plan(planfile.parse_plan(content))
    else:
        assert reason in str(planfile.parse_plan(content))


@pytest.mark.parametrize("value", [10**400, 10**30, float("inf"), float("nan")])
def test_numbers_that_nothing_can_hold_are_named(value):
    with pytest.raises(planfile.Unreadable, match="adopt"):
        planfile.read_plan(plan(dict(endpoint(), adopt=value)))


def test_only_a_later_schema_is_newer():
    for schema, newer in ((2, True), (10**30, True), (0, False), (-1, False)):
        with pytest.raises(planfile.Unreadable) as caught:
            planfile.read_plan({"schema": schema, "endpoints": []})
        assert caught.value.newer is newer


@pytest.mark.parametrize("stored, role, expected", [
    (None, None, (None, None, False)), (OLD, OLD, (OLD, OLD, False)), (OLD, None, (OLD, OLD, False)),
    # A run came as far as HAProxy's files.
    (NEW, OLD, (NEW, OLD, False)), (None, OLD, (None, OLD, False)), (b"junk", OLD, (None, OLD, False)),
    (NEW, b"junk", (NEW, None, True)), (b"junk", None, (None, None, True)), (dict(NEW, schema=2), None,
                                                                             (None, None, True)),
])
def test_what_keepalived_has_or_the_plan(monkeypatch, stored, role, expected):
    files = {"/etc/kubeha/plan.json": stored, "/var/lib/kubeha/plan-keepalived.json": role}
    files = {path: json.dumps(value).encode() if isinstance(value, dict) else value for path, value in files.items()}
    monkeypatch.setattr(deployed_io._host_io, "read_file", lambda path, limit: files[path])
    found = deployed_io.read_deployed()
    assert (found.plan, found.keepalived, found.unsure) == expected
    assert bool(found.error) == (b"junk" in (stored, role) or isinstance(stored, dict) and stored["schema"] == 2)
    # The way to the controller changes nothing.
    assert planfile.deployed_of({"deployed": json.loads(json.dumps(found.to_dict()))}) == found
    # A VIP that is to go counts until keepalived has let it go.
    vips = {vip["address"] for plan_ in expected[:2] if plan_ for vip in plan_["endpoints"][0]["vips"]}
    assert vips_of(None, found) == vips
    assert vips_of(json.dumps(NEW).encode(), found) == vips | {"198.51.100.77"}


class Done(Exception):
    pass


class Module:
    check_mode = True

    def __init__(self, **params):
        self.params = {"state": "present", "reason": "maintenance", "plan": None, "host": "cp1", "wait": 0, **params}

    def fail_json(self, msg):
        raise Done(msg)


def drained(monkeypatch, stored, role, watches=True, **params):
    endpoint_drain = pytest.importorskip(MODULES + "endpoint_drain", reason="modules need Ansible")
    monkeypatch.setattr(endpoint_drain, "is_watched", lambda path, mode: watches)
    files = {"/etc/kubeha/plan.json": stored, "/var/lib/kubeha/plan-keepalived.json": role}
    monkeypatch.setattr(deployed_io._host_io, "read_file", lambda path, limit=0: (
        json.dumps(files[path]).encode() if path in files and files[path] is not None else None))
    address = type("Address", (), {"address": "198.51.100.100"})
    monkeypatch.setattr(endpoint_drain._host_io, "read_addresses", lambda: [address])
    return endpoint_drain.drain(Module(**params))


def test_a_host_hands_over_what_keepalived_has_and_not_what_is_planned(monkeypatch):
    """After endpoint_release_former the plan has another VIP; keepalived hasn't let go of the first one yet."""
    assert drained(monkeypatch, NEW, OLD)["held"] == ["198.51.100.100"]
    assert drained(monkeypatch, NEW, None)["held"] == []
    with pytest.raises(Done, match="isn't known what keepalived has"):
        drained(monkeypatch, NEW, {"schema": 1, "endpoints": 5})
    assert drained(monkeypatch, NEW, {"schema": 1, "endpoints": 5}, state="absent")["held"] == []
    with pytest.raises(Done, match="older than draining"):
        drained(monkeypatch, NEW, OLD, watches=False)
