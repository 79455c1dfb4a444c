# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""How secrets are carried to a host, and what is shown in their place. Pure.

Ansible masks the values of `no_log` options wherever their text occurs in a result. A password may be as short as `1`,
and would take every number with it. So a host gets all secrets as one text that occurs nowhere else.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any, Dict, List, Mapping

from ..daemons import _keepalived

HIDDEN = "(hidden)"

# A program's words about a stand-in are shown; its own are of letters that no check of a password minds.
_STAND_IN = "x"
# A key as hex digits is checked as such.
_HEX = "hex:"
# A file that is one secret and nothing else: a key of keepalived.
_KEY = re.compile(r"[A-Za-z0-9_.+/=:-]{32,132}\n?")
_USER_INFO = re.compile(r"[^\s/@\"']*:[^\s/@\"']*@(?!sha\d+:)")


class Sealed(str):
    """A sealed text, which no message shows: Ansible's debug log prints a module's arguments by `repr`."""

    def __repr__(self) -> str:
        return repr(HIDDEN)


def seal(secrets: Mapping[str, str], salt: bytes) -> Sealed:
    """All secrets as one text. It isn't encrypted: it must be shown and stored as little as they are."""
    content = [base64.b64encode(salt).decode(), dict(secrets)]
    return Sealed(base64.b64encode(json.dumps(content).encode()).decode())


def unseal(sealed: str) -> Dict[str, str]:
    """What was sealed."""
    found: Any = json.loads(base64.b64decode(sealed))[1] if sealed else {}
    return {str(name): str(secret) for name, secret in found.items()}


def filled(text: str, secrets: Mapping[str, str]) -> str:
    """A rendered file with its secrets."""
    for mark, secret in secrets.items():
        text = text.replace(mark, secret)
    return text


def stand_ins(secrets: Mapping[str, str]) -> Dict[str, str]:
    """For a file that a program is to judge: as long as the secrets, and none."""
    return {mark: _HEX + "0" * (len(secret) - len(_HEX)) if secret.startswith(_HEX) else _STAND_IN * len(secret)
            for mark, secret in secrets.items()}


def masked(text: str) -> str:
    """Any file of a host without its secrets, also without those that this run doesn't know."""
    if _KEY.fullmatch(text):
        return HIDDEN + "\n"
    return image_auth_masked(_keepalived.masked(text, HIDDEN), HIDDEN)


def are_in(text: str) -> bool:
    return masked(text) != text


def differences(before: str, after: str) -> List[str]:
    """Both texts of a file as a diff shows them; that a secret is another one shows, too."""
    shown = [masked(before), masked(after)]
    if before != after and shown[0] == shown[1]:
        shown[1] = shown[1].replace(HIDDEN, HIDDEN + " changed")
    return shown


def without_user_info(text: str) -> str:
    """A name of a registry or a URL without the user and password that some write in front of it."""
    return _USER_INFO.sub(HIDDEN + "@", text)


_SECRET = re.compile(
    r'("(?:auth|username|password|identitytoken|registrytoken)"\s*:\s*)"(?:[^"\\]|\\.)*"', re.IGNORECASE)


def image_auth_masked(text: str, hidden: str) -> str:
    """The kubelet's file with `hidden` in place of each secret, whoever wrote it."""
    return _SECRET.sub(lambda match: match.group(1) + '"%s"' % hidden, text)
