# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scripts that run on hosts, run for real: only their folders are others."""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import os
import shutil
import socket
import stat
import subprocess
import threading
import time
from pathlib import Path

import pytest

ROLES = Path(__file__).resolve().parents[2] / "roles"
SCRIPTS = {
    "kubeha-check": ROLES / "keepalived/files/kubeha-check",
    "kubeha-notify": ROLES / "keepalived/files/kubeha-notify",
    "unit-hook": ROLES / "haproxy/files/unit-hook",
}
BASH = shutil.which("bash")
pytestmark = pytest.mark.skipif(not BASH or not shutil.which("flock"), reason="bash and flock are needed")


class Host:
    """The folders that the scripts know, in a place of their own."""

    def __init__(self, root):
        self.root = root
        self.run_folder = root / "run/kubeha"
        self.state = self.run_folder / "keepalived"
        self.haproxy = self.run_folder / "haproxy"
        (root / "etc/haproxy").mkdir(parents=True)
        (root / "etc/keepalived").mkdir()
        self.state.mkdir(parents=True)
        self.haproxy.mkdir()
        self.scripts = {}
        for name, source in SCRIPTS.items():
            text = source.read_text(encoding="utf-8")
            text = text.replace("/run/kubeha", str(self.run_folder)).replace("/etc/", "%s/etc/" % root)
            text = text.replace("/proc/net/", "%s/" % root).replace("/var/lib/kubeha", "%s/kubeha" % root)
            text = text.replace("/var/lib/haproxy", str(root))
            text = text.replace("keepalived_script", getpass.getuser()).replace("sleep 0.3", "true")
            text = text.replace("/proc/1/fd/2", str(root / "console")).replace("logger ", "echo >%s/log " % root)
            self.scripts[name] = root / name
            self.scripts[name].write_text(text, encoding="utf-8")
        # A notification whose number is known before it does anything.
        text = self.scripts["kubeha-notify"].read_text(encoding="utf-8")
        self.scripts["wait"] = root / "wait"
        self.scripts["wait"].write_text(text.replace("\nmain ", "\nread -r _\nmain "), encoding="utf-8")

    def start(self, name, *arguments, stdin=None, **environment):
        return subprocess.Popen([BASH, str(self.scripts[name]), *map(str, arguments)], stdin=stdin,
                                env=dict(os.environ, **environment))

    def run(self, name, *arguments, **environment):
        return self.start(name, *arguments, **environment).wait(timeout=20)

    def read(self, path):
        return (self.run_folder / path).read_text(encoding="utf-8").strip()


@pytest.fixture(name="host")
def fixture_host(tmp_path):
    return Host(tmp_path)


