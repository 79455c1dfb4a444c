# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of connections that are open when API servers say that they aren't ready, or say nothing any more."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator

from looker import Looker
from user import MEMBERS

TOPOLOGY = {
    "networks": {"lan": {"families": ["ipv4"]}},
    "hosts": {name: {"groups": ["kube_control_plane"], "apiserver": True} for name in MEMBERS},
    "vars": {"endpoint_vip": "<lan:ipv4:100>"},
}
Record = Callable[[str, object], None]


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


def test_not_ready_keeps_what_is_open(user: Looker, record_property: Record) -> None:
    """As while etcd has no leader, or while one shuts down."""
    user.site().succeeded()
    with watches(user) as found:
        for member in MEMBERS:
            user.lab.apiserver(member, "500")
        servers_are(user, "cp1", *("%s=DOWN" % member for member in MEMBERS))
        with contextlib.suppress(OSError):
            Watch(user.vip)
            raise AssertionError("an API server that isn't ready got a new connection")
        time.sleep(5)
        assert all(watch.lives() for watch in found)
        for member in MEMBERS:
            user.lab.apiserver(member, "healthy")
        servers_are(user, "cp1", *("%s=UP" % member for member in MEMBERS))
        assert all(watch.lives() for watch in found)
        assert Watch(user.vip).server in MEMBERS
    record_property("figure", "all API servers not ready for 5 s: all open connections live on")


def test_silence_ends_what_is_open(user: Looker, record_property: Record) -> None:
    """A frozen process, whose host still answers for it as far as TCP goes."""
    with watches(user) as found:
        user.sh("cp3", "systemctl kill --signal=STOP api-stand-in")
        began = time.monotonic()
        try:
            theirs = next(watch for watch in found if watch.server == "cp3")
            theirs.join(15)
            assert theirs.ended is not None
            assert all(watch.lives() for watch in found if watch is not theirs)
        finally:
            user.sh("cp3", "systemctl kill --signal=CONT api-stand-in")
        record_property("figure", "a frozen API server: its connections ended after %.1f s" % (theirs.ended - began))
        servers_are(user, "cp1", "cp3=UP")
