# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import sys

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _hostfacts as hostfacts
from hypothesis import given
from hypothesis import strategies as st

OS_RELEASE_DATA = [
    ('ID=debian\nVERSION_ID="12"\n', ("debian", "debian", "12")),
    ("ID=ubuntu\nID_LIKE=debian\nVERSION_ID='24.04'\n", ("debian", "ubuntu", "24.04")),
    ("ID=debian\n", ("debian", "debian", "")),
    ('ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.6"\n', ("redhat", "rocky", "9.6")),
    ('ID="mine"\nID_LIKE="rhel fedora"\n', ("redhat", "mine", "")),
    ('ID="opensuse-leap"\nID_LIKE="suse opensuse"\nVERSION_ID="15.6"\n', ("suse", "opensuse-leap", "15.6")),
    ("ID=alpine\nVERSION_ID=3.20\n", ("other", "alpine", "3.20")),
    ("# ID=debian\nNAME=\"broken\nID='\n", ("other", "", "")),
    ("", ("other", "", "")),
]


@pytest.mark.parametrize("text, expected", OS_RELEASE_DATA)
def test_parse_os_release(text, expected):
    found = hostfacts.parse_os_release(text)
    assert (found["family"], found["distribution"], found["version"]) == expected


APT = """haproxy:
  Installed: (none)
  Candidate: 2.6.12-1+deb12u3
  Version table:
     2.6.12-1+deb12u3 500
keepalived:
  Installed: (none)
  Candidate: 1:2.2.7-1+b2
  Version table:
nothing:
  Installed: (none)
  Candidate: (none)
"""
ZYPPER = """

Information for package haproxy:
--------------------------------
Repository     : Main
Name           : haproxy
Version        : 2.8.11+git0.01c1056a4-150600.3.1
Arch           : x86_64
package 'keepalived' not found.
"""
CANDIDATES_DATA = [
    ("apt", APT, {"haproxy": "2.6.12", "keepalived": "2.2.7"}),
    ("apt", "N: Unable to locate package haproxy\n", {}),
    ("dnf", "haproxy 2.4.22\nkeepalived 2.2.8\n", {"haproxy": "2.4.22", "keepalived": "2.2.8"}),
    ("dnf5", "Updating and loading repositories:\nhaproxy 3.0.5\n", {"haproxy": "3.0.5"}),
    ("zypper", ZYPPER, {"haproxy": "2.8.11"}),
    ("", "anything at all\n", {}),
]


@pytest.mark.parametrize("manager, output, expected", CANDIDATES_DATA)
def test_parse_candidates(manager, output, expected):
    assert hostfacts.parse_candidates(manager, output) == expected


@pytest.mark.parametrize(
    "manager, program", [("apt", "apt-cache"), ("dnf", "dnf"), ("dnf5", "dnf"), ("yum", "dnf"), ("zypper", "zypper")]
)
def test_candidate_command(manager, program):
    assert hostfacts.candidate_command(manager, ["haproxy"])[0] == program


def test_no_candidate_command_for_others():
    assert hostfacts.candidate_command("", ["haproxy"]) is None


UNITS = """Id=haproxy.service
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
MainPID=34
NRestarts=2
ActiveEnterTimestampMonotonic=90000000
StateChangeTimestampMonotonic=95500000

Id=keepalived.service
LoadState=not-found
ActiveState=inactive
SubState=dead
UnitFileState=
MainPID=0
NRestarts=0
ActiveEnterTimestampMonotonic=0
StateChangeTimestampMonotonic=0
"""


def test_units():
    units = hostfacts.parse_units(UNITS)
    assert hostfacts.describe_unit(units["haproxy"], 100.0) == {
        "exists": True,
        "active": "active",
        "sub": "running",
        "enabled": True,
        "masked": False,
        "main_pid": 34,
        "restarts": 2,
        "active_for": 10.0,
        "changed_for": 4.5,
    }
    missing = hostfacts.describe_unit(units["keepalived"], 100.0)
    assert (missing["exists"], missing["main_pid"], missing["active_for"]) == (False, None, None)
    assert hostfacts.describe_unit({}, 100.0)["exists"] is False


@pytest.mark.parametrize("said", [{"LoadState": "masked"}, {"LoadState": "loaded", "UnitFileState": "masked"},
                                  {"LoadState": "masked", "UnitFileState": "masked-runtime"}])
def test_what_somebody_has_masked(said):
    """A unit that is masked while it runs goes on, and isn't started again."""
    assert hostfacts.describe_unit(said, 1.0)["masked"]


