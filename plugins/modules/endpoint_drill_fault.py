#!/usr/bin/python
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_drill_fault
short_description: Break something on a balancer for some seconds
version_added: 1.0.0
author:
  - The kubeha.apiserver authors (@kubeha)
description:
  - Breaks one thing of an endpoint on this host on purpose. The fault ends by itself, by a timer of the host's that is
    armed and seen before the fault begins, and also when the host boots.
  - The playbook C(drill) uses it while a client measures.
extends_documentation_fragment:
  - kubeha.apiserver._attributes
  - kubeha.apiserver._attributes.owner
attributes:
  idempotent:
    support: partial
    details:
      - Only O(state=absent) and O(state=possible) are.
options:
  state:
    description:
      - V(possible) says in RV(impossible) which of O(faults) can't be made here, and does nothing.
      - V(present) arms the end of O(fault), and has it begin a second later, when the module has answered.
      - V(absent) ends a fault that isn't over, and says when the last one was.
    type: str
    choices: [possible, present, absent]
    default: present
  fault:
    description: Required if O(state=present). The names are those of O(faults).
    type: str
    choices: [handover, apiserver_stop, keepalived_stop, haproxy_stop, haproxy_hang, network_cut, reboot]
  faults:
    description: Faults to be looked at with O(state=possible).
    type: list
    elements: str
    default: []
  seconds:
    description: For how long.
    type: float
    default: 10
  apiserver_unit:
    description: The service of systemd's that the API server is, where it's no static pod of kubeadm's.
    type: str
  host:
    description: The host's name in the plan.
    type: str
seealso:
  - module: kubeha.apiserver.endpoint_drill
"""

EXAMPLES = r"""
- name: Stop HAProxy for ten seconds
  kubeha.apiserver.endpoint_drill_fault:
    fault: haproxy_stop
    host: "{{ inventory_hostname }}"
"""

RETURN = r"""
impossible:
  description: Why faults can't be made here.
  returned: with O(state=possible)
  type: dict
  sample: {network_cut: there is no nft to drop packets with}
held:
  description: VIPs that this host had.
  returned: with O(state=present)
  type: list
  elements: str
ended:
  description: The fault that was put back now.
  returned: with O(state=absent), where there was one
  type: str
seen:
  description: The last fault, when it was C(injected) and C(undone) and what it is C(now), in seconds since the host's
    boot; C(wall) is what its clock says now.
  returned: with O(state=absent)
  type: dict
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.drill import _fault, _fault_io
from ..module_utils.host import _host_io
from ..module_utils.run import _run_lock_io


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["possible", "present", "absent"], "default": "present"},
            "fault": {"type": "str", "choices": list(_fault.FAULTS)},
            "faults": {"type": "list", "elements": "str", "default": []},
            "seconds": {"type": "float", "default": 10},
            "apiserver_unit": {"type": "str"},
            "host": {"type": "str"},
            **_run_lock_io.OWNER,
        },
        required_if=[("state", "present", ["fault"])],
        supports_check_mode=True,
    )
    params = module.params
    if not _fault.LEAST <= params["seconds"] <= _fault.MOST:
        module.fail_json(msg="seconds: a fault lasts from %g to %g s" % (_fault.LEAST, _fault.MOST))
    if params["apiserver_unit"] and not _fault.is_unit(params["apiserver_unit"]):
        module.fail_json(msg="apiserver_unit: %r is no name of a service" % params["apiserver_unit"])
    try:
        module.exit_json(**act(module, params))
    except (OSError, _host_io.Timeout, _fault_io.Impossible) as error:
        module.fail_json(msg=str(error))


def act(module: AnsibleModule, params: Dict[str, Any]) -> Dict[str, Any]:
    if params["state"] == "possible":
        return {"changed": False, "impossible": impossible(params)}
    _run_lock_io.ensure(module)
    if params["state"] == "absent":
        there = _fault_io.read()
        ended = there.fault if there else None
        if not module.check_mode:
            ended = _fault_io.undo()
        seen = _fault_io.look()
        if not module.check_mode:
            _fault_io.forget_seen()
        return {"changed": ended is not None, "ended": ended, "seen": seen}
    work = _fault_io.plan(params["fault"], params["host"], params["apiserver_unit"])
    held = _fault_io.held(params["host"])
    if not module.check_mode:
        _fault_io.arm(work, params["seconds"])
    return {"changed": True, "held": held}


def impossible(params: Dict[str, Any]) -> Dict[str, str]:
    found = {}
    for fault in params["faults"]:
        try:
            _fault_io.plan(fault, params["host"], params["apiserver_unit"])
        except _fault_io.Impossible as error:
            found[fault] = str(error)
    return found


if __name__ == "__main__":
    main()
