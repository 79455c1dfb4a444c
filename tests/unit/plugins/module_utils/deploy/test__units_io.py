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


class Systemd:
    """What it says of units: that all is well, but for what a test says."""

    def __init__(self, monkeypatch):
        self.asked, self.wrong = [], {}
        monkeypatch.setattr(units, "_systemctl", self.answer)

    def answer(self, verb, properties, *names):
        self.asked.append(names)
        well = {"ActiveState": "active", "UnitFileState": "enabled", "NeedDaemonReload": "no"}
        return units._host_io.Output(0, "\n".join(
            "".join("%s=%s\n" % item for item in {"Id": name, **well, **dict(self.wrong.get(name) or {})}.items())
            for name in names if self.wrong.get(name, {}) is not None))


@pytest.fixture(name="systemd")
def fixture_systemd(monkeypatch):
    return Systemd(monkeypatch)


EVERY = [path for files in units.FILES.values() for path in files]


def test_systemd_is_asked_once_for_all_units(systemd):
    assert units.due([], EVERY) == []
    assert [sorted(names) for names in systemd.asked] == [
        sorted(os.path.basename(path) for path in EVERY if path.endswith((".service", ".timer", ".path")))]
    # Of what is begun anyway it isn't asked.
    assert units.due(EVERY, EVERY) == list(units.FILES) and units.due([], []) == []
    assert len(systemd.asked) == 1


@pytest.mark.parametrize("name, wrong, unit", [
    ("kubeha-metrics.timer", {"ActiveState": "inactive"}, "kubeha-metrics.timer"),
    ("kubeha-metrics.timer", {"UnitFileState": "disabled"}, "kubeha-metrics.timer"),
    ("kubeha-metrics.timer", None, "kubeha-metrics.timer"),
    ("kubeha-metrics.service", {"NeedDaemonReload": "yes"}, "kubeha-metrics.timer"),
    # A service that a timer or a path starts needn't run.
    ("kubeha-metrics.service", {"ActiveState": "inactive", "UnitFileState": "static"}, None),
    ("kubeha-recorder.service", {"ActiveState": "failed"}, "kubeha-recorder.service"),
])
def test_what_is_off_or_was_begun_with_something_else_is_begun(systemd, name, wrong, unit):
    systemd.wrong[name] = wrong
    assert units.due([], EVERY) == ([unit] if unit else [])


def test_another_program_of_the_recorder_begins_it_anew(systemd):
    planned = [_paths.RECORDER, _paths.RECORDER_UNIT]
    assert units.due([], planned) == [] and systemd.asked == [("kubeha-recorder.service",)]
    assert units.due([_paths.RECORDER], planned) == ["kubeha-recorder.service"]


def test_a_part_begins_anew_those_planned_programs_that_import_it_and_stay_in_memory(systemd):
    shared = _paths.METRICS_PARTS[0]
    watchdog, recorder = _paths.WATCHDOG_UNIT, _paths.RECORDER_UNIT
    metrics = _paths.METRICS_UNITS
    assert units.due([shared], [shared, watchdog, recorder, *metrics]) == [
        "kubeha-watchdog.service", "kubeha-recorder.service"]
    assert units.due([shared], [shared, *metrics]) == []
    assert units.due([_paths.RECORDER_PARTS[-1]], [watchdog, recorder]) == ["kubeha-recorder.service"]
    # What is left for the others doesn't end with one of them.
    assert units.among([recorder]) == ["kubeha-recorder.service"] and units.among(_paths.PARTS) == []


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
