# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""For each alert a fault that it's there for, with the way back."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from _lab.podman import podman
from leases import BACKUPS, NEW, OLD, Backups
from monitored import FACTOR, Monitored

CERTIFICATE = "/etc/kubernetes/pki/apiserver.crt"
HAPROXY = "/etc/haproxy/haproxy.cfg"
# Each may have half of 256 connections.
CROWD = {"client": 118, "cp3": 118}
# Of a run that is killed, in seconds, with the time until it has changed the holder.
LEASE = 90


@dataclass(frozen=True)
class Provoked:
    alert: str
    fault: Callable[[Monitored], contextlib.AbstractContextManager[object]]
    beside: tuple[str, ...] = ()
    """Alerts that say another side of the same."""
    late: float = 0
    """Seconds until it has come to that."""


@contextlib.contextmanager
def nobody_runs_keepalived(lab: Monitored) -> Iterator[None]:
    lab.everywhere("systemctl", "stop", "keepalived")
    yield
    lab.everywhere("systemctl", "start", "keepalived")


@contextlib.contextmanager
def one_hears_nobody(lab: Monitored) -> Iterator[None]:
    """A packet filter of somebody else's drops VRRP, and no watchdog has the others give way."""
    lab.everywhere("systemctl", "stop", "kubeha-watchdog")
    lab.lab.run("cp3", "sh", "-ec", "nft add table inet deaf; nft 'add chain inet deaf input { type filter hook input "
                "priority -300; }'; nft add rule inet deaf input meta l4proto 112 drop")
    yield
    lab.lab.run("cp3", "nft", "delete", "table", "inet", "deaf")
    lab.everywhere("systemctl", "start", "kubeha-watchdog")


@contextlib.contextmanager
def two_could_not_take_over(lab: Monitored) -> Iterator[None]:
    lab.lab.run("cp2", "systemctl", "stop", "haproxy")
    lab.lab.run("cp3", "systemctl", "stop", "keepalived")
    yield
    lab.lab.run("cp2", "systemctl", "start", "haproxy")
    lab.lab.run("cp3", "systemctl", "start", "keepalived")


@contextlib.contextmanager
def preferred_without_haproxy(lab: Monitored) -> Iterator[None]:
    lab.lab.run("cp1", "systemctl", "stop", "haproxy")
    yield
    lab.lab.run("cp1", "systemctl", "start", "haproxy")


@contextlib.contextmanager
def hung_and_robbed(lab: Monitored) -> Iterator[None]:
    """keepalived hangs unwatched, and somebody takes its VIP away; one that doesn't hang would put it back at once."""
    lab.lab.run("cp1", "systemctl", "stop", "kubeha-watchdog")
    lab.lab.run("cp1", "systemctl", "kill", "--signal=STOP", "keepalived")
    lab.lab.run("cp1", "ip", "address", "delete", "%s/32" % lab.vip, "dev", "eth0")
    yield
    lab.lab.run("cp1", "systemctl", "kill", "--signal=CONT", "keepalived")
    lab.lab.run("cp1", "systemctl", "start", "kubeha-watchdog")


@contextlib.contextmanager
def flapping(lab: Monitored) -> Iterator[None]:
    for _again in range(5):
        for action in ("stop", "start"):
            lab.lab.run("cp1", "systemctl", action, "keepalived")
            lab.until(lambda there=action == "start": (lab.holders() == ["cp1"]) is there)
    yield


@contextlib.contextmanager
def drained(lab: Monitored) -> Iterator[None]:
    lab.verb("drain", "cp3")
    yield
    lab.verb("undrain", "cp3")


