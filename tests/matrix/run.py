# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the matrix for one Debian release: run.py SUITE"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import ansible
from _lab import image
from _lab.podman import any_container, podman

COLLECTION = Path(__file__).resolve().parents[2]


def main() -> int:
    suite = sys.argv[1]
    name = image.ensure(suite, installed=True)
    with tempfile.TemporaryDirectory(prefix="kubeha-matrix-", dir=image.large_directory()) as scratch:
        cases = Path(scratch, "cases")
        subprocess.run([sys.executable, str(COLLECTION / "tests/matrix/cases.py"), str(cases), *versions(name)],
                       check=True)
        command = [
            "podman", "run", "--rm", "--network=none", *any_container(), "--cap-add=NET_ADMIN,NET_RAW,NET_BROADCAST",
            # As the sysctl file does it on a host.
            "--sysctl=net.ipv4.ip_nonlocal_bind=1", "--sysctl=net.ipv6.ip_nonlocal_bind=1",
            "--sysctl=net.ipv6.conf.all.disable_ipv6=0",
            f"--volume={COLLECTION}:/c/ansible_collections/kubeha/apiserver:ro",
            f"--volume={Path(ansible.__file__).parent}:/c/ansible:ro",
            f"--volume={cases}:/cases:ro",
            "--env=PYTHONPATH=/c", "--env=PYTHONDONTWRITEBYTECODE=1",
            name, "python3", "/c/ansible_collections/kubeha/apiserver/tests/matrix/inside.py", "/cases",
        ]
        return subprocess.run(command, cwd="/", check=False).returncode


def versions(name: str) -> list[str]:
    """keepalived's and HAProxy's, upstream's part of them."""
    query = ["dpkg-query", "--show", "--showformat", "${Package} ${Version}\\n", "keepalived", "haproxy"]
    lines = podman("run", "--rm", "--network=none", *any_container(), name, *query).stdout.splitlines()
    found = dict(line.split() for line in lines)
    return [re.sub(r"^\d+:|-.*", "", found[package]) for package in ("keepalived", "haproxy")]


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
