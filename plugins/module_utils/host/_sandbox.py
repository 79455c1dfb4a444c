# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What systemd takes away from services: directives of systemd.exec(5), for their units.

A directive that an older systemd doesn't know is ignored there with a line in the journal. The commands of a unit that
begin with "+" run outside of it: the hook has to write below /run/kubeha.
"""

from __future__ import annotations

from typing import Iterable, List

# What none of them needs.
_COMMON = [
    "NoNewPrivileges=yes",
    "ProtectHome=yes",
    "PrivateTmp=yes",
    "PrivateMounts=yes",
    "PrivateDevices=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectControlGroups=yes",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "RestrictNamespaces=yes",
    "RestrictSUIDSGID=yes",
    "RemoveIPC=yes",
    "SystemCallArchitectures=native",
]


def haproxy(ports: Iterable[int]) -> List[str]:
    """HAProxy starts as root, binds, creates its sockets, and then its workers become another user in a chroot."""
    capabilities = ["CAP_SETGID", "CAP_SETUID", "CAP_SYS_CHROOT", "CAP_KILL"]
    if any(port < 1024 for port in ports):
        capabilities.append("CAP_NET_BIND_SERVICE")
    return _COMMON + [
        "ProtectSystem=strict",
        # Debian's and Fedora's units keep the PID file and the master's socket there.
        "ReadWritePaths=/run -/var/lib/haproxy",
        "ProtectKernelTunables=yes",
        "ProtectProc=invisible",
        "ProcSubset=pid",
        "RestrictRealtime=yes",
        "UMask=0077",
        "CapabilityBoundingSet=" + " ".join(capabilities),
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
        "SystemCallFilter=@system-service chroot",
        "SystemCallErrorNumber=EPERM",
    ]


def keepalived() -> List[str]:
    """keepalived changes addresses, sends raw packets, and starts scripts as another user."""
    return _COMMON + [
        # Not "strict": 2.3 names its routing protocol in /etc/iproute2.
        "ProtectSystem=yes",
        # It makes itself a real-time process where the host is starved, and raises its limits for that.
        "CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW CAP_SETGID CAP_SETUID CAP_KILL"
        " CAP_SYS_NICE CAP_SYS_RESOURCE CAP_IPC_LOCK",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET",
        "SystemCallFilter=@system-service",
        "SystemCallErrorNumber=EPERM",
    ]


def helper(capabilities: Iterable[str], families: Iterable[str], writes: Iterable[str] = ()) -> List[str]:
    """A short program of ours, run by root.

    :arg capabilities: what it may do as root, such as CAP_NET_ADMIN
    :arg families: address families of its sockets, such as AF_NETLINK
    :arg writes: folders that it writes to; all others are read-only
    """
    return _COMMON + [
        "ProtectSystem=strict",
        *("ReadWritePaths=-" + folder for folder in writes),
        "ProtectKernelTunables=yes",
        "RestrictRealtime=yes",
        "UMask=0077",
        "CapabilityBoundingSet=" + " ".join(capabilities),
        "RestrictAddressFamilies=" + " ".join(families),
        "SystemCallFilter=@system-service",
        "SystemCallErrorNumber=EPERM",
    ]
