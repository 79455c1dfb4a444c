# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.network._netfilter import (
    IN,
    OUT,
    TCP,
    VRRP,
    Packet,
    Ruleset,
)
from hypothesis import given
from hypothesis import strategies as st

FIXTURES = Path(__file__).parent / "fixtures"
PEER, OWN, VIP = "198.18.201.12", "198.18.201.11", "198.18.201.100"
ADVERT = Packet(IN, "eth0", VRRP, PEER, OWN)
CLIENT = Packet(IN, "eth0", TCP, None, VIP, 8443)


def chain(name="input", hook="input", policy="accept", family="inet", prio=0, kind="filter"):
    base = {"type": kind, "hook": hook, "prio": prio, "policy": policy} if hook else {}
    return {"chain": dict({"family": family, "table": "t", "name": name}, **base)}


def rule(*statements, chain="input", family="inet"):
    return {"rule": {"family": family, "table": "t", "chain": chain, "expr": list(statements)}}


def match(left, right, op="=="):
    kind, dot, name = left.partition(".")
    key = (
        {"meta": {"key": name}}
        if kind == "meta"
        else {"ct": {"key": name}}
        if kind == "ct"
        else {"payload": {"protocol": kind, "field": name}}
    )
    return {"match": {"op": op, "left": key, "right": right}}


ACCEPT, DROP, COUNTER = {"accept": None}, {"drop": None}, {"counter": {"packets": 0, "bytes": 0}}


def outcome(packet, *entries):
    return Ruleset({"nftables": [{"metainfo": {}}, *entries]}).judge(packet).outcome


