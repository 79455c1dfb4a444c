# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any, Dict, List

from ansible_collections.kubeha.apiserver.plugins.plugin_utils.judge._status import findings_text
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.rollout._report import (
    by_endpoint,
    named,
    so_far,
    stopped,
    summary,
    text,
    wave,
)
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.rollout._waves import Progress, Seen, step
from ansible_collections.kubeha.apiserver.tests.unit.plans import plan
from ansible_collections.kubeha.apiserver.tests.unit.plugins.plugin_utils.rollout.test__waves import endpoint, runs

MANY = ["cp%04d" % number for number in range(1, 201)]


def test_the_order_in_words() -> None:
    said = text("HAProxy", [["h2"], ["h1"]], {"h1": runs("a"), "h2": runs(force="restart")}).splitlines()
    assert said[0] == "HAProxy:"
    assert [line.split() for line in said[2:]] == [["1", "h2", "restart"], ["2", "h1", "reload", "a"]]
    assert text("HAProxy", [], {}) == ""
    silenced = text("keepalived", [["h1"], ["h2"]], {"h1": runs("a"), "h2": runs()}, {"h2": "VIP"})
    assert silenced.splitlines()[-1].endswith("(VIP): h2")


def test_a_wave_of_many_hosts_is_a_line() -> None:
    assert wave(1, 3, MANY) == "wave 2 of 3: 200 hosts, cp0001 … cp0200"
    assert wave(0, 1, ["h1", "h2"]) == "wave 1 of 1: h1, h2"
    assert named(MANY[:12]).count(",") == 11 and named(MANY[:13]) == "13 hosts, cp0001 … cp0013"
    seen = {host: Seen("reload") for host in MANY}
    seen["cp0007"] = Seen("restart")
    said = text("keepalived", [MANY[:1], MANY[1:]], seen, dict.fromkeys(MANY[1:], "VIP"), MANY[1:]).splitlines()
    assert said[:3] == ["keepalived:", "wave 1 of 2: cp0001 (reload)",
                        "wave 2 of 2: 199 hosts, cp0002 … cp0200 (reload, restart)"]
    assert said[3].endswith("(VIP): 199 hosts, cp0002 … cp0200")
    assert said[4] == "Before that these hand their VIPs over: 199 hosts, cp0002 … cp0200"


NAMES = ["a", "b", "c", "d", "e"]
FIVE = plan(*(endpoint(name, [name + "1", name + "2"]) for name in NAMES))
HOSTS = [name + number for name in NAMES for number in "12"]


def verdict(*findings: Any) -> Any:
    return {"findings": [dict(zip(("severity", "endpoint", "host", "message"), finding)) for finding in findings],
            "holders": {name: {name: [name + "1"]} for name in NAMES[:4]}}


def lines(said: str) -> List[List[str]]:
    """Columns of the table, and then the last line."""
    *rows, dummy, last = said.splitlines()
    return [row.split(None, 3) for row in rows[1:]] + [[last]]


def test_of_many_endpoints_each_has_a_line() -> None:
    done = so_far({}, "haproxy", ["a1", "a2", "b1"], {"b": "b2: the port is taken"})
    done = so_far(done, "keepalived", ["a2"], {"b": "b2: it was lost on the way"})
    found = summary(FIVE, verdict(("error", "c", "c1", "no server"), ("error", None, "c2", "it's frozen"),
                                  ("error", "c", None, "nobody holds c"), ("warning", "d", None, "slow")), done, HOSTS)
    assert lines(found) == [
        ["a", "a", "a1", "haproxy changed on 2; keepalived changed on 1"],
        ["b", "b", "b1", "haproxy changed on 1; stopped: b2: the port is taken"],
        ["c", "c", "c1", "not as planned: nobody holds c; and 2 more"],
        ["d", "d", "d1", "no change"],
        ["e", "e", "nobody", "seen  no change"],
        ["5 endpoints: 3 as planned, 1 stopped, 1 not as planned. 3 hosts were changed."]]


def test_what_several_endpoints_have_in_common_is_said_once() -> None:
    findings: Any = [{"severity": "error", "code": code, "endpoint": name, "host": host, "message": "m", "fix": "f"}
                     for code, name, host in (("x", "a", "a1"), ("x", "a", "a2"), ("x", "b", None), ("y", None, "c1"))]
    assert findings_text(by_endpoint(findings)).splitlines()[::2] == ["ERROR x: a, b: m", "ERROR y: c1: m"]


def test_of_few_endpoints_nothing_is_summed_up() -> None:
    some = plan(*FIVE["endpoints"][:3])
    assert summary(some, verdict(), {}, HOSTS) == ""
    # A batch is about its own endpoints, and about those that it has lost.
    assert summary(FIVE, verdict(), {}, ["a1", "b1", "c1"]) == ""
    assert len(lines(summary(FIVE, verdict(), so_far({}, "haproxy", [], {"e": "e1: lost"}), ["a1", "b1", "c1"]))) == 5


def test_why_an_endpoint_was_stopped() -> None:
    shared = plan(endpoint("a", ["h1", "h2"]), endpoint("b", ["h2", "h3"]), endpoint("c", ["h4"]))
    assert stopped(shared, {"h1": "broken"}, {"h2": "a"}) == {
        "a": "h1: broken", "b": "h2: not touched, because of a"}


def test_where_many_are_stopped_each_has_a_line() -> None:
    order = [["%s2" % name for name in NAMES], ["%s1" % name for name in NAMES]]
    failures: Dict[str, str] = {"a2": "broken\nin two lines", "c2": "lost"}
    end = step(FIVE, order, 2, failures, Progress(turned=frozenset([*order[0], "b1", "d1", "e1"])))
    assert set(end["stops"]) == {"a1", "a2", "c1", "c2"}
    assert end["stopped"] == {"a": "a2: broken\nin two lines", "c": "c2: lost"}
    assert [line.split(None, 1) for line in end["text"].splitlines()[1:]] == [
        ["a", "a2: broken in two lines"], ["c", "c2: lost"]]
