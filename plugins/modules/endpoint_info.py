#!/usr/bin/python
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_info
short_description: Read what a balancer of a Kubernetes API endpoint really does
version_added: 1.0.0
author:
  - The kubeha.apiserver authors (@kubeha)
description:
  - Reads addresses, packages, services or static pods, deployed files, and what HAProxy and keepalived are doing, in
    one quick call.
  - Needs nothing on the host but Python 3.9. Addresses come from the kernel by netlink, HAProxy's state from its
    stats socket.
  - Never fails because a host is odd. Where a part can't be read, RV(errors) says so and that part is empty.
  - With O(wait) it returns as soon as the host does what the plan expects of it, or when the time is over. That it
    doesn't is no failure of this module either; M(kubeha.apiserver.endpoint_verify) judges.
  - In a play, its action plugin fills in O(host) and O(expect), and cuts O(plan) down to what concerns the host.
extends_documentation_fragment:
  - kubeha.apiserver._attributes
  - kubeha.apiserver._attributes.info_module
attributes:
  action:
    description:
      - Indicates this has a corresponding action plugin so some parts of the options can be executed on the controller.
    support: partial
    details:
      - What is expected of a host depends on the other members, and is worked out on the controller.
options:
  plan:
    description:
      - The plan, as M(kubeha.apiserver.endpoint_plan) returns it. With it the module knows VIPs, ports and backends.
      - Without it, the plan that is stored on the host serves, and nothing is waited for.
    type: dict
  host:
    description:
      - The host's name in the plan. The default is its name in the inventory.
    type: str
  wait:
    description: Wait for at most this many seconds until the host does what O(plan) and O(expect) say.
    type: float
    default: 0
  expect:
    description:
      - Whether this host holds the VIPs, by the endpoint's name. V(true), V(false), or V(null) where either is right.
      - In a play this is worked out unless it's set. The most preferred member that has the endpoint deployed holds,
        where failback is on.
    type: dict
  settle:
    description:
      - Seconds for which holding or not holding must have lasted to be believed.
      - The default is one and a half times what a backup takes to miss its master. How long it lasted already, before
        the module ran, counts.
    type: float
  connect:
    description:
      - Connect to each VIP from this host, by TCP and then with a TLS request for the health path, and to the API
        servers that HAProxy doesn't see.
    type: bool
    default: false
  connect_timeout:
    description: Seconds until an attempt to connect is given up.
    type: float
    default: 1
  keepalived_dump:
    description:
      - Ask keepalived for the state and the effective priority of its instances. With O(wait), a host is ready only
        when none of them is in fault, which nothing else tells.
      - It's asked by the signal that makes it write C(/tmp/keepalived.json), which Debian's and most other builds
        do. It's sent only to a process that says it expects this signal.
    type: bool
    default: false
  listen:
    description:
      - Listen for VRRP for this many seconds, for packets with the host's virtual router IDs that aren't its members'
        adverts. What keepalived rejects meanwhile is told with O(keepalived_dump).
      - keepalived sends once a second where nobody has told it otherwise.
      - Without O(plan), everything else is looked at meanwhile.
    type: float
    default: 0
  gate:
    description:
      - Wait for what has to be proven of a host that was just changed, instead of all that O(plan) expects. That
        C(daemons) run what is deployed and are well, that HAProxy still sees an API server of the endpoints in C(up),
        and that each VIP is held once, as the network says. C(held) are VIPs that were held before, and by whom. They
        have to be held; one that had several holders may have the same ones.
      - API servers that are down hold nothing against this host.
      - A host that doesn't prove it in time fails; nothing but RV(unmet) is returned then.
    type: dict
  ports:
    description: TCP ports to look for in RV(listeners), besides those of the plan.
    type: list
    elements: int
    default: []
seealso:
  - module: kubeha.apiserver.endpoint_plan
  - module: kubeha.apiserver.endpoint_verify
"""

EXAMPLES = r"""
- name: Read what this host does
  kubeha.apiserver.endpoint_info:
  register: info

- name: Show who holds a VIP
  ansible.builtin.debug:
    msg: "{{ inventory_hostname }} holds {{ info.holds | join(', ') }}"
  when: info.holds | length > 0

- name: Wait until this host does what the plan says
  kubeha.apiserver.endpoint_info:
    plan: "{{ result.plan }}"
    wait: 60
    connect: true
  register: info
"""

RETURN = r"""
notes_lost:
  description: Notes of what this collection has put here that are gone or can't be read, of roles that are deployed.
  returned: always
  type: list
  elements: str
  sample: []
interfaces:
  description: Network interfaces.
  returned: always
  type: list
  elements: dict
  sample: [{name: eth0, index: 2, up: true, carrier: true, mtu: 1500, mac: "02:00:00:00:00:01", kind: device}]
identity:
  description:
    - Which machine this is, by its own words. Two names whose machines have the same C(boot_id), the same network
      namespace C(netns) and no interface with another C(macs) are one machine.
    - The boot ID alone is shared by containers of one kernel, C(machine_id) by cloned machines, and both by machines
      that were resumed from one snapshot; C(machine_id) counts where there is no boot ID. C(name) is for people.
  returned: always
  type: dict
  sample:
    machine_id: 5d3a1f0e7c8b4b5f9a6d2c1e0f4b7a89
    boot_id: 0b8f9d0e-3c55-4d2b-8a67-1f2e3d4c5b6a
    netns: "net:[4026531840]"
    name: cp1
    macs: {eth0: "02:00:00:00:00:01"}
