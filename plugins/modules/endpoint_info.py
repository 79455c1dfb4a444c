#!/usr/bin/python
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_info
short_description: Read what a balancer of a Kubernetes API endpoint really does
version_added: 1.0.0
author: The kubeha.apiserver authors (@kubeha)
description:
  - Reads addresses, packages, services, deployed files, and what HAProxy and keepalived are doing, in one quick call.
  - Needs nothing on the host but Python 3.9. Addresses come from the kernel by netlink, HAProxy's state from its
    stats socket.
  - Never fails because a host is odd. Where a part can't be read, RV(errors) says so and that part is empty.
extends_documentation_fragment:
  - kubeha.apiserver._attributes
  - kubeha.apiserver._attributes.info_module
options:
  plan:
    description:
      - The plan, as M(kubeha.apiserver.endpoint_plan) returns it. With it the module knows VIPs and ports.
      - Without it, the plan that is stored on the host is used.
    type: dict
  host:
    description: The host's name in the plan. Only needed with O(wait).
    type: str
"""

EXAMPLES = r"""
- name: Read what this host does
  kubeha.apiserver.endpoint_info:
  register: info
"""

RETURN = r"""
interfaces:
  description: Network interfaces, loopback included.
  returned: always
  type: list
  elements: dict
"""

import json
import os
import platform
import pwd
import sys
import time
from functools import partial
from hashlib import sha256
from typing import Any, Callable, Dict, List, Mapping, Optional, Set

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubeha.apiserver.plugins.module_utils import (
    _haproxy,
    _host_io,
    _hostfacts,
    _keepalived_state,
    _ownership,
)

PLAN_PATH = "/etc/kubeha/plan.json"
HAPROXY_CONFIG = "/etc/haproxy/haproxy.cfg"
KEEPALIVED_CONFIG = "/etc/keepalived/keepalived.conf"
HAPROXY_SOCKET = "/var/lib/haproxy/kubeha.sock"
HAPROXY_RUNNING = "/run/kubeha/haproxy/running"
KEEPALIVED_RUNNING = "/run/kubeha/unit/keepalived.running"
KEEPALIVED_STATE = "/run/kubeha/keepalived"
OUR_FILES = (
    HAPROXY_CONFIG,
    KEEPALIVED_CONFIG,
    "/usr/libexec/keepalived/kubeha-check",
    "/usr/libexec/keepalived/kubeha-notify",
    "/usr/libexec/kubeha/unit-hook",
    "/etc/systemd/system/haproxy.service.d/kubeha.conf",
    "/etc/systemd/system/keepalived.service.d/kubeha.conf",
    "/etc/sysctl.d/90-kubeha.conf",
    "/etc/tmpfiles.d/kubeha.conf",
    PLAN_PATH,
)
DAEMONS = ("haproxy", "keepalived")
USERS = ("keepalived_script", "haproxy")
SELINUX_BOOLEANS = ("haproxy_connect_any", "keepalived_connect_any")
PACKAGE_MANAGERS = ("apt-get", "dnf5", "dnf", "yum", "zypper")

COMMAND_SECONDS = 5.0
CANDIDATE_SECONDS = 20.0
SOCKET_SECONDS = 1.0


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "plan": {"type": "dict"},
            "host": {"type": "str"},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, **Observer(module.params["plan"]).observe())


class Observer:
    """Reads each part by itself, so that what can't be read hides nothing else."""

    def __init__(self, plan: Optional[Dict[str, Any]]) -> None:
        self.errors: Dict[str, str] = {}
        self.plan = plan

    def observe(self) -> Dict[str, Any]:
        # Commands are slow beside everything else, so all run at the same time.
        binaries = {name: _host_io.find_binary(name) for name in DAEMONS}
        system = self._try("os", describe_system, {"family": "other", "pkg_mgr": "", "systemd": False})
        said = _host_io.together(self._commands(binaries, system))
        deployed = self._deployed()
        contents = {path: self._try(path, partial(_host_io.read_file, path), None) for path in OUR_FILES}
        files = {path: sha256(content).hexdigest() for path, content in contents.items() if content is not None}
        links = self._try("interfaces", _host_io.read_links, [])
        addresses = self._try("networks", _host_io.read_addresses, [])
        plan = self.plan or deployed["plan"] or {}
        vips = planned_vips(plan)
        networks = describe_networks(links, addresses, vips)
        services = self._services(said)
        running = self._running()
        listeners = self._try("listening", partial(read_listeners, planned_ports(plan)), [])
        return {
            "interfaces": [describe_link(link) for link in links],
            "networks": networks,
            "holds": [network["address"] for network in networks if network["vip"]],
            "os": system,
            "users": {name: has_user(name) for name in USERS},
            "selinux_booleans": self._selinux_booleans(system),
            "packages": self._packages(binaries, said, system),
            "deployed": deployed,
            "files": files,
            "config_owner": self._owners(contents, said),
            "services": services,
            "running": running,
            "reload_pending": reload_pending(services, running, files),
            "listening": sorted({port for _address, port in listeners}),
            "listeners": [{"address": address, "port": port} for address, port in listeners],
            "errors": self.errors,
        }

    def _try(self, part: str, read: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return read()
        except Exception as error:  # pylint: disable=broad-except  # whatever is odd about a host, the rest is wanted
            self.errors[part] = str(error) or type(error).__name__
            return otherwise

    def _commands(
        self, binaries: Mapping[str, Optional[str]], system: Mapping[str, Any]
    ) -> Dict[str, Callable[[], _host_io.Output]]:
        argvs: Dict[str, List[str]] = {}
        if binaries["haproxy"]:
            argvs["haproxy"] = [binaries["haproxy"], "-v"]
        if binaries["keepalived"]:
            argvs["keepalived"] = [binaries["keepalived"], "--version"]
        if system["systemd"]:
            properties = ",".join(_hostfacts.UNIT_PROPERTIES)
            argvs["units"] = ["systemctl", "show", "--property=" + properties] + [n + ".service" for n in DAEMONS]
        installed = [name for name in DAEMONS if binaries[name]]
        shipped = _ownership.shipped_command(system["family"], installed)
        if installed and shipped:
            argvs["shipped"] = shipped
        calls = {name: partial(_host_io.run, argv, COMMAND_SECONDS) for name, argv in argvs.items()}
        missing = [name for name in DAEMONS if not binaries[name]]
        candidates = _hostfacts.candidate_command(system["pkg_mgr"], missing)
        if missing and candidates:
            calls["candidates"] = partial(_host_io.run, candidates, CANDIDATE_SECONDS)
        return calls

    def _packages(
        self,
        binaries: Mapping[str, Optional[str]],
        said: Mapping[str, _host_io.Output],
        system: Mapping[str, Any],
    ) -> Dict[str, Any]:
        parsers = {"haproxy": _haproxy.parse_version, "keepalived": _keepalived_state.parse_version}
        candidates = self._output(said, "candidates")
        versions = _hostfacts.parse_candidates(system["pkg_mgr"], candidates)
        return {
            name: {
                "path": binaries[name],
                "installed": parsers[name](self._output(said, name)) if binaries[name] else None,
                "candidate": versions.get(name),
            }
            for name in DAEMONS
        }

    def _output(self, said: Mapping[str, _host_io.Output], name: str) -> str:
        if name not in said:
            return ""
        if said[name].error:
            self.errors[name] = said[name].error
        return said[name].text

    def _deployed(self) -> Dict[str, Any]:
        try:
            content = _host_io.read_file(PLAN_PATH)
            plan = None if content is None else json.loads(content)
        except (OSError, ValueError) as error:
            return {"plan": None, "error": "%s: %s" % (PLAN_PATH, error)}
        if plan is not None and not (isinstance(plan, dict) and isinstance(plan.get("endpoints"), list)):
            return {"plan": None, "error": "%s isn't a plan" % PLAN_PATH}
        return {"plan": plan, "error": None}

    def _owners(self, contents: Mapping[str, Optional[bytes]], said: Mapping[str, _host_io.Output]) -> Dict[str, str]:
        shipped = _ownership.parse_shipped(self._output(said, "shipped"))
        return {path: _ownership.classify(path, contents[path], shipped) for path in (HAPROXY_CONFIG, KEEPALIVED_CONFIG)}

    def _services(self, said: Mapping[str, _host_io.Output]) -> Dict[str, Any]:
        units = _hostfacts.parse_units(self._output(said, "units"))
        now = time.monotonic()
        return {name: _hostfacts.describe_unit(units.get(name, {}), now) for name in DAEMONS}

    def _running(self) -> Dict[str, Optional[str]]:
        paths = {"haproxy": HAPROXY_RUNNING, "keepalived": KEEPALIVED_RUNNING}
        return {name: self._try("running_" + name, partial(first_word, path), None) for name, path in paths.items()}

    def _selinux_booleans(self, system: Mapping[str, Any]) -> Dict[str, bool]:
        if system.get("selinux") != "enforcing":
            return {}
        found = {}
        for name in SELINUX_BOOLEANS:
            path = "/sys/fs/selinux/booleans/" + name
            content = self._try("selinux_booleans", partial(_host_io.read_file, path), None)
            value = _hostfacts.parse_selinux_boolean((content or b"").decode("ascii", "replace"))
            if value is not None:
                found[name] = value
        return found


def describe_system() -> Dict[str, Any]:
    release = _host_io.read_file("/etc/os-release") or _host_io.read_file("/usr/lib/os-release") or b""
    return dict(
        _hostfacts.parse_os_release(release.decode("utf-8", "replace")),
        pkg_mgr=find_package_manager(),
        systemd=os.path.isdir("/run/systemd/system"),
        selinux=selinux_mode(),
        ipv6=os.path.exists("/proc/net/if_inet6"),
        python=platform.python_version(),
        python_path=sys.executable,
    )


def find_package_manager() -> str:
    found = next((name for name in PACKAGE_MANAGERS if _host_io.find_binary(name)), "")
    return "apt" if found == "apt-get" else found


def selinux_mode() -> str:
    enforce = _host_io.read_file("/sys/fs/selinux/enforce")
    if enforce is not None:
        return "enforcing" if enforce.strip() == b"1" else "permissive"
    return "disabled" if os.path.exists("/etc/selinux/config") else "absent"


def has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def describe_link(link: Any) -> Dict[str, Any]:
    return {
        "name": link.name,
        "index": link.index,
        "up": link.up,
        "carrier": link.carrier,
        "mtu": link.mtu,
        "mac": link.mac,
        "kind": link.kind,
    }


def describe_networks(links: List[Any], addresses: List[Any], vips: Set[str]) -> List[Dict[str, Any]]:
    """Addresses that others can reach. A VIP is among them, and marked: it is no address of the host's own."""
    names = {link.index: link.name for link in links}
    return [
        {
            "interface": names[address.index],
            "address": address.address,
            "prefix": address.prefix,
            "family": address.family,
            "scope": address.scope,
            "flags": list(address.flags),
            "vip": address.address in vips,
        }
        for address in addresses
        if address.index in names and address.scope not in ("host", "link", "nowhere")
    ]


def planned_vips(plan: Mapping[str, Any]) -> Set[str]:
    return {vip["address"] for endpoint in plan.get("endpoints", ()) for vip in endpoint.get("vips", ())}


def planned_ports(plan: Mapping[str, Any]) -> Set[int]:
    return {
        endpoint[key] for endpoint in plan.get("endpoints", ()) for key in ("port", "apiserver_port") if key in endpoint
    }


def read_listeners(ports: Set[int]) -> List[Any]:
    found: List[Any] = []
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        content = _host_io.read_file(path) if ports else None
        found.extend(_hostfacts.parse_listeners((content or b"").decode("ascii", "replace"), ports))
    return found


def first_word(path: str) -> Optional[str]:
    words = (_host_io.read_file(path) or b"").decode("ascii", "replace").split()
    return words[0] if words else None


def reload_pending(
    services: Mapping[str, Any], running: Mapping[str, Optional[str]], files: Mapping[str, str]
) -> Dict[str, bool]:
    """Whether a running daemon loaded something else than the file that is deployed now."""
    paths = {"haproxy": HAPROXY_CONFIG, "keepalived": KEEPALIVED_CONFIG}
    return {
        name: services[name]["active"] == "active" and path in files and running[name] != files[path]
        for name, path in paths.items()
    }


if __name__ == "__main__":
    main()
