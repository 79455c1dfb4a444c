# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Whose file is it? Pure: the caller reads the file and runs the command that `shipped_command` names.

A file that is ours or the package's own may be replaced without asking. One that somebody wrote may not.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Collection, Dict, List, Mapping, Optional

# Every template's header carries these words within its first lines.
MARKER = "Managed by kubeha.apiserver"
OWN_FOLDER = "/etc/kubeha/"

OURS = "ours"
PACKAGE_DEFAULT = "package_default"
FOREIGN = "foreign"
ABSENT = "absent"

_MARKER_LINES = 5
_HEX = re.compile(r"\A[0-9a-f]+\Z")
# Digests of these lengths are what dpkg (md5) and rpm (md5 of old, sha256 of today) keep.
_ALGORITHM_BY_LENGTH = {32: "md5", 40: "sha1", 64: "sha256"}


def classify(path: str, content: Optional[bytes], shipped: Mapping[str, str]) -> str:
    """OURS, PACKAGE_DEFAULT, FOREIGN or ABSENT.

    `content` is None where there's no such file; `shipped` is what `parse_shipped` made of the package manager's
    answer. A file with nothing but blanks and comments configures nothing: nobody loses by its replacement, so it
    counts as the package's.
    """
    if content is None:
        return ABSENT
    if has_marker(content):
        return OURS
    if _says_nothing(content) or _is_shipped(content, shipped.get(path)):
        return PACKAGE_DEFAULT
    return FOREIGN


def is_edited(path: str, content: Optional[bytes], sums: Collection[str]) -> bool:
    """Whether somebody else has written what is there. `sums` are checksums of what we wrote, as far as that was noted.

    Without any, the marker tells; only data in a folder of our own has none.
    """
    if content is None:
        return False
    if sums:
        return hashlib.sha256(content).hexdigest() not in sums
    return not has_marker(content) and not path.startswith(OWN_FOLDER)


def noted_sums(value: Any) -> Dict[str, List[str]]:
    """{path: checksums} of files that we wrote; what an earlier version noted is a list of paths."""
    if isinstance(value, list):
        return {path: [] for path in value if isinstance(path, str)}
    if not isinstance(value, dict):
        return {}
    return {path: [item for item in sums if isinstance(item, str)] for path, sums in value.items()
            if isinstance(sums, list)}


def has_marker(content: bytes) -> bool:
    head = content.split(b"\n", _MARKER_LINES)[:_MARKER_LINES]
    # In JSON it's a key.
    return any(line.lstrip(b' \t"')[:1] in (b"#", b"!") and MARKER.encode() in line for line in head)


def shipped_command(os_family: str, packages: List[str]) -> Optional[List[str]]:
    """The command whose output `parse_shipped` reads, or None where this family's package manager isn't known.

    Its exit code says only whether all packages are installed; read the output whatever it is.
    """
    if os_family == "debian":
        return ["dpkg-query", "--show", "--showformat", "${Conffiles}\\n"] + packages
    if os_family in ("redhat", "suse"):
        return ["rpm", "--query", "--queryformat", "[%{FILENAMES} %{FILEDIGESTS}\\n]"] + packages
    return None


def parse_shipped(output: str) -> Dict[str, str]:
    """{path: hex digest} of the files as the packages shipped them."""
    shipped: Dict[str, str] = {}
    for line in output.splitlines():
        words = line.split()
        if len(words) < 2 or not words[0].startswith("/"):
            continue
        # dpkg appends "obsolete" or "remove-on-upgrade" to some conffiles.
        path, digest = words[0], words[1].lower()
        if len(digest) in _ALGORITHM_BY_LENGTH and _HEX.match(digest):
            shipped[path] = digest
    return shipped


def _is_shipped(content: bytes, digest: Optional[str]) -> bool:
    algorithm = _ALGORITHM_BY_LENGTH.get(len(digest or ""))
    if algorithm is None:
        return False
    try:
        return hashlib.new(algorithm, content).hexdigest() == digest
    except ValueError:  # FIPS mode refuses md5; then the file counts as somebody's
        return False


def _says_nothing(content: bytes) -> bool:
    return all(not line.strip() or line.lstrip()[:1] in (b"#", b"!") for line in content.split(b"\n"))
