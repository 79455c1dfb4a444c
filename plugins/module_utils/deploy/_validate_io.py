# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What programs say of files before these are put into place: the daemons themselves, and shells of scripts."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Callable, List

from ..daemons import _confined_io, _keepalived, _podstate, _process_io, _running_io
from ..host import _host_io
from ..host import _owned_files_io as owned
from ..model import _paths
from ._found import File, Found

SECONDS = 30.0

Findings = Callable[[int, str], List[str]]


def validate(role: str, found: Found) -> None:
    """Note what isn't valid, and what nobody here can tell of."""
    to_check = [file for file in found.files if not file.same_content]
    if not to_check:
        return
    if found.manifest:
        _validate_in_pod(role, found, to_check)
        return
    # Not in Ansible's own temporary folder: keepalived looks at its scripts as the user that will run them.
    staging = tempfile.mkdtemp(prefix=_scratch_prefix(), dir=_existing_parent())
    try:
        os.chmod(staging, 0o755)
        for file in found.files:
            _stage(file, staging)
        for file in to_check:
            _validate_file(file, staging, found)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _validate_in_pod(role: str, found: Found, to_check: List[File]) -> None:
    """By the binary that will load it: in the running pod, which sees its configuration's folder as the host does.

    A pod that will be started from another manifest has another binary, and none that runs is none to ask.
    """
    for file in to_check:
        if file.kind == "pod-script":
            _judge_script(file, found)
    config, manifest = found.config, found.manifest
    if config is None or manifest is None or config.same_content:
        return
    process = _process_io.find_pod(role)
    if process is None or _running_io.running(role, True, None).needs_restart(
            _podstate.execution_of(manifest.content.decode())):
        found.not_validated.append("%s: no pod runs that could tell" % config.path)
        return
    place, haproxy = _confined_io.STDIN, config.kind == "haproxy"
    argv = ["haproxy", "-c", "-f", place] if haproxy else ["keepalived", *_keepalived.test_options(place)]
    output = _confined_io.run_beside(process, argv, config.tested, SECONDS)
    _note(config, found, output, argv, place, config.path, _haproxy_findings if haproxy else _keepalived.findings)


def _judge_script(file: File, found: Found) -> None:
    with tempfile.TemporaryDirectory(prefix=_scratch_prefix(), dir=_existing_parent()) as staging:
        path = os.path.join(staging, os.path.basename(file.path))
        owned.write_new(path, file.tested, 0o600)
        _judge(file, found, ["sh", "-n", path], staging, _script_findings)


def _stage(file: File, staging: str) -> None:
    content = file.tested
    if file.kind == "keepalived":
        # keepalived misses scripts and folders that aren't there; before the first run none of them are.
        folders = [os.path.join(_paths.RUN, name) for name in _paths.ROLES] + [_paths.DRAIN]
        for folder in folders:
            owned.make_folder(staging + folder)
        places = {path: staging + path for path in [*folders, _paths.CHECK, _paths.NOTIFY] if not os.path.exists(path)}
        content = _keepalived.relocated(content.decode("utf-8"), places).encode("utf-8")
    path = staging + file.path
    owned.make_folder(os.path.dirname(path))
    owned.write_new(path, content, file.mode, file.uid, file.gid)


def _validate_file(file: File, staging: str, found: Found) -> None:
    path = staging + file.path
    if file.kind == "script":
        _judge(file, found, ["bash", "-n", path], staging, _script_findings)
    elif file.kind == "haproxy":
        _judge(file, found, ["haproxy", "-c", "-f", path], staging, _haproxy_findings)
    elif file.kind == "keepalived":
        if not _host_io.has_user(_paths.SCRIPT_USER):
            found.not_validated.append("%s: there is no user %s yet" % (file.path, _paths.SCRIPT_USER))
            return
        binary = _host_io.find_binary("keepalived")
        command = _keepalived.test_command(binary, path) if binary else ["keepalived"]
        _judge(file, found, command, staging, _keepalived.findings)


def _judge(file: File, found: Found, command: List[str], staging: str, findings: Findings) -> None:
    binary = _host_io.find_binary(command[0])
    if binary is None:
        found.not_validated.append("%s: %s isn't installed" % (file.path, command[0]))
        return
    output = _host_io.run([binary] + command[1:], SECONDS)
    _note(file, found, output, command, staging, "", findings)


def _note(file: File, found: Found, output: _host_io.Output, command: List[str], place: str, shown: str,
          findings: Findings) -> None:
    """What is said of a file at a place that nobody has to know of."""
    said = [output.error] if output.code is None else findings(output.code, output.text)
    if said:
        found.invalid.append({
            "path": file.path,
            "command": " ".join(command).replace(place, shown),
            "findings": [line.replace(place, shown) for line in said],
        })


def _haproxy_findings(code: int, text: str) -> List[str]:
    return [] if code == 0 else _script_findings(code, text) or ["haproxy -c ended with %d" % code]


def _script_findings(code: int, text: str) -> List[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()] if code else []


def _scratch_prefix() -> str:
    """Of a folder that tells whose it is: what its process leaves is for the next run to remove."""
    return ".kubeha-staging-%d-" % os.getpid()


def _existing_parent() -> str:
    path = _paths.STATE
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path
