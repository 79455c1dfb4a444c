# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A local user who opens idle connections, and opens each anew as soon as it ends."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import socket
import time

NOBODY = 65534


def crowd(target: tuple[str, int], count: int, says: bytes = b"") -> None:
    """Runs until it's killed. `says` is sent by each, once it's connected."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 64, count + 64))
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    # HAProxy's unit gives it ten times as much of a processor as others have: CPUWeight=1000.
    os.nice(10)
    poll = select.epoll()
    links: dict[int, socket.socket] = {}
    events = select.EPOLLRDHUP

    def dial() -> None:
        link = socket.socket()
        link.setblocking(False)
        with contextlib.suppress(OSError):
            link.connect(target)
        links[link.fileno()] = link
        poll.register(link.fileno(), events | (select.EPOLLOUT if says else 0))

    for _number in range(count):
        dial()
    while True:
        for descriptor, event in poll.poll():
            if not event & ~select.EPOLLOUT:
                with contextlib.suppress(OSError):
                    links[descriptor].send(says)
                poll.modify(descriptor, events)
                continue
            poll.unregister(descriptor)
            links.pop(descriptor).close()
            with contextlib.suppress(OSError):
                dial()


def hold(target: tuple[str, int], count: int) -> None:
    """Opens connections once, and keeps those that it gets until it's killed."""
    links = []
    for _number in range(count):
        with contextlib.suppress(OSError):
            links.append(socket.create_connection(target, timeout=2))
    while True:
        time.sleep(60)
