# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A program of this collection's own modules, as one file: it needs nothing but the Python that Ansible uses there."""

from __future__ import annotations

import io
import sys
import zipfile
from typing import Dict

_PACKAGE = __name__[: __name__.index(".module_utils.")] + ".module_utils"
# All archives of the same code are the same.
_DATE = (2026, 1, 1, 0, 0, 0)


def packed(main: str) -> bytes:
    """An archive that runs `main` of that module, with all modules that are loaded, from wherever they were loaded."""
    sources: Dict[str, bytes] = {}
    for name, module in list(sys.modules.items()):
        if name.startswith(_PACKAGE + "."):
            loader = module.__spec__.loader if module.__spec__ else None
            source: str = loader.get_source(name)  # type: ignore[union-attr]
            sources[name.replace(".", "/") + ".py"] = source.encode("utf-8")
    # Packages, too: a folder without this file isn't one in an archive.
    for name in list(sources):
        folders = name.split("/")[:-1]
        for index in range(1, len(folders) + 1):
            sources["/".join(folders[:index]) + "/__init__.py"] = b""
    sources["__main__.py"] = b"from %s import main\nmain()\n" % main.encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as whole:
        for name in sorted(sources):
            whole.writestr(zipfile.ZipInfo(name, _DATE), sources[name])
    return out.getvalue()
