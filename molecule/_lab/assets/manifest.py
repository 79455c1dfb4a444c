#!/usr/bin/env python3
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Do to a static pod's manifest what administrators and upgrades do.

    manifest.py take|put|change haproxy|keepalived
    manifest.py reset|join

change makes the kubelet start the pod anew, as another image would. reset does as kubeadm reset: it stops the kubelet,
kills all pods and takes both manifests. join undoes it.
"""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
import time

MANIFESTS = pathlib.Path("/etc/kubernetes/manifests")
AWAY = pathlib.Path("/var/lib/lab-manifests")


PODS = ("haproxy", "keepalived")


def main(command: str, *pods: str) -> int:
    if command == "reset":
        subprocess.run(["systemctl", "stop", "kubelet"], check=True)
        kill_containers()
    for pod in pods or PODS:
        act({"reset": "take", "join": "put"}.get(command, command), pod)
    if command == "join":
        subprocess.run(["systemctl", "start", "kubelet"], check=True)
    return 0


def act(command: str, pod: str) -> None:
    here, away = MANIFESTS / f"kubeha-{pod}.yaml", AWAY / f"kubeha-{pod}.yaml"
    AWAY.mkdir(exist_ok=True)
    if command == "take":
        away.write_text(here.read_text(encoding="utf-8"), encoding="utf-8")
        here.unlink()
    elif command == "put":
        replace(here, away.read_text(encoding="utf-8"))
    elif command == "change":
        text = re.sub(r"\n *lab/changed: .*", "", here.read_text(encoding="utf-8"))
        changed = rf'\n\1annotations:\n\2lab/changed: "{time.time()}"\n\2'
        replace(here, re.sub(r"\n( *)annotations: *\n( *)", changed, text))
    else:
        raise SystemExit(__doc__)


def kill_containers() -> None:
    """At once, as crictl rmp --force does it."""
    client = ["ctr", "--namespace", "k8s.io", "tasks"]
    tasks = subprocess.run([*client, "list", "--quiet"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    for task in tasks:
        # One may have ended with another.
        subprocess.run([*client, "kill", "--signal=SIGKILL", task], check=False)


def replace(path: pathlib.Path, text: str) -> None:
    scratch = path.with_name("." + path.name)
    scratch.touch(mode=0o600)
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(path)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
