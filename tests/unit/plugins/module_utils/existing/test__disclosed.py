# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of somebody else's files leaves their host: what is understood, and no secret."""

from __future__ import annotations

import json

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.existing._disclosed import (
    HAPROXY,
    KEEPALIVED,
    MANIFEST,
    NGINX,
    disclosed,
    words,
)

SECRET = "s3cr3t"

KEPT = [
    (KEEPALIVED, "  virtual_router_id 51 # of the API", "virtual_router_id 51"),
    (KEEPALIVED, "auth_type PASS", "auth_type PASS"),
    (KEEPALIVED, "vrrp_instance V{ priority 7 }", "vrrp_instance V { priority 7 }"),
    (KEEPALIVED, "virtual_ipaddress {\n  198.51.100.100/24 dev eth0 label eth0:vip\n}",
     "virtual_ipaddress {\n198.51.100.100/24 dev eth0 label eth0:vip\n}"),
    (KEEPALIVED, "track_script\n{\n check weight -5\n}", "track_script\n{\ncheck weight -5\n}"),
    (KEEPALIVED, "$I=eth0\ninterface $I\nmcast_src_ip ${I}", "\ninterface eth0\nmcast_src_ip eth0"),
    (KEEPALIVED, "priority \\\n 7\nstate MASTER", "priority 7\n\nstate MASTER"),
    (KEEPALIVED, "notify /usr/bin/page me", "notify ..."),
    (KEEPALIVED, "@cp1 priority 7", "@..."),
    (HAPROXY, "frontend api # here", "frontend api"),
    (HAPROXY, "\tserver cp1 198.51.100.11:6443 check inter 2s", "server cp1 198.51.100.11:6443 check inter 2s"),
    (HAPROXY, "http-check send meth GET uri /readyz ver HTTP/1.1 hdr Host a",
     "http-check send meth GET uri /readyz ver HTTP/1.1 ..."),
    (HAPROXY, "http-request deny if x", "http-request ..."),
    (HAPROXY, ".if defined(X)", "...."),
    (NGINX, "    server 198.51.100.11:6443 max_fails=2;", "    server 198.51.100.11:6443"),
    (NGINX, "    listen 0.0.0.0:8443;", "    listen 0.0.0.0:8443"),
    (MANIFEST, "- name: KEEPALIVED_PRIORITY\n  value: \"7\"", "- name: KEEPALIVED_PRIORITY\n  value: \"7\""),
    (MANIFEST, "- {name: port, value: \"6443\"}", "- {name: port, value: \"6443\"}"),
    (MANIFEST, "  hostPath: {path: /etc/haproxy}", "  hostPath: {path: \"/etc/haproxy\"}"),
    (MANIFEST, "securityContext:\n  privileged: true", "securityContext:\n  privileged: \"...\""),
]

HIDDEN = [
    (KEEPALIVED, "auth_pass s3cr3t"), (KEEPALIVED, "authentication { auth_type PASS auth_pass s3cr3t }"),
    (KEEPALIVED, "$P=s3cr3t\nauth_pass $P"), (KEEPALIVED, "! auth_pass s3cr3t"), (KEEPALIVED, "state MASTER # s3cr3t"),
    (KEEPALIVED, "auth_pass \\\n s3cr3t"), (KEEPALIVED, "script \"curl -u root:s3cr3t https://x\""),
    (KEEPALIVED, "password {\n s3cr3t\n}"), (KEEPALIVED, "auth_key 1 0xs3cr3t"), (KEEPALIVED, "s3cr3t"),
    (KEEPALIVED, "@s3cr3t priority 7"), (KEEPALIVED, "smtp_auth a s3cr3t\n"),
    (KEEPALIVED, "auth_pass 's3cr3t' 's3cr3t'"),
    (HAPROXY, "stats auth admin:s3cr3t"), (HAPROXY, "user a insecure-password s3cr3t"),
    (HAPROXY, "user a password s3cr3t"), (HAPROXY, "http-request set-header Authorization s3cr3t"),
    (HAPROXY, "http-check send meth GET uri / hdr Authorization s3cr3t"),
    (HAPROXY, "option httpchk GET / HTTP/1.1\\r\\nX-Token:s3cr3t"),
    (HAPROXY, "option httpchk GET / HTTP/1.1 X-Token:s3cr3t"), (HAPROXY, "setenv TOKEN s3cr3t"),
    (HAPROXY, "tcp-check send AUTH\\ s3cr3t"), (HAPROXY, "tcp-check send s3cr3t"), (HAPROXY, "# s3cr3t"),
    (HAPROXY, "http-check expect string s3cr3t"), (HAPROXY, "bind :8443 # s3cr3t"),
    (MANIFEST, "- name: KEEPALIVED_PASSWORD\n  value: s3cr3t"), (MANIFEST, "- value: s3cr3t\n  name: TOKEN"),
    (MANIFEST, "- name: port\n  value: 1\n- value: s3cr3t\n  name: TOKEN"),
    (MANIFEST, "- {name: TOKEN, value: s3cr3t}"), (MANIFEST, "- {value: s3cr3t, name: TOKEN}"),
    (MANIFEST, "args:\n- --token=s3cr3t"), (MANIFEST, "args: [--token=s3cr3t]"), (MANIFEST, "# s3cr3t"),
    (MANIFEST, "- name: TOKEN\n  value: |\n    s3cr3t"), (MANIFEST, "command:\n- |\n  name: s3cr3t"),
    (MANIFEST, "- name: TOKEN\n  value: >-\n    path: s3cr3t\n"),
    (MANIFEST, json.dumps({"env": [{"name": "TOKEN", "value": SECRET}], "args": [SECRET], "x": {"y": SECRET}})),
    (MANIFEST, "{\"value\": \"s3cr3t\""), (NGINX, "proxy_set_header Authorization s3cr3t;"),
    (NGINX, "server 198.51.100.11:6443; # s3cr3t"), ("script", "s3cr3t"),
]


@pytest.mark.parametrize("role, text, shown", KEPT)
def test_what_is_understood_leaves(role: str, text: str, shown: str) -> None:
    assert disclosed(text, role) == shown + "\n"


@pytest.mark.parametrize("role, text", HIDDEN)
def test_no_secret_leaves(role: str, text: str) -> None:
    assert SECRET in text
    assert SECRET not in disclosed(text, role)


@pytest.mark.parametrize("role, text", [*[(role, text) for role, text, _shown in KEPT], *HIDDEN])
def test_lines_keep_their_numbers(role: str, text: str) -> None:
    if role != "script" and not text.startswith("{"):
        assert len(disclosed(text, role).splitlines()) == len(text.splitlines())


def test_variables_count_in_included_files() -> None:
    defined: dict[str, str] = {}
    disclosed("$I=eth0\n", KEEPALIVED, defined)
    assert disclosed("interface $I", KEEPALIVED, defined) == "interface eth0\n"


def test_json_keeps_what_is_understood() -> None:
    pod = {"spec": {"containers": [{"image": "haproxy:2.8", "env": [{"name": "port", "value": "6443"}]}]}}
    assert json.loads(disclosed(json.dumps(pod, indent=1), MANIFEST)) == pod


@pytest.mark.parametrize("line, found", [
    ("a 'b c' d", ["a", "b c", "d"]), ('a "b\\"c" d', ["a", 'b"c', "d"]), ("a b\\ c", ["a", "b c"]),
    ("a 'b", ["a", "b"]), ("a ''", ["a", ""]), ("a#b", ["a"]), ("", []),
])
def test_words(line: str, found: list[str]) -> None:
    assert words(line, "#", True) == found
