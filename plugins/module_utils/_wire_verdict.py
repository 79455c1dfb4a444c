# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What was heard on the wire beside the plan. Pure: a plan and what `endpoint_wire` returned for each host in, findings out."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional

ERROR, WARNING, INFO = "error", "warning", "info"

# code: (severity, why it matters)
CODES: Dict[str, Any] = {
    "vrid_in_use": ERROR,
    "vrid_priority_255": ERROR,
    "vip_under_other_vrid": ERROR,
    "vip_in_use": ERROR,
    "vip_held_unplanned": WARNING,
    "vip_two_holders": WARNING,
    "address_in_use": WARNING,
    "vrrp_blocked": ERROR,
    "vrrp_lossy": WARNING,
    "vrrp_untested": INFO,
    "vrrp_malformed": WARNING,
    "vrid_heard_elsewhere": INFO,
    "wire_untested": WARNING,
}


def wire_findings(
    plan: Mapping[str, Any],
    results: Mapping[str, Mapping[str, Any]],
    deployed: Optional[Mapping[str, Mapping[str, Any]]] = None,
) -> List[Dict[str, Any]]:
    """[{code, severity, host, endpoint, seen, why, fix}], the worst first.

    `results` are what `endpoint_wire` returned, by host: those of this run, members may be missing. `deployed` are the
    plans that members have stored, by host; without it, every member that holds a VIP is taken for one that may.
    """
    raise NotImplementedError
