# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""keepalived's look is taken from HAProxy's only where nothing can have happened in between."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.rollout import _recall

NOW = 1000.0
ARGS = {"adopt": False, "keep_stale": False}
DIGEST = _recall.digest([{"path": "/etc/keepalived/keepalived.conf"}], ARGS)


def looks(**others: t.Any) -> dict[str, t.Any]:
    seen = {"seen": NOW - 5, "digest": DIGEST, "changed": []}
    return {"cp1": seen, "cp2": dict(seen, digest="of its own files"), **others}


def recalled(waves: t.Any = (), **others: t.Any) -> dict[str, t.Any]:
    return _recall.recalled(looks(**others), "cp1", DIGEST, list(waves) if waves is not None else None, NOW)


def test_nothing_was_done_since() -> None:
    assert recalled() == looks()["cp1"]


@pytest.mark.parametrize(("waves", "others"), [
    ([{"number": 1}], {}),
    (None, {}),
    ((), {"cp2": {}}),
    ((), {"cp2": {"seen": NOW - _recall.FRESH_SECONDS, "digest": DIGEST}}),
    ((), {"cp1": {"seen": NOW - 5, "digest": "of other files"}}),
    ((), {"cp1": {}}),
], ids=["a host had work", "no order is known", "a member wasn't looked at", "long ago", "other files", "no look"])
def test_a_look_is_due(waves: t.Any, others: dict[str, t.Any]) -> None:
    assert recalled(waves, **others) == {}


def test_what_a_look_compares_is_in_the_digest() -> None:
    files = [{"path": "/etc/keepalived/keepalived.conf"}]
    variants = [(files, ARGS), ([], ARGS), (files, dict(ARGS, adopt=True)), (files, dict(ARGS, keep_stale=True))]
    assert len({_recall.digest(*variant) for variant in variants}) == len(variants)
