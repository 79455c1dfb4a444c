# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.kubeha.apiserver.plugins.plugin_utils.judge._table import table, width
from hypothesis import given
from hypothesis import strategies as st


def test_columns_align_and_lines_end_clean():
    assert table(("HOST", "STATE", ""), [("cp1", "holds", ""), ("a-long-name", None, "x")]) == (
        "HOST         STATE\n"
        "cp1          holds\n"
        "a-long-name         x"
    )


def test_rows_may_be_short():
    assert table(("A", "B"), [("x",), ()]) == "A  B\nx\n"


def test_wide_and_combining_characters():
    assert width("日本") == 4
    assert width("e\u0301") == 1
    assert table(("N", "S"), [("日本", "a"), ("e\u0301", "b")]).splitlines()[1:] == ["日本  a", "e\u0301     b"]


def test_no_line_breaks_and_no_escape_codes():
    text = table(("A", "B"), [("x\ny\x1b[31m", "z")])
    assert len(text.splitlines()) == 2
    assert "\x1b" not in text


@given(st.lists(st.lists(st.text(max_size=8), max_size=4), max_size=5))
def test_any_cells_give_one_clean_line_a_row(rows):
    lines = table(("A", "B"), rows).split("\n")
    assert len(lines) == len(rows) + 1
    assert all(line == line.rstrip() and len(line.splitlines()) <= 1 for line in lines)


@given(st.lists(st.tuples(st.text(alphabet="ab日é\u0301", max_size=6), st.just("|")), min_size=1, max_size=6))
def test_columns_start_at_one_place(rows):
    lines = table(("", "|"), rows).split("\n")
    assert len({width(line[: line.index("|")]) for line in lines}) == 1
