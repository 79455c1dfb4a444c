#!/usr/bin/env python3
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many seeded conflicts are found, and how many alarms are false, on generated networks. Started by ./dev wire.

Each run has a network of namespaces of its own: two to five balancers, IPv4, IPv6 or both, unicast or multicast, other
routers that are no matter, hosts that start up to a second apart. In some the endpoint runs already, with real
keepalived daemons. Half of the runs have nothing wrong; the others have one conflict each.

    wire.py [--runs 100] [--jobs 10] [--seed 1]

Exits 1 below 98 % of the conflicts, or with any alarm that is false.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import multiprocessing
import os
import pathlib
import random
import sys
import time
import typing as t

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "wire"))

from ansible_collections.kubeha.apiserver.plugins.module_utils.proof._finding import ERROR, INFO, Finding
from ansible_collections.kubeha.apiserver.plugins.module_utils.segment import _packets, _vrrp
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.judge._wire_verdict import wire_findings
from net import Keepalived, Segment, advertise, instance, sweep

VRID, VIP = 50, 100
FOUND_TARGET = 0.98
FILTER = "table %s f { chain c { type filter hook %s priority 0; %s; } }"
STATEFUL = """table inet usual { chain in { type filter hook input priority 0; policy drop; iif lo accept
    ct state established,related accept
    meta l4proto { icmp, ipv6-icmp } accept; } }"""
TRACKING = """table bridge f {
    set talked { type %(type)s . %(type)s; flags dynamic, timeout; timeout 600s; size 64; }
    chain c { type filter hook forward priority 0;
    iifname "%(host)s" %(proto)s update @talked { %(ip)s daddr . %(ip)s saddr }
    oifname "%(host)s" %(proto)s %(ip)s saddr . %(ip)s daddr != @talked drop; } }"""
NO_PING = FILTER % ("inet", "input", "icmp type echo-request drop; icmpv6 type echo-request drop")


class Scene:
    """One generated network, and the plan for it."""

    def __init__(self, segment: Segment, random_: random.Random, running: bool) -> None:
        self.segment = segment
        self.random = random_
        self.hosts = [f"cp{number}" for number in range(1, random_.randint(2, 5) + 1)]
        self.families = random_.choice([("ipv4",), ("ipv6",), ("ipv4", "ipv6")])
        self.family = random_.choice(self.families)
        self.transport = random_.choice(["unicast", "multicast"])
        for index, host in zip(random_.sample(range(1, 40), len(self.hosts)), self.hosts):
            segment.add(host, index)
        self.plan = segment.plan(self.hosts, self.families, VIP, vrrp_transport=self.transport)
        self.deployed: dict[str, t.Any] = {}
        self.daemons: dict[str, Keepalived] = {}
        self.next = 60
        for _count in range(random_.randrange(3)):
            self.bystander()
        if running:
            self.run_endpoint()

    def stranger(self) -> str:
        self.next += 1
        host = f"other{self.next}"
        self.segment.add(host, self.next)
        return host

    def bystander(self) -> None:
        """A router that is no matter: its own virtual router ID, its own address."""
        host = self.stranger()
        family = self.random.choice(["ipv4", "ipv6"])
        vrid = self.random.choice([vrid for vrid in range(1, 256) if vrid != VRID])
        version = self.random.choice([2, 3]) if family == "ipv4" else 3
        self.advertise(host, family, vrid, self.random.choice([1, 100, 254, 255]), self.next + 100, version)

    def advertise(self, host: str, family: str, vrid: int, priority: int, vip: int, version: int = 3) -> None:
        source, group = self.segment.address(host, family), _vrrp.GROUPS[family]
        interval = 1.0
        payload = _vrrp.build_advert(source, group, version, vrid, priority, interval, [self.segment.make(vip, family)])
        packet = _packets.build_ip(_packets.pack(source), _packets.pack(group), _packets.VRRP, payload)
        self.segment.process(host, advertise, packet, _packets.multicast_mac(_packets.pack(group)), interval)

    def run_endpoint(self) -> None:
        for number, host in enumerate(self.hosts):
            config = ""
            for family in self.families:
                others = [self.segment.address(peer, family) for peer in self.hosts if peer != host]
                peers = others if self.transport == "unicast" else []
                source, vip = self.segment.address(host, family), self.segment.make(VIP, family)
                # Slow enough for a machine that runs many such networks at once.
                config += instance(family, VRID, 150 - number, vip, source, peers, interval=1)
            self.daemons[host] = self.segment.keepalived(host, config, self.root())
        self.daemons[self.hosts[0]].wait_for("Entering MASTER STATE", 60)
        time.sleep(5)
        self.deployed = dict.fromkeys(self.hosts, self.plan)

    def root(self) -> str | None:
        given = os.environ.get("KUBEHA_KEEPALIVED_ROOTS", "").split()
        return self.random.choice(given).partition("=")[2] if given else None

    def drop(self, host: str) -> str:
        """An nftables rule for protocol 112 from that host."""
        ip = "ip" if self.family == "ipv4" else "ip6"
        protocol = "protocol" if ip == "ip" else "nexthdr"
        return f"{ip} saddr {self.segment.address(host, self.family)} {ip} {protocol} 112 drop"

    def two(self) -> tuple[str, str]:
        first, second = self.random.sample(self.hosts, 2)
        return first, second

    def transitions(self) -> list[str]:
        return [line for daemon in self.daemons.values() for line in daemon.lines() if " STATE" in line]

    def findings(self) -> list[Finding]:
        delays = {host: self.random.uniform(0, 1) for host in self.hosts}
        return wire_findings(self.plan, self.segment.ask(self.plan, self.hosts, delays=delays), self.deployed)


