# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""Keys with which keepalived signs adverts, and what each has beside its secret: an ID that is on the wire. Pure."""

from __future__ import annotations

import hashlib
import math
import re

# 32 to 64 bytes (keepalived.conf(5) of 2.4). A shorter key is an error to keepalived that stops nothing.
KEY = re.compile(r"hex:(?:[0-9A-Fa-f]{2}){32,64}|(?!hex:).{32,64}")
# keepalived's own least and most seconds (vrrp_auth_hmac.h), and how many adverts it has to endure.
_WINDOW_LEAST, _WINDOW_MOST, _ADVERTS = 5, 300, 3


def key_id(key: str) -> int:
    """1 to 255, as far as can be another one for another key.

    A receiver looks for the key by this number. So it has to be the same on all members, however they come to the key,
    and another key needs another one. These 8 bits of a hash are all that is ever shown of a key.
    """
    return 1 + hashlib.sha256(b"kubeha.apiserver key ID: " + key.encode()).digest()[0] % 255


def time_window(advert_interval: float) -> int:
    """Seconds by which clocks may differ; what keepalived would choose, said so that it's known here."""
    return min(_WINDOW_MOST, max(_WINDOW_LEAST, math.ceil(_ADVERTS * advert_interval)))
