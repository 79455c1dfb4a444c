# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of Debian systems, made from packages of the mirror that this machine uses itself."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pathlib
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable

from .podman import LABEL, LabError, any_container, podman, say

HERE = pathlib.Path(__file__).parent
# Debian releases that the collection is tested on: 11, 12, 13, the next one, and that with a newer HAProxy.
SUITES = ("bullseye", "bookworm", "trixie", "sid", "experimental")
# What lies upon another suite, and which packages are taken from it.
UPON = {"experimental": ("sid", ("haproxy",))}
PACKAGES = (
    "systemd-sysv", "dbus", "python3", "python3-apt", "iproute2", "iputils-ping", "openssh-server", "nftables",
    "procps",
)  # fmt: skip
CUSTOMIZE = HERE / "image" / "customize.sh"


def ensure(suite: str, installed: bool = False) -> str:
    """Name of the suite's image, built if it is missing; installed: with haproxy and keepalived."""
    if suite not in SUITES:
        raise LabError(f"no suite {suite!r}; there are {', '.join(SUITES)}")
    recipe = hashlib.sha256(repr((suite, PACKAGES)).encode() + CUSTOMIZE.read_bytes()).hexdigest()[:12]
    base = f"localhost/kubeha-lab:{suite}-{recipe}"
    wanted = f"{base}-installed" if installed else base
    with lock("image-" + suite):
        if not exists(base):
            say(f"building the image of Debian {suite} from packages; once, about half a minute")
            build(suite, base)
        if not exists(wanted):
            say(f"installing haproxy and keepalived into a copy of the image of Debian {suite}; once, a few seconds")
            install(base, wanted)
    return wanted


def exists(image: str) -> bool:
    return podman("image", "exists", image, check=False).returncode == 0


def build(
    suite: str, image: str, packages: Iterable[str] = PACKAGES, hooks: Iterable[pathlib.Path] = (CUSTOMIZE,)
) -> None:
    """A suite's root file system with these packages, changed by these scripts, as an image of podman."""
    with tempfile.TemporaryDirectory(prefix="kubeha-image-", dir=large_directory()) as scratch:
        tarball = os.path.join(scratch, "root.tar")
        bootstrap(
            suite,
            tarball,
            "--variant=minbase",
            "--include=" + ",".join(packages),
            "--dpkgopt=path-exclude=/usr/share/man/*",
            "--dpkgopt=path-exclude=/usr/share/locale/*",
            "--skip=cleanup/apt/lists",
            *(f'--customize-hook={hook} "$1"' for hook in hooks),
        )
        podman("import", f"--change=LABEL={LABEL}=image", '--change=CMD ["/usr/local/sbin/lab-init"]', tarball, image)


def bootstrap(suite: str, target: str, *options: str) -> None:
    """A suite's packages in a folder or an archive, by mmdebstrap with these options."""
    base, newer = UPON.get(suite, (suite, ()))
    sources = [mirror()]
    if newer:
        sources.append(f"deb {mirror()} {suite} main")
        pin = "\n".join(f"Package: {package}\nPin: release a={suite}\nPin-Priority: 990\n" for package in newer)
        options = (f"--setup-hook=printf '{pin}' >\"$1/etc/apt/preferences.d/{suite}\"", *options)
    command = [
        "mmdebstrap",
        # An older release's index has expired, and is as good as ever.
        '--aptopt=Acquire::Check-Valid-Until "false"',
        *(f'--aptopt={name} "{value}"' for name, value in proxies().items()),
        *options,
        base,
        target,
        *sources,
    ]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode != 0:
        raise LabError(f"building the image for {suite} failed:\n{result.stdout[-3000:]}")


def install(base: str, image: str) -> None:
    name = "kubeha-lab-install-" + image.rsplit(":", 1)[1]
    podman("rm", "--force", "--ignore", name)
    script = "DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet haproxy keepalived"
    try:
        podman(
            "run", *any_container(), f"--name={name}", f"--label={LABEL}=image", "--network=none", base,
            "sh", "-c", script,
        )  # fmt: skip
        podman("commit", f"--change=LABEL={LABEL}=image", '--change=CMD ["/usr/local/sbin/lab-init"]', name, image)
    finally:
        podman("rm", "--force", "--ignore", name)


def mirror() -> str:
    """The Debian mirror in this machine's apt configuration, or what KUBEHA_DEBIAN_MIRROR says."""
    given = os.environ.get("KUBEHA_DEBIAN_MIRROR")
    if given:
        return given
    release = platform.freedesktop_os_release()
    codename = release.get("VERSION_CODENAME", "")
    if release.get("ID") == "debian" and shutil.which("apt-get"):
        lines = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)", "Created-By: Packages"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.splitlines()
        for line in lines:
            found = re.fullmatch(rf"(?:{codename}|stable|oldstable|testing|sid|unstable) main (\S+)", line)
            if found:
                return found.group(1)
    raise LabError(
        "this machine's apt configuration names no Debian mirror; set KUBEHA_DEBIAN_MIRROR to one "
        "(and install the package debian-archive-keyring, if this is not Debian)"
    )


def proxies() -> dict[str, str]:
    """mmdebstrap ignores the host's apt configuration; a proxy in it is needed all the same."""
    found = {}
    for name in ("Acquire::http::Proxy", "Acquire::https::Proxy"):
        value = subprocess.run(
            ["apt-config", "shell", "value", name], capture_output=True, text=True, check=False
        ).stdout.strip()
        if value:
            found[name] = value.partition("=")[2].strip("'")
    return found


def cache() -> pathlib.Path:
    given = os.environ.get("KUBEHA_CACHE")
    if given:
        return pathlib.Path(given)
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "kubeha"


def large_directory() -> str:
    # Hundreds of megabytes; /tmp may be a small tmpfs.
    directory = cache() / "tmp"
    directory.mkdir(parents=True, exist_ok=True)
    return str(directory)


class lock:
    """Held by one process at a time; gone with the process."""

    def __init__(self, name: str) -> None:
        self.path = cache() / f"{name}.lock"

    def __enter__(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.file = open(self.path, "w", encoding="utf-8")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *dummy: object) -> None:
        self.file.close()
