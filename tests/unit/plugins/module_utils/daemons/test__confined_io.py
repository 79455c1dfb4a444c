# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Beside a real process in namespaces of its own, as a pod has them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.daemons import _confined_io as confined_io
from ansible_collections.kubeha.apiserver.plugins.module_utils.daemons import _process_io as process_io
from ansible_collections.kubeha.apiserver.plugins.module_utils.daemons import _processes as processes

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.getuid() != 0 or not shutil.which("unshare"),
    reason="only root enters namespaces",
)

NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "uts")
LOOK = """
id -u; id -g; grep -E '^(Groups|Cap|NoNewPrivs)' /proc/self/status; cat; ulimit -c
for name in cgroup ipc mnt net pid user uts; do readlink /proc/self/ns/$name; done
"""


@pytest.fixture(name="pod", params=[0, 99], ids=["root", "haproxy"])
def fixture_pod(request):
    command = ["unshare", *("--%s" % name for name in ("mount", "pid", "uts", "ipc", "net", "cgroup")), "--fork",
               "--mount-proc", "--kill-child", "setpriv", "--reuid=%d" % request.param, "--regid=%d" % request.param,
               "--groups=4", "sh", "-c", "echo; exec sleep 60"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            if process.stdout.readline() == b"":
                pytest.skip("no namespaces here")
            with open("/proc/%d/task/%d/children" % (process.pid, process.pid), encoding="ascii") as stream:
                pid = int(stream.read().split()[0])
            deadline = time.monotonic() + 10
            while process_io.arguments(pid)[:1] != ("sleep",) and time.monotonic() < deadline:
                time.sleep(0.01)
            [described] = process_io._described([pid])
            yield described
        finally:
            process.kill()


def sh(pod, text, content=b"", seconds=10.0):
    return confined_io.run_beside(pod, ["sh", "-c", text], content, seconds)


def test_no_right_that_the_process_has_not(pod):
    output = sh(pod, LOOK, b"the configuration\n")
    assert output.code == 0, output
    lines = output.text.splitlines()
    assert lines[:2] == [str(pod.uid), str(pod.gid)]
    assert lines[2].split() == ["Groups:"]
    rights = dict(re.findall(r"^(Cap\w+|NoNewPrivs):\s+(\w+)$", output.text, re.MULTILINE))
    assert rights == {
        **dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), "0" * 16), "NoNewPrivs": "1"}
    assert lines[-9] == "the configuration" and lines[-8] == "0"
    own = [os.readlink("/proc/%d/ns/%s" % (pod.pid, name)) for name in (*NAMESPACES[:5], "user", "uts")]
    assert lines[-7:] == own


def test_it_gets_no_descriptor_of_ours(pod):
    with open("/proc/self/status", encoding="ascii") as stream:
        os.set_inheritable(stream.fileno(), True)
        assert sh(pod, "exec 2>/dev/null; ls /proc/self/fd").text.split()[:3] == ["0", "1", "2"]
        assert len(sh(pod, "ls /proc/self/fd").text.split()) == 4  # and the folder that ls reads


def test_it_may_read_its_configuration_and_not_write_it(pod):
    text = "cat /proc/self/fd/0 /proc/self/fd/0; id -u >/proc/self/fd/0"
    output = sh(pod, text, b"x\n")
    assert output.text.startswith("x\nx\n")
    if pod.uid:
        assert output.code != 0 and "ermission denied" in output.text


def test_every_wait_has_an_end(pod):
    begun = time.monotonic()
    for text in ("exec sleep 60", "exec >/dev/null 2>&1 sleep 60", "while :; do :; done", "exec yes"):
        output = sh(pod, text, seconds=0.3)
        assert output.code is None and "took longer than 0.3 s" in output.error
    assert time.monotonic() - begun < 10
    # The process and ls: nothing is left. On a busy machine what has been killed takes a moment to end.
    while sh(pod, "exec ls -d /proc/[0-9]*").text.count("/proc/") != 2:
        assert time.monotonic() - begun < 20


def test_what_its_container_lacks(pod):
    output = confined_io.run_beside(pod, ["no-such-program"], b"", 5)
    assert (output.code, output.error) == (None, "its container has no no-such-program")
    assert sh(pod, "exit 3").code == 3
    assert sh(pod, "kill -9 $$").code == 137


def test_a_process_that_has_ended_lets_nobody_in(pod):
    gone = pod._replace(started=pod.started - 1)
    assert "has ended" in sh(gone, "id").error


def test_nothing_runs_where_rights_would_be_kept(pod, monkeypatch):
    def keep(*arguments):
        raise OSError(1, "not permitted")

    monkeypatch.setattr(confined_io, "_drop", keep)
    output = sh(pod, "touch /tmp/evil")
    assert output.code is None and "with the rights of its container only" in output.error


def test_a_user_of_a_container_s_own_users(monkeypatch):
    monkeypatch.setattr(process_io, "text_of", lambda pid, name: "0 100000 65536\n")
    monkeypatch.setattr(os, "readlink", lambda path: path)
    known = processes.Process(7, 1, 1.0, ("haproxy",), 100099, 100098)
    assert confined_io._inside(known) == (99, 98)
    with pytest.raises(OSError, match="isn't one of its user namespace"):
        confined_io._inside(known._replace(uid=99))
