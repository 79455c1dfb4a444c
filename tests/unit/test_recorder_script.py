# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubeha-recorder, with the files, processes and packets that a host has."""

from __future__ import annotations

import json
import os
import select
import shutil
import socket
import struct
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.history import _record
from ansible_collections.kubeha.apiserver.plugins.module_utils.segment import _vrrp
from ansible_collections.kubeha.apiserver.tests.unit.planning import VIP, VIP6, intent, plan
from ansible_collections.kubeha.apiserver.tests.unit.scripts import load

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "roles/keepalived/files/kubeha-recorder"
BOOT = "0b6ad5e4-6c5a-4d3c-9b0e-2f9d6f3c2a11"


recorder = load(SCRIPT)
# Which the script finds beside itself.
base, network, daemons, said = (sys.modules["recorder_" + name] for name in ("base", "network", "daemons", "said"))


class Host:
    """cp1, with a clock that the test sets, and no kernel."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.clock = root, recorder.Now(5000.0, 1796000000.0)
        self.plan = plan(intent(vip=[VIP, VIP6]))
        monkeypatch.setattr(recorder, "now", lambda: self.clock)
        monkeypatch.setattr(daemons, "start", lambda command: None)
        self.put("/var/lib/kubeha/plan-keepalived.json", json.dumps(self.plan))
        self.put("/proc/sys/kernel/random/boot_id", BOOT + "\n")
        self.process(1, "systemd", "/init.scope", started=3)
        for number, name in ((100, "haproxy"), (200, "keepalived")):
            self.process(number, name, "/system.slice/%s.service" % name)
        self.recorder = self.begun()

    def begun(self) -> t.Any:
        made = recorder.Recorder("cp1", recorder.Ring(str(self.root / "ring")), str(self.root))
        made.begin()
        return made

    def put(self, path: str, content: str) -> Path:
        target = Path(str(self.root) + path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")
        return target

    def process(self, number: int, name: str, group: str, state: str = "S", started: int = 400000) -> None:
        self.put("/proc/%d/comm" % number, name + "\n")
        self.put("/proc/%d/cgroup" % number, "0::%s\n" % group)
        fields = [state, *["0"] * 18, str(started), "0"]
        self.put("/proc/%d/stat" % number, "%d (a ) b) %s\n" % (number, " ".join(fields)))

    def gone(self, number: int) -> None:
        folder = self.root / "proc" / str(number)
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()

    def later(self, seconds: float) -> None:
        """In ticks, as they come."""
        for _step in range(round(seconds / 0.25)):
            self.clock = recorder.Now(self.clock.boot + 0.25, self.clock.wall + 0.25)
            self.recorder.tick()

    def said(self, *kinds: str) -> list[tuple[str, str, t.Any]]:
        """What was seen to happen."""
        return [(event["e"], event["k"], event["v"]) for event in self.events()
                if event["e"] in kinds and not event.get("first")]

    def events(self) -> list[dict[str, t.Any]]:
        found = []
        for number in (3, 2, 1, 0):
            path = self.root / "ring" / str(number)
            found += [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        assert all(_record.event_of(event) for event in found)
        return found


@pytest.fixture(name="host")
def fixture_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


def ipv4(source: str, payload: bytes) -> bytes:
    addresses = bytes(map(int, source.split("."))) + b"\xc6\x33\x64\x0c"
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 255, 112, 0) + addresses + payload


def advert(source: str, vrid: int, priority: int, version: int = 3) -> bytes:
    return ipv4(source, _vrrp.build_advert(source, "198.51.100.12", version, vrid, priority, 1.0, [VIP]))


def vrid(host: Host) -> int:
    return int(host.plan["endpoints"][0]["instances"][0]["virtual_router_id"])


def member(host: Host, number: int = 1) -> str:
    return str(host.plan["endpoints"][0]["instances"][0]["members"][number]["address"])


def test_what_it_finds_is_not_news(host: Host) -> None:
    kinds = {event["e"] for event in host.events()}
    assert {"recorder", "plan", "mark", "daemon", "run", "lease", "loaded"} <= kinds
    assert all(event.get("first") for event in host.events())
    host.later(10)
    assert all(event.get("first") for event in host.events())


def test_adverts_that_come_change_resign_and_stop(host: Host) -> None:
    name = "%d %s" % (vrid(host), member(host))
    host.later(6)
    for priority in (149, 149, 99, 0):
        host.recorder.wire.hear(advert(member(host), vrid(host), priority), "", host.clock.boot)
    host.later(5)
    assert host.said("advert") == [("advert", name, 149), ("advert", name, 99), ("advert", name, 0)]
    host.recorder.wire.hear(advert(member(host), vrid(host), 149), "", host.clock.boot)
    last = host.clock.boot
    host.later(5)
    assert host.said("advert")[3:] == [("advert", name, 149), ("advert", name, None)]
    assert host.events()[-1]["t"] == round(last, 3)


@pytest.mark.parametrize("version", [2, 3])
def test_strangers_with_our_virtual_router_id(host: Host, version: int) -> None:
    host.later(6)
    host.recorder.wire.hear(advert("198.51.100.77", vrid(host), 250, version), "02:00:00:00:00:01", host.clock.boot)
    assert host.events()[-1]["mac"] == "02:00:00:00:00:01"
    host.later(10)
    name = "%d 198.51.100.77" % vrid(host)
    assert host.said("stranger") == [("stranger", name, 250), ("stranger", name, None)]


def test_a_flood_is_bounded(host: Host) -> None:
    host.later(6)
    for number in range(3000):
        source = "198.51.%d.%d" % (101 + number // 250, number % 250 + 1)
        host.recorder.wire.hear(advert(source, vrid(host), 7), "", host.clock.boot)
    assert len(host.recorder.wire.heard) <= network.STRANGERS and len(host.said("stranger")) <= network.STRANGERS
    for number in range(5000):
        host.recorder.wire.hear(advert(member(host), vrid(host), number % 2 + 1), "", host.clock.boot)
    assert len(host.said("advert")) <= base.PER_MINUTE
    host.later(61)
    assert host.said("dropped")[0][2] > 4000


@pytest.mark.parametrize("data", [
    b"", b"\x45", b"\x00" * 64, ipv4("198.51.100.12", b""), ipv4("198.51.100.12", b"\x31\x64\x07"),
    ipv4("198.51.100.12", b"\x41\x64\x07\x01\0\0\0\0"), b"\x4f" + b"\0" * 30, b"\x60" + b"\0" * 30])
def test_what_is_no_advert_is_nothing(host: Host, data: bytes) -> None:
    host.recorder.wire.hear(data, "", host.clock.boot)
    assert host.said("advert", "stranger") == []


def test_another_virtual_router_is_none_of_ours(host: Host) -> None:
    host.recorder.wire.hear(advert("198.51.100.77", vrid(host) % 255 + 1, 250), "", host.clock.boot)
    assert host.said("stranger") == []


def test_who_stands_still_misses_nobody(host: Host) -> None:
    host.later(6)
    host.recorder.wire.hear(advert(member(host), vrid(host), 149), "", host.clock.boot)
    host.clock = recorder.Now(host.clock.boot + 30, host.clock.wall + 30)
    host.recorder.tick()
    assert host.said("advert", "gap") == [("advert", "%d %s" % (vrid(host), member(host)), 149), ("gap", "host", 30.0)]


def test_a_clock_that_is_set(host: Host) -> None:
    host.clock = recorder.Now(host.clock.boot + 0.25, host.clock.wall - 3600)
    host.recorder.tick()
    assert host.said("clock") == [("clock", "host", -3600.25)]


def test_processes_that_go_come_and_freeze(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(daemons, "start", asked.append)
    host.process(101, "haproxy", "/system.slice/haproxy.service", started=400050)
    host.process(200, "keepalived", "/system.slice/keepalived.service", "T")
    host.later(2)
    host.gone(100)
    host.later(1)
    # A worker whose master is gone is no HAProxy; one of another user's never was.
    host.process(300, "haproxy", "/user.slice/haproxy.service", started=500000)
    assert host.said("daemon") == [("daemon", "keepalived", "frozen"), ("daemon", "haproxy", "gone")]
    host.gone(101)
    host.process(102, "haproxy", "/system.slice/haproxy.service", started=500200)
    host.later(2)
    assert host.said("daemon")[2:] == [("daemon", "haproxy", "running")]
    assert host.events()[-1]["t"] == pytest.approx(500200 / os.sysconf("SC_CLK_TCK"), 1)
    assert [command[0] for command in asked] == ["journalctl"] and "UNIT=haproxy.service" in asked[0]


def entry(**more: t.Any) -> dict[str, t.Any]:
    return dict({"UNIT": "haproxy.service", "__REALTIME_TIMESTAMP": "1796000000000000"}, **more)


EXIT, STOP = {"MESSAGE_ID": daemons.EXITED}, {"MESSAGE_ID": daemons.STOPPING}


@pytest.mark.parametrize("entries, why", [
    ([], "unknown"),
    ([entry(**EXIT, EXIT_CODE="killed", EXIT_STATUS="9")], "signal KILL"),
    ([entry(**EXIT, EXIT_CODE="dumped", EXIT_STATUS="SEGV")], "signal SEGV"),
    ([entry(**EXIT, EXIT_CODE="exited", EXIT_STATUS="1")], "exit 1"),
    ([entry(**STOP), entry(**EXIT, EXIT_CODE="killed", EXIT_STATUS="15")], "stopped"),
    ([entry(**EXIT, EXIT_CODE="killed", EXIT_STATUS="9"), entry(UNIT_RESULT="oom-kill")], "oom"),
    ([{"_TRANSPORT": "kernel", "MESSAGE": "Out of memory: Killed process 7 (haproxy) total-vm:1kB",
       "__REALTIME_TIMESTAMP": "1796000000000000"}], "oom"),
    ([{"_TRANSPORT": "kernel", "MESSAGE": "Killed process 7 (etcd)", "__REALTIME_TIMESTAMP": "1796000000000000"}],
     "unknown"),
    ([dict(entry(**EXIT, EXIT_CODE="killed", EXIT_STATUS="9"), __REALTIME_TIMESTAMP="1")], "unknown"),
    ([entry(UNIT="keepalived.service", **EXIT, EXIT_CODE="killed", EXIT_STATUS="9")], "unknown"),
    ([entry(**EXIT, EXIT_CODE=7, EXIT_STATUS=[1]), "nonsense", 7], "exit [1]"),
])
def test_why_a_daemon_has_ended(entries: list[t.Any], why: str) -> None:
    text = "\n".join(["{half"] + [json.dumps(item) for item in entries])
    assert daemons.reason(text, "haproxy", 1795999999.0) == why


def test_marks_tell_since_when(host: Host) -> None:
    host.later(3)
    path = host.put("/run/kubeha/haproxy/down", "1\n")
    os.utime(path, (host.clock.wall + 0.1, host.clock.wall + 0.1))
    host.put("/var/lib/kubeha/drain/drained", "1\n")
    at = host.clock.boot + 0.1
    host.later(2)
    assert ("mark", "haproxy-down", True) in host.said("mark") and ("mark", "drained", True) in host.said("mark")
    assert next(event["t"] for event in host.events() if event["k"] == "haproxy-down" and event["v"]) == round(at, 3)


def test_whose_run_it_is_until_it_counts_no_more(host: Host) -> None:
    host.put("/run/kubeha/lock", json.dumps({"boot": BOOT, "until": host.clock.boot + 5, "name": "root@admin"}))
    host.later(8)
    assert host.said("run") == [("run", "host", "root@admin"), ("run", "host", None)]
    host.put("/run/kubeha/lock", "[1, 2")
    host.later(2)
    assert len(host.said("run")) == 2


def test_no_checksum_of_a_file_with_a_password_is_written(host: Host) -> None:
    host.put("/run/kubeha/unit/keepalived.running", "5e884898da28047151d0e56f8dc62927\n")
    host.later(2)
    assert host.said("loaded") and "5e884898" not in str(host.events())


STAT = """# pxname,svname,status,lastchg,check_status,last_chk
api,cp1,UP,100,L7OK,ok
api,cp2,DOWN 1/2,2,* L4CON,"refused, by it"
api,cp3,no check,7,,
api,cp4,NOLB,x,L7STS,
api
"""


def test_what_haproxy_says_of_its_servers() -> None:
    assert list(said.servers(STAT)) == [
        ("api/cp1", "UP", 100.0, "L7OK"), ("api/cp2", "DOWN", 2.0, "L4CON"), ("api/cp4", "NOLB", 0.0, "L7STS")]
    assert list(said.servers("")) == list(said.servers("Permission denied\n")) == []


class HAProxy:
    """Whoever listens at a path, and answers once it's asked."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A socket's path is short.
        with monkeypatch.context() as here:
            here.chdir(path.parent)
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.bind(path.name)
        self.socket.listen()
        self.socket.settimeout(0.0)

    def answers(self, text: str) -> None:
        link, dummy = self.socket.accept()
        assert link.recv(99) == b"show stat -1 4 -1\n"
        link.sendall(text.encode())
        link.close()

    def was_asked(self) -> bool:
        try:
            self.socket.accept()[0].close()
        except BlockingIOError:
            return False
        return True


