#!/usr/bin/python
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_wire
short_description: Ask the network whether it can carry the planned endpoints
version_added: 1.0.0
author:
  - The kubeha.apiserver authors (@kubeha)
description:
  - Does what M(kubeha.apiserver.vrrp_scan), M(kubeha.apiserver.vip_probe) and M(kubeha.apiserver.vrrp_reach) do, for
    all that the plan has for this host, all at the same time.
  - Run it on all balancers of a play in one task, before anything is deployed or later. A running keepalived isn't
    disturbed, and nothing is changed.
  - It needs as many forks as there are balancers. What couldn't be tested because two hosts didn't run it at the same
    time is said to be untested.
  - Never fails because the network is odd. A part that couldn't be done has RV(scan.error), RV(probe.error) or
    RV(reach.error).
  - In a play, its action plugin fills in O(host), cuts O(plan) down to what concerns the host, and adds RV(window).
extends_documentation_fragment:
  - kubeha.apiserver._attributes
  - kubeha.apiserver._attributes.info_module
attributes:
  action:
    description:
      Indicates this has a corresponding action plugin so some parts of the options can be executed on the controller.
    support: partial
    details:
      - Only the controller's clock can tell which hosts were listening at the same time.
options:
  plan:
    description: The plan, as M(kubeha.apiserver.endpoint_plan) returns it.
    type: dict
    required: true
  host:
    description:
      - The host's name in the plan. The default is its name in the inventory.
    type: str
  seconds:
    description:
      - For how long to listen and to ask. Below 5, the VIPs are asked for in a hurry; below 3, the peers are tried
        for 3.
    type: float
    default: 5
  max_seconds:
    description:
      - A router that advertises slowly is listened to for three of its intervals, though no longer than this in all.
    type: float
    default: 12
seealso:
  - module: kubeha.apiserver.vrrp_scan
  - module: kubeha.apiserver.vip_probe
  - module: kubeha.apiserver.vrrp_reach
"""

EXAMPLES = r"""
- name: Ask the network
  kubeha.apiserver.endpoint_wire:
    plan: "{{ result.plan }}"
  register: wire
"""

RETURN = r"""
seconds:
  description: How long all of it took on the host.
  returned: always
  type: float
scan:
  description: What M(kubeha.apiserver.vrrp_scan) returns for the interfaces of this host's instances.
  returned: always
  type: dict
  contains:
    seconds:
      description: For how long it listened.
      type: float
    interfaces:
      description: By interface, C(routers), C(malformed), C(malformed_from), C(free) and C(error).
      type: dict
    error:
      description: Why nothing was done, or null.
      type: str
probe:
  description: What M(kubeha.apiserver.vip_probe) returns for the VIPs of this host's instances.
  returned: always
  type: dict
  contains:
    seconds:
      description: How long it took.
      type: float
    addresses:
      description: One for each VIP.
      type: list
      elements: dict
    known:
      description: Who has the members' addresses, MAC addresses by host.
      type: dict
    known_addresses:
      description: The same by address.
      type: list
      elements: dict
    macs:
      description: This host's own MAC addresses.
      type: list
      elements: str
    probing:
      description: When others began to probe, in seconds since this host did, by MAC address.
      type: dict
    error:
      description: Why nothing was done, or null.
      type: str
reach:
  description: What M(kubeha.apiserver.vrrp_reach) returns for the peers of this host's instances.
  returned: always
  type: dict
  contains:
    seconds:
      description: For how long it listened.
      type: float
    pairs:
      description: One for each peer, family and transport.
      type: list
      elements: dict
    error:
      description: Why nothing was done, or null.
      type: str
window:
  description:
    - When this ran, in seconds of the controller's clock. Hosts whose windows don't overlap couldn't hear each other.
  returned: in a play
  type: dict
  sample: {began: 1790000000.0, ended: 1790000006.2}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.segment._wire_io import MAX_SECONDS, SECONDS, ask
from ..module_utils.segment._wire_task import wire_task


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "plan": {"type": "dict", "required": True},
            "host": {"type": "str"},
            "seconds": {"type": "float", "default": SECONDS},
            "max_seconds": {"type": "float", "default": MAX_SECONDS},
        },
        supports_check_mode=True,
    )
    if not module.params["host"]:
        module.fail_json(msg="host: the plan's name of this host is needed where there's no action plugin")
    task = wire_task(module.params["plan"], module.params["host"])
    result = ask(task, module.params["host"], module.params["seconds"], module.params["max_seconds"])
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
