# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `history` says of everything that can happen to a host: the cause that it names is the one that was there."""

from __future__ import annotations

import os
import time

import happenings
import pytest
from looker import Looker, wait_for
from user import MEMBERS

pytestmark = pytest.mark.skipif(not os.environ.get("KUBEHA_LONG"), reason="only with KUBEHA_LONG")

TOPOLOGY = {
    "networks": {"lan": {"families": ["ipv4"]}},
    "hosts": {**{name: {"groups": ["kube_control_plane"], "apiserver": True} for name in MEMBERS},
              "client": {"groups": ["lab_client"], "number": 50}},
    "vars": {"endpoint_vip": "<lan:ipv4:100>", "endpoint_recorder": True},
}
ROUNDS = 2
# Of a hundred.
NAMED = 95


def test_causes(user: Looker, record_property: pytest.FixtureRequest) -> None:
    user.site().succeeded()
    wait_for(lambda: user.holders() == ["cp1"], 60)
    begun, windows = time.time(), []
    for _round in range(ROUNDS):
        windows += happenings.happen(user, happenings.EVERY, between=2)
    said, output = happenings.history(user, begun)
    wrong = happenings.named_wrong(said, windows, {"client": user.lab.address("client")})
    record_property("figure", "%d of %d causes were named" % (len(windows) - len(wrong), len(windows)))
    assert len(wrong) * 100 <= len(windows) * (100 - NAMED), "\n".join([*wrong, output])


def test_runs_drains_and_a_second_run(user: Looker) -> None:
    begun = time.time()
    again = user.site().succeeded()
    assert {host: again.changed[host] for host in MEMBERS} == dict.fromkeys(MEMBERS, 0)
    for playbook in ("drain", "undrain"):
        user.playbook("playbooks/%s.yml" % playbook, endpoint_hosts="cp1").succeeded()
    wait_for(lambda: user.holders() == ["cp1"], 60)
    user.site(endpoint_health_path="/livez").succeeded()
    said, output = happenings.history(user, begun)
    codes = [cause["code"] for incident in said["incidents"] for cause in incident["causes"]]
    assert {"drained", "undrained", "run"} <= set(codes) and "haproxy_stopped" not in codes, output


def test_it_is_taken_away(user: Looker) -> None:
    user.playbook("playbooks/remove.yml", endpoint_hosts="all").succeeded()
    left = "ls -d /var/lib/kubeha/recorder /etc/kubeha /etc/systemd/system/kubeha* || true"
    left += "; systemctl is-active kubeha-recorder || true"
    for host in MEMBERS:
        assert user.sh(host, left).split() == ["inactive"]
