# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Static pods as seen from their host: processes, manifests, logs and the kubelet's own settings. Pure.

No tool of a container runtime is needed. Which processes are a pod's is told by _processes.

The kubelet's YAML is read line by line, because targets have no library for it: keys of the top level suffice.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence

from ..model import _pod_paths
from . import _processes

if TYPE_CHECKING:
    from ..model._model import Plan

# What a pod has to do to run what is in place, the least of it first.
NOTHING, RELOAD, WAIT = "none", "reload", "wait"

# What the pods' own scripts note; keepalived's in a folder that no script of keepalived's may write to.
RUNNING = {
    "haproxy": _pod_paths.STATE["haproxy"] + "/running",
    "keepalived": _pod_paths.STATE["unit"] + "/keepalived.running",
}
EXECUTION = {
    "haproxy": _pod_paths.STATE["haproxy"] + "/execution",
    "keepalived": _pod_paths.STATE["unit"] + "/keepalived.execution",
}
# What HAProxy's pod has loaded when a run had it reload, and the time of the pod's own note beside which that holds.
RELOADED = _pod_paths.STATE["unit"] + "/haproxy.reloaded"
UNKNOWN = "-"
VERSION = {name: _pod_paths.STATE[name] + "/version" for name in _pod_paths.NAMES}

KUBELET_CONFIG = "/var/lib/kubelet/config.yaml"
POD_LOGS = "/var/log/pods"

_ANNOTATION = re.compile(re.escape(_pod_paths.EXECUTION) + r'"?\s*:\s*["\']?([^"\'\s,}]+)')
_IMAGE = re.compile(r'^\s*(?:-\s+)?"?image"?\s*:\s*["\']?([^"\'\s,}]+)', re.MULTILINE)
# Of an image's name: what says only how it's built, and what is something else.
_WORD = re.compile(r"[a-z]+")
_VARIANTS = frozenset((
    "alpine", "debian", "ubuntu", "centos", "rocky", "ubi", "suse", "sle", "bci", "photon", "bullseye", "bookworm",
    "trixie", "slim", "static", "distroless", "docker", "container", "image", "lts", "amd", "arm", "x",
))  # fmt: skip
_BESIDE = frozenset(("exporter", "metrics", "monitor", "ingress", "controller", "operator", "dashboard"))
# 2026-11-22T20:15:30.123456789Z stderr F what was said
_LOG_LINE = re.compile(r"\A\S+ (?:stdout|stderr) ([FP])(?: |\Z)")
_INSTANCE = re.compile(r"^vrrp_instance\s+(\S+)\s*\{(.*?)^\}", re.MULTILINE | re.DOTALL)
_INSTANCE_FIELDS = {"virtual_router_id": "virtual_router_id", "priority": "priority"}


class Seen(NamedTuple):
    """What runs. `pid` is None where nothing does; `ready` is whether it has finished starting."""

    pid: Optional[int]
    needs_reload: bool
    needs_restart: bool
    ready: bool = True


def next_step(seen: Seen) -> str:
    """NOTHING, RELOAD or WAIT: the least that makes the pod run what is in place."""
    if seen.pid is None or not seen.ready or seen.needs_restart:
        return WAIT
    return RELOAD if seen.needs_reload else NOTHING


def lacking(seen: Seen) -> str:
    """Why a pod doesn't run what is in place, in words; empty where it does."""
    if seen.pid is None:
        return "its container isn't running"
    if seen.needs_restart:
        return "what runs was started from another manifest"
    if not seen.ready:
        return "it runs and doesn't answer yet"
    return "it has loaded another configuration" if seen.needs_reload else ""


# Manifests


def manifest_dir(plan: Plan) -> Optional[str]:
    """Where the kubelet reads manifests, if the plan has static pods."""
    for endpoint in plan["endpoints"]:
        if endpoint["mode"] == "static_pod" and endpoint["manifest_dir"]:
            return str(endpoint["manifest_dir"])
    return None


def execution_of(manifest: str) -> str:
    """What a manifest of ours calls all that needs a restart."""
    match = _ANNOTATION.search(manifest)
    return match.group(1) if match else ""


def images_of(manifest: str) -> List[str]:
    return _IMAGE.findall(manifest)


def canonical_image(image: str) -> str:
    """As containerd lists it: with a registry, and with a tag or a digest. A digest makes a tag beside it vain."""
    name, at, digest = image.partition("@")
    registry, slash, rest = name.partition("/")
    if not slash or not ("." in registry or ":" in registry or registry == "localhost"):
        name = "docker.io/%s%s" % ("" if slash else "library/", name)
    has_tag = ":" in name.rsplit("/", 1)[-1]
    if at:
        return "%s@%s" % (name.rsplit(":", 1)[0] if has_tag else name, digest)
    return name if has_tag else name + ":latest"


