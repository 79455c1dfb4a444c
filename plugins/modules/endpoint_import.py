#!/usr/bin/python
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_import
short_description: Turn somebody else's keepalived and HAProxy into this collection's variables
version_added: 1.0.0
author:
  - The kubeha.apiserver authors (@kubeha)
description:
  - Takes what M(kubeha.apiserver.endpoint_import_info) found on hosts, and writes the variables that mean the same. A
    report says of each thing that was written whether it is kept, changed for a reason, or not carried over, and in
    which line of which file it stands.
  - Then it plans with these variables, and shows old and new side by side, with the longest outage that the timers of
    both allow after five faults.
  - It understands keepalived with HAProxy, LVS or nginx (kubeasz), as services or as static pods, and kube-vip in ARP
    mode.
  - It fails with all problems where files can't be understood, where hosts contradict each other, where two hosts hold
    the virtual IP, and where the daemons serve something else as well.
  - Runs on the controller. No host is contacted.
requirements:
  - netaddr >= 1.0 on the controller
extends_documentation_fragment:
  - kubeha.apiserver._attributes
  - kubeha.apiserver._attributes.controller
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details: A file that exists is never replaced.
options:
  hosts:
    description:
      - What M(kubeha.apiserver.endpoint_import_info) returned, by inventory name.
      - A host without an answer is a problem.
      - Without it nothing is written, and only the other options are checked.
    type: dict
  apiservers:
    description: Hosts that run API servers, used where no configuration names them.
    type: list
    elements: str
    default: []
  vip:
    description: The virtual IPs that clients of the API use, where files have several and nothing says which.
    type: list
    elements: str
    default: []
  accept_findings:
    description: Codes of problems to live with, such as V(import_serves_more).
    type: list
    elements: str
    default: []
  file:
    description:
      - Write the variables to this file on the controller, as an inventory of its own. Its folder has to exist, and the
        file must not.
      - A relative path begins at the folder that Ansible was started in.
    type: path
  show:
    description: Print the report.
    type: bool
    default: false
seealso:
  - module: kubeha.apiserver.endpoint_import_info
  - module: kubeha.apiserver.endpoint_plan
"""

EXAMPLES = r"""
- name: Read what hosts have
  kubeha.apiserver.endpoint_import_info:
  register: found

- name: Turn it into variables
  kubeha.apiserver.endpoint_import:
    hosts: "{{ dict(ansible_play_hosts | zip(ansible_play_hosts | map('extract', hostvars, 'found'))) }}"
    file: endpoint.yml
    show: true
  run_once: true
"""

RETURN = r"""
variables:
  description: Variables for all hosts.
  returned: when there are no problems
  type: dict
  sample:
    endpoint_vip: [198.51.100.100]
    endpoint_port: 8443
    endpoint_virtual_router_id: 51
    endpoint_lb_hosts: [cp1, cp2, cp3]
    endpoint_adopt: true
host_variables:
  description: Variables by host.
  returned: when there are no problems
  type: dict
  sample:
    cp1: {endpoint_interface: eth0}
report:
  description: What becomes of each thing that was written.
  returned: always
  type: list
  elements: dict
  contains:
    verdict:
      description: V(kept), V(changed) or V(not carried over).
      type: str
    what:
      description: The thing.
      type: str
    old:
      description: As it was.
      type: str
    new:
      description: As it will be, or why it won't.
      type: str
    places:
      description: Host, file and line of each time that it is written.
      type: list
      elements: str
comparison:
  description: Old and new configuration side by side.
  returned: when there are no problems
  type: list
  elements: dict
  contains: &pair
    what:
      description: What is compared.
      type: str
    old:
      description: Before.
      type: str
    new:
      description: Now.
      type: str
outages:
  description: The longest outage that timers allow, before and now, after five faults.
  returned: when there are no problems
  type: list
  elements: dict
  contains: *pair
problems:
  description: Everything that forbids to go on, as M(kubeha.apiserver.endpoint_plan) returns it.
  returned: when there are any
  type: list
  elements: dict
"""
