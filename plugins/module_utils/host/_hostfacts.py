# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What files and commands of a host say about itself. Pure: text in, plain values out.

None of it raises on odd text: what isn't understood is absent from the result.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
import struct
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Set, Tuple

UNIT_PROPERTIES = (
    "Id",
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "MainPID",
    "NRestarts",
    "ActiveEnterTimestampMonotonic",
    "StateChangeTimestampMonotonic",
)

# The first one that has a file of a name hides those of the same name in the others: sysctl.d(5).
SYSCTL_FOLDERS = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d")

_FAMILY_BY_ID = {
    "debian": "debian",
    "ubuntu": "debian",
    "rhel": "redhat",
    "fedora": "redhat",
    "centos": "redhat",
    "rocky": "redhat",
    "almalinux": "redhat",
    "ol": "redhat",
    "amzn": "redhat",
    "suse": "suse",
    "opensuse": "suse",
    "sles": "suse",
}
_VERSION = re.compile(r"(?:\d+:)?(\d+(?:\.\d+)+)")
_EXECUTION = re.compile(r"^Environment=KUBEHA_EXECUTION=(\S+)\s*$", re.MULTILINE)
_TCP_LISTEN = "0A"


def parse_os_release(text: str) -> Dict[str, str]:
    """family (debian, redhat, suse or other), distribution and version, from /etc/os-release."""
    values: Dict[str, str] = {}
    for line in text.splitlines():
        key, equals, raw = line.strip().partition("=")
        if not equals or key.startswith("#"):
            continue
        try:
            words = shlex.split(raw)
        except ValueError:
            continue
        values[key] = words[0] if words else ""
    distribution = values.get("ID", "")
    ids = [distribution] + values.get("ID_LIKE", "").split()
    families = [_FAMILY_BY_ID.get(name.split("-")[0]) for name in ids]
    return {
        "family": next((family for family in families if family), "other"),
        "distribution": distribution,
        "version": values.get("VERSION_ID", ""),
    }


def upstream_version(text: str) -> Optional[str]:
    """`1:2.2.7-1+b2` is 2.2.7."""
    match = _VERSION.match(text.strip())
    return match.group(1) if match else None


def candidate_command(pkg_mgr: str, packages: List[str]) -> Optional[List[str]]:
    """The command whose output `parse_candidates` reads."""
    if pkg_mgr == "apt":
        return ["apt-cache", "policy"] + packages
    if pkg_mgr in ("dnf", "dnf5", "yum"):
        return ["dnf", "-q", "repoquery", "--latest-limit=1", "--queryformat", "%{name} %{version}\\n"] + packages
    if pkg_mgr == "zypper":
        return ["zypper", "--non-interactive", "--quiet", "--no-refresh", "info"] + packages
    return None


def parse_candidates(pkg_mgr: str, output: str) -> Dict[str, str]:
    """{package: version that would be installed}"""
    if pkg_mgr == "apt":
        pairs = _blocks(output, re.compile(r"\A(\S+):\s*\Z"), re.compile(r"\A\s+Candidate:\s*(\S+)"))
    elif pkg_mgr == "zypper":
        pairs = _blocks(output, re.compile(r"\AName\s*:\s*(\S+)"), re.compile(r"\AVersion\s*:\s*(\S+)"))
    else:
        pairs = [(words[0], words[1]) for words in map(str.split, output.splitlines()) if len(words) == 2]
    versions = [(name, upstream_version(version)) for name, version in pairs]
    return {name: version for name, version in versions if version}


def parse_units(output: str) -> Dict[str, Dict[str, str]]:
    """{unit without ".service": its properties} from `systemctl show` of several units."""
    units: Dict[str, Dict[str, str]] = {}
    for block in output.split("\n\n"):
        properties = dict(line.partition("=")[::2] for line in block.splitlines() if "=" in line)
        name = properties.get("Id", "")
        if name:
            units[short(name)] = properties
    return units


def short(unit: str) -> str:
    """As systemctl takes it: a service's name needs no ending."""
    return unit[: -len(".service")] if unit.endswith(".service") else unit


