# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hosts say, mutated, through everything that reads it. `./dev bench hosts` tries 20,000 of them."""

from __future__ import annotations

import copy
import json
import os
import random

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.model import _accessors
from ansible_collections.kubeha.apiserver.plugins.module_utils.model._planfile import deployed_of
from ansible_collections.kubeha.apiserver.plugins.module_utils.proof import _host_status
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.files import _render
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.intent._errors import PlanError
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.intent._intent import heard
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.judge import (
    _asked,
    _observation,
    _page,
    _preflight,
    _status,
    _wire_verdict,
)
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan._plan import compute_plan
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.rollout import _report, _waves
from ansible_collections.kubeha.apiserver.tests.unit import configs, observing, planning
from ansible_collections.kubeha.apiserver.tests.unit.plugins.plugin_utils.judge import (
    test__wire_verdict,
)

HOSTS = ("cp1", "cp2", "cp3")
PLAN = planning.plan()
CASES = int(os.environ.get("KUBEHA_FUZZ") or 120)
CHUNKS = 6
NASTY = "\x1b[31m\u202e\u0000\u0007\r\n\u2028\ud800"


def everything():
    """What three hosts say of an endpoint that runs: what they do, what was looked at before, what the network said."""
    wire = test__wire_verdict.clean()
    test__wire_verdict.hear(wire, test__wire_verdict.router(), test__wire_verdict.router(source="198.51.100.12"))
    for result in wire.values():
        result["scan"]["interfaces"]["eth0"]["free"] = {"ipv4": [7, 8], "ipv6": [9]}
        result["scan"]["interfaces"]["eth0"]["rejected"] = [{
            "family": "ipv4", "mac": "02:00:00:00:00:99", "source": "198.51.100.66", "virtual_router_id": 100,
            "reason": "checksum", "count": 3, "destination": "multicast"}]
    found = {}
    for host in HOSTS:
        info = observing.observe(PLAN, host)
        seen = observing.look(PLAN, host, True)
        info.update(
            networks=planning.hosts()[host]["networks"], at=1.0, waited=2.0, met=True, unmet=[],
            haproxy_ignored=["/etc/haproxy/conf.d/a.cfg"],
            lease={"run": "a", "since": 1.0, "left": 2.0, "phase": "silent", "why": ""},
            errors={"os": "x"}, config_owner={"/etc/haproxy/haproxy.cfg": "ours"},
            preflight=dict(seen, wire=dict(wire[host], asked=True, why="")))
        info["deployed"] = {"plan": copy.deepcopy(PLAN), "speaks": copy.deepcopy(PLAN), "error": None}
        found[host] = json.loads(json.dumps(info))
    return found


SAID = everything()
TEXT = json.dumps(SAID)
READ = {host: heard(info) for host, info in SAID.items()}


def deep(levels):
    value = 1
    for number in range(levels):
        value = [value] if number % 2 else {"a": value}
    return value


def junk(dice):
    return dice.choice([
        None, True, False, 0, -1, 1, 2, 256, 65536, 10**30, 0.5, float("nan"), float("inf"), "", "x", "cp1", "cp9", "7",
        NASTY, "A" * 20000, "198.51.100.100", "198.51.100.12", "::1", "127.0.0.1", "fe80::1%eth0", "active", "UP 1/2",
        [], {}, [[]], [None], [{}], {"": None}, {NASTY: NASTY}, ["x"] * 3000, deep(40), deep(3000),
        {"name": "x; curl example.org|sh"}, {"endpoints": [{}]}, "x; curl example.org|sh"])


def places(value, found, levels=20):
    items = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    for key, item in items:
        found.append((value, key))
        if isinstance(item, (dict, list)) and levels:
            places(item, found, levels - 1)
    return found


def mutated(dice):
    said = json.loads(TEXT)
    host = dice.choice(HOSTS)
    for dummy in range(dice.choice([1, 1, 2, 5])):
        start = dice.choice([said[host], said[host]["deployed"], said[host].get("preflight"), said[host]]) \
            if isinstance(said[host], dict) and "deployed" in said[host] else said[host]
        found = places(start, []) if isinstance(start, (dict, list)) and start else []
        if not found:
            break
        place, key = dice.choice(found)
        what = dice.randrange(6)
        if what == 0 and isinstance(place, dict):
            del place[key]
        elif what == 1 and isinstance(place, list):
            place.append(place[key])
        elif what == 2 and isinstance(place[key], str):
            place[key] += NASTY
        elif what == 3:
            other, name = dice.choice(found)
            place[key] = other[name]
        elif what == 4 and isinstance(place[key], int) and not isinstance(place[key], bool):
            place[key] = place[key] + dice.choice([-1, 1, 10**20])
        else:
            place[key] = junk(dice)
    return said


def read(said):
    """As actions read it."""
    return {host: READ[host] if info == SAID[host] else heard(info) for host, info in said.items()}


def asked(info):
    return ((info.get("preflight") or {}).get("wire") or {}).get("asked")


