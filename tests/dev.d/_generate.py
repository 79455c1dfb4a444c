# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what follows from other files: roles' defaults, tables and JSON Schema of variables from argument specs, tables
of the plan's keys from its types, of codes and of versions' features from their tables, and sanity's ignores from
shebangs."""

from __future__ import annotations

import ast
import importlib
import json
import re
import sys
import textwrap
import types
import typing as t
from pathlib import Path

import _rooms
import _schema
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLES = ("endpoint", "haproxy", "keepalived")
BEGIN = "<!-- variables of {role}: written by `./dev generate` from its argument specs -->"
END = "<!-- end of variables -->"

MODEL = ROOT / "plugins" / "module_utils" / "model"
TYPES = {"plan.md": MODEL / "_model.py", "observation.md": MODEL / "_observation.py"}
KEYS_BEGIN, KEYS_END = "<!-- keys: written by `./dev generate` from the types -->", "<!-- end of keys -->"

DEFAULTS = """---
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Written by `./dev generate` from meta/argument_specs.yml. Variables that aren't here have no fixed default: the plan
# computes them from the others and from the hosts.
"""

CODES_BEGIN = "<!-- codes of {by}: written by `./dev generate` from plugins/plugin_utils/codes/_codes.py -->"
CODES_END = "<!-- end of codes -->"
FEATURES_BEGIN = "<!-- features: written by `./dev generate` from plugins/plugin_utils/plan/_features.py -->"
FEATURES_END = "<!-- end of features -->"
DOCUMENTS = {"plan": "problems.md", "preflight": "preflight.md", "status": "status.md"}
# In place of what is put together for each finding.
WORDS = {"more": "", "fix": "*what is right*", "command": "*the command that the finding names*",
         "repair": "*what the finding names*"}

CORES = range(16, 23)  # ansible-core 2.16 to 2.22, each with a file of its own
# What ansible-test doesn't know as a way to start a script, and why it's right.
SHEBANGS = {
    "#!/bin/bash": "started on hosts by its path, with bash and nothing else",
    "#!/usr/bin/env python3": "a developer's, for systems where that is Python's name",
}
SOURCES = ("dev", "molecule", "playbooks", "plugins", "roles", "tests")

_TYPE = re.compile(r"^Type: (?P<type>[^.]+)\. ")
_MARKUP = re.compile(r"\b(?P<kind>[BCEILMOPV]|RV)\((?P<text>(?:\\.|[^)\\])*)\)")


def main() -> int:
    """Write the files that aren't current."""
    for path, text in {**current_files(), _rooms.TABLE: _rooms.table()}.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            print("{0}: written anew".format(path.relative_to(ROOT)))
            path.write_text(text, encoding="utf-8")
    return 0


def current_files() -> dict[Path, str]:
    """Every such file, as it should be."""
    documents = [ROOT / "docs" / "variables.md"] + [ROOT / "roles" / role / "README.md" for role in ROLES]
    files = {path: with_tables(path.read_text(encoding="utf-8")) for path in documents}
    for name, model in TYPES.items():
        path = ROOT / "docs" / name
        files[path] = with_keys(path.read_text(encoding="utf-8"), model)
    files.update({ROOT / "roles" / role / "defaults" / "main.yml": "".join(defaults(options(role))) for role in ROLES})
    for by, name in DOCUMENTS.items():
        path = ROOT / "docs" / name
        files[path] = between(CODES_BEGIN.format(by=by), codes(by), CODES_END, path.read_text(encoding="utf-8"))
    path = ROOT / "docs" / "versions.md"
    files[path] = between(FEATURES_BEGIN, features(), FEATURES_END, path.read_text(encoding="utf-8"))
    every = {name: spec for role in ROLES for name, spec in options(role).items()}
    schema = _schema.variables(every, plain)
    files[ROOT / "docs" / "variables.schema.json"] = json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
    verdict = (ROOT / "plugins/plugin_utils/judge/_verdict.py").read_text(encoding="utf-8")
    schema = _schema.types(verdict, "What status writes with endpoint_status_file", "StatusFile")
    files[ROOT / "docs" / "status.schema.json"] = json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
    ignored = "".join(ignores())
    files.update({ROOT / "tests" / "sanity" / "ignore-2.{0}.txt".format(core): ignored for core in CORES})
    return files