class Server:
    """Answers each connection with the bytes that it has at the time; None is silence."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        kept = []
        while True:
            try:
                connection = self.socket.accept()[0]
            except OSError:
                return
            asked = b""
            while b"\r\n\r\n" not in asked:
                asked += connection.recv(1000)
            self.asked.append(asked)
            if self.answer is None:
                kept.append(connection)
            else:
                connection.sendall(self.answer)
                connection.close()


@pytest.fixture(name="server")
def fixture_server():
    server = Server(b"HTTP/1.1 200 OK\r\n\r\nok")
    yield server
    server.socket.close()


def uptime():
    return int(float(Path("/proc/uptime").read_text(encoding="ascii").split()[0]))


def ago(seconds):
    """By the same clock. A machine that runs tests may have started less than that ago."""
    return max(1, uptime() - seconds)


# kubeha-check live

def live(host, server, seconds="0.8"):
    return host.run("kubeha-check", "live", "127.0.0.1", server.port, "/livez", seconds)


def test_live(host, server):
    (host.state / "since").touch()
    assert live(host, server) == 0
    assert server.asked == [b"GET /livez HTTP/1.0\r\n\r\n"]
    assert host.read("keepalived/since") == ""


@pytest.mark.parametrize("answer", [b"HTTP/1.1 503 no\r\n\r\n", b"HTTP/1.0 2000 x\r\n\r\n", b"", b"200\n", b"\n", None])
def test_live_fails_and_settling_begins_anew(host, server, answer):
    (host.state / "since").touch()
    server.answer = answer
    assert live(host, server, "0.2") == 1
    assert uptime() - int(host.read("keepalived/since")) <= 2


def test_live_fails_when_nobody_listens(host):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    assert host.run("kubeha-check", "live", "127.0.0.1", port, "/livez", "0.8") == 1


def test_live_says_so_when_it_is_ended(host, server):
    """keepalived ends a check that takes too long: that HAProxy hung is to be remembered."""
    (host.state / "since").touch()
    server.answer = None
    process = host.start("kubeha-check", "live", "127.0.0.1", server.port, "/livez", "15")
    while not server.asked:
        time.sleep(0.01)
    process.terminate()
    assert process.wait(timeout=5) == 1
    assert uptime() - int(host.read("keepalived/since")) <= 2


# kubeha-check ready

def ready(host, server, patience):
    return host.run("kubeha-check", "ready", "127.0.0.1", server.port, "/readyz/a", "0.8", patience, "a")


@pytest.mark.parametrize("holds", ["0", "1", "", None])
@pytest.mark.parametrize("answer, expected", [(b"HTTP/1.1 200 OK\r\n\r\n", 0), (b"HTTP/1.1 503 no\r\n\r\n", 1)])
def test_what_is_seen_first_is_believed_at_once(host, server, answer, expected, holds):
    (host.state / "ready-a").touch()
    if holds is not None:
        (host.state / "holder-a").write_text(holds + "\n")
    server.answer = answer
    assert ready(host, server, 100) == expected


@pytest.mark.parametrize("before, answer", [("up", b"HTTP/1.1 503 no\r\n\r\n"), ("down", b"HTTP/1.1 200 OK\r\n\r\n")])
def test_after_a_change_the_holder_says_yes_and_the_others_no(host, server, before, answer):
    server.answer = answer
    for holds, expected in (("1", 0), ("0", 1)):
        (host.state / "holder-a").write_text(holds + "\n")
        (host.state / "ready-a").write_text("%s %d\n" % (before, ago(1000)))
        assert ready(host, server, 20) == expected
        assert ready(host, server, 20) == expected
        # When it has lasted, it's true for all.
        (host.state / "ready-a").write_text("%s %d\n" % ("up" if before == "down" else "down", ago(20)))
        assert ready(host, server, 20) == (0 if before == "down" else 1)


def test_ready_without_its_file_tells_what_it_sees(host, server):
    assert ready(host, server, 100) == 0
    server.answer = b"HTTP/1.1 503 no\r\n\r\n"
    assert ready(host, server, 100) == 1


# kubeha-check settled

# The clock goes on while the script starts: nothing here is at the very edge.
@pytest.mark.parametrize("started, hung, expected", [
    (None, None, 1),
    ("", None, 1),
    (31, None, 0),
    (20, None, 1),
    (1000, 20, 1),
    (1000, 31, 0),
    (20, 1000, 1),
    (0, None, 1),
    (1000, "", 0),
    (1000, "x", 0),
])
def test_settled(host, started, hung, expected):
    for value, file in ((started, host.haproxy / "since"), (hung, host.state / "since")):
        if value is not None:
            file.write_text("%s\n" % (ago(value) if isinstance(value, int) else value))
    (host.state / "holder-a").write_text("0\n")
    assert host.run("kubeha-check", "settled", "30", "a") == expected


def test_who_holds_is_settled(host):
    (host.haproxy / "since").write_text("%d\n" % uptime())
    (host.state / "holder-a").write_text("1\n")
    (host.state / "holder-b").write_text("0\n")
    assert host.run("kubeha-check", "settled", "30", "a") == 0
    assert host.run("kubeha-check", "settled", "30", "b") == 1


def test_unknown_mode(host):
    assert host.run("kubeha-check", "other") == 2


# kubeha-notify

@pytest.mark.parametrize("state, expected", [("MASTER", "1"), ("BACKUP", "0"), ("FAULT", "0"), ("STOP", "0"),
                                             ("DELETED", "0")])
def test_notify(host, state, expected):
    for name in ("holder-a", "order-a"):
        (host.state / name).touch()
    assert host.run("kubeha-notify", "INSTANCE", "a", state, "150") == 0
    assert host.read("keepalived/holder-a") == expected


def test_notify_makes_files_where_it_may(host):
    """In a pod it's root; as a service its user may write only what root has made for it."""
    assert host.run("kubeha-notify", "GROUP", "a", "MASTER", "150") == 0
    assert host.read("keepalived/holder-a") == "1"
    if os.geteuid() != 0:
        host.state.chmod(0o555)
        assert host.run("kubeha-notify", "GROUP", "b", "MASTER", "150") == 0
        assert not (host.state / "holder-b").exists()


