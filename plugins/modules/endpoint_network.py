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
    details:
      - The plan is cut down to what concerns the host on the controller.
  diff_mode:
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

from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.host import _host_io
from ..module_utils.network import _carrier_io, _filter
from ..module_utils.run import _run_lock_io


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
        module.exit_json(**carry(module))
    except (OSError, _carrier_io.CommandError) as error:
        module.fail_json(msg=str(error))


def carry(module: AnsibleModule) -> Dict[str, Any]:
    plan = module.params["plan"] if module.params["state"] == "present" else None
    carrier = _carrier_io.Carrier((plan or {}).get("endpoints") or [], str(module.params["host"]),
                                  module.params["narrow"])
    due = carrier.due()
    left = _carrier_io.unclaimed() if plan is None else []
    if left:
        module.warn(_carrier_io.UNCLAIMED % "; ".join(map(str, left)))
    table = "nft " + _carrier_io.TABLE
    result: Dict[str, Any] = {
        "changed": due.changes,
        "added": [*due.wrong_files, *map(str, due.new_rules), *[table] * due.loads],
        "removed": [*due.gone_files, *map(str, due.gone_rules), *[table] * (_filter.UNIT_FILE in due.gone_files)],
        "kept_files": sorted(due.copies.values()),
        "former_peers": carrier.former_peers,
        "networkd_reloaded": due.reloads_networkd,
    }
    for warning in carrier.warnings:
        module.warn(warning)
    if module._diff:  # pylint: disable=protected-access  # what every module with a diff does
        result["diff"] = diffs(due)
    if not module.check_mode:
        for path, copy in due.copies.items():
            module.warn("Somebody else has written %s. What it said is kept as %s." % (path, copy))
        carrier.apply(due)
    return result


def diffs(due: _carrier_io.Due) -> List[Dict[str, str]]:
    found = []
    for path in [*due.wrong_files, *due.gone_files]:
        before = (_host_io.read_file(path) or b"").decode("utf-8", "replace")
        found.append({"before_header": path, "after_header": path, "before": before,
                      "after": due.files.get(path, "")})
    if due.new_rules or due.gone_rules:
        before, after = ("".join(str(rule) + "\n" for rule in rules) for rules in (due.gone_rules, due.new_rules))
        found.append({"before_header": "packet filter", "after_header": "packet filter", "before": before,
                      "after": after})
    return found


if __name__ == "__main__":
    main()
