# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a finding is, and how bad each is that a host finds in itself. The rest of it stays on the controller: what a
code means and what mends it are in `plugin_utils/codes/_codes.py`, with all other codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional, Tuple

SEVERITIES = ERROR, WARNING, INFO = "error", "warning", "info"

OWN: Dict[str, str] = {
    **dict.fromkeys((
        "stale_vip", "service_down", "pod_down", "manifest_missing", "reload_pending", "haproxy_hung", "haproxy_silent",
        "keepalived_hung", "keepalived_silent", "keepalived_fault", "backend_missing", "backend_unplanned",
        "gives_way", "backend_down", "vip_silent", "vip_wrong_answer"), ERROR),
    **dict.fromkeys((
        "service_disabled", "watchdog_stopped", "running_unknown", "restart_pending", "drained", "left_moving",
        "stopped_for_change", "started_by_itself", "version_older", "file_drifted", "notes_lost",
        "haproxy_files_ignored",
        "haproxy_nearly_full", "haproxy_source_refused", "backend_silent", "backend_disabled",
        "anonymous_denied"), WARNING),
    **dict.fromkeys(("kubelet_absent", "no_apiserver"), INFO),
}


@dataclass(frozen=True)
class Finding:
    """One thing on a host or in the network that is, or may be, in the way. `words` fill its code's templates."""

    code: str
    severity: str
    host: Optional[str]
    endpoint: Optional[str]
    seen: str
    words: Tuple[Tuple[str, str], ...] = ()
