# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who goes on running where members would drop each other's adverts: the same as by a definition that looks at all
endpoints again and again."""

from __future__ import annotations

import copy
from typing import Any, Dict, Iterator, List, Sequence, Set, Tuple

from ansible_collections.kubeha.apiserver.plugins.plugin_utils.rollout._waves import Seen, backups_to_stop, holds_any
from ansible_collections.kubeha.apiserver.tests.unit import plans
from ansible_collections.kubeha.apiserver.tests.unit.plans import plan
from hypothesis import given
from hypothesis import strategies as st


def endpoint(name: str, hosts: Sequence[str]) -> Dict[str, Any]:
    """With a VIP of its own, which has the endpoint's name."""
    made = plans.endpoint(hosts=hosts)
    made["name"] = name
    for part in (made, *made["instances"]):
        part["vips"][0]["address"] = name
    return made


def changed(before: Dict[str, Any], names: Sequence[str]) -> Dict[str, Any]:
    """The plan in which members of these endpoints have something to agree on."""
    after = copy.deepcopy(before)
    for item in after["endpoints"]:
        if item["name"] in names:
            item["instances"][0]["virtual_router_id"] = 77
    return after


def by_definition(some: Dict[str, Any], seen: Dict[str, Seen], changing: Sequence[str]) -> Tuple[Set[str], List[str]]:
    """Hosts that are stopped, and endpoints for which no choice is possible."""
    running = {item["name"]: [member["host"] for member in item["instances"][0]["members"]
                              if member["host"] in seen and seen[member["host"]].running]
               for item in some["endpoints"]}
    held = [item["name"] for item in some["endpoints"]
            if any(holds_any(item, seen[host]) for host in running[item["name"]])]
    order = [item for item in some["endpoints"] if item["name"] in changing and running[item["name"]] and (
        len(running[item["name"]]) > 1 or item["name"] in held)]
    tried: List[str] = []
    while True:
        stopped: Set[str] = set()
        kept: Set[str] = set()
        lost = []
        for item in order:
            members = running[item["name"]]
            candidates = [host for host in members if host not in stopped]
            candidates.sort(key=lambda host: (not holds_any(item, seen[host]), seen[host].has_work))
            for host in candidates:
                backups = {other for other in members if other != host and seen[other].has_work}
                gone = stopped | backups
                left = all(set(running[name]) - gone for name in held if backups & set(running[name]))
                if left and not kept & gone:
                    stopped = gone
                    kept.add(host)
                    break
            else:
                lost.append(item)
        again = [item for item in lost if item["name"] not in tried][:1]
        if not again:
            return stopped, [item["name"] for item in lost]
        tried.append(again[0]["name"])
        order = again + [item for item in order if item is not again[0]]


@st.composite
def crossings(draw: Any) -> Any:
    """Endpoints in several parts, most of which change, on hosts that may hold what others back up."""
    hosts = ["h%d" % number for number in range(draw(st.integers(2, 9)))]
    endpoints = [endpoint("e%d" % number, draw(st.lists(st.sampled_from(hosts), min_size=1, max_size=3, unique=True)))
                 for number in range(draw(st.integers(1, 7)))]
    holds: Dict[str, List[str]] = {host: [] for host in hosts}
    for item in endpoints:
        for host in draw(st.lists(st.sampled_from(item["instances"][0]["members"]), max_size=1)):
            holds[host["host"]].append(item["name"])
    seen = {host: Seen(draw(st.sampled_from(["nothing", "reload", "reload", "reload"])),
                       bool(held) or draw(st.booleans()), frozenset(held))
            for host, held in holds.items() if held or draw(st.integers(0, 5))}
    names = [item["name"] for item in endpoints]
    return plan(*endpoints), seen, draw(st.lists(st.sampled_from(names), min_size=len(names) // 2, unique=True))


@given(crossings())
def test_the_choice_is_that_of_the_definition(case: Any) -> None:
    before, seen, changing = case
    after = changed(before, changing)
    found = backups_to_stop(after, dict.fromkeys(seen, before), seen)
    stopped, crossed = by_definition(after, seen, changing)
    assert (set(found.reasons), set(found.crossed)) == (stopped, set(crossed))


def test_an_endpoint_without_a_choice_chooses_first_the_next_time_and_others_as_if_it_were_alone() -> None:
    """c finds none after a and b. What shares no host with them chooses once."""
    some = plan(*(item for part in ("x", "y") for item in (
        endpoint(part + "a", [part + "1", part + "2"]), endpoint(part + "b", [part + "3", part + "4"]),
        endpoint(part + "c", [part + "1", part + "3"]))))
    seen = {part + host: Seen("reload", True, frozenset(part + name for name in held))
            for part in ("x", "y") for host, held in (("1", "a"), ("2", ""), ("3", "bc"), ("4", ""))}
    names = [item["name"] for item in some["endpoints"]]
    found = backups_to_stop(changed(some, names), dict.fromkeys(seen, some), seen)
    assert not found.crossed and found.divided == names
    assert list(found.reasons) == ["x1", "x4", "y1", "y4"]
    assert (set(found.reasons), []) == by_definition(some, seen, names)


class Counted(Dict[str, Seen]):
    """How often anybody looked at a host."""

    looks = 0

    def __getitem__(self, host: str) -> Seen:
        self.looks += 1
        return super().__getitem__(host)

    def __iter__(self) -> Iterator[str]:
        self.looks += len(self)
        return super().__iter__()


def looks_at(pairs: int) -> int:
    """Two endpoints to two hosts, each of which holds what the other one backs up."""
    hosts = [("h%dx" % number, "h%dy" % number) for number in range(pairs)]
    some = plan(*(endpoint("%s%d" % (name, number), pair[::way])
                  for number, pair in enumerate(hosts) for name, way in (("a", 1), ("b", -1))))
    seen = Counted((host, Seen("reload", True, frozenset(["%s%d" % (name, number)])))
                   for number, pair in enumerate(hosts) for host, name in zip(pair, "ab"))
    names = [item["name"] for item in some["endpoints"]]
    assert len(backups_to_stop(changed(some, names), dict.fromkeys(seen, some), seen).reasons) == pairs
    return seen.looks


def test_twice_the_hosts_are_looked_at_twice_as_often() -> None:
    assert looks_at(20) <= 2 * looks_at(10)
