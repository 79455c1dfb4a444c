# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What takes a virtual IP away from an interface: systemd-networkd and NetworkManager. Pure: file contents in.

Seen on systemd 252 and 257: networkd removes every address that it doesn't know when it configures a link again
(`networkctl reconfigure`, `networkctl reload` after the .network file has changed; since 257 also each restart, as by
an upgrade of the package), unless the link's KeepConfiguration= is "static" or "yes". Adding the setting and reloading
removes nothing. NetworkManager (1.42) does so when a connection is activated again or reapplied, and has no setting
against it; keepalived puts the address back within half a second.
"""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional, Sequence, Tuple

LINK_STATE = "/run/systemd/netif/links/%d"
LEASE = "/run/systemd/netif/leases/%d"
NM_STATE = "/run/NetworkManager/devices/%d"
NM_CONNECTIONS = "/run/NetworkManager/system-connections"
UFW_CONFIG = "/etc/ufw/ufw.conf"
# The first of them wins where two have a file of the same name (systemd.network(5)).
NETWORK_FOLDERS = (
    "/etc/systemd/network", "/run/systemd/network", "/usr/local/lib/systemd/network", "/usr/lib/systemd/network",
    "/lib/systemd/network",
)  # fmt: skip
# After everything that a person or netplan is likely to have there.
DROP_IN_NAME = "zz-kubeha.conf"

_KEEPS = frozenset(["static", "yes", "true", "on", "1"])
_ALSO_DHCP = frozenset(["dhcp", "dhcp-on-stop", "dynamic", "dynamic-on-stop"])


def link_state(text: str) -> Dict[str, str]:
    """A file below /run/systemd/netif/links, as KEY=VALUE lines."""
    pairs = (line.partition("=") for line in text.splitlines() if not line.startswith("#"))
    return {key.strip(): value.strip().strip('"') for key, equals, value in pairs if equals}


def network_file(state: Mapping[str, str]) -> Optional[str]:
    """The .network file that networkd configures a link by; None where it leaves the link alone."""
    if state.get("ADMIN_STATE") in (None, "", "unmanaged"):
        return None
    return state.get("NETWORK_FILE") or None


def drop_in_folders(path: str) -> List[str]:
    """Where the drop-ins of a .network file can be, the most important folder first."""
    name = path.rsplit("/", 1)[-1]
    return ["%s/%s.d" % (folder, name) for folder in NETWORK_FOLDERS]


def our_drop_in(path: str) -> str:
    return "%s/%s.d/%s" % (NETWORK_FOLDERS[0], path.rsplit("/", 1)[-1], DROP_IN_NAME)


def drop_ins_in_order(listings: Sequence[Tuple[str, Sequence[str]]]) -> List[str]:
    """Paths of the drop-ins that count, in the order in which they are read; `listings` are folders and their files."""
    chosen: Dict[str, str] = {}
    for folder, names in listings:
        for name in names:
            if name.endswith(".conf"):
                chosen.setdefault(name, "%s/%s" % (folder, name))
    return [chosen[name] for name in sorted(chosen)]


def keep_configuration(texts: Sequence[str]) -> str:
    """The value of KeepConfiguration= in the .network file followed by its drop-ins; the last one counts."""
    said = [_section(text, "Network").get("KeepConfiguration") for text in texts]
    return next((value for value in reversed(said) if value is not None), "")


def keeps_foreign(value: str) -> bool:
    """Whether networkd leaves addresses alone that it hasn't set itself."""
    return value.lower() in _KEEPS


def drop_in(header: str, value: str) -> str:
    """A drop-in that makes networkd keep the VIP and, beside that, what it keeps already."""
    wanted = "yes" if value.lower() in _ALSO_DHCP else "static"
    return (
        "# %s\n# A virtual IP isn't in this file, and would be removed whenever the link is configured again.\n"
        "[Network]\nKeepConfiguration=%s\n" % (header, wanted)
    )


def nm_connection(text: str) -> Optional[str]:
    """The connection by which NetworkManager has configured a device, out of the device's state file."""
    device = _section(text, "device")
    return device.get("connection-uuid") if device.get("managed") == "true" else None


def nm_external(text: str) -> Optional[str]:
    """The UUID of a connection that only describes what something else has configured; NetworkManager touches none of
    it."""
    return _section(text, "connection").get("uuid") if _section(text, ".nmmeta").get("external") == "true" else None


def ufw_enabled(text: str) -> bool:
    """Whether /etc/ufw/ufw.conf has ufw load its rules; its unit is active also where it doesn't."""
    values = dict(line.partition("=")[::2] for line in text.splitlines() if not line.startswith("#"))
    return values.get("ENABLED", "").strip().lower() == "yes"


def _section(text: str, wanted: str) -> Dict[str, str]:
    values: Dict[str, str] = {}
    section = ""
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif section == wanted and line[:1] not in ("#", ";"):
            key, equals, said = line.partition("=")
            if equals:
                values[key.strip()] = said.strip()
    return values
