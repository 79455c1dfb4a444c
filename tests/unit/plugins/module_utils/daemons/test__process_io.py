# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host below a temporary folder: its /proc, its control groups, what systemd says and what the kubelet has left."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.daemons import _podstate
from ansible_collections.kubeha.apiserver.plugins.module_utils.daemons import _process_io as process_io
from ansible_collections.kubeha.apiserver.plugins.module_utils.daemons._keepalived_state import CannotDump, DumpError
from ansible_collections.kubeha.apiserver.plugins.module_utils.daemons._processes import Process
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _host_io
from ansible_collections.kubeha.apiserver.plugins.module_utils.model import _pod_paths

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="hosts are Linux")

UID, UUID = "0123456789abcdef" * 2, "6f0e2c1a-1d2b-4c3d-8e4f-5a6b7c8d9e0f"
ID, OTHER = "c0ffee00" * 8, "deadbeef" * 8
# Whoever runs the tests is this host's root, and 4 more is HAProxy's user.
ROOT = os.getuid()
NOBODY = ROOT + 65534
DAEMON = {
    "haproxy": ("haproxy", "-W", "-f", "/etc/kubeha/haproxy/haproxy.cfg"),
    "keepalived": ("keepalived", "--use-file", "/etc/kubeha/keepalived/keepalived.conf"),
}
DRIVERS = {
    "cgroupfs": "kubepods/burstable/pod{uid}/{id}",
    "systemd": "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{uid}.slice/cri-containerd-{id}.scope",
    # Without classes of quality a pod has no group of its own.
    "alone": "{id}",
    "crio": "kubepods.slice/kubepods-pod{uid}.slice/crio-{id}.scope/container",
}


class Host:
    def __init__(self, root, monkeypatch):
        self.root = root
        self.units = {}
        self.hierarchies = [""]
        monkeypatch.setattr(process_io, "PROC", str(root / "proc"))
        monkeypatch.setattr(process_io, "CGROUPS", str(root / "cgroup"))
        monkeypatch.setattr(process_io, "CONTAINER_LOGS", str(root / "containers"))
        monkeypatch.setattr(_podstate, "POD_LOGS", str(root / "pods"))
        monkeypatch.setattr(_podstate, "KUBELET_CONFIG", str(root / "kubelet.yaml"))
        monkeypatch.setattr(process_io._owned_files_io, "TOP", str(root))
        monkeypatch.setattr(process_io._owned_files_io, "ROOT", ROOT)
        monkeypatch.setattr(process_io, "_SYSTEMS_ROOT", ROOT)
        monkeypatch.setattr(process_io, "_READ_SECONDS", 5.0)
        monkeypatch.setattr(_host_io, "run", self.run)
        monkeypatch.setitem(_pod_paths.STATE, "haproxy", str(root / "state"))
        for name in ("proc", "cgroup", "containers", "pods", "state"):
            (root / name).mkdir()
        (root / "state" / "down").write_text("1\n")
        self.version(2)
        self.add(1, "/init.scope", ("/sbin/init",))

    def version(self, number):
        """Of control groups."""
        shutil.rmtree(self.root / "cgroup")
        (self.root / "cgroup").mkdir()
        if number == 2:
            self.hierarchies = [""]
            (self.root / "cgroup" / "cgroup.controllers").write_text("cpu\n")
        else:
            self.hierarchies = ["pids", "systemd"] + (["unified"] if number == "hybrid" else [])
            for name in self.hierarchies:
                (self.root / "cgroup" / name).mkdir()

    def run(self, argv, seconds):
        assert argv[:2] == ["systemctl", "show"], argv
        return _host_io.Output(0, self.units.get(argv[-1], "MainPID=0\nControlGroup=\nUser=\n"))

    def add(self, pid, group, argv, uid=ROOT, parent=1, started=500, capabilities=0, uids=None):
        """A process. Its name and arguments are whatever it says."""
        group = group.lstrip("/")
        for hierarchy in self.hierarchies:
            folder = self.root / "cgroup" / hierarchy / group
            folder.mkdir(parents=True, exist_ok=True)
            with open(folder / "cgroup.procs", "a", encoding="ascii") as stream:
                stream.write("%d\n" % pid)
        folder = self.root / "proc" / str(pid)
        folder.mkdir()
        uids = uids or [uid] * 4
        (folder / "cmdline").write_text("".join(word + "\0" for word in argv))
        (folder / "stat").write_text("%d (x) S %d 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 %d 1 1" % (pid, parent, started))
        (folder / "status").write_text(
            "Uid:\t%d\t%d\t%d\t%d\nGid:\t0\t0\t0\t0\nCapEff:\t%x\n" % (*uids, capabilities))
        lines = {"": "0::/%s", "pids": "8:pids:/%s", "systemd": "9:name=systemd:/%s", "unified": "0::/%s"}
        (folder / "cgroup").write_text("".join(lines[name] % group + "\n" for name in self.hierarchies))

    def container(self, identity=ID, namespace="kube-system", pod="kubeha-haproxy-cp1", uid=UID, name="haproxy"):
        target = "/var/log/pods/%s_%s_%s/%s/0.log" % (namespace, pod, uid, name)
        (self.root / "containers" / ("%s_%s_%s-%s.log" % (pod, namespace, name, identity))).symlink_to(target)
        (self.root / "pods" / ("%s_%s_%s" % (namespace, pod, uid))).mkdir(exist_ok=True)

    def service(self, unit, pid, argv, user="", **values):
        group = "/system.slice/" + unit
        self.add(pid, group, argv, **values)
        self.units[unit] = "MainPID=%d\nControlGroup=%s\nUser=%s\n" % (pid, group, user)


