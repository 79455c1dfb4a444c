# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _hostfacts as hostfacts
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.codes._codes import CODES, SECTIONS, finding_of
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.judge import _preflight as preflight
from ansible_collections.kubeha.apiserver.tests.unit import observing
from ansible_collections.kubeha.apiserver.tests.unit.plans import endpoint, plan, pods
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[5]
VIP = "198.51.100.100"
HOSTS = ("cp1", "cp2", "cp3")


def observe(the_plan, host, running=False):
    """What a host says that has nothing wrong, before the endpoint is deployed or while it runs."""
    return dict(observing.observe(the_plan, host, running=running), preflight=observing.look(the_plan, host, running))


def observations(the_plan, running=False):
    return {host: observe(the_plan, host, running) for host in HOSTS}


def codes(findings):
    return [(item["code"], item["severity"]) for item in findings]


def link(seen):
    return seen["preflight"]["interfaces"][1]


def vrrp(seen, **values):
    seen["preflight"]["firewall"]["vrrp"][0].update(values)
    seen["preflight"]["firewall"]["manager"] = "nftables"


def program(seen, name, owner=None, **options):
    found = [item for item in seen["preflight"]["programs"] if item["name"] != name]
    options = {key.replace("_", "-"): value for key, value in options.items()}
    about = {"name": name, "pid": 9, "unit": "a pod", "owner": owner, "options": options}
    seen["preflight"]["programs"] = [*found, about]


def listens(seen, port=8443, address="0.0.0.0", name="nginx", kubernetes=False, owner=None):
    seen["preflight"]["listeners"].append(
        {
            "address": address,
            "port": port,
            "pid": 814,
            "program": name,
            "unit": "%s.service" % name,
            "owner": owner,
            "kubernetes": kubernetes,
        }
    )


def networkd(seen, value=""):
    seen["preflight"]["network_managers"]["eth0"]["networkd"] = {
        "file": "/etc/systemd/network/eth0.network", "keep_configuration": value, "keeps": value == "static"
    }  # fmt: skip


# What is wrong with cp2: code, severity, what is seen there.
def wrong(name, severity="error", seen="", **plan_options):
    def register(spoil):
        CASES.append(pytest.param(name, severity, seen, plan_options, spoil, id="%s-%d" % (name, len(CASES))))
        return spoil

    return register


CASES: list = []


@wrong("interface_missing", seen="no interface eth0; it has ens3")
def interface_missing(seen):
    link(seen)["name"] = "ens3"


@wrong("interface_down", seen="eth0 is down")
def interface_down(seen):
    link(seen).update(up=False, carrier=False)


@wrong("interface_no_carrier", seen="eth0 has no carrier")
def interface_no_carrier(seen):
    link(seen)["carrier"] = False


@wrong("address_missing", seen="eth0 hasn't 198.51.100.12; it has 198.51.100.99")
def address_missing(seen):
    seen["preflight"]["addresses"][0]["address"] = "198.51.100.99"


def clock(seen, ahead):
    seen["preflight"]["clock"] = {"low": 1795380000.0 + ahead, "high": 1795380001.0 + ahead}


@wrong("clock_differs", "warning", seen="its clock is 30.5 s or more ahead of cp1's")
def clock_differs(seen):
    clock(seen, 31.5)


@wrong("clock_differs", "warning", seen="its clock is 3.5 s or more behind cp1's", auth="hmac")
def clock_differs_2(seen):
    clock(seen, -4.5)


@wrong("clock_breaks_hmac", seen="its clock is 3599.0 s or more ahead of cp1's", auth="hmac")
def clock_breaks_hmac(seen):
    clock(seen, 3600)


# Three adverts are more than 5 s here.
@wrong("clock_differs", "warning", seen="its clock is 14.0 s or more ahead of cp1's", auth="hmac", advert=5)
def clock_differs_3(seen):
    clock(seen, 15)


@wrong("clock_breaks_hmac", seen="its clock is 16.0 s or more ahead of cp1's", auth="hmac", advert=5)
def clock_breaks_hmac_2(seen):
    clock(seen, 17)


@wrong("folder_read_only", seen="not even root can write into /etc, /var/lib")
def folder_read_only(seen):
    seen["preflight"]["unwritable"] = ["/etc", "/var/lib"]


@wrong("mtu_differs", "warning", seen="MTU 1500 on cp1, cp3; 9000 on cp2")
def mtu_differs(seen):
    link(seen)["mtu"] = 9000


@wrong("port_taken", seen="nginx (process 814) listens on 0.0.0.0:8443")
def port_taken(seen):
    listens(seen)


@wrong("port_taken", seen="nginx (process 814) listens on [::]:8443")
def port_taken_2(seen):
    listens(seen, address="::")


@wrong("port_taken", seen="nginx (process 814) listens on 127.0.0.1:8443")
def port_taken_3(seen):
    listens(seen, address="127.0.0.1")


