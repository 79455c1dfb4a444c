# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd itself says of it is part of `./dev matrix`."""

from __future__ import annotations

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _sandbox

ALL = {
    "haproxy": _sandbox.haproxy([8443]),
    "keepalived": _sandbox.keepalived(),
    "helper": _sandbox.helper(["CAP_NET_ADMIN"], ["AF_NETLINK"], ["/run/kubeha"]),
}


@pytest.mark.parametrize("name", ALL)
def test_each_directive_is_given_once(name: str) -> None:
    names = [line.partition("=")[0] for line in ALL[name]]
    assert len(names) == len(set(names))
    assert {"NoNewPrivileges", "CapabilityBoundingSet", "SystemCallFilter", "RestrictAddressFamilies"} <= set(names)


def test_only_a_low_port_needs_a_capability() -> None:
    assert not [line for line in _sandbox.haproxy([8443, 6443]) if "NET_BIND_SERVICE" in line]
    assert [line for line in _sandbox.haproxy([8443, 443]) if "NET_BIND_SERVICE" in line]


def test_a_helper_writes_only_where_it_says() -> None:
    assert [line for line in ALL["helper"] if line.startswith("ReadWritePaths")] == ["ReadWritePaths=-/run/kubeha"]
    assert "ProtectSystem=strict" in ALL["helper"]