def recorded(name):
    return json.loads((FIXTURES / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["nft-firewalld.json", "nft-ufw.json"])
def test_what_a_manager_closes(name):
    ruleset = Ruleset(recorded(name))
    assert ruleset.judge(ADVERT).outcome == "drop"
    assert ruleset.judge(CLIENT).outcome == "drop"
    assert ruleset.judge(CLIENT).where.split()[:2] in (["inet", "firewalld"], ["ip", "filter"])
    assert ruleset.judge(Packet(IN, "eth0", TCP, None, VIP, 22)).outcome == "accept"
    assert ruleset.judge(Packet(OUT, "eth0", VRRP, OWN, PEER)).outcome == "accept"


def test_what_firewalld_opens():
    document = recorded("nft-firewalld.json")
    opened = [match("ip.saddr", PEER), match("meta.l4proto", "vrrp"), ACCEPT]
    for entry in document["nftables"]:
        if entry.get("chain", {}).get("name") == "filter_IN_public_allow":
            document["nftables"].append(
                {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_IN_public_allow", "expr": opened}}
            )
            break
    ruleset = Ruleset(document)
    assert ruleset.judge(ADVERT).outcome == "accept"
    assert ruleset.judge(Packet(IN, "eth0", VRRP, "198.18.201.99", OWN)).outcome == "drop"
    assert ruleset.judge(CLIENT).outcome == "drop"


def test_nothing_drops_nothing():
    assert outcome(ADVERT) == "accept"
    assert outcome(ADVERT, chain()) == "accept"
    assert not Ruleset({"nftables": [chain()]}).filters
    assert Ruleset({"nftables": [chain(policy="drop")]}).filters


CASES = [
    ("the policy", "drop", []),
    ("every packet", "accept", [rule(ACCEPT)]),
    ("the protocol by number", "accept", [rule(match("ip.protocol", 112), ACCEPT)]),
    ("the protocol by name", "accept", [rule(match("meta.l4proto", "vrrp"), COUNTER, ACCEPT)]),
    ("another protocol", "drop", [rule(match("meta.l4proto", "tcp"), ACCEPT)]),
    ("a set of protocols", "accept", [rule(match("meta.l4proto", {"set": ["tcp", "vrrp"]}), ACCEPT)]),
    ("all but this protocol", "drop", [rule(match("meta.l4proto", "vrrp", "!="), ACCEPT)]),
    ("the peer", "accept", [rule(match("ip.saddr", PEER), ACCEPT)]),
    ("another peer", "drop", [rule(match("ip.saddr", "198.18.201.13"), ACCEPT)]),
    ("the subnet", "accept", [rule(match("ip.saddr", {"prefix": {"addr": "198.18.201.0", "len": 24}}), ACCEPT)]),
    ("a range", "accept", [rule(match("ip.saddr", {"range": ["198.18.201.10", "198.18.201.20"]}), ACCEPT)]),
    ("IPv6 only", "drop", [rule(match("ip6.saddr", "2001:db8::1"), ACCEPT)]),
    ("the family", "accept", [rule(match("meta.nfproto", "ipv4"), ACCEPT)]),
    ("the interface", "accept", [rule(match("meta.iifname", "eth0"), ACCEPT)]),
    ("interfaces by their beginning", "accept", [rule(match("meta.iifname", "eth*"), ACCEPT)]),
    ("the loopback interface", "drop", [rule(match("meta.iifname", "lo"), ACCEPT)]),
    ("established connections", "drop", [rule(match("ct.state", ["established", "related"], "in"), ACCEPT)]),
    ("new connections", "accept", [rule(match("ct.state", {"set": ["new", "related"]}), ACCEPT)]),
    ("a port", "drop", [rule(match("tcp.dport", 8443), ACCEPT)]),
    ("any port", "drop", [rule(match("th.dport", 112), ACCEPT)]),
    ("what isn't understood", "unknown", [rule({"match": {"left": {"fib": {}}, "right": True, "op": "=="}}, ACCEPT)]),
    ("so many a second", "unknown", [rule({"limit": {"rate": 1}}, ACCEPT)]),
    ("a mark", "unknown", [rule(match("meta.mark", 7), ACCEPT)]),
    ("conntrack of iptables", "drop", [rule({"xt": {"type": "match", "name": "conntrack"}}, ACCEPT)]),
    ("another match of iptables", "unknown", [rule({"xt": {"type": "match", "name": "string"}}, ACCEPT)]),
    ("by a queue", "unknown", [rule({"queue": {"num": 1}})]),
    ("by a jump", "accept", [chain("peers", None), rule({"jump": {"target": "peers"}}),
                             rule(match("ip.saddr", PEER), ACCEPT, chain="peers")]),
    ("a jump that returns", "drop", [chain("peers", None), rule({"jump": {"target": "peers"}}),
                                     rule({"return": None}, chain="peers"), rule(ACCEPT, chain="peers")]),
    ("after a jump", "accept", [chain("peers", None), rule({"jump": {"target": "peers"}}), rule(ACCEPT)]),
    ("not after a goto", "drop", [chain("peers", None), rule({"goto": {"target": "peers"}}), rule(ACCEPT)]),
    ("by a map", "accept", [rule({"vmap": {"key": {"meta": {"key": "l4proto"}}, "data": {"set": [
        ["tcp", {"drop": None}], ["vrrp", {"accept": None}]]}}})]),
    ("by a map without it", "drop", [rule({"vmap": {"key": {"meta": {"key": "l4proto"}}, "data": {"set": [
        ["tcp", {"accept": None}]]}}})]),
    ("a named set", "accept", [{"set": {"family": "inet", "table": "t", "name": "peers", "elem": [PEER]}},
                               rule(match("ip.saddr", "@peers"), ACCEPT)]),
    ("a chain that calls itself", "unknown", [chain("loop", None), rule({"jump": {"target": "loop"}}, chain="loop"),
                                              rule({"jump": {"target": "loop"}})]),
]  # fmt: skip


@pytest.mark.parametrize("name, expected, entries", CASES, ids=[case[0] for case in CASES])
def test_what_a_closed_filter_lets_in(name, expected, entries):
    assert outcome(ADVERT, chain(policy="drop"), *entries) == expected


def test_a_drop_wins_whichever_chain_accepts():
    first, second = chain(prio=-10), chain("late", prio=10, policy="drop")
    assert outcome(ADVERT, first, second, rule(ACCEPT)) == "drop"
    assert outcome(ADVERT, first, second, rule(ACCEPT), rule(ACCEPT, chain="late")) == "accept"


def test_the_name_of_the_chain_that_drops():
    found = Ruleset({"nftables": [chain(), rule(match("ip.protocol", 112), DROP)]}).judge(ADVERT)
    assert (found.outcome, found.where) == ("drop", "inet t input")


def test_directions_and_families():
    out = [chain("output", "output"), rule(match("ip.daddr", PEER), DROP, chain="output")]
    assert outcome(Packet(OUT, "eth0", VRRP, OWN, PEER), *out) == "drop"
    assert outcome(ADVERT, *out) == "accept"
    only6 = [chain(family="ip6", policy="drop")]
    assert outcome(ADVERT, *only6) == "accept"
    assert outcome(Packet(IN, "eth0", VRRP, "fe80::1", "ff02::12", family="ipv6"), *only6) == "drop"


def test_a_client_can_come_from_anywhere():
    limited = [chain(policy="drop"), rule(match("ip.saddr", "203.0.113.1"), match("tcp.dport", 8443), ACCEPT)]
    assert outcome(CLIENT, *limited) == "unknown"
    assert outcome(CLIENT, chain(policy="drop"), rule(match("tcp.dport", {"range": [8000, 9000]}), ACCEPT)) == "accept"
    assert outcome(CLIENT, chain(policy="drop"), rule(match("tcp.dport", 22), ACCEPT)) == "drop"
    assert outcome(CLIENT, chain(policy="drop"), rule(match("udp.dport", 8443), ACCEPT)) == "drop"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
STATEMENT = st.dictionaries(
    st.sampled_from(["match", "accept", "drop", "vmap", "xt", "jump", "limit", "return", "mangle"]),
    JSON,
    min_size=1,
    max_size=1,
)


@given(st.lists(STATEMENT, max_size=4))
def test_odd_statements_are_unknown_and_no_crash(statements):
    entries = [chain(policy="drop"), rule(*copy.deepcopy(statements))]
    assert outcome(ADVERT, *entries) in ("accept", "drop", "unknown")


def test_our_own_table_follows_the_plan_and_is_in_nobodys_way():
    document = {"nftables": [chain(), rule({"drop": None})]}
    for entry in document["nftables"]:
        next(iter(entry.values()))["table"] = "kubeha"
    ruleset = Ruleset(document)
    assert not ruleset.filters and ruleset.judge(ADVERT).outcome == "accept"
