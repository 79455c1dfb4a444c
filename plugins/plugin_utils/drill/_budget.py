# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""How long clients may miss an endpoint for each fault: what the plan's own timing says, and a margin. Pure.

A holder that says goodbye is followed after the skew, which is below one interval of adverts; one that is silent after
`down_timer_adverts` of them as well (RFC 9568 section 6.1). A HAProxy that hangs is noticed by keepalived's check.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...module_utils.drill import _fault

if TYPE_CHECKING:
    from ...module_utils.model._model import Endpoint

# The client's own limit for an attempt; hosts and network work meanwhile, too.
MARGIN = 0.25


def expected(fault: str, endpoint: Endpoint) -> float:
    """Seconds at most, by arithmetic alone, where the host holds the endpoint's VIP."""
    if fault in (_fault.HANDOVER, _fault.APISERVER_STOP):
        return 0.0
    if fault in (_fault.KEEPALIVED_STOP, _fault.HAPROXY_STOP):
        return skew(endpoint)
    if fault == _fault.HAPROXY_HANG:
        return round(_hang(endpoint) + skew(endpoint), 3)
    return round(down(endpoint) + skew(endpoint), 3)


def budget(fault: str, endpoint: Endpoint) -> float:
    return round(expected(fault, endpoint) + MARGIN, 3)


def skew(endpoint: Endpoint) -> float:
    """Of the least preferred member."""
    found = 0.0
    for instance in endpoint["instances"]:
        unit = instance["advert_interval"] if instance["vrrp_version"] == 3 else 1.0
        found = max([found] + [unit * (256 - member["priority"]) / 256 for member in instance["members"]])
    return round(found, 3)


def down(endpoint: Endpoint) -> float:
    return max((instance["advert_interval"] * (instance["down_timer_adverts"] or 3)
                for instance in endpoint["instances"]), default=0.0)


def _hang(endpoint: Endpoint) -> float:
    """A check may just have succeeded; one that hangs takes its whole time, and the next one waits for its turn."""
    checks = [check for check in endpoint["checks"] if check["kind"] == "local"]
    return max((2 * check["interval"] + check["fall"] * check.get("hangs", 1)
                * max(check["interval"], check["timeout"]) for check in checks), default=0.0)
