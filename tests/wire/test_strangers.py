# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine that sends packets with our virtual router ID moves nothing, and it's named.

keepalived runs with what the plan gives it. A flood has packets of all kinds in turn.
"""

from __future__ import annotations

import socket
import subprocess
import time
import typing as t

import attack
import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.network import _filter
from ansible_collections.kubeha.apiserver.plugins.module_utils.segment import _packets, _scan_io, _strangers, _vrrp
from net import Segment

HOSTS = ["cp1", "cp2", "cp3"]
SECONDS = 3.0


@pytest.fixture
def attacked(segment: Segment) -> Segment:
    segment.add("mallory", 66)
    return segment


def under_attack(
    segment: Segment, plan: t.Any, root: str | None, per_second: int, kinds: t.Iterable[str] | None = None
) -> attack.Seen:
    """All packets reach the holder, and the backups too where that's by multicast."""
    target = "cp1" if plan["endpoints"][0]["transport"] == "unicast" else attack.GROUP
    attack.deploy(segment, plan, root)
    time.sleep(1.5)
    packets = [frame.hex() for frame in attack.frames(segment, plan, "mallory", kinds, [target])]
    return attack.watch(segment, plan, SECONDS, lambda: segment.process(
        "mallory", attack.flood, packets, per_second, SECONDS + 1))


def unmoved(seen: attack.Seen, plan: t.Any) -> None:
    """The first host went on sending its adverts, and nobody else held.

    A machine that is busy with other tests may owe some of them. A holder that is silenced sends none, or one of five.
    """
    instance = plan["endpoints"][0]["instances"][0]
    interval = instance["advert_interval"]
    assert (seen.two(), seen.nobody(), seen.moves()) == (0, 0, 0)
    assert seen.count("cp1") >= 0.6 * SECONDS / interval, seen.adverts
    # A backup waits for this many.
    assert seen.gap("cp1") < interval * (instance["down_timer_adverts"] or 3)
    assert seen.count("cp2") == seen.count("cp3") == 0


@pytest.mark.parametrize("transport", ["unicast", "multicast"])
def test_twenty_packets_a_second_delay_no_advert(attacked: Segment, every_root: str | None, transport: str) -> None:
    version = attack.version_of(every_root)
    plan = attacked.plan(HOSTS, vrrp_transport=transport, keepalived_version=version)
    unmoved(under_attack(attacked, plan, every_root, 20), plan)


@pytest.mark.parametrize("transport", ["unicast", "multicast"])
def test_two_thousand_packets_a_second_end_at_our_filter(
    attacked: Segment, every_root: str | None, transport: str
) -> None:
    """As `endpoint_vrrp_filter` loads it. The VIP goes where it should, too, so members are let in.

    Without a filter keepalived 2.3.4 keeps up with them. Earlier ones log each, and it depends on the processor:
    `./dev wire --strangers` shows it.
    """
    plan = attacked.plan(HOSTS, keepalived_version=attack.version_of(every_root), vrrp_transport=transport)
    for host in HOSTS:
        load(attacked, plan, host)
    # What comes in the name of a member is let in.
    kinds = [kind for kind in attack.kinds(attacked, plan, attacked.address("mallory")) if kind != "replay"]
    unmoved(under_attack(attacked, plan, every_root, 2000, kinds), plan)


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize("transport", ["unicast", "multicast"])
def test_members_hear_each_other_through_the_filter(
    segment: Segment, every_root: str | None, transport: str, family: str
) -> None:
    """By multicast of IPv6 they speak from link-local addresses."""
    version = attack.version_of(every_root)
    plan = segment.plan(HOSTS, (family,), keepalived_version=version, vrrp_transport=transport)
    for host in HOSTS:
        load(segment, plan, host)
    attack.deploy(segment, plan, every_root)
    seen = attack.watch(segment, plan, 1.5)
    assert (seen.two(), seen.nobody(), seen.moves()) == (0, 0, 0) and seen.count("cp1") > 0
    assert seen.count("cp2") == seen.count("cp3") == 0


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_our_filter_drops_strangers_packets_with_our_virtual_router_id_and_nothing_else(
    attacked: Segment, family: str
) -> None:
    plan = attacked.plan(HOSTS, (family,), vrrp_transport="unicast")
    load(attacked, plan, "cp1")
    target = attacked.address("cp1", family)
    senders = {name: attacked.address(name, family) for name in ("cp2", "cp3", "mallory")}
    frames = [frame_of(attacked, family, source, target, vrid)
              for source in senders.values() for vrid in (attack.VRID, attack.VRID + 1)]
    listening = attacked.run(attacked.namespace("cp1"), heard, family, 1.0)
    attacked.process("mallory", attack.flood, [frame.hex() for frame in frames], 200, 1.2)
    assert {tuple(item) for item in listening.result()} == {
        (senders["cp2"], attack.VRID), (senders["cp3"], attack.VRID), *((source, attack.VRID + 1) for source in
                                                                        senders.values())}


def test_nft_of_each_release_loads_our_filter_again_and_again_and_lists_it(
    segment: Segment, every_root: str | None
) -> None:
    """0.9.8 aborts where it can't list a rule."""
    alone = _filter.Router("eth0", "ipv4", 51)
    rules = _filter.rules(_filter.peers(segment.plan(HOSTS, ("ipv4", "ipv6"))["endpoints"], "cp1") | {alone: ()})
    nft = f"chroot {every_root or '/'} nft"
    script = [f"mount --rbind /{folder} {every_root or ''}/{folder}" for folder in ("dev", "proc")]
    script += [f'printf %s "$0" | {nft} -f -'] * 2 + [f"{nft} list ruleset", f"{nft} -j list ruleset"]
    inside = ["ip", "netns", "exec", segment.namespace("cp1"), "unshare", "-m", "sh", "-euc", "\n".join(script), rules]
    said = subprocess.run(inside, check=True, capture_output=True, text=True).stdout
    listed, _begin, document = said.partition('{"nftables"')
    assert listed.count("@th,8,8") == 3 and document.count('"drop"') == 3


