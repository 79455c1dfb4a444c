# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Why files aren't put into place, said before anything changes."""

from __future__ import annotations

import os
from typing import Any, Callable, List, Sequence

from ..host import _copies_io
from ..host import _owned_files_io as owned
from ..model import _paths
from . import _hook_io, _records_io, _units_io
from ._found import File, Found


class Refused(Exception):
    """What was to be put into place isn't. `more` is for whoever reads the result."""

    def __init__(self, text: str, **more: Any) -> None:
        super().__init__(text)
        self.more = more


def all_of(*checks: Callable[[], None]) -> None:
    """Every reason at once, lest whoever mends one be told of the next by another run."""
    refusals: List[Refused] = []
    for check in checks:
        try:
            check()
        except Refused as refusal:
            refusals.append(refusal)
    if refusals:
        more = {key: value for refusal in refusals for key, value in refusal.more.items()}
        raise Refused("\n".join(str(refusal) for refusal in refusals), **more)


def folders_in_the_way(role: str, files: Sequence[File]) -> None:
    paths = [file.path for file in files if file.is_folder]
    paths += [path for path in (_records_io.place(role), _paths.ROLE_PLAN % role)
              if os.path.isdir(path) and not os.path.islink(path)]
    if paths:
        raise Refused("%s is a folder. Move it away: a file has to be there." % " and ".join(paths))


def open_folders(found: Found) -> None:
    """Root writes where only root can write: others could put a link there, or a file of theirs."""
    folders = sorted({os.path.dirname(path) for path in [file.path for file in found.files] + found.stale})
    said = ["%s: %s" % (folder, trouble) for folder, trouble in
            ((folder, owned.trouble(folder)) for folder in folders) if trouble]
    if said:
        raise Refused("Nothing was changed, because others than root could write into folders that files belong "
                      "in: %s. Give them to root, with mode 0755." % "; ".join(said))


def textfile_folder(unit: bytes) -> None:
    """What the unit with this content writes each few seconds is root's, too."""
    path = _units_io.textfile_of(unit)
    folder = os.path.dirname(path or "")
    trouble = folder and (owned.trouble(folder) or ("" if os.path.isdir(folder) else "it isn't there"))
    if trouble:
        raise Refused("Nothing was changed, because metrics can't be written into %s: %s. Make it, give it and all "
                      "folders above it to root, with mode 0755, and name it to node_exporter "
                      "(--collector.textfile.directory); or set endpoint_metrics_textfile_dir to such a folder."
                      % (folder, trouble))


def script(unit: bytes) -> None:
    """What the unit with this content starts may be run."""
    trouble = _hook_io.trouble(unit)
    if trouble:
        raise Refused("Nothing was changed, because what endpoint_notify_script and endpoint_notify_user name "
                      "can't be run: %s. Put the script there, give it and all folders above it to root, with "
                      "mode 0755, and name a user that this host has, or none." % trouble)


def other_mode(found: Found) -> None:
    """Two of our own daemons would fight for the same port and VIP."""
    if found.other_mode:
        raise Refused("%s of this collection's run here %s. They're moved when it's keepalived's turn: run site, "
                      "or the roles haproxy and keepalived one after the other."
                      % (" and ".join(found.other_mode), "as services" if found.manifest else "as static pods"))


def foreign(role: str, found: Found) -> None:
    paths: List[str] = [file.path for file in found.adopted] + found.foreign_manifests
    if paths:
        raise Refused(
            "%s was written by somebody else, and isn't replaced. Remove it, or set endpoint_adopt: true to take "
            "this host's %s over; the original is kept in %s then."
            % (" and ".join(paths), role, _copies_io.FOLDER), foreign_files=paths)


def key(found: Found) -> None:
    """Members that have either key under the same number don't believe each other, and nothing tells them apart."""
    alike = [file.path for file in found.files if file.kind == "hmac-key" and _records_io.is_other_key(file)]
    if alike:
        raise Refused("Nothing was changed, because the new key of %s has the same ID as the one that is there, so "
                      "no advert could say which of them it was signed with. Make another one, by `openssl rand "
                      "-hex 32`, and write hex: before it." % ", ".join(alike))


def invalid(found: Found) -> None:
    """What the programs that will read it have said of it."""
    if found.invalid:
        said = ["%s: %s" % (entry["path"], finding) for entry in found.invalid for finding in entry["findings"]]
        raise Refused("Nothing was changed, because what was to be put into place isn't valid:\n%s"
                      % "\n".join(said), validation=found.invalid)


def not_validated(found: Found) -> None:
    if found.not_validated and not found.manifest:
        raise Refused("Nothing was changed, because it can't be validated: %s" % "; ".join(found.not_validated))
