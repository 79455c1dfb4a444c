#!/usr/bin/python
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_drain
short_description: Have a host hand its VIPs over, and rank below all others from then on
version_added: 1.0.0
author:
  - The kubeha.apiserver authors (@kubeha)
description:
  - Writes a file that keepalived watches. With it the host ranks below all others, so another one outbids it and takes
    the VIPs before this one lets go.
  - Waits until this host holds none of them, and another member has each, as the network says.
  - Judges nobody else. The playbook C(drain) refuses to drain the last host that is well.
extends_documentation_fragment:
  - kubeha.apiserver._attributes
  - kubeha.apiserver._attributes.owner
attributes:
  action:
    details:
      - The plan is cut down to what concerns the host on the controller.
options:
  state:
    description: V(present) has this host ranked below all others, V(absent) as planned.
    type: str
    choices: [present, absent]
    default: present
  reason:
    description:
      - V(maintenance) lasts until it's taken back, over reboots too.
      - V(run) is for a run that restarts something, and is taken back by the next run if this one doesn't get to it.
        Where the host gives way to a member that doesn't hear it, that's left to C(kubeha-watchdog), which has done it.
    type: str
    choices: [maintenance, run]
    default: maintenance
  plan:
    description:
      - The plan, as M(kubeha.apiserver.endpoint_plan) returns it. Without it, the plan that keepalived's files on the
        host were made from.
    type: dict
  host:
    description: The host's name in the plan. The default is its name in the inventory.
    type: str
  wait:
    description: For how many seconds to wait until other members have the VIPs.
    type: float
    default: 30
seealso:
  - module: kubeha.apiserver.endpoint_waves
"""

EXAMPLES = r"""
- name: Leave this host alone
  kubeha.apiserver.endpoint_drain:
  register: result

- name: Take part again
  kubeha.apiserver.endpoint_drain:
    state: absent
"""

RETURN = r"""
held:
  description: VIPs that this host had before.
  returned: success
  type: list
  elements: str
  sample: [198.51.100.100]
left:
  description: Those of them that nobody took.
  returned: success
  type: list
  elements: str
  sample: []
claims:
  description: Who has each VIP of this host's endpoints, where that was asked.
  returned: success
  type: dict
  sample: {198.51.100.100: [cp2]}
waited:
  description: Seconds until others had them.
  returned: success
  type: float
  sample: 1.4
"""

import os
import time
from typing import TYPE_CHECKING, Any, Dict, List

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.host import _deployed_io, _host_io
from ..module_utils.host import _owned_files_io as owned
from ..module_utils.model import _accessors, _paths
from ..module_utils.model._planfile import NO_PLAN
from ..module_utils.run import _run_lock_io
from ..module_utils.segment import _claims_io

if TYPE_CHECKING:
    from ..module_utils.model._model import Endpoint

PATHS = {"maintenance": _paths.DRAINED, "run": _paths.MOVING}
POLL_SECONDS = 0.05


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "reason": {"type": "str", "choices": ["maintenance", "run"], "default": "maintenance"},
            "plan": {"type": "dict"},
            "host": {"type": "str"},
            "wait": {"type": "float", "default": 30},
            **_run_lock_io.OWNER,
        },
        supports_check_mode=True,
    )
    try:
        _run_lock_io.ensure(module)
        module.exit_json(**drain(module))
    except OSError as error:
        module.fail_json(msg=str(error))


def drain(module: AnsibleModule) -> Dict[str, Any]:
    params = module.params
    path = PATHS[params["reason"]]
    wanted = "1" if params["state"] == "present" else "0"
    there = (_host_io.read_file(path) or b"0").decode("ascii", "replace").strip()
    if params["reason"] == "run" and wanted == "0" and _host_io.first_word(_paths.GIVES_WAY):
        # The watchdog has written it, and writes the end. Taken back here, two hosts would hold the VIP in this run.
        wanted = there
    deployed = _deployed_io.read_deployed()
    if deployed.unsure and not params["plan"] and params["state"] == "present":
        module.fail_json(msg="it isn't known what keepalived has here: %s. Run site first." % deployed.error)
    endpoints = _accessors.endpoints_of(params["plan"] or deployed.keepalived or NO_PLAN, params["host"])
    held = held_vips(endpoints)
    result: Dict[str, Any] = {"changed": there != wanted, "held": held, "left": [], "claims": {}, "waited": 0.0}
    if params["state"] == "present" and endpoints and not is_watched(path, endpoints[0]["mode"]):
        module.fail_json(msg="keepalived doesn't watch %s here: what is deployed is older than draining. Run site "
                             "first." % path)
    if module.check_mode:
        return result
    if there != wanted:
        write(path, wanted)
    if params["state"] == "present" and held:
        result.update(wait_for_others(endpoints, params["host"], params["wait"]))
    return result


def held_vips(endpoints: List[Endpoint]) -> List[str]:
    here = {address.address for address in _host_io.read_addresses()}
    return [vip["address"] for endpoint in endpoints for vip in endpoint["vips"] if vip["address"] in here]


def is_watched(path: str, mode: str) -> bool:
    config = _host_io.read_file(_paths.LAYOUTS[mode].config["keepalived"]) or b""
    return path.encode() in config


def wait_for_others(endpoints: List[Endpoint], host: str, seconds: float) -> Dict[str, Any]:
    """Until this host has none of the VIPs and others have them; what is left here has nobody else to take it."""
    begun = time.monotonic()
    found: Dict[str, List[str]] = {}
    while True:
        left = held_vips(endpoints)
        if not left:
            try:
                found = _claims_io.claims(endpoints, host)
            except _claims_io.ClaimsError:
                break
            left = [address for address, members in found.items() if not members]
        if not left or time.monotonic() - begun >= seconds:
            break
        time.sleep(POLL_SECONDS)
    return {"left": left, "claims": found, "waited": round(time.monotonic() - begun, 3)}


def write(path: str, value: str) -> None:
    """By rename: keepalived sees the old value or the new one."""
    owned.make_folder(os.path.dirname(path))
    owned.write(path, (value + "\n").encode(), 0o644)


if __name__ == "__main__":
    main()
