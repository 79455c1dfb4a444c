# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Which members have a VIP, asked of the network from one of them: it sees also who can't be logged in to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Sequence

from ._probe_io import Probe
from ._segment_io import run

if TYPE_CHECKING:
    from ..model._model import Endpoint


class ClaimsError(Exception):
    """The network couldn't be asked."""


def claims(
    endpoints: Sequence[Endpoint], host: str, deployed: Sequence[Mapping[str, Any]] = ()
) -> Dict[str, List[str]]:
    """{VIP: members that have it, this one included}, in about a second.

    Members are known by where the plan has them, and by where they were `deployed`: a VIP may still be there.
    """
    vips: List[Dict[str, str]] = []
    known: Dict[str, Dict[str, str]] = {}
    for endpoint in endpoints:
        for instance in endpoint["instances"]:
            interface = next(item["interface"] for item in instance["members"] if item["host"] == host)
            vips += [{"interface": interface, "address": vip["address"]} for vip in instance["vips"]]
            before = [item for other in deployed for item in other["instances"] if item["name"] == instance["name"]]
            for member in [member for item in (*before, instance) for member in item["members"]]:
                if member["host"] != host:
                    known[interface + member["address"]] = {
                        "host": member["host"],
                        "interface": interface,
                        "address": member["address"],
                    }
    probe = Probe(vips, known.values(), True, doubt=True)
    run([probe])
    found: Dict[str, List[str]] = {}
    for entry in probe.result()["addresses"]:
        if entry["error"] and not entry["held"]:
            raise ClaimsError("%s: %s" % (entry["address"], entry["error"]))
        # A router that answers for everybody is no member, and who only asks for the VIP as we do doesn't have it.
        members = {answer["host"] for answer in entry["answers"] if answer["host"] and set(answer["how"]) - {"probe"}}
        found[entry["address"]] = sorted(members | ({host} if entry["held"] else set()))
    return found
