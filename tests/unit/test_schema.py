# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/variables.schema.json accepts what the plan accepts, and marks what has the wrong kind or range."""

from __future__ import annotations

import json
import re
import sys
import typing as t
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
import yaml
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.intent._errors import Problems, Where

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "dev.d"))
import _schema  # noqa: E402

SCHEMA = json.loads((ROOT / "docs" / "variables.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
READERS = _schema.readers()
# Anything that somebody may write, for any variable.
VALUES: list[t.Any] = [
    True, False, -1, 0, 1, 2, 20, 254, 255, 256, 3600, 3601, 50000, 65536, 1000001, 0.5, 2.6, "", "1", "0.2", "yes",
    "OFF", "y", "maybe", "x y", "a,b", "none", "unicast", "service", "static_pod", "https", "source", "Always",
    "balanced", "safe", "198.51.100.100", "198.51.100.100/24", "2001:db8::100", "198.51.100.100,2001:db8::100",
    " 198.51.100.100 ", "127.0.0.1", "host", "198.51.100.25:514", "permissive",
    "10.96.0.0/12", "kube_lb", "lb-1.example.org", "-x", "eth0", "bond0.100", "a" * 70, "/readyz?verbose", "/etc/x/",
    "../x", "haproxy:3.0.11", "registry.example.org:5000/a/b:1@sha256:" + "0" * 64, "registry.example.org:5000/mirror",
    "2.6.12", "latest", "vrid_taken", [], ["a"], [1], ["198.51.100.100", "2001:db8::100"], ["10.96.0.0/12"], [True], {},
    {"ipv4": 9}, {"ipv4": 0}, {"ipv5": 1}, {"profile": "safe", "advert_interval": 0.2}, {"profile": "quick"},
    {"advert_interval": 41}, {"fall": 2.5}, {"registry.example.org": {"username": "a", "password": "b"}},
    {"registry.example.org": {"username": "a"}}, {"registry.example.org": "a"},
]  # fmt: skip


def accepted(values: dict[str, t.Any]) -> bool:
    return bool(VALIDATOR.is_valid(values))


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_every_variable_is_there_with_its_meaning_and_default() -> None:
    wanted = {}
    for path in sorted((ROOT / "roles").glob("*/meta/argument_specs.yml")):
        wanted.update(yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"])
    assert set(READERS) < set(wanted) == set(SCHEMA["properties"])
    for name, spec in wanted.items():
        assert SCHEMA["properties"][name]["description"], name
        assert SCHEMA["properties"][name].get("default") == spec.get("default"), name
        assert accepted({name: spec.get("default")}), name
        assert accepted({name: "{{ from_elsewhere }}"}), name


@pytest.mark.parametrize("name", READERS)
def test_what_the_plan_reads_is_accepted(name: str) -> None:
    read = [value for value in VALUES if READERS[name](Where(Problems(), name), value) is not None]
    assert [value for value in read if not accepted({name: value})] == []
    assert read or name in ("keepalived_version", "haproxy_version")


@pytest.mark.parametrize("name", READERS)
def test_a_wrong_kind_or_range_is_marked(name: str) -> None:
    """Of texts an editor knows less than the plan."""
    refused = [value for value in VALUES if READERS[name](Where(Problems(), name), value) is None]
    others = [value for value in refused if not isinstance(value, str) and "timing" not in name]
    assert [value for value in others if accepted({name: value})] == []
    assert others or name == "endpoint_timing"


@pytest.mark.parametrize("values", [
    {"endpoint_port": 70000}, {"endpoint_port": "http"}, {"endpoint_mode": "static-pod"},
    {"endpoint_failback": "maybe"}, {"endpoint_timing": {"advert_interval": 41}}, {"endpoint_timing": "fast"},
    {"endpoint_vip": 3325256804},
    {"endpoint_vip": "vip.example.org"}, {"haproxy_package_state": "newest"}, {"endpoint_verify_timeout": -1},
    {"endpoint_virtual_router_id": {"ipv4": 256}}, {"endpoint_list": []}, {"endpoint_list": [{"vipp": "198.51.100.1"}]},
    {"endpoint_list": [{"port": 0}]}, {"endpoint_list": [{"hosts": {"cp1": {"priority": 255}}}]},
])  # fmt: skip
def test_a_typing_error_is_marked(values: dict[str, t.Any]) -> None:
    assert not accepted(values)


@pytest.mark.parametrize("values", [
    {"endpoint_list": [{"vip": "198.51.100.100", "port": "{{ port }}", "hosts": {"cp1": {"priority": 150}}}]},
    {"endpoint_list": "{{ endpoints }}"}, {"endpoint_list": ["{{ first }}"]},
    {"endpoint_lb_hosts": "{% if a %}b{% endif %}"},
    {"endpoint_vip": None, "another_variable": 7}, {"endpoint_vip": ["{{ first }}", "2001:db8::1"]},
    {"endpoint_timing": {"advert_interval": "{{ x }}", "profile": None}},
])  # fmt: skip
def test_templates_and_nothing_are_accepted(values: dict[str, t.Any]) -> None:
    assert accepted(values)


def ours(value: t.Any) -> Iterator[dict[str, t.Any]]:
    """Each mapping of variables in a document, however deep."""
    if isinstance(value, dict):
        if set(value) & set(SCHEMA["properties"]):
            yield value
        for item in value.values():
            yield from ours(item)
    elif isinstance(value, list):
        for item in value:
            yield from ours(item)


def examples() -> Iterator[tuple[str, dict[str, t.Any]]]:
    """In guides, in Molecule's scenarios, and in tests' inventories."""
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for block in re.findall(r"^```yaml\n(.*?)^```", path.read_text(encoding="utf-8"), re.M | re.S):
            for found in ours(list(yaml.safe_load_all(block.replace("sha256:...", "sha256:" + "0" * 64)))):
                yield path.name, found
    for folder, pattern in (("molecule", "*/topology.yml"), ("tests", "e2e/topology.yml"),
                            ("tests/integration/targets", "**/inventory*.yml"),
                            ("tests/integration/targets", "**/group_vars/*.yml")):
        for path in sorted((ROOT / folder).glob(pattern)):
            # <lan:ipv4:100> is an address of a lab's network.
            text = re.sub(r"<\w+:ipv(4|6):(\d+)(:prefix)?>", lambda found: (
                "198.51.100." if found[1] == "4" else "2001:db8::") + found[2], path.read_text(encoding="utf-8"))
            for found in ours(yaml.safe_load(text)):
                yield path.relative_to(ROOT).as_posix(), found


def test_what_we_show_and_try_conforms() -> None:
    found = list(examples())
    assert {"README.md", "playbooks.md", "molecule/fleet/topology.yml"} <= {name for name, values in found}
    assert [(name, error.message) for name, values in found for error in VALIDATOR.iter_errors(values)] == []
