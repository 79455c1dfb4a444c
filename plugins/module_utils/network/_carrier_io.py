# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Let a host's network and packet filter carry the endpoint: compare what is asked for with what is there, then add and
remove.

`endpoint_network` does it; the preflight only looks, so that hosts with nothing to do need no task of their own.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..host import _copies_io, _deployed_io, _host_io, _ownership
from ..host import _owned_files_io as owned
from ..model import _accessors, _paths
from . import _filter, _netconfig

if TYPE_CHECKING:
    from ..model._model import Endpoint, Member

STATE_FILE = "/var/lib/kubeha/network.json"
COMMAND_SECONDS = 30.0
COMMENT = "kubeha"
TABLE = "inet " + _filter.TABLE
FILTER = _filter.UNIT_FILE
SERVICE = os.path.basename(FILTER)
VRRP_RULE = re.compile(r'rule family="ipv[46]" source address="\S+" protocol value="vrrp" accept$')
UNCLAIMED = (
    "It isn't known any more which of firewalld's rules are this collection's, because %s is lost. These may be, and "
    "stay: %%s. Remove those that nobody needs with firewall-cmd --permanent --zone=ZONE --remove-rich-rule='RULE' or "
    "--remove-port=PORT, then firewall-cmd --reload." % STATE_FILE
)
NO_NFTABLES = (
    "There's no nftables on %s, so VRRP packets that no member has sent reach keepalived there. "
    "Install nftables, and run this again, or set endpoint_vrrp_filter: false."
)


class Rule(NamedTuple):
    """One opening: `place` is firewalld's zone and kind of rule, or nothing for ufw."""

    manager: str
    place: str
    value: str

    def __str__(self) -> str:
        return " ".join(part for part in (self.manager, self.place) if part) + ": " + self.value


class CommandError(Exception):
    """A command of the packet filter's manager failed."""


@dataclass(frozen=True)
class Due:
    """What has to be done. `files` and `rules` are what is to be there, `copies` what somebody else has written, by
    path. `loads` is whether the kernel lacks the filter."""

    files: Mapping[str, str]
    wrong_files: Sequence[str]
    gone_files: Sequence[str]
    copies: Mapping[str, str]
    rules: Sequence[Rule]
    new_rules: Sequence[Rule]
    gone_rules: Sequence[Rule]
    loads: bool
    reloads_networkd: bool

    @property
    def changes(self) -> bool:
        return bool(self.wrong_files or self.gone_files or self.new_rules or self.gone_rules or self.loads)


