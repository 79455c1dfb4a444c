# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The README stays short, what documents link to exists, and platforms are claimed once."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SKIPPED = {".ansible", ".git", ".nox", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache", "output"}
DOCUMENTS = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted(ROOT.rglob("*.md"))
    if not SKIPPED & set(path.relative_to(ROOT).parts)
}
# What meta/main.yml calls them, as the README does.
RELEASES = {
    "Debian": {"bullseye": "11", "bookworm": "12", "trixie": "13", "sid": "sid"},
    "Ubuntu": {"jammy": "22.04", "noble": "24.04"},
    "EL": {"8": "8", "9": "9", "10": "10"},
}


def prose(text: str) -> str:
    """Without code."""
    return re.sub(r"^```.*?^```|`[^`\n]*`|^    .*?$", "", text, flags=re.M | re.S)


def anchors(text: str) -> set[str]:
    """As GitHub makes them from headings."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(text: str) -> list[str]:
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", prose(text)) if "://" not in link]


def test_documents_are_found_and_have_links() -> None:
    assert {"README.md", "docs/variables.md", "CONTRIBUTING.md"} <= set(DOCUMENTS)
    assert len(links(DOCUMENTS["README.md"])) > 10


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_is_linked_to_exists(name: str) -> None:
    dead = []
    for link in links(DOCUMENTS[name]):
        file, _hash, anchor = link.partition("#")
        path = (ROOT / name).parent / file if file else ROOT / name
        if not path.exists() or (anchor and anchor not in anchors(path.read_text(encoding="utf-8"))):
            dead.append(link)
    assert dead == []


def test_the_readme_is_short_and_leads_to_every_guide() -> None:
    readme = DOCUMENTS["README.md"]
    assert len(readme.splitlines()) <= 150
    guides = [name for name in DOCUMENTS if re.match(r"docs/[^/]+\.md$", name)]
    assert [name for name in guides if "](%s)" % name not in readme] == []
    site = DOCUMENTS["docs/docsite/index.md"].splitlines()
    assert [name for name in guides if name[: -len(".md")] not in site] == []


def platforms(role: str) -> dict[str, list[str]]:
    meta: t.Any = yaml.safe_load((ROOT / "roles" / role / "meta" / "main.yml").read_text(encoding="utf-8"))
    return {
        entry["name"]: [RELEASES[entry["name"]][version] for version in entry["versions"]]
        for entry in meta["galaxy_info"]["platforms"]
    }


@pytest.mark.parametrize("role", ["endpoint", "haproxy", "keepalived"])
def test_roles_claim_the_platforms_of_the_readme(role: str) -> None:
    row = next(re.finditer(r"^\| platforms \| (.*) \|$", DOCUMENTS["README.md"], re.M))[1]
    names = {"Debian": "Debian", "Ubuntu": "Ubuntu", "RHEL family": "EL"}
    claimed = {}
    for part in row.split("; "):
        name = next(name for name in names if part.startswith(name + " "))
        claimed[names[name]] = re.split(r", | and ", part[len(name) + 1 :])
    assert claimed == platforms(role)


def shape(text: str) -> dict[str, list[t.Any]]:
    """What a translation leaves as it is."""
    return {
        "headings": [
            len(marks) for marks in re.findall(r"^(#+) ", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)
        ],
        "blocks": re.findall(r"^```[\s\S]*?^```|(?:^    .*\n)+", text, re.M),
        "cells": [
            [sorted(re.findall(r"`[^`]+`", cell)) for cell in row.strip("|").split("|")]
            for row in re.findall(r"^\|.*\|$", text, re.M)
        ],
        "links": [link for link in links(text) if not link.startswith("README")],
    }


def test_the_chinese_readme_has_the_same_commands_tables_and_links() -> None:
    english, chinese = shape(DOCUMENTS["README.md"]), shape(DOCUMENTS["README.zh-CN.md"])
    assert all(english.values())
    assert chinese == english


def test_each_readme_leads_to_the_other() -> None:
    assert "](README.zh-CN.md)" in DOCUMENTS["README.md"]
    assert "](README.md)" in DOCUMENTS["README.zh-CN.md"]


def test_what_an_inclusion_demands_is_there() -> None:
    """What each row of CONTRIBUTING names exists; and the demands that no other test looks at."""
    table = DOCUMENTS["CONTRIBUTING.md"].partition("| demand | where | test |")[2].partition("\n\n")[0]
    rows = [[re.findall(r"`([^`]+)`", cell) for cell in row.split("|")[2:4]] for row in table.splitlines()[2:]]
    assert len(rows) > 10 and all(paths and tests for paths, tests in rows)
    for named in (name for row in rows for cell in row for name in cell):
        path, _colons, function = named.replace("./dev ", "tests/dev.d/").partition("::")
        assert (ROOT / path).exists(), named
        assert not function or "def %s(" % function in (ROOT / path).read_text(encoding="utf-8"), named
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
    assert re.fullmatch(r"[1-9]\d*\.\d+\.\d+", galaxy["version"])
    assert galaxy["license"] == ["GPL-3.0-or-later"] and galaxy["dependencies"] == {}
    assert yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))["requires_ansible"]
    execution = yaml.safe_load((ROOT / "meta" / "execution-environment.yml").read_text(encoding="utf-8"))
    assert (ROOT / execution["dependencies"]["python"]).is_file()
    assert "docs.ansible.com" in DOCUMENTS["CODE_OF_CONDUCT.md"]
    headings = set(re.findall(r"^## (.*)$", DOCUMENTS["README.md"], re.M))
    assert {"Requirements", "Use it", "Playbooks", "Variables", "What is tested", "Help"} <= headings
    assert "forum.ansible.com" in DOCUMENTS["README.md"]


def test_nothing_is_binary() -> None:
    files = [path for path in ROOT.rglob("*") if path.is_file() and not SKIPPED & set(path.relative_to(ROOT).parts)]
    assert [path for path in files if path.suffix != ".pyc" and b"\0" in path.read_bytes()] == []


SCENARIOS = sorted(path.parent for path in (ROOT / "molecule").glob("*/molecule.yml"))


def test_plain_molecule_fails_without_hosts() -> None:
    """Molecule passes where it finds none."""
    assert SCENARIOS
    playbook = ROOT / "molecule" / "_lab" / "playbooks" / "no_hosts.yml"
    assert "ansible.builtin.fail" in yaml.safe_load(playbook.read_text(encoding="utf-8"))[0]["tasks"][0]
    for scenario in SCENARIOS:
        (play,) = yaml.safe_load((scenario / "converge.yml").read_text(encoding="utf-8"))
        assert (scenario / play["ansible.builtin.import_playbook"]).resolve() == playbook
