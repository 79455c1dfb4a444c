# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Somebody has typed the files of kubeadm's guide by hand, and comes from there."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from user import MEMBERS, ROOT, Run, User

GUIDE = ROOT / "tests/unit/plugins/plugin_utils/existing/corpus/kubeadm-services/hosts"
SECRET = "Gu1dePwd"
FILES = ("etc/keepalived/keepalived.conf", "etc/keepalived/check_apiserver.sh", "etc/haproxy/haproxy.cfg")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield tmp_path_factory.mktemp("import")


def by_hand(user: User, host: str) -> None:
    """The guide's files, with addresses of this lab."""
    user.on(host, "sh", "-euc", "DEBIAN_FRONTEND=noninteractive; export DEBIAN_FRONTEND; apt-get update; "
            "apt-get install --yes --no-install-recommends haproxy keepalived")
    addresses = {"198.51.100.1%d" % number: user.lab.state["hosts"][name]["addresses"][0]
                 for number, name in enumerate(MEMBERS, 1)}
    addresses["198.51.100.100"] = user.vip
    for name in FILES:
        text = (GUIDE / host / name).read_text()
        for old, new in addresses.items():
            text = text.replace(old + ":", new + ":").replace(old + "\n", new + "\n").replace(old + "/", new + "/")
        for line in text.splitlines():
            if "auth_pass" in line:
                text = text.replace(line, "        auth_pass %s" % SECRET)
        user.on(host, "sh", "-euc", "echo %s | base64 -d >/%s; chmod %s /%s" % (
            base64.b64encode(text.encode()).decode(), name, "0755" if name.endswith(".sh") else "0644", name))
    user.on(host, "systemctl", "enable", "haproxy", "keepalived")
    user.on(host, "systemctl", "restart", "haproxy", "keepalived")


def state(user: User) -> dict[str, str]:
    look = ("find /etc /var/lib/kubeha -type f -newer /root/.before 2>/dev/null; "
            "systemctl show -p MainPID haproxy keepalived")
    return {host: user.on(host, "sh", "-c", look) for host in MEMBERS}


def imported(user: User, *arguments: str, **variables: object) -> Run:
    return user.playbook("playbooks/import.yml", *arguments, **variables)


def test_an_import_changes_nothing_and_tells_no_secret(user: User, folder: Path) -> None:
    for host in MEMBERS:
        by_hand(user, host)
    user.until(lambda: user.holders() == ["cp1"])
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
    assert "cp1 and cp3 at the same time" in run.output, run.output
    assert not (folder / "other.yml").exists()


def test_a_live_vip_is_not_taken_over_by_accident(user: User, folder: Path) -> None:
    before = state(user)
    found = folder / "findings.json"
    run = user.site("-i", str(folder / "endpoint.yml"), endpoint_preflight_file=str(found)).failed()
    assert "takeover_interrupts" in run.output, run.output
    assert state(user) == before
    assert user.holders() == ["cp1"]
    # As advised: at a time that somebody chooses.
    user.playbook("playbooks/preflight.yml", "-i", str(folder / "endpoint.yml"),
                  endpoint_preflight_file=str(found)).failed()
    user.follow(found, "takeover_interrupts")
    user.site("-i", str(folder / "endpoint.yml")).succeeded()
    assert user.holders() == ["cp1"]
    assert user.plan_on("cp2")["instances"][0]["virtual_router_id"] == 51
    user.playbook("playbooks/status.yml", "-i", str(folder / "endpoint.yml")).succeeded()
    assert SECRET in user.on("cp1", "sh", "-c", "cat $(find /var/lib/kubeha/adopted -type f)")


def test_what_is_ours_is_not_imported(user: User) -> None:
    assert "import_ours" in imported(user).failed().output
