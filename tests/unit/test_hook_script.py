# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubeha-hook and the examples of docs/hook.md, with scripts that run for real."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import socketserver
import subprocess
import threading
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeha.apiserver.tests.unit.planning import VIP, VIP6, intent, plan
from ansible_collections.kubeha.apiserver.tests.unit.scripts import load

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "roles/keepalived/files/kubeha-hook"
EXAMPLES = ROOT / "docs/examples"
INSTANCES = ["kube-apiserver-ipv4", "kube-apiserver-ipv6"]


class Host:
    """cp1, of two instances; nobody but this test's user writes."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.hook, self.capsys, self.root = load(SCRIPT), capsys, root
        self.words, self.scripts, self.notes = root / "words", root / "scripts", root / "notes"
        for folder in (self.words, self.scripts, root / "told"):
            folder.mkdir(mode=0o755)
        (root / "plan.json").write_text(json.dumps(plan(intent(vip=[VIP, VIP6]))))
        for name, value in {"PLAN": root / "plan.json", "WORDS": self.words, "TOLD": root / "told"}.items():
            monkeypatch.setattr(self.hook, name, str(value))
        monkeypatch.setattr(self.hook, "PAUSE", 0.0)
        monkeypatch.setattr(self.hook, "SECONDS", 1.0)
        monkeypatch.setattr(self.hook, "ROOT", os.getuid())
        # Above this test's folder anybody may write.
        trouble, real = self.hook.trouble, os.lstat
        above = [str(folder) for folder in (root, *root.parents)]
        monkeypatch.setattr(self.hook.os, "lstat", lambda path: real(SCRIPT.anchor if path in above else path))
        monkeypatch.setattr(self.hook, "trouble", lambda path: trouble(path) if os.getuid() == 0 else "")

    def say(self, state: str, instance: str = INSTANCES[0]) -> None:
        (self.words / ("state-" + instance)).write_text(state + "\n")

    def put(self, name: str, text: str, mode: int = 0o755) -> None:
        path = self.scripts / name
        path.write_text("#!/bin/sh\nnotes=%s\n%s\n" % (self.notes, text))
        path.chmod(mode)

    def run(self, script: Path | None = None) -> str:
        assert self.hook.main("cp1", str(script or self.scripts)) == 0
        return self.capsys.readouterr().out

    def noted(self) -> list[str]:
        return self.notes.read_text().splitlines() if self.notes.exists() else []


@pytest.fixture(name="host")
def fixture_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Host:
    return Host(tmp_path, monkeypatch, capsys)


def test_each_state_is_told_once_with_all_that_is_documented(host: Host) -> None:
    host.put("a", 'echo "$* $KUBEHA_PREVIOUS_STATE $KUBEHA_VIPS $KUBEHA_HOST $KUBEHA_TIME" >>$notes')
    host.say("MASTER")
    path = host.words / ("state-" + INSTANCES[0])
    os.utime(path, (1000000000, 1000000000))
    assert "<6>a was told MASTER of kube-apiserver-ipv4 after UNKNOWN" in host.run()
    assert host.run() == ""
    host.say("BACKUP")
    os.utime(path, (1000000060, 1000000060))
    host.run()
    begin = "kube-apiserver kube-apiserver-ipv4 "
    assert host.noted() == [begin + "MASTER UNKNOWN %s cp1 2001-09-09T01:46:40Z" % VIP,
                            begin + "BACKUP MASTER %s cp1 2001-09-09T01:47:40Z" % VIP]


def test_the_environment_is_what_the_page_says(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    host.put("a", "env >>$notes")
    host.say("FAULT")
    host.run()
    documented = (ROOT / "docs/hook.md").read_text(encoding="utf-8")
    names = {line.partition("=")[0] for line in host.noted()} - {"PWD", "SHLVL", "_", "OLDPWD"}
    assert {name for name in names if "`%s`" % name not in documented} == set()
    assert {"KUBEHA_" + name for name in (
        "ENDPOINT", "INSTANCE", "STATE", "PREVIOUS_STATE", "VIPS", "HOST", "TIME")} <= names


def test_what_changed_meanwhile_is_one_change(host: Host) -> None:
    """And what is as it was told is none."""
    host.put("a", 'echo "$2 $3" >>$notes')
    host.say("MASTER")
    host.run()
    for state in ("BACKUP", "MASTER"):
        host.say(state)
    host.say("BACKUP", INSTANCES[1])
    host.run()
    assert host.noted() == [INSTANCES[0] + " MASTER", INSTANCES[1] + " BACKUP"]


@pytest.mark.parametrize("word", ["", "MASTER BACKUP", "$(id)", "\x00"])
def test_what_is_no_state_is_told_to_nobody(host: Host, word: str) -> None:
    host.put("a", "echo >>$notes")
    host.say(word)
    host.run()
    assert host.noted() == []


def test_a_folder_runs_in_the_order_of_its_names(host: Host) -> None:
    for name in ("20-b", "10-a", ".hidden"):
        host.put(name, "echo %s >>$notes" % name)
    host.put("15-off", "echo off >>$notes", 0o644)
    (host.scripts / "12-folder").mkdir()
    host.say("MASTER")
    host.run()
    assert host.noted() == ["10-a", "20-b"]


@pytest.mark.parametrize("text, said", [
    ("exit 3", "a ended with 3"),
    ("kill -9 $$", "a ended with -9"),
    ("trap '' TERM INT; while :; do sleep 9; done", "a was ended after 1 s"),
    ("exec >&- 2>&-; sleep 9", "a was ended after 1 s"),
    ("yes", "a was ended after 1 s"),
    ("sleep 9 & exit 0", "a was told"),
    ("sleep 9 & exit 4", "a ended with 4"),
])
def test_what_a_script_does_wrong_is_one_line_and_the_next_one_runs(host: Host, text: str, said: str) -> None:
    host.put("a", text)
    host.put("b", "echo b >>$notes")
    host.say("MASTER")
    begun = time.monotonic()
    output = host.run()
    assert said in output and host.noted() == ["b"]
    assert len(output.splitlines()) < 25 and time.monotonic() - begun < 4
    assert host.run() == ""


def test_the_first_lines_of_output_are_passed_on(host: Host) -> None:
    host.put("a", "for i in $(seq 30); do echo line $i; done; printf '\\033[31mend'")
    host.say("MASTER")
    lines = host.run().splitlines()
    assert lines[0] == "<6>a: line 1" and lines[20] == "<6>a: more isn't shown" and len(lines) == 22


def test_what_is_not_there_is_said_and_nothing_else_happens(host: Host) -> None:
    host.say("MASTER")
    assert "isn't run" in host.run(host.root / "absent") or os.getuid() != 0
    host.say("BACKUP")
    host.put("a", "")
    (host.scripts / "a").write_text("no script")
    assert "<4>" in host.run()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has files that others can't write to")
def test_what_others_could_have_written_is_not_run(host: Host) -> None:
    host.put("a", "echo a >>$notes")
    host.put("b", "echo b >>$notes", 0o777)
    os.symlink(host.scripts / "a", host.scripts / "c")
    host.say("MASTER")
    output = host.run()
    assert host.noted() == ["a"]
    assert "/b isn't run: others than root can write to" in output
    assert "/c isn't run: %s/c is no file" % host.scripts in output
    host.scripts.chmod(0o777)
    host.say("BACKUP")
    assert "others than root can write to %s" % host.scripts in host.run()
    assert host.noted() == ["a"]


@pytest.mark.parametrize("plant", [os.mkfifo, lambda path: os.symlink("/dev/zero", path)], ids=["a pipe", "a link"])
def test_what_is_no_file_is_not_waited_for(host: Host, plant: t.Callable[[Path], None]) -> None:
    """Whoever notes the states is another user, and not root."""
    host.put("a", "echo a >>$notes")
    plant(host.words / ("state-" + INSTANCES[0]))
    assert host.run() == "" and host.noted() == []


# Examples


class WebStandIn(http.server.BaseHTTPRequestHandler):
    """Stands in for a web hook and for a cloud: it remembers what it was sent."""

    asked: t.ClassVar[list[tuple[str, str, str, str]]] = []

    def do_GET(self) -> None:
        self.answer(b"42")

    def do_POST(self) -> None:
        self.answer(b"{}")

    def answer(self, content: bytes) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.asked.append((self.command, self.path, self.headers.get("Authorization", ""), body))
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *dummy_args: object) -> None:
        """Nothing."""


class MailStandIn(socketserver.StreamRequestHandler):
    """Stands in for a mail server: it takes one mail."""

    asked: t.ClassVar[list[str]] = []

    def handle(self) -> None:
        self.wfile.write(b"220 stand-in\r\n")
        in_mail = False
        for raw in self.rfile:
            line = raw.decode().rstrip("\r\n")
            self.asked.append(line)
            if in_mail and line != ".":
                continue
            in_mail = line == "DATA"
            self.wfile.write(b"354 go on\r\n" if in_mail else b"250 ok\r\n")
            if line == "QUIT":
                return


@pytest.fixture(name="served")
def fixture_served() -> t.Iterator[t.Callable[[type], str]]:
    servers = []

    def serve(handler: t.Any) -> str:
        handler.asked.clear()
        servers.append(socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return "127.0.0.1:%d" % servers[-1].server_address[1]

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def example(name: str, state: str, **settings: str) -> None:
    environment = {
        "PATH": os.environ["PATH"], "KUBEHA_ENDPOINT": "kube-apiserver", "KUBEHA_INSTANCE": INSTANCES[0],
        "KUBEHA_STATE": state, "KUBEHA_PREVIOUS_STATE": "BACKUP", "KUBEHA_VIPS": VIP, "KUBEHA_HOST": "cp1",
        "KUBEHA_TIME": "2026-11-29T20:12:25Z", **settings}
    subprocess.run([EXAMPLES / name, "kube-apiserver", INSTANCES[0], state], env=environment, check=True, timeout=20)


needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="curl is needed")


@needs_curl
def test_the_example_that_sends_mail(served: t.Callable[[type], str]) -> None:
    place = served(MailStandIn)
    example("mail.sh", "BACKUP", SERVER="smtp://" + place)
    assert MailStandIn.asked == []
    example("mail.sh", "MASTER", SERVER="smtp://" + place)
    assert "RCPT TO:<admins@example.org>" in MailStandIn.asked
    assert "Subject: kube-apiserver: cp1 is MASTER" in MailStandIn.asked


@needs_curl
def test_the_example_of_a_web_hook(served: t.Callable[[type], str], tmp_path: Path) -> None:
    (tmp_path / "headers").write_text("Authorization: Bearer x\n")
    example("webhook.sh", "FAULT", URL="http://%s/hook" % served(WebStandIn), HEADERS=str(tmp_path / "headers"))
    [(method, path, authorization, body)] = WebStandIn.asked
    assert (method, path, authorization) == ("POST", "/hook", "Bearer x")
    assert json.loads(body) == {"endpoint": "kube-apiserver", "instance": INSTANCES[0], "host": "cp1", "state": "FAULT",
                                "previous": "BACKUP", "time": "2026-11-29T20:12:25Z"}


@needs_curl
def test_the_example_of_a_floating_ip(served: t.Callable[[type], str], tmp_path: Path) -> None:
    (tmp_path / "headers").write_text("Authorization: Bearer x\n")
    place = "http://" + served(WebStandIn)
    settings = {"API": place + "/v1", "METADATA": place + "/metadata", "HEADERS": str(tmp_path / "headers")}
    example("floating-ip.sh", "BACKUP", **settings)
    assert WebStandIn.asked == []
    example("floating-ip.sh", "MASTER", **settings)
    assert WebStandIn.asked == [("GET", "/metadata/instance-id", "", ""),
                                ("POST", "/v1/floating_ips/4711/actions/assign", "Bearer x", '{"server": 42}\n')]
