# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of hosts whose files have no suffix, as modules."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import typing as t
from pathlib import Path


def load(script: Path) -> t.Any:
    name = script.name.replace("-", "_")
    loader = importlib.machinery.SourceFileLoader(name, str(script))
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module
