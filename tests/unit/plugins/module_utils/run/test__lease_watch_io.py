# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import stat
import sys
import time

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _host_io
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _owned_files_io as owned
from ansible_collections.kubeha.apiserver.plugins.module_utils.model import _paths, _pod_paths
from ansible_collections.kubeha.apiserver.plugins.module_utils.run import (
    _lease,
    _lease_io,
    _lease_watch_io,
    _run_lock_io,
)
from ansible_collections.kubeha.apiserver.plugins.module_utils.run._run_lock import Clock

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="hosts are Linux")

VIP, ME, HOLDER = "198.51.100.100", "198.51.100.12", "198.51.100.11"
CONFIG = """vrrp_instance a {
    interface eth0
    virtual_router_id 100
    version 3
    advert_int 0.1
    unicast_src_ip %s
    unicast_peer {
        %s
    }
    virtual_ipaddress {
        %s/32 dev eth0
    }
}
""" % (ME, HOLDER, VIP)
RUN = {"controller": "a", "process": 1, "started": "7", "name": "one@a"}
OTHER = {"controller": "b", "process": 2, "started": "8", "name": "two@b"}
FIRST, SECOND = b"apiVersion: v1\n# first\n", b"apiVersion: v1\n# second\n"
LIFE = 600.0


class Host:
    """A backup below a temporary folder, and what the network tells it."""

    def __init__(self, root, monkeypatch, mode):
        root.chmod(0o755)
        self.mode = mode
        self.boot, self.now = "boot", 1000.0
        self.service = True
        # How who holds the VIP speaks: None where nobody does.
        self.holder = "same"
        self.commands = []
        self.slept = []
        self.fails = ""
        self.state = root / "state"
        self.manifest = root / "manifests" / os.path.basename(_pod_paths.manifest_path("", "keepalived"))
        self.manifest.parent.mkdir()
        config = root / "keepalived.conf"
        config.write_text(CONFIG)
        if mode == "static_pod":
            self.place(FIRST)
        for name, value in (("TOP", str(root)), ("ROOT", os.getuid()), ("ROOT_GROUP", os.getgid())):
            monkeypatch.setattr(owned, name, value)
        for module, name, path in (
            (_lease_watch_io, "FILE", "state/lease.json"), (_lease_watch_io, "MANIFEST", "state/lease.manifest"),
            (_lease_io, "FILE", "state/lease.json"), (_lease_io, "MANIFEST", "state/lease.manifest"),
            (_lease_io, "PROGRAM", "lib/lease.pyz"), (_lease_io, "UNIT_FILE", "units/kubeha-lease.service"),
            (_run_lock_io, "LOCK", "run/lock"), (_run_lock_io, "GUARD", "run/lock.guard"),
            (_paths, "KEEPALIVED_CONFIG", config.name),
        ):
            monkeypatch.setattr(module, name, str(root / path))
        monkeypatch.setitem(_pod_paths.CONFIG, "keepalived", str(config))
        monkeypatch.setattr(_run_lock_io, "clock", lambda: Clock(self.boot, self.now))
        monkeypatch.setattr(_host_io, "run", self.run)
        monkeypatch.setattr(_host_io, "read_addresses", list)
        monkeypatch.setattr(_lease_watch_io, "look", lambda speaks: _lease.may_start(
            speaks, {VIP: self.holder is not None}, [self.advert()] if self.holder else []))
        monkeypatch.setattr(_lease_watch_io, "run", self.listen)
        monkeypatch.setattr(_lease_watch_io, "Listen", Listen)
        monkeypatch.setattr(_lease_watch_io, "_claims", lambda speaks, hurry: {VIP: self.holder is not None})
        monkeypatch.setattr(_lease_watch_io.time, "sleep", self.slept.append)

    def place(self, content):
        self.manifest.write_bytes(content)

    def run(self, argv, seconds):
        """systemctl."""
        if "--property=ActiveState" in argv:
            return _host_io.Output(0, "active" if self.service else "inactive")
        self.commands.append(argv[1:])
        if self.fails:
            return _host_io.Output(1, "", self.fails)
        if argv[-1] == "keepalived.service":
            self.service = "start" in argv
        return _host_io.Output(0, "")

    def advert(self):
        return _lease.Heard("eth0", HOLDER, 100 if self.holder == "same" else 77, 3, "none", "", 0.1,
                            frozenset([VIP]), 150)

    def listen(self, parts):
        [part] = parts
        part.ended = self.holder is not None and part.ends(self.advert())

    def take(self, silent=False, life=LIFE):
        endpoint = {"mode": self.mode, "manifest_dir": str(self.manifest.parent)}
        return _lease_io.take({"endpoints": [endpoint]}, RUN, life, silent)

    def start(self):
        """As the role does it for a backup about which it's in doubt: what runs by then is watched at once."""
        self.service = True
        if self.mode == "static_pod":
            self.place(FIRST)
        self.take(life=0.0)

    def silence(self):
        """As the role does it: the lease comes first."""
        self.take()
        self.service = False
        if self.mode == "static_pod":
            self.manifest.unlink()

    @property
    def runs(self):
        return self.manifest.exists() if self.mode == "static_pod" else self.service

    @property
    def lease(self):
        return json.loads((self.state / "lease.json").read_text())

    def turn(self, passed=0.0):
        self.now += passed
        return _lease_watch_io.turn()


