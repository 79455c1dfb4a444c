# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.kubeha.apiserver.tests.unit.plugins.modules.files_hosts import (
    Host,
    PodHost,
    SecretHost,
    WatchedHost,
)


@pytest.fixture(name="host")
def fixture_host(tmp_path, monkeypatch):
    return Host(tmp_path, monkeypatch)


@pytest.fixture(name="node")
def fixture_node(tmp_path, monkeypatch):
    return PodHost(tmp_path, monkeypatch)


@pytest.fixture(name="watched")
def fixture_watched(tmp_path, monkeypatch):
    return WatchedHost(tmp_path, monkeypatch)


@pytest.fixture(name="guarded")
def fixture_guarded(tmp_path, monkeypatch):
    root = tmp_path / "root"
    root.mkdir()
    return SecretHost(root, monkeypatch)
