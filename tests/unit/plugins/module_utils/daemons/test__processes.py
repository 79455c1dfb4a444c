# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.daemons import _processes as processes
from ansible_collections.kubeha.apiserver.plugins.module_utils.daemons._processes import Container, Groups, Process

CONFIG = "/etc/kubeha/haproxy/haproxy.cfg"
UID = "0123456789abcdef" * 2
# As the API server makes them.
UUID = "6f0e2c1a-1d2b-4c3d-8e4f-5a6b7c8d9e0f"
ID = "c0ffee00" * 8
OTHER = "deadbeef" * 8

STATUS = """\
Name:	haproxy
Uid:	99	99	99	99
Gid:	98	98	98	98
CapEff:	0000000000001000
"""


def test_status():
    status = processes.parse_status(STATUS)
    assert processes.runs_as(status, 99) and not processes.runs_as(status, 0) and status.gids == (98,) * 4
    assert processes.may(status, processes.NET_ADMIN) and not processes.may(status, 13)


@pytest.mark.parametrize("uids", ["65534 0 0 0", "0 65534 0 0", "65534 65534 0 65534"])
def test_who_runs_a_program_with_the_setuid_bit_is_not_root(uids):
    assert not processes.runs_as(processes.parse_status(STATUS.replace("99\t99\t99\t99", uids)), 0)


@pytest.mark.parametrize("text", ["", "Uid:\n", "Uid:\tx\nGid:\t0\nCapEff:\t0\n", "Uid:\t0\nGid:\t0\n"])
def test_status_of_a_process_that_has_ended(text):
    status = processes.parse_status(text)
    assert status is None and not processes.runs_as(status, 0) and not processes.may(status, processes.NET_ADMIN)


V1 = "9:name=systemd:%s\n8:pids:%s\n0::/\n"
HYBRID = "9:name=systemd:%s\n8:pids:/\n0::%s\n"
V2 = "0::%s\n"


def cgroup(kind, path):
    return kind % ((path,) * kind.count("%s"))


@pytest.mark.parametrize("kind", [V1, HYBRID, V2])
@pytest.mark.parametrize(
    "path, unit, users",
    [
        ("/system.slice/haproxy.service", "haproxy.service", False),
        ("/system.slice/system-x.slice/x@1.service/below", "x@1.service", False),
        # A user's own unit may have any name.
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/haproxy.service", "user@1000.service", True),
        ("/user.slice/user-0.slice/session-3.scope", "session-3.scope", True),
        ("/kubepods/pod" + UID, None, False),
        ("/", None, False),
    ],
)
def test_the_unit_is_the_outermost_one(kind, path, unit, users):
    for top in ("", "/machine.slice/libpod-1.scope"):  # where systemd runs in a container that sees where it is
        text, init = cgroup(kind, top + path), cgroup(kind, top + "/init.scope")
        assert processes.service_path(text) == top + path
        assert processes.unit_of(text, init) == unit
        assert processes.is_users(text, init) is users


@pytest.mark.parametrize("top", ["", "/machine.slice/libpod-1.scope", "/../.."])
def test_a_unit_s_group_in_a_container_that_runs_systemd(top):
    """Where /proc shows the way to process 1, systemd may name groups with it or without."""
    init, text = cgroup(V1, top + "/init.scope"), cgroup(V1, top + "/system.slice/a.service/below")
    for group in ("/system.slice/a.service", top + "/system.slice/a.service"):
        assert processes.belongs(text, group, init)
        assert not processes.belongs(text, group + ".evil", init)
    assert not processes.belongs(text, "", init)


def test_what_systemd_says_of_a_unit():
    text = "MainPID=512\nControlGroup=/system.slice/haproxy.service\nUser=\n"
    assert processes.parse_unit(text) == (512, "/system.slice/haproxy.service", "")
    assert processes.parse_unit("MainPID=0\nControlGroup=\nUser=x\n") == (0, "", "x")
    assert processes.parse_unit("") == (0, "", "")