# Conflicts. Each returns the code of the finding that must come, and a word that must be in it.


def same_vrid(scene: Scene) -> tuple[str, str]:
    host = scene.stranger()
    source = scene.segment.address(host, scene.family)
    vip = scene.segment.make(200, scene.family)
    interval = scene.random.choice([0.1, 0.5, 1, 2])
    config = instance(scene.family, VRID, scene.random.randint(1, 254), vip, source, interval=interval)
    scene.segment.keepalived(host, config, scene.root()).wait_for("Entering MASTER STATE", 40)
    return ("vrid_in_use" if scene.transport == "multicast" else "vrid_in_use_unheard"), scene.segment.mac(host)


def same_vrid_by_unicast(scene: Scene) -> tuple[str, str]:
    host, member = scene.stranger(), scene.random.choice(scene.hosts)
    source = scene.segment.address(host, scene.family)
    peers = [scene.segment.address(member, scene.family)]
    vip = scene.segment.make(200, scene.family)
    config = instance(scene.family, VRID, scene.random.randint(1, 254), vip, source, peers)
    scene.segment.keepalived(host, config, scene.root()).wait_for("Entering MASTER STATE", 40)
    return "vrid_in_use", scene.segment.mac(host)


def other_vrid(scene: Scene) -> tuple[str, str]:
    host = scene.stranger()
    scene.advertise(host, scene.family, 77, 100, VIP)
    return "vip_under_other_vrid", scene.segment.mac(host)


def priority_255(scene: Scene) -> tuple[str, str]:
    host = scene.stranger()
    scene.advertise(host, scene.family, VRID, 255, VIP)
    return ("vrid_priority_255" if scene.transport == "multicast" else "vrid_in_use"), scene.segment.mac(host)


def stranger_holds(scene: Scene) -> tuple[str, str]:
    host = scene.stranger()
    scene.segment.nft(scene.segment.namespace(host), NO_PING)
    scene.segment.hold(host, scene.segment.make(VIP, scene.family))
    return "vip_in_use", scene.segment.mac(host)


def address_twice(scene: Scene) -> tuple[str, str]:
    host, member = scene.stranger(), scene.random.choice(scene.hosts)
    scene.segment.hold(host, scene.segment.address(member, scene.family))
    return "address_in_use", scene.segment.mac(host)


def member_holds(scene: Scene) -> tuple[str, str]:
    member = scene.random.choice(scene.hosts)
    scene.segment.hold(member, scene.segment.make(VIP, scene.family))
    return "vip_held_unplanned", member


def receiver_drops(scene: Scene) -> tuple[str, str]:
    sender, receiver = scene.two()
    scene.segment.nft(scene.segment.namespace(receiver), FILTER % ("inet", "input", scene.drop(sender)))
    return "vrrp_blocked", sender


def sender_drops(scene: Scene) -> tuple[str, str]:
    sender = scene.random.choice(scene.hosts)
    scene.segment.nft(scene.segment.namespace(sender), FILTER % ("inet", "output", scene.drop(sender)))
    return "vrrp_blocked", "it can't send"


def network_drops(scene: Scene) -> tuple[str, str]:
    sender, receiver = scene.two()
    rule = f'oifname "{receiver}" {scene.drop(sender)}'
    scene.segment.nft(scene.segment.switch, FILTER % ("bridge", "forward", rule))
    return "vrrp_blocked", f"from {sender} to {receiver}"


def network_drops_all(scene: Scene) -> tuple[str, str]:
    rule = "ip protocol 112 drop" if scene.family == "ipv4" else "ip6 nexthdr 112 drop"
    scene.segment.nft(scene.segment.switch, FILTER % ("bridge", "forward", rule))
    return "vrrp_blocked", "between"


def stateful_host(scene: Scene) -> tuple[str, str]:
    host = scene.random.choice(scene.hosts)
    scene.segment.nft(scene.segment.namespace(host), STATEFUL)
    return "vrrp_blocked", "its packet filter drops VRRP"


