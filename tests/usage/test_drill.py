# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A drill of a running endpoint: what it refuses, what it measures, and that all is as before, however it ends.
`test_story.py` has what is refused before a host is asked.

The order is part of it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from canaries import LONG
from user import MEMBERS, ROOT, User

pytestmark = LONG

# Other tests run beside it on the same processors: how long an outage is isn't what is tested here.
ROOMY = 60
NOTE, TIMER = "/var/lib/kubeha/drill.json", "kubeha-drill.timer"
LEFT = ("ls /var/lib/kubeha/drill.* /usr/libexec/kubeha/drill.pyz /etc/systemd/system/kubeha-drill.* 2>/dev/null; "
        "nft list tables 2>/dev/null | grep kubeha_drill; grep -sx 1 /var/lib/kubeha/drain/moving")


def drill(user: User, *arguments: str, **variables: object):
    return user.playbook("playbooks/drill.yml", *arguments, **{
        "endpoint_drill": "yes", "endpoint_drill_seconds": 10, "endpoint_drill_budget": ROOMY,
        "endpoint_drill_apiserver_unit": "api-stand-in.service", "endpoint_drill_clients": "client", **variables})


def left(user: User) -> list[str]:
    return [host for host in MEMBERS if user.on(host, "sh", "-c", LEFT).strip()]


def test_it_is_refused_where_status_is_not_green(user: User) -> None:
    assert "nothing is deployed" in drill(user).failed().output
    user.site().succeeded()
    user.until(lambda: user.holders() == ["cp1"])
    user.on("cp2", "systemctl", "stop", "haproxy")
    assert "isn't what was planned" in drill(user).failed().output
    user.on("cp2", "systemctl", "start", "haproxy")
    user.until(lambda: user.playbook("playbooks/status.yml").code == 0)
    assert left(user) == []


def test_check_mode_says_what_would_be_done(user: User) -> None:
    said = drill(user, "--check").succeeded()
    assert "would break" in said.output and "network_cut" in said.output and "reboot" not in said.output
    assert left(user) == [] and user.holders() == ["cp1"]


def test_the_mildest_fault_on_three_hosts(user: User, tmp_path: Path) -> None:
    file, page = tmp_path / "drill.json", tmp_path / "drill.html"
    done = drill(user, endpoint_drill_faults="handover", endpoint_drill_file=str(file),
                 endpoint_drill_html=str(page)).succeeded()
    found = json.loads(file.read_text())
    assert found["passed"], done.output
    assert [(fault["fault"], fault["host"]) for fault in found["faults"]] == [
        ("handover", host) for host in MEMBERS]
    assert [bool(fault["held"]) for fault in found["faults"]] == [True, False, False]
    assert all(fault["attempts"] > 100 for fault in found["faults"])
    assert "All 3 faults stayed within their budgets" in done.output and done.output.count("within budget") >= 3
    assert page.read_text().count('<svg class="drawing"') == 3
    assert user.on("client", "sh", "-c", "ls -d /tmp/kubeha-drill-* 2>/dev/null") == ""
    assert left(user) == [] and user.holders() == ["cp1"]


def test_worse_faults_end_by_themselves(user: User, tmp_path: Path) -> None:
    file = tmp_path / "drill.json"
    drill(user, endpoint_hosts="cp1", endpoint_drill_file=str(file)).succeeded()
    found = {fault["fault"]: fault for fault in json.loads(file.read_text())["faults"]}
    assert list(found) == [
        "handover", "apiserver_stop", "keepalived_stop", "haproxy_stop", "haproxy_hang", "network_cut"]
    # Without its network nobody is told.
    assert found["network_cut"]["failed"] > 0
    assert left(user) == [] and user.holders() == ["cp1"]


def test_it_stops_at_the_first_outage_over_its_budget(user: User, tmp_path: Path) -> None:
    file = tmp_path / "drill.json"
    stopped = drill(user, endpoint_drill_faults="network_cut", endpoint_drill_budget=0.02,
                    endpoint_drill_file=str(file)).failed()
    found = json.loads(file.read_text())
    assert not found["passed"] and "The drill stopped after 1 of 3 faults" in stopped.output
    assert [(fault["host"], fault["state"]) for fault in found["faults"]] == [("cp1", "over budget")]
    assert left(user) == [] and user.holders() == ["cp1"]


@contextlib.contextmanager
def running(user: User, **variables: object) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        user.command("playbooks/drill.yml", **{
            "endpoint_drill": "yes", "endpoint_drill_clients": "client", "endpoint_drill_budget": ROOMY, **variables}),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, cwd=ROOT,
        start_new_session=True)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_a_host_puts_itself_back_when_the_controller_is_gone(user: User) -> None:
    with running(user, endpoint_drill_faults="haproxy_stop", endpoint_drill_seconds=30) as process:
        user.until(lambda: process.poll() is not None or not user.says("cp1", "systemctl -q is-active haproxy"), 600)
        assert process.poll() is None, "it was done before it could be killed"
    assert user.says("cp1", "systemctl -q is-active " + TIMER)
    user.until(lambda: user.says("cp1", "systemctl -q is-active haproxy"))
    user.until(lambda: left(user) == [])
    user.until(lambda: user.holders() == ["cp1"])
    user.until(lambda: user.playbook("playbooks/status.yml").code == 0)


def test_the_next_drill_puts_back_what_a_killed_one_has_left(user: User) -> None:
    user.until(lambda: user.playbook("playbooks/status.yml").code == 0, 600)
    with running(user, endpoint_drill_faults="keepalived_stop", endpoint_drill_seconds=120) as process:
        user.until(lambda: process.poll() is not None or not user.says("cp1", "systemctl -q is-active keepalived"), 600)
        assert process.poll() is None, "it was done before it could be killed"
    again = drill(user, endpoint_drill_faults="handover", endpoint_hosts="cp1").succeeded()
    assert "An earlier drill didn't end here: keepalived_stop is put back." in again.output
    assert left(user) == [] and user.holders() == ["cp1"]
