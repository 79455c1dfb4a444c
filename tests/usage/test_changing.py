# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A running endpoint, changed and misused step by step. The order is part of it."""

from __future__ import annotations

import json
import subprocess

import pytest
from user import MEMBERS, User, members

NOTHING = dict.fromkeys(MEMBERS, 0)
SECRET = "s3cr3t-8"


def test_what_is_there_before(user: User) -> None:
    user.site().succeeded()


def test_limit_with_one_host_lost_keeps_it_in_the_plan(user: User) -> None:
    user.lab.kill("cp3")
    run = user.site("--limit", "cp1,cp2", endpoint_health_path="/livez").succeeded()
    assert set(run.ok) == {"cp1", "cp2"}
    plan = user.plan_on("cp1")
    assert plan["haproxy"]["check"]["path"] == "/livez"
    assert user.lab.address("cp3") in plan["instances"][0]["members"][0]["peers"]
    user.lab.boot("cp3")


def test_check_and_diff_show_a_change_and_make_none(user: User) -> None:
    run = user.site("--check", "--diff", endpoint_health_path="/healthz").succeeded()
    assert "/healthz" in run.output
    assert all(count > 0 for count in members(run.changed).values())
    assert "/healthz" not in user.on("cp1", "cat", "/etc/haproxy/haproxy.cfg")


def test_plan_with_diff_shows_what_would_change(user: User) -> None:
    run = user.playbook("playbooks/plan.yml", "--diff", endpoint_health_path="/healthz").succeeded()
    assert "+" in run.output and "/healthz" in run.output
    assert "/healthz" not in user.on("cp1", "cat", "/etc/haproxy/haproxy.cfg")


def test_check_mode_by_name_says_what_would_change(user: User) -> None:
    user.site().succeeded()
    for playbook, changes in (("drain", True), ("undrain", False), ("remove", True)):
        run = user.playbook("playbooks/%s.yml" % playbook, "--check", endpoint_hosts="cp3").succeeded()
        assert {host: count > 0 for host, count in members(run.changed).items() if count} == (
            {"cp3": True} if changes else {}), run.output
    user.playbook("playbooks/status.yml").succeeded()
    assert members(user.site().succeeded().changed) == NOTHING


@pytest.mark.parametrize("damage", ["rm -rf /var/lib/kubeha", "cd /var/lib/kubeha; truncate -s 9 files-*.json plan-*"])
def test_notes_that_are_lost(user: User, damage: str) -> None:
    user.on("cp3", "sh", "-c", damage)
    assert [host for host, count in user.site("--check").succeeded().changed.items() if count] == ["cp3"]
    user.site().succeeded()
    assert members(user.site().succeeded().changed) == NOTHING
    user.playbook("playbooks/drain.yml", "--check", endpoint_hosts="cp3").succeeded()
    user.on("cp3", "sh", "-c", damage)
    user.playbook("playbooks/remove.yml", endpoint_hosts="cp3").succeeded()
    left = "find /etc /usr/libexec /run/kubeha /var/lib -name '*kubeha*'; grep -rl 'Managed by kubeha' /etc /usr"
    assert user.on("cp3", "sh", "-c", left) == ""
    user.site().succeeded()


def test_a_host_of_ones_own_choice_is_preferred(user: User, tmp_path) -> None:
    document = json.loads(user.inventory.read_text())
    document["all"]["hosts"]["cp3"]["endpoint_priority"] = 200
    preferring = tmp_path / "inventory.yml"
    preferring.write_text(json.dumps(document))
    user.inventory, original = preferring, user.inventory
    try:
        user.site().succeeded()
        assert user.holders() == ["cp3"]
    finally:
        user.inventory = original
    user.site().succeeded()
    assert user.holders() == ["cp1"]


def test_what_members_have_to_agree_on_changes_for_all_of_them(user: User) -> None:
    for options in (["--limit", "cp2"], ["--limit", "cp2", "--skip-tags", "preflight"]):
        run = user.site(*options, endpoint_virtual_router_id=77).failed()
        assert "virtual router ID changes, and all members have to agree on that" in run.output, run.output
        assert "this run leaves out cp1, cp3" in run.output
    assert user.holders() == ["cp1"]
    assert "virtual_router_id 77" not in user.on("cp2", "cat", "/etc/keepalived/keepalived.conf")


