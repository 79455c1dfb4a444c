# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A running endpoint, used in each way that changes nothing. The order is part of it."""

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
