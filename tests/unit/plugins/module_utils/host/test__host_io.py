# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _host_io as host_io

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="hosts are Linux")


def test_folders_that_can_not_be_written_are_those_that_are_there(tmp_path, monkeypatch):
    (tmp_path / "etc/haproxy").mkdir(parents=True)
    (tmp_path / "var").mkdir()
    read_only = {str(tmp_path / "etc"), str(tmp_path / "etc/haproxy")}
    monkeypatch.setattr(os, "access", lambda path, mode: (path, mode) not in {(item, os.W_OK) for item in read_only})
    folders = [str(tmp_path / name) for name in ("etc/haproxy", "etc/kubeha/parts.d", "etc/sysctl.d", "var/lib/kubeha")]
    assert host_io.unwritable(folders) == sorted(read_only)
    assert host_io.unwritable(folders[3:]) == []


def test_read_file(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert host_io.read_file(str(tmp_path / "a")) == b"12345"
    assert host_io.read_file(str(tmp_path / "a"), limit=2) == b"12"
    assert host_io.read_file(str(tmp_path / "none")) is None
    assert host_io.read_file(str(tmp_path / "a" / "below")) is None


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_what_is_no_file_is_not_waited_for(tmp_path, make):
    make(tmp_path / "a")
    with pytest.raises(OSError, match="this is no plain file; move it away: .*/a"):
        host_io.read_file(str(tmp_path / "a"))


def test_run():
    assert host_io.run(["sh", "-c", "echo out; echo err >&2; exit 3"], 5) == host_io.Output(3, "out\nerr\n")
    assert host_io.run(["sh", "-c", "echo $LC_ALL"], 5).text == "C\n"


def test_run_ends_in_time():
    begun = time.monotonic()
    output = host_io.run(["sleep", "60"], 0.2)
    assert output.code is None
    assert "took longer than 0.2 s" in output.error
    assert time.monotonic() - begun < 10


def test_run_of_nothing():
    output = host_io.run(["/no/such/program"], 5)
    assert output.code is None
    assert "No such file" in output.error


def test_together_is_at_the_same_time():
    barrier = threading.Barrier(3, timeout=10)
    assert sorted(host_io.together(dict.fromkeys("abc", barrier.wait)).values()) == [0, 1, 2]
    assert host_io.together({}) == {}


def test_kernel_tells_links_and_addresses():
    loopback = next(link for link in host_io.read_links() if link.name == "lo")
    assert (loopback.index, loopback.kind) == (1, "loopback")
    assert all(address.family in ("ipv4", "ipv6") for address in host_io.read_addresses())


@contextlib.contextmanager
def unix_server(path, answer):
    """Answers one connection; None is a process that was stopped: the kernel still takes connections."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(1)

        def serve():
            with server.accept()[0] as connection:
                connection.recv(100)
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        if answer is not None:
            thread.start()
        yield
        if answer is not None:
            thread.join(10)


@pytest.fixture(name="trusted", autouse=True)
def fixture_trusted(tmp_path, monkeypatch):
    for name, value in (("TOP", str(tmp_path)), ("ROOT", os.getuid()), ("ROOT_GROUP", os.getgid())):
        monkeypatch.setattr(host_io.owned, name, value)


def test_unix_socket(tmp_path):
    path = str(tmp_path / "s")
    with unix_server(path, b"x" * 200000):
        assert host_io.ask_unix_socket(path, b"show info\n", 5) == b"x" * 200000


@pytest.mark.parametrize("trap", ["link", "file", "pipe"])
def test_a_link_to_another_socket_is_not_followed(tmp_path, trap):
    """HAProxy's pod has the folder of its socket, and may want root to speak to another one."""
    path = str(tmp_path / "s")
    if trap == "link":
        os.symlink(tmp_path / "other", path)
    elif trap == "file":
        (tmp_path / "s").touch()
    else:
        os.mkfifo(path)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "other"))
        other.listen(1)
        with pytest.raises(host_io.owned.Untrusted, match="isn't a socket"):
            host_io.ask_unix_socket(path, b"show info\n", 0.2)


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files to others")
def test_a_socket_in_the_folder_of_its_owner(tmp_path):
    (tmp_path / "stats").mkdir(mode=0o700)
    path = str(tmp_path / "stats/s")
    with unix_server(path, b"yes"):
        os.chown(path, 99, 99)
        with pytest.raises(host_io.owned.Untrusted):
            host_io.ask_unix_socket(path, b"show info\n", 5)
        os.chown(tmp_path / "stats", 99, 99)
        assert host_io.ask_unix_socket(path, b"show info\n", 5) == b"yes"


