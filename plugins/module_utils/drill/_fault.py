# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A fault that a drill makes on a host, and its end: the note on the host, the unit, the packet filter's words. Pure.

A fault ends by itself. Before it begins there are a note of what is to be put back, a service that does so, and a timer
of systemd's that starts the service; the service also runs when the host boots.
"""

from __future__ import annotations

import math
import re
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

from ..host import _sandbox
from ..model import _paths
from ..run._run_lock import Clock

SCHEMA = 1
HANDOVER, KEEPALIVED_STOP, HAPROXY_STOP = "handover", "keepalived_stop", "haproxy_stop"
APISERVER_STOP, HAPROXY_HANG, NETWORK_CUT, REBOOT = "apiserver_stop", "haproxy_hang", "network_cut", "reboot"
# From the mildest to the worst.
FAULTS = (HANDOVER, APISERVER_STOP, KEEPALIVED_STOP, HAPROXY_STOP, HAPROXY_HANG, NETWORK_CUT, REBOOT)

# On a disk: a manifest has to come back after a loss of power, too.
FILE = _paths.STATE + "/drill.json"
MANIFEST = _paths.STATE + "/drill.manifest"
# When it began and ended. Of this boot only.
SEEN = _paths.RUN + "/drill.json"
PROGRAM = "/usr/libexec/kubeha/drill.pyz"
UNIT_FILE = _paths.DRILL_UNIT
UNIT = "kubeha-drill.service"
TIMER = "kubeha-drill.timer"
INJECTOR = "kubeha-drill-inject"
TABLE = "kubeha_drill"
# From the timer's start to the fault's: the module has answered by then, also where the network is cut.
DELAY = 1.0
# What a fault may last, and what has to be left of that when it begins.
LEAST, MOST = 2.0, 120.0
_LEFT = 0.5
_DEVICE = re.compile(r"[A-Za-z0-9_.-]{1,15}\Z")
_UNIT_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,100}\.service\Z")


class Work(NamedTuple):
    """What is done to a host, and undone."""

    fault: str
    boot: str = ""
    due: float = 0.0                    # seconds since boot
    moving: bool = False                # ranked below all others, as a run does it
    units: Tuple[str, ...] = ()         # stopped
    manifests: Tuple[str, ...] = ()     # taken from the kubelet
    hung: bool = False                  # HAProxy's processes
    devices: Tuple[str, ...] = ()       # that nothing goes through

    def noted(self) -> Dict[str, Any]:
        return dict(self._asdict(), schema=SCHEMA)


def work_of(found: Any) -> Any:
    """What a note says, or None."""
    if not isinstance(found, dict) or found.get("schema") != SCHEMA or found.get("fault") not in FAULTS:
        return None
    if not isinstance(found.get("boot"), str) or not _is_number(found.get("due")):
        return None
    lists = [found.get(key) for key in ("units", "manifests", "devices")]
    if not all(isinstance(items, list) and all(isinstance(item, str) for item in items) for items in lists):
        return None
    if not all(isinstance(found.get(key), bool) for key in ("moving", "hung")):
        return None
    return Work(found["fault"], found["boot"], found["due"], found["moving"], tuple(found["units"]),
                tuple(found["manifests"]), found["hung"], tuple(found["devices"]))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def is_unit(name: str) -> bool:
    return bool(_UNIT_NAME.match(name))


def is_late(work: Work, clock: Clock) -> bool:
    """Whether there is too little left of a fault to begin it."""
    return work.boot != clock.boot or work.due - clock.now < _LEFT


def armed(said: str) -> bool:
    """Of `systemctl show`: whether the timer runs and knows when."""
    found = dict(line.partition("=")[::2] for line in said.splitlines())
    due = found.get("NextElapseUSecMonotonic", "")
    return found.get("ActiveState") == "active" and due not in ("", "0", "infinity")


ARMED = ["systemctl", "show", "--property=ActiveState,NextElapseUSecMonotonic", TIMER]


def timer(seconds: float) -> List[str]:
    """It starts the service, which is there already."""
    return ["systemd-run", "--quiet", "--on-active=%dms" % round(seconds * 1000), "--timer-property=AccuracySec=50ms",
            "--unit=" + UNIT]


def injector(seconds: float, python: str) -> List[str]:
    return ["systemd-run", "--quiet", "--collect", "--on-active=%dms" % round(seconds * 1000),
            "--timer-property=AccuracySec=50ms", "--unit=" + INJECTOR, python, "-I", "-B", PROGRAM, "inject"]


def unit(python: str, folders: Sequence[str]) -> str:
    """`folders` are those of manifests."""
    writes = [_paths.STATE, _paths.RUN, "/usr/libexec/kubeha", "/etc/systemd/system", *folders]
    return "\n".join([
        "# " + _paths.HEADER,
        "[Unit]",
        "Description=Put back what a drill has broken here",
        "ConditionPathExists=" + FILE,
        "StartLimitIntervalSec=0",
        "",
        "[Service]",
        "ExecStart=%s -I -B %s undo" % (python, PROGRAM),
        "Restart=on-failure",
        "RestartSec=2s",
        "SyslogIdentifier=kubeha",
        "RuntimeDirectory=" + _paths.RUN.rpartition("/")[2],
        "RuntimeDirectoryPreserve=yes",
        *_sandbox.helper(["CAP_KILL", "CAP_NET_ADMIN"], ["AF_UNIX", "AF_NETLINK"], writes),
        "",
        "[Install]",
        "WantedBy=multi-user.target",
        "",
    ])


def is_device(name: str) -> bool:
    return name != "lo" and bool(_DEVICE.match(name))


def cut() -> str:
    """nft's words by which nothing comes in and nothing of the kernel's goes out, but through loopback."""
    inet = [
        "  chain in { type filter hook prerouting priority -400; policy drop; iifname \"lo\" accept; }",
        "  chain out { type filter hook output priority -400; policy drop; oifname \"lo\" accept; }",
    ]
    arp = [
        "  chain in { type filter hook input priority -400; policy drop; }",
        "  chain out { type filter hook output priority -400; policy drop; }",
    ]
    return "\n".join(["table inet %s {" % TABLE, *inet, "}", "table arp %s {" % TABLE, *arp, "}", ""])


def mute(devices: Sequence[str]) -> str:
    """The same for packets that programs make themselves, as keepalived does for ARP. Older kernels can't do it."""
    chains = ["  chain out%d { type filter hook egress device \"%s\" priority -400; policy drop; }" % item
              for item in enumerate(devices)]
    return "\n".join(["table netdev %s {" % TABLE, *chains, "}", ""])


FAMILIES = ("netdev", "arp", "inet")
