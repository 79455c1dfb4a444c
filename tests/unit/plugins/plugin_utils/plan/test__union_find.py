# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan._union_find import Groups
from hypothesis import given
from hypothesis import strategies as st


@given(st.lists(st.frozensets(st.integers(0, 12), max_size=3), max_size=12))
def test_things_that_share_a_key_are_together(things: list[frozenset[int]]) -> None:
    groups: Groups[int] = Groups()
    for index, keys in enumerate(things):
        groups.join(index, keys)
    found = groups.members()
    assert sorted(index for group in found for index in group) == list(range(len(things)))
    assert [group[0] for group in found] == sorted(group[0] for group in found)
    assert all(group == sorted(group) for group in found)
    # Grow each first member's group by what shares a key, until nothing is left to add.
    for group in found:
        together = {group[0]}
        while True:
            keys = {key for index in together for key in things[index]}
            more = {index for index, own in enumerate(things) if own & keys} | together
            if more == together:
                break
            together = more
        assert set(group) == together
        assert {groups.of(index) for index in group} == {group[0]}