def describe_unit(properties: Mapping[str, str], now: float) -> Dict[str, Any]:
    """Plain values of one unit; `now` is the monotonic clock, and times are seconds before it."""
    return {
        "exists": properties.get("LoadState") not in (None, "", "not-found"),
        "active": properties.get("ActiveState", ""),
        "sub": properties.get("SubState", ""),
        "enabled": properties.get("UnitFileState", "") in ("enabled", "enabled-runtime"),
        "masked": properties.get("UnitFileState", "").startswith("masked") or properties.get("LoadState") == "masked",
        "main_pid": _number(properties.get("MainPID")) or None,
        "restarts": _number(properties.get("NRestarts")),
        "active_for": _seconds_ago(properties.get("ActiveEnterTimestampMonotonic"), now),
        "changed_for": _seconds_ago(properties.get("StateChangeTimestampMonotonic"), now),
    }


def parse_execution(drop_in: str) -> Optional[str]:
    """What a systemd drop-in of ours calls the settings that need a restart to take effect."""
    match = _EXECUTION.search(drop_in)
    return match.group(1) if match else None


def parse_listeners(text: str, ports: Set[int]) -> List[Tuple[str, int]]:
    """(address, port) of each listening socket in /proc/net/tcp or tcp6 whose port is among `ports`."""
    return [(address, port) for address, port, _inode in parse_listening_sockets(text, ports)]


def parse_listening_sockets(text: str, ports: Set[int]) -> List[Tuple[str, int, str]]:
    """The same with each socket's inode, by which its process is found."""
    found = []
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) < 4 or words[3] != _TCP_LISTEN:
            continue
        packed, colon, port = words[1].partition(":")
        try:
            number = int(port, 16)
            address = _proc_address(packed)
        except ValueError:
            continue
        if number in ports:
            found.append((address, number, words[9] if len(words) > 9 else ""))
    return found


def parse_sysctls(text: str) -> Dict[str, str]:
    """Settings of a file for sysctl, by their names with dots."""
    found: Dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith(("#", ";")):
            found[name.strip().lstrip("-").replace("/", ".")] = value.strip()
    return found


def parse_default_routes(ipv4: str, ipv6: str) -> Dict[str, List[str]]:
    """By family the interfaces of the default routes that are used: of several those with the lowest metric."""
    found: Dict[str, List[Tuple[int, str]]] = {"ipv4": [], "ipv6": []}
    for words in map(str.split, ipv4.splitlines()):
        if len(words) > 7 and words[1] == words[7] == "0" * 8:
            found["ipv4"].append((_number(words[6]), words[0]))
    for words in map(str.split, ipv6.splitlines()):
        # The kernel always has one by way of the loopback interface, which refuses.
        if words[:2] == ["0" * 32, "00"] and len(words) > 9 and words[9] != "lo":
            found["ipv6"].append((int(words[5], 16) if re.fullmatch("[0-9a-f]{1,8}", words[5]) else 0, words[9]))
    lowest = {family: min(routes, default=(0, ""))[0] for family, routes in found.items()}
    return {family: list(dict.fromkeys(interface for metric, interface in routes if metric == lowest[family]))
            for family, routes in found.items()}


def sysctl_files(names_in: Callable[[str], Iterable[str]]) -> List[str]:
    """Paths of the files for sysctl in the order in which they're read. `names_in` lists a folder."""
    found: Dict[str, str] = {}
    for folder in SYSCTL_FOLDERS:
        for name in names_in(folder):
            if name.endswith(".conf"):
                found.setdefault(name, "%s/%s" % (folder, name))
    return [found[name] for name in sorted(found)]


def parse_selinux_boolean(text: str) -> Optional[bool]:
    """A file of /sys/fs/selinux/booleans has the current and the pending value."""
    words = text.split()
    return words[0] == "1" if words else None


def _blocks(output: str, name: re.Pattern[str], version: re.Pattern[str]) -> Iterable[Tuple[str, str]]:
    current = None
    for line in output.splitlines():
        named = name.match(line)
        if named:
            current = named.group(1)
        versioned = version.match(line)
        if versioned and current is not None:
            yield current, versioned.group(1)


def _proc_address(packed: str) -> str:
    """The kernel prints the address as 32-bit words in host byte order."""
    data = bytes.fromhex(packed)
    if len(data) not in (4, 16):
        raise ValueError("an address of %d bytes" % len(data))
    words = struct.unpack(">%dI" % (len(data) // 4), data)
    return str(ipaddress.ip_address(struct.pack("=%dI" % len(words), *words)))


def _number(text: Optional[str]) -> int:
    return int(text) if text and text.isdigit() and text.isascii() else 0


def _seconds_ago(microseconds: Optional[str], now: float) -> Optional[float]:
    value = _number(microseconds)
    return round(max(0.0, now - value / 1e6), 3) if value else None
