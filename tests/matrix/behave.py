# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the daemons do with our files on three hosts: behave.py SUITE[,SUITE,SUITE]

Nothing of Ansible is in it: files as rendered, packages, a reload. With several suites their versions are mixed, which
is what a rolling upgrade of the hosts looks like. It looks for what happens, and how fast only as far as one must be
quicker than another; the benchmark measures.
"""

from __future__ import annotations

import io
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _lab.lab import Lab, down
from _lab.podman import podman, say
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.files import _render
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan._plan import compute_plan

ROLES = str(Path(__file__).resolve().parents[2] / "roles")
HOSTS = ("cp1", "cp2", "cp3")
DELAY = 8
PASSWORD = "geheim12"


class Failure(Exception):
    pass


class Cluster:
    """Three hosts with a VIP of each family."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        subnets = lab.state["subnets"]["lan"]
        self.vips = [subnets["ipv4"].replace(".0/24", ".100"), subnets["ipv6"].replace("::/64", "::100")]

    def install(self) -> None:
        for host in HOSTS:
            self.sh(host, "DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet haproxy keepalived"
                          " && useradd --system --no-create-home --shell /usr/sbin/nologin keepalived_script")

    def deploy(self, **intent: Any) -> None:
        plan = compute_plan(
            dict({"vip": self.vips, "lb_hosts": list(HOSTS), "apiserver_hosts": list(HOSTS)}, **intent),
            {host: self.facts(host) for host in HOSTS}, {})
        for host in HOSTS:
            buffer = io.BytesIO()
            with tarfile.open(fileobj=buffer, mode="w") as tar:
                marks = _render.secret_placeholders(plan, host, lambda: {"passwords": {"kube-apiserver": PASSWORD}})
                for entry in _render.render_host(plan, host, ROLES):
                    text = entry["content"]
                    for mark, secret in marks.items():
                        text = text.replace(mark, secret)
                    content = text.encode()
                    member = tarfile.TarInfo(entry["path"][1:])
                    member.size, member.mode = len(content), int(entry["mode"], 8)
                    tar.addfile(member, io.BytesIO(content))
            podman("cp", "-", f"{self.lab.container(host)}:/", data=buffer.getvalue())
            self.sh(host, "systemctl daemon-reload")
            self.sh(host, "[ -e /run/kubeha/haproxy/running ] && systemctl reload haproxy || systemctl restart haproxy")
        for host in HOSTS:
            self.sh(host, "systemctl enable --quiet keepalived; systemctl reload-or-restart keepalived")

    def facts(self, host: str) -> dict[str, Any]:
        query = "dpkg-query --show --showformat '${Package} ${Version}\\n' keepalived haproxy"
        versions = dict(line.split() for line in self.sh(host, query).splitlines())
        return {
            "networks": [{"interface": "eth0", "address": address, "prefix": 64 if ":" in address else 24}
                         for address in self.lab.info(host)["addresses"]],
            "keepalived_version": versions["keepalived"], "haproxy_version": versions["haproxy"],
        }

    def sh(self, host: str, script: str) -> str:
        return self.lab.run(host, "sh", "-c", script).stdout

    def holders(self) -> list[list[str]]:
        return [self.lab.holders(vip) for vip in self.vips]

    def until(self, what: str, condition: Callable[[], bool], seconds: float) -> float:
        """Seconds that it took; a busy machine gets three times as many."""
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > 3 * seconds:
                raise Failure("%s: not within %g s; holders: %s" % (what, seconds, self.holders()))
            time.sleep(0.1)
        return time.monotonic() - began

    def held_by(self, *hosts: str) -> Callable[[], bool]:
        """One of these has all VIPs, and nobody else any."""
        def condition() -> bool:
            first, *others = self.holders()
            return len(first) == 1 and first[0] in hosts and all(other == first for other in others)
        return condition

    def stays(self, host: str, seconds: float) -> None:
        """It holds, throughout, and so does nobody else."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not self.held_by(host)():
                raise Failure("%s should have kept the VIPs; holders: %s" % (host, self.holders()))
            time.sleep(0.2)

    def transitions(self) -> dict[str, int]:
        """How often each host became master so far."""
        count = "journalctl --boot --unit keepalived --output cat | grep -c 'Entering MASTER STATE' || true"
        return {host: int(self.sh(host, count)) for host in HOSTS}


def first_start(cluster: Cluster) -> None:
    """The preferred host ends up with both VIPs, also before there is any API server."""
    for host in HOSTS:
        cluster.lab.apiserver(host, "refuse")
    cluster.deploy(failback_delay=DELAY)
    cluster.until("the preferred host holds", cluster.held_by("cp1"), 30 + DELAY)
    for host in HOSTS:
        cluster.lab.apiserver(host, "healthy")
    cluster.stays("cp1", 8)


def killed_haproxy(cluster: Cluster) -> None:
    """The VIPs leave at once, and return when HAProxy has been up for the delay; not before."""
    cluster.sh("cp1", "systemctl kill --signal=KILL haproxy")
    cluster.until("another host takes over", cluster.held_by("cp2", "cp3"), 3)
    elapsed = cluster.until("the preferred host has it back", cluster.held_by("cp1"), DELAY + 10)
    if elapsed < DELAY - 4:
        raise Failure("it came back after %.1f s, before the delay of %d s" % (elapsed, DELAY))


def hung_haproxy(cluster: Cluster) -> None:
    """A HAProxy that doesn't answer loses the VIPs, and counts as new when it answers again."""
    cluster.sh("cp1", "systemctl kill --signal=STOP haproxy")
    cluster.until("another host takes over", cluster.held_by("cp2", "cp3"), 8)
    cluster.sh("cp1", "systemctl kill --signal=CONT haproxy")
    elapsed = cluster.until("the preferred host has it back", cluster.held_by("cp1"), DELAY + 15)
    if elapsed < DELAY - 4:
        raise Failure("it came back after %.1f s, before the delay of %d s" % (elapsed, DELAY))