networks:
  description:
    - Addresses that others can reach, so without loopback and link-local ones.
    - C(vip) marks addresses that the plan has as VIPs.
  returned: always
  type: list
  elements: dict
  sample:
    - {interface: eth0, address: 198.51.100.11, prefix: 24, family: ipv4, scope: global, flags: [], vip: false}
holds:
  description: VIPs that are on this host's interfaces now.
  returned: always
  type: list
  elements: str
  sample: [198.51.100.100]
held_for:
  description: For how many seconds each of them has been there.
  returned: always
  type: dict
  sample: {198.51.100.100: 86400.5}
os:
  description: What this host runs. C(family) is one of C(debian), C(redhat), C(suse) and C(other).
  returned: always
  type: dict
  sample:
    family: debian
    distribution: debian
    version: "12"
    pkg_mgr: apt
    systemd: true
    selinux: absent
    ipv6: true
    python: 3.11.2
    python_path: /usr/bin/python3
users:
  description: Which of the daemons' users exist.
  returned: always
  type: dict
  sample: {haproxy: true, keepalived_script: false}
selinux_booleans:
  description: The booleans that matter, only where SELinux is enforcing.
  returned: always
  type: dict
  sample: {haproxy_connect_any: true}
packages:
  description:
    - Installed versions as the programs themselves tell them, or else the version that would be installed.
  returned: always
  type: dict
  sample:
    haproxy: {path: /usr/sbin/haproxy, installed: 2.6.12, candidate: null}
    keepalived: {path: null, installed: null, candidate: 2.2.7}
deployed:
  description:
    - The plan that is stored on the host, or why it can't be read.
    - Where keepalived's files were made from an earlier one, C(speaks) is that. A run that is under way, or was killed,
      stores the plan with HAProxy's files.
    - C(newer) is whether a later version of the collection wrote what can't be read, C(unsure) whether nobody knows
      which plan keepalived has.
  returned: always
  type: dict
  sample: {plan: null, speaks: null, error: null, newer: false, unsure: false}
files:
  description: SHA-256 of each of the collection's files that exists, hidden where the file holds a secret.
  returned: always
  type: dict
  sample: {/etc/haproxy/haproxy.cfg: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855}
config_owner:
  description: Whose the daemons' configurations are, C(ours), C(package_default), C(foreign) or C(absent).
  returned: always
  type: dict
  sample: {/etc/haproxy/haproxy.cfg: ours, /etc/keepalived/keepalived.conf: absent}
services:
  description: The units as systemd sees them. Times are seconds before now.
  returned: always
  type: dict
  sample:
    haproxy:
      exists: true
      active: active
      sub: running
      enabled: true
      masked: false
      main_pid: 512
      restarts: 0
      active_for: 3600.25
      changed_for: 3600.25
pods:
  description:
    - HAProxy and keepalived as static pods, with the keys of RV(services). C(exists) and C(enabled) are whether the
      manifest is there, C(main_pid) is the daemon as this host counts processes.
    - C(version) is what the running daemon said of itself, C(image) what the manifest names.
    - Empty unless the plan, or the one that is stored here, has static pods.
  returned: always
  type: dict
  sample:
    haproxy:
      exists: true
      active: active
      sub: running
      enabled: true
      main_pid: 4711
      restarts: 0
      active_for: 3600.25
      changed_for: 3600.25
      version: 3.2.4
      image: docker.io/library/haproxy:3.2
static_pod_kubelet:
  description:
    - Whether there's a kubelet that starts static pods. C(running) is true where it has a configuration, which it
      hasn't before C(kubeadm init).
    - C(static_pod_path) is the folder from which it starts static pods.
    - Empty where O(plan) is given and has no static pods.
  returned: always
  type: dict
  sample: {installed: true, running: true, pid: 700, static_pod_path: /etc/kubernetes/manifests}
watchdog:
  description: Whether C(kubeha-watchdog.service) runs. Nothing where systemd couldn't be asked.
  returned: always
  type: bool
  sample: true
gives_way:
  description: The member to which this host's watchdog has given way, because it doesn't hear this host's adverts.
  returned: always
  type: str
  sample: 198.51.100.12
running:
  description:
    - SHA-256 of the configuration that each daemon has loaded, where that's known. keepalived's is hidden where it may
      hold a secret.
  returned: always
  type: dict
  sample: {haproxy: null, keepalived: null}
reload_pending:
  description: Whether an active daemon has loaded something else than the file that is deployed.
  returned: always
  type: dict
  sample: {haproxy: false, keepalived: false}
restart_pending:
  description: Whether an active daemon was started before its program, drop-in or manifest was replaced.
  returned: always
  type: dict
  sample: {haproxy: false, keepalived: false}
haproxy:
  description:
    - What HAProxy says on its stats socket. Only C(hung) and C(error) where there's no socket.
    - C(hung) is true where it takes connections and doesn't answer; C(error) says what failed.
  returned: always
  type: dict
  sample:
    version: 2.6.12
    uptime_s: 3600
    pid: 514
    hung: false
    error: null
    backends:
      kube-apiserver:
        - name: cp1
          address: 198.51.100.11:6443
          status: UP
          check_status: L7OK
          check_code: 200
          last_chk: HTTP status check returned code <200>
          sessions: 4
          changed_for: 3590
