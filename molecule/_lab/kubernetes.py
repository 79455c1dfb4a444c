# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that run Kubernetes for real: containerd from Debian, all else built from tests/e2e/kubernetes.

Two kinds of host (`kind:` in a topology):

    kubernetes    containerd runs, kubeadm's images are there, the kubelet waits for kubeadm
    kubelet       the same, but the kubelet runs already, without a cluster: it starts what lies in
                  /etc/kubernetes/manifests

Tarballs of images in $CACHE/kubernetes/images are imported on every host when it starts.
"""

from __future__ import annotations

import hashlib
import inspect
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import time

from . import image
from .podman import LabError, any_container, say

KINDS = ("kubernetes", "kubelet")
SUITE = "trixie"
PACKAGES = (*image.PACKAGES, "containerd", "runc", "containernetworking-plugins", "iptables", "mount", "util-linux")
CUSTOMIZE = image.HERE / "image" / "kubernetes.sh"
SOURCE = image.HERE.parent.parent / "tests" / "e2e" / "kubernetes"

PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kubeadm", "kubectl", "etcd")
# A registry that does not exist: what has not been imported cannot come from anywhere.
REGISTRY = "kubernetes.test"
PAUSE = "3.10.1"


class NoGo(LabError):
    """Kubernetes has to be built, and nothing is there to build it with."""


def ensure() -> str:
    """Name of the image of such hosts; builds it and Kubernetes where they are missing."""
    build()
    scripts = (image.CUSTOMIZE, CUSTOMIZE)
    recipe = hashlib.sha256(repr((SUITE, PACKAGES)).encode() + b"".join(script.read_bytes() for script in scripts))
    name = f"localhost/kubeha-lab:kubernetes-{recipe.hexdigest()[:12]}"
    with image.lock("image-kubernetes"):
        if not image.exists(name):
            say(f"building the image of a Kubernetes host from packages of Debian {SUITE}; once, about a minute")
            image.build(SUITE, name, PACKAGES, scripts)
    return name


def container() -> tuple[str, ...]:
    """Options that let containerd and the kubelet run inside."""
    images = image.cache() / "kubernetes" / "images"
    images.mkdir(parents=True, exist_ok=True)
    return (
        *any_container(),
        "--systemd=always",
        "--privileged",
        # In the machine's own namespace runc does not find the controllers that it nests below.
        "--cgroupns=private",
        # No overlay on overlay.
        "--volume=/var/lib/containerd",
        f"--volume={program().parent}:/opt/kubernetes:ro",
        f"--volume={images}:/opt/images:ro",
    )


def standalone() -> dict[str, tuple[str, int]]:
    """Files that make the kubelet start by itself, without an API server."""
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "staticPodPath": "/etc/kubernetes/manifests",
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        **kubelet_config(),
    }
    return {"var/lib/kubelet/config.yaml": (json.dumps(config, indent=2) + "\n", 0o600)}


def kubelet_config() -> dict[str, object]:
    """What a kubelet needs to be content inside of a container."""
    return {
        "cgroupDriver": "cgroupfs",
        # The machine may have version 1 only; and its root group is not ours to divide.
        "failCgroupV1": False,
        "cgroupsPerQOS": False,
        "enforceNodeAllocatable": ["none"],
        "failSwapOn": False,
        # Below zero needs CAP_SYS_RESOURCE, which a container may lack.
        "oomScoreAdj": 0,
        # The machine's disk may be fuller than a node's should.
        "evictionHard": dict.fromkeys(
            ("memory.available", "nodefs.available", "nodefs.inodesFree", "imagefs.available"), "0%"
        ),
        "imageGCHighThresholdPercent": 100,
        # Changed manifests are noticed by inotify; this is how long a missed event takes.
        "fileCheckFrequency": "5s",
        "resolvConf": "",
    }


def version() -> str:
    """Of Kubernetes, as in v1.35.4."""
    return _required("k8s.io/kubernetes")


def etcd_tag() -> str:
    """Of etcd's image, as kubeadm writes it."""
    return _required("go.etcd.io/etcd/server/v3")[1:] + "-0"


def program() -> pathlib.Path:
    """The one binary that is all programs; beside it lies the archive of their images."""
    key = hashlib.sha256("".join(map(inspect.getsource, (compile_program, archive))).encode())
    for file in ("go.mod", "go.sum", "main.go"):
        key.update((SOURCE / file).read_bytes())
    return image.cache() / "kubernetes" / f"{version()}-{key.hexdigest()[:12]}" / "kubernetes"


