# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions of nox: pip install -r tests/requirements/nox.txt, then nox -l. More of them are in antsibull-nox.toml."""

from __future__ import annotations

import nox
from antsibull_nox import load_antsibull_nox_toml

load_antsibull_nox_toml()

# What antsibull-nox has for these would have settings of its own, or needs ansible-test's containers from a registry.
COMMANDS = {"lint": "lint", "ansible-test-sanity": "sanity", "ansible-test-units": "units"}


def add(name: str, command: str) -> None:
    @nox.session(name=name, venv_backend="none", default=name == "lint")
    def run(session: nox.Session) -> None:
        session.run("./dev", command, *session.posargs, external=True)

    run.__doc__ = "./dev {0}".format(command)


for item in COMMANDS.items():
    add(*item)
