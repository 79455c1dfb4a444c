# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two names of one machine are found; containers of one kernel, clones and resumed snapshots are several machines."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.host._identity import describe, elsewhere, same, twins

MAC = "02:00:00:00:00:0%d"
ETH0, OTHER = ("eth0", MAC % 1, "device"), ("eth0", MAC % 2, "device")


def machine(**other: t.Any) -> dict[str, t.Any]:
    said: dict[str, t.Any] = {"machine_id": "m1\n", "boot_id": "b1\n", "netns": "net:[1]", "name": "one",
                              "links": [("lo", "00:00:00:00:00:00", "loopback"), ETH0]}
    return describe(**{**said, **other})


ONE = machine()


@pytest.mark.parametrize(("other", "one_machine"), [
    (machine(), True),
    (machine(name="renamed"), True),
    # Interfaces of pods come and go.
    (machine(links=[ETH0, ("veth1", MAC % 9, "veth")]), True),
    (machine(links=[ETH0, ("cni0", MAC % 8, "bridge"), ("veth1", MAC % 7, "veth")]), True),
    (machine(links=[]), True),
    # Containers of one kernel.
    (machine(netns="net:[2]", links=[OTHER]), False),
    # A clone of a disk, and one of a running machine.
    (machine(boot_id="b2", links=[OTHER]), False),
    (machine(links=[OTHER]), False),
    # What doesn't say enough.
    ({}, False), (None, False), ("x", False), ({"boot_id": "b1"}, False),
    (machine(boot_id="", links=[]), False),
    (machine(boot_id=""), True), (machine(boot_id="", machine_id="m2"), False),
])
def test_one_machine(other: t.Any, one_machine: bool) -> None:
    assert same(ONE, other) is one_machine
    assert same(other, ONE) is one_machine


def test_many_interfaces_are_cut_short() -> None:
    assert len(machine(links=[("veth%d" % n, MAC % 1, "veth") for n in range(500)])["macs"]) == 32


def test_a_container_is_told_by_what_it_has() -> None:
    """Its interfaces aren't devices. A bridge in it has another address each time."""
    one, other = (machine(links=[("eth0", MAC % number, "veth"), ("cni0", MAC % 3, "bridge")]) for number in (1, 2))
    again = machine(links=[("eth0", MAC % 1, "veth"), ("cni0", MAC % 4, "bridge")])
    assert not same(one, other)
    assert same(one, again)


def test_twins() -> None:
    clone = machine(boot_id="b2", links=[OTHER], name="two")
    found = twins({"lb1": ONE, "cp1": machine(), "cp2": clone, "cp3": None, "cp4": clone, "cp5": machine()})
    assert found == [("lb1", "cp1", "one"), ("cp2", "cp4", "two"), ("lb1", "cp5", "one")]


def test_another_machine_or_another_boot() -> None:
    assert elsewhere(ONE, machine(boot_id="b2"))
    assert elsewhere(ONE, machine(netns="net:[2]"))
    # A bond's address follows its port.
    assert not elsewhere(ONE, machine(links=[OTHER]))
    assert not elsewhere(ONE, {}) and not elsewhere(None, ONE)
