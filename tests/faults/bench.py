#!/usr/bin/env python3
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client of the endpoint sees when something breaks. Started by ./dev bench faults.

A client opens a new TLS connection through the VIP every 10 ms and waits 250 ms for an answer. After a second the
fault happens on the host that holds the VIP; later it is mended, and the client goes on until the preferred host holds
the VIP again. Nothing here passes or fails: it prints figures. Columns:

    outage      the longest time from the start of an attempt that succeeded to the start of the next one that did,
                with a failed one in between; from the fault until it was mended. 0: no attempt failed.
    failed      attempts that got no answer within 250 ms, in that time
    trouble     from the fault to the start of the last of them
    takeover    from the fault until another host had the VIP
    two         how long two hosts had the VIP, in all, a frozen or dead host not counted
    return      the longest outage from mending until all is as before, the VIP's return included

Each is the median of the runs; the worst outage stands beside.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

import yaml
from _lab import kubernetes
from _lab.faults import FAULTS
from _lab.lab import Lab, down
from _lab.measure import Measurement, measure
from _lab.podman import LabError, say

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The order: what is asked for most first.
DEFAULT = [
    "keepalived-stop", "keepalived-kill", "keepalived-kill-main", "keepalived-hang", "keepalived-mute",
    "keepalived-reload", "haproxy-stop", "haproxy-kill", "haproxy-hang", "haproxy-reload", "apiserver-stop",
    "apiserver-kill", "apiserver-hang", "apiservers-stop", "host-freeze", "host-kill",
]  # fmt: skip
PODS = [
    "pod-keepalived-stop", "pod-keepalived-kill", "pod-keepalived-hang", "pod-keepalived-restart",
    "pod-keepalived-reload", "pod-haproxy-stop", "pod-haproxy-kill", "pod-haproxy-kill-process", "pod-haproxy-hang",
    "pod-haproxy-restart", "pod-haproxy-reload", "apiserver-kill", "host-freeze", "host-kill",
]  # fmt: skip
CONNECTIONS = 1000
# Too short for the failback delay of 30 s to matter, which would make a run take an hour.
FAILBACK_DELAY = 3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=f"of {', '.join(FAULTS)}; all of the mode without")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--mode", default="service", choices=["service", "static_pod"], help="endpoint_mode")
    parser.add_argument("--timing", default="balanced", help="endpoint_timing")
    parser.add_argument("--suite", default="bookworm", help="Debian release of the hosts, where they run services")
    parser.add_argument("--elsewhere", action="store_true", help="the fault happens to a host without the VIP")
    parser.add_argument("--keep", action="store_true", help="leave the lab running, use it again if it runs")
    parser.add_argument("--json", type=pathlib.Path, help="write every measurement to this file")
    arguments = parser.parse_args()
    unknown = set(arguments.faults) - set(FAULTS)
    if unknown:
        parser.error(f"there is no fault {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}")
    try:
        pods = arguments.mode == "static_pod"
        bench = PodBench(arguments) if pods else Bench(arguments)
        try:
            memory = bench.memory() if pods else ""
            measured = {
                name: bench.runs(name, arguments.runs, arguments.elsewhere)
                for name in arguments.faults or (PODS if pods else DEFAULT)
            }
            print(table(measured))
            print(memory, end="")
            print(circumstances(bench, arguments))
        finally:
            if not arguments.keep:
                down(bench.name)
    except LabError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        everything = {name: [dataclasses.asdict(run) for run in runs] for name, runs in measured.items()}
        arguments.json.write_text(json.dumps(everything), encoding="utf-8")
    return 0


