# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import stat

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.deploy import _folders_io as folders
from ansible_collections.kubeha.apiserver.plugins.module_utils.deploy._found import File
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _owned_files_io as owned


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives folders to others")
def test_a_folder_that_haproxys_pod_has_had_is_roots_again_and_without_traps(tmp_path, monkeypatch):
    monkeypatch.setattr(owned, "TOP", str(tmp_path))
    secret, folder = tmp_path / "shadow", tmp_path / "run/kubeha/haproxy"
    secret.write_text("secret")
    secret.chmod(0o600)
    folder.mkdir(parents=True)
    for name in ("down", "running.new"):
        (folder / name).symlink_to(secret)
    os.mkfifo(folder / "since")
    os.chown(folder, 99, 99)
    lines = "d {0} 0755 root root -\nf {0}/down 0644 99 99 - 1\nf {0}/since 0644 99 99 -\n".format(folder)
    files = [File("x", "tmpfiles", "0", "0", 0, 0, 0o644, lines.encode())]
    assert folders.missing(files) == [str(folder), str(folder / "down"), str(folder / "since")]
    folders.make(files)
    assert folders.missing(files) == []
    assert sorted(os.listdir(folder)) == ["down", "since"] and (folder / "down").read_text() == "1"
    assert folder.stat().st_uid == 0 and (folder / "since").lstat().st_uid == 99
    assert (secret.read_text(), stat.S_IMODE(secret.stat().st_mode), secret.stat().st_uid) == ("secret", 0o600, 0)
