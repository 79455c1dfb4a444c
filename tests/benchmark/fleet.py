#!/usr/bin/env python3
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What playbooks/plan.yml of a large fleet costs the controller, beside what Ansible takes for reading the inventory.

Endpoints of three hosts that are written in a YAML inventory with all addresses, each endpoint in a group of its own:
no host is contacted. CPU seconds of all processes, because others may use the machine, and the peak of the largest one.

    tests/benchmark/fleet.py [HOSTS]

Exits 1 where a figure misses its target.
"""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOSTS = 3000
PER_ENDPOINT = 3
MAX_SECONDS = 20
MAX_MEGABYTES = 600
MAX_RATIO = 2.2
RECAP = re.compile(r"^(\S+)\s*: ok=(\d+)\s+changed=0\s+unreachable=0\s+failed=0", re.MULTILINE)
# As many plays and tasks as a plan has, of nothing.
FLOOR = """\
- {hosts: all:localhost, gather_facts: false, tasks: [{ansible.builtin.debug: {msg: x}, run_once: true}]}
- {hosts: localhost, gather_facts: false, tasks: [{ansible.builtin.debug: {msg: x}}]}
"""


def inventory(hosts: int) -> str:
    """As YAML."""
    entries, groups = [], []
    for index in range(hosts // PER_ENDPOINT):
        name, subnet = "c%04d" % index, "10.%d.%d" % (index >> 8, index & 255)
        entries.append("      - {name: %s, vip: %s.100, lb_hosts: %s, apiserver_hosts: %s}" % (
            name, subnet, name, name))
        groups += ["    %s:" % name, "      hosts:"]
        groups += ["        cp%d-%s: {endpoint_address: %s.%d/24, endpoint_interface: eth0}" % (
            number, name, subnet, 10 + number) for number in range(1, PER_ENDPOINT + 1)]
    return "\n".join(["kube_control_plane:", "  vars:", "    endpoint_service_subnets: [172.20.0.0/16]",
                      "    endpoint_list:", *entries, "  children:", *groups, ""])


def measure(playbook: pathlib.Path, hosts: int, folder: pathlib.Path) -> tuple[float, float]:
    """CPU seconds, and the peak of memory in MB."""
    file = folder / ("%d.yml" % hosts)
    file.write_text(inventory(hosts), encoding="utf-8")
    with open(folder / "log", "w+", encoding="utf-8") as log:
        process = subprocess.Popen(["ansible-playbook", str(playbook), "-i", str(file)], stdout=log, stderr=log)
        dummy, status, usage = os.wait4(process.pid, 0)
        log.seek(0)
        said = log.read()
    if status or not RECAP.search(said):
        raise SystemExit(said)
    # With that of its processes, which it has waited for.
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> int:
    """Print the figures, and how they compare with the targets."""
    hosts = int(sys.argv[1]) if len(sys.argv) > 1 else HOSTS
    plan = ROOT / "playbooks/plan.yml"
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        floor = folder / "floor.yml"
        floor.write_text(FLOOR, encoding="utf-8")
        print("%6s  %9s  %12s  %11s  %9s" % ("hosts", "endpoints", "Ansible, CPU", "plan, CPU", "plan"))
        seconds = []
        for count in (hosts // 10, hosts // 2, hosts):
            nothing, dummy = measure(floor, count, folder)
            took, megabytes = measure(plan, count, folder)
            seconds.append(took)
            print("%6d  %9d  %10.1f s  %9.1f s  %6d MB" % (
                count, count // PER_ENDPOINT, nothing, took, megabytes), flush=True)
    ratio = seconds[-1] / seconds[-2]
    met = seconds[-1] <= MAX_SECONDS and megabytes <= MAX_MEGABYTES and ratio <= MAX_RATIO
    print("ratio %.2f. targets: %d s, %d MB, ratio %g: %s" % (
        ratio, MAX_SECONDS, MAX_MEGABYTES, MAX_RATIO, "met" if met else "missed"))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
