# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""VRRP passwords from Ansible variables, read only where a plan says that there are any."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.kubeha.apiserver.plugins.plugin_utils._intent import collect, secrets


def secrets_of(task_vars: Mapping[str, t.Any], templar: t.Any) -> dict[str, str]:
    """Passwords by endpoint name, as the host that runs the task sees them. Never log or return them."""
    return secrets(collect(task_vars, templar).intent)
