# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal
import stat
from hashlib import sha256

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.daemons import (
    _confined_io,
    _haproxy,
    _podstate,
    _process_io,
    _processes,
)
from ansible_collections.kubeha.apiserver.plugins.module_utils.daemons._keepalived_state import CannotDump, DumpError
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _host_io
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _owned_files_io as owned
from ansible_collections.kubeha.apiserver.plugins.module_utils.model import _paths, _pod_paths
from ansible_collections.kubeha.apiserver.plugins.modules import endpoint_pod

OLD, NEW = "global\n    description kubeha:01\n", "global\n    description kubeha:02\n"
SERVERS = "1\n# be_id be_name srv_id\n2 kube-apiserver 1\n"
KEEPALIVED = "vrrp_instance a {\n    virtual_router_id 7\n    priority 150\n    auth_pass s3cret\n}\n"
MANIFEST = 'metadata:\n  annotations:\n    kubeha.apiserver/execution: "%s"\n'
STATE = "show info\nVersion: 3.0.11\nPid: %d\nStopping: 0\ndescription: %s\n\n# pxname,svname,status\n"


class Exit(Exception):
    def __init__(self, result):
        super().__init__(result)
        self.result = result


class FakeModule:
    def __init__(self, params, check_mode=False):
        self.params = params
        self.check_mode = check_mode

    def exit_json(self, **result):
        raise Exit(result)

    def fail_json(self, **result):
        raise Exit(dict(result, failed=True))


class Node:
    """A node below a temporary folder. What a signal or the passing of time does is up to the test."""

    def __init__(self, root, monkeypatch):
        self.root = root
        self.process = None
        self.worker = 8
        # What it says of itself.
        self.description = ""
        self.kubelet = True
        self.instances = {}
        self.signals = []
        self.looks = 0
        self.on_signal = self.on_look = lambda number: None
        self.said = {}
        for table, key in (
            (_pod_paths.CONFIG, "conf"),
            (_podstate.RUNNING, "running"),
            (_podstate.EXECUTION, "execution"),
        ):
            for role in ("haproxy", "keepalived"):
                monkeypatch.setitem(table, role, self.path("%s-%s" % (role, key)))
        monkeypatch.setattr(_podstate, "POD_LOGS", self.path("logs"))
        monkeypatch.setattr(_podstate, "RELOADED", self.path("unit/haproxy.reloaded"))
        os.mkdir(self.path("unit"))
        monkeypatch.setattr(_process_io, "find_pod", lambda role: self.look())
        monkeypatch.setattr(_process_io, "find_kubelet", lambda: {"running": self.kubelet})
        monkeypatch.setattr(_process_io, "signal_process", lambda process, number: self.signalled(number))
        monkeypatch.setattr(_host_io, "ask_unix_socket", lambda path, command, seconds: self.answer(command))
        monkeypatch.setattr(_process_io, "dump_keepalived", lambda process, seconds: self.dump())
        monkeypatch.setattr(_confined_io, "run_beside", lambda process, argv, content, seconds: _host_io.Output(
            0, self.said.get(argv[0], "")))
        monkeypatch.setattr(_host_io, "run", lambda argv, seconds: _host_io.Output(0, self.said.get(argv[0], "")))
        for name, value in (("TOP", str(root)), ("ROOT", os.getuid()), ("ROOT_GROUP", os.getgid())):
            monkeypatch.setattr(owned, name, value)
        monkeypatch.setattr(endpoint_pod, "POLL_SECONDS", 0.001)
        os.mkdir(self.path("manifests"))

    def path(self, name):
        return str(self.root / name)

    def write(self, name, text):
        (self.root / name).write_text(text, encoding="utf-8")

    def place(self, role, config, execution):
        self.write("%s-conf" % role, config)
        self.write("manifests/kubeha-%s.yaml" % role, MANIFEST % execution)

    def start(self, role, config, execution, pid=100):
        """As the pod's own script does."""
        self.process = _processes.Process(pid, 1, 5.0, (role,))
        self.write("%s-running" % role, sha256(config.encode()).hexdigest() + "\n")
        self.write("%s-execution" % role, execution + "\n")
        self.description = config.split()[-1] if "kubeha:" in config else ""

    def look(self):
        self.looks += 1
        self.on_look(self.looks)
        return self.process

    def signalled(self, number):
        self.signals.append(number)
        self.on_signal(number)

    def answer(self, command):
        if self.worker is None:
            raise ConnectionRefusedError(111, "refused")
        if command == _haproxy.SERVERS_COMMAND:
            return SERVERS.encode()
        return (STATE % (self.worker, self.description)).encode()

    def reloads(self):
        """As HAProxy does, when it likes its configuration."""
        self.worker += 1
        self.description = "kubeha:02"

    def dump(self):
        instances = self.instances
        if isinstance(instances, Exception):
            raise instances  # pylint: disable=raising-bad-type  # it isn't always a dict
        return instances

    def run(self, role="haproxy", check_mode=False, **params):
        plan = {"endpoints": [{"mode": "static_pod", "manifest_dir": self.path("manifests")}]}
        given = {"role": role, "plan": plan, "wait": 0.2, "reload_wait": 0.1, **params}
        pod = {"haproxy": endpoint_pod.HaproxyPod, "keepalived": endpoint_pod.KeepalivedPod}[role](
            _podstate.manifest_dir(plan))
        with pytest.raises(Exit) as caught:
            endpoint_pod.Task(FakeModule(given, check_mode), pod).run()
        return caught.value.result