def test_notify_says_each_state_of_an_instance_once_by_the_name_of_all_ours(host):
    assert host.run("kubeha-notify", "INSTANCE", "a", "MASTER", "150") == 0
    assert (host.root / "log").read_text() == "-t kubeha -p daemon.info -- a is MASTER\n"
    assert host.run("kubeha-notify", "GROUP", "b", "MASTER", "150") == 0
    assert (host.root / "log").read_text() == "-t kubeha -p daemon.info -- a is MASTER\n"


def test_notify_leaves_word_for_a_hook_where_there_is_one(host):
    """Of instances. What waits is there last."""
    assert host.run("kubeha-notify", "INSTANCE", "a", "MASTER", "150") == 0
    words = host.state / ".hook"
    assert not words.exists()
    words.mkdir()
    assert host.run("kubeha-notify", "GROUP", "b", "MASTER", "150") == 0
    assert list(words.iterdir()) == []
    assert host.run("kubeha-notify", "INSTANCE", "a", "FAULT", "150") == 0
    assert {path.name: path.read_text() for path in words.iterdir()} == {"pending": "", "state-a": "FAULT\n"}
    assert stat.S_IMODE((words / "state-a").stat().st_mode) == 0o644


def test_a_hook_that_can_not_be_told_keeps_nothing_from_being_noted(host):
    (host.state / ".hook/state-a").mkdir(parents=True)
    assert host.run("kubeha-notify", "INSTANCE", "a", "MASTER", "150") == 0
    assert host.read("keepalived/holder-a") == "1"
    assert "nobody is told that a is MASTER" in (host.root / "console").read_text()


def test_the_last_notification_wins(host):
    """keepalived starts the next without waiting for the one before."""
    for name in ("holder-a", "order-a"):
        (host.state / name).touch()
    # A script that is slow at the start, as on a busy host.
    text = host.scripts["kubeha-notify"].read_text(encoding="utf-8")
    slow = host.root / "slow"
    slow.write_text(text.replace("#!/bin/bash", "#!/bin/bash\nsleep \"$SLOW\"", 1), encoding="utf-8")
    host.scripts["slow"] = slow
    for last, expected in (("BACKUP", "0"), ("MASTER", "1")):
        first = "MASTER" if last == "BACKUP" else "BACKUP"
        running = [host.start("slow", "INSTANCE", "a", first, "1", SLOW="0.5"),
                   host.start("slow", "INSTANCE", "a", last, "1", SLOW="0")]
        for process in running:
            assert process.wait(timeout=10) == 0
        assert host.read("keepalived/holder-a") == expected


def test_what_is_said_is_counted(host):
    for name in ("holder-a", "order-a", "transitions-a"):
        (host.state / name).touch()
    for state in ("BACKUP", "MASTER", "BACKUP", "FAULT", "STOP", "DELETED"):
        assert host.run("kubeha-notify", "INSTANCE", "a", state, "150") == 0
    assert host.read("keepalived/transitions-a") == "1 2 1 1"
    # What a later run has overtaken was said all the same.
    process = host.start("wait", "INSTANCE", "a", "MASTER", "150", stdin=subprocess.PIPE)
    (host.state / "order-a").write_text("%d %d\n" % (process.pid + 5, uptime()))
    process.communicate(b"\n", timeout=10)
    assert host.read("keepalived/transitions-a") == "2 2 1 1" and host.read("keepalived/holder-a") == "0"


@pytest.mark.parametrize("content", ["", "a[$(touch made)] 1 1 1", "1 2 3", "-1 0 0 0"])
def test_counts_that_are_none_begin_anew(host, content):
    (host.state / "transitions-a").write_text(content)
    assert host.run("kubeha-notify", "INSTANCE", "a", "MASTER", "150") == 0
    assert host.read("keepalived/transitions-a").split()[0] == ("2" if content == "1 2 3" else "1")
    assert not (host.root / "made").exists()


