# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_render
short_description: Write every file that a plan puts on hosts into a folder
version_added: 1.0.0
author:
  - The kubeha.apiserver authors (@kubeha)
description:
  - Writes the files of all hosts of a plan below O(dest), in a folder for each host, with the content and the mode
    that M(kubeha.apiserver.endpoint_files) would deploy. For reading, for reviews and for version control.
  - Shows how they differ from an earlier tree.
  - Files of an earlier run that the plan no longer has are removed from O(dest). Nothing else in it is touched.
  - Runs on the controller. Only the owner of a file isn't as it would be deployed.
extends_documentation_fragment:
  - kubeha.apiserver._attributes
  - kubeha.apiserver._attributes.controller
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Secrets are masked.
  idempotent:
    support: full
options:
  plan:
    description: The plan, as RV(kubeha.apiserver.endpoint_plan#module:plan).
    type: dict
    required: true
  dest:
    description:
      - Folder on the controller, made if it isn't there.
      - With a secret in one of the files it's readable by nobody but its owner.
    type: path
    required: true
  previous:
    description:
      - Folder with an earlier result to compare with.
      - By default the new files are compared with those in O(dest).
    type: path
  secrets:
    description:
      - VRRP passwords by the endpoint's name.
      - Read from the variables of the endpoint unless they're set. Where there's none, the file says so in its place.
    type: dict
seealso:
  - module: kubeha.apiserver.endpoint_plan
  - module: kubeha.apiserver.endpoint_files
"""

EXAMPLES = r"""
- name: Write all files, and compare them with last week's
  kubeha.apiserver.endpoint_render:
    plan: "{{ result.plan }}"
    dest: ./rendered
    previous: ./rendered.last-week
  register: rendered
"""

RETURN = r"""
hosts:
  description: Hosts that have files.
  returned: success
  type: list
  elements: str
  sample: [cp1, cp2, cp3]
files:
  description: Number of files.
  returned: success
  type: int
  sample: 24
differences:
  description: How the files differ from those in O(previous) or O(dest).
  returned: success
  type: list
  elements: dict
  contains:
    host:
      description: Name of the host.
      type: str
      returned: always
    path:
      description: Path on the host.
      type: str
      returned: always
    change:
      description: V(added), V(changed), V(mode) or V(removed).
      type: str
      returned: always
  sample:
    - {host: cp1, path: /etc/haproxy/haproxy.cfg, change: changed}
"""
