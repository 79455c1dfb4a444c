#!/usr/bin/python
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_waves
short_description: Order hosts so that of each endpoint one is changed at a time
version_added: 1.0.0
author:
  - The kubeha.apiserver authors (@kubeha)
description:
  - Takes what a task on every host returned, and puts hosts with work into waves. All hosts of a wave may be changed
    at the same time, because they belong to different endpoints; backups come first and who holds the VIP last, by
    what was seen. Where an endpoint runs nowhere yet, its preferred host comes first, and the others together.
  - With O(number) it says who of that wave may go on. Where a host had to be put back, or was lost, no further host of
    its endpoints is touched; other endpoints go on.
extends_documentation_fragment:
  - kubeha.apiserver._attributes
  - kubeha.apiserver._attributes.controller
  - kubeha.apiserver._attributes.info_module
attributes:
  idempotent:
    support: full
options:
  plan:
    description:
      - The plan, as M(kubeha.apiserver.endpoint_plan) returns it. Required unless O(hosts) is given; then it's the one
        that members have stored.
    type: dict
  hosts:
    description:
      - Hosts to change, by name or group; a list, or a string with commas. Those in RV(waves) then, whatever O(looks)
        says.
    type: raw
  silence:
    description:
      - Whether keepalived is what changes. Where old and new members of an endpoint wouldn't take each other's adverts,
        because the virtual router ID, version, authentication, transport or (in version 2) the interval differs,
        RV(quiet) are members to be stopped before the last one changes, lest two hosts hold the VIP. What they hold
        themselves, perhaps of other endpoints, goes to a member that speaks before that.
      - Where O(looks) doesn't have all members of such an endpoint, or their mode changes as well, its hosts are
        RV(lost), unless C(members_left_out) or C(mode_changes_alone) is accepted; likewise, unless C(holders_crossed)
        is accepted, where those who have to be silent hold what nobody else could take.
    type: bool
    default: false
  keepalived_ready:
    description:
      - With looks at HAProxy that have looked at keepalived too (O(kubeha.apiserver.endpoint_files#module:both)),
        whether nothing but keepalived's files may be a reason to change it. RV(keepalived_idle) is false without it.
    type: bool
    default: false
  leave_one:
    description: Refuse O(hosts) if of any endpoint no member would be left that is well and isn't drained.
    type: bool
    default: false
  originals:
    description:
      - With O(hosts), what was there before a takeover comes back. By host what a loop of
        M(kubeha.apiserver.endpoint_files) with C(state=original) has returned in check mode for both daemons.
      - Members don't take each other's adverts meanwhile, so all of them have to be in O(hosts), one of them alone may
        hold VIPs, and RV(stages) is the order.
    type: dict
  title:
    description: What is changed, for people.
    type: str
    required: true
  looks:
    description:
      - What M(kubeha.apiserver.endpoint_files) returned, by host; its C(force), C(serving), C(holds), C(rekeyed),
        C(unloaded) and C(leased) count. With O(hosts), what M(kubeha.apiserver.endpoint_info) returned. Empty for a
        host that wasn't looked at.
    type: dict
  work:
    description: Whether a host has work, by host. Instead of C(force) in O(looks), where it's given.
    type: dict
  deployed:
    description:
      - The C(deployed) that M(kubeha.apiserver.endpoint_info) returned before this run changed anything, by host.
    type: dict
  outcomes:
    description:
      - By host a note that it had to be put back, a mapping with C(title), C(text) and, where that was in vain, C(well)
        that is false. Notes with another title don't count.
    type: dict
  silent:
    description: By host the RV(began) of the rollout that has silenced it last.
    type: dict
  turned:
    description: Hosts whose turn has come before, RV(turned) of the wave before.
    type: list
    elements: str
  locked:
    description:
      - What a loop of M(kubeha.apiserver.endpoint_lock) over RV(outside) returned, each with its C(item). A host that
        somebody else changes stops its endpoints.
    type: list
    elements: dict
  so_far:
    description: RV(so_far) of the rollout before this one in the same run.
    type: dict
  rollout:
    description: What this module returned before. Required with O(number).
    type: dict
  number:
    description: The wave that is next; the one after the last sums up.
    type: int
  renewal_due:
    description:
      - Whether locks and leases have to be renewed before that wave. Nobody has a turn then, and RV(renew) says so; ask
        again when it's done.
    type: bool
    default: false
seealso:
  - module: kubeha.apiserver.endpoint_files
"""

EXAMPLES = r"""
- name: See what would change
  kubeha.apiserver.endpoint_files:
    role: haproxy
    plan: "{{ result.plan }}"
  check_mode: true
  register: look

- name: Order the hosts
  kubeha.apiserver.endpoint_waves:
    plan: "{{ result.plan }}"
    title: HAProxy
    looks: >-
      {{ dict(ansible_play_hosts_all | zip(ansible_play_hosts_all | map('extract', hostvars)
                                           | map(attribute='look', default={}))) }}
  run_once: true
  register: order
"""

RETURN = r"""
keepalived_idle:
  description:
    - Whether nothing is to be done for HAProxy nor for keepalived, and no endpoint would be refused at keepalived's
      turn. A look at keepalived's files and their order would tell nothing new then.
  returned: when the order is made from looks at files
  type: bool
waves:
  description: Hosts by wave.
  returned: without O(number)
  type: list
  elements: list
  sample: [[cp3], [cp2], [cp1]]
numbers:
  description: The numbers to go through, the summing up included; empty where there is nothing to do.
  returned: without O(number)
  type: list
  elements: int
  sample: [0, 1, 2, 3]
stages:
  description: What is done in each of RV(waves), where that isn't the same for all; C(haproxy), C(silence) or
    C(keepalived).
  returned: with O(hosts)
  type: list
  elements: str
  sample: []
quiet:
  description: Hosts whose keepalived has to be silent until the holder has changed.
  returned: without O(number), and with O(number=0)
  type: list
  elements: str
  sample: []
yielding:
  description: Those of RV(quiet) that have to hand VIPs over before.
  returned: without O(number)
  type: list
  elements: str
  sample: []
divided:
  description: Endpoints whose members don't take each other's adverts before and after, by name.
  returned: without O(number)
  type: list
  elements: str
  sample: []
ahead:
  description:
    - Of RV(divided) endpoints, by name, members whose files are as planned already, because an earlier run has ended on
      the way.
  returned: without O(number)
  type: dict
  sample: {}
alone:
  description:
    - Holders whose keepalived lets go of VIPs that nobody else may take, with the endpoints' names, for
      M(kubeha.apiserver.endpoint_bridge).
  returned: without O(number)
  type: dict
  sample: {}
idle:
  description: Hosts whose daemon isn't running.
  returned: without O(number)
  type: list
  elements: str
  sample: []
leased:
  description: Those of RV(idle) whose keepalived was stopped by a run that is gone, and may start again by itself.
  returned: without O(number)
  type: list
  elements: str
  sample: []
began:
  description: What tells this rollout from others.
  returned: without O(number)
  type: str
  sample: "1795817075.123"
members:
  description: Members of all endpoints with work, as far as they were seen. Nobody else may change them meanwhile.
  returned: without O(number)
  type: list
  elements: str
  sample: [cp1, cp2, cp3]
outside:
  description: Members of these endpoints that don't belong to this play.
  returned: without O(number)
  type: list
  elements: str
  sample: []
held:
  description: VIPs that somebody was seen to hold, and who.
  returned: without O(number)
  type: dict
  sample: {198.51.100.100: [cp1]}
plan:
  description: The plan that members have stored.
  returned: with O(hosts)
  type: dict
lost:
  description: Hosts that couldn't be looked at because what is planned for them can't be done, and why.
  returned: without O(number)
  type: dict
  sample: {}
hosts:
  description: Hosts whose turn it is.
  returned: with O(number)
  type: list
  elements: str
  sample: [cp3]
renew:
  description: O(renewal_due).
  returned: with O(number)
  type: bool
turned:
  description: Those of O(turned), and RV(hosts).
  returned: with O(number)
  type: list
  elements: str
  sample: [cp3]
silenced:
  description: Hosts that were silenced and whose turn never came.
  returned: with O(number), after the last wave
  type: list
  elements: str
  sample: []
doubtful:
  description:
    - Those of RV(silenced) that wouldn't hear a member that has changed, in this run or in one before, or one that was
      lost on the way or couldn't be put back and may speak either way, with the names of these endpoints.
  returned: where RV(silenced) isn't empty
  type: dict
  sample: {}
stops:
  description: At the end, hosts of endpoints that were stopped, and why.
  returned: with O(number)
  type: dict
  sample: {cp2: "not touched, because kube-apiserver was stopped at cp3"}
so_far:
  description:
    - With O(number), after the last wave, what this run has changed, by host the titles of rollouts; and why endpoints
      were stopped, by name. Otherwise O(so_far).
  returned: always but for waves before the last
  type: dict
  sample: {changed: {cp1: [haproxy, keepalived]}, stopped: {}}
"""
