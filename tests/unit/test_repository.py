# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of this repository that no linter knows."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from jinja2.nativetypes import NativeEnvironment

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
IMPURE_IMPORTS = {"os", "pathlib", "random", "shutil", "socket", "subprocess", "tempfile", "time", "uuid"}
CONTROLLER_ONLY = {"jinja2", "netaddr", "yaml"}
# Put together here, so that this file doesn't say it twice for REUSE.
LICENCE = ": ".join(("SPDX-License-Identifier", "GPL-3.0-or-later"))
# Put together here, so that this file doesn't name what it forbids.
REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("debian", "org/debian"),
        ("archive", "ubuntu", "com"),
        ("galaxy", "ansible", "com"),
        ("proxy", "golang", "org"),
        ("registry", "npmjs", "org"),
    )
]


def tracked_files() -> list[Path]:
    """The repository's files; in a copy without .git, whatever isn't a cache."""
    if (ROOT / ".git").exists():
        command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        found = [ROOT / name for name in listing.split("\0") if name]
    else:
        found = []
        for folder, folders, names in os.walk(ROOT):
            folders[:] = [name for name in folders if name not in {"__pycache__", "output"} and ".cache" not in name]
            folders[:] = [name for name in folders if name not in {".ansible", ".hypothesis", ".pytest_cache"}]
            found += [Path(folder) / name for name in names]
    files = [path for path in found if path.is_file() and not path.is_symlink()]
    return sorted(path for path in files if path.suffix not in {".pyc", ".png"})


FILES = tracked_files()
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in FILES}


def below(folder: Path, pattern: str) -> list[Path]:
    """What nothing was found for would be tested by nothing, and pass."""
    found = sorted(folder.rglob(pattern))
    if not found:
        raise LookupError("%s: there is no %s" % (folder, pattern))
    return found


MODULES = below(PLUGINS / "modules", "*.py")
ACTIONS = below(PLUGINS / "action", "*.py")
UTILS = below(PLUGINS / "module_utils", "*.py")
CONTROLLERS = below(PLUGINS / "plugin_utils", "*.py")
# What action plugins share is made of Ansible.
DECIDING = [*UTILS, *(path for path in CONTROLLERS if path.parent.name != "task")]
# What reads, writes or talks says so by its name; _render reads templates.
PURE_UTILS = [path for path in DECIDING if not path.stem.endswith("_io") and path.stem != "_render"]
FILTERS = below(PLUGINS / "filter", "*.yml")


def identify(path: Path) -> str:
    return path.stem


def test_the_files_are_found() -> None:
    assert {"COPYING", "galaxy.yml", "dev", "plugins/modules/endpoint_plan.py"} <= set(TEXTS)


def test_every_source_names_its_licence() -> None:
    """Code and plugins do. Tasks, settings and what is deployed to hosts have COPYING."""
    missing = [
        name
        for name, text in TEXTS.items()
        if (name.endswith(".py") or name.startswith("plugins/") or (text.startswith("#!") and "/files/" not in name))
        and LICENCE not in "\n".join(text.split("\n")[:8])
    ]
    assert missing == []


def test_no_file_names_a_package_registry() -> None:
    found = [(name, host) for name, text in TEXTS.items() for host in REGISTRIES if host in text]
    assert found == []


def test_nothing_is_left_to_do() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX)\b|^(<<<<<<<|>>>>>>>) ", re.MULTILINE)
    assert [
        name for name, text in TEXTS.items() if marks.search(text) and name != "tests/unit/test_repository.py"
    ] == []


def test_text_files_are_tidy() -> None:
    untidy = [
        name
        for name, text in TEXTS.items()
        if text and ("\r" in text or not text.endswith("\n") or re.search(r"[ \t]\n", text)) and name != "COPYING"
    ]
    assert untidy == []


