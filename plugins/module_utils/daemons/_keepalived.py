# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What `keepalived -t` says of a configuration, whatever its version. Pure.

The exit code alone doesn't tell:

- 2.1 ends with 0 although it didn't understand a line or threw a check away; it only prints that it did.
- Before 2.2.8 it sends itself SIGTERM as soon as it looks at a script with a user other than root (exit code 143), and
  what comes after that is never looked at. With the signal ignored it goes on to the end.
- 2.2 and later end with 4, 5 or 6 for some faults, and with 0 for others that they print.

So a configuration is good when it was read to the end, ended with 0, and nothing was said about it.
"""

from __future__ import annotations

import re
from typing import Dict, List

# Ignoring a signal is inherited by what a shell executes.
_IGNORING_SIGTERM = ["/bin/sh", "-c", "trap '' TERM; exec \"$@\"", "sh"]

# A key in a file of its own is no secret here.
_SECRET_LINE = re.compile(
    r"((?:^|(?<=[\s{]))(?:auth_pass|key[ \t]+\d+(?![ \t]+file:))[ \t]+)(\S.*)$", re.MULTILINE)

# What is said of a good configuration too.
_HARMLESS = [
    # Wanted of routers that speak multicast; what counts here is that all members agree on the addresses.
    re.compile(r"the first IPv6 VIP address (must|should) be link local"),
    re.compile(r"NOTICE: setting config option max_auto_priority"),
]

# 2.1 numbers its exit codes differently from 2.2 and later, so a code has several meanings; the printed lines lead.
_EXIT_CODES: Dict[int, str] = {
    1: "it failed, or ran out of memory",
    2: "the configuration or an option can't be used",
    3: "the configuration can't be used",
    4: "the configuration has errors",
    5: "the configuration has errors",
    6: "scripts aren't secure, or there is no configuration",
    70: "it failed",
    143: "it ended itself before it had looked at everything",
    204: "it ran out of memory",
}


def test_command(binary: str, path: str) -> List[str]:
    """The command that looks at all of `path` and changes nothing."""
    return _IGNORING_SIGTERM + [binary, *test_options(path)]


def test_options(path: str) -> List[str]:
    """For whoever has SIGTERM ignored already."""
    return ["--config-test", "--use-file", path]


def findings(code: int, output: str) -> List[str]:
    """What is wrong with the configuration, in keepalived's words; empty where it's good."""
    said = [line.strip() for line in output.splitlines() if line.strip()]
    faults = [line for line in said if not any(pattern.search(line) for pattern in _HARMLESS)]
    if code != 0:
        meaning = _EXIT_CODES.get(code, "ended by a signal" if code < 0 or code > 128 else "it failed")
        faults.append("keepalived -t ended with %d: %s" % (code, meaning))
    return faults


def relocated(text: str, places: Dict[str, str]) -> str:
    """The configuration as it's tested: what it refers to may not be in its place yet, so it's looked for elsewhere."""
    for place, elsewhere in places.items():
        text = re.sub(r'(?<=")' + re.escape(place) + r"(?=[/ \"])", elsewhere.replace("\\", r"\\"), text)
    return text


def inlined(text: str, keys: Dict[str, str]) -> str:
    """The configuration with keys in place of the files that have them, which may not be there yet: a test reads the
    one as it reads the others."""
    return re.sub(r"(?<=\s)file:(\S+)", lambda match: keys.get(match.group(1), match.group()), text)


def masked(text: str, hidden: str) -> str:
    """The configuration with `hidden` in place of each secret."""
    return _SECRET_LINE.sub(lambda match: match.group(1) + hidden, text)


def secrets(text: str) -> List[str]:
    """The secrets of a configuration."""
    return [match.group(2).strip() for match in _SECRET_LINE.finditer(text)]
