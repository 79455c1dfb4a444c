# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import socket

from ansible_collections.kubeha.apiserver.plugins.module_utils.segment._wire_io import ask


def test_parts_that_cannot_be_done_say_why(monkeypatch):
    def refuse(*dummy):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(socket, "socket", refuse)
    task = {
        "interfaces": ["eth0"],
        "vips": [{"interface": "eth0", "address": "198.51.100.100"}],
        "known": [],
        "paths": [{"interface": "eth0", "address": "198.51.100.11", "transport": "unicast", "family": "ipv4",
                   "peers": [{"host": "cp2", "address": "198.51.100.12"}]}],
    }
    result = ask(task, "cp1", 5, 10)
    assert result["scan"]["interfaces"]["eth0"]["error"] == "not permitted"
    assert result["probe"] == {"error": "not permitted"}
    assert [pair["error"] for pair in result["reach"]["pairs"]] and result["seconds"] < 1
