#!/usr/bin/python
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_import_info
short_description: Read somebody else's keepalived, HAProxy and static pods
version_added: 1.0.0
author:
  - The kubeha.apiserver authors (@kubeha)
description:
  - Reads the files that keepalived and HAProxy load, those that they include, the pods of the kubelet's folder, and the
    files that these mount. M(kubeha.apiserver.endpoint_import) turns that into variables.
  - No secret leaves the host. Of each line only arguments of directives that are known to have none leave it, as far as
    they're plain words. Of all others the directive's name remains.
  - It reads plain files of root's only, follows no links, and waits for nothing.
  - It changes nothing.
extends_documentation_fragment:
  - kubeha.apiserver._attributes
  - kubeha.apiserver._attributes.info_module
options:
  manifest_dir:
    description: The folder from which the kubelet starts static pods.
    type: path
    default: /etc/kubernetes/manifests
seealso:
  - module: kubeha.apiserver.endpoint_import
"""

EXAMPLES = r"""
- name: Read what this host has
  kubeha.apiserver.endpoint_import_info:
  register: found
"""

RETURN = r"""
existing:
  description: What was found.
  returned: success
  type: dict
  contains:
    schema:
      description: The version of these keys.
      type: int
    addresses:
      description: Addresses, each with C(interface), C(address) and C(prefix).
      type: list
      elements: dict
    files:
      description:
        - Files in the order in which they're loaded, each with C(path), C(role) and C(text). C(role) is V(keepalived),
          V(haproxy), V(nginx), V(manifest), or V(mounted) for a file that a pod mounts.
      type: list
      elements: dict
    unread:
      description: Files that could not be read, each with C(path) and C(why).
      type: list
      elements: dict
    units:
      description: Units of systemd, each with C(name), C(active) and C(enabled).
      type: list
      elements: dict
    versions:
      description: Versions of C(haproxy) and C(keepalived), where they are installed.
      type: dict
    server:
      description: The address at which this host's kubelet finds the API, or nothing.
      type: str
  sample:
    schema: 1
    addresses: [{interface: eth0, address: 198.51.100.11, prefix: 24}]
    files: [{path: /etc/haproxy/haproxy.cfg, role: haproxy, text: "frontend api\nbind *:8443\n"}]
    unread: []
    units: [{name: haproxy.service, active: true, enabled: true}]
    versions: {haproxy: 2.6.12}
    server: https://198.51.100.100:8443
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.existing import _existing_io


def main() -> None:
    module = AnsibleModule(
        argument_spec={"manifest_dir": {"type": "path", "default": "/etc/kubernetes/manifests"}},
        supports_check_mode=True)
    try:
        existing = _existing_io.collect(module.params["manifest_dir"])
    except (OSError, _existing_io.Timeout) as error:
        module.fail_json(msg="this host can't be read: %s" % error)
    module.exit_json(changed=False, existing=existing)


if __name__ == "__main__":
    main()