@pytest.mark.parametrize(
    "path, group, inside",
    [
        ("/system.slice/a.service", "/system.slice/a.service", True),
        ("/system.slice/a.service/below", "/system.slice/a.service", True),
        ("/system.slice/a.service.evil", "/system.slice/a.service", False),
        # A unit without processes has none, and not all.
        ("/system.slice/a.service", "", False),
    ],
)
def test_in_a_control_group(path, group, inside):
    assert processes.is_in(path, group) is inside


def link(namespace="kube-system", pod="kubeha-haproxy-cp1", uid=UID, name="haproxy", container=ID):
    return (
        "%s_%s_%s-%s.log" % (pod, namespace, name, container),
        "/var/log/pods/%s_%s_%s/%s/0.log" % (namespace, pod, uid, name),
    )


def test_a_container_of_our_pod():
    container = processes.parse_container(*link())
    assert container == Container("kube-system", "kubeha-haproxy-cp1", UID, "haproxy", ID)
    assert processes.is_our_pod(container, "haproxy") and not processes.is_our_pod(container, "keepalived")
    assert container.words == "static pod kube-system/kubeha-haproxy-cp1"
    assert processes.is_our_pod(processes.parse_pod("kube-system_kubeha-haproxy-cp1_" + UID), "haproxy")


@pytest.mark.parametrize(
    "values",
    [
        {"namespace": "default"},
        # It came through the API server.
        {"uid": UUID},
        {"pod": "kubeha-haproxy"},
        {"pod": "kubeha-haproxyx-cp1"},
        # One more container in a pod of ours is none that we wrote.
        {"name": "debugger"},
    ],
)
def test_a_container_of_somebody_else(values):
    container = processes.parse_container(*link(**values))
    assert container is not None and not processes.is_our_pod(container, "haproxy")


@pytest.mark.parametrize(
    "name, target",
    [
        (link()[0], link(pod="other-cp1")[1]),
        (link()[0], link(namespace="default")[1]),
        (link()[0], link(name="other")[1]),
        (link()[0], "0.log"),
        (link(container=ID[:-1])[0], link()[1]),
        ("a_b_c_kube-system_haproxy-%s.log" % ID, link()[1]),
        ("", ""),
    ],
)
def test_a_link_that_is_not_the_kubelet_s(name, target):
    assert processes.parse_container(name, target) is None


@pytest.mark.parametrize(
    "group, ours",
    [
        # cgroupfs; with and without classes of quality; containerd's own place; cri-o
        (ID, True),
        ("crio-" + ID, True),
        ("system.slice:cri-containerd:" + ID, True),
        ("pod" + UID, True),
        # systemd
        ("cri-containerd-%s.scope" % ID, True),
        ("crio-%s.scope" % ID, True),
        ("docker-%s.scope" % ID, True),
        ("kubepods-burstable-pod%s.slice" % UID, True),
        ("crio-conmon-%s.scope" % OTHER, False),
        (OTHER, False),
        ("pod" + UUID, False),
        ("kubepods.slice", False),
        (ID + ".evil", False),
        ("x" + ID, False),
    ],
)
def test_names_of_control_groups(group, ours):
    found = Groups([processes.parse_container(*link())])
    assert (found.owner(group) is not None) is ours


def test_words_for_whoever_is_in_a_pod():
    pod = processes.parse_pod("default_evil_" + UUID)
    groups = Groups([pod, processes.parse_container(*link())])
    path = "/kubepods.slice/kubepods-pod%s.slice/cri-containerd-%s.scope" % (UUID.replace("-", "_"), OTHER)
    for kind in (V1, HYBRID, V2):
        assert groups.said(cgroup(kind, path)).words == "pod default/evil"
    assert groups.said(cgroup(V2, "/%s/below" % ID)).static
    assert groups.said(cgroup(V2, "/system.slice/a.service")) is None
    assert processes.parse_pod("lost+found") is None


