# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of the collection a plugin imports, and so which of them a module takes to hosts."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
PACKAGE = "ansible_collections.kubeha.apiserver.plugins"
TABLE = ROOT / "docs" / "shipped.md"
HEAD = """# What each module takes to hosts

Written by `./dev generate`. Ansible copies a module to a host together with all that it imports. A test fails when a
file joins or leaves these lists, or when what a module ships grows by more than a tenth: is it needed there?

"""


def rooms() -> dict[str, list[Path]]:
    """{room: its files}, as `module_utils/host`."""
    found: dict[str, list[Path]] = {}
    for side in ("module_utils", "plugin_utils"):
        for path in sorted((PLUGINS / side).rglob("*.py")):
            found.setdefault(path.parent.relative_to(PLUGINS).as_posix(), []).append(path)
    if not found:
        raise LookupError("there are no rooms")
    return found


@functools.cache
def imported(path: Path) -> frozenset[Path]:
    """The files of ours that one file imports, also inside of functions and for type checkers: Ansible ships all."""
    found: set[Path] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        module = node.module.split(".") if node.module else []
        if node.level:
            base = path.parents[node.level - 1].joinpath(*module)
        elif ".".join(module).startswith(PACKAGE):
            base = PLUGINS.joinpath(*module[PACKAGE.count(".") + 1 :])
        else:
            continue
        candidates = [base.with_suffix(".py"), *(base / (alias.name + ".py") for alias in node.names)]
        found.update(candidate for candidate in candidates if candidate.is_file())
    return frozenset(found)


def reached(path: Path) -> set[Path]:
    """The files of ours that come with one file."""
    found: set[Path] = set()
    queue = [path]
    while queue:
        new = imported(queue.pop()) - found
        found |= new
        queue.extend(new)
    return found


def shipped() -> dict[str, set[Path]]:
    """{module: the files that come with it}."""
    modules = sorted((PLUGINS / "modules").rglob("*.py"))
    if not modules:
        raise LookupError("there are no modules")
    return {path.stem: reached(path) for path in modules}


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def table() -> str:
    """docs/shipped.md."""
    found = {name: files for name, files in shipped().items() if files}
    rows = ["| module | files | lines |", "|---|---|---|"]
    rows += ["| `%s` | %d | %d |" % (name, len(files), sum(map(lines, files))) for name, files in found.items()]
    rows += ["", "| file below `plugins/module_utils` | lines | modules |", "|---|---|---|"]
    for path in sorted(set().union(*found.values())):
        users = " ".join("`%s`" % name for name, files in found.items() if path in files)
        rows.append("| `%s` | %d | %s |" % (path.relative_to(PLUGINS / "module_utils").as_posix(), lines(path), users))
    return HEAD + "\n".join(rows) + "\n"
