# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import stat

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.deploy import _found
from ansible_collections.kubeha.apiserver.plugins.module_utils.deploy._found import File, Found, Status

THERE = Status(stat.S_IFREG, 0o644, 0, 0)


def file(**values):
    return File(**{"path": "/x", "kind": "haproxy", "owner": "root", "group": "root", "uid": 0, "gid": 0, "mode": 0o644,
                   "content": b"one\n", "present": b"one\n", "status": THERE, **values})


@pytest.mark.parametrize("values, changed", [
    ({}, False), ({"present": b"two\n"}, True), ({"present": None, "status": None}, True),
    ({"status": THERE._replace(mode=0o666)}, True), ({"status": THERE._replace(uid=1)}, True),
    ({"status": THERE._replace(gid=1)}, True),
    # A link to a file that says the same.
    ({"status": THERE._replace(kind=stat.S_IFLNK)}, True),
])
def test_what_is_replaced(values, changed):
    assert file(**values).changed is changed


def test_only_what_somebody_wrote_is_adopted_and_copied():
    kinds = [file(path=ownership, ownership=ownership, guarded=True, present=b"other\n")
             for ownership in ("ours", "package_default", "foreign", "absent")]
    found = Found([*kinds, file(path="same", ownership="foreign", guarded=True)])
    assert [item.path for item in found.adopted] == ["foreign"]
    assert [item.path for item in found.rewritten] == ["ours", "foreign", "absent"]


@pytest.mark.parametrize("differs, force", [
    ({}, "nothing"), ({"enabled": False}, "enable"), ({"moving": True}, "enable"), ({"leased": True}, "enable"),
    ({"changed": True, "enabled": False}, "files"), ({"pending_reload": True, "changed": True}, "reload"),
    ({"needs_restart": True, "pending_reload": True}, "restart"), ({"active": False, "needs_restart": True}, "start"),
])
def test_the_least_force(differs, force):
    nothing = {"active": True, "needs_restart": False, "pending_reload": False, "changed": False, "enabled": True,
               "moving": False, "leased": False}
    assert _found.least_force({**nothing, **differs}) == force


@pytest.mark.parametrize("running, planned, expected", [
    (b"auth_pass one\n", b"auth_pass two\n", True), (b"auth_pass one\n", b"auth_pass one\n", False),
    # Another VRRP altogether, or none that runs.
    (None, b"auth_pass one\n", False), (b"\xff\n", b"auth_pass one\n", False), (b"auth_pass one\n", b"\n", False),
])
def test_whether_members_would_have_different_passwords(running, planned, expected):
    assert _found.rekeyed(running, planned) is expected


def test_endpoints_of_which_haproxy_sees_an_api_server():
    backends = {"b": [{"status": "DOWN"}, {"status": "UP 1/2"}], "a": [{"status": "UP"}], "c": [{"status": "no check"}]}
    assert _found.serving_backends({"backends": backends}) == ["a", "b"]
    assert _found.serving_backends({"hung": True}) == []
