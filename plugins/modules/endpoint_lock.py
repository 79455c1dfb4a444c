#!/usr/bin/python
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_lock
short_description: Keep two runs from changing the same host at the same time
version_added: 1.0.0
author:
  - The kubeha.apiserver authors (@kubeha)
description:
  - Notes on the host who changes it, and refuses everybody else until that run has released it.
  - The lock is bound to the process on the controller. A run that was killed leaves one that its controller knows to be
    void, so the next run from there isn't kept waiting. For others it's void O(ttl) after it was taken, and after a
    reboot.
extends_documentation_fragment:
  - kubeha.apiserver._attributes
attributes:
  action:
    description: The action plugin runs on the controller.
    support: partial
    details:
      - Who takes the lock, and whether who has it still runs, is known on the controller.
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  state:
    description: V(present) takes the lock or fails, V(absent) releases it if it's one's own.
    type: str
    choices: [present, absent]
    default: present
  ttl:
    description: Seconds after which a lock that somebody else took counts no more.
    type: float
    default: 1800
  owner:
    description: Who takes it, a mapping of C(controller), C(process), C(started) and C(name). Not for plays.
    type: dict
  force:
    description: Take it whoever has it. Not for plays.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Nobody else changes this host now
  kubeha.apiserver.endpoint_lock:

- name: Let others
  kubeha.apiserver.endpoint_lock:
    state: absent
"""

RETURN = r"""
holder:
  description: Who has the lock, where that's somebody else.
  returned: success
  type: dict
  sample: {}
"""

import fcntl
import json
import os
import time
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubeha.apiserver.plugins.module_utils import _host_io, _hostview

LOCK = _hostview.RUN + "/lock"


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "ttl": {"type": "float", "default": 1800},
            "owner": {"type": "dict"},
            "force": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    if module.params["owner"] is None:
        module.fail_json(msg="endpoint_lock is used in plays, where its action plugin knows who takes it")
    # Nothing is locked on a host from which everything was removed.
    if module.check_mode or (module.params["state"] == "absent" and not os.path.isdir(_hostview.RUN)):
        module.exit_json(changed=False, holder={})
    os.makedirs(_hostview.RUN, mode=0o755, exist_ok=True)
    with open(LOCK + ".guard", "w", encoding="ascii") as guard:
        # Two runs that come at the same moment look one after the other.
        fcntl.flock(guard, fcntl.LOCK_EX)
        module.exit_json(changed=False, holder=change(module.params))


def change(params: Dict[str, Any]) -> Dict[str, Any]:
    owner = params["owner"]
    holder = read()
    theirs = bool(holder) and any(holder.get(key) != owner[key] for key in ("controller", "process", "started"))
    if params["state"] == "absent":
        if holder and not theirs:
            os.unlink(LOCK)
        return {}
    if theirs and not params["force"] and abs(time.time() - holder["at"]) < params["ttl"]:
        return holder
    scratch = LOCK + ".new"
    with open(scratch, "w", encoding="utf-8") as stream:
        json.dump(dict(owner, at=round(time.time(), 3)), stream)
    os.rename(scratch, LOCK)
    return {}


def read() -> Dict[str, Any]:
    try:
        found = json.loads(_host_io.read_file(LOCK) or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("at"), (int, float)) else {}


if __name__ == "__main__":
    main()
