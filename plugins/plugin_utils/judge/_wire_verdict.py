# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What was heard on the wire beside the plan. Pure: a plan and what `endpoint_wire` returned in, findings out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import (
    TYPE_CHECKING,
    Any,
    Collection,
    Dict,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
)

from ...module_utils.proof._finding import SEVERITIES, Finding
from ..codes._codes import finding_of

if TYPE_CHECKING:
    from ...module_utils.model._model import Endpoint, Instance, Member, Plan

# What a host said of the network, or a part of it.
Seen = Mapping[str, Any]
Results = Mapping[str, Seen]

# So many packets in a row don't get lost by chance.
_DEAF = 4
# Seconds for which one sent while the other surely listened.
_OVERLAP = 0.6
_PROBE_ERROR = 0.4
_LOSS = 0.2
_SUGGESTIONS = 3
_NAMED = 8


def wire_findings(plan: Plan, results: Results, deployed: Optional[Mapping[str, Plan]] = None,
                  taken_over: Collection[str] = ()) -> List[Finding]:
    """Findings, the worst first.

    `results` are what `endpoint_wire` returned, by host: those of this run, members may be missing. `deployed` are the
    plans that members have stored, by host; without it, members that hold or advertise a VIP are believed to be right.
    `taken_over` are members whose keepalived is somebody else's, and is replaced by this run.
    """
    wire = _Wire(plan, results, deployed, taken_over)
    findings = [
        *_untested(wire),
        *_router_findings(wire),
        *_malformed(wire),
        *_vip_findings(wire),
        *_address_findings(wire),
        *_reach_findings(wire),
    ]
    return sorted(dict.fromkeys(findings), key=lambda finding: SEVERITIES.index(finding.severity))


class _Wire:
    """The results, with what all rules need to know about who is who."""

    def __init__(self, plan: Plan, results: Results, deployed: Optional[Mapping[str, Plan]],
                 taken_over: Collection[str]) -> None:
        self.plan = plan
        self.taken_over = taken_over
        self.results = results
        self.deployed = deployed
        # Members by address, and by MAC address: of hosts of this run as they say, of others as ARP says.
        self.addresses: Dict[str, str] = {}
        self.macs: Dict[str, str] = {}
        self.planned_vrids: Set[int] = set()
        for _endpoint, instance, member in self.members():
            self.addresses[member["address"]] = member["host"]
            self.planned_vrids.add(instance["virtual_router_id"])
        own = {host: _part(result, "probe").get("macs") or () for host, result in results.items()}
        for result in results.values():
            for host, macs in _part(result, "probe").get("known", {}).items():
                if not own.get(host):
                    self.macs.update(dict.fromkeys(macs, host))
        for host, macs in own.items():
            self.macs.update(dict.fromkeys(macs, host))
        # MAC addresses that adverts of one source came from.
        self.senders: Dict[str, Set[str]] = {}
        for result in results.values():
            for heard in _part(result, "scan").get("interfaces", {}).values():
                for router in heard.get("routers", ()):
                    self.senders.setdefault(router["source"], set()).add(router["mac"])
        # VRRP version and authentication by member and virtual router ID, in this plan and in stored ones.
        self.speech: List[Tuple[str, int, int, str]] = [
            (member["host"], instance["virtual_router_id"], instance["vrrp_version"], endpoint["auth"])
            for given in (plan, *(deployed or {}).values())
            for endpoint in given["endpoints"]
            for instance in endpoint["instances"]
            for member in instance["members"]
        ]
        # VRIDs that stored plans give to an address.
        self.stored: Set[Tuple[str, int, str]] = {
            (host, instance["virtual_router_id"], vip["address"])
            for host, stored in (deployed or {}).items()
            for endpoint in stored["endpoints"]
            for instance in endpoint["instances"]
            for vip in instance["vips"]
        }

    def members(self) -> Iterator[Tuple[Endpoint, Instance, Member]]:
        for endpoint in self.plan["endpoints"]:
            for instance in endpoint["instances"]:
                for member in instance["members"]:
                    yield endpoint, instance, member

    def who(self, router: Seen) -> Optional[str]:
        return self.addresses.get(router["source"]) or self.macs.get(router["mac"])

    def free(self, instance: Instance) -> List[int]:
        """VRIDs that nobody was heard to use on this segment, those nearest to the planned one first."""
        free = set(range(1, 256)) - self.planned_vrids
        for member in instance["members"]:
            heard = _interface(self.results.get(member["host"], {}), member["interface"])
            if heard is not None and not heard.get("error"):
                free &= set(heard["free"][instance["family"]])
        planned = instance["virtual_router_id"]
        return sorted(free, key=lambda vrid: ((vrid - planned) % 255, vrid))[:_SUGGESTIONS]


