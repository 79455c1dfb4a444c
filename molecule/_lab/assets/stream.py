#!/usr/bin/env python3
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client that keeps one stream open, as a watch does, and opens another where it breaks.

    stream.py --target ADDRESS:PORT

A stream that is silent for 2 s is broken. Says {"event": "started"} with the first line that comes, and at the end of
its input {"broken": how many broke}.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import sys

SILENCE = 2.0
CONTEXT = ssl.create_default_context()
CONTEXT.check_hostname = False
CONTEXT.verify_mode = ssl.CERT_NONE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", required=True, help="ADDRESS:PORT or [ADDRESS]:PORT")
    address, dummy, port = parser.parse_args().target.rpartition(":")
    asyncio.run(Stream(address.strip("[]"), int(port)).run())


class Stream:
    def __init__(self, address: str, port: int) -> None:
        self.address = address
        self.port = port
        self.broken = 0
        self.announced = False

    async def run(self) -> None:
        over = asyncio.Event()
        asyncio.get_running_loop().add_reader(sys.stdin, over.set)
        watching = asyncio.ensure_future(self.watch())
        await over.wait()
        watching.cancel()
        print(json.dumps({"broken": self.broken}), flush=True)

    async def watch(self) -> None:
        while True:
            try:
                await self.one()
            except (OSError, asyncio.TimeoutError, TimeoutError, ssl.SSLError, EOFError):
                # What never began is the other client's matter.
                await asyncio.sleep(0.05)

    async def one(self) -> None:
        connecting = asyncio.open_connection(self.address, self.port, ssl=CONTEXT)
        reader, writer = await asyncio.wait_for(connecting, SILENCE)
        begun = False
        try:
            writer.write(f"GET /watch HTTP/1.1\r\nHost: {self.address}\r\n\r\n".encode())
            while True:
                line = await asyncio.wait_for(reader.readline(), SILENCE)
                if not line:
                    raise EOFError
                begun = True
                if not self.announced:
                    self.announced = True
                    print(json.dumps({"event": "started"}), flush=True)
        except (OSError, asyncio.TimeoutError, TimeoutError, ssl.SSLError, EOFError):
            self.broken += begun
            raise
        finally:
            writer.transport.abort()


if __name__ == "__main__":
    main()
