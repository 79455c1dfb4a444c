# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images for static pods, built by the collection's own Containerfiles from the lab's own Debian.

They become one archive among those that hosts of Kubernetes import when they start. Their registry doesn't exist: what
hasn't been imported can't come from anywhere, as on a site without a way out.
"""

from __future__ import annotations

import hashlib
import pathlib
import subprocess
import tempfile

from . import image, kubernetes
from .podman import LABEL, LabError, podman, say

SUITE = "trixie"
CONTAINERFILES = image.HERE.parent.parent / "images"
OTHER = image.HERE / "image" / "keepalived-other.Containerfile"

# What an inventory writes. The suite has HAProxy 3.0 and keepalived 2.3.
HAPROXY = f"{kubernetes.REGISTRY}/haproxy:3.0"
KEEPALIVED = f"{kubernetes.REGISTRY}/keepalived:2.3"
# The same keepalived in /usr/local/sbin, with busybox and nothing else.
KEEPALIVED_OTHER = f"{kubernetes.REGISTRY}/keepalived-other:2.3"
# The default image in a registry of one's own: endpoint_image_prefix.
HAPROXY_DEFAULT = f"{kubernetes.REGISTRY}/haproxy:3.0.11"


def ensure() -> pathlib.Path:
    """The archive of all of them, in the folder that hosts import from; built if anything has changed."""
    base = image.ensure(SUITE)
    recipe = hashlib.sha256(base.encode())
    for path in (pathlib.Path(__file__), OTHER, *sorted(CONTAINERFILES.glob("*/Containerfile"))):
        recipe.update(path.read_bytes())
    folder = image.cache() / "kubernetes" / "images"
    wanted = folder / f"pods-{recipe.hexdigest()[:12]}.tar"
    with image.lock("kubernetes"):
        if not wanted.exists():
            say("building images of haproxy and keepalived for static pods; once, about half a minute")
            folder.mkdir(parents=True, exist_ok=True)
            build(base)
            scratch = wanted.with_suffix(".new")
            scratch.unlink(missing_ok=True)
            podman("save", "--quiet", "--multi-image-archive", f"--output={scratch}",
                   HAPROXY, HAPROXY_DEFAULT, KEEPALIVED, KEEPALIVED_OTHER)  # fmt: skip
            scratch.replace(wanted)
            for other in folder.glob("pods-*.tar"):
                if other != wanted:
                    other.unlink()
    return wanted


def build(base: str) -> None:
    containerfile(CONTAINERFILES / "haproxy" / "Containerfile", HAPROXY, f"BASE={base}")
    podman("tag", HAPROXY, HAPROXY_DEFAULT)
    containerfile(CONTAINERFILES / "keepalived" / "Containerfile", KEEPALIVED, f"BASE={base}")
    with tempfile.TemporaryDirectory(prefix="kubeha-pods-", dir=image.large_directory()) as scratch:
        busybox(pathlib.Path(scratch))
        containerfile(OTHER, KEEPALIVED_OTHER, f"KEEPALIVED={KEEPALIVED}", context=scratch)


def containerfile(path: pathlib.Path, name: str, argument: str, context: str | None = None) -> None:
    # The lab's Debian has these packages with it, and knows no other place.
    podman(
        "build", "--isolation=chroot", "--pull=never", "--no-cache", "--squash",
        f"--label={LABEL}=image", f"--build-arg={argument}", f"--tag={name}", f"--file={path}",
        context or str(path.parent),
    )  # fmt: skip


def busybox(folder: pathlib.Path) -> None:
    """Of the suite's package, which needs nothing beside itself."""
    command = [
        "mmdebstrap", "--variant=extract", "--include=busybox-static",
        *(f'--aptopt={name} "{value}"' for name, value in image.proxies().items()),
        SUITE, str(folder / "root"), image.mirror(),
    ]  # fmt: skip
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode != 0:
        raise LabError(f"getting busybox failed:\n{result.stdout[-3000:]}")
    found = next(path for path in (folder / "root").glob("**/bin/busybox") if path.is_file())
    found.replace(folder / "busybox")
