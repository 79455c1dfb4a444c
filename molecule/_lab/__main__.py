# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line of the lab, see README.md."""

from __future__ import annotations

import argparse
import os
import sys

from . import image
from .podman import LabError, any_container


def main() -> int:
    parser = argparse.ArgumentParser(prog="dev lab", description="Systems in containers to try the collection on.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    command = commands.add_parser("image", help="build a suite's image if it is missing, print its name")
    command.add_argument("suite", choices=image.SUITES)
    command.add_argument("--installed", action="store_true", help="with haproxy and keepalived installed")

    command = commands.add_parser("run", help="run a command in a suite's system with haproxy and keepalived")
    command.add_argument("suite", choices=image.SUITES)
    command.add_argument("--volume", action="append", default=[], help="HOST:CONTAINER[:ro]")
    command.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- COMMAND")

    arguments = parser.parse_args()
    try:
        return COMMANDS[arguments.command](arguments)
    except LabError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1


def command_image(arguments: argparse.Namespace) -> int:
    print(image.ensure(arguments.suite, arguments.installed))
    return 0


def command_run(arguments: argparse.Namespace) -> int:
    argv = arguments.argv[1:] if arguments.argv[:1] == ["--"] else arguments.argv
    name = image.ensure(arguments.suite, installed=True)
    volumes = [f"--volume={volume}" for volume in arguments.volume]
    options = ["--rm", "--interactive", "--network=none"]
    os.chdir("/")
    os.execvp("podman", ["podman", "run", *any_container(), *options, *volumes, name, *argv])
    return 1


COMMANDS = {"image": command_image, "run": command_run}

if __name__ == "__main__":
    sys.exit(main())
