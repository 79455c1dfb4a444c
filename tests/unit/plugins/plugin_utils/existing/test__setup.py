# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One host's files: what counts where it isn't written, and that nothing which a host says ends in a traceback."""

from __future__ import annotations

import copy
import typing as t

import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.existing import _outcome, _rows, _sameness, _written
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.existing._setup import Setup, seconds, setup_of
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.existing._text import Malformed
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.intent._errors import PlanError
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan._plan import compute_plan
from ansible_collections.kubeha.apiserver.tests.unit.plugins.plugin_utils.existing import cases
from hypothesis import given
from hypothesis import strategies as st

CASES = cases.cases()
NOTHING: dict[str, t.Any] = {
    "addresses": [], "files": [], "unread": [], "units": [], "versions": {}, "server": ""}


def setup(keepalived: str = "", haproxy: str = "") -> Setup:
    files = [("/etc/keepalived/keepalived.conf", "keepalived", keepalived),
             ("/etc/haproxy/haproxy.cfg", "haproxy", haproxy)]
    return setup_of("cp1", dict(NOTHING, files=[
        {"path": path, "role": role, "text": text} for path, role, text in files if text]))


def test_what_counts_where_nothing_is_written() -> None:
    (instance,) = setup("vrrp_instance V {\n virtual_ipaddress {\n 198.51.100.100\n }\n}").instances
    assert (instance.state, instance.priority, instance.advert, instance.version, instance.auth) == (
        "BACKUP", 100, 1.0, 2, "none")
    (listener,) = setup(haproxy="listen api\n bind :8443\n server a 198.51.100.11:6443 check\n").listeners
    assert (listener.ports, listener.check, listener.redispatch) == ((8443,), "tcp", False)
    assert (listener.servers[0].inter, listener.servers[0].fall) == (2.0, 3)


def test_ipv6_and_global_defs_make_version_3() -> None:
    six = "vrrp_instance V {\n virtual_ipaddress {\n 2001:db8::100\n }\n}"
    four = six.replace("2001:db8::100", "198.51.100.100")
    assert setup(six).instances[0].version == 3
    assert setup("global_defs {\n vrrp_version 3\n}\n" + four).instances[0].version == 3
    assert setup(four.replace("V {", "V {\n version 3")).instances[0].version == 3


@pytest.mark.parametrize("options, expected", [
    ("check inter 500 fall 2", (0.5, 2)), ("check inter 5s", (5.0, 3)), ("check fall 9 inter 1m", (60.0, 9))])
def test_options_of_a_server(options: str, expected: tuple[float, int]) -> None:
    for text in ("listen a\n server s 198.51.100.11:6443 %s\n", "listen a\n default-server %s\n server s "
                 "198.51.100.11:6443\n", "defaults\n default-server %s\nlisten a\n server s 198.51.100.11:6443\n"):
        server = setup(haproxy=text % options).listeners[0].servers[0]
        assert (server.inter, server.fall) == expected


@pytest.mark.parametrize("text, value", [("10", 0.01), ("10s", 10.0), ("2m", 120.0), ("1x", None), ("", None)])
def test_times(text: str, value: float | None) -> None:
    assert seconds(text) == value


def test_a_file_of_this_collection_is_known() -> None:
    assert [place.line for place in setup(haproxy="global\nfrontend kubeha:health:1\n").own] == [2]
    assert [place.line for place in setup("vrrp_track_file kubeha_drained {\n}\n").own] == [1]
    assert not setup(haproxy="global\nfrontend kubernetes\n").own


@pytest.mark.parametrize("answer", [{}, {"files": 1}, dict(NOTHING, files=[{}]), dict(NOTHING, addresses=[{
    "interface": "eth0", "address": "198.51.100.11", "prefix": "x"}])])
def test_an_answer_of_another_shape_is_refused(answer: dict[str, t.Any]) -> None:
    with pytest.raises(Malformed):
        setup_of("cp1", answer)


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, t.Any]:
    """A case of the corpus with a few edits that a tired person, or an evil host, makes."""
    hosts = copy.deepcopy(cases.existing(draw(st.sampled_from(CASES))))
    files = [file for existing in hosts.values() for file in existing["files"]]
    for _edit in range(draw(st.integers(1, 4))):
        if not files:
            break
        file = draw(st.sampled_from(files))
        text = file["text"]
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 30)))
        new = draw(st.text(max_size=12) | st.sampled_from(["{", "}", "\n", "$A", '"', "\\", "\x1b[2J", "{{ 1 }}"]))
        file["text"] = text[:start] + new + text[end:]
    return hosts


@given(mutated())
def test_nothing_that_hosts_say_ends_in_a_traceback(hosts: dict[str, t.Any]) -> None:
    found = _outcome.outcome_of(hosts, list(hosts))
    plan = None
    if found.variables:
        try:
            plan = compute_plan(_outcome.planned_intent(found), _outcome.planned_hosts(found), {})
        except PlanError as error:
            assert error.problems
    rows = _rows.rows_of(found, plan)
    same, outages = (_sameness.same(found, plan), _sameness.outages(found, plan)) if plan else ([], [])
    assert "\x1b" not in _written.report(found, rows, same, outages)
    if plan:
        assert "{{" not in _written.inventory_text(found)
