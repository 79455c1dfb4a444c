# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.daemons import _podstate as podstate
from ansible_collections.kubeha.apiserver.plugins.module_utils.daemons._podstate import Seen

UID = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    "seen, step, why",
    [
        (Seen(7, False, False), "none", ""),
        (Seen(7, True, False), "reload", "it has loaded another configuration"),
        (Seen(7, False, True), "wait", "what runs was started from another manifest"),
        (Seen(7, True, True), "wait", "what runs was started from another manifest"),
        (Seen(7, False, False, ready=False), "wait", "it runs and doesn't answer yet"),
        # What a pod noted that was killed since says nothing of one that runs.
        (Seen(None, False, False), "wait", "its container isn't running"),
    ],
)
def test_the_least_that_helps(seen, step, why):
    assert podstate.next_step(seen) == step
    assert podstate.lacking(seen) == why


MANIFEST = """\
# Managed by kubeha.apiserver: changes here are overwritten by the next run.
apiVersion: v1
kind: Pod
metadata:
  annotations:
    kubeha.apiserver/execution: "0123456789abcdef"
spec:
  containers:
    - image: "docker.io/library/haproxy:3.0.11"
      name: haproxy
"""


@pytest.mark.parametrize(
    "text, execution, images, balancer",
    [
        (MANIFEST, "0123456789abcdef", ["docker.io/library/haproxy:3.0.11"], "haproxy"),
        ("", "", [], None),
        # kubeadm's document, and what people make of it
        ("spec:\n  containers:\n  - image: osixia/keepalived:2.0.17\n    name: x\n", "",
         ["osixia/keepalived:2.0.17"], "keepalived"),
        ("spec:\n  containers:\n  - name: lb\n    image: 'haproxy@sha256:00'  # pinned\n", "",
         ["haproxy@sha256:00"], "haproxy"),
        (json.dumps({"spec": {"containers": [{"image": "r.example:5000/haproxytech/haproxy-alpine:3"}]}}, indent=1),
         "", ["r.example:5000/haproxytech/haproxy-alpine:3"], "haproxy"),
        # A repository of that name holds other things too.
        ("  - image: registry.example/haproxy/exporter:1\n", "", ["registry.example/haproxy/exporter:1"], None),
        # Nor is an exporter a balancer, whatever it reads.
        ("  - image: quay.io/prometheus/haproxy-exporter:v0.15.0\n", "",
         ["quay.io/prometheus/haproxy-exporter:v0.15.0"], None),
        ("  - image: gen2brain/keepalived_exporter\n    args: [--config=/etc/keepalived/keepalived.conf]\n", "",
         ["gen2brain/keepalived_exporter"], None),
        ("  - image: registry.example/nothaproxy:1\n", "", ["registry.example/nothaproxy:1"], None),
        # One of somebody's own, which is given haproxy.cfg.
        ("  - image: registry.example/acme-haproxy:1\n", "", ["registry.example/acme-haproxy:1"], None),
        ("  - image: registry.example/acme-haproxy:1\n    args: [-f, /x/haproxy.cfg]\n", "",
         ["registry.example/acme-haproxy:1"], "haproxy"),
        ("  - image: registry.k8s.io/kube-apiserver:v1.35.4\n", "", ["registry.k8s.io/kube-apiserver:v1.35.4"], None),
    ],
)  # fmt: skip
def test_manifests(text, execution, images, balancer):
    assert podstate.execution_of(text) == execution
    assert podstate.images_of(text) == images
    assert podstate.balancer_of(text) == balancer


def test_an_annotation_as_json():
    text = json.dumps({"metadata": {"annotations": {"kubeha.apiserver/execution": "0123"}}})
    assert podstate.execution_of(text) == "0123"


@pytest.mark.parametrize(
    "image, canonical",
    [
        ("haproxy", "docker.io/library/haproxy:latest"),
        ("haproxy:3.2", "docker.io/library/haproxy:3.2"),
        ("osixia/keepalived:2.0.17", "docker.io/osixia/keepalived:2.0.17"),
        ("registry.example:5000/keepalived", "registry.example:5000/keepalived:latest"),
        ("localhost/keepalived:1", "localhost/keepalived:1"),
        ("registry.example/a/b:1@sha256:00", "registry.example/a/b@sha256:00"),
        ("registry.example:5000/a@sha256:00", "registry.example:5000/a@sha256:00"),
    ],
)
def test_canonical_image(image, canonical):
    assert podstate.canonical_image(image) == canonical


def test_volatile_folders_and_files():
    text = "# header\nd /run/kubeha/haproxy 0755 99 99 -\nf /run/kubeha/haproxy/down 0644 99 99 - 1\nr /run/x\n"
    assert podstate.volatile(text) == [
        podstate.Volatile("/run/kubeha/haproxy", True, 0o755, "99", "99", ""),
        podstate.Volatile("/run/kubeha/haproxy/down", False, 0o644, "99", "99", "1"),
    ]


@pytest.mark.parametrize("name, read", [("haproxy.yaml", True), (".haproxy.yaml.new", False), ("backup~", True)])
def test_what_the_kubelet_reads(name, read):
    assert podstate.is_manifest(name) is read


YAML = "apiVersion: kubelet.config.k8s.io/v1beta1\nstaticPodPath: %s\nauthentication:\n  staticPodPath: /nested\n"


