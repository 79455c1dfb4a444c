# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import yaml
from _lab.lab import Lab, down
from changes import Changes
from user import ROOT


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=3, help="at how many random points a run is killed")
    parser.addoption("--seed", type=int, default=0, help="of those points; 0 is another one each time")


@pytest.fixture(scope="session")
def changes() -> Iterator[Changes]:
    yield from deployed("rollout", "default")


@pytest.fixture(scope="session")
def pods() -> Iterator[Changes]:
    yield from deployed("rollout-pods", "static_pod")


def deployed(name: str, scenario: str) -> Iterator[Changes]:
    """A fresh lab with a deployed endpoint. KUBEHA_LAB=keep leaves it there, =reuse goes on with what was left."""
    wish = os.environ.get("KUBEHA_LAB")
    topology = ROOT / "molecule" / scenario / "topology.yml"
    try:
        lab = Lab(name) if wish == "reuse" else Lab.up(name, yaml.safe_load(topology.read_text()))
        story = Changes(lab)
        story.settle()
        yield story
        print("\n" + story.table())
    finally:
        if not wish:
            down(name)
