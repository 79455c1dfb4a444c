#!/usr/bin/python
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vrrp_scan
short_description: Listen for VRRP routers on a network segment
version_added: 1.0.0
author:
  - The kubeha.apiserver authors (@kubeha)
description:
  - Listens for VRRP adverts, versions 2 and 3, over IPv4 and IPv6, sent by multicast or by unicast to this host.
  - Packets are read off the wire before this host's packet filter, so that a router is heard which a firewall hides
    from keepalived. A running keepalived isn't disturbed; the adverts that this host itself sends aren't heard.
  - Needs nothing on the host but Python 3.9, and the privilege to open packet sockets.
  - Other clusters that use unicast among themselves can't be heard.
extends_documentation_fragment:
  - kubeha.apiserver._attributes
  - kubeha.apiserver._attributes.info_module
options:
  interfaces:
    description: Interfaces to listen on, all at the same time.
    type: list
    elements: str
    required: true
  seconds:
    description:
      - Listen for at least this many seconds. A router whose interval is longer may not be heard at all.
      - VRRPv2's longest interval is 255 s, VRRPv3's 40.95 s; most use 1 s.
    type: float
    default: 4
  max_seconds:
    description: A router that was heard is listened to for three of its intervals, though no longer than this in all.
    type: float
    default: 15
seealso:
  - module: kubeha.apiserver.vip_probe
  - module: kubeha.apiserver.vrrp_reach
  - module: kubeha.apiserver.endpoint_wire
"""

EXAMPLES = r"""
- name: Listen for VRRP
  kubeha.apiserver.vrrp_scan:
    interfaces: [eth0]
  register: heard

- name: Show virtual router IDs that nobody uses
  ansible.builtin.debug:
    msg: "{{ heard.interfaces.eth0.free.ipv4 | first }} is free"
"""

RETURN = r"""
seconds:
  description: For how long it listened.
  returned: always
  type: float
interfaces:
  description: What was heard, by interface.
  returned: always
  type: dict
  contains:
    routers:
      description: Each router heard. One that advertises several virtual routers is there several times.
      type: list
      elements: dict
      contains:
        family:
          description: One of C(ipv4) and C(ipv6).
          type: str
        source:
          description: The address that it sends from.
          type: str
        mac:
          description: The MAC address that it sends from.
          type: str
        destination:
          description: One of C(multicast) and C(unicast).
          type: str
        version:
          description: 2 or 3.
          type: int
        virtual_router_id:
          description: From 1 to 255.
          type: int
        priority:
          description: In its last advert. 0 is a router that resigns, 255 one that says to own the addresses.
          type: int
        priorities:
          description: All that were seen.
          type: list
          elements: int
        interval:
          description: Seconds between its adverts, as it says.
          type: float
        seen_interval:
          description: Seconds between its adverts, as seen. Null where there was only one.
          type: float
        addresses:
          description: The addresses that it advertises.
          type: list
          elements: str
        auth:
          description:
            - C(none), C(pass) or C(ah), which are VRRPv2's.
            - C(hmac) if what keepalived 2.4 appends for authentication follows a VRRPv3 advert, C(trailer) if something
              else does.
          type: str
        checksum:
          description: What its checksum covers. C(plain), C(pseudo), or C(old_unicast) as keepalived's before 1.3.6.
          type: str
        count:
          description: How many adverts were heard.
          type: int
    malformed:
      description: How many packets weren't believed, by reason.
      type: dict
      sample: {checksum: 3}
    malformed_from:
      description: MAC addresses that they came from, some of them.
      type: list
      elements: str
    rejected:
      description:
        - Who sent them, and what was wrong. C(source) and C(virtual_router_id) are null where the packet has none.
      type: list
      elements: dict
      sample:
        - mac: "02:00:00:00:00:21"
          source: 198.51.100.21
          family: ipv4
          virtual_router_id: 100
          reason: checksum
          count: 3
    free:
      description: Virtual router IDs that nobody was heard to use, by family.
      type: dict
    error:
      description: Why this interface couldn't be listened on, or null.
      type: str
  sample:
    eth0:
      routers:
        - family: ipv4
          source: 198.51.100.21
          mac: "02:00:00:00:00:21"
          destination: multicast
          version: 3
          virtual_router_id: 51
          priority: 150
          priorities: [150]
          interval: 1.0
          seen_interval: 1.001
          addresses: [198.51.100.200]
          auth: none
          checksum: pseudo
          count: 4
      malformed: {}
      malformed_from: []
      free: {ipv4: [1, 2, 3], ipv6: [1, 2, 3]}
      error: null
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.segment._scan_io import Scan
from ..module_utils.segment._segment_io import run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "interfaces": {"type": "list", "elements": "str", "required": True},
            "seconds": {"type": "float", "default": 4},
            "max_seconds": {"type": "float", "default": 15},
        },
        supports_check_mode=True,
    )
    scan = Scan(module.params["interfaces"], module.params["seconds"], module.params["max_seconds"])
    run([scan])
    result = scan.result()
    result.pop("error")
    errors = ["%s: %s" % (name, heard["error"]) for name, heard in result["interfaces"].items() if heard["error"]]
    if errors:
        module.fail_json(msg="Can't listen. %s" % "; ".join(errors), **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
