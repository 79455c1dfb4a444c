# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubeha-metrics, with the files that a host has."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from ansible_collections.kubeha.apiserver.plugins.module_utils.daemons import _podstate
from ansible_collections.kubeha.apiserver.plugins.module_utils.model import _paths, _pod_paths
from ansible_collections.kubeha.apiserver.plugins.module_utils.run import _lease
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.files import _host_files
from ansible_collections.kubeha.apiserver.tests.unit.planning import VIP, VIP6, intent, plan
from ansible_collections.kubeha.apiserver.tests.unit.scripts import load

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "roles/keepalived/files/kubeha-metrics"
BOOT = "0b6ad5e4-6c5a-4d3c-9b0e-2f9d6f3c2a11"
FIB = """Local:
  +-- 198.51.100.0/24 2 0 2
     |-- 198.51.100.11
        /32 host LOCAL
     |-- %s
        /32 host %s
"""


metrics = load(SCRIPT)


class Host:
    """cp1, which holds the VIP and is well."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.plan = plan(intent(vip=[VIP, VIP6]))
        self.put("/var/lib/kubeha/plan-keepalived.json", json.dumps(self.plan))
        for family in ("ipv4", "ipv6"):
            self.put("/run/kubeha/keepalived/holder-kube-apiserver-" + family, "1\n")
            self.put("/run/kubeha/keepalived/transitions-kube-apiserver-" + family, "2 3 0 1\n")
        self.put("/run/kubeha/keepalived/holder-" + self.plan["endpoints"][0]["sync_group"], "1\n")
        self.put("/proc/uptime", "1000.25 3000.50\n")
        self.put("/run/kubeha/haproxy/since", "100\n")
        self.put("/run/kubeha/keepalived/since", "")
        self.put("/run/kubeha/haproxy/down", "0\n")
        for name in ("drained", "moving"):
            self.put("/var/lib/kubeha/drain/" + name, "0\n")
        self.put("/proc/net/fib_trie", FIB % (VIP, "LOCAL"))
        self.put("/proc/net/if_inet6", "20010db8000000000000000000000100 02 80 00 80     eth0\n")
        self.put("/proc/sys/kernel/random/boot_id", BOOT + "\n")
        for number, name in enumerate(("haproxy", "keepalived"), 100):
            self.process(number, name, "/system.slice/%s.service" % name)
            self.put(_paths.LAYOUTS["service"].config[name], name)
            digest = hashlib.sha256(name.encode()).hexdigest()
            self.put(metrics.LOADED["service"][name], digest + "\n")
            self.put("/var/lib/kubeha/files-%s.json" % name,
                     json.dumps({_paths.LAYOUTS["service"].config[name]: [digest]}))

    def put(self, path: str, content: str) -> Path:
        target = Path(str(self.root) + path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")
        return target

    def process(self, number: int, name: str, group: str) -> None:
        self.put("/proc/%d/comm" % number, name + "\n")
        self.put("/proc/%d/cgroup" % number, "0::%s\n" % group)

    def says(self, name: str, **labels: str) -> list[float]:
        found = metrics.collect("cp1", str(self.root))
        return [float(sample.value) for sample in found if sample.name == "kubeha_" + name
                and labels.items() <= sample.labels.items()]


@pytest.fixture(name="host")
def fixture_host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_host_that_holds_and_is_well(host: Host) -> None:
    assert host.says("vip_on_interface", vip=VIP) == host.says("vip_on_interface", vip=VIP6) == [1]
    assert host.says("vrrp_believes_holder") == host.says("vrrp_preferred") == [1, 1]
    assert host.says("vrrp_planned_priority") == [150, 150]
    assert host.says("endpoint_members") == [3] and host.says("vrrp_can_hold") == [1]
    assert host.says("daemon_running") == host.says("configuration_loaded") == [1, 1]
    assert host.says("configuration_edited") == [0, 0]
    assert host.says("vrrp_stopped_by_run") == [0] and host.says("vrrp_stopped_seconds") == []
    at = host.says("vrrp_last_transition_timestamp_seconds") + host.says("textfile_timestamp_seconds")
    assert len(at) == 3 and all(abs(time.time() - when) < 60 for when in at)


def test_transitions_are_counted_by_what_keepalived_has_said(host: Host) -> None:
    for state, count in {"master": 2, "backup": 3, "fault": 0, "stop": 1}.items():
        assert host.says("vrrp_transitions_total", state=state) == [count, count]
    for text in ("", "1 2 3\n", "1 2 3 a\n"):
        host.put("/run/kubeha/keepalived/transitions-kube-apiserver-ipv4", text)
        assert len(host.says("vrrp_transitions_total")) == 4


def test_what_checks_leave_of_a_priority(host: Host) -> None:
    group = host.plan["endpoints"][0]["sync_group"]

    def found(**checks: float) -> list[float]:
        assert {check: host.says("check_passed", check=check) for check in ("local", "apiservers", "settled")} == {
            check: [checks.get(check, 1)] for check in ("local", "apiservers", "settled")}
        return host.says("vrrp_effective_priority")

    assert found() == [150, 150]
    ready = host.put("/run/kubeha/keepalived/ready-" + group, "down 900\n")
    assert found(apiservers=0) == [100, 100]
    ready.write_text("up 990\n", encoding="utf-8")
    # HAProxy has come back, and this host doesn't hold.
    host.put("/run/kubeha/haproxy/since", "990\n")
    assert found() == [150, 150]
    host.put("/run/kubeha/keepalived/holder-" + group, "0\n")
    assert found(settled=0) == [125, 125]
    host.put("/run/kubeha/haproxy/since", "100\n")
    host.put("/var/lib/kubeha/drain/drained", "1\n")
    assert found() == [1, 1]
    host.put("/run/kubeha/keepalived/since", "999\n")
    assert found(local=0, settled=0) == [0, 0]


def test_who_takes_no_part_has_no_priority(host: Host) -> None:
    host.put("/run/kubeha/haproxy/down", "1\n")
    assert host.says("vrrp_effective_priority") == [0, 0]
    host.put("/run/kubeha/haproxy/down", "0\n")
    host.process(101, "other", "/system.slice/other.service")
    assert host.says("vrrp_effective_priority") == [0, 0]


def test_weights_are_those_that_keepalived_is_told(host: Host) -> None:
    endpoint = plan(intent(failback=False))["endpoints"][0]
    host.put("/var/lib/kubeha/plan-keepalived.json", json.dumps({"endpoints": [endpoint]}))
    assert host.says("vrrp_effective_priority") == [150 + endpoint["holder_bonus"]]
    assert {file["weight"] for file in _host_files._LEAVING} == {metrics.LEAVING}


def test_a_vip_that_the_kernel_knows_by_a_route_only_is_on_no_interface(host: Host) -> None:
    host.put("/proc/net/fib_trie", FIB % (VIP, "UNICAST"))
    host.put("/proc/net/if_inet6", "")
    assert host.says("vip_on_interface") == [0, 0] and host.says("vrrp_believes_holder") == [1, 1]


@pytest.mark.parametrize("path, name", [
    ("/run/kubeha/haproxy/down", "haproxy_down"), ("/var/lib/kubeha/drain/drained", "host_drained"),
    ("/var/lib/kubeha/drain/moving", "host_moving")])
def test_what_keeps_a_host_from_taking_over(host: Host, path: str, name: str) -> None:
    host.put(path, "1\n")
    assert host.says(name) == [1] and host.says("vrrp_can_hold") == [0]


@pytest.mark.parametrize("name, group, counts", [
    ("keepalived", "/../../system.slice/keepalived.service", True),
    ("keepalived", "/user.slice/user-1000.slice/system.slice/keepalived.service", False),
    ("keepalived", "/kubepods/burstable/pod1/" + "a" * 64, False),
    ("other", "/system.slice/keepalived.service", False)])
def test_whose_a_process_is(host: Host, name: str, group: str, counts: bool) -> None:
    host.process(101, name, group)
    assert host.says("daemon_running", daemon="keepalived") == host.says("vrrp_can_hold") == [counts]


@pytest.mark.parametrize("uid, counts", [("b" * 32, True), ("0b6ad5e4-6c5a-4d3c-9b0e-2f9d6f3c2a11", False)])
def test_a_static_pod(host: Host, uid: str, counts: bool) -> None:
    name = _pod_paths.NAMES["keepalived"]
    links = Path(str(host.root) + "/var/log/containers")
    links.mkdir(parents=True)
    os.symlink("/var/log/pods/kube-system_%s-cp1_%s/keepalived/0.log" % (name, uid),
               links / ("%s-cp1_kube-system_keepalived-%s.log" % (name, "a" * 64)))
    host.process(101, "keepalived", "/kubepods/burstable/pod1/cri-containerd-%s.scope" % ("a" * 64))
    assert host.says("daemon_running", daemon="keepalived") == [counts]


@pytest.mark.parametrize("boot, until, left", [(BOOT, 1e9, True), (BOOT, 0, False), ("another", 0, True)])
def test_a_keepalived_that_a_run_has_stopped(host: Host, boot: str, until: float, left: bool) -> None:
    host.put("/var/lib/kubeha/lease.json", json.dumps({"boot": boot, "since": 0, "until": until, "life": 1e9}))
    assert host.says("vrrp_stopped_by_run") == [1] and host.says("vrrp_can_hold") == [0]
    assert host.says("vrrp_stopped_seconds")[0] > 0
    assert (host.says("vrrp_stopped_lease_left_seconds")[0] > 0) == left


def test_the_kernel_says_which_boot_it_is() -> None:
    assert metrics.boot("") == Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def test_a_keepalived_that_has_started_by_itself(host: Host) -> None:
    host.put("/var/lib/kubeha/lease.json", json.dumps(
        {"boot": BOOT, "since": 0, "until": 0, "life": 1e9, "phase": _lease.SPEAKING}))
    assert host.says("vrrp_stopped_by_run") == [0] and host.says("vrrp_can_hold") == [1]
    assert host.says("vrrp_stopped_lease_left_seconds") == []


def test_a_configuration_that_somebody_has_written(host: Host) -> None:
    host.put(_paths.HAPROXY_CONFIG, "by hand")
    assert host.says("configuration_edited", daemon="haproxy") == [1]
    assert host.says("configuration_loaded", daemon="haproxy") == [0]


def test_a_daemon_that_does_not_run_has_loaded_nothing(host: Host) -> None:
    """Its note of another file may be there: a pod leaves it."""
    host.put(_paths.LAYOUTS["service"].config["keepalived"], "another")
    assert host.says("configuration_loaded", daemon="keepalived") == [0]
    (host.root / "proc/101/comm").unlink()
    assert host.says("daemon_running", daemon="keepalived") == [0]
    assert host.says("configuration_loaded", daemon="keepalived") == []


def test_the_certificate_of_an_api_server(host: Host) -> None:
    assert host.says("apiserver_certificate_expiry_timestamp_seconds") == []
    key, path = host.root / "key", host.put(metrics.CERTIFICATE, "")
    subprocess.run([
        "openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "30", "-keyout", str(key),
        "-out", str(path), "-subj", "/CN=kube-apiserver", "-addext", "subjectAltName=IP:" + VIP],
        check=True, capture_output=True)
    left = host.says("apiserver_certificate_expiry_timestamp_seconds")[0] - time.time()
    assert 29 * 86400 < left <= 30 * 86400
    assert host.says("apiserver_certificate_names_endpoint") == [1]
    host.put("/var/lib/kubeha/plan-keepalived.json", json.dumps(plan(intent(dns_name="api.example.org"))))
    assert host.says("apiserver_certificate_names_endpoint") == [0]
    path.write_text("none", encoding="utf-8")
    assert host.says("apiserver_certificate_expiry_timestamp_seconds") == []


def test_links_and_pipes_are_not_read(host: Host) -> None:
    path = host.put("/var/lib/kubeha/drain/drained", "")
    path.unlink()
    os.mkfifo(path)
    other = host.put("/run/kubeha/haproxy/down", "")
    other.unlink()
    other.symlink_to(host.put("/elsewhere", "1"))
    assert host.says("host_drained") == host.says("haproxy_down") == [0]


def test_a_file_is_written_whole_or_not_at_all(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = host.root / "textfiles"
    folder.mkdir()
    target = folder / "kubeha.prom"
    (folder / ".kubeha.prom.new").write_text("a run that was killed", encoding="utf-8")
    collect = metrics.collect
    monkeypatch.setattr(metrics, "collect", lambda name: collect(name, str(host.root)))
    assert metrics.main("cp1", str(target)) == 0
    before = target.read_text(encoding="utf-8")
    assert os.listdir(folder) == ["kubeha.prom"] and target.stat().st_mode & 0o777 == 0o644
    host.put("/var/lib/kubeha/plan-keepalived.json", '{"endpoints": [{}]}')
    assert metrics.main("cp1", str(target)) == 1
    assert target.read_text(encoding="utf-8") == before


def test_the_text_is_prometheus() -> None:
    text = metrics.exposition([metrics.Sample("kubeha_endpoint_members", {"endpoint": 'a"\\\n'}, 3),
                               metrics.Sample("kubeha_vrrp_transitions_total", {"state": "stop"}, 7),
                               metrics.Sample("kubeha_host_drained", {}, False)])
    assert text == (
        '# HELP kubeha_endpoint_members Balancers that the plan names.\n# TYPE kubeha_endpoint_members gauge\n'
        'kubeha_endpoint_members{endpoint="a\\"\\\\\\n"} 3.0\n'
        '# HELP kubeha_vrrp_transitions_total How often keepalived has said each state since this host has booted.\n'
        '# TYPE kubeha_vrrp_transitions_total counter\nkubeha_vrrp_transitions_total{state="stop"} 7.0\n'
        '# HELP kubeha_host_drained Whether the playbook drain has this host left alone.\n'
        '# TYPE kubeha_host_drained gauge\nkubeha_host_drained 0.0\n')


def test_each_metric_is_written_documented_and_the_only_one_in_alerts(host: Host) -> None:
    host.put("/var/lib/kubeha/lease.json", json.dumps({"boot": BOOT, "since": 0, "until": 1, "life": 1}))
    names = {sample.name for sample in metrics.collect("cp1", str(host.root))}
    assert {name for name in metrics.HELP if "certificate" not in name} == names
    page = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(kubeha_\w+)", page, re.MULTILINE)) == set(metrics.HELP)
    rules = (ROOT / "monitoring/alerts.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"\bkubeha_\w+", rules)) <= set(metrics.HELP)


def test_each_alert_is_documented_tried_and_names_what_to_do() -> None:
    rules = yaml.safe_load((ROOT / "monitoring/alerts.yml").read_text(encoding="utf-8"))["groups"]
    alerts = {rule["alert"]: rule for group in rules for rule in group["rules"] if "alert" in rule}
    page = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(Kubeha\w+)", page, re.MULTILINE)) == set(alerts)
    tried = (ROOT / "tests/monitoring/alerts.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"(?:labels: '?ALERTS{alertname=\"|alertname: )(\w+)", tried)) == set(alerts)
    playbooks = {path.stem for path in (ROOT / "playbooks").glob("[!_]*.yml")}
    for name, rule in alerts.items():
        assert rule["labels"]["severity"] in ("critical", "warning"), name
        assert set(re.findall(r"kubeha\.apiserver\.(\w+)", rule["annotations"]["runbook"])) & playbooks, name


def test_what_a_pod_of_haproxys_has_loaded_is_its_own_note_or_that_of_a_run_since(host: Host) -> None:
    host.plan["endpoints"][0]["mode"] = "static_pod"
    host.put("/var/lib/kubeha/plan-keepalived.json", json.dumps(host.plan))
    started, reloaded = (hashlib.sha256(text).hexdigest() for text in (b"started", b"reloaded"))
    for daemon in ("haproxy", "keepalived"):
        host.put(_paths.LAYOUTS["static_pod"].config[daemon], "reloaded")
    own = host.put(metrics.LOADED["static_pod"]["haproxy"], started + "\n")
    assert metrics.LOADED["static_pod"] == _podstate.RUNNING and metrics.RELOADED == _podstate.RELOADED

    def noted(text: str, at: int = 0) -> list[float]:
        host.put(metrics.RELOADED, "%s %d\n" % (text, own.stat().st_mtime_ns + at))
        return host.says("configuration_loaded", daemon="haproxy")

    assert host.says("configuration_loaded", daemon="haproxy") == [0]
    assert noted(reloaded) == [1] and noted(started) == [0]
    # A run is reloading it, or was killed then.
    assert noted(_podstate.UNKNOWN) == []
    # It was started again since, or has nothing running.
    assert noted(reloaded, -1) == [0]
    own.write_text("\n", encoding="utf-8")
    assert noted(reloaded) == []
    for text in ("", "one", "one two three"):
        own.write_text(reloaded + "\n", encoding="utf-8")
        host.put(metrics.RELOADED, text)
        assert host.says("configuration_loaded", daemon="haproxy") == [1]
