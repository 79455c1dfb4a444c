# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.cluster import _components as components


@pytest.mark.parametrize(
    "argv, name",
    [
        (["/usr/bin/kubelet", "--node-ip=1"], "kubelet"),
        (["kube-apiserver"], "kube-apiserver"),
        (["calico-node", "-felix"], "calico-node"),
        (["/usr/bin/python3", "kubelet"], None),
        ([], None),
        ([""], None),
    ],
)
def test_what_runs(argv, name):
    assert components.program(argv) == name


def test_only_what_names_addresses_leaves():
    argv = ["kube-apiserver", "--advertise-address=198.51.100.11", "--secure-port", "6443", "--token-auth-file=/secret"]
    assert components.describe("kube-apiserver", argv, {}) == {
        "name": "kube-apiserver",
        "options": {"advertise-address": "198.51.100.11", "secure-port": "6443"},
    }


def test_calico_is_told_by_its_environment():
    environment = components.environment_of(b"IP=autodetect\0PASSWORD=x\0odd\0IP_AUTODETECTION_METHOD=first-found\0")
    found = components.describe("calico-node", ["calico-node", "-felix"], environment)
    assert found["options"] == {"IP": "autodetect", "IP_AUTODETECTION_METHOD": "first-found"}


@pytest.mark.parametrize(
    "texts, options",
    [
        (
            ['KUBELET_KUBEADM_ARGS="--node-ip=198.51.100.100 --pod-infra-container-image=x"'],
            {"node-ip": "198.51.100.100"},
        ),
        (["# comment", "KUBELET_EXTRA_ARGS=--node-ip 198.51.100.11"], {"node-ip": "198.51.100.11"}),
        (['KUBELET_EXTRA_ARGS="--node-ip 198.51.100.11"'], {"node-ip": "198.51.100.11"}),
        (["KUBELET_EXTRA_ARGS='unclosed"], {}),
        (["OTHER=--node-ip=1"], {}),
        ([""], {}),
    ],
)
def test_a_kubelet_that_does_not_run(texts, options):
    assert components.kubelet_of_files(texts) == options


def test_an_option_without_a_value():
    assert components.describe("kubelet", ["kubelet", "--address", "--node-ip"], {})["options"] == {}


KUBECONFIG = """\
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: LS0tQ0EtLS0K
    server: https://198.51.100.100:8443
  name: default-cluster
contexts:
- context:
    cluster: default-cluster
    namespace: default
    user: default-auth
  name: default-context
current-context: default-context
kind: Config
users:
- name: default-auth
  user:
    client-certificate: /var/lib/kubelet/pki/kubelet-client-current.pem
    client-key: /var/lib/kubelet/pki/kubelet-client-current.pem
"""


def test_the_kubelets_credentials():
    assert components.parse_kubeconfig(KUBECONFIG) == components.Kubeconfig(
        "https://198.51.100.100:8443",
        "---CA---\n",
        "/var/lib/kubelet/pki/kubelet-client-current.pem",
        "/var/lib/kubelet/pki/kubelet-client-current.pem",
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not: yaml: at all",
        KUBECONFIG.replace("https:", "http:"),
        KUBECONFIG.replace("LS0tQ0EtLS0K", "/w=="),
        KUBECONFIG.replace("LS0tQ0EtLS0K", "x"),
        KUBECONFIG.replace("client-key:", "client-key-data:"),
    ],
)
def test_credentials_of_another_shape_are_left_alone(text):
    assert components.parse_kubeconfig(text) is None


@pytest.mark.parametrize(
    ("body", "addresses"),
    [
        (
            b'{"kind": "Node", "status": {"addresses": [{"type": "InternalIP", "address": "198.51.100.11"},'
            b' {"type": "Hostname", "address": "cp1"}]}}',
            ["198.51.100.11"],
        ),
        (b'{"kind": "Status", "status": "Failure", "code": 403}', None),
        (b'{"kind": "Node", "status": {}}', None),
        (b'{"kind": "Node", "status": {"addresses": [7]}}', None),
        (b"[1]", None),
        (b"<html>", None),
        (b"\xff", None),
    ],
)
def test_what_the_cluster_says_of_a_node(body, addresses):
    assert components.node_addresses(body) == addresses


@pytest.mark.parametrize(
    ("options", "running", "addresses", "code"),
    [
        ({"node-ip": "198.51.100.11"}, True, ["198.51.100.11"], None),
        ({"node-ip": "198.51.100.100"}, False, [], "kubelet_took_vip"),
        ({"node-ip": "198.51.100.11, 2001:db8::100"}, True, [], "kubelet_took_vip"),
        ({"node-ip": "198.51.100.11"}, True, ["198.51.100.100"], "kubelet_took_vip"),
        ({}, True, ["198.51.100.11"], "kubelet_node_ip_unset"),
        ({}, False, [], None),
        ({"cloud-provider": "aws"}, True, [], None),
        ({"cloud-provider": "external"}, True, [], "kubelet_node_ip_unset"),
    ],
)
def test_whose_address_a_kubelet_uses(options, running, addresses, code):
    node = {"name": "cp1", "addresses": addresses} if addresses else {}
    vips = {"198.51.100.100", "2001:db8::100"}
    found = components.node_ip_trouble("kubelet", options, running, node, vips)
    assert (found and found[0]) == code