# What could not be looked at


def _untested(wire: _Wire) -> List[Finding]:
    findings: List[Finding] = []
    for host, result in wire.results.items():
        reasons: Dict[str, List[str]] = {}
        for name, part in (("VRRP", "scan"), ("the VIPs", "probe"), ("reachability", "reach")):
            if _part(result, part).get("error"):
                reasons.setdefault(_part(result, part)["error"], []).append(name)
        for interface, heard in _part(result, "scan").get("interfaces", {}).items():
            if heard.get("error"):
                reasons.setdefault(heard["error"], []).append("VRRP on %s" % interface)
        for entry in _part(result, "probe").get("addresses", ()):
            if entry.get("error"):
                reasons.setdefault(entry["error"], []).append(entry["address"])
        for pair in _part(result, "reach").get("pairs", ()):
            if pair.get("error"):
                reasons.setdefault(pair["error"], []).append("reachability of %s" % pair["peer"])
        for reason, parts in reasons.items():
            seen = "couldn't look at %s: %s" % (_listed(list(dict.fromkeys(parts))), reason)
            findings.append(finding_of("wire_untested", seen, host))
    return findings


# Other routers


class _Group(NamedTuple):
    """The same router heard by several hosts is one finding."""

    code: str
    endpoint: str
    text: str
    words: Tuple[Tuple[str, str], ...]


def _router_findings(wire: _Wire) -> List[Finding]:
    heard_by: Dict[_Group, List[str]] = {}
    for endpoint, instance, member in wire.members():
        heard = _interface(wire.results.get(member["host"], {}), member["interface"])
        for router in (heard or {}).get("routers", ()):
            if router["family"] != instance["family"]:
                continue
            group = _judge_router(wire, endpoint, instance, router)
            if group is not None:
                heard_by.setdefault(group, []).append(member["host"])
    return [
        finding_of(group.code, "%s (heard by %s)" % (group.text, _listed(hosts)), hosts[0], group.endpoint,
                   **dict(group.words))
        for group, hosts in heard_by.items()
    ]


def _judge_router(wire: _Wire, endpoint: Endpoint, instance: Instance, router: Seen) -> Optional[_Group]:
    who = wire.who(router)
    taken = [vip["address"] for vip in instance["vips"] if vip["address"] in router["addresses"]]
    same_vrid = router["virtual_router_id"] == instance["virtual_router_id"]
    if not same_vrid and not taken:
        return None
    name = endpoint["name"]
    text = _router_text(router, who)
    words = tuple(_router_words(wire, instance, who).items())
    if same_vrid and 255 in router["priorities"] and _is_heard(endpoint, router):
        return _Group("vrid_priority_255", name, text, words)
    if same_vrid and who is not None:
        other = _other_speech(wire, who, router)
        if other:
            interface = next(member["interface"] for member in instance["members"])
            return _Group("vrrp_stranger", name, "%s, %s" % (text, other), (("interface", interface),))
    if who is not None and _is_explained(wire, who, router, taken, same_vrid):
        return None
    if same_vrid:
        code = "vrid_in_use" if _is_heard(endpoint, router) or taken else "vrid_in_use_unheard"
        return _Group(code, name, text, words)
    if who is not None and who in wire.taken_over:
        words = (("vrid", str(router["virtual_router_id"])),)
        return _Group("takeover_changes_vrid", name, "%s; it's to be %d" % (text, instance["virtual_router_id"]), words)
    words = (("vips", _listed(taken)), ("router", who or "that router"))
    return _Group("vip_under_other_vrid", name, text, words)


