# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils import _components as components


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
