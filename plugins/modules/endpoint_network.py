#!/usr/bin/python
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_network
short_description: Let a host's network keep the VIP, and its packet filter know the VIP's members and clients
version_added: 1.0.0
author:
  - The kubeha.apiserver authors (@kubeha)
description:
  - Does only what C(endpoint_manage_network), C(endpoint_manage_firewall) and C(endpoint_vrrp_filter) of an endpoint
    ask for, and takes back what an earlier run did and this plan doesn't ask for any more. What somebody else had there
    already stays.
  - Where systemd-networkd configures the interface, a drop-in of its C(.network) file sets C(KeepConfiguration=), and
    networkd reads it. On a link with an address from DHCP it's read at networkd's next start, because reading it at
    once would drop that address for a moment. NetworkManager has no such setting.
  - Where firewalld is active, rules of the interface's zone let in IP protocol 112 from each peer and the balancing
    port, at once and for good, without a reload. Where ufw is, rules of its own with the comment C(kubeha) do,
    appended, so that denials before them stay in force.
  - With C(endpoint_vrrp_filter) a table of nftables of its own, C(inet kubeha), drops VRRP packets with a planned
    virtual router ID that no member has sent, before keepalived sees them. It lets nothing in. The service
    C(kubeha-filter.service) loads it at boot. A host without nftables gets a warning instead.
  - Rules of firewalld and ufw for members that a virtual router has had stay until O(narrow), because they may speak
    until their turn. The table goes on letting former members in. One that comes back, with the configuration that it
    had, then finds members that hear it, and the VIP stays on one host.
  - A ruleset of nftables or iptables that no such manager made is left alone. It has no place where others may add
    something that lasts, and a rule elsewhere can't let in what it drops. M(kubeha.apiserver.endpoint_preflight) names
    the commands.
extends_documentation_fragment:
  - kubeha.apiserver._attributes
  - kubeha.apiserver._attributes.owner
attributes:
  action:
    description: The action plugin runs on the controller.
    support: partial
    details:
      - The plan is cut down to what concerns the host on the controller.
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  plan:
    description:
      - The plan, as M(kubeha.apiserver.endpoint_plan) returns it. Required unless O(state=absent).
    type: dict
  host:
    description:
      - The host's name in the plan. The default is its name in the inventory.
    type: str
  state:
    description: V(absent) takes back all that this module has done on the host.
    type: str
    choices: [present, absent]
    default: present
  narrow:
    description: All members run the plan now, so that rules for former ones go.
    type: bool
    default: false
seealso:
  - module: kubeha.apiserver.endpoint_preflight
"""

EXAMPLES = r"""
- name: Let network and packet filter carry the endpoint, where that's asked for
  kubeha.apiserver.endpoint_network:
    plan: "{{ result.plan }}"

- name: Take away the rules for former members
  kubeha.apiserver.endpoint_network:
    plan: "{{ result.plan }}"
    narrow: true

- name: Take that back
  kubeha.apiserver.endpoint_network:
    state: absent
"""

RETURN = r"""
added:
  description: What was, or in check mode would be, added.
  returned: success
  type: list
  elements: str
  sample: ["firewalld public: port 8443/tcp"]
removed:
  description: What was or would be removed.
  returned: success
  type: list
  elements: str
  sample: []
kept_files:
  description: Copies that were or would be made of what somebody else has written.
  returned: success
  type: list
  elements: str
  sample: []
former_peers:
  description: Addresses of former members for which rules of firewalld or ufw stay until O(narrow).
  returned: success
  type: list
  elements: str
  sample: []
networkd_reloaded:
  description: Whether networkd has read its files again. V(false) where it needn't, or where it should wait.
  returned: success
  type: bool
