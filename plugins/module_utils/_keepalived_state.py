# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What keepalived says about itself. Pure."""

from __future__ import annotations

import re
from typing import Optional

_VERSION = re.compile(r"^Keepalived v(\d+\.\d+(?:\.\d+)?)", re.MULTILINE)


def parse_version(output: str) -> Optional[str]:
    """`keepalived --version` begins with `Keepalived v2.2.7 (01/16,2022)`."""
    match = _VERSION.search(output)
    return match.group(1) if match else None