@wrong("port_taken", seen="haproxy (process 814, a pod) listens on 0.0.0.0:8443")
def port_taken_4(seen):
    listens(seen, name="haproxy")
    seen["preflight"]["listeners"][-1]["unit"] = "a pod"


@wrong("apiserver_on_port", seen="an API server, kube-apiserver (process 814) listens on [::]:8443")
def apiserver_on_port(seen):
    listens(seen, address="::", name="kube-apiserver", kubernetes=True)


@wrong("health_port_taken", seen="nginx (process 814) listens on 127.0.0.1:8481")
def health_port_taken(seen):
    listens(seen, 8481, "127.0.0.1")


EXPORTER = {"exporter": {"address": None, "port": 8405, "allow": []}, "textfile_dir": None}


@wrong("metrics_port_taken", seen="nginx (process 814) listens on 198.51.100.12:8405", metrics=EXPORTER)
def metrics_port_taken(seen):
    listens(seen, 8405, "198.51.100.100")
    listens(seen, 8405, "198.51.100.12")


@wrong("port_ephemeral", "warning", seen="port 8443 is one of 1024 to 60999, which are for outgoing connections")
def port_ephemeral(seen):
    seen["preflight"]["sysctls"]["net/ipv4/ip_local_port_range"]["value"] = "1024\t60999"


@wrong("apiserver_port_differs", "warning", seen="the API server listens on port 16443, and 6443 is planned")
def apiserver_port_differs(seen):
    program(seen, "kube-apiserver", secure_port="16443")


@wrong("haproxy_foreign", seen="/etc/haproxy/haproxy.cfg was written by somebody else")
def haproxy_foreign(seen):
    seen["config_owner"]["/etc/haproxy/haproxy.cfg"] = "foreign"


@wrong("haproxy_files_ignored", "warning", seen="HAProxy doesn't load /etc/haproxy/conf.d/metrics.cfg")
def haproxy_files_lie_there(seen):
    seen["haproxy_ignored"] = ["/etc/haproxy/conf.d/metrics.cfg"]


@wrong("haproxy_files_ignored", seen="HAProxy loads /etc/haproxy/conf.d now, and doesn't after this run")
def haproxy_files_are_loaded(seen):
    seen["haproxy_ignored"] = ["/etc/haproxy/conf.d/metrics.cfg"]
    seen["preflight"]["loads"] = {"haproxy": ["/etc/haproxy/conf.d"], "keepalived": []}


@wrong("keepalived_foreign", seen="keepalived loads /srv/vrrp.conf now, and doesn't after this run")
def keepalived_loads_another_file(seen):
    seen["preflight"]["loads"] = {"haproxy": [], "keepalived": ["/srv/vrrp.conf"]}


@wrong("keepalived_foreign", seen="/etc/keepalived/keepalived.conf was written by somebody else")
def keepalived_foreign(seen):
    seen["config_owner"]["/etc/keepalived/keepalived.conf"] = "foreign"


@wrong("service_masked", seen="keepalived.service is masked")
def service_masked(seen):
    seen["services"]["keepalived"].update(active="inactive", enabled=False, masked=True)


@wrong("keepalived_other", "warning", seen="a keepalived of a pod runs here (process 9)")
def keepalived_other(seen):
    program(seen, "keepalived")


@wrong("kube_vip_running", "warning", seen="kube-vip runs here (process 9)")
def kube_vip_running(seen):
    program(seen, "kube-vip")


@wrong(
    "networkd_drops_vip",
    "warning",
    seen="networkd configures eth0 by /etc/systemd/network/eth0.network, KeepConfiguration is not set",
)
def networkd_drops_vip(seen):
    networkd(seen)


@wrong(
    "networkd_drops_vip",
    "warning",
    seen="networkd configures eth0 by /etc/systemd/network/eth0.network, KeepConfiguration is dhcp",
)
def networkd_drops_vip_2(seen):
    networkd(seen, "dhcp")


@wrong("networkmanager_drops_vip", "info", seen="NetworkManager configures eth0")
def networkmanager_drops_vip(seen):
    seen["preflight"]["network_managers"]["eth0"]["networkmanager"] = {"connection": "fdc8"}


@wrong("firewall_drops_vrrp", seen="nftables drops VRRP from 198.51.100.11 (inet filter input)")
def firewall_drops_vrrp(seen):
    vrrp(seen, outcome="drop", where="inet filter input")


@wrong("firewall_drops_vrrp", seen="nftables drops VRRP to 198.51.100.11 (inet filter output)")
def firewall_drops_vrrp_2(seen):
    vrrp(seen, outcome="drop", where="inet filter output", direction="out")


@wrong(
    "firewall_drops_clients",
    seen="firewalld drops new connections to 198.51.100.100:8443 (inet firewalld filter_IN_public)",
)
def firewall_drops_clients(seen):
    seen["preflight"]["firewall"]["manager"] = "firewalld"
    seen["preflight"]["firewall"]["clients"][0].update(outcome="drop", where="inet firewalld filter_IN_public")


