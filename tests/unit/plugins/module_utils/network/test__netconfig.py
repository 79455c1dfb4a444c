# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.network import _netconfig as netconfig

STATE = """# This is private data. Do not parse.
ADMIN_STATE=configured
OPER_STATE=routable
NETWORK_FILE=/run/systemd/network/10-netplan-eth0.network
NETWORK_FILE_DROPINS=""
DNS=
"""
NETWORK = "[Match]\nName=eth0\n[Network]\nAddress=198.51.100.11/24\n%s[Route]\nKeepConfiguration=no\n"
DEVICE = "[device]\nmanaged=true\nconnection-uuid=fdc8\nnm-owned=false\n"
EXTERNAL = "[connection]\nid=lo\nuuid=fdc8\n[ipv4]\n[.nmmeta]\nnm-generated=true\nexternal=true\n"


def test_the_file_that_a_link_is_configured_by():
    assert netconfig.network_file(netconfig.link_state(STATE)) == "/run/systemd/network/10-netplan-eth0.network"


@pytest.mark.parametrize("text", ["", STATE.replace("configured", "unmanaged"), "ADMIN_STATE=configured\n", "garbage"])
def test_a_link_that_networkd_leaves_alone(text):
    assert netconfig.network_file(netconfig.link_state(text)) is None


def test_where_drop_ins_are():
    folders = netconfig.drop_in_folders("/run/systemd/network/10-netplan-eth0.network")
    assert folders[:2] == [
        "/etc/systemd/network/10-netplan-eth0.network.d",
        "/run/systemd/network/10-netplan-eth0.network.d",
    ]
    ours = netconfig.our_drop_in("/run/systemd/network/10-netplan-eth0.network")
    assert ours == "/etc/systemd/network/10-netplan-eth0.network.d/zz-kubeha.conf"


def test_drop_ins_are_read_by_name_and_masked_by_folder():
    listings = [("/etc/x.d", ["20.conf", "note.txt"]), ("/run/x.d", ["10.conf", "20.conf"]), ("/usr/x.d", [])]
    assert netconfig.drop_ins_in_order(listings) == ["/run/x.d/10.conf", "/etc/x.d/20.conf"]


@pytest.mark.parametrize(
    "texts, value, keeps",
    [
        ([NETWORK % ""], "", False),
        ([NETWORK % "KeepConfiguration=static\n"], "static", True),
        ([NETWORK % "KeepConfiguration = Yes\n"], "Yes", True),
        ([NETWORK % "#KeepConfiguration=yes\n"], "", False),
        ([NETWORK % "KeepConfiguration=dhcp-on-stop\n"], "dhcp-on-stop", False),
        ([NETWORK % "KeepConfiguration=static\n", "[Network]\nKeepConfiguration=no\n"], "no", False),
        ([NETWORK % "", "[Network]\nDNS=1\n", "[Network]\nKeepConfiguration=static\n"], "static", True),
        ([], "", False),
    ],
)
def test_what_networkd_keeps(texts, value, keeps):
    assert netconfig.keep_configuration(texts) == value
    assert netconfig.keeps_foreign(value) is keeps


@pytest.mark.parametrize("value, wanted", [("", "static"), ("no", "static"), ("dhcp", "yes"), ("dhcp-on-stop", "yes")])
def test_our_drop_in_keeps_what_was_kept(value, wanted):
    text = netconfig.drop_in("Managed", value)
    assert text.startswith("# Managed\n")
    assert netconfig.keep_configuration([NETWORK % ("KeepConfiguration=%s\n" % value), text]) == wanted
    assert netconfig.keeps_foreign(wanted)


def test_a_device_that_networkmanager_has_configured():
    assert netconfig.nm_connection(DEVICE) == "fdc8"
    assert netconfig.nm_connection(DEVICE.replace("true", "false")) is None
    assert netconfig.nm_connection("") is None


def test_a_connection_that_only_describes():
    assert netconfig.nm_external(EXTERNAL) == "fdc8"
    assert netconfig.nm_external(EXTERNAL.replace("external=true", "")) is None


@pytest.mark.parametrize(
    "text, enabled",
    [("ENABLED=yes\nLOGLEVEL=low\n", True), ("ENABLED=no\n", False), ("#ENABLED=yes\n", False), ("", False)],
)
def test_ufw(text, enabled):
    assert netconfig.ufw_enabled(text) is enabled