@contextlib.contextmanager
def killed_run(lab: Monitored) -> Iterator[None]:
    """It has changed the holder, so that the backups, which it has stopped, would not understand it."""
    backups = Backups(lab, False)
    changed = "grep -q 'virtual_router_id %d' %s && sha256sum %s | grep -q \"^$(cat /run/kubeha/unit/keepalived." \
              "running) \"" % (NEW, backups.config, backups.config)
    lab.killed_site_when(lambda: all(backups.is_silenced(host) for host in BACKUPS) and lab.says("cp1", changed),
                         endpoint_virtual_router_id=NEW, __endpoint_lease_seconds=LEASE)
    yield
    lab.settle(endpoint_virtual_router_id=OLD)


@contextlib.contextmanager
def edited(lab: Monitored) -> Iterator[None]:
    lab.lab.run("cp3", "sh", "-ec", "echo '# by hand' >>%s; systemctl reload haproxy" % HAPROXY)
    yield
    lab.settle()


@contextlib.contextmanager
def edited_and_not_loaded(lab: Monitored) -> Iterator[None]:
    lab.lab.run("cp3", "sh", "-ec", "echo '# by hand' >>%s" % HAPROXY)
    yield
    lab.lab.run("cp3", "sed", "-i", "$d", HAPROXY)


@contextlib.contextmanager
def certificate(lab: Monitored, days: int, *addresses: str) -> Iterator[None]:
    names = ",".join("IP:" + address for address in (lab.lab.address("cp3"), *addresses))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "apiserver.crt"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
             str(days), "-subj", "/CN=kube-apiserver", "-addext", "subjectAltName=" + names, "-keyout", "/dev/null",
             "-out", str(file)], check=True, capture_output=True)
        lab.lab.run("cp3", "mkdir", "-p", str(Path(CERTIFICATE).parent))
        podman("cp", str(file), "%s:%s" % (lab.lab.container("cp3"), CERTIFICATE))
    yield
    lab.lab.run("cp3", "rm", "-r", "/etc/kubernetes")


@contextlib.contextmanager
def timer_stopped(lab: Monitored) -> Iterator[None]:
    lab.lab.run("cp2", "systemctl", "stop", "kubeha-metrics.timer")
    yield
    lab.lab.run("cp2", "systemctl", "start", "kubeha-metrics.timer")


@contextlib.contextmanager
def api_server_refuses(lab: Monitored) -> Iterator[None]:
    lab.lab.apiserver("cp3", "refuse")
    yield
    lab.lab.apiserver("cp3", "healthy")


@contextlib.contextmanager
def crowded(lab: Monitored) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for host, count in CROWD.items():
            command = "python3 /opt/lab/connections.py --again --target %s:%d --count %d" % (lab.vip, lab.port, count)
            running = stack.enter_context(lab.lab.background(host, *command.split()))
            assert running.stdout is not None and int(running.stdout.readline()) == count
        yield


# Those that move the VIP stand apart: too many moves in a short time are an alert of their own.
PROVOKED = (
    Provoked("KubehaNobodyHolds", nobody_runs_keepalived),
    Provoked("KubehaOneFailureFromTheEnd", two_could_not_take_over),
    Provoked("KubehaConfigurationEdited", edited),
    Provoked("KubehaTwoHold", one_hears_nobody),
    Provoked("KubehaCertificateEnds", lambda lab: certificate(lab, 10, lab.vip)),
    Provoked("KubehaNotOnThePreferredHost", preferred_without_haproxy),
    Provoked("KubehaCertificateWithoutEndpoint", lambda lab: certificate(lab, 365)),
    Provoked("KubehaApiServerOut", api_server_refuses),
    Provoked("KubehaBelievesOtherwise", hung_and_robbed),
    Provoked("KubehaDrainedForLong", drained),
    Provoked("KubehaNearlyFull", crowded),
    Provoked("KubehaTextfileStale", timer_stopped, late=120 / FACTOR),
    Provoked("KubehaConfigurationNotLoaded", edited_and_not_loaded, ("KubehaConfigurationEdited",)),
    Provoked("KubehaFlapping", flapping),
    Provoked("KubehaStoppedByARunThatIsGone", killed_run, ("KubehaOneFailureFromTheEnd",), LEASE),
)
