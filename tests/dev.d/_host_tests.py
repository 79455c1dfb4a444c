# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print the unit tests of the module utils that modules take to hosts, directly or through one another."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "ansible_collections.kubeha.apiserver.plugins.module_utils"
UTILS = ROOT / "plugins" / "module_utils"


def host_utils() -> set[str]:
    """The names of the module utils that reach a host."""
    found: set[str] = set()
    queue = [name for module in sorted((ROOT / "plugins" / "modules").glob("*.py")) for name in imported_utils(module)]
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue.extend(imported_utils(UTILS / f"{name}.py"))
    return found


def imported_utils(path: Path) -> set[str]:
    """The names of the module utils that one file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            if node.module == PACKAGE:
                names.update(alias.name for alias in node.names)
            elif node.module.startswith(PACKAGE + "."):
                names.add(node.module[len(PACKAGE) + 1 :])
    return names


if __name__ == "__main__":
    for name in sorted(host_utils()):
        test = ROOT / "tests" / "unit" / "plugins" / "module_utils" / f"test_{name}.py"
        if test.is_file():
            print(test.relative_to(ROOT))
