# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""How the plan says no: the classes that carry problems and warnings. Their wording stands in `_codes.py`."""

from __future__ import annotations

import math
import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ...module_utils.model._secrets import HIDDEN, without_user_info
from ...module_utils.model._shapes import printable
from ..codes._codes import CODES

_SECRET_NAME = re.compile(r"pass|secret|auth|token|user|login|credential", re.IGNORECASE)
# YAML with a line break at the wrong place is a text, and so is JSON in quotes.
_SECRET_WITHIN = re.compile(r"(?:%s)\w*\W*[:=]" % _SECRET_NAME.pattern, re.IGNORECASE)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with the intent.

    ``where`` names the variable and, where it has one, the host: ``endpoint_list[1].port``, ``cp2: endpoint_priority``.
    ``value`` is what was written, cut short and of plain types; a password never shows.
    """

    code: str
    where: str
    value: t.Any
    rule: str
    fix: str

    def to_dict(self) -> dict[str, t.Any]:
        """The problem as modules return it."""
        return {"code": self.code, "where": self.where, "value": self.value, "rule": self.rule, "fix": self.fix}

    def __str__(self) -> str:
        value = "" if self.value is None else " is {0!r}".format(self.value)
        return "{0}{1}: {2}. Fix: {3}. [{4}]".format(self.where, value, self.rule, self.fix, self.code)


def problem_of(code: str, where: str, value: t.Any = None, **words: t.Any) -> Problem:
    """A problem, whose words in braces are filled in."""
    rule, fix = (printable(template.format(**words), 1000) for template in (CODES[code].why, CODES[code].fix))
    return Problem(code, printable(where, 200), show(value), rule, fix)


class PlanError(Exception):
    """The intent can't be planned; ``problems`` has every reason."""

    def __init__(self, problems: t.Iterable[Problem], subject: str = "The plan") -> None:
        self.problems = list(problems)
        self.subject = subject
        super().__init__(self.problems)

    def __str__(self) -> str:
        count = len(self.problems)
        lines = ["{0} has {1} problem{2}; no host was touched.".format(self.subject, count, "" if count == 1 else "s")]
        lines += ["  {0}. {1}".format(number, problem) for number, problem in enumerate(self.problems, 1)]
        return "\n".join(lines)


class Problems:
    """Problems and warnings, in the order in which they are found."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[str] = []
        self._seen: set[tuple[str, ...]] = set()

    def problem(self, code: str, where: str, value: t.Any = None, **details: t.Any) -> None:
        """Record a problem; ``details`` fill the words in braces of its rule and fix."""
        found = problem_of(code, where, value, **details)
        if self._first((code, found.where, repr(found.value), found.rule)):
            self.problems.append(found)

    def warn(self, code: str, **details: t.Any) -> None:
        """Record a warning."""
        text = "{0} [{1}]".format(printable(CODES[code].why.format(**details), 1000), code)
        if self._first((text,)):
            self.warnings.append(text)

    def _first(self, key: tuple[str, ...]) -> bool:
        """Whether this is news: the two families of an endpoint often have the same thing wrong."""
        if key in self._seen:
            return False
        self._seen.add(key)
        return True


class Where:
    """A place in what the user wrote, able to report what is wrong there."""

    __slots__ = ("findings", "where")

    def __init__(self, findings: Problems, where: str) -> None:
        self.findings = findings
        self.where = where

    def __getitem__(self, key: t.Any) -> Where:
        """The place of one item below: ``endpoint_vip[1]``, ``endpoint_list[1].port``."""
        suffix = "[{0}]".format(key) if isinstance(key, int) else "." + printable(str(show(str(key))), 60)
        return Where(self.findings, self.where + suffix)

    def problem(self, code: str, value: t.Any = None, **details: t.Any) -> None:
        """Record that the value at this place breaks a rule."""
        self.findings.problem(code, self.where, value, **details)


def show(value: t.Any, depth: int = 2) -> t.Any:
    """What was written, as plain types that fit on a line and into JSON: cut short, escaped, without passwords."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return HIDDEN if _SECRET_WITHIN.search(value) else printable(without_user_info(value), 120)
    if isinstance(value, int):
        return int(value) if -2 ** 53 < value < 2 ** 53 else "a number of {0} bits".format(value.bit_length())
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, (list, tuple)):
        return [show(item, depth - 1) for item in value[:8]] + ["..."] * (len(value) > 8) if depth else "a list"
    if isinstance(value, Mapping):
        return _show_mapping(value, depth) if depth else "a mapping"
    return "something of type {0}".format(printable(type(value).__name__, 60))


def listed(items: t.Iterable[t.Any], limit: int = 5, empty: str = "none") -> str:
    """Some items for a sentence: ``a, b, c and 4 more``."""
    found = [str(item) for item in items]
    if not found:
        return empty
    rest = len(found) - limit
    return ", ".join(found[:limit]) + (" and {0} more".format(rest) if rest > 0 else "")


def _show_mapping(value: Mapping[t.Any, t.Any], depth: int) -> dict[str, t.Any]:
    shown: dict[str, t.Any] = {}
    for key, item in value.items():
        if len(shown) == 8:
            shown["..."] = "..."
            break
        name = str(show(key, 0))
        shown[name] = HIDDEN if _SECRET_NAME.search(name) else show(item, depth - 1)
    return shown