@pytest.fixture(name="host")
def fixture_host(tmp_path, monkeypatch):
    return Host(tmp_path, monkeypatch)


def place(driver, uid=UID, identity=ID):
    return DRIVERS[driver].format(uid=uid.replace("-", "_") if driver != "cgroupfs" else uid, id=identity)


@pytest.mark.parametrize("version", [1, "hybrid", 2])
@pytest.mark.parametrize("driver", sorted(DRIVERS))
def test_our_pod_is_found_by_its_control_group(host, driver, version):
    host.version(version)
    host.container()
    host.add(100, place(driver), ("/bin/sh", "/etc/kubeha/haproxy/run"))
    host.add(101, place(driver), DAEMON["haproxy"], parent=100)
    host.add(102, place(driver), DAEMON["haproxy"], parent=101)
    assert process_io.find_pod("haproxy")[:2] == (101, 100)
    assert process_io.find_pod("keepalived") is None
    assert process_io.our_pids("haproxy") == {100, 101, 102}


def test_our_pod_is_found_where_the_kubelet_has_left_no_link(host):
    host.container()
    next((host.root / "containers").iterdir()).unlink()
    host.add(101, place("systemd"), DAEMON["haproxy"])
    assert process_io.find_pod("haproxy").pid == 101


SOMEBODYS = {
    "a user in a session": "user.slice/user-1000.slice/session-1.scope",
    "a user with a unit of our name": "user.slice/user-1000.slice/user@1000.service/app.slice/haproxy.service",
    "a service of another name": "system.slice/cron.service",
    "a pod on the host's network": place("systemd", UUID, OTHER),
    "another static pod": place("cgroupfs", "f" * 32, OTHER),
    "beside the group of our container": ID + ".evil",
}


@pytest.mark.parametrize("group", SOMEBODYS.values(), ids=SOMEBODYS)
@pytest.mark.parametrize("role", ["haproxy", "keepalived"])
def test_no_name_makes_a_process_ours(host, group, role):
    """Younger than ours, with its arguments, even as root."""
    host.container()
    host.container(name="keepalived", pod="kubeha-keepalived-cp1", uid="a" * 32, identity="b" * 64)
    host.container(identity=OTHER, namespace="default", pod="kubeha-%s-cp1" % role, uid=UUID, name=role)
    host.add(200, group, DAEMON[role], started=9999)
    assert process_io.find_pod(role) is None and process_io.find_service(role) is None
    host.service(role + ".service", 300, (role,))
    assert process_io.find_service(role).pid == 300
    assert process_io.our_pids(role) == {300}
    assert process_io.Owners().owner(200) in (None, "static_pod")


@pytest.mark.parametrize("namespace, uid, name", [
    ("default", UID, "haproxy"), ("kube-system", UUID, "haproxy"), ("kube-system", UID, "debugger")])  # fmt: skip
def test_a_pod_that_came_another_way_is_not_ours(host, namespace, uid, name):
    host.container(namespace=namespace, uid=uid, name=name)
    host.add(101, place("alone"), DAEMON["haproxy"])
    assert process_io.find_pod("haproxy") is None


