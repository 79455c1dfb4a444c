# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a backup that a run has stopped may start again, as its host sees it."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import time
import typing as t

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _owned_files_io
from ansible_collections.kubeha.apiserver.plugins.module_utils.model import _pod_paths
from ansible_collections.kubeha.apiserver.plugins.module_utils.run import _lease, _lease_watch_io, _run_lock_io
from ansible_collections.kubeha.apiserver.plugins.module_utils.segment import _segment_io
from net import Process, Segment, instance

BOTH = ("ipv4", "ipv6")
HOSTS = ("cp1", "cp2")
VIP = 200
LONG = 30.0
HAND_OVER = 5.0


def config(segment: Segment, host: str, vrid: int, unicast: bool) -> str:
    found = ""
    for family in BOTH:
        peers = [segment.address(peer, family) for peer in HOSTS if peer != host] if unicast else []
        found += instance(family, vrid, 150, segment.make(VIP, family), segment.address(host, family), peers)
    return found


def look(text: str) -> tuple[bool, bool, str]:
    answer = _lease_watch_io.look(_lease.dialects(text))
    return answer.start, answer.alone, answer.why


def rival(text: str) -> tuple[bool, float]:
    speaks = _lease.dialects(text)
    listen = _lease_watch_io.Listen(speaks, LONG, lambda advert: _lease.is_rival(speaks, advert))
    begun = time.monotonic()
    _segment_io.run([listen])
    return listen.ended, time.monotonic() - begun


def asked(segment: Segment, unicast: bool) -> t.Any:
    return Process(segment.namespace("cp2"), look, config(segment, "cp2", 50, unicast)).result()


@pytest.mark.parametrize("unicast", [True, False], ids=["unicast", "multicast"])
def test_beside_a_holder_that_speaks_the_same(segment: Segment, root: str | None, unicast: bool) -> None:
    assert asked(segment, unicast)[:2] == [True, True]
    segment.keepalived("cp1", config(segment, "cp1", 50, unicast), root).wait_for("Entering MASTER STATE")
    assert asked(segment, unicast)[:2] == [True, False]
    # What keepalived wouldn't get doesn't count, though it's on the wire.
    segment.nft(segment.namespace("cp2"), "table inet t { chain c { type filter hook input priority 0; "
                                          "meta l4proto 112 drop; } }")
    start, _alone, why = asked(segment, unicast)
    assert not start and "isn't heard" in why


def test_beside_a_holder_that_speaks_another_way(segment: Segment, root: str | None) -> None:
    segment.keepalived("cp1", config(segment, "cp1", 51, True), root).wait_for("Entering MASTER STATE")
    start, _alone, why = asked(segment, True)
    assert not start and "another way" in why
    # One that has started before that holder came back hears it, and needn't wait to be asked.
    heard, seconds = Process(segment.namespace("cp2"), rival, config(segment, "cp2", 50, True)).result()
    assert heard and seconds < LONG


@pytest.mark.parametrize("unicast", [True, False], ids=["unicast", "multicast"])
def test_beside_a_holder_of_the_other_transport(segment: Segment, root: str | None, unicast: bool) -> None:
    segment.keepalived("cp1", config(segment, "cp1", 50, not unicast), root).wait_for("Entering MASTER STATE")
    start, _alone, why = asked(segment, unicast)
    assert not start and "another way" in why
    # It's right: keepalived wouldn't hear that holder.
    segment.keepalived("cp2", config(segment, "cp2", 50, unicast), root).wait_for("Entering MASTER STATE")


def watch(folder: str, manifest: str) -> None:
    """The host's program, with all that it reads and writes in one folder."""
    for module, name, value in (
        (_owned_files_io, "TOP", folder), (_lease_watch_io, "FILE", folder + "/state/lease.json"),
        (_lease_watch_io, "MANIFEST", folder + "/state/lease.manifest"), (_run_lock_io, "LOCK", folder + "/run/lock"),
        (_run_lock_io, "GUARD", folder + "/run/lock.guard"),
    ):
        setattr(module, name, value)
    _pod_paths.CONFIG["keepalived"] = folder + "/keepalived.conf"
    ended = _lease.begun({}, _run_lock_io.clock(), {"name": "a run"}, 0.0, "static_pod", manifest)
    pathlib.Path(folder, "state/lease.json").write_text(json.dumps(ended))
    _lease_watch_io.main()


def until(reached: t.Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_pod_that_has_started_stops_when_a_holder_comes_back(
    segment: Segment, root: str | None, tmp_path: pathlib.Path
) -> None:
    """What the kubelet does is done here: a pod is there when its manifest is."""
    tmp_path.chmod(0o755)
    manifest = tmp_path / "manifests" / "pod.yaml"
    manifest.parent.mkdir()
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "lease.manifest").write_text("kind: Pod\n")
    (tmp_path / "keepalived.conf").write_text(config(segment, "cp1", 50, True))
    segment.process("cp1", watch, str(tmp_path), str(manifest))
    until(manifest.exists, LONG)
    pod = segment.keepalived("cp1", config(segment, "cp1", 50, True), root)
    pod.wait_for("Entering MASTER STATE")
    segment.keepalived("cp2", config(segment, "cp2", 51, True), root).wait_for("Entering MASTER STATE")
    both = time.monotonic()
    until(lambda: not manifest.exists(), LONG)
    os.killpg(pod.process.pid, signal.SIGTERM)
    pod.process.wait(timeout=5)
    assert time.monotonic() - both < HAND_OVER
    assert json.loads((tmp_path / "state" / "lease.json").read_text())["phase"] == _lease.SILENT