def _other_speech(wire: _Wire, who: str, router: Seen) -> str:
    """How adverts in a member's name differ from those that it sends itself; empty where they may be its own."""
    owner = wire.macs.get(router["mac"])
    if owner != who and any(wire.macs.get(mac) == who for mac in wire.senders[router["source"]]):
        return "from %s, which isn't its own" % ("%s's MAC address" % owner if owner else "MAC %s" % router["mac"])
    vrid = router["virtual_router_id"]
    given = [(version, auth) for host, number, version, auth in wire.speech if (host, number) == (who, vrid)]
    if given and wire.deployed is not None and who in wire.results and (router["version"], router["auth"]) not in given:
        return "which isn't what it was given: VRRPv%d, authentication %s" % given[0]
    return ""


def _is_explained(wire: _Wire, who: str, router: Seen, taken: Sequence[str], same_vrid: bool) -> bool:
    """A member that advertises what it was given, by this plan or by the one that it has stored."""
    vrid, addresses = router["virtual_router_id"], router["addresses"]
    if same_vrid and (taken or not addresses):
        return True
    # Nobody knows what members outside of this run have stored.
    if wire.deployed is None or who not in wire.results:
        return True
    return any((who, vrid, address) in wire.stored for address in addresses)


def _is_heard(endpoint: Endpoint, router: Seen) -> bool:
    return bool(endpoint["transport"] == "multicast" or router["destination"] == "unicast")


def _router_text(router: Seen, who: Optional[str]) -> str:
    addresses = list(router["addresses"])
    shown = _listed(addresses[:_NAMED]) if addresses else "no address"
    return "%s advertises virtual router %d by %s, VRRPv%d%s, priority %s, every %g s, for %s" % (
        "%s (%s)" % (who, router["source"]) if who else "%s (MAC %s)" % (router["source"], router["mac"]),
        router["virtual_router_id"],
        router["destination"],
        router["version"],
        "" if router["auth"] == "none" else ", authentication %s" % router["auth"],
        _listed([str(priority) for priority in router["priorities"] or [router["priority"]]]),
        router["interval"],
        shown,
    )


def _router_words(wire: _Wire, instance: Instance, who: Optional[str]) -> Dict[str, str]:
    return {
        "router": "the other VRRP instance on %s" % who if who else "that router if it's a leftover of this endpoint",
        "free": _listed([str(vrid) for vrid in wire.free(instance)], "or"),
    }


def _malformed(wire: _Wire) -> List[Finding]:
    """Packets that are no adverts: those with one of our virtual router IDs reach keepalived, the others nobody."""
    seen: Dict[Tuple[str, str, Optional[int]], Dict[str, None]] = {}
    hosts: Dict[Tuple[str, str, Optional[int]], Dict[str, None]] = {}
    for host, result in wire.results.items():
        for interface, heard in _part(result, "scan").get("interfaces", {}).items():
            for rejected in heard.get("rejected", ()):
                key = (interface, _sender(wire, rejected), _planned_vrid(wire, host, interface, rejected))
                seen.setdefault(key, {})[rejected["reason"]] = None
                hosts.setdefault(key, {})[host] = None
    findings: Dict[Tuple[str, Optional[int], Tuple[str, ...], Tuple[str, ...]], List[str]] = {}
    for key, reasons in seen.items():
        interface, sender, vrid = key
        findings.setdefault((interface, vrid, tuple(sorted(reasons)), tuple(hosts[key])), []).append(sender)
    result_: List[Finding] = []
    for (interface, vrid, why, heard_by), senders in findings.items():
        text = "VRRP packets%s that can't be believed on %s, because of %s, from %s (heard by %s)" % (
            "" if vrid is None else " for virtual router %d" % vrid,
            interface,
            _listed(why),
            _listed(senders[:_NAMED]),
            _listed(heard_by),
        )
        code = "vrrp_malformed" if vrid is None else "vrrp_stranger"
        result_.append(finding_of(code, text, heard_by[0], interface=interface))
    return result_