def balancer_of(manifest: str) -> Optional[str]:
    """haproxy or keepalived, if that is what a manifest runs, whoever wrote it.

    An exporter of its metrics isn't it, nor what only has its name. An image of an unknown name is, if it's given the
    daemon's configuration.
    """
    for image in images_of(manifest):
        words = set(_WORD.findall(image.rsplit("/", 1)[-1].partition("@")[0].partition(":")[0]))
        for daemon, path in _pod_paths.CONFIG.items():
            configured = path.rsplit("/", 1)[-1] in manifest and not words & _BESIDE
            if daemon in words and (configured or words <= {daemon, *_VARIANTS}):
                return daemon
    return None


def is_manifest(name: str) -> bool:
    """Whether the kubelet reads a file of this name: it takes any that doesn't begin with a dot."""
    return not name.startswith(".")


class Volatile(NamedTuple):
    """A folder, or a file that only has to exist, as tmpfiles.d makes it at boot."""

    path: str
    folder: bool
    mode: int
    owner: str
    group: str
    content: str


def volatile(tmpfiles: str) -> List[Volatile]:
    lines = [line.split() for line in tmpfiles.splitlines()]
    return [
        Volatile(line[1], line[0] == "d", int(line[2], 8), line[3], line[4], " ".join(line[6:]))
        for line in lines
        if len(line) >= 5 and line[0] in ("d", "f")
    ]


# The kubelet


def kubelet_options(argv: Sequence[str]) -> Dict[str, str]:
    """config, config-dir, pod-manifest-path and node-ip, as far as its command line has them."""
    wanted = ("config", "config-dir", "pod-manifest-path", "node-ip")
    found: Dict[str, str] = {}
    for index, word in enumerate(argv[1:], 1):
        name, equals, value = word.partition("=")
        name = name.lstrip("-")
        if not word.startswith("-") or name not in wanted:
            continue
        if equals:
            found[name] = value
        elif index + 1 < len(argv):
            found[name] = argv[index + 1]
    return found


def top_level(text: str) -> Dict[str, Any]:
    """Plain values of the top level of YAML or JSON; what is nested or odd is left out."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        pairs = (line.partition(":") for line in text.splitlines() if line[:1].isalpha())
        return {key.strip(): _scalar(value) for key, colon, value in pairs if colon and _scalar(value)}
    if not isinstance(document, dict):
        return {}
    return {key: value for key, value in document.items() if isinstance(value, (str, int, float, bool))}


def static_pod_path(options: Mapping[str, str], texts: Iterable[str]) -> str:
    """The folder that the kubelet reads manifests from, or nothing. `texts` are its configuration and its drop-ins."""
    path = ""
    for text in texts:
        path = str(top_level(text).get("staticPodPath") or path)
    # The command line counts more than any file.
    return (options.get("pod-manifest-path") or path).rstrip("/")


def _scalar(value: str) -> str:
    """Of `"/etc/x"  # why` the value. Without quotes, a comment begins after a blank."""
    text = value.strip()
    if text[:1] in ("'", '"'):
        return text[1:].partition(text[0])[0]
    return re.split(r"(?:\A|\s)#", text, maxsplit=1)[0].strip()


# What containers say


def is_log_folder(name: str, role: str) -> bool:
    """NAMESPACE_POD-NODE_UID below /var/log/pods, of a static pod of ours."""
    pod = _processes.parse_pod(name)
    return pod is not None and _processes.is_our_pod(pod, role)


def log_number(path: str) -> int:
    """Of a container's log: 0 of its first run, 1 after it has ended once. A log that was rotated has none."""
    name = path.rsplit("/", 1)[-1].partition(".")[0]
    return int(name) if name.isdigit() else 0


def log_lines(text: str, most: int, secrets: Iterable[str] = ()) -> List[str]:
    """The last lines of a container's log without their stamps, and without what nobody may see."""
    lines: List[str] = []
    whole = True
    for line in text.splitlines():
        match = _LOG_LINE.match(line)
        said = line[match.end() :] if match else line
        if whole or not lines:
            lines.append(said)
        else:
            lines[-1] += said
        whole = match is None or match.group(1) == "F"
    # As a word of its own: one such as `1` is part of others.
    hidden = [re.compile(r"(?<![\w.+/=-])%s(?![\w.+/=-])" % re.escape(secret)) for secret in secrets if secret]
    shown = []
    for line in (item.rstrip() for item in lines):
        for pattern in hidden:
            line = pattern.sub("(hidden)", line)
        if line:
            shown.append(line)
    return shown[-most:]


# keepalived's configuration and what it says of itself


def configured_instances(config: str) -> Dict[str, Dict[str, int]]:
    """{instance: its virtual_router_id and priority} of a configuration of ours."""
    instances: Dict[str, Dict[str, int]] = {}
    for name, body in _INSTANCE.findall(config):
        words = [line.split() for line in body.splitlines()]
        instances[name] = {
            _INSTANCE_FIELDS[line[0]]: int(line[1])
            for line in words
            if len(line) == 2 and line[0] in _INSTANCE_FIELDS and line[1].isdigit()
        }
    return instances


def has_loaded(config: str, instances: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether the instances that keepalived reports are those of the configuration, as far as it tells."""
    configured = configured_instances(config)
    return set(configured) == set(instances) and all(
        instances[name].get(key) == value for name, values in configured.items() for key, value in values.items()
    )