def load(segment: Segment, plan: t.Any, host: str) -> None:
    segment.nft(segment.namespace(host), _filter.rules(_filter.peers(plan["endpoints"], host)))


def frame_of(segment: Segment, family: str, source: str, target: str, vrid: int) -> bytes:
    vip = segment.make(100, family)
    advert = _vrrp.build_advert(source, target, version=3, vrid=vrid, priority=200, interval=1.0, addresses=[vip],
                                password=None)
    packet = _packets.build_ip(_packets.pack(source), _packets.pack(target), _packets.VRRP, bytes(advert), 255)
    macs = [bytes.fromhex(segment.mac(name).replace(":", "")) for name in ("cp1", "mallory")]
    return b"".join(macs) + (b"\x08\x00" if family == "ipv4" else b"\x86\xdd") + packet


def heard(family: str, seconds: float) -> list[tuple[str, int]]:
    """What programs such as keepalived get to see: from whom, and for which virtual router."""
    kind = socket.AF_INET if family == "ipv4" else socket.AF_INET6
    found = set()
    with socket.socket(kind, socket.SOCK_RAW, _packets.VRRP) as handle:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            handle.settimeout(max(0.01, until - time.monotonic()))
            try:
                data, address = handle.recvfrom(2048)
            except socket.timeout:
                break
            payload = data[(data[0] & 15) * 4:] if family == "ipv4" else data
            found.add((address[0], payload[1]))
    return sorted(found)


@pytest.mark.parametrize("transport", ["unicast", "multicast"])
def test_a_stranger_moves_nothing_of_ipv6(attacked: Segment, root: str | None, transport: str) -> None:
    plan = attacked.plan(HOSTS, ("ipv6",), vrrp_transport=transport)
    unmoved(under_attack(attacked, plan, root, 20), plan)


@pytest.mark.parametrize("transport", ["unicast", "multicast"])
def test_a_stranger_moves_nothing_of_a_pair_with_a_password(
    attacked: Segment, root: str | None, transport: str
) -> None:
    plan = attacked.plan(HOSTS, vrrp_transport=transport, auth="pass", auth_password=attack.PASSWORD, timing="safe")
    unmoved(under_attack(attacked, plan, root, 20), plan)


def test_a_member_with_another_password_silences_nobody(segment: Segment, root: str | None) -> None:
    plan = segment.plan(HOSTS, auth="pass", auth_password=attack.PASSWORD)
    attack.deploy(segment, plan, root, {"cp3": "another"})
    time.sleep(4.5)
    seen = attack.watch(segment, plan, SECONDS)
    # It holds, too: it believes nobody. But the others go on as if it weren't there.
    assert seen.count("cp3") >= 2 and seen.count("cp1") >= 2 and seen.count("cp2") == 0
    assert seen.gap("cp1") < 1.5


def test_a_healed_partition_has_one_holder_within_three_adverts(segment: Segment, root: str | None) -> None:
    plan = segment.plan(HOSTS)
    attack.deploy(segment, plan, root)
    time.sleep(1.5)
    healed = []

    def cut_and_heal() -> None:
        segment.nft(segment.switch, """table bridge f { chain c { type filter hook forward priority 0;
            iifname "cp1" ip protocol 112 drop; } }""")
        time.sleep(1.8)
        healed.append(time.monotonic())
        segment.nft(segment.switch, "delete table bridge f")
        healed.append(time.monotonic())

    seen = attack.watch(segment, plan, SECONDS, cut_and_heal)
    gone = [when for host in ("cp2", "cp3") for when, held in seen.holders[host] if not held and when > healed[0]]
    assert gone and max(gone) - healed[1] < 3 * plan["endpoints"][0]["instances"][0]["advert_interval"]
    assert seen.nobody() == 0 and seen.holders["cp1"][-1][1]


def named(segment: Segment, plan: t.Any, host: str) -> list[_strangers.Stranger]:
    """Whom that host names after it has listened for a moment, as it does for `status`."""
    scan = segment.run(segment.namespace(host), _scan_io.scan, ["eth0"], 1.0).result()
    heard = _strangers.heard_of(plan, host, scan)
    return _strangers.strangers(plan, host, heard, {segment.mac(name): name for name in HOSTS})


@pytest.mark.parametrize("transport", ["unicast", "multicast"])
def test_the_stranger_is_named_and_members_are_not(attacked: Segment, root: str | None, transport: str) -> None:
    plan = attacked.plan(HOSTS, vrrp_transport=transport)
    attack.deploy(attacked, plan, root)
    assert [named(attacked, plan, host) for host in HOSTS] == [[], [], []]
    packets = [frame.hex() for frame in attack.frames(attacked, plan, "mallory")]
    attacked.process("mallory", attack.flood, packets, 200, 5)
    found = [stranger for host in HOSTS for stranger in named(attacked, plan, host)]
    assert {stranger.host for stranger in found} == set(HOSTS)
    assert all(attacked.mac("mallory") in stranger.sender for stranger in found)
    said = " ".join(stranger.what for stranger in found)
    assert "checksum" in said and "VRRPv2" in said and "authentication pass" in said and "in the name of cp1" in said
