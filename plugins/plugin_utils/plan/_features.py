# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What is used of keepalived and HAProxy that not every supported version of them has.

The oldest versions that are supported (`_versions.FLOOR`) know all other words of the templates. `./dev generate` makes
a table in docs/versions.md of this. keepalived's ChangeLog ends with 2.0.20; its manual page and its commits say more.
"""

from __future__ import annotations

import typing as t

from ._versions import HAPROXY, KEEPALIVED, Version, parse_version


class Feature(t.NamedTuple):
    """One daemon's, since one version of it; the rest is Markdown for people."""

    daemon: str
    since: Version
    what: str
    without: str  # what an older one gets
    source: str   # where that was read

    def known_to(self, version: Version | str) -> bool:
        """Whether a daemon of this version has it; not, where the version is none."""
        found = parse_version(version) if isinstance(version, str) else version
        return found is not None and found >= self.since


DOWN_TIMER_ADVERTS = Feature(
    KEEPALIVED, (2, 2, 3), "`down_timer_adverts`: how many lost adverts are a lost host",
    "three are, and the interval of adverts is longer; another number in `endpoint_timing` is refused",
    "keepalived.conf(5) of 2.2.3 has it in `vrrp_instance`, that of 2.2.2 hasn't; commit 33385c6a")
FRACTIONAL_SCRIPT_INTERVAL = Feature(
    KEEPALIVED, (2, 3, 2), "`interval` and `timeout` of scripts in fractions of a second",
    "a pod's HAProxy is asked every second instead of every half; fractions in `endpoint_timing` are refused",
    "keepalived.conf(5) of 2.3.2 calls them decimals, that of 2.3.1 integers; commit 6f9ace3c")
AUTH_HMAC = Feature(
    KEEPALIVED, (2, 4, 2), "`auth_hmac`: each advert is signed",
    "`endpoint_auth: hmac` is refused",
    "keepalived.conf(5) of 2.4.0 has it. 2.4.1 and 2.4.2 changed what is signed (commits 03e88dd3, a0845cb2), and "
    "`receive-only` came with 2.4.2 (00e27e04)")
KEEPALIVE_TIMES = Feature(
    HAPROXY, (2, 3, 0), "`clitcpka-idle`, `srvtcpka-idle` and so on: how soon TCP notices that a peer is gone",
    "the kernel's times count, normally two hours",
    "configuration.txt of 2.3 has them, that of 2.2 hasn't; CHANGELOG, 2.3-dev1; commit b24bc0dfb")
NOT_READY = Feature(
    HAPROXY, (2, 4, 0), "`http-check expect error-status L7OKC`: an API server that says that it isn't ready keeps the "
    "connections that it has",
    "it is down, and its connections are ended",
    "configuration.txt of 2.4 has `L7OKC` among the values of `error-status`, that of 2.3 hasn't; CHANGELOG, 2.4-dev2; "
    "commit 83662b543")
EXPORTER = Feature(
    HAPROXY, (2, 4, 0), "`prometheus-exporter`: `endpoint_metrics`",
    "left out, with a warning",
    "a part of HAProxy that `USE_PROMEX` of its Makefile switches on since 2.4; a contribution that few builds have "
    "before; CHANGELOG, 2.4-dev15; commit 3dfadc7ae")
THREAD_LIMIT = Feature(
    HAPROXY, (3, 0, 0), "`thread-hard-limit`: a pod has no more than four threads",
    "one for each processor",
    "configuration.txt of 3.0 has it, that of 2.9 hasn't; CHANGELOG, 3.0-dev13; commit 381ed2a4d")

FEATURES = (DOWN_TIMER_ADVERTS, FRACTIONAL_SCRIPT_INTERVAL, AUTH_HMAC, KEEPALIVE_TIMES, NOT_READY, EXPORTER,
            THREAD_LIMIT)