def test_another_user_in_our_pod_is_not_the_daemon(host):
    host.container()
    host.add(101, place("alone"), DAEMON["haproxy"], uid=NOBODY)
    host.add(102, place("alone"), DAEMON["haproxy"], uids=[NOBODY, ROOT, ROOT, ROOT])
    assert process_io.find_pod("haproxy") is None


@pytest.mark.skipif(ROOT != 0, reason="only root gives files away")
def test_haproxy_s_user_owns_what_root_has_made_for_it(host):
    host.container()
    os.chown(host.root / "state" / "down", 99, 99)
    host.add(101, place("alone"), DAEMON["haproxy"], uid=99)
    assert process_io.find_pod("haproxy").pid == 101
    os.chown(host.root / "state" / "down", 98, 98)
    assert process_io.find_pod("haproxy") is None


def test_a_group_that_a_user_has_named_as_ours(host, monkeypatch):
    """systemd gives a user's own part of the control groups to that user."""
    host.container()
    delegated = "user.slice/user-1000.slice/user@1000.service"
    host.add(200, delegated + "/" + place("alone"), DAEMON["haproxy"])
    real = os.lstat

    def lstat(path, **arguments):
        status = real(path, **arguments)
        if str(path).endswith(delegated):
            return os.stat_result([*status[:4], NOBODY, *status[5:10]])
        return status

    assert process_io.find_pod("haproxy").pid == 200
    monkeypatch.setattr(os, "lstat", lstat)
    assert process_io.find_pod("haproxy") is None


def test_links_in_a_folder_that_others_can_write_to_tell_nothing(host):
    host.container()
    host.add(101, place("cgroupfs"), DAEMON["haproxy"])
    (host.root / "containers").chmod(0o777)
    (host.root / "pods").chmod(0o777)
    assert process_io.find_pod("haproxy") is None


def test_a_service_is_its_main_process_with_its_user(host):
    host.service("haproxy.service", 300, ("anything",))
    assert process_io.find_service("haproxy").pid == 300
    # systemd's number of a process that has ended since, and somebody else's now.
    host.units["haproxy.service"] = "MainPID=200\nControlGroup=/system.slice/haproxy.service\nUser=\n"
    host.add(200, "user.slice/user-1000.slice/session-1.scope", ("haproxy",))
    assert process_io.find_service("haproxy") is None
    host.add(201, "system.slice/haproxy.service", ("haproxy",), uid=NOBODY)
    host.units["haproxy.service"] = host.units["haproxy.service"].replace("200", "201")
    assert process_io.find_service("haproxy") is None


@pytest.mark.parametrize("how", ["service", "pod", "user", "other pod"])
def test_whose_keepalived_keeps_a_vip(host, how):
    host.container(name="keepalived", pod="kubeha-keepalived-cp1")
    if how == "service":
        host.service("keepalived.service", 300, ("keepalived",))
    else:
        groups = {"pod": place("systemd"), "user": "user.slice", "other pod": place("systemd", UUID, OTHER)}
        host.add(300, groups[how], DAEMON["keepalived"])
    assert process_io.keepalived_runs() is (how in ("service", "pod"))


def test_a_static_pod_of_somebody_else(host):
    host.container(identity=OTHER, pod="lb-cp1", uid="f" * 32)
    host.container(identity="e" * 64, pod="lb-cp1", uid=UUID, namespace="default")
    host.add(100, place("alone", identity=OTHER), ("/usr/sbin/haproxy", "-f", "x"))
    host.add(101, place("alone", identity="e" * 64), ("haproxy", "-f", "x"))
    host.add(102, "user.slice", ("haproxy",))
    assert process_io.find_in_static_pods("haproxy") == {100}
    owners = process_io.Owners()
    assert [owners.owner(pid) for pid in (100, 101, 102)] == ["static_pod", None, None]
    assert owners.unit(101) == "pod default/lb-cp1"


# Programs of Kubernetes


