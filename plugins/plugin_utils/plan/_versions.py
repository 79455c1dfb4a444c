# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Versions of keepalived and HAProxy."""

from __future__ import annotations

import functools
import re
import typing as t

from ..intent._errors import Where
from ..intent._values import text

Version = t.Tuple[int, int, int]

KEEPALIVED = "keepalived"
HAPROXY = "haproxy"

# The oldest that is supported, and what is assumed where nothing is known.
FLOOR: dict[str, Version] = {KEEPALIVED: (2, 1, 5), HAPROXY: (2, 2, 0)}

# epoch, v, the upstream version, and what a distribution appends: 1:2.3.3-1, v2.2.7, 2.6.12-1+deb12u2, 2.2.8-3.el9
_VERSION = re.compile(
    r"(?:[0-9]{1,3}:)?v?([0-9]{1,4})\.([0-9]{1,4})(?:\.([0-9]{1,4}))?(?:[-+~_. ][0-9A-Za-z.+~_:-]{0,80})?")

# The name after the last slash, the tag, a digest; and a version that a tag begins with. Dates are none.
_TAG = re.compile(r"[^/:@]+:([^/:@]+)(?:@.*)?")
_TAG_VERSION = re.compile(r"v?([0-9])\.([0-9]{1,3})(?:\.([0-9]{1,4}))?(?![0-9])")


@functools.lru_cache(maxsize=256)
def parse_version(given: str) -> Version | None:
    """The upstream version within a distribution's; None where it isn't one."""
    match = _VERSION.fullmatch(given.strip())
    if match is None:
        return None
    major, minor, patch = match.groups(default="0")
    return int(major), int(minor), int(patch)


def version_text(version: Version) -> str:
    """Three numbers between dots."""
    return "{0}.{1}.{2}".format(*version)


def complete(version: tuple[int, ...]) -> Version:
    """A version with three numbers, for one that may be cut short."""
    major, minor, patch = (*version, 0)[:3]
    return major, minor, patch


def image_tag(reference: str) -> str | None:
    """The tag of an image reference, None where it has none."""
    match = _TAG.fullmatch(reference.rpartition("/")[2])
    return match.group(1) if match else None


def tag_version(reference: str | None) -> tuple[int, ...]:
    """The two or three numbers of the version that an image's tag begins with; empty where it begins with none."""
    match = _TAG_VERSION.match(image_tag(reference or "") or "")
    return tuple(int(part) for part in match.groups() if part is not None) if match else ()


def read_version(daemon: str) -> t.Callable[[Where, t.Any], t.Optional[Version]]:
    """A reader of this daemon's versions; older ones than the floor are a problem."""

    def read(at: Where, value: t.Any) -> Version | None:
        given = text(at, value, "a version such as {0}".format(version_text(FLOOR[daemon])))
        if given is None:
            return None
        version = parse_version(given)
        if version is None:
            at.problem("version_invalid", value, daemon=daemon)
        elif version < FLOOR[daemon]:
            at.problem("version_too_old", value, daemon=daemon, found=version_text(version),
                       needed=version_text(FLOOR[daemon]), host=at.where.partition(":")[0] if ":" in at.where
                       else "the hosts")
            return None
        return version

    return read
