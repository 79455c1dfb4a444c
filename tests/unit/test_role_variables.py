# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One truth about variables: argument specs, defaults, READMEs, tasks, and what the plan takes."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
import typing as t
from pathlib import Path

import jinja2
import pytest
import yaml
from ansible_collections.kubeha.apiserver.plugins.module_utils.model._shapes import WORD
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.intent._intent import OTHER_VARIABLES
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.intent._spec import _GLOBAL_FIELDS
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan._plan import INTENT_KEYS, compute_plan

ROOT = Path(__file__).resolve().parents[2]
ROLES = ["endpoint", "haproxy", "keepalived"]
# Read host by host, so they are no part of the intent.
OF_HOSTS = {"endpoint_interface", "endpoint_address", "endpoint_priority"}
# Steer the roles' tasks, and no file of a host.
OF_TASKS = {
    "endpoint_verify_timeout",
    "haproxy_package",
    "haproxy_package_state",
    "keepalived_package",
    "keepalived_package_state",
}
INTENT = {"vip": "198.51.100.100", "lb_hosts": ["cp1", "cp2", "cp3"], "apiserver_hosts": ["cp1", "cp2", "cp3"]}
HOSTS = {"cp%d" % number: {"address": "198.51.100.1%d/24" % number, "interface": "eth0"} for number in (1, 2, 3)}


def load(path: Path) -> t.Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def options(role: str) -> dict[str, dict[str, t.Any]]:
    return load(ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]


def defaults(role: str) -> dict[str, t.Any]:
    return load(ROOT / "roles" / role / "defaults" / "main.yml")


def all_options() -> dict[str, dict[str, t.Any]]:
    return {name: spec for role in ROLES for name, spec in options(role).items()}


def variable(key: str) -> str:
    return key if key.startswith(("haproxy_", "keepalived_")) else "endpoint_" + key


def key(name: str) -> str:
    return name[len("endpoint_") :] if name.startswith("endpoint_") else name


@pytest.mark.parametrize("role", ROLES)
def test_variables_begin_with_their_roles_name(role: str) -> None:
    assert [name for name in options(role) if not name.startswith(role + "_")] == []


def test_the_plan_takes_what_is_documented_and_nothing_else() -> None:
    assert {variable(name) for name in INTENT_KEYS} == set(all_options()) - OF_HOSTS - OF_TASKS


def test_no_variable_of_ours_is_taken_for_a_misspelt_one() -> None:
    known = {variable(name) for name in INTENT_KEYS} | OTHER_VARIABLES
    assert set(all_options()) <= known
    plays = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "playbooks").glob("*.yml"))
    assert set(re.findall(r"\bendpoint_\w+(?= \||\b is defined| }})", plays)) <= known


def test_every_other_variable_is_read_by_a_task() -> None:
    tasks = "\n".join(
        path.read_text(encoding="utf-8") for role in ROLES for path in (ROOT / "roles" / role).glob("[tv]a*/*.yml")
    )
    assert {name for name in OF_TASKS if not re.search(r"\b%s\b" % name, tasks)} == set()


def test_the_plan_judges_its_input_itself() -> None:
    typed = [
        name
        for name, spec in all_options().items()
        if spec["type"] != "raw" or spec.get("required") or "choices" in spec
    ]
    assert typed == []


def test_what_the_plan_takes_says_its_type() -> None:
    untyped = [
        name
        for name, spec in all_options().items()
        if spec["type"] == "raw" and not spec["description"][0].startswith("Type: ")
    ]
    assert untyped == []


@pytest.mark.parametrize("name", sorted(name for role in ROLES for name in defaults(role) if name not in OF_TASKS))
def test_a_default_written_down_plans_the_same_as_none(name: str) -> None:
    """The plan has defaults of its own: playbooks without roles use them."""
    written = compute_plan({**INTENT, key(name): all_options()[name]["default"]}, HOSTS, {})
    assert written == compute_plan(INTENT, HOSTS, {})


def test_all_defaults_together_plan_the_same_as_none() -> None:
    given = {key(name): value for role in ROLES for name, value in defaults(role).items() if name not in OF_TASKS}
    assert compute_plan({**INTENT, **given}, HOSTS, {}) == compute_plan(INTENT, HOSTS, {})


def test_all_defaults_together_leave_a_list_of_endpoints_alone() -> None:
    given = {key(name): value for role in ROLES for name, value in defaults(role).items() if name not in OF_TASKS}
    intent = {**INTENT, "list": [{"name": "one", "vip": "198.51.100.101"}, {"name": "two", "vip": "198.51.100.102"}]}
    del intent["vip"]
    assert compute_plan({**intent, **given}, HOSTS, {}) == compute_plan(intent, HOSTS, {})


def test_generated_files_are_current() -> None:
    files = load_script("_generate").current_files()
    stale = [path.name for path, text in files.items() if path.read_text(encoding="utf-8") != text]
    assert stale == [], "run ./dev generate"


def test_what_the_plan_has_as_it_is_said_has_a_type() -> None:
    """A row in _spec.py and a key in _model.py, as CONTRIBUTING.md says."""
    model = (ROOT / "plugins" / "module_utils" / "model" / "_model.py").read_text("utf-8")
    (node,) = [node for node in ast.parse(model).body if getattr(node, "name", "") == "HAProxySettings"]
    keys = [ast.unparse(item.target) for item in ast.walk(node) if isinstance(item, ast.AnnAssign)]
    as_it_is = [key[len("haproxy_"):] for key, row in _GLOBAL_FIELDS.items() if row.as_it_is]
    # The log is made of two variables.
    assert as_it_is and keys == [*as_it_is, "log"]


