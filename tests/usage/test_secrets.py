# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every secret that a user can write is a canary, and may be in its own file and nowhere else, whatever happens.

The order is part of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from canaries import LONG, Canaries
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


def checksums(user: User) -> list[str]:
    """Of what keepalived is configured with: no argument may hold a secret."""
    return [user.on(host, "sha256sum", CONFIG) for host in MEMBERS]


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


# The first reload fails, as where another program or a full disk is in its way; that which goes back succeeds.
REFUSING = "/run/systemd/system/keepalived.service.d/zz-refusing.conf"
REFUSE = f"mkdir -p {Path(REFUSING).parent}; cat >{REFUSING} <<'END'\n" """[Service]
ExecReload=
ExecReload=/bin/sh -c 'test -e /run/refused && kill -HUP $MAINPID || ! touch /run/refused'
END
systemctl daemon-reload"""


@LONG
def test_another_password_that_the_holder_does_not_take(canaries: Canaries) -> None:
    user = canaries.user
    user.on("cp1", "sh", "-c", REFUSE)
    before = checksums(user)
    run = canaries.playbook("site.yml", password(canaries, "QxA.cnry"), *TALKATIVE, debug=True).failed()
    user.on("cp1", "sh", "-c", f"rm {REFUSING} /run/refused; systemctl daemon-reload")
    assert "Put back, and well" in run.output, run.output
    assert checksums(user) == before
    assert canaries.strayed(CONFIG, maybe=[PREVIOUS]) == []


@LONG
def test_another_password_in_a_list_by_a_run_that_is_killed_and_one_that_is_not(canaries: Canaries) -> None:
    user = canaries.user
    secret = canaries.new("Qx9.cnry")
    entry = {"vip": user.vip, "auth": "pass", "auth_password": secret}
    written = "endpoint_vip: null\nendpoint_list: " + json.dumps([entry]) + "\n"
    before = checksums(user)
    canaries.playbook("site.yml", written, *TALKATIVE, killed_when=lambda: checksums(user) != before)
    assert canaries.strayed(CONFIG, maybe=[PREVIOUS]) == []
    canaries.playbook("site.yml", written, *TALKATIVE, debug=True).succeeded()
    assert canaries.strayed(CONFIG, PREVIOUS) == []
    assert user.holders() == ["cp1"]


@LONG
@pytest.mark.parametrize("secret", ["42", "198.51"])
def test_a_short_password_changes_nothing_else(canaries: Canaries, secret: str) -> None:
    """It occurs in addresses, ports and times, so it's no canary. Who hid its text would hide these."""
    user = canaries.user
    written = f"endpoint_auth: pass\nendpoint_auth_password: {json.dumps(secret)}\n"
    run = canaries.playbook("site.yml", written, *TALKATIVE).succeeded()
    assert user.holders() == ["cp1"]
    assert "****" not in re.sub(r"(PLAY|TASK|RUNNING HANDLER).*|\*+\n", "", run.output)
    assert user.plan_on("cp1")["instances"][0]["vips"][0]["address"] == user.vip
    assert re.findall(r"auth_pass (.*)", user.on("cp1", "cat", CONFIG)) == [secret]
    assert canaries.strayed(maybe=[PREVIOUS]) == []


def test_no_password_any_more(canaries: Canaries) -> None:
    canaries.playbook("site.yml", "{}\n", *TALKATIVE).succeeded()
    assert canaries.user.holders() == ["cp1"]
    assert canaries.strayed(maybe=[PREVIOUS]) == []


@LONG
def test_removal_leaves_none(canaries: Canaries) -> None:
    canaries.playbook("remove.yml", "endpoint_hosts: all\n", *TALKATIVE, debug=True).succeeded()
    assert canaries.strayed() == []
