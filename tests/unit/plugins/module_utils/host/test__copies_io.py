# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _copies_io as copies
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _owned_files_io as owned


@pytest.fixture(name="folder", autouse=True)
def fixture_folder(tmp_path, monkeypatch):
    for name, value in (("TOP", str(tmp_path)), ("ROOT", os.getuid()), ("ROOT_GROUP", os.getgid())):
        monkeypatch.setattr(owned, name, value)
    monkeypatch.setattr(copies, "FOLDER", str(tmp_path / "kubeha/adopted"))
    return tmp_path / "kubeha/adopted"


def test_each_text_is_kept_once_and_the_original_by_its_own_name(folder, tmp_path):
    (tmp_path / "x").touch(0o600)
    found = os.stat(tmp_path / "x")
    for content, original in ((b"edited", False), (b"first", True), (b"first", True), (b"second", True),
                              (b"edited", False), (b"first", False)):
        copies.keep("/etc/x", content, found, original)
    kept = {os.path.basename(path).partition(".")[2]: Path(path).read_bytes() for path in copies.left()}
    assert kept.pop("") == b"first" and sorted(kept.values()) == [b"edited", b"second"]
    assert copies.original("/etc/x") == str(folder / "etc/x") and copies.original("/etc/y") is None
    assert copies.place("/etc/x", b"first", True) is None
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    assert all(stat.S_IMODE(os.stat(path).st_mode) == 0o600 for path in copies.left())
