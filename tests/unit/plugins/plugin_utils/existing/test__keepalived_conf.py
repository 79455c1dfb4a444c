# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""keepalived.conf as people write it."""

from __future__ import annotations

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.existing._disclosed import KEEPALIVED, disclosed
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.existing._keepalived_conf import Statement, read
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.existing._text import File, Malformed

MAIN = "/etc/keepalived/keepalived.conf"


def parsed(text: str, **included: str) -> tuple[Statement, ...]:
    """As it comes from a host."""
    defined: dict[str, str] = {}
    texts = {MAIN: text, **{"/etc/keepalived/conf.d/%s.conf" % name: more for name, more in included.items()}}
    return read("cp1", [File(path, "keepalived", disclosed(more, KEEPALIVED, defined)) for path, more in texts.items()])


def flat(statements: tuple[Statement, ...]) -> list[tuple[str, int]]:
    return [pair for item in statements for pair in [(" ".join(item.words), item.place.line), *flat(item.block)]]


def test_blocks_and_lines() -> None:
    assert flat(parsed("global_defs {\n  router_id a\n}\nvrrp_instance V {\n\n  priority 7\n}\n")) == [
        ("global_defs", 1), ("router_id a", 2), ("vrrp_instance V", 4), ("priority 7", 6)]


@pytest.mark.parametrize("text", [
    "vrrp_instance V{\n priority 7\n}", "vrrp_instance V\n{\n priority 7 }", "vrrp_instance V { priority 7 }",
    "vrrp_instance V { # one\n priority 7 ! two\n}", "\tvrrp_instance\tV\t{\r\n\tpriority\t7\r\n\t}\r\n",
    "$P=7\nvrrp_instance V {\n priority $P\n}", "$P = 7\nvrrp_instance V {\n priority ${P}\n}",
    "vrrp_instance V {\n priority \\\n 7\n}", 'vrrp_instance "V" {\n priority "7"\n}',
])
def test_the_same_written_in_another_way(text: str) -> None:
    (item,) = parsed(text)
    assert item.words == ("vrrp_instance", "V")
    assert [entry.words for entry in item.block] == [("priority", "7")]


def test_includes_are_read_where_they_stand() -> None:
    found = parsed("include conf.d/*.conf\nvrrp_instance B {\n}", a="vrrp_instance A {\n}\n")
    assert [(item.argument, item.place.path.rpartition("/")[2]) for item in found] == [
        ("A", "a.conf"), ("B", "keepalived.conf")]


def test_the_last_one_counts() -> None:
    (item,) = parsed("vrrp_instance V {\n priority 1\n priority 2\n}")
    last = item.last("priority")
    assert last is not None and last.argument == "2" and len(item.each("priority")) == 2


@pytest.mark.parametrize("text, line, reason", [
    ("vrrp_instance V {\n priority 7\n", 1, "no } closes"),
    ("vrrp_instance V {\n}\n}\n", 3, "without a {"),
    ("{\n}\n", 1, "without a name"),
    ("a {\n" * 5000, 21, "within one another"),
    ("@one vrrp_instance V {\n}\n", 1, "a condition"),
    ("~SEQ(I, 1, 3) vrrp_instance V$I {\n}\n", 1, "a loop"),
])
def test_what_can_not_be_known_is_refused(text: str, line: int, reason: str) -> None:
    with pytest.raises(Malformed) as caught:
        parsed(text)
    assert caught.value.place.line == line
    assert reason in caught.value.reason


def test_files_that_include_one_another_end() -> None:
    with pytest.raises(Malformed):
        parsed("include conf.d/a.conf\n", a="include b.conf\n", b="include a.conf\n")
