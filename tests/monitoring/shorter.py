# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules of Prometheus whose time goes by faster. Pure."""

from __future__ import annotations

import copy
import re
from typing import Any

UNITS = {"s": 1, "m": 60, "h": 3600}
# How old a text file may be, and how far back a rule looks.
AGE = re.compile(r"(kubeha_textfile_timestamp_seconds\)? [<>]) (\d+)")
WINDOW = re.compile(r"\[(\d+[smh])\]")


def shorter(rules: dict[str, Any], factor: int, longest: float | None) -> dict[str, Any]:
    """Each duration divided by the factor, and no rule waits longer than so many seconds then. Without such a number
    rules wait as long as they do in real life."""
    rules = copy.deepcopy(rules)
    for group in rules["groups"]:
        for rule in group["rules"]:
            if "for" in rule and longest is not None:
                rule["for"] = duration(min(seconds(rule["for"]) / factor, longest))
            rule["expr"] = AGE.sub(lambda match: "%s %g" % (match[1], int(match[2]) / factor), rule["expr"])
            rule["expr"] = WINDOW.sub(lambda match: "[%s]" % duration(seconds(match[1]) / factor), rule["expr"])
    return rules


def waits(rules: dict[str, Any]) -> dict[str, float]:
    """For how many seconds each alert is pending before it fires."""
    return {rule["alert"]: seconds(rule.get("for", "0s")) for group in rules["groups"] for rule in group["rules"]
            if "alert" in rule}


def seconds(text: str) -> float:
    return int(text[:-2]) / 1000 if text.endswith("ms") else float(int(text[:-1]) * UNITS[text[-1]])


def duration(wanted: float) -> str:
    return "%dms" % round(wanted * 1000)
