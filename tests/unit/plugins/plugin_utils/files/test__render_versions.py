# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What older versions get instead of what the newest get, in the whole of both configurations.

The matrix has no HAProxy 2.4 or 2.8 and no keepalived 2.2.4 or 2.2.8, which is what Ubuntu and the RHEL family have.
"""

from __future__ import annotations

import difflib
import textwrap
from pathlib import Path

import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.files import _render
from ansible_collections.kubeha.apiserver.tests.unit import planning

ROLES = str(Path(__file__).resolve().parents[5] / "roles")
NEWEST = ("3.4.7", "2.4.3")

# (HAProxy, keepalived, mode): haproxy.cfg and keepalived.conf, from the newest to these.
EXPECTED = {
    ("2.4.0", "2.2.4", "service"): ("", ""),
    ("2.8.0", "2.2.8", "service"): ("", ""),
    ("2.4.0", "2.2.4", "static_pod"): ("-    thread-hard-limit 4\n", "-    interval 0.5\n+    interval 1\n"),
    ("2.8.0", "2.2.8", "static_pod"): ("-    thread-hard-limit 4\n", "-    interval 0.5\n+    interval 1\n"),
    # RHEL 10's.
    ("3.0.0", "2.2.8", "static_pod"): ("", "-    interval 0.5\n+    interval 1\n"),
    # Debian 11's, the oldest that are supported.
    ("2.2.0", "2.1.5", "service"): (
        """\
        -    clitcpka-idle 60s
        -    clitcpka-intvl 15s
        -    clitcpka-cnt 4
        -    srvtcpka-idle 60s
        -    srvtcpka-intvl 15s
        -    srvtcpka-cnt 4
        -    http-check expect error-status L7OKC status 200,401
        +    http-check expect status 200,401
        -# Read by Prometheus, and never through a VIP.
        -frontend kubeha:metrics
        -    mode http
        -    no log
        -    bind 127.0.0.1:8405
        -    maxconn 10
        -    timeout client 10s
        -    timeout http-request 5s
        -    acl may_ask src 127.0.0.0/8
        -    tcp-request connection reject if !may_ask
        -    http-request use-service prometheus-exporter if { method GET } { path /metrics }
        -    http-request deny deny_status 405 if { path /metrics }
        -    http-request deny deny_status 404
        -
        """,
        """\
        -    advert_int 0.1
        -    down_timer_adverts 10
        +    advert_int 0.3
        """),
}


def rendered(haproxy: str, keepalived: str, mode: str) -> list[list[str]]:
    """The lines of haproxy.cfg and keepalived.conf, but for the checksum that the former has of itself."""
    known = {name: {**host, "haproxy_version": haproxy, "keepalived_version": keepalived}
             for name, host in planning.hosts().items()}
    images = {"haproxy_image": "haproxy:" + haproxy, "keepalived_image": "keepalived:" + keepalived}
    intent = planning.intent(mode=mode, metrics=True, **(images if mode == "static_pod" else {}))
    plan = planning.plan(intent, known)
    files = {entry["kind"]: entry["content"] for entry in _render.render_host(plan, "cp1", ROLES)}
    return [[line for line in files[kind].splitlines() if not line.startswith("    description kubeha:")]
            for kind in ("haproxy", "keepalived")]


@pytest.mark.parametrize("haproxy, keepalived, mode", EXPECTED)
def test_what_older_versions_get_instead(haproxy: str, keepalived: str, mode: str) -> None:
    for expected, newest, older in zip(
            EXPECTED[haproxy, keepalived, mode], rendered(*NEWEST, mode), rendered(haproxy, keepalived, mode)):
        changes = list(difflib.unified_diff(newest, older, lineterm="", n=0))[2:]
        assert [line for line in changes if not line.startswith("@@")] == textwrap.dedent(expected).splitlines()
