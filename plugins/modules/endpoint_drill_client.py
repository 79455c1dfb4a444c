#!/usr/bin/python
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_drill_client
short_description: Measure as a client whether an API endpoint answers
version_added: 1.0.0
author:
  - The kubeha.apiserver authors (@kubeha)
description:
  - Opens a new TLS connection to each target on a fixed beat, sends one GET without credentials, and notes what became
    of it. Any answer of HTTP below 500 is one. Certificates aren't checked.
  - It goes on beside Ansible between a task with O(state=started) and one with O(state=finished), and ends by itself
    when O(seconds) are over.
  - It needs nothing but Python 3.9, and no rights.
extends_documentation_fragment:
  - kubeha.apiserver._attributes
attributes:
  action:
    description: The action plugin runs on the controller.
    support: partial
    details:
      - When the host was asked is noted on the controller, by which its clock is compared.
  check_mode:
    support: none
  diff_mode:
    support: none
  idempotent:
    support: none
options:
  state:
    description: V(started) begins and returns when each target has answered; V(finished) returns what was seen.
    type: str
    choices: [started, finished]
    required: true
  targets:
    description: Lists of name, address, port and path. Required if O(state=started).
    type: list
    elements: list
  seconds:
    description: It ends after so many seconds, if nobody has ended it before. At most an hour.
    type: float
    default: 600
  interval:
    description: Seconds from the start of one attempt to that of the next one.
    type: float
    default: 0.01
  limit:
    description: Seconds after which an attempt has failed.
    type: float
    default: 0.25
  folder:
    description: What O(state=started) has returned as RV(folder). Required if O(state=finished).
    type: path
seealso:
  - module: kubeha.apiserver.endpoint_drill
"""

EXAMPLES = r"""
- name: Begin
  kubeha.apiserver.endpoint_drill_client:
    state: started
    targets: [[kube-apiserver, 198.51.100.100, 8443, /readyz]]
  register: client

- name: End
  kubeha.apiserver.endpoint_drill_client:
    state: finished
    folder: "{{ client.folder }}"
"""

RETURN = r"""
folder:
  description: Where it runs.
  returned: with O(state=started)
  type: str
now:
  description: What the host's clock says.
  returned: with O(state=finished)
  type: float
measured:
  description:
    - C(wall) is the host's clock at its first attempt, C(seconds) for how long it went on, C(stalls) when it stood
      still itself. C(targets) has by name runs of attempts with one outcome; of each the start of the first and of the
      last attempt in seconds since the first one of all, how many they are, the outcome, and the longest time one took.
  returned: with O(state=finished)
  type: dict
  sample: {wall: 1795983104.1, seconds: 31.2, stalls: [], targets: {kube-apiserver: [[0.0, 0.24, 25, ok, 0.004]]}}
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.drill import _client_io


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["started", "finished"], "required": True},
            "targets": {"type": "list", "elements": "list"},
            "seconds": {"type": "float", "default": 600},
            "interval": {"type": "float", "default": 0.01},
            "limit": {"type": "float", "default": 0.25},
            "folder": {"type": "path"},
        },
        required_if=[("state", "started", ["targets"]), ("state", "finished", ["folder"])],
    )
    asked = {key: module.params[key] for key in ("targets", "seconds", "interval", "limit")}
    try:
        if module.params["state"] == "started":
            module.exit_json(changed=True, folder=_client_io.start(asked))
        module.exit_json(changed=False, now=time.time(),
                         measured=_client_io.finish(module.params["folder"]))
    except (OSError, ValueError, _client_io.Failed) as error:
        module.fail_json(msg="This client can't measure: %s" % error)


if __name__ == "__main__":
    main()
