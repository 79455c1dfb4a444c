# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.deploy import _hook_io as hook
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _owned_files_io as owned


@pytest.fixture(name="place")
def fixture_place(tmp_path, monkeypatch):
    """Of root's, as far as this test's user is root."""
    monkeypatch.setattr(owned, "TOP", str(tmp_path))
    monkeypatch.setattr(owned, "ROOT", os.getuid())
    folder = tmp_path / "opt/scripts"
    folder.mkdir(parents=True)
    for path in (tmp_path / "opt", folder):
        path.chmod(0o755)
    script(folder / "a")
    return folder


def script(path, mode=0o755):
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)


def trouble(path, user=None):
    text = "%sExecStart=/usr/bin/env python3 -I -S /etc/kubeha/hook cp1 %s\n" % (
        "User=%s\n" % user if user else "DynamicUser=yes\n", path)
    return hook.trouble(text.encode())


def test_a_file_or_a_folder_of_root_may_be_run(place):
    script(place / "off", 0o644)
    (place / "folder").mkdir()
    (place / ".hidden").symlink_to("a")
    assert trouble(place / "a") == trouble(place) == ""


def test_who_runs_it(place):
    assert trouble(place, "nobody") == ""
    assert trouble(place, "root") == "root is root by another name"
    assert trouble(place, "absent-user") == "there is no user absent-user here"


def test_what_is_not_there_and_what_is_a_link(place):
    (place / "b").symlink_to("a")
    assert trouble(place / "c").endswith("c isn't there")
    assert trouble(place / "b").endswith("/b is a link: name %s/a" % place)
    assert trouble(place).endswith("/b: it's no file")


@pytest.mark.parametrize("mode, said", [(0o775, "others than root can write to it"), (0o644, "nobody can execute it")])
def test_what_others_can_write_and_nobody_can_execute(place, mode, said):
    script(place / "b", mode)
    assert trouble(place / "b") == "%s/b: %s" % (place, said)


@pytest.mark.parametrize("above", [0, 1])
def test_folders_that_others_can_write_to(place, above):
    (place, place.parent)[above].chmod(0o777)
    assert "mode 0777" in trouble(place / "a") and "mode 0777" in trouble(place)
