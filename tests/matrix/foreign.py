# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy, keepalived and Python of another architecture, under QEMU: foreign.py ARCHITECTURE QEMU matrix|units SUITE

`matrix` has the daemons judge what cases.py renders; `units` runs the unit tests of what runs on hosts. QEMU has the
folder of Debian's package qemu-user-static. Neither that nor anything else is installed on this machine, and its kernel
starts no foreign program outside of here: since Linux 6.7 each user namespace has its own list of them (binfmt_misc).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import ansible
from _lab import image
from _lab.podman import say
from ansible_collections.kubeha.apiserver.plugins.module_utils.daemons import _haproxy, _keepalived_state

COLLECTION = Path(__file__).resolve().parents[2]
# By Debian's name: QEMU's, and the first bytes of its programs: word size, byte order and number (elf(5)).
ARCHITECTURES = {
    "arm64": ("aarch64", b"\2\1", (0xB7).to_bytes(2, "little")),
    "s390x": ("s390x", b"\2\2", (0x16).to_bytes(2, "big")),
}
# What these packages need comes with them. None is configured: that would run foreign programs here.
PACKAGES = (
    "base-files", "base-passwd", "bash", "coreutils", "dash", "haproxy", "iproute2", "keepalived", "nftables",
    "openssl", "passwd", "python3", "python3-hypothesis", "python3-netaddr", "python3-pytest", "python3-pytest-xdist",
)  # fmt: skip
INSIDE = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# ROOT FORMAT FOLDER=PLACE... -- COMMAND...: in namespaces of its own. What is written is gone afterwards.
ENTER = """\
set -eu
mount -t tmpfs none "$1/mnt"
mkdir "$1/mnt/new" "$1/mnt/work" "$1/mnt/root"
mount -t overlay -o "userxattr,lowerdir=$1,upperdir=$1/mnt/new,workdir=$1/mnt/work" none "$1/mnt/root"
root=$1/mnt/root
mount -t tmpfs none "$root/mnt"
mkdir "$root/mnt/binfmt"
mount -t binfmt_misc none "$root/mnt/binfmt"
printf %s "$2" >"$root/mnt/binfmt/register"
shift 2
mount -t proc none "$root/proc"
mount --rbind /dev "$root/dev"
for place in tmp run; do mount -t tmpfs none "$root/$place"; done
while [ "$1" != -- ]; do
    mkdir -p "$root/mnt/${1#*=}"
    mount --bind "${1%%=*}" "$root/mnt/${1#*=}"
    shift
done
shift
exec chroot "$root" "$@"
"""


def main() -> int:
    arch, qemu, what, suite = sys.argv[1:]
    if arch not in ARCHITECTURES:
        raise SystemExit("there is %s, and no %r" % (", ".join(ARCHITECTURES), arch))
    root = ensure(arch, suite)
    with users() as namespace:
        return run(what, suite, arch, [*namespace, *enter(root, arch, Path(qemu))])


def run(what: str, suite: str, arch: str, entered: list[str]) -> int:
    if what == "units":
        return subprocess.run([*entered, "--", *environment(), "python3", "-m", "pytest", "-q", "-n", "2",
                               "-p", "no:cacheprovider", "tests/unit/plugins/module_utils"], check=False).returncode
    versions = [parse(said([*entered, "--", *environment(), *command]))
                for parse, command in ((_keepalived_state.parse_version, ("keepalived", "-v")),
                                       (_haproxy.parse_version, ("haproxy", "-v")))]
    print("%s of Debian %s: keepalived %s, HAProxy %s" % (arch, suite, *versions), flush=True)
    with tempfile.TemporaryDirectory(prefix="kubeha-matrix-", dir=image.large_directory()) as scratch:
        cases = Path(scratch, "cases")
        subprocess.run([sys.executable, str(COLLECTION / "tests/matrix/cases.py"), str(cases), *versions], check=True)
        return subprocess.run([*entered, f"{cases}=cases", "--", *environment(), "python3",
                               "tests/matrix/inside.py", "/mnt/cases", "--emulated"], check=False).returncode


