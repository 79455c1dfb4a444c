# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Units of our own that go on by themselves, as systemd has them: on for as long as their files are there.

Two take VIPs away that a keepalived has left, one writes metrics, one records what happens, one runs a user's script.
"""

from __future__ import annotations

import os
import re
from typing import Collection, Dict, Iterable, List, Mapping, Optional, Sequence

from ..host import _host_io, _hostfacts
from ..host import _owned_files_io as owned
from ..model import _paths, _pod_paths
from . import _folders_io, _leftovers_io

SECONDS = 30.0
HOOK = "kubeha-hook.path"
METRICS_SERVICE = _paths.METRICS_UNITS[0]
# By the unit that is enabled.
FILES = {
    "kubeha-release.path": _pod_paths.RELEASE_UNITS,
    "kubeha-metrics.timer": _paths.METRICS_UNITS,
    "kubeha-watchdog.service": [_paths.WATCHDOG_UNIT],
    "kubeha-recorder.service": [_paths.RECORDER_UNIT],
    HOOK: _paths.HOOK_UNITS,
}
# Whose programs stay in memory. What they import may be another one's as well.
_PROGRAMS = {
    "kubeha-watchdog.service": [_paths.WATCHDOG, *_paths.WATCHDOG_PARTS],
    "kubeha-recorder.service": [_paths.RECORDER, *_paths.RECORDER_PARTS],
}
_TEXTFILE = re.compile(r"^ExecStart=.* (/\S+)$", re.MULTILINE)


def among(paths: Collection[str]) -> List[str]:
    """Those whose files are among these."""
    return _among(FILES, paths)


def _among(files: Mapping[str, Sequence[str]], paths: Collection[str]) -> List[str]:
    return [unit for unit, places in files.items() if not set(places).isdisjoint(paths)]


def due(changed: Collection[str], planned: Collection[str]) -> List[str]:
    """What has to be begun: where it's planned, and systemd doesn't have it as it will be."""
    wanted, anew = among(planned), [*among(changed), *_among(_PROGRAMS, changed)]
    said = _said([name for unit in wanted if unit not in anew for name in _names(unit)])
    return [unit for unit in wanted if unit in anew or _is_off(unit, said)]


def _said(names: List[str]) -> Dict[str, Dict[str, str]]:
    """What systemd says of these, asked once for all of them."""
    if not names:
        return {}
    return _hostfacts.parse_units(
        _systemctl("show", "--property=Id,ActiveState,UnitFileState,NeedDaemonReload", *names).text)


def _is_off(unit: str, said: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether systemd hasn't begun it, or not with what is in place."""
    about = {name: said.get(_hostfacts.short(name), {}) for name in _names(unit)}
    begun = about[unit].get("ActiveState") == "active" and about[unit].get("UnitFileState") == "enabled"
    return not begun or any(words.get("NeedDaemonReload") != "no" for words in about.values())


def begin(units: Iterable[str]) -> None:
    """Once the files are there."""
    units = list(units)
    for words in (["daemon-reload"], ["enable", *units], ["restart", *units]) if units else ():
        output = _systemctl(*words)
        if output.code != 0:
            raise OSError("systemctl %s: %s" % (" ".join(words), output.error or output.text.strip()))


def end(units: Iterable[str]) -> None:
    """Before the files go."""
    for unit in units:
        _systemctl("disable", "--now", unit)
        _systemctl("stop", *_names(unit))
        if unit == HOOK:
            # Where a script was ended in the middle the unit has failed, and systemd cleans up after no such one.
            _systemctl("reset-failed", "kubeha-hook.service")
            _systemctl("clean", "--what=runtime", "kubeha-hook.service")
            _leftovers_io.remove(_paths.HOOK_WORDS)


def _names(unit: str) -> List[str]:
    return [os.path.basename(path) for path in FILES[unit]]


def forget() -> None:
    """Once the files are gone."""
    _systemctl("daemon-reload")


def drop_record() -> None:
    """What the recorder has written goes with its unit."""
    if not owned.trouble(_paths.RECORD):
        for name in _host_io.list_folder(_paths.RECORD):
            owned.remove(os.path.join(_paths.RECORD, name))
        _folders_io.remove_if_ours(_paths.RECORD)


def drop_textfile(content: Optional[bytes], then: bytes = b"") -> None:
    """What the unit with this content has written in somebody else's folder goes, where the next one writes another."""
    path = textfile_of(content or b"")
    if path and path != textfile_of(then) and not owned.trouble(os.path.dirname(path)):
        owned.remove(path)


def textfile_of(unit: bytes) -> Optional[str]:
    found = _TEXTFILE.search(unit.decode("utf-8", "replace"))
    return found.group(1) if found else None


def _systemctl(*words: str) -> _host_io.Output:
    return _host_io.run(["systemctl", *words], SECONDS)