def test_what_cannot_be_counted_is_in_nobodys_way(host):
    (host.state / "transitions-a").mkdir()
    assert host.run("kubeha-notify", "INSTANCE", "a", "MASTER", "150") == 0
    assert host.read("keepalived/holder-a") == "1"


def test_an_old_number_is_no_later_one(host):
    (host.state / "holder-a").touch()
    (host.state / "order-a").write_text("%d %d\n" % (os.getpid() + 1000, ago(60)))
    assert host.run("kubeha-notify", "INSTANCE", "a", "MASTER", "150") == 0
    assert host.read("keepalived/holder-a") == "1"


@pytest.mark.parametrize("ahead, expected", [(-5, "1"), (5, ""), (30000, "1"), (-30000, "")])
def test_numbers_begin_anew(host, ahead, expected):
    """A run that was started long before, by its number, was started after the kernel began to count anew."""
    (host.state / "holder-a").touch()
    process = host.start("wait", "INSTANCE", "a", "MASTER", "150", stdin=subprocess.PIPE)
    (host.state / "order-a").write_text("%d %d\n" % (process.pid + ahead, uptime()))
    process.communicate(b"\n", timeout=10)
    assert host.read("keepalived/holder-a") == expected


@pytest.mark.parametrize("missing", ["folder", "space"])
def test_what_cannot_be_noted_is_said(host, missing):
    """As where somebody's umask has locked the script user out: the log has it, and nobody takes it for settled."""
    (host.haproxy / "since").write_text("%d\n" % ago(1000))
    if missing == "folder":
        host.state.rmdir()
    else:
        (host.state / "holder-a").symlink_to("/dev/full")
    assert host.run("kubeha-notify", "INSTANCE", "a", "MASTER", "150") == 1
    said = (host.root / "log").read_text()
    assert "that a is MASTER can't be noted in %s" % (host.state / "holder-a") in said
    assert (host.root / "console").read_text().startswith("kubeha: ")
    assert missing == "space" or host.run("kubeha-check", "settled", "30", "a") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize("mode", [0o700, 0o750])
def test_a_script_user_who_is_locked_out_says_so(host, mode):
    for folder in (host.root, *host.root.parents):
        folder.chmod(folder.stat().st_mode | 0o011)
    host.state.chmod(0o755)
    for name in ("holder-a", "order-a", "since"):
        (host.state / name).touch()
        os.chown(host.state / name, 65534, 65534)
    (host.haproxy / "since").write_text("%d\n" % ago(1000))

    def run(*arguments):
        return subprocess.run([BASH, *map(str, arguments)], user=65534, group=65534, extra_groups=[], timeout=20,
                              stderr=subprocess.DEVNULL, check=False).returncode

    for path in host.scripts.values():
        path.chmod(0o755)
    assert run(host.scripts["kubeha-notify"], "INSTANCE", "a", "BACKUP", "1") == 0
    assert run(host.scripts["kubeha-check"], "settled", "30", "a") == 0
    host.run_folder.chmod(mode)
    assert run(host.scripts["kubeha-notify"], "INSTANCE", "a", "MASTER", "1") == 1
    assert run(host.scripts["kubeha-check"], "settled", "30", "a") == 1
    # What systemd runs around the units mends it, whatever made the folder so.
    (host.root / "etc/haproxy/haproxy.cfg").touch()
    assert host.run("unit-hook", "haproxy", "started") == 0
    assert run(host.scripts["kubeha-check"], "settled", "0", "a") == 0
    assert run(host.scripts["kubeha-notify"], "INSTANCE", "a", "MASTER", "1") == 0


def test_who_hangs_in_his_turn_is_not_waited_for(host):
    for name in ("holder-a", "order-a"):
        (host.state / name).touch()
    with open(host.state / "order-a", encoding="ascii") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        began = time.monotonic()
        assert host.run("kubeha-notify", "INSTANCE", "a", "MASTER", "150") == 0
        assert time.monotonic() - began >= 2
    assert host.read("keepalived/holder-a") == "1"


# unit-hook

