# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts, controllers and neighbours as one finds them. The order is part of it.

All the while temporary folders may not be executed from, umask is 077, wall clocks of two hosts are a day off, hosts
have a foreign locale and the controller has none; and from the second step on nobody's programs call themselves haproxy
and keepalived."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from canaries import LONG
from user import MEMBERS, ROOT, Run, User

NOTHING = dict.fromkeys(MEMBERS, 0)
# Where Ansible and the packages' own scripts would put what they execute.
ODD = r"""
for folder in /tmp /var/tmp /mnt; do mount -t tmpfs -o noexec,mode=1777 tmpfs $folder; done
mkdir -p /etc/systemd/system/ssh.service.d
printf '[Service]\nUMask=0077\n' >/etc/systemd/system/ssh.service.d/odd.conf
echo 'SetEnv LC_ALL=tr_TR.UTF-8 LANG=tr_TR.UTF-8' >/etc/ssh/sshd_config.d/odd.conf
systemctl set-environment LC_ALL=tr_TR.UTF-8 LANG=tr_TR.UTF-8
systemctl daemon-reload
systemctl restart ssh
printf 'import time\nreal = time.time\ntime.time = lambda: real() + %d\n' "$0" >/usr/lib/python3/dist-packages/odd.py
echo 'import odd' >/usr/lib/python3/dist-packages/odd.pth
"""
TEXTFILE = "/var/lib/node_exporter/kubeha.prom"
# Hangs once it has said what it was told.
SCRIPT = "/usr/local/libexec/vip-moved"
HANGS = "#!/bin/sh\necho told: $* as $KUBEHA_HOST\nsleep 1000\n"
TOLD = "journalctl --unit kubeha-hook --output cat --grep 'told: ' | tail --lines 1"
METRICS = {"endpoint_metrics": True, "endpoint_metrics_address": "host",
           "endpoint_metrics_allow": ["198.51.100.240/28"], "endpoint_metrics_textfile_dir": os.path.dirname(TEXTFILE),
           "endpoint_notify_script": SCRIPT}
WELL = ['kubeha_vrrp_can_hold{endpoint="kube-apiserver"} 1.0', 'kubeha_daemon_running{daemon="haproxy"} 1.0',
        'kubeha_configuration_loaded{daemon="haproxy"} 1.0', 'kubeha_configuration_edited{daemon="keepalived"} 0.0']
ASK = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=3).read().decode())"
CLOCKS = {"cp1": 0, "cp2": 86400, "cp3": -86400}
# As apt and dpkg do it, until it's told to end.
INSTALLING = """
import fcntl, os, sys
files = [open("/var/lib/dpkg/" + name, "a") for name in ("lock-frontend", "lock")]
for file in files:
    fcntl.lockf(file, fcntl.LOCK_EX)
print(os.getpid(), flush=True)
sys.stdin.read()
"""
# Half of a package, then the connection ends; whoever asks again finds none.
MIRROR = """
import http.server, urllib.parse
class Mirror(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if not self.path.endswith(".deb"):
            return super().do_GET()
        content = open("/srv/apt" + urllib.parse.unquote(self.path), "rb").read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:len(content) // 2])
http.server.ThreadingHTTPServer(("127.0.0.1", 8000), lambda *a: Mirror(*a, directory="/srv/apt")).serve_forever()
"""
NEWER_PACKAGE = ROOT / "tests" / "rollout" / "newer_package.py"
IMPOSTOR = ("python3", "/opt/lab/impostor.py")
FILES = ("/etc/haproxy/haproxy.cfg", "/etc/keepalived/keepalived.conf", "/etc/kubeha/plan.json")
SERVES = "systemctl is-active haproxy keepalived && haproxy -c -q -f /etc/haproxy/haproxy.cfg"


class Odd(User):
    """Somebody whose controller is as odd as their hosts."""

    folder: Path

    def playbook(self, playbook: str | Path, *arguments: str, **variables: object) -> Run:
        return self.watched(playbook, lambda dummy_line: None, *arguments, **variables)

    def watched(self, playbook: str | Path, sees: Callable[[str], None], *arguments: str, **variables: object) -> Run:
        """With each line as it's printed."""
        odd = "umask 077; mount -t tmpfs -o noexec tmpfs \"$TMPDIR\" && exec \"$@\""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("LANG", "LC_"))}
        environment.update(TMPDIR=str(self.folder), ANSIBLE_LOCAL_TEMP=str(self.folder))
        command = self.command(playbook, *arguments, ansible_remote_tmp="/mnt/ansible", **variables)
        process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", odd, "sh", *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, cwd=ROOT, stdin=subprocess.DEVNULL, env=environment)
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            sees(line)
        run = Run(subprocess.CompletedProcess(command, process.wait(), "".join(lines), ""))
        assert "Traceback" not in run.output, run.output
        return run

    def everywhere(self, *command: str) -> dict[str, str]:
        with ThreadPoolExecutor() as pool:
            return dict(zip(MEMBERS, pool.map(lambda host: self.lab.run(host, *command).stdout, MEMBERS)))

    def all_serve(self) -> None:
        assert self.everywhere("sh", "-c", SERVES) == dict.fromkeys(MEMBERS, "active\nactive\n")
        assert self.holders() == ["cp1"]

    def files(self) -> dict[str, str]:
        return self.everywhere("sha256sum", *FILES)

    def newer_packages(self, name: str) -> None:
        self.everywhere("python3", "-c", NEWER_PACKAGE.read_text(encoding="utf-8"), name)

    def installed(self, name: str) -> dict[str, str]:
        return self.everywhere("dpkg-query", "--show", "--showformat", "${Version}", name)


