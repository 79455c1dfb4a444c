# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading

import pytest
import yaml
from ansible_collections.kubeha.apiserver.plugins.module_utils.daemons import _haproxy, _keepalived_state, _process_io
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _host_io, _hostfacts
from ansible_collections.kubeha.apiserver.plugins.modules import endpoint_info, endpoint_preflight_info
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.files import _host_files as hostview
from ansible_collections.kubeha.apiserver.tests.unit import observing
from ansible_collections.kubeha.apiserver.tests.unit.plans import endpoint, plan, pods

METRICS = {"exporter": None, "textfile_dir": "/var/lib/node_exporter"}


@pytest.mark.parametrize("made", [
    dict(endpoint(nonlocal_bind=True, metrics=METRICS), recorder=True), pods(endpoint(nonlocal_bind=True))])
def test_every_file_that_is_put_there_is_looked_at(made):
    """Else it would count as drifted. Manifests are where the plan wants them; what carries a secret isn't compared."""
    planned = {entry["path"] for entry in hostview.host_files(plan(made), "cp1")
               if entry["kind"] != "manifest" and not entry["secret"]}
    assert planned - set(endpoint_info.OUR_FILES) == set()


@pytest.mark.parametrize("ahead, held, active, expected", [
    (0, 100.0, 500.0, 100.0),
    # The clock was set after keepalived noted when it became master: by a day ahead, and back.
    (86400, 2.0, 500.0, 2.0), (-86400, 100.0, 500.0, 0.0), (86400, 100.0, 3.0, 3.0)])
def test_a_clock_that_was_set_makes_no_holder_old(monkeypatch, ahead, held, active, expected):
    monkeypatch.setattr(endpoint_info.time, "time", lambda: 1000000.0 + ahead)
    monkeypatch.setattr(endpoint_info.time, "monotonic", lambda: 7.0)
    observer = object.__new__(endpoint_info.Observer)
    observer.unchanged_since, observer.mode = {}, "service"
    info = {
        "holds": ["198.51.100.100"], "held_for": {"198.51.100.100": held},
        "keepalived": {"instances": {"a": {"state": "MASTER", "last_transition": 1000000.0 - 100}}, "holders": {}},
        "services": {"keepalived": {"active_for": active, "changed_for": 1.0}}, "pods": {}}
    endpoint = {"name": "e", "vips": [{"address": "198.51.100.100"}], "instances": [{"name": "a"}]}
    assert observer._lasting(endpoint, info) == expected


@pytest.mark.parametrize("before, after, rejects", [
    ({}, {}, {}),
    ({"auth_failure": 3}, {"auth_failure": 11}, {"auth_failure": 8}),
    ({"auth_failure": 3}, {"auth_failure": 3}, {}),
    ({}, {"ip_ttl_err": 1}, {"ip_ttl_err": 1}),
])
def test_what_is_heard_and_what_keepalived_rejects_meanwhile(monkeypatch, before, after, rejects):
    name, listened = "kube-apiserver-ipv4", []

    def scan(interfaces, duration):
        listened.append((interfaces, round(duration, 3)))
        packet = {"mac": "02:00:00:00:00:99", "source": "198.51.100.66", "family": "ipv4", "reason": "checksum"}
        return {"eth0": {"routers": [], "rejected": [dict(packet, virtual_router_id=vrid) for vrid in (7, 100)]}}

    monkeypatch.setattr(endpoint_info._scan_io, "scan", scan)
    observer = object.__new__(endpoint_info.Observer)
    endpoint_info._parts.Parts.__init__(observer)
    observer.plan, observer.mode = plan(endpoint()), "service"
    observer.params = {"host": "cp1", "listen": 0.4, "keepalived_dump": True}
    dumps = iter([before, after])
    observer._dump = lambda: {"instances": {name: {"rejected": next(dumps)}}, "rejects": {}, "hung": False}
    heard, keepalived = observer._hear()
    assert listened == [(["eth0"], 0.4)]
    assert [packet["virtual_router_id"] for packet in heard] == [100]
    assert keepalived["rejects"] == ({name: rejects} if rejects else {}) and keepalived["hung"] is False


