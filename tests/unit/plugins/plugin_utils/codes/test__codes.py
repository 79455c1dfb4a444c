# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each code stands once, and whoever says one says one of these."""

from __future__ import annotations

import ast
import re
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.proof import _finding, _host_status
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.codes import _codes
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.codes._codes import ACCEPTABLE, CODES, SECTIONS, WARNINGS

PLUGINS = Path(_codes.__file__).resolve().parents[2]
# Who says a code says it by one of these.
SAYS = ("finding_of", "problem_of", "problem", "warn", "_Group")


def sources() -> t.Iterator[ast.Module]:
    for path in PLUGINS.rglob("*.py"):
        if path.name not in ("_codes.py", "_finding.py"):
            yield ast.parse(path.read_text(encoding="utf-8"))


def texts(node: ast.AST) -> set[str]:
    return {item.value for item in ast.walk(node) if isinstance(item, ast.Constant) and isinstance(item.value, str)}


def said() -> set[str]:
    """Codes that are given to whoever says them, as they are."""
    found: set[str] = set()
    for source in sources():
        for node in ast.walk(source):
            if isinstance(node, ast.Call) and node.args:
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                first = node.args[0]
                if name in SAYS and isinstance(first, ast.Constant):
                    found.add(str(first.value))
    return found


def written() -> list[str]:
    """The codes of the table as somebody wrote them: of a key that is there twice Python keeps one."""
    source = Path(_codes.__file__).read_text(encoding="utf-8")
    return re.findall(r'^        "(\w+)": Code\(', source, re.M)


def test_each_code_stands_once() -> None:
    assert sorted(written()) == sorted(CODES)


def test_what_is_said_is_in_the_table() -> None:
    assert len(said()) > 150
    assert said() - set(CODES) == set()


def test_all_of_the_table_is_said_somewhere() -> None:
    """Some by a name, or by whom a function asks. A code of one word would be found in any text."""
    everywhere = {text for text in set().union(*map(texts, sources())) if "_" in text}
    assert set(CODES) - said() - everywhere == set()


def test_who_speaks_makes_no_finding_and_no_problem_of_its_own() -> None:
    """A second way to make one would be a second place for words."""
    makers = {path.name for path in PLUGINS.rglob("*.py") for node in ast.walk(ast.parse(path.read_text("utf-8")))
              if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Finding", "Problem")}
    assert makers == {"_codes.py", "_host_status.py", "_errors.py"}
    classes = [(path.name, node.name) for path in PLUGINS.rglob("*.py")
               for node in ast.walk(ast.parse(path.read_text("utf-8")))
               if isinstance(node, ast.ClassDef) and node.name in ("Finding", "Problem")]
    assert sorted(classes) == [("_errors.py", "Problem"), ("_finding.py", "Finding")]


def test_lists_of_codes_have_no_others() -> None:
    assert set(_finding.OWN) <= ACCEPTABLE and set(_host_status.OWN_FAULTS) <= set(_finding.OWN)


@pytest.mark.parametrize("code", CODES)
def test_an_entry_says_all_that_there_is_to_say(code: str) -> None:
    entry = CODES[code]
    assert entry.severity in _finding.SEVERITIES
    assert entry.by and set(entry.by) <= {"plan", "preflight", "status"}
    assert entry.why and (entry.fix or code in SECTIONS[WARNINGS])
    assert "{}" not in entry.why + entry.fix


@pytest.mark.parametrize("code", _finding.OWN)
def test_how_bad_what_a_host_finds_is_stands_with_the_host(code: str) -> None:
    entry, = (section[code] for section in SECTIONS.values() if code in section)
    assert entry.severity == _codes.OWN and CODES[code].severity == _finding.OWN[code]


def test_words_are_filled_in_and_no_word_fills_in_another() -> None:
    found = _codes.finding_of("port_taken", "seen", "cp1", "api", program="{host} {nothing}")
    assert _codes.told(found) == {
        "code": "port_taken", "severity": "error", "host": "cp1", "endpoint": "api", "seen": "seen",
        "why": CODES["port_taken"].why, "fix": "stop {host} {nothing} there, or set endpoint_port to a free port"}
