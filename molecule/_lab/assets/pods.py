#!/usr/bin/env python3
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the processes of our static pods on this host may do, and what memory they take, as the kernel has it.

Prints {"haproxy": {...}, "keepalived": {...}} as JSON; a pod that doesn't run is missing.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib

CONFIG = {"haproxy": "/etc/kubeha/haproxy/haproxy.cfg", "keepalived": "/etc/kubeha/keepalived/keepalived.conf"}
# Of linux/capability.h.
CAPABILITIES = {6: "SETGID", 7: "SETUID", 10: "NET_BIND_SERVICE", 12: "NET_ADMIN", 13: "NET_RAW", 23: "SYS_NICE"}


def main() -> None:
    found = {}
    for name, config in CONFIG.items():
        pids = [pid for pid, argv in commands().items() if config in argv and argv[0].endswith(name)]
        # A pod that ends meanwhile doesn't run.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if pids:
                found[name] = describe(name, sorted(pids))
    print(json.dumps(found))


def describe(name: str, pids: list[int]) -> dict[str, object]:
    shell = [pid for pid, argv in commands().items() if f"/etc/kubeha/{name}/run" in argv]
    status = dict(line.split(":\t", 1) for line in read(pids[0], "status").splitlines() if ":\t" in line)
    root = next(line.split() for line in read(pids[0], "mountinfo").splitlines() if line.split()[4] == "/")
    return {
        "pids": pids,
        "program": read(pids[0], "cmdline").split("\0")[0],
        "users": sorted({int(user) for user in status["Uid"].split()}),
        "capabilities": sorted(
            {capability(bit) for field in ("CapPrm", "CapBnd", "CapAmb") for bit in bits(int(status[field], 16))}
        ),
        "no_new_privileges": status["NoNewPrivs"] == "1",
        "seccomp": status["Seccomp"] == "2",
        "read_only_root": "ro" in root[5].split(","),
        "pss_kib": sum(map(memory, pids + shell)),
    }


def memory(pid: int) -> int:
    # A health check's shell lives for milliseconds.
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return sum(int(line.split()[1]) for line in read(pid, "smaps_rollup").splitlines() if line.startswith("Pss:"))
    return 0


def commands() -> dict[int, list[str]]:
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # What impostor.py runs calls itself as it likes.
            if not os.readlink(path / "exe").startswith("/var/lib/impostor/"):
                found[int(path.name)] = (path / "cmdline").read_text(encoding="utf-8").split("\0")[:-1]
    return {pid: argv for pid, argv in found.items() if argv}


def read(pid: int, name: str) -> str:
    return pathlib.Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8")


def bits(mask: int) -> list[int]:
    return [bit for bit in range(64) if mask >> bit & 1]


def capability(bit: int) -> str:
    return CAPABILITIES.get(bit, str(bit))


if __name__ == "__main__":
    main()
