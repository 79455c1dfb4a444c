# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""Files that users want on the controller: where they are, whether they can be written, and writing them whole."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

from ansible.errors import AnsibleActionFail

from ...module_utils.model import _shapes


def controller_path(given: str) -> Path:
    """From the folder that Ansible was started in: the playbook may lie in an installed collection."""
    return Path(given).absolute()


def refuse_no_path(option: str, given: t.Any) -> None:
    """Ansible would take the text of a list or a boolean for a name, and an empty one for the current folder."""
    if given is not None and not (isinstance(given, (str, os.PathLike)) and str(given).strip()):
        raise AnsibleActionFail("%s is %s, and has to be a path; write one as text, or leave the variable out"
                                % (option, _shapes.printable(repr(given), 80)))


def writable_folder(option: str, given: str, private: bool) -> Path:
    """A folder that is made, or is there already. What is made `private` is a run's own, as others may use it, too."""
    path = controller_path(given)
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    if not there.is_dir():
        raise AnsibleActionFail("%s: %s is no folder; name another one" % (option, there))
    if not os.access(there, os.W_OK | os.X_OK):
        raise AnsibleActionFail("%s: nothing can be written into the folder %s; name another one" % (option, there))
    if private and path.is_dir() and path.stat().st_mode & 0o077:
        raise AnsibleActionFail(
            "%s: others can read %s and may have files there, and a password is to be written; name a new folder, or "
            "`chmod 700` this one" % (option, path))
    return path


def writable_path(option: str, given: str) -> Path:
    """The same for a file that will be written; refused before any work is done for it."""
    path = controller_path(given)
    if path.is_dir():
        raise AnsibleActionFail("%s: %s is a folder; name a file" % (option, path))
    if not path.parent.is_dir():
        raise AnsibleActionFail("%s: there is no folder %s; make it, or name another file" % (option, path.parent))
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise AnsibleActionFail("%s: nothing can be written into the folder %s; name another file"
                                % (option, path.parent))
    return path


def write_whole(path: Path, content: str, mode: int | None = None) -> None:
    """All of it or none: somebody may be reading. Without a mode, as the user's umask has it."""
    scratch = path.with_name(".%s.%d" % (path.name, os.getpid()))
    try:
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666 if mode is None else 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
            stream.write(content)
            if mode is not None:
                os.fchmod(descriptor, mode)
        scratch.replace(path)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise AnsibleActionFail("writing %s failed: %s" % (path, error)) from error
