# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""As test_secrets.py, with what the kubelet tells registries, and from services to static pods and back."""

from __future__ import annotations

import json

import pytest
from canaries import Canaries
from user import User

pytestmark = pytest.mark.long
SCENARIO = "static_pod"
SERVICE = "/etc/keepalived/keepalived.conf"
POD = "/etc/kubeha/keepalived/keepalived.conf"
KUBELET = "/var/lib/kubelet/config.json"
PREVIOUS = tuple("/var/lib/kubeha/previous/keepalived" + path for path in (SERVICE, POD, KUBELET)) + (
    "/var/lib/kubeha/previous/haproxy" + KUBELET,)
TALKATIVE = ("--diff", "-vvv")


@pytest.fixture(scope="module")
def canaries(user: User, tmp_path_factory: pytest.TempPathFactory) -> Canaries:
    return Canaries(user, tmp_path_factory.mktemp("canaries"))


def written(canaries: Canaries, mode: str, secret: str, name: str, key: str) -> str:
    """Quotes and backslashes are written in another way in JSON."""
    lines = {"endpoint_mode": mode, "endpoint_auth": "pass"}
    if mode == "static_pod":
        login = {"username": canaries.new(name), "password": canaries.new(key)}
        lines["endpoint_image_auth"] = {"registry.example.org": login}
        canaries.new(f"{name}:{key}")
    return canaries.vaulted("endpoint_auth_password", secret) + "".join(
        f"{key}: {json.dumps(value)}\n" for key, value in lines.items())


@pytest.mark.parametrize(("mode", "secret", "belongs"), [
    ("service", "Px1.cnry", (SERVICE,)),
    ("static_pod", "Px1.cnry", (POD, KUBELET)),
    ("static_pod", "Px2.cnry", (POD, KUBELET)),
    ("service", "Px3.cnry", (SERVICE,)),
], ids=["as services", "as static pods", "other secrets", "as services again"])
def test_changing(canaries: Canaries, mode: str, secret: str, belongs: tuple[str, ...]) -> None:
    variables = written(canaries, mode, secret, f"pull-{secret}", f'"quoted\\{secret}"')
    canaries.playbook("site.yml", variables, "--check", *TALKATIVE).succeeded()
    canaries.playbook("site.yml", variables, *TALKATIVE, debug=True).succeeded()
    assert canaries.strayed(*belongs, maybe=PREVIOUS) == []
    assert canaries.user.holders() == ["cp1"]


def test_removal_leaves_none(canaries: Canaries) -> None:
    canaries.playbook("remove.yml", "endpoint_hosts: all\n", *TALKATIVE, debug=True).succeeded()
    assert canaries.strayed() == []