@pytest.mark.parametrize(
    "argv, texts, path",
    [
        (["kubelet"], [YAML % "/etc/kubernetes/manifests"], "/etc/kubernetes/manifests"),
        (["kubelet"], [YAML % '"/etc/kubernetes/manifests/"  # ours'], "/etc/kubernetes/manifests"),
        (["kubelet"], [YAML % "'/etc/a b#c'"], "/etc/a b#c"),
        (["kubelet"], [YAML % '""'], ""),
        (["kubelet"], [YAML % "# none"], ""),
        (["kubelet"], ["authentication:\n  staticPodPath: /nested\n", ""], ""),
        (["kubelet"], ['{"staticPodPath": "/etc/m", "authentication": {"anonymous": {"enabled": true}}}'], "/etc/m"),
        (["kubelet"], ['["staticPodPath"]', "\x00:::\n- x\n"], ""),
        # A drop-in counts more than the file, the command line more than both.
        (["kubelet"], [YAML % "/etc/a", YAML % "/etc/b"], "/etc/b"),
        (["kubelet", "--pod-manifest-path=/etc/c"], [YAML % "/etc/a"], "/etc/c"),
        (["kubelet", "--pod-manifest-path", "/etc/c/"], [YAML % "/etc/a"], "/etc/c"),
        ([], [], ""),
    ],
)
def test_static_pod_path(argv, texts, path):
    assert podstate.static_pod_path(podstate.kubelet_options(argv), texts) == path


def test_options_of_the_kubelet():
    argv = ["kubelet", "--config", "/a", "--config-dir=/b", "--node-ip=198.51.100.11", "--v=2", "config", "--config"]
    assert podstate.kubelet_options(argv) == {"config": "/a", "config-dir": "/b", "node-ip": "198.51.100.11"}


@pytest.mark.parametrize(
    "name, ours",
    [
        ("kube-system_kubeha-haproxy-cp1_" + UID, True),
        ("kube-system_kubeha-haproxy-cp1.example.org_" + UID, True),
        ("kube-system_kubeha-haproxyx-cp1_" + UID, False),
        ("kube-system_etcd-cp1_" + UID, False),
        ("kubeha-haproxy-cp1", False),
        # Whoever may create pods gives them such names: neither is in kube-system and static.
        ("default_kubeha-haproxy-cp1_" + UID, False),
        ("kube-system_kubeha-haproxy-cp1_6f0e2c1a-1d2b-4c3d-8e4f-5a6b7c8d9e0f", False),
    ],
)
def test_log_folders(name, ours):
    assert podstate.is_log_folder(name, "haproxy") is ours


def test_log_lines():
    stamp = "2026-11-22T20:15:30.123456789Z"
    text = "\n".join([
        stamp + " stdout F first",
        stamp + " stderr F [ALERT] cannot bind",
        stamp + " stderr P auth_pass s3c",
        stamp + " stderr F ret is too long",
        stamp + " stderr F ",
        "without a stamp",
    ])  # fmt: skip
    assert podstate.log_lines(text, 3, ["s3cret", ""]) == [
        "[ALERT] cannot bind", "auth_pass (hidden) is too long", "without a stamp"]
    assert podstate.log_lines("line 1 of 12 at 10.1.0.1: auth_pass 1", 3, ["1"]) == [
        "line (hidden) of 12 at 10.1.0.1: auth_pass (hidden)"]
    assert podstate.log_lines("", 3) == []


KEEPALIVED = """\
vrrp_script a {
    script "x"
}

vrrp_instance kube-apiserver-ipv4 {
    state MASTER
    virtual_router_id 100
    priority 150
    virtual_ipaddress {
        198.51.100.100/32
    }
}

vrrp_instance kube-apiserver-ipv6 {
    virtual_router_id 101
    priority 149
}
"""
REPORTED = {
    "kube-apiserver-ipv4": {"state": "master", "virtual_router_id": 100, "priority": 150, "effective_priority": 100},
    "kube-apiserver-ipv6": {"state": "backup", "virtual_router_id": 101, "priority": 149},
}


@pytest.mark.parametrize(
    "change, loaded",
    [
        ({}, True),
        ({"kube-apiserver-ipv6": {"virtual_router_id": 7, "priority": 149}}, False),
        ({"kube-apiserver-ipv4": {"virtual_router_id": 100, "priority": 120}}, False),
        ({"old": {"virtual_router_id": 9, "priority": 1}}, False),
    ],
)
def test_what_keepalived_has_loaded(change, loaded):
    assert podstate.has_loaded(KEEPALIVED, {**REPORTED, **change}) is loaded


def test_keepalived_lacks_an_instance():
    assert not podstate.has_loaded(KEEPALIVED, {"kube-apiserver-ipv4": REPORTED["kube-apiserver-ipv4"]})


@pytest.mark.parametrize("path, number", [
    ("/var/log/pods/kube-system_kubeha-haproxy-cp1_1a/haproxy/0.log", 0), ("/a/haproxy/12.log", 12),
    ("/a/haproxy/1.log.20261122-201530", 1), ("/a/haproxy/current.log", 0)])  # fmt: skip
def test_how_often_a_container_has_ended(path, number):
    assert podstate.log_number(path) == number
