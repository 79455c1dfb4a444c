# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ast
import functools
import json
import typing as t

import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.task._said import readable

NESTED = json.loads('{"it": %s1%s}' % ("[" * 300, "]" * 300))


@pytest.mark.parametrize("said", [NESTED, {"it": [float("nan")]}, {"it": {"deep": float("inf")}}])
def test_a_template_can_carry_whatever_a_host_says(said: dict[str, t.Any]) -> None:
    with pytest.raises((ValueError, SyntaxError, MemoryError, RecursionError)):
        ast.literal_eval(repr(said))
    assert ast.literal_eval(repr(readable(said))) == readable(said)


def test_what_is_within_reason_stays_as_it_is() -> None:
    plan = functools.reduce(lambda inner, dummy: [{"inner": inner}], range(10), "text")
    said = {"plan": plan, "number": 0.5, "none": None, "flag": True, "text": "{{ no }}"}
    assert readable(said) == said
