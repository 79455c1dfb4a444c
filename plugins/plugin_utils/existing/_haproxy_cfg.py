# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""haproxy.cfg as sections of lines (HAProxy's configuration manual, section 2). Pure.

No maintained parser of it keeps line numbers. Hosts have taken away comments and quotes. Conditions (`.if`) are
refused: only HAProxy itself can decide them.
"""

from __future__ import annotations

import typing as t
from collections.abc import Sequence
from dataclasses import dataclass, field

from ._text import File, Malformed, Place

KINDS = frozenset({
    "global", "defaults", "listen", "frontend", "backend", "userlist", "peers", "resolvers", "mailers", "cache",
    "program", "http-errors", "ring", "log-forward", "log-profile", "crt-store", "crt-list", "fcgi-app", "traces",
    "acme"})
PROXIES = frozenset({"listen", "frontend", "backend"})


class Line(t.NamedTuple):
    """A directive."""

    words: tuple[str, ...]
    place: Place

    def starts(self, *words_: str) -> bool:
        return self.words[:len(words_)] == words_


@dataclass
class Section:
    """A section. What `defaults` gives to a proxy is part of it: `inherited`."""

    kind: str
    name: str
    place: Place
    lines: list[Line] = field(default_factory=list)
    inherited: list[Line] = field(default_factory=list)

    def own(self, *words_: str) -> list[Line]:
        return [line for line in self.lines if line.starts(*words_)]

    def last(self, *words_: str) -> Line | None:
        """The line that counts: the last one, its own before inherited ones."""
        lines = self.own(*words_) or [line for line in self.inherited if line.starts(*words_)]
        return lines[-1] if lines else None


def read(host: str, files: Sequence[File]) -> list[Section]:
    """The sections of all files, in the order in which HAProxy loads them. Raises Malformed."""
    found: list[Section] = []
    defaults: Section | None = None
    for file in files:
        section: Section | None = None
        for number, text in enumerate(file.text.splitlines(), 1):
            place = Place(host, file.path, number)
            line = text.split()
            if not line:
                continue
            if line[0].startswith("."):
                raise Malformed(place, "a condition, which only HAProxy itself can decide")
            if line[0] in KINDS:
                section = Section(line[0], line[1] if len(line) > 1 else "", place)
                if section.kind == "defaults":
                    defaults = section
                elif section.kind in PROXIES:
                    parent = _named_defaults(found, line) or defaults
                    section.inherited = parent.lines if parent else []
                found.append(section)
            elif section is None:
                raise Malformed(place, "a line outside of any section: %s" % text.strip()[:40])
            else:
                section.lines.append(Line(tuple(line), place))
    return found


def _named_defaults(found: Sequence[Section], line: Sequence[str]) -> Section | None:
    """The section that `from` names."""
    name = line[line.index("from") + 1] if "from" in line[:-1] else None
    return next((item for item in found if item.kind == "defaults" and item.name == name), None) if name else None