@wrong("firewall_unclear", "info", seen="whether nftables lets VRRP and clients in depends on inet filter input")
def firewall_unclear(seen):
    vrrp(seen, outcome="unknown", where="inet filter input")


@wrong("firewall_unclear", "info", seen="firewalld is active, and there is no nft to read its rules")
def firewall_unclear_2(seen):
    seen["preflight"]["firewall"] = {"manager": "firewalld", "readable": False, "vrrp": [], "clients": []}


@wrong("rp_filter_strict", "warning", seen="rp_filter is strict on eth0, and the default route leaves by eth1")
def rp_filter_strict(seen):
    seen["preflight"]["default_routes"]["ipv4"] = ["eth1"]
    seen["preflight"]["sysctls"]["net/ipv4/conf/eth0/rp_filter"]["value"] = "1"
    seen["preflight"]["sysctls"]["net/ipv4/conf/all/rp_filter"]["value"] = "0"


def test_advice_works_for_interfaces_with_a_dot():
    """sysctl takes the dots of a name for separators, unless the separators are slashes."""
    fix = CODES["rp_filter_strict"].fix.format(interface="bond0.100")
    assert "net/ipv4/conf/bond0.100/rp_filter=2" in fix


@wrong("arp_flux", "warning", seen="eth1 has an address in the subnet of eth0 as well, and arp_ignore is 0 there")
def arp_flux(seen):
    two_cards(seen, "0", "0")


def two_cards(seen, everywhere, there):
    seen["preflight"]["addresses"].append({"interface": "eth1", "address": "198.51.100.77", "prefix": 24})
    for name, value in (("all", everywhere), ("eth1", there)):
        seen["preflight"]["sysctls"]["net/ipv4/conf/%s/arp_ignore" % name] = {"value": value, "writable": True}


@pytest.mark.parametrize("everywhere, there", [("1", "0"), ("0", "2")])
def test_two_cards_in_a_subnet_that_answer_for_themselves_only(everywhere, there):
    the_plan = plan(endpoint())
    hosts = observations(the_plan)
    two_cards(hosts["cp2"], everywhere, there)
    assert codes(preflight.preflight_findings(the_plan, hosts)) == []


@wrong("nonlocal_bind_readonly", seen="net.ipv4.ip_nonlocal_bind is 0 and can't be written", nonlocal_bind=True)
def nonlocal_bind_readonly(seen):
    seen["preflight"]["sysctls"]["net/ipv4/ip_nonlocal_bind"] = {"value": "0", "writable": False}


@wrong(
    "nonlocal_bind_overridden",
    "warning",
    seen="/etc/sysctl.d/99-x.conf sets net.ipv4.ip_nonlocal_bind = 0 after ours sets 1",
    nonlocal_bind=True,
)
def nonlocal_bind_overridden(seen):
    seen["preflight"]["sysctl_files"] = {"net/ipv4/ip_nonlocal_bind": ["/etc/sysctl.d/99-x.conf"]}


@pytest.mark.parametrize("line", ["net.ipv4.ip_nonlocal_bind=0", "\t-net/ipv4/ip_nonlocal_bind = 0"])
def test_a_setting_in_somebody_elses_file_is_commented_out_as_advised(tmp_path, line):
    others = ["# net.ipv4.ip_nonlocal_bind=0 was here", "net.ipv4.ip_forward=1", ""]
    files = [tmp_path / name for name in ("98-x.conf", "99-x.conf")]
    for file in files:
        file.write_text("\n".join([others[0], line, *others[1:]]), encoding="utf-8")
    fix = preflight._comment_out("net.ipv4.ip_nonlocal_bind", [str(file) for file in files])
    subprocess.run(re.findall("`([^`]+)`", fix)[0], shell=True, check=True)
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert hostfacts.parse_sysctls(text) == {"net.ipv4.ip_forward": "1"}
        assert text.splitlines() == [others[0], "# " + line, others[1]]


@pytest.mark.parametrize("name", ["/etc/sysctl.d/99 x.conf", "/etc/sysctl.d/99;reboot.conf", "/etc/sysctl.d/$(x).conf"])
def test_no_name_of_a_file_gets_into_a_command_if_it_is_more_than_a_name(name):
    assert "`" not in preflight._comment_out("net.ipv4.ip_nonlocal_bind", ["/etc/sysctl.d/98-x.conf", name])


@wrong("kubelet_took_vip", seen="kubelet has --node-ip=198.51.100.100")
def kubelet_took_vip(seen):
    program(seen, "kubelet", node_ip=VIP)


@wrong("kubelet_took_vip", seen="kubelet has --node-ip=198.51.100.12, 198.51.100.100")
def kubelet_took_vip_2(seen):
    program(seen, "kubelet", node_ip="198.51.100.12, " + VIP)


@wrong("kubelet_took_vip", seen="kubelet has --node-ip=198.51.100.100")
def kubelet_took_vip_3(seen):
    seen["preflight"]["programs"] = []
    seen["preflight"]["kubelet"] = {"node-ip": VIP}


