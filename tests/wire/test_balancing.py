# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What other people's connections do to HAProxy's own checks, to each other, and on a network that loses packets."""

from __future__ import annotations

import pathlib
import re
import subprocess

import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan._timing import PROFILES
from balancing import POD, Balancer, versions, wait_until
from conftest import roots
from crowd import crowd, hold
from net import Segment

CHECK = pathlib.Path(__file__).resolve().parents[2] / "roles/keepalived/files/kubeha-check"
HEALTH = ("127.0.0.1", 8481)
FALL = PROFILES["balanced"].local_fall
DOWN = re.compile(r"Server \S+ is DOWN")
VERSIONS = versions(roots())
MIDDLE = "bookworm" if "bookworm" in VERSIONS else next(iter(VERSIONS))
# As pods have it.
NEWER = "trixie" if "trixie" in VERSIONS else MIDDLE


def check(segment: Segment, mode: str = "live", path: str = "/livez") -> bool:
    """As keepalived runs it, who ends it after a second, and believes it when it fails FALL times in a row."""
    command = ["timeout", "1", "bash", str(CHECK), mode, HEALTH[0], str(HEALTH[1]), path, "0.8", "0", "none"]
    run = ["ip", "netns", "exec", segment.namespace("lb"), *command]
    return any(subprocess.run(run, check=False).returncode == 0 for _try in range(FALL))


@pytest.mark.parametrize("root", sorted(VERSIONS))
@pytest.mark.parametrize(
    ("count", "says"), [(600, b""), (5000, b""), (600, b"G"), (2000, b"GET /livez HTTP/1.1\r\nHost: k\r\n\r\n")]
)
def test_whoever_fills_the_health_port_keeps_no_check_from_passing(
    network: Segment, root: str, count: int, says: bytes
) -> None:
    with Balancer(network, roots()[root], VERSIONS[root]) as balancer:
        network.process("lb", crowd, HEALTH, count, says)
        wait_until(lambda: balancer.total("kubeha:health:1") > count / 10)
        assert [check(network) for _number in range(20)] == [True] * 20


def test_a_frozen_haproxy_is_noticed(network: Segment) -> None:
    with Balancer(network, roots()[MIDDLE], VERSIONS[MIDDLE]) as balancer:
        assert check(network)
        balancer.freeze()
        assert not check(network)


@pytest.mark.parametrize("root", sorted(VERSIONS))
def test_one_source_leaves_room_for_others_and_a_full_endpoint_is_said_once(network: Segment, root: str) -> None:
    with Balancer(network, roots()[root], VERSIONS[root], haproxy_maxconn=100) as balancer:
        network.process("client", hold, balancer.target, 120)
        wait_until(lambda: balancer.state()["frontends"]["kube-apiserver"]["refused"] >= 70)
        seen = balancer.state()["frontends"]["kube-apiserver"]
        assert (seen["sessions"], seen["most"]) == (50, 100)
        assert check(network, "ready", "/readyz/kube-apiserver")
        assert not any("soon nobody" in line for line in balancer.log())
        network.process("api1", hold, balancer.target, 40)
        wait_until(lambda: balancer.state()["frontends"]["kube-apiserver"]["sessions"] == 90)
        assert all(check(network, "ready", "/readyz/kube-apiserver") for _number in range(3))
        said = [line for line in balancer.log() if "soon nobody" in line]
        assert len(said) == 1 and "kube-apiserver has 80 of 100 connections or more" in said[0]
        assert balancer.clients(1, 5, 0, host="api2").result()["failed"] == 0


@pytest.mark.parametrize("root", sorted(VERSIONS))
def test_a_reload_knows_which_api_server_hangs(network: Segment, root: str) -> None:
    with Balancer(network, roots()[root], VERSIONS[root]) as balancer:
        balancer.make("api1", "hang")
        balancer.wait_for(lambda servers: servers["api1"].startswith("DOWN"))
        clients = balancer.clients(3, 20, 0)
        for _number in range(2):
            balancer.reload()
        assert clients.result()["failed"] == 0


def test_a_lost_syn_costs_a_second_and_no_stream(network: Segment) -> None:
    """Whoever sends it once more a second later gets through, HAProxy's checks as well as clients."""
    with Balancer(network, roots()[MIDDLE], VERSIONS[MIDDLE]) as balancer:
        balancer.lose_each_first_syn()
        result = balancer.clients(6, 10, 12).result()
        assert not [line for line in balancer.log() if DOWN.search(line)]
        assert (result["ended"], result["failed"], result["open"]) == (0, 0, 12)
        assert result["slowest"] > 1


@pytest.mark.parametrize(("root", "intent"), [(MIDDLE, {}), (NEWER, POD)], ids=["service", "pod"])
def test_a_lossy_network_ends_no_streams(network: Segment, root: str, intent: dict[str, str]) -> None:
    """5 % each way. `./dev bench loss` tries all releases, for longer."""
    with Balancer(network, roots()[root], VERSIONS[root], **intent) as balancer:
        balancer.lose(50)
        result = balancer.clients(8, 20, 40).result()
        assert not [line for line in balancer.log() if DOWN.search(line)]
        assert result["ended"] <= 2 and result["failed"] <= 5, result
