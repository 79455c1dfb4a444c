# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.history import _when
from hypothesis import given
from hypothesis import strategies as st

ZONE = timezone(timedelta(hours=1))
NOW = datetime(2026, 11, 29, 12, 30, 15, tzinfo=ZONE)


@pytest.mark.parametrize("text, wanted", [
    ("03:00", datetime(2026, 11, 29, 3, 0, tzinfo=ZONE)),
    ("13:00", datetime(2026, 11, 28, 13, 0, tzinfo=ZONE)),
    ("3:00:07", datetime(2026, 11, 29, 3, 0, 7, tzinfo=ZONE)),
    ("2h", NOW - timedelta(hours=2)),
    ("90s ago", NOW - timedelta(seconds=90)),
    ("3d", NOW - timedelta(days=3)),
    ("now", NOW),
    ("2026-11-29T03:00", datetime(2026, 11, 29, 3, 0, tzinfo=ZONE)),
    ("2026-11-29 03:00:00", datetime(2026, 11, 29, 3, 0, tzinfo=ZONE)),
    ("2026-11-29", datetime(2026, 11, 29, tzinfo=ZONE)),
    ("2026-11-29T03:00Z", datetime(2026, 11, 29, 3, 0, tzinfo=timezone.utc)),
    ("2026-11-29T03:00+02:00", datetime(2026, 11, 29, 1, 0, tzinfo=timezone.utc)),
])
def test_what_people_write(text, wanted):
    assert _when.moment(text, NOW) == wanted


@pytest.mark.parametrize("text", ["", "yesterday", "25:00", "3:7", "2 weeks", "-2h", "2026-13-01", "None", "1e3"])
def test_what_is_no_time(text):
    with pytest.raises(_when.NoTime, match="is no time: write a time such as 03:00"):
        _when.moment(text, NOW)


@pytest.mark.parametrize("since, until, wrong", [
    ("2h", "now", []),
    ("2h", "1h", []),
    ("yesterday", "now", ["since: yesterday is no time"]),
    ("2h", "later", ["until: later is no time"]),
    ("yesterday", "later", ["since: yesterday is no time", "until: later is no time"]),
    ("1h", "2h", ["since: 1h isn't before until, which is 2h"]),
    ("now", "now", ["since: now isn't before until"]),
])
def test_everything_is_said_that_is_wrong_with_two_times(since, until, wrong):
    moments, said = _when.window(since, until, NOW)
    assert [text[:len(start)] for text, start in zip(said, wrong)] == wrong and len(said) == len(wrong)
    assert bool(wrong) or moments[0] < moments[1]


@given(st.text())
def test_nothing_else_comes_of_any_text(text):
    try:
        assert _when.moment(text, NOW).tzinfo is not None
    except _when.NoTime:
        pass