@pytest.mark.parametrize(
    "argv, named",
    [
        (["haproxy", "-W", "-f", CONFIG], True),
        (["/usr/local/sbin/haproxy", "-sf", "8", "-x", "sockpair@4", "-W", "-f", CONFIG], True),
        (["haproxy", "--file=" + CONFIG], True),
        (["haproxy", "-W", "-f", "/etc/haproxy/haproxy.cfg"], False),
        (["haproxy", "-f", CONFIG + ".new"], False),
        # Not the shell that started it, nor somebody who edits it.
        (["/bin/sh", "/etc/kubeha/haproxy/run"], False),
        (["vi", CONFIG], False),
        ([], False),
    ],
)
def test_a_daemon_is_known_by_its_configuration(argv, named):
    assert processes.names_file(argv, "haproxy", CONFIG) is named


def stat(name, parent, started):
    return "4711 (%s) S %d 1 1 0 -1 4194560 900 0 3 0 12 7 0 0 20 0 5 0 %d 123456 67" % (name, parent, started)


@pytest.mark.parametrize("name", ["haproxy", "a b", "a) S 99 (b", "\n"])
def test_parse_stat(name):
    assert processes.parse_stat(stat(name, 4700, 12345), 100) == (4700, 123.45)


@pytest.mark.parametrize("text", ["", "4711 (haproxy", "4711 (haproxy) S", "4711 (haproxy) S x 1 1"])
def test_parse_stat_of_a_process_that_has_ended(text):
    assert processes.parse_stat(text, 100) is None


def test_the_leader_is_whom_the_others_come_from():
    shell, master, worker = 100, Process(101, 100, 5.0, ()), Process(102, 101, 5.1, ())
    assert shell not in (master.pid, worker.pid)
    assert processes.leader([worker, master]) == master
    # While the kubelet replaces a pod the old one may still be there.
    younger = Process(90, 80, 60.0, ())
    assert processes.leader([worker, younger, master]) == younger
    assert processes.leader([]) is None


def test_a_process_that_has_ended_and_is_still_listed():
    assert processes.parse_stat(stat("haproxy", 1, 5).replace(") S ", ") Z "), 100) is None


@pytest.mark.parametrize(
    "number, number_inside", [(100000, 0), (100099, 99), (99, None), (165536, None)])  # fmt: skip
def test_users_of_a_container_s_own(number, number_inside):
    assert processes.inside(number, "         0     100000      65536\n") == number_inside


def test_users_of_a_container_without_its_own():
    assert processes.inside(99, "         0          0 4294967295\n") == 99
    assert processes.inside(99, "") is None


def test_how_many_files_a_process_may_open():
    text = "Limit                     Soft Limit           Hard Limit           Units     \n"
    text += "Max open files            1024                 524288               files     \n"
    assert processes.files_limit(text) == (1024, 524288)
    assert processes.files_limit("") is None


@pytest.mark.parametrize(("words", "files"), [
    ("-Ws -f /etc/haproxy/haproxy.cfg -p /run/haproxy.pid", ["/etc/haproxy/haproxy.cfg"]),
    ("-Ws -f /etc/haproxy/haproxy.cfg -f /srv/conf.d -p x", ["/etc/haproxy/haproxy.cfg", "/srv/conf.d"]),
    ("-Ws -- a.cfg -f", ["a.cfg", "-f"]), ("-Ws -f", []), ("", []),
    ("--dont-fork -f /srv/vrrp.conf", ["/srv/vrrp.conf"]), ("--use-file=a.conf -D", ["a.conf"]),
    ("--use-file b.conf", ["b.conf"]),
])
def test_what_a_daemon_is_told_to_load(words, files):
    assert processes.loaded_files(["/usr/sbin/daemon", *words.split()]) == files
    assert processes.loaded_files([]) == []
