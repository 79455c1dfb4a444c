# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import sys

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _host_io
from ansible_collections.kubeha.apiserver.plugins.modules import endpoint_files
from ansible_collections.kubeha.apiserver.tests.unit.plugins.modules.files_hosts import (
    ELSE,
    NEW,
    OLD,
    STRIDE,
    forms,
    holding,
)

CHANGES = ("os.chmod", "os.chown", "os.rename", "os.remove", "os.rmdir", "os.link", "shutil.", "subprocess.")


def states_of_death(act, root):
    """Run `act` in a process that copies `root` before each of its changes: what is left where it's killed there."""
    states = root.parent / "states"
    states.mkdir()
    child = os.fork()
    if child == 0:
        count, copies = itertools.count(), False

        def hook(event, arguments):
            nonlocal copies
            writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
            if (writes or event.startswith(CHANGES)) and not copies:
                copies = True
                shutil.copytree(root, states / ("%04d" % next(count)), symlinks=True)
                copies = False

        sys.addaudithook(hook)
        code = 1
        try:
            act()
            code = 0
        finally:
            os._exit(code)  # pytest's own clean-up is the parent's
    assert os.waitpid(child, 0)[1] == 0, "it broke off, so later states are missing"
    return sorted(states.iterdir())


@pytest.mark.parametrize("change", ["first", "other", "back", "absent", "without"])
def test_a_run_that_is_killed_leaves_a_secret_only_where_it_belongs(guarded, change):
    if change != "first":
        guarded.binary("keepalived", "exit 0")
        guarded.deploy(OLD)
        guarded.loads()
    if change == "back":
        guarded.deploy(NEW)
    guarded.binary("keepalived", "exit 0")
    act = {
        "first": lambda: guarded.deploy(NEW), "other": lambda: guarded.deploy(NEW),
        "without": lambda: guarded.deploy(NEW, auth=False),
        "back": lambda: guarded.run(guarded.files(keepalived=""), role="keepalived", state="previous"),
        "absent": lambda: guarded.run([], role="keepalived", state="absent"),
    }[change]
    belongs = [guarded.CONF, guarded.AUTH]
    previous = [guarded.STATE + "previous/keepalived" + str(guarded.root) + "/" + path for path in belongs]
    scratch = re.compile(r"(.*/)?\.[^/]*(kubeha|keepalived)-[^/]*(/.*)?")
    seen = set()
    for state in states_of_death(act, guarded.root)[::STRIDE]:
        guarded.restore(state)
        left = holding(guarded.root, OLD, NEW)
        assert set(left.values()) <= {0o600}, (state, left)
        assert all(path in belongs + previous or scratch.fullmatch(path) for path in left), (state, left)
        as_before = guarded.fingerprint()
        if as_before in seen:
            continue
        seen.add(as_before)
        # The next run sweeps, and so does removal.
        guarded.deploy(ELSE)
        left = holding(guarded.root, OLD, NEW)
        assert set(left) <= set(previous), (state, left)
        assert set(holding(guarded.root, ELSE)) == set(belongs) and guarded.left() == [], state
        assert not guarded.deploy(ELSE)["changed"]
        guarded.restore(state)
        guarded.run([], role="keepalived", state="absent")
        assert holding(guarded.root, OLD, NEW) == {} and guarded.left() == [], state
    assert len(seen) > (2 if STRIDE == 1 else 0)


def test_differences_of_what_goes_hide_its_secrets(guarded):
    guarded.binary("keepalived", "exit 0")
    guarded.deploy(OLD)
    # As with a change of mode, or without endpoint_image_auth: this run knows neither secret.
    result = guarded.run(guarded.files(hook="#!/bin/sh\n"), role="keepalived", check_mode=True, diff=True)
    assert sorted(result["removed_files"]) == sorted(guarded.path("/" + path) for path in (guarded.CONF, guarded.AUTH))
    shown = json.dumps(result)
    assert "auth_pass (hidden)" in shown and not any(form.decode() in shown for form in forms(OLD))


def test_a_copy_of_the_module_with_its_secrets_goes_before_it_does_anything(tmp_path, monkeypatch):
    payload, other = tmp_path / "AnsiballZ_endpoint_files.py", tmp_path / "AnsiballZ_other.py"
    for path in (payload, other):
        path.write_text("")
    words = b"/usr/bin/python3\0%s\0%s\0" % (str(payload).encode(), str(other).encode())
    monkeypatch.setattr(_host_io, "read_file", lambda path: words)
    endpoint_files.forget_payload()
    endpoint_files.forget_payload()
    assert not payload.exists() and other.exists()
