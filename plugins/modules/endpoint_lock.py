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
  - With O(since) it refuses what is already old news to its caller, where somebody else has changed the host meanwhile.
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
  since:
    description:
      - When the host was looked at, by the host's own clock, as RV(kubeha.apiserver.endpoint_files#module:at). If
        somebody else has changed it since then, what was seen is old, and the lock is refused.
    type: float
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
changer:
  description: Who has changed the host since O(since), where that's somebody else.
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
# Locked while the lock is looked at; what it says is who was the last to release it.
GUARD = LOCK + ".guard"


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "ttl": {"type": "float", "default": 1800},
            "since": {"type": "float"},
            "owner": {"type": "dict"},
            "force": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    if module.params["owner"] is None:
        module.fail_json(msg="endpoint_lock is used in plays, where its action plugin knows who takes it")
    # Nothing is locked on a host from which everything was removed.
    if module.check_mode or (module.params["state"] == "absent" and not os.path.isdir(_hostview.RUN)):
        module.exit_json(changed=False, holder={}, changer={})
    os.makedirs(_hostview.RUN, mode=0o755, exist_ok=True)
    with open(GUARD, "a", encoding="utf-8") as guard:
        # Two runs that come at the same moment look one after the other.
        fcntl.flock(guard, fcntl.LOCK_EX)
        module.exit_json(changed=False, **change(module.params))


def change(params: Dict[str, Any]) -> Dict[str, Any]:
    """Take or release the lock; who has it, or who has changed the host meanwhile, where that's somebody else."""
    owner = params["owner"]
    holder, before = theirs(read(LOCK), owner), theirs(read(GUARD), owner)
    said: Dict[str, Any] = {"holder": {}, "changer": {}}
    note = dict(owner, at=round(time.time(), 3))
    if params["state"] == "absent":
        if os.path.lexists(LOCK) and not holder:
            write(GUARD, note)
            os.unlink(LOCK)
        return said
    if holder and not params["force"] and abs(time.time() - holder["at"]) < params["ttl"]:
        return dict(said, holder=holder)
    # A lock that counts no more is one of a run that was killed on the way.
    for other in (before, holder):
        if params["since"] is not None and other and other["at"] >= params["since"]:
            return dict(said, changer=other)
    write(LOCK, note)
    return said


def read(path: str) -> Dict[str, Any]:
    try:
        found = json.loads(_host_io.read_file(path) or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("at"), (int, float)) else {}


def theirs(note: Dict[str, Any], owner: Dict[str, Any]) -> Dict[str, Any]:
    """The note if somebody else has left it."""
    return note if any(note.get(key) != owner[key] for key in ("controller", "process", "started")) else {}


def write(path: str, note: Dict[str, Any]) -> None:
    """The guard keeps its inode, which others wait for; nobody reads it but who has locked it."""
    target = path if path == GUARD else path + ".new"
    with open(target, "w", encoding="utf-8") as stream:
        json.dump(note, stream)
    if target != path:
        os.rename(target, path)


if __name__ == "__main__":
    main()
