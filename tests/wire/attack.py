# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine on the segment that sends VRRP packets which aren't its to send, and what becomes of the endpoint.

Adverts are counted where the switch sees them, holders by the kernel's own words of when an address came and went. All
namespaces share one monotonic clock.
"""

from __future__ import annotations

import random
import select
import socket
import struct
import subprocess
import time
import typing as t

from ansible_collections.kubeha.apiserver.plugins.module_utils.daemons import _keepalived_state
from ansible_collections.kubeha.apiserver.plugins.module_utils.segment import _packets, _vrrp
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.files import _host_files
from ansible_collections.kubeha.apiserver.tests.unit import configs
from net import Keepalived, Segment

VRID = 50
VIP = 100
PASSWORD = "s3cret"
GROUP = "group"
_NOT_HERE = ("notify ", "router_id ", "enable_script_security", "script_user ")

_ETH_P_ALL, _PACKET_OUTGOING = 3, 4
_RTM_NEWADDR, _RTM_DELADDR, _IFADDR_GROUPS = 20, 21, 0x10 | 0x100

# One frame after another, each for one host or for all.
Frames = t.List[bytes]


def version_of(root: str | None) -> str:
    """Of the keepalived there: a plan uses what it can do."""
    command = [*(["chroot", root] if root else []), "keepalived", "--version"]
    said = subprocess.run(command, check=True, capture_output=True, text=True)
    return _keepalived_state.parse_version(said.stdout + said.stderr) or ""


def planned_config(plan: t.Any, host: str, password: str = PASSWORD, more: t.Sequence[str] = ()) -> str:
    """keepalived.conf with what the plan makes of the VRRP side; the scripts and files it tracks aren't there."""
    whole = configs.keepalived(plan, host)
    kept = configs.Block()
    for name, instance in whole.blocks.items():
        if name == "global_defs" or name.startswith("vrrp_instance "):
            blocks = {name: block for name, block in instance.blocks.items() if not name.startswith("track_")}
            kept.blocks[name] = configs.Block(
                [line for line in instance.lines if not line.startswith(_NOT_HERE)], blocks)
    kept.blocks["global_defs"].lines += more
    return kept.text().replace(_host_files.placeholder(plan["endpoints"][0]["name"]), password)


def deploy(segment: Segment, plan: t.Any, root: str | None, passwords: t.Mapping[str, str] | None = None,
           more: t.Sequence[str] = ()) -> dict[str, Keepalived]:
    """keepalived on all balancers; returns once the first one holds."""
    hosts = _host_files.balancers(plan)
    daemons = {}
    for host in hosts:
        config = planned_config(plan, host, (passwords or {}).get(host, PASSWORD), more)
        daemons[host] = segment.keepalived(host, config, root)
    daemons[hosts[0]].wait_for("Entering MASTER STATE")
    return daemons


def kinds(segment: Segment, plan: t.Any, source: str) -> dict[str, t.Callable[[str, str], bytes]]:
    """IP packets by kind, from the stranger to a destination, which is what a member or the group has for address."""
    instance = plan["endpoints"][0]["instances"][0]
    family, holder = instance["family"], instance["members"][0]
    vips = [vip["address"] for vip in instance["vips"]]
    version, interval = instance["vrrp_version"], instance["advert_interval"]
    password = PASSWORD.encode() if plan["endpoints"][0]["auth"] == "pass" else None
    random_ = random.Random(7)

    def advert(destination: str, sender: str = source, ttl: int = 255, damage: int = 0, **changes: t.Any) -> bytes:
        fields = {"version": version, "vrid": instance["virtual_router_id"], "priority": 200, "interval": interval,
                  "addresses": vips, "password": password, **changes}
        payload = bytearray(_vrrp.build_advert(sender, destination, **fields))
        payload[6] ^= damage
        return _packets.build_ip(_packets.pack(sender), _packets.pack(destination), _packets.VRRP, bytes(payload), ttl)

    def junk(destination: str) -> bytes:
        payload = bytes([random_.randrange(256), instance["virtual_router_id"]]) + random_.randbytes(30)
        return _packets.build_ip(_packets.pack(source), _packets.pack(destination), _packets.VRRP, payload)

    other = {"version": 3, "interval": 1.0, "password": None} if version == 2 else {"version": 2, "interval": 1.0}
    found = {
        "junk": junk,
        "checksum": lambda destination: advert(destination, damage=0xFF),
        "ttl": lambda destination: advert(destination, ttl=64),
        "lower": lambda destination: advert(destination, priority=1),
        "replay": lambda destination: advert(destination, holder["address"], priority=holder["priority"]),
    }
    if family == "ipv4":
        found["version"] = lambda destination: advert(destination, **other)
        found["password"] = lambda destination: advert(destination, version=2, interval=1.0, password=b"wrong")
    # What a group is sent without authentication is believed: that's no stranger's packet.
    if plan["endpoints"][0]["transport"] == "unicast":
        found["higher"] = lambda destination: advert(destination, priority=254)
    return found


def frames(segment: Segment, plan: t.Any, stranger: str, names: t.Iterable[str] | None = None,
           targets: t.Sequence[str] = ()) -> Frames:
    """One of each kind to each target: hosts, and GROUP for all of them by multicast. All, unless named."""
    instance = plan["endpoints"][0]["instances"][0]
    family = instance["family"]
    makers = kinds(segment, plan, segment.address(stranger, family))
    mine = bytes.fromhex(segment.mac(stranger).replace(":", ""))
    ethertype = struct.pack("!H", 0x0800 if family == "ipv4" else 0x86DD)
    result = []
    group = _vrrp.GROUPS[family]
    for name in names if names is not None else makers:
        for member in instance["members"]:
            if not targets or member["host"] in targets:
                to = bytes.fromhex(segment.mac(member["host"]).replace(":", ""))
                result.append(to + mine + ethertype + makers[name](member["address"]))
        if not targets or GROUP in targets:
            result.append(_packets.multicast_mac(_packets.pack(group)) + mine + ethertype + makers[name](group))
    return result


