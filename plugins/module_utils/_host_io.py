# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Read from a host: files, commands, netlink, sockets. Every call ends within the time it is given."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Callable, Dict, List, Mapping, Optional, Tuple, TypeVar

from ansible_collections.kubeha.apiserver.plugins.module_utils import _netlink as netlink

T = TypeVar("T")

# A login shell's PATH often lacks these, and daemons live there.
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NETLINK_BUFFER = 1 << 18
_NETLINK_TRIES = 5


class Timeout(Exception):
    """Nothing came in time."""


@dataclass(frozen=True)
class Output:
    """What a command said. `code` is None where it couldn't be run or took too long; `error` says why."""

    code: Optional[int]
    text: str
    error: str = ""


def read_file(path: str, limit: int = 1 << 24) -> Optional[bytes]:
    """None where there's no such file."""
    try:
        with open(path, "rb") as handle:
            return handle.read(limit)
    except (FileNotFoundError, NotADirectoryError):
        return None


def find_binary(name: str) -> Optional[str]:
    return shutil.which(name, path=os.environ.get("PATH", "") + ":" + _SYSTEM_PATH)


def run(argv: List[str], seconds: float) -> Output:
    """Standard output and error together: keepalived prints its version on the latter."""
    environment = dict(os.environ, LC_ALL="C", LANGUAGE="C")
    environment["PATH"] = environment.get("PATH", "") + ":" + _SYSTEM_PATH
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Output(None, "", "%s took longer than %g s" % (argv[0], seconds))
    except OSError as error:
        return Output(None, "", "%s: %s" % (argv[0], error.strerror or error))
    return Output(done.returncode, done.stdout.decode("utf-8", "replace"))


def together(calls: Mapping[str, Callable[[], T]]) -> Dict[str, T]:
    """Results of calls made at the same time."""
    if not calls:
        return {}
    with ThreadPoolExecutor(max_workers=min(16, len(calls))) as pool:
        futures = {name: pool.submit(call) for name, call in calls.items()}
        return {name: future.result() for name, future in futures.items()}


def read_links(seconds: float = 1.0) -> List[netlink.Link]:
    return [netlink.parse_link(message) for message in _dump(netlink.link_dump_request, seconds)]


def read_addresses(seconds: float = 1.0) -> List[netlink.Address]:
    parsed = (netlink.parse_address(message) for message in _dump(netlink.address_dump_request, seconds))
    return [address for address in parsed if address is not None]


def ask_unix_socket(path: str, question: bytes, seconds: float, limit: int = 1 << 24) -> bytes:
    """The whole answer, until the other end closes."""
    deadline = time.monotonic() + seconds
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as handle:
        try:
            _limit(handle, deadline)
            handle.connect(path)
            handle.sendall(question)
            return _read_all(handle, deadline, limit)
        except (socket.timeout, BlockingIOError):
            raise Timeout("no answer within %g s" % seconds) from None


def _dump(request: Callable[[int], bytes], seconds: float) -> List[netlink.Message]:
    """A dump that a change interrupted is inconsistent, and asked for again."""
    deadline = time.monotonic() + seconds
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as handle:
        messages: List[netlink.Message] = []
        for sequence in range(1, _NETLINK_TRIES + 1):
            messages, interrupted = _dump_once(handle, request(sequence), sequence, deadline)
            if not interrupted:
                break
        return messages


def _dump_once(
    handle: socket.socket, request: bytes, sequence: int, deadline: float
) -> Tuple[List[netlink.Message], bool]:
    handle.send(request)
    messages: List[netlink.Message] = []
    interrupted = False
    while True:
        _limit(handle, deadline)
        try:
            batch = netlink.parse_batch(handle.recv(_NETLINK_BUFFER), sequence)
        except socket.timeout:
            raise Timeout("the kernel's answer didn't end in time") from None
        messages.extend(batch.messages)
        interrupted = interrupted or batch.interrupted
        if batch.done:
            return messages, interrupted


def _read_all(handle: socket.socket, deadline: float, limit: int) -> bytes:
    chunks = []
    size = 0
    while size < limit:
        _limit(handle, deadline)
        chunk = handle.recv(1 << 16)
        if not chunk:
            break
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)


def _limit(handle: socket.socket, deadline: float) -> None:
    left = deadline - time.monotonic()
    if left <= 0:
        raise socket.timeout()
    handle.settimeout(left)
