# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Read a host in parts, so that what can't be read hides nothing else."""

from __future__ import annotations

from typing import Any, Callable, Dict, List


class Parts:
    """`errors` has the parts that couldn't be read, and why; `unseen` those that somebody else than root can't see."""

    def __init__(self, is_root: bool = True) -> None:
        self.is_root = is_root
        self.errors: Dict[str, str] = {}
        self.unseen: List[str] = []

    def read(self, part: str, how: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return how()
        except Exception as error:  # pylint: disable=broad-except  # whatever is odd about a host, the rest is wanted
            self.errors[part] = str(error) or type(error).__name__
            if isinstance(error, PermissionError):
                self.hide(part)
            return otherwise

    def hide(self, part: str) -> None:
        """Root sees all, so what it can't read is broken."""
        if not self.is_root and part not in self.unseen:
            self.unseen.append(part)
