# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import pathlib
import typing as t
from datetime import datetime

from ansible.errors import AnsibleActionFail
from ansible.utils.display import Display

from ..plugin_utils.files._render import history_page
from ..plugin_utils.history import _chart, _incidents, _merge, _story, _when
from ..plugin_utils.intent._intent import plain
from ..plugin_utils.task._controller_files import writable_path, write_whole
from ..plugin_utils.task._on_controller import OnController

ROLES = str(pathlib.Path(__file__).resolve().parents[2] / "roles")
# Events before the first moment tell who held then; and reading takes its time.
MARGIN = 900


class ActionModule(OnController):
    """Put the records of all hosts together and say what happened: on the controller, no host contacted."""

    OPTIONS: t.ClassVar = {
        "records": {"type": "dict"},
        "since": {"type": "str", "default": "24h"},
        "end": {"type": "str", "default": "now"},
        "file": {"type": "path"},
        "html": {"type": "path"},
        "show": {"type": "bool", "default": False},
    }

    def _answer(self, args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        now = datetime.now().astimezone()
        moments, wrong = _when.window(args["since"], args["end"], now)
        wanted: dict[str, pathlib.Path | None] = {}
        for name in ("file", "html"):
            try:
                wanted[name] = writable_path(name, args[name]) if args[name] else None
            except AnsibleActionFail as error:
                wrong.append(error.message)
        if wrong:
            return {"failed": True, "msg": "\n".join(wrong)}
        since, until = (at.timestamp() for at in moments)
        seconds = round(now.timestamp() - since + MARGIN)
        if args["records"] is None:
            return {"seconds": seconds}
        merged = _merge.merge({str(host): answer for host, answer in plain(args["records"]).items()})
        told = _story.tell(_incidents.incidents(merged, since, until), merged)
        history = _story.values(told, merged, since, until, _local)
        text = _story.report(told, merged, since, until, _local)
        if args["show"]:
            Display().display(text + "\n")
        if wanted["file"]:
            write_whole(wanted["file"], json.dumps(history, indent=2) + "\n")
        if wanted["html"]:
            write_whole(wanted["html"], history_page(_chart.view(told, merged, since, until, _local), ROLES))
        if all(host.why for host in merged.hosts.values()):
            # What a failed task returns is printed in full.
            return {"failed": True, "msg": "No host's record could be read%s" % (
                ", as shown above." if args["show"] else ":\n\n" + text)}
        return {"seconds": seconds, "history": history, "text": text}


def _local(at: float) -> datetime:
    return datetime.fromtimestamp(at).astimezone()
