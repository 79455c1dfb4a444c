# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from _lab import image
from _lab.lab import Lab, down
from looker import Looker

# What many real hosts have, and the lab's own images don't.
MANAGERS = ("firewalld", "ufw", "iptables", "network-manager")


def story(name: str, topology: dict, folder: Path) -> Iterator[Looker]:
    """A fresh lab for the steps of one story; KUBEHA_LAB=keep and =reuse are for working on a single step."""
    wish = os.environ.get("KUBEHA_LAB")
    try:
        yield Looker(Lab(name) if wish == "reuse" else Lab.up(name, topology), folder)
    finally:
        if not wish:
            down(name)


@pytest.fixture(scope="module")
def user(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Looker]:
    module = request.module
    # Only this file of tests wants other images.
    with pytest.MonkeyPatch.context() as patch:
        if getattr(module, "WITH_MANAGERS", False):
            patch.setattr(image, "ensure", with_managers)
        yield from story(
            "preflight-" + module.__name__.rpartition("_")[2], module.TOPOLOGY, tmp_path_factory.mktemp("f")
        )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "figure":
                terminalreporter.write_line(value)


def with_managers(suite: str, installed: bool = False) -> str:
    """The suite's image with the managers of packet filter and network, none of them started."""
    recipe = hashlib.sha256(repr((suite, image.PACKAGES, MANAGERS)).encode() + image.CUSTOMIZE.read_bytes()).hexdigest()
    name = "localhost/kubeha-lab:%s-%s-managers" % (suite, recipe[:12])
    with image.lock("image-managers-" + suite):
        if not image.exists(name):
            image.say("building an image with firewalld, ufw and NetworkManager; once, about a minute")
            image.build(
                suite, name, [*image.PACKAGES, *MANAGERS], [image.CUSTOMIZE, Path(__file__).parent / "managers.sh"]
            )
    return name