@wrong("kubelet_took_vip", seen="the cluster has 198.51.100.100 for an address of node cp2")
def kubelet_took_vip_4(seen):
    program(seen, "kubelet")
    seen["preflight"]["node"]["addresses"].append(VIP)


@wrong("kubelet_node_ip_unset", "warning", seen="kubelet runs without --node-ip")
def kubelet_node_ip_unset(seen):
    program(seen, "kubelet")


@wrong("hostname_is_vip", seen="/etc/hosts has 198.51.100.100 for the host's own name")
def hostname_is_vip(seen):
    seen["preflight"]["host_names"] = [VIP]


@wrong("component_uses_vip", seen="etcd has --initial-advertise-peer-urls=https://198.51.100.100:2380")
def component_uses_vip(seen):
    program(seen, "etcd", initial_advertise_peer_urls="https://198.51.100.100:2380")


@wrong("component_uses_vip", "warning", seen="kube-apiserver has --advertise-address=198.51.100.100")
def component_uses_vip_2(seen):
    program(seen, "kube-apiserver", advertise_address=VIP, secure_port="6443")


@wrong("component_uses_vip", seen="calico-node has IP=198.51.100.100/24")
def component_uses_vip_3(seen):
    program(seen, "calico-node", IP=VIP + "/24")


@wrong("calico_may_take_vip", "warning", seen="calico-node runs with autodetection first-found")
def calico_may_take_vip(seen):
    program(seen, "calico-node", IP="autodetect")


@wrong(
    "certificate_lacks_vip",
    "warning",
    seen="the API server's certificate is for 10.96.0.1, kubernetes, not for 198.51.100.100",
)
def certificate_lacks_vip(seen):
    seen["preflight"]["certificates"]["kube-apiserver"]["cp2"] = {"dns": ["kubernetes"], "ip": ["10.96.0.1"]}


@wrong("check_incomplete", "info", seen="nft: it may not be run")
def check_incomplete(seen):
    seen["preflight"]["errors"]["nft"] = "it may not be run"


# What is wrong with cp2 where static pods are planned: code, severity, what is seen there.
POD_CASES = [
    ("kubelet_missing", "error", "no kubelet is installed", {"kubelet": {"installed": False, "running": False}}, {}),
    ("manifest_dir_unset", "error", "the kubelet has no staticPodPath",
     {"kubelet": {"installed": True, "running": True, "static_pod_path": None}}, {}),
    ("manifest_dir_not_read", "error", "the kubelet reads /etc/pods, not /etc/kubernetes/manifests",
     {"kubelet": {"installed": True, "running": True, "static_pod_path": "/etc/pods"}}, {}),
    ("image_missing", "error", "the image registry.example.org/keepalived:2.3.3 isn't there",
     {"missing_images": ["keepalived"]}, {}),
    ("haproxy_foreign", "error", "/etc/kubernetes/manifests/lb.yaml was written by somebody else",
     {"foreign_manifests": {"haproxy": ["/etc/kubernetes/manifests/lb.yaml"]}}, {}),
    ("service_in_the_way", "error", "haproxy.service of somebody else is active", {},
     {"services": {"haproxy": {"active": "active"}, "keepalived": {"active": "inactive"}}}),
]  # fmt: skip


def observe_pods(the_plan, running=False):
    """What hosts say that are nodes with static pods."""
    hosts = observations(the_plan, running)
    for info in hosts.values():
        info["pods"], info["services"] = info["services"], {}
        # No package was ever installed, and what somebody left in /etc is in nobody's way.
        info["config_owner"] = {"/etc/haproxy/haproxy.cfg": "foreign"}
        info["preflight"]["static_pods"] = {
            "kubelet": {"installed": True, "running": True, "pid": 700, "static_pod_path": "/etc/kubernetes/manifests"},
            "foreign_manifests": {"haproxy": [], "keepalived": []},
            "missing_images": [],
        }
        for item in info["preflight"]["listeners"]:
            item["unit"] = "a pod"
    return hosts


@pytest.mark.parametrize("code, severity, seen, static_pods, info", POD_CASES)
def test_each_finding_of_static_pods(code, severity, seen, static_pods, info):
    the_plan = plan(pods())
    hosts = observe_pods(the_plan)
    hosts["cp2"].update(info)
    hosts["cp2"]["preflight"]["static_pods"].update(static_pods)
    findings = preflight.preflight_findings(the_plan, hosts)
    assert [(item["code"], item["severity"], item["seen"], item["host"]) for item in findings] == [
        (code, severity, seen, "cp2")]
    assert "{" not in findings[0]["fix"]


