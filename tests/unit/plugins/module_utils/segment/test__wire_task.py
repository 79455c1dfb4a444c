# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.kubeha.apiserver.plugins.module_utils.segment._wire_task import wire_task
from ansible_collections.kubeha.apiserver.tests.unit import plans


def test_one_endpoint():
    task = wire_task(plans.plan(plans.endpoint(families=("ipv4", "ipv6"))), "cp2")
    assert task["interfaces"] == ["eth0"]
    assert [vip["address"] for vip in task["vips"]] == ["198.51.100.100", "2001:db8:1::100"]
    assert [(item["host"], item["address"], item["source"]) for item in task["known"]] == [
        ("cp1", "198.51.100.11", "198.51.100.12"), ("cp3", "198.51.100.13", "198.51.100.12"),
        ("cp1", "2001:db8:1::11", "2001:db8:1::12"), ("cp3", "2001:db8:1::13", "2001:db8:1::12")]
    assert [(path["family"], path["address"], path["transport"]) for path in task["paths"]] == [
        ("ipv4", "198.51.100.12", "unicast"), ("ipv6", "2001:db8:1::12", "unicast")]
    assert [peer["host"] for peer in task["paths"][0]["peers"]] == ["cp1", "cp3"]


def test_what_endpoints_share_is_there_once():
    one = plans.endpoint()
    two = plans.endpoint(name="other", vrid=200, vips={"ipv4": ("198.51.100.101", 24)})
    three = plans.endpoint(name="third", vrid=201, vips={"ipv4": ("198.51.100.102", 24)}, hosts=("cp1", "cp2"))
    task = wire_task(plans.plan(one, two, three), "cp1")
    assert len(task["vips"]) == 3 and len(task["paths"]) == 1 and len(task["known"]) == 2
    assert task["interfaces"] == ["eth0"] and len(task["paths"][0]["peers"]) == 2


def test_a_host_of_no_endpoint_has_nothing_to_do():
    assert wire_task(plans.plan(plans.endpoint()), "elsewhere") == {
        "interfaces": [], "vips": [], "known": [], "paths": []}
