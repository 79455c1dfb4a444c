#!/usr/bin/python
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_history_info
short_description: Read what a balancer has recorded of VRRP and HAProxy
version_added: 1.0.0
author:
  - The kubeha.apiserver authors (@kubeha)
description:
  - Reads what C(kubeha-recorder.service) has written on this host, which is there with C(endpoint_recorder).
    M(kubeha.apiserver.endpoint_history) puts all hosts together.
  - It changes nothing.
extends_documentation_fragment:
  - kubeha.apiserver._attributes
  - kubeha.apiserver._attributes.info_module
options:
  seconds:
    description: How far to go back.
    type: float
    default: 86400
seealso:
  - module: kubeha.apiserver.endpoint_history
"""

EXAMPLES = r"""
- name: Read the last two hours
  kubeha.apiserver.endpoint_history_info:
    seconds: 7200
  register: record
"""

RETURN = r"""
record:
  description: What was found.
  returned: success
  type: dict
  contains:
    schema:
      description: The version of these keys.
      type: int
    boot:
      description: Now, in seconds since the host's boot.
      type: float
    wall:
      description: Now, by the host's clock, in seconds since 1970.
      type: float
    records:
      description: Whether the recorder runs.
      type: bool
    plan:
      description: The plan that is stored here, or nothing.
      type: dict
    events:
      description:
        - Events, the oldest first. C(e) is the kind, C(k) what it's about, C(v) its value from then on, C(t) and C(w)
          the time since boot and by the clock. C(first) marks what was found rather than seen, C(old) an earlier boot.
      type: list
      elements: dict
    before:
      description: What was the case before.
      type: list
      elements: dict
    cut:
      description: Whether there were more events than are returned.
      type: bool
  sample:
    schema: 1
    boot: 14783.9
    wall: 1795983104.1
    records: true
    plan: null
    events: [{e: vip, k: 198.51.100.100, v: true, t: 14770.2, w: 1795983090.4}]
    before: []
    cut: false
clock:
  description: The host's time since boot less the controller's time of day lies between C(low) and C(high).
  returned: success
  type: dict
  sample: {low: -1795968320.61, high: -1795968320.21}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.history import _record_io


def main() -> None:
    module = AnsibleModule(argument_spec={"seconds": {"type": "float", "default": 86400}}, supports_check_mode=True)
    try:
        record = _record_io.collect(module.params["seconds"])
    except OSError as error:
        module.fail_json(msg="this host can't be read: %s" % error)
    module.exit_json(changed=False, record=record)


if __name__ == "__main__":
    main()
