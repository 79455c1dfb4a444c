# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import yaml
from _lab.lab import Lab, down
from user import ROOT, User


@pytest.fixture(scope="module")
def user(request: pytest.FixtureRequest) -> Iterator[User]:
    """A fresh lab for each file of tests, which are steps of one story.

    KUBEHA_LAB=keep leaves it there; KUBEHA_LAB=reuse goes on with what was left, for working on a single step.
    """
    name, wish = request.path.stem.replace("test", "usage"), os.environ.get("KUBEHA_LAB")
    topology = ROOT / "molecule" / getattr(request.module, "SCENARIO", "default") / "topology.yml"
    try:
        yield User(Lab(name) if wish == "reuse" else Lab.up(name, yaml.safe_load(topology.read_text())))
    finally:
        if not wish:
            down(name)
