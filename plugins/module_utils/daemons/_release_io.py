# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The units that take a killed pod's VIPs away, as systemd has them: on for as long as their files are there."""

from __future__ import annotations

import os
from typing import Iterable, List

from ..host import _host_io
from ..model import _pod_paths

UNITS = [os.path.basename(path) for path in _pod_paths.RELEASE_UNITS]
WATCHER = next(name for name in UNITS if name.endswith(".path"))
SECONDS = 30.0


def is_among(paths: Iterable[str]) -> bool:
    return not set(_pod_paths.RELEASE_UNITS).isdisjoint(paths)


def is_off() -> bool:
    """Whether systemd doesn't watch, or not with what is in place."""
    properties = "--property=ActiveState,UnitFileState,NeedDaemonReload"
    said = [_systemctl("show", properties, name).text.split() for name in UNITS]
    watcher = said[UNITS.index(WATCHER)]
    stale = any("NeedDaemonReload=yes" in words for words in said)
    return stale or not {"ActiveState=active", "UnitFileState=enabled"} <= set(watcher)


def due(changed: Iterable[str], planned: Iterable[str]) -> List[str]:
    """What has to be begun: where it's planned, and systemd doesn't have it as it will be."""
    return [WATCHER] if is_among(planned) and (is_among(changed) or is_off()) else []


def begin() -> None:
    """Once the files are there."""
    for words in (["daemon-reload"], ["enable", WATCHER], ["restart", WATCHER]):
        output = _systemctl(*words)
        if output.code != 0:
            raise OSError("systemctl %s: %s" % (" ".join(words), output.error or output.text.strip()))


def end() -> None:
    """Before the files go."""
    _systemctl("disable", "--now", WATCHER)
    _systemctl("stop", *UNITS)


def forget() -> None:
    """Once the files are gone."""
    _systemctl("daemon-reload")


def _systemctl(*words: str) -> _host_io.Output:
    return _host_io.run(["systemctl", *words], SECONDS)