"""

import json
import os
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.host import _copies_io, _host_io, _ownership
from ..module_utils.host import _owned_files_io as owned
from ..module_utils.model import _accessors, _paths
from ..module_utils.network import _filter, _netconfig
from ..module_utils.run import _run_lock_io

if TYPE_CHECKING:
    from ..module_utils.model._model import Endpoint, Member

STATE_FILE = "/var/lib/kubeha/network.json"
COMMAND_SECONDS = 30.0
COMMENT = "kubeha"
TABLE = "inet " + _filter.TABLE
FILTER = _filter.UNIT_FILE
SERVICE = os.path.basename(FILTER)


class Rule(NamedTuple):
    """One opening: `place` is firewalld's zone and kind of rule, or nothing for ufw."""

    manager: str
    place: str
    value: str

    def __str__(self) -> str:
        return " ".join(part for part in (self.manager, self.place) if part) + ": " + self.value


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "plan": {"type": "dict"},
            "host": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "narrow": {"type": "bool", "default": False},
            **_run_lock_io.OWNER,
        },
        required_if=[("state", "present", ["plan", "host"])],
        supports_check_mode=True,
    )
    try:
        _run_lock_io.ensure(module)
        module.exit_json(**Network(module).run())
    except (OSError, CommandError) as error:
        module.fail_json(msg=str(error))


class CommandError(Exception):
    """A command of the packet filter's manager failed."""


