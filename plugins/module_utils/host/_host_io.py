# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Read from a host: files, commands, netlink, sockets. Every call ends within the time it is given."""

from __future__ import annotations

import errno
import os
import pwd
import re
import shutil
import socket
import ssl
import stat
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple, TypeVar

from ..network import _netlink as netlink
from . import _identity
from . import _owned_files_io as owned

T = TypeVar("T")

# A login shell's PATH often lacks these, and daemons live there.
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NETLINK_BUFFER = 1 << 18
_NETLINK_TRIES = 5
# The kernel answers at once; only a host without any time to spare comes near.
_NETLINK_SECONDS = 10.0
_LINE_LIMIT = 8192
_READ_BUFFER = 1 << 16


class Timeout(Exception):
    """Nothing came in time."""


@dataclass(frozen=True)
class Output:
    """What a command said. `code` is None where it couldn't be run or took too long; `error` says why."""

    code: Optional[int]
    text: str
    error: str = ""


def read_text(path: str) -> str:
    """Nothing where it isn't there."""
    return (read_file(path) or b"").decode("utf-8", "replace")


def first_word(path: str) -> Optional[str]:
    words = read_text(path).split()
    return words[0] if words else None


def unwritable(folders: Iterable[str]) -> List[str]:
    """What is there of these folders, or the innermost one above that is, and can't be written into: not even by root,
    where its file system is read-only, or somebody has made it immutable."""
    found = set()
    for folder in folders:
        while not os.path.isdir(folder):
            folder = os.path.dirname(folder)
        if not os.access(folder, os.W_OK):
            found.add(folder)
    return sorted(found)


def read_file(path: str, limit: int = 1 << 24) -> Optional[bytes]:
    """None where there's no such file. For what root or the kernel has written; a pipe or a device isn't waited for."""
    try:
        # A link is followed, as /etc/os-release is one.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "this is no plain file; move it away", path)
        with os.fdopen(descriptor, "rb") as handle:
            chunks: List[bytes] = []
            # The kernel gives a setting below /proc/sys to nobody who asks for megabytes.
            while sum(map(len, chunks)) < limit:
                chunks.append(handle.read1(_READ_BUFFER))
                if not chunks[-1]:
                    break
            return b"".join(chunks)[:limit]
    except (FileNotFoundError, NotADirectoryError):
        return None


def list_folder(path: str) -> List[str]:
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


def has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def find_binary(name: str) -> Optional[str]:
    return shutil.which(name, path=os.environ.get("PATH", "") + ":" + _SYSTEM_PATH)


def run(argv: List[str], seconds: float) -> Output:
    """Standard output and error together: keepalived prints its version on the latter."""
    environment = dict(os.environ, LC_ALL="C", LANGUAGE="C")
    environment["PATH"] = environment.get("PATH", "") + ":" + _SYSTEM_PATH
    try:
        done = subprocess.run(  # pylint: disable=ansible-bad-function  # run_command knows no time limit
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


def read_links(seconds: float = _NETLINK_SECONDS) -> List[netlink.Link]:
    return [netlink.parse_link(message) for message in _dump(netlink.link_dump_request, seconds)]


def read_identity(links: Optional[List[netlink.Link]] = None) -> Dict[str, Any]:
    """Which machine this is."""
    links = read_links() if links is None else links
    return _identity.describe(
        read_text("/etc/machine-id"), read_text("/proc/sys/kernel/random/boot_id"), os.readlink("/proc/self/ns/net"),
        os.uname().nodename, ((link.name, link.mac, link.kind) for link in links))


def read_addresses(seconds: float = _NETLINK_SECONDS) -> List[netlink.Address]:
    parsed = (netlink.parse_address(message) for message in _dump(netlink.address_dump_request, seconds))
    return [address for address in parsed if address is not None]


def ask_unix_socket(path: str, question: bytes, seconds: float, limit: int = 1 << 24) -> bytes:
    """The whole answer, until the other end closes."""
    deadline = time.monotonic() + seconds
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as handle:
        try:
            _limit(handle, deadline)
            with owned.reached(path) as name:
                handle.connect(name)
            handle.sendall(question)
            return _read_all(handle, deadline, limit)
        except (socket.timeout, BlockingIOError):
            raise Timeout("no answer within %g s" % seconds) from None


@dataclass(frozen=True)
class Attempt:
    """How a connection went: `tcp` is ok, refused, timeout, unreachable or error."""

    tcp: str
    millis: float
    source: Optional[str] = None
    status: Optional[int] = None
    error: Optional[str] = None


def https_get(address: str, port: int, path: Optional[str], seconds: float) -> Attempt:
    """Connect, and ask for `path` by TLS unless it's None. Certificates aren't verified: only life is looked for."""
    begun = time.monotonic()
    deadline = begun + seconds
    tcp, source = "error", None
    try:
        with socket.create_connection((address, port), timeout=seconds) as plain:
            tcp, source = "ok", plain.getsockname()[0]
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            status = None if path is None else _https_status(plain, address, path, deadline)
            return Attempt(tcp, _millis(begun), source, status)
    except OSError as error:  # among them time-outs and what TLS complains about
        if tcp != "ok":
            tcp = _refusal(error)
        text = "no answer within %g s" % seconds if isinstance(error, socket.timeout) else error.strerror or str(error)
        return Attempt(tcp, _millis(begun), source, None, text)


def peer_certificate(address: str, port: int, seconds: float) -> bytes:
    """What a server says it is, unverified: DER."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection((address, port), timeout=seconds) as plain, context.wrap_socket(plain) as secure:
        return secure.getpeercert(True) or b""


def _https_status(plain: socket.socket, address: str, path: str, deadline: float) -> int:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    host = "[%s]" % address if ":" in address else address
    request = "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: kubeha\r\nConnection: close\r\n\r\n" % (path, host)
    _limit(plain, deadline)
    with context.wrap_socket(plain) as secure:
        _limit(secure, deadline)
        secure.sendall(request.encode("ascii", "replace"))
        head = b""
        while b"\n" not in head and len(head) < _LINE_LIMIT:
            _limit(secure, deadline)
            chunk = secure.recv(4096)
            if not chunk:
                break
            head += chunk
    status = re.match(rb"HTTP/1\.[01] (\d{3})\b", head)
    if not status:
        raise OSError("closed without an answer" if not head else "what answers doesn't speak HTTP")
    return int(status.group(1))


def _refusal(error: OSError) -> str:
    if isinstance(error, socket.timeout) or error.errno == errno.ETIMEDOUT:
        return "timeout"
    if error.errno == errno.ECONNREFUSED:
        return "refused"
    if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL):
        return "unreachable"
    return "error"


def _millis(begun: float) -> float:
    return round((time.monotonic() - begun) * 1000, 1)


def uptime() -> float:
    """Seconds since boot, by the clock that processes' start times are in."""
    return float((read_file("/proc/uptime") or b"0").split()[0])


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