class Bench:
    """Three stacked hosts with the collection deployed by its own playbook."""

    topology = "molecule/default/topology.yml"

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.suite = self.suite_of(arguments)
        self.name = f"bench-{arguments.mode.replace('_', '-')}-{self.suite}"
        try:
            if not arguments.keep:
                raise LabError("a new one is wanted")
            self.lab = Lab(self.name)
        except LabError:
            document = yaml.safe_load((ROOT / self.topology).read_text(encoding="utf-8"))
            self.lab = Lab.up(self.name, {**document, "suite": self.suite})
        self.inventory = json.loads(self.lab.inventory.read_text(encoding="utf-8"))
        self.address = str(self.inventory["all"]["vars"]["endpoint_vip"])
        self.port = 8443
        self.members = self.lab.group("kube_control_plane")
        self.deploy(arguments.timing)

    def suite_of(self, arguments: argparse.Namespace) -> str:
        return str(arguments.suite)

    def versions(self) -> list[str]:
        """HAProxy's and keepalived's."""
        command = "haproxy -v | head -n 1; keepalived -v 2>&1 | head -n 1"
        haproxy, keepalived = self.lab.run(self.members[0], "sh", "-c", command).stdout.splitlines()[:2]
        return [haproxy.split(" 20")[0], keepalived.split(" (")[0]]

    def deploy(self, timing: str) -> None:
        say(f"deploying with playbooks/site.yml, endpoint_timing: {timing}")
        # The script of the scenario, whose topology this is, isn't here.
        extra = {"endpoint_timing": timing, "endpoint_failback_delay": FAILBACK_DELAY, "endpoint_notify_script": None}
        result = subprocess.run(
            ["ansible-playbook", "playbooks/site.yml", "-i", str(self.lab.inventory), "-e", json.dumps(extra)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        if result.returncode != 0:
            raise LabError(f"site.yml failed:\n{result.stdout[-4000:]}")

    def runs(self, name: str, count: int, elsewhere: bool) -> list[Measurement]:
        fault = FAULTS[name]
        results = []
        for number in range(count):
            self.settle()
            host = self.members[-1 if elsewhere else 0]
            result = measure(
                self.lab, self.address, self.port, fault, host, recovered=self.settle, broken=fault.seconds
            )  # fmt: skip
            say(
                f"{fault.text} ({number + 1}/{count}): longest outage {result.outage_ms(0, result.mended)} ms, "
                f"{result.outage_ms(result.mended, result.end)} ms on return"
            )
            results.append(result)
        return results

    def settle(self) -> None:
        """Until the preferred host holds the VIP, nobody else does, and all API servers answer through it."""
        deadline = time.monotonic() + 90
        command = ["python3", "/opt/lab/meter.py", f"--target={self.address}:{self.port}", "--seconds=0.5"]
        while True:
            holders = self.lab.holders(self.address)
            if holders == self.members[:1]:
                lines = self.lab.run("client", *command, "--interval=0.02").stdout.splitlines()
                meter = json.loads(lines[-1])
                if not meter["failures"] and len(meter["backends"]) == len(self.members):
                    return
            if time.monotonic() > deadline:
                preferred = self.members[0]
                raise LabError(f"{self.address} is held by {holders}, and did not come back to {preferred} in 90 s")
            time.sleep(0.2)


class PodBench(Bench):
    """The same as static pods under kubelets without a cluster."""

    topology = "molecule/static_pod/topology.yml"

    def suite_of(self, arguments: argparse.Namespace) -> str:
        return kubernetes.SUITE

    def versions(self) -> list[str]:
        names = {"haproxy": "HAProxy version", "keepalived": "Keepalived"}
        return [
            f"{name} {self.lab.run(self.members[0], 'cat', f'/run/kubeha/{pod}/version').stdout.strip()}"
            for pod, name in names.items()
        ]

    def memory(self) -> str:
        """Of the pods on the host that holds the VIP, while a client keeps connections open."""
        self.settle()
        target = f"{self.address}:{self.port}"
        command = ["python3", "/opt/lab/connections.py", f"--target={target}", f"--count={CONNECTIONS}"]
        with self.lab.background("client", *command) as client:
            assert client.stdout is not None and client.stdin is not None
            opened = int(client.stdout.readline() or 0)
            time.sleep(1)
            pods = json.loads(self.lab.run(self.members[0], "python3", "/opt/lab/pods.py").stdout)
            client.stdin.close()
        mib = {name: pod["pss_kib"] / 1024 for name, pod in pods.items()}
        return (
            f"\nMemory of both pods at {opened} open connections: {sum(mib.values()):.0f} MiB "
            f"(HAProxy {mib['haproxy']:.0f}, keepalived {mib['keepalived']:.0f}; PSS of their processes).\n"
        )


def table(measured: dict[str, list[Measurement]]) -> str:
    rows = [
        ["event", "outage ms", "worst", "failed", "of", "trouble s", "takeover s", "two s", "return ms"],
        ["---"] + ["---:"] * 8,
    ]
    for name, runs in measured.items():
        outages = [run.outage_ms(0, run.mended) for run in runs]
        takeovers = [run.takeover() for run in runs]
        known = [value for value in takeovers if value is not None]
        rows.append([
            FAULTS[name].text,
            "all" if FAULTS[name].total else f"{statistics.median(outages):.0f}",
            "all" if FAULTS[name].total else f"{max(outages)}",
            f"{statistics.median(run.failures(0, run.mended) for run in runs):.0f}",
            f"{statistics.median(len(run.between(0, run.mended)) for run in runs):.0f}",
            f"{statistics.median(run.trouble(run.fault, run.mended) for run in runs):.2f}",
            f"{statistics.median(known):.2f}" if len(known) * 2 > len(runs) else "stays",
            f"{statistics.median(run.two_holders() for run in runs):.2f}",
            f"{statistics.median(run.outage_ms(run.mended, run.end) for run in runs):.0f}",
        ])  # fmt: skip
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) if not column else cell.rjust(width)
                          for column, (cell, width) in enumerate(zip(row, widths))) + " |"
        for row in rows
    )  # fmt: skip


def circumstances(bench: Bench, arguments: argparse.Namespace) -> str:
    processors = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in processors if "model name" in line]
    model = models[0] if models else platform.machine()
    where = "on a host that does not hold the VIP" if arguments.elsewhere else "on the host that holds the VIP"
    return (
        f"\nMedian of {arguments.runs}, {where}; endpoint_timing: {arguments.timing}, endpoint_failback_delay: "
        f"{FAILBACK_DELAY}.\nThree containers of Debian {bench.suite}: {', '.join(bench.versions())}. "
        f"{os.cpu_count()} × {model}, Linux {platform.release()}, load "
        f"{os.getloadavg()[1]:.1f}.\n`./dev bench faults {' '.join(sys.argv[1:])}`".rstrip(" `") + "`"
    )


if __name__ == "__main__":
    sys.exit(main())