@pytest.fixture(scope="module")
def odd(user: User, tmp_path_factory: pytest.TempPathFactory) -> Odd:
    somebody = Odd(user.lab)
    somebody.folder = tmp_path_factory.mktemp("noexec")
    if os.environ.get("KUBEHA_LAB") != "reuse":
        for host, seconds in CLOCKS.items():
            user.lab.run(host, "sh", "-ec", ODD, str(seconds))
    return somebody


def test_another_program_that_installs_packages_is_waited_for(odd: Odd) -> None:
    """Which is the first deployment, and nothing else keeps it from succeeding."""
    said = []
    with odd.lab.background("cp2", "python3", "-c", INSTALLING) as installing:
        assert installing.stdout is not None and installing.stdin is not None
        pid = installing.stdout.readline().strip()

        def sees(line: str) -> None:
            if "Another program has the package manager" in line:
                said.append(line)
                installing.stdin.close()

        odd.watched("playbooks/site.yml", sees).succeeded()
    assert len(said) == 1 and f"process {pid}" in said[0] and "/var/lib/dpkg/lock-frontend" in said[0], said
    odd.all_serve()
    modes = odd.everywhere("stat", "-c", "%a", "/run/kubeha", *FILES)
    assert modes == dict.fromkeys(MEMBERS, "755\n644\n640\n644\n")


def test_what_only_calls_itself_haproxy_or_keepalived_changes_nothing(odd: Odd) -> None:
    odd.everywhere(*IMPOSTOR, "start")
    assert odd.site().succeeded().changed == NOTHING
    odd.playbook("playbooks/status.yml").succeeded()
    nobody_was_executed(odd)


def nobody_was_executed(odd: Odd) -> None:
    """By another user than nobody; and nobody's processes had no signal of ours, which would have ended them."""
    expected = {"running": 7, "proofs": [], "shadow": ["0o640", 0]}
    assert {host: json.loads(said) for host, said in odd.everywhere(*IMPOSTOR, "look").items()} == dict.fromkeys(
        MEMBERS, expected)


@LONG
def test_a_mirror_that_fails_in_the_middle_of_an_upgrade(odd: Odd) -> None:
    """The second host's. The first one runs the new version, the others go on with what they had."""
    odd.newer_packages("haproxy")
    before = odd.installed("haproxy")
    odd.lab.run(
        "cp2", "sh", "-ec", "cp /etc/apt/sources.list /root; printf %s \"$0\" >/root/mirror.py; "
        "sed -i s,file:/srv/apt,http://127.0.0.1:8000, /etc/apt/sources.list; "
        "systemd-run --collect --unit=mirror python3 /root/mirror.py; "
        "until bash -c '</dev/tcp/127.0.0.1/8000' 2>/dev/null; do sleep 0.1; done; apt-get update", MIRROR)
    started = odd.everywhere("systemctl", "show", "--property=ExecMainPID", "haproxy", "keepalived")
    run = odd.site(haproxy_package_state="latest").failed()
    odd.lab.run(
        "cp2", "sh", "-ec", "systemctl stop mirror; cp /root/sources.list /etc/apt/sources.list; apt-get update")
    assert "Fetch the new package: " in run.output and "Nothing was changed here" in run.output, run.output
    assert "not touched" in run.output, run.output
    after = odd.installed("haproxy")
    assert after["cp3"] != before["cp3"] and {**after, "cp3": before["cp3"]} == before
    again = odd.everywhere("systemctl", "show", "--property=ExecMainPID", "haproxy", "keepalived")
    assert {**again, "cp3": ""} == {**started, "cp3": ""}
    odd.all_serve()


