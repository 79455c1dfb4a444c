# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.daemons import _keepalived_state as keepalived
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
            "rejected": {},
        }
    }


def dump(**stats):
    return keepalived.parse_dump(json.dumps([{"data": DATA, "stats": stats}]).encode())


def test_what_was_rejected():
    # As 2.2.7 and 2.4.3 name them.
    quiet = {"advert_rcvd": 1, "advert_sent": 17, "become_master": 1, "release_master": 1, "pri_zero_rcvd": 2,
             "pri_zero_sent": 1}
    counted = {"packet_len_err": 1, "advert_interval_err": 2, "ip_ttl_err": 3, "invalid_type_rcvd": 4,
               "addr_list_err": 5, "invalid_authtype": 6, "authtype_mismatch": 7, "auth_failure": 8,
               "auth_ext_invalid_hmac": 9, "auth_ext_stale": 10}
    assert dump(**quiet, **counted)["kube-apiserver-ipv4"]["rejected"] == counted
    assert dump(**quiet)["kube-apiserver-ipv4"]["rejected"] == {}
    assert dump(auth_failure="9", ip_ttl_err=True, packet_len_err=None)["kube-apiserver-ipv4"]["rejected"] == {}


def test_what_was_rejected_meanwhile():
    name = "kube-apiserver-ipv4"
    old, new = dump(auth_failure=3, ip_ttl_err=1), dump(auth_failure=11, ip_ttl_err=1, packet_len_err=2)
    assert keepalived.rejected_since(old, new) == {name: {"auth_failure": 8, "packet_len_err": 2}}
    assert keepalived.rejected_since(new, new) == {}
    assert keepalived.rejected_since(new, old) == {}  # it was started again
    assert keepalived.rejected_since({}, {name: {}}) == {}


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
