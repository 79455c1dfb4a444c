#!/usr/bin/python
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vrrp_reach
short_description: Find out whether VRRP passes between hosts, without running VRRP
version_added: 1.0.0
author:
  - The kubeha.apiserver authors (@kubeha)
description:
  - Sends packets of IP protocol 112 to peers and listens for theirs. Run it on all hosts at the same time.
  - The packets are well-formed VRRPv3 with the virtual router ID 0, which can't exist. A running keepalived drops them
    as it drops all that isn't its own, and without a word unless C(log_unknown_vrids) is set. Seen with 2.1, 2.2, 2.3.
  - Each packet is looked for on the wire and behind this host's packet filter, so RV(pairs[].wire) and
    RV(pairs[].received) tell a local firewall from one in between.
  - Firewalls that track connections let packets in as answers to this host's own, and would hide that they let in
    nothing else. So most packets are sent past this host's own packet filter, and of two hosts one is quiet at first.
  - Needs nothing on the host but Python 3.9, and the privilege to open packet sockets.
extends_documentation_fragment:
  - kubeha.apiserver._attributes
  - kubeha.apiserver._attributes.info_module
options:
  host:
    description: This host's name, as the peers have it among theirs.
    type: str
    required: true
  interface:
    description: The interface to send and listen on.
    type: str
    required: true
  address:
    description: This host's address, which packets come from. IPv4 or IPv6.
    type: str
    required: true
  peers:
    description: Addresses of the same family by the peers' names.
    type: dict
    required: true
  transport:
    description: Whether to send to each peer, or to VRRP's multicast group.
    type: str
    choices: [unicast, multicast]
    default: unicast
  seconds:
    description: For how long, at least 3.
    type: float
    default: 6
seealso:
  - module: kubeha.apiserver.vrrp_scan
  - module: kubeha.apiserver.endpoint_wire
"""

EXAMPLES = r"""
- name: See whether VRRP would pass between these hosts
  kubeha.apiserver.vrrp_reach:
    host: cp1
    interface: eth0
    address: 198.51.100.11
    peers:
      cp2: 198.51.100.12
      cp3: 198.51.100.13
  register: reach

- name: Show who is heard
  ansible.builtin.debug:
    msg: "{{ reach.pairs | selectattr('received') | map(attribute='peer') | join(', ') }}"
"""

RETURN = r"""
seconds:
  description: For how long it listened.
  returned: always
  type: float
pairs:
  description: What passed between this host and each peer.
  returned: always
  type: list
  elements: dict
  contains:
    peer:
      description: The peer's name.
      type: str
    peer_address:
      description: The peer's address.
      type: str
    mac:
      description: The peer's MAC address, or null where it didn't answer or wasn't asked for.
      type: str
    interface:
      description: The interface.
      type: str
    family:
      description: One of C(ipv4) and C(ipv6).
      type: str
    transport:
      description: One of C(unicast) and C(multicast).
      type: str
    address:
      description: This host's address.
      type: str
    sent:
      description: How many packets were sent to the peer past this host's packet filter.
      type: int
    sent_from:
      description: When the first of them was sent, in seconds since the beginning, or null.
      type: float
    sent_until:
      description: When the last of them was sent.
      type: float
    sent_stack:
      description: How many packets were sent through this host's packet filter, in the end.
      type: int
    refused:
      description: Why the kernel refused to send those, or null.
      type: str
    listened:
      description: For how long it listened.
      type: float
    wire:
      description: How many of the peer's packets came off the wire before this host sent any through its packet filter.
      type: int
    received:
      description: How many of them came through this host's packet filter.
      type: int
    wire_late:
      description: The same as RV(pairs[].wire) after that.
      type: int
    received_late:
      description: The same as RV(pairs[].received) after that.
      type: int
    wire_stack:
      description: How many of the packets that went through the peer's packet filter came off the wire.
      type: int
    received_stack:
      description: How many of those came through this host's packet filter.
      type: int
    missed:
      description: How many packets the peer surely sent while this host listened, before the first that came.
      type: int
    lost:
      description: How many are missing among those that came.
      type: int
    peer_began:
      description: When the peer began, in seconds since this host did, or null where nothing was heard of it.
      type: float
    error:
      description: Why it couldn't be tried, or null.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.segment._packets import pack
from ..module_utils.segment._reach_io import SHORTEST_REACH, Reach
from ..module_utils.segment._segment_io import run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "required": True},
            "interface": {"type": "str", "required": True},
            "address": {"type": "str", "required": True},
            "peers": {"type": "dict", "required": True},
            "transport": {"type": "str", "choices": ["unicast", "multicast"], "default": "unicast"},
            "seconds": {"type": "float", "default": 6},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        sizes = {len(pack(address)) for address in [params["address"], *params["peers"].values()]}
    except ValueError as error:
        module.fail_json(msg=str(error))
    if len(sizes) != 1:
        module.fail_json(msg="address and peers must be of one family")
    path = {
        "interface": params["interface"],
        "address": params["address"],
        "transport": params["transport"],
        "family": "ipv4" if sizes == {4} else "ipv6",
        "peers": [{"host": host, "address": address} for host, address in params["peers"].items()],
    }
    reach = Reach([path], params["host"], max(params["seconds"], SHORTEST_REACH))
    run([reach])
    result = reach.result()
    result.pop("error")
    errors = sorted({pair["error"] for pair in result["pairs"] if pair["error"]})
    if errors:
        module.fail_json(msg="Can't send or listen: %s" % "; ".join(errors), **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
