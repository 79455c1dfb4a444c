# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.judge import _clocks as clocks
from hypothesis import given
from hypothesis import strategies as st

SECONDS = st.floats(0, 100)


@given(truth=st.floats(-1e6, 1e10), before=SECONDS, elapsed=SECONDS, after=SECONDS)
def test_the_truth_lies_within_the_bounds(truth, before, elapsed, after):
    """Whatever time connecting, running and coming back took."""
    began, ended = 5000.0, 5000.0 + before + elapsed + after
    at = truth + 5000.0 + before + elapsed
    bounds = clocks.read(clocks.offset(at, elapsed, began, ended))
    assert bounds.low - 0.002 <= truth <= bounds.high + 0.002


def test_a_host_whose_elapsed_time_makes_no_sense_has_still_bounds():
    assert clocks.offset(100.0, 1e9, 10.0, 20.0) == {"low": 80.0, "high": 80.0}


@pytest.mark.parametrize("said,low,high", [
    ("1005.5\n", 995.4, 995.5),  # from the second look alone
    ("1000.05\n", 990.0, 990.05),  # both bounds matter
    ("2000.0", 1989.9, 1990.0),  # it was set meanwhile
    ("1795.N", 990.0, 1000.0), ("", 990.0, 1000.0),  # a date that knows no fractions
])
def test_a_quick_look_has_narrower_bounds(said, low, high):
    bounds = clocks.tighter({"low": 990.0, "high": 1000.0}, said, 10.0, 10.1)
    assert bounds == {"low": pytest.approx(low), "high": pytest.approx(high)}


def at(seconds, width=1.0):
    return clocks.Offset(seconds, seconds + width)


@pytest.mark.parametrize("given_,limit,found", [
    ({}, 3, []),
    ({"a": at(0)}, 3, []),
    ({"a": at(0), "b": at(3.9), "c": at(0)}, 3, []),  # it may be 2.9 s only
    ({"a": at(0), "b": at(4.5), "c": at(0)}, 3, [("b", "a", 3.5)]),
    ({"a": at(0), "b": at(100), "c": at(100)}, 3, [("a", "b", -99.0)]),  # the minority is named
    ({"a": at(0), "b": at(100)}, 3, [("b", "a", 99.0)]),
    ({"a": at(-3.5), "b": at(0), "c": at(3.5)}, 5, [("c", "a", 6.0)]),  # both are near the middle one
    ({"a": at(0, 50), "b": at(40), "c": at(0)}, 3, [("c", "b", -39.0)]),  # a was asked too slowly to tell
])
def test_who_is_apart(given_, limit, found):
    assert clocks.apart(given_, limit) == [clocks.Apart(*item) for item in found]


@pytest.mark.parametrize("said", [None, [], {}, {"low": "1", "high": 2}, {"low": 1}, "x"])
def test_what_is_no_offset(said):
    assert clocks.read(said) is None