def through_everything(said):
    """All texts that people would see."""
    info = read(said)
    deployed = {host: deployed_of(found) for host, found in info.items()}
    texts = []
    known = {host: dict(planning.hosts()[host], networks=info[host].get("networks") or []) for host in HOSTS}
    for hosts in (known, {host: {"inventory_address": host} for host in HOSTS}):
        try:
            texts += compute_plan(planning.intent(), hosts, deployed)["warnings"]
        except PlanError as error:
            texts += [line.strip() for line in str(error).split("\n")]
    stored_ = _status.stored_plan(info)
    for plan in (PLAN,) if stored_["endpoints"] == PLAN["endpoints"] else (PLAN, stored_):
        verdict = _status.judge(plan, info, _status.Scope(strict=True))
        table = _status.text(verdict)
        page = _render.page(_page.view(plan, verdict, "now"), configs.ROLES)
        json.dumps([verdict, page])
        texts += table.split("\n") + page.split("\n")
        _status.apart(info)
        _status.undrainable(plan, info, ["cp1"])
        for host in info:
            _host_status.unmet(plan, host, info[host], {})
            _accessors.settle_seconds(plan, host)
            _asked.worth_asking(plan, host, info)
        asked_ = {host: found["preflight"]["wire"] for host, found in info.items() if asked(found)}
        stored = {host: {"endpoints": item.endpoints} for host, item in deployed.items()}
        wire = _wire_verdict.wire_findings(plan, asked_, stored)
        findings = _preflight.preflight_findings(plan, info, wire)
        texts += _preflight.text(findings, len(info)).split("\n")
        spoken = {host: item.spoken for host, item in deployed.items()}
        with_vips = _waves.with_deployed(plan, spoken)
        seen = {host: _waves.Seen("restart", True, frozenset(found.get("holds") or ())) for host, found in info.items()}
        stopping = _waves.backups_to_stop(with_vips, spoken, seen)
        waves = _waves.waves(with_vips, stopping.seen)
        _waves.refusals(plan, spoken, {"cp1": False})
        texts += _report.text("x", waves, stopping.seen, stopping.reasons, stopping.handing_over).split("\n")
    return texts


def test_what_is_well_stays_as_it_is():
    found = copy.deepcopy(READ)
    assert not any("oddities" in info or info["preflight"]["errors"] for info in found.values())
    for host, info in found.items():
        said = dict(info, deployed={key: info["deployed"][key] for key in ("plan", "error")})
        wanted = dict(SAID[host], deployed={"plan": PLAN, "error": None})
        routes = wanted["preflight"]["sysctls"]["net/ipv4/ip_local_port_range"]
        assert said["preflight"].pop("sysctls")["net/ipv4/ip_local_port_range"]["value"] == routes["value"].replace(
            "\t", " ")
        wanted["preflight"] = {key: item for key, item in wanted["preflight"].items() if key != "sysctls"}
        said["preflight"] = {key: item for key, item in said["preflight"].items() if key in wanted["preflight"]}
        for part in ("scan", "probe", "reach", "window"):
            assert _within(wanted["preflight"]["wire"][part], said["preflight"]["wire"].pop(part)), part
        wanted["preflight"]["wire"] = {key: item for key, item in wanted["preflight"]["wire"].items()
                                       if key in said["preflight"]["wire"]}
        assert _within(wanted, said)


def _within(wanted, found):
    """Whether all that was said is there; defaults may be, too."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(key in found and _within(wanted[key], found[key]) for key in wanted)
    if isinstance(wanted, list):
        return len(wanted) == len(found) and all(map(_within, wanted, found))
    return wanted == found


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_whatever_a_host_says_nobody_stumbles(chunk):
    """No traceback, no endless loop, nothing that a terminal obeys. `KUBEHA_FUZZ` says how many."""
    dice = random.Random(chunk)
    for number in range(CASES // CHUNKS):
        said = mutated(dice)
        try:
            texts = through_everything(said)
        except Exception as error:
            raise AssertionError("chunk %d, case %d" % (chunk, number)) from error
        for text in texts:
            assert text.isprintable(), (chunk, number, text)
            assert len(text) < 200000


def test_a_host_s_words_are_no_commands_to_the_terminal():
    said = copy.deepcopy(SAID)
    said["cp2"]["haproxy"] = {"hung": True, "error": NASTY}
    said["cp2"]["deployed"] = {"plan": None, "error": NASTY + "A" * 100000}
    said["cp2"]["preflight"]["programs"].append({"name": "keepalived", "pid": 1, "unit": NASTY, "options": {}})
    texts = through_everything(said)
    assert any("\\x1b[31m" in text for text in texts) and all(text.isprintable() for text in texts)


def test_a_host_that_says_nothing_that_can_be_read_is_named():
    for nothing in (None, 1, [], "x", {"deployed": 5}, {"holds": deep(3000)}):
        found = _status.judge(PLAN, {host: _observation.observation(nothing) for host in HOSTS})
        assert {item["host"] for item in found["findings"] if item["code"] in ("odd_answer", "bad_stored_plan")} == \
            set(HOSTS)


@pytest.mark.parametrize("nothing", [None, {}, {"holds": deep(3000)}])
def test_whatever_a_host_says_all_keys_are_there(nothing):
    said = _observation.observation(nothing)
    assert set(said) - {"oddities"} == observing.keys("Observation", required=True)
    for part, name in (("deployed", "Deployed"), ("haproxy", "HAProxy"), ("keepalived", "Keepalived"),
                       ("drain", "Drain")):
        assert set(said[part]) == observing.keys(name, required=True), part
    assert all(set(service) == observing.keys("Daemon", required=True) for service in said["services"].values())
    assert set(_observation.preflight(nothing)) >= observing.keys("Preflight", required=True)


@pytest.mark.parametrize("running", [True, False])
def test_what_tests_make_up_is_what_hosts_say(running):
    said = observing.observe(PLAN, "cp1", running=running)
    assert set(said) == observing.keys("Observation", required=True)
    read_ = heard(said)
    assert {key: read_[key] for key in said if key != "pods"} == {key: said[key] for key in said if key != "pods"}
    assert set(observing.look(PLAN, "cp1")) == observing.keys("Preflight")
