# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A client of its own: a new TLS connection to each endpoint on a fixed beat, and one GET without credentials.

It runs beside Ansible, in a folder of its own that nobody else can read, until it's told to end or its time is over.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from typing import Any, Dict, List, Set

from ..host import _archive_io
from . import _attempts

PREFIX = "kubeha-drill-"
PROGRAM, ASKED, STARTED, STOP, RESULT = "client.pyz", "asked.json", "started", "stop", "result.json"
LONGEST = 3600.0
_STALL = 0.05
_KEPT = 60.0
_PAUSE = 0.05
_BEGIN_SECONDS = 30.0
_END_SECONDS = 30.0
_LIMIT = 1 << 24


class Failed(Exception):
    """There is nothing to measure with."""


# By a module


def start(asked: Dict[str, Any]) -> str:
    """Begin to measure; the client's folder, once each target has answered."""
    folder = tempfile.mkdtemp(prefix=PREFIX)
    try:
        _write(os.path.join(folder, PROGRAM), _archive_io.packed(__name__))
        _write(os.path.join(folder, ASKED), json.dumps(asked).encode())
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function,consider-using-with  # it outlives the module
            [sys.executable, "-I", "-B", os.path.join(folder, PROGRAM)], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, start_new_session=True)
        deadline = time.monotonic() + _BEGIN_SECONDS
        while not os.path.exists(os.path.join(folder, STARTED)):
            if process.poll() is not None:
                raise Failed("the client has ended with code %s" % process.returncode)
            if time.monotonic() > deadline:
                said = finish(folder)
                silent = [name for name, target in said["targets"].items()
                          if not any(run[3] == _attempts.OK for run in target)]
                raise Failed("no answer from %s within %g s" % (", ".join(silent) or "it", _BEGIN_SECONDS))
            time.sleep(_PAUSE)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def finish(folder: str) -> Dict[str, Any]:
    """What was measured. The folder is gone then."""
    found = os.lstat(folder)
    if not os.path.basename(folder).startswith(PREFIX) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise Failed("%s is no client's folder" % folder)
    try:
        _write(os.path.join(folder, STOP), b"")
        deadline = time.monotonic() + _END_SECONDS
        while not os.path.exists(os.path.join(folder, RESULT)):
            if time.monotonic() > deadline:
                raise Failed("the client is gone")
            time.sleep(_PAUSE)
        with open(os.path.join(folder, RESULT), "rb") as stream:
            said: Dict[str, Any] = json.loads(stream.read(_LIMIT).decode())
        return said
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(path: str, content: bytes) -> None:
    """Whole, or not there."""
    with open(path + ".new", "wb") as stream:
        stream.write(content)
    os.rename(path + ".new", path)


# By itself


class Client:
    def __init__(self, asked: Dict[str, Any]) -> None:
        self.targets = [(str(name), str(address), int(port), str(path)) for name, address, port, path
                        in asked["targets"]]
        self.seconds = min(float(asked["seconds"]), LONGEST)
        self.interval = max(float(asked["interval"]), 0.005)
        self.limit = float(asked["limit"])
        self.attempts = {target[0]: _attempts.Attempts() for target in self.targets}
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.wall = self.began = 0.0
        self.stalls: List[List[float]] = []
        self.stalled = self.ended = 0.0

    async def run(self) -> None:
        self.wall, self.began = time.time(), time.monotonic()
        tasks: Set[Any] = set()
        beat, looked, started = 0, 0.0, False
        while True:
            now = time.monotonic() - self.began
            if now - looked > _PAUSE:
                looked = now
                if os.path.exists(STOP) or not os.path.exists(ASKED):
                    break
                if not started and all(item.answered for item in self.attempts.values()):
                    started = True
                    _write(STARTED, b"")
            if now >= self.seconds or any(item.full for item in self.attempts.values()):
                break
            for target in self.targets:
                task = asyncio.ensure_future(self.attempt(*target))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            beat += 1
            # On the beat, without a burst after the machine was busy elsewhere.
            now = time.monotonic() - self.began
            if now > beat * self.interval:
                beat = int(now / self.interval) + 1
            await asyncio.sleep(max(0.0, beat * self.interval - now))
            self._note_stall(beat * self.interval)
        # What is still open counts, but nothing begins any more.
        self.ended = time.monotonic() - self.began
        if tasks:
            await asyncio.wait(tasks)

    def _note_stall(self, due: float) -> None:
        """The client itself was late: what timed out meanwhile isn't the endpoint's."""
        now = time.monotonic() - self.began
        if now - due > _STALL:
            self.stalled += now - due
            if len(self.stalls) < 1000:
                self.stalls.append([round(due, 3), round(now, 3)])

    async def attempt(self, name: str, address: str, port: int, path: str) -> None:
        number = self.attempts[name].begin()
        start, stalled = time.monotonic() - self.began, self.stalled
        try:
            outcome = await asyncio.wait_for(self.converse(address, port, path), self.limit)
        except (asyncio.TimeoutError, TimeoutError):
            outcome = "timeout"
        except ConnectionRefusedError:
            outcome = "refused"
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            outcome = "reset"
        except OSError:
            outcome = "unreachable"
        except ValueError:
            outcome = "error"
        latency = time.monotonic() - self.began - start
        if outcome == "timeout" and max(self.stalled - stalled, latency - self.limit) > self.limit / 2:
            # It had less than half of its time.
            outcome = _attempts.UNKNOWN
        self.attempts[name].end(number, start, latency, outcome)

    async def converse(self, address: str, port: int, path: str) -> str:
        reader, writer = await asyncio.open_connection(address, port, ssl=self.context)
        try:
            writer.write(("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % (path, address)).encode())
            line = await reader.readuntil(b"\n")
            # Who asks for credentials has answered.
            return _attempts.OK if line.startswith(b"HTTP/1.") and int(line.split()[1]) < 500 else "http"
        except IndexError:
            return "http"
        finally:
            # No goodbye: one that waits for a dead peer would outlive the attempt.
            writer.transport.abort()

    def told(self) -> Dict[str, Any]:
        return {"wall": self.wall, "seconds": round(self.ended, 3), "stalls": self.stalls,
                "targets": {name: item.told() for name, item in self.attempts.items()}}


def main() -> None:
    with open(ASKED, "rb") as stream:
        client = Client(json.loads(stream.read().decode()))
    asyncio.run(client.run())
    if not os.path.exists(ASKED):
        return  # somebody has given up
    folder = os.getcwd()
    _write(RESULT, json.dumps(client.told()).encode())
    # Nobody came for it: the run is gone.
    deadline = time.monotonic() + _KEPT
    while time.monotonic() < deadline:
        time.sleep(_PAUSE)
        if not os.path.exists(os.path.join(folder, RESULT)):
            return
    shutil.rmtree(folder, ignore_errors=True)