def test_what_was_accepted_before_its_code_meant_one_thing_is_accepted():
    """The plan said `image_missing`, too; that is `image_unset` now, which nobody could ever accept."""
    the_plan = plan(pods())
    the_plan["endpoints"][0]["accept_findings"] = ["image_missing", "image_unset"]
    hosts = observe_pods(the_plan)
    hosts["cp2"]["preflight"]["static_pods"]["missing_images"] = ["keepalived"]
    findings = preflight.preflight_findings(the_plan, hosts)
    assert codes(findings) == [("accept_unknown", "warning"), ("image_missing", "info")]


@pytest.mark.parametrize("running", [False, True])
def test_static_pods_with_nothing_in_the_way(running):
    the_plan = plan(pods())
    hosts = observe_pods(the_plan, running)
    assert preflight.preflight_findings(the_plan, hosts) == []
    # Before kubeadm init there is a kubelet, and it doesn't run.
    for info in hosts.values():
        info["preflight"]["static_pods"]["kubelet"] = {"installed": True, "running": False, "static_pod_path": None}
    assert preflight.preflight_findings(the_plan, hosts) == []


def test_pods_of_somebody_else_that_are_taken_over():
    the_plan = plan(pods(adopt=True))
    hosts = observe_pods(the_plan)
    hosts["cp2"]["preflight"]["static_pods"]["foreign_manifests"] = {
        "haproxy": ["/m/haproxy.yaml"], "keepalived": ["/m/keepalived.yaml"]}
    listens(hosts["cp2"], name="haproxy", owner="static_pod")
    program(hosts["cp2"], "keepalived", owner="static_pod")
    findings = preflight.preflight_findings(the_plan, hosts)
    assert codes(findings) == [("haproxy_foreign", "info"), ("keepalived_foreign", "info")]


@pytest.mark.parametrize("before, after, words", [
    (endpoint(), pods(), "as services"), (pods(), endpoint(), "as static pods")])  # fmt: skip
def test_a_host_that_will_be_moved_to_the_other_mode(before, after, words):
    hosts = observations(plan(before), running=True)
    observed = observe_pods(plan(before), running=True)
    for host, info in hosts.items():
        info["preflight"]["static_pods"] = observed[host]["preflight"]["static_pods"]
        info["pods"] = info["services"]
    findings = preflight.preflight_findings(plan(after), hosts)
    assert codes(findings) == [("mode_changes", "warning")] * 3
    assert findings[0]["seen"] == "haproxy and keepalived of this collection run here " + words
    for info in hosts.values():
        info["pods"] = info["services"] = {}
    assert codes(preflight.preflight_findings(plan(after), hosts)) == []


@pytest.mark.parametrize("code, severity, seen, options, spoil", CASES)
def test_each_finding(code, severity, seen, options, spoil):
    the_plan = plan(endpoint(**options))
    hosts = observations(the_plan)
    spoil(hosts["cp2"])
    findings = preflight.preflight_findings(the_plan, hosts)
    assert codes(findings) == [(code, severity)]
    assert findings[0]["seen"] == seen
    assert findings[0]["host"] == (None if code == "mtu_differs" else "cp2")
    assert (
        findings[0]["why"]
        and findings[0]["fix"]
        and "{" not in findings[0]["why"] + findings[0]["fix"].replace("{ 1", "")
    )
    json.dumps(findings)


def test_what_members_have_to_agree_on_changes_for_all_of_them():
    stored, changed = plan(endpoint()), plan(endpoint(vrid=77))
    hosts = observations(stored, running=True)
    assert codes(preflight.preflight_findings(changed, hosts)) == []
    del hosts["cp1"]
    findings = preflight.preflight_findings(changed, hosts)
    assert codes(findings) == [("members_left_out", "error")]
    assert findings[0]["seen"] == (
        "virtual router ID changes, and all members have to agree on that; this run leaves out cp1")
    assert (findings[0]["host"], findings[0]["endpoint"]) == (None, "kube-apiserver")
    changed["endpoints"][0]["accept_findings"] = ["members_left_out"]
    assert codes(preflight.preflight_findings(changed, hosts)) == [("members_left_out", "info")]
    assert codes(preflight.preflight_findings(stored, hosts)) == []


def test_the_mode_changes_in_a_run_of_its_own():
    changed = plan(endpoint(vrid=77))
    changed["endpoints"][0]["mode"] = "static_pod"
    findings = preflight.preflight_findings(changed, observations(plan(endpoint()), running=True))
    assert ("mode_changes_alone", "error") in codes(findings)


def test_holders_of_what_nobody_else_could_hold():
    def shared(vrid):
        each = (("a", ("cp1", "cp2"), vrid, 8440), ("b", ("cp1",), 101, 8441), ("c", ("cp2",), 102, 8442))
        return plan(*(
            endpoint(name, hosts=members, vrid=number, port=port, vips={"ipv4": (VIP[:-1] + str(port % 10), 24)})
            for name, members, number, port in each))

    hosts = {host: observe(shared(100), host, running=True) for host in ("cp1", "cp2")}
    for host, held in {"cp1": (VIP, VIP[:-1] + "1"), "cp2": (VIP[:-1] + "2",)}.items():
        program(hosts[host], "keepalived")
        hosts[host]["preflight"]["addresses"] += [
            {"interface": "eth0", "address": address, "prefix": 32} for address in held]
    found = [item for item in preflight.preflight_findings(shared(77), hosts) if item["code"] == "holders_crossed"]
    assert [(item["endpoint"], item["severity"]) for item in found] == [("a", "error")]
    assert "cp1, cp2 hold VIPs that nobody else could take" in found[0]["seen"]
    same = preflight.preflight_findings(shared(100), hosts)
    assert "holders_crossed" not in {item["code"] for item in same}


