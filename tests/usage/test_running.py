# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A running endpoint, used in each way that changes nothing, then changed and misused. The order is part of it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from user import MEMBERS, PLAYS, ROOT, Run, User, members

NOTHING = dict.fromkeys(MEMBERS, 0)


def sliced(user: User, folder: Path, *hosts: str) -> list[str]:
    """An inventory that has only these hosts, as a slice of a job has."""
    document = json.loads(user.inventory.read_text())
    document["all"]["hosts"] = {host: document["all"]["hosts"][host] for host in hosts}
    document["all"]["children"] = {"kube_control_plane": {"hosts": dict.fromkeys(hosts, {})}}
    file = folder / ("%s.yml" % "-".join(hosts))
    file.write_text(json.dumps(document))
    return ["-i", str(file)]


def site_of(user: User, inventory: list[str]) -> Run:
    """The lab's own inventory isn't read: Ansible would add the two."""
    command = [word for word in user.command("playbooks/site.yml") if word not in ("-i", str(user.inventory))]
    return Run(subprocess.run([*command, *inventory], capture_output=True, text=True, cwd=ROOT,
                              stdin=subprocess.DEVNULL, check=False))


def test_a_single_control_plane_and_then_three(user: User, tmp_path: Path) -> None:
    site_of(user, sliced(user, tmp_path, "cp1")).succeeded()
    assert user.holders() == ["cp1"]
    user.site().succeeded()
    assert user.holders() == ["cp1"]


@pytest.mark.parametrize("hosts", [["cp1"], ["cp2", "cp3"]])
def test_an_inventory_that_lacks_hosts_is_refused(user: User, tmp_path: Path, hosts: list[str]) -> None:
    run = site_of(user, sliced(user, tmp_path, *hosts)).failed()
    for host in set(MEMBERS) - set(hosts):
        assert "%s still serves it at" % host in run.output
    assert set(run.changed.values()) == {0}


def test_import_playbook(user: User) -> None:
    assert members(user.playbook(PLAYS / "imported.yml").succeeded().changed) == NOTHING


def test_serial(user: User) -> None:
    assert members(user.playbook(PLAYS / "serial.yml").succeeded().changed) == NOTHING


@pytest.mark.parametrize("play", ["lone_haproxy.yml", "lone_keepalived.yml"])
def test_a_role_by_itself_gets_the_same_plan(user: User, play: str) -> None:
    assert members(user.playbook(PLAYS / play).succeeded().changed) == NOTHING


def test_hosts_known_by_name_only(user: User, tmp_path) -> None:
    document = json.loads(user.inventory.read_text())
    for name, variables in document["all"]["hosts"].items():
        variables["ansible_host"] = name + ".lab"
    named = tmp_path / "inventory.yml"
    named.write_text(json.dumps(document))
    run = user.playbook("playbooks/site.yml", "-i", str(named)).succeeded()
    assert members(run.changed) == NOTHING


@pytest.mark.parametrize("tags", [["--tags", "haproxy"], ["--tags", "keepalived_configure"], ["--skip-tags", "verify"]])
def test_tags(user: User, tags: list[str]) -> None:
    run = user.site(*tags).succeeded()
    assert members(run.changed) == NOTHING
    assert "Judge what the hosts do" not in run.output


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


def test_notes_that_are_lost(user: User) -> None:
    """They are gone on one host and cut short on another one."""
    damage = {"cp2": "cd /var/lib/kubeha; truncate -s 9 files-*.json plan-*", "cp3": "rm -rf /var/lib/kubeha"}
    for host, command in damage.items():
        user.on(host, "sh", "-c", command)
    assert {host for host, count in user.site("--check").succeeded().changed.items() if count} == set(damage)
    user.site().succeeded()
    assert members(user.site().succeeded().changed) == NOTHING
    for host, command in damage.items():
        user.on(host, "sh", "-c", command)
    user.playbook("playbooks/drain.yml", "--check", endpoint_hosts="cp3").succeeded()
    user.playbook("playbooks/remove.yml", endpoint_hosts="cp2,cp3").succeeded()
    left = "find /etc /usr/libexec /run/kubeha /var/lib -name '*kubeha*'; grep -rl 'Managed by kubeha' /etc /usr"
    assert [user.on(host, "sh", "-c", left) for host in damage] == ["", ""]
    user.site().succeeded()


def test_a_preferred_host_of_ones_own_choice_and_a_port_that_stays_until_another_is_written(
        user: User, tmp_path: Path) -> None:
    document = json.loads(user.inventory.read_text())
    document["all"]["hosts"]["cp3"]["endpoint_priority"] = 200
    preferring = tmp_path / "inventory.yml"
    preferring.write_text(json.dumps(document))
    user.inventory, original = preferring, user.inventory
    try:
        user.site(endpoint_port=9443).succeeded()
        assert user.holders() == ["cp3"]
    finally:
        user.inventory = original
    run = user.site().failed()
    assert "port_would_change" in run.output and "9443" in run.output
    assert user.plan_on("cp1")["port"] == 9443
    user.site(endpoint_port=8443).succeeded()
    assert user.holders() == ["cp1"]


def test_what_members_have_to_agree_on_changes_for_all_of_them(user: User) -> None:
    for options in (["--limit", "cp2"], ["--limit", "cp2", "--skip-tags", "preflight"]):
        run = user.site(*options, endpoint_virtual_router_id=77).failed()
        assert "virtual router ID changes, and all members have to agree on that" in run.output, run.output
        assert "this run leaves out cp1, cp3" in run.output
    assert user.holders() == ["cp1"]
    assert "virtual_router_id 77" not in user.on("cp2", "cat", "/etc/keepalived/keepalived.conf")


def test_a_masked_service_is_refused_before_a_host_changes(user: User, tmp_path) -> None:
    user.on("cp2", "systemctl", "mask", "--now", "keepalived")
    file = tmp_path / "preflight.json"
    run = user.site(endpoint_health_path="/healthz").failed()
    assert "keepalived.service is masked" in run.output and members(run.changed) == NOTHING, run.output
    user.playbook("playbooks/preflight.yml", endpoint_preflight_file=str(file)).failed()
    user.follow(file, "service_masked")


def test_somebody_elses_configuration_is_kept_unless_told_otherwise(user: User) -> None:
    user.on("cp2", "sh", "-c", "printf 'global\\n    maxconn 7\\n' >/etc/haproxy/haproxy.cfg")
    run = user.site().failed()
    assert "endpoint_adopt" in run.output
    assert "maxconn 7" in user.on("cp2", "cat", "/etc/haproxy/haproxy.cfg")
    user.site(endpoint_adopt=True).succeeded()
    assert "maxconn 7" in user.on("cp2", "sh", "-c", "cat $(find /var/lib/kubeha/adopted -type f)")
    assert user.says("cp2", "systemctl -q is-active keepalived"), "it's masked no more, and runs again"


def test_what_keepalived_s_units_name_is_refused_before_haproxy_changes(user: User) -> None:
    wrong = {"endpoint_notify_script": "/opt/no-script", "endpoint_metrics_textfile_dir": "/opt/no-folder"}
    run = user.site(endpoint_health_path="/healthz", endpoint_metrics=True, endpoint_auth="pass",
                    endpoint_auth_password="s3cr3t-8", **wrong).failed()
    assert all(path in run.output for path in wrong.values()) and "isn't there" in run.output, run.output
    assert members(run.changed) == NOTHING
    for host in MEMBERS:
        assert "/healthz" not in user.on(host, "cat", "/etc/haproxy/haproxy.cfg")
