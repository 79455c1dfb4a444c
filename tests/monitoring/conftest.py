# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from _lab.lab import Lab, down
from catalogue import SERVICES
from monitored import Monitored

FAILED: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    # At once: it's long until the end.
    if report.failed:
        print("\n%s\n" % report.longreprtext)
        FAILED.append(report.nodeid)


@pytest.fixture
def monitored(story: Monitored) -> Monitored:
    """What a test that failed has left behind is no fault of the next one."""
    if FAILED:
        story.recover()
        FAILED.clear()
    return story


@pytest.fixture(name="story", scope="session")
def fixture_story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitored]:
    """A fresh lab that a Prometheus reads. KUBEHA_LAB=keep leaves it there, =reuse goes on with what was left.
    KUBEHA_LAB_NAME is another name than `monitoring`, so that parts run side by side."""
    name, wish = os.environ.get("KUBEHA_LAB_NAME", "monitoring"), os.environ.get("KUBEHA_LAB")
    topology = Path(__file__).with_name("topology.yml")
    try:
        lab = Lab(name) if wish == "reuse" else Lab.up(name, yaml.safe_load(topology.read_text()))
        story = Monitored(lab, SERVICES, tmp_path_factory.mktemp("prometheus"))
        with story.watched():
            yield story
        print("\n\n%s\n" % story.table())
    finally:
        if not wish:
            down(name)
