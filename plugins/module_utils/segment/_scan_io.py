# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Which VRRP routers are heard on the interfaces of this host."""

from __future__ import annotations

import errno
import socket
from typing import Any, Dict, Iterable, Optional, Tuple

from ._routers import FAMILIES, Heard
from ._segment_io import Part, is_for_us, reason, run, vrrp_member, vrrp_tap


def scan(interfaces: Iterable[str], seconds: float) -> Dict[str, Any]:
    """What was heard on each interface within that time."""
    heard = Scan(interfaces, seconds, seconds)
    run([heard])
    found: Dict[str, Any] = heard.result()["interfaces"]
    return found


class Scan(Part):
    """Routers heard on each interface."""

    def __init__(self, interfaces: Iterable[str], seconds: float, max_seconds: float) -> None:
        super().__init__()
        self._earliest = self.begun + seconds
        self._latest = self.begun + max(seconds, max_seconds)
        self._heard: Dict[str, Heard] = {}
        self._errors: Dict[str, str] = {}
        self._interfaces: Dict[socket.socket, str] = {}
        self._ended = self.begun
        for interface in dict.fromkeys(interfaces):
            try:
                self._listen(interface)
                self._heard[interface] = Heard()
            except OSError as error:
                self._errors[interface] = reason(error, interface)

    def _listen(self, interface: str) -> None:
        for family in FAMILIES:
            try:
                self._own(vrrp_member(interface, family))
            except OSError as error:
                if family == "ipv4" or error.errno in (errno.ENODEV, errno.EPERM):
                    raise
                continue  # a host without IPv6
            self._interfaces[self._own(vrrp_tap(interface, family))] = interface

    def act(self, now: float) -> Optional[float]:
        if not self._heard:
            return None
        until = max(heard.until(self._earliest, self._latest) for heard in self._heard.values())
        self._ended = now
        return None if now >= until else min(until, now + 1)

    def on_packet(self, handle: socket.socket, data: bytes, address: Tuple[Any, ...], now: float) -> None:
        if handle in self._interfaces and is_for_us(address):
            self._heard[self._interfaces[handle]].add(data, address[4].hex(":"), now)

    def result(self) -> Dict[str, Any]:
        interfaces: Dict[str, Any] = {name: dict(heard.result(), error=None) for name, heard in self._heard.items()}
        for name, text in self._errors.items():
            interfaces[name] = dict(Heard().result(), error=text)
        return {"seconds": round(self._ended - self.begun, 3), "interfaces": interfaces, "error": None}
