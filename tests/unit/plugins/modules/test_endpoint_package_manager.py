# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

from ansible_collections.kubeha.apiserver.plugins.modules import endpoint_package_manager

LOCK = "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.lockf(f, fcntl.LOCK_EX); print(flush=True); input()"


@contextlib.contextmanager
def locked(path):
    with subprocess.Popen(
        [sys.executable, "-c", LOCK, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        process.stdout.readline()
        yield process
        process.stdin.close()


def test_who_has_it_is_known_from_the_kernel(tmp_path, monkeypatch):
    """Whatever that process calls itself."""
    path = tmp_path / "lock"
    path.touch()
    monkeypatch.setattr(endpoint_package_manager, "LOCKS", (str(tmp_path / "none"), str(path)))
    assert endpoint_package_manager.look() == ""
    with locked(path) as process:
        said = endpoint_package_manager.look()
        assert said.startswith("process %d" % process.pid)
        assert said.endswith(" has locked %s" % path)
    assert endpoint_package_manager.look() == ""


def test_what_is_no_plain_file_is_no_lock_and_nothing_waits(tmp_path):
    (tmp_path / "target").touch()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with locked(tmp_path / "target"):
        for name in ("link", "fifo", "none"):
            if name == "fifo":
                os.mkfifo(tmp_path / name)
            assert endpoint_package_manager.locked_by(str(tmp_path / name)) is None


def test_who_cannot_be_seen_from_here_has_no_number():
    assert endpoint_package_manager.describe(0) == "a process in another container"
    assert endpoint_package_manager.describe(-1) == "a process in another container"
