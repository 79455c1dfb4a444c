# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's figures are only as good as the arithmetic behind them."""

from __future__ import annotations

import ipaddress
import pathlib
import struct
import sys
import xml.etree.ElementTree

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "molecule"))

from _lab import plot, topology
from _lab.assets import address_watch
from _lab.assets.meter import longest_outage
from _lab.measure import Change, Measurement
from _lab.podman import LabError


def attempts(text: str) -> list[tuple[float, float | None, str]]:
    """One attempt each 10 ms; x failed, anything else succeeded."""
    return [(i * 0.01, None if c == "x" else 0.002, "refused" if c == "x" else "cp1") for i, c in enumerate(text)]


@pytest.mark.parametrize(
    "text, milliseconds",
    [
        ("", 0),
        ("....", 0),
        ("..x..", 20),
        ("..xxxx..", 50),
        (".x...xx.", 30),
        (".xx.x..", 30),
        ("..xxx", 30),  # to the last attempt
        ("xxx..", 30),  # from the first one
        ("xxxx", 30),
        ("x.xx.", 30),
    ],
)
def test_longest_outage(text: str, milliseconds: int) -> None:
    begin, end = longest_outage(attempts(text))
    assert round((end - begin) * 1000) == milliseconds


def measurement(text: str = "...", changes: list[Change] | None = None, **times: float) -> Measurement:
    values = {"fault": 1.0, "mended": 5.0, "end": 8.0, **times}
    return Measurement(attempts=attempts(text), changes=changes or [], **values)


CHANGES = [
    Change(-1.0, "cp1", True),
    Change(1.5, "cp2", True),
    Change(1.75, "cp1", False),
    Change(6.0, "cp1", True),
    Change(6.125, "cp2", False),
]


def test_holders_at_any_time() -> None:
    run = measurement(changes=CHANGES)
    assert run.holders(0) == ["cp1"]
    assert run.holders(1.6) == ["cp1", "cp2"]
    assert run.holders(2) == ["cp2"]
    assert run.holders(7) == ["cp1"]


def test_two_holders_are_summed() -> None:
    assert measurement(changes=CHANGES).two_holders() == 0.375
    assert measurement(changes=CHANGES[:2]).two_holders() == 6.5, "until the end, if it doesn't end before"
    assert measurement(changes=CHANGES[:1]).two_holders() == 0


def test_takeover_is_by_another_host_while_broken() -> None:
    assert measurement(changes=CHANGES).takeover() == 0.5
    assert measurement(changes=CHANGES[:1]).takeover() is None
    restarted = [Change(0, "cp1", True), Change(1.5, "cp1", False), Change(2, "cp1", True)]
    assert measurement(changes=restarted).takeover() is None


def test_figures_are_of_the_time_in_question() -> None:
    run = measurement("..xx...x.", end=1)
    assert run.failures(0, 1) == 3
    assert run.failures(0.03, 0.07) == 1
    assert run.outage_ms(0, 1) == 30
    assert run.outage_ms(0.05, 1) == 20
    assert run.trouble(0.02, 1) == pytest.approx(0.05)
    assert run.trouble(0.08, 1) == 0


def test_pictures() -> None:
    run = measurement("." * 100 + "x" * 100 + "." * 600, CHANGES)
    lines = plot.terminal(run, ["cp1", "cp2"], columns=80).splitlines()
    assert lines[0].index("▼") == len("VIP on cp1 ") + 10
    assert lines[1].startswith("VIP on cp1 ███") and "·" in lines[1]
    assert lines[3].count("█") == 70 and lines[4].count("█") == 10
    document = xml.etree.ElementTree.fromstring(plot.svg(run, ["cp1", "cp2"], "a < b"))
    assert document[1].text == "a < b"


SUBNETS = {"lan": {"ipv4": "198.18.7.0/24", "ipv6": "2001:db8:7::/64"}}


def test_placeholders() -> None:
    value = {"a": ["<lan:ipv4:100>", "<lan:ipv6:100:prefix>"], "b": "x<lan:ipv4:1>y", "c": 5, "d": "{{ <x> }}"}
    assert topology.fill(value, SUBNETS) == {
        "a": ["198.18.7.100", "2001:db8:7::100/64"], "b": "x198.18.7.1y", "c": 5, "d": "{{ <x> }}",
    }  # fmt: skip


def test_inventory() -> None:
    plan = topology.parse({
        "networks": {"lan": {"families": ["ipv4", "ipv6"]}},
        "hosts": {"a": {"groups": ["g", "h"]}, "b": {"groups": ["g"], "number": 50, "vars": {"x": "<lan:ipv4:9>"}}},
        "vars": {"y": 1},
    })
    inventory = topology.inventory(plan, SUBNETS, {"ansible_user": "root"})["all"]
    assert inventory["hosts"] == {
        "a": {"ansible_host": "198.18.7.11"}, "b": {"ansible_host": "198.18.7.50", "x": "198.18.7.9"},
    }  # fmt: skip
    assert inventory["children"] == {"g": {"hosts": {"a": {}, "b": {}}}, "h": {"hosts": {"a": {}}}}
    assert inventory["vars"] == {"ansible_user": "root", "y": 1}


@pytest.mark.parametrize(
    "document, message",
    [
        ({}, "a topology needs hosts"),
        ({"hosts": {"a": {"netwroks": []}}}, "a: unknown keys netwroks"),
        ({"hosts": {"a": {"networks": ["wan"]}}}, "host a: there is no network wan"),
        ({"hosts": {"a": None}, "networks": {"lan": {"families": ["ipx"]}}}, "network lan: families are"),
        ([], "a mapping is needed"),
    ],
)
def test_topology_errors(document: object, message: str) -> None:
    with pytest.raises(LabError, match=message):
        topology.parse(document)


def test_netlink_messages() -> None:
    attribute = struct.pack("=HH4s", 8, address_watch.IFA_LOCAL, bytes([198, 51, 100, 7]))
    message = struct.pack("=IHHII", 16 + 8 + 8, address_watch.RTM_NEWADDR, 0, 0, 0)
    message += struct.pack("=BBBBI", 2, 32, 0, 0, 5) + attribute
    done = struct.pack("=IHHII", 16, address_watch.NLMSG_DONE, 0, 0, 0)
    place = address_watch.Place(ipaddress.ip_address("198.51.100.7"), 5, 32)
    assert list(address_watch.parse(message + done)) == [
        (address_watch.RTM_NEWADDR, place), (address_watch.NLMSG_DONE, None)]
    # Gone from one interface it's still there on another one.
    assert address_watch.is_held(place.address, {place._replace(interface=1)})
    assert not address_watch.is_held(place.address, set())
