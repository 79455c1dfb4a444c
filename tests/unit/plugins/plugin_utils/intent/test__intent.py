# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables in, intent out. How Ansible merges and templates variables is tried with Ansible itself in the integration
target endpoint_plan; hostvars and the templar are stand-ins here."""

from __future__ import annotations

import base64
import datetime
import json

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.model._planfile import Deployed
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.intent import _intent
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.intent._intent import collect, plain, secrets


class HostVars(dict):
    """Variables by host, as templates see them."""

    def raw_get(self, name):
        return self[name]


class Templar:
    """Evaluates the one expression that the tests use."""

    @staticmethod
    def template(value):
        if value == "{{ undefined_thing }}":
            raise KeyError("'undefined_thing' is undefined")
        return value


def gather(hosts, groups=None, current=None, extra=None):
    names = list(hosts)
    task_vars = dict(hosts[current or names[0]])
    task_vars.update(
        hostvars=HostVars(hosts), inventory_hostname=current or names[0],
        groups={"all": names, "kube_control_plane": names, **(groups or {})}, **(extra or {}))
    return collect(task_vars, Templar())


def three(**variables):
    return {name: dict(variables) for name in ("cp1", "cp2", "cp3")}


def test_groups_become_hosts_in_inventory_order():
    found = gather(three(endpoint_vip="198.51.100.100"))
    assert found.intent["lb_hosts"] == ["cp1", "cp2", "cp3"]
    assert found.intent["apiserver_hosts"] == ["cp1", "cp2", "cp3"]
    assert found.members == ["cp1", "cp2", "cp3"]
    assert found.problems == []


@pytest.mark.parametrize(("value", "expected"), [
    ("balancers", ["cp2", "cp3"]),
    ("cp3", ["cp3"]),
    ("cp3, cp1", ["cp3", "cp1"]),
    (["cp3", "balancers"], ["cp3", "cp2", "cp3"]),
    (["typo"], ["typo"]),
    (7, 7),
])
def test_lb_hosts_may_be_hosts_or_a_group(value, expected):
    found = gather(three(endpoint_vip="198.51.100.100", endpoint_lb_hosts=value), {"balancers": ["cp2", "cp3"]})
    assert found.intent["lb_hosts"] == expected


def test_an_empty_kube_lb_is_no_group_of_balancers():
    assert gather(three(endpoint_vip="x"), {"kube_lb": []}).lb_hosts == ["cp1", "cp2", "cp3"]
    assert gather(three(endpoint_vip="x"), {"kube_lb": ["cp2"]}).lb_hosts == ["cp2"]


def test_each_endpoint_of_a_list_has_its_own_hosts():
    first = {"name": "a", "vip": "198.51.100.1", "lb_hosts": "left"}
    entries = [first, {"name": "b", "vip": "198.51.100.2"}, "rubbish"]
    found = gather(three(endpoint_list=entries), {"left": ["cp3", "cp1"]})
    assert found.intent["list"][0]["lb_hosts"] == ["cp3", "cp1"]
    assert "lb_hosts" not in found.intent["list"][1]
    assert found.lb_hosts == ["cp3", "cp1", "cp2"]


def test_a_host_without_the_intent_finds_it_with_the_members():
    hosts = {"bastion": {}, **three(endpoint_vip="198.51.100.100", endpoint_port=9443)}
    found = gather(hosts, {"kube_control_plane": ["cp1", "cp2", "cp3"]}, current="bastion")
    assert found.intent["vip"] == "198.51.100.100"
    assert found.intent["port"] == 9443


@pytest.mark.parametrize(("name", "said", "shown"), [
    ("endpoint_list", "template error while templating string: no filter named 'x'. String: {{ 'Canary' | x }}",
     "no filter named 'x'"),
    ("endpoint_list", "Unexpected templating type error occurred on ({{ 'Canary' + 5 }}): can only", "type error"),
    ("endpoint_auth_password", "'Canary' is no base64", "(hidden)"),
    ("endpoint_image_auth", "'Canary' is no JSON", "(hidden)"),
    ("endpoint_auth_password", "'vaulted' is undefined. 'vaulted' is undefined", "'vaulted' is undefined"),
])
def test_a_template_that_fails_shows_no_secret(monkeypatch, name, said, shown):
    def fail(value):
        if value == "{{ bad }}":
            raise ValueError(said)
        return value

    monkeypatch.setattr(Templar, "template", staticmethod(fail))
    (problem,) = gather(three(endpoint_vip="198.51.100.100", **{name: "{{ bad }}"}), {"kube_lb": ["cp1"]}).problems
    assert problem.code == "template_failed" and shown in problem.rule
    assert "Canary" not in json.dumps(problem.to_dict())


@pytest.mark.parametrize("name", ["endpoint_list", "endpoint_auth", "endpoint_image_auth", "endpoint_timing"])
def test_what_hosts_disagree_about_shows_no_secret(name):
    secret = {"vip": "198.51.100.100", "auth_password": "Canary.7Kq", "image_auth": {"r": {"username": "Canary.7Kq"}}}
    hosts = three(**{"endpoint_vip": "198.51.100.100", name: [dict(secret)]})
    for value in ([dict(secret, port=9443)], secret, json.dumps(secret), [[secret]]):
        hosts["cp3"][name] = value
        problems = gather(hosts).problems
        assert [problem.code for problem in problems] == ["intent_differs"]
        assert "Canary" not in str(problems) + json.dumps([problem.to_dict() for problem in problems])


def test_balancers_that_disagree_are_all_named():
    hosts = three(endpoint_vip="198.51.100.100", endpoint_auth_password="one")
    hosts["cp2"]["endpoint_vip"] = "198.51.100.101"
    hosts["cp3"]["endpoint_auth_password"] = "two"
    problems = gather(hosts).problems
    assert [(problem.code, problem.where) for problem in problems] == [
        ("intent_differs", "cp2: endpoint_vip"), ("intent_differs", "cp3: endpoint_auth_password")]
    assert "two" not in str([problem.to_dict() for problem in problems])


def test_two_clusters_are_no_single_intent():
    hosts = {"a1": {"endpoint_vip": "198.51.100.100", "endpoint_lb_hosts": "alpha"},
             "b1": {"endpoint_vip": "198.51.100.200", "endpoint_lb_hosts": "beta"},
             "b2": {"endpoint_vip": "198.51.100.200", "endpoint_lb_hosts": "beta"}}
    groups = {"kube_control_plane": [], "alpha": ["a1"], "beta": ["b1", "b2"]}
    for current in hosts:
        found = gather(hosts, groups, current=current)
        assert [(item.code, item.where, item.value) for item in found.problems] == [
            ("intent_several", "b1: endpoint_vip", "198.51.100.200")]
        assert "a1 has 198.51.100.100" in found.problems[0].rule
        assert "endpoint_list" in found.problems[0].fix


@pytest.mark.parametrize("current", ["bastion", "cp1", "lb1", "lb2"])
def test_whoever_reads_it_the_intent_is_the_same(current):
    hosts = {"bastion": {}, "cp1": {}, "lb1": {"endpoint_lb_hosts": "balancers", "endpoint_port": 7443}}
    for variables in hosts.values():
        variables["endpoint_vip"] = "198.51.100.100"
    hosts["lb2"] = dict(hosts["lb1"])
    found = gather(hosts, {"kube_control_plane": ["cp1"], "balancers": ["lb1", "lb2"]}, current=current)
    assert (found.lb_hosts, found.intent["port"], found.problems) == (["lb1", "lb2"], 7443, [])


SLICE = {"awx_job_template_name": "site", "awx_workflow_job_name": "site"}


@pytest.mark.parametrize(("variables", "refused"), [
    ({}, {"lb_hosts": "kube_control_plane", "apiserver_hosts": "kube_control_plane"}),
    ({"endpoint_lb_hosts": "cp1, balancers"}, {"lb_hosts": "balancers", "apiserver_hosts": "kube_control_plane"}),
    ({"endpoint_lb_hosts": ["cp1", "cp2"]}, {"apiserver_hosts": "kube_control_plane"}),
    ({"endpoint_lb_hosts": ["cp1", "cp2"], "endpoint_apiserver_hosts": "cp1,cp2,cp3"}, {}),
])
def test_in_a_slice_of_a_job_a_group_does_not_tell_who_is_a_member(variables, refused):
    hosts, groups = three(endpoint_vip="198.51.100.100", **variables), {"balancers": ["cp2"]}
    problems = gather(hosts, groups, extra=SLICE).problems
    assert {item.where: item.value for item in problems} == {"endpoint_" + key: name for key, name in refused.items()}
    assert {item.code for item in problems} <= {"job_sliced"}
    assert not gather(hosts, groups).problems


def test_in_a_slice_of_a_job_each_endpoint_of_a_list_names_its_hosts():
    entries = [{"vip": "198.51.100.1", "lb_hosts": ["cp1"], "apiserver_hosts": "cp1"}, "rubbish",
               {"vip": "198.51.100.2", "lb_hosts": "left", "apiserver_hosts": ["cp3", "left"]}, {"vip": "198.51.100.3"}]
    found = gather(three(endpoint_list=entries), {"left": ["cp3", "cp1"], "kube_lb": ["cp2"]}, extra=SLICE)
    assert [(item.where, item.value) for item in found.problems] == [
        ("endpoint_list[2].lb_hosts", "left"), ("endpoint_list[2].apiserver_hosts", "left"),
        ("endpoint_lb_hosts", "kube_lb"), ("endpoint_apiserver_hosts", "kube_control_plane")]


@pytest.mark.parametrize(("said", "sliced"), [
    ({"tower_job_template_name": "site", "tower_workflow_job_name": "site"}, True),
    ({"awx_job_template_name": "site", "awx_workflow_job_name": "all of it"}, False),
    ({"awx_job_template_name": "site"}, False),
    # Whoever launches it knows better.
    ({**SLICE, "awx_job_slice_count": 1}, False), ({**SLICE, "tower_job_slice_count": "1"}, False),
    ({"awx_job_slice_count": "3"}, True), ({"tower_job_slice_count": 2}, True),
])
def test_what_awx_tells_a_slice_of_a_job(said, sliced):
    assert bool(gather(three(endpoint_vip="x"), extra=said).problems) == sliced


@pytest.mark.parametrize("text", ['["cp3","cp1"]', "cp3,cp1", [" cp3", "cp1 "]])
def test_a_list_in_a_text_is_that_list(text):
    found = gather(three(endpoint_vip='["198.51.100.100"]', endpoint_lb_hosts=text, endpoint_auth_password='["x"]'))
    assert found.lb_hosts == ["cp3", "cp1"]
    assert found.intent["vip"] == ["198.51.100.100"]
    assert found.intent["auth_password"] == '["x"]'


def test_a_template_that_fails_is_a_problem():
    found = gather(three(endpoint_vip="{{ undefined_thing }}"))
    assert [problem.code for problem in found.problems] == ["template_failed"]
    assert "undefined_thing" in found.problems[0].rule


def test_a_template_that_fails_for_all_hosts_is_one_problem_that_names_them(monkeypatch):
    class Evaluated(dict):
        def __getitem__(self, name):
            return Templar.template(super().__getitem__(name))

    monkeypatch.setattr(HostVars, "__getitem__", lambda self, host: Evaluated(dict.__getitem__(self, host)))
    monkeypatch.setattr(HostVars, "raw_get", dict.__getitem__)
    hosts = three(endpoint_vip="{{ undefined_thing }}")
    hosts["cp2"]["endpoint_port"] = "{{ undefined_thing }}"
    problems = gather(hosts).problems
    assert [problem.code for problem in problems] == ["template_failed"] * 2
    assert sorted(problem.where for problem in problems) == ["cp1, cp2, cp3: endpoint_vip", "cp2: endpoint_port"]


@pytest.mark.parametrize(("variable", "fix"), [
    ("endpoint_interface", "leave endpoint_interface out"), ("endpoint_port", "gather them in a play before")])
def test_facts_that_nobody_gathered(variable, fix):
    expression = "{{ ansible_default_ipv4.interface }}"
    assert fix in _intent._repair(variable, expression, KeyError("'ansible_default_ipv4' is undefined"))
    assert fix in _intent._repair(variable, "{{ my_interface }}", KeyError("'ansible_facts' is undefined"))
    assert fix not in _intent._repair(variable, "{{ thing }}", KeyError("'ansible_thing' is undefined"))


def test_what_a_host_says_of_itself():
    hosts = three(endpoint_vip="198.51.100.100")
    hosts["cp1"].update(endpoint_interface="eth1", endpoint_priority=200, endpoint_address="198.51.100.11/24",
                        ansible_host="mgmt.example.org")
    hosts["cp2"]["__endpoint_info"] = {
        "networks": [{"interface": "eth0", "address": "198.51.100.12", "prefix": 24}],
        "packages": {"keepalived": {"installed": "2.2.7", "candidate": "2.2.8"},
                     "haproxy": {"installed": None, "candidate": "2.6.12"}},
        "deployed": {"plan": {"schema": 1, "endpoints": []}, "error": None}}
    hosts["cp3"]["__endpoint_info"] = {"unreachable": True, "networks": []}
    found = gather(hosts)
    assert found.hosts["cp1"] == {
        "address": "198.51.100.11/24", "interface": "eth1", "priority": 200, "inventory_address": "mgmt.example.org"}
    assert found.hosts["cp2"] == {
        "inventory_address": "cp2", "networks": [{"interface": "eth0", "address": "198.51.100.12", "prefix": 24}],
        "keepalived_version": "2.2.7", "haproxy_version": "2.6.12"}
    assert found.hosts["cp3"] == {"inventory_address": "cp3"}
    assert found.deployed == {"cp2": Deployed(plan={"schema": 1, "endpoints": []})}


def test_members_outside_of_the_play_were_asked():
    networks = [{"interface": "eth0", "address": "198.51.100.13", "prefix": 24}]
    asked = {"results": [{"item": "cp3", "networks": networks}, {"item": "cp2", "unreachable": True}]}
    found = gather(three(endpoint_vip="x"), extra={"__endpoint_asked": asked})
    assert found.hosts["cp3"]["networks"] == networks
    assert "networks" not in found.hosts["cp2"]


def test_two_names_of_one_machine():
    """lb1 balances, cp1 runs an API server, and cp2's name leads to cp1."""
    machine = {"machine_id": "m", "boot_id": "b", "netns": "n", "name": "node-7", "macs": {"eth0": "02:00:00:00:00:01"}}
    hosts = three(endpoint_vip="x")
    for name, identity in (("cp1", machine), ("cp2", dict(machine)), ("cp3", {**machine, "boot_id": "c"})):
        hosts[name]["__endpoint_info"] = {"networks": [], "identity": identity}
    asked = {"results": [{"item": "lb1", "networks": [], "identity": machine}]}
    hosts["lb1"] = {}
    found = gather(hosts, {"kube_lb": ["lb1"], "kube_control_plane": ["cp1", "cp2", "cp3"]}, current="cp3",
                   extra={"__endpoint_asked": asked})
    assert [(item.code, item.where) for item in found.problems] == [
        ("machine_twice", "cp1: ansible_host"), ("machine_twice", "cp2: ansible_host")]
    assert "lb1 and cp1 are one machine, which calls itself node-7" in found.problems[0].rule


