# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from _lab.lab import Lab, down
from catalogue import of_each
from changes import BOTH, PODS, SERVICES, topology
from monitored import LONG, METRICS, Monitored

# Of all changes, without KUBEHA_LONG.
BRIEF = {SERVICES: ("haproxy", "keepalived", "drain"), PODS: ("haproxy",)}
# So that few clients fill it. Faults are provoked in services only.
FEW = {SERVICES: {"haproxy_maxconn": 256}, PODS: {}}
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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Faults are those of services; changes are those of each mode."""
    if "change" in metafunc.fixturenames:
        pairs = [(mode, change) for mode, change in of_each(BOTH) if LONG or change.name in BRIEF[mode]]
        names = ["%s-%s" % (mode, change.name) for mode, change in pairs]
        metafunc.parametrize(("story", "change"), pairs, ids=names, indirect=["story"], scope="session")
    elif "story" in metafunc.fixturenames:
        metafunc.parametrize("story", [SERVICES], indirect=True, scope="session")


@pytest.fixture(name="story", scope="session")
def fixture_story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitored]:
    """A fresh lab that a Prometheus reads. KUBEHA_LAB=keep leaves it there, =reuse goes on with what was left.
    KUBEHA_LAB_NAME is another name than `monitoring`, so that parts run side by side; that of pods ends with -pods."""
    mode, wish = request.param, os.environ.get("KUBEHA_LAB")
    name = os.environ.get("KUBEHA_LAB_NAME", "monitoring") + ("-pods" if mode == PODS else "")
    hosts = topology(mode)
    hosts["vars"].update(METRICS, **FEW[mode])
    try:
        lab = Lab(name) if wish == "reuse" else Lab.up(name, hosts)
        story = Monitored(lab, mode, tmp_path_factory.mktemp("prometheus"))
        with story.watched():
            yield story
        if story.lines:
            print("\n\n%s\n" % story.table())
    finally:
        if not wish:
            down(name)
