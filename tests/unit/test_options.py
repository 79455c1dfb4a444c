# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an action plugin takes is what its documentation says. Sanity compares only what modules themselves take."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.task._on_controller import OnController

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "ansible_collections.kubeha.apiserver.plugins"


def action(name: str) -> Any:
    return importlib.import_module("%s.action.%s" % (PACKAGE, name)).ActionModule


ACTIONS = [path.stem for path in sorted((ROOT / "plugins" / "action").glob("endpoint_*.py"))
           if hasattr(action(path.stem), "OPTIONS")]


def documented(name: str) -> dict[str, dict[str, Any]]:
    """Fragments of ours have no options but `owner`, which no play passes."""
    module = importlib.import_module("%s.modules.%s" % (PACKAGE, name))
    return dict(yaml.safe_load(module.DOCUMENTATION)["options"])


def shape(options: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Each with what people have to know of it; what Ansible takes for granted may be written or not."""
    return {name: {"type": option.get("type", "str"), "required": option.get("required", False),
                   **{key: option[key] for key in ("elements", "default", "choices") if key in option}}
            for name, option in options.items()}


def test_those_that_have_options_of_their_own_are_looked_at() -> None:
    assert len(ACTIONS) >= 10


@pytest.mark.parametrize("name", ACTIONS)
def test_options_are_as_documented(name: str) -> None:
    taken, said = shape(action(name).OPTIONS), shape(documented(name))
    if action(name) not in OnController.__subclasses__():
        # Its module takes the others, which no play gives.
        said = {key: option for key, option in said.items() if key in taken}
    assert taken == said
