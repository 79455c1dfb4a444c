#!/usr/bin/python
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_service
short_description: Start, reload or stop one service of an API endpoint, on a host that is still this run's
version_added: 1.0.0
author:
  - The kubeha.apiserver authors (@kubeha)
description:
  - As M(ansible.builtin.systemd_service) does it, but it makes sure right before that no other run has taken the host.
extends_documentation_fragment:
  - kubeha.apiserver._attributes
  - kubeha.apiserver._attributes.owner
attributes:
  idempotent:
    support: partial
    details:
      - V(restarted) and V(reloaded) do it each time.
options:
  name:
    description: Which service.
    type: str
    choices: [haproxy, keepalived]
    required: true
  state:
    description: What it is to be. V(reloaded) starts one that doesn't run.
    type: str
    choices: [started, stopped, restarted, reloaded]
    required: true
  enabled:
    description: Whether it's started at boot. As it is, where this isn't given.
    type: bool
  daemon_reload:
    description: Have systemd read its files first.
    type: bool
    default: false
seealso:
  - module: kubeha.apiserver.endpoint_lock
  - module: kubeha.apiserver.endpoint_pod
"""

EXAMPLES = r"""
- name: Load what is in place
  kubeha.apiserver.endpoint_service:
    name: haproxy
    state: reloaded
    enabled: true
"""

RETURN = r"""
active:
  description: What systemd called the service before.
  returned: success
  type: str
  sample: active
"""

from typing import Dict, List

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.host import _host_io
from ..module_utils.run import _run_lock_io

SECONDS = 150.0
VERBS = {"started": "start", "stopped": "stop", "restarted": "restart", "reloaded": "reload-or-restart"}
RUNNING = ("active", "reloading", "activating")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "choices": ["haproxy", "keepalived"], "required": True},
            "state": {"type": "str", "choices": list(VERBS), "required": True},
            "enabled": {"type": "bool"},
            "daemon_reload": {"type": "bool", "default": False},
            **_run_lock_io.OWNER,
        },
        supports_check_mode=True,
    )
    try:
        _run_lock_io.ensure(module)
    except OSError as error:
        module.fail_json(msg=str(error))
    if module.params["daemon_reload"] and not module.check_mode:
        systemctl(module, "daemon-reload")
    before = show(module.params["name"])
    todo = commands(module.params, before)
    for words in todo if not module.check_mode else ():
        systemctl(module, *words)
    module.exit_json(changed=bool(todo), active=before.get("ActiveState", ""))


def commands(params: Dict[str, object], before: Dict[str, str]) -> List[List[str]]:
    """In this order: one that is to be silent over reboots never starts in between."""
    unit, state = "%s.service" % params["name"], str(params["state"])
    found: List[List[str]] = []
    if params["enabled"] is not None and (before.get("UnitFileState") == "enabled") != params["enabled"]:
        found.append(["enable" if params["enabled"] else "disable", unit])
    runs = before.get("ActiveState") in RUNNING
    if state in ("restarted", "reloaded") or runs != (state == "started"):
        found.append([VERBS[state], unit])
    return found


def show(name: str) -> Dict[str, str]:
    said = _host_io.run(["systemctl", "show", "--property=ActiveState,UnitFileState", name + ".service"], SECONDS)
    pairs = (line.partition("=") for line in said.text.splitlines())
    return {key: value for key, equals, value in pairs if equals}


def systemctl(module: AnsibleModule, *words: str) -> None:
    output = _host_io.run(["systemctl", *words], SECONDS)
    if output.code != 0:
        module.fail_json(msg="systemctl %s: %s" % (" ".join(words), output.error or output.text.strip()))


if __name__ == "__main__":
    main()
