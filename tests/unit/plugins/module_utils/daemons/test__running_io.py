# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One answer to what runs and what is pending, for endpoint_files, endpoint_info and endpoint_pod."""

from __future__ import annotations

from hashlib import sha256

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.daemons import _podstate, _process_io, _running_io
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _host_io

CONFIG = b"global\n    description kubeha:02\n"
NOTED = sha256(CONFIG).hexdigest()


def running(monkeypatch, pod, noted, says=None, execution=None):
    notes = {_podstate.RUNNING["haproxy"]: noted, _podstate.EXECUTION["haproxy"]: execution}
    monkeypatch.setattr(_process_io, "note", notes.get)
    return _running_io.running("haproxy", pod, says)


@pytest.mark.parametrize("pod, noted, says, expected", [
    (False, NOTED, None, False), (False, "another", None, True), (False, None, None, True),
    # What HAProxy says of itself counts first, and a file that was edited by hand keeps its mark.
    (False, NOTED, "kubeha:01", True), (False, None, "kubeha:02", False), (False, "another", "kubeha:02", True),
    # A pod's note is of its start.
    (True, NOTED, None, False), (True, "another", "kubeha:02", False), (True, NOTED, "kubeha:01", True),
    (True, None, None, True),
])
def test_what_is_loaded_is_what_lies_there(monkeypatch, pod, noted, says, expected):
    assert running(monkeypatch, pod, noted, says).needs_reload(CONFIG) is expected


@pytest.mark.parametrize("noted, wanted, expected", [
    ("e1", "e1", False), ("e0", "e1", True),
    # It was started before there was a drop-in of ours, or a manifest.
    (None, "e1", True), (None, None, False), ("e1", None, True),
])
def test_what_was_started_is_what_lies_there(monkeypatch, noted, wanted, expected):
    assert running(monkeypatch, False, NOTED, execution=noted).needs_restart(wanted) is expected


@pytest.mark.parametrize("error, said", [
    (FileNotFoundError(2, "no such file"), {}),
    (_host_io.Timeout("no answer within 1 s"), {"hung": True, "error": "no answer within 1 s"}),
    (ConnectionRefusedError(111, "refused"), {"hung": False, "error": "[Errno 111] refused"}),
    (None, {"hung": False, "error": "no statistics in the answer: 'odd'"}),
])
def test_a_haproxy_that_says_nothing_good(monkeypatch, error, said):
    def ask(path, question, seconds):
        if error:
            raise error
        return b"odd"

    monkeypatch.setattr(_host_io, "ask_unix_socket", ask)
    assert _running_io.ask_haproxy("/x", 1.0) == said


def test_a_haproxy_that_answers(monkeypatch):
    answer = b"Version: 3.0.11\nPid: 8\nStopping: 0\ndescription: kubeha:02\n\n# pxname,svname,status\n"
    monkeypatch.setattr(_host_io, "ask_unix_socket", lambda path, question, seconds: answer)
    said = _running_io.ask_haproxy("/x", 1.0)
    assert (said["version"], said["description"], said["hung"], said["error"]) == ("3.0.11", "kubeha:02", False, None)
