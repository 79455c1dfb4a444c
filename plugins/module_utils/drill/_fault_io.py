# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A fault on this host: armed by a run, begun and ended by a program of the host's, and ended early by a run."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional

from ..daemons import _podstate, _process_io
from ..host import _archive_io, _deployed_io, _host_io, _owned_files_io
from ..model import _accessors, _paths, _pod_paths
from ..model._planfile import NO_PLAN
from ..run import _run_lock_io
from . import _fault

if TYPE_CHECKING:
    from ..model._model import Endpoint

_SECONDS = 30.0
_RELEASED = 5.0
_PAUSE = 0.05
_APISERVER = "kube-apiserver.yaml"
_MANIFESTS = "/etc/kubernetes/manifests"


class Impossible(Exception):
    """This fault can't be made on this host."""


# What would be done


def plan(fault: str, host: Optional[str], apiserver_unit: Optional[str] = None) -> _fault.Work:
    """What the fault means here; Impossible says why it can't be."""
    if _host_io.find_binary("systemd-run") is None:
        raise Impossible("there is no systemd-run, so nothing would end it")
    deployed = _deployed_io.read_deployed().keepalived
    endpoints = _accessors.endpoints_of(deployed, host or "") if deployed else []
    if not deployed or not endpoints:
        raise Impossible("nothing is deployed here")
    folder = _podstate.manifest_dir(deployed)
    work = _fault.Work(fault)
    if fault == _fault.HANDOVER:
        _require_moving(endpoints)
        return work._replace(moving=True)
    if fault in (_fault.KEEPALIVED_STOP, _fault.HAPROXY_STOP):
        role = "keepalived" if fault == _fault.KEEPALIVED_STOP else "haproxy"
        if folder:
            return work._replace(manifests=(_there(_pod_paths.manifest_path(folder, role)),))
        return work._replace(units=(_active(role + ".service"),))
    if fault == _fault.APISERVER_STOP:
        if apiserver_unit:
            return work._replace(units=(_active(apiserver_unit),))
        found = folder or _process_io.find_kubelet()["static_pod_path"] or _MANIFESTS
        return work._replace(manifests=(_there(os.path.join(found, _APISERVER)),))
    if fault == _fault.HAPROXY_HANG:
        if not _process_io.our_pids("haproxy"):
            raise Impossible("no HAProxy of ours runs here")
        return work._replace(hung=True)
    if fault == _fault.NETWORK_CUT:
        if _host_io.find_binary("nft") is None:
            raise Impossible("there is no nft to drop packets with")
        names = sorted(link.name for link in _host_io.read_links() if link.up and _fault.is_device(link.name))
        return work._replace(devices=tuple(names[:16]))
    return work


def _require_moving(endpoints: List[Endpoint]) -> None:
    config = _host_io.read_file(_paths.LAYOUTS[endpoints[0]["mode"]].config["keepalived"]) or b""
    if _paths.MOVING.encode() not in config:
        raise Impossible("keepalived doesn't watch %s: run site" % _paths.MOVING)


def _there(path: str) -> str:
    if not os.path.isfile(path):
        raise Impossible("there is no manifest %s" % path)
    return path


def _active(unit: str) -> str:
    said = _host_io.run(["systemctl", "is-active", unit], _SECONDS).text.strip()
    if said != "active":
        raise Impossible("%s isn't active" % unit)
    return unit


def held(host: Optional[str]) -> List[str]:
    """VIPs that this host has."""
    here = {address.address for address in _host_io.read_addresses()}
    endpoints = _accessors.endpoints_of(_deployed_io.read_deployed().keepalived or NO_PLAN, host or "")
    return [vip["address"] for endpoint in endpoints for vip in endpoint["vips"] if vip["address"] in here]


# Begin


def arm(work: _fault.Work, seconds: float) -> _fault.Work:
    """Everything that ends the fault, then what begins it. Raises OSError where that isn't seen; nothing is broken."""
    if read() is not None:
        raise OSError("a fault of an earlier drill isn't over here")
    _owned_files_io.make_folder(_paths.STATE)
    try:
        for path in work.manifests:
            _owned_files_io.write(_fault.MANIFEST, _owned_files_io.read(path) or b"", 0o600)
        for path, content in (
                (_fault.PROGRAM, _archive_io.packed(_PROGRAM_NAME)),
                (_fault.UNIT_FILE, _fault.unit(sys.executable, [os.path.dirname(p) for p in work.manifests]).encode())):
            _owned_files_io.make_folder(os.path.dirname(path))
            _owned_files_io.write(path, content, 0o644)
        _command("systemctl", "daemon-reload")
        _command("systemctl", "enable", "--quiet", _fault.UNIT)
        # A busy host takes its time for all that.
        clock = _run_lock_io.clock()
        work = work._replace(boot=clock.boot, due=round(clock.now + _fault.DELAY + seconds, 3))
        _see(work, injected=None, undone=None, error="")
        _owned_files_io.write(_fault.FILE, (json.dumps(work.noted()) + "\n").encode(), 0o600)
        _command(*_fault.timer(_fault.DELAY + seconds))
        if not is_armed():
            raise OSError("the timer that would end the fault isn't there")
        _command(*_fault.injector(_fault.DELAY, sys.executable))
    except OSError:
        undo()
        raise
    return work


def is_armed() -> bool:
    return _fault.armed(_host_io.run(_fault.ARMED, _SECONDS).text)


def inject() -> None:
    """Where the timer is seen, and there's time left."""
    with _run_lock_io.guarded():
        work, clock = read(), _run_lock_io.clock()
        if work is None:
            return
        if _fault.is_late(work, clock) or not is_armed():
            _see(work, error="it wasn't begun, because its end wasn't certain")
            return
        _see(work, injected=round(clock.now, 3))
        _break(work)