@pytest.mark.parametrize(
    "program, group, values, told",
    [
        ("kubelet", "system.slice/kubelet.service", {}, True),
        ("kubelet", "system.slice/kubelet.service", {"uid": NOBODY}, False),
        ("kubelet", "user.slice/user-1000.slice/user@1000.service/app.slice/kubelet.service", {}, False),
        ("kubelet", place("alone", identity=OTHER), {"capabilities": 1 << 12}, False),
        ("kube-apiserver", place("alone"), {}, True),
        ("kube-apiserver", place("alone"), {"uid": NOBODY}, True),
        ("kube-apiserver", place("alone", identity=OTHER), {}, False),
        ("keepalived", "user.slice", {"uid": NOBODY}, False),
        ("keepalived", place("alone", identity=OTHER), {}, False),
        # It could take the VIP, whoever started it.
        ("keepalived", "user.slice", {"capabilities": 1 << 12}, True),
        ("calico-node", place("alone", identity=OTHER), {"capabilities": 1 << 12}, True),
    ],
)
def test_what_counts_as_a_program_of_kubernetes(host, monkeypatch, program, group, values, told):
    monkeypatch.setattr(process_io, "_users_of", lambda pid: "user:[1]")
    host.container(pod="kube-apiserver-cp1", name="kube-apiserver")
    host.container(identity=OTHER, pod="evil", namespace="default", uid=UUID, name="x")
    host.add(200, group, (program,), **values)
    owners = process_io.Owners()
    assert (owners.is_trusted(200) and owners.may_run(program, 200)) is told


def test_who_has_users_of_its_own_may_change_no_addresses_of_the_host(host, monkeypatch):
    monkeypatch.setattr(process_io, "_users_of", lambda pid: "user:[%d]" % pid)
    host.add(200, "user.slice", ("keepalived",), capabilities=(1 << 40) - 1)
    assert not process_io.Owners().is_trusted(200)


# The kubelet


def test_the_kubelet_is_its_service(host):
    (host.root / "kubelet.yaml").write_text("staticPodPath: /etc/kubernetes/manifests\n")
    assert process_io.find_kubelet()["pid"] is None
    # A user's, an own unit of a user's, and that of a pod on the host's network, each younger than the kubelet.
    for pid, group in ((201, "user.slice"), (202, SOMEBODYS["a user with a unit of our name"]), (203, place("alone"))):
        host.add(pid, group, ("kubelet", "--pod-manifest-path=/tmp/x"), started=9999)
    found = process_io.find_kubelet()
    assert found["pid"] is None and not found["running"] and found["static_pod_path"] != "/tmp/x"
    host.service("kubelet.service", 300, ("/usr/bin/kubelet",))
    assert process_io.find_kubelet() == {
        "installed": True, "running": True, "pid": 300, "static_pod_path": "/etc/kubernetes/manifests"}


@pytest.mark.parametrize("spoil", ["pipe", "device", "folder", "huge", "others"])
def test_a_kubelet_s_configuration_that_is_none(host, spoil):
    """None of these holds a run up, nor is it taken for no configuration."""
    path = host.root / "odd"
    if spoil == "pipe":
        os.mkfifo(path)
    elif spoil == "folder":
        path.mkdir()
    elif spoil == "device":
        path.symlink_to("/dev/zero")
    elif spoil == "huge":
        with open(path, "wb") as stream:
            stream.truncate(1 << 30)
    else:
        (host.root / "open").mkdir(mode=0o777)
        (host.root / "open").chmod(0o777)
        path = host.root / "open" / "odd"
        path.write_text("staticPodPath: /tmp/x\n")
    host.service("kubelet.service", 300, ("kubelet", "--config=%s" % path))
    begun = time.monotonic()
    with pytest.raises((OSError, ValueError)):
        process_io.find_kubelet()
    assert time.monotonic() - begun < 5


# What daemons note


def test_a_note(host):
    (host.root / "state" / "running").write_text("c0ffee\n")
    assert process_io.note(str(host.root / "state" / "running")) == "c0ffee"
    assert process_io.note(str(host.root / "state" / "none")) is None


@pytest.mark.parametrize("spoil", ["link", "pipe", "huge"])
def test_a_note_that_somebody_has_spoiled(host, spoil):
    path = host.root / "state" / "running"
    (host.root / "secret").write_text("root's")
    (host.root / "state").chmod(0o755)
    if spoil == "link":
        path.symlink_to(host.root / "secret")
        (host.root / "state").chmod(0o777)
    elif spoil == "pipe":
        os.mkfifo(path)
    else:
        path.write_text("x" * 100000)
    assert process_io.note(str(path)) is None


# Signals


