#!/usr/bin/env python3
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for kube-apiserver: TLS, the health endpoints, a version, a stream; able to be ill on command.

    api_stand_in.py serve --port 6443 --certificate FILE --key FILE
    api_stand_in.py mode [MODE]       set the mode of the server on this host, or print it

Modes:
    healthy     /readyz, /livez, /healthz and /version answer 200
    500         /readyz and /healthz answer 500, the rest works: shutting down, or etcd is gone
    401         everything answers 401, as with --anonymous-auth=false
    403         everything answers 403, as without the public-info role
    slow=SEC    as healthy, each answer SEC late
    hang        the kernel accepts connections, nobody ever answers: a stopped process
    refuse      the port is closed

`GET /watch` streams one line each 100 ms until the client leaves, as a watch does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import ssl
import sys

CONTROL = "/run/api-stand-in.sock"
BACKLOG = 512
MODES = ("healthy", "500", "401", "403", "hang", "refuse")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve")
    serve.add_argument("--port", type=int, default=6443)
    serve.add_argument("--certificate", required=True)
    serve.add_argument("--key", required=True)
    mode = commands.add_parser("mode")
    mode.add_argument("mode", nargs="?", default="")
    arguments = parser.parse_args()
    if arguments.command == "mode":
        print(ask(arguments.mode))
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(arguments.certificate, arguments.key)
    # A ticket would be sent after the handshake, and a client that is gone by then makes us log a broken pipe.
    context.num_tickets = 0
    asyncio.run(StandIn(arguments.port, context).run())


def ask(mode: str) -> str:
    """Hand the mode to the running server; when this returns, it is in force."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(CONTROL)
        connection.sendall(mode.encode() + b"\n")
        answer = connection.makefile().readline().strip()
    if answer.startswith("error"):
        sys.exit(answer)
    return answer


class StandIn:
    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self.port = port
        self.context = context
        self.name = os.uname().nodename
        self.mode = "healthy"
        self.delay = 0.0
        self.servers: list[asyncio.AbstractServer] = []
        self.sockets: list[socket.socket] = []

    async def run(self) -> None:
        if os.path.exists(CONTROL):
            os.unlink(CONTROL)
        control = await asyncio.start_unix_server(self.control, CONTROL)
        await self.enter("healthy")
        print("serving as", self.name, flush=True)
        await control.serve_forever()

    async def control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wanted = (await reader.readline()).decode().strip()
        answer = self.mode
        if wanted:
            try:
                await self.enter(wanted)
                answer = wanted
            except ValueError as error:
                answer = f"error: {error}"
        writer.write(answer.encode() + b"\n")
        await writer.drain()
        writer.close()

    async def enter(self, mode: str) -> None:
        delay = 0.0
        if mode.startswith("slow="):
            delay = float(mode[5:])
        elif mode not in MODES:
            raise ValueError(f"no mode {mode!r}; there are {', '.join(MODES)} and slow=SECONDS")
        self.stop_listening()
        self.mode, self.delay = mode, delay
        if mode == "refuse":
            return
        self.sockets = [listening_socket(family, self.port) for family in (socket.AF_INET, socket.AF_INET6)]
        if mode == "hang":
            # Never accepted: what arrives stays in the backlog.
            return
        self.servers = [
            await asyncio.start_server(self.serve, sock=listener, ssl=self.context, ssl_handshake_timeout=10)
            for listener in self.sockets
        ]

    def stop_listening(self) -> None:
        for server in self.servers:
            server.close()
        self.servers = []
        for listener in self.sockets:
            listener.close()
        self.sockets = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self.converse(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ssl.SSLError):
            pass
        finally:
            writer.transport.abort()

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, path, version = head.split("\r\n", 1)[0].split(" ", 2)
            keep = version == "HTTP/1.1" and "connection: close" not in head.lower()
            if self.delay:
                await asyncio.sleep(self.delay)
            status = self.status_of(path)
            if path == "/watch" and status == 200:
                await self.stream(writer)
                return
            body = json.dumps({"host": self.name, "status": status, "path": path, "gitVersion": "v1.34.0"}).encode()
            writer.write(
                f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\nConnection: {'keep-alive' if keep else 'close'}\r\n\r\n".encode()
                + (b"" if method == "HEAD" else body)
            )
            await writer.drain()
            if not keep:
                writer.close()
                await writer.wait_closed()
                return

    def status_of(self, path: str) -> int:
        if self.mode in ("401", "403"):
            return int(self.mode)
        if self.mode == "500" and path.startswith(("/readyz", "/healthz")):
            return 500
        return 200 if path.startswith(("/readyz", "/livez", "/healthz", "/version", "/watch")) else 404

    async def stream(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")
        number = 0
        while True:
            number += 1
            writer.write(json.dumps({"host": self.name, "event": number}).encode() + b"\n")
            await writer.drain()
            await asyncio.sleep(0.1)


REASONS = {200: "OK", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 500: "Internal Server Error"}


def listening_socket(family: socket.AddressFamily, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", port))
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener


if __name__ == "__main__":
    main()