keepalived:
  description:
    - C(holders) is what keepalived's notify script noted, with its age in seconds.
    - C(instances) is only there with O(keepalived_dump), which also tells whether it's C(hung). C(can_dump) is false
      where it was built without the means to tell.
    - C(rejected) of an instance counts the packets that it has rejected since it started, by reason. C(rejects) has
      those that each instance rejected during O(listen).
  returned: always
  type: dict
  sample:
    holders: {kube-apiserver-ipv4: {holds: true, age: 86400.5}}
    instances:
      kube-apiserver-ipv4: {state: master, priority: 150, effective_priority: 150, virtual_router_id: 100}
    rejects: {}
    hung: false
    can_dump: true
    error: null
heard:
  description:
    - Packets with virtual router IDs of this host that were heard during O(listen), by sender and kind.
    - C(reason) is null for what is an advert, and says why otherwise. The other keys are those of
      M(kubeha.apiserver.vrrp_scan).
  returned: with O(listen)
  type: list
  elements: dict
  sample:
    - interface: eth0
      mac: "02:00:00:00:00:21"
      source: 198.51.100.21
      family: ipv4
      virtual_router_id: 100
      reason: checksum
      count: 3
haproxy_ignored:
  description:
    - Configuration that others have put beside HAProxy's. Its package's unit may load it; this collection's doesn't.
  returned: always
  type: list
  elements: str
  sample: [/etc/haproxy/conf.d/metrics.cfg]
drain:
  description:
    - Whether this host ranks below all others. C(drained) because somebody wants it left alone, C(moving) because a run
      restarts something on it.
  returned: always
  type: dict
  sample: {drained: false, moving: false}
listening:
  description: Ports of the plan, and of O(ports), on which something listens.
  returned: always
  type: list
  elements: int
  sample: [6443, 8443]
listeners:
  description: The same with addresses.
  returned: always
  type: list
  elements: dict
  sample: [{address: 0.0.0.0, port: 8443}]
connect:
  description:
    - What happened when this host connected to each VIP. C(tcp) is one of C(ok), C(refused), C(timeout),
      C(unreachable) and C(error). C(local) is true where this host itself holds the VIP.
  returned: always
  type: list
  elements: dict
  sample:
    - endpoint: kube-apiserver
      address: 198.51.100.100
      port: 8443
      local: false
      source: 198.51.100.12
      tcp: ok
      http_status: 200
      millis: 3.2
      error: null
apiservers:
  description: Whether something listens on the API servers that HAProxy doesn't see, as tried from this host.
  returned: always
  type: dict
  sample: {"198.51.100.13:6443": false}
claims:
  description: Which members have each VIP, as the network says.
  returned: with O(gate)
  type: dict
  sample: {198.51.100.100: [cp1]}
met:
  description: Whether the host does what the plan expects of it.
  returned: when O(plan) and O(host) are known
  type: bool
unmet:
  description: What it doesn't do yet.
  returned: when O(plan) and O(host) are known
  type: list
  elements: str
waited:
  description: Seconds that this took.
  returned: when O(plan) and O(host) are known
  type: float
at:
  description: When this was, in seconds since 1970 by the host's clock.
  returned: always
  type: float
lease:
  description:
    - Where a run has stopped keepalived for a change. C(run) is which one, C(since) how many seconds ago that began and
      C(left) in how many its word ends, C(phase) whether keepalived is C(silent) or C(speaking), and C(why) what
      C(kubeha-lease.service) has found.
  returned: always
  type: dict
  sample: {}
