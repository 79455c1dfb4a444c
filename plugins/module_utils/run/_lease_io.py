# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The lease on a stopped keepalived, as files of the host and as a service that is there only as long as the lease.

The service runs this collection's own code, put into one archive with all that it imports: it needs nothing but the
Python that Ansible uses on the host.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any, Dict, List, Mapping

from ..daemons import _podstate
from ..host import _archive_io, _host_io, _owned_files_io, _sandbox
from ..model import _paths, _pod_paths
from . import _lease, _lease_watch_io, _run_lock_io

if TYPE_CHECKING:
    from ..model._model import Plan

FILE = _lease_watch_io.FILE
MANIFEST = _lease_watch_io.MANIFEST
PROGRAM = "/usr/libexec/kubeha/lease.pyz"
UNIT_FILE = _paths.LEASE_UNIT
UNIT = os.path.basename(UNIT_FILE)
_SECONDS = 60.0


def unit(manifest: str, python: str) -> str:
    writes = [_paths.STATE, _paths.RUN, *([os.path.dirname(manifest)] if manifest else [])]
    sandbox = _sandbox.helper(["CAP_NET_RAW"], ["AF_UNIX", "AF_NETLINK", "AF_PACKET", "AF_INET", "AF_INET6"], writes)
    return "\n".join([
        "# " + _paths.HEADER,
        "[Unit]",
        "Description=Start keepalived again when the run that has stopped it is gone",
        "After=network-online.target",
        "ConditionPathExists=" + FILE,
        "StartLimitIntervalSec=0",
        "",
        "[Service]",
        "ExecStart=%s -I -B %s" % (python, PROGRAM),
        "Restart=on-failure",
        "RestartSec=10s",
        "SyslogIdentifier=kubeha",
        # After a restart of the host nobody else may have made it yet.
        "RuntimeDirectory=" + os.path.basename(_paths.RUN),
        "RuntimeDirectoryPreserve=yes",
        *sandbox,
        "",
        "[Install]",
        "WantedBy=multi-user.target",
        "",
    ])


def archive() -> bytes:
    return _archive_io.packed(_lease_watch_io.__name__)


def take(plan: Plan, owner: Mapping[str, Any], life: float, silent: bool) -> bool:
    """Take or renew it. False where keepalived is to be `silent` and runs: then nothing is done."""
    folder = _podstate.manifest_dir(plan)
    manifest = _pod_paths.manifest_path(folder, "keepalived") if folder else ""
    with _run_lock_io.guarded():
        # What the host's program does it does in here, too: it can't start anything in between.
        before, clock, mode = _lease_watch_io.read(), _run_lock_io.clock(), "static_pod" if folder else "service"
        running = _lease_watch_io.runs(_lease.begun({}, clock, owner, life, mode, manifest))
        if silent and running:
            return False
        store(_lease.begun(before, clock, owner, life, mode, manifest, running))
    put(manifest)
    return True


def put(manifest: str) -> None:
    """The program, its unit, and the manifest that the kubelet gets back. Then systemd runs it, over reboots too."""
    if manifest:
        _lease_watch_io.put_aside(manifest)
    changed = False
    for path, content in ((PROGRAM, archive()), (UNIT_FILE, unit(manifest, sys.executable).encode())):
        if _owned_files_io.read(path) != content or _owned_files_io.mend(path, 0o644):
            _owned_files_io.make_folder(os.path.dirname(path))
            _owned_files_io.write(path, content, 0o644)
            changed = True
    if changed:
        _systemctl("daemon-reload")
    if changed or not _is_on():
        _systemctl("enable", UNIT)
        _systemctl("restart", UNIT)


def _is_on() -> bool:
    said = _host_io.run(["systemctl", "show", "--property=ActiveState,UnitFileState", UNIT], _SECONDS).text.split()
    return {"ActiveState=active", "UnitFileState=enabled"} <= set(said)


def end() -> bool:
    """Whether there was anything."""
    found = [path for path in (FILE, MANIFEST, PROGRAM, UNIT_FILE) if os.path.lexists(path)]
    if not found:
        return False
    # Without the lease nothing is started any more, whatever the program is about to do.
    with _run_lock_io.guarded():
        _owned_files_io.remove(FILE)
    if UNIT_FILE in found:
        _host_io.run(["systemctl", "disable", "--now", UNIT], _SECONDS)
    for path in found[:]:
        _owned_files_io.remove(path)
    with contextlib.suppress(OSError):
        # Where nothing else of ours is there any more.
        os.rmdir(os.path.dirname(PROGRAM))
    if UNIT_FILE in found:
        _host_io.run(["systemctl", "daemon-reload"], _SECONDS)
        _host_io.run(["systemctl", "reset-failed", UNIT], _SECONDS)
    return True


def is_there() -> bool:
    return any(os.path.lexists(path) for path in (FILE, MANIFEST, PROGRAM, UNIT_FILE))


def look() -> Dict[str, Any]:
    """For `status`: nothing where there's no lease."""
    lease = _lease_watch_io.read()
    return _lease.described(lease, _run_lock_io.clock(), _lease_watch_io.runs(lease)) if lease else {}


def _systemctl(*words: str) -> None:
    command: List[str] = ["systemctl", *words]
    output = _host_io.run(command, _SECONDS)
    if output.code != 0:
        raise OSError("%s: %s" % (" ".join(command), output.error or output.text.strip()))


def store(lease: _lease.Lease) -> None:
    _owned_files_io.make_folder(os.path.dirname(FILE))
    _owned_files_io.write(FILE, (json.dumps(lease, indent=1) + "\n").encode(), 0o600)