@pytest.fixture(name="node")
def fixture_node(tmp_path, monkeypatch):
    return Node(tmp_path, monkeypatch)


def outcome(result):
    return result["changed"], result["action"], result["proven"]


def test_nothing_to_do(node):
    node.place("haproxy", NEW, "e1")
    node.start("haproxy", NEW, "e1")
    assert outcome(node.run()) == (False, "none", True)
    assert node.signals == []


def test_a_reload_is_proven_by_the_new_worker(node):
    node.place("haproxy", NEW, "e1")
    node.start("haproxy", OLD, "e1")
    node.on_signal = lambda number: node.reloads()
    result = node.run()
    assert outcome(result) == (True, "reload", True) and result["pid"] == 100
    assert node.signals == [signal.SIGUSR2]
    # It says itself what it runs, so the next run has nothing to do.
    assert outcome(node.run()) == (False, "none", True)


def test_haproxys_master_that_lost_a_signal_is_told_again(node, monkeypatch):
    monkeypatch.setattr(endpoint_pod, "AGAIN_SECONDS", 0.05)
    node.place("haproxy", NEW, "e1")
    node.start("haproxy", OLD, "e1")
    node.on_signal = lambda dummy_number: node.reloads() if len(node.signals) == 2 else None
    assert outcome(node.run(reload_wait=5)) == (True, "reload", True)
    assert node.signals == [signal.SIGUSR2] * 2


def test_the_next_worker_is_told_which_servers_are_up_and_whoever_comes_later_is_not(node, monkeypatch):
    monkeypatch.setattr(_paths, "SERVERS", node.path("servers"))
    node.write("servers", "1\n")
    node.place("haproxy", NEW, "e1")
    node.start("haproxy", OLD, "e1")
    found = []

    def reloads(dummy_number):
        found.append((node.root / "servers").read_text(encoding="utf-8"))
        node.reloads()

    node.on_signal = reloads
    assert outcome(node.run()) == (True, "reload", True)
    assert found == [SERVERS]
    assert (node.root / "servers").read_text(encoding="utf-8") == "1\n"


def test_what_haproxys_pod_has_loaded_is_noted_once_that_is_proven(node):
    """Beside the pod's own note, which knows nothing of it."""
    note, own = node.root / "unit/haproxy.reloaded", node.root / "haproxy-running"
    said = []

    def signalled(dummy_number):
        said.append(note.read_text(encoding="utf-8").split()[0])

    def reloads(number):
        signalled(number)
        node.reloads()

    node.place("haproxy", NEW, "e1")
    node.start("haproxy", OLD, "e1")
    node.on_signal = signalled
    assert node.run()["failed"] and note.read_text(encoding="utf-8") == ""
    node.on_signal = reloads
    assert outcome(node.run()) == (True, "reload", True)
    expected = "%s %d\n" % (sha256(NEW.encode()).hexdigest(), own.stat().st_mtime_ns)
    assert note.read_text(encoding="utf-8") == expected
    # It goes on with that.
    node.place("haproxy", OLD, "e1")
    node.on_signal = signalled
    assert node.run()["failed"] and note.read_text(encoding="utf-8") == expected
    assert said == [_podstate.UNKNOWN] * 3


