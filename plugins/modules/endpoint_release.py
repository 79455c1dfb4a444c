#!/usr/bin/python
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_release
short_description: Take VIPs from a host where no keepalived keeps them
version_added: 1.0.0
author:
  - The kubeha.apiserver authors (@kubeha)
description:
  - A keepalived that is killed leaves its VIPs on the interface, and the next one that starts there removes them. Where
    none starts any more, two hosts have the address for good. C(kubeadm reset) does that to a static pod that held it.
  - Does nothing where any keepalived runs on the host's network.
extends_documentation_fragment:
  - kubeha.apiserver._attributes
  - kubeha.apiserver._attributes.owner
options:
  plan:
    description: The plan, as M(kubeha.apiserver.endpoint_plan) returns it, or as it's stored on the host.
    type: dict
    required: true
  host:
    description: The host's name in the plan.
    type: str
    required: true
  force:
    description:
      - Take also what no other member has. Without it, such a VIP goes on serving clients until a keepalived starts.
    type: bool
    default: false
seealso:
  - module: kubeha.apiserver.endpoint_drain
"""

EXAMPLES = r"""
- name: Take what a killed keepalived has left, and another host has by now
  kubeha.apiserver.endpoint_release:
    plan: "{{ result.plan }}"
    host: "{{ inventory_hostname }}"
"""

RETURN = r"""
released:
  description: VIPs that were, or in check mode would be, taken from this host.
  returned: success
  type: list
  elements: str
  sample: [198.51.100.100]
kept:
  description: VIPs that are here without a keepalived, and that nobody else has.
  returned: success
  type: list
  elements: str
  sample: []
"""

from typing import TYPE_CHECKING, Any, Dict, List

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.daemons import _process_io
from ..module_utils.host import _host_io
from ..module_utils.model import _accessors
from ..module_utils.run import _run_lock_io
from ..module_utils.segment import _claims_io

if TYPE_CHECKING:
    from ..module_utils.model._model import Endpoint

COMMAND_SECONDS = 5.0


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "plan": {"type": "dict", "required": True},
            "host": {"type": "str", "required": True},
            "force": {"type": "bool", "default": False},
            **_run_lock_io.OWNER,
        },
        supports_check_mode=True,
    )
    try:
        _run_lock_io.ensure(module)
        module.exit_json(**release(module))
    except OSError as error:
        module.fail_json(msg=str(error))


def release(module: AnsibleModule) -> Dict[str, Any]:
    host = module.params["host"]
    endpoints = _accessors.endpoints_of(module.params["plan"], host)
    vips = {vip["address"] for endpoint in endpoints for vip in endpoint["vips"]}
    here = [address for address in _host_io.read_addresses() if address.address in vips]
    if not here or _process_io.keepalived_runs():
        return {"changed": False, "released": [], "kept": []}
    elsewhere = vips if module.params["force"] else held_elsewhere(module, endpoints, host)
    released = sorted({address.address for address in here} & elsewhere)
    if not module.check_mode:
        names = {link.index: link.name for link in _host_io.read_links()}
        for address in here:
            if address.address in released:
                delete(module, "%s/%d" % (address.address, address.prefix), names[address.index])
    kept = sorted({address.address for address in here} - set(released))
    return {"changed": bool(released), "released": released, "kept": kept}


def held_elsewhere(module: AnsibleModule, endpoints: List[Endpoint], host: str) -> Any:
    try:
        claims = _claims_io.claims(endpoints, host)
    except _claims_io.ClaimsError as error:
        module.fail_json(msg="the network can't be asked who else has the VIP: %s" % error)
    return {vip for vip, members in claims.items() if set(members) - {host}}


def delete(module: AnsibleModule, address: str, interface: str) -> None:
    output = _host_io.run(["ip", "address", "del", address, "dev", interface], COMMAND_SECONDS)
    if output.code != 0:
        said = output.error or output.text.strip()
        module.fail_json(msg="%s can't be taken from %s: %s" % (address, interface, said))


if __name__ == "__main__":
    main()