def reloads(cluster: Cluster) -> None:
    """No reload moves anything."""
    before = cluster.transitions()
    for host in HOSTS:
        cluster.sh(host, "systemctl reload haproxy keepalived")
        cluster.stays("cp1", 1.5)
    if cluster.transitions() != before:
        raise Failure("somebody became master: %s, then %s" % (before, cluster.transitions()))


def killed_keepalived(cluster: Cluster) -> None:
    """Two holders end by themselves, and nobody is needed to start keepalived again."""
    cluster.sh("cp1", "systemctl kill --signal=KILL keepalived")
    time.sleep(1)
    cluster.until("one host holds again", cluster.held_by(*HOSTS), 6)
    cluster.until("the preferred host has it back", cluster.held_by("cp1"), 10)


def all_api_servers(cluster: Cluster) -> None:
    """When all API servers go, and when they come back, the VIPs stay."""
    before = cluster.transitions()
    for mode in ("500", "healthy"):
        for host in HOSTS:
            cluster.lab.apiserver(host, mode)
        cluster.stays("cp1", 14)
    if cluster.transitions() != before:
        raise Failure("somebody became master: %s, then %s" % (before, cluster.transitions()))


def blind_holder(cluster: Cluster) -> None:
    """A host that alone sees no API server passes the VIPs on."""
    others = [address for host in ("cp2", "cp3") for address in cluster.lab.info(host)["addresses"]]
    cluster.lab.apiserver("cp1", "500")
    rules = "".join("add rule inet blind output %s daddr %s tcp dport 6443 reject\\n" % (
        "ip6" if ":" in address else "ip", address) for address in others)
    cluster.sh("cp1", "printf 'add table inet blind\\nadd chain inet blind output "
                      "{ type filter hook output priority 0; }\\n%s' | nft -f -" % rules)
    cluster.until("another host takes over", cluster.held_by("cp2", "cp3"), 30)
    cluster.sh("cp1", "nft delete table inet blind")
    cluster.lab.apiserver("cp1", "healthy")
    cluster.until("the preferred host has it back", cluster.held_by("cp1"), 30)


def late_network(cluster: Cluster) -> None:
    """keepalived starts before there is an address, or even the interface, and goes on when there is."""
    addresses = cluster.lab.info("cp3")["addresses"]
    add = "; ".join("ip address add %s dev eth0%s" % ((address + "/64", " nodad") if ":" in address
                                                      else (address + "/24", "")) for address in addresses)
    for gone, back in (
        ("ip address flush dev eth0 scope global", add),
        ("ip link set eth0 down; ip link set eth0 name late0", "ip link set late0 name eth0; ip link set eth0 up; "
         + add + " 2>/dev/null || true"),
    ):
        cluster.sh("cp3", "systemctl stop keepalived; " + gone)
        cluster.sh("cp3", "systemctl start --no-block keepalived; sleep 3")
        cluster.sh("cp3", back)
        for host in ("cp1", "cp2"):
            cluster.sh(host, "systemctl stop keepalived")
        cluster.until("the host that was late takes over after: " + gone, cluster.held_by("cp3"), 15)
        for host in ("cp1", "cp2"):
            cluster.sh(host, "systemctl start keepalived")
        cluster.until("the preferred host has it back", cluster.held_by("cp1"), 15)


