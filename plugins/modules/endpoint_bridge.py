#!/usr/bin/python
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_bridge
short_description: Keep VIPs on a host while its keepalived lets go of them
version_added: 1.0.0
author:
  - The kubeha.apiserver authors (@kubeha)
description:
  - A keepalived whose virtual router, transport or interface changes takes its VIPs away, and puts them back when it
    knows that it's alone, after the time in which a backup misses its master. With this module the host has them on the
    loopback interface meanwhile, so it answers ARP for them as before, and connections go on. With IPv6, and where
    C(arp_ignore) isn't 0, it answers nobody anew, and those go on who know its MAC address.
  - It's for a host whose peers are silent, or two hosts would have the address. M(kubeha.apiserver.endpoint_waves) says
    which one that is.
  - The kernel takes the addresses away by itself when their lifetime is over, whatever becomes of the run.
extends_documentation_fragment:
  - kubeha.apiserver._attributes
  - kubeha.apiserver._attributes.owner
attributes:
  action:
    details:
      - The plan is cut down to what concerns the host on the controller.
options:
  state:
    description:
      - V(present) puts the VIPs of O(plan) that the host has on the loopback interface as well.
      - V(absent) waits until keepalived has put them back, and takes them from there.
    type: str
    choices: [present, absent]
    default: present
  plan:
    description: The plan, as M(kubeha.apiserver.endpoint_plan) returns it.
    type: dict
    required: true
  host:
    description: The host's name in the plan. The default is its name in the inventory.
    type: str
  wait:
    description:
      - For how many seconds V(absent) waits at most. The default is twice the time in which a backup misses its master,
        and fifteen seconds.
    type: float
seealso:
  - module: kubeha.apiserver.endpoint_drain
  - module: kubeha.apiserver.endpoint_waves
"""

EXAMPLES = r"""
- name: Have the VIP until keepalived has it again
  kubeha.apiserver.endpoint_bridge:
    plan: "{{ result.plan }}"

- name: Reload keepalived
  ansible.builtin.systemd_service:
    name: keepalived
    state: reloaded

- name: Leave the VIP to keepalived
  kubeha.apiserver.endpoint_bridge:
    plan: "{{ result.plan }}"
    state: absent
"""

RETURN = r"""
bridged:
  description: VIPs that are, or were until now, on the loopback interface.
  returned: success
  type: list
  elements: str
  sample: [198.51.100.100]
waited:
  description: Seconds until keepalived had them again.
  returned: success
  type: float
  sample: 1.1
"""

import math
import time
from typing import Any, Dict, List, Set

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.host import _host_io
from ..module_utils.model import _accessors
from ..module_utils.run import _run_lock_io

LOOPBACK = "lo"
COMMAND_SECONDS = 5.0
POLL_SECONDS = 0.02
GRACE_SECONDS = 15.0
# Longer than anybody waits for it.
SPARE_SECONDS = 15.0


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "plan": {"type": "dict", "required": True},
            "host": {"type": "str"},
            "wait": {"type": "float"},
            **_run_lock_io.OWNER,
        },
        supports_check_mode=True,
    )
    if not isinstance(module.params["plan"].get("endpoints"), list):
        module.fail_json(msg="plan: it must be a plan, as endpoint_plan returns it")
    try:
        _run_lock_io.ensure(module)
        bridge = Bridge(module)
        module.exit_json(**(bridge.begin() if module.params["state"] == "present" else bridge.end()))
    except OSError as error:
        module.fail_json(msg=str(error))


class Bridge:
    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        plan, host = module.params["plan"], module.params["host"]
        self.vips = {vip["address"] for item in _accessors.endpoints_of(plan, host) for vip in item["vips"]}
        self.wait = module.params["wait"]
        if self.wait is None:
            self.wait = GRACE_SECONDS + 2 * _accessors.settle_seconds(plan, host)

    def begin(self) -> Dict[str, Any]:
        bridged = sorted(self._on_interfaces())
        for address in bridged if not self.module.check_mode else ():
            seconds = str(math.ceil(self.wait + SPARE_SECONDS))
            # Of the scope "host" it's no source of connections, and nobody's own address.
            self._ip("replace", address, "scope", "host", "valid_lft", seconds, "preferred_lft", seconds)
        return {"changed": bool(bridged), "bridged": bridged, "waited": 0.0}

    def end(self) -> Dict[str, Any]:
        bridged = sorted(self._on_loopback())
        begun = time.monotonic()
        if not self.module.check_mode:
            while set(bridged) - self._on_interfaces() and time.monotonic() - begun < self.wait:
                time.sleep(POLL_SECONDS)
            for address in set(bridged) & self._on_loopback():
                self._ip("del", address)
        return {"changed": bool(bridged), "bridged": bridged, "waited": round(time.monotonic() - begun, 3)}

    def _on_interfaces(self) -> Set[str]:
        return self._there(False)

    def _on_loopback(self) -> Set[str]:
        return self._there(True)

    def _there(self, loopback: bool) -> Set[str]:
        indexes = {link.index for link in _host_io.read_links() if (link.name == LOOPBACK) == loopback}
        return {item.address for item in _host_io.read_addresses() if item.index in indexes} & self.vips

    def _ip(self, verb: str, address: str, *more: str) -> None:
        alone = "%s/%d" % (address, 128 if ":" in address else 32)
        command: List[str] = ["ip", "address", verb, alone, "dev", LOOPBACK]
        output = _host_io.run([*command, *more], COMMAND_SECONDS)
        if output.code != 0:
            self.module.fail_json(msg="%s: %s" % (" ".join(command), output.error or output.text.strip()))


if __name__ == "__main__":
    main()
