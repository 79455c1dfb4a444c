# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Somebody has typed the files of kubeadm's guide by hand, and comes from there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from guide import SECRET, by_hand, ours, theirs
from user import MEMBERS, Run, User


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield tmp_path_factory.mktemp("import")


def state(user: User) -> dict[str, str]:
    look = ("find /etc /var/lib/kubeha -type f -newer /root/.before 2>/dev/null; "
            "systemctl show -p MainPID haproxy keepalived")
    return {host: user.on(host, "sh", "-c", look) for host in MEMBERS}


@pytest.fixture(scope="module")
def by_their_hand(user: User) -> dict[str, str]:
    """What is there before we come, and again when we go."""
    by_hand(user)
    return theirs(user)


def imported(user: User, *arguments: str, **variables: object) -> Run:
    return user.playbook("playbooks/import.yml", *arguments, **variables)


def test_an_import_changes_nothing_and_tells_no_secret(
        user: User, folder: Path, by_their_hand: dict[str, str]) -> None:
    assert SECRET not in str(by_their_hand)
    for host in MEMBERS:
        user.on(host, "touch", "/root/.before")
    before = state(user)
    run = imported(user, "-vvv", endpoint_import_file=str(folder / "endpoint.yml")).succeeded()
    assert state(user) == before
    assert SECRET not in run.output
    assert SECRET not in (folder / "endpoint.yml").read_text()
    for text in ("cp1 /etc/keepalived/keepalived.conf:", "auth_type PASS", "HAProxy dies on the holder", "36.6 s"):
        assert text in run.output, run.output
    again = imported(user, endpoint_import_file=str(folder / "endpoint.yml")).failed()
    assert "exists, and may have been edited" in again.output


def test_its_file_is_an_inventory_that_means_the_same(user: User, folder: Path) -> None:
    variables = yaml.safe_load((folder / "endpoint.yml").read_text())["all"]
    assert variables["vars"]["endpoint_virtual_router_id"] == 51
    plan = folder / "plan.json"
    user.playbook("playbooks/plan.yml", "-i", str(folder / "endpoint.yml"), endpoint_plan_file=str(plan)).succeeded()
    endpoint = json.loads(plan.read_text())["endpoints"][0]
    assert (endpoint["port"], endpoint["instances"][0]["virtual_router_id"], endpoint["haproxy"]["balance"]) == (
        8443, 51, "roundrobin")
    assert [member["host"] for member in endpoint["instances"][0]["members"]] == list(MEMBERS)


def test_two_holders_are_refused(user: User, folder: Path) -> None:
    user.on("cp3", "ip", "address", "add", user.vip + "/32", "dev", "eth0")
    run = imported(user, endpoint_import_file=str(folder / "other.yml")).failed()
    user.on("cp3", "ip", "address", "del", user.vip + "/32", "dev", "eth0")
    assert "cp1, cp3 at the same time" in run.output, run.output
    assert not (folder / "other.yml").exists()


def test_site_takes_it_over(user: User, folder: Path) -> None:
    """./dev rollout measures that under a client."""
    user.site("-i", str(folder / "endpoint.yml")).succeeded()
    assert user.holders() == ["cp1"]
    assert user.plan_on("cp2")["instances"][0]["virtual_router_id"] == 51
    assert not any(user.site("-i", str(folder / "endpoint.yml")).succeeded().changed.values())
    user.playbook("playbooks/status.yml", "-i", str(folder / "endpoint.yml")).succeeded()
    assert SECRET in user.on("cp1", "sh", "-c", "cat $(find /var/lib/kubeha/adopted -type f)")


def test_what_is_ours_is_not_imported(user: User) -> None:
    assert "import_ours" in imported(user).failed().output


def given_back(user: User, *arguments: str, **variables: object) -> Run:
    return user.playbook("playbooks/remove.yml", *arguments, endpoint_hosts="all", endpoint_restore=True, **variables)


def test_what_was_there_before_is_refused_where_its_copy_is_another(user: User) -> None:
    """All that is wrong is said at once, and nothing is touched."""
    copy = "/var/lib/kubeha/adopted/etc/haproxy/haproxy.cfg"
    user.on("cp2", "sh", "-c", "cp -p %s /root/copy; echo '# more' >>%s" % (copy, copy))
    user.on("cp3", "chown", "daemon", copy)
    before = state(user)
    run = given_back(user).failed()
    for text in ("cp2: What haproxy was here before isn't what was kept any more", "its content has changed",
                 "cp3: What haproxy", "its owner was 0:0 and is 1:0"):
        assert text in run.output, run.output
    run = user.playbook("playbooks/remove.yml", endpoint_hosts="cp1", endpoint_restore=True).failed()
    assert "this one leaves out cp2, cp3" in run.output, run.output
    assert state(user) == before
    user.on("cp2", "mv", "/root/copy", copy)
    user.on("cp3", "chown", "root", copy)


def test_what_was_there_before_comes_back_and_runs(user: User, by_their_hand: dict[str, str]) -> None:
    """./dev rollout measures that under a client."""
    before = state(user)
    checked = given_back(user, "--check").succeeded()
    assert "/etc/keepalived/keepalived.conf (0644 root:root)" in checked.output, checked.output
    assert "keepalived.service, running, enabled" in checked.output
    assert state(user) == before
    given_back(user).succeeded()
    assert theirs(user) == by_their_hand and not ours(user)
    assert user.holders() == ["cp1"]
    assert not any(given_back(user).succeeded().changed.values())
    imported(user).succeeded()
