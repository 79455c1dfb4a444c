# Managed by kubeha.apiserver: changes here are overwritten by the next run.
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes of HAProxy and keepalived, and why they have ended."""

import os
import select
import signal
from typing import Any, Callable, Dict, List, Optional, Tuple

from recorder_base import Book, Now, decoded, number, start
from shared_host import processes_of, read

DAEMONS = ("haproxy", "keepalived")
# Without a daemon, looking for one means looking at all processes.
SEARCH = 5.0
SOON = 30.0
# What is said of a daemon's end may be that much older than its end is noticed.
BEFORE = 3.0
# What systemd's messages are, by their IDs.
EXITED, RESULT, STOPPING = (
    "98e322203f7a4ed290d09fe03c09fe15", "d9b373ed55a64feb8242e02dbe79a49c", "de5b426a63be47a7b6ac3eaac82e2f6f")
OOM = "fe6faa94e7774663a0da52717891d8ef"


class Daemons:
    """Processes of our HAProxy and keepalived: there, stopped by a signal, or gone."""

    def __init__(self, book: Book, ask_why: Callable[[str], None]) -> None:
        self.book, self.ask_why = book, ask_why
        self.processes: Dict[str, Dict[int, str]] = {name: {} for name in DAEMONS}
        self.handles: Dict[int, int] = {}
        self.searched = dict.fromkeys(DAEMONS, 0.0)
        self.missed = dict.fromkeys(DAEMONS, 0.0)
        self.alive = dict.fromkeys(DAEMONS, 0.0)
        # Whoever is older is left of one that is gone, and about to go.
        self.since = dict.fromkeys(DAEMONS, -1.0)

    def watch(self) -> None:
        """At each tick: is one gone?"""
        for name, processes in self.processes.items():
            if any(self._state(process, started) is None for process, started in processes.items()):
                self._search(name)
            else:
                self.alive[name] = self.book.moment.boot

    def look(self) -> None:
        for name, processes in self.processes.items():
            moment = self.book.moment.boot
            if not processes and (moment - self.searched[name] >= SEARCH or moment - self.missed[name] < SOON):
                self._search(name)
            self._tell(name)

    def _search(self, name: str) -> None:
        self.searched[name] = self.book.moment.boot
        before = self.processes[name]
        found = {process: self._started(process) for process in processes_of(name, self.book.root)}
        found = {process: started for process, started in found.items() if started}
        # A reload has other workers and the same first process.
        first = min(before, key=lambda process: (int(before[process]), process), default=0)
        if before and found.get(first) != before[first]:
            self.since[name] = self.alive[name] * os.sysconf("SC_CLK_TCK") - 1
            self.missed[name] = self.book.moment.boot
            self.ask_why(name)
            self.book.note("daemon", name, "gone")
        self.processes[name] = {process: started for process, started in found.items()
                                if int(started) > self.since[name]}
        self._tell(name)
        self._follow()

    def _tell(self, name: str) -> None:
        states = [self._state(*item) for item in self.processes[name].items()]
        value = "gone" if not states else "frozen" if any(state in ("T", "t") for state in states) else "running"
        at = None
        if value == "running" and self.book.known.get(("daemon", name), ("",))[0] == "gone":
            began = min(map(int, self.processes[name].values())) / os.sysconf("SC_CLK_TCK")
            at = min(max(began, self.missed[name]), self.book.moment.boot)
        self.book.note("daemon", name, value, at)

    def _follow(self) -> None:
        """The kernel wakes us where one ends, so that it's noticed at once."""
        wanted = {process for processes in self.processes.values() for process in processes}
        for process in set(self.handles) - wanted:
            handle = self.handles.pop(process)
            self.book.poller.unregister(handle)
            os.close(handle)
        for process in wanted - set(self.handles) if hasattr(os, "pidfd_open") else ():
            try:
                handle = os.pidfd_open(process)
            except OSError:
                continue
            self.handles[process] = handle
            self.book.poller.register(handle, select.POLLIN)

    def _state(self, process: int, started: str) -> Optional[str]:
        fields = self._fields(process)
        return fields[0] if fields and fields[19] == started and fields[0] not in ("Z", "X") else None

    def _started(self, process: int) -> str:
        fields = self._fields(process)
        return fields[19] if fields else ""

    def _fields(self, process: int) -> List[str]:
        # The name, in parentheses, may contain anything.
        fields = (read("%s/proc/%d/stat" % (self.book.root, process), 4096) or b"").rpartition(b")")[2].split()
        return [field.decode("ascii", "replace") for field in fields] if len(fields) > 19 else []


