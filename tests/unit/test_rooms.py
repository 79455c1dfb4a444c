# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""module_utils is what hosts run, plugin_utils is the controller's; and each file has its room."""

from __future__ import annotations

import importlib.util
import re
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
TESTS = ROOT / "tests" / "unit" / "plugins"


def load() -> t.Any:
    spec = importlib.util.spec_from_file_location("_rooms", ROOT / "tests" / "dev.d" / "_rooms.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ROOMS = load()
SHIPPED = ROOMS.shipped()
FILES = sorted({path for files in ROOMS.rooms().values() for path in files})


def name(path: Path) -> str:
    return path.relative_to(PLUGINS).as_posix()


@pytest.mark.parametrize("module", SHIPPED)
def test_modules_ship_what_is_for_hosts_alone(module: str) -> None:
    assert [name(path) for path in SHIPPED[module] if not name(path).startswith("module_utils/")] == []


@pytest.mark.parametrize("path", [path for path in FILES if name(path).startswith("module_utils/")], ids=name)
def test_what_is_for_hosts_knows_nothing_of_the_controller(path: Path) -> None:
    assert [name(other) for other in ROOMS.reached(path) if not name(other).startswith("module_utils/")] == []


def test_what_no_module_ships_is_the_controllers() -> None:
    shipped = set().union(*SHIPPED.values())
    assert [name(path) for path in FILES if name(path).startswith("module_utils/") and path not in shipped] == []


def test_every_file_has_a_room() -> None:
    assert len(ROOMS.rooms()) > 5
    assert [name(path) for path in FILES if name(path).count("/") != 2] == []


def test_imports_are_found_in_each_of_their_forms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A form that nobody sees would be a hole in the border."""
    for at in ("a/_x.py", "a/_y.py", "b/_z.py", "b/_w.py"):
        (tmp_path / at).parent.mkdir(exist_ok=True)
        (tmp_path / at).write_text("")
    monkeypatch.setattr(ROOMS, "PLUGINS", tmp_path)
    (tmp_path / "a/_x.py").write_text(
        "from . import _y\nfrom ..b._z import v\nif 1:\n    from %s.b import _w\n" % ROOMS.PACKAGE)
    assert {path.name for path in ROOMS.reached(tmp_path / "a/_x.py")} == {"_y.py", "_z.py", "_w.py"}


def listed() -> dict[str, tuple[int, set[str]]]:
    """{module: (lines, files)} as the table has it."""
    text = ROOMS.TABLE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| \d+ \| (\d+) \|$", text, re.M)
    found: dict[str, tuple[int, set[str]]] = {module: (int(count), set()) for module, count in rows}
    for path, modules in re.findall(r"^\| `([^`]+\.py)` \| \d+ \| (.*) \|$", text, re.M):
        for module in re.findall(r"`(\w+)`", modules):
            found[module][1].add("module_utils/" + path)
    return found


def test_what_each_module_ships_is_listed() -> None:
    wanted = {module: {name(path) for path in files} for module, files in SHIPPED.items() if files}
    assert {module: files for module, (_lines, files) in listed().items()} == wanted, "look why, then ./dev generate"


@pytest.mark.parametrize("module", [module for module, files in SHIPPED.items() if files])
def test_no_module_has_grown_unnoticed(module: str) -> None:
    assert sum(map(ROOMS.lines, SHIPPED[module])) <= listed()[module][0] * 1.1, (
        "is that needed on hosts? ./dev generate"
    )


def test_tests_mirror_the_tree() -> None:
    """A test of what hosts run, and only such a test, also runs on hosts' oldest Python: it lies in the same room."""
    stems = {path.relative_to(PLUGINS).with_name("test_" + path.name).as_posix() for path in FILES}
    found = [path.relative_to(TESTS).as_posix() for side in ("module_utils", "plugin_utils")
             for path in (TESTS / side).rglob("test_*.py")]
    assert len(found) > 50
    assert [path for path in found if path.rpartition("/")[0] not in ROOMS.rooms()] == []
    # Some look at a file from another side: `test__plan_guarantees.py` is another test of `_plan.py`.
    strange = [path for path in found if path not in stems and not any(
        path.startswith(stem[: -len(".py")] + "_") for stem in stems)]
    assert strange in ([], ["plugin_utils/intent/test__problems.py"])


@pytest.mark.parametrize("room", ROOMS.rooms())
def test_the_drawing_has_each_room(room: str) -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawing, rows = text.partition("| room |")[::2]
    assert re.search(r"\b%s\b" % room.rpartition("/")[2], drawing)
    assert "| `%s` |" % room in rows
