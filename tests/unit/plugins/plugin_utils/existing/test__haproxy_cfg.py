# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""haproxy.cfg as people write it."""

from __future__ import annotations

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.existing._disclosed import HAPROXY, disclosed
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.existing._haproxy_cfg import Section, read
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.existing._text import File, Malformed


def parsed(*texts: str) -> list[Section]:
    """As they come from a host."""
    return read("cp1", [File("/etc/haproxy/%d.cfg" % number, "haproxy", disclosed(text, HAPROXY))
                        for number, text in enumerate(texts)])


def test_sections_and_lines() -> None:
    (section,) = parsed("# head\nfrontend api # here\n\n    bind *:8443\n    mode tcp\n")
    assert (section.kind, section.name, section.place.line) == ("frontend", "api", 2)
    assert [(line.words, line.place.line) for line in section.lines] == [(("bind", "*:8443"), 4), (("mode", "tcp"), 5)]


def test_defaults_are_those_before_or_those_that_are_named() -> None:
    found = parsed("defaults one\n  mode tcp\ndefaults two\n  mode http\nlisten a\nlisten b from one\nlisten c\n")
    modes = {section.name: section.last("mode") for section in found if section.kind == "listen"}
    assert {name: line and line.words[1] for name, line in modes.items()} == {"a": "http", "b": "tcp", "c": "http"}
    assert parsed("listen a\n", "defaults\n  mode tcp\n", "listen b\n")[2].last("mode") is not None


def test_its_own_line_counts_more_than_an_inherited_one() -> None:
    section = parsed("defaults\n  balance first\nbackend b\n  balance source\n")[1]
    line = section.last("balance")
    assert line is not None and line.words == ("balance", "source")


@pytest.mark.parametrize("text, line", [("mode tcp\n", 1), ("global\n  daemon\n.if defined(X)\n.endif\n", 3)])
def test_what_can_not_be_known_is_refused(text: str, line: int) -> None:
    with pytest.raises(Malformed) as caught:
        parsed(text)
    assert caught.value.place.line == line
