# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render plans of all kinds for the versions of one Debian release: cases.py FOLDER KEEPALIVED-VERSION HAPROXY-VERSION

FOLDER/CASE/files.json has what `endpoint_files` is given on a host, secrets.json the secrets. FOLDER/units.json has the
units of ours that a host with static pods gets.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.kubeha.apiserver.plugins.module_utils.model import _paths
from ansible_collections.kubeha.apiserver.plugins.module_utils.network import _filter
from ansible_collections.kubeha.apiserver.plugins.module_utils.run import _lease_io
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.files import _host_files, _render
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.intent._errors import PlanError
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan._plan import compute_plan

ROLES = str(Path(__file__).resolve().parents[2] / "roles")
V4, V6 = "198.51.100.%d", "2001:db8:1::%d"
HOSTS = ("cp1", "cp2", "cp3")
VIPS = {"ipv4": V4 % 100, "ipv6": V6 % 100}
KEYS = ["hex:" + 32 * "0a", 40 * "k"]
FAMILIES = {"v4": ["ipv4"], "v6": ["ipv6"], "dual": ["ipv4", "ipv6"]}


def intents() -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, intent): each thing that a file can look different by, and how they meet."""
    for short, families in FAMILIES.items():
        for transport in ("unicast", "multicast"):
            for failback in (True, False):
                yield ("%s-%s-%s" % (short, transport, "failback" if failback else "sticky"), {
                    "vip": [VIPS[family] for family in families], "vrrp_transport": transport, "failback": failback})
    vip = [VIPS["ipv4"]]
    for profile in ("safe", "aggressive", "kubeadm"):
        yield "timing-" + profile, {"vip": vip, "timing": profile}
    for kind in ("https_strict", "tcp"):
        yield "check-" + kind, {"vip": vip, "health_check": kind}
    yield "health-path", {"vip": vip, "health_path": "/livez?exclude=etcd"}
    yield "auth-pass", {"vip": vip, "auth": "pass", "auth_password": "geheim12"}
    # No release has a keepalived for these yet.
    for name, families, transport in (
            ("", ["ipv4"], "unicast"), ("-dual", ["ipv4", "ipv6"], "unicast"), ("-multicast", ["ipv4"], "multicast")):
        yield "auth-hmac" + name, {"vip": [VIPS[family] for family in families], "vrrp_transport": transport,
                                   "auth": "hmac", "auth_password": KEYS, "auth_mode": "permissive"}
    yield "balance", {"vip": vip, "haproxy_balance": "source"}
    yield "metrics", {"vip": vip, "metrics": True, "metrics_address": "host", "metrics_allow": ["198.51.100.0/24"]}
    for name, connections, target in (
            ("none", "none", None), ("errors", "errors", None), ("share", "1/100", None),
            ("server", "errors", "198.51.100.25:514"), ("server-v6", "1/100", "[2001:db8::25]:514")):
        yield "log-" + name, {"vip": vip, "haproxy_log_connections": connections, "haproxy_log_target": target}
    yield "no-delay", {"vip": vip, "failback_delay": 0}
    yield "dedicated", {"vip": list(VIPS.values()), "lb_hosts": ["cp1", "cp2"], "apiserver_hosts": ["api1", "api2"]}
    # A control plane that begins with one host.
    for short, families in FAMILIES.items():
        yield "one-" + short, {"vip": [VIPS[family] for family in families], "lb_hosts": ["cp1"]}
    # Two endpoints of the default size want more open files than the container may have.
    yield "two-ports", {"haproxy_maxconn": 4096, "list": [
        {"name": "a", "vip": vip}, {"name": "b", "vip": [V4 % 101], "port": 9443}]}
    yield "shared-port", {"haproxy_maxconn": 4096, "list": [
        {"name": "a", "vip": list(VIPS.values()), "failback": False},
        {"name": "b", "vip": [V4 % 101, V6 % 101]},
    ]}
    yield "many", {"haproxy_maxconn": 200, "list": [
        {"name": "tenant-%d.example" % number, "vip": [V4 % (100 + number)], "port": 10000 + number}
        for number in range(20)]}


def hosts(keepalived: str, haproxy: str) -> dict[str, Any]:
    return {
        name: {
            "networks": [{"interface": "eth0", "address": V4 % (11 + number), "prefix": 24},
                         {"interface": "eth0", "address": V6 % (11 + number), "prefix": 64}],
            "keepalived_version": keepalived, "haproxy_version": haproxy,
        }
        for number, name in enumerate((*HOSTS, "api1", "api2"))
    }


def main() -> int:
    folder, keepalived, haproxy = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    skipped = 0
    for name, intent in intents():
        wanted = dict({"lb_hosts": list(HOSTS), "apiserver_hosts": list(HOSTS)}, **intent)
        try:
            plan = compute_plan(wanted, hosts(keepalived, haproxy), {})
        except PlanError as error:
            # What these versions can't do is refused by the plan, and nothing is deployed.
            codes = {problem.code for problem in error.problems}
            if not all("version" in code or "old" in code or "keepalived" in code for code in codes):
                raise
            print("%s: refused for these versions: %s" % (name, ", ".join(sorted(codes))))
            skipped += 1
            continue
        # The first host and another: MASTER and BACKUP differ.
        for host in [host for host in (HOSTS[0], HOSTS[1]) if host in _host_files.balancers(plan)]:
            target = folder / ("%s@%s" % (name, host))
            target.mkdir(parents=True)
            files = _render.render_host(plan, host, ROLES)
            marks = _render.secret_placeholders(
                plan, host, lambda wanted=wanted: {"passwords": {"kube-apiserver": wanted["auth_password"]}})
            (target / "files.json").write_text(json.dumps(files), encoding="utf-8")
            (target / "secrets.json").write_text(json.dumps(marks), encoding="utf-8")
            (target / "names.json").write_text(json.dumps(
                [endpoint["name"] for endpoint in plan["endpoints"] if host in _host_files.balancers(
                    {"endpoints": [endpoint]})]), encoding="utf-8")
    units = pod_units(keepalived, haproxy)
    lease = _lease_io.unit("/etc/kubernetes/manifests/kubeha-keepalived.yaml", "/bin/sh")
    units.append({"path": _paths.LEASE_UNIT, "content": lease})
    units.append({"path": _paths.FILTER_UNIT, "content": _filter.unit("/usr/sbin/nft")})
    (folder / "units.json").write_text(json.dumps(units), encoding="utf-8")
    return 0


def pod_units(keepalived: str, haproxy: str) -> list[dict[str, Any]]:
    plan = compute_plan({
        "vip": VIPS["ipv4"], "mode": "static_pod", "keepalived_image": "k:" + keepalived,
        "haproxy_image": "h:" + haproxy, "lb_hosts": list(HOSTS), "apiserver_hosts": list(HOSTS),
        "metrics_textfile_dir": "/var/lib/node_exporter", "recorder": True,
        "notify_script": "/usr/local/libexec/vip-moved",
    }, hosts(keepalived, haproxy), {})  # fmt: skip
    return [entry for entry in _render.render_host(plan, HOSTS[0], ROLES) if entry["path"].endswith(".service")]


if __name__ == "__main__":
    sys.exit(main())
