# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Read a host in parts, so that what can't be read hides nothing else."""

from __future__ import annotations

from typing import Any, Callable, Dict


class Parts:
    """`errors` has the parts that couldn't be read, and why."""

    def __init__(self) -> None:
        self.errors: Dict[str, str] = {}

    def read(self, part: str, how: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return how()
        except Exception as error:  # pylint: disable=broad-except  # whatever is odd about a host, the rest is wanted
            self.errors[part] = str(error) or type(error).__name__
            return otherwise
