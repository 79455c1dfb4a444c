# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network segment of namespaces: hosts on one bridge, with whatever else a network may hold. Needs root.

All addresses are of 198.18.0.0/15 and 2001:db8::/32, and the bridge leads nowhere.
"""

from __future__ import annotations

import ctypes
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import traceback
import typing as t

from ansible_collections.kubeha.apiserver.plugins.module_utils.segment._wire_io import SECONDS, ask
from ansible_collections.kubeha.apiserver.plugins.module_utils.segment._wire_task import wire_task
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan._plan import compute_plan

PREFIXES = {"ipv4": 24, "ipv6": 64}
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_NAME = re.compile(r"kubeha-wire-(\d+)-")
_libc = ctypes.CDLL(None, use_errno=True)


class Process:
    """A function that runs in a namespace, in a process of its own; what it returns comes back as JSON."""

    def __init__(self, namespace: str, function: t.Callable[..., t.Any], *args: t.Any) -> None:
        reader, writer = os.pipe()
        self._reader = reader
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reader)
            code = 1
            try:
                _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
                _enter(namespace)
                with os.fdopen(writer, "w") as out:
                    json.dump(function(*args), out)
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        os.close(writer)

    def result(self) -> t.Any:
        with os.fdopen(self._reader) as source:
            text = source.read()
        _pid, status = os.waitpid(self.pid, 0)
        if status:
            raise RuntimeError(f"a process in a namespace ended with {status}")
        return json.loads(text)

    def stop(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._reader)


class Segment:
    """One bridge. `number` tells its addresses from those of others: 198.18.NUMBER.0/24."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.name = f"kubeha-wire-{os.getpid()}-{number}"
        self.hosts: dict[str, int] = {}
        self._namespaces: list[str] = []
        self._processes: list[Process | subprocess.Popen[bytes]] = []
        self._folders: list[str] = []
        self._links = 0

    def __enter__(self) -> Segment:
        self._namespace(self.switch)
        ip("-n", self.switch, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
        ip("-n", self.switch, "link", "set", "br0", "up")
        return self

    def __exit__(self, *dummy: object) -> None:
        for process in self._processes:
            if isinstance(process, Process):
                process.stop()
            elif process.poll() is None:
                # keepalived's own process is the leader of its group.
                os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(timeout=3)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        for name in self._namespaces:
            ip("netns", "del", name)
        for folder in self._folders:
            shutil.rmtree(folder)

    @property
    def switch(self) -> str:
        return f"{self.name}-switch"

    def namespace(self, host: str) -> str:
        return f"{self.name}-{host}"

    def address(self, host: str, family: str = "ipv4") -> str:
        return self.make(self.hosts[host], family)

    def make(self, index: int, family: str = "ipv4") -> str:
        return f"198.18.{self.number}.{index}" if family == "ipv4" else f"2001:db8:{self.number:x}::{index:x}"

    def add(self, host: str, index: int, mac: str | None = None) -> None:
        """A host with an address of either family, and a port of the bridge that is called as it is."""
        self.hosts[host] = index
        namespace = self.namespace(host)
        self._namespace(namespace)
        more = ["address", mac] if mac else []
        ip("-n", namespace, "link", "add", "eth0", *more, "type", "veth", "peer", "name", host, "netns", self.switch)
        ip("-n", self.switch, "link", "set", host, "master", "br0", "up")
        for family in PREFIXES:
            self.hold(host, self.make(index, family))
        ip("-n", namespace, "link", "set", "eth0", "up")

    def hold(self, host: str, address: str) -> None:
        prefix, nodad = (64, ["nodad"]) if ":" in address else (24, [])
        ip("-n", self.namespace(host), "address", "add", f"{address}/{prefix}", "dev", "eth0", *nodad)

    def mac(self, host: str) -> str:
        text = subprocess.run(
            ["ip", "-j", "-n", self.namespace(host), "link", "show", "eth0"], check=True, capture_output=True
        ).stdout
        return str(json.loads(text)[0]["address"])

    def nft(self, namespace: str, rules: str) -> None:
        """Rules as nft reads them, though blocks may end on the line of their last rule."""
        rules = rules.replace("; }", ";\n}\n")
        subprocess.run(["ip", "netns", "exec", namespace, "nft", "-f", "-"], input=rules.encode(), check=True)

    def process(self, host: str, function: t.Callable[..., t.Any], *args: t.Any) -> Process:
        """Runs until the segment goes."""
        process = Process(self.namespace(host), function, *args)
        self._processes.append(process)
        return process

    @staticmethod
    def run(namespace: str, function: t.Callable[..., t.Any], *args: t.Any) -> Process:
        """Ends by itself; somebody waits for its result."""
        return Process(namespace, function, *args)

    def keepalived(self, host: str, config: str, root: str | None = None) -> Keepalived:
        keepalived = Keepalived(self.namespace(host), config, root)
        self._processes.append(keepalived.process)
        self._folders.append(keepalived.folder)
        return keepalived

    def plan(
        self, hosts: t.Sequence[str], families: t.Sequence[str] = ("ipv4",), vip: int = 100, **intent: t.Any
    ) -> t.Any:
        networks = {
            host: [
                {"interface": "eth0", "address": self.address(host, family), "prefix": prefix}
                for family, prefix in PREFIXES.items()
            ]
            for host in hosts
        }
        return compute_plan(
            dict(
                {"virtual_router_id": 50, "keepalived_version": "2.2.7", "haproxy_version": "2.6.12"},
                vip=[self.make(vip, family) for family in families],
                lb_hosts=list(hosts),
                apiserver_hosts=list(hosts),
                **intent,
            ),
            {host: {"networks": networks[host]} for host in hosts},
            {},
        )

    def ask(
        self,
        plan: t.Any,
        hosts: t.Iterable[str] | None = None,
        seconds: float = SECONDS,
        delays: t.Mapping[str, float] | None = None,
    ) -> dict[str, t.Any]:
        """What `endpoint_wire` returns on each host, all run at the same time unless delayed."""
        began = {}
        processes = {}
        for host in hosts if hosts is not None else self.hosts:
            delay = (delays or {}).get(host, 0.0)
            began[host] = time.time() + delay
            processes[host] = Process(self.namespace(host), _ask, plan, host, seconds, delay)
        results = {}
        for host, process in processes.items():
            results[host] = process.result()
            ended = began[host] + results[host]["seconds"] + 0.2
            results[host]["window"] = {"began": began[host] - 0.3, "ended": ended}
        return results

    def _namespace(self, name: str) -> None:
        ip("netns", "add", name)
        self._namespaces.append(name)
        ip("-n", name, "link", "set", "lo", "up")
        # Duplicate address detection would keep link-local addresses back for a second or two.
        Process(name, _write, "/proc/sys/net/ipv6/conf/default/accept_dad", "0").result()


class Keepalived:
    """A real one in a namespace, from the root file system of an image or this machine's own."""

    def __init__(self, namespace: str, config: str, root: str | None) -> None:
        self.folder = tempfile.mkdtemp(prefix="kubeha-wire-")
        self._log = pathlib.Path(self.folder, "log")
        pathlib.Path(self.folder, "keepalived.conf").write_text(config)
        command = "keepalived -n -l -D -f /run/keepalived.conf -p /run/k.pid -r /run/v.pid -c /run/c.pid"
        base = root or ""
        script = [
            "set -e",
            f"mount -t tmpfs none {base}/run",
            f"cp {self.folder}/keepalived.conf {base}/run/",
        ]
        if root:
            script.append(f"mount -t tmpfs none {base}/tmp")
            script += [f"mount --rbind {path} {base}{path}" for path in ("/dev", "/proc")]
            command = f"chroot {base} {command}"
        script.append(f"exec {command}")
        # It goes when this process does, however that ends.
        inside = ["setpriv", "--pdeathsig", "TERM", "ip", "netns", "exec", namespace]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*inside, "unshare", "-m", "sh", "-c", "\n".join(script)],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def lines(self) -> list[str]:
        """What it has logged."""
        return self._log.read_text(errors="replace").splitlines()

    def wait_for(self, text: str, seconds: float = 15) -> None:
        deadline = time.monotonic() + seconds
        while not any(text in line for line in self.lines()):
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError("keepalived didn't say %r:\n%s" % (text, "\n".join(self.lines())))
            time.sleep(0.05)