@pytest.mark.parametrize("trap", ["link", "pipe", "folder"])
def test_root_writes_nothing_where_haproxys_pod_can(node, tmp_path_factory, trap):
    """Its user plants whatever it likes beside the note of what it runs: nothing happens to it."""
    target = tmp_path_factory.mktemp("etc") / "shadow"
    target.write_text("secret")
    target.chmod(0o600)
    node.place("haproxy", NEW, "e1")
    node.start("haproxy", OLD, "e1")
    for name in ("haproxy-running.new", "haproxy-running.host", ".haproxy-running.kubeha-%d" % os.getpid()):
        if trap == "link":
            os.symlink(target, node.path(name))
        elif trap == "pipe":
            os.mkfifo(node.path(name))
        else:
            os.mkdir(node.path(name))
    before = {path: os.lstat(path).st_mtime_ns for path in node.root.glob("*haproxy-*")}
    node.on_signal = lambda number: node.reloads()
    assert outcome(node.run()) == (True, "reload", True)
    assert {path: os.lstat(path).st_mtime_ns for path in node.root.glob("*haproxy-*")} == before
    assert (target.read_text(), stat.S_IMODE(target.stat().st_mode)) == ("secret", 0o600)


def test_a_reload_without_a_new_worker_fails(node):
    node.place("haproxy", NEW, "e1")
    node.start("haproxy", OLD, "e1")
    logs = node.root / "logs" / ("kube-system_kubeha-haproxy-cp1_" + "0" * 32) / "haproxy"
    logs.mkdir(parents=True)
    (logs / "0.log").write_text("2026-11-22T20:15:30.1Z stderr F [ALERT] no\n", encoding="utf-8")
    result = node.run()
    assert result["failed"] and result["log"] == ["[ALERT] no"] and "[ALERT] no" in result["msg"]
    # It isn't taken for loaded, so the next run tries again.
    assert node.run()["failed"] and node.signals == [signal.SIGUSR2] * 2


@pytest.mark.parametrize("kubelet", [True, False])
def test_keepalived_is_reloaded_with_or_without_a_kubelet(node, kubelet):
    node.kubelet = kubelet
    node.place("keepalived", KEEPALIVED, "e1")
    node.start("keepalived", OLD, "e1")
    node.instances = {"a": {"virtual_router_id": 7, "priority": 100}}
    node.on_signal = lambda number: node.instances["a"].update(priority=150)
    before = os.umask(0o077)
    assert outcome(node.run("keepalived")) == (True, "reload", True)
    os.umask(before)
    assert node.signals == [signal.SIGHUP]
    assert stat.S_IMODE(os.stat(node.path("keepalived-running")).st_mode) == 0o600
    assert outcome(node.run("keepalived")) == (False, "none", True)


def test_keepalived_that_keeps_what_it_had(node):
    node.place("keepalived", KEEPALIVED, "e1")
    node.start("keepalived", OLD, "e1")
    node.instances = {"a": {"virtual_router_id": 7, "priority": 100}}
    assert "goes on with what it had" in node.run("keepalived")["msg"]


def test_keepalived_that_cannot_tell(node):
    node.place("keepalived", KEEPALIVED, "e1")
    node.start("keepalived", OLD, "e1")
    node.instances = CannotDump("built without JSON")
    assert outcome(node.run("keepalived")) == (True, "reload", True)


def test_keepalived_that_somebody_keeps_from_telling(node):
    node.place("keepalived", KEEPALIVED, "e1")
    node.start("keepalived", OLD, "e1")
    node.instances = DumpError("somebody else keeps a file of keepalived's from being written")
    assert "goes on with what it had" in node.run("keepalived")["msg"]


