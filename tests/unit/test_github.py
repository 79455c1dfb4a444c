# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GitHub's workflows run all that ./dev test runs, and may do nothing but read. actionlint knows the rest."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")


def load(path: Path) -> t.Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def stages() -> list[str]:
    """What ./dev test runs."""
    script = (ROOT / "tests" / "dev.d" / "test").read_text(encoding="utf-8")
    lanes = re.findall(r"^(?:COMPUTE|EITHER|LABS|QUIET)=\(\n(.*?)^\)", script, re.M | re.S)
    assert len(lanes) == 4
    return re.findall(r'^ *"([^"]+)"$', "".join(lanes), re.M)


def test_every_stage_has_a_job() -> None:
    matrix = load(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]["stage"]["strategy"]["matrix"]["stage"]
    assert sorted(matrix) == sorted(stages()) and len(matrix) > 10


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_may_read_and_have_no_secrets(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert "secrets." not in path.read_text(encoding="utf-8") and "pull_request_target" not in workflow[True]
    for name, job in workflow["jobs"].items():
        assert "permissions" not in job and job["timeout-minutes"] <= 60, name
        for step in job["steps"]:
            assert re.fullmatch(r"actions/[a-z-]+@v[0-9]+", step.get("uses", "actions/none@v1")), step
            # Such a text would be part of the script.
            assert "${{" not in step.get("run", ""), step
            # A checkout would leave its token in .git.
            checkout = step.get("uses", "").startswith("actions/checkout@")
            assert checkout == (step.get("with", {}).get("persist-credentials") is False), step


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_issues_ask_for_what_status_says(path: Path) -> None:
    fields = {item["id"]: item for item in load(path)["body"] if "id" in item}
    assert "kubeha.apiserver.status" in fields["status"]["attributes"]["label"]
    assert any(item.get("validations", {}).get("required") for item in fields.values())


def test_there_are_workflows_and_forms() -> None:
    assert [path.stem for path in WORKFLOWS] == ["ci"]
    assert [path.stem for path in FORMS] == ["bug", "feature"]
