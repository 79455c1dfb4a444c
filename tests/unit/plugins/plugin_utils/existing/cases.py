# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Configurations as people have them, as `endpoint_import_info` returns them. corpus/README.md says what a case is."""

from __future__ import annotations

import typing as t
from pathlib import Path

import yaml
from ansible_collections.kubeha.apiserver.plugins.module_utils.existing import _disclosed

FOLDER = Path(__file__).with_name("corpus")
MANIFESTS = "/etc/kubernetes/manifests/"
MAIN = ("/etc/keepalived/keepalived.conf", "/etc/haproxy/haproxy.cfg")


def cases() -> list[Path]:
    found = sorted(path.parent for path in FOLDER.glob("*/case.yml"))
    if not found:
        raise LookupError("the corpus is empty")
    return found


def read(case: Path) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", yaml.safe_load((case / "case.yml").read_text(encoding="utf-8")))


def existing(case: Path) -> dict[str, t.Any]:
    """{host: what it has}."""
    content = read(case)
    # Sanity tests refuse them in the repository.
    end = {"crlf": "\r\n"}.get(content.get("line_ends", ""), "\n")
    return {host: _host(case / "hosts" / host, facts, end) for host, facts in content["hosts"].items()}


def _host(folder: Path, facts: dict[str, t.Any], end: str) -> dict[str, t.Any]:
    texts = {"/%s" % path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8").replace("\n", end)
             for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".sh"}
    active = facts.get("active") or []
    defined: dict[str, str] = {}
    addresses = [line.split() for line in facts.get("addresses") or []]
    return {
        "schema": 1,
        "addresses": [{"interface": interface, "address": address.partition("/")[0],
                       "prefix": int(address.partition("/")[2])} for interface, address in addresses],
        "files": [
            {"path": path, "role": _role(path, active, texts),
             "text": _disclosed.disclosed(texts[path], _kind(path), defined)}
            for path in sorted(texts, key=lambda path: (path not in MAIN, path))],
        "unread": [],
        "units": [{"name": "%s.service" % name, "active": True, "enabled": True} for name in active],
        "versions": {},
        "server": facts.get("server") or "",
    }


def _role(path: str, active: t.Collection[str], texts: t.Collection[str]) -> str:
    if path.startswith(MANIFESTS):
        return "manifest"
    if "l4lb" in path or "kube-lb" in path:
        return "nginx"
    daemon = "keepalived" if "keepalived" in path else "haproxy"
    pods = any(name.startswith(MANIFESTS) and daemon in name for name in texts)
    return "mounted" if pods and daemon not in active else daemon


def case(name: str) -> Path:
    return next(path for path in cases() if path.name == name)


def _kind(path: str) -> str:
    if path.startswith(MANIFESTS):
        return _disclosed.MANIFEST
    if "l4lb" in path or "kube-lb" in path:
        return _disclosed.NGINX
    return _disclosed.HAPROXY if path.endswith(".cfg") else _disclosed.KEEPALIVED
