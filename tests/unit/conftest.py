# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# Time is no matter of these tests: a busy machine isn't a failure.
UNTIMED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow], "print_blob": True}

settings.register_profile("thorough", max_examples=500, **UNTIMED)
settings.register_profile("usual", max_examples=100, **UNTIMED)
settings.register_profile("quick", max_examples=25, **UNTIMED)
settings.load_profile(os.environ.get("KUBEHA_HYPOTHESIS", "thorough" if os.environ.get("KUBEHA_LONG") else "usual"))