def _sender(wire: _Wire, rejected: Seen) -> str:
    """Who sent it, by MAC address: that of the packet's source may be anybody's."""
    named = _named(wire, rejected["mac"])
    return named if rejected["source"] is None else "%s (%s)" % (rejected["source"], named)


def _planned_vrid(wire: _Wire, host: str, interface: str, rejected: Seen) -> Optional[int]:
    """The virtual router ID of a packet, if it's one that this host has there."""
    return next(
        (
            instance["virtual_router_id"]
            for _endpoint, instance, member in wire.members()
            if (member["host"], member["interface"], instance["family"]) == (host, interface, rejected["family"])
            and instance["virtual_router_id"] == rejected["virtual_router_id"]
        ),
        None,
    )


# Who has the addresses


@dataclass
class _Holding:
    """What all hosts say about one VIP. `holders` are hosts of the plan, `strangers` are MAC addresses."""

    holders: Dict[str, None] = field(default_factory=dict)
    strangers: Dict[str, Dict[str, None]] = field(default_factory=dict)
    probing: Dict[str, Dict[str, None]] = field(default_factory=dict)


def _vip_findings(wire: _Wire) -> List[Finding]:
    findings: List[Finding] = []
    for endpoint in wire.plan["endpoints"]:
        for instance in endpoint["instances"]:
            hosts = [member["host"] for member in instance["members"]]
            for vip in instance["vips"]:
                holding = _holding(wire, hosts, vip["address"])
                findings.extend(_judge_vip(wire, endpoint, hosts, vip["address"], holding))
    return findings


def _holding(wire: _Wire, hosts: Sequence[str], address: str) -> _Holding:
    holding = _Holding()
    for host in hosts:
        for entry in _part(wire.results.get(host, {}), "probe").get("addresses", ()):
            if entry["address"] != address:
                continue
            if entry["held"]:
                holding.holders[host] = None
            for answer in entry["answers"]:
                who = wire.macs.get(answer["mac"])
                if answer["how"] == ["probe"]:
                    if who is None:
                        holding.probing.setdefault(answer["mac"], {})[host] = None
                elif who is None:
                    holding.strangers.setdefault(answer["mac"], {})[host] = None
                else:
                    holding.holders[who] = None
    return holding


def _judge_vip(wire: _Wire, endpoint: Endpoint, hosts: Sequence[str], address: str, holding: _Holding) -> List[Finding]:
    findings: List[Finding] = []
    name = endpoint["name"]
    others = [who for who in holding.holders if who not in hosts]
    ours = [who for who in hosts if who in holding.holders]
    for mac, heard_by in holding.strangers.items():
        seen = "%s is used by a machine with the MAC address %s (answered to %s)" % (
            address,
            mac,
            _listed(list(heard_by)),
        )
        repair = "take the address off that machine (the switch knows the port of its MAC)"
        findings.append(finding_of("vip_in_use", seen, next(iter(heard_by)), name, repair=repair))
    for mac, heard_by in holding.probing.items():
        if mac not in holding.strangers:
            seen = "a machine with the MAC address %s is about to take %s (heard by %s)" % (
                mac,
                address,
                _listed(list(heard_by)),
            )
            repair = "give that machine another address (DHCP may be handing out the VIP)"
            findings.append(finding_of("vip_in_use", seen, next(iter(heard_by)), name, repair=repair))
    for who in others:
        seen = "%s is held by %s, which isn't a balancer of this endpoint" % (address, who)
        findings.append(finding_of("vip_in_use", seen, who, name, repair="take the address off %s" % who))
    if len(ours) > 1:
        seen = "%s is held by %s at the same time" % (address, _listed(ours))
        findings.append(finding_of("vip_two_holders", seen, ours[0], name))
    for who in ours:
        known = wire.deployed is not None and who in wire.results
        if known and not any(entry[0] == who and entry[2] == address for entry in wire.stored):
            seen = "%s is on %s already, and no endpoint is deployed there that has it" % (address, who)
            findings.append(finding_of("vip_held_unplanned", seen, who, name, address=address))
    return findings


