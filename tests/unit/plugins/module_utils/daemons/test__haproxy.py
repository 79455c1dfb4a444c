# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from hashlib import sha256

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.daemons import _haproxy as haproxy
from hypothesis import given
from hypothesis import strategies as st

VERSION_DATA = [
    ("HA-Proxy version 2.2.9-2+deb11u7 2025/10/03 - https://haproxy.org/\nStatus: long-term", "2.2.9"),
    ("HAProxy version 2.6.12-1+deb12u3 2025/10/03 - https://haproxy.org/\n", "2.6.12"),
    ("HAProxy version 3.3-dev5-abc123 2026/01/01\n", "3.3"),
    ("something else\nHAProxy version 3.2.26 2026/10/01\n", "3.2.26"),
    ("bash: haproxy: command not found\n", None),
    ("", None),
]

HEADER = "# pxname,svname,scur,status,lastchg,check_status,check_code,last_chk,addr,\n"
ANSWER = (
    "Name: HAProxy\n"
    "Version: 2.6.12-1+deb12u3\n"
    "Pid: 514\n"
    "Uptime: 0d 0h00m09s\n"
    "Uptime_sec: 9\n"
    "CurrConns: 3\n"
    "Stopping: 0\n"
    "\n" + HEADER + "kube-apiserver,FRONTEND,2,OPEN,,,,,,\n"
    "kube-apiserver,cp1,1,UP,9,L7OK,200,HTTP status check returned code <200>,198.51.100.11:6443,\n"
    'kube-apiserver,cp2,0,DOWN 1/2,3,L7STS,500,"HTTP status check returned code <500>, sorry",[2001:db8::2]:6443,\n'
    "kube-apiserver,BACKEND,1,UP,9,,,,,\n"
    "empty,BACKEND,0,DOWN,9,,,,,\n"
    "\n"
)


@pytest.mark.parametrize("output, expected", VERSION_DATA)
def test_parse_version(output, expected):
    assert haproxy.parse_version(output) == expected


def test_parse_state():
    state = haproxy.parse_state(ANSWER)
    assert (state["version"], state["uptime_s"], state["pid"], state["sessions"]) == ("2.6.12", 9, 514, 3)
    assert state["stopping"] is False
    assert state["frontends"] == {"kube-apiserver": {"status": "OPEN", "sessions": 2, "most": None, "refused": None}}
    assert state["backends"]["empty"] == []
    first, second = state["backends"]["kube-apiserver"]
    assert first == {
        "name": "cp1",
        "address": "198.51.100.11:6443",
        "status": "UP",
        "check_status": "L7OK",
        "check_code": 200,
        "last_chk": "HTTP status check returned code <200>",
        "sessions": 1,
        "changed_for": 9,
    }
    assert (second["check_code"], second["last_chk"]) == (500, "HTTP status check returned code <500>, sorry")


def test_older_versions_lack_columns():
    state = haproxy.parse_state("Version: 2.2.9\n\n# pxname,svname,status,\nb,s1,UP,\n")
    assert state["backends"] == {
        "b": [
            {
                "name": "s1",
                "address": "",
                "status": "UP",
                "check_status": "",
                "check_code": None,
                "last_chk": "",
                "sessions": None,
                "changed_for": None,
            }
        ]
    }


@pytest.mark.parametrize("answer", ["", "Unknown command: 'show stat'\n", "Permission denied\n"])
def test_other_answers(answer):
    with pytest.raises(haproxy.HaproxyError, match="no statistics"):
        haproxy.parse_state(answer)


UP_DATA = [
    ("UP", True),
    ("UP 1/2", True),
    ("DOWN", False),
    ("DOWN 1/2", False),
    ("MAINT", False),
    ("DRAIN", False),
    ("no check", False),
    ("", False),
]


@pytest.mark.parametrize("status, expected", UP_DATA)
def test_is_up(status, expected):
    assert haproxy.is_up(status) is expected


def parse(answer):
    try:
        haproxy.parse_state(answer)
    except haproxy.HaproxyError:
        pass


@given(st.text())
def test_random_text(text):
    parse(text)
    parse(HEADER + text)
    haproxy.parse_version(text)


@given(st.integers(0, len(ANSWER)), st.integers(0, len(ANSWER)), st.text(max_size=5))
def test_mutated_answers(start, end, text):
    parse(ANSWER[:start] + text + ANSWER[end:])


def test_only_what_haproxy_said_is_left_to_the_next_worker():
    assert haproxy.is_servers_state("1\n# be_id be_name srv_id\n2 kube-apiserver 1\n")
    assert not any(map(haproxy.is_servers_state, ["", "1\n", "Permission denied\n", "2\n# other\n"]))


MARKED = b"global\n    description kubeha:12ab\n"
NOTE = sha256(MARKED).hexdigest()
DUE_DATA = [
    # (what it says of itself, what was noted, in a pod, expected)
    ("kubeha:12ab", NOTE, False, False),
    # A reload that was noted and failed.
    ("kubeha:34cd", NOTE, False, True),
    # A file that was edited by hand has the mark that it had before.
    ("kubeha:12ab", "other", False, True),
    # Nobody has noted anything: it ran before this collection came.
    ("kubeha:12ab", None, False, False),
    # A pod's note is of its start; it was reloaded since.
    ("kubeha:12ab", "other", True, False),
    ("kubeha:34cd", NOTE, True, True),
    # It doesn't tell.
    (None, NOTE, False, False),
    ("somebody's", "other", True, True),
    (None, None, False, True),
]


@pytest.mark.parametrize("said, note, pod, expected", DUE_DATA)
def test_a_reload_is_due(said, note, pod, expected):
    assert haproxy.reload_is_due(MARKED, said, note, pod) is expected
