# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes every result as it is, as callbacks do that keep records: JSON, ARA, a log server."""

from __future__ import annotations

import json
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: everything
type: notification
short_description: Every result as it is
description: [Every result as it is.]
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "everything"

    def _write(self, result, *_rest, **_more):
        with open(os.environ["KUBEHA_EVERYTHING"], "a", encoding="utf-8") as stream:
            found = getattr(result, "_result", None) or getattr(result, "result", None)
            print(json.dumps(found, default=repr), repr(found), file=stream)

    v2_runner_on_ok = v2_runner_on_failed = v2_runner_on_skipped = v2_runner_on_unreachable = _write
    v2_runner_item_on_ok = v2_runner_item_on_failed = v2_on_file_diff = _write