def _address_findings(wire: _Wire) -> List[Finding]:
    """A member's own address that another machine answers for."""
    seen_by: Dict[Tuple[str, str, str], Dict[str, None]] = {}
    for host, result in wire.results.items():
        for entry in _part(result, "probe").get("known_addresses", ()):
            owner = entry["host"]
            # Of hosts outside of this run nobody knows which MAC addresses are theirs.
            if not _part(wire.results.get(owner, {}), "probe").get("macs"):
                continue
            for mac in entry["macs"]:
                if wire.macs.get(mac) != owner:
                    seen_by.setdefault((owner, entry["address"], mac), {})[host] = None
    return [
        finding_of(
            "address_in_use",
            "%s, which is %s's, is also used by %s (answered to %s)"
            % (address, owner, _named(wire, mac), _listed(list(hosts))),
            owner,
        )
        for (owner, address, mac), hosts in seen_by.items()
    ]


# Whether VRRP passes


class _Direction(NamedTuple):
    sender: str
    receiver: str
    family: str
    transport: str


class _Verdict(NamedTuple):
    """`where` it's lost: receiver, sender, between or link; lossy, untested, absent. `detail` is for people."""

    where: str
    detail: str = ""


def _reach_findings(wire: _Wire) -> List[Finding]:
    verdicts: Dict[_Direction, _Verdict] = {}
    endpoint_of: Dict[_Direction, str] = {}
    addresses: Dict[_Direction, str] = {}
    for endpoint in wire.plan["endpoints"]:
        for instance in endpoint["instances"]:
            for sender in instance["members"]:
                for receiver in instance["members"]:
                    key = _Direction(sender["host"], receiver["host"], instance["family"], endpoint["transport"])
                    if sender is receiver or key in verdicts:
                        continue
                    verdict = _judge_direction(wire, key, sender["address"], receiver["address"])
                    if verdict is not None:
                        verdicts[key], endpoint_of[key] = verdict, endpoint["name"]
                        addresses[key] = sender["address"]
    findings = [
        *_blocked_at_receiver(verdicts, endpoint_of, addresses),
        *_blocked_at_sender(verdicts, endpoint_of),
        *_blocked_between(verdicts, endpoint_of),
        *_not_tested(verdicts, endpoint_of),
    ]
    return findings


def _judge_direction(wire: _Wire, key: _Direction, source: str, destination: str) -> Optional[_Verdict]:
    if key.sender not in wire.results or key.receiver not in wire.results:
        return _Verdict("absent")
    sent = _pair(wire.results[key.sender], key, source, key.receiver)
    heard = _pair(wire.results[key.receiver], key, destination, key.sender)
    if sent is None or heard is None or sent.get("error") or heard.get("error"):
        return None  # which is a finding of its own
    if sent["refused"] and not heard["received_stack"]:
        return _Verdict("sender", sent["refused"])
    total = heard["wire"] + heard["wire_late"]
    if heard["received"]:
        if heard["missed"] >= _DEAF and key.transport == "unicast":
            return _Verdict("between", "until %s has sent something itself" % key.receiver)
        if total >= _DEAF and heard["lost"] > _LOSS * (total + heard["lost"]):
            return _Verdict("lossy", "%d of %d packets" % (heard["lost"], total + heard["lost"]))
        return None
    if heard["wire"] >= 2 or (total >= 2 and not heard["received_late"]):
        answers = heard["received_late"] or heard["received_stack"]
        detail = "except as answers to its own" if answers and key.transport == "unicast" else ""
        return _Verdict("receiver", detail)
    if total or heard["wire_stack"]:
        return None if heard["received_stack"] or heard["received_late"] else _Verdict("untested")
    if not sent["sent"]:
        return _Verdict("link")
    overlap = _overlap(wire.results[key.sender], sent, wire.results[key.receiver], heard)
    return _Verdict("between") if overlap >= _OVERLAP else _Verdict("untested")


