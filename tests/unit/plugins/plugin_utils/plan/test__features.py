# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan import _features as features
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan._versions import FLOOR, version_text


@pytest.mark.parametrize("feature", features.FEATURES, ids=lambda feature: feature.what.partition("`:")[0].strip("`"))
def test_the_oldest_supported_version_lacks_each(feature: features.Feature) -> None:
    """What that one knows needs no row."""
    major, minor, patch = feature.since
    assert not feature.known_to(FLOOR[feature.daemon])
    assert feature.known_to(feature.since) and feature.known_to(version_text(feature.since))
    assert feature.known_to((major, minor, patch + 1)) and feature.known_to((major + 1, 0, 0))
    assert not feature.known_to((major, minor, patch - 1) if patch else (major, minor - 1, 99) if minor else
                                (major - 1, 99, 0))


def test_what_is_no_version_knows_nothing() -> None:
    assert not features.NOT_READY.known_to("")


def test_each_row_is_in_the_table() -> None:
    rows = [value for value in vars(features).values() if isinstance(value, features.Feature)]
    assert sorted(rows) == sorted(features.FEATURES) and all(all(row) for row in rows)
