#!/usr/bin/python
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_lease
short_description: Have a keepalived that a run stops start again by itself when that run is gone
version_added: 1.0.0
author:
  - The kubeha.apiserver authors (@kubeha)
description:
  - While members wouldn't take each other's adverts, a run stops the backups. With this module it has a lease on each
    of them, and renews it. Should the run be gone, a service of the host starts keepalived again when the lease has run
    out, over reboots too.
  - It does so only where nobody has the VIPs, or where who has them speaks what this host speaks. Else it stays
    stopped, says so in the journal, and looks again. Where it has started, and another host has a VIP as well, it's
    stopped again.
  - The service, C(kubeha-lease.service), is there only as long as the lease.
extends_documentation_fragment:
  - kubeha.apiserver._attributes
  - kubeha.apiserver._attributes.owner
attributes:
  idempotent:
    support: partial
    details:
      - A lease is renewed each time, which isn't called a change.
options:
  state:
    description: V(present) takes or renews the lease, V(absent) ends it and leaves nothing of it behind.
    type: str
    choices: [present, absent]
    default: present
  plan:
    description: The plan that keepalived has on this host, or the new one. Required if O(state=present).
    type: dict
  life:
    description:
      - Seconds after which the run's word counts no more. With V(0) the host looks after keepalived from now on, over
        reboots too.
    type: float
    default: 600
  silent:
    description:
      - Fail where keepalived runs. It has started again by itself then, because the lease had run out before this run
        came to renew it.
    type: bool
    default: false
seealso:
  - module: kubeha.apiserver.endpoint_lock
"""

EXAMPLES = r"""
- name: Have it start again by itself should this run end here
  kubeha.apiserver.endpoint_lease:
    plan: "{{ result.plan }}"

- name: It speaks again, so nothing has to look after it
  kubeha.apiserver.endpoint_lease:
    state: absent
"""

RETURN = r"""
lease:
  description: What was there of a lease before.
  returned: success
  type: dict
  sample: {}
spoke:
  description: That keepalived has started by itself.
  returned: where O(silent) isn't so
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.run import _lease, _lease_io, _run_lock_io


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "plan": {"type": "dict"},
            "life": {"type": "float", "default": _lease.LIFE},
            "silent": {"type": "bool", "default": False},
            **_run_lock_io.OWNER,
        },
        required_if=[("state", "present", ["plan"])],
        supports_check_mode=True,
    )
    try:
        _run_lock_io.ensure(module)
        before = _lease_io.look()
        if module.params["state"] == "absent":
            there = _lease_io.is_there()
            if not module.check_mode:
                _lease_io.end()
            module.exit_json(changed=there, lease=before)
        if not module.check_mode and not _lease_io.take(
                module.params["plan"], module.params["owner"] or {}, module.params["life"], module.params["silent"]):
            module.fail_json(msg="keepalived has started again here by itself, because this run hadn't renewed its "
                                 "lease on it in time. Nothing is changed: run it again.", spoke=True)
        module.exit_json(changed=not before, lease=before)
    except OSError as error:
        module.fail_json(msg="The lease on keepalived can't be had: %s" % error)


if __name__ == "__main__":
    main()
