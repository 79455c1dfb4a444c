# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import time

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.history import _record_io as record
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _host_io
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _owned_files_io as owned
from ansible_collections.kubeha.apiserver.plugins.module_utils.model import _paths


@pytest.fixture(name="folder")
def fixture_folder(tmp_path, monkeypatch):
    for name, value in (("TOP", str(tmp_path)), ("ROOT", os.getuid()), ("ROOT_GROUP", os.getgid())):
        monkeypatch.setattr(owned, name, value)
    folder = tmp_path / "recorder"
    folder.mkdir(mode=0o755)
    monkeypatch.setattr(_paths, "RECORD", str(folder))
    monkeypatch.setattr(_host_io, "run", lambda argv, seconds: _host_io.Output(0, "active\n"))
    return folder


def test_files_are_read_from_the_oldest_on(folder):
    boot = record.boot_of(_host_io.read_text("/proc/sys/kernel/random/boot_id"), _host_io.read_text("/proc/1/stat"))
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    for number in range(4):
        said = [{"e": "recorder", "k": "host", "v": "turn", "boot": boot}, {"e": "vip", "k": str(number), "v": True}]
        text = "".join(json.dumps(dict(item, t=now - number, w=time.time())) + "\n" for item in said)
        (folder / str(number)).write_text(text, encoding="utf-8")
    found = record.collect(60.0)
    assert [event["k"] for event in found["events"] if event["e"] == "vip"] == ["3", "2", "1", "0"]
    assert found["records"] and not found["cut"] and not any(event.get("old") for event in found["events"])


def test_links_and_pipes_are_not_read(folder):
    (folder / "0").symlink_to("/etc/passwd")
    os.mkfifo(folder / "1")
    assert record.collect(60.0)["events"] == []


def test_no_record_is_no_event(folder):
    folder.rmdir()
    assert record.collect(60.0)["events"] == []


def test_a_containers_start_counts_as_one():
    assert record.boot_of("abc\n", "1 (sys temd) S " + " ".join(map(str, range(30)))) == "abc 18"
    assert record.boot_of("abc\n", "") == "abc 0"
