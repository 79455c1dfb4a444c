#!/usr/bin/python
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_history
short_description: Say what happened to an API endpoint, and why
version_added: 1.0.0
author:
  - The kubeha.apiserver authors (@kubeha)
description:
  - Puts what M(kubeha.apiserver.endpoint_history_info) read on each balancer on one clock, finds incidents, and says
    for each in plain words what happened and why.
  - What hosts say is believed only as far as it has the expected shape. A host whose record can't be read is named.
  - Runs on the controller. No host is contacted and nothing is changed. Run it once a play.
extends_documentation_fragment:
  - kubeha.apiserver._attributes
  - kubeha.apiserver._attributes.info_module
  - kubeha.apiserver._attributes.controller
options:
  records:
    description:
      - What M(kubeha.apiserver.endpoint_history_info) returned, by host.
      - Without it only the other options are checked, and only RV(seconds) is returned.
    type: dict
  since:
    description:
      - From when on, as C(03:00), C(2026-11-29T03:00), C(2026-11-29T03:00Z), or how long ago, as C(90s), C(30m), C(2h)
        or C(3d). A time without a day is the latest such one. Without a zone it's the controller's.
    type: str
    default: 24h
  end:
    description: Until when, in the same forms. Messages call it C(until), as the playbook does.
    type: str
    default: now
  file:
    description:
      - Write RV(history) to this file on the controller, as JSON.
      - A relative path begins at the folder that Ansible was started in.
    type: path
  html:
    description: Write one page with a drawing to this file on the controller. It needs nothing beside itself.
    type: path
  show:
    description: Print RV(text).
    type: bool
    default: false
seealso:
  - module: kubeha.apiserver.endpoint_history_info
"""

EXAMPLES = r"""
- name: Say what happened since three in the morning
  kubeha.apiserver.endpoint_history:
    records: "{{ dict(ansible_play_hosts_all | zip(ansible_play_hosts_all | map('extract', hostvars, 'record'))) }}"
    since: "03:00"
    show: true
  run_once: true
"""

RETURN = r"""
seconds:
  description: How far to go back in the hosts' records.
  returned: success
  type: int
  sample: 8100
history:
  description:
    - What happened. C(hosts) tells whose record was read, and how uncertain its times are. Each of C(incidents) has
      C(at), C(until), C(over), C(text), C(causes) with a C(code) each, C(moves) of VIPs, and its C(events).
  returned: success, with O(records)
  type: dict
  sample:
    schema: 1
    since: "2026-11-29T03:00:00.000+00:00"
    until: "2026-11-29T04:00:00.000+00:00"
    hosts: {cp1: {read: true, why: null, records: true, cut: false, uncertain: 0.01, events: 12}}
    incidents: []
text:
  description: The same for people.
  returned: success, with O(records)
  type: str
"""
