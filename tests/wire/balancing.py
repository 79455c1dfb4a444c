# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real HAProxy with the configuration that the plan gives it, three stand-ins for API servers, and clients."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import typing as t

from ansible_collections.kubeha.apiserver.plugins.module_utils.daemons import _haproxy
from ansible_collections.kubeha.apiserver.plugins.module_utils.model import _paths, _pod_paths
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.files import _render
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan._plan import compute_plan
from net import Process, Segment

COLLECTION = pathlib.Path(__file__).resolve().parents[2]
ROLES = str(COLLECTION / "roles")
SERVERS = ("api1", "api2", "api3")
PORT = 6443
ANSWER_SECONDS = 10.0
SILENCE_SECONDS = 30.0
CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
CONTEXT.check_hostname, CONTEXT.verify_mode = False, ssl.CERT_NONE
# A packet that arrives is lost with this chance: so both directions of every path lose as much.
LOSS = """table inet loss { chain c { type filter hook input priority -300;
    iif eth0 numgen random mod 1000 < %d drop; } }"""
FIRST_SYN = """table inet loss {
    set seen { type ipv4_addr . inet_service; flags dynamic, timeout; timeout 60s; size 65535; }
    chain c { type filter hook output priority 0; oif eth0 tcp flags & (syn | ack) == syn
    ip daddr . tcp sport != @seen add @seen { ip daddr . tcp sport } drop; } }"""
Edit = t.Callable[[str], str]
# What a pod is planned with; the program is the root's.
POD = {"mode": "static_pod", "haproxy_image": "kubernetes.test/haproxy:1", "keepalived_image": "kubernetes.test/k:1"}
POD_USER = 99


