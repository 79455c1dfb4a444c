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
    void, so the next run from there isn't kept waiting. For others it's void O(ttl) after it was last renewed, and
    after a reboot. Every module of this collection that changes a host renews it, and refuses to change a host that is
    another run's by then; RV(lost) is V(true) then.
  - With O(since) it refuses what is already old news to its caller, where somebody else has changed the host meanwhile.
  - All times are counted from the host's boot, so it doesn't matter what its clock says, or whether somebody sets it.
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
    description:
      - Seconds after which the lock counts no more, unless it's renewed. What may take longer than that says so before.
    type: float
    default: 600
  within:
    description:
      - Seconds after which this run changes nothing here any more, however often the lock is renewed. That's for hosts
        whose backups this run has stopped for a while.
    type: float
  since:
    description:
      - When the host was looked at, as RV(kubeha.apiserver.endpoint_files#module:at). If somebody else has changed it
        since then, or it was restarted, what was seen is old, and the lock is refused.
    type: str
    default: ""
  machine:
    description:
      - Which machine has been looked at, as RV(kubeha.apiserver.endpoint_info#module:identity). On another one nothing
        is locked.
    type: dict
  owner:
    description:
      - Who takes it, a mapping of C(controller), C(process), C(started), C(name) and C(held). Not for plays.
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
identity:
  description: Which machine this is, as RV(kubeha.apiserver.endpoint_info#module:identity).
  returned: always
  type: dict
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
held:
  description: Whether this run has the lock now.
  returned: success
  type: bool
lost:
  description: That the host is another run's.
  returned: where it is
  type: bool
ago:
  description: How many seconds ago the RV(holder) has renewed its lock, or the RV(changer) was there.
  returned: success
  type: float
"""

import os
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.host import _host_io, _identity
from ..module_utils.model import _paths
from ..module_utils.run import _run_lock, _run_lock_io


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "ttl": {"type": "float", "default": _run_lock.LIFE},
            "within": {"type": "float"},
            "since": {"type": "str", "default": ""},
            "machine": {"type": "dict"},
            "owner": {"type": "dict"},
            "force": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    if module.params["owner"] is None:
        module.fail_json(msg="endpoint_lock is used in plays, where its action plugin knows who takes it")
    identity = _host_io.read_identity()
    if _identity.elsewhere(module.params["machine"], identity):
        module.fail_json(msg="This is another machine than the one that was looked at, or it has started anew since "
                             "then; it calls itself %s. Nothing is done here." % identity["name"], identity=identity)
    said = {"changed": False, "holder": {}, "changer": {}, "held": False, "ago": 0.0, "identity": identity}
    # Nothing is locked on a host from which everything was removed.
    if module.check_mode or (module.params["state"] == "absent" and not os.path.isdir(_paths.RUN)):
        module.exit_json(**said)
    try:
        said.update(change(module.params))
    except OSError as error:
        module.fail_json(msg="The lock of this host can't be had: %s" % error)
    module.exit_json(**said)


def change(params: Dict[str, Any]) -> Dict[str, Any]:
    """Take or release the lock; who has it, or who has changed the host meanwhile, where that's somebody else."""
    owner = params["owner"]
    # Two runs that come at the same moment look one after the other.
    with _run_lock_io.guarded() as guard:
        lock, clock = _run_lock_io.read_lock(), _run_lock_io.clock()
        if params["state"] == "absent":
            note = _run_lock.release(lock, owner, clock)
            if note is not None:
                _run_lock_io.store_last(guard, note)
                _run_lock_io.store(None)
                _run_lock_io.leave()
            return {}
        answer = _run_lock.Answer()
        if owner.get("held"):
            # Taken earlier by this run: it has to be there still. The time for changes begins anew.
            answer = _run_lock.own(dict(lock, within=None) if lock else lock, owner, clock, params["ttl"])
        if not answer.lost:
            answer = _run_lock.take(lock, _run_lock_io.read_last(guard), owner, clock, params["ttl"], params["since"],
                                    params["within"], params["force"])
        found = answer.holder or answer.changer
        if answer.lost or found:
            ago = round(clock.now - found["at"], 3) if found else 0.0
            said = {"holder": answer.holder, "changer": answer.changer, "ago": ago}
            return dict(said, lost=answer.lost) if answer.lost else said
        _run_lock_io.store(answer.lock)
        return {"held": True}


if __name__ == "__main__":
    main()