@contextlib.contextmanager
def sleeping(program="sleep"):
    process = subprocess.Popen([program, "60"])
    try:
        ticks = os.sysconf("SC_CLK_TCK")
        with open("/proc/%d/stat" % process.pid, encoding="utf-8") as stream:
            parent, started = process_io._processes.parse_stat(stream.read(), ticks)
        yield Process(process.pid, parent, started, (program, "60"), os.getuid(), os.getgid()), process
    finally:
        process.kill()
        process.wait()


def test_whoever_got_the_number_next_gets_no_signal():
    with sleeping() as (known, process):
        with pytest.raises(ProcessLookupError):
            process_io.signal_process(known._replace(started=known.started - 1), signal.SIGTERM)
        assert process.poll() is None
        process_io.signal_process(known, signal.SIGTERM)
        assert process.wait(10) == -signal.SIGTERM
        with pytest.raises(ProcessLookupError):
            process_io.signal_process(known, signal.SIGTERM)


def test_a_keepalived_that_would_die_of_the_signal_gets_none():
    with sleeping() as (known, process):
        with pytest.raises(CannotDump):
            process_io.dump_keepalived(known, 0.1)
        assert process.poll() is None


DUMP = '[{"data": {"iname": "a", "state": 2, "vrid": 7}}]'


@pytest.fixture(name="keepalived")
def fixture_keepalived(tmp_path, monkeypatch):
    """One that writes as keepalived does: a new file, renamed into its place. It may also do nothing."""
    (tmp_path / "1" / "root" / "tmp").mkdir(parents=True)
    (tmp_path / "1" / "status").write_text("SigBlk:\t%016x\n" % (1 << (signal.SIGRTMIN + 1)))
    told = {"does": True}
    folder = tmp_path / "1" / "root" / "tmp"

    @contextlib.contextmanager
    def held(process):
        def send(number):
            if told["does"]:
                (folder / "new").write_text(DUMP)
                os.rename(folder / "new", folder / "keepalived.json")

        yield send

    monkeypatch.setattr(process_io, "PROC", str(tmp_path))
    monkeypatch.setattr(process_io._owned_files_io, "ROOT", os.getuid())
    monkeypatch.setattr(process_io, "held", held)
    told["folder"] = folder
    return told


def dump(seconds=0.2):
    return process_io.dump_keepalived(Process(1, 0, 0.0, ("keepalived",)), seconds)["a"]["virtual_router_id"]


BLOCKED = {
    "another user's file": lambda path: path.write_text("[]"),
    "a folder that isn't empty": lambda path: (path.mkdir(), (path / "x").write_text("")),
    "a link": lambda path: path.symlink_to("/etc/passwd"),
    "a pipe": os.mkfifo,
    "a second name of a file of root's": lambda path: (
        (path.parent / "theirs").write_text(DUMP.replace("7", "9")), os.link(path.parent / "theirs", path)),
}


@pytest.mark.parametrize("block", BLOCKED.values(), ids=BLOCKED)
def test_no_file_of_somebody_s_keeps_keepalived_from_telling(keepalived, block, monkeypatch):
    path = keepalived["folder"] / "keepalived.json"
    block(path)
    real = process_io._is_roots_file
    inode = os.lstat(path).st_ino
    monkeypatch.setattr(process_io, "_is_roots_file", lambda found: found.st_ino != inode and real(found))
    assert dump() == 7


def test_a_dump_that_never_comes_is_no_answer(keepalived):
    keepalived["does"] = False
    with pytest.raises(_host_io.Timeout):
        dump(0.05)
    # Nor is one from before.
    (keepalived["folder"] / "keepalived.json").write_text(DUMP)
    with pytest.raises(_host_io.Timeout):
        dump(0.05)


def test_somebody_who_puts_his_file_there_again_is_named(keepalived, monkeypatch):
    keepalived["does"] = False
    (keepalived["folder"] / "keepalived.json").write_text("[]")
    monkeypatch.setattr(process_io, "_is_roots_file", lambda found: False)
    monkeypatch.setattr(os, "rename", lambda *arguments, **more: None)
    with pytest.raises(DumpError, match="somebody else"):
        dump(0.05)


def test_each_dump_is_a_new_one_and_goes_once_it_is_read(keepalived):
    """It holds VRRP's password as well."""
    assert dump() == 7 and dump() == 7
    assert list(keepalived["folder"].iterdir()) == []
