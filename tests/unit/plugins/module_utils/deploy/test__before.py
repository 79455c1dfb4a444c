# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from hashlib import sha256

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.deploy import _before
from hypothesis import given
from hypothesis import strategies as st

NUMBERS = st.integers(0, 1 << 16)
COPIES = st.builds(_before.Copy, st.text(), st.text(), NUMBERS, NUMBERS, NUMBERS)
NOTES = st.builds(_before.Before, st.booleans(), st.booleans(), st.booleans(), st.text(),
                  st.dictionaries(st.text(), COPIES), st.dictionaries(st.text(), st.text()))


@given(NOTES)
def test_what_is_noted_is_read_again(note):
    assert _before.parsed(_before.written(note)) == note


@given(st.one_of(st.binary(max_size=50), st.recursive(
    st.one_of(st.none(), st.integers(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.sampled_from(
        ["version", "files", "foreign", "active", "enabled", "sysctls", "x"]), inner)),
    max_leaves=8).map(lambda value: json.dumps(value).encode())))
def test_what_is_no_note_is_unreadable(content):
    with pytest.raises(_before.Unreadable):
        _before.parsed(content)


@pytest.mark.parametrize("content, mode, uid, gid, why", [
    (b"x", 0o640, 1, 2, ""),
    (None, 0o640, 1, 2, "it's gone"),
    (b"y", 0o640, 1, 2, "its content has changed"),
    (b"x", 0o640, 0, 2, "its owner was 1:2 and is 0:2"),
    (b"x", 0o644, 1, 2, "its mode was 0640 and is 0644"),
])
def test_what_does_not_fit(content, mode, uid, gid, why):
    copy = _before.Copy("/copy", sha256(b"x").hexdigest(), 0o640, 1, 2)
    assert _before.misfit(copy, content, mode, uid, gid) == why


@pytest.mark.parametrize("config, binds", [
    ("frontend x\n    bind *:8443\n", [("127.0.0.1", 8443)]),
    ("listen x\n  bind :6443 ssl crt /x # bind :1\n", [("127.0.0.1", 6443)]),
    ("  bind 127.0.0.1:8443,[::]:9443\n", [("127.0.0.1", 8443), ("::1", 9443)]),
    # Another host may have these, and what has no number says nothing.
    ("  bind 198.51.100.100:8443\n  bind /run/x.sock\n  bind \"$HOST\":8000-8010\n# bind :5\n", []),
])
def test_where_connections_are_taken_on_every_host(config, binds):
    assert [(item["host"], item["port"]) for item in _before.local_binds(config)] == binds
