# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""As test_secrets.py, with what the kubelet tells registries, and from services to static pods and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from canaries import LONG, Canaries
from user import User

pytestmark = LONG
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


def written(canaries: Canaries, mode: str, secret: str) -> str:
    # Quotes and backslashes are written in another way in JSON.
    name, key = f"pull-{secret}", f'"quoted\\{secret}"'
    lines: dict[str, object] = {"endpoint_mode": mode, "endpoint_auth": "pass"}
    if mode == "static_pod":
        login = {"username": canaries.new(name), "password": canaries.new(key)}
        lines["endpoint_image_auth"] = {"registry.example.org": login}
        canaries.new(f"{name}:{key}")
    return canaries.vaulted("endpoint_auth_password", secret) + "".join(
        f"{variable}: {json.dumps(value)}\n" for variable, value in lines.items())


@pytest.mark.parametrize(("mode", "secret", "belongs"), [
    ("service", "Px1.cnry", (SERVICE,)),
    ("static_pod", "Px1.cnry", (POD, KUBELET)),
    ("static_pod", "Px2.cnry", (POD, KUBELET)),
], ids=["as services", "as static pods", "other secrets"])
def test_changing(canaries: Canaries, mode: str, secret: str, belongs: tuple[str, ...]) -> None:
    variables = written(canaries, mode, secret)
    canaries.playbook("site.yml", variables, "--check", *TALKATIVE).succeeded()
    canaries.playbook("site.yml", variables, *TALKATIVE, debug=True).succeeded()
    assert canaries.strayed(*belongs, maybe=PREVIOUS) == []
    assert canaries.user.holders() == ["cp1"]


def test_another_password_in_another_mode_is_refused(canaries: Canaries) -> None:
    run = canaries.playbook("site.yml", written(canaries, "service", "Px3.cnry"), *TALKATIVE).failed()
    assert "password changes, and all members have to agree on that; the mode changes as well" in run.output, run.output
    assert canaries.strayed(POD, KUBELET, maybe=PREVIOUS) == []
    assert canaries.user.holders() == ["cp1"]


def test_another_mode_that_does_not_start_is_put_back(canaries: Canaries) -> None:
    user = canaries.user
    # The last by preference is the first to change.
    broken = "/run/systemd/system/keepalived.service.d/zz-broken.conf"
    user.on("cp3", "sh", "-c", f"mkdir -p {Path(broken).parent}; "
            f"printf '[Service]\\nExecStartPre=/bin/false\\n' >{broken}; systemctl daemon-reload")
    run = canaries.playbook("site.yml", written(canaries, "service", "Px2.cnry"), *TALKATIVE).failed()
    user.on("cp3", "sh", "-c", f"rm {broken}; systemctl daemon-reload")
    assert "Put back, and well" in run.output, run.output
    assert canaries.strayed(POD, KUBELET, maybe=PREVIOUS) == []
    assert canaries.user.holders() == ["cp1"]


def test_services_again(canaries: Canaries) -> None:
    canaries.playbook("site.yml", written(canaries, "service", "Px2.cnry"), *TALKATIVE, debug=True).succeeded()
    assert canaries.strayed(SERVICE, maybe=PREVIOUS) == []
    assert canaries.user.holders() == ["cp1"]


def test_removal_leaves_none(canaries: Canaries) -> None:
    canaries.playbook("remove.yml", "endpoint_hosts: all\n", *TALKATIVE, debug=True).succeeded()
    assert canaries.strayed() == []
