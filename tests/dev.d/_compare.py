# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What two commits would deploy, compared.

_compare.py cases                the matrix's cases of the collection that PYTHONPATH leads to, as JSON
_compare.py render CASES         what it makes of them by its own code: the text of each file, as JSON
_compare.py report BEFORE AFTER  which files of two such results differ, and by what
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import importlib
import io
import json
import re
import sys
import tempfile
import typing as t
from pathlib import Path

CASES = "ansible_collections.kubeha.apiserver.tests.matrix.cases"
# keepalived's and HAProxy's versions in Debian 11, 12, 13 and sid.
VERSIONS = (("2.1.5", "2.2.9"), ("2.2.7", "2.6.12"), ("2.3.3", "3.0.11"), ("2.3.4", "3.2.5"))
LOGINS = {"registry.example.org": {"username": "u", "password": "p"}}

Intent = t.Dict[str, t.Any]


def main() -> int:
    command, arguments = sys.argv[1], [Path(argument) for argument in sys.argv[2:]]
    if command == "cases":
        json.dump(dict(importlib.import_module(CASES).intents()), sys.stdout)
        return 0
    if command == "render":
        json.dump(dict(render(load(arguments[0]))), sys.stdout)
        return 0
    lines = list(report(load(arguments[0]), load(arguments[1])))
    print("\n".join(lines))
    return int(any(line.startswith(DIFFERS) for line in lines))


def modes(intent: Intent, keepalived: str, haproxy: str) -> t.Iterator[tuple[str, Intent]]:
    """(mode, intent): the same endpoint as services, as static pods, and from a registry with a password."""
    yield "service", intent
    pods = dict(intent, mode="static_pod", keepalived_image="k:" + keepalived, haproxy_image="h:" + haproxy)
    yield "static_pod", pods
    yield "static_pod_login", dict(pods, image_auth=LOGINS)


def render(intents: dict[str, Intent]) -> t.Iterator[tuple[str, str]]:
    """(VERSIONS/MODE/CASE/HOST/PATH, text); what the plan refuses is a file with the codes."""
    cases = importlib.import_module(CASES)
    for keepalived, haproxy in VERSIONS:
        versions = "keepalived-%s-haproxy-%s" % (keepalived, haproxy)
        for name, intent in intents.items():
            wanted = dict({"lb_hosts": list(cases.HOSTS), "apiserver_hosts": list(cases.HOSTS)}, **intent)
            for mode, whole in modes(wanted, keepalived, haproxy):
                folder = "%s/%s/%s" % (versions, mode, name)
                try:
                    plan = cases.compute_plan(whole, cases.hosts(keepalived, haproxy), {})
                except cases.PlanError as error:
                    yield folder + "/refused", "".join(sorted(
                        "%s %s\n" % (problem.code, problem.where) for problem in error.problems))
                    continue
                for host in members(plan):
                    for entry in cases._render.render_host(plan, host, cases.ROLES):
                        # The template's own place tells a host nothing.
                        about = {key: value for key, value in entry.items() if key not in ("content", "template")}
                        yield folder + "/" + host + entry["path"], entry["content"]
                        yield folder + "/" + host + entry["path"] + ".entry", json.dumps(about, sort_keys=True) + "\n"
        with tempfile.TemporaryDirectory() as scratch, contextlib.redirect_stdout(io.StringIO()):
            sys.argv = ["cases.py", scratch, keepalived, haproxy]
            cases.main()
            units = load(Path(scratch, "units.json"))
        for unit in units:
            yield versions + "/units" + unit["path"], unit["content"]


def members(plan: t.Mapping[str, t.Any]) -> list[str]:
    return list(dict.fromkeys(
        member["host"] for endpoint in plan["endpoints"] for instance in endpoint["instances"]
        for member in instance["members"]))


def load(path: Path) -> t.Any:
    found = json.loads(path.read_text(encoding="utf-8"))
    if not found:
        raise SystemExit("%s: nothing to compare" % path)
    return found


DIFFERS = "DIFFERS "
_COMMENT = re.compile(r"^[ \t]*#(?!!)")
_CHECKSUM = re.compile(r"\b(?:[0-9a-f]{64}|[0-9a-f]{16})\b")


def report(before: dict[str, str], after: dict[str, str]) -> t.Iterator[str]:
    """One line for each kind of difference and its first place, then how many files there were of each sort."""
    same = comments = 0
    kinds: dict[str, list[str]] = {}
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old == new:
            same += 1
        elif old is None or new is None:
            kinds.setdefault("is only in the %s commit" % ("second" if old is None else "first"), []).append(name)
        elif bare(old) == bare(new):
            comments += 1
        else:
            diff = difflib.unified_diff(bare(old).splitlines(), bare(new).splitlines(), lineterm="", n=0)
            kinds.setdefault("\n".join("    " + line for line in list(diff)[2:]), []).append(name)
    for what, names in kinds.items():
        yield "%s%s%s\n%s" % (DIFFERS, names[0], " and %d others" % (len(names) - 1) if names[1:] else "", what)
    differing = sum(len(names) for names in kinds.values())
    yield "%d files are the same, %d but for comments, %d differ; all of them: %s" % (
        same, comments, differing, hashlib.sha256(json.dumps(after, sort_keys=True).encode()).hexdigest()[:16])


def bare(text: str) -> str:
    """Without lines that are comments. A checksum of a file with other comments is another one as well."""
    return "\n".join(_CHECKSUM.sub("CHECKSUM", line) for line in text.split("\n") if not _COMMENT.match(line))


if __name__ == "__main__":
    sys.exit(main())
