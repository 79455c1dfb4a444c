# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.deploy import _units_io as units
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _owned_files_io as owned
from ansible_collections.kubeha.apiserver.plugins.module_utils.model import _paths


def service(path):
    return ("[Service]\nExecStart=/usr/bin/env python3 -I -S /etc/kubeha/metrics cp1 %s\nNice=10\n" % path).encode()


@pytest.fixture(name="textfile")
def fixture_textfile(tmp_path, monkeypatch):
    for name, value in (("TOP", str(tmp_path)), ("ROOT", os.getuid()), ("ROOT_GROUP", os.getgid())):
        monkeypatch.setattr(owned, name, value)
    path = tmp_path / "folder/kubeha.prom"
    path.parent.mkdir(mode=0o755)
    path.write_text("kubeha_host_drained 0.0\n")
    return path


def test_units_are_those_whose_files_are_there():
    assert units.among([_paths.METRICS_UNITS[0], _paths.PLAN_FILE]) == ["kubeha-metrics.timer"]
    assert units.among([_paths.PLAN_FILE]) == []


@pytest.mark.parametrize("then, stays", [("same", True), ("other", False), (None, False)])
def test_what_was_written_in_another_folder_goes_with_the_unit_that_wrote_it(textfile, then, stays):
    planned = {"same": service(textfile), "other": service("/var/lib/other/kubeha.prom"), None: b""}[then]
    units.drop_textfile(service(textfile), planned)
    assert textfile.exists() == stays
    units.drop_textfile(None)
    units.drop_textfile(service(textfile))
    units.drop_textfile(service(textfile))
    assert not textfile.exists()


def test_what_was_recorded_goes_with_its_unit(textfile, monkeypatch):
    folder = textfile.parent.parent / "kubeha/recorder"
    folder.mkdir(parents=True, mode=0o755)
    folder.parent.chmod(0o755)
    monkeypatch.setattr(_paths, "RECORD", str(folder))
    for name in ("0", "1", "alive"):
        (folder / name).write_text("{}")
    folder.parent.chmod(0o777)
    units.drop_record()
    assert (folder / "0").exists()
    folder.parent.chmod(0o755)
    units.drop_record()
    units.drop_record()
    assert not folder.exists()


def test_another_program_of_the_recorder_begins_it_anew(monkeypatch):
    said = []
    output = "ActiveState=active\nUnitFileState=enabled\nNeedDaemonReload=no\n"
    monkeypatch.setattr(units, "_systemctl", lambda *words: said.append(words) or units._host_io.Output(0, output))
    planned = [_paths.RECORDER, _paths.RECORDER_UNIT]
    assert units.due([], planned) == []
    assert said[-1][-1] == "kubeha-recorder.service" and len(said) == 1
    assert units.due([_paths.RECORDER], planned) == ["kubeha-recorder.service"]


def test_a_hook_that_was_ended_in_the_middle_is_cleaned_up(monkeypatch):
    said = []
    monkeypatch.setattr(units, "_systemctl", lambda *words: said.append(words) or units._host_io.Output(0, ""))
    monkeypatch.setattr(units._leftovers_io, "remove", lambda path: said.append(("removed", path)))
    units.end([units.HOOK])
    assert [words[0] for words in said] == ["disable", "stop", "reset-failed", "clean", "removed"]
    assert "kubeha-hook.service" in said[2] and said[3][-1] == "kubeha-hook.service"


def test_nothing_is_removed_where_others_can_write(textfile):
    textfile.parent.chmod(0o777)
    units.drop_textfile(service(textfile))
    assert textfile.exists()