looked:
  description: When the look began, as RV(kubeha.apiserver.endpoint_files#module:at).
  returned: always
  type: str
errors:
  description: Parts that couldn't be read, and why.
  returned: always
  type: dict
  sample: {}
unseen:
  description: Parts that only root can see, where the module isn't run as root.
  returned: always
  type: list
  elements: str
  sample: []
certificates:
  description:
    - Names and addresses of the certificates of API servers, by endpoint and host, with O(connect). These are this
      host's API server and those of hosts that balance nothing.
  returned: always
  type: dict
  sample: {kube-apiserver: {cp1: {dns: [kubernetes, cp1], ip: [10.96.0.1, 198.51.100.11, 198.51.100.100]}}}
kubelet:
  description: The kubelet of this host, and its options that name addresses, with O(connect). Empty where there's none.
  returned: always
  type: dict
  sample: {running: true, name: kubelet, options: {node-ip: 198.51.100.11}}
node:
  description:
    - Name and addresses of this node as the cluster has them, asked with the kubelet's credentials, with O(connect).
      Empty where this host is no node or no API server answers.
  returned: always
  type: dict
  sample: {name: cp1, addresses: [198.51.100.11]}
"""

import glob
import os
import platform
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Set, Tuple, cast

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.cluster import _cluster_io
from ..module_utils.daemons import _haproxy, _keepalived_state, _podstate, _process_io, _running_io
from ..module_utils.deploy import _records_io
from ..module_utils.host import _deployed_io, _host_io, _hostfacts, _ownership, _parts
from ..module_utils.model import _accessors, _paths, _planfile, _pod_paths, _secrets
from ..module_utils.proof import _host_status
from ..module_utils.run import _lease_io, _run_lock_io
from ..module_utils.segment import _claims_io, _scan_io, _strangers

if TYPE_CHECKING:
    from ..module_utils.model._model import Backend, Endpoint, Plan
    from ..module_utils.model._observation import (
        Attempt,
        Daemon,
        HAProxy,
        Holder,
        Instance,
        Keepalived,
        Lasting,
        Link,
        Network,
        Observation,
        Package,
        Seen,
        StaticPodKubelet,
    )

    # What was heard of strangers, and what keepalived said where it was asked.
    Heard = Tuple[List[Dict[str, Any]], Optional[Keepalived]]

HOLDER_FOLDER = "/run/kubeha/keepalived"
HOLDER_PREFIX = "holder-"
SELINUX_FOLDER = "/sys/fs/selinux"
DAEMONS = ("haproxy", "keepalived")
WATCHDOG = "kubeha-watchdog"
CONFIG = {"haproxy": _paths.HAPROXY_CONFIG, "keepalived": _paths.KEEPALIVED_CONFIG}
OUR_FILES = (
    *CONFIG.values(),
    *_paths.DROP_INS.values(),
    _paths.CHECK,
    _paths.NOTIFY,
    _paths.UNIT_HOOK,
    _paths.SYSCTL_FILE,
    _paths.PLAN_FILE,
    *_pod_paths.CONFIG.values(),
    *_pod_paths.RUN.values(),
    _pod_paths.START,
    _pod_paths.CHECK,
    _pod_paths.NOTIFY,
    _pod_paths.RELEASE,
    *_pod_paths.RELEASE_UNITS,
    _paths.TMPFILES,
    _paths.WATCHDOG,
    *_paths.PARTS,
    _paths.WATCHDOG_UNIT,
    _paths.METRICS,
    *_paths.METRICS_UNITS,
    _paths.RECORDER,
    _paths.RECORDER_UNIT,
    _paths.HOOK,
    *_paths.HOOK_UNITS,
    _paths.HOOK_TMPFILES,
)
USERS = ("haproxy", "keepalived_script")
SELINUX_BOOLEANS = ("haproxy_connect_any", "keepalived_connect_any")
PACKAGE_MANAGERS = ("apt-get", "dnf5", "dnf", "yum", "zypper")

HAPROXY_MORE = "/etc/haproxy/conf.d/*.cfg"

COMMAND_SECONDS = 5.0
CANDIDATE_SECONDS = 20.0
SOCKET_SECONDS = 0.5
DUMP_SECONDS = 0.5
# A host without any time to spare isn't hung.
HUNG_SECONDS = 2.0
PROBE_SECONDS = 0.3
POLL_SECONDS = 0.1
ASK_SECONDS = 0.3
UNITS_SECONDS = 0.5


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "plan": {"type": "dict"},
            "host": {"type": "str"},
            "wait": {"type": "float", "default": 0},
            "expect": {"type": "dict"},
            "settle": {"type": "float"},
            "connect": {"type": "bool", "default": False},
            "connect_timeout": {"type": "float", "default": 1},
            "keepalived_dump": {"type": "bool", "default": False},
            "listen": {"type": "float", "default": 0},
            "gate": {"type": "dict"},
            "ports": {"type": "list", "elements": "int", "default": []},
        },
        supports_check_mode=True,
    )
    params = module.params
    for name, holds in (params["expect"] or {}).items():
        if holds not in (True, False, None):
            module.fail_json(msg="expect: %s must be true, false or null, not %r" % (name, holds))
    if params["plan"] and not isinstance(params["plan"].get("endpoints"), list):
        module.fail_json(msg="plan: it must be a plan, as endpoint_plan returns it")
    if params["wait"] > 0 and not (params["plan"] and params["host"]):
        module.fail_json(msg="wait needs plan and host")
    module.exit_json(changed=False, **Observer(params).result())


class Observer(_parts.Parts):
    """What is observed of this host."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(os.geteuid() == 0)
        self.looked = str(_run_lock_io.clock())
        self.params = params
        self.configs: Dict[str, Optional[bytes]] = {}
        self.deployed = _deployed_io.read_deployed()
        stored = self.deployed.plan or _planfile.NO_PLAN
        self.plan: Plan = params["plan"] or stored
        self.mode = "service" if _podstate.manifest_dir(self.plan) is None else "static_pod"
        # Where the kubelet would read their manifests; None without static pods, planned or deployed.
        self.manifests = _podstate.manifest_dir(self.plan) or _podstate.manifest_dir(stored)
        self.hearing: Optional[Future[Heard]] = None
        if not params["plan"] and self._listens():
            self.hearing = ThreadPoolExecutor(1).submit(self._hear)
        self.still: Lasting = self._still()
        self.ports = planned_ports(self.plan) | set(params["ports"])
        # VIPs of the stored plans too: one that was given up should be gone.
        self.vips = planned_vips(self.plan)
        self.vips.update(self.deployed.vips)
        self.unchanged_since: Dict[str, Tuple[Any, float]] = {}

    def result(self) -> Observation:
        begun = time.monotonic()
        while True:
            info = self._observe()
            if not (self.params["plan"] and self.params["host"]):
                self._ask_once(info)
                self._ask(info)
                return self._whole(info)
            unmet = self._unmet(info)
            late = time.monotonic() - begun >= self.params["wait"]
            pause = POLL_SECONDS
            if late or not unmet:
                # What costs others something is asked only when all else is right, or when nothing more will be.
                self._ask(info)
                unmet = self._unmet(info) or self._unsettled(info)
                pause = ASK_SECONDS
            if late or not unmet:
                info["met"], info["unmet"], info["waited"] = not unmet, unmet, round(time.monotonic() - begun, 3)
                self._ask_once(info)
                return self._whole(info)
            time.sleep(pause)

    def _whole(self, info: Seen) -> Observation:
        return {**self.still, **info, "at": round(time.time(), 3), "looked": self.looked, "errors": self.errors,
                "unseen": sorted(self.unseen)}

    # What doesn't change while the module runs

    def _still(self) -> Lasting:
        # Commands are slow beside everything else, so all run at the same time.
        binaries = {name: _host_io.find_binary(name) for name in DAEMONS}
        system = self.read("os", describe_system, {"family": "other", "pkg_mgr": "", "systemd": False})
        said = _host_io.together(self._commands(binaries, system))
        paths = OUR_FILES + tuple(self._manifest(name) for name in DAEMONS if self.manifests)
        contents = {path: self.read(path, partial(_host_io.read_file, path), None) for path in paths}
        self.configs = {name: contents.get(path) for name, path in self._layout().config.items()}
        shipped = _ownership.parse_shipped(self._output(said, "shipped"))
        sums = {path: sha256(content).hexdigest() for path, content in contents.items() if content is not None}
        self.units, self.units_read = _hostfacts.parse_units(self._output(said, "units")), time.monotonic()
        return {
            "os": system,
            "users": {name: _host_io.has_user(name) for name in USERS},
            "selinux_booleans": self._selinux_booleans(system),
            "packages": self._packages(binaries, said, system),
            "deployed": {"plan": self.deployed.plan, "speaks": self.deployed.speaks, "error": self.deployed.error,
                         "newer": self.deployed.newer, "unsure": self.deployed.unsure},
            # Of a short password its checksum tells as much as the password.
            "files": {path: _secrets.HIDDEN if _secrets.are_in((contents[path] or b"").decode("utf-8", "replace"))
                      else said for path, said in sums.items()},
            "config_owner": {path: _ownership.classify(path, contents[path], shipped) for path in CONFIG.values()},
            "notes_lost": self._notes_lost(),
        }

    def _notes_lost(self) -> List[str]:
        """Only root reads them."""
        if not self.is_root:
            self.hide("notes_lost")
            return []
        lost: List[str] = self.read("notes_lost", _records_io.missing, [])
        return lost

    def _commands(
        self, binaries: Mapping[str, Optional[str]], system: Mapping[str, Any]
    ) -> Dict[str, Callable[[], _host_io.Output]]:
        argvs: Dict[str, List[str]] = {}
        if binaries["haproxy"]:
            argvs["haproxy"] = [binaries["haproxy"], "-v"]
        if binaries["keepalived"]:
            argvs["keepalived"] = [binaries["keepalived"], "--version"]
        if system["systemd"]:
            argvs["units"] = units_command()
        installed = [name for name in DAEMONS if binaries[name]]
        shipped = _ownership.shipped_command(system["family"], installed)
        if installed and shipped:
            argvs["shipped"] = shipped
        calls: Dict[str, Callable[[], _host_io.Output]] = {
            name: partial(_host_io.run, argv, COMMAND_SECONDS) for name, argv in argvs.items()
        }
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
    ) -> Dict[str, Package]:
        parsers = {"haproxy": _haproxy.parse_version, "keepalived": _keepalived_state.parse_version}
        versions = _hostfacts.parse_candidates(system["pkg_mgr"], self._output(said, "candidates"))
        return {
            name: {
                "path": binaries[name],
                "installed": parsers[name](self._output(said, name)) if binaries[name] else None,
                "candidate": versions.get(name),
            }
            for name in DAEMONS
        }

    def _selinux_booleans(self, system: Mapping[str, Any]) -> Dict[str, bool]:
        if system.get("selinux") != "enforcing":
            return {}
        paths = {name: "%s/booleans/%s" % (SELINUX_FOLDER, name) for name in SELINUX_BOOLEANS}
        read = _host_io.read_text
        texts = {name: self.read("selinux_booleans", partial(read, path), "") for name, path in paths.items()}
        values = {name: _hostfacts.parse_selinux_boolean(text) for name, text in texts.items()}
        return {name: value for name, value in values.items() if value is not None}

    # What does

    def _observe(self) -> Seen:
        links = self.read("interfaces", _host_io.read_links, [])
        addresses = self.read("networks", _host_io.read_addresses, [])
        networks = describe_networks(links, addresses, self.vips)
        now = time.monotonic()
        held = {
            address.address: round(max(0.0, now - address.created), 3) if address.created is not None else 0.0
            for address in addresses
            if address.address in self.vips
        }
        services = self._services()
        pods = self.read("pods", self._pods, {})
        daemons = self._daemons(services, pods)
        listeners = self.read("listening", partial(read_listeners, self.ports), [])
        haproxy = cast("HAProxy", {
            **_host_status.NO_HAPROXY, **_running_io.ask_haproxy(self._layout().socket, SOCKET_SECONDS)})
        if haproxy["error"] and not os.access(self._layout().socket, os.W_OK):
            self.hide("haproxy")
        said = {"haproxy": haproxy.get("description")}
        running = {name: _running_io.running(name, self.mode == "static_pod", said.get(name)) for name in DAEMONS}
        return {
            "interfaces": [describe_link(link) for link in links],
            "identity": self.read("identity", partial(_host_io.read_identity, links), {}),
            "networks": networks,
            "holds": list(held),
            "held_for": held,
            "services": services,
            "pods": pods,
            "static_pod_kubelet": self._static_pod_kubelet(),
            "watchdog": self.units[WATCHDOG].get("ActiveState") == "active" if WATCHDOG in self.units else None,
            "gives_way": self.read("gives_way", partial(_host_io.first_word, _paths.GIVES_WAY), None),
            "running": {name: it.config if it.config is None or name == "haproxy"
                        or it.config in self.still["files"].values() else _secrets.HIDDEN
                        for name, it in running.items()},
            "reload_pending": {
                name: daemons[name]["active"] == "active" and config is not None and running[name].needs_reload(config)
                for name, config in self.configs.items()
            },
            "restart_pending": {
                name: daemons[name]["active"] == "active" and self.read(
                    "restart_pending", partial(self._restart_pending, name, daemons[name], running[name]), False)
                for name in DAEMONS
            },
            "haproxy": haproxy,
            "keepalived": {**_host_status.NO_KEEPALIVED, "holders": self.read("holders", read_holders, {})},
            "haproxy_ignored": sorted(glob.glob(HAPROXY_MORE)),
            "drain": {"drained": self.read("drain", partial(is_set, _paths.DRAINED), False),
                      "moving": self.read("drain", partial(is_set, _paths.MOVING), False)},
            "listening": sorted({port for _address, port in listeners}),
            "listeners": [{"address": address, "port": port} for address, port in listeners],
            "connect": [],
            "apiservers": {},
            "certificates": {},
            "kubelet": {},
            "node": {},
            "lease": {},
        }

    def _services(self) -> Dict[str, Daemon]:
        if self.still["os"]["systemd"] and time.monotonic() - self.units_read > UNITS_SECONDS:
            said = {"units": _host_io.run(units_command(), COMMAND_SECONDS)}
            self.units = _hostfacts.parse_units(self._output(said, "units"))
            self.units_read = time.monotonic()
        now = time.monotonic()
        return {name: cast("Daemon", _hostfacts.describe_unit(self.units.get(name, {}), now)) for name in DAEMONS}

    def _manifest(self, name: str) -> str:
        return _pod_paths.manifest_path(self.manifests or "", name)

    def _pods(self) -> Dict[str, Daemon]:
        return {name: describe_pod(name, self._manifest(name)) for name in DAEMONS} if self.manifests else {}

    def _static_pod_kubelet(self) -> StaticPodKubelet:
        """Where it concerns nobody it isn't looked for again and again."""
        wanted = self.manifests is not None or self.params["plan"] is None
        found: StaticPodKubelet = self.read("static_pod_kubelet", _process_io.find_kubelet, {}) if wanted else {}
        return found

    def _daemons(self, services: Dict[str, Daemon], pods: Dict[str, Daemon]) -> Dict[str, Daemon]:
        """Whatever the plan has them be."""
        return pods if self.mode == "static_pod" and pods else services

    def _layout(self) -> _paths.Layout:
        return _paths.LAYOUTS[self.mode]

    def _restart_pending(self, name: str, daemon: Daemon, running: _running_io.Running) -> bool:
        if self.mode == "static_pod":
            wanted = _podstate.execution_of(_host_io.read_text(self._manifest(name)))
        elif not daemon["main_pid"]:
            return False
        elif os.readlink("/proc/%d/exe" % daemon["main_pid"]).endswith(" (deleted)"):
            return True
        else:
            wanted = _hostfacts.parse_execution(_host_io.read_text(_paths.DROP_INS[name])) or ""
        return wanted != "" and running.needs_restart(wanted)

    def _ask(self, info: Seen) -> None:
        """What is learnt only by connecting, and by a signal to keepalived."""
        self._connect(info)
        if self.params["gate"]:
            deployed = (self.deployed.keepalived or _planfile.NO_PLAN)["endpoints"]
            info["claims"] = self.read(
                "claims", partial(_claims_io.claims, self._mine(), self.params["host"], deployed), None)
        keepalived: Optional[Keepalived] = None
        if self._listens():
            info["heard"], keepalived = self.hearing.result() if self.hearing else self._hear()
        elif self.params["keepalived_dump"]:
            keepalived = self._dump()
        if keepalived is not None:
            info["keepalived"] = {**keepalived, "holders": info["keepalived"]["holders"]}

    def _listens(self) -> bool:
        return self.params["listen"] > 0 and bool(self.params["host"])

    def _hear(self) -> Heard:
        """Packets that nobody should send, and what keepalived says of itself and makes of them meanwhile."""
        keepalived = self._dump() if self.params["keepalived_dump"] else None
        interfaces = _strangers.interfaces_of(self.plan, self.params["host"])
        scan = self.read("listen", partial(_scan_io.scan, interfaces, self.params["listen"]), {})
        self.hide("listen")  # only root gets packets that aren't its own
        if keepalived and keepalived["instances"]:
            after = self._dump()["instances"]
            keepalived["rejects"] = _keepalived_state.rejected_since(keepalived["instances"], after)
        return _strangers.heard_of(self.plan, self.params["host"], scan), keepalived

    def _connect(self, info: Seen) -> None:
        """Try the VIPs, and what HAProxy doesn't see."""
        if not self.params["connect"] or not self.params["host"]:
            return
        seconds = self.params["connect_timeout"]
        attempts: Dict[Any, Callable[[], Any]] = {
            ("vip", item["name"], vip["address"]): partial(connect, item, vip["address"], info["holds"], seconds)
            for item in self._mine()
            for vip in item["vips"]
        }
        for item in self._mine():
            for backend in unseen_backends(item, info):
                address, port = backend["address"], backend["port"]
                key = ("apiserver", _host_status.address_port(address, port))
                attempts[key] = partial(listens, address, port, min(seconds, PROBE_SECONDS))
        done = _host_io.together(attempts)
        info["connect"] = [result for key, result in done.items() if key[0] == "vip"]
        info["apiservers"] = {key[1]: result for key, result in done.items() if key[0] == "apiserver"}

    def _ask_once(self, info: Seen) -> None:
        """What changes with nobody's waiting."""
        info["lease"] = self.read("lease", _lease_io.look, {})
        self._ask_cluster(info)

    def _ask_cluster(self, info: Seen) -> None:
        """What Kubernetes makes of the endpoint."""
        if not self.params["connect"] or not self.params["host"]:
            return
        seconds, kubelet = self.params["connect_timeout"], self.read("kubelet", _cluster_io.read_kubelet, {})
        calls: Dict[str, Callable[[], Any]] = {
            item["name"]: partial(_cluster_io.read_certificates, item, self.params["host"], seconds)
            for item in self._mine()
        }
        certificates = _host_io.together(calls)
        for errors in (item[1] for item in certificates.values()):
            self.errors.update({"certificate of %s" % name: error for name, error in errors.items()})
        info["certificates"] = {name: found for name, (found, dummy) in certificates.items() if found}
        info["kubelet"] = kubelet
        info["node"] = self.read("node", partial(_cluster_io.read_node, kubelet.get("options", {}), seconds), {})

    def _dump(self) -> Keepalived:
        find = _process_io.find_service if self.mode == "service" else _process_io.find_pod
        process = find("keepalived")
        nothing = _host_status.NO_KEEPALIVED
        if process is None:
            return {**nothing, "error": "not running"}
        try:
            try:
                instances = _process_io.dump_keepalived(process, DUMP_SECONDS)
            except _host_io.Timeout:
                instances = _process_io.dump_keepalived(process, HUNG_SECONDS)
            return {**nothing, "instances": cast("Dict[str, Instance]", instances)}
        except _host_io.Timeout as error:
            return {**nothing, "error": str(error), "hung": True}
        except _keepalived_state.CannotDump as error:
            return {**nothing, "error": str(error), "can_dump": False}
        except (OSError, _keepalived_state.DumpError) as error:
            if isinstance(error, PermissionError):
                self.hide("keepalived")
            return {**nothing, "error": str(error)}

    # Beside what is expected

    def _mine(self) -> List[Endpoint]:
        return _accessors.endpoints_of(self.plan, self.params["host"])

    def _unmet(self, info: Seen) -> List[str]:
        host, seen = self.params["host"], self._whole(info)
        if self.params["gate"]:
            gate = _host_status.Gate(claims=info.get("claims"), **self.params["gate"])
            return _host_status.not_proven(self.plan, host, seen, gate)
        expected = {name: {host: holds} for name, holds in (self.params["expect"] or {}).items()}
        return _host_status.unmet(self.plan, host, seen, expected)

    def _unsettled(self, info: Seen) -> List[str]:
        settle = self.params["settle"]
        if settle is None:
            settle = _accessors.settle_seconds(self.plan, self.params["host"])
        lasting = {endpoint["name"]: self._lasting(endpoint, info) for endpoint in self._mine()}
        return [
            "%s: for only %.1f s as it is, of %.1f s" % (name, seconds, settle)
            for name, seconds in lasting.items()
            if self.params["wait"] > 0 and seconds < settle and self._settles()
        ]

    def _settles(self) -> bool:
        """A HAProxy that was reloaded moves no VIP."""
        return not self.params["gate"] or "keepalived" in self.params["gate"]["daemons"]

    def _lasting(self, endpoint: Endpoint, info: Seen) -> float:
        """For how long an endpoint's VIPs have been here, or not here, with keepalived well.

        Seen by ourselves; or told by keepalived; or by the kernel, which notes when an address came, and by the time
        of the last notify.
        """
        now = time.monotonic()
        held = [vip["address"] for vip in endpoint["vips"] if vip["address"] in info["holds"]]
        names = [instance["name"] for instance in endpoint["instances"]]
        states = info["keepalived"]["instances"]
        seen = (tuple(held), tuple(_host_status.states_of(endpoint, info).values()))
        before, since = self.unchanged_since.get(endpoint["name"], (None, now))
        if before != seen:
            since = now
        self.unchanged_since[endpoint["name"]] = (seen, since)
        began = [states[name].get("last_transition") if name in states else None for name in names]
        if all(began):
            told = [time.time() - (moment or 0) for moment in began]
            # That is by a clock that may have been set since. These aren't.
            told += [info["held_for"][address] for address in held]
            running = self._daemons(info["services"], info["pods"])["keepalived"]["active_for"]
            told += [] if running is None else [running]
        elif held:
            told = [info["held_for"][address] for address in held]
        else:
            notes = info["keepalived"]["holders"]
            told = [notes[name]["age"] if name in notes and not notes[name]["holds"] else 0.0 for name in names]
            told.append(self._daemons(info["services"], info["pods"])["keepalived"]["changed_for"] or 0.0)
        lasting: float = max(now - since, min(told))
        return lasting

    def _output(self, said: Mapping[str, _host_io.Output], name: str) -> str:
        if name not in said:
            return ""
        if said[name].error:
            self.errors[name] = said[name].error
        return said[name].text