@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_modes_are_set_whatever_the_umask(host, umask):
    for folder in (host.run_folder, host.state, host.haproxy):
        folder.chmod(0o700)
    (host.root / "etc/haproxy/haproxy.cfg").touch()
    before = os.umask(umask)
    assert host.run("unit-hook", "haproxy", "started") == 0
    assert host.run("unit-hook", "keepalived", "starting", "since", "holder-a", "order-a") == 0
    os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (
        host.run_folder, *host.run_folder.rglob("*"), host.root / "kubeha/drain", *host.root.glob("kubeha/drain/*"))}
    assert {name for name, mode in modes.items() if mode == 0o755} == {
        "kubeha", "haproxy", "keepalived", "unit", "drain"}
    # Whoever can open it can lock it.
    assert {name for name, mode in modes.items() if mode == 0o600} == {"order-a"}
    assert set(modes.values()) == {0o755, 0o644, 0o600}


@pytest.mark.parametrize("trap", ["link", "hard link", "pipe"])
def test_traps_of_pod_times_are_not_written_to(host, trap):
    secret = host.root / "shadow"
    secret.write_text("secret")
    (host.root / "etc/haproxy/haproxy.cfg").touch()
    for name in ("down", "running", "since", "execution"):
        for path in (host.haproxy / name, host.haproxy / (name + ".new")):
            if trap == "link":
                path.symlink_to(secret)
            elif trap == "hard link":
                os.link(secret, path)
            else:
                os.mkfifo(path)
    assert host.run("unit-hook", "haproxy", "started") == 0
    assert secret.read_text() == "secret" and host.read("haproxy/down") == "0"
    assert all(path.is_file() and not path.is_symlink() for path in host.haproxy.iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders to others")
def test_a_folder_of_pod_times_is_roots_and_empty(host):
    (host.haproxy / "old").mkdir()
    (host.haproxy / ".hidden").touch()
    os.chown(host.haproxy, 99, 99)
    (host.root / "etc/haproxy/haproxy.cfg").touch()
    assert host.run("unit-hook", "haproxy", "started") == 0
    assert host.haproxy.stat().st_uid == 0
    assert {path.name for path in host.haproxy.iterdir()} == {"down", "running", "since", "execution"}


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_haproxy_comes_and_goes(host):
    config = host.root / "etc/haproxy/haproxy.cfg"
    config.write_text("one\n")
    assert host.run("unit-hook", "haproxy", "started", KUBEHA_EXECUTION="abc") == 0
    assert host.read("haproxy/down") == "0"
    assert host.read("haproxy/running") == sha256(config)
    assert host.read("haproxy/execution") == "abc"
    assert uptime() - int(host.read("haproxy/since")) <= 2
    assert host.run("unit-hook", "haproxy", "stopping") == 0
    assert host.read("haproxy/down") == "1"
    assert host.run("unit-hook", "haproxy", "stopped") == 0
    assert host.read("haproxy/down") == "1"
    assert not (host.haproxy / "running").exists()


SERVERS = b"1\n# be_id be_name srv_id\n2 kube-apiserver 1 cp1\n"


@pytest.mark.parametrize(("said", "left"), [(SERVERS, SERVERS.decode().strip()), (b"Permission denied\n", "1")])
def test_before_a_reload_the_next_worker_is_told_who_is_up(host, said, left):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(host.root / "kubeha.sock"))
        listener.listen()

        def answer():
            link = listener.accept()[0]
            assert link.recv(100) == b"show servers state\n"
            link.sendall(said)
            link.close()

        thread = threading.Thread(target=answer)
        thread.start()
        assert host.run("unit-hook", "haproxy", "reloading") == 0
        thread.join()
    assert host.read("haproxy/servers") == left
    assert host.run("unit-hook", "haproxy", "starting") == 0
    assert host.read("haproxy/servers") == "1"


def test_a_haproxy_that_says_nothing_is_reloaded_all_the_same(host):
    assert host.run("unit-hook", "haproxy", "reloading") == 0
    assert host.read("haproxy/servers") == "1"


def test_haproxy_reloaded_keeps_its_age(host):
    config = host.root / "etc/haproxy/haproxy.cfg"
    config.write_text("one\n")
    (host.haproxy / "since").write_text("5\n")
    (host.haproxy / "down").write_text("0\n")
    config.write_text("two\n")
    assert host.run("unit-hook", "haproxy", "reloaded") == 0
    assert host.read("haproxy/running") == sha256(config)
    assert host.read("haproxy/since") == "5"


