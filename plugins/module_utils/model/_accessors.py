# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What many ask a plan: the endpoints of a host, the members of an endpoint, its ports and times. Pure."""

from __future__ import annotations

from typing import (
    TYPE_CHECKING,
    Dict,
    List,
    Optional,
    Sequence,
)

if TYPE_CHECKING:
    from ._model import Endpoint, Plan

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._model import Endpoint, Exporter, Notify, Plan

# From this share of its connections on an endpoint is nearly full.
NEARLY_FULL = 0.8


def endpoints_of(plan: Plan, host: str) -> List[Endpoint]:
    """Those that the host is a member of."""
    return [endpoint for endpoint in plan.get("endpoints") or ()
            if any(member["host"] == host for instance in endpoint["instances"] for member in instance["members"])]


def ports_of(endpoint: Endpoint) -> List[int]:
    """The port that clients use, and former ones that some of them may still use."""
    return [endpoint["port"], *endpoint["former"]["ports"]]


def exporter_of(endpoint: Endpoint) -> Optional[Exporter]:
    """Where HAProxy shows its metrics, if anywhere."""
    return endpoint["metrics"]["exporter"] if "metrics" in endpoint else None


def notify_of(endpoints: Sequence[Endpoint]) -> Optional[Notify]:
    """What a host runs when a state changes, if anything."""
    return next((endpoint["notify"] for endpoint in endpoints if "notify" in endpoint), None)


def nearly_full(maxconn: int) -> int:
    """How many connections of an endpoint are worth a word."""
    return math.ceil(maxconn * NEARLY_FULL)


def members_of(endpoint: Endpoint) -> List[str]:
    """Hosts of all instances, the preferred one first."""
    priorities: Dict[str, int] = {}
    for instance in endpoint["instances"]:
        for member in instance["members"]:
            priorities[member["host"]] = max(member["priority"], priorities.get(member["host"], 0))
    return sorted(priorities, key=lambda host: -priorities[host])


def settle_seconds(plan: Plan, host: str) -> float:
    """How long a host's state has to last to be believed: longer than it takes a backup to miss its master."""
    timers = [
        instance["advert_interval"] * ((instance["down_timer_adverts"] or 3) + 1)
        for endpoint in plan["endpoints"]
        if host in members_of(endpoint)
        for instance in endpoint["instances"]
    ]
    return round(1.5 * max(timers), 3) if timers else 0.0
