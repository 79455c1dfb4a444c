# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Read what somebody else has configured: only plain files of root's, and of those only what may leave the host."""

from __future__ import annotations

import glob
import os
import re
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from ..daemons import _haproxy, _keepalived_state, _process_io, _processes
from ..host import _host_io, _hostfacts
from ..host import _owned_files_io as owned
from . import _disclosed as files

Timeout = _host_io.Timeout
KEEPALIVED_CONF, HAPROXY_CFG = "/etc/keepalived/keepalived.conf", "/etc/haproxy/haproxy.cfg"
# kolla-ansible mounts these into its containers.
_KOLLA = {files.KEEPALIVED: "/etc/kolla/keepalived/keepalived.conf", files.HAPROXY: "/etc/kolla/haproxy/haproxy.cfg"}
_KOLLA_MORE = "/etc/kolla/haproxy/services.d"
_NGINX = ("/etc/l4lb/conf/l4lb.conf", "/etc/kube-lb/conf/kube-lb.conf")
_KUBELET_CONF = "/etc/kubernetes/kubelet.conf"
_NOT_ASKED = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
_UNITS = ("keepalived", "haproxy", "kube-lb", "l4lb", "kolla-keepalived-container", "kolla-haproxy-container")
_SUFFIXES = {".conf": files.KEEPALIVED, ".cfg": files.HAPROXY}
_INCLUDE = re.compile(r"^\s*include[rmwb]?\s+(\S+)\s*$", re.MULTILINE)
_SERVER = re.compile(r"^\s*server:\s*(https://\S+)\s*$", re.MULTILINE)

_FILE_BYTES, _ALL_BYTES, _FILES, _DEPTH = 256 * 1024, 4 * 1024 * 1024, 64, 10
_SECONDS = 5.0


class _Reader:
    """Files with their roles, and those that could not be read."""

    def __init__(self) -> None:
        self.files: List[Dict[str, str]] = []
        self.unread: List[Dict[str, str]] = []
        self._seen: List[str] = []
        self._bytes = 0

    def read(self, path: str, role: str, kind: str, defined: Optional[Dict[str, str]] = None) -> str:
        """What may leave the host of a file; nothing where there is none."""
        if path in self._seen:
            return ""
        self._seen.append(path)
        if len(self.files) >= _FILES or self._bytes > _ALL_BYTES:
            self.unread.append({"path": path, "why": "these are too many files"})
            return ""
        try:
            content = owned.read(path, _FILE_BYTES + 1, seconds=_SECONDS)
        except OSError as error:
            self.unread.append({"path": path, "why": error.strerror or str(error)})
            return ""
        if content is None:
            return ""
        self._bytes += len(content)
        if len(content) > _FILE_BYTES:
            self.unread.append({"path": path, "why": "it is larger than %d KiB" % (_FILE_BYTES // 1024)})
            return ""
        text = files.disclosed(content.decode("utf-8", "replace"), kind, defined)
        self.files.append({"path": path, "role": role, "text": text})
        return text

    def keepalived(self, path: str, defined: Dict[str, str], depth: int = 0) -> None:
        text = self.read(path, files.KEEPALIVED, files.KEEPALIVED, defined)
        for pattern in _INCLUDE.findall(text):
            found = sorted(glob.glob(os.path.join(os.path.dirname(path), pattern)))
            if depth >= _DEPTH:
                self.unread.append({"path": path, "why": "its files include one another"})
            for name in found[:_FILES] if depth < _DEPTH else ():
                self.keepalived(name, defined, depth + 1)

    def haproxy(self, path: str) -> None:
        for name in _in_folder(path, (".cfg",)) or [path]:
            self.read(name, files.HAPROXY, files.HAPROXY)

    def pods(self, folder: str) -> None:
        texts = [self.read(path, files.MANIFEST, files.MANIFEST)
                 for path in _in_folder(folder, (".yaml", ".yml", ".json"))
                 if not os.path.basename(path).startswith(_NOT_ASKED)]
        for place in dict.fromkeys(place for text in texts for place in files.PATH.findall(text)):
            for path in _in_folder(place, tuple(_SUFFIXES)) or [place]:
                kind = _SUFFIXES.get(os.path.splitext(path)[1])
                if kind and "/pki/" not in path and not path.endswith(("/admin.conf", "/kubelet.conf")):
                    self.read(path, "mounted", kind)


def collect(manifest_dir: str) -> Dict[str, Any]:
    """What `endpoint_import_info` returns."""
    reader = _Reader()
    defined: Dict[str, str] = {}
    for path in _loaded("keepalived", KEEPALIVED_CONF, _KOLLA[files.KEEPALIVED]):
        reader.keepalived(path, defined)
    for path in _loaded("haproxy", HAPROXY_CFG, _KOLLA[files.HAPROXY]):
        reader.haproxy(path)
        if path == _KOLLA[files.HAPROXY]:
            reader.haproxy(_KOLLA_MORE)
    for path in _NGINX:
        reader.read(path, files.NGINX, files.NGINX)
    reader.pods(manifest_dir)
    return {
        "schema": 1, "addresses": _addresses(), "files": reader.files, "unread": reader.unread, "units": _units(),
        "versions": _versions(), "server": _server(reader),
    }


def _loaded(daemon: str, usual: str, otherwise: str) -> List[str]:
    """What the service that runs loads, or would."""
    process = _process_io.find_service(daemon)
    loaded = _processes.loaded_files(process.argv if process else [])
    return loaded or [usual if os.path.lexists(usual) else otherwise]


def _in_folder(folder: str, suffixes: Tuple[str, ...]) -> List[str]:
    names = [name for name in _host_io.list_folder(folder) if name.endswith(suffixes) and not name.startswith(".")]
    return [os.path.join(folder, name) for name in names[:_FILES]]


def _addresses() -> List[Dict[str, Any]]:
    names = {link.index: link.name for link in _host_io.read_links()}
    found = [item for item in _host_io.read_addresses() if item.scope not in ("host", "link", "nowhere")]
    return [{"interface": names[item.index], "address": item.address, "prefix": item.prefix}
            for item in found if item.index in names]


def _units() -> List[Dict[str, Any]]:
    command = ["systemctl", "show", "--property=" + ",".join(_hostfacts.UNIT_PROPERTIES)]
    output = _host_io.run(command + [name + ".service" for name in _UNITS], _SECONDS)
    now = time.monotonic()
    units = {name: _hostfacts.describe_unit(properties, now)
             for name, properties in _hostfacts.parse_units(output.text).items()}
    return [{"name": name + ".service", "active": unit["active"] == "active", "enabled": unit["enabled"]}
            for name, unit in units.items() if unit["exists"]]


def _versions() -> Dict[str, str]:
    """As the programs themselves tell them."""
    programs: Mapping[str, Tuple[List[str], Callable[[str], Optional[str]]]] = {
        "haproxy": (["-v"], _haproxy.parse_version), "keepalived": (["--version"], _keepalived_state.parse_version)}
    found = {}
    for name, (arguments, parse) in programs.items():
        path = _host_io.find_binary(name)
        version = parse(_host_io.run([path, *arguments], _SECONDS).text) if path else None
        if version:
            found[name] = version
    return found


def _server(reader: _Reader) -> str:
    """Where the kubelet finds the API. Nothing else of its file is kept."""
    try:
        content = owned.read(_KUBELET_CONF, seconds=_SECONDS) or b""
    except OSError as error:
        reader.unread.append({"path": _KUBELET_CONF, "why": error.strerror or str(error)})
        return ""
    found = _SERVER.search(content.decode("utf-8", "replace"))
    return found.group(1) if found else ""