def test_keepalived_starts_with_nothing_held(host):
    config = host.root / "etc/keepalived/keepalived.conf"
    config.write_text("one\n")
    (host.state / "holder-a").write_text("1\n")
    (host.state / "holder-gone").write_text("1\n")
    (host.state / "transitions-a").write_text("1 2 3 4\n")
    assert host.run("unit-hook", "keepalived", "starting", "since", "holder-a", "order-a") == 0
    assert sorted(path.name for path in host.state.iterdir()) == ["holder-a", "order-a", "since", "transitions-a"]
    # What was counted goes on.
    assert host.read("keepalived/transitions-a") == "1 2 3 4"
    assert host.read("keepalived/holder-a") == ""
    assert host.run("unit-hook", "keepalived", "started", KUBEHA_EXECUTION="def") == 0
    assert host.read("unit/keepalived.running") == sha256(config)
    # Who knows all of a file but a short password finds it by the checksum.
    assert stat.S_IMODE((host.run_folder / "unit/keepalived.running").stat().st_mode) == 0o600
    assert host.read("unit/keepalived.execution") == "def"


@pytest.mark.parametrize("event", ["starting", "reloading"])
def test_keepalived_does_not_go_on_without_its_key(host, event):
    key = host.root / "a-17.key"
    (host.root / "etc/keepalived/keepalived.conf").write_text(
        "auth_hmac {\n    key 9 0123456789\n    key 17 file:%s\n    active_key 17\n}" % key)
    assert host.run("unit-hook", "keepalived", event) == 1
    key.touch()
    assert host.run("unit-hook", "keepalived", event) == 1
    key.write_text("hex:00\n")
    assert host.run("unit-hook", "keepalived", event) == 0


def test_keepalived_reloads_with_what_is_held(host):
    (host.root / "etc/keepalived/keepalived.conf").write_text("one\n")
    (host.state / "holder-a").write_text("1\n")
    assert host.run("unit-hook", "keepalived", "reloading", "holder-a", "holder-b") == 0
    assert host.read("keepalived/holder-a") == "1"
    assert host.read("keepalived/holder-b") == ""


FIB_TRIE = """Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 198.51.100.0/24 2 0 2
        |-- 198.51.100.0
           /24 link UNICAST
        |-- 198.51.100.11
           /32 host LOCAL
        |-- 198.51.100.12
           /32 link UNICAST
"""
IF_INET6 = """20010db8000100000000000000000011 02 40 00 80     eth0
20010db8000100000000000000000012 02 40 00 40     eth0
20010db8000100000000000000000013 02 40 00 08     eth0
"""


@pytest.mark.parametrize("addresses, here", [
    ([], True),
    (["198.51.100.11"], True),
    (["198.51.100.1"], False),
    (["198.51.100.12"], False),
    (["198.51.100.0"], False),
    (["2001:db8:1::11=20010db8000100000000000000000011"], True),
    (["2001:db8:1::12=20010db8000100000000000000000012"], False),
    (["2001:db8:1::13=20010db8000100000000000000000013"], False),
    (["198.51.100.11", "2001:db8:1::14=20010db8000100000000000000000014"], False),
])
def test_keepalived_waits_for_its_addresses(host, addresses, here):
    (host.root / "fib_trie").write_text(FIB_TRIE)
    (host.root / "if_inet6").write_text(IF_INET6)
    text = host.scripts["unit-hook"].read_text(encoding="utf-8").replace("tries=75", "tries=2")
    host.scripts["unit-hook"].write_text(text, encoding="utf-8")
    assert (host.run("unit-hook", "keepalived", "starting", "since", "--", *addresses) == 0) == here
    assert [path.name for path in host.state.iterdir()] == ["since"]


def test_an_address_that_comes_late_is_waited_for(host):
    (host.root / "fib_trie").write_text("")
    process = host.start("unit-hook", "keepalived", "starting", "--", "198.51.100.11")
    time.sleep(0.5)
    assert process.poll() is None
    (host.root / "fib_trie").write_text(FIB_TRIE)
    assert process.wait(timeout=10) == 0


@pytest.mark.parametrize("arguments", [(), ("haproxy",), ("haproxy", "other"), ("other", "started")])
def test_unknown_event(host, arguments):
    assert host.run("unit-hook", *arguments) != 0
