# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import stat

import pytest

files = pytest.importorskip(
    "ansible_collections.kubeha.apiserver.plugins.plugin_utils.task._controller_files", reason="needs ansible-core")
AnsibleActionFail = pytest.importorskip("ansible.errors").AnsibleActionFail


def test_a_relative_path_begins_where_ansible_was_started(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert files.controller_path("a/b") == tmp_path / "a/b"
    assert files.writable_path("file", "b") == tmp_path / "b"
    assert files.controller_path("/srv/b").as_posix() == "/srv/b"


def test_what_cannot_be_written_is_refused_first(tmp_path, monkeypatch):
    with pytest.raises(AnsibleActionFail, match="file: there is no folder .*/missing; make it"):
        files.writable_path("file", str(tmp_path / "missing/plan.json"))
    with pytest.raises(AnsibleActionFail, match="html: .* is a folder; name a file"):
        files.writable_path("html", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(AnsibleActionFail, match="file: nothing can be written into the folder"):
        files.writable_path("file", str(tmp_path / "plan.json"))


def test_a_file_is_written_whole(tmp_path):
    path = tmp_path / "plan.json"
    path.write_text("before, and much longer")
    files.write_whole(path, "after\n")
    assert path.read_text() == "after\n"
    files.write_whole(path, "secret\n", 0o600)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["plan.json"]


def test_what_fails_is_said_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError("No space left on device")

    monkeypatch.setattr(files.Path, "replace", full)
    with pytest.raises(AnsibleActionFail, match="writing .*/plan.json failed: No space left"):
        files.write_whole(tmp_path / "plan.json", "text")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("given", ["", " ", True, False, 5, ["plan.json"], {"a": 1}])
def test_what_is_no_path_is_refused(given):
    with pytest.raises(AnsibleActionFail, match="file is .*, and has to be a path; write one as text, or leave"):
        files.refuse_no_path("file", given)


def test_what_may_be_a_path_is_none_of_its_business(tmp_path):
    for given in (None, "plan.json", tmp_path):
        files.refuse_no_path("file", given)


def test_a_folder_that_can_not_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    for below in ("file", "file/a/b"):
        with pytest.raises(AnsibleActionFail, match=r"dest: .*/file is no folder; name another one"):
            files.writable_folder("dest", str(tmp_path / below), False)
    assert files.writable_folder("dest", str(tmp_path / "a/b"), True) == tmp_path / "a/b"


def test_a_shared_folder_is_not_taken_for_passwords(tmp_path):
    tmp_path.chmod(0o755)
    with pytest.raises(AnsibleActionFail, match="dest: others can read .* name a new folder, or `chmod 700` this one"):
        files.writable_folder("dest", str(tmp_path), True)
    assert files.writable_folder("dest", str(tmp_path), False) == tmp_path
    tmp_path.chmod(0o700)
    assert files.writable_folder("dest", str(tmp_path), True) == tmp_path
