#!/usr/bin/env python3
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host tells a Prometheus, as JSON.

    metrics.py read FILE      a text file's values, each by its metric and the labels that tell one from another
    metrics.py ask URL...     which of them answer: a status, or "closed"
"""

from __future__ import annotations

import json
import pathlib
import re
import sys
import urllib.error
import urllib.request

SAMPLE = re.compile(r'^kubeha_(\w+?)(?:{(.*)})? (\S+)$', re.MULTILINE)
TELLING = re.compile(r'(?:daemon|check|state)="(\w+)"')


def main() -> int:
    if sys.argv[1:2] == ["read"]:
        text = pathlib.Path(sys.argv[2]).read_text(encoding="ascii")
        print(json.dumps({" ".join([name, *TELLING.findall(labels)]): float(value)
                          for name, labels, value in SAMPLE.findall(text)}))
        return 0
    print(json.dumps({url: ask(url) for url in sys.argv[2:]}))
    return 0


def ask(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return str(answer.status) if b"haproxy_process" in answer.read() else "something else"
    except urllib.error.HTTPError as error:
        return str(error.code)
    except OSError:
        return "closed"


if __name__ == "__main__":
    sys.exit(main())
