# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong on a host, and how it is mended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .lab import Lab


@dataclass(frozen=True)
class Fault:
    text: str
    inject: Callable[[Lab, str], object]
    mend: Callable[[Lab, str], object]
    silences: bool = False
    """Nothing on the host acts any more, so nothing there can say that it lost an address."""
    total: bool = False
    """Nothing can answer while it lasts."""
    seconds: float = 4
    """Long enough to see all of its consequences."""


def systemctl(*arguments: str) -> Callable[[Lab, str], object]:
    return lambda lab, host: lab.run(host, "systemctl", *arguments)


def nft(rules: str, then: str = "true") -> Callable[[Lab, str], object]:
    return lambda lab, host: lab.run(host, "sh", "-ec", f"nft '{rules}'; {then}")


def kill(signal: str, pattern: str) -> Callable[[Lab, str], object]:
    """Processes by their command line, from the host: a pod's are among the host's own."""
    return lambda lab, host: lab.run(host, "pkill", f"--signal={signal}", "--full", pattern)


def manifest(*command: str) -> Callable[[Lab, str], object]:
    """take it away, put it back, or change it so that the kubelet starts the pod anew; reset, or join again."""
    return lambda lab, host: lab.run(host, "python3", "/opt/lab/manifest.py", *command)


# What runs in the pods.
HAPROXY = "^haproxy .*/etc/kubeha/haproxy/haproxy.cfg"
HAPROXY_POD = "^/bin/sh /etc/kubeha/haproxy/run"
KEEPALIVED = "keepalived .*/etc/kubeha/keepalived/keepalived.conf"


def nothing(lab: Lab, host: str) -> None:
    """It mends itself."""


def everywhere(*arguments: str) -> Callable[[Lab, str], object]:
    def act(lab: Lab, host: str) -> None:
        for name in lab.hosts:
            if lab.info(name)["apiserver"]:
                lab.run(name, "systemctl", *arguments)

    return act


FAULTS = {
    "keepalived-stop": Fault(
        "keepalived stopped", systemctl("stop", "keepalived"), systemctl("start", "keepalived")
    ),
    "keepalived-kill": Fault(
        "keepalived SIGKILL, all its processes", systemctl("kill", "--signal=KILL", "keepalived"), nothing
    ),
    "keepalived-kill-main": Fault(
        "keepalived SIGKILL, its main process",
        systemctl("kill", "--signal=KILL", "--kill-who=main", "keepalived"),
        nothing,
    ),
    # It is mended by its watchdog.
    "keepalived-hang": Fault("keepalived SIGSTOP", systemctl("kill", "--signal=STOP", "keepalived"), nothing),
    # Nobody hears it, and it hears the others. Its watchdog has it give way, for a minute or until it's started anew.
    "keepalived-mute": Fault(
        "keepalived's adverts lost on their way out",
        nft("add table inet mute; add chain inet mute out { type filter hook output priority 0; };"
            " add rule inet mute out meta l4proto 112 drop"),
        nft("delete table inet mute", "systemctl restart kubeha-watchdog"), seconds=6,
    ),
    "keepalived-reload": Fault("keepalived reloaded", systemctl("reload", "keepalived"), nothing),
    "haproxy-stop": Fault("HAProxy stopped", systemctl("stop", "haproxy"), systemctl("start", "haproxy")),
    "haproxy-kill": Fault(
        "HAProxy SIGKILL, all its processes", systemctl("kill", "--signal=KILL", "haproxy"), nothing
    ),
    "haproxy-hang": Fault(
        "HAProxy SIGSTOP",
        systemctl("kill", "--signal=STOP", "haproxy"),
        systemctl("kill", "--signal=CONT", "haproxy"),
        seconds=8,
    ),
    "haproxy-reload": Fault("HAProxy reloaded", systemctl("reload", "haproxy"), nothing),
    "apiserver-stop": Fault(
        "API server stopped", systemctl("stop", "api-stand-in"), systemctl("start", "api-stand-in")
    ),
    "apiserver-kill": Fault(
        "API server SIGKILL", systemctl("kill", "--signal=KILL", "api-stand-in"), systemctl("restart", "api-stand-in")
    ),
    "apiserver-hang": Fault(
        "API server SIGSTOP",
        systemctl("kill", "--signal=STOP", "api-stand-in"),
        systemctl("kill", "--signal=CONT", "api-stand-in"),
        seconds=8,
    ),
    "apiservers-stop": Fault(
        "all API servers stopped", everywhere("stop", "api-stand-in"), everywhere("start", "api-stand-in"),
        total=True, seconds=12,
    ),
    "pod-keepalived-stop": Fault(
        "keepalived's manifest removed", manifest("take", "keepalived"), manifest("put", "keepalived")
    ),
    "pod-keepalived-kill": Fault("keepalived's container SIGKILL", kill("KILL", KEEPALIVED), nothing, seconds=8),
    "pod-keepalived-hang": Fault("keepalived in its pod SIGSTOP", kill("STOP", KEEPALIVED), nothing, seconds=8),
    "pod-keepalived-restart": Fault("keepalived's pod replaced", manifest("change", "keepalived"), nothing, seconds=8),
    "pod-keepalived-reload": Fault("keepalived in its pod reloaded", kill("HUP", KEEPALIVED), nothing),
    "pod-haproxy-stop": Fault("HAProxy's manifest removed", manifest("take", "haproxy"), manifest("put", "haproxy")),
    "pod-haproxy-kill": Fault("HAProxy's container SIGKILL", kill("KILL", HAPROXY_POD), nothing, seconds=8),
    "pod-haproxy-kill-process": Fault("HAProxy in its pod SIGKILL", kill("KILL", HAPROXY), nothing, seconds=8),
    "pod-haproxy-hang": Fault("HAProxy in its pod SIGSTOP", kill("STOP", HAPROXY), kill("CONT", HAPROXY), seconds=8),
    "pod-haproxy-restart": Fault("HAProxy's pod replaced", manifest("change", "haproxy"), nothing, seconds=8),
    "pod-haproxy-reload": Fault("HAProxy in its pod reloaded", kill("USR2", HAPROXY_POD), nothing),
    "pod-reset": Fault("all pods SIGKILL, no kubelet, no manifests", manifest("reset"), manifest("join"), seconds=8),
    "host-freeze": Fault("host frozen", Lab.freeze, Lab.thaw, silences=True, seconds=6),
    "host-kill": Fault("host lost power", Lab.kill, Lab.boot, silences=True, seconds=6),
}