def test_facts_that_were_gathered_anyway():
    hosts = three(endpoint_vip="x")
    hosts["cp1"]["ansible_facts"] = {"interfaces": ["lo", "br-ex"], "br_ex": {
        "device": "br-ex", "ipv4": {"address": "198.51.100.11", "prefix": "24"},
        "ipv6": [{"address": "2001:db8::11", "prefix": "64", "scope": "global"}]}}
    assert gather(hosts).hosts["cp1"]["networks"] == [
        {"interface": "br-ex", "address": "198.51.100.11", "prefix": 24},
        {"interface": "br-ex", "address": "2001:db8::11", "prefix": 64}]


def test_misspelt_variables_are_named():
    hosts = three(endpoint_vip="x", endpoint_virtual_router="7", endpoint_vipp="y", endpoint_url="mine",
                  endpoint_endpoint_vip="z", endpoint_haproxy_maxconn=9, my_endpoint_vip="mine")
    hosts["cp2"]["endpoint_prioritiy"] = 7
    hosts["cp3"].update(haproxy_max_conn=1, haproxy_exporter_port=9101)
    found = gather(hosts, extra={"keepalived_packages_state": "latest", "endpont_port": 9443})
    assert [(text.split(":")[0], text.split("Was ")[1]) for text in found.warnings] == [
        ("endpoint_endpoint_vip", "endpoint_vip meant?"),
        ("endpoint_haproxy_maxconn", "haproxy_maxconn meant?"),
        ("endpoint_prioritiy (of cp2)", "endpoint_priority meant?"),
        ("endpoint_vipp", "endpoint_vip meant?"),
        ("endpoint_virtual_router", "endpoint_virtual_router_id meant?"),
        ("endpont_port", "endpoint_port meant?"),
        ("haproxy_max_conn (of cp3)", "haproxy_maxconn meant?"),
        ("keepalived_packages_state", "keepalived_package_state meant?")]


