# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scripts inside of static pods, run for real by the shells and with the tools that images have."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

ROLES = Path(__file__).resolve().parents[2] / "roles"
SCRIPTS = {
    "check": ROLES / "keepalived/files/kubeha-check",
    "notify": ROLES / "keepalived/files/kubeha-notify",
    "run-keepalived": ROLES / "keepalived/files/pod-run",
    "run-haproxy": ROLES / "haproxy/files/pod-run",
    "release": ROLES / "keepalived/files/release",
}
TOOLS = {name: shutil.which(name) for name in ("dash", "bash", "wget", "busybox", "sha256sum", "mv", "rm", "sleep")}
pytestmark = pytest.mark.skipif(None in TOOLS.values(), reason="needs %s" % ", ".join(TOOLS))

# How an image may be made: its sh, whether it has bash, and what else is on its PATH.
SMALL = ("sha256sum", "mv", "rm", "sleep")
IMAGES = {
    "debian": ("dash", True, SMALL),
    "dash-wget": ("dash", False, ("wget", *SMALL)),
    "bash-as-sh": ("bash", True, SMALL),
    "busybox": ("busybox", False, ("busybox",)),
}
APPLETS = ("sh", "mv", "rm", "sleep", "sha256sum", "nc")


class Pod:
    """A container's view of a host, in a folder of its own."""

    def __init__(self, root, image):
        shell, has_bash, tools = IMAGES[image]
        self.root = root
        self.run_folder = root / "run/kubeha"
        self.bin = root / "bin"
        for folder in ("bin", "etc/kubeha/haproxy", "etc/kubeha/keepalived", "run/kubeha/haproxy",
                       "run/kubeha/keepalived", "run/kubeha/stats", "run/kubeha/unit", "net"):
            (root / folder).mkdir(parents=True)
        for tool in tools:
            (self.bin / tool).symlink_to(TOOLS[tool])
        if shell == "busybox":
            for applet in APPLETS:
                (self.bin / applet).symlink_to(TOOLS["busybox"])
        else:
            (self.bin / "sh").symlink_to(TOOLS[shell])
        if has_bash:
            (self.bin / "bash").symlink_to(TOOLS["bash"])
        self.scripts = {name: self._script(name) for name in SCRIPTS}
        self.environment = {"PATH": str(self.bin), "KUBEHA_EXECUTION": "abc"}

    def _script(self, name):
        text = SCRIPTS[name].read_text(encoding="utf-8")
        for path in ("/run/kubeha", "/etc/kubeha", "/var/lib/kubeha", "/proc/net"):
            text = text.replace(path, "%s%s" % (self.root, path.replace("/proc", "")))
        # Nothing of this machine's own is in reach.
        for path in (":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "/usr/sbin:/usr/bin:/sbin:/bin"):
            text = text.replace(path, "" if path.startswith(":") else str(self.bin))
        text = text.replace("/proc/1/fd/2", str(self.root / "console"))
        text = text.replace("processes=/proc\n", "processes=%s/proc\n" % self.root)
        text = text.replace("containers=/var/log/containers\n", "containers=%s/containers\n" % self.root)
        text = text.replace("/bin/bash /usr/bin/bash /usr/local/bin/bash", "%s/bash" % self.bin)
        script = self.root / name
        script.write_text("#!%s/sh\n%s" % (self.bin, text.partition("\n")[2]), encoding="utf-8")
        script.chmod(0o755)
        return script

    def start(self, name, *arguments):
        # keepalived gives each script a process group.
        return subprocess.Popen([str(self.scripts[name]), *map(str, arguments)], env=self.environment,
                                start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def run(self, name, *arguments, seconds=20.0):
        """Its exit code; after so many seconds the whole group is ended, as keepalived does it."""
        process = self.start(name, *arguments)
        try:
            return process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGTERM)
            return process.wait(timeout=5)

    def program(self, name, text):
        (self.bin / name).write_text("#!%s\n%s" % (TOOLS["bash"], text), encoding="utf-8")
        (self.bin / name).chmod(0o755)

    def read(self, path):
        return (self.run_folder / path).read_text(encoding="utf-8").strip()

    def wait_for(self, path, value):
        deadline = time.monotonic() + 10
        while not (self.run_folder / path).exists() or self.read(path) != value:
            assert time.monotonic() < deadline, "%s isn't %s" % (path, value)
            time.sleep(0.01)


@pytest.fixture(name="pod", params=IMAGES)
def fixture_pod(request, tmp_path):
    return Pod(tmp_path, request.param)


@contextlib.contextmanager
def server(answer):
    """Answers every connection with these bytes; None is silence."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        kept = []
        with contextlib.suppress(OSError):
            while True:
                connection = listener.accept()[0]
                kept.append(connection)
                connection.recv(1000)
                if answer is not None:
                    connection.sendall(answer)
                    connection.close()

    threading.Thread(target=serve, daemon=True).start()
    with listener:
        yield listener.getsockname()[1]


def uptime():
    return int(float(Path("/proc/uptime").read_text(encoding="ascii").split()[0]))


def ago(seconds):
    """By the same clock. A machine that runs tests may have started less than that ago."""
    return max(1, uptime() - seconds)


# check

def live(pod, port, hangs=2, seconds=0.6):
    return pod.run("check", "live", "127.0.0.1", port, "/livez", "0.4", hangs, seconds=seconds + 5 * (port == 0))


@pytest.mark.parametrize("answer, expected", [
    (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", 0), (b"HTTP/1.1 503 no\r\ncontent-length: 0\r\n\r\n", 1)])
def test_answers(pod, answer, expected):
    with server(answer) as port:
        assert pod.run("check", "live", "127.0.0.1", port, "/livez", "0.8", 2) == expected
        assert pod.run("check", "ready", "127.0.0.1", port, "/readyz/a", "0.8", 4, "a") == expected


def test_who_refuses_is_down_at_once(pod):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    assert pod.run("check", "live", "127.0.0.1", port, "/livez", "0.8", 2) == 1
    assert uptime() - int(pod.read("keepalived/since")) <= 5


def test_who_hangs_is_asked_again(pod):
    with server(None) as port:
        assert live(pod, port) == 0
        assert live(pod, port) == 1
        assert live(pod, port) == 1
    with server(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok") as port:
        assert pod.run("check", "live", "127.0.0.1", port, "/livez", "0.4", 2) == 0
    with server(None) as port:
        assert live(pod, port) == 0, "an answer ends the series"


def test_settled(pod):
    (pod.run_folder / "haproxy/since").write_text("%d\n" % ago(100))
    assert pod.run("check", "settled", 30, "a") == 0
    assert pod.run("check", "settled", 3000, "a") == 1
    (pod.run_folder / "keepalived/holder-a").write_text("1\n")
    assert pod.run("check", "settled", 3000, "a") == 0


# notify

def test_notifications_one_after_the_other(pod):
    for state, expected in (("BACKUP", "0"), ("MASTER", "1"), ("FAULT", "0"), ("MASTER", "1"), ("STOP", "0")):
        assert pod.run("notify", "INSTANCE", "a", state, 150) == 0
        assert pod.read("keepalived/holder-a") == expected
    assert not (pod.run_folder / "keepalived/lock-a").exists()
    # A line for each state, and nothing else.
    assert set((pod.root / "console").read_text().splitlines()) <= {
        "kubeha: a is %s" % state for state in ("BACKUP", "MASTER", "FAULT", "STOP")}


def test_who_died_in_his_turn_is_not_waited_for(pod):
    (pod.run_folder / "keepalived/lock-a").touch()
    assert pod.run("notify", "INSTANCE", "a", "MASTER", 150) == 0
    assert pod.read("keepalived/holder-a") == "1"


# HAProxy's first process

# Makes its socket as HAProxy does, and ends as it's told.
HAPROXY = """
if [ "$1" = -v ]; then
    printf 'HAProxy version 3.0.11-1 2025/06/03 - https://haproxy.org/\\nStatus: long-term\\n'
    exit
fi
if [ "$1" = -c ]; then
    read -r word <"$4"
    [ "$word" != wrong ]
    exit
fi
echo "$*" >"{root}/arguments"
for name in TERM USR1 USR2; do trap "echo $name >>{root}/signals" $name; done
trap "echo TERM >>{root}/signals; exit 143" TERM
cd "{root}/run/kubeha/stats"
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("kubeha.sock")'
while [ ! -e "{root}/end" ]; do sleep 0.02; done
exit 7
"""


@pytest.fixture(name="haproxy")
def fixture_haproxy(pod):
    (pod.root / "etc/kubeha/haproxy/haproxy.cfg").write_text("one\n")
    (pod.run_folder / "haproxy/down").write_text("1\n")
    text = HAPROXY.replace("{root}", str(pod.root)).replace("python3", sys.executable)
    pod.program("haproxy", text.replace("sleep", TOOLS["sleep"]))
    process = pod.start("run-haproxy")
    yield process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_haproxy_is_up_once_it_listens(pod, haproxy):
    config = pod.root / "etc/kubeha/haproxy/haproxy.cfg"
    pod.wait_for("haproxy/down", "0")
    assert (pod.root / "arguments").read_text() == "-W -f %s\n" % config
    assert pod.read("haproxy/running") == sha256(config)
    assert pod.read("haproxy/execution") == "abc"
    assert pod.read("haproxy/version") == "3.0.11-1"
    assert uptime() - int(pod.read("haproxy/since")) <= 10
    # With that it goes on as it was.
    config.write_text("wrong\n")
    before = pod.read("haproxy/running")
    haproxy.send_signal(signal.SIGUSR2)
    pod.wait_for("../../signals", "USR2")
    assert pod.read("haproxy/running") == before
    config.write_text("two\n")
    haproxy.send_signal(signal.SIGUSR2)
    pod.wait_for("haproxy/running", sha256(config))
    pod.wait_for("../../signals", "USR2\nUSR2")
    haproxy.send_signal(signal.SIGTERM)
    assert haproxy.wait(timeout=10) == 143
    assert pod.read("haproxy/down") == "1"
    assert pod.read("haproxy/running") == pod.read("haproxy/execution") == ""
    assert pod.read("../../signals").split() == ["USR2", "USR2", "TERM"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
def test_haproxys_user_needs_no_folder_but_that_of_its_socket(pod):
    """It writes into files that root has made, and can't put anything else in their place."""
    folder = pod.run_folder / "haproxy"
    for name in ("down", "since", "running", "execution", "version"):
        (folder / name).write_text("1\n" if name == "down" else "")
        os.chown(folder / name, 99, 99)
    os.chown(pod.run_folder / "stats", 99, 99)
    (pod.root / "etc/kubeha/haproxy/haproxy.cfg").write_text("one\n")
    for above in (pod.root, *pod.root.parents):
        above.chmod(above.stat().st_mode | 0o011)
    # Any user's Python, and not the one of these tests.
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if not python:
        pytest.skip("python3 makes the socket")
    pod.program("haproxy", HAPROXY.replace("{root}", str(pod.root)).replace("python3", python).replace(
        "sleep", TOOLS["sleep"]))
    for name in ("arguments", "signals"):
        (pod.root / name).touch()
        os.chown(pod.root / name, 99, 99)
    inodes = {path: path.stat().st_ino for path in folder.iterdir()}
    process = subprocess.Popen([str(pod.scripts["run-haproxy"])], env=pod.environment, start_new_session=True, user=99,
                               group=99, extra_groups=[], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    pod.wait_for("haproxy/down", "0")
    assert pod.read("haproxy/execution") == "abc" and pod.read("haproxy/version") == "3.0.11-1"
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 143 and pod.read("haproxy/down") == "1"
    assert {path: path.stat().st_ino for path in folder.iterdir()} == inodes
    assert subprocess.run(["touch", str(folder / "trap")], user=99, group=99, check=False,
                          stderr=subprocess.DEVNULL).returncode != 0


def test_haproxy_that_ends_by_itself_is_down(pod, haproxy):
    pod.wait_for("haproxy/down", "0")
    (pod.root / "end").touch()
    assert haproxy.wait(timeout=10) == 7
    assert pod.read("haproxy/down") == "1"


def test_haproxy_that_never_listens_is_never_up(pod, monkeypatch):
    monkeypatch.chdir(pod.run_folder / "stats")
    (pod.root / "etc/kubeha/haproxy/haproxy.cfg").write_text("one\n")
    # Left by one that was killed.
    with socket.socket(socket.AF_UNIX) as old:
        old.bind("kubeha.sock")
    (pod.run_folder / "haproxy/down").write_text("0\n")
    pod.program("haproxy", "[ $1 != -v ] || exit 0\n%s 0.5\nexit 1\n" % TOOLS["sleep"])
    process = pod.start("run-haproxy")
    pod.wait_for("haproxy/down", "1")
    while process.poll() is None:
        assert pod.read("haproxy/down") == "1"
    assert process.returncode == 1
    assert pod.read("haproxy/down") == "1"


def test_the_vip_leaves_before_haproxy(pod):
    began = time.monotonic()
    assert pod.run("run-haproxy", "stopping") == 0
    assert pod.read("haproxy/down") == "1"
    assert time.monotonic() - began >= 0.5


# keepalived's first process

KEEPALIVED = """
if [ "$1" = -v ]; then printf 'some noise first\\nKeepalived v2.3.3 (03/30,2025)\\n' >&2; exit; fi
echo "$*" >"{root}/arguments"
"""


@pytest.fixture(name="keepalived")
def fixture_keepalived(pod):
    folder = pod.root / "etc/kubeha/keepalived"
    (folder / "keepalived.conf").write_text(
        'track_file a-holder {\n    file "%s/keepalived/holder-a"\n    weight 10\n}\n' % pod.run_folder)
    (folder / "start").write_text("# comment\ntakeover 400\naddress 198.51.100.11\naddress 2001:db8::11=2001\n")
    (pod.root / "net/fib_trie").write_text("Main:\n  +-- 0.0.0.0/0 2 0 2\n     |-- 198.51.100.11\n"
                                           "        /32 host LOCAL\n")
    (pod.root / "net/if_inet6").write_text("2001 02 40 00 80 eth0\n")
    pod.program("keepalived", KEEPALIVED.replace("{root}", str(pod.root)))
    return pod


def test_keepalived_starts_with_nothing_held(keepalived):
    config = keepalived.root / "etc/kubeha/keepalived/keepalived.conf"
    (keepalived.run_folder / "keepalived/ready-a").write_text("up 1\n")
    (keepalived.run_folder / "keepalived/holder-a").write_text("0\n")
    began = time.monotonic()
    assert keepalived.run("run-keepalived") == 0
    assert (keepalived.root / "arguments").read_text() == (
        "--dont-fork --log-console --vrrp --use-file %s\n" % config)
    assert keepalived.read("keepalived/version") == "2.3.3"
    assert keepalived.read("unit/keepalived.running") == sha256(config)
    # Who knows all of a file but a short password finds it by the checksum.
    assert stat.S_IMODE((keepalived.run_folder / "unit/keepalived.running").stat().st_mode) == 0o600
    assert keepalived.read("unit/keepalived.execution") == "abc"
    assert keepalived.read("keepalived/holder-a") == ""
    assert not (keepalived.run_folder / "keepalived/ready-a").exists()
    assert time.monotonic() - began < 20


def test_keepalived_does_not_start_without_its_key(keepalived):
    config, key = keepalived.root / "etc/kubeha/keepalived/keepalived.conf", keepalived.root / "a-17.key"
    config.write_text(config.read_text() + "    key 17 file:%s\n" % key)
    process = keepalived.start("run-keepalived")
    assert "isn't started without its key %s: run site" % key in process.communicate(timeout=20)[0].decode()
    assert process.returncode == 1 and not (keepalived.root / "arguments").exists()
    key.write_text("hex:00\n")
    assert keepalived.run("run-keepalived") == 0


def test_others_get_time_to_take_over_from_one_that_was_killed(keepalived):
    (keepalived.run_folder / "keepalived/holder-a").write_text("1\n")
    began = time.monotonic()
    process = keepalived.start("run-keepalived")
    output = process.communicate(timeout=20)[0].decode()
    assert process.returncode == 0
    assert "killed while it held the VIP" in output
    assert time.monotonic() - began >= 0.4


def test_keepalived_waits_for_its_addresses(keepalived):
    (keepalived.root / "net/if_inet6").write_text("2001 02 40 00 40 eth0\n")     # tentative
    process = keepalived.start("run-keepalived")
    time.sleep(0.5)
    assert process.poll() is None and not (keepalived.root / "arguments").exists()
    (keepalived.root / "net/if_inet6").write_text("2001 02 40 00 80 eth0\n")
    output = process.communicate(timeout=20)[0].decode()
    assert process.returncode == 0
    assert "waiting for this host's address 2001:db8::11\n" in output


def test_an_image_that_cannot_ask_is_refused(tmp_path):
    pod = Pod(tmp_path, "dash-wget")
    (pod.bin / "wget").unlink()
    process = pod.start("run-keepalived")
    assert "neither bash nor nc nor wget" in process.communicate(timeout=20)[0].decode()
    assert process.returncode == 1


def test_an_image_without_keepalived_is_refused(pod):
    process = pod.start("run-keepalived")
    assert "no keepalived" in process.communicate(timeout=20)[0].decode()
    assert process.returncode == 1


# What takes VIPs away on the host

# Says what is on the host, and notes what else it's told.
IP = """
case "$*" in
    "-o address show to 198.51.100.100/32")
        [ ! -e {root}/comes-back ] || : >{root}/manifest
        echo '2: eth0    inet 198.51.100.100/24 scope global eth0\\       valid_lft forever'
        echo '3: eth1@if7    inet 198.51.100.100/32 scope global eth1\\       valid_lft forever' ;;
    "-o address show to 2001:db8::100/128")
        echo '3: eth1    inet6 2001:db8::100/128 scope global deprecated nodad \\       valid_lft forever' ;;
    -o*) ;;
    *) echo "$*" >>{root}/told ;;
esac
"""
ID, OTHER = "c0ffee00" * 8, "deadbeef" * 8
TAKEN = ["address del 198.51.100.100/32 dev eth1", "address del 2001:db8::100/128 dev eth1"]


class Release:
    """A host with two VIPs and others' addresses, whose manifest is gone."""

    def __init__(self, pod):
        self.pod = pod
        self.manifest = pod.root / "manifest"
        (pod.root / "etc/kubeha/keepalived/start").write_text(
            "takeover 400\naddress 198.51.100.11\nvip 198.51.100.100/32\nvip 2001:db8::100/128\nvip 2001:db8::9/128\n")
        pod.program("ip", IP.replace("{root}", str(pod.root)))
        pod.program("systemctl", "echo /system.slice/keepalived.service")
        (pod.bin / "readlink").unlink(missing_ok=True)
        (pod.bin / "readlink").symlink_to(shutil.which("readlink"))
        (pod.root / "containers").mkdir()
        self.link("kubeha-keepalived-cp1", "0123456789abcdef" * 2, ID)
        self.process(1, "(systemd) S")

    def link(self, pod, uid, identity):
        (self.pod.root / "containers" / ("%s_kube-system_keepalived-%s.log" % (pod, identity))).symlink_to(
            "/var/log/pods/kube-system_%s_%s/keepalived/0.log" % (pod, uid))

    def process(self, pid, said, group="/kubepods/pod1/" + ID, uids="0\t0\t0\t0"):
        folder = self.pod.root / "proc" / str(pid)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "stat").write_text("%d %s 1 1 1\n" % (pid, said))
        (folder / "status").write_text("Name:\tx\nUid:\t%s\nGid:\t0\t0\t0\t0\n" % uids)
        (folder / "cgroup").write_text("0::%s\n" % group)

    def start(self):
        return self.pod.start("release", self.manifest)

    def told(self):
        path = self.pod.root / "told"
        return path.read_text().splitlines() if path.exists() else []


# Hosts that systemd runs have a shell of their own, and no busybox in place of ip.
@pytest.fixture(name="release", params=["debian", "bash-as-sh"])
def fixture_release(request, tmp_path):
    return Release(Pod(tmp_path, request.param))


def test_vips_of_a_killed_keepalived_are_taken_and_nothing_else(release):
    release.process(7, "(keepalived) Z")
    process = release.start()
    output = process.communicate(timeout=20)[0].decode()
    assert (process.returncode, release.told()) == (0, TAKEN)
    assert output.splitlines()[0] == (
        "took 198.51.100.100 from eth1: keepalived was killed, and its manifest is gone")


def test_a_manifest_that_is_there_keeps_everything(release):
    release.manifest.touch()
    assert release.start().wait(timeout=20) == 0
    assert release.told() == []


def test_a_keepalived_that_is_ending_gets_its_time(release):
    release.process(7, "(keepalived) S")
    process = release.start()
    time.sleep(0.5)
    assert process.poll() is None and release.told() == []
    shutil.rmtree(release.pod.root / "proc/7")
    assert process.wait(timeout=20) == 0
    assert release.told() == TAKEN


@pytest.mark.parametrize("group, uids", [
    ("/user.slice/user-1000.slice/session-1.scope", "65534\t65534\t65534\t65534"),
    ("/user.slice/user-1000.slice/user@1000.service/app.slice/keepalived.service", "0\t0\t0\t0"),
    ("/user.slice/user-1000.slice/user@1000.service/" + ID, "65534\t0\t0\t0"),
    ("/kubepods/pod2/" + OTHER, "0\t0\t0\t0"),
])  # fmt: skip
def test_nobody_s_process_keeps_a_vip_by_its_name(release, group, uids):
    release.link("kubeha-keepalived-evil", "6f0e2c1a-1d2b-4c3d-8e4f-5a6b7c8d9e0f", OTHER)
    release.process(7, "(keepalived) S", group, uids)
    assert release.start().wait(timeout=20) == 0
    assert release.told() == TAKEN


def test_a_keepalived_that_is_a_service_keeps_its_vip(release):
    release.process(7, "(keepalived) S", "/system.slice/keepalived.service")
    process = release.start()
    time.sleep(0.5)
    assert process.poll() is None and release.told() == []
    process.kill()
    process.wait()


def test_a_manifest_that_comes_back_meanwhile_keeps_everything(release):
    release.process(7, "(keepalived_vrrp) R")
    process = release.start()
    time.sleep(0.3)
    release.manifest.touch()
    assert process.wait(timeout=20) == 0
    assert release.told() == []
    # Even at the last moment.
    release.manifest.unlink()
    shutil.rmtree(release.pod.root / "proc/7")
    (release.pod.root / "comes-back").touch()
    assert release.start().wait(timeout=20) == 0
    assert release.told() == []


def test_where_nobody_wrote_down_vips_none_are_taken(release):
    (release.pod.root / "etc/kubeha/keepalived/start").unlink()
    assert release.start().wait(timeout=20) == 0
    assert release.told() == []
