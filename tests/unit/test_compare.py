# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`./dev compare`: what counts as a difference between two commits."""

from __future__ import annotations

import importlib.util
import typing as t
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / "dev.d" / "_compare.py"
SUM = "0123456789abcdef"


def load() -> t.Any:
    spec = importlib.util.spec_from_file_location("_compare", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


COMPARE = load()


def last(before: dict[str, str], after: dict[str, str]) -> str:
    return list(COMPARE.report(before, after))[-1].partition(";")[0]


def test_words_in_comments_may_differ_and_checksums_with_them() -> None:
    before, after = "#!/bin/sh\n# one\nx %s\n" % SUM, "#!/bin/sh\n# two\nx %s\n" % SUM[::-1]
    assert last({"a": before}, {"a": after}) == "0 files are the same, 1 but for comments, 0 differ"


def test_nothing_else_may_differ() -> None:
    for before, after in (("1\n", "2\n"), ("#!/bin/sh\n", "#!/bin/bash\n"), ("a\n", "a\n\n"), ("a # b\n", "a # c\n")):
        assert last({"a": before}, {"a": after}) == "0 files are the same, 0 but for comments, 1 differ"


def test_files_of_one_side_are_named() -> None:
    lines = list(COMPARE.report({"a": "", "old": "", "older": ""}, {"a": "", "new": ""}))
    assert lines == [
        "DIFFERS new\nis only in the second commit",
        "DIFFERS old and 1 others\nis only in the first commit",
        lines[-1],
    ]
    assert lines[-1].startswith("1 files are the same, 0 but for comments, 3 differ")


def test_the_matrix_has_what_is_rendered() -> None:
    """What this script takes from `tests/matrix/cases.py`, of whatever commit."""
    intents = {name: intent for name, intent in COMPARE.importlib.import_module(COMPARE.CASES).intents()
               if name in ("v4-unicast-failback", "auth-pass")}
    found = dict(COMPARE.render(intents))
    for end in (
        "service/v4-unicast-failback/cp3/etc/keepalived/keepalived.conf",
        "static_pod/v4-unicast-failback/cp1/etc/kubernetes/manifests/kubeha-haproxy.yaml",
        "static_pod_login/auth-pass/cp1/var/lib/kubelet/config.json.entry",
        "units/etc/systemd/system/kubeha-lease.service",
    ):
        assert len([name for name in found if name.endswith(end)]) == len(COMPARE.VERSIONS), end
