#!/usr/bin/env python3
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a command that shall go on forever, again whenever it ends, and reports all it says. Runs on the client.

    stream.py COMMAND [ARGUMENT...]

One JSON object a line: {"clock": CLOCK_MONOTONIC, "event": "start"}, {..., "event": "line", "text": "..."} or
{..., "event": "end", "code": 1, "text": "the last of what it said on stderr"}. Ends with its input.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time


def main() -> None:
    runner = threading.Thread(target=run_forever, daemon=True)
    runner.start()
    sys.stdin.read()
    if process is not None:
        process.kill()


process: subprocess.Popen[str] | None = None


def run_forever() -> None:
    global process
    while True:
        say("start")
        with subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None and process.stderr is not None
            for line in process.stdout:
                say("line", text=line.rstrip())
            error = process.stderr.read().strip()
        say("end", code=process.returncode, text=error[-500:])
        time.sleep(0.2)


def say(event: str, **more: object) -> None:
    print(json.dumps({"clock": time.monotonic(), "event": event, **more}), flush=True)


if __name__ == "__main__":
    main()
