#!/usr/bin/python
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_preflight
short_description: Judge whether hosts and network can carry the planned API endpoints
version_added: 1.0.0
author:
  - The kubeha.apiserver authors (@kubeha)
description:
  - Puts what M(kubeha.apiserver.endpoint_preflight_info) and M(kubeha.apiserver.endpoint_info) saw on each member, and
    what the network answered, beside the plan. Every finding names the host, what was seen, why it matters, and the
    command or variable that mends it.
  - Errors fail, warnings don't. Findings whose code is in C(endpoint_accept_findings) of the plan are accepted.
  - Members that weren't looked at, as under C(--limit) and C(serial), don't count.
  - Runs on the controller. No host is contacted and nothing is changed. Run it once a play.
extends_documentation_fragment:
  - kubeha.apiserver._attributes
  - kubeha.apiserver._attributes.info_module
  - kubeha.apiserver._attributes.controller
options:
  plan:
    description: The plan, as M(kubeha.apiserver.endpoint_plan) returns it.
    type: dict
    required: true
  observations:
    description:
      - What M(kubeha.apiserver.endpoint_info) returned, by host, with what M(kubeha.apiserver.endpoint_preflight_info)
        returned as its C(preflight).
      - The default is what the hosts of this batch have registered as C(__endpoint_info) and C(__endpoint_preflight).
    type: dict
  fail:
    description: Fail if there's an error.
    type: bool
    default: true
  show:
    description: Print the table always, if it has warnings, or not.
    type: str
    choices: [all, warnings, none]
    default: none
  file:
    description:
      - Write RV(ok), RV(hosts) and RV(findings) to this file on the controller, as JSON.
      - A relative path begins at the folder that Ansible was started in.
    type: path
seealso:
  - module: kubeha.apiserver.endpoint_preflight_info
  - module: kubeha.apiserver.endpoint_wire
"""

EXAMPLES = r"""
- name: Look at this host and its network
  kubeha.apiserver.endpoint_preflight_info:
    plan: "{{ result.plan }}"
  register: __endpoint_preflight

- name: Judge all hosts
  kubeha.apiserver.endpoint_preflight:
    plan: "{{ result.plan }}"
    show: all
  run_once: true
"""

RETURN = r"""
ok:
  description: Whether there's no error.
  returned: success
  type: bool
findings:
  description: All that was noticed, the worst first.
  returned: success
  type: list
  elements: dict
  contains:
    code:
      description: Stable name, for C(endpoint_accept_findings).
      type: str
      sample: port_taken
    severity:
      description: One of C(error), C(warning) and C(info).
      type: str
      sample: error
    host:
      description: The host that it's about, or null.
      type: str
      sample: cp1
    endpoint:
      description: The endpoint that it's about, or null.
      type: str
    seen:
      description: What was seen.
      type: str
      sample: nginx (process 814, nginx.service) listens on 0.0.0.0:8443
    why:
      description: Why it matters.
      type: str
      sample: HAProxy can't start while something else has its port
    fix:
      description: The command or variable that mends it.
      type: str
      sample: stop nginx there, or set endpoint_port to a free port
    accepted:
      description: Whether C(endpoint_accept_findings) has its code. Its severity is C(info) then.
      type: bool
problems:
  description: Those of RV(findings) that are errors.
  returned: success or failure
  type: list
  elements: dict
hosts:
  description: The hosts that were judged.
  returned: success
  type: list
  elements: str
  sample: [cp1, cp2, cp3]
table:
  description: The same for people.
  returned: success
  type: str
"""