class Listen:
    def __init__(self, speaks, seconds, ends):
        self.ends = ends
        self.ended = False


@pytest.fixture(name="host", params=["service", "static_pod"])
def fixture_host(request, tmp_path, monkeypatch):
    return Host(tmp_path, monkeypatch, request.param)


@pytest.fixture(name="node")
def fixture_node(tmp_path, monkeypatch):
    return Host(tmp_path, monkeypatch, "static_pod")


def test_it_starts_by_itself_when_the_run_is_gone_and_never_before(host):
    host.silence()
    for dummy in range(5):
        assert host.turn(LIFE / 5 - 1) and not host.runs
    host.turn(10)
    assert host.runs
    assert (host.lease["phase"], host.lease["why"]) == ("speaking", "the holder speaks as this host does")
    # It's what the kubelet had, and nobody else may read it.
    if host.mode == "static_pod":
        assert host.manifest.read_bytes() == FIRST
        assert stat.S_IMODE(host.manifest.stat().st_mode) == 0o600


def test_it_waits_for_a_run_that_renews_its_lease(host):
    host.silence()
    for dummy in range(10):
        host.turn(LIFE - 1)
        assert host.take(silent=True) and not host.runs
    host.turn(LIFE + 1)
    assert host.runs
    before = host.lease
    assert not host.take(silent=True) and host.lease == before


def test_over_a_reboot_the_run_has_its_word_once_more(host):
    host.silence()
    host.boot, host.now = "next", 5.0
    assert host.turn() and not host.runs
    host.turn(LIFE - 6)
    assert not host.runs
    host.turn(10)
    assert host.runs


def test_a_wall_clock_that_jumps_starts_nothing_and_keeps_nothing_stopped(host, monkeypatch):
    host.silence()

    def jumped():
        raise AssertionError("somebody may have set it")

    monkeypatch.setattr(time, "time", jumped)
    host.turn()
    assert not host.runs
    host.turn(LIFE + 1)
    assert host.runs


def test_it_stays_silent_beside_a_holder_that_speaks_another_way(host):
    host.silence()
    host.holder = "other"
    assert host.turn(LIFE + 1) == _lease.RETRY
    assert not host.runs and "another way" in host.lease["why"]
    assert host.lease["phase"] == "silent"
    # And starts when that one is gone, after all with a lower place.
    host.holder = None
    host.turn(30)
    assert host.runs and host.slept == [_lease.APART]


def test_it_stops_again_when_it_hears_a_holder_that_speaks_another_way(host):
    host.silence()
    host.holder = None
    # It's watched at once: who comes back now wouldn't hear it.
    assert host.turn(LIFE + 1) == _lease.BREATH and host.runs
    assert host.turn() == _lease.BREATH and host.runs
    host.holder = "other"
    host.turn()
    assert not host.runs
    assert host.lease["phase"] == "silent" and "speaks another way" in host.lease["why"]
    host.turn()
    assert not host.runs
    host.holder = None
    host.turn()
    assert host.runs


def test_what_a_run_starts_in_doubt_stops_again_beside_a_holder_that_speaks_another_way(host):
    host.silence()
    host.holder = None
    host.start()
    assert host.turn(5) == _lease.BREATH and host.runs
    host.holder = "other"
    host.turn()
    assert not host.runs and "speaks another way" in host.lease["why"]
    # The run has ended, so nobody waits for it after a reboot either.
    host.boot, host.now, host.holder = "next", 5.0, "same"
    host.turn()
    assert host.runs


def test_what_starts_while_it_is_looked_at_is_watched_at_once(host, monkeypatch):
    """The run and the host's program may come to it at the same time."""
    host.silence()
    host.holder = None
    host.take(life=0.0)
    look = _lease_watch_io.look
    monkeypatch.setattr(_lease_watch_io, "look", lambda speaks: host.start() or look(speaks))
    assert host.turn() == _lease.BREATH and host.runs


