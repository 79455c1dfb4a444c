# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets as canaries: whatever a run prints, starts or leaves is searched for them, in any form."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from _lab.podman import podman
from user import MEMBERS, ROOT, Run, User, meanwhile

LONG = pytest.mark.skipif(not os.environ.get("KUBEHA_LONG"), reason="only with KUBEHA_LONG")


def forms(secret: str) -> set[bytes]:
    """As it may be written: as it is, in JSON or `repr`, in base64 at any place of a longer text."""
    found = {secret, json.dumps(secret).strip('"'), repr(secret).strip("'")}
    for place in range(3):
        text = base64.b64encode(b"\0" * place + secret.encode()).decode().rstrip("=")
        # The first and the last character depend on what stands beside it.
        found.add(text[(4 if place else 0):-1])
    return {form.encode() for form in found}


class Canaries:
    """Somebody's secrets, and where they may be."""

    def __init__(self, user: User, folder: Path) -> None:
        self.user = user
        self.folder = folder
        self.secrets: dict[str, bytes] = {}
        self.leaks: set[str] = set()
        self.runs = 0
        self.sampled = 0
        self.key = folder / "vault-key"
        self.key.write_text("the key of the vault\n")

    def new(self, secret: str) -> str:
        for form in forms(secret):
            self.secrets[form.decode()] = form
        return secret

    def vaulted(self, name: str, secret: str) -> str:
        """A line of YAML."""
        self.new(secret)
        return subprocess.run(
            ["ansible-vault", "encrypt_string", "--vault-password-file", str(self.key), "--name", name, "--stdin-name",
             name], input=secret, capture_output=True, text=True, check=True).stdout

    def playbook(self, name: str, variables: str, *arguments: str, debug: bool = False,
                 killed_when: Callable[[], bool] | None = None) -> Run:
        """With all that is printed, written and started searched. What the user wrote is in a file of theirs."""
        self.runs += 1
        here = self.folder / f"run-{self.runs}"
        for part in ("home", "tmp", "facts"):
            (here / part).mkdir(parents=True)
        written = self.folder / f"variables-{self.runs}.yml"
        written.touch(mode=0o600)
        written.write_text(variables)
        environment = {
            **os.environ, "ANSIBLE_HOME": str(here / "home"), "TMPDIR": str(here / "tmp"),
            "ANSIBLE_CALLBACKS_ENABLED": "everything",
            "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callback_plugins"),
            "KUBEHA_EVERYTHING": str(here / "everything"), "ANSIBLE_LOG_PATH": str(here / "log"),
            "ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(here / "facts"),
            "ANSIBLE_RETRY_FILES_ENABLED": "1", "ANSIBLE_RETRY_FILES_SAVE_PATH": str(here),
        }
        if debug:
            environment.update(ANSIBLE_DEBUG="1", ANSIBLE_KEEP_REMOTE_FILES="1")
        # Without pipelining, as most users have it, a module is copied to the host before it's started. It's slow.
        command = self.user.command(
            ROOT / "playbooks" / name, "-e", f"@{written}", "--vault-password-file", str(self.key), *arguments,
            ansible_pipelining=not debug)
        with self.watched(), (here / "printed").open("w+") as printed:
            process = subprocess.Popen(command, stdout=printed, stderr=subprocess.STDOUT, cwd=ROOT, env=environment,
                                       stdin=subprocess.DEVNULL, start_new_session=True)
            try:
                while killed_when and process.poll() is None and not killed_when():
                    time.sleep(0.05)
                assert not killed_when or process.poll() is None, "it was done before it could be killed"
                if not killed_when:
                    process.wait()
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            printed.seek(0)
            run = Run(subprocess.CompletedProcess(command, process.returncode, printed.read(), ""))
        for path in here.rglob("*"):
            if path.is_file():
                self.look(f"{path.relative_to(here)} of the controller", path.read_bytes())
        return run

    def look(self, where: str, content: bytes) -> None:
        self.leaks |= {f"{where}: {form}" for form, wanted in self.secrets.items() if wanted in content}

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Arguments and environments of the hosts' processes and of what this one starts."""
        ours = {self.namespace(self.init(host)) for host in MEMBERS}
        children = {str(os.getpid())}

        def belongs(pid: str) -> bool:
            """Others on this machine are none of our business."""
            if self.namespace(pid) in ours:
                return True
            # "PID (NAME) STATE PARENT": a name may hold anything.
            parent = Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[1]
            if parent in children:
                children.add(pid)
            return pid in children

        # A process may execute another program, so each is looked at twice.
        once: set[str] = set()
        twice: set[str] = set()

        def sample() -> None:
            nonlocal once, twice
            now = set(filter(str.isdigit, os.listdir("/proc")))
            for pid in sorted(now - twice, key=int):
                with contextlib.suppress(OSError):
                    if belongs(pid):
                        for name in ("cmdline", "environ"):
                            content = Path("/proc", pid, name).read_bytes()
                            self.look(f"{name} of {content[:60]!r}" if name == "cmdline" else name, content)
                        self.sampled += 1
            children.intersection_update(now)
            once, twice = now, (once | twice) & now

        with meanwhile(sample, 0.1):
            yield

    def init(self, host: str) -> str:
        return podman("inspect", "--format={{.State.Pid}}", self.user.lab.container(host)).stdout.strip()

    @staticmethod
    def namespace(pid: str) -> str:
        return os.readlink(f"/proc/{pid}/ns/pid")

    def files(self) -> dict[str, list[str]]:
        """By host, the files that hold any secret, with mode and owner."""
        pattern = "\n".join(self.secrets)
        # The pattern comes by a file that isn't searched, as no argument may hold it.
        script = ("cat >/dev/shm/.canaries; grep -rlaF -f /dev/shm/.canaries --exclude=.canaries --exclude-dir=proc"
                  " --exclude-dir=sys / 2>/dev/null | xargs -r stat -c '%n %a %U'; journalctl --no-pager -o verbose"
                  " | grep -caF -f /dev/shm/.canaries >/dev/null && echo journal; rm /dev/shm/.canaries")
        found = {}
        for host in MEMBERS:
            container = self.user.lab.container(host)
            found[host] = sorted(subprocess.run(
                ["podman", "exec", "-i", container, "sh", "-c", script], input=pattern, capture_output=True, text=True,
                check=True).stdout.split("\n"))[1:]
        return found

    def strayed(self, *paths: str, maybe: Iterable[str] = (), hosts: Iterable[str] = MEMBERS) -> list[str]:
        """What isn't as it should be: in these files of root's, which nobody else can read, and nowhere else."""
        wanted, allowed = ({f"{host}: {path} 600 root" for path in some for host in hosts} for some in (paths, maybe))
        found = {f"{host}: {line}" for host, lines in self.files().items() for line in lines}
        assert self.sampled, "no process was looked at"
        return sorted({*self.leaks, *(wanted - found), *(found - wanted - allowed)})
