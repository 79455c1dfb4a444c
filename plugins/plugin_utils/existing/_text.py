# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""What the readers of somebody else's files share: files, places in them, and words of a line. Pure."""

from __future__ import annotations

import typing as t


class File(t.NamedTuple):
    """A file of a host."""

    path: str
    role: str           # keepalived, haproxy, manifest, mounted or script
    text: str


class Place(t.NamedTuple):
    """A line of a file of a host."""

    host: str
    path: str
    line: int

    def __str__(self) -> str:
        return "%s %s:%d" % self


class Malformed(Exception):
    """A file that its own program could not read either, or that nothing here understands."""

    def __init__(self, place: Place, reason: str) -> None:
        super().__init__(place, reason)
        self.place = place
        self.reason = reason


def words(line: str, comments: str, escapes: bool, apart: str = "") -> list[str]:
    """The words of a line up to its comment; quotes hold a word together. Characters of `apart` are words themselves.

    It forgives: a quote that nothing closes ends with the line.
    """
    found: list[str] = []
    word: str | None = None
    quote = ""
    rest = iter(line)
    for character in rest:
        if quote:
            if character == quote:
                quote = ""
            else:
                word = (word or "") + (next(rest, "") if escapes and character == "\\" and quote == '"' else character)
        elif character in "\"'":
            quote, word = character, word or ""
        elif character in comments:
            break
        elif escapes and character == "\\":
            word = (word or "") + next(rest, "")
        elif character.isspace() or character in apart:
            if word is not None:
                found.append(word)
                word = None
            if character in apart:
                found.append(character)
        else:
            word = (word or "") + character
    return found if word is None else [*found, word]
