# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration that a plan makes of HAProxy and keepalived, as rendered, in parts that tests can ask."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.kubeha.apiserver.plugins.plugin_utils.files import _render

ROLES = str(Path(__file__).resolve().parents[2] / "roles")


@dataclass
class Block:
    """A block of keepalived.conf."""

    lines: list[str] = field(default_factory=list)
    blocks: dict[str, Block] = field(default_factory=dict)          # by what stands before the brace

    def __getitem__(self, name: str) -> list[str]:
        """The lines of one of its blocks."""
        return self.blocks[name].lines

    def named(self, kind: str) -> dict[str, Block]:
        """Its blocks of one kind, by their names."""
        return {name.split()[1]: block for name, block in self.blocks.items() if name.split()[0] == kind}

    def text(self) -> str:
        parts = [line + "\n" for line in self.lines]
        parts += ["%s {\n%s}\n" % (name, block.text()) for name, block in self.blocks.items()]
        return "".join(parts)


def haproxy(plan: t.Any, host: str = "cp1") -> dict[str, list[str]]:
    """The lines of each section of haproxy.cfg, by its first line."""
    sections: dict[str, list[str]] = {}
    for line in _lines(plan, host, "haproxy"):
        if not line.startswith(" "):
            section = sections.setdefault(line, [])
        else:
            section.append(line.strip())
    return sections


def keepalived(plan: t.Any, host: str = "cp1") -> Block:
    """keepalived.conf."""
    path = [Block()]
    for line in map(str.strip, _lines(plan, host, "keepalived")):
        if line.endswith("{"):
            name = line[:-1].strip()
            assert name not in path[-1].blocks, name
            path.append(path[-1].blocks.setdefault(name, Block()))
        elif line == "}":
            path.pop()
        else:
            path[-1].lines.append(line)
    (whole,) = path
    return whole


def _lines(plan: t.Any, host: str, role: str) -> list[str]:
    (entry,) = [entry for entry in _render.render_host(plan, host, ROLES, (role,)) if entry["kind"] == role]
    return [line for line in entry["content"].splitlines() if line.strip() and not line.strip().startswith("#")]
