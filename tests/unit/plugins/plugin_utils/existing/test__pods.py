# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests of the kubelet's folder."""

from __future__ import annotations

import json

import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.existing._pods import Container, read
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.existing._text import File, Malformed

POD = """apiVersion: v1
kind: Pod
spec:
  containers:
  - name: speaker
    image: registry.example.org:5000/osixia/keepalived:2.0.20@sha256:00
    args: [--copy-service]
    env:
    - name: KEEPALIVED_PRIORITY
      value: "101"
    volumeMounts:
    - {name: conf, mountPath: /usr/local/etc/keepalived/keepalived.conf}
    - {name: scratch, mountPath: /tmp}
  volumes:
  - {name: conf, hostPath: {path: /etc/keepalived/keepalived.conf}}
  - {name: scratch, emptyDir: {}}
"""


def parsed(text: str, role: str = "manifest") -> list[Container]:
    return read("cp1", [File("/etc/kubernetes/manifests/a.yaml", role, text)])


def test_a_pod() -> None:
    (container,) = parsed(POD)
    assert container.of("keepalived") and not container.of("haproxy")
    assert container.environment["KEEPALIVED_PRIORITY"].value == "101"
    assert container.environment["KEEPALIVED_PRIORITY"].place.line == 9
    assert container.mounts == {"/etc/keepalived/keepalived.conf": "/usr/local/etc/keepalived/keepalived.conf"}
    assert parsed(POD, "mounted") == []


def test_json_and_several_documents_are_yaml() -> None:
    pod = {"spec": {"containers": [{"image": "haproxy:2.8"}]}}
    assert [item.image for item in parsed(json.dumps(pod) + "\n---\n" + json.dumps(pod))] == ["haproxy:2.8"] * 2


@pytest.mark.parametrize("text", ["", "[]", "spec: 1", "spec: {containers: [1, {}]}", "spec: {containers: {a: b}}"])
def test_what_is_no_pod_has_no_containers_of_ours(text: str) -> None:
    assert not any(item.of("keepalived", "haproxy") for item in parsed(text))


@pytest.mark.parametrize("text, line", [("spec: [", 1), ("a: 1\nb: {\n", 3), ("a: 1\n\tb: 2\n", 2)])
def test_what_is_no_yaml_is_refused(text: str, line: int) -> None:
    with pytest.raises(Malformed) as caught:
        parsed(text)
    assert abs(caught.value.place.line - line) <= 1