def test_what_starts_while_a_holder_is_found_is_watched_at_once(host, monkeypatch):
    """That holder has come back just then, and speaks another way."""
    host.silence()
    host.holder = "other"
    host.take(life=0.0)
    look = _lease_watch_io.look
    monkeypatch.setattr(_lease_watch_io, "look", lambda speaks: host.start() or look(speaks))
    assert host.turn() == _lease.BREATH and host.runs
    host.turn()
    assert not host.runs


def test_a_rest_ends_when_keepalived_runs(host, monkeypatch):
    host.silence()
    monkeypatch.setattr(_lease_watch_io.time, "sleep", lambda seconds: host.slept.append(seconds) or host.start())
    _lease_watch_io.rest(_lease.RETRY)
    assert host.slept == [_lease.PAUSE]


def test_what_runs_by_a_lease_is_watched_until_the_next_run_has_stopped_it(host):
    host.silence()
    host.holder = None
    host.turn(LIFE + 1)
    assert host.runs and host.take()
    host.holder = "other"
    host.turn()
    assert not host.runs
    assert host.take(silent=True)
    host.holder = None
    host.turn()
    assert not host.runs


def test_another_run_that_changes_the_host_is_waited_for(host):
    host.silence()
    _run_lock_io.store({**OTHER, "boot": host.boot, "at": host.now, "until": host.now + 5000})
    host.turn(LIFE + 1)
    assert not host.runs


def test_what_does_not_start_is_said_and_tried_again(host, monkeypatch):
    host.silence()
    if host.mode == "service":
        host.fails = "Unit keepalived.service is masked."
        why = "Unit keepalived.service is masked."
    else:
        (host.state / "lease.manifest").rename(host.state / "elsewhere")
        why = "lease.manifest is gone"
    host.turn(LIFE + 1)
    assert not host.runs
    assert host.lease["phase"] == "silent" and why in host.lease["why"]
    host.fails = ""
    if host.mode == "static_pod":
        (host.state / "elsewhere").rename(host.state / "lease.manifest")
    host.turn(30)
    assert host.runs


def test_what_can_not_be_stopped_is_said_and_tried_again(host, monkeypatch, capsys):
    host.silence()
    host.turn(LIFE + 1)
    host.holder = "other"
    with monkeypatch.context() as patch:
        if host.mode == "service":
            host.fails = "Connection timed out"
        else:
            patch.setattr(owned, "remove", refuse)
        for dummy in range(3):
            assert host.turn() == _lease.PAUSE
    assert host.runs and "it can't be stopped" in host.lease["why"] and host.lease["phase"] == "speaking"
    assert capsys.readouterr().out.count("keepalived goes on: another host has") == 1
    host.fails = ""
    host.turn()
    assert not host.runs


def refuse(path):
    raise OSError(30, "Read-only file system", path)


def test_no_wall_clock_is_asked(monkeypatch):
    monkeypatch.setattr(_run_lock_io.time, "time", lambda: 1e9)
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= _run_lock_io.clock().now <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_while_it_ends_nothing_is_started(host, monkeypatch):
    """The lease goes before anything else, whatever the program is about to do."""
    host.silence()
    monkeypatch.setattr(_host_io, "run", lambda argv, seconds: host.turn(LIFE + 1) or host.run(argv, seconds))
    _lease_io.end()
    assert not host.runs


def test_without_a_lease_the_program_ends(host):
    host.silence()
    assert _lease_io.end()
    assert host.turn() is None and not host.runs
    assert not _lease_io.is_there() and list(host.state.iterdir()) == []
    assert ["disable", "--now", "kubeha-lease.service"] in host.commands


def test_a_pod_of_a_later_manifest_comes_back_with_that(node):
    node.silence()
    node.holder = None
    node.turn(LIFE + 1)
    # A run that was killed as well has changed it.
    node.place(SECOND)
    node.holder = "other"
    node.turn()
    assert not node.runs
    node.holder = None
    node.turn(30)
    assert node.manifest.read_bytes() == SECOND


def test_a_run_that_finds_the_pod_stopped_goes_on_with_what_was_kept(node):
    node.silence()
    node.now += 100
    node.take()
    assert (node.state / "lease.manifest").read_bytes() == FIRST
    node.turn(LIFE + 1)
    assert node.manifest.read_bytes() == FIRST


def test_the_unit_may_write_where_the_kubelet_reads(node):
    node.silence()
    written = _lease_io.unit(str(node.manifest), sys.executable)
    assert "ReadWritePaths=-%s\n" % node.manifest.parent in written
    assert str(node.manifest.parent) not in _lease_io.unit("", sys.executable)
