# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Virtual router IDs: one per virtual router, subnet and family (RFC 9568 section 5.2.3).

In order of precedence: what is written, what is deployed, and what follows from the VIP. So a written ID never moves,
a deployed one never moves silently, and a computed one is the same in every run.
"""

from __future__ import annotations

import typing as t

from ..intent._addresses import IPV4, Address, Subnet
from ..intent._errors import Problems, Where
from ..intent._values import family_name
from ._union_find import Groups

LAST = 255


class Claim(t.NamedTuple):
    """One virtual router that needs an ID."""

    name: str
    vip: Address
    subnet: Subnet
    links: list[tuple[str, str]]        # host and interface of each member
    written: int | None
    deployed: int | None
    where: str                          # the variable that pins the ID
    pin: str                            # how to write a value there; {0} is the ID

    @property
    def derived(self) -> int:
        """The ID that follows from the VIP: its last octet (IPv4) or last 16 bits (IPv6), brought into 1 to 255."""
        last = self.vip.number & (0xff if self.vip.family == IPV4 else 0xffff)
        return (last - 1) % LAST + 1


def assign(findings: Problems, claims: list[Claim]) -> dict[str, int]:
    """Give each virtual router its ID, in the order of ``claims``; by name, and missing after a problem."""
    ids: dict[str, int] = {}
    for wire in _wires(claims):
        ids.update(_Wire(findings, wire).assign())
    return ids


def _wires(claims: list[Claim]) -> list[list[Claim]]:
    """Virtual routers that could hear each other: of one subnet, or with members on the same interface of a host."""
    groups: Groups[t.Any] = Groups()
    for index, claim in enumerate(claims):
        groups.join(index, [(claim.vip.family, claim.subnet), *((claim.vip.family, link) for link in claim.links)])
    return [[claims[index] for index in group] for group in groups.members()]


class _Wire:
    """Hands out the IDs of one wire."""

    def __init__(self, findings: Problems, claims: list[Claim]) -> None:
        self.findings = findings
        self.claims = claims
        self.ids: dict[str, int] = {}       # by the claim's name
        self.owners: dict[int, str] = {}

    def assign(self) -> dict[str, int]:
        """IDs by name; those with problems are missing."""
        first = self.claims[0]
        if len(self.claims) > LAST:
            Where(self.findings, first.where).problem(
                "vrid_exhausted", len(self.claims), subnet=first.subnet, family=family_name(first.vip.family))
            return {}
        self._take_written()
        self._take_deployed()
        self._take_derived()
        return self.ids

    def _take(self, claim: Claim, number: int) -> None:
        self.owners[number] = claim.name
        self.ids[claim.name] = number
        if claim.deployed is not None and claim.deployed != number:
            self.findings.warn("vrid_changes", instance=claim.name, deployed=claim.deployed, planned=number)

    def _take_written(self) -> None:
        deployed = {claim.deployed: claim.name for claim in self.claims
                    if claim.written is None and claim.deployed is not None}
        for claim in self.claims:
            if claim.written is None:
                continue
            other = self.owners.get(claim.written) or deployed.get(claim.written)
            if other is None:
                self._take(claim, claim.written)
                continue
            Where(self.findings, claim.where).problem(
                "vrid_duplicate", claim.written, other=other, subnet=claim.subnet,
                free=_free(claim.written, {*self.owners, *deployed}))

    def _take_deployed(self) -> None:
        for claim in self.claims:
            if claim.written is not None or claim.deployed is None or claim.deployed in self.owners:
                continue
            self._take(claim, claim.deployed)
            if claim.deployed != claim.derived:
                self.findings.warn("vrid_kept", instance=claim.name, deployed=claim.deployed, derived=claim.derived,
                                   variable=claim.where, pin=claim.pin.format(claim.deployed))

    def _take_derived(self) -> None:
        for claim in self.claims:
            if claim.written is not None or claim.name in self.ids:
                continue
            other = self.owners.get(claim.derived)
            planned = claim.derived if other is None else _free(claim.derived, self.owners)
            self._take(claim, planned)
            if other:
                self.findings.warn("vrid_moved", instance=claim.name, planned=planned, derived=claim.derived,
                                   other=other, subnet=claim.subnet, variable=claim.where,
                                   pin=claim.pin.format(planned))


def _free(start: int, taken: t.Container[int]) -> int:
    """The next ID that nobody has."""
    candidates = ((start - 1 + step) % LAST + 1 for step in range(LAST))
    return next((number for number in candidates if number not in taken), start)