def test_every_code_has_a_case():
    cases = {case.values[0] for case in CASES} | {case[0] for case in POD_CASES}
    others = {"accept_unknown", "mode_changes", "members_left_out", "mode_changes_alone", "holders_crossed",
              "takeover_interrupts"}
    segment = set(SECTIONS["The network"])
    assert cases | others == {code for code, entry in CODES.items() if "preflight" in entry.by} - segment


@pytest.mark.parametrize("code, severity, seen, options, spoil", CASES)
def test_a_finding_that_is_accepted(code, severity, seen, options, spoil):
    the_plan = plan(endpoint(**options))
    the_plan["endpoints"][0]["accept_findings"] = [code]
    hosts = observations(the_plan)
    spoil(hosts["cp2"])
    findings = preflight.preflight_findings(the_plan, hosts)
    assert [(item["severity"], item["accepted"]) for item in findings] == [("info", True)]
    assert "ACCEPTED" in preflight.text(findings, 3)


def test_a_code_that_does_not_exist_is_not_accepted():
    the_plan = plan(endpoint())
    the_plan["endpoints"][0]["accept_findings"] = ["port_takn", "vrid_in_use"]
    findings = preflight.preflight_findings(the_plan, observations(the_plan))
    assert codes(findings) == [("accept_unknown", "warning")]
    assert findings[0]["seen"] == "endpoint_accept_findings has port_takn"


@given(
    st.booleans(),
    st.sampled_from([("ipv4",), ("ipv6",), ("ipv4", "ipv6")]),
    st.sampled_from(["unicast", "multicast"]),
    st.booleans(),
    st.sets(st.sampled_from(HOSTS)),
)
def test_nothing_wrong_is_nothing_found(running, families, transport, failback, looked_at):
    the_plan = plan(endpoint(families=families, transport=transport, failback=failback))
    hosts = observations(the_plan, running)
    for name, host in hosts.items():
        host["preflight"]["certificates"]["kube-apiserver"][name]["ip"].append("2001:db8:1::100")
    some = {host: info for host, info in hosts.items() if host in looked_at}
    assert preflight.preflight_findings(the_plan, some) == []


def test_haproxy_of_ours_that_not_even_root_sees():
    the_plan = plan(endpoint())
    hosts = observations(the_plan, running=True)
    for item in hosts["cp2"]["preflight"]["listeners"]:
        item.update(pid=None, program=None, unit=None, kubernetes=True)
    assert preflight.preflight_findings(the_plan, hosts) == []
    # The plan that was stored last is gone; keepalived's own is there.
    hosts["cp2"]["deployed"].update(speaks=hosts["cp2"]["deployed"]["plan"], plan=None)
    assert preflight.preflight_findings(the_plan, hosts) == []
    hosts["cp2"]["services"]["haproxy"]["active"] = "failed"
    found = preflight.preflight_findings(the_plan, hosts)
    assert codes(found) == [("apiserver_on_port", "error"), ("health_port_taken", "error")]
    assert found[0]["seen"] == "an API server, an unknown process listens on 0.0.0.0:8443"


def test_a_port_that_only_other_addresses_have_is_free_for_vips():
    binds = [{"address": VIP, "port": 8443, "family": "ipv4"}]
    the_plan = plan(endpoint(binds=binds))
    hosts = observations(the_plan)
    listens(hosts["cp2"], address="198.51.100.12")
    assert preflight.preflight_findings(the_plan, hosts) == []
    listens(hosts["cp2"], address=VIP)
    assert codes(preflight.preflight_findings(the_plan, hosts)) == [("port_taken", "error")]


def test_the_two_ways_out_of_the_port_clash():
    the_plan = plan(endpoint(port=6443, apiserver_port=7443))
    hosts = observations(the_plan)
    listens(hosts["cp2"], 6443, "::", "kube-apiserver", True)
    hosts["cp2"]["preflight"]["listeners"] = hosts["cp2"]["preflight"]["listeners"][-1:]
    hosts = {"cp2": hosts["cp2"]}
    fix = preflight.preflight_findings(the_plan, hosts)[0]["fix"]
    assert "endpoint_port: 8443" in fix and "16443" in fix and "endpoint_apiserver_port" in fix


