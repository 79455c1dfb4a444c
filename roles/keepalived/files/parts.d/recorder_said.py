# Managed by kubeha.apiserver: changes here are overwritten by the next run.
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others say: parts of the collection by files, and HAProxy of its servers."""

import errno
import os
import socket
import stat
from typing import Any, Dict, Iterator, Optional, Tuple

from recorder_base import Book, decoded, number
from recorder_daemons import DAEMONS
from shared_host import read

STATE = "/var/lib/kubeha"
RUN = "/run/kubeha"
SOCKET, POD_SOCKET = "/var/lib/haproxy/kubeha.sock", "/run/kubeha/stats/kubeha.sock"
# Between two questions to HAProxy.
ASKED_EACH = 3.0
LARGEST = 1 << 20


class Marks:
    """Files by which parts of ours tell each other what is the case. Their own time says since when."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.stamps: Dict[str, Tuple[int, ...]] = {}
        self.looked = 0.0

    def look(self) -> None:
        for kind, about, path in self._paths():
            self._file(kind, about, self.book.root + path)
        self.looked = self.book.moment.boot

    def _paths(self) -> Iterator[Tuple[str, str, str]]:
        plan = self.book.plan
        yield "mark", "drained", STATE + "/drain/drained"
        yield "mark", "moving", STATE + "/drain/moving"
        yield "mark", "haproxy-down", RUN + "/haproxy/down"
        yield "lease", "host", STATE + "/lease.json"
        yield "run", "host", RUN + "/lock"
        yield "loaded", "haproxy", RUN + "/haproxy/running"
        yield "loaded", "keepalived", RUN + "/unit/keepalived.running"
        yield "check", "haproxy", RUN + "/keepalived/since"
        yield "watchdog", "keepalived", RUN + "/watchdog/acted"
        for name in plan.holders:
            yield "holder", name, RUN + "/keepalived/holder-" + name
            yield "check", name, RUN + "/keepalived/ready-" + name
        for name in DAEMONS if plan.pods and plan.manifests else ():
            yield "manifest", name, "%s/kubeha-%s.yaml" % (plan.manifests, name)

    def _file(self, kind: str, about: str, path: str) -> None:
        moment = self.book.moment
        try:
            status = os.lstat(path)
            stamp: Tuple[int, ...] = (status.st_ino, status.st_mtime_ns, status.st_size)
        except OSError:
            stamp = ()
        # A lock runs out without a word.
        if self.stamps.get(path) == stamp and not (kind == "run" and stamp):
            return
        self.stamps[path] = stamp
        at = min(max(moment.at(stamp[1] / 1e9), self.looked - 1.0), moment.boot) if stamp else None
        value = self._value(kind, path, stamp)
        self.book.note(kind, about, value, at if self.looked and value is not None else None)

    def _value(self, kind: str, path: str, stamp: Tuple[int, ...]) -> Any:
        if kind in ("lease", "manifest"):
            return bool(stamp)
        if kind == "loaded":
            # Not the checksum: of a short password it tells as much as the password.
            return stamp[1] // 1000000 if stamp else None
        content = (read(path, 4096) or b"").decode("utf-8", "replace").strip()
        if kind == "watchdog":
            return content[:64] or None
        if kind == "run":
            return self._runner(decoded(content.encode()))
        if kind == "check":
            return content.split(" ")[0][:32] or None
        return content == "1"

    def _runner(self, lock: Any) -> Optional[str]:
        """Who has locked this host, for as long as that counts."""
        if not isinstance(lock, dict):
            return None
        boot = (read(self.book.root + "/proc/sys/kernel/random/boot_id", 64) or b"").decode().strip()
        if lock.get("boot") != boot or number(lock.get("until")) < self.book.moment.boot:
            return None
        return str(lock.get("name"))[:128]


class Servers:
    """Which API servers HAProxy counts as up. It's asked without being waited for."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.link: Optional[socket.socket] = None
        self.text = b""

    def ask(self) -> None:
        self._close()
        pods = self.book.plan.pods
        try:
            self.link = asked(self.book.root + (POD_SOCKET if pods else SOCKET), pods)
        except OSError:
            pass

    def read(self) -> None:
        while self.link is not None:
            try:
                data = self.link.recv(1 << 16)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            self.text += data
            if not data or len(self.text) > LARGEST:
                text = self.text.decode("utf-8", "replace")
                self._close()
                for name, value, ago, why in servers(text):
                    # Whoever answers may name what he likes.
                    if name not in self.book.plan.servers:
                        continue
                    at = max(self.book.moment.boot - ago, self.book.moment.boot - ASKED_EACH - 1.0)
                    self.book.note("server", name, value, at, why=why)

    def _close(self) -> None:
        if self.link is not None:
            self.link.close()
        self.link, self.text = None, b""


def asked(path: str, pod: bool) -> socket.socket:
    """HAProxy, which has been asked for its servers. In a pod it has the folder to itself, and could put links to
    others' sockets there: what was looked at is asked, and not what may lie there by now."""
    handle = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        status = os.fstat(handle)
        owner = os.lstat(os.path.dirname(path)).st_uid if pod else os.geteuid()
        if not stat.S_ISSOCK(status.st_mode) or status.st_uid != owner:
            raise OSError(errno.EPERM, "not HAProxy's")
        link.connect("/proc/self/fd/%d" % handle)
        link.sendall(b"show stat -1 4 -1\n")
    except OSError:
        link.close()
        raise
    finally:
        os.close(handle)
    return link


def servers(text: str) -> Iterator[Tuple[str, str, float, str]]:
    """Name, state, for how many seconds, and what the last check said. What has a comma in it comes later in a line."""
    lines = text.lstrip("# ").splitlines()
    header = {name: place for place, name in enumerate(lines[0].split(","))} if lines else {}
    if not {"pxname", "svname", "status", "lastchg", "check_status"} <= set(header):
        return
    for line in lines[1:]:
        fields = line.split(",")
        if len(fields) <= max(header["check_status"], header["lastchg"]):
            continue
        status = fields[header["status"]].split(" ")[0]
        if status.isalpha() and status.isupper():
            since = fields[header["lastchg"]]
            yield ("%s/%s" % (fields[header["pxname"]], fields[header["svname"]])[:200], status,
                   float(since) if since.isdigit() else 0.0, fields[header["check_status"]].strip("* ")[:16])