@pytest.mark.parametrize("path", MODULES, ids=identify)
def test_modules_are_documented(path: Path) -> None:
    documents = {
        target.id: node.value.value
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert {"DOCUMENTATION", "EXAMPLES", "RETURN"} <= set(documents)
    documentation = yaml.safe_load(documents["DOCUMENTATION"])
    assert documentation["module"] == path.stem
    assert "kubeha.apiserver._attributes" in documentation["extends_documentation_fragment"]
    # antsibull-changelog lists a plugin as new in the release that it names.
    assert documentation["version_added"].split(".") >= ["1", "0", "0"]
    assert yaml.safe_load(documents["EXAMPLES"]) and yaml.safe_load(documents["RETURN"])


@pytest.mark.parametrize("path", ACTIONS, ids=identify)
def test_actions_have_a_module_that_documents_them(path: Path) -> None:
    assert (PLUGINS / "modules" / path.name).is_file()


def test_every_filter_is_documented_and_every_document_is_of_a_filter() -> None:
    defined: set[str] = set()
    for path in below(PLUGINS / "filter", "*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name == "filters":
                defined |= {
                    item.value
                    for item in ast.walk(node)
                    if isinstance(item, ast.Constant) and isinstance(item.value, str)
                }
    assert defined == {path.stem for path in FILTERS}


@pytest.mark.parametrize("path", [*UTILS, *CONTROLLERS], ids=identify)
def test_utils_are_private(path: Path) -> None:
    assert path.stem.startswith("_")
    assert "PRIVATE to the collection" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", DECIDING, ids=identify)
def test_utils_know_no_ansible(path: Path) -> None:
    assert "ansible" not in imports(path)


@pytest.mark.parametrize("path", PURE_UTILS, ids=identify)
def test_what_decides_is_pure(path: Path) -> None:
    assert imports(path) & IMPURE_IMPORTS == set()


def test_utils_are_reached_by_unit_tests() -> None:
    """The parts of the plan are tested through the plan, so what a tested util imports counts, too."""
    rooms = rooms_script()
    reached: set[Path] = set()
    for test in below(ROOT / "tests" / "unit" / "plugins", "test_*.py"):
        for path in rooms.imported(test):
            reached |= {path, *rooms.reached(path)}
    assert {path.stem for path in DECIDING} - {path.stem for path in reached} == set()


def test_hosts_need_nothing_but_the_standard_library() -> None:
    foreign = {
        path.stem: imports(path) - set(sys.stdlib_module_names) - {"ansible", "ansible_collections"}
        for path in [*MODULES, *UTILS]
    }
    assert {name: found for name, found in foreign.items() if found} == {}


def test_the_controller_needs_only_what_is_declared() -> None:
    foreign = {
        path.stem: imports(path) - set(sys.stdlib_module_names) - CONTROLLER_ONLY - {"ansible", "ansible_collections"}
        for path in below(PLUGINS, "*.py")
    }
    assert {name: found for name, found in foreign.items() if found} == {}


@pytest.mark.parametrize("path", below(PLUGINS, "*.py"), ids=identify)
def test_plugins_have_the_syntax_of_python_3_9(path: Path) -> None:
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))


@pytest.mark.parametrize("name", sorted({path.stem for path in [*MODULES, *FILTERS]}))
def test_plugins_are_used_in_an_integration_target(name: str) -> None:
    targets = [text for path, text in TEXTS.items() if path.startswith("tests/integration/targets/")]
    assert any("kubeha.apiserver." + name in text for text in targets)


def test_commands_of_dev_say_what_they_do() -> None:
    commands = [path for path in (ROOT / "tests" / "dev.d").iterdir() if path.is_file() and path.name[0] not in "_."]
    assert len(commands) > 5
    assert [path.name for path in commands if "\n# dev: " not in path.read_text(encoding="utf-8")] == []


def test_the_readme_names_every_playbook() -> None:
    playbooks = [path.name for path in below(ROOT / "playbooks", "[a-z]*.yml")]
    assert [name for name in playbooks if "`%s`" % name[: -len(".yml")] not in TEXTS["README.md"]] == []


def test_the_list_of_plugins_names_every_plugin() -> None:
    names = {path.stem for path in [*MODULES, *FILTERS]}
    assert {name for name in names if "`%s`" % name not in TEXTS["docs/plugins.md"]} == set()


