# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils import _keepalived_state as keepalived
from hypothesis import given
from hypothesis import strategies as st

DATA = {
    "iname": "kube-apiserver-ipv4",
    "state": 2,
    "vrid": 100,
    "base_priority": 150,
    "effective_priority": 100,
    "master_priority": 0,
    "last_transition": 1795382127.459693,
}
DUMP = json.dumps([{"data": DATA, "stats": {"advert_sent": 17}}]).encode()


def test_parse_version():
    assert keepalived.parse_version("Keepalived v2.2.7 (01/16,2022)\n\nCopyright(C)") == "2.2.7"
    assert keepalived.parse_version("keepalived: not found") is None


def test_parse_dump():
    assert keepalived.parse_dump(DUMP) == {
        "kube-apiserver-ipv4": {
            "state": "master",
            "virtual_router_id": 100,
            "priority": 150,
            "effective_priority": 100,
            "master_priority": 0,
            "last_transition": 1795382127.459693,
        }
    }


def test_parse_dump_of_json_version_2():
    assert list(keepalived.parse_dump(json.dumps({"vrrp": json.loads(DUMP), "track_process": []}).encode())) == [
        "kube-apiserver-ipv4"
    ]


@pytest.mark.parametrize("state, name", [(0, "init"), (1, "backup"), (3, "fault"), (9, "9"), ("x", "unknown")])
def test_states(state, name):
    dump = json.dumps([{"data": dict(DATA, state=state)}]).encode()
    assert keepalived.parse_dump(dump)["kube-apiserver-ipv4"]["state"] == name


@pytest.mark.parametrize("content", [b"", DUMP[:-1], b"{}", b"3", b'[{"data": {}}]', b"[[]]", b"\xff", b"[" * 100000])
def test_incomplete_dumps(content):
    with pytest.raises(keepalived.DumpError):
        keepalived.parse_dump(content)


def test_expects_signal():
    # As keepalived 2.2.7 shows itself: SIGRTMIN+2, 36, is among those that it blocks to read them from a descriptor.
    status = "SigBlk:\t4000000800014a03\nSigIgn:\tbffffff67ffab034\nSigCgt:\t0000000000000000\n"
    assert keepalived.expects_signal(status, 36)
    assert not keepalived.expects_signal(status, 37)
    assert not keepalived.expects_signal("SigIgn:\tffffffffffffffff\n", 36)
    assert not keepalived.expects_signal("", 36)


@given(st.binary(max_size=60), st.integers(0, len(DUMP)), st.integers(0, len(DUMP)))
def test_mutated_dumps(junk, start, end):
    for content in (junk, DUMP[:start] + junk + DUMP[end:]):
        try:
            keepalived.parse_dump(content)
        except keepalived.DumpError:
            pass


@given(st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_any_json(value):
    for content in (value, [{"data": value}], {"vrrp": value}):
        try:
            keepalived.parse_dump(json.dumps(content).encode())
        except keepalived.DumpError:
            pass


@given(st.text(), st.integers(1, 64))
def test_any_status(text, signal):
    keepalived.expects_signal(text, signal)