def ignores() -> t.Iterator[str]:
    """A line for each script that sanity's test of shebangs would refuse."""
    paths = [path for name in SOURCES for path in (ROOT / name).rglob("*") if path.is_file()]
    for path in sorted(paths):
        with path.open("rb") as file:
            first = file.readline(80).decode("utf-8", "replace").rstrip("\n")
        if first in SHEBANGS and not {"output", "__pycache__"} & set(path.parts):
            yield "{0} shebang # {1}\n".format(path.relative_to(ROOT).as_posix(), SHEBANGS[first])


def with_tables(text: str) -> str:
    """The text with each of its tables made anew."""
    for role in ROLES:
        begin = BEGIN.format(role=role)
        pattern = re.compile(re.escape(begin) + r".*?" + re.escape(END), re.DOTALL)
        block = "\n".join([begin, *table(options(role)), END])
        text = pattern.sub(lambda match, block=block: block, text)  # type: ignore[misc]
    return text


def with_keys(text: str, model: Path) -> str:
    """The text with its tables of keys made anew."""
    return between(KEYS_BEGIN, keys(model.read_text(encoding="utf-8")), KEYS_END, text)


def between(begin: str, lines: t.Iterable[str], end: str, text: str) -> str:
    """The text with what is between two marks made anew."""
    block = "\n".join([begin, *lines, end])
    return re.sub(re.escape(begin) + r".*?" + re.escape(end), lambda match: block, text, flags=re.DOTALL)


def codes(by: str) -> t.Iterator[str]:
    """A Markdown table for each section of codes that the plan, preflight or status say."""
    table_ = load("codes._codes")
    for section, entries in table_.SECTIONS.items():
        mine = {code: entry for code, entry in entries.items() if by in entry.by}
        if not mine:
            continue
        yield "\n{0} {1}\n".format("##" if by == "plan" else "###", section)
        if section == table_.WARNINGS:
            yield "The plan is made and applied; these say what to know about it.\n\n| code | meaning |\n|---|---|"
        elif by == "plan":
            yield "| code | rule | fix |\n|---|---|---|"
        else:
            yield "| code | severity | why it matters | what mends it |\n|---|---|---|---|"
        for code, entry in mine.items():
            severity = [] if by == "plan" else [table_.CODES[code].severity]
            why = entry.why + (". It's {0}".format(entry.remark) if entry.remark and by != "plan" else "")
            cells = ["`{0}`".format(code), *severity, why, *([entry.fix] if entry.fix else [])]
            yield "| {0} |".format(" | ".join(map(cell, cells)))


def features() -> t.Iterator[str]:
    """A Markdown table of what not every version has."""
    yield "\n| daemon | since | what | before that | source |\n|---|---|---|---|---|"
    names = {"haproxy": "HAProxy", "keepalived": "keepalived"}
    for feature in sorted(load("plan._features").FEATURES, key=lambda feature: (feature.daemon, feature.since)):
        since = ".".join(map(str, feature.since))
        yield "| {0} | {1} | {2} | {3} | {4} |".format(
            names[feature.daemon], since, feature.what, feature.without, feature.source)
    yield ""


def load(name: str) -> t.Any:
    """A module of plugin_utils, without Ansible and without a collection's place around it."""
    package = sys.modules.setdefault("kubeha_plugins", types.ModuleType("kubeha_plugins"))
    package.__path__ = [str(ROOT / "plugins")]
    return importlib.import_module("kubeha_plugins.plugin_utils." + name)


def cell(template: str) -> str:
    """A template as a cell: words that are filled in are in italics, or in capitals where they're part of a command."""
    parts = template.split("`")
    for index, part in enumerate(parts):
        if index % 2:
            part = re.sub(r"(?<!{){(\w+)}", lambda match: match[1].upper(), part)
        else:
            part = re.sub(r"(?<!{){(\w+)}", lambda match: WORDS.get(match[1], "*%s*" % match[1]),
                          part.replace("*", "\\*"))
        parts[index] = part.replace("{{", "{").replace("}}", "}").replace("|", "\\|")
    return "`".join(parts)