class Carrier:
    """One host's network and packet filter. Without endpoints, all that was done is taken back."""

    def __init__(self, endpoints: Sequence[Endpoint], host: str, narrow: bool = False) -> None:
        self.endpoints = endpoints
        self.host = host
        self.narrow = narrow
        self.done = read_state() or {"files": {}, "rules": commented(), "peers": {}, "heard": {}, "loaded": ""}
        self.indices = {link.name: link.index for link in _host_io.read_links()}
        spoken = spoken_peers(host)
        self._plan_filter(spoken)
        self._plan_openings(spoken)

    @property
    def warnings(self) -> List[str]:
        return [NO_NFTABLES % self.host] if self.unfiltered else []

    @property
    def former_peers(self) -> List[str]:
        """Addresses of former members for which the packet filter's manager has rules."""
        return sorted({peer for peers in self.former.values() for peer in peers})

    def due(self) -> Due:
        drop_ins, leased = self._drop_ins()
        rules = self._rules()
        files = dict(drop_ins, **self._filter_files())
        stale_rules = [rule for rule in self.done["rules"] if rule not in rules]
        wrong_files = [path for path, content in files.items() if _host_io.read_file(path) != content.encode()]
        # The filter's are ours by their names, should the note of them be lost.
        ours = dict.fromkeys([*self.done["files"], _filter.FILE, _filter.UNIT_FILE])
        gone_files = [path for path in ours if path not in files and os.path.lexists(path)]
        existing = self._existing(rules + stale_rules)
        return Due(
            files=files,
            wrong_files=wrong_files,
            gone_files=gone_files,
            copies={path: copy for path in wrong_files + gone_files for copy in [self._copy_of(path)] if copy},
            rules=rules,
            new_rules=[rule for rule in rules if rule not in existing],
            gone_rules=[rule for rule in stale_rules if rule in existing],
            loads=bool(self.nft) and (_filter.FILE in wrong_files or not self._is_filtering()),
            reloads_networkd=bool(set(drop_ins) & set(wrong_files)) and not leased,
        )

    def apply(self, due: Due) -> None:
        for path in due.copies:
            _copies_io.keep(path, _host_io.read_file(path) or b"", os.stat(path), path not in self.done["files"])
        self._change(due)
        if due.reloads_networkd:
            run(["networkctl", "reload"])

    def _copy_of(self, path: str) -> Optional[str]:
        content = _host_io.read_file(path)
        if content is None or not _ownership.is_edited(path, content, self.done["files"].get(path, [])):
            return None
        return _copies_io.place(path, content, path not in self.done["files"])

    # What is asked for

    def _members(self, wish: str) -> List[Tuple[Endpoint, Member]]:
        return [
            (endpoint, member)
            for endpoint in self.endpoints
            if endpoint.get(wish)
            for instance in endpoint["instances"]
            for member in instance["members"]
            if member["host"] == self.host
        ]

    def _drop_ins(self) -> Tuple[Dict[str, str], bool]:
        """Contents by path, and whether one is for a link with an address from DHCP."""
        files: Dict[str, str] = {}
        leased = False
        for _endpoint, member in self._members("manage_network"):
            index = self.indices.get(member["interface"], 0)
            path = _netconfig.network_file(_netconfig.link_state(_host_io.read_text(_netconfig.LINK_STATE % index)))
            if path is None:
                continue
            ours = _netconfig.our_drop_in(path)
            listings = [(folder, _host_io.list_folder(folder)) for folder in _netconfig.drop_in_folders(path)]
            others = [name for name in _netconfig.drop_ins_in_order(listings) if name != ours]
            value = _netconfig.keep_configuration([_host_io.read_text(name) for name in [path] + others])
            if not _netconfig.keeps_foreign(value):
                files[ours] = _netconfig.drop_in(_paths.HEADER, value)
                leased = leased or os.path.exists(_netconfig.LEASE % index)
        return files, leased

    def _rules(self) -> List[Rule]:
        members = self._members("manage_firewall")
        manager = find_manager() if members else None
        rules: List[Rule] = []
        # What a former member may still speak by isn't closed either.
        for router, peers in self.opened.items():
            if manager == "firewalld":
                place = zone_of(router.interface) + " rich-rule"
                rules += [Rule(manager, place, vrrp_rule(peer)) for peer in peers]
            elif manager == "ufw":
                rules += [Rule(manager, "", "allow from %s proto vrrp" % peer) for peer in peers]
        for endpoint, member in members:
            if manager == "firewalld":
                place = zone_of(member["interface"]) + " port"
                rules += [Rule(manager, place, "%d/tcp" % port) for port in _accessors.ports_of(endpoint)]
            elif manager == "ufw":
                rules += [Rule(manager, "", "allow %d/tcp" % port) for port in _accessors.ports_of(endpoint)]
        return list(dict.fromkeys(rules))

    def _plan_filter(self, spoken: Mapping[str, List[str]]) -> None:
        """Whom each virtual router is heard from, and with which program that's said to the kernel, if any."""
        planned = self._peers("vrrp_filter")
        self.nft = find_nft() if planned else None
        self.unfiltered = bool(planned) and not self.nft
        # A former member that comes back has to be heard: it may hold the VIP by what it was told.
        self.heard = _filter.widened(_filter.widened(planned, spoken), self.done["heard"])

    def _plan_openings(self, spoken: Mapping[str, List[str]]) -> None:
        """Whom the packet filter's manager is told to let in."""
        planned = self._peers("manage_firewall")
        self.opened = planned
        if not self.narrow:
            # A plan of keepalived's may be older than the last narrowing: not each plan changes its files.
            self.opened = _filter.widened(planned, {**spoken, **self.done["peers"]})
        self.former = {router: sorted(set(self.opened[router]) - set(planned[router])) for router in planned}

    def _peers(self, wish: str) -> _filter.Peers:
        return _filter.peers([item for item in self.endpoints if item.get(wish)], self.host)

    def _filter_files(self) -> Dict[str, str]:
        return {_filter.FILE: _filter.rules(self.heard), _filter.UNIT_FILE: _filter.unit(self.nft)} if self.nft else {}

    # What is there

    def _is_filtering(self) -> bool:
        """Whether the kernel has what was loaded from this file, and will have it after a boot."""
        said = _host_io.run(["systemctl", "show", "--property=ActiveState,UnitFileState", SERVICE], COMMAND_SECONDS)
        if not {"ActiveState=active", "UnitFileState=enabled"} <= set(said.text.split()):
            return False
        return bool(self.done["loaded"] == loaded(self.nft or ""))

    def _existing(self, rules: List[Rule]) -> List[Rule]:
        """Those of the rules that hold now and will after a reload. A manager that doesn't run has none."""
        managers = {rule.manager for rule in rules}
        found: List[Rule] = []
        if "firewalld" in managers and find_manager() == "firewalld":
            places = list(dict.fromkeys(rule.place for rule in rules if rule.manager == "firewalld"))
            now = _host_io.together({place: partial(list_firewalld, place, False) for place in places})
            later = _host_io.together({place: partial(list_firewalld, place, True) for place in places})
            found += [
                rule
                for rule in rules
                if rule.manager == "firewalld"
                and all(rule.value in entries(rule.place, listed[rule.place]) for listed in (now, later))
            ]
        if "ufw" in managers and _host_io.find_binary("ufw"):
            added = [line.partition(" comment ")[0].strip() for line in run(["ufw", "show", "added"]).splitlines()]
            found += [rule for rule in rules if rule.manager == "ufw" and "ufw " + rule.value in added]
        return found

    # Do it

    def _change(self, due: Due) -> None:
        mine = [rule for rule in due.rules if rule in self.done["rules"]] + list(due.new_rules)
        # What is about to be there is known before it's there, so a killed run leaves nothing unknown behind.
        written = {path: [sha256(content.encode()).hexdigest()] for path, content in due.files.items()}
        both = {path: self.done["files"].get(path, []) + written.get(path, [])
                for path in [*self.done["files"], *written]}
        peers, heard = _filter.noted(self.opened), _filter.noted(self.heard)
        write_state(both, list(dict.fromkeys(self.done["rules"] + mine)), peers, heard, "")
        with owned.Batch() as batch:
            for path in due.wrong_files:
                if not os.path.isdir(os.path.dirname(path)):
                    owned.make_folder(os.path.dirname(path))
                batch.add(path, due.files[path].encode(), 0o644)
            batch.commit()
        if due.loads or FILTER in due.wrong_files:
            self._load_filter()
        if FILTER in due.gone_files:
            _host_io.run(["systemctl", "disable", "--now", SERVICE], COMMAND_SECONDS)
            # Where the service was stopped, it takes nothing away.
            _host_io.run(["nft", "delete", "table", *TABLE.split()], COMMAND_SECONDS)
        for path in due.gone_files:
            # networkd isn't told: reading its files again without the setting would drop the VIP right now.
            owned.remove(path)
            original = _copies_io.original(path)
            if original:
                owned.move(original, path)
            remove_if_empty(os.path.dirname(path))
        for rule in due.new_rules:
            change_rule(rule, add=True)
        for rule in due.gone_rules:
            change_rule(rule, add=False)
        if FILTER in due.gone_files:
            run(["systemctl", "daemon-reload"])
        write_state(written, mine, peers, heard, loaded(self.nft) if self.nft else "")

    def _load_filter(self) -> None:
        run([self.nft or "", "-f", _filter.FILE])
        for words in (["daemon-reload"], ["enable", SERVICE], ["start", SERVICE]):
            run(["systemctl", *words])


