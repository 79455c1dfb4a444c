# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Whether two answers came from one machine, by what each says of itself.

No single mark will do: containers share their kernel's boot ID, cloned machines share the machine ID, and machines that
were resumed from one snapshot share both. One machine is one network stack of one boot, whose interfaces have the same
hardware addresses.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

# Of so many interfaces, in the kernel's order: those of pods come later, and come and go.
INTERFACES = 32


def describe(
    machine_id: str, boot_id: str, netns: str, name: str, links: t.Iterable[tuple[str, str, str]]
) -> dict[str, t.Any]:
    """What a host says of itself: systemd's machine ID, the kernel's boot ID, the network namespace, its own name, and
    interfaces with their hardware addresses and kinds."""
    found = [link for link in links if link[1].strip("0:")]
    # A bridge's address changes when its ports come and go, and names of pods' interfaces are used again. Who has no
    # device, as a container, is told by the others.
    known = [link[:2] for link in found if link[2] == "device"] or [link[:2] for link in found if link[2] != "bridge"]
    return {"machine_id": machine_id.strip(), "boot_id": boot_id.strip(), "netns": netns, "name": name,
            "macs": dict(known[:INTERFACES])}


def same(one: t.Any, other: t.Any) -> bool:
    """Whether both are one machine; not where they don't say enough."""
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        return False
    known = [key for key in ("boot_id", "machine_id") if one.get(key) and other.get(key)]
    mark = "boot_id" if "boot_id" in known else "machine_id"
    if not known or one[mark] != other[mark] or one.get("netns") != other.get("netns"):
        return False
    macs = [found if isinstance(found, Mapping) else {} for found in (one.get("macs"), other.get("macs"))]
    shared = macs[0].keys() & macs[1].keys()
    if any(macs[0][name] != macs[1][name] for name in shared):
        return False
    # Without the boot ID, clones are told apart by nothing else.
    return mark == "boot_id" or bool(shared)


def elsewhere(one: t.Any, other: t.Any) -> bool:
    """Whether these are surely two machines, or two boots of one."""
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        return False
    return any(one.get(key) and other.get(key) and one[key] != other[key] for key in ("boot_id", "netns"))


def twins(identities: Mapping[str, t.Any]) -> list[tuple[str, str, str]]:
    """Pairs of hosts that are one machine, each with the first of its names, and the name that it has for itself."""
    found = []
    first: dict[tuple[str, str], list[str]] = {}
    for host, identity in identities.items():
        if not isinstance(identity, Mapping):
            continue
        # Only those with the same kernel can be the same machine, so that nobody is compared with everybody.
        mark = (str(identity.get("boot_id") or identity.get("machine_id")), str(identity.get("netns")))
        others = first.setdefault(mark, [])
        twin = next((other for other in others if same(identities[other], identity)), None)
        if twin is None:
            others.append(host)
        else:
            found.append((twin, host, str(identity.get("name") or "")))
    return found
