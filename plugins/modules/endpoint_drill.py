#!/usr/bin/python
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_drill
short_description: Lead a drill of an API endpoint, and judge it
version_added: 1.0.0
author:
  - The kubeha.apiserver authors (@kubeha)
description:
  - Reads the variables C(endpoint_drill), C(endpoint_drill_faults) and so on, which docs/drill.md lists, says which
    faults are made on which hosts in which order, whose turn it is, and what came of it.
  - The tasks of the playbook C(drill) call it. What M(kubeha.apiserver.endpoint_drill_fault) and
    M(kubeha.apiserver.endpoint_drill_client) have registered there is read as it is.
  - Runs on the controller. No host is contacted and nothing is changed.
extends_documentation_fragment:
  - kubeha.apiserver._attributes
  - kubeha.apiserver._attributes.info_module
  - kubeha.apiserver._attributes.controller
options:
  do:
    description:
      - V(check) looks at variables and files alone, V(schedule) says what is going to happen, V(turn) whether the step
        is made, V(wait) waits until its fault is over, V(judge) says what came of it, V(report) of all of them.
      - V(report) fails where not all stayed within their budgets.
    type: str
    choices: [check, schedule, turn, wait, judge, report]
    required: true
  balancers:
    description: The endpoint's balancers.
    type: list
    elements: str
    default: []
  step:
    description: The step's number, from 0.
    type: int
    default: 0
  file:
    description: With O(do=report), write RV(drill) to this file on the controller, as JSON.
    type: path
  html:
    description: The same as a page with a drawing for each fault.
    type: path
seealso:
  - module: kubeha.apiserver.endpoint_drill_fault
  - module: kubeha.apiserver.endpoint_drill_client
"""

EXAMPLES = r"""
- name: See what is asked for
  kubeha.apiserver.endpoint_drill:
    do: check
    balancers: [cp1, cp2, cp3]
"""

RETURN = r"""
text:
  description: For people.
  returned: with O(do=schedule) and O(do=report)
  type: str
steps:
  description: Numbers of the steps.
  returned: with O(do=schedule)
  type: list
  elements: int
go:
  description: Whether the step is made; not after one that was over its budget.
  returned: with O(do=turn)
  type: bool
results:
  description: Of all steps so far.
  returned: with O(do=judge)
  type: list
  elements: dict
drill:
  description: All results.
  returned: with O(do=report)
  type: dict
  sample: {schema: 1, passed: true, faults: []}
"""