def imports(path: Path) -> set[str]:
    """Top-level packages that a file imports, guarded or not."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def rooms_script() -> t.Any:
    spec = importlib.util.spec_from_file_location("_rooms", ROOT / "tests" / "dev.d" / "_rooms.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PROMISES = [
    name
    for row in re.findall(r"^\| [^|]+ \|([^|]+)\|$", TEXTS["docs/promises.md"], re.M)
    for name in re.findall(r"`([^`]+)`", row)
]


def test_there_are_promises() -> None:
    assert len(PROMISES) > 100


@pytest.mark.parametrize("name", PROMISES)
def test_each_promise_has_its_test(name: str) -> None:
    """`PATH` for a program or scenario, `PATH::FUNCTION` for a function."""
    path, _colons, function = name.partition("::")
    assert (ROOT / path).exists(), path
    assert not function or re.search(rf"^\s*def {re.escape(function)}\(", TEXTS[path], re.M), name


def test_delegated_tasks_go_where_they_say() -> None:
    """Ansible evaluates a delegate's variables with another host's name; what corrects it is called by the action."""
    careful = {path.stem for path in ACTIONS if "reach_delegate(self" in path.read_text()}
    blocks = [
        block
        for name, text in TEXTS.items()
        if name.startswith(("roles/", "playbooks/")) and name.endswith(".yml")
        for block in re.split(r"^ *- (?=name:)", text, flags=re.M)
        if "delegate_to:" in block
    ]
    assert blocks
    actions = {name for block in blocks for name in re.findall(r"^ *kubeha\.apiserver\.(\w+):", block, re.M)}
    assert actions and actions <= careful
    assert not [block for block in blocks if "ansible.builtin" in block]


def tasks_of(path: str) -> t.Iterator[dict[str, t.Any]]:
    def walk(items: t.Any) -> t.Iterator[dict[str, t.Any]]:
        for task in items or ():
            yield task
            for part in ("block", "rescue", "always"):
                yield from walk(task.get(part))

    yield from walk(yaml.safe_load(TEXTS[path]))


FAMILIES = [name for name in TEXTS if re.match(r"roles/\w+/vars/[A-Z]\w+\.yml", name)]


def test_families_of_distributions_differ_in_values_and_not_in_keys() -> None:
    assert [Path(name).stem for name in FAMILIES] == ["Debian", "RedHat", "Suse"]
    assert len({tuple(yaml.safe_load(TEXTS[name])) for name in FAMILIES}) == 1
    loaded = yaml.safe_load(TEXTS["roles/endpoint/vars/main.yml"])["__endpoint_families"]
    assert sorted(loaded.values()) == [Path(name).name for name in FAMILIES]


def test_no_task_knows_a_family() -> None:
    tasks = {name: text for name, text in TEXTS.items() if re.match(r"roles/\w+/tasks/", name)}
    words = re.compile(r"\b(debian|redhat|suse|apt|dnf|zypper)\b", re.I)
    assert tasks and [name for name, text in tasks.items() if words.search(re.sub("(?m)^ *#.*", "", text))] == []


def test_package_managers_are_waited_for_and_not_for_good() -> None:
    """Another program may be installing: apt has an option, zypper's library a variable. dnf itself waits for good."""
    seconds = "{{ __endpoint_package_wait }}"
    assert 0 < yaml.safe_load(TEXTS["roles/endpoint/vars/main.yml"])["__endpoint_package_wait"] <= 600
    debian, redhat, suse = (yaml.safe_load(TEXTS[name]) for name in FAMILIES)
    assert "DPkg::Lock::Timeout=" + seconds in debian["__endpoint_package_program"]
    assert suse["__endpoint_package_environment"]["ZYPP_LOCK_TIMEOUT"] == seconds
    found = set()
    for task in (task for name in TEXTS if re.match(r"roles/\w+/tasks/", name) for task in tasks_of(name)):
        command = str((task.get("ansible.builtin.command") or {}).get("argv"))
        for name in re.findall(r"__endpoint_package_(\w+)", command):
            found.add(name)
            assert task["environment"] == "{{ __endpoint_package_environment }}", task["name"]
            limit = "{{ __endpoint_package_seconds // 2 }}"
            assert name in ("installed", "newer") or task["timeout"] == limit, task["name"]
    assert found == {"refresh", "install", "installed", "newer", "fetch", "upgrade", "repair", "downgrade"}


@pytest.mark.parametrize(("said", "brought"), [
    ({}, ["kad"]), ({"__endpoint_both_daemons": False}, []), ({"ansible_run_tags": ["haproxy"]}, []),
    ({"ansible_skip_tags": ["keepalived"]}, []),
    ({"__endpoint_info": {"packages": {"keepalived": {"installed": "2.2.7"}}}}, [])])
