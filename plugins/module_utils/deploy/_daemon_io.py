# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a host's daemon does, and what it lacks once the planned files are in place."""

from __future__ import annotations

import os
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ..daemons import _podstate, _process_io, _running_io
from ..host import _deployed_io, _host_io, _hostfacts
from ..model import _paths, _pod_paths
from ._found import File, Found, rekeyed, serving_backends, vips_of

SECONDS = 30.0
SOCKET_SECONDS = 1.0


def observe(role: str, found: Found) -> Dict[str, Any]:
    haproxy = _ask_haproxy(found) if role == "haproxy" or found.other_mode else {}
    running = _running(role, found, haproxy)
    state, execution = _pod(role, found.manifest) if found.manifest else _service(role, found)
    config = found.config.content if found.config else b""
    # Somebody else's, that this run takes over; or that a run which was killed was about to start anew with our files.
    adopted = any(file is found.config for file in found.adopted)
    foreign = state["active"] and found.manifest is None and (
        adopted or (role == "keepalived" and running.config is None))
    here = {address.address for address in _host_io.read_addresses()}
    holds = sorted(vips_of(found.plan, _deployed_io.read_deployed()) & here)
    waits = role == "haproxy" and bool(holds) and _keeps_the_vip()
    return dict(
        state,
        pending_reload=state["active"] and running.needs_reload(config),
        needs_restart=state["active"] and running.needs_restart(execution) and not waits,
        serving=foreign or ((state["active"] or role in found.other_mode) and running.config is not None),
        foreign=foreign,
        holds=holds,
        rekeyed=any(rekeyed(_running_config(found, file), file.content)
                    for file in found.files if file.kind == "keepalived"),
        unloaded=state["active"] and running.config is not None and found.config is not None
        and found.config.present is not None and running.needs_reload(found.config.present),
        moving=_host_io.read_text(_paths.MOVING).strip() == "1",
        leased=role == "keepalived" and any(map(os.path.lexists, (_paths.LEASE, _paths.LEASE_UNIT))),
        up=serving_backends(haproxy),
    )


def runs_what_is_there(role: str, found: Found) -> bool:
    """Whether the daemon has loaded the configuration that is to be replaced."""
    haproxy = _ask_haproxy(found) if role == "haproxy" else {}
    config = found.config
    return config is not None and config.present is not None and not _running(
        role, found, haproxy).needs_reload(config.present)


def _running(role: str, found: Found, haproxy: Mapping[str, Any]) -> _running_io.Running:
    return _running_io.running(role, bool(found.manifest), haproxy.get("description"))


def in_other_mode(as_pods: bool) -> List[str]:
    """Daemons of ours that run here in the mode that isn't planned."""
    return [role for role in _paths.ROLES if _runs_in_other_mode(role, as_pods)]


def _runs_in_other_mode(role: str, as_pod: bool) -> bool:
    if not as_pod:
        return _process_io.find_pod(role) is not None
    unit = systemd_unit(role)
    ours = _paths.DROP_INS[role] in unit.get("DropInPaths", "").split()
    return ours and unit.get("ActiveState") in ("active", "reloading")


def _ask_haproxy(found: Found) -> Dict[str, Any]:
    pod = bool(found.manifest) != ("haproxy" in found.other_mode)
    return _running_io.ask_haproxy(_pod_paths.SOCKET if pod else _paths.SOCKET, SOCKET_SECONDS)


def _keeps_the_vip() -> bool:
    """Whether keepalived is somebody else's service, which can't be told to hand over. HAProxy is restarted when it's
    ours."""
    text = _host_io.read_text(_paths.KEEPALIVED_CONFIG)
    return bool(text) and _paths.HEADER not in text and _process_io.find_service("keepalived") is not None


def _running_config(found: Found, file: File) -> Optional[bytes]:
    """What keepalived runs with, which in the other mode is another file."""
    if "keepalived" not in found.other_mode:
        return file.present
    return next(filter(None, (_host_io.read_file(layout.config["keepalived"])
                              for layout in _paths.LAYOUTS.values()
                              if layout.config["keepalived"] != file.path)), None)


def _pod(role: str, manifest: File) -> Tuple[Dict[str, bool], Optional[str]]:
    state = {"active": _process_io.find_pod(role) is not None, "enabled": True, "daemon_reload_needed": False}
    return state, _podstate.execution_of(manifest.content.decode("utf-8"))


def _service(role: str, found: Found) -> Tuple[Dict[str, bool], Optional[str]]:
    unit, path = systemd_unit(role), _paths.DROP_INS[role]
    planned = next((file for file in found.files if file.path == path), None)
    drop_in = planned.content.decode("utf-8") if planned else ""
    # systemd notices by itself that a drop-in has changed, but until 256 not that there is a new one.
    known = (path in unit.get("DropInPaths", "").split()) == bool(drop_in)
    changes = path in found.stale or (planned is not None and not planned.same_content)
    return {
        "active": unit.get("ActiveState") in ("active", "reloading"),
        "enabled": unit.get("UnitFileState") == "enabled",
        "daemon_reload_needed": changes or not known or unit.get("NeedDaemonReload") == "yes",
    }, _hostfacts.parse_execution(drop_in)


def systemd_unit(role: str) -> Dict[str, str]:
    properties = "--property=ActiveState,UnitFileState,NeedDaemonReload,DropInPaths,MainPID"
    output = _host_io.run(["systemctl", "show", properties, role + ".service"], SECONDS)
    pairs = (line.partition("=") for line in output.text.splitlines())
    return {name: value for name, equals, value in pairs if equals}