class Balancer:
    """HAProxy on a host `lb`, from the root file system of an image or this machine's own. With POD for its intent it
    has a pod's configuration, and a pod's user without capabilities."""

    def __init__(
        self, segment: Segment, root: str | None, version: str, edit: Edit = lambda text: text, **intent: t.Any
    ) -> None:
        self.segment = segment
        self.version = version
        self.intent = intent
        self.pod = intent.get("mode") == "static_pod"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kubeha-wire-"))
        for name in ("etc", "lib", "run"):
            (self.folder / name).mkdir()
        (self.folder / "run/servers").write_text(_haproxy.NO_SERVERS)
        if self.pod:
            os.chown(self.folder / "lib", POD_USER, POD_USER)
        certificate(self.folder)
        segment.add("lb", 1)
        segment.add("client", 50)
        for index, name in enumerate(SERVERS):
            segment.add(name, 11 + index)
            segment.process(name, serve_api, name, str(self.folder))
        for name in SERVERS:
            wait_until((self.folder / f"{name}.sock").exists)
        self.edit = edit
        self.write()
        base = root or ""
        script = [
            "set -e",
            f"mount -t tmpfs none {base}/run",
            f"mkdir -p {base}/run/kubeha/haproxy {base}/run/kubeha/stats",
            f"mount --bind {self.folder}/run {base}/run/kubeha/haproxy",
            f"mount --bind {self.folder}/lib {base}{'/run/kubeha/stats' if self.pod else '/var/lib/haproxy'}",
            f"mount --bind {self.folder}/etc {base}/etc/haproxy",
        ]
        if root:
            script += [f"mount --rbind {path} {base}{path}" for path in ("/dev", "/proc")]
        become = f"--userspec={POD_USER}:{POD_USER}" if self.pod else ""
        command = f"chroot {become} {base or '/'} haproxy -W -f {_paths.HAPROXY_CONFIG}"
        self._log = self.folder / "log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "ip", "netns", "exec", segment.namespace("lb")]
                + ["unshare", "-m", "sh", "-c", "\n".join([*script, "exec " + command])],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.wait_for(lambda state: all(status == "UP" for status in state.values()))

    def __enter__(self) -> Balancer:
        return self

    def __exit__(self, *dummy: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        shutil.rmtree(self.folder)

    def write(self) -> None:
        """The configuration as the plan has it."""
        hosts = {name: {"networks": [self.network(name)]} for name in ("lb", *SERVERS)}
        intent = {"vip": self.segment.make(100), "lb_hosts": ["lb"], "apiserver_hosts": list(SERVERS), "port": PORT,
                  "keepalived_version": "2.2.7", "haproxy_version": self.version}
        plan = compute_plan({**intent, **self.intent}, hosts, {})
        config = _pod_paths.CONFIG["haproxy"] if self.pod else _paths.HAPROXY_CONFIG
        text = next(entry["content"] for entry in _render.render_host(plan, "lb", ROLES) if entry["path"] == config)
        (self.folder / "etc/haproxy.cfg").write_text(self.edit(text))

    def network(self, host: str) -> dict[str, t.Any]:
        return {"interface": "eth0", "address": self.segment.address(host), "prefix": 24}

    @property
    def target(self) -> tuple[str, int]:
        return self.segment.address("lb"), PORT

    def log(self) -> list[str]:
        return self._log.read_text(errors="replace").splitlines()

    def ask(self, command: bytes) -> str:
        with socket.socket(socket.AF_UNIX) as handle:
            handle.settimeout(3)
            handle.connect(str(self.folder / "lib/kubeha.sock"))
            handle.sendall(command)
            return b"".join(iter(lambda: handle.recv(65536), b"")).decode()

    def state(self) -> dict[str, t.Any]:
        return _haproxy.parse_state(self.ask(_haproxy.STATE_COMMAND))

    def servers(self) -> dict[str, str]:
        return {server["name"]: server["status"] for server in self.state()["backends"]["kube-apiserver"]}

    def wait_for(self, wanted: t.Callable[[dict[str, str]], bool], seconds: float = 15) -> None:
        def is_so() -> bool:
            try:
                return wanted(self.servers())
            except (OSError, _haproxy.HaproxyError):
                return False

        try:
            wait_until(is_so, seconds)
        except TimeoutError:
            raise RuntimeError("\n".join(self.log()[-20:])) from None

    def reload(self, remember: bool = True) -> None:
        """As the unit does it; returns when another worker answers."""
        before = self.state()["pid"]
        said = self.ask(_haproxy.SERVERS_COMMAND) if remember else _haproxy.NO_SERVERS
        (self.folder / "run/servers").write_text(said)
        told = 0.0

        def is_new() -> bool:
            nonlocal told
            # A master that has just reloaded may lose the signal.
            if time.monotonic() - told > 3:
                os.kill(self.process.pid, signal.SIGUSR2)
                told = time.monotonic()
            try:
                return bool(self.state()["pid"] != before)
            except (OSError, _haproxy.HaproxyError):
                return False

        try:
            wait_until(is_new)
        except TimeoutError:
            raise RuntimeError("\n".join(line for line in self.log() if "kube-apiserver/api" not in line)) from None

    def make(self, server: str, mode: str) -> None:
        """Have a stand-in be ill, or well again."""
        with socket.socket(socket.AF_UNIX) as handle:
            handle.connect(str(self.folder / f"{server}.sock"))
            handle.sendall(mode.encode() + b"\n")
            assert handle.makefile().readline().strip() == mode

    def lose(self, per_mille: int) -> None:
        for host in ("lb", "client", *SERVERS):
            self.segment.nft(self.segment.namespace(host), LOSS % per_mille)

    def lose_nothing(self) -> None:
        for host in ("lb", "client", *SERVERS):
            self.segment.nft(self.segment.namespace(host), "delete table inet loss")

    def lose_each_first_syn(self) -> None:
        """Of every connection that HAProxy makes to an API server."""
        self.segment.nft(self.segment.namespace("lb"), FIRST_SYN)

    def freeze(self) -> None:
        os.kill(self.state()["pid"], signal.SIGSTOP)

    def total(self, frontend: str) -> int:
        """Connections so far."""
        lines = self.ask(b"show stat\n").splitlines()
        rows = [dict(zip(lines[0].lstrip("# ").split(","), line.split(","))) for line in lines[1:]]
        return next(int(row["stot"]) for row in rows if (row["pxname"], row["svname"]) == (frontend, "FRONTEND"))

    def clients(
        self, seconds: float, rate: float, streams: int, answer: float = ANSWER_SECONDS, host: str = "client"
    ) -> Process:
        return Process(self.segment.namespace(host), run_clients, self.target, seconds, rate, streams, answer)


def wait_until(wanted: t.Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not wanted():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.02)


def certificate(folder: pathlib.Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        + ["-subj", "/CN=stand-in", "-keyout", str(folder / "key"), "-out", str(folder / "certificate")],
        check=True,
        stderr=subprocess.DEVNULL,
    )


def serve_api(name: str, folder: str) -> None:
    sys.path.insert(0, str(COLLECTION / "molecule/_lab/assets"))
    import api_stand_in  # in the process that it's for

    api_stand_in.CONTROL = f"{folder}/{name}.sock"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/certificate", f"{folder}/key")
    context.num_tickets = 0
    stand_in = api_stand_in.StandIn(PORT, context)
    stand_in.name = name
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    asyncio.run(stand_in.run())


def run_clients(target: tuple[str, int], seconds: float, rate: float, streams: int, answer: float) -> dict[str, t.Any]:
    return asyncio.run(Clients(target, answer).run(seconds, rate, streams))


class Clients:
    """Streams that last, and connections that ask once, `rate` in a second."""

    def __init__(self, target: tuple[str, int], answer: float) -> None:
        self.target = target
        self.answer = answer
        self.tried = self.failed = self.ended = self.gave_up = 0
        self.slowest = 0.0
        self.over = False
        self.why: dict[str, int] = {}

    async def run(self, seconds: float, rate: float, streams: int) -> dict[str, t.Any]:
        self.open = 0
        watching = [asyncio.ensure_future(self.watch()) for _number in range(streams)]
        asking = []
        began = time.monotonic()
        number = 0
        while (now := time.monotonic() - began) < seconds:
            if now >= number / rate:
                number += 1
                asking.append(asyncio.ensure_future(self.once()))
            await asyncio.sleep(0.002)
        ended, gave_up = self.ended, self.gave_up
        await asyncio.gather(*asking)
        # In some versions of Python a line that comes at the same moment makes wait_for() forget that it was cancelled.
        self.over = True
        for task in watching:
            task.cancel()
        return {"tried": self.tried, "failed": self.failed, "ended": ended, "gave_up": gave_up, "why": self.why,
                "slowest": round(self.slowest, 2), "open": self.open}

    async def once(self) -> None:
        self.tried += 1
        began = time.monotonic()
        try:
            await asyncio.wait_for(self.exchange(b"/version"), self.answer)
        except (OSError, EOFError, asyncio.TimeoutError, ValueError) as error:
            self.failed += 1
            self.note(error)
        self.slowest = max(self.slowest, time.monotonic() - began)

    def note(self, error: BaseException) -> None:
        self.why[repr(error)[:60]] = self.why.get(repr(error)[:60], 0) + 1

    async def exchange(self, path: bytes) -> None:
        reader, writer = await asyncio.open_connection(*self.target, ssl=CONTEXT)
        try:
            writer.write(b"GET %s HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n" % path)
            if b" 200 " not in await reader.readline():
                raise EOFError("no answer")
        finally:
            writer.transport.abort()

    async def watch(self) -> None:
        while not self.over:
            begun = False
            writer = None
            try:
                reader, writer = await asyncio.open_connection(*self.target, ssl=CONTEXT)
                writer.write(b"GET /watch HTTP/1.1\r\nHost: k\r\n\r\n")
                while not self.over and (line := await asyncio.wait_for(reader.readline(), SILENCE_SECONDS)):
                    if not begun and b"event" in line:
                        begun = True
                        self.open += 1
                raise EOFError("stream ended")
            except (OSError, EOFError, asyncio.TimeoutError) as error:
                # Its own TCP gives up with ETIMEDOUT.
                mine = isinstance(error, (TimeoutError, asyncio.TimeoutError))
                if begun and not self.over:
                    self.open -= 1
                    self.gave_up += mine
                    self.ended += not mine
                    self.note(error)
                await asyncio.sleep(0.05)
            finally:
                if writer:
                    writer.transport.abort()


def versions(roots: t.Mapping[str, str | None]) -> dict[str, str]:
    """HAProxy's version in each root."""
    found = {}
    for name, root in roots.items():
        command = [*(["chroot", root] if root else []), "/usr/sbin/haproxy", "-v"]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found[name] = _haproxy.parse_version(text) or "2.2.0"
    return found
