# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Things that happen to real hosts, and what `history` says of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from _lab.faults import FAULTS
from _lab.podman import podman
from looker import Looker, wait_for

# Adverts of a machine that is no member, with a low priority: they move nothing.
STRANGER = """
import socket, struct, sys, time
source, target, vrid, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff
body = struct.pack("!BBBBHH", 0x31, vrid, 7, 1, 100, 0) + socket.inet_aton("198.51.100.77")
pseudo = socket.inet_aton(source) + socket.inet_aton(target) + struct.pack("!BBH", 0, 112, len(body))
body = body[:6] + struct.pack("!H", checksum(pseudo + body)) + body[8:]
link = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
link.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
end = time.monotonic() + seconds
while time.monotonic() < end:
    link.sendto(body, (target, 0))
    time.sleep(0.1)
"""


class Happening(NamedTuple):
    """`moves` is whether the VIP leaves cp1 for as long as it lasts."""

    name: str
    code: str
    host: str
    inject: Callable[[Looker], object]
    mend: Callable[[Looker], object]
    moves: bool = True
    seconds: float = 2.0


class Window(NamedTuple):
    happening: Happening
    begun: float
    ended: float


def fault(name: str, code: str, host: str = "cp1", moves: bool = True, seconds: float = 2.0) -> Happening:
    """One of the lab's own."""
    found = FAULTS[name]
    return Happening("%s on %s" % (name, host), code, host, lambda user: found.inject(user.lab, host),
                     lambda user: found.mend(user.lab, host), moves, seconds)


def shell(name: str, code: str, host: str, inject: str, mend: str = "true", moves: bool = True,
          seconds: float = 2.0) -> Happening:
    return Happening("%s on %s" % (name, host), code, host, lambda user: user.sh(host, inject),
                     lambda user: user.sh(host, mend), moves, seconds)


def _stranger(user: Looker) -> None:
    vrid = user.plan_on("cp1")["instances"][0]["virtual_router_id"]
    user.lab.run("client", "python3", "-c", STRANGER, user.lab.address("client"), user.lab.address("cp2"), str(vrid),
                 "1.5")


def _nothing(dummy: Looker) -> None:
    pass


def _reboot(user: Looker) -> None:
    """As a host that is told to: all of its services end in order."""
    user.lab.run("cp1", "systemctl", "poweroff", check=False)
    podman("wait", user.lab.container("cp1"))
    user.lab.boot("cp1")


def _power(user: Looker) -> None:
    user.lab.kill("cp1")
    time.sleep(3)
    user.lab.boot("cp1")


STOPPED = fault("keepalived-stop", "keepalived_stopped")
KILLED = fault("keepalived-kill", "keepalived_killed")
HAPROXY_STOPPED = fault("haproxy-stop", "haproxy_stopped")
HAPROXY_KILLED = fault("haproxy-kill", "haproxy_killed")
HAPROXY_HUNG = fault("haproxy-hang", "haproxy_hung", seconds=4)
KEEPALIVED_HUNG = shell("keepalived SIGSTOP", "keepalived_hung", "cp1", "systemctl kill --signal=STOP keepalived",
                        seconds=4)
KEEPALIVED_FROZEN = shell("keepalived frozen", "keepalived_hung", "cp1",
                          "kill -STOP $(pgrep -P $(systemctl show -p MainPID --value keepalived))", seconds=4)
API_DOWN = fault("apiserver-stop", "apiserver_down", "cp3", moves=False, seconds=6)
API_HUNG = fault("apiserver-hang", "apiserver_down", "cp2", moves=False, seconds=8)
LINK = shell("the link lost", "link_lost", "cp1", "ip link set eth0 down", "ip link set eth0 up")
LINK_OF_A_BACKUP = shell("the link lost", "link_lost", "cp2", "ip link set eth0 down", "ip link set eth0 up",
                         moves=False)
FROZEN = fault("host-freeze", "host_frozen", moves=False, seconds=4)
FROZEN_BACKUP = fault("host-freeze", "host_frozen", "cp3", moves=False, seconds=4)
STRANGERS = Happening("a stranger's adverts", "stranger", "client", _stranger, _nothing, False)
POWER = Happening("power lost", "host_lost_power", "cp1", _power, _nothing, False, 1)
REBOOT = Happening("rebooted", "host_rebooted", "cp1", _reboot, _nothing, False, 1)
CRASHED = shell("HAProxy SIGSEGV", "haproxy_killed", "cp1", "systemctl kill --signal=SEGV haproxy")
STOPPED_BACKUP = fault("keepalived-stop", "keepalived_stopped", "cp2", moves=False)
BACKUPS_HAPROXY = fault("haproxy-kill", "haproxy_killed", "cp3", moves=False)
MAIN = fault("keepalived-kill-main", "keepalived_killed", moves=False, seconds=4)

QUICK = (KILLED, HAPROXY_KILLED, LINK)
EVERY = (STOPPED, KILLED, MAIN, HAPROXY_STOPPED, HAPROXY_KILLED, CRASHED, HAPROXY_HUNG, KEEPALIVED_HUNG,
         KEEPALIVED_FROZEN, API_DOWN, API_HUNG, LINK, LINK_OF_A_BACKUP, FROZEN, FROZEN_BACKUP, STRANGERS,
         STOPPED_BACKUP, BACKUPS_HAPROXY, POWER, REBOOT)


def happen(user: Looker, happenings: Iterable[Happening], between: float = 0.0) -> list[Window]:
    """One after the other, each mended and over before the next one."""
    windows = []
    for item in happenings:
        begun = time.time()
        try:
            item.inject(user)
            until = time.monotonic() + 5
            # A VIP may be back before somebody has looked: history tells that it moved.
            while item.moves and user.holders() in ([], ["cp1"]) and time.monotonic() < until:
                time.sleep(0.1)
            time.sleep(item.seconds)
        finally:
            item.mend(user)
        wait_for(lambda: user.holders() == ["cp1"], 60)
        windows.append(Window(item, begun, time.time()))
        time.sleep(between)
    return windows


def history(user: Looker, since: float, **variables: object) -> tuple[dict, str]:
    """What `history` says, as JSON and as words."""
    file = Path(str(user.file) + ".history")
    moment = datetime.fromtimestamp(since, timezone.utc).isoformat() if since else "1d"
    run = user.playbook("playbooks/history.yml", since=moment, endpoint_history_file=str(file), **variables).succeeded()
    assert sum(run.changed.values()) == 0
    return json.loads(file.read_text()), run.output


def named_wrong(said: dict, windows: Iterable[Window], addresses: dict[str, str] | None = None) -> list[str]:
    """Those of which no cause is what was done, and what was said instead. A starved machine has causes of its own."""
    wrong = []
    for window in windows:
        inside = [cause for incident in said["incidents"] for cause in incident["causes"]
                  if window.begun - 1.5 <= datetime.fromisoformat(cause["at"]).timestamp() <= window.ended]
        wanted = window.happening.code, (addresses or {}).get(window.happening.host, window.happening.host)
        found = [(cause["code"], cause["host"]) for cause in sorted(inside, key=lambda cause: cause["at"])]
        if wanted not in found:
            wrong.append("%s: wanted %s, found %s" % (window.happening.name, wanted, found))
    return wrong