def test_another_program_that_never_stops_installing(odd: Odd) -> None:
    """On one host. That's the end for it, and the endpoint goes on there as well."""
    before = odd.files()
    with odd.lab.background("cp1", "python3", "-c", INSTALLING) as installing:
        assert installing.stdout is not None
        pid = installing.stdout.readline().strip()
        run = odd.site("--limit", "cp1", haproxy_package_state="latest", __endpoint_package_wait=2).failed()
    assert f"still has the package manager after 2 s: process {pid}" in run.output, run.output
    assert "has locked /var/lib/dpkg/lock-frontend. No package was touched here." in run.output
    assert odd.files() == before
    odd.all_serve()


def test_a_folder_for_configuration_that_is_read_only(odd: Odd) -> None:
    """It's seen before anything is touched."""
    before = odd.files()
    odd.lab.run("cp3", "sh", "-ec", "mount --bind /etc /etc; mount -o remount,bind,ro /etc")
    run = odd.site(endpoint_health_path="/livez").failed()
    odd.lab.run("cp3", "umount", "/etc")
    assert "folder_read_only" in run.output and run.changed == NOTHING, run.output
    assert odd.files() == before
    odd.all_serve()


@LONG
def test_a_disk_that_is_full(odd: Odd) -> None:
    """Only that of the configuration, which is the place where the old files are."""
    before = odd.files()
    odd.lab.run("cp3", "sh", "-ec", "cp -a /etc/haproxy /root/; mount -t tmpfs -o size=64k,mode=755 tmpfs "
                "/etc/haproxy; cp -a /root/haproxy/. /etc/haproxy/; "
                "dd if=/dev/zero of=/etc/haproxy/full 2>/dev/null || true")
    run = odd.site(endpoint_health_path="/livez").failed()
    odd.lab.run("cp3", "sh", "-ec", "umount /etc/haproxy")
    assert "No space left on device" in run.output, run.output
    assert odd.files() == before
    odd.all_serve()


def test_the_change_and_the_upgrade_when_all_is_mended(odd: Odd) -> None:
    odd.everywhere("install", "-d", "-m", "0755", os.path.dirname(TEXTFILE))
    odd.everywhere("sh", "-c", "mkdir -p %s; printf '%%s' '%s' >%s; chmod 0755 %s" % (
        os.path.dirname(SCRIPT), HANGS, SCRIPT, SCRIPT))
    odd.site(endpoint_health_path="/livez", haproxy_package_state="latest", **METRICS).succeeded()
    odd.until(lambda: odd.holders() == ["cp1"])
    assert len(set(odd.installed("haproxy").values())) == 1
    assert all("/livez" in said for said in odd.everywhere("cat", "/etc/haproxy/haproxy.cfg").values())
    odd.all_serve()
    nobody_was_executed(odd)


def test_metrics_of_what_has_just_been_changed(odd: Odd) -> None:
    said = odd.everywhere("cat", TEXTFILE)
    assert all(all(line in text for line in WELL) for text in said.values()), said
    held = {host for host, text in said.items() if 'vip="%s"} 1.0' % odd.vip in text}
    assert len(held) == 1
    own, vip = "http://%s:8405/metrics" % odd.lab.address("cp1"), "http://%s:8405/metrics" % odd.vip
    assert 'haproxy_server_status{proxy="kube-apiserver"' in odd.on("cp1", "python3", "-c", ASK, own)
    assert "[Errno 111]" in odd.lab.run("cp1", "python3", "-c", ASK, vip, check=False).stderr
    # Nobody has allowed cp2 to ask.
    assert odd.on("cp2", "python3", "-c", ASK, own) == ""


def test_drain_and_undrain_beside_impostors(odd: Odd) -> None:
    odd.playbook("playbooks/drain.yml", endpoint_hosts="cp1").succeeded()
    assert odd.holders() == ["cp2"]
    odd.until(lambda: odd.on("cp2", "sh", "-c", TOLD).endswith(
        "told: kube-apiserver kube-apiserver-ipv4 MASTER as cp2\n"))
    odd.playbook("playbooks/undrain.yml", endpoint_hosts="cp1").succeeded()
    odd.until(lambda: odd.holders() == ["cp1"])
    nobody_was_executed(odd)


def test_remove_beside_impostors(odd: Odd) -> None:
    """Slowly: the run renews its locks between all turns, also on hosts that it has cleaned."""
    odd.playbook("playbooks/remove.yml", endpoint_hosts="all", __endpoint_renew_seconds=0).succeeded()
    assert odd.holders() == []
    assert odd.everywhere("ls", SCRIPT) == dict.fromkeys(MEMBERS, SCRIPT + "\n")
    left = "ls -d /run/kubeha* /etc/kubeha /etc/systemd/system/kubeha* /etc/tmpfiles.d/kubeha* %s || true" % TEXTFILE
    assert odd.everywhere("sh", "-c", left) == dict.fromkeys(MEMBERS, "")
    nobody_was_executed(odd)
