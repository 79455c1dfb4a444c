# Managed by kubeha.apiserver: changes here are overwritten by the next run.
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of its host kubeha-watchdog sees, and what it can do there."""

import glob
import json
import os
import signal
import socket
import subprocess
import time
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from shared_host import containers
from shared_wire import listen
from watchdog_wire import Router, announce_arp, announce_neighbour, answers_arp, has_neighbour

# Searching for keepalived costs more than a look: one that was here lately is searched at each, and another one seldom.
LATELY, SELDOM = 5.0, 5.0
STOPPED = {"T": "stopped by a signal", "t": "held by a debugger", "D": "blocked in the kernel"}
# 0 or 1, and watched by keepalived; and whether it has said of an instance that it's MASTER.
MOVING, HOLDER = "/var/lib/kubeha/drain/moving", "/run/kubeha/keepalived/holder-"
# Which run changes this host, until when; and how long it may say so at most, in seconds.
LOCK, BOOT, LONGEST_RUN = "/run/kubeha/lock", "/proc/sys/kernel/random/boot_id", 7200.0
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


class Look(NamedTuple):
    """What the kernel says of a process."""

    state: str       # a letter, as in proc_pid_stat(5)
    waits: int       # how often it has let go of the processor by itself
    computed: float  # seconds on a processor


class Host:
    """Processes, addresses and what can be done about them. `root` is where /proc and /var are."""

    def __init__(self, root: str = "") -> None:
        self.root = root
        # By number, the processes that speak VRRP: open folders of /proc, which no other process ever gets.
        self.folders: Dict[int, int] = {}
        self.searched = self.found = -SELDOM
        self.sockets: Dict[Tuple[str, int], socket.socket] = {}

    def speakers(self, at: float) -> Dict[int, Look]:
        looks = self._looks()
        if not looks and (at - self.found < LATELY or at - self.searched >= SELDOM):
            self.searched = at
            main = self.main()
            for process in self._children(main) if main is not None else ():
                self._open(process)
            looks = self._looks()
        if looks:
            self.found = at
        return looks

    def main(self) -> Optional[int]:
        """keepalived's first process, which only watches over the others: whom systemd has started as its service, or
        the kubelet in a container of our static pod."""
        said = (run("systemctl", "show", "--property=MainPID", "--value", "keepalived.service") or "").strip()
        if said.isdigit() and self._is_keepalived(int(said)):
            return int(said)
        ids = containers("keepalived", self.root)
        for place in glob.glob(self.root + "/proc/[0-9]*") if ids else ():
            process = int(os.path.basename(place))
            if self._is_keepalived(process) and self._is_in(process, ids) and not self._is_keepalived(
                    self._parent(process)):
                return process
        return None

    def is_stopped(self, process: int) -> bool:
        look = self._look("%s/proc/%d" % (self.root, process))
        return look is not None and look.state in STOPPED

    def end(self, speakers: Iterable[int]) -> None:
        """Their main process first: it would start others."""
        speakers = list(speakers)
        mains = {parent for parent in map(self._parent, speakers) if self._is_keepalived(parent)}
        for process in [*mains, *speakers]:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def holds(self, vips: Sequence[str]) -> List[Tuple[str, str, str]]:
        """Each VIP that is there as keepalived adds it, its interface, and an address of the host's own there.

        The loopback interface doesn't count: it has a VIP for a run that has keepalived let go of it.
        """
        addresses: List[Tuple[str, str]] = []
        for line in (run("ip", "-o", "address", "show") or "").splitlines():
            # 2: eth0    inet 198.51.100.100/32 scope global eth0
            words = line.split()
            if len(words) > 3 and words[2] in ("inet", "inet6") and words[1] != "lo":
                addresses.append((words[3], words[1].partition("@")[0]))
        return [(vip, interface, next((address.partition("/")[0] for address, there in addresses if there == interface
                                       and address not in vips and (":" in address) == (":" in vip)), ""))
                for vip, interface in addresses if vip in vips]

    def is_elsewhere(self, vip: str, interface: str, own: str) -> bool:
        """Whether another machine answers for the VIP."""
        address = vip.partition("/")[0]
        try:
            return has_neighbour(interface, address) if ":" in address else answers_arp(interface, address, own)
        except OSError as error:
            # <3> is an error to the journal.
            print("<3>who has %s can't be asked on %s: %s" % (address, interface, error))
            return False

    def take(self, vip: str, interface: str) -> bool:
        return run("ip", "address", "del", vip, "dev", interface) is not None

    def announce(self, address: str, interface: str, mac: bytes) -> None:
        """That the machine with this MAC has the address: by ARP, or as a neighbour."""
        try:
            (announce_neighbour if ":" in address else announce_arp)(interface, address, mac)
        except OSError as error:
            print("<3>who has %s can't be told on %s: %s" % (address, interface, error))

    def packets(self, routers: Iterable[Router]) -> Iterator[Tuple[str, bytes, bytes]]:
        """What has come of VRRP since the last time, before any packet filter: where, and from which MAC."""
        for key in sorted({(router.interface, router.family) for router in routers}):
            if key not in self.sockets:
                try:
                    self.sockets[key] = listen(*key)
                except OSError:
                    continue  # an interface that isn't there yet
            for _count in range(64):
                try:
                    data, address = self.sockets[key].recvfrom(512)
                except BlockingIOError:
                    break
                except OSError:
                    # The interface went, or its link.
                    self.sockets.pop(key).close()
                    break
                # Not what this host itself sends, nor what is for another one's card.
                if address[2] <= 2:
                    yield key[0], data, address[4]

    def believes_to_hold(self, instance: str) -> bool:
        return read(self.root + HOLDER + instance).strip() == "1"

    def is_moving(self) -> bool:
        return read(self.root + MOVING).strip() == "1"

    def is_locked(self) -> bool:
        """Whether a run changes this host. What a killed one has left ends by itself, some 10 minutes later."""
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        try:
            note = json.loads(self.read(LOCK))
            until = min(note["until"], note["at"] + LONGEST_RUN)
            return bool(note["boot"] == self.read(BOOT).strip() and now < until)
        except (ValueError, TypeError, KeyError, RecursionError):
            return False

    def move(self, back: bool = False) -> bool:
        """Rank below all others, or no longer so; False where it's so already, or keepalived has no such file."""
        before, after = ("1", "0") if back else ("0", "1")
        try:
            handle = os.open(self.root + MOVING, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            # In place and in one write: keepalived never reads half of it.
            return os.read(handle, 16).strip() == before.encode() and os.pwrite(handle, after.encode(), 0) == 1
        except OSError:
            return False
        finally:
            os.close(handle)

    def read(self, path: str) -> str:
        return read(self.root + path)

    def note(self, path: str, text: Optional[str]) -> None:
        """By rename, so that nobody reads half of it; or nothing is there any more."""
        path = self.root + path
        try:
            if text is None:
                os.unlink(path)
                return
            with open(path + ".new", "w", encoding="utf-8") as stream:
                # For `status` without rights, too.
                os.fchmod(stream.fileno(), 0o644)
                stream.write(text + "\n")
            os.rename(path + ".new", path)
        except OSError:
            pass

    # Processes

    def _open(self, process: int) -> None:
        try:
            self.folders[process] = os.open("%s/proc/%d" % (self.root, process), os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            pass

    def _looks(self) -> Dict[int, Look]:
        found = {}
        for process, folder in list(self.folders.items()):
            look = self._look("", folder)
            if look is None:
                os.close(self.folders.pop(process))
            else:
                found[process] = look
        return found

    def _is_in(self, process: int, ids: Sequence[str]) -> bool:
        groups = self._read(process, "cgroup").splitlines()
        return any(item in path for path in groups if "/user.slice/" not in path for item in ids)

    def _is_keepalived(self, process: int) -> bool:
        return process > 0 and self._read(process, "comm").startswith("keepalived")

    def _children(self, parent: int) -> List[int]:
        """Without scripts that it runs: those have another name, or another parent."""
        said = self._read(parent, "task/%d/children" % parent).split()
        return [int(process) for process in said if self._is_keepalived(int(process))]

    def _parent(self, process: int) -> int:
        # The name, in parentheses, may contain anything.
        fields = self._read(process, "stat").rpartition(")")[2].split()
        return int(fields[1]) if len(fields) > 1 else 0

    def _look(self, place: str, folder: Optional[int] = None) -> Optional[Look]:
        fields = dict(line.split(":", 1) for line in read(os.path.join(place, "status"), folder).splitlines())
        # Time on a processor, time waiting for one, in nanoseconds, and how often.
        computed = read(os.path.join(place, "schedstat"), folder).split()
        try:
            look = Look(fields["State"].split()[0], int(fields["voluntary_ctxt_switches"]),
                        int(computed[0]) / 1e9 if computed else 0.0)
        except (KeyError, IndexError, ValueError):
            return None
        return None if look.state in ("Z", "X") else look

    def _read(self, process: int, name: str) -> str:
        return read("%s/proc/%d/%s" % (self.root, process, name))


def read(path: str, folder: Optional[int] = None) -> str:
    """Nothing of a process that is gone."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return ""
    try:
        return os.read(handle, 1 << 16).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(handle)


def run(*command: str) -> Optional[str]:
    """What it says; None where it fails."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              env=ENVIRONMENT, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace")
