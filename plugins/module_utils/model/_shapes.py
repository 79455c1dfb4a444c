# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Values from elsewhere, brought into a known shape. Pure.

A shape is a function: it takes a value and returns it checked, or raises Odd. With strict `Notes` the first oddity in a
container is the end; else what is odd is left out, and noted.
"""

from __future__ import annotations

import copy
import ipaddress
from typing import Any, Callable, Dict, List, Mapping, Tuple

WORD = 1024     # letters of a text
ITEMS = 20000   # of a list or a mapping
DEPTH = 12      # of what has no shape of its own
LARGEST = 2**53


class Odd(Exception):
    """A value isn't what it has to be."""


class Notes:
    """What was odd."""

    def __init__(self, strict: bool) -> None:
        self.strict = strict
        self.found: List[str] = []

    def add(self, odd: Odd) -> None:
        if self.strict:
            raise odd
        if len(self.found) < 8:
            self.found.append(str(odd))


Shape = Callable[[Any, str, Notes], Any]


def printable(text: str, limit: int = WORD) -> str:
    """Text on one line that changes nothing on a terminal: control characters, directions and the like are escaped."""
    text = str.__str__(text)
    text = text[:limit] + "..." if len(text) > limit else text
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def text(value: Any, where: str, dummy: Notes) -> str:
    """Somebody's words, made fit to be shown."""
    if not isinstance(value, str):
        raise Odd("%s isn't a text" % where)
    return printable(value)


def setting(value: Any, where: str, notes: Notes) -> str:
    """Words of which it doesn't matter how they're set apart, as of a kernel setting."""
    return text(" ".join(value.split()) if isinstance(value, str) else value, where, notes)


def word(value: Any, where: str, dummy: Notes) -> str:
    """A name or the like, which is used as it is."""
    if not isinstance(value, str) or not 0 < len(value) <= WORD or not value.isprintable():
        raise Odd("%s isn't a text of printable characters" % where)
    return str.__str__(value)


def flag(value: Any, where: str, dummy: Notes) -> bool:
    if not isinstance(value, bool):
        raise Odd("%s is neither true nor false" % where)
    return value


def integer(low: int = -LARGEST, high: int = LARGEST) -> Shape:
    def read(value: Any, where: str, dummy: Notes) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise Odd("%s isn't a number from %d to %d" % (where, low, high))
        return value

    return read


def number(value: Any, where: str, dummy: Notes) -> Any:
    # Neither NaN nor an integer that no float can hold passes this comparison.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= LARGEST:
        raise Odd("%s isn't a number" % where)
    return value


def address(value: Any, where: str, dummy: Notes) -> str:
    try:
        if not isinstance(value, str) or "%" in value:
            raise ValueError
        ipaddress.ip_address(value)
    except ValueError:
        raise Odd("%s isn't an address" % where) from None
    return str.__str__(value)


def one_of(*choices: Any) -> Shape:
    def read(value: Any, where: str, dummy: Notes) -> Any:
        if not any(type(value) is type(choice) and value == choice for choice in choices):
            raise Odd("%s isn't one of %s" % (where, ", ".join(map(str, choices))))
        return value

    return read


def maybe(shape: Shape) -> Shape:
    return lambda value, where, notes: None if value is None else shape(value, where, notes)


def many(shape: Shape, limit: int = ITEMS, unique: str = "") -> Shape:
    """A list; of items with the same `unique` only the first one counts."""

    def read(value: Any, where: str, notes: Notes) -> List[Any]:
        if not isinstance(value, list):
            raise Odd("%s isn't a list" % where)
        found: List[Any] = []
        seen = set()
        if len(value) > limit:
            notes.add(Odd("%s has more than %d items" % (where, limit)))
        for index, item in enumerate(value[:limit]):
            try:
                shaped = shape(item, "%s[%d]" % (where, index), notes)
                if unique and shaped[unique] in seen:
                    raise Odd("%s has %s twice" % (where, printable(str(shaped[unique]), 60)))
            except Odd as odd:
                notes.add(odd)
                continue
            if unique:
                seen.add(shaped[unique])
            found.append(shaped)
        return found

    return read


def mapping(shape: Shape, limit: int = ITEMS) -> Shape:
    """Anything by name."""

    def read(value: Any, where: str, notes: Notes) -> Dict[str, Any]:
        if not isinstance(value, Mapping):
            raise Odd("%s isn't a mapping" % where)
        if len(value) > limit:
            notes.add(Odd("%s has more than %d items" % (where, limit)))
        found: Dict[str, Any] = {}
        for name in list(value)[:limit]:
            try:
                found[text(name, where + "'s key", notes)] = shape(
                    value[name], "%s.%s" % (where, printable(str(name), 60)), notes)
            except Odd as odd:
                notes.add(odd)
        return found

    return read


def record(required: Mapping[str, Shape], optional: Mapping[str, Shape], filled: Mapping[str, Tuple[Shape, Any]],
           empty: bool = False) -> Shape:
    """A mapping with known keys; others may have any bounded value. `filled` have a value to fall back on. Where
    `empty` is right, nothing at all may be there."""

    def read(value: Any, where: str, notes: Notes) -> Dict[str, Any]:
        if not isinstance(value, Mapping):
            raise Odd("%s isn't a mapping" % where)
        if empty and not value:
            return {}
        found = {key: shape(value.get(key), "%s.%s" % (where, key), notes) for key, shape in required.items()}
        found.update({key: copy.deepcopy(item[1]) for key, item in filled.items()})
        others = [key for key in list(value)[:ITEMS] if key not in required]
        for key in others:
            shape = optional.get(key) or (filled[key][0] if key in filled else anything)
            try:
                name = text(key, where + "'s key", notes)
                found[name] = shape(value[key], "%s.%s" % (where, name), notes)
            except Odd as odd:
                notes.add(odd)
        return found

    return read


def anything(value: Any, where: str, notes: Notes, depth: int = DEPTH) -> Any:
    """What nobody has described, of bounded size, and without what a terminal obeys."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, (int, float)):
        return number(value, where, notes)
    if depth == 0:
        raise Odd("%s is nested too deeply" % where)
    if isinstance(value, list):
        return many(lambda item, place, said: anything(item, place, said, depth - 1))(value, where, notes)
    if isinstance(value, Mapping):
        return mapping(lambda item, place, said: anything(item, place, said, depth - 1))(value, where, notes)
    raise Odd("%s is of no known type" % where)
