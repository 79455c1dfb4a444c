# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every problem and every warning: a case in which it's found, alone, at the right place."""

from __future__ import annotations

import collections
import copy
import json
import re
import typing as t

import pytest
import yaml
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.codes._codes import CODES, SECTIONS, WARNINGS
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.intent._errors import Problem
from ansible_collections.kubeha.apiserver.tests.unit import planning
from ansible_collections.kubeha.apiserver.tests.unit.planning import (
    VIP,
    VIP6,
    entries,
    host,
    hosts,
    intent,
    network,
    offline,
    plan,
    pods,
    stored,
)


class Case(t.NamedTuple):
    code: str
    where: str
    intent: t.Any
    hosts: t.Any = None
    deployed: t.Any = None
    fix: str = ""
    rule: str = ""


def with_host(name: str, **more: t.Any) -> dict[str, t.Any]:
    known = hosts()
    known[name].update(more)
    return known


def on_networks(*networks: dict[str, t.Any]) -> dict[str, t.Any]:
    return with_host("cp2", networks=list(networks))


def old_keepalived() -> dict[str, t.Any]:
    return with_host("cp3", keepalived_version="2.1.5")


WIDE = {"cp%d" % n: {"networks": [network("eth0", "10.0.0.%d" % n, 16)]} for n in (1, 2, 3)}
CROWD = entries(*({"name": "e%d" % n, "vip": "10.0.%d.%d" % (1 + n // 250, 1 + n % 250)} for n in range(256)))


def renamed(intent_: dict[str, t.Any], old: str, new: str) -> dict[str, t.Any]:
    return json.loads(json.dumps(intent_).replace('"%s"' % old, json.dumps(new)))


CASES = [
    # Values as written
    Case("value_type", "endpoint_port", intent(port=True), fix="from 1 to 65535"),
    Case("value_type", "endpoint_port", intent(port=[8443])),
    Case("value_type", "endpoint_port", intent(port=8443.0)),
    Case("value_type", "endpoint_port", intent(port="08443")),
    Case("value_type", "endpoint_vip", intent(vip=10.1), fix="in quotes"),
    Case("value_type", "endpoint_vip[1]", intent(vip=[VIP, 190440]), fix="in quotes"),
    Case("value_type", "endpoint_failback", intent(failback=2)),
    Case("value_type", "endpoint_failback", intent(failback="maybe")),
    Case("value_type", "endpoint_auth", intent(auth=False), fix="in quotes"),
    Case("value_type", "endpoint_list", intent(list="one") | {"vip": None}),
    Case("value_type", "endpoint_list[0]", intent(list=[VIP]) | {"vip": None}),
    Case("value_type", "endpoint_list[0].hosts", entries({"vip": VIP, "hosts": ["cp1"]})),
    Case("value_type", "endpoint_list[0].hosts.cp1", entries({"vip": VIP, "hosts": {"cp1": 150}})),
    Case("value_type", "endpoint_timing", intent(timing=0.1)),
    Case("value_type", "endpoint_timing.advert_interval", intent(timing={"advert_interval": "100ms"}),
         fix="without a unit"),
    Case("value_type", "cp2: endpoint_interface", intent(), with_host("cp2", interface=0)),
    Case("value_type", "intent", ["vip"]),
    Case("value_type", "endpoint_list[0]", entries("vip: 198.51.100.100 auth_password: hunter2")),
    Case("value_type", "endpoint_timing.profile", intent(timing={"profile": 1})),
    Case("value_empty", "endpoint_vip", intent(vip=[])),
    Case("value_empty", "endpoint_vip", intent(vip="  ")),
    Case("value_empty", "endpoint_health_path", intent(health_path="")),
    Case("value_characters", "endpoint_name", intent(name="api{")),
    Case("value_characters", "endpoint_name", intent(name="a" * 64)),
    Case("value_characters", "endpoint_dns_name", intent(dns_name="api.example\n.org")),
    Case("value_characters", "endpoint_accept_findings", intent(accept_findings="No Such")),
    Case("number_range", "endpoint_port", intent(port=65536)),
    Case("number_range", "endpoint_port", intent(port=10 ** 5000)),
    Case("number_range", "endpoint_virtual_router_id", intent(virtual_router_id=256)),
    Case("number_range", "endpoint_virtual_router_id.ipv4", intent(virtual_router_id={"ipv4": 0})),
    Case("number_range", "cp2: endpoint_priority", intent(), with_host("cp2", priority=255)),
    Case("number_range", "endpoint_timing.advert_interval", intent(timing={"advert_interval": 0.015})),
    Case("number_range", "endpoint_timing.advert_interval", intent(timing={"advert_interval": float("nan")})),
    Case("choice_unknown", "endpoint_mode", intent(mode="static-pod"), fix="write static_pod"),
    Case("choice_unknown", "endpoint_auth", intent(auth="hunter2"), fix="write none"),
    Case("choice_unknown", "endpoint_timing", intent(timing="agressive"), fix="write aggressive"),
    Case("key_unknown", "endpoint_endpoint_vip", intent() | {"endpoint_vip": VIP}, fix="write endpoint_vip"),
    Case("key_unknown", "endpoint_endpoint_prot", intent(endpoint_prot=8443), fix="write endpoint_port"),
    Case("key_unknown", "endpoint_list[0]", entries({"vip": VIP, "endpoint_port": 1}), fix="write port"),
    Case("key_unknown", "endpoint_prot", intent(prot=8443), fix="write endpoint_port"),
    Case("key_unknown", "endpoint_list[0]", entries({"vip": VIP, "prot": 1}), fix="write port"),
    Case("key_unknown", "endpoint_list[0].hosts.cp1", entries({"vip": VIP, "hosts": {"cp1": {"nic": "eth0"}}})),
    Case("key_unknown", "endpoint_list[0]", entries({"vip": VIP, "vrid": 1}), fix="write virtual_router_id"),
    Case("key_unknown", "endpoint_timing", intent(timing={"advert_int": 1}), fix="write advert_interval"),
    Case("key_unknown", "endpoint_virtual_router_id", intent(virtual_router_id={"v4": 1}), fix="write ipv4"),
    Case("address_invalid", "endpoint_vip", intent(vip="198.51.100.010"), fix="without leading zeros"),
    Case("address_invalid", "endpoint_vip", intent(vip="198.51.100.256")),
    Case("address_invalid", "endpoint_vip", intent(vip="198.51.100"), fix="all four parts"),
    Case("address_invalid", "endpoint_vip", intent(vip="::ffff:198.51.100.100"), fix="one family"),
    Case("address_invalid", "endpoint_vip", intent(vip="::ffff:c633:6464"), fix="write 198.51.100.100"),
    Case("address_invalid", "endpoint_vip", intent(vip="fe80::1%eth0"), fix="endpoint_interface"),
    Case("address_invalid", "endpoint_vip", intent(vip="[2001:db8::1]"), fix="without brackets"),
    Case("address_invalid", "endpoint_vip", intent(vip="2001:db8:::1")),
    Case("address_invalid", "endpoint_vip", intent(vip=VIP + "/0.0.0.255"), fix="/24"),
    Case("address_invalid", "endpoint_vip", intent(vip=VIP + "/024"), fix="/24"),
    Case("address_invalid", "endpoint_vip", intent(vip=VIP + "/33")),
    Case("address_invalid", "endpoint_vip", intent(vip="api.example.org")),
    Case("address_invalid", "cp2: endpoint_address", intent(), with_host("cp2", address="198.51.100.12;")),
    Case("network_invalid", "endpoint_pod_subnets", intent(pod_subnets="10.244.0.0"), fix="10.96.0.0/12"),
    Case("network_invalid", "endpoint_pod_subnets[0]", intent(pod_subnets=["10.244.1.1/16"]), fix="10.244.0.0/16"),
    Case("dns_name_invalid", "endpoint_dns_name", intent(dns_name="api_server.example.org")),
    Case("dns_name_invalid", "endpoint_dns_name", intent(dns_name="198.51.100.100")),
    Case("dns_name_invalid", "endpoint_dns_name", intent(dns_name="höst.example.org")),
    Case("dns_name_invalid", "endpoint_dns_name", intent(dns_name="a." * 130 + "org")),
    Case("path_invalid", "endpoint_health_path", intent(health_path="/readyz HTTP/1.0")),
    Case("path_invalid", "endpoint_health_path", intent(health_path="readyz")),
    Case("path_invalid", "endpoint_manifest_dir", intent(manifest_dir="/etc/../root")),
    Case("path_invalid", "endpoint_manifest_dir", intent(manifest_dir="/")),
    Case("image_invalid", "haproxy_image", intent(haproxy_image="haproxy:3.0; rm"), fix="/haproxy:3"),
    Case("image_invalid", "keepalived_image", intent(keepalived_image="Keepalived:latest"), fix="/keepalived:2"),
    Case("value_characters", "keepalived_image", pods(keepalived_image="keepalived:2.3\nkind: Pod")),
    Case("choice_unknown", "haproxy_balance", intent(haproxy_balance="leastcon"), fix="write leastconn"),
    Case("choice_unknown", "haproxy_image_pull_policy", pods(haproxy_image_pull_policy="ifnotpresent"),
         fix="write IfNotPresent"),
    Case("number_range", "haproxy_image_user", pods(haproxy_image_user=-1)),
    Case("value_type", "haproxy_image_user", pods(haproxy_image_user="haproxy")),
    Case("path_invalid", "endpoint_manifest_dir", pods(manifest_dir="etc/kubernetes/manifests")),
    Case("registry_invalid", "endpoint_image_prefix", pods(image_prefix="https://registry.example.org")),
    Case("registry_invalid", "endpoint_image_auth", pods(image_auth={"a b": {"username": "u", "password": "hunter2"}})),
    Case("value_type", "endpoint_image_auth", pods(image_auth="pull:hunter2")),
    Case("image_auth_invalid", "endpoint_image_auth.registry.example.org",
         pods(image_auth={"registry.example.org": "pull:hunter2"})),
    Case("image_auth_invalid", "endpoint_image_auth.r", pods(image_auth={"r": {"username": "u"}})),
    Case("image_auth_invalid", "endpoint_image_auth.r", pods(image_auth={"r": {"username": "u", "password": 5347}})),
    Case("image_auth_invalid", "endpoint_image_auth.r",
         pods(image_auth={"r": {"username": "u", "password": "hunter\n2"}})),
    Case("image_auth_invalid", "endpoint_image_auth.r",
         pods(image_auth={"r": {"username": "u", "password": "hunter2", "email": "x"}})),
    Case("interface_name_invalid", "cp2: endpoint_interface", intent(), with_host("cp2", interface="eth0:1"),
         fix="here eth0"),
    Case("interface_name_invalid", "cp2: endpoint_interface", intent(), with_host("cp2", interface="a" * 16)),
    Case("interface_name_invalid", "cp2: endpoint_interface", intent(), with_host("cp2", interface="..")),
    Case("host_name_unsafe", "endpoint_lb_hosts", renamed(intent(apiserver_hosts=["cp1", "cp3"]), "cp2", "cp 2"),
         renamed(hosts(), "cp2", "cp 2")),
    Case("host_name_unsafe", "endpoint_apiserver_hosts", renamed(intent(lb_hosts=["cp1", "cp3"]), "cp2", "2001:db8::1"),
         renamed(hosts(), "cp2", "2001:db8::1")),
    Case("version_invalid", "keepalived_version", intent(keepalived_version="new")),
    Case("version_invalid", "cp2: haproxy_version", intent(), with_host("cp2", haproxy_version="2")),

    # Several endpoints
    Case("list_empty", "endpoint_list", entries()),
    Case("list_and_single", "endpoint_vip", intent(list=[{"vip": VIP}])),
    Case("name_duplicate", "endpoint_list[1].name", entries({"vip": VIP}, {"vip": "198.51.100.101"})),
    Case("name_duplicate", "endpoint_list[1].name",
         entries({"vip": VIP, "name": "a"}, {"vip": "198.51.100.101", "name": "a-ipv4"})),
    Case("modes_mixed", "endpoint_list[1].mode",
         entries({"vip": VIP, "name": "a"}, {"vip": "198.51.100.101", "name": "b", "mode": "static_pod"},
                 keepalived_image="keepalived:2.3.3")),
    Case("value_type", "endpoint_mode", pods(mode=["service", "static_pod"])),
    Case("manifest_dirs_mixed", "endpoint_list[1].manifest_dir",
         entries({"vip": VIP, "name": "a"}, {"vip": "198.51.100.101", "name": "b", "manifest_dir": "/srv/manifests"},
                 mode="static_pod", keepalived_image="keepalived:2.3.3")),

    # Static pods
    Case("image_unset", "keepalived_image", intent(mode="static_pod"), fix="images/keepalived/Containerfile"),
    Case("image_too_old", "keepalived_image", pods(keepalived_image="osixia/keepalived:2.0.20"),
         fix="set keepalived_version"),
    Case("image_port_privileged", "endpoint_port", pods(port=443), fix="haproxy_image_user: 0"),
    Case("image_port_privileged", "haproxy_health_port", pods(haproxy_health_port=81)),
    Case("manifest_dir_taken", "endpoint_manifest_dir", pods(manifest_dir="/etc/kubeha")),
    Case("manifest_dir_taken", "endpoint_manifest_dir", pods(manifest_dir="/run/kubeha/x/")),

    # Hosts
    Case("hosts_missing", "endpoint_lb_hosts", intent(lb_hosts=[]), fix="kube_lb"),
    Case("hosts_missing", "endpoint_apiserver_hosts", intent(apiserver_hosts=[], port=6443), fix="kube_control_plane"),
    Case("host_unknown", "endpoint_lb_hosts", intent(lb_hosts=["cp1", "cp2", "cp33"]), fix="write cp3"),
    Case("host_unknown", "endpoint_list[0].apiserver_hosts",
         entries({"vip": VIP, "apiserver_hosts": "other"}, port=6443)),
    Case("host_duplicate", "endpoint_lb_hosts", intent(lb_hosts=["cp1", "cp2", "cp3", "cp2"])),
    Case("host_not_member", "endpoint_list[0].hosts", entries({"vip": VIP, "hosts": {"cp9": {}}}), fix="remove it"),
    Case("host_not_member", "endpoint_list[0].hosts", entries({"vip": VIP, "hosts": {"ccp2": {}}}), fix="write cp2"),
    Case("host_not_member", "endpoint_list[0].hosts", entries({"vip": VIP, "hosts": {9: {}}})),
    Case("host_data_invalid", "hosts", intent(), ["cp1"]),
    Case("host_data_invalid", "cp2", intent(), {**hosts(), "cp2": "198.51.100.12"}),

    # VIPs
    Case("vip_missing", "endpoint_vip", intent(vip=None)),
    Case("vip_missing", "endpoint_list[0].vip", entries({"name": "a"})),
    Case("vip_kind", "endpoint_vip", intent(vip="224.0.0.18")),
    Case("vip_kind", "endpoint_vip", intent(vip="127.0.0.1")),
    Case("vip_kind", "endpoint_vip", intent(vip="0.0.0.0")),
    Case("vip_kind", "endpoint_vip", intent(vip="169.254.1.1")),
    Case("vip_kind", "endpoint_vip", intent(vip="255.255.255.255")),
    Case("vip_kind", "endpoint_vip", intent(vip="fe80::1")),
    Case("vip_kind", "endpoint_vip", intent(vip="ff02::12")),
    Case("vip_kind", "endpoint_vip", intent(vip="::1")),
    Case("vip_kind", "endpoint_vip", intent(vip="::")),
    Case("vip_duplicate", "endpoint_vip", intent(vip=[VIP, VIP + "/32"])),
    Case("vip_duplicate", "endpoint_list[1].vip", entries({"vip": VIP}, {"vip": VIP, "name": "b"})),
    Case("vip_is_host_address", "endpoint_vip", intent(vip="198.51.100.9", lb_hosts="cp1,cp2"), fix="no host has",
         hosts=with_host("cp3", inventory_address="203.0.113.3", networks=[
             network("eth0", "198.51.100.9", 24), network("eth1", "203.0.113.3", 24)])),
    Case("vip_is_ansible_host", "worker: ansible_host", intent(vip="198.51.100.9"),
         {**hosts(), "worker": {"inventory_address": "198.51.100.9"}}, fix="set ansible_host of worker"),
    # A dynamic inventory asked while cp2 held it.
    Case("vip_is_ansible_host", "cp2: ansible_host", intent(),
         with_host("cp2", inventory_address=VIP, networks=[
             network("eth0", "198.51.100.12", 24), network("eth0", VIP, 32)]), fix="set ansible_host of cp2"),
    Case("vip_is_ansible_host", "cp2: ansible_host", intent(),
         with_host("cp2", inventory_address=VIP, networks=[], address="198.51.100.12/24", interface="eth0")),
    Case("vip_network_address", "endpoint_vip", intent(vip="198.51.100.0")),
    Case("vip_network_address", "endpoint_vip", intent(vip="198.51.100.255")),
    Case("vip_network_address", "endpoint_vip", intent(vip="2001:db8::")),
    Case("vip_network_address", "endpoint_vip", intent(vip="2001:db8::ffff:ffff:ffff:ff80")),
    Case("vip_network_address", "endpoint_vip", intent(vip="2001:db8::fdff:ffff:ffff:fffe")),
    Case("vip_prefix", "endpoint_vip", intent(vip=VIP + "/25"), fix=VIP + "/24"),
    Case("vip_prefix", "endpoint_vip", intent(vip="203.0.113.1/24", vip_routed=True), fix="203.0.113.1/32"),
    Case("former_unusable", "endpoint_release_former", intent(vip="198.51.100.101"),
         with_host("cp2", inventory_address=VIP), stored(plan()), rule="cp2's own address"),
    Case("former_unusable", "endpoint_release_former", intent(port=9443, apiserver_port=8443), None, stored(plan()),
         rule="API servers listen on it, as on cp1"),
    Case("former_unusable", "endpoint_release_former", intent(port=9443, haproxy_health_port=8443), None,
         stored(plan()), rule="haproxy_health_port"),
    Case("former_unusable", "endpoint_release_former", pods(port=8443), None,
         stored(plan(intent(port=443))), rule="user 99"),
    Case("former_unusable", "endpoint_release_former", intent(vip="203.0.113.100"), {
        name: host(number, inventory_address="203.0.113.%d" % number,
                   networks=[network("eth0", "203.0.113.%d" % number, 24)])
        for number, name in enumerate(planning.THREE, 11)}, stored(plan()), rule="outside of the balancers' subnet"),
    Case("vip_outside_subnet", "endpoint_vip", intent(vip="203.0.113.1"), fix="endpoint_vip_routed"),
    Case("vip_outside_subnet", "endpoint_vip", intent(vip="203.0.113.1/24")),
    Case("vip_outside_subnet", "endpoint_vip", intent(vip=[VIP, "203.0.113.1"])),
    Case("vip_outside_subnet", "endpoint_vip", intent(vip=VIP6),
         {name: host(n, networks=[network("eth0", "198.51.100.%d" % n, 24)])
          for n, name in enumerate(planning.THREE, 11)}),
    Case("vip_in_cluster_network", "endpoint_vip", intent(pod_subnets="198.51.0.0/16"), fix="endpoint_pod_subnets"),
    Case("vip_in_cluster_network", "endpoint_vip", intent(service_subnets=["10.96.0.0/12", "198.51.100.64/26"])),
    Case("subnet_unknown", "endpoint_vip", intent(), offline(), fix=VIP + "/24"),
    Case("subnet_unknown", "endpoint_vip", intent(vip="203.0.113.1", vip_routed=True), offline(),
         fix="endpoint_address"),

    # Members
    Case("address_kind", "cp2: endpoint_address", intent(), with_host("cp2", address="169.254.0.1")),
    Case("address_kind", "cp2: endpoint_address", intent(),
         {**hosts(), "cp2": {"address": "198.51.100.255/24", "interface": "eth0"}}),
    Case("address_twice", "cp2: endpoint_address", intent(),
         with_host("cp2", address=["198.51.100.12", "198.51.100.22"])),
    Case("address_unknown", "cp2: endpoint_address", intent(apiserver_hosts=["cp1"]),
         with_host("cp2", networks=None, inventory_address="cp2.example.org")),
    Case("address_unknown", "cp2: endpoint_address", intent(apiserver_hosts=["cp1"]), {**offline(), "cp2": {}}),
    Case("address_ambiguous", "cp2: endpoint_interface", intent(vip="203.0.113.1", vip_routed=True),
         with_host("cp2", inventory_address="cp2.example.org", networks=[
             network("eth0", "198.51.100.12", 24), network("eth1", "10.0.0.12", 24)])),
    Case("address_ambiguous", "worker: endpoint_address", intent(apiserver_hosts=["worker"]),
         {**hosts(), "worker": {"networks": [network("eth0", "10.1.0.9", 24), network("eth1", "10.2.0.9", 24)]}}),
    Case("address_not_on_host", "cp2: endpoint_address", intent(), with_host("cp2", address="198.51.100.22")),
    Case("address_not_on_host", "cp2: endpoint_address", intent(),
         with_host("cp2", address="198.51.100.12", interface="eth1")),
    Case("address_is_vip", "cp2: endpoint_address", intent(), with_host("cp2", address=VIP)),
    Case("address_duplicate", "cp2: endpoint_address", intent(vip=VIP + "/24"),
         {name: {"address": "198.51.100.1%d" % (n // 2), "interface": "eth0"}
          for n, name in enumerate(planning.THREE, 1)} | {"cp2": {"address": "198.51.100.10", "interface": "eth0"}}),
    Case("address_duplicate", "cp1: endpoint_address", intent(lb_hosts="lb1,lb2", port=8443),
         {**hosts(), "lb1": host(11), "lb2": host(9)}, rule="lb1 has the same", fix="one name"),
    Case("address_duplicate", "cp1: endpoint_address", intent(lb_hosts="lb1,lb2", port=8443),
         {**hosts(), "cp1": {"address": "198.51.100.20"}, "lb2": host(9),
          "lb1": {"networks": [network("eth0", "198.51.100.8", 24), network("eth1", "198.51.100.20", 25)],
                  "address": "198.51.100.8"}}, rule="lb1 has the same"),
    Case("prefix_contradicts", "cp2: endpoint_address", intent(), with_host("cp2", address="198.51.100.12/25"),
         fix="198.51.100.12/24"),
    Case("member_outside_subnet", "cp2: endpoint_address", intent(), on_networks(network("eth0", "10.0.0.12", 24))),
    Case("member_outside_subnet", "cp2: endpoint_address", intent(), on_networks(network("eth0", "198.51.100.12", 25))),
    Case("member_outside_subnet", "cp2: endpoint_address", intent(vip="198.51.100.200"),
         on_networks(network("eth0", "198.51.100.12", 25))),
    Case("inventory_outside_subnet", "cp2: ansible_host", intent(), with_host(
        "cp2", networks=None, inventory_address="203.0.113.12")),
    Case("interface_unknown", "cp1: endpoint_interface",
         intent(vip=VIP + "/24", lb_hosts=["cp1"], apiserver_hosts=["cp1"]), offline()),
    Case("interface_ambiguous", "cp2: endpoint_interface", intent(), with_host(
        "cp2", inventory_address=None, networks=[
            network("eth0", "198.51.100.12", 24), network("eth1", "198.51.100.22", 24)])),
    Case("interface_not_on_host", "cp2: endpoint_interface", intent(), with_host("cp2", interface="eth7")),
    Case("backend_address_unknown", "worker: endpoint_address", intent(apiserver_hosts=["worker"]),
         {**hosts(), "worker": {"inventory_address": "worker.example.org"}}),

    # Priorities
    Case("priority_tie", "cp2: endpoint_priority", intent(), with_host("cp2", priority=150), fix="148 is free"),
    Case("priority_tie", "endpoint_list[0].hosts.cp3.priority",
         entries({"vip": VIP, "hosts": {"cp2": {"priority": 140}, "cp3": {"priority": 140}}})),
    Case("priorities_too_wide", "endpoint_lb_hosts", intent(), with_host("cp2", priority=2),
         rule="with 150 as the highest, the lowest must be at least 102"),
    Case("priorities_too_wide", "endpoint_lb_hosts", intent(lb_hosts=["cp1", "cp2"]),
         {**with_host("cp1", priority=6), "cp2": planning.host(12, priority=5)}, rule="the highest must be at least 7"),
    Case("priorities_too_wide", "endpoint_lb_hosts", intent(lb_hosts=["cp1"]), with_host("cp1", priority=1),
         rule="the highest must be at least 4"),
    Case("priorities_too_wide", "endpoint_lb_hosts", intent(failback=False), with_host("cp2", priority=254),
         rule="the highest must be at most 251"),
    Case("too_many_balancers", "endpoint_lb_hosts",
         intent(lb_hosts=["cp%d" % n for n in range(1, 52)]), hosts(51), fix="at most 49"),
    Case("too_many_balancers", "endpoint_lb_hosts",
         intent(lb_hosts=["cp%d" % n for n in range(1, 52)], failback=False), hosts(51), fix="at most 49"),
    Case("too_many_balancers", "endpoint_lb_hosts", intent(lb_hosts=["cp%d" % n for n in range(1, 86)]),
         {**hosts(85), "cp1": planning.host(11, priority=254)}, fix="at most 49"),

    # VRIDs
    Case("vrid_duplicate", "endpoint_list[1].virtual_router_id",
         entries({"vip": VIP, "virtual_router_id": 7}, {"vip": "198.51.100.101", "name": "b", "virtual_router_id": 7}),
         fix="8 is free"),
    Case("vrid_duplicate", "endpoint_list[1].virtual_router_id",
         entries({"vip": VIP, "name": "a"}, {"vip": "198.51.100.101", "name": "b", "virtual_router_id": 100}),
         None, stored(plan(entries({"vip": VIP, "name": "a"}))), fix="101 is free"),
    Case("vrid_family_missing", "endpoint_virtual_router_id", intent(virtual_router_id={"ipv6": 5}), fix="remove ipv6"),
    Case("vrid_exhausted", "endpoint_list[0].virtual_router_id", CROWD, WIDE),

    # Ports
    Case("port_taken_by_apiserver", "endpoint_port", intent(port=6443),
         fix="endpoint_port to another port, such as 8443"),
    Case("port_taken_by_apiserver", "endpoint_port", intent(apiserver_port=8443)),
    Case("port_taken_by_apiserver", "haproxy_health_port", intent(haproxy_health_port=6443)),
    Case("port_taken_by_health", "endpoint_port", intent(port=8481)),
    Case("metrics_address_invalid", "endpoint_metrics_address", intent(metrics_address=VIP)),
    Case("metrics_address_invalid", "endpoint_metrics_address", intent(metrics_address="0.0.0.0")),
    Case("metrics_address_invalid", "endpoint_metrics_address", intent(metrics_address="*")),
    Case("metrics_address_invalid", "endpoint_metrics_address", intent(metrics_address="198.51.100.11")),
    Case("metrics_allow_missing", "endpoint_metrics_allow", intent(metrics=True, metrics_address="host")),
    Case("metrics_port_taken", "endpoint_metrics_port", intent(metrics=True, metrics_port=8443)),
    Case("metrics_port_taken", "endpoint_metrics_port", intent(metrics=True, metrics_port=8481)),
    Case("number_range", "endpoint_metrics_port", intent(metrics_port=443)),
    Case("network_invalid", "endpoint_metrics_allow[0]", intent(metrics_allow=["198.51.100.7/24"])),
    Case("value_type", "endpoint_recorder", intent(recorder="sometimes")),
    Case("path_invalid", "endpoint_metrics_textfile_dir", intent(metrics_textfile_dir="textfiles")),
    Case("metrics_dir_of_pods", "endpoint_metrics_textfile_dir",
         intent(metrics_textfile_dir="/etc/kubernetes/manifests"), rule="takes what is in /etc/kubernetes/manifests"),
    Case("metrics_dir_of_pods", "endpoint_metrics_textfile_dir",
         planning.pods(manifest_dir="/srv/pods/", metrics_textfile_dir="/srv/pods/metrics")),
    Case("log_connections_invalid", "haproxy_log_connections", intent(haproxy_log_connections="some")),
    Case("log_connections_invalid", "haproxy_log_connections", intent(haproxy_log_connections="1/1")),
    Case("log_connections_invalid", "haproxy_log_connections", intent(haproxy_log_connections="2/100")),
    Case("value_type", "haproxy_log_connections", intent(haproxy_log_connections=0.01)),
    Case("log_target_invalid", "haproxy_log_target", intent(haproxy_log_target="syslog.example.org:514")),
    Case("log_target_invalid", "haproxy_log_target", intent(haproxy_log_target="198.51.100.25")),
    Case("log_target_invalid", "haproxy_log_target", intent(haproxy_log_target="198.51.100.25:0")),
    Case("log_target_invalid", "haproxy_log_target", intent(haproxy_log_target="224.0.0.1:514")),
    Case("log_target_invalid", "haproxy_log_target", intent(haproxy_log_target="2001:db8::25:514")),
    Case("path_invalid", "endpoint_notify_script", intent(notify_script="moved.sh")),
    Case("path_invalid", "endpoint_notify_script", intent(notify_script="/opt/moved --now")),
    Case("path_invalid", "endpoint_notify_script", intent(notify_script="/opt/../moved")),
    Case("value_characters", "endpoint_notify_user", intent(notify_user="Admin")),
    Case("notify_user_root", "endpoint_notify_user", intent(notify_user="root")),
    Case("port_taken_by_apiserver", "endpoint_metrics_port",
         intent(metrics=True, metrics_port=7443, apiserver_port=7443)),
    Case("port_taken_by_kubernetes", "endpoint_metrics_port", intent(metrics=True, metrics_port=10250)),
    Case("source_above_maxconn", "haproxy_maxconn_per_source", intent(haproxy_maxconn_per_source=9000), rule="8192"),
    Case("source_above_maxconn", "haproxy_maxconn_per_source",
         intent(haproxy_maxconn=500, haproxy_maxconn_per_source=501)),
    Case("port_taken_by_kubernetes", "endpoint_port", intent(port=10250)),
    Case("port_taken_by_kubernetes", "haproxy_health_port", intent(haproxy_health_port=2381)),
    Case("member_left", "endpoint_lb_hosts", intent(lb_hosts=["cp1", "cp2"]), None, {"cp3": stored(plan())["cp3"]},
         fix="remove with -e endpoint_hosts=cp3"),
    Case("hosts_disagree", "endpoint_port", intent(), None, {
        "cp1": stored(plan(intent(port=9443)))["cp1"], "cp2": stored(plan())["cp2"]}),
    Case("bad_stored_plan", "cp1: /etc/kubeha/plan.json", intent(), None, {"cp1": {"endpoints": 1}},
         fix="endpoint_accept_findings: [bad_stored_plan]"),
    Case("newer_stored_plan", "cp1: /etc/kubeha/plan.json", intent(), None, {**stored(plan()), "cp1": {"schema": 2}}),
    Case("port_would_change", "endpoint_port", intent(), None, stored(plan(intent(port=9443))),
         fix="set endpoint_port to 9443"),

    # Timing
    Case("timing_order", "endpoint_timing", intent(timing={"check_fall": 2}), fix="check_fall to 6 or more"),
    Case("timing_order", "endpoint_timing", intent(timing={"inter": 10})),
    Case("timing_needs_version", "endpoint_timing.down_timer_adverts", intent(timing={"down_timer_adverts": 5}),
         old_keepalived()),
    Case("timing_needs_version", "endpoint_timing.check_interval", intent(timing={"check_interval": 1.5})),
    Case("timing_needs_vrrp3", "endpoint_timing.advert_interval",
         intent(auth="pass", auth_password="secret", timing={"advert_interval": 0.5})),
    Case("timing_needs_vrrp3", "endpoint_timing", intent(auth="pass", auth_password="secret", timing="aggressive")),

    # Authentication
    Case("auth_password_missing", "endpoint_auth_password", intent(auth="pass")),
    Case("auth_password_unused", "endpoint_auth_password", intent(auth_password="hunter2")),
    Case("auth_password_invalid", "endpoint_auth_password", intent(auth="pass", auth_password="hunter2hunter2")),
    Case("auth_password_invalid", "endpoint_auth_password", intent(auth="pass", auth_password=5347), fix="in quotes"),
    Case("auth_password_invalid", "endpoint_auth_password", intent(auth="pass", auth_password=True)),
    Case("auth_password_invalid", "endpoint_auth_password", intent(auth="pass", auth_password="hunter 2")),
    Case("auth_password_invalid", "endpoint_auth_password", intent(auth="pass", auth_password="")),
    Case("auth_pass_ipv6", "endpoint_auth", intent(vip=[VIP, VIP6], auth="pass", auth_password="hunter2")),
    Case("auth_needs_version", "endpoint_auth", intent(auth="hmac", auth_password="k" * 32)),
    *(Case("auth_password_invalid", "endpoint_auth_password", intent(auth="hmac", auth_password=key),
           {name: host(n, keepalived_version="2.4.2") for n, name in enumerate(planning.THREE, 11)}, fix="openssl rand")
      for key in ("k" * 31, "k" * 65, "hex:" + "0a" * 31, "hex:" + "0a" * 32 + "0", "hex:" + "xy" * 32,
                  "k" * 128)),

    Case("auth_key_twice", "endpoint_auth_password[1]", intent(auth="hmac", auth_password=["k" * 32, "k" * 32]),
         {name: host(n, keepalived_version="2.4.2") for n, name in enumerate(planning.THREE, 11)}, fix="openssl rand"),
    Case("auth_mode_unused", "endpoint_auth_mode", intent(auth_mode="permissive")),

    # Versions
    Case("version_too_old", "cp2: keepalived_version", intent(), with_host("cp2", keepalived_version="2.0.20"),
         fix="on cp2"),
    Case("version_too_old", "haproxy_version", intent(haproxy_version="1.8.30"), fix="on the hosts"),
]


@pytest.mark.parametrize("case", CASES, ids=["%s-%d" % (case.code, index) for index, case in enumerate(CASES)])
def test_found_alone_at_its_place(case: Case) -> None:
    found = planning.problems(case.intent, case.hosts, case.deployed)
    assert [(problem.code, problem.where) for problem in found] == [(case.code, case.where)], "\n".join(map(str, found))
    assert case.fix in found[0].fix and case.rule in found[0].rule
    assert not re.search(r"[{}]", found[0].rule.replace("{vip: 198.51.100.100}", "")), "a word was not filled in"
    assert json.loads(json.dumps(found[0].to_dict())) == found[0].to_dict()
    assert not re.search("hunter|5347", str(found[0])), "a password shows"


def test_every_problem_has_a_case() -> None:
    elsewhere = {code for name in ("The run and its inventory", "A drill", "Importing what runs", WARNINGS)
                 for code in SECTIONS[name]}
    assert {case.code for case in CASES} == {code for code, entry in CODES.items() if "plan" in entry.by} - elsewhere


def test_all_problems_are_found_at_once() -> None:
    found = planning.codes(intent(vip="224.0.0.1", port=True, mode="pod", timing="slow", health_path="x", nome=1))
    assert found == ["key_unknown", "value_type", "choice_unknown", "choice_unknown", "path_invalid", "vip_kind"]


WARNED = {
    "auth_pass_slow": (intent(auth="pass", auth_password="hunter2"),),
    "backend_guessed": (intent(apiserver_hosts=["api"]), {**hosts(), "api": {"inventory_address": "203.0.113.9"}}),
    "balancer_alone": (intent(lb_hosts="cp1"),),
    "deployed_unreadable": (intent(), None, {**stored(plan()), "cp1": {"endpoints": 1}}),
    "host_differs": (intent(), None, {**stored(plan()), "cp1": stored(plan(intent(virtual_router_id=9)))["cp1"]}),
    "facts_unreadable": (intent(), with_host("cp2", networks=[{"interface": "eth0"}, *host(12)["networks"]])),
    "former_kept": (intent(vip="198.51.100.101", port=9443), None, stored(plan())),
    "former_released": (intent(vip="198.51.100.101", release_former=True), None, stored(plan())),
    "hmac_untried": (intent(auth="hmac", auth_password="hex:" + "0A" * 64),
                     {name: host(n, keepalived_version="2.4.2") for n, name in enumerate(planning.THREE, 11)}),
    "hmac_not_enforced": (intent(auth="hmac", auth_password="k" * 32, auth_mode="permissive"),
                          {name: host(n, keepalived_version="2.4.2") for n, name in enumerate(planning.THREE, 11)}),
    "image_floating": (pods(haproxy_image="registry.example.org:5000/haproxy"),),
    "metrics_need_version": (intent(metrics=True), with_host("cp2", haproxy_version="2.2.9")),
    "member_gone": (intent(lb_hosts=["cp1", "cp2"]), None, {
        name: found for name, found in stored(plan()).items() if name != "cp3"}),
    "port_changes": (intent(port=9443), None, stored(plan())),
    "version_unknown": (intent(), with_host("cp2", keepalived_version=None)),
    "vrid_changes": (intent(virtual_router_id=9), None, stored(plan())),
    "vrid_kept": (intent(), None, stored(plan(intent(virtual_router_id=9)))),
    "vrid_moved": (entries({"vip": "10.0.1.7", "name": "a"}, {"vip": "10.0.2.7", "name": "b"}), WIDE),
}


@pytest.mark.parametrize("code", WARNED)
def test_warned(code: str) -> None:
    assert code in planning.warned(*WARNED[code])
    assert "hunter" not in json.dumps(plan(*WARNED[code]))


@pytest.mark.parametrize("image, floats", [
    ("haproxy", True), ("haproxy:latest", True), ("haproxy@sha256:" + "0" * 64, False),
    ("haproxy:latest@sha256:" + "0" * 64, False), ("haproxy:lts", False), ("r.example.org:5000/haproxy:3.0", False)])
def test_what_may_change_by_itself(image: str, floats: bool) -> None:
    assert ("image_floating" in planning.warned(pods(haproxy_image=image))) is floats
    assert "image_floating" not in planning.warned(intent(haproxy_image=image)), "it's used by pods only"


def test_root_may_listen_anywhere() -> None:
    assert planning.codes(pods(port=443, haproxy_health_port=81, haproxy_image_user=0)) == []
    assert planning.codes(intent(port=443)) == []


def test_every_warning_has_a_case() -> None:
    assert sorted(WARNED) == sorted(SECTIONS[WARNINGS])


def test_nothing_to_warn_of() -> None:
    assert planning.warned() == []


# What a fix tells to do. Without a name it's for the place of the problem.
ADVISED = tuple(map(re.compile, (
    r"\bset (?P<name>(?:endpoint|haproxy|keepalived)_\w+)(?: to another port, such as| to|:) "
    r"(?P<value>(?!the |none and )[^\s,;]+)",
    r"\bset (?P<name>check_fall) to (?P<value>\d+)",
    r"\bset (?P<name>endpoint_auth): (?P<value>none) and (?P<and>remove the password)",
    r"\bset it to (?P<value>true)\b",
    r"\bwrite (?P<value>\S+?)(?= with\b|,| or |$)",
    r"(?<!port, )\bsuch as (?P<value>\{.+\}|[^\s{}]+)",
    r"\bchoose another port, such as (?P<value>\d+)",
    r"; (?P<value>\d+) is free\b",
    r"\b(?P<priorities>endpoint_priority) of all balancers closer together, for example to (?P<value>[\d, ]+)",
    r"(?<!and )\b(?P<remove>remove (?:it|the password))\b",
    r"\b(?P<prefix>leave the prefix out)\b",
)))
# Not at the same place, and no consequence of what was advised: what couldn't be judged before.
LATER = {
    "address_invalid": ["address_is_vip"],  # cp2's, with the example
    "address_not_on_host": ["interface_not_on_host"],
    "auth_mode_unused": ["auth_password_missing", "auth_needs_version"],
    "auth_password_unused": ["auth_password_invalid"],  # it's too long for `pass`
    "choice_unknown": ["image_unset"],
    "host_data_invalid": ["interface_unknown", "address_duplicate"],
    "subnet_unknown": ["interface_unknown"],
    "vip_outside_subnet": ["vip_prefix", "address_unknown"],
}


def advice() -> t.Iterator[tuple[Case, Problem, dict[str, str]]]:
    for case in CASES:
        problem, = planning.problems(case.intent, case.hosts, case.deployed)
        for match in (found for pattern in ADVISED for found in pattern.finditer(problem.fix)):
            # All hosts are no host.
            if case.where != "hosts":
                yield case, problem, collections.defaultdict(str, match.groupdict(""))


ADVICE = list(advice())


def holding(wanted: t.Any, known: t.Any, where: str) -> tuple[t.Any, t.Any]:
    """What holds a value, and under which key: `cp2: endpoint_priority`, `endpoint_list[0].hosts.cp3.priority`."""
    name, _colon, variable = where.rpartition(": ")
    inside = known[name] if name else wanted
    path = [int(part) if part.isdigit() else part for part in re.findall(r"\w+", variable.replace("endpoint_", "", 1))]
    for part in path[:-1]:
        inside = inside.setdefault(part, {}) if isinstance(inside, dict) else inside[part]
    return inside, path[-1]


def follow(case: Case, problem: Problem, words: dict[str, str]) -> list[Problem]:
    """What is left once somebody has done it."""
    wanted, known = copy.deepcopy(case.intent), copy.deepcopy(case.hosts or hosts())
    value = yaml.safe_load(words["value"] or "null")
    if words["priorities"]:
        for name, priority in zip(planning.THREE, words["value"].split(", ")):
            known[name]["priority"] = int(priority)
        return planning.problems(wanted, known, case.deployed)
    if case.where in known:
        known[case.where] = value
        return planning.problems(wanted, known, case.deployed)
    where = words["name"].replace("check_fall", "endpoint_timing.check_fall") or problem.where
    inside, key = holding(wanted, known, where)
    written, there = problem.value, inside[key] if isinstance(inside, list) else inside.get(key)
    if case.code == "key_unknown":
        # A variable's place is its name; other keys are the value at their place.
        mapping, wrong = (inside, key) if written is None else (there, written)
        mapping[value.replace("endpoint_", "", 1)] = mapping.pop(wrong)
    elif isinstance(there, (list, dict)) and isinstance(written, str) and written in there:
        if isinstance(there, dict):
            del there[written]
        else:
            there.remove(written)
            there.append(value)
    elif words["remove"]:
        del inside[key]
    elif words["prefix"]:
        inside[key] = written.partition("/")[0]
    elif re.match(r"/\d+$", str(value)):
        inside[key] = written.partition("/")[0] + value
    else:
        inside[key] = value
    if words["and"]:
        del wanted["auth_password"]
    return planning.problems(wanted, known, case.deployed)


@pytest.mark.parametrize(
    "case, problem, words", ADVICE, ids=["%s-%d" % (case.code, index) for index, (case, *_rest) in enumerate(ADVICE)])
def test_who_does_as_advised_has_that_problem_no_more(case: Case, problem: Problem, words: dict[str, str]) -> None:
    left = follow(case, problem, words)
    assert problem.where not in {found.where for found in left if found.code == problem.code}, problem.fix
    assert {found.code for found in left} <= set(LATER.get(case.code, ())), (problem.fix, left)


def test_most_problems_have_advice_that_was_followed() -> None:
    """A fix in other words isn't left out by accident."""
    assert len({case.code for case, *_rest in ADVICE}) >= 29


@pytest.mark.parametrize("known", [
    hosts(), with_host("cp2", inventory_address=None),
    with_host("cp2", address="198.51.100.12/24", interface="eth0")], ids=["facts", "no address", "written"])
@pytest.mark.parametrize("balancers", [["cp1", "cp2", "cp3"], ["cp1", "cp3"]])
def test_a_vip_that_a_host_has_says_nothing_else_against_that_host(
        known: dict[str, t.Any], balancers: list[str]) -> None:
    said = planning.problems(intent(vip="198.51.100.12", lb_hosts=balancers), known)
    assert [problem.code for problem in said] == ["vip_is_host_address"]
