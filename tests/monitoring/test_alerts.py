# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each alert fires for a real fault, and for nothing else."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Iterator

import pytest
from catalogue import Change, Step
from faults import PROVOKED, Provoked
from monitored import LONG, Monitored
from shorter import waits

# What may fire during a change.
BESIDE = {
    "drain": ("KubehaDrainedForLong", "KubehaNotOnThePreferredHost"),
    "beside-refuse": ("KubehaApiServerOut",),
    "beside-hang": ("KubehaApiServerOut",),
    "beside-500": ("KubehaApiServerOut",),
}


def test_quiet(monitored: Monitored) -> None:
    monitored.no_alert(lambda: time.sleep(120))


@pytest.mark.skipif(not LONG, reason="only with KUBEHA_LONG")
def test_an_hour_of_quiet_with_real_durations(monitored: Monitored) -> None:
    with monitored.unhurried():
        monitored.no_alert(lambda: time.sleep(3600))


def test_each_alert_has_a_fault(monitored: Monitored) -> None:
    assert {item.alert for item in PROVOKED} == set(waits(monitored.rules))


@pytest.mark.parametrize("provoked", PROVOKED, ids=[item.alert for item in PROVOKED])
def test_a_fault(monitored: Monitored, provoked: Provoked) -> None:
    stack = contextlib.ExitStack()
    try:
        monitored.provoke(provoked.alert, lambda: stack.enter_context(provoked.fault(monitored)), stack.close,
                          beside=provoked.beside, late=provoked.late)
    finally:
        stack.close()


@pytest.fixture(name="patient", scope="module")
def fixture_patient(story: Monitored) -> Iterator[None]:
    with story.patient():
        yield


@pytest.mark.usefixtures("patient")
def test_a_planned_change(monitored: Monitored, change: Change) -> None:
    """Each of its steps from rest; what prepares them and what leads back are changes as well."""
    def acted(step: Step) -> None:
        step.act(monitored, 1)
        monitored.until(lambda: monitored.holders() == [step.holder])
        # It also takes clients along where the VIP or the port is another one now.
        step.prove(monitored, 1)

    may = BESIDE.get(change.name, ())
    try:
        for step in change.steps:
            monitored.no_alert(functools.partial(step.prepare, monitored, 1), may)
            monitored.no_alert(functools.partial(acted, step), may)
    finally:
        monitored.no_alert(lambda: change.home(monitored, 1), may)
        monitored.until(monitored.prometheus.reads_all)


def test_a_run_that_changes_nothing(monitored: Monitored) -> None:
    monitored.no_alert(monitored.settle)
