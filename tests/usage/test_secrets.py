# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every secret that a user can write is a canary, and may be in its own file and nowhere else, whatever happens.

The order is part of it."""

from __future__ import annotations

import json

import pytest
from canaries import Canaries
from user import MEMBERS, User

CONFIG = "/etc/keepalived/keepalived.conf"
PREVIOUS = "/var/lib/kubeha/previous/keepalived" + CONFIG
NOTHING = dict.fromkeys(MEMBERS, 0)
TALKATIVE = ("--diff", "-vvv")


@pytest.fixture(scope="module")
def canaries(user: User, tmp_path_factory: pytest.TempPathFactory) -> Canaries:
    return Canaries(user, tmp_path_factory.mktemp("canaries"))


def password(canaries: Canaries, secret: str, **more: object) -> str:
    lines = [f"{name}: {json.dumps(value)}\n" for name, value in {"endpoint_auth": "pass", **more}.items()]
    return canaries.vaulted("endpoint_auth_password", secret) + "".join(lines)


def test_deploying_with_a_vaulted_password(canaries: Canaries) -> None:
    written = password(canaries, "Qx7.cnry")
    canaries.playbook("site.yml", written, "--check", *TALKATIVE).succeeded()
    assert canaries.strayed(hosts=()) == []
    canaries.playbook("site.yml", written, *TALKATIVE).succeeded()
    assert canaries.strayed(CONFIG) == []
    again = canaries.playbook("site.yml", written, *TALKATIVE, debug=True).succeeded()
    assert {host: again.changed[host] for host in MEMBERS} == NOTHING
    assert canaries.strayed(CONFIG) == []


def test_what_is_refused(canaries: Canaries) -> None:
    limited = canaries.playbook("site.yml", password(canaries, "Qx8.cnry"), "--limit", "cp2", *TALKATIVE).failed()
    assert "password changes, and all members have to agree on that; this run leaves out cp1, cp3" in limited.output
    wrong = canaries.playbook("site.yml", password(canaries, "far too long.cnry"), *TALKATIVE).failed()
    assert "auth_password_invalid" in wrong.output
    assert canaries.strayed(CONFIG) == []


def test_another_password_in_a_list(canaries: Canaries) -> None:
    secret = canaries.new("Qx9.cnry")
    entry = {"vip": canaries.user.vip, "auth": "pass", "auth_password": secret}
    written = "endpoint_vip: null\nendpoint_list: " + json.dumps([entry]) + "\n"
    canaries.playbook("site.yml", written, *TALKATIVE, debug=True).succeeded()
    assert canaries.strayed(CONFIG, PREVIOUS) == []
    assert canaries.user.holders() == ["cp1"]


def test_removal_leaves_none(canaries: Canaries) -> None:
    canaries.playbook("remove.yml", "", *TALKATIVE, debug=True).succeeded()
    assert canaries.strayed() == []