class Network:
    """Compare what is asked for with what is there, then add and remove."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.done = read_state()
        plan = module.params["plan"] if module.params["state"] == "present" else None
        self.endpoints: List[Endpoint] = (plan or {}).get("endpoints") or []
        self.indices = {link.name: link.index for link in _host_io.read_links()}

    def run(self) -> Dict[str, Any]:
        drop_ins, leased = self._drop_ins()
        spoken = spoken_peers(str(self.module.params["host"]))
        self._plan_filter(spoken)
        self._plan_openings(spoken)
        rules = self._rules()
        files = dict(drop_ins, **self._filter_files())
        stale_files = [path for path in self.done["files"] if path not in files]
        stale_rules = [rule for rule in self.done["rules"] if rule not in rules]
        wrong_files = [path for path, content in files.items() if _host_io.read_file(path) != content.encode()]
        existing = self._existing(rules + stale_rules)
        new_rules = [rule for rule in rules if rule not in existing]
        gone_rules = [rule for rule in stale_rules if rule in existing]
        gone_files = [path for path in stale_files if os.path.lexists(path)]
        copies = {path: copy for path in wrong_files + gone_files for copy in [self._copy_of(path)] if copy}
        before = {
            path: (_host_io.read_file(path) or b"").decode("utf-8", "replace") for path in wrong_files + gone_files
        }
        reload_networkd = bool(set(drop_ins) & set(wrong_files)) and not leased
        load = bool(self.nft) and (_filter.FILE in wrong_files or not self._is_filtering())
        result: Dict[str, Any] = {
            "changed": bool(wrong_files or new_rules or gone_files or gone_rules or load),
            "added": wrong_files + [str(rule) for rule in new_rules] + ["nft " + TABLE] * load,
            "removed": gone_files + [str(rule) for rule in gone_rules] + ["nft " + TABLE] * (FILTER in gone_files),
            "kept_files": sorted(copies.values()),
            "former_peers": sorted({peer for peers in self.former.values() for peer in peers}),
            "networkd_reloaded": reload_networkd,
        }
        if self.module._diff:  # pylint: disable=protected-access  # what every module with a diff does
            result["diff"] = self._diff(before, files, new_rules, gone_rules)
        if not self.module.check_mode:
            for path, copy in copies.items():
                _copies_io.keep(path, _host_io.read_file(path) or b"", os.stat(path), path not in self.done["files"])
                self.module.warn("Somebody else has written %s. What it said is kept as %s." % (path, copy))
            self._apply(files, wrong_files, gone_files, new_rules, gone_rules, rules, load)
            if reload_networkd:
                run(["networkctl", "reload"])
        return result

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
            if member["host"] == self.module.params["host"]
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
        host = str(self.module.params["host"])
        planned = self._peers("vrrp_filter")
        self.nft = find_nft() if planned else None
        if planned and not self.nft:
            self.module.warn(
                "There's no nftables on %s, so VRRP packets that no member has sent reach keepalived there. "
                "Install nftables, and run this again, or set endpoint_vrrp_filter: false." % host
            )
        # A former member that comes back has to be heard: it may hold the VIP by what it was told.
        self.heard = _filter.widened(_filter.widened(planned, spoken), self.done["heard"])

    def _plan_openings(self, spoken: Mapping[str, List[str]]) -> None:
        """Whom the packet filter's manager is told to let in."""
        planned = self._peers("manage_firewall")
        self.opened = planned
        if not self.module.params["narrow"]:
            # A plan of keepalived's may be older than the last narrowing: not each plan changes its files.
            self.opened = _filter.widened(planned, {**spoken, **self.done["peers"]})
        self.former = {router: sorted(set(self.opened[router]) - set(planned[router])) for router in planned}

    def _peers(self, wish: str) -> _filter.Peers:
        return _filter.peers([item for item in self.endpoints if item.get(wish)], str(self.module.params["host"]))

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

    def _apply(
        self,
        files: Mapping[str, str],
        wrong_files: List[str],
        gone_files: List[str],
        new_rules: List[Rule],
        gone_rules: List[Rule],
        rules: List[Rule],
        load: bool,
    ) -> None:
        mine = [rule for rule in rules if rule in self.done["rules"]] + new_rules
        # What is about to be there is known before it's there, so a killed run leaves nothing unknown behind.
        written = {path: [sha256(content.encode()).hexdigest()] for path, content in files.items()}
        both = {path: self.done["files"].get(path, []) + written.get(path, [])
                for path in [*self.done["files"], *written]}
        peers, heard = _filter.noted(self.opened), _filter.noted(self.heard)
        write_state(both, list(dict.fromkeys(self.done["rules"] + mine)), peers, heard, "")
        with owned.Batch() as batch:
            for path in wrong_files:
                if not os.path.isdir(os.path.dirname(path)):
                    owned.make_folder(os.path.dirname(path))
                batch.add(path, files[path].encode(), 0o644)
            batch.commit()
        if load or FILTER in wrong_files:
            self._load_filter()
        if FILTER in gone_files:
            _host_io.run(["systemctl", "disable", "--now", SERVICE], COMMAND_SECONDS)
            # Where the service was stopped, it takes nothing away.
            _host_io.run(["nft", "delete", "table", *TABLE.split()], COMMAND_SECONDS)
        for path in gone_files:
            # networkd isn't told: reading its files again without the setting would drop the VIP right now.
            owned.remove(path)
            original = _copies_io.original(path)
            if original:
                owned.move(original, path)
            remove_if_empty(os.path.dirname(path))
        for rule in new_rules:
            change_rule(rule, add=True)
        for rule in gone_rules:
            change_rule(rule, add=False)
        if FILTER in gone_files:
            run(["systemctl", "daemon-reload"])
        write_state(written, mine, peers, heard, loaded(self.nft) if self.nft else "")

    def _load_filter(self) -> None:
        run([self.nft or "", "-f", _filter.FILE])
        for words in (["daemon-reload"], ["enable", SERVICE], ["start", SERVICE]):
            run(["systemctl", *words])

    @staticmethod
    def _diff(
        before: Mapping[str, str], files: Mapping[str, str], new_rules: List[Rule], gone_rules: List[Rule]
    ) -> List[Dict[str, str]]:
        diffs = [
            {"before_header": path, "after_header": path, "before": text, "after": files.get(path, "")}
            for path, text in before.items()
        ]
        if new_rules or gone_rules:
            diffs.append(
                {
                    "before_header": "packet filter",
                    "after_header": "packet filter",
                    "before": "".join(str(rule) + "\n" for rule in gone_rules),
                    "after": "".join(str(rule) + "\n" for rule in new_rules),
                }
            )
        return diffs


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
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
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


def read_state() -> Dict[str, Any]:
    try:
        state = json.loads(_host_io.read_file(STATE_FILE) or b"{}")
        rules = [Rule(*item) for item in state.get("rules", [])]
        opened, heard = (
            {str(router): list(addresses) for router, addresses in state.get(key, {}).items()}
            for key in ("peers", "heard")
        )
        sums = _ownership.noted_sums(state.get("files", []))
        return {"files": sums, "rules": rules, "peers": opened, "heard": heard, "loaded": str(state.get("loaded", ""))}
    except (ValueError, TypeError, AttributeError):
        return {"files": {}, "rules": [], "peers": {}, "heard": {}, "loaded": ""}


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


if __name__ == "__main__":
    main()
