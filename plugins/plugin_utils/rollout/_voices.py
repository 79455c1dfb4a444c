# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""How members sign their adverts, and whom they believe. Pure.

With hmac members may differ and believe each other all the same, so keys and modes can be changed on one host after the
other, as long as each step keeps that true:

- with mode receive-only adverts go out as without authentication, and are taken with a trailer and without;
- with permissive they go out with a trailer, and are taken with one and without;
- with enforce only those with a trailer are taken;
- a trailer names its key, which the receiver has to have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, FrozenSet, Optional

if TYPE_CHECKING:
    from ...module_utils.model._model import Endpoint


@dataclass(frozen=True)
class Voice:
    """`signs` is the ID of the key of its trailers, None where it sends none."""

    auth: str
    mode: str = ""
    keys: FrozenSet[int] = frozenset()
    first: Optional[int] = None

    @property
    def signs(self) -> Optional[int]:
        return None if self.mode == "receive-only" else self.first

    def believes(self, other: Voice) -> bool:
        if other.signs is None:
            return self.mode != "enforce"
        return other.signs in self.keys

    def gets_on_with(self, other: Voice) -> bool:
        """Whether both believe the other one."""
        if self == other:
            return True
        # Nobody knows which keys a plan means that names none.
        if any(voice.auth not in ("none", "hmac") or (voice.auth == "hmac" and voice.first is None)
               for voice in (self, other)):
            return False
        return self.believes(other) and other.believes(self)


def of(endpoint: Endpoint) -> Voice:
    hmac = endpoint.get("hmac")
    if endpoint["auth"] != "hmac" or hmac is None or not hmac["keys"]:
        return Voice(endpoint["auth"])
    return Voice("hmac", hmac["mode"], frozenset(hmac["keys"]), hmac["keys"][0])
