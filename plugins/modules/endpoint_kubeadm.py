#!/usr/bin/python
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_kubeadm
short_description: Write what kubeadm has to be told of the endpoint
version_added: 1.0.0
author:
  - The kubeha.apiserver authors (@kubeha)
description:
  - Writes the piece of kubeadm's C(ClusterConfiguration) that belongs to the endpoint, with the reason beside each
    value. These are C(controlPlaneEndpoint), C(apiServer.certSANs), and arguments of the API server.
  - C(goaway-chance) is there where more than one API server is. A balancer of connections can't move clients that
    have one, so this makes a few of them connect again, and those reach API servers that came back.
  - C(shutdown-delay-duration) lets an API server that stops serve on until HAProxy has seen that it does. It is left
    out where HAProxy doesn't ask for C(/readyz), because then it can't see that.
  - Several endpoints make several documents in the file, of which a cluster takes one.
  - Runs on the controller.
extends_documentation_fragment:
  - kubeha.apiserver._attributes
  - kubeha.apiserver._attributes.controller
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  plan:
    description:
      - The plan, as RV(kubeha.apiserver.endpoint_plan#module:plan).
      - Without it nothing is written, and only the other options are checked.
    type: dict
  file:
    description:
      - File on the controller. Its folder has to exist.
      - A relative path begins at the folder that Ansible was started in.
    type: path
    required: true
  api_version:
    description:
      - Version of kubeadm's configuration. Kubernetes 1.31 and newer read V(v1beta4).
      - V(v1beta3) has the arguments as a mapping.
    type: str
    choices: [v1beta4, v1beta3]
    default: v1beta4
seealso:
  - module: kubeha.apiserver.endpoint_plan
  - plugin: kubeha.apiserver.endpoint_kubeadm
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Write what kubeadm has to be told of the endpoint
  kubeha.apiserver.endpoint_kubeadm:
    plan: "{{ result.plan }}"
    file: endpoint.yaml
"""

RETURN = r"""
file:
  description: The file.
  returned: success
  type: str
  sample: endpoint.yaml
"""
