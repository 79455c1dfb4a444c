# Managed by kubeha.apiserver: changes here are overwritten by the next run.
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all parts of kubeha-recorder share: its ring of files, plan and clocks, and how a part tells what it sees."""

import json
import os
import select
import subprocess
import time
from typing import Any, Dict, List, NamedTuple, Optional, Protocol, Set, Tuple

from shared_host import plain, read

# Four files of half a MiB.
FILES, SIZE = 4, 1 << 19
PER_MINUTE = 600
TICK = 0.25


class Now(NamedTuple):
    """The same moment, in seconds since boot, suspended time included, and since 1970."""

    boot: float
    wall: float

    def at(self, wall: float) -> float:
        """Since boot, of a moment of the clock's."""
        return wall - (self.wall - self.boot)


def now() -> Now:
    return Now(time.clock_gettime(time.CLOCK_BOOTTIME), time.time())


class Book(Protocol):
    """To whom the parts tell what they see, and what they may ask: the recorder."""

    root: str
    plan: "Plan"
    moment: Now
    poller: "select.poll"
    known: Dict[Tuple[str, str], Tuple[Any, Dict[str, Any]]]

    def note(self, kind: str, about: str, value: Any, at: Optional[float] = None, **more: Any) -> None:
        """A fact, where it's news. `at` is in seconds since boot."""

    def tell(self, kind: str, about: str, value: Any, at: Optional[float] = None, first: bool = False,
             **more: Any) -> None:
        """What isn't a state, but happens."""

    def forget(self, kind: str, about: str) -> None:
        """It isn't known any more."""


class Ring:
    """Files of a bounded size. The oldest one goes."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.left, self.minute, self.dropped = PER_MINUTE, 0, 0
        os.makedirs(folder, 0o700, exist_ok=True)

    def write(self, event: Dict[str, Any]) -> None:
        if self.left <= 0:
            self.dropped += 1
            return
        self.left -= 1
        self._append(event)

    def begin_minute(self, moment: Now) -> None:
        if int(moment.boot) // 60 != self.minute:
            if self.dropped:
                self._append({"t": round(moment.boot, 3), "w": round(moment.wall, 3), "e": "dropped", "k": "host",
                              "v": self.dropped})
            self.left, self.minute, self.dropped = PER_MINUTE, int(moment.boot) // 60, 0

    def is_full(self) -> bool:
        try:
            return os.lstat(self.path(0)).st_size > SIZE
        except OSError:
            return False

    def turn(self) -> None:
        for number in range(FILES - 2, -1, -1):
            try:
                os.rename(self.path(number), self.path(number + 1))
            except FileNotFoundError:
                pass

    def path(self, number: int) -> str:
        return os.path.join(self.folder, str(number))

    def _append(self, event: Dict[str, Any]) -> None:
        try:
            handle = os.open(self.path(0), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError:
            return
        try:
            # In one write, so a line is there as a whole or was cut off by the end of the disk.
            os.write(handle, (json.dumps(event, separators=(",", ":")) + "\n").encode())
        except OSError:
            pass
        finally:
            os.close(handle)


class Plan:
    """What of a stored plan the recorder has to know. One that can't be read has nothing."""

    def __init__(self, host: str, content: Optional[bytes]) -> None:
        self.vips: Set[str] = set()
        self.interfaces: Set[str] = set()
        # By virtual router ID and family: the members' addresses, and how long silence is normal.
        self.routers: Dict[Tuple[int, int], Tuple[Set[str], float]] = {}
        self.holders: List[str] = []
        # HAProxy's names.
        self.servers: Set[str] = set()
        self.pods = False
        self.manifests = ""
        plan = decoded(content)
        try:
            for endpoint in plan["endpoints"] if isinstance(plan, dict) else ():
                self._endpoint(endpoint, host)
        except (LookupError, TypeError, ValueError, AttributeError):
            pass

    def _endpoint(self, endpoint: Dict[str, Any], host: str) -> None:
        self.pods = self.pods or endpoint["mode"] == "static_pod"
        self.manifests = endpoint.get("manifest_dir") or ""
        self.vips.update(plain(vip["address"]) for vip in endpoint["vips"])
        self.servers.update("%s/%s" % (endpoint["name"], backend["name"]) for backend in endpoint["backends"])
        if endpoint.get("sync_group"):
            self.holders.append(endpoint["sync_group"])
        for instance in endpoint["instances"]:
            addresses = {plain(member["address"]) for member in instance["members"]}
            self.interfaces.update(member["interface"] for member in instance["members"] if member["host"] == host)
            silence = float(instance["advert_interval"]) * (int(instance["down_timer_adverts"] or 3) + 1)
            self.routers[int(instance["virtual_router_id"]), 4 if instance["family"] == "ipv4" else 6] = (
                addresses, silence)
            self.holders.append(str(instance["name"]))


# Of this host


def boot_of(root: str) -> str:
    """Which start of the system this is; of a container's too, whose kernel goes on."""
    boot = (read(root + "/proc/sys/kernel/random/boot_id", 64) or b"").decode("ascii", "replace").strip()
    return "%s %d" % (boot, _first_process(root))


def age_of_boot(root: str) -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME) - _first_process(root) / os.sysconf("SC_CLK_TCK")


def _first_process(root: str) -> int:
    fields = (read(root + "/proc/1/stat", 4096) or b"").rpartition(b")")[2].split()
    return int(fields[19]) if len(fields) > 19 else 0


def number(value: Any) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        return 0.0
    return found if abs(found) < 1e18 else 0.0


def decoded(content: Optional[bytes]) -> Any:
    try:
        return json.loads(content or b"null")
    except (ValueError, RecursionError):
        return None


def start(command: List[str]) -> Any:
    try:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"})
    except OSError:
        return None


def run(command: List[str], seconds: float) -> str:
    process = start(command)
    if process is None:
        return ""
    try:
        return str(process.communicate(timeout=seconds)[0].decode("utf-8", "replace"))
    except subprocess.TimeoutExpired:
        process.kill()
        return ""
