# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Variables that only roles read: no plan has them, and each host may have its own.

A role's argument spec is looked at when it's that role's turn. By then the roles before it have changed hosts.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from . import _values
from ._errors import Problem, Problems, Where

READERS: Mapping[str, _values.Reader[t.Any]] = {
    "haproxy_package": _values.package,
    "haproxy_package_state": _values.choice("present", "latest"),
    "keepalived_package": _values.package,
    "keepalived_package_state": _values.choice("present", "latest"),
    "endpoint_verify_timeout": _values.integer(1, 86400),
}


def problems(values: Mapping[str, Mapping[str, t.Any]]) -> list[Problem]:
    """What is wrong with ``values``: for each host those of these variables that it has. What all hosts have alike is
    one problem."""
    found = Problems()
    for name, read in READERS.items():
        said = [(host, variables[name]) for host, variables in values.items() if variables.get(name) is not None]
        alike = len(said) == len(values) and all(value == said[0][1] for dummy, value in said)
        for host, value in said[:1] if alike else said:
            read(Where(found, name if alike else "%s: %s" % (host, name)), value)
    return found.problems