def cold_boot(cluster: Cluster) -> None:
    """After a power cut of all hosts there is one holder, and after the delay it's the preferred one."""
    for host in HOSTS:
        cluster.lab.kill(host)
    cluster.lab.boot(*HOSTS)
    cluster.until("one host holds", cluster.held_by(*HOSTS), 20)
    cluster.until("the preferred host holds", cluster.held_by("cp1"), DELAY + 20)


def sticky(cluster: Cluster) -> None:
    """Without failback: whoever holds keeps it through everything but his own failure."""
    cluster.deploy(failback=False)
    cluster.stays("cp1", 3)
    cluster.sh("cp1", "systemctl stop haproxy")
    cluster.until("another host takes over", cluster.held_by("cp2", "cp3"), 5)
    holder = cluster.holders()[0][0]
    cluster.sh("cp1", "systemctl start haproxy")
    cluster.stays(holder, 8)
    for host in HOSTS:
        if host != holder:
            cluster.sh(host, "systemctl restart keepalived")
            cluster.stays(holder, 4)
    cluster.sh(holder, "systemctl restart keepalived")
    cluster.until("another host takes over", cluster.held_by(*(set(HOSTS) - {holder})), 8)
    second = cluster.holders()[0][0]
    cluster.stays(second, 6)
    before = cluster.transitions()
    for mode in ("500", "healthy"):
        for host in HOSTS:
            cluster.lab.apiserver(host, mode)
        cluster.stays(second, 14)
    if cluster.transitions() != before:
        raise Failure("somebody became master: %s, then %s" % (before, cluster.transitions()))


def multicast(cluster: Cluster) -> None:
    """By multicast, the VIPs fail over and come back as well."""
    cluster.deploy(vrrp_transport="multicast", failback_delay=DELAY)
    cluster.until("the preferred host holds", cluster.held_by("cp1"), 30)
    fail_over(cluster)


def password(cluster: Cluster) -> None:
    """With a password, which is VRRPv2 and IPv4 only, the VIP fails over and comes back as well."""
    cluster.vips = cluster.vips[:1]
    cluster.deploy(auth="pass", auth_password=PASSWORD, failback_delay=DELAY)
    cluster.until("the preferred host holds", cluster.held_by("cp1"), 30)
    fail_over(cluster)


def fail_over(cluster: Cluster) -> None:
    cluster.sh("cp1", "systemctl stop keepalived")
    cluster.until("another host takes over", cluster.held_by("cp2"), 6)
    cluster.sh("cp1", "systemctl start keepalived")
    cluster.until("the preferred host has it back", cluster.held_by("cp1"), 15)
    cluster.stays("cp1", 3)


STORY = (first_start, killed_haproxy, hung_haproxy, reloads, killed_keepalived, all_api_servers, blind_holder,
         late_network, cold_boot, sticky, multicast, password)


def main() -> int:
    suites = sys.argv[1].split(",")
    chosen = [act for act in STORY if act is first_start or not sys.argv[2:] or act.__name__ in sys.argv[2:]]
    name = "behave-" + "-".join(suites)
    lab = Lab.up(name, {
        "networks": {"lan": {"families": ["ipv4", "ipv6"]}},
        "hosts": {host: {"suite": suites[number % len(suites)], "apiserver": True}
                  for number, host in enumerate(HOSTS)},
    })
    failed = 0
    try:
        cluster = Cluster(lab)
        cluster.install()
        for act in chosen:
            try:
                act(cluster)
                say("ok      %s" % act.__doc__)
            except Failure as failure:
                failed += 1
                say("FAILED  %s\n        %s: %s" % (act.__doc__, act.__name__, failure))
                for host in HOSTS:
                    say(cluster.sh(host, "journalctl --boot --unit keepalived --unit haproxy --lines 15 --no-pager"))
                cluster.until("recovery", cluster.held_by(*HOSTS), 60)
        warnings = {host: cluster.sh(host, "systemctl --failed --no-legend --plain") for host in HOSTS}
        if any(warnings.values()):
            failed += 1
            say("FAILED  units: %s" % warnings)
    finally:
        down(name)
    print("%d of %d behaviours on %s as expected" % (len(chosen) - failed, len(chosen), sys.argv[1]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
