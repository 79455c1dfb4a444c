# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools
import os
import pathlib
import sys
import typing as t

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from net import Segment, sweep

_numbers = itertools.count()


@pytest.fixture
def network() -> t.Iterator[Segment]:
    """Without any host."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    with Segment(1 + (31 * worker + next(_numbers)) % 250) as made:
        yield made


@pytest.fixture
def segment(network: Segment) -> Segment:
    """Three hosts, which balance, on a network of their own."""
    for index in (1, 2, 3):
        network.add(f"cp{index}", index)
    return network


def pytest_sessionstart() -> None:
    sweep()


def roots() -> dict[str, str | None]:
    """Root file systems with keepalived by release: KUBEHA_KEEPALIVED_ROOTS='bookworm=/path sid=/path'."""
    given = os.environ.get("KUBEHA_KEEPALIVED_ROOTS", "")
    return dict(item.split("=", 1) for item in given.split()) or {"this machine": None}  # type: ignore[arg-type]


@pytest.fixture(params=sorted(roots()))
def every_root(request: pytest.FixtureRequest) -> str | None:
    return roots()[request.param]


@pytest.fixture
def root() -> str | None:
    """The middle of the road."""
    found = roots()
    return found.get("bookworm", next(iter(found.values())))