def build() -> pathlib.Path:
    """Compile Kubernetes unless that was done before, and pack it into images."""
    wanted = program()
    with image.lock("kubernetes"):
        if wanted.exists():
            return wanted
        go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
        if go is None:
            raise NoGo("Kubernetes is built from source: Go 1.25 or newer is needed, and there is none")
        etcd = _required("go.etcd.io/etcd/server/v3")
        say(f"building Kubernetes {version()} and etcd {etcd}; once, and it takes long")
        wanted.parent.mkdir(parents=True, exist_ok=True)
        scratch = wanted.with_name("kubernetes.new")
        compile_program(go, scratch)
        archive(scratch, wanted.with_name("images.tar"))
        scratch.replace(wanted)
        # Not those of this day: another checkout's hosts may run them.
        for other in wanted.parent.parent.glob("v*"):
            if other != wanted.parent and other.stat().st_mtime < time.time() - 86400:
                shutil.rmtree(other)
    return wanted


def compile_program(go: str, target: pathlib.Path) -> None:
    environment = {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOCACHE": str(image.cache() / "go" / "build"),
        "GOMODCACHE": str(image.cache() / "go" / "mod"),
        # Removing the cache must not need more than rm. What go.sum does not name is not used.
        "GOFLAGS": "-modcacherw -mod=readonly -buildvcs=false -trimpath",
    }
    major, minor, dummy = version()[1:].split(".", 2)
    package = "k8s.io/component-base/version"
    facts = {
        "gitVersion": version(), "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean",
        "gitCommit": "0" * 40, "buildDate": "1970-01-01T00:00:00Z",
    }  # fmt: skip
    flags = " ".join(["-s", "-w", *(f"-X {package}.{name}={value}" for name, value in facts.items())])
    command = [go, "build", "-v", "-ldflags", flags, "-o", str(target), "."]
    with subprocess.Popen(command, cwd=SOURCE, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        output: list[str] = []
        told = time.monotonic()
        for line in process.stderr:
            output.append(line)
            if time.monotonic() - told > 30:
                told = time.monotonic()
                say(f"  ... {len(output)} of about 1700 packages: {line.strip()[:80]}")
    if process.returncode != 0:
        raise LabError(f"building Kubernetes failed:\n{''.join(output)[-3000:]}")


def archive(binary: pathlib.Path, target: pathlib.Path) -> None:
    """One image under the names of all: kubeadm's manifests say which program to run, and pause is the default."""
    layer = target.with_name("layer.tar")
    with tarfile.open(layer, "w") as tar:
        for directory in ("tmp", "usr", "usr/bin"):
            entry = tarfile.TarInfo(directory)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if directory == "tmp" else 0o755
            tar.addfile(entry)
        with open(binary, "rb") as file:
            entry = tarfile.TarInfo("usr/bin/kubernetes")
            entry.size, entry.mode = binary.stat().st_size, 0o755
            tar.addfile(entry, file)
        for name in (*PROGRAMS, "pause", "chatter"):
            entry = tarfile.TarInfo(f"usr/bin/{name}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "kubernetes"
            tar.addfile(entry)
    digest = hashlib.sha256()
    with open(layer, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    config = json.dumps(
        {
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
            "os": "linux",
            "config": {"Env": ["PATH=/usr/bin"], "Entrypoint": ["/usr/bin/pause"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest.hexdigest()}"]},
        }
    ).encode()
    tags = {
        **dict.fromkeys(("kube-apiserver", "kube-controller-manager", "kube-scheduler"), version()),
        "etcd": etcd_tag(), "pause": PAUSE, "chatter": "1",
    }  # fmt: skip
    names = [f"{REGISTRY}/{name}:{tag}" for name, tag in tags.items()]
    manifest = json.dumps([{"Config": "config.json", "RepoTags": names, "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(target, "w") as tar:
        for name, content in (("config.json", config), ("manifest.json", manifest)):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        tar.add(layer, "layer.tar")
    layer.unlink()


def _required(module: str) -> str:
    found = re.search(rf"^\s*{re.escape(module)} (v\S+)", (SOURCE / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise LabError(f"{SOURCE / 'go.mod'} does not require {module}")
    return found.group(1)
