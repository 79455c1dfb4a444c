# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import threading

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.drill import _client_io


@pytest.fixture(name="port")
def server(tmp_path):
    """It answers one GET after the other, as who wants credentials does."""
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test", "-keyout", str(key), "-out",
         str(certificate)], capture_output=True, check=False)
    assert made.returncode == 0, made.stderr
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        def serve():
            while True:
                try:
                    plain, dummy = listening.accept()
                except OSError:
                    return
                try:
                    with context.wrap_socket(plain, server_side=True) as stream:
                        stream.recv(4096)
                        stream.sendall(b"HTTP/1.1 401 Unauthorized\r\n\r\n")
                except OSError:
                    continue

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def asked(*targets):
    return {"targets": list(targets), "seconds": 60, "interval": 0.02, "limit": 5}


def test_it_measures_until_it_is_told_to_end_and_leaves_nothing(port, tmp_path, monkeypatch):
    monkeypatch.setattr(_client_io.tempfile, "tempdir", str(tmp_path))
    folder = _client_io.start(asked(["one", "127.0.0.1", port, "/readyz"]))
    assert os.stat(folder).st_mode & 0o077 == 0
    said = json.loads(json.dumps(_client_io.finish(folder)))
    assert [run for run in said["targets"]["one"] if run[3] == "ok"] and said["seconds"] > 0
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []


def test_who_never_answers_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(_client_io.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(_client_io, "_BEGIN_SECONDS", 1.0)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(_client_io.Failed, match="no answer from one"):
            _client_io.start(asked(["one", "127.0.0.1", nobody.getsockname()[1], "/readyz"]))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name, mode", [("other", 0o700), ("kubeha-drill-x", 0o755)])
def test_only_a_folder_of_its_own_is_ended_and_removed(tmp_path, name, mode):
    folder = tmp_path / name
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(_client_io.Failed, match="no client's folder"):
        _client_io.finish(str(folder))
    assert folder.is_dir()
