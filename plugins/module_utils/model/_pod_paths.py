# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Names of our static pods, and where their files lie on a host. Pure."""

from __future__ import annotations

NAMESPACE = "kube-system"
NAMES = {"haproxy": "kubeha-haproxy", "keepalived": "kubeha-keepalived"}
FOLDER = {"haproxy": "/etc/kubeha/haproxy", "keepalived": "/etc/kubeha/keepalived"}
CONFIG = {"haproxy": FOLDER["haproxy"] + "/haproxy.cfg", "keepalived": FOLDER["keepalived"] + "/keepalived.conf"}
RUN = {role: FOLDER[role] + "/run" for role in FOLDER}
CHECK = FOLDER["keepalived"] + "/check"
# What the start script of keepalived's pod has to know, and no restart of it carries.
START = FOLDER["keepalived"] + "/start"
NOTIFY = FOLDER["keepalived"] + "/notify"
# Run by the host, not in the pod, once keepalived's manifest is gone.
RELEASE = FOLDER["keepalived"] + "/release"
RELEASE_UNITS = ["/etc/systemd/system/kubeha-release.%s" % kind for kind in ("service", "path")]
# HAProxy's user has only "stats", where its socket is, and files that root has made in "haproxy".
STATE = {name: "/run/kubeha/" + name for name in ("haproxy", "keepalived", "stats", "unit")}
SOCKET = STATE["stats"] + "/kubeha.sock"
DRAIN = "/var/lib/kubeha/drain"
# Which pod spec and which start script a running pod has: what its manifest says, and what it writes when it starts.
EXECUTION = "kubeha.apiserver/execution"


def manifest_path(manifest_dir: str, role: str) -> str:
    return "%s/%s.yaml" % (manifest_dir, NAMES[role])