def keys(source: str) -> t.Iterator[str]:
    """A Markdown table for each type, the whole before its parts; what a key means is the comment behind it."""
    lines, types = source.splitlines(), [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    for node in reversed(types):
        yield "\n## {0}\n\n{1}\n".format(node.name, " ".join((ast.get_docstring(node) or "").split()))
        yield "| key | type | meaning |\n|---|---|---|"
        for base in node.bases:
            if isinstance(base, ast.Name) and base.id != "TypedDict":
                yield "| as [{0}](#{1}) | | |".format(base.id, base.id.lower())
        for item in node.body:
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                yield "| `{0}` | {1} | {2} |".format(
                    item.target.id, type_words(item.annotation, {other.name for other in types}),
                    lines[item.lineno - 1].partition("#")[2].strip().replace("|", "\\|"))


def type_words(node: ast.expr, types: t.Container[str]) -> str:
    """A type as people read it."""
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        inner = [type_words(part, types) for part in parts]
        return {"Optional": "{0} or null", "NotRequired": "{0}; may be missing", "List": "list of {0}",
                "Dict": "mapping of {0} to {1}"}[node.value.id].format(*inner)
    name = ast.unparse(node)
    words = {"str": "text", "int": "integer", "float": "number", "bool": "boolean", "Any": "anything",
             "Plan": "[Plan](plan.md)"}
    return "[{0}](#{1})".format(name, name.lower()) if name in types else words[name]


def options(role: str) -> dict[str, dict[str, t.Any]]:
    """What the role's main entry point takes."""
    specs = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    return t.cast("dict[str, dict[str, t.Any]]", specs["argument_specs"]["main"]["options"])


def defaults(specs: dict[str, dict[str, t.Any]]) -> t.Iterator[str]:
    """A role's variables that have a fixed default, each under what it means."""
    yield DEFAULTS
    for name, spec in specs.items():
        if "default" in spec:
            yield "\n" + textwrap.fill(
                plain(paragraphs_of(spec)[0]), 118, initial_indent="# ", subsequent_indent="# ", break_long_words=False,
                break_on_hyphens=False) + "\n"
            value = yaml.safe_dump(spec["default"], default_flow_style=True, width=200).partition("\n...")[0]
            yield "{0}: {1}\n".format(name, value.strip())


def plain(text: str) -> str:
    """Ansible's markup as words."""
    return markdown(_TYPE.sub("", text)).replace("\\|", "|").replace("`", "")


def paragraphs_of(spec: dict[str, t.Any]) -> list[str]:
    return spec["description"] if isinstance(spec["description"], list) else [spec["description"]]


def table(specs: dict[str, dict[str, t.Any]]) -> t.Iterator[str]:
    """A Markdown table."""
    yield "| variable | meaning | default |"
    yield "|---|---|---|"
    for name, spec in specs.items():
        paragraphs = paragraphs_of(spec)
        meaning = [markdown(text) for text in paragraphs if not default_of(text)]
        yield "| `{0}` | {1} | {2} |".format(name, " ".join(meaning), default(spec, paragraphs))


def default(spec: dict[str, t.Any], paragraphs: list[str]) -> str:
    """The fixed default, or how the plan computes it."""
    if "default" in spec:
        value = spec["default"]
        return "`{0}`".format(value if isinstance(value, str) else json.dumps(value))
    computed = [default_of(text) for text in paragraphs]
    return next((markdown(text) for text in computed if text), "none")


def default_of(paragraph: str) -> str:
    """What a paragraph tells of a computed default: `The default is X.` and `Required X.` do."""
    if paragraph.startswith("Required"):
        return "required" + paragraph[len("Required") :].rstrip(".")
    if paragraph.startswith("The default is "):
        return paragraph[len("The default is ") :].rstrip(".")
    return ""


def markdown(text: str) -> str:
    """Ansible's markup as Markdown, and the type out of the way."""
    text = _TYPE.sub(lambda match: "*{0}.* ".format(match["type"]), text)
    return _MARKUP.sub(_span, text).replace("|", "\\|")


def _span(match: re.Match[str]) -> str:
    text = match["text"].replace("\\", "")
    if match["kind"] == "B":
        return "**{0}**".format(text)
    if match["kind"] == "I":
        return "*{0}*".format(text)
    if match["kind"] in "OP":
        # kubeha.apiserver.endpoint#role:main:endpoint_mode=x is endpoint_mode: x
        text = text.rpartition(":")[2] if "#" in text and match["kind"] == "O" else text.partition("#")[0]
        text = text.replace("=", ": ")
    return "`{0}`".format(text.replace("kubeha.apiserver.", ""))


if __name__ == "__main__":
    sys.exit(main())