def test_unix_socket_that_hangs(tmp_path):
    path = str(tmp_path / "s")
    with unix_server(path, None), pytest.raises(host_io.Timeout, match="0.2 s"):
        host_io.ask_unix_socket(path, b"show info\n", 0.2)


def test_unix_socket_that_nobody_serves(tmp_path):
    path = str(tmp_path / "s")
    with unix_server(path, b""), contextlib.suppress(host_io.Timeout):
        host_io.ask_unix_socket(path, b"\n", 5)
    with pytest.raises(OSError):
        host_io.ask_unix_socket(path, b"show info\n", 5)


@pytest.fixture(scope="module", name="certificate")
def make_certificate(tmp_path_factory):
    if not shutil.which("openssl"):
        pytest.skip("openssl makes the certificate")
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = str(folder / "key"), str(folder / "certificate")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-days", "2"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


@contextlib.contextmanager
def tcp_server(serve, certificate=None):
    """The port of a server that hands its one connection to `serve`."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = threading.Event()

        def run():
            with contextlib.suppress(OSError):
                connection = server.accept()[0]
                if certificate:
                    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                    context.load_cert_chain(*certificate)
                    connection = context.wrap_socket(connection, server_side=True)
                with connection:
                    serve(connection)
                    done.wait(10)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        done.set()
    thread.join(10)


def answer(text):
    def serve(connection):
        connection.recv(4096)
        connection.sendall(text)
        connection.close()

    return serve


def test_https_get(certificate):
    asked = []

    def serve(connection):
        asked.append(connection.recv(4096))
        connection.sendall(b"HTTP/1.1 401 Unauthorized\r\n\r\n")

    with tcp_server(serve, certificate) as port:
        attempt = host_io.https_get("127.0.0.1", port, "/readyz", 5)
    assert (attempt.tcp, attempt.status, attempt.source, attempt.error) == ("ok", 401, "127.0.0.1", None)
    assert attempt.millis > 0
    assert asked[0].startswith(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n")


def test_only_tcp():
    with tcp_server(lambda connection: None) as port:
        attempt = host_io.https_get("127.0.0.1", port, None, 5)
    assert (attempt.tcp, attempt.status, attempt.error) == ("ok", None, None)


ODD_ANSWERS = [(b"", "closed without an answer"), (b"SSH-2.0-x\r\n", "doesn't speak HTTP"), (b"\n", "doesn't speak")]


@pytest.mark.parametrize("text, error", ODD_ANSWERS)
def test_odd_answers(certificate, text, error):
    with tcp_server(answer(text), certificate) as port:
        attempt = host_io.https_get("127.0.0.1", port, "/readyz", 5)
    assert (attempt.tcp, attempt.status) == ("ok", None)
    assert error in attempt.error


def test_no_tls_behind_the_port():
    with tcp_server(lambda connection: connection.close()) as port:
        attempt = host_io.https_get("127.0.0.1", port, "/readyz", 5)
    assert (attempt.tcp, attempt.status) == ("ok", None)
    assert attempt.error


def test_server_that_hangs():
    with tcp_server(lambda connection: None) as port:
        begun = time.monotonic()
        attempt = host_io.https_get("127.0.0.1", port, "/readyz", 0.3)
        assert time.monotonic() - begun < 5
    assert (attempt.tcp, attempt.error) == ("ok", "no answer within 0.3 s")


def test_refused():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    attempt = host_io.https_get("127.0.0.1", port, "/readyz", 5)
    assert (attempt.tcp, attempt.source) == ("refused", None)
