#!/usr/bin/env python3
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many tasks a run of playbooks/site.yml does on each host, and how long it takes. Started by ./dev bench run.

Three fresh hosts by SSH, 10 forks, pipelining: a first run, and one that finds nothing to change. A task counts when it
did something on the host, so skipped ones don't. Packages come from the hosts' own disks.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

import yaml
from _lab.lab import Lab, down
from _lab.podman import LabError, say

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECAP = re.compile(r"^(\S+)\s*: ok=(\d+)\s+changed=(\d+)\s+unreachable=0\s+failed=0", re.MULTILINE)
RUNS = ("first run", "nothing to change")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    topology = yaml.safe_load((ROOT / "molecule/default/topology.yml").read_text(encoding="utf-8"))
    seconds: dict[str, list[float]] = {run: [] for run in RUNS}
    tasks: dict[str, dict[str, int]] = {}
    try:
        for number in range(rounds):
            lab = Lab.up("bench-run", topology)
            for run in RUNS:
                took, tasks[run] = site(lab)
                seconds[run].append(took)
                say(f"{run} ({number + 1}/{rounds}): {took:.1f} s")
    except LabError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    finally:
        down("bench-run")
    print("| run | seconds | tasks on the first host | on the others |")
    print("| --- | ---: | ---: | ---: |")
    for run in RUNS:
        first, *others = tasks[run].values()
        print(f"| {run} | {statistics.median(seconds[run]):.1f} | {first} | {max(others)} |")
    print(f"\nMedian of {rounds}; {os.cpu_count()} cores for controller and hosts, load {os.getloadavg()[1]:.1f}.")
    return 0


def site(lab: Lab) -> tuple[float, dict[str, int]]:
    began = time.monotonic()
    result = subprocess.run(
        ["ansible-playbook", "playbooks/site.yml", "-i", str(lab.inventory)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    took = time.monotonic() - began
    found = {host: int(ok) for host, ok, changed in RECAP.findall(result.stdout)}
    if result.returncode != 0 or len(found) < 2:
        raise LabError(f"site.yml failed:\n{result.stdout[-4000:]}")
    return took, found


if __name__ == "__main__":
    sys.exit(main())
