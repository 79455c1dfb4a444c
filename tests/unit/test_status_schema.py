# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/status.schema.json describes what `status` writes. tests/preflight/test_status.py does that for real hosts."""

from __future__ import annotations

import copy
import json
import typing as t
from pathlib import Path

import jsonschema
import pytest
from ansible_collections.kubeha.apiserver.plugins.action import endpoint_verify
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.judge import _status
from ansible_collections.kubeha.apiserver.tests.unit.plugins.plugin_utils.judge import test__status as seen

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "docs/status.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def change_nothing(dummy_seen: dict[str, t.Any]) -> None:
    pass


STATES: dict[str, t.Callable[[], t.Any]] = {
    "well": lambda: seen.spoil(change_nothing),
    "dual": lambda: seen.judge(seen.make_plan(True), seen.observe_all(seen.make_plan(True))),
    "nobody holds": lambda: seen.spoil(lambda found: found["cp1"].update(holds=[])),
    "one is gone": lambda: seen.spoil(
        lambda found: found.pop("cp3"), scope=_status.Scope(unreachable={"cp3": "no route"})),
    "all are gone": lambda: _status.nothing_seen(["cp1", "cp2"], {"cp3": "it's no JSON"}),
}


def written(verdict: t.Any, path: Path) -> t.Any:
    endpoint_verify.write_status(path, verdict)
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("state", STATES)
def test_what_is_written_is_what_is_described(state: str, tmp_path: Path) -> None:
    found = written(STATES[state](), tmp_path / "status.json")
    VALIDATOR.validate(found)
    # And all of it: a key that nobody has described is one that nobody can rely on.
    strict = copy.deepcopy(SCHEMA)
    for part in (strict, *strict["$defs"].values()):
        part["additionalProperties"] = False
    jsonschema.Draft202012Validator(strict).validate(found)


def test_what_is_missing_or_of_another_kind_is_not(tmp_path: Path) -> None:
    found = written(STATES["well"](), tmp_path / "status.json")
    for key in SCHEMA["required"]:
        assert not VALIDATOR.is_valid({name: value for name, value in found.items() if name != key})
    for key, value in (("level", "fine"), ("schema", 2), ("ok", "yes"), ("rows", [{}])):
        assert not VALIDATOR.is_valid({**found, key: value})


def test_it_is_a_schema_whose_keys_all_have_a_meaning() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for part in (SCHEMA, *SCHEMA["$defs"].values()):
        assert all(key["description"] for key in part["properties"].values())
