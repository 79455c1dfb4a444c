# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.rollout import _giving_back
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.rollout._waves import Seen
from hypothesis import given
from hypothesis import strategies as st

HOSTS = ("cp1", "cp2", "cp3")
VIP = "198.51.100.100"


def plan_of(*hosts, mode="service", name="kube-apiserver", vip=VIP):
    return {"name": name, "mode": mode, "vips": [{"address": vip}],
            "instances": [{"members": [
                {"host": host, "priority": 200 - place} for place, host in enumerate(hosts)]}]}


def seen_of(hosts, holder):
    return {host: Seen("restore", True, frozenset([VIP] if host == holder else [])) for host in hosts}


def test_the_order():
    order = _giving_back.stages({"endpoints": [plan_of(*HOSTS)]}, seen_of(HOSTS, "cp2"))
    assert [(stage.kind, stage.hosts) for stage in order] == [
        ("haproxy", ["cp3"]), ("haproxy", ["cp1"]), ("silence", ["cp3", "cp1"]), ("keepalived", ["cp2"]),
        ("keepalived", ["cp3"]), ("keepalived", ["cp1"]), ("haproxy", ["cp2"])]
    text = _giving_back.text("restore", order, seen_of(HOSTS, "cp2"))
    assert "HAProxy as it was" in text and VIP in text


@given(st.integers(1, 6).flatmap(lambda number: st.tuples(st.just(number), st.integers(-1, number - 1))))
def test_one_side_at_a_time_speaks(case):
    """Followed by what each keepalived speaks: when one starts to speak as it did before, no other speaks as ours."""
    number, holder = case
    hosts = ["cp%d" % place for place in range(number)]
    seen = seen_of(hosts, hosts[holder] if holder >= 0 else None)
    speaks = dict.fromkeys(hosts, "ours")
    haproxy = dict.fromkeys(hosts, "ours")
    for kind, turn in _giving_back.stages({"endpoints": [plan_of(*hosts)]}, seen):
        for host in turn:
            if kind == "haproxy":
                # Ours looks at our HAProxy, and who holds goes on with it.
                assert not seen[host].holds or speaks[host] == "theirs"
                haproxy[host] = "theirs"
            else:
                speaks[host] = "silent" if kind == "silence" else "theirs"
        assert len(set(speaks.values()) - {"silent"}) <= 1 and set(speaks.values()) != {"silent"}
    assert set(speaks.values()) == set(haproxy.values()) == {"theirs"}


@pytest.mark.parametrize("endpoint, seen, named, said", [
    (plan_of(*HOSTS), seen_of(HOSTS, "cp1"), HOSTS, []),
    (plan_of(*HOSTS), seen_of(HOSTS, "cp1"), ("cp4",), []),
    (plan_of(*HOSTS), seen_of(HOSTS, "cp1"), HOSTS[:2], ["leaves out cp3"]),
    # Named, and not reached.
    (plan_of(*HOSTS), seen_of(HOSTS[:2], "cp1"), HOSTS, ["leaves out cp3"]),
    (plan_of(*HOSTS, mode="static_pod"), seen_of(HOSTS, "cp1"), HOSTS, ["static pods"]),
    (plan_of(*HOSTS), {**seen_of(HOSTS, "cp1"), **seen_of(["cp2"], "cp2")}, HOSTS, ["cp1, cp2 hold VIPs"]),
])
def test_what_is_refused(endpoint, seen, named, said):
    found = _giving_back.refusals({"endpoints": [endpoint]}, seen, named, dict.fromkeys([*HOSTS, "cp4"], TAKEN))
    assert len(found) == len(said) and all(words in text for words, text in zip(said, found))


TAKEN = {"results": [{"before": {"foreign": True}}, {"before": {"foreign": False}}]}
FRESH = {"results": [{"before": {"foreign": False}}, {"before": {"foreign": False}}]}


@pytest.mark.parametrize("originals, said", [
    ({"cp1": TAKEN, "cp2": FRESH, "cp3": FRESH}, []),
    (dict.fromkeys(HOSTS, FRESH), ["Nothing that somebody else"]),
    ({"cp1": TAKEN, "cp2": {"results": [{"msg": "it's gone"}, {"msg": "edited"}]}, "cp3": {"results": "x"}},
     ["cp2: it's gone", "cp2: edited", "cp3: nobody knows"]),
    ({"cp1": TAKEN, "cp2": None, "cp3": {"results": [{"before": True}, 1]}}, ["cp2: nobody", "cp3: nobody"]),
])
def test_where_nothing_can_come_back(originals, said):
    """All that is wrong is said at once, whatever a host has answered."""
    found = _giving_back.refusals({"endpoints": [plan_of(*HOSTS)]}, seen_of(HOSTS, "cp1"), HOSTS, originals)
    assert len(found) == len(said) and all(text.startswith(words) for words, text in zip(said, found))