def _overlap(sender: Seen, sent: Seen, receiver: Seen, heard: Seen) -> float:
    """For how many seconds the one surely sent while the other listened."""
    first, last, listened = sent["sent_from"], sent["sent_until"], heard["listened"]
    if sent["peer_began"] is not None:
        # The sender heard the receiver, so it knows when that one began.
        begun = sent["peer_began"]
        return float(min(last, begun + listened) - max(first, begun))
    begun = _seen_to_begin(sender, receiver)
    if begun is not None:
        return float(min(last, begun + listened) - max(first, begun)) - _PROBE_ERROR
    sender_begun, receiver_begun = _begun(sender), _begun(receiver)
    if sender_begun is None or receiver_begun is None:
        return 0.0
    ended = min(sender_begun[0] + last, receiver_begun[0] + listened)
    return float(ended - max(sender_begun[1] + first, receiver_begun[1]))


def _seen_to_begin(one: Seen, other: Seen) -> Optional[float]:
    """When the other began by the one's clock, as its first ARP probe tells; those pass where VRRP doesn't."""
    for seer, seen, sign in ((one, other, 1.0), (other, one, -1.0)):
        probing = _part(seer, "probe").get("probing", {})
        for mac in _part(seen, "probe").get("macs") or ():
            if mac in probing:
                return sign * float(probing[mac])
    return None


def _begun(result: Seen) -> Optional[Tuple[float, float]]:
    """Between when and when a host began to listen, by the controller's clock.

    Its task took longer than the listening. At least half of the rest came before: connecting, shipping, starting.
    """
    window, seconds = result.get("window"), result.get("seconds")
    if not window or seconds is None:
        return None
    rest = max(0.0, window["ended"] - window["began"] - seconds)
    return window["began"] + rest / 2, window["began"] + rest


def _blocked_at_receiver(
    verdicts: Mapping[_Direction, _Verdict], endpoint_of: Mapping[_Direction, str], addresses: Mapping[_Direction, str]
) -> List[Finding]:
    grouped: Dict[Tuple[str, str, str, str], List[_Direction]] = {}
    for key, verdict in verdicts.items():
        if verdict.where == "receiver":
            grouped.setdefault((key.receiver, endpoint_of[key], key.family, verdict.detail), []).append(key)
    findings = []
    for (host, endpoint, family, detail), keys in grouped.items():
        senders = [key.sender for key in keys]
        seen = "its packet filter drops VRRP over %s from %s%s" % (
            _family(family),
            _listed(senders),
            " %s" % detail if detail else "",
        )
        repair = "let IP protocol 112 in from %s on %s, or set endpoint_manage_firewall: true" % (
            _listed([addresses[key] for key in keys]), host)
        findings.append(finding_of("vrrp_blocked", seen, host, endpoint, repair=repair))
    return findings


def _blocked_at_sender(verdicts: Mapping[_Direction, _Verdict], endpoint_of: Mapping[_Direction, str]) -> List[Finding]:
    grouped: Dict[Tuple[str, str, str, str], List[str]] = {}
    for key, verdict in verdicts.items():
        if verdict.where == "sender":
            grouped.setdefault((key.sender, endpoint_of[key], key.family, verdict.detail), []).append(key.receiver)
    return [
        finding_of(
            "vrrp_blocked", "it can't send VRRP over %s to %s: %s" % (_family(family), _listed(receivers), detail),
            host, endpoint, repair="let IP protocol 112 out on %s, or set endpoint_manage_firewall: true" % host)
        for (host, endpoint, family, detail), receivers in grouped.items()
    ]


