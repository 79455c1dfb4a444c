# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clients that hold a connection to an API server open, through the VIP."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator

from looker import Looker
from user import MEMBERS


class Watch(threading.Thread):
    """A client that is told something ten times a second, through the VIP."""

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._link = context.wrap_socket(socket.create_connection((address, 8443), timeout=5))
        self._link.sendall(b"GET /watch HTTP/1.1\r\nHost: kubernetes\r\n\r\n")
        self._lines = self._link.makefile("r")
        while self._lines.readline().strip():
            pass
        self.server = json.loads(self._lines.readline())["host"]
        self.heard = time.monotonic()
        self.ended: float | None = None
        self._link.settimeout(60)
        self.start()

    def run(self) -> None:
        with contextlib.suppress(OSError):
            while self._lines.readline():
                self.heard = time.monotonic()
        self.ended = time.monotonic()

    def lives(self) -> bool:
        return self.ended is None and time.monotonic() - self.heard < 1


@contextlib.contextmanager
def watches(user: Looker) -> Iterator[list[Watch]]:
    """One for each API server: whoever has the fewest connections gets the next."""
    found = [Watch(user.vip) for _member in MEMBERS]
    assert {watch.server for watch in found} == set(MEMBERS)
    yield found


def servers_are(user: Looker, host: str, *states: str) -> None:
    user.lab.run(host, "python3", "/opt/lab/haproxy_servers.py", *states)
