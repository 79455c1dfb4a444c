# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import json

import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.judge import _asked
from ansible_collections.kubeha.apiserver.tests.unit.observing import observe
from ansible_collections.kubeha.apiserver.tests.unit.plans import endpoint, plan

HOSTS = ("cp1", "cp2", "cp3")


@pytest.mark.parametrize(
    "spoil, why",
    [
        (lambda planned, hosts: None, ""),
        (lambda planned, hosts: planned.update(timing={}, port=9443), ""),
        (lambda planned, hosts: planned.update(transport="multicast"), "kube-apiserver changes on the wire"),
        (lambda planned, hosts: planned["instances"][0].update(virtual_router_id=7),
         "kube-apiserver changes on the wire"),
        (lambda planned, hosts: planned["instances"][0]["members"].pop(), "kube-apiserver changes on the wire"),
        (lambda planned, hosts: planned.update(name="new"), "new isn't deployed here"),
        (lambda planned, hosts: hosts["cp1"].update(holds=[]), "nobody was seen to hold kube-apiserver"),
        (lambda planned, hosts: hosts["cp2"]["services"].update(keepalived={"active": "failed"}),
         "keepalived isn't running here"),
        (lambda planned, hosts: hosts.pop("cp2"), "kube-apiserver isn't deployed here"),
    ],
)  # fmt: skip
def test_when_the_network_is_asked(spoil, why):
    stored = plan(endpoint())
    planned = copy.deepcopy(stored)
    hosts = {host: observe(stored, host, running=True) for host in HOSTS}
    spoil(planned["endpoints"][0], hosts)
    assert _asked.worth_asking(planned, "cp2", hosts) == why


def test_who_is_a_former_member() -> None:
    planned = plan(endpoint(hosts=["cp1", "cp2"]))
    info = observe(planned, "cp1", running=True)
    info["deployed"]["plan"] = plan(endpoint(hosts=HOSTS))
    assert _asked.former_members(planned, info) == [
        {"host": "cp3", "endpoint": "kube-apiserver", "address": "198.51.100.13", "port": 8443}]


def test_who_is_no_former_member() -> None:
    """Members, a member by another name, and where what answers may be an API server."""
    three = plan(endpoint(hosts=HOSTS))
    info = observe(three, "cp1", running=True)
    assert _asked.former_members(three, info) == _asked.former_members(three, None) == []
    renamed = json.loads(json.dumps(three).replace('"cp3"', '"node3"'))
    assert _asked.former_members(renamed, info) == []
    two = plan(endpoint(hosts=["cp1", "cp2"]))
    info["deployed"]["plan"]["endpoints"][0]["port"] = info["deployed"]["plan"]["endpoints"][0]["backends"][0]["port"]
    assert _asked.former_members(two, info) == []