def stat_of(*lines: str) -> str:
    return "\n".join([STAT.splitlines()[0], *lines]) + "\n"


@pytest.mark.parametrize("mode", ["service", "static_pod"])
def test_servers_that_go_and_come(host: Host, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    pods = mode == "static_pod"
    host.plan["endpoints"][0]["mode"] = mode
    host.put("/var/lib/kubeha/plan-keepalived.json", json.dumps(host.plan))
    haproxy = HAProxy(Path(str(host.root) + (said.POD_SOCKET if pods else said.SOCKET)), monkeypatch)
    name = host.plan["endpoints"][0]["name"]
    for state in ("UP,9,L7OK", "UP,9,L7OK", "DOWN,1,L4CON"):
        while not select.select([haproxy.socket], [], [], 0)[0]:
            host.later(0.25)
        # What isn't in the plan isn't believed to be there.
        haproxy.answers(stat_of("%s,cp2,%s" % (name, state), "%s,cp77,UP,9,L7OK" % name))
        host.later(0.5)
    assert [event["v"] for event in host.events() if event["e"] == "server"] == ["UP", "DOWN"]
    assert host.said("server")[-1] == ("server", "%s/cp2" % name, "DOWN")


def test_only_haproxys_own_socket_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, other = tmp_path / "stats/kubeha.sock", HAProxy(tmp_path / "other.sock", monkeypatch)
    path.parent.mkdir()
    path.symlink_to(tmp_path / "other.sock")
    for pod in (True, False):
        with pytest.raises(PermissionError):
            said.asked(str(path), pod)
    path.unlink()
    path.write_text("")
    with pytest.raises(PermissionError):
        said.asked(str(path), True)
    # As one of root's by another name, in a folder of somebody else's.
    real = os.lstat
    monkeypatch.setattr(os, "lstat", lambda place: os.stat_result([*real(place)[:4], 4711, *real(place)[5:10]]))
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    for pod in (True, False):
        with pytest.raises(PermissionError):
            said.asked(str(tmp_path / "other.sock"), pod)
    assert not other.was_asked()


def test_news_of_addresses_and_interfaces(host: Host) -> None:
    def message(kind: int, payload: bytes, *attributes: tuple[int, bytes]) -> bytes:
        for number, value in attributes:
            payload += struct.pack("=HH", 4 + len(value), number) + value + b"\0" * (-len(value) % 4)
        return struct.pack("=IHHII", 16 + len(payload), kind, 0, 0, 0) + payload

    news, local = host.recorder.news, bytes(map(int, VIP.split(".")))
    host.recorder.note("vip", VIP, False)
    address = struct.pack("=BBBBI", 2, 32, 0, 0, 2)
    news.hear(message(20, address, (1, local), (2, local)) + message(20, address, (2, b"\x7f\0\0\1")))
    news.hear(message(21, address, (2, local)))
    link = struct.pack("=BxHiII", 0, 1, 2, 0x10043, 0)
    host.recorder.note("link", "eth0", True)
    news.hear(message(16, struct.pack("=BxHiII", 0, 1, 2, 0x2, 0), (3, b"eth0\0")))
    news.hear(message(16, link, (3, b"eth0\0")) + message(16, link, (3, b"other\0")))
    for odd in (b"", b"\0" * 16, message(20, b""), message(20, address), message(20, address, (2, b"\1\2\3")),
                message(16, link)[:20], b"\xff" * 40):
        news.hear(odd)
    assert host.said("vip", "link") == [("vip", VIP, True), ("vip", VIP, False), ("link", "eth0", False),
                                        ("link", "eth0", True)]


def test_a_reboot_and_whether_it_was_in_order(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.later(6)
    last = host.clock.wall
    host.put("/proc/sys/kernel/random/boot_id", "another\n")
    host.clock = recorder.Now(30.0, last + 60)
    host.recorder = host.begun()
    [boot] = [event for event in host.events() if event["e"] == "boot"]
    assert boot["v"] is False and abs(boot["before"] - last) < 6
    monkeypatch.setattr(recorder, "run", lambda command, seconds: "stopping\n")
    host.recorder.end()
    host.put("/proc/sys/kernel/random/boot_id", "a third one\n")
    host.recorder = host.begun()
    assert [event["v"] for event in host.events() if event["e"] == "boot"] == [False, True]


def test_the_ring_is_bounded_and_each_file_begins_with_all_that_is_known(
        host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "SIZE", 4000)
    for number in range(2000):
        host.recorder.note("mark", "drained", bool(number % 2))
        host.later(0.25)
    files = sorted(path.name for path in (host.root / "ring").iterdir())
    assert files == ["0", "1", "2", "3", "alive"]
    assert all((host.root / "ring" / name).stat().st_size < 9000 for name in files)
    first = [json.loads(line) for line in (host.root / "ring/3").read_text().splitlines()]
    assert first[0]["e"] == "recorder" and {"daemon", "mark", "plan"} <= {event["e"] for event in first[:30]}


@pytest.mark.parametrize("content", ["", "null", "[]", '{"endpoints": 7}', '{"endpoints": [{"mode": 1}]}', "{",
                                     '{"endpoints": [{"mode": "service", "vips": [{"address": "x"}]}]}'])
def test_a_plan_that_is_none_leaves_nothing_to_do(host: Host, content: str) -> None:
    host.put("/var/lib/kubeha/plan-keepalived.json", content)
    host.later(3)
    assert host.recorder.plan.routers == {}


def test_a_full_disk_and_a_folder_that_is_gone_end_nothing(host: Host) -> None:
    for path in (host.root / "ring").iterdir():
        path.unlink()
    (host.root / "ring").rmdir()
    host.recorder.note("mark", "drained", True)
    host.later(6)


def test_it_runs_as_its_unit_starts_it(tmp_path: Path) -> None:
    text = SCRIPT.read_text().replace("/var/lib/kubeha/recorder", str(tmp_path / "ring"))
    (tmp_path / "recorder").write_text(text)
    shutil.copytree(SCRIPT.parent / "parts.d", tmp_path / "parts.d")
    process = subprocess.Popen(["python3", "-I", "-S", str(tmp_path / "recorder"), "cp1"], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    # Its first words, with which it's ready to be ended.
    while not (tmp_path / "ring/0").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.terminate()
    assert process.communicate(timeout=10)[1] == b"" and process.returncode == 0
    assert "recorder" in (tmp_path / "ring/0").read_text()
    assert not (tmp_path / "parts.d/__pycache__").exists()
