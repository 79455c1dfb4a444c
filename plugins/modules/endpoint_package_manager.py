#!/usr/bin/python
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_package_manager
short_description: See who else has the package manager, and wait for them
version_added: 1.0.0
author:
  - The kubeha.apiserver authors (@kubeha)
description:
  - Package managers lock files while they work. The kernel tells which process has such a lock.
  - It changes nothing. Where the lock isn't free in time it fails, and says which file which process has locked.
  - This knows the locks of dpkg, apt and rpm, and so those of what is built on them.
extends_documentation_fragment:
  - kubeha.apiserver._attributes
  - kubeha.apiserver._attributes.info_module
options:
  wait:
    description: Seconds to wait until nobody else has it. Without it, this only looks.
    type: float
seealso:
  - module: ansible.builtin.apt
  - module: ansible.builtin.dnf
"""

EXAMPLES = r"""
- name: Wait until nothing else installs packages
  kubeha.apiserver.endpoint_package_manager:
    wait: 300
"""

RETURN = r"""
busy:
  description: Who has the package manager. Empty where nobody has.
  returned: success
  type: str
  sample: process 812 of apt-daily-upgrade.service has locked /var/lib/dpkg/lock-frontend
"""

import fcntl
import os
import struct
import time
from typing import Optional

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.daemons import _process_io, _processes
from ..module_utils.model import _shapes

# Of dpkg and what uses it, of apt's lists and its downloads, of rpm before version 4.16 and since.
LOCKS = (
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/lock",
    "/var/lib/apt/lists/lock",
    "/var/cache/apt/archives/lock",
    "/var/lib/rpm/.rpm.lock",
    "/usr/lib/sysimage/rpm/.rpm.lock",
)
POLL_SECONDS = 0.5
# struct flock: what, from where, begin, length, whose.
FLOCK = "hhqqi"


def main() -> None:
    module = AnsibleModule(argument_spec={"wait": {"type": "float"}}, supports_check_mode=True)
    wait = module.params["wait"]
    deadline = time.monotonic() + (wait or 0)
    busy = look()
    while busy and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        busy = look()
    if busy and wait is not None:
        module.fail_json(
            msg="Another program still has the package manager after %g s: %s. No package was touched here. Let "
            "it end, or end it where it hangs, then run this again." % (wait, busy)
        )
    module.exit_json(changed=False, busy=busy)


def look() -> str:
    """Who has the first lock that anybody has."""
    for path in LOCKS:
        pid = locked_by(path)
        if pid is not None:
            return "%s has locked %s" % (describe(pid), path)
    return ""


def locked_by(path: str) -> Optional[int]:
    """Which process has it, as the kernel knows it: 0 or less if that's one that can't be seen from here."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        question = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _whence, _start, _length, pid = struct.unpack(FLOCK, fcntl.fcntl(handle, fcntl.F_GETLK, question))
        return None if kind == fcntl.F_UNLCK else pid
    except OSError:
        return None
    finally:
        os.close(handle)


def describe(pid: int) -> str:
    """What the process calls itself isn't asked."""
    if pid <= 0:
        return "a process in another container"
    unit = _processes.unit_of(_process_io.cgroup_of(pid), _process_io.cgroup_of(1))
    return "process %d%s" % (pid, " of " + _shapes.printable(unit) if unit else "")


if __name__ == "__main__":
    main()