@pytest.mark.parametrize(
    "wish, spoil, code",
    [
        ("adopt", lambda seen: seen["config_owner"].update({"/etc/haproxy/haproxy.cfg": "foreign"}), "haproxy_foreign"),
        ("manage_network", networkd, "networkd_drops_vip"),
    ],
)
def test_what_this_run_mends_stops_nobody(wish, spoil, code):
    the_plan = plan(endpoint())
    the_plan["endpoints"][0][wish] = True
    hosts = observations(the_plan)
    spoil(hosts["cp2"])
    findings = preflight.preflight_findings(the_plan, hosts)
    assert codes(findings) == [(code, "info")]
    assert "; this run" in findings[0]["seen"]


@pytest.mark.parametrize("manager, severity", [("firewalld", "info"), ("ufw", "info"), ("nftables", "error")])
def test_only_a_manager_s_packet_filter_is_opened(manager, severity):
    the_plan = plan(endpoint())
    the_plan["endpoints"][0]["manage_firewall"] = True
    hosts = observations(the_plan)
    vrrp(hosts["cp2"], outcome="drop", where="inet x y")
    hosts["cp2"]["preflight"]["firewall"]["manager"] = manager
    blocked = [finding_of("vrrp_blocked", "%s doesn't hear cp1" % host, host, repair="f") for host in ("cp2", "cp3")]
    findings = preflight.preflight_findings(the_plan, hosts, blocked)
    found = {(item["code"], item["host"]): item["severity"] for item in findings}
    assert found == {
        ("firewall_drops_vrrp", "cp2"): severity,
        ("vrrp_blocked", "cp2"): severity,
        ("vrrp_blocked", "cp3"): "error",
    }


@pytest.mark.parametrize(
    "manager, where, text",
    [
        ("firewalld", "inet firewalld x", "firewall-cmd --permanent --add-rich-rule"),
        ("ufw", "ip filter x", "ufw allow proto vrrp from 198.51.100.11"),
        (
            "nftables",
            "inet filter input",
            "nft insert rule inet filter input ip saddr { 198.51.100.11 } meta l4proto 112 accept",
        ),
    ],
)
def test_the_command_that_opens(manager, where, text):
    the_plan = plan(endpoint())
    hosts = observations(the_plan)
    vrrp(hosts["cp2"], outcome="drop", where=where)
    hosts["cp2"]["preflight"]["firewall"]["manager"] = manager
    assert text in preflight.preflight_findings(the_plan, hosts)[0]["fix"]


@pytest.mark.parametrize("change, found", [
    (lambda the_plan, info: None, True),
    # A service is taken over without an interruption.
    (lambda the_plan, info: program(info, "keepalived", owner="keepalived"), False),
    # Nobody holds, none runs, it's ours, or it isn't to be taken over: then other findings say what is to be said.
    (lambda the_plan, info: info["preflight"]["addresses"].pop(), False),
    (lambda the_plan, info: info["preflight"].update(programs=[]), False),
    (lambda the_plan, info: info["config_owner"].update({"/etc/keepalived/keepalived.conf": "ours"}), False),
    (lambda the_plan, info: the_plan["endpoints"][0].update(adopt=False), False),
])
def test_a_vip_that_is_in_use_is_not_taken_over(change, found):
    the_plan = plan(endpoint())
    the_plan["endpoints"][0]["adopt"] = True
    hosts = observations(the_plan)
    info = hosts["cp2"]
    info["config_owner"]["/etc/keepalived/keepalived.conf"] = "foreign"
    program(info, "keepalived", owner="static_pod")
    info["preflight"]["addresses"].append({"interface": "eth0", "address": "198.51.100.100", "prefix": 32})
    change(the_plan, info)
    findings = preflight.preflight_findings(the_plan, hosts)
    assert [item["host"] for item in findings if item["code"] == "takeover_interrupts"] == ["cp2"] * found


def test_whose_keepalived_is_taken_over():
    """All members are there, and what runs is a service of somebody else's."""
    the_plan = plan(endpoint())
    hosts = observations(the_plan, running=True)
    the_plan["endpoints"][0]["adopt"] = True
    assert preflight.taken_over(the_plan, hosts) == set()
    for host in ("cp1", "cp2"):
        hosts[host]["config_owner"]["/etc/keepalived/keepalived.conf"] = "foreign"
    assert preflight.taken_over(the_plan, hosts) == {"cp1", "cp2"}
    hosts["cp1"]["services"]["keepalived"]["active"] = "inactive"
    assert preflight.taken_over(the_plan, hosts) == {"cp2"}
    assert preflight.taken_over(the_plan, {"cp1": hosts["cp1"], "cp2": hosts["cp2"]}) == set()
    the_plan["endpoints"][0]["adopt"] = False
    assert preflight.taken_over(the_plan, hosts) == set()