@pytest.mark.skipif(sys.byteorder != "little", reason="the sample was taken on a little-endian machine")
def test_listeners():
    tcp = (
        "  sl  local_address rem_address   st tx_queue rx_queue\n"
        "   0: 0100007F:2121 00000000:0000 0A 00000000:00000000\n"
        "   1: 0BC81EC6:20FB 00000000:0000 0A 00000000:00000000\n"
        "   2: 0BC81EC6:20FB 0CC81EC6:9C40 01 00000000:00000000\n"
        "   3: nonsense\n"
        "   4: XX:20FB 00000000:0000 0A 0\n"
        "   5: 00:20FB 00000000:0000 0A 0\n"
    )
    tcp6 = "header\n   0: B80D0120000000000000000000010000:20FB 00000000000000000000000000000000:0000 0A 0\n"
    assert hostfacts.parse_listeners(tcp, {8443}) == [("198.30.200.11", 8443)]
    assert hostfacts.parse_listeners(tcp, {8481}) == [("127.0.0.1", 8481)]
    assert hostfacts.parse_listeners(tcp6, {8443}) == [("2001:db8::100", 8443)]
    assert hostfacts.parse_listeners("", {8443}) == []


def test_execution():
    drop_in = "[Service]\n# Environment=KUBEHA_EXECUTION=no\nEnvironment=KUBEHA_EXECUTION=12ab\nNoNewPrivileges=yes\n"
    assert hostfacts.parse_execution(drop_in) == "12ab"
    assert hostfacts.parse_execution("[Service]\n") is None


def test_selinux_boolean():
    assert hostfacts.parse_selinux_boolean("1 1") is True
    assert hostfacts.parse_selinux_boolean("0 1\0") is False
    assert hostfacts.parse_selinux_boolean("") is None


ROUTES = """Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT
eth1 00000000 016433C6 0003 0 0 200 00000000 0 0 0
eth0 00000000 010013C6 0003 0 0 100 00000000 0 0 0
eth1 006433C6 00000000 0001 0 0 0 00FFFFFF 0 0 0
tun0 00000000 00000000 0001 0 0 0 00000080 0 0 0
"""
ROUTES6 = """%s 00 %s 00 20010db8000000000000000000000001 00000400 00000001 00000000 00450003 eth2
%s 00 %s 00 20010db8000000000000000000000002 00000064 00000001 00000000 00450003 eth3
%s 00 %s 00 %s ffffffff 00000001 00000000 00200200 lo
""" % ("0" * 32, "0" * 32, "0" * 32, "0" * 32, "0" * 32, "0" * 32, "0" * 32)


def test_of_several_default_routes_those_of_the_lowest_metric_count():
    assert hostfacts.parse_default_routes(ROUTES, ROUTES6) == {"ipv4": ["eth0"], "ipv6": ["eth3"]}
    assert hostfacts.parse_default_routes("", "") == {"ipv4": [], "ipv6": []}


def test_files_for_sysctl_hide_those_of_the_same_name():
    folders = {
        "/etc/sysctl.d": ["95-a.conf", "README"], "/usr/lib/sysctl.d": ["95-a.conf", "10-b.conf"],
        "/usr/local/lib/sysctl.d": ["91-c.conf"],
    }
    assert hostfacts.sysctl_files(lambda folder: folders.get(folder, [])) == [
        "/usr/lib/sysctl.d/10-b.conf", "/usr/local/lib/sysctl.d/91-c.conf", "/etc/sysctl.d/95-a.conf"]


@given(st.text())
def test_nothing_raises_on_odd_text(text):
    hostfacts.parse_default_routes(text, "0" * 32 + " 00 " + text)
    hostfacts.parse_os_release(text)
    for manager in ("apt", "dnf", "zypper", "other"):
        hostfacts.parse_candidates(manager, text)
    for unit in hostfacts.parse_units(text).values():
        hostfacts.describe_unit(unit, 1.0)
    hostfacts.parse_listeners("\n" + text, {1})
    hostfacts.parse_execution(text)
    hostfacts.parse_selinux_boolean(text)


@given(st.dictionaries(st.sampled_from(hostfacts.UNIT_PROPERTIES), st.text(alphabet="0123456789abc-²٣\n=", max_size=9)))
def test_no_unit_raises(properties):
    hostfacts.describe_unit(properties, 1.0)


@given(st.lists(st.text(alphabet="0123456789ABCDEF:", max_size=40), max_size=4))
def test_no_socket_table_raises(cells):
    hostfacts.parse_listeners("\n 0: %s 0A" % " ".join(cells), set(range(65536)))
    hostfacts.parse_listeners("\n 0: %s 0:0 0A" % "".join(cells), set(range(65536)))
