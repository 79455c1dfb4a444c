# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line of the lab, see README.md."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
import sys
import textwrap
import time

from . import image, kubernetes, plot, pods
from .faults import FAULTS
from .lab import Lab, clean, down, names
from .measure import measure
from .podman import LabError, any_container


def main() -> int:
    parser = argparse.ArgumentParser(prog="dev lab", description="Systems in containers to try the collection on.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    command = commands.add_parser("image", help="build a suite's image if it is missing, print its name")
    command.add_argument("suite", choices=image.SUITES)
    command.add_argument("--installed", action="store_true", help="with haproxy and keepalived installed")

    commands.add_parser("nodes", help="build what hosts need that are nodes of Kubernetes; ends with 3 without Go")

    command = commands.add_parser("run", help="run a command in a suite's system with haproxy and keepalived")
    command.add_argument("suite", choices=image.SUITES)
    command.add_argument("--volume", action="append", default=[], help="HOST:CONTAINER[:ro]")
    command.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- COMMAND")

    command = commands.add_parser("up", help="start a lab from scratch")
    command.add_argument("lab")
    command.add_argument("topology", type=pathlib.Path, help="YAML file, see topology.py")

    command = commands.add_parser("down", help="remove labs")
    command.add_argument("labs", nargs="*", metavar="LAB", help="all, where none is named")

    commands.add_parser("clean", help="remove all labs and all images")

    command = commands.add_parser("list", help="labs and their hosts")
    command.add_argument("labs", nargs="*", metavar="LAB")

    command = commands.add_parser("exec", help="run a command on a host")
    command.add_argument("lab")
    command.add_argument("host")
    command.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- COMMAND")

    command = commands.add_parser("fault", help="break something on a host, or mend it")
    command.add_argument("lab")
    command.add_argument("host")
    command.add_argument("fault", choices=sorted(FAULTS))
    command.add_argument("--mend", action="store_true", help="undo it")

    command = commands.add_parser("measure", help="break something on the VIP's holder while a client measures")
    command.add_argument("lab")
    command.add_argument("fault", choices=sorted(FAULTS))
    command.add_argument("--vip", required=True)
    command.add_argument("--port", type=int, required=True)
    command.add_argument("--seconds", type=float, default=6)
    command.add_argument("--client", default="client")
    command.add_argument("--svg", type=pathlib.Path, help="write a picture to this file")
    command.add_argument("--json", type=pathlib.Path, help="write all that was measured to this file")
    command.add_argument("--no-mend", action="store_true", help="leave it broken")

    command = commands.add_parser("apiserver", help="how the API server's stand-in on a host behaves")
    command.add_argument("lab")
    command.add_argument("host")
    command.add_argument("mode", help="healthy, 500, 401, 403, slow=SECONDS, hang, refuse")

    command = commands.add_parser("holders", help="hosts that have an address now")
    command.add_argument("lab")
    command.add_argument("address")
    command.add_argument("--expect", nargs="+", metavar="HOST", help="wait until exactly these have it, or fail")
    command.add_argument("--within", type=float, default=30, help="seconds to wait at most")

    arguments = parser.parse_args()
    try:
        return COMMANDS[arguments.command](arguments)
    except LabError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 3 if isinstance(error, kubernetes.NoGo) else 1


def command_image(arguments: argparse.Namespace) -> int:
    print(image.ensure(arguments.suite, arguments.installed))
    return 0


def command_nodes(arguments: argparse.Namespace) -> int:
    kubernetes.ensure()
    pods.ensure()
    return 0


def command_run(arguments: argparse.Namespace) -> int:
    name = image.ensure(arguments.suite, installed=True)
    volumes = [f"--volume={volume}" for volume in arguments.volume]
    options = ["--rm", "--interactive", "--network=none"]
    os.chdir("/")
    os.execvp("podman", ["podman", "run", *any_container(), *options, *volumes, name, *without_dashes(arguments.argv)])
    return 1


def command_up(arguments: argparse.Namespace) -> int:
    # Only this needs YAML, which comes with ansible-core.
    import yaml

    with open(arguments.topology, encoding="utf-8") as file:
        lab = Lab.up(arguments.lab, yaml.safe_load(file))
    print(lab.inventory)
    return 0


def command_down(arguments: argparse.Namespace) -> int:
    for name in arguments.labs or names():
        down(name)
    return 0


def command_clean(arguments: argparse.Namespace) -> int:
    clean()
    return 0


def command_list(arguments: argparse.Namespace) -> int:
    for name in arguments.labs or names():
        lab = Lab(name)
        print(f"{name}: {lab.inventory}")
        for host in lab.hosts:
            info = lab.info(host)
            print(f"  {host:10} {' '.join(info['addresses']):40} {' '.join(info['groups'])}")
    return 0


def command_exec(arguments: argparse.Namespace) -> int:
    argv = without_dashes(arguments.argv) or ["bash", "-l"]
    options = ["--interactive", "--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else ["--interactive"]
    container = Lab(arguments.lab).container(arguments.host)
    os.chdir("/")
    os.execvp("podman", ["podman", "exec", *options, container, *argv])
    return 1


def command_fault(arguments: argparse.Namespace) -> int:
    fault = FAULTS[arguments.fault]
    (fault.mend if arguments.mend else fault.inject)(Lab(arguments.lab), arguments.host)
    return 0


def command_measure(arguments: argparse.Namespace) -> int:
    lab = Lab(arguments.lab)
    fault = FAULTS[arguments.fault]
    holders = lab.holders(arguments.vip)
    if len(holders) != 1:
        raise LabError(f"{arguments.vip} is held by {' and '.join(holders) or 'no host'}; exactly one should")
    holder = holders[0]
    result = measure(
        lab,
        arguments.vip,
        arguments.port,
        fault,
        holder,
        broken=arguments.seconds - 1,
        client=arguments.client,
    )
    if not arguments.no_mend:
        fault.mend(lab, holder)
    watched = [host for host in lab.hosts if host != arguments.client]
    title = f"{fault.text} on {holder}, which held {arguments.vip}"
    if arguments.svg:
        arguments.svg.write_text(plot.svg(result, watched, title), encoding="utf-8")
    if arguments.json:
        arguments.json.write_text(json.dumps(dataclasses.asdict(result), indent=1), encoding="utf-8")
    print(f"\n  {title}\n")
    print(textwrap.indent(plot.terminal(result, watched), "  "))
    print(
        f"\n  Longest outage that the client saw: {result.outage_ms(0, result.end)} ms; "
        f"{result.failures(0, result.end)} of {len(result.attempts)} connections failed "
        f"(a new one each 10 ms, 250 ms for each).\n"
        f"  Before: {', '.join(result.holders(result.fault))}. "
        f"After: {', '.join(result.holders(result.end)) or 'nobody'}."
    )
    return 0


def command_apiserver(arguments: argparse.Namespace) -> int:
    Lab(arguments.lab).apiserver(arguments.host, arguments.mode)
    return 0


def command_holders(arguments: argparse.Namespace) -> int:
    lab = Lab(arguments.lab)
    deadline = time.monotonic() + arguments.within
    holders = lab.holders(arguments.address)
    while arguments.expect and holders != sorted(arguments.expect, key=lab.hosts.index):
        if time.monotonic() > deadline:
            raise LabError(
                f"{arguments.address} is on {' and '.join(holders) or 'no host'}, "
                f"not on {' and '.join(arguments.expect)}, after {arguments.within:g} s"
            )
        time.sleep(0.2)
        holders = lab.holders(arguments.address)
    print("\n".join(holders))
    return 0


def without_dashes(argv: list[str]) -> list[str]:
    return argv[1:] if argv[:1] == ["--"] else argv


COMMANDS = {
    "image": command_image,
    "nodes": command_nodes,
    "run": command_run,
    "up": command_up,
    "down": command_down,
    "clean": command_clean,
    "list": command_list,
    "exec": command_exec,
    "fault": command_fault,
    "apiserver": command_apiserver,
    "holders": command_holders,
    "measure": command_measure,
}

if __name__ == "__main__":
    sys.exit(main())