def test_what_a_haproxy_loads_that_is_taken_over_or_that_pods_stand_beside():
    the_plan = plan(endpoint())
    hosts = observations(the_plan)
    hosts["cp2"]["preflight"]["loads"] = {"haproxy": ["/srv/proxy.cfg"]}
    the_plan["endpoints"][0]["adopt"] = True
    assert codes(preflight.preflight_findings(the_plan, hosts)) == [("haproxy_files_ignored", "warning")]
    the_plan["endpoints"][0]["mode"] = "static_pod"
    assert preflight.preflight_findings(the_plan, hosts) == []


def test_static_pods_have_their_own_haproxy():
    the_plan = plan(endpoint())
    the_plan["endpoints"][0]["mode"] = "static_pod"
    hosts = observations(the_plan, running=True)
    for info in hosts.values():
        info["config_owner"]["/etc/haproxy/haproxy.cfg"] = "foreign"
        for item in info["preflight"]["listeners"]:
            item["unit"] = "a pod"
        program(info, "keepalived", owner="keepalived")
    assert preflight.preflight_findings(the_plan, hosts) == []


@pytest.mark.parametrize("owner", [None, "static_pod", "keepalived"])
@pytest.mark.parametrize("mode", ["service", "static_pod"])
def test_what_only_calls_itself_haproxy_is_in_the_way(mode, owner):
    """A user's own haproxy.service, or a pod on the host's network; no name of a process or a unit makes it ours."""
    the_plan = plan(endpoint())
    the_plan["endpoints"][0]["mode"] = mode
    hosts = observations(the_plan, running=True)
    listens(hosts["cp2"], name="haproxy", owner=owner)
    program(hosts["cp2"], "keepalived", owner=owner if owner != "keepalived" else "haproxy")
    assert codes(preflight.preflight_findings(the_plan, hosts)) == [
        ("port_taken", "error"), ("keepalived_other", preflight.preflight_findings(the_plan, hosts)[1]["severity"])]


def test_a_name_instead_of_the_vip():
    the_plan = plan(endpoint())
    the_plan["endpoints"][0]["dns_name"] = "api.example.com"
    hosts = {"cp1": observe(the_plan, "cp1")}
    assert codes(preflight.preflight_findings(the_plan, hosts)) == [("certificate_lacks_vip", "warning")]
    hosts["cp1"]["preflight"]["certificates"]["kube-apiserver"]["cp1"]["dns"].append("api.example.com")
    assert preflight.preflight_findings(the_plan, hosts) == []


def test_two_endpoints_say_once_what_is_about_the_host():
    both = plan(endpoint(), endpoint("other", port=9443, vips={"ipv4": ("198.51.100.101", 24)}, vrid=101))
    hosts = {"cp1": observe(both, "cp1")}
    link(hosts["cp1"])["up"] = False
    hosts["cp1"]["preflight"]["certificates"] = {}
    assert codes(preflight.preflight_findings(both, hosts)) == [("interface_down", "error")]


def test_the_table_puts_hosts_with_the_same_trouble_together():
    the_plan = plan(endpoint())
    hosts = observations(the_plan)
    for info in hosts.values():
        networkd(info)
    link(hosts["cp1"])["up"] = False
    text = preflight.text(preflight.preflight_findings(the_plan, hosts), 3)
    lines = text.splitlines()
    assert lines[0] == "Preflight of 3 hosts: 1 error, 3 warnings"
    assert re.match(r"ERROR +interface_down +cp1 +eth0 is down", lines[3])
    assert re.match(r"WARNING +networkd_drops_vip +cp1, cp2, cp3 +networkd configures", lines[4])
    assert text.count("set endpoint_manage_network: true") == 1
    assert preflight.text([], 1) == "Preflight of 1 host: nothing is in the way"


# Hosts that balanced before


def test_a_former_member_that_still_serves_is_named_once() -> None:
    planned = plan(endpoint(hosts=["cp1", "cp2"]))
    hosts = {host: observe(planned, host, running=True) for host in ("cp1", "cp2")}
    known = [{"host": "cp3", "endpoint": "kube-apiserver", "address": "198.51.100.13", "port": 8443}]
    assert ("former_member_serves", "error") not in codes(preflight.preflight_findings(planned, hosts))
    for info in hosts.values():
        info["preflight"]["former"] = known
    [found] = [item for item in preflight.preflight_findings(planned, hosts) if item["code"] == "former_member_serves"]
    assert found["severity"] == "error" and "cp3 still serves it at 198.51.100.13:8443" in found["seen"]
    assert "endpoint_hosts=cp3" in found["fix"]


def test_a_stored_name_is_no_part_of_a_command() -> None:
    planned = plan(endpoint(hosts=["cp1", "cp2"]))
    hosts = {host: observe(planned, host, running=True) for host in ("cp1", "cp2")}
    hosts["cp1"]["preflight"]["former"] = [
        {"host": "x; reboot", "endpoint": "kube-apiserver", "address": "198.51.100.13", "port": 8443}]
    [found] = [item for item in preflight.preflight_findings(planned, hosts) if item["code"] == "former_member_serves"]
    assert "x; reboot" not in found["fix"] and "endpoint_hosts=NAME" in found["fix"]
