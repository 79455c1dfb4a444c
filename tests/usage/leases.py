# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that are killed while they have backups stopped, and what hosts do then by themselves."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator

from _lab.podman import podman
from user import MEMBERS, ROOT, Run, User, meanwhile

BACKUPS = ("cp2", "cp3")
OLD, NEW = 100, 77
# Of the host: until then a run has its word. A run that gets as far as the holder takes longer.
SHORT, LONG = 45, 90
# A holder that comes back with another dialect is heard, asked for, and its rival ends.
HAND_OVER = 5.0
LEFT = "ls /var/lib/kubeha/lease* /etc/systemd/system/kubeha-lease* /usr/libexec/kubeha/lease*"
MANIFEST = "/etc/kubernetes/manifests/kubeha-keepalived.yaml"


class Backups:
    """Of a lab whose keepalived runs as a service or as a pod."""

    def __init__(self, user: User, pods: bool) -> None:
        self.user = user
        self.config = "/etc/%s/keepalived.conf" % ("kubeha/keepalived" if pods else "keepalived")
        self.pods = pods
        self.inits: dict[str, str] = {}

    def site(self, vrid: int) -> Run:
        return self.user.site(endpoint_virtual_router_id=vrid)

    def site_that_loses(self, host: str, vrid: int) -> None:
        """Deploy, and let that host lose its power when it has the new files."""
        changed = "grep -q 'virtual_router_id %d' %s" % (vrid, self.config)
        process = subprocess.Popen(
            self.user.command("playbooks/site.yml", endpoint_virtual_router_id=vrid), stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, cwd=ROOT, start_new_session=True)
        try:
            while process.poll() is None and not self.user.says(host, changed):
                time.sleep(0.05)
            assert process.poll() is None and self.none_runs()
            self.user.lab.kill(host)
        finally:
            assert process.wait() != 0

    def kill_site(self, vrid: int, changed: bool) -> None:
        """Deploy, and be killed with all backups stopped: before or after the holder has changed and loaded that."""
        moved = "grep -q 'virtual_router_id %d' %s && sha256sum %s | grep -q \"^$(cat /run/kubeha/unit/keepalived." \
                "running) \"" % (vrid, self.config, self.config)
        self.user.killed_site_when(
            lambda: all(self.is_silenced(host) for host in BACKUPS) and (not changed or self.user.says("cp1", moved)),
            endpoint_virtual_router_id=vrid, __endpoint_lease_seconds=LONG if changed else SHORT)

    def runs(self, host: str) -> bool:
        return self.user.says(host, "pgrep -x keepalived >/dev/null")

    def is_silenced(self, host: str) -> bool:
        return self.user.says(host, "test -e /var/lib/kubeha/lease.json") and not self.runs(host)

    def all_run(self) -> bool:
        return all(self.runs(host) for host in BACKUPS)

    def none_runs(self) -> bool:
        return not any(self.runs(host) for host in BACKUPS)

    def stay_silent(self, why: str) -> bool:
        return self.none_runs() and all(
            self.user.says(host, "grep -q '%s' /var/lib/kubeha/lease.json" % why) for host in BACKUPS)

    def stop(self, host: str) -> None:
        if self.pods:
            self.user.on(host, "mv", MANIFEST, "/root/aside.yaml")
        else:
            self.user.on(host, "systemctl", "stop", "keepalived")

    def start(self, host: str) -> None:
        if self.pods:
            self.user.on(host, "mv", "/root/aside.yaml", MANIFEST)
        else:
            self.user.on(host, "systemctl", "start", "keepalived")

    def status(self, code: str) -> None:
        """It names each stopped backup, or each that has started again."""
        said = self.user.playbook("playbooks/status.yml").output
        for host in BACKUPS:
            assert any(code in line and host in line for line in said.splitlines()), said

    def is_clean(self) -> bool:
        return not any(self.user.says(host, LEFT) for host in MEMBERS)

    @contextlib.contextmanager
    def one_holder(self) -> Iterator[None]:
        """No two hosts have the VIP for longer than a hand-over takes, from beginning to end."""
        longest = since = 0.0

        def watch() -> None:
            nonlocal longest, since
            now = time.monotonic()
            if len(self.holders()) < 2:
                since = 0.0
                return
            since = since or now
            longest = max(longest, now - since)

        with meanwhile(watch, 0.2):
            yield
        print("two holders for %.1f s at most" % longest)
        assert longest < HAND_OVER

    def holders(self) -> list[str]:
        """As this machine sees them, which costs the hosts nothing. One that restarts has nothing."""
        return [host for host in MEMBERS if self.has(host)]

    def has(self, host: str) -> bool:
        if host not in self.inits:
            inspected = podman("inspect", "--format={{.State.Pid}}", self.user.lab.container(host), check=False)
            self.inits[host] = inspected.stdout.strip()
        said = subprocess.run(
            ["nsenter", "--net=/proc/%s/ns/net" % self.inits[host], "ip", "-o", "address", "show", "to", self.user.vip],
            capture_output=True, text=True, check=False)
        if said.returncode:
            self.inits.pop(host)
        return bool(said.stdout.strip())
