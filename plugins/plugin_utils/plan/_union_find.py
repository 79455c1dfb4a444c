# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Things that belong together because they share something: union-find with path halving."""

from __future__ import annotations

import typing as t
from collections.abc import Hashable, Iterable

K = t.TypeVar("K", bound=Hashable)


class Groups(t.Generic[K]):
    """Numbered things, joined by the keys that they share; in all, near to linear in the number of keys."""

    def __init__(self) -> None:
        self._parent: list[int] = []
        self._first: dict[K, int] = {}

    def join(self, index: int, keys: Iterable[K]) -> None:
        """Add the thing ``index``, the next number, and join it with all that share a key."""
        self._parent.append(index)
        for key in keys:
            self._unite(self._first.setdefault(key, index), index)

    def of(self, index: int) -> int:
        """The group of a thing: the number of its first member."""
        parent = self._parent
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    def members(self) -> list[list[int]]:
        """All groups, each in ascending order, ordered by their first members."""
        found: dict[int, list[int]] = {}
        for index in range(len(self._parent)):
            found.setdefault(self.of(index), []).append(index)
        return list(found.values())

    def _unite(self, one: int, other: int) -> None:
        one, other = self.of(one), self.of(other)
        self._parent[max(one, other)] = min(one, other)
