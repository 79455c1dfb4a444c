# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is computed from marks is what keepalived has, at rest; and no change of state is lost."""

from __future__ import annotations

import json

import pytest
from monitored import Monitored
from user import MEMBERS

# The signal that nothing else of ours sends: only to see what is right.
DUMP = """
pid=$(systemctl show --property=MainPID --value keepalived)
rm -f /proc/$pid/root/tmp/keepalived.json
kill -$(keepalived --signum=JSON) $pid
until [ -s /proc/$pid/root/tmp/keepalived.json ]; do sleep 0.1; done
sleep 0.2
cat /proc/$pid/root/tmp/keepalived.json
"""
MASTER, BACKUP = 2, 1
WELL = {"cp1": 150, "cp2": 149, "cp3": 148}


def of_keepalived(lab: Monitored, host: str) -> int:
    data = json.loads(lab.lab.run(host, "sh", "-ec", DUMP).stdout)[0]["data"]
    return data["effective_priority"] if data["state"] in (MASTER, BACKUP) else 0


def of_metrics(lab: Monitored) -> dict[str, int]:
    return {item["metric"]["instance"].partition(":")[0]: int(item["value"][1])
            for item in lab.prometheus.query("kubeha_vrrp_effective_priority")}


def is_right(lab: Monitored, wanted: dict[str, int]) -> bool:
    return of_metrics(lab) == wanted == {host: of_keepalived(lab, host) for host in MEMBERS}


@pytest.fixture(name="lab")
def fixture_lab(monitored: Monitored) -> Monitored:
    monitored.until(lambda: is_right(monitored, WELL))
    return monitored


def test_a_drained_host(lab: Monitored) -> None:
    lab.verb("drain", "cp3")
    lab.until(lambda: is_right(lab, {**WELL, "cp3": 1}))
    lab.verb("undrain", "cp3")


def test_no_api_server(lab: Monitored) -> None:
    for host in MEMBERS:
        lab.lab.apiserver(host, "refuse")
    lab.until(lambda: is_right(lab, {host: value - 50 for host, value in WELL.items()}))
    for host in MEMBERS:
        lab.lab.apiserver(host, "healthy")


def test_no_haproxy(lab: Monitored) -> None:
    lab.lab.run("cp2", "systemctl", "stop", "haproxy")
    lab.until(lambda: is_right(lab, {**WELL, "cp2": 0}))
    lab.lab.run("cp2", "systemctl", "start", "haproxy")


def test_a_haproxy_that_hangs(lab: Monitored) -> None:
    lab.lab.run("cp2", "systemctl", "kill", "--signal=STOP", "haproxy")
    lab.until(lambda: is_right(lab, {**WELL, "cp2": 0}))
    lab.lab.run("cp2", "systemctl", "kill", "--signal=CONT", "haproxy")


def counted(lab: Monitored, host: str) -> dict[str, int]:
    return {item["metric"]["state"]: int(item["value"][1])
            for item in lab.prometheus.query('kubeha_vrrp_transitions_total{instance=~"%s:.*"}' % host)}


def test_what_happens_between_two_looks_is_counted(lab: Monitored) -> None:
    """Also where keepalived and the timer are started anew."""
    before = counted(lab, "cp3")
    lab.lab.run("cp3", "systemctl", "stop", "kubeha-metrics.timer")
    for _again in range(3):
        lab.lab.run("cp3", "systemctl", "restart", "keepalived")
        lab.until(lambda: lab.says("cp3", "test -s /run/kubeha/keepalived/order-kube-apiserver-ipv4"))
    lab.lab.run("cp3", "systemctl", "start", "kubeha-metrics.timer")
    wanted = {**before, "backup": before["backup"] + 3, "stop": before["stop"] + 3}
    lab.until(lambda: counted(lab, "cp3") == wanted)
