# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""keepalived.conf as a tree of statements with their lines (keepalived.conf(5)). Pure.

No maintained parser of it keeps line numbers. Hosts have taken away comments and quotes and filled in variables. What
can't be known is refused: braces that don't match, `@` conditions and `~SEQ` loops.
"""

from __future__ import annotations

import fnmatch
import posixpath
import typing as t
from collections.abc import Iterator, Sequence

from ._text import File, Malformed, Place

# keepalived itself gives up earlier.
_DEPTH = 20


class Statement(t.NamedTuple):
    """A line, with what stands in its braces."""

    words: tuple[str, ...]
    place: Place
    block: tuple[Statement, ...] = ()

    @property
    def name(self) -> str:
        return self.words[0]

    @property
    def argument(self) -> str:
        """Its first argument, or nothing."""
        return self.words[1] if len(self.words) > 1 else ""

    def each(self, *names: str) -> list[Statement]:
        """Statements of its block."""
        return [item for item in self.block if item.name in names]

    def last(self, *names: str) -> Statement | None:
        """The one that counts where one is written twice."""
        return next(iter(self.each(*names)[::-1]), None)


class _Token(t.NamedTuple):
    text: str
    place: Place
    first: bool         # of its line


def read(host: str, files: Sequence[File]) -> tuple[Statement, ...]:
    """The statements of the first file and of those that it includes. Raises Malformed."""
    if not files:
        return ()
    tokens = list(_tokens(host, files[0], {file.path: file for file in files}, 0))
    found, end = _statements(tokens, 0, None, 0)
    if end < len(tokens):
        raise Malformed(tokens[end].place, "a } without a {")
    return found


def _tokens(host: str, file: File, files: dict[str, File], depth: int) -> Iterator[_Token]:
    if depth > _DEPTH:
        raise Malformed(Place(host, file.path, 1), "files that include one another")
    for number, line in enumerate(file.text.splitlines(), 1):
        place = Place(host, file.path, number)
        found = line.split()
        if found and found[0][0] in "@~":
            raise Malformed(place, "a condition or a loop, which only keepalived itself can decide")
        if found[:1] in (["include"], ["includer"], ["includem"], ["includew"], ["includeb"]) and len(found) == 2:
            pattern = posixpath.join(posixpath.dirname(file.path), found[1])
            for path in files:
                if path != file.path and fnmatch.fnmatchcase(path, pattern):
                    yield from _tokens(host, files[path], files, depth + 1)
            continue
        yield from (_Token(word, place, index == 0) for index, word in enumerate(found))


def _statements(tokens: Sequence[_Token], start: int, opened: _Token | None,
                depth: int) -> tuple[tuple[Statement, ...], int]:
    """Statements from `start` up to the brace that ends their block, and where that is."""
    if opened and depth > _DEPTH:
        raise Malformed(opened.place, "more than %d blocks within one another" % _DEPTH)
    found: list[Statement] = []
    line: list[_Token] = []
    at = start

    def end_line() -> None:
        if line:
            found.append(Statement(tuple(token.text for token in line), line[0].place))
            line.clear()

    while at < len(tokens):
        token = tokens[at]
        if token.text == "{":
            end_line()
            if not found or found[-1].block:
                raise Malformed(token.place, "a { without a name before it")
            block, at = _statements(tokens, at + 1, token, depth + 1)
            found[-1] = found[-1]._replace(block=block)
        elif token.text == "}":
            if opened is None:
                break
            end_line()
            return tuple(found), at
        else:
            if token.first:
                end_line()
            line.append(token)
        at += 1
    if opened is not None:
        raise Malformed(opened.place, "a { that no } closes")
    end_line()
    return tuple(found), at