def flood(given: t.Sequence[str], per_second: float, seconds: float) -> int:
    """Send them in turn; in the sender's namespace. How many were sent."""
    packets = [bytes.fromhex(text) for text in given]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as handle:
        handle.bind(("eth0", 0))
        begun, sent = time.monotonic(), 0
        while time.monotonic() < begun + seconds:
            due = int((time.monotonic() - begun) * per_second) + 1
            while sent < due:
                handle.send(packets[sent % len(packets)])
                sent += 1
            time.sleep(min(1 / per_second, 0.005))
    return sent


def adverts(ports: t.Mapping[str, str], seconds: float) -> list[tuple[float, str, int, str]]:
    """When, from which host, with which priority and to whom; in the switch's namespace. `ports` are MACs by host."""
    seen = []
    macs = {bytes.fromhex(mac.replace(":", "")): host for host, mac in ports.items()}
    handles = {}
    for host in ports:
        handle = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        handle.bind((host, _ETH_P_ALL))
        handles[handle.fileno()] = handle
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        ready, _w, _x = select.select(list(handles), [], [], max(0.0, until - time.monotonic()))
        for number in ready:
            data, address = handles[number].recvfrom(2048)
            now = time.monotonic()
            if address[2] == _PACKET_OUTGOING or data[6:12] not in macs:
                continue
            try:
                advert = _vrrp.parse_advert(data[14:])
            except _packets.Malformed:
                continue
            seen.append((now, macs[data[6:12]], advert.priority, data[:6].hex()))
    return seen


def holding(vips: t.Sequence[str], seconds: float) -> list[tuple[float, str, bool]]:
    """When a VIP came or went, by the kernel; the first entries are what was there at the beginning."""
    packed = {_packets.pack(vip): vip for vip in vips}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as handle:
        handle.bind((0, _IFADDR_GROUPS))
        handle.send(struct.pack("=LHHLLB", 17, 22, 0x301, 1, 0, 0))
        until = time.monotonic() + seconds
        events = []
        while time.monotonic() < until:
            handle.settimeout(max(0.001, until - time.monotonic()))
            try:
                data = handle.recv(65536)
            except (TimeoutError, socket.timeout):
                break
            now, offset = time.monotonic(), 0
            while offset + 16 <= len(data):
                length, kind = struct.unpack_from("=LH", data, offset)
                body = data[offset + 16 : offset + length]
                found = next((vip for raw, vip in packed.items() if raw in body), None)
                if kind in (_RTM_NEWADDR, _RTM_DELADDR) and found:
                    events.append((now, found, kind == _RTM_NEWADDR))
                offset += max(16, (length + 3) & ~3)
        return events


class Seen(t.NamedTuple):
    """What happened between two points in time."""

    adverts: dict[str, list[float]]
    holders: dict[str, list[tuple[float, bool]]]
    began: float
    ended: float

    def gap(self, host: str) -> float:
        """The longest time without an advert of this host."""
        times = [self.began, *(when for when in self.adverts[host] if self.began <= when <= self.ended), self.ended]
        return max(later - earlier for earlier, later in zip(times, times[1:]))

    def count(self, host: str) -> int:
        return sum(self.began <= when <= self.ended for when in self.adverts[host])

    def _spans(self) -> list[tuple[float, int]]:
        """(seconds, how many held) one after another."""
        changes = sorted(
            (when, host, held) for host, events in self.holders.items() for when, held in events)
        held: set[str] = set()
        spans, before = [], self.began
        for when, host, is_held in [*changes, (self.ended, "", False)]:
            when = min(max(when, self.began), self.ended)
            spans.append((when - before, len(held)))
            before = when
            (held.add if is_held else held.discard)(host)
        return spans

    def two(self) -> float:
        """The longest time with more than one holder."""
        return max((seconds for seconds, held in self._spans() if held > 1), default=0.0)

    def nobody(self) -> float:
        """All time without a holder."""
        return sum(seconds for seconds, held in self._spans() if held == 0)

    def moves(self) -> int:
        """How often the address came somewhere."""
        return sum(held and when > self.began for events in self.holders.values() for when, held in events)


def watch(segment: Segment, plan: t.Any, seconds: float, meanwhile: t.Callable[[], t.Any] | None = None,
          lead: float = 0.6, tail: float = 0.2) -> Seen:
    """Look for `seconds`, from a little after the watchers run."""
    hosts = _host_files.balancers(plan)
    vip = plan["endpoints"][0]["vips"][0]["address"]
    total = lead + seconds + tail
    wire = segment.run(segment.switch, adverts, {host: segment.mac(host) for host in hosts}, total)
    held = {host: segment.run(segment.namespace(host), holding, [vip], total) for host in hosts}
    time.sleep(lead)
    began = time.monotonic()
    if meanwhile is not None:
        meanwhile()
    seen: dict[str, list[float]] = {host: [] for host in hosts}
    last = {}
    for when, host, _priority, target in wire.result():
        # Several unicast peers get one each: only the first one's are counted.
        if last.setdefault(host, target) == target:
            seen[host].append(when)
    holders = {host: [(when, is_held) for when, _vip, is_held in process.result()] for host, process in held.items()}
    return Seen(seen, holders, began, began + seconds)
