#!/usr/bin/env python3
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many tasks a run of playbooks/site.yml does on each host, and how long it takes; how long playbooks/status.yml
takes, beside what Ansible takes for nothing. Started by ./dev bench run.

Three fresh hosts by SSH, 10 forks, pipelining: a first run, and one that finds nothing to change. A task counts when it
did something on the host, so skipped ones don't. Packages come from the hosts' own disks. No play and module of status
can be quicker than a play of one module that does nothing.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import yaml
from _lab.lab import Lab, down
from _lab.podman import LabError, say

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECAP = re.compile(r"^(\S+)\s*: ok=(\d+)\s+changed=(\d+)\s+unreachable=0\s+failed=0", re.MULTILINE)
RUNS = ("first run", "nothing to change")
LOOKS = {
    "Ansible, a play of no task": "- {hosts: localhost, gather_facts: false, tasks: []}\n",
    "Ansible, a module that does nothing": (
        "- {hosts: kube_control_plane, gather_facts: false, become: true, tasks: [{ansible.builtin.ping: }]}\n"),
    "status": "- import_playbook: %s\n" % (ROOT / "playbooks/status.yml"),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--looks", type=int, default=5, help="of status, in each round")
    options = parser.parse_args()
    rounds = options.rounds
    topology = yaml.safe_load((ROOT / "molecule/default/topology.yml").read_text(encoding="utf-8"))
    seconds: dict[str, list[float]] = {run: [] for run in RUNS}
    tasks: dict[str, dict[str, int]] = {}
    looked: dict[str, list[tuple[float, float]]] = {look: [] for look in LOOKS}
    try:
        for number in range(rounds):
            lab = Lab.up("bench-run", topology)
            for run in RUNS:
                took, tasks[run] = site(lab)
                seconds[run].append(took)
                say(f"{run} ({number + 1}/{rounds}): {took:.1f} s")
            for _number in range(options.looks):
                for name, play in LOOKS.items():
                    looked[name].append(look(lab.inventory, play))
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
    print_looks(looked)
    print(f"\nMedian of {rounds} runs, and of {options.looks} looks in each; {os.cpu_count()} cores for controller and "
          f"hosts, load {os.getloadavg()[1]:.1f}.")
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


def look(inventory: pathlib.Path, play: str) -> tuple[float, float]:
    """Seconds, and seconds of the controller's processors."""
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as playbook:
        playbook.write(play)
        playbook.flush()
        began, used = time.monotonic(), processors()
        result = subprocess.run(
            ["ansible-playbook", playbook.name, "-i", str(inventory)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
    if result.returncode != 0:
        raise LabError(f"{play}\n{result.stdout[-4000:]}")
    return time.monotonic() - began, processors() - used


def processors() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def print_looks(looked: dict[str, list[tuple[float, float]]]) -> None:
    print("\n| look | seconds | quickest | seconds of the controller's processors |")
    print("| --- | ---: | ---: | ---: |")
    for name, found in looked.items():
        took, used = zip(*found)
        print(f"| {name} | {statistics.median(took):.2f} | {min(took):.2f} | {statistics.median(used):.2f} |")


if __name__ == "__main__":
    sys.exit(main())
