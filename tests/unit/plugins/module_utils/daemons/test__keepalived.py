# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import signal
import subprocess

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.daemons import _keepalived as keepalived

# As seen with keepalived 2.1.5, 2.2.7 and 2.3.3.
GOOD = [
    (0, ""),
    (0, "(kube-apiserver-ipv6) the first IPv6 VIP address must be link local\n"),
]
BAD = [
    (0, "(/k.conf: Line 53) Unknown keyword 'down_timer_adverts'\n"),
    (0, "Disabling track script x since not found/accessible\n"),
    (5, "Disabling track script x since not found/accessible\n"),
    (5, "(/k.conf: Line 12) (a): VRID '256' not valid - must be between 1 & 255\n"),
    (5, "(/k.conf: Line 15) realpath() error 2 (No such file or directory) for kubeha_haproxy_down\n"),
    (6, "SECURITY VIOLATION - scripts are being executed but script_security not enabled.\n"),
    (143, ""),
    (-15, ""),
    (1, ""),
    (99, ""),
]


@pytest.mark.parametrize("code, output", GOOD)
def test_good(code, output):
    assert keepalived.findings(code, output) == []


@pytest.mark.parametrize("code, output", BAD)
def test_bad(code, output):
    found = keepalived.findings(code, output)
    assert found
    for line in output.splitlines():
        assert line in found
    assert (code == 0) or any("ended with %d" % code in line for line in found)


def test_the_test_outlives_its_own_signal(tmp_path):
    binary = tmp_path / "keepalived"
    binary.write_text("#!/bin/sh\nkill -TERM $$\necho \"$@\"\nexit 5\n")
    binary.chmod(0o755)
    done = subprocess.run(keepalived.test_command(str(binary), "/x y"), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (5, "--config-test --use-file /x y\n")
    assert subprocess.run([str(binary)], check=False).returncode == -signal.SIGTERM


def test_relocated_touches_quoted_paths_only():
    text = (
        '# /run/kubeha/haproxy\n'
        'file "/run/kubeha/haproxy/down"\n'
        'script "/usr/libexec/keepalived/kubeha-check live"\n'
        'notify "/usr/libexec/keepalived/kubeha-notify"\n'
        'file "/run/kubeha/haproxy2/down"\n'
    )
    places = {"/run/kubeha/haproxy": "/s/run", "/usr/libexec/keepalived/kubeha-check": r"/s/\1check",
              "/usr/libexec/keepalived/kubeha-notify": "/s/notify"}
    assert keepalived.relocated(text, places) == (
        '# /run/kubeha/haproxy\n'
        'file "/s/run/down"\n'
        'script "/s/\\1check live"\n'
        'notify "/s/notify"\n'
        'file "/run/kubeha/haproxy2/down"\n'
    )


def test_masked():
    text = ("    auth_pass geheim\n    key 1 hex:ab\n    key 22 abc\n    key 3 file:/x\n    auth_type PASS\n"
            "    keyring\n")
    assert keepalived.masked(text, "***") == (
        "    auth_pass ***\n    key 1 ***\n    key 22 ***\n    key 3 file:/x\n    auth_type PASS\n    keyring\n")
    assert keepalived.secrets(text) == ["geheim", "hex:ab", "abc"]


def test_keys_are_tested_in_place_of_their_files():
    text = "        key 1 file:/k/a-1.key\n        key 11 file:/k/a-11.key\n        key 2 file:/k/b.key\n"
    assert keepalived.inlined(text, {"/k/a-1.key": "xxx", "/k/a-11.key": "hex:\\1"}) == (
        "        key 1 xxx\n        key 11 hex:\\1\n        key 2 file:/k/b.key\n")