def test_each_key_of_the_plan_is_explained() -> None:
    rows = [row for row in (ROOT / "docs" / "plan.md").read_text("utf-8").splitlines() if row.startswith("| `")]
    assert [row for row in rows if row.endswith("|  |")] == [] and len(rows) > 80


def matches(value: t.Any, words: str, tables: dict[str, dict[str, str]]) -> bool:
    """Whether a value is of a type as the tables word it, with all of its keys and no others."""
    if value is None or words.endswith(" or null"):
        return words.endswith(" or null") and (value is None or matches(value, words[: -len(" or null")], tables))
    if words.startswith("list of "):
        return isinstance(value, list) and all(matches(item, words[8:], tables) for item in value)
    if words.startswith("mapping of text to "):
        return isinstance(value, dict) and all(matches(item, words[19:], tables) for item in value.values())
    if words.startswith("["):
        known = tables[words[1:].partition("]")[0]]
        needed = {name for name, kind in known.items() if not kind.endswith("may be missing")}
        return needed <= set(value) <= set(known) and all(
            matches(item, known[name].partition(";")[0], tables) for name, item in value.items())
    kinds: dict[str, t.Any] = {"text": str, "integer": int, "boolean": bool, "number": (int, float)}
    return isinstance(value, kinds[words]) and (words == "boolean" or not isinstance(value, bool))


@pytest.mark.parametrize("more", [
    {}, {"mode": "static_pod", "keepalived_image": "keepalived:2.3.3"}, {"health_check": "tcp", "failback": False},
    {"vip": ["198.51.100.100", "198.51.100.101"]}])
def test_plans_are_what_their_types_say(more: dict[str, t.Any]) -> None:
    tables: dict[str, dict[str, str]] = {}
    for part in (ROOT / "docs" / "plan.md").read_text("utf-8").split("\n## ")[1:]:
        rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", re.sub(r"\(#\w+\)", "", part), re.M))
        base = re.search(r"^\| as \[(\w+)\]", part, re.M)
        tables[part.partition("\n")[0]] = rows if base is None else {"": base[1], **rows}
    for rows in tables.values():
        rows.update(tables.get(rows.pop("", ""), {}))
    assert matches(compute_plan({**INTENT, **more}, HOSTS, {}), "[Plan]", tables)


@pytest.mark.parametrize("role", ROLES)
def test_documents_name_every_variable(role: str) -> None:
    for path in (ROOT / "docs" / "variables.md", ROOT / "roles" / role / "README.md"):
        text = path.read_text(encoding="utf-8")
        assert [name for name in options(role) if "| `%s` |" % name not in text] == [], path


def test_tables_render_markup() -> None:
    rows = list(
        load_script("_generate").table(
            {
                "a": {"description": ["Type: string. V(x|y) or O(b.c#role:main:d=1), see P(kubeha.apiserver.e#role)."]},
                "b": {"description": ["Type: integer. Some.", "The default is C(7) or so."]},
                "c": {"description": "Other.", "default": ["x"]},
            }
        )
    )
    assert rows[2:] == [
        "| `a` | *string.* `x\\|y` or `d: 1`, see `e`. | none |",
        "| `b` | *integer.* Some. | `7` or so |",
        '| `c` | Other. | `["x"]` |',
    ]


def load_script(name: str) -> t.Any:
    scripts = ROOT / "tests" / "dev.d"
    if str(scripts) not in sys.path:
        sys.path.append(str(scripts))
    spec = importlib.util.spec_from_file_location(name, scripts / (name + ".py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("result, said", [
    ({"msg": "no space"}, "Stop: no space"),
    ({}, "Stop: it failed"),
    ({"msg": "E: no", "stderr": "more\n"}, "Stop: E: no: more"),
    ({"msg": "One or more items failed", "results": [{"failed": False, "msg": "well"}, {"failed": True, "msg": "a"},
                                                     {"failed": True, "msg": "a"}, {"failed": True, "msg": "b"}]},
     "Stop: a; b"),
    ({"msg": "One or more items failed", "results": [{"failed": True}, {"skipped": True}]}, "Stop: it failed"),
    ({"msg": "by its own words", "results": []}, "Stop: by its own words"),
])
def test_what_failed_is_said_in_words_of_its_own(result: dict[str, t.Any], said: str) -> None:
    assert failed_text(result) == said


def test_a_log_in_what_failed_leaves_place_for_whether_the_host_is_well() -> None:
    text = failed_text({"msg": "it doesn't run: %s the end" % ("line of a log\n" * 100)})
    assert text.startswith("Stop: it doesn't run: line of a log") and text.endswith(" the end") and " ... " in text
    # Each of the two in an outcome, what failed and what was wrong after.
    assert len("%s. Put back, but not well: %s" % (text, text)) < WORD


def failed_text(result: dict[str, t.Any]) -> str:
    written, environment = load(ROOT / "roles/endpoint/vars/main.yml"), jinja2.Environment(
        undefined=jinja2.StrictUndefined)
    words = environment.from_string(written["__endpoint_failed_words"]).render(
        ansible_failed_task={"name": "Stop"}, ansible_failed_result=result)
    return environment.from_string(written["__endpoint_failed_text"]).render(__endpoint_failed_words=words)


@pytest.mark.parametrize("info, below", [
    ({}, False),
    ({"drain": {"moving": False}, "gives_way": None}, False),
    ({"drain": {"moving": True}, "gives_way": None}, True),
    ({"drain": {"moving": True}, "gives_way": "198.51.100.12"}, False),
])
def test_a_host_that_gives_way_is_no_killed_runs(info: dict[str, t.Any], below: bool) -> None:
    text = load(ROOT / "roles/endpoint/vars/main.yml")["__endpoint_below_rank"]
    assert jinja2.Environment().from_string(text).render(__endpoint_info=info).strip() == str(below)
