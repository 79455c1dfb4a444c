# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _ownership as ownership

PATH = "/etc/haproxy/haproxy.cfg"
SHIPPED = b"global\n    daemon\n"

CLASSIFY_DATA = [
    # (content, digest of what was shipped, expected)
    (None, None, "absent"),
    (b"# Managed by kubeha.apiserver: changes here are overwritten\nglobal\n", None, "ours"),
    (b"#!/bin/bash\n# Managed by kubeha.apiserver\n", None, "ours"),
    (b"! Configuration File for keepalived\n! Managed by kubeha.apiserver\n", None, "ours"),
    (b"global\n    log Managed by kubeha.apiserver\n", None, "foreign"),
    (b"global\n\n\n\n\n# Managed by kubeha.apiserver\n", None, "foreign"),
    (SHIPPED, hashlib.md5(SHIPPED).hexdigest(), "package_default"),
    (SHIPPED, hashlib.sha256(SHIPPED).hexdigest(), "package_default"),
    (SHIPPED + b"# mine\n", hashlib.sha256(SHIPPED).hexdigest(), "foreign"),
    (SHIPPED, None, "foreign"),
    (SHIPPED, "", "foreign"),
    (SHIPPED, "abc", "foreign"),
    (b"", None, "package_default"),
    (b"\n  # nothing\n! nothing either\n", None, "package_default"),
    (b"\xff\xfe\x00", None, "foreign"),
]


@pytest.mark.parametrize("content, digest, expected", CLASSIFY_DATA)
def test_classify(content, digest, expected):
    shipped = {} if digest is None else {PATH: digest}
    assert ownership.classify(PATH, content, shipped) == expected


def test_digest_of_another_path_does_not_count():
    assert ownership.classify(PATH, SHIPPED, {"/etc/x": hashlib.sha256(SHIPPED).hexdigest()}) == "foreign"


def test_parse_dpkg():
    output = (
        " /etc/default/haproxy 1cb4b4b9a3aa1ee0f8f8e2b1a2b0c3d4\n"
        " /etc/haproxy/haproxy.cfg D41D8CD98F00B204E9800998ECF8427E obsolete\n"
        "\n"
        "dpkg-query: no packages found matching keepalived\n"
    )
    assert ownership.parse_shipped(output) == {
        "/etc/default/haproxy": "1cb4b4b9a3aa1ee0f8f8e2b1a2b0c3d4",
        PATH: "d41d8cd98f00b204e9800998ecf8427e",
    }


def test_parse_rpm_skips_folders_and_links():
    digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    output = "/etc/haproxy \n%s %s\n/usr/lib/.build-id/aa \npackage keepalived is not installed\n" % (PATH, digest)
    assert ownership.parse_shipped(output) == {PATH: digest}


def test_commands():
    assert ownership.shipped_command("debian", ["haproxy"])[0] == "dpkg-query"
    assert ownership.shipped_command("redhat", ["haproxy"])[0] == "rpm"
    assert ownership.shipped_command("suse", ["haproxy"])[0] == "rpm"
    assert ownership.shipped_command("other", ["haproxy"]) is None