def find_nft() -> Optional[str]:
    """The program, where the kernel knows what it says, too."""
    nft = _host_io.find_binary("nft")
    return nft if nft and _host_io.run([nft, "list", "tables"], COMMAND_SECONDS).code == 0 else None


def loaded(nft: str) -> str:
    """A checksum of what the kernel has of our table; nothing where there's no such table."""
    said = _host_io.run([nft, "list", "table", *TABLE.split()], COMMAND_SECONDS)
    if said.code != 0:
        return ""
    return sha256(json.dumps(_filter.normal(said.text)).encode()).hexdigest()


def spoken_peers(host: str) -> Dict[str, List[str]]:
    """Of the plan that keepalived's files were made from."""
    try:
        plan = json.loads(_host_io.read_file(_paths.ROLE_PLAN % "keepalived") or b"{}")
        return _filter.noted(_filter.peers(plan.get("endpoints") or [], host))
    except (OSError, ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return {}


def find_manager() -> Optional[str]:
    if _host_io.find_binary("firewall-cmd") and _host_io.run(["firewall-cmd", "--state"], COMMAND_SECONDS).code == 0:
        return "firewalld"
    if _netconfig.ufw_enabled(_host_io.read_text(_netconfig.UFW_CONFIG)) and _host_io.find_binary("ufw"):
        return "ufw"
    return None


def vrrp_rule(peer: str) -> str:
    """In the words in which firewalld lists it."""
    family = "ipv6" if ":" in peer else "ipv4"
    return 'rule family="%s" source address="%s" protocol value="vrrp" accept' % (family, peer)


def zone_of(interface: str) -> str:
    """An interface that no zone names is in the default zone."""
    said = _host_io.run(["firewall-cmd", "--get-zone-of-interface=" + interface], COMMAND_SECONDS)
    return said.text.strip() if said.code == 0 else run(["firewall-cmd", "--get-default-zone"]).strip()


def list_firewalld(place: str, permanent: bool) -> str:
    zone, kind = place.split(" ", 1)
    command = ["firewall-cmd", "--zone=" + zone, "--list-%ss" % kind]
    return run(command + ["--permanent"] if permanent else command)


def entries(place: str, listed: str) -> List[str]:
    """Rich rules are listed one a line, ports with blanks between them."""
    return [line.strip() for line in listed.splitlines()] if place.endswith("rich-rule") else listed.split()


def change_rule(rule: Rule, add: bool) -> None:
    if rule.manager == "ufw":
        words = rule.value.split()
        run(["ufw"] + words + ["comment", COMMENT] if add else ["ufw", "delete"] + words)
        return
    zone, kind = rule.place.split(" ", 1)
    option = "--%s-%s=%s" % ("add" if add else "remove", kind, rule.value)
    for more in ([], ["--permanent"]):
        said = _host_io.run(["firewall-cmd", "--zone=" + zone, option] + more, COMMAND_SECONDS)
        # It may be there, or be gone, in one of the two already.
        if said.code != 0 and not any(word in said.text for word in ("ALREADY_ENABLED", "NOT_ENABLED")):
            raise CommandError("firewall-cmd %s: %s" % (option, said.error or said.text.strip()))


def run(argv: List[str]) -> str:
    said = _host_io.run(argv, COMMAND_SECONDS)
    if said.code != 0:
        raise CommandError("%s: %s" % (" ".join(argv), said.error or said.text.strip()))
    return said.text


def commented() -> List[Rule]:
    """Rules of ufw's that carry our name."""
    if not _host_io.find_binary("ufw"):
        return []
    said = _host_io.run(["ufw", "show", "added"], COMMAND_SECONDS).text
    lines = [line.strip().partition(" comment ") for line in said.splitlines()]
    return [Rule("ufw", "", words[len("ufw "):].strip()) for words, _comment, name in lines
            if words.startswith("ufw ") and name.strip("'") == COMMENT]


def unclaimed() -> List[Rule]:
    """Rules of firewalld's that may be ours, where a run was to make some and no note of them is left. Nothing names
    them, as ufw's are named."""
    stored = _deployed_io.read_deployed()
    asked = stored.error or any(endpoint["manage_firewall"] for endpoint in stored.endpoints)
    if not asked or read_state() is not None or find_manager() != "firewalld":
        return []
    ports = {"%d/tcp" % port for endpoint in stored.endpoints for port in _accessors.ports_of(endpoint)}
    places = ["%s %s" % (zone, kind) for zone in run(["firewall-cmd", "--permanent", "--get-zones"]).split()
              for kind in ("rich-rule", "port")]
    listed = _host_io.together({place: partial(list_firewalld, place, True) for place in places})
    return [Rule("firewalld", place, value) for place in places for value in entries(place, listed[place])
            if value in ports or VRRP_RULE.match(value)]


def read_state() -> Optional[Dict[str, Any]]:
    """What was noted of what was done; None where nothing was, or the note is lost or can't be read."""
    try:
        content = _host_io.read_file(STATE_FILE)
        if content is None:
            return None
        state = json.loads(content)
        rules = [Rule(*item) for item in state.get("rules", [])]
        opened, heard = (
            {str(router): list(addresses) for router, addresses in state.get(key, {}).items()}
            for key in ("peers", "heard")
        )
        sums = _ownership.noted_sums(state.get("files", []))
        return {"files": sums, "rules": rules, "peers": opened, "heard": heard, "loaded": str(state.get("loaded", ""))}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return None


def write_state(
    files: Mapping[str, List[str]],
    rules: List[Rule],
    peers: Mapping[str, List[str]],
    heard: Mapping[str, List[str]],
    checksum: str,
) -> None:
    """Files with checksums of what we wrote; for whom a manager has rules, whom the filter lets in, and a checksum of
    what the kernel says of the filter."""
    if not files and not rules:
        owned.remove(STATE_FILE)
        return
    listed = [list(rule) for rule in rules]
    state = {"files": files, "rules": listed, "peers": peers, "heard": heard, "loaded": checksum}
    owned.make_folder(os.path.dirname(STATE_FILE))
    owned.write(STATE_FILE, (json.dumps(state, indent=1, sort_keys=True) + "\n").encode(), 0o644)


def remove_if_empty(folder: str) -> None:
    if not _host_io.list_folder(folder):
        os.rmdir(folder)
