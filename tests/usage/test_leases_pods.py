# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of test_leases.py with static pods: a manifest is put aside, and the kubelet gets it back."""

from __future__ import annotations

from test_leases import *  # noqa: F403

SCENARIO = "static_pod"