def _blocked_between(verdicts: Mapping[_Direction, _Verdict], endpoint_of: Mapping[_Direction, str]) -> List[Finding]:
    findings = []
    for key, verdict in verdicts.items():
        back = key._replace(sender=key.receiver, receiver=key.sender)
        if verdict.where not in ("between", "link", "lossy"):
            continue
        both = verdicts.get(back) == verdict
        if both and key.sender > key.receiver:
            continue  # said with the other direction
        arrow = "%s and %s" % (key.sender, key.receiver) if both else "%s to %s" % (key.sender, key.receiver)
        how = "%s over %s" % (key.transport, _family(key.family))
        host, endpoint = key.receiver, endpoint_of[key]
        if verdict.where == "lossy":
            seen = "VRRP by %s from %s loses %s" % (how, arrow, verdict.detail)
            findings.append(finding_of("vrrp_lossy", seen, host, endpoint))
        elif verdict.where == "link":
            seen = "%s asks for %s's address and gets no answer" % (key.sender, key.receiver)
            repair = "see that both interfaces are in one network (VLAN, switch port), and that the address is on %s"
            findings.append(finding_of("vrrp_blocked", seen, host, endpoint, repair=repair % host))
        else:
            seen = "VRRP by %s doesn't get %s %s%s" % (
                how,
                "between" if both else "from",
                arrow,
                ", %s" % verdict.detail if verdict.detail else "",
            )
            findings.append(finding_of("vrrp_blocked", seen, host, endpoint, repair=_between_repair(key)))
    return findings


def _between_repair(key: _Direction) -> str:
    allow = "let IP protocol 112 pass in the network between them (security groups, the hypervisor's filter, switches)"
    if key.transport == "unicast":
        return allow
    return "%s; where it can't carry multicast, set endpoint_vrrp_transport: unicast" % allow


def _not_tested(verdicts: Mapping[_Direction, _Verdict], endpoint_of: Mapping[_Direction, str]) -> List[Finding]:
    absent: Dict[str, None] = {}
    asunder: Dict[str, Dict[str, None]] = {}
    for key, verdict in verdicts.items():
        if verdict.where == "untested":
            pair = " and ".join(sorted([key.sender, key.receiver]))
            asunder.setdefault(endpoint_of[key], {})[pair] = None
        elif verdict.where == "absent":
            absent[endpoint_of[key]] = None
    findings = []
    for endpoint, pairs in asunder.items():
        seen = "whether VRRP passes between %s: they weren't asked at the same time" % _listed(list(pairs)[:_NAMED])
        how = "with --forks of at least the number of balancers"
        findings.append(finding_of("vrrp_untested", seen, None, endpoint, how=how))
    for endpoint in absent:
        seen = "whether VRRP passes to and from hosts outside of this run"
        findings.append(finding_of("vrrp_untested", seen, None, endpoint, how="without --limit"))
    return findings


# Reading results


def _part(result: Seen, name: str) -> Seen:
    return result.get(name) or {}


def _interface(result: Seen, name: str) -> Optional[Seen]:
    heard: Optional[Seen] = _part(result, "scan").get("interfaces", {}).get(name)
    return heard


def _pair(result: Seen, key: _Direction, address: str, peer: str) -> Optional[Seen]:
    return next(
        (
            pair
            for pair in _part(result, "reach").get("pairs", ())
            if (pair["address"], pair["peer"], pair["transport"]) == (address, peer, key.transport)
        ),
        None,
    )


def _named(wire: _Wire, mac: str) -> str:
    return wire.macs.get(mac) or "MAC %s" % mac


def _family(family: str) -> str:
    return {"ipv4": "IPv4", "ipv6": "IPv6"}[family]


def _listed(items: Sequence[str], last: str = "and") -> str:
    if len(items) < 2:
        return items[0] if items else "nothing"
    return "%s %s %s" % (", ".join(items[:-1]), last, items[-1])