def test_keepaliveds_package_comes_along_only_where_its_role_comes_whole(said: dict[str, t.Any],
                                                                         brought: list[str]) -> None:
    expression = yaml.safe_load(TEXTS["roles/haproxy/vars/main.yml"])["__haproxy_brings"]
    usual = {"__endpoint_both_daemons": True, "ansible_run_tags": ["all"], "ansible_skip_tags": [],
             "keepalived_package": " kad", "__endpoint_info": {"packages": {"keepalived": {"installed": None}}}}
    assert NativeEnvironment().from_string(expression).render(**{**usual, **said}) == brought
    site = yaml.safe_load(TEXTS["playbooks/site.yml"])
    assert [play["vars"]["__endpoint_both_daemons"] for play in site if "tasks" in play] == [True]


def test_site_runs_the_roles_of_both_daemons_and_nothing_of_role_endpoint_twice() -> None:
    """The dependency is one role to Ansible for both of them, and another one than what a play imports itself."""
    (play,) = [play for play in yaml.safe_load(TEXTS["playbooks/site.yml"]) if "tasks" in play]
    roles = [task["ansible.builtin.import_role"]["name"] for task in play["tasks"]]
    assert roles == ["kubeha.apiserver.haproxy", "kubeha.apiserver.keepalived"] and "roles" not in play
    for role in ("haproxy", "keepalived"):
        dependencies = yaml.safe_load(TEXTS["roles/%s/meta/main.yml" % role])["dependencies"]
        assert dependencies == [{"role": "kubeha.apiserver.endpoint"}]


def test_no_decision_hangs_on_a_title() -> None:
    """A title is text: it may be printed, and anybody may word it anew."""
    roles = "\n".join(text for name, text in TEXTS.items() if name.startswith("roles/") and name.endswith(".yml"))
    uses = re.findall(r".*ansible_failed_task.*", roles)
    assert uses and [use for use in uses if not re.search(r"{{ ansible_failed_task\.name }}:", use)] == []


@pytest.mark.parametrize("name", [name for name in TEXTS if re.match(r"roles/\w+/tasks/", name)])
def test_a_task_file_says_first_what_it_does(name: str) -> None:
    """In one sentence, with the verb in front; more may follow."""
    text = TEXTS[name]
    said = re.match(r"---\n((?:# .*\n)+)\n", text)
    assert said, "begin with a comment"
    assert re.match(r"# [A-Z][a-z]+,? .+?\.\s", said[1].replace("\n# ", " ")), said[1]


def test_facts_of_other_hosts_are_read_in_one_place() -> None:
    read = [name for name, text in TEXTS.items() if re.match(r"roles/\w+/(tasks|vars)/", name) and "hostvars" in text]
    assert read == ["roles/endpoint/vars/main.yml"]
    assert "hostvars" not in TEXTS["plugins/action/endpoint_waves.py"]
    # What is read there came in by these.
    for name in ("endpoint_files", "endpoint_info", "endpoint_lock"):
        text = TEXTS["plugins/action/%s.py" % name]
        executed = len(re.findall(r"_execute_module\(|self\.execute\(", text))
        assert executed and text.count("readable(") == executed, name


def test_site_knows_its_tags() -> None:
    site = yaml.safe_load(TEXTS["playbooks/site.yml"])
    known = set(site[0]["vars"]["__endpoint_tags"])
    roles = "\n".join(text for name, text in TEXTS.items() if re.match(r"roles/\w+/tasks/", name))
    there = {tag.strip() for names in re.findall(r"tags: \[([^]]*)\]", roles) for tag in names.split(",")}
    assert there - {"always"} == known
    others = [text for name, text in TEXTS.items() if name.startswith("playbooks/") and name != "playbooks/site.yml"]
    assert not re.search(r"tags: \[(?!always\]|\])", "\n".join(others)), "none of the others has tags"


def test_no_playbook_ends_green_without_its_hosts() -> None:
    """Whatever finds them is tagged always."""
    for name, text in TEXTS.items():
        for play in yaml.safe_load(text) if name.startswith("playbooks/") else ():
            if play.get("tags") == ["always"]:
                assert "'always' not in ansible_skip_tags" in play["hosts"], name
