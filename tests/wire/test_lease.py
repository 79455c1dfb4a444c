# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a backup that a run has stopped may start again, as its host sees it."""

from __future__ import annotations

import time
import typing as t

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils import _lease, _lease_watch_io, _segment_io
from net import Process, Segment, instance

BOTH = ("ipv4", "ipv6")
HOSTS = ("cp1", "cp2")
VIP = 200
LONG = 30.0


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
