# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-playbook as a user calls it, on the hosts of a lab."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from _lab.lab import Lab

ROOT = Path(__file__).resolve().parents[2]
PLAYS = Path(__file__).parent / "plays"
RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)
MEMBERS = ("cp1", "cp2", "cp3")
PLAYBOOKS = tuple(path.stem for path in (ROOT / "playbooks").glob("*.yml"))
OF_HOSTS = ("drain", "undrain", "remove")
# The default of 30 s is tried elsewhere; here it would only be waited for.
VARIABLES = {"endpoint_failback_delay": 3}


# They show what is wrong, and mend nothing.
LOOKS = re.compile(r"journalctl |tcpdump |show table$|preflight$|status$")


def commands(advice: str) -> list[str]:
    """The commands in a fix stand between backticks."""
    return [command for command in re.findall(r"`([^`]+)`", advice) if not LOOKS.match(command)]


@contextlib.contextmanager
def meanwhile(look: Callable[[], None], seconds: float) -> Iterator[None]:
    """Look again and again, with so many seconds in between. Where looking failed, that's raised at the end."""
    done = threading.Event()

    def go() -> None:
        while not done.wait(seconds):
            look()

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(go)
        try:
            yield
        finally:
            done.set()
        looking.result()


def members(counts: dict[str, int]) -> dict[str, int]:
    """Of a recap's counts those of the endpoint's hosts."""
    return {host: counts[host] for host in MEMBERS if host in counts}


class Run:
    """What an ansible-playbook did."""

    def __init__(self, process: subprocess.CompletedProcess[str]) -> None:
        self.code = process.returncode
        self.output = process.stdout + process.stderr
        self.ok = {name: int(ok) for name, ok, *_rest in RECAP.findall(self.output)}
        self.changed = {name: int(changed) for name, _ok, changed, *_rest in RECAP.findall(self.output)}

    def succeeded(self) -> Run:
        assert self.code == 0, self.output
        # A run on no hosts is green as well.
        assert self.ok, self.output
        return self

    def failed(self) -> Run:
        assert self.code != 0, self.output
        return self


class User:
    """Somebody with a lab of three hosts and a command line."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.inventory = lab.inventory
        self.vip = json.loads(lab.inventory.read_text())["all"]["vars"]["endpoint_vip"]

    def command(self, playbook: str | Path, *arguments: str, **variables: object) -> list[str]:
        extra = json.dumps({**VARIABLES, **variables})
        return ["ansible-playbook", str(playbook), "-i", str(self.inventory), "-e", extra, *arguments]

    def playbook(self, playbook: str | Path, *arguments: str, **variables: object) -> Run:
        return Run(subprocess.run(
            self.command(playbook, *arguments, **variables), capture_output=True, text=True, cwd=ROOT,
            stdin=subprocess.DEVNULL, check=False))

    def site(self, *arguments: str, **variables: object) -> Run:
        return self.playbook("playbooks/site.yml", *arguments, **variables)

    def follow(self, file: Path, *codes: str, host: str | None = None, placeholder: str = "") -> None:
        """Do what findings of these codes advise: each command once, as it stands there, in a shell of the host; a
        playbook's name is that playbook. FILE is for the placeholder. tests/unit/test_advice.py sees that each code
        with a command has its turn."""
        findings = [item for item in json.loads(file.read_text())["findings"] if host in (None, item["host"])]
        todo: dict[tuple[str | None, str], None] = {}
        for code in codes:
            advised = [item for item in findings if item["code"] == code]
            assert advised, code
            for item in advised:
                found = commands(item["fix"])
                assert found, item["fix"]
                for command in found:
                    todo[None if command in PLAYBOOKS and command not in OF_HOSTS else item["host"], command] = None
        for where, command in todo:
            if command in PLAYBOOKS:
                self.playbook("playbooks/%s.yml" % command, **({"endpoint_hosts": where} if where else {})).succeeded()
            else:
                for name in [where] if where else MEMBERS:
                    self.lab.run(name, "sh", "-euc", command.replace("FILE", placeholder))

    def killed_site(self, seconds: float, **variables: object) -> None:
        """Deploy, and be killed with every child after some seconds."""
        process = subprocess.Popen(
            self.command("playbooks/site.yml", **variables), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL, cwd=ROOT, start_new_session=True)
        time.sleep(seconds)
        assert process.poll() is None, "it was done before it could be killed"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def killed_site_when(self, reached: Callable[[], bool], **variables: object) -> None:
        """Deploy, and be killed with every child at a point of the run."""
        self.killed_when("playbooks/site.yml", reached, **variables)

    def killed_when(self, playbook: str, reached: Callable[[], bool], **variables: object) -> None:
        with tempfile.TemporaryFile("w+") as output:
            process = subprocess.Popen(
                self.command(playbook, **variables), stdout=output, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, cwd=ROOT, start_new_session=True)
            while process.poll() is None and not reached():
                time.sleep(0.05)
            output.seek(0)
            assert process.poll() is None, "it was done before it could be killed\n" + output.read()
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def until(self, reached: Callable[[], bool], seconds: float = 150) -> None:
        deadline = time.monotonic() + seconds
        while not reached():
            assert time.monotonic() < deadline, "it isn't so after %g s" % seconds
            time.sleep(0.3)

    def says(self, host: str, command: str) -> bool:
        return self.lab.run(host, "sh", "-c", command, check=False).returncode == 0

    def on(self, host: str, *command: str) -> str:
        return self.lab.run(host, *command, check=False).stdout

    def holders(self) -> list[str]:
        return self.lab.holders(self.vip)

    def plan_on(self, host: str) -> dict:
        return json.loads(self.on(host, "cat", "/etc/kubeha/plan.json"))["endpoints"][0]

    def touched(self) -> list[str]:
        """Hosts that have anything of ours, or a package that we install."""
        look = "ls -d /etc/kubeha /var/lib/kubeha /usr/libexec/keepalived /etc/haproxy /etc/keepalived 2>/dev/null"
        return [host for host in MEMBERS if self.on(host, "sh", "-c", look).strip()]
