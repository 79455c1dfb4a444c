# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""HAProxy and keepalived as static pods, as plain data: what the kubelet is to run, and with which rights.

Pure. A pod is restarted by the kubelet whenever its manifest changes. So a manifest holds only what no reload can
change; configuration is mounted as a folder, and reaches the running process by a signal.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Sequence

if TYPE_CHECKING:
    from ...module_utils.model._model import Endpoint, Image
from ...module_utils.model._pod_paths import DRAIN, EXECUTION, FOLDER, NAMES, NAMESPACE, RUN, STATE

# What admission would give system-node-critical; no admission sees a static pod.
_PRIORITY = 2000001000


def haproxy(image: Image, endpoints: Sequence[Endpoint], run: str) -> Dict[str, Any]:
    """HAProxy's pod: neither root nor any capability, and nothing but its state to write to."""
    user = image["user"]
    health = endpoints[0]["haproxy"]["health"]
    ports = [bind["port"] for endpoint in endpoints for bind in endpoint["haproxy"]["binds"]] + [health["port"]]
    container = _container("haproxy", image)
    container["securityContext"].update(
        runAsUser=user, runAsGroup=user, runAsNonRoot=user != 0,
        capabilities=_capabilities(["NET_BIND_SERVICE"] if user == 0 and min(ports) < 1024 else []))
    container.update({
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
        # The VIP leaves before HAProxy does.
        "lifecycle": {"preStop": {"exec": {"command": ["/bin/sh", RUN["haproxy"], "stopping"]}}},
        # HAProxy's own answer: it's alive though no API server is. Asked by the kubelet itself, at loopback.
        "livenessProbe": {
            "httpGet": {"host": health["address"], "port": health["port"], "path": health["live_path"],
                        "scheme": "HTTP"},
            "initialDelaySeconds": 5, "periodSeconds": 5, "timeoutSeconds": 3, "failureThreshold": 3,
        },
    })
    return _pod("haproxy", container, [
        _mount("config", FOLDER["haproxy"], "Directory", read_only=True),
        # Made by tmpfiles.d: the kubelet would make "stats" for root, and no files.
        _mount("state", STATE["haproxy"], "Directory"),
        _mount("stats", STATE["stats"], "Directory"),
    ], run)


def keepalived(image: Image, run: str) -> Dict[str, Any]:
    """keepalived's pod: addresses and packets of the host's network are its job, and nothing else of the host is."""
    container = _container("keepalived", image)
    container["securityContext"].update(
        runAsUser=0, runAsGroup=0,
        # VRRP's packets and the VIP; to be on time on a starved host; and without SETGID keepalived starts no script,
        # though it takes none of them for failed.
        capabilities=_capabilities(["NET_ADMIN", "NET_RAW", "SETGID", "SYS_NICE"]))
    container["resources"] = {"requests": {"cpu": "25m", "memory": "32Mi"}}
    return _pod("keepalived", container, [
        _scratch("run", "/run"),
        _scratch("tmp", "/tmp"),
        _mount("config", FOLDER["keepalived"], "Directory", read_only=True),
        # It only reads these two, but refuses to watch a file where it couldn't write.
        _mount("haproxy", STATE["haproxy"], "Directory"),
        _mount("drain", DRAIN, "DirectoryOrCreate"),
        _mount("state", STATE["keepalived"], "DirectoryOrCreate"),
        _mount("unit", STATE["unit"], "DirectoryOrCreate"),
    ], run)


def tmpfiles(images: Mapping[str, Image]) -> List[str]:
    """Lines of tmpfiles.d for the folders in /run. HAProxy is down until it says that it isn't.

    Root and keepalived read what HAProxy's user writes, which is only into files that are there: in a folder of its own
    it could put links and pipes.
    """
    user = images["haproxy"]["user"]
    return [
        "d /run/kubeha 0755 root root -",
        "d %s 0755 root root -" % STATE["haproxy"],
        "f %s/down 0644 %d %d - 1" % (STATE["haproxy"], user, user),
        *("f %s/%s 0644 %d %d -" % (STATE["haproxy"], name, user, user)
          for name in ("since", "running", "execution", "version")),
        # Which API servers are up, for the next worker: 1 is the version of the file.
        "f %s/servers 0644 %d %d - 1" % (STATE["haproxy"], user, user),
        "d %s 0700 %d %d -" % (STATE["stats"], user, user),
        "d %s 0755 root root -" % STATE["keepalived"],
        "d %s 0755 root root -" % STATE["unit"],
    ]


def image_auth(header: str, logins: Mapping[str, str]) -> str:
    """The kubelet's file of users and passwords of registries. Keys that it doesn't know mean nothing to it."""
    content = {"#": header, "auths": {registry: {"auth": login} for registry, login in logins.items()}}
    return json.dumps(content, indent=1) + "\n"


def yaml_lines(value: Any) -> List[str]:
    """Plain data as YAML in block style, every text in JSON's quotes: whatever ASCII is in it, it stays one value."""
    if isinstance(value, dict) and value:
        lines = []
        for key, item in value.items():
            below = yaml_lines(item)
            if isinstance(item, (dict, list)) and item:
                lines += ["%s:" % key] + ["  " + line for line in below]
            else:
                lines.append("%s: %s" % (key, below[0]))
        return lines
    if isinstance(value, list) and value:
        return [("  " if number else "- ") + line for item in value for number, line in enumerate(yaml_lines(item))]
    return [json.dumps(value)]


def _container(role: str, image: Image) -> Dict[str, Any]:
    return {
        "name": role,
        "image": image["image"],
        "imagePullPolicy": image["pull_policy"],
        # Said here, whatever the image would start: so any image that has the daemon and a shell will do.
        "command": ["/bin/sh", RUN[role]],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "privileged": False,
            "readOnlyRootFilesystem": True,
            "seccompProfile": {"type": "RuntimeDefault"},
            # Where SELinux is enforced no confined container may write below /run of the host. It means nothing
            # elsewhere.
            "seLinuxOptions": {"type": "spc_t"},
        },
    }


def _pod(role: str, container: Dict[str, Any], mounts: Sequence[Dict[str, Any]], run: str) -> Dict[str, Any]:
    container["volumeMounts"] = [mount["mount"] for mount in mounts]
    spec = {
        "hostNetwork": True,
        "dnsPolicy": "Default",
        "enableServiceLinks": False,
        "priorityClassName": "system-node-critical",
        "priority": _PRIORITY,
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 10,
        "containers": [container],
        "volumes": [mount["volume"] for mount in mounts],
    }
    execution = hashlib.sha256((json.dumps(spec, sort_keys=True) + run).encode()).hexdigest()[:16]
    container["env"] = [{"name": "KUBEHA_EXECUTION", "value": execution}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": NAMES[role],
            "namespace": NAMESPACE,
            "labels": {"app.kubernetes.io/name": role, "app.kubernetes.io/managed-by": "kubeha.apiserver"},
            "annotations": {EXECUTION: execution},
        },
        "spec": spec,
    }


def _capabilities(needed: List[str]) -> Dict[str, Any]:
    return {"drop": ["ALL"], "add": needed} if needed else {"drop": ["ALL"]}


def _mount(name: str, path: str, kind: str, read_only: bool = False) -> Dict[str, Any]:
    """A folder of the host, at the same place inside."""
    return {
        "volume": {"name": name, "hostPath": {"path": path, "type": kind}},
        "mount": {"name": name, "mountPath": path, "readOnly": read_only},
    }


def _scratch(name: str, path: str) -> Dict[str, Any]:
    return {
        "volume": {"name": name, "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}},
        "mount": {"name": name, "mountPath": path},
    }
