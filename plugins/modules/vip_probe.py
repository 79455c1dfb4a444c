#!/usr/bin/python
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vip_probe
short_description: Find out whether addresses are in use on a network segment, and by whom
version_added: 1.0.0
author:
  - The kubeha.apiserver authors (@kubeha)
description:
  - Asks as a machine does that means to take an address. By ARP probes (RFC 5227) for IPv4, by neighbour solicitation
    from the unspecified address, as duplicate address detection does (RFC 4862), for IPv6. It changes nobody's table.
  - Also finds machines that don't answer ping. Any number of addresses is asked for at the same time.
  - An address that this host itself has is said to be held, and not asked for.
  - Needs nothing on the host but Python 3.9, and the privilege to open packet sockets.
extends_documentation_fragment:
  - kubeha.apiserver._attributes
  - kubeha.apiserver._attributes.info_module
options:
  addresses:
    description: IPv4 and IPv6 addresses to ask for.
    type: list
    elements: str
    required: true
  interface:
    description: The interface to ask on.
    type: str
    required: true
  hosts:
    description:
      - Addresses of known hosts on this segment, by their names. They're asked for, too, so that
        RV(addresses[].answers[].host) can tell who answered.
    type: dict
    default: {}
  hurry:
    description:
      - Take one second in all, not four and a half. Three probes 0.2 s apart are less than RFC 5227 asks for; a machine
        that has just woken up or a switch port that isn't forwarding yet can be missed.
    type: bool
    default: false
seealso:
  - module: kubeha.apiserver.vrrp_scan
  - module: kubeha.apiserver.endpoint_wire
"""

EXAMPLES = r"""
- name: See whether the VIP is free
  kubeha.apiserver.vip_probe:
    interface: eth0
    addresses: [198.51.100.100, "2001:db8::100"]
    hosts:
      cp2: 198.51.100.12
      cp3: [198.51.100.13, "2001:db8::13"]
  register: probed

- name: Refuse an address that a stranger has
  ansible.builtin.assert:
    that: probed.addresses | map(attribute='answers') | flatten | selectattr('host', 'none') | length == 0
"""

RETURN = r"""
seconds:
  description: How long it took.
  returned: always
  type: float
addresses:
  description: What was found out about each address.
  returned: always
  type: list
  elements: dict
  contains:
    address:
      description: The address.
      type: str
    family:
      description: One of C(ipv4) and C(ipv6).
      type: str
    interface:
      description: The interface asked on.
      type: str
    held:
      description: Whether this host itself has it.
      type: bool
    held_on:
      description: The interface that has it, or null.
      type: str
    probes:
      description: How often was asked.
      type: int
    answers:
      description: Machines that were heard about this address.
      type: list
      elements: dict
      contains:
        mac:
          description: The machine's MAC address.
          type: str
        host:
          description: Which of O(hosts) that is, or null.
          type: str
        how:
          description:
            - C(reply) and C(announcement) come from a machine that has the address. C(probe) comes from one that means
              to take it, or runs this module.
          type: list
          elements: str
        count:
          description: How many packets were heard from it.
          type: int
    error:
      description: Why it couldn't be asked for, or null.
      type: str
  sample:
    - address: 198.51.100.100
      family: ipv4
      interface: eth0
      held: false
      held_on: null
      probes: 3
      answers: [{mac: "02:00:00:00:00:99", host: null, how: [reply], count: 3}]
      error: null
known:
  description: MAC addresses that answered for O(hosts).
  returned: always
  type: dict
  sample: {cp2: ["02:00:00:00:00:12"], cp3: []}
known_addresses:
  description: The same by address.
  returned: always
  type: list
  elements: dict
  sample:
    - {host: cp2, address: 198.51.100.12, macs: ["02:00:00:00:00:12"]}
macs:
  description: This host's own MAC addresses.
  returned: always
  type: list
  elements: str
probing:
  description:
    - When others were heard to begin asking for O(addresses), as this module does, in seconds since this host did. By
      MAC address; only where it's certain.
  returned: always
  type: dict
  sample: {"02:00:00:00:00:12": 0.25}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.segment._packets import pack
from ..module_utils.segment._probe_io import Probe
from ..module_utils.segment._segment_io import run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "addresses": {"type": "list", "elements": "str", "required": True},
            "interface": {"type": "str", "required": True},
            "hosts": {"type": "dict", "default": {}},
            "hurry": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    interface = module.params["interface"]
    known = [
        {"host": host, "interface": interface, "address": address}
        for host, addresses in module.params["hosts"].items()
        for address in (addresses if isinstance(addresses, list) else [addresses])
    ]
    for address in [*module.params["addresses"], *(item["address"] for item in known)]:
        check_address(module, address)
    vips = [{"interface": interface, "address": address} for address in module.params["addresses"]]
    probe = Probe(vips, known, module.params["hurry"])
    run([probe])
    result = probe.result()
    result.pop("error")
    errors = ["%s: %s" % (entry["address"], entry["error"]) for entry in result["addresses"] if entry["error"]]
    if errors:
        module.fail_json(msg="Can't ask. %s" % "; ".join(errors), **result)
    module.exit_json(changed=False, **result)


def check_address(module: AnsibleModule, address: str) -> None:
    try:
        pack(address)
    except ValueError:
        module.fail_json(msg="%s isn't an IP address" % address)


if __name__ == "__main__":
    main()