def describe_system() -> Dict[str, Any]:
    release = _host_io.read_text("/etc/os-release") or _host_io.read_text("/usr/lib/os-release")
    return dict(
        _hostfacts.parse_os_release(release),
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
    enforce = _host_io.read_file(SELINUX_FOLDER + "/enforce")
    if enforce is not None:
        return "enforcing" if enforce.strip() == b"1" else "permissive"
    return "disabled" if os.path.exists("/etc/selinux/config") else "absent"


def units_command() -> List[str]:
    properties = ",".join(_hostfacts.UNIT_PROPERTIES)
    return ["systemctl", "show", "--property=" + properties] + [name + ".service" for name in (*DAEMONS, WATCHDOG)]


def describe_link(link: Any) -> Link:
    return {
        "name": link.name,
        "index": link.index,
        "up": link.up,
        "carrier": link.carrier,
        "mtu": link.mtu,
        "mac": link.mac,
        "kind": link.kind,
    }


def describe_networks(links: List[Any], addresses: List[Any], vips: Set[str]) -> List[Network]:
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


def planned_vips(plan: Plan) -> Set[str]:
    return {vip["address"] for endpoint in plan.get("endpoints", ()) for vip in endpoint.get("vips", ())}


def planned_ports(plan: Plan) -> Set[int]:
    return {
        endpoint[key] for endpoint in plan.get("endpoints", ()) for key in ("port", "apiserver_port") if key in endpoint
    }


def read_listeners(ports: Set[int]) -> List[Tuple[str, int]]:
    found: List[Tuple[str, int]] = []
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        found.extend(_hostfacts.parse_listeners(_host_io.read_text(path) if ports else "", ports))
    return found


def read_holders() -> Dict[str, Holder]:
    try:
        names = os.listdir(HOLDER_FOLDER)
    except FileNotFoundError:
        return {}
    holders: Dict[str, Holder] = {}
    for name in sorted(names):
        path = os.path.join(HOLDER_FOLDER, name)
        if name.startswith(HOLDER_PREFIX):
            age = max(0.0, time.time() - os.stat(path).st_mtime)
            holders[name[len(HOLDER_PREFIX) :]] = {"holds": _process_io.note(path) == "1", "age": round(age, 3)}
    return holders


def describe_pod(name: str, manifest: str) -> Daemon:
    """With the keys of a service, so that nobody who looks at a daemon has to know how it was started."""
    process = _process_io.find_pod(name)
    text = _host_io.read_text(manifest)
    since = None if process is None else round(max(0.0, _host_io.uptime() - process.started), 3)
    images = _podstate.images_of(text)
    return {
        "exists": bool(text),
        "active": "active" if process else "inactive",
        "sub": "running" if process else "dead",
        "enabled": bool(text),
        "main_pid": process.pid if process else None,
        "restarts": 0,
        "active_for": since,
        "changed_for": since,
        "version": _hostfacts.upstream_version(_process_io.note(_podstate.VERSION[name]) or "") if process else None,
        "image": images[0] if images else None,
    }


def unseen_backends(endpoint: Endpoint, info: Seen) -> List[Backend]:
    """Backends that HAProxy doesn't report as up."""
    servers = _host_status.servers_of(endpoint, info)
    up = {name for name, server in servers.items() if _haproxy.is_up(server["status"])}
    return [backend for backend in endpoint["backends"] if backend["name"] not in up]


def connect(endpoint: Endpoint, address: str, holds: List[str], seconds: float) -> Attempt:
    attempt = _host_io.https_get(address, endpoint["port"], endpoint["haproxy"]["check"]["path"], seconds)
    return {
        "endpoint": endpoint["name"],
        "address": address,
        "port": endpoint["port"],
        "local": address in holds,
        "source": attempt.source,
        "tcp": attempt.tcp,
        "http_status": attempt.status,
        "millis": attempt.millis,
        "error": attempt.error,
    }


def listens(address: str, port: int, seconds: float) -> bool:
    return _host_io.https_get(address, port, None, seconds).tcp == "ok"


def is_set(path: str) -> bool:
    return _host_io.first_word(path) == "1"


if __name__ == "__main__":
    main()