def _break(work: _fault.Work) -> None:
    if work.moving:
        _mark("1")
    for unit in work.units:
        _command("systemctl", "stop", "--no-block", unit)
    for path in work.manifests:
        # It may have changed since.
        _owned_files_io.write(_fault.MANIFEST, _owned_files_io.read(path) or b"", 0o600)
        _owned_files_io.remove(path)
    if work.hung:
        _signal(signal.SIGSTOP)
    if work.devices:
        _filter(_fault.cut())
        _filter(_fault.mute(work.devices), must=False)
    if work.fault == _fault.REBOOT:
        _command("systemctl", "reboot", "--no-block")


# End


def undo() -> Optional[str]:
    """Put back what there is to put back, whoever does it first. The fault, or None where there was none."""
    _host_io.run(["systemctl", "stop", _fault.INJECTOR + ".timer"], _SECONDS)
    with _run_lock_io.guarded():
        work = read()
        if work is not None:
            _mend(work)
            seen = look()
            if seen.get("undone") is None:
                _see(work, undone=round(_run_lock_io.clock().now, 3))
            _owned_files_io.remove(_fault.FILE)
    _forget()
    return work.fault if work is not None else None


def _mend(work: _fault.Work) -> None:
    """All of it is tried, whatever fails."""
    failed: List[str] = []

    def attempt(*words: str) -> None:
        try:
            _command(*words)
        except OSError as error:
            failed.append(str(error))

    if work.devices:
        for family in _fault.FAMILIES:
            listed = _host_io.run([_nft(), "list", "table", family, _fault.TABLE], _SECONDS)
            if listed.code == 0:
                attempt(_nft(), "delete", "table", family, _fault.TABLE)
    if work.hung:
        _signal(signal.SIGCONT)
    for path in work.manifests:
        content = _owned_files_io.read(_fault.MANIFEST)
        if content and not os.path.lexists(path):
            _owned_files_io.write(path, content, 0o600)
    for unit in work.units:
        attempt("systemctl", "start", "--no-block", unit)
    if work.moving:
        _mark("0")
    if failed:
        raise OSError("; ".join(failed))


def _forget() -> None:
    """Leave nothing behind but when it was, which a restart of the host forgets."""
    _host_io.run(["systemctl", "stop", _fault.TIMER], _SECONDS)
    if os.path.lexists(_fault.UNIT_FILE):
        _host_io.run(["systemctl", "disable", "--quiet", _fault.UNIT], _SECONDS)
    gone = [_owned_files_io.remove(path) for path in (_fault.MANIFEST, _fault.PROGRAM, _fault.UNIT_FILE)]
    if any(gone):
        _host_io.run(["systemctl", "daemon-reload"], _SECONDS)


# What is noted


def read() -> Optional[_fault.Work]:
    try:
        found: Optional[_fault.Work] = _fault.work_of(
            json.loads((_owned_files_io.read(_fault.FILE, 1 << 16) or b"null").decode("utf-8")))
    except (ValueError, RecursionError):
        return None
    return found


def look() -> Dict[str, Any]:
    """When the last one began and ended, in seconds since boot, beside both clocks."""
    try:
        seen = json.loads((_owned_files_io.read(_fault.SEEN, 1 << 16) or b"{}").decode("utf-8"))
    except (ValueError, RecursionError):
        seen = {}
    clock = _run_lock_io.clock()
    found = seen if isinstance(seen, dict) and seen.get("boot") == clock.boot else {}
    return dict({"fault": None, "injected": None, "undone": None, "error": ""}, **found, now=round(clock.now, 3),
                wall=round(time.time(), 3))


def forget_seen() -> None:
    _owned_files_io.remove(_fault.SEEN)


def _see(work: _fault.Work, **more: Any) -> None:
    known = {key: value for key, value in look().items() if key not in ("now", "wall")}
    _owned_files_io.make_folder(_paths.RUN)
    note: Mapping[str, Any] = dict(known, **more, fault=work.fault, boot=work.boot)
    _owned_files_io.write(_fault.SEEN, (json.dumps(note) + "\n").encode(), 0o600)


# Means


def _mark(value: str) -> None:
    _owned_files_io.make_folder(_paths.DRAIN)
    _owned_files_io.write(_paths.MOVING, (value + "\n").encode(), 0o644)


def _signal(number: int) -> None:
    for pid in _process_io.our_pids("haproxy"):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _nft() -> str:
    return _host_io.find_binary("nft") or "nft"


def _filter(rules: str, must: bool = True) -> None:
    path = _paths.RUN + "/drill.nft"
    _owned_files_io.write(path, rules.encode(), 0o600)
    try:
        output = _host_io.run([_nft(), "-f", path], _SECONDS)
    finally:
        _owned_files_io.remove(path)
    if must and output.code != 0:
        raise OSError("nft: %s" % (output.error or output.text.strip()))


def _command(*words: str) -> None:
    output = _host_io.run(list(words), _SECONDS)
    if output.code != 0:
        raise OSError("%s: %s" % (" ".join(words[:3]), output.error or output.text.strip()))


def main() -> None:
    """The host's own program."""
    try:
        if sys.argv[1:] == ["inject"]:
            inject()
        else:
            ended = undo()
            if ended:
                sys.stdout.write("the drill's fault %s is over\n" % ended)
    except (OSError, _host_io.Timeout) as error:
        work = read()
        if work is not None:
            _see(work, error=str(error))
        raise SystemExit(str(error)) from None


_PROGRAM_NAME = __name__
