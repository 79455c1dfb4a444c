# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import stat
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible.errors import AnsibleActionFail

from ..module_utils.model import _secrets
from ..plugin_utils.files import _host_files, _render
from ..plugin_utils.intent._intent import known_secrets, plain
from ..plugin_utils.task._controller_files import controller_path, writable_folder, write_whole
from ..plugin_utils.task._on_controller import OnController

if t.TYPE_CHECKING:
    from ..module_utils.model._model import Plan

TEMPLATES = str(Path(__file__).resolve().parents[2] / "roles")
# Lists what we wrote: so nothing else is ever removed.
MANIFEST = ".kubeha-rendered.json"


@dataclass(frozen=True)
class Rendered:
    """One file of one host."""

    host: str
    path: str
    content: str
    mode: int
    secret: bool

    @property
    def relative(self) -> str:
        return self.host + self.path


class ActionModule(OnController):
    """Render all hosts' files into a folder on the controller."""

    _supports_diff = True

    OPTIONS: t.ClassVar = {
        "plan": {"type": "dict", "required": True},
        "dest": {"type": "path", "required": True},
        "previous": {"type": "path"},
        "secrets": {"type": "dict", "no_log": True},
    }

    def _answer(self, args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        dest = controller_path(args["dest"])
        try:
            files = self._files(plain(args["plan"]), plain(args["secrets"]), task_vars)
            writable_folder("dest", args["dest"], any(file.secret for file in files) and not _is_own(dest))
            stale = _listed(dest) - {file.relative for file in files}
            before = controller_path(args["previous"]) if args["previous"] else dest
            differences = _differences(before, files)
            written = [file for file in files if not _is_same(dest, file)]
            if not self._task.check_mode:
                _write(dest, files, written, stale)
        except (OSError, _render.RenderError) as error:
            raise AnsibleActionFail("rendering into %s failed: %s" % (dest, error)) from error
        result: dict[str, t.Any] = {
            "changed": bool(written or stale),
            "hosts": list(dict.fromkeys(file.host for file in files)),
            "files": len(files),
            "differences": [
                {"host": host, "path": path, "change": change} for host, path, change, dummy in differences],
        }
        if self._task.diff:
            result["diff"] = [diff for dummy, dummy, dummy, diff in differences]
        return result

    def _files(self, plan: Plan, given: dict[str, t.Any] | None, task_vars: dict[str, t.Any]
               ) -> list[Rendered]:
        known: dict[str, dict[str, t.Any]] | None = {"passwords": given, "registries": {}} if given else None
        files = []
        for host in _host_files.balancers(plan):
            marks: dict[str, str] = {}
            if _host_files.secret_endpoints(plan, host) or _host_files.secret_registries(plan, host):
                if known is None:
                    known = known_secrets(task_vars, self._templar, self._task)
                marks, _lacking = _render.known_placeholders(plan, host, known)
            for entry in _render.render_host(plan, host, TEMPLATES):
                content = _secrets.filled(entry["content"], marks)
                files.append(Rendered(host, entry["path"], content, int(entry["mode"], 8), entry["secret"]))
        return files


def _differences(folder: Path, files: list[Rendered]) -> list[tuple[str, str, str, dict[str, str]]]:
    """(host, path, change, what Ansible shows as a diff) for every file that isn't as in `folder`."""
    found = []
    for file in files:
        there = folder / file.relative
        if not there.is_file():
            found.append((file.host, file.path, "added", _diff(file.relative, "", _secrets.masked(file.content))))
            continue
        content = there.read_text(encoding="utf-8", errors="replace")
        if content != file.content:
            before, after = _secrets.differences(content, file.content)
            found.append((file.host, file.path, "changed", _diff(file.relative, before, after)))
        elif _mode(there) != file.mode:
            found.append((file.host, file.path, "mode", _diff(
                file.relative, "mode %s\n" % oct(_mode(there)), "mode %s\n" % oct(file.mode))))
    for relative in sorted(_listed(folder) - {file.relative for file in files}):
        there = folder / relative
        if there.is_file():
            host, dummy, path = relative.partition("/")
            before = _secrets.masked(there.read_text(encoding="utf-8", errors="replace"))
            found.append((host, "/" + path, "removed", _diff(relative, before, "")))
    return found


def _diff(relative: str, before: str, after: str) -> dict[str, str]:
    return {"before_header": relative, "after_header": relative, "before": before, "after": after}


def _listed(folder: Path) -> set[str]:
    try:
        return {path for path in json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
                if isinstance(path, str) and not path.startswith("/") and ".." not in path.split("/")}
    except FileNotFoundError:
        return set()
    except ValueError:
        raise OSError("%s isn't readable as JSON. Remove the folder." % (folder / MANIFEST)) from None


def _is_same(dest: Path, file: Rendered) -> bool:
    there = dest / file.relative
    return (there.is_file() and not there.is_symlink() and _mode(there) == file.mode
            and there.read_bytes() == file.content.encode("utf-8"))


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _write(dest: Path, files: list[Rendered], written: list[Rendered], stale: set[str]) -> None:
    dest.mkdir(parents=True, exist_ok=True)
    if any(file.secret for file in files):
        dest.chmod(0o700)
    listed = _listed(dest)
    planned = {file.relative for file in files}
    if listed != planned:
        _write_manifest(dest, listed | planned)
    for file in written:
        path = dest / file.relative
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, file.content, file.mode)
    for relative in stale:
        path = dest / relative
        path.unlink(missing_ok=True)
        _remove_empty(path.parent, dest)
    if listed != planned:
        _write_manifest(dest, planned)


def _is_own(dest: Path) -> bool:
    """A folder that an earlier run has made, or that nobody has put anything into."""
    return (dest / MANIFEST).exists() or not (dest.is_dir() and any(dest.iterdir()))


def _write_manifest(dest: Path, paths: set[str]) -> None:
    write_whole(dest / MANIFEST, json.dumps(sorted(paths), indent=1) + "\n")


def _remove_empty(folder: Path, top: Path) -> None:
    while folder != top and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
