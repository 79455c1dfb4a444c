# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Plain text tables for people. Pure."""

from __future__ import annotations

import unicodedata
from typing import Any, List, Sequence

_GAP = "  "


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Columns aligned by what a terminal shows, no blanks at the end of a line, no newline at the end of the text.

    A row may be shorter than the header. Whatever would break the alignment (line breaks, tabs, escape codes) becomes
    a blank.
    """
    lines = [[_cell(value) for value in row] for row in [header, *rows]]
    widths: List[int] = []
    for line in lines:
        widths.extend([0] * (len(line) - len(widths)))
        for column, text in enumerate(line):
            widths[column] = max(widths[column], width(text))
    return "\n".join(_GAP.join(_padded(text, widths[n]) for n, text in enumerate(line)).rstrip() for line in lines)


def width(text: str) -> int:
    """Columns that a terminal uses for `text`."""
    return sum(_char_width(char) for char in text)


def _char_width(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return "".join(" " if unicodedata.category(char) in ("Cc", "Zl", "Zp", "Cs") else char for char in text).strip()


def _padded(text: str, columns: int) -> str:
    return text + " " * (columns - width(text))