def test_secrets_by_endpoint():
    assert secrets({"auth_password": "s"})["passwords"] == {"kube-apiserver": ["s"]}
    assert secrets({"auth_password": "s", "list": [{"name": "a"}, {"name": "b", "auth_password": "t"}]}) == {
        "passwords": {"a": ["s"], "b": ["t"]}, "registries": {}}
    assert secrets({"auth_password": ["s", "t"]})["passwords"] == {"kube-apiserver": ["s", "t"]}
    assert secrets({"auth_password": "s", "name": " a "})["passwords"] == {"a": ["s"]}
    assert secrets({}) == {"passwords": {}, "registries": {}}


def test_secrets_of_registries_are_as_the_kubelet_has_them():
    found = secrets({"image_auth": {"registry.example.org": {"username": "pull", "password": "hunter2"}}})
    assert found["registries"] == {"registry.example.org": base64.b64encode(b"pull:hunter2").decode()}


def test_plain_leaves_no_wrappers():
    class Tagged(str):
        pass

    class Vaulted:
        def __str__(self):
            return "secret"

    value = plain({Tagged("a"): [Tagged("b"), Vaulted(), True, 1, 1.5, None, datetime.date(2026, 1, 2)]})
    assert value == {"a": ["b", "secret", True, 1, 1.5, None, "2026-01-02"]}
    assert {type(item) for item in [*value, *value["a"]]} == {str, bool, int, float, type(None)}