def test_the_kubelet_starts_the_pod(node):
    node.place("haproxy", NEW, "e1")
    node.on_look = lambda looks: node.start("haproxy", NEW, "e1", pid=looks) if looks == 5 else None
    result = node.run()
    assert outcome(result) == (True, "wait", True) and result["pid"] == 5
    assert node.signals == []


def test_a_pod_of_another_manifest_is_waited_for_and_not_reloaded(node):
    node.place("haproxy", NEW, "e2")
    node.start("haproxy", OLD, "e1")
    node.on_look = lambda looks: node.start("haproxy", NEW, "e2") if looks == 5 else None
    assert outcome(node.run()) == (True, "wait", True)
    assert node.signals == []


def test_a_pod_that_started_before_its_configuration_changed_is_reloaded(node):
    node.place("haproxy", NEW, "e2")
    node.on_look = lambda looks: node.start("haproxy", OLD, "e2") if looks == 5 else None
    node.on_signal = lambda number: node.reloads()
    assert outcome(node.run()) == (True, "reload", True)


def test_haproxy_has_to_answer(node):
    node.place("haproxy", NEW, "e1")
    node.start("haproxy", NEW, "e1")
    node.worker = None
    assert "doesn't answer yet" in node.run()["msg"]


def test_a_pod_that_does_not_come_up_says_why(node):
    node.place("keepalived", KEEPALIVED, "e1")
    node.said["journalctl"] = (
        'E1122 kuberuntime: failed to "StartContainer" pod="kube-system/kubeha-keepalived-cp1" s3cret\n'
        'E1122 failed: pod="kube-system/etcd-cp1"\nI1122 pod="kube-system/kubeha-keepalived-cp1" fine\n')  # fmt: skip
    result = node.run("keepalived")
    assert result["failed"] and "its container isn't running" in result["msg"]
    assert len(result["log"]) == 1 and "StartContainer" in result["msg"] and "s3cret" not in str(result)


def test_what_keepalived_leaves_out_of_its_configuration_is_no_proof(node):
    node.place("keepalived", KEEPALIVED, "e1")
    node.on_look = lambda looks: node.start("keepalived", KEEPALIVED, "e1") if looks == 3 else None
    node.said["keepalived"] = "Disabling track script x due to insecure\nauth_pass s3cret is odd\n"
    result = node.run("keepalived")
    assert result["failed"] and "Disabling track script x" in result["msg"] and "s3cret" not in str(result)


def test_before_there_is_a_cluster(node):
    node.kubelet = False
    node.place("haproxy", NEW, "e1")
    for check_mode in (True, False):
        result = node.run(check_mode=check_mode)
        assert outcome(result) == (False, "none", False)
        assert result["why"] == "not proven: kubelet absent"


@pytest.mark.parametrize(
    "config, execution, expected",
    [
        (NEW, "e1", (False, "none", True)),
        (OLD, "e1", (True, "reload", False)),
        (NEW, "e0", (True, "wait", False)),
    ],
)
def test_check_mode_only_looks(node, config, execution, expected):
    node.place("haproxy", NEW, "e1")
    node.start("haproxy", config, execution)
    assert outcome(node.run(check_mode=True)) == expected
    assert node.signals == []


def test_only_ends_of_the_present_manifests_pod_count(tmp_path, monkeypatch):
    """The one before may have ended often, and its log is written to until the end."""
    monkeypatch.setattr(_podstate, "POD_LOGS", str(tmp_path / "logs"))
    pod = endpoint_pod.KeepalivedPod(str(tmp_path))

    def log(uid, number, at):
        folder = tmp_path / "logs" / ("kube-system_%s-cp1_%s" % (pod.name, uid * 16))
        (folder / "keepalived").mkdir(parents=True, exist_ok=True)
        (folder / "keepalived" / ("%d.log" % number)).write_text("")
        os.utime(folder, (at, at))

    (tmp_path / ("%s.yaml" % pod.name)).write_text("")
    os.utime(pod.manifest, (1000, 1000))
    log("a0", 3, 900)
    assert pod.crashes() == 0
    log("b0", 0, 1001)
    assert pod.crashes() == 0
    log("b0", 2, 1001)
    assert pod.crashes() == 2
