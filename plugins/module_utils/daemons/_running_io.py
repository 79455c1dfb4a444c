# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a daemon of ours runs with, and whether that is what lies there: asked here and nowhere else."""

from __future__ import annotations

from typing import Any, Dict, NamedTuple, Optional

from ..host import _host_io
from . import _haproxy, _podstate, _process_io


def ask_haproxy(path: str, seconds: float) -> Dict[str, Any]:
    """What HAProxy says of itself on its socket, with `hung` and `error`; nothing where it has no socket."""
    try:
        answer = _host_io.ask_unix_socket(path, _haproxy.STATE_COMMAND, seconds)
        return dict(_haproxy.parse_state(answer.decode("utf-8", "replace")), hung=False, error=None)
    except _host_io.Timeout as error:
        return {"hung": True, "error": str(error)}
    except FileNotFoundError:
        return {}
    except (OSError, _haproxy.HaproxyError) as error:
        return {"hung": False, "error": str(error)}


class Running(NamedTuple):
    """What a daemon was started with, as its start script noted it: the checksum of its configuration, and the name of
    all that needs a restart. `says` is what HAProxy says of itself."""

    pod: bool
    config: Optional[str]
    execution: Optional[str]
    says: Optional[str]

    def needs_reload(self, config: bytes) -> bool:
        """Whether it has loaded something else than this configuration."""
        return _haproxy.reload_is_due(config, self.says, self.config, self.pod)

    def needs_restart(self, execution: Optional[str]) -> bool:
        """Whether it was started before this execution was there, as a drop-in or a manifest names it."""
        return self.execution != execution


def running(role: str, pod: bool, says: Optional[str]) -> Running:
    """`says` is the description that `ask_haproxy` returned, None for keepalived."""
    return Running(pod, _process_io.note(_podstate.RUNNING[role]), _process_io.note(_podstate.EXECUTION[role]), says)
