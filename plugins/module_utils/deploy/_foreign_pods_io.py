# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Static pods of somebody else's that our own take the place of."""

from __future__ import annotations

import os
import time
from typing import List

from ..daemons import _process_io
from ..host import _copies_io, _host_io
from ..host import _owned_files_io as owned

# They may take the time that pods have to end, 30 s.
LEAVE_SECONDS = 40.0


def end(role: str, manifests: List[str]) -> None:
    """Take their manifests away, after a copy, and wait until they have given port and VIP back."""
    if not manifests:
        return
    for path in manifests:
        content = _host_io.read_file(path)
        if content is not None:
            _copies_io.keep(path, content, os.stat(path), original=True)
    before = _process_io.find_in_static_pods(role)
    for path in manifests:
        owned.remove(path)
    deadline = time.monotonic() + LEAVE_SECONDS
    while _process_io.find_kubelet()["running"] and time.monotonic() < deadline:
        if not before & _process_io.find_in_static_pods(role):
            return
        time.sleep(0.2)