def instance(
    family: str,
    vrid: int,
    priority: int,
    vip: str,
    source: str,
    peers: t.Sequence[str] = (),
    interval: float = 0.1,
    version: int = 3,
    name: str = "V",
) -> str:
    """A VRRP instance for keepalived.conf: unicast where there are peers."""
    lines = [
        f"vrrp_instance {name}_{family} {{",
        "interface eth0",
        "state BACKUP",
        f"version {version}",
        f"virtual_router_id {vrid}",
        f"priority {priority}",
        f"advert_int {interval}",
        # By default it announces its addresses once more after five seconds.
        "garp_master_delay 1",
    ]
    if peers:
        lines += [f"unicast_src_ip {source}", "unicast_peer {", *peers, "}"]
    else:
        lines.append(f"mcast_src_ip {source}")
    return "\n".join([*lines, "virtual_ipaddress {", f"{vip}/{64 if ':' in vip else 24} dev eth0", "}", "}", ""])


def advertise(packet: bytes, mac: bytes, interval: float, vlan: int | None = None) -> None:
    """Put one IP packet on the wire again and again, past everything."""
    family = 0x0800 if packet[0] >> 4 == 4 else 0x86DD
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as handle:
        handle.bind(("eth0", 0))
        tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
        frame = mac + handle.getsockname()[4] + tag + struct.pack("!H", family) + packet
        while True:
            handle.send(frame)
            time.sleep(interval)


def sweep() -> None:
    """Take away what a run that was killed has left."""
    for folder in pathlib.Path("/run/netns").glob("kubeha-wire-*"):
        owner = _NAME.match(folder.name)
        if owner and not pathlib.Path("/proc", owner.group(1)).exists():
            subprocess.run(["ip", "netns", "del", folder.name], check=False, stderr=subprocess.DEVNULL)


def ip(*args: str) -> None:
    subprocess.run(["ip", *args], check=True)


def _ask(plan: t.Any, host: str, seconds: float, delay: float) -> t.Any:
    time.sleep(delay)
    return ask(wire_task(plan, host), host, seconds, 2 * seconds)


def _write(path: str, text: str) -> None:
    pathlib.Path(path).write_text(text)


def _enter(namespace: str) -> None:
    with open(f"/run/netns/{namespace}") as handle:
        if _libc.setns(handle.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
