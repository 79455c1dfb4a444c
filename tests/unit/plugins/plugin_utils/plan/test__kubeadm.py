# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kubeadm is told of an endpoint."""

from __future__ import annotations

from typing import Any, Dict, List

import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan import _kubeadm
from ansible_collections.kubeha.apiserver.tests.unit import plans


def arguments(endpoint: Dict[str, Any]) -> Dict[str, str]:
    return {name: setting.value for name, setting in _kubeadm.apiserver_arguments(endpoint).items()}


def test_the_piece() -> None:
    assert _kubeadm.cluster_configuration(plans.endpoint()) == {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "ClusterConfiguration",
        "controlPlaneEndpoint": "198.51.100.100:8443",
        "apiServer": {
            "certSANs": ["198.51.100.100"],
            "extraArgs": [
                {"name": "goaway-chance", "value": "0.001"},
                {"name": "shutdown-delay-duration", "value": "4s"},
            ],
        },
    }


def test_before_1_31_arguments_are_a_mapping() -> None:
    piece = _kubeadm.cluster_configuration(plans.endpoint(), "v1beta3")
    assert piece["apiVersion"] == "kubeadm.k8s.io/v1beta3"
    assert piece["apiServer"]["extraArgs"] == {"goaway-chance": "0.001", "shutdown-delay-duration": "4s"}


def test_the_certificate_is_for_every_vip_and_for_the_name() -> None:
    endpoint = plans.endpoint(families=("ipv4", "ipv6"))
    assert _kubeadm.certificate_names(endpoint) == ["198.51.100.100", "2001:db8:1::100"]
    endpoint["dns_name"] = "api.example.com"
    assert _kubeadm.certificate_names(endpoint) == ["api.example.com", "198.51.100.100", "2001:db8:1::100"]


def test_clients_of_a_single_api_server_have_nowhere_else_to_go() -> None:
    assert list(arguments(plans.endpoint(hosts=["cp1"]))) == ["shutdown-delay-duration"]


@pytest.mark.parametrize(
    ("haproxy", "delay"),
    [
        ({"fall": 3, "inter_ms": 2000, "check_timeout_ms": 2000}, "8s"),
        ({"fall": 2, "inter_ms": 500, "check_timeout_ms": 300}, "2s"),
        # The kubelet kills it after 30 s.
        ({"fall": 10, "inter_ms": 5000, "check_timeout_ms": 5000}, "25s"),
    ],
)
def test_an_api_server_serves_until_haproxy_has_understood(haproxy: Dict[str, int], delay: str) -> None:
    assert arguments(plans.endpoint(**haproxy))["shutdown-delay-duration"] == delay


@pytest.mark.parametrize("check", [{"kind": "tcp", "path": None}, {"path": "/livez"}, {"path": "/healthz"}])
def test_a_delay_that_haproxy_does_not_see_only_delays(check: Dict[str, Any]) -> None:
    endpoint = plans.endpoint()
    endpoint["haproxy"]["check"].update(check)
    assert list(arguments(endpoint)) == ["goaway-chance"]


def test_a_part_of_readyz_still_tells() -> None:
    endpoint = plans.endpoint()
    endpoint["haproxy"]["check"]["path"] = "/readyz?exclude=etcd"
    assert "shutdown-delay-duration" in arguments(endpoint)


@pytest.mark.parametrize("profile", ["balanced", "safe", "aggressive", "kubeadm"])
def test_every_profile_is_covered(profile: str) -> None:
    from ansible_collections.kubeha.apiserver.tests.unit import planning

    endpoint = planning.plan(planning.intent(timing=profile))["endpoints"][0]
    haproxy = endpoint["haproxy"]
    delay = int(arguments(endpoint)["shutdown-delay-duration"][:-1])
    assert haproxy["fall"] * haproxy["inter_ms"] + haproxy["check_timeout_ms"] <= delay * 1000 < 20000


@pytest.mark.parametrize("api_version", _kubeadm.API_VERSIONS)
def test_the_file_says_the_same(api_version: str) -> None:
    yaml = pytest.importorskip("yaml", reason="hosts have none")
    first, second = plans.endpoint(families=("ipv6",)), plans.endpoint("second", hosts=["cp1"], kind="tcp")
    first["dns_name"] = "api.example.com"
    text = _kubeadm.document(plans.plan(first, second), api_version)
    documents: List[Any] = list(yaml.safe_load_all(text))
    assert documents == [_kubeadm.cluster_configuration(item, api_version) for item in (first, second)]


def test_the_file_says_why() -> None:
    lines = _kubeadm.document(plans.plan(plans.endpoint())).splitlines()
    why = "# HAProxy needs up to 3.4 s to see that it stops: fall 2, inter 1.2 s, and a check's 1 s"
    assert why in "\n".join(lines)
    assert all(len(line) <= 120 for line in lines)
