# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.deploy import _sysctls_io as sysctls
from ansible_collections.kubeha.apiserver.plugins.module_utils.deploy._found import File
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _host_io

OURS, NAME = "/etc/sysctl.d/90-kubeha.conf", "net.ipv4.ip_nonlocal_bind"
WANTS = ("%s = 1\n" % NAME).encode()


@pytest.mark.parametrize("planned, noted, kernel, conf, due", [
    (WANTS, None, b"0\n", None, {NAME: "1"}), (WANTS, WANTS, b"1\n", None, {}),
    (None, WANTS, b"1\n", None, {NAME: "0"}),
    # Somebody else wants it, or has set it since.
    (None, WANTS, b"1\n", WANTS, {}), (None, WANTS, b"0\n", None, {}), (None, WANTS, b"2\n", None, {}),
])
def test_what_is_due(monkeypatch, planned, noted, kernel, conf, due):
    there = {OURS: noted, sysctls.place(NAME): kernel, sysctls.CONF: conf}
    monkeypatch.setattr(_host_io, "read_file", there.get)
    # What we have had ourselves counts for nobody else.
    monkeypatch.setattr(_host_io, "list_folder", lambda folder: ["90-kubeha.conf"])
    files = [File(OURS, "sysctl", "root", "root", 0, 0, 0o644, planned)] if planned else []
    assert sysctls.due([OURS], files) == due
