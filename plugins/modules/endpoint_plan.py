#!/usr/bin/python
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_plan
short_description: Validate the intent of a highly available API endpoint and compute the plan
version_added: 1.0.0
author:
  - The kubeha.apiserver authors (@kubeha)
description:
  - Turns what the user wants (V(endpoint_vip) and friends) and what is known of the hosts into one complete plan, with
    every value that any file of any host will contain, or fails with B(all) problems found, each with where, value,
    rule and fix.
  - Runs on the controller. No host is contacted, nothing is changed, and the same input always gives the same plan.
  - Without O(intent), the intent is read from the variables of the inventory as the roles of this collection
    document them. Groups named in C(endpoint_lb_hosts) and C(endpoint_apiserver_hosts) are resolved. Addresses come
    from C(endpoint_address), from M(kubeha.apiserver.endpoint_info) registered as C(__endpoint_info), from gathered
    facts, from an C(ansible_host) that is an address, or from the plan that a member has stored.
requirements:
  - netaddr >= 1.0 on the controller
options:
  intent:
    description:
      - The public variables without the C(endpoint_) prefix, and C(haproxy_*) and C(keepalived_*) with theirs.
      - Values are taken as YAML gave them. What cannot be meant is a problem, not a guess.
    type: dict
  hosts:
    description:
      - What is known of each host, by inventory name. Only used together with O(intent).
      - Keys, all optional, are C(address), C(interface), C(priority), C(inventory_address), C(keepalived_version),
        C(haproxy_version) and C(networks), a list of mappings with C(interface), C(address) and C(prefix).
    type: dict
  deployed:
    description:
      - Plans that members have stored, by inventory name. Only used together with O(intent).
      - A deployed port or virtual router ID never changes through a default.
    type: dict
  gather:
    description:
      - V(plan) computes the plan.
      - V(members) only says which hosts take part, and which of them have to be asked for their addresses.
      - V(named) only says which hosts O(named) names, whether they take part or not; V(all) there means the balancers.
    type: str
    choices: [plan, members, named]
    default: plan
  named:
    description:
      - The name of a variable in which somebody named hosts or groups to act on. What is empty, unknown, a pattern, or
        left out of the run by C(--limit) is a problem; with O(gather=members) so is what balances nothing.
      - Required with O(gather=named).
    type: str
  in_play:
    description: With O(gather=members), fail where none of the balancers is among the play's hosts.
    type: bool
    default: false
  tags:
    description:
      - The tags of the playbook. With O(gather=members) and O(gather=named), others in C(--tags) and C(--skip-tags) are
        problems, where that playbook is the only one on the command line. Without this option nobody judges them.
    type: list
    elements: str
  or_ask:
    description:
      - With O(gather=plan), plan only where all members have said what they have to; else RV(ask) names the others.
    type: bool
    default: false
  file:
    description:
      - Write the plan to this file on the controller, as JSON. Its folder has to exist.
      - A relative path begins at the folder that Ansible was started in.
    type: path
  show:
    description: Print the plan as a table.
    type: bool
    default: false
extends_documentation_fragment:
  - kubeha.apiserver._attributes
  - kubeha.apiserver._attributes.info_module
  - kubeha.apiserver._attributes.controller
seealso:
  - plugin: kubeha.apiserver.endpoint_plan
    plugin_type: filter
  - module: kubeha.apiserver.endpoint_info
"""

EXAMPLES = r"""
- name: Plan from the inventory's variables
  kubeha.apiserver.endpoint_plan:
  run_once: true
  register: result

- name: Plan without any inventory
  kubeha.apiserver.endpoint_plan:
    intent:
      vip: 198.51.100.100
      lb_hosts: [cp1, cp2]
      apiserver_hosts: [cp1, cp2]
    hosts:
      cp1: {address: 198.51.100.11/24, interface: eth0}
      cp2: {address: 198.51.100.12/24, interface: eth0}
  register: result

- name: Tell what kubeadm should be given
  ansible.builtin.debug:
    msg: "kubeadm init --control-plane-endpoint {{ result.plan.endpoints[0].control_plane_endpoint }}"
"""

RETURN = r"""
plan:
  description:
    - The plan. docs/architecture.md describes its keys.
  returned: when there are no problems and O(gather=plan)
  type: dict
  sample:
    schema: 1
    warnings: []
    endpoints:
      - name: kube-apiserver
        mode: service
        port: 8443
        vips: [{address: 198.51.100.100, prefix: 24, family: ipv4}]
ask:
  description:
    - Hosts outside of this play, or without an answer, that have to be asked by M(kubeha.apiserver.endpoint_info)
      before there is a plan. Empty where there is one.
  returned: success, if O(gather=plan)
  type: list
  elements: str
problems:
  description: Everything that is wrong with the intent.
  returned: on failure
  type: list
  elements: dict
  contains:
    code:
      description: Stable name of the rule.
      type: str
      sample: vip_outside_subnet
    where:
      description: Host or variable, or both.
      type: str
      sample: endpoint_vip
    value:
      description: What was found there. Secrets are not shown.
      type: raw
      sample: 198.51.101.100
    rule:
      description: What has to hold.
      type: str
    fix:
      description: What to do.
      type: str
balancers:
  description: Hosts that balance, in order.
  returned: success
  type: list
  elements: str
static_pods:
  description: Those of them that balance with static pods.
  returned: when there are no problems and O(gather=plan)
  type: list
  elements: str
preferred:
  description: Hosts that rank highest in any instance.
  returned: when there are no problems and O(gather=plan)
  type: list
  elements: str
members:
  description: Balancers and API servers.
  returned: O(gather=members)
  type: list
  elements: str
named:
  description: Hosts that O(named) names, each once.
  returned: O(gather=named), and O(gather=members) with O(named)
  type: list
  elements: str
unlisted:
  description:
    - Balancers that no known stored plan has. They have to be asked for their versions, and whether they run the
      endpoint without hosts of this play.
  returned: O(gather=members)
  type: list
  elements: str
left:
  description: Hosts of the inventory that balance by a stored plan, and shall no more.
  returned: O(gather=members)
  type: list
  elements: str
first:
  description: The first of RV(balancers) that this play has, or null.
  returned: O(gather=members)
  type: str
unknown:
  description: Members that have to be asked for their addresses, because nothing else tells them.
  returned: O(gather=members)
  type: list
  elements: str
unknown_here:
  description: Those of RV(unknown) that balance and belong to this play.
  returned: O(gather=members)
  type: list
  elements: str
unknown_elsewhere:
  description: The others of RV(unknown).
  returned: O(gather=members)
  type: list
  elements: str
"""
