# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a module returned, as values that may be passed on in a template.

ansible-core before 2.19 writes such values down as Python and reads them again. A host could end the whole run by what
can't be read again: values within hundreds of others, or numbers that aren't any.
"""

from __future__ import annotations

import math
import typing as t
from collections.abc import Mapping

# A plan in an observation has some ten levels.
DEPTH = 32


def readable(said: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The same, with nothing where no template could carry it."""
    return {name: _value(item, DEPTH) for name, item in said.items()}


def _value(value: t.Any, depth: int) -> t.Any:
    if isinstance(value, (Mapping, list)):
        if depth == 0:
            return None
        if isinstance(value, Mapping):
            return {name: _value(item, depth - 1) for name, item in value.items()}
        return [_value(item, depth - 1) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
