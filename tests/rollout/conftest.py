# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from _lab.lab import Lab, down
from catalogue import of_each
from changes import BOTH, PODS, SERVICES, Changes, topology

LABS = {SERVICES: "rollout", PODS: "rollout-pods"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--mode", action="append", choices=BOTH, help="services, pods; both where none is named")
    parser.addoption("--brief", action="store_true", help="the changes that tell most for their time, and nothing else")
    parser.addoption("--runs", type=int, default=1, help="of each change")
    parser.addoption("--kills", type=int, default=2, help="at how many random points a run is interrupted")
    parser.addoption("--seed", type=int, default=0, help="of those points; 0 is another one each time")


def pytest_configure() -> None:
    # However it's ended, labs are removed and what was measured is told; a shell's background jobs ignore SIGINT.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    # At once: it's long until the end.
    if report.failed:
        print("\n%s\n" % report.longreprtext)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    modes = metafunc.config.getoption("--mode") or BOTH
    brief = metafunc.config.getoption("--brief")
    if "change" in metafunc.fixturenames:
        pairs = [(mode, change) for mode, change in of_each(modes) if not brief or mode in change.brief]
        names = ["%s-%s" % (mode, change.name) for mode, change in pairs]
        metafunc.parametrize(("changes", "change"), pairs, ids=names, indirect=["changes"], scope="session")
    elif "changes" in metafunc.fixturenames:
        metafunc.parametrize("changes", [] if brief else modes, indirect=True, scope="session")


@pytest.fixture(scope="session")
def changes(request: pytest.FixtureRequest) -> Iterator[Changes]:
    """A fresh lab with a deployed endpoint. KUBEHA_LAB=keep leaves it there, =reuse goes on with what was left."""
    name, wish = LABS[request.param], os.environ.get("KUBEHA_LAB")
    try:
        lab = Lab(name) if wish == "reuse" else Lab.up(name, topology(request.param))
        story = Changes(lab, request.param)
        story.settle()
        try:
            yield story
        finally:
            if story.rows:
                print("\n\n%s\n" % story.table())
                story.write(Path(os.environ["KUBEHA_CACHE"]))
    finally:
        if not wish:
            down(name)