class Journal:
    """Why a daemon has ended, as systemd or the kernel says. Asked once it has, because a journal may not last."""

    WORDS = ["--no-pager", "--quiet", "--output=json", "--lines=40",
             "--output-fields=MESSAGE_ID,MESSAGE,UNIT,EXIT_CODE,EXIT_STATUS,UNIT_RESULT,_TRANSPORT"]
    SECONDS = 10.0

    def __init__(self, book: Book) -> None:
        self.book = book
        self.asked: Dict[str, Now] = {}  # by daemon: when it was missed
        self.running: Optional[Tuple[str, Now, Any, float]] = None

    def ask(self, name: str) -> None:
        self.asked[name] = self.book.moment

    def read(self) -> None:
        if self.running is not None:
            name, missed, process, until = self.running
            if process.poll() is None and self.book.moment.boot < until:
                return
            process.kill()
            text = process.communicate()[0]
            self.running = None
            why = reason(text.decode("utf-8", "replace"), name, missed.wall - BEFORE)
            self.book.tell("exit", name, why, missed.boot)
        for name, missed in list(self.asked.items()):
            # systemd has said all about it by then.
            if self.book.moment.boot >= missed.boot + 1.0 and self.running is None:
                del self.asked[name]
                process = start(["journalctl", *self.WORDS, "--since=@%d" % (missed.wall - BEFORE),
                                 "UNIT=%s.service" % name, "_PID=1", "+", "_TRANSPORT=kernel"])
                self.running = (name, missed, process, self.book.moment.boot + self.SECONDS) if process else None


def reason(text: str, name: str, since: float = 0.0) -> str:
    """`oom`, `signal KILL`, `exit 1`, `stopped`, or `unknown`."""
    found = [item for item in map(decoded, text.encode().splitlines()) if isinstance(item, dict)]
    found = [item for item in found if number(item.get("__REALTIME_TIMESTAMP")) / 1e6 >= since]
    ours = [item for item in found if item.get("UNIT") == name + ".service"]
    killed = [item for item in found if item.get("_TRANSPORT") == "kernel"
              and "Killed process" in str(item.get("MESSAGE")) and "(%s)" % name in str(item.get("MESSAGE"))]
    if killed or any(item.get("MESSAGE_ID") == OOM or item.get("UNIT_RESULT") == "oom-kill" for item in ours):
        return "oom"
    wanted = any(item.get("MESSAGE_ID") == STOPPING for item in ours)
    for item in ours:
        code, status = str(item.get("EXIT_CODE")), str(item.get("EXIT_STATUS"))
        if item.get("MESSAGE_ID") == EXITED and code in ("killed", "dumped") and signal_name(status) != "TERM":
            return "signal " + signal_name(status)
    if wanted:
        return "stopped"
    for item in ours:
        if item.get("MESSAGE_ID") == EXITED:
            status = str(item.get("EXIT_STATUS"))
            return "signal " + signal_name(status) if item.get("EXIT_CODE") == "killed" else "exit " + status[:16]
        if item.get("MESSAGE_ID") == RESULT:
            return str(item.get("UNIT_RESULT"))[:16]
    return "unknown"


def signal_name(status: str) -> str:
    """systemd says a number."""
    try:
        return signal.Signals(int(status)).name[len("SIG"):]
    except ValueError:
        return status[:16]
