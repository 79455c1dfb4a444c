# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This doc fragment is PRIVATE to the collection.

from __future__ import annotations


class ModuleDocFragment:
    # What the attributes mean. Modules say with O(attributes.X.support) how far they have them.
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
  diff_mode:
    description: Will return details on what has changed, or would change in C(check_mode), when in diff mode.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
      - This assumes that the system controlled/queried by the module has not changed in a relevant way.
"""

    # For modules that change a host. Use it together with the standard fragment; a module says what differs.
    OWNER = r"""
options:
  owner:
    description:
      - The run that changes the host, as M(kubeha.apiserver.endpoint_lock) notes it. Not for plays; the action plugin
        knows it. Where the host is another run's by now nothing is changed, and the failed result has C(lost).
    type: dict
attributes:
  action:
    description: The action plugin runs on the controller.
    support: partial
    details:
      - Which run it is, is known on the controller.
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
"""

    # For modules that only look. Use it together with the standard fragment.
    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This action does not modify state.
  diff_mode:
    support: N/A
    details:
      - This action does not modify state.
  idempotent:
    support: full
    details:
      - This action does not modify state.
"""

    # For modules that are carried out on the controller. Use it together with the standard fragment.
    CONTROLLER = r"""
options: {}
attributes:
  action:
    description: Indicates this has a corresponding action plugin so it can be executed on the controller.
    support: full
    details:
      - All of it is done on the controller. No connection to a host is made.
"""