def test_everything_else_is_looked_at_while_it_listens(quiet, monkeypatch):
    """As status does; it lasts as long as the listening, and no longer."""
    looked = threading.Event()

    def scan(interfaces, duration):
        assert looked.wait(30)
        return {}

    def read_node(options, seconds):
        looked.set()
        return {"name": "cp1", "addresses": []}

    monkeypatch.setattr(endpoint_info._scan_io, "scan", scan)
    monkeypatch.setattr(endpoint_info._cluster_io, "read_node", read_node)
    found = endpoint_info.Observer({**PARAMS, "plan": None, "listen": 1.1, "connect": True}).result()
    assert found["node"]["name"] == "cp1" and found["heard"] == [] and "listen" not in found["errors"]
    assert set(found) == observing.keys("Observation", required=True) | {"heard"}


@pytest.mark.parametrize("module, name", [
    (endpoint_info, "Observation"), (endpoint_preflight_info, "Preflight")])
def test_the_documentation_has_the_keys_of_the_type(module, name):
    documented = yaml.safe_load(module.RETURN)
    assert set(documented) == observing.keys(name) - (observing.ADDED if name == "Observation" else set())
    assert {key for key, about in documented.items() if about["returned"] == "always"} == \
        observing.keys(name, required=True)


@pytest.fixture
def quiet(monkeypatch):
    """A host on which no command says anything."""
    monkeypatch.setattr(_host_io, "run", lambda argv, seconds: _host_io.Output(0, ""))


PARAMS = {"host": "cp1", "wait": 0, "expect": None, "settle": None, "connect": False, "keepalived_dump": True,
          "listen": 0, "gate": None, "ports": [], "connect_timeout": 0.1}


@pytest.mark.parametrize("planned, more", [(None, set()), (plan(endpoint()), {"met", "unmet", "waited"})])
def test_the_module_builds_what_the_type_says(quiet, planned, more):
    found = endpoint_info.Observer({**PARAMS, "plan": planned}).result()
    assert set(found) == observing.keys("Observation", required=True) | more
    for part, name in (("deployed", "Deployed"), ("haproxy", "HAProxy"), ("keepalived", "Keepalived"),
                       ("drain", "Drain")):
        assert set(found[part]) == observing.keys(name, required=True), part
    for part, name in (("interfaces", "Link"), ("networks", "Network"), ("listeners", "Listener")):
        for item in found[part]:
            assert set(item) == observing.keys(name), part
    for package in found["packages"].values():
        assert set(package) == observing.keys("Package")


def test_what_was_looked_at_before_a_change_is_what_the_type_says(quiet):
    found = endpoint_preflight_info.Observer(plan(endpoint()), "cp1").result()
    assert set(found) == observing.keys("LookedAt") - {"clock", "at", "elapsed"}


def test_parts_that_others_read_are_what_the_types_say(quiet):
    """Where mypy only has their word."""
    service, pod, both = {"masked"}, {"version", "image"}, observing.keys("Daemon", True)
    assert set(_hostfacts.describe_unit({}, 1.0)) == observing.keys("Daemon") - pod == both | service
    assert set(endpoint_info.describe_pod("haproxy", "/nonexistent")) == both | pod
    assert set(_process_io.find_kubelet()) == observing.keys("StaticPodKubelet")
    header = "# pxname,svname,status\na,FRONTEND,OPEN\na,b,UP\n"
    said = _haproxy.parse_state("Version: 3.0.11\n\n" + header)
    assert {*said, "hung", "error"} == observing.keys("HAProxy")
    assert set(said["frontends"]["a"]) == observing.keys("Frontend")
    assert set(said["backends"]["a"][0]) == observing.keys("Server")
    dump = _keepalived_state.parse_dump(b'[{"data": {"iname": "a", "state": 2}, "stats": {}}]')
    assert set(dump["a"]) == observing.keys("Instance")