def stateful_network(scene: Scene) -> tuple[str, str]:
    """Before the last host, which is the quiet one towards all others."""
    host = max(scene.hosts)
    words = {"ipv4": ("ipv4_addr", "ip", "ip protocol 112"), "ipv6": ("ipv6_addr", "ip6", "ip6 nexthdr 112")}
    kind, ip, proto = words[scene.family]
    scene.segment.nft(scene.segment.switch, TRACKING % {"type": kind, "ip": ip, "proto": proto, "host": host})
    return "vrrp_blocked", host


# Those that make sense beside a running endpoint are tried beside one, too.
CONFLICTS: list[tuple[t.Callable[[Scene], tuple[str, str]], bool]] = [
    (same_vrid, False),
    (same_vrid_by_unicast, False),
    (other_vrid, True),
    (priority_255, False),
    (stranger_holds, True),
    (address_twice, True),
    (member_holds, False),
    (receiver_drops, False),
    (sender_drops, False),
    (network_drops, False),
    (network_drops_all, True),
    (stateful_host, False),
    (stateful_network, False),
]


# Who asks for a member's address may be told the stranger's, and VRRP goes there.
CONSEQUENCES = {"address_twice": ["vrrp_blocked"]}


class Outcome(t.NamedTuple):
    number: int
    conflict: str
    found: bool
    false_alarms: list[str]
    text: str


def run(job: tuple[int, int, bool], patience: int = 5) -> Outcome:
    seed, number, clean = job
    random_ = random.Random(f"{seed} {number} {clean}")
    conflict, beside = CONFLICTS[number % len(CONFLICTS)]
    running = random_.random() < 0.4 and (clean or beside)
    name = "nothing" if clean else conflict.__name__
    try:
        with Segment(1 + number % 250) as segment:
            scene = Scene(segment, random_, running)
            before = scene.transitions()
            code, word = ("", "") if clean else conflict(scene)
            findings = scene.findings()
            restless = clean and scene.transitions() != before
        if restless and patience:
            # This machine is too busy: keepalived itself saw two masters.
            return run(job, patience - 1)
    except Exception as error:
        return Outcome(number, name, False, [], f"the test itself failed: {error!r}")
    expected = {code, *CONSEQUENCES.get(name, ())}
    false = [item for item in findings if item.code not in expected and (clean or item.severity == ERROR)]
    hit = any(item.code == code and word in f"{item.host} {item.seen}" for item in findings)
    text = (
        f"{len(scene.hosts)} hosts, {'+'.join(scene.families)}, {scene.transport}, "
        f"{'running' if running else 'not deployed'}: {[item.seen for item in findings if item.severity != INFO]}"
    )
    return Outcome(number, name, hit, [f"{item.code}: {item.seen}" for item in false], text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100, help="as many with a conflict, and as many without")
    parser.add_argument("--jobs", type=int, default=10, help="networks at the same time")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    sweep()
    began = time.monotonic()
    jobs = list(itertools.chain.from_iterable(
        ((args.seed, number, False), (args.seed, number, True)) for number in range(args.runs)))
    seeded, clean = [], []
    with multiprocessing.get_context("fork").Pool(args.jobs) as pool:
        for done, outcome in enumerate(pool.imap_unordered(run, jobs), 1):
            (clean if outcome.conflict == "nothing" else seeded).append(outcome)
            if done % 20 == 0:
                print(f"{done} of {len(jobs)} networks, {time.monotonic() - began:.0f} s", flush=True)
    found = sum(outcome.found for outcome in seeded)
    alarms = [outcome for outcome in seeded + clean if outcome.false_alarms]
    failed = [outcome for outcome in clean if outcome.text.startswith("the test")]
    for outcome in sorted(seeded):
        if not outcome.found:
            print(f"NOT FOUND in network {outcome.number}, {outcome.conflict}: {outcome.text}")
    for outcome in alarms:
        print(f"FALSE ALARM in network {outcome.number}, {outcome.conflict}: {outcome.false_alarms}; {outcome.text}")
    for outcome in failed:
        print(f"NO RESULT in network {outcome.number}: {outcome.text}")
    print("\nconflict               found")
    totals = collections.Counter(outcome.conflict for outcome in seeded)
    hits = collections.Counter(outcome.conflict for outcome in seeded if outcome.found)
    for name in sorted(totals):
        print(f"{name:22} {hits[name]} of {totals[name]}")
    wrong = sum(outcome in alarms for outcome in clean)
    print(
        f"\n{found} of {len(seeded)} conflicts found, {wrong} false alarms in {len(clean)} networks without one, "
        f"{len(alarms) - wrong} beside conflicts; {time.monotonic() - began:.0f} s"
    )
    return 1 if alarms or failed or found < FOUND_TARGET * len(seeded) else 0


if __name__ == "__main__":
    sys.exit(main())