def ensure(arch: str, suite: str) -> Path:
    """The root file system of that architecture, unpacked where it's missing; nothing of it is ever changed."""
    recipe = hashlib.sha256(repr((arch, suite, PACKAGES)).encode()).hexdigest()[:12]
    root = image.cache() / "roots" / f"{suite}-{arch}-{recipe}"
    with image.lock(f"root-{suite}-{arch}"):
        if not root.exists():
            say(f"unpacking packages of Debian {suite} for {arch}; once, about a minute")
            root.parent.mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".new-", dir=root.parent) as new:
                made = Path(new, "root")
                image.bootstrap(suite, str(made), "--variant=extract", "--architectures=" + arch,
                                "--include=" + ",".join(PACKAGES))
                configure(made)
                made.rename(root)
    return root


def configure(root: Path) -> None:
    """What the packages' own scripts would do, as far as it's needed here."""
    for name in ("passwd", "group"):
        shutil.copy(root / f"usr/share/base-passwd/{name}.master", root / "etc" / name)
    with (root / "etc/passwd").open("a", encoding="ascii") as users, (root / "etc/group").open("a") as groups:
        users.write("haproxy:x:199:199::/var/lib/haproxy:/usr/sbin/nologin\n")
        groups.write("haproxy:x:199:\n")
    for name in ("dev", "mnt", "proc", "run", "tmp", "var/lib/haproxy"):
        (root / name).mkdir(exist_ok=True)
    with contextlib.suppress(FileExistsError):
        (root / "usr/bin/sh").symlink_to("dash")


@contextlib.contextmanager
def users() -> Iterator[list[str]]:
    """The beginning of a command that runs in a user namespace with all users, which only root can make."""
    holder = subprocess.Popen(["unshare", "--user", "sh", "-c", "echo; exec sleep infinity"], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        for kind in ("uid", "gid"):
            Path(f"/proc/{holder.pid}/{kind}_map").write_text("0 0 65536", encoding="ascii")
        yield ["nsenter", f"--user=/proc/{holder.pid}/ns/user", "--"]
    finally:
        holder.kill()
        holder.wait()


def enter(root: Path, arch: str, qemu: Path) -> list[str]:
    """The beginning of a command that runs foreign programs; FOLDER=PLACE of what it may see, and `--`, follow."""
    name, kind, number = ARCHITECTURES[arch]
    # Executables and libraries (type 2 and 3, in the file's byte order) of that machine, whatever their system.
    order = "little" if kind[1] == 1 else "big"
    magic = b"\x7fELF" + kind + b"\1" + bytes(9) + (2).to_bytes(2, order) + number
    mask = b"\xff" * 7 + b"\0" + b"\xff" * 8 + (0xFFFE).to_bytes(2, order) + b"\xff\xff"
    escaped = ["".join("\\x%02x" % byte for byte in part) for part in (magic, mask)]
    program = qemu / "usr/bin" / f"qemu-{name}-static"
    # F: opened here and now, so that it needn't be inside.
    collections = f"{COLLECTION}=c/ansible_collections/kubeha/apiserver"
    return ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", ENTER, "sh", str(root),
            ":kubeha:M::%s:%s:%s:F" % (*escaped, program), collections, f"{Path(ansible.__file__).parent}=c/ansible"]


def environment() -> list[str]:
    return ["env", "-i", "--chdir=/mnt/c/ansible_collections/kubeha/apiserver", f"PATH={INSIDE}", "HOME=/tmp",
            "LC_ALL=C.UTF-8", "PYTHONPATH=/mnt/c", "PYTHONDONTWRITEBYTECODE=1", "KUBEHA_HYPOTHESIS=quick",
            "HYPOTHESIS_STORAGE_DIRECTORY=/tmp/hypothesis"]


def said(command: list[str]) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise SystemExit("foreign programs don't run here, which takes root and Linux 6.7: " + done.stdout)
    return done.stdout


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
