# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-runner, by which AWX and others run playbooks: its events, its artifacts, a run that is cancelled.

The order is part of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ansible_runner
import pytest
from canaries import LONG, Canaries
from user import MEMBERS, ROOT, VARIABLES, User

pytestmark = LONG
BACKUPS = ("cp2", "cp3")


class Runner:
    """A private data directory, as AWX makes one for each job, with what the user wrote in its folder `env`."""

    def __init__(self, user: User, folder: Path) -> None:
        self.user = user
        self.folder = folder
        self.canaries = Canaries(user, folder)
        self.jobs = 0

    def run(self, playbook: str, written: str = "", cancelled_when: Callable[[], bool] | None = None) -> Any:
        self.jobs += 1
        variables = self.folder / f"variables-{self.jobs}.yml"
        variables.write_text(written or "{}")
        job = self.folder / f"job-{self.jobs}"
        job.mkdir()
        result = ansible_runner.run(
            private_data_dir=str(job), project_dir=str(ROOT), playbook=f"playbooks/{playbook}.yml",
            inventory=str(self.user.inventory), extravars=VARIABLES, quiet=True, cancel_callback=cancelled_when,
            cmdline=f"-e @{variables} --vault-password-file {self.canaries.key} --diff -v")
        for path in (job / "artifacts").rglob("*"):
            if path.is_file():
                self.canaries.look(f"{path.relative_to(job)}", path.read_bytes())
        assert self.canaries.leaks == set()
        return result


@pytest.fixture(scope="module")
def runner(user: User, tmp_path_factory: pytest.TempPathFactory) -> Runner:
    return Runner(user, tmp_path_factory.mktemp("runner"))


def changed(result: Any) -> list[str]:
    return sorted(set(result.stats["changed"]) & set(MEMBERS))


def password(runner: Runner) -> str:
    return runner.canaries.vaulted("endpoint_auth_password", "Qx7.cnry") + "endpoint_auth: pass\n"


def test_a_run_and_its_artifacts(runner: Runner) -> None:
    result = runner.run("site", password(runner))
    assert (result.status, result.rc) == ("successful", 0), result.stdout.read()
    assert changed(result) == list(MEMBERS)
    events = list(result.events)
    assert {"playbook_on_start", "runner_on_ok", "playbook_on_stats"} <= {event["event"] for event in events}
    assert len(json.dumps(events)) > 10000, "artifacts without content hold no secret either"
    assert runner.user.holders() == ["cp1"]


def test_a_run_that_changes_nothing(runner: Runner) -> None:
    result = runner.run("site", password(runner))
    assert (result.status, changed(result)) == ("successful", []), result.stdout.read()


def test_a_run_that_is_cancelled_with_backups_stopped(runner: Runner) -> None:
    user = runner.user

    def silenced() -> bool:
        return all(user.says(host, "test -e /var/lib/kubeha/lease.json && ! systemctl -q is-active keepalived")
                   for host in BACKUPS)

    result = runner.run("site", password(runner) + "endpoint_virtual_router_id: 77\n", cancelled_when=silenced)
    assert result.status == "canceled", result.status
    assert user.holders() == ["cp1"]


def test_and_the_run_after_it(runner: Runner) -> None:
    user = runner.user
    written = password(runner) + "endpoint_virtual_router_id: 77\n"
    result = runner.run("site", written)
    assert result.status == "successful", result.stdout.read()
    assert user.holders() == ["cp1"]
    assert user.plan_on("cp2")["instances"][0]["virtual_router_id"] == 77
    result = runner.run("site", written)
    assert (result.status, changed(result)) == ("successful", []), result.stdout.read()
    assert runner.run("status", written).status == "successful"


def test_a_refusal_is_an_event(runner: Runner) -> None:
    """Whoever reads events finds each problem with where, value, rule and fix."""
    result = runner.run("site", "endpoint_vip: 198.51.100.300\nendpoint_auth: hmac\n")
    assert result.status == "failed"
    failed = [event["event_data"]["res"] for event in result.events if event["event"] == "runner_on_failed"]
    codes = {problem["code"] for res in failed for problem in res.get("problems", [])}
    assert {"address_invalid", "auth_password_missing"} <= codes
