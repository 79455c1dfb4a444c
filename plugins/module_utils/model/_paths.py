# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Where everything of ours lies on a host, as services and as static pods. Pure."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional

from . import _pod_paths

ROLES = ("haproxy", "keepalived")

HAPROXY_CONFIG = "/etc/haproxy/haproxy.cfg"
KEEPALIVED_CONFIG = "/etc/keepalived/keepalived.conf"
PLAN_FILE = "/etc/kubeha/plan.json"
CHECK = "/usr/libexec/keepalived/kubeha-check"
NOTIFY = "/usr/libexec/keepalived/kubeha-notify"
UNIT_HOOK = "/usr/libexec/kubeha/unit-hook"
DROP_INS = {name: "/etc/systemd/system/%s.service.d/kubeha.conf" % name for name in ROLES}
SYSCTL_FILE = "/etc/sysctl.d/90-kubeha.conf"
SOCKET = "/var/lib/haproxy/kubeha.sock"
RUN = "/run/kubeha"
SERVERS = RUN + "/haproxy/servers"
STATE = "/var/lib/kubeha"
# The plan that a role's files were made from: the one that is stored belongs to whoever wrote last.
ROLE_PLAN = STATE + "/plan-%s.json"
# Each 0 or 1: somebody wants this host left alone, until told otherwise; a run restarts something here.
DRAIN = STATE + "/drain"
DRAINED = DRAIN + "/drained"
MOVING = DRAIN + "/moving"
# What starts a keepalived again that a run has stopped, and is there only for as long as the run hasn't ended that.
LEASE = STATE + "/lease.json"
LEASE_UNIT = "/etc/systemd/system/kubeha-lease.service"
# What ends a fault of a drill, and is there only while it lasts.
DRILL_UNIT = "/etc/systemd/system/kubeha-drill.service"
# What our programs import. Some of it several of them have.
_PARTS = "/etc/kubeha/parts.d/%s.py"
METRICS = "/etc/kubeha/metrics"
METRICS_PARTS = [_PARTS % "shared_host"]
METRICS_UNITS = ["/etc/systemd/system/kubeha-metrics.%s" % kind for kind in ("service", "timer")]
WATCHDOG = "/etc/kubeha/watchdog"
WATCHDOG_PARTS = [_PARTS % name for name in ("shared_host", "shared_wire", "watchdog_wire", "watchdog_host")]
# Whom the host gives way to, while it does.
GIVES_WAY = RUN + "/watchdog/gives-way"
WATCHDOG_UNIT = "/etc/systemd/system/kubeha-watchdog.service"
RECORDER = "/etc/kubeha/recorder"
RECORDER_PARTS = [_PARTS % name for name in (
    "shared_host", "shared_wire", "recorder_base", "recorder_network", "recorder_daemons", "recorder_said")]
PARTS = sorted({*METRICS_PARTS, *WATCHDOG_PARTS, *RECORDER_PARTS})
RECORDER_UNIT = "/etc/systemd/system/kubeha-recorder.service"
# What it writes, and nobody else.
RECORD = STATE + "/recorder"
# What starts a user's script, and where keepalived's states wait for it: a pod has that folder mounted already, and
# what starts keepalived anew empties it but for names with a dot.
HOOK = "/etc/kubeha/hook"
HOOK_UNITS = ["/etc/systemd/system/kubeha-hook.%s" % kind for kind in ("service", "path")]
HOOK_TMPFILES = "/etc/tmpfiles.d/kubeha-hook.conf"
HOOK_WORDS = RUN + "/keepalived/.hook"
FILTER_UNIT = "/etc/systemd/system/kubeha-filter.service"
SCRIPT_USER = "keepalived_script"
TMPFILES = "/etc/tmpfiles.d/kubeha.conf"
# The kubelet's own, for registries that want a password; a static pod can't name a secret of the cluster.
IMAGE_AUTH = "/var/lib/kubelet/config.json"


def key_path(config: str, endpoint: str, key_id: int) -> str:
    """Where a key of hmac lies: beside the keepalived.conf that names it. Another key has another name."""
    return "%s/kubeha-%s-%d.key" % (config.rpartition("/")[0], endpoint, key_id)


def is_key(name: str) -> bool:
    return name.startswith("kubeha-") and name.endswith(".key")


class Layout(NamedTuple):
    """What differs between HAProxy and keepalived as services and as static pods."""

    config: Dict[str, str]          # by role
    socket: str
    check: str                      # commands, as keepalived runs them
    notify: str
    script_user: str
    log_format: str                 # of HAProxy
    haproxy_threads: Optional[int]  # at most, where HAProxy can be told so


LAYOUTS = {
    "service": Layout(
        config={"haproxy": HAPROXY_CONFIG, "keepalived": KEEPALIVED_CONFIG}, socket=SOCKET,
        check=CHECK, notify=NOTIFY, script_user=SCRIPT_USER,
        # systemd's journal reads the levels that "short" writes; no syslog socket is needed inside of the chroot.
        log_format="short",
        haproxy_threads=None),
    "static_pod": Layout(
        config=_pod_paths.CONFIG, socket=_pod_paths.SOCKET,
        check=_pod_paths.CHECK, notify=_pod_paths.NOTIFY, script_user="root",
        log_format="raw",
        # One for each of a large machine's processors would cost memory for nothing.
        haproxy_threads=4),
}


def folders(mode: str, manifest_dir: Optional[str]) -> List[str]:
    """Where a run writes in this mode."""
    files = [PLAN_FILE, FILTER_UNIT, *LAYOUTS[mode].config.values()]
    if mode == "service":
        files += [CHECK, NOTIFY, UNIT_HOOK, *DROP_INS.values()]
    else:
        files += [TMPFILES, _pod_paths.manifest_path(manifest_dir or "/etc/kubernetes/manifests", "haproxy")]
    return sorted({path.rpartition("/")[0] for path in files} | {STATE, RUN})


def named(role: str) -> List[str]:
    """Files that a role may have on a host, in either mode and whatever is planned, but for keys, whose names an
    endpoint has, and for manifests below another folder than kubeadm's. What both roles have is HAProxy's here."""
    pods = [layout.config[role] for layout in LAYOUTS.values()] + [
        DROP_INS[role], _pod_paths.RUN[role], _pod_paths.manifest_path("/etc/kubernetes/manifests", role)]
    if role == "haproxy":
        return [*pods, SYSCTL_FILE, UNIT_HOOK, TMPFILES, IMAGE_AUTH, PLAN_FILE]
    return [*pods, CHECK, NOTIFY, _pod_paths.START, _pod_paths.CHECK, _pod_paths.NOTIFY, _pod_paths.RELEASE,
            *_pod_paths.RELEASE_UNITS, *PARTS, WATCHDOG, WATCHDOG_UNIT, METRICS, *METRICS_UNITS,
            RECORDER, RECORDER_UNIT, HOOK, HOOK_TMPFILES, *HOOK_UNITS]


# The marker by which a deployed file is known as ours; the same words as in _ownership.
HEADER = "Managed by kubeha.apiserver: changes here are overwritten by the next run."