def test_a_deployed_port_stays_until_another_is_written(user: User) -> None:
    user.site(endpoint_port=9443).succeeded()
    run = user.site().failed()
    assert "port_would_change" in run.output and "9443" in run.output
    assert user.plan_on("cp1")["port"] == 9443
    user.site(endpoint_port=8443).succeeded()


def test_a_masked_service_is_refused_before_a_host_changes(user: User, tmp_path) -> None:
    user.on("cp2", "systemctl", "mask", "--now", "keepalived")
    file = tmp_path / "preflight.json"
    run = user.site(endpoint_health_path="/healthz").failed()
    assert "keepalived.service is masked" in run.output and members(run.changed) == NOTHING, run.output
    user.playbook("playbooks/preflight.yml", endpoint_preflight_file=str(file)).failed()
    user.follow(file, "service_masked")
    user.site().succeeded()


def test_somebody_elses_configuration_is_kept_unless_told_otherwise(user: User) -> None:
    user.on("cp2", "sh", "-c", "printf 'global\\n    maxconn 7\\n' >/etc/haproxy/haproxy.cfg")
    run = user.site().failed()
    assert "endpoint_adopt" in run.output
    assert "maxconn 7" in user.on("cp2", "cat", "/etc/haproxy/haproxy.cfg")
    user.site(endpoint_adopt=True).succeeded()
    assert "maxconn 7" in user.on("cp2", "sh", "-c", "cat $(find /var/lib/kubeha/adopted -type f)")


@pytest.mark.parametrize("auth", [{}, {"endpoint_auth": "pass", "endpoint_auth_password": SECRET}])
@pytest.mark.parametrize("wrong", [
    {"endpoint_notify_script": "/opt/nowhere"}, {"endpoint_metrics_textfile_dir": "/opt/nowhere"}], ids="".join)
def test_what_keepalived_s_units_name_is_refused_before_haproxy_changes(
        user: User, wrong: dict[str, str], auth: dict[str, str]) -> None:
    run = user.site(endpoint_health_path="/healthz", endpoint_metrics=True, **wrong, **auth).failed()
    assert "/opt/nowhere" in run.output and "isn't there" in run.output, run.output
    assert members(run.changed) == NOTHING
    for host in MEMBERS:
        assert "/healthz" not in user.on(host, "cat", "/etc/haproxy/haproxy.cfg")


def test_a_vaulted_password_shows_nowhere(user: User, tmp_path) -> None:
    key = tmp_path / "key"
    key.write_text("the key of the vault\n")
    vaulted = subprocess.run(
        ["ansible-vault", "encrypt_string", "--vault-password-file", str(key), "--name", "endpoint_auth_password",
         SECRET],
        capture_output=True, text=True, check=True).stdout
    variables = tmp_path / "variables.yml"
    variables.write_text(vaulted + "endpoint_auth: pass\n")
    options = ["-e", "@%s" % variables, "--vault-password-file", str(key), "--diff", "-vvv"]
    run = user.site(*options).succeeded()
    assert SECRET not in run.output
    again = user.site(*options).succeeded()
    assert SECRET not in again.output
    assert members(again.changed) == NOTHING
    for host in MEMBERS:
        assert SECRET in user.on(host, "cat", "/etc/keepalived/keepalived.conf")
        assert user.on(host, "stat", "-c", "%a %U", "/etc/keepalived/keepalived.conf").split() == ["600", "root"]
        assert SECRET not in user.on(host, "journalctl", "--no-pager")
        readable = "find / -xdev -type f -perm /044 -newer /etc/hostname -exec grep -l %s {} + 2>/dev/null" % SECRET
        assert user.on(host, "sh", "-c", readable) == ""
    limited = user.site("--limit", "cp2", endpoint_auth="pass", endpoint_auth_password="another1").failed()
    assert "password changes, and all members have to agree on that; this run leaves out cp1, cp3" in limited.output
    assert "another1" not in limited.output
    wrong = user.site(endpoint_auth="pass", endpoint_auth_password="far too long").failed()
    assert "auth_password_invalid" in wrong.output and "far too long" not in wrong.output
    user.site().succeeded()
    assert SECRET not in user.on("cp1", "cat", "/etc/keepalived/keepalived.conf")
    assert user.holders() == ["cp1"]
