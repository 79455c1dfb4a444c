#!/usr/bin/python
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_verify
short_description: Judge whether the members of an API endpoint do what was planned
version_added: 1.0.0
author:
  - The kubeha.apiserver authors (@kubeha)
description:
  - Puts what M(kubeha.apiserver.endpoint_info) saw on each member beside the plan. Each VIP has exactly one holder, it
    is the planned one, the VIP answers from the other members, HAProxy sees the API servers that exist, and both
    daemons run what is deployed.
  - An API server that doesn't exist yet is no error. Without any, the proof is that the VIP takes connections.
  - Under C(--limit) and C(serial), members that aren't deployed yet don't count, and those that weren't looked at may
    be holding.
  - Runs on the controller. No host is contacted and nothing is changed. Run it once a play.
extends_documentation_fragment:
  - kubeha.apiserver._attributes
  - kubeha.apiserver._attributes.info_module
  - kubeha.apiserver._attributes.controller
options:
  plan:
    description:
      - The plan, as M(kubeha.apiserver.endpoint_plan) returns it.
      - Without it, the plan that most members have stored. Members that have another one are a finding.
    type: dict
  observations:
    description:
      - What M(kubeha.apiserver.endpoint_info) returned, by host.
      - The default is what the hosts of this batch have registered as O(variable).
    type: dict
  variable:
    description: Name of the variable in which each host has registered its observation.
    type: str
    default: __endpoint_info
  others:
    description:
      - What a loop over hosts outside of this batch has registered, with the host's name as C(item).
      - The default is the variable C(__endpoint_others), if there's one.
    type: dict
  strict:
    description: Let every difference count, also API servers that are down while others are up.
    type: bool
    default: false
  accept:
    description: Codes of findings to live with, besides the C(accept_findings) of the plan's endpoints.
    type: list
    elements: str
    default: []
  together:
    description:
      - Judge only if all observations were made within this many seconds. Otherwise what moved in between could be
        missed, or seen twice, and RV(judged) asks for another look at all hosts.
    type: float
  fail:
    description: Fail if something isn't as planned. Then only RV(problems) is returned; the message says the rest.
    type: bool
    default: true
  show:
    description: Print the table.
    type: bool
    default: false
  so_far:
    description:
      - RV(kubeha.apiserver.endpoint_waves#module:so_far) of the last rollout of this run. For more than three endpoints
        one line for each of them is printed then, and a failure's message doesn't repeat each host.
    type: dict
  file:
    description:
      - Write RV(ok), RV(findings), RV(rows), RV(endpoints) and RV(holders) to this file on the controller, as JSON.
      - A relative path begins at the folder that Ansible was started in.
    type: path
  html:
    description:
      - Write one page that draws planned and observed to this file on the controller. It needs nothing beside itself.
    type: path
seealso:
  - module: kubeha.apiserver.endpoint_plan
  - module: kubeha.apiserver.endpoint_info
"""

EXAMPLES = r"""
- name: Wait until this host does what the plan says
  kubeha.apiserver.endpoint_info:
    plan: "{{ result.plan }}"
    wait: 60
    connect: true
  register: __endpoint_info

- name: Judge all hosts
  kubeha.apiserver.endpoint_verify:
    plan: "{{ result.plan }}"
  run_once: true
"""

RETURN = r"""
judged:
  description:
    - Whether the observations were close enough to one another, see O(together). If not, nothing else is returned.
  returned: success or failure
  type: bool
ok:
  description: Whether everything is as planned.
  returned: success
  type: bool
findings:
  description: All that was noticed, the worst first.
  returned: success
  type: list
  elements: dict
  contains:
    code:
      description: Stable name.
      type: str
      sample: two_holders
    severity:
      description: One of C(error), C(warning) and C(info).
      type: str
      sample: error
    host:
      description: The host that it's about, or null.
      type: str
    endpoint:
      description: The endpoint that it's about, or null.
      type: str
    message:
      description: What was seen.
      type: str
      sample: 198.51.100.100 is held by cp1, cp2
    fix:
      description: What to do.
      type: str
problems:
  description: Those of RV(findings) that are errors.
  returned: success or failure
  type: list
  elements: dict
rows:
  description: Planned beside observed, for each endpoint and member.
  returned: success
  type: list
  elements: dict
  sample:
    - endpoint: kube-apiserver
      host: cp1
      planned: MASTER
      planned_priority: 150
      observed: holds
      effective_priority: null
      haproxy: 2.6.12
      backends_up: 3
      backends: 3
      note: ""
      findings: []
endpoints:
  description: Each VIP, who holds it, and how it answered.
  returned: success
  type: list
  elements: dict
  sample:
    - endpoint: kube-apiserver
      address: 198.51.100.100
      port: 8443
      holders: [cp1]
      answers: true
      answered_to: cp2
      millis: 3.2
      http_status: 200
holders:
  description: Hosts that hold each VIP, by endpoint and address.
  returned: success
  type: dict
  sample: {kube-apiserver: {198.51.100.100: [cp1]}}
servers:
  description: What the HAProxy of each member says of each API server.
  returned: success
  type: list
  elements: dict
  sample: [{endpoint: kube-apiserver, host: cp1, server: cp2, status: UP, up: true, check: L7OK 200}]
table:
  description: The same for people.
  returned: success
  type: str
"""
