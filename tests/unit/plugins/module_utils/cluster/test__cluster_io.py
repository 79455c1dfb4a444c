# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asked for real: an API server's stand-in with certificates of a CA, on this machine's loopback."""

from __future__ import annotations

import base64
import http.server
import json
import shutil
import socket
import ssl
import subprocess
import sys
import threading

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.cluster import _cluster_io as cluster_io

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="hosts are Linux")


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    """ca.crt; server.pem, for 10.96.0.1 and not for the address that it has; client.pem, a kubelet's."""
    if not shutil.which("openssl"):
        pytest.skip("openssl makes the certificates")
    folder = tmp_path_factory.mktemp("pki")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=str(folder), check=True, capture_output=True)

    for name in ("ca", "other"):
        openssl(
            "req", "-x509", *key, "-subj", "/CN=" + name, "-days", "2", "-keyout", name + ".key", "-out", name + ".crt"
        )
    for name, subject, extra in (
        ("server", "/CN=kube-apiserver", "subjectAltName=DNS:kubernetes,IP:10.96.0.1"),
        ("client", "/O=system:nodes/CN=system:node:cp1", "extendedKeyUsage=clientAuth"),
    ):
        (folder / (name + ".ext")).write_text(extra + "\n", encoding="ascii")
        openssl("req", *key, "-subj", subject, "-keyout", name + ".key", "-out", name + ".csr")
        openssl(
            "x509", "-req", "-in", name + ".csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-set_serial", "7", "-days", "2",
            "-extfile", name + ".ext", "-out", name + ".crt",
        )  # fmt: skip
        (folder / (name + ".pem")).write_bytes(
            b"".join((folder / (name + end)).read_bytes() for end in (".crt", ".key"))
        )
    return folder


@pytest.fixture
def api_server(pki):
    """Answers as an API server does to a kubelet that asks for a node."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            subject = self.connection.getpeercert()
            asked.append((self.path, subject and subject["subject"][-1][0][1]))
            addresses = [{"type": "InternalIP", "address": "198.51.100.100"}, {"type": "Hostname", "address": "cp1"}]
            body = json.dumps({"kind": "Node", "status": {"addresses": addresses}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(pki / "server.pem"))
    context.load_verify_locations(str(pki / "ca.crt"))
    context.verify_mode = ssl.CERT_OPTIONAL
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    server.asked = asked
    yield server
    server.shutdown()
    server.server_close()


def kubeconfig(pki, port, authority="ca"):
    lines = {
        "certificate-authority-data": base64.b64encode((pki / (authority + ".crt")).read_bytes()).decode(),
        "server": "https://127.0.0.1:%d" % port,
        "client-certificate": pki / "client.pem",
        "client-key": pki / "client.pem",
    }
    file = pki / "kubelet.conf"
    file.write_text("".join("    %s: %s\n" % item for item in lines.items()), encoding="utf-8")
    return str(file)


def test_a_node_is_asked_for_as_the_kubelet(pki, api_server, monkeypatch):
    monkeypatch.setattr(cluster_io, "KUBELET_KUBECONFIG", kubeconfig(pki, api_server.server_port))
    node = cluster_io.read_node({"hostname-override": "cp1"}, 5)
    assert node == {"name": "cp1", "addresses": ["198.51.100.100"]}
    assert api_server.asked == [("/api/v1/nodes/cp1", "system:node:cp1")]


def test_nobody_else_learns_who_the_kubelet_is(pki, api_server, monkeypatch):
    monkeypatch.setattr(cluster_io, "KUBELET_KUBECONFIG", kubeconfig(pki, api_server.server_port, "other"))
    assert cluster_io.read_node({}, 5) == {}
    assert api_server.asked == []


def test_no_node_and_no_answer(pki, monkeypatch):
    monkeypatch.setattr(cluster_io, "KUBELET_KUBECONFIG", str(pki / "none"))
    assert cluster_io.read_node({}, 5) == {}
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setattr(cluster_io, "KUBELET_KUBECONFIG", kubeconfig(pki, unused.getsockname()[1]))
        assert cluster_io.read_node({}, 5) == {}


def test_certificates_are_asked_of_those_whom_nobody_else_asks(api_server):
    port = api_server.server_port
    endpoint = {
        "instances": [{"members": [{"host": "cp1"}, {"host": "cp2"}]}],
        "backends": [{"name": name, "address": "127.0.0.1", "port": port} for name in ("cp1", "cp2", "api3")],
    }
    names = {"dns": ["kubernetes"], "ip": ["10.96.0.1"]}
    assert cluster_io.read_certificates(endpoint, "cp1", 5) == ({"cp1": names, "api3": names}, {})


def test_an_api_server_that_does_not_run_has_no_certificate():
    with socket.socket() as unused, socket.socket() as other:
        unused.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        thread = threading.Thread(target=lambda: other.accept()[0].sendall(b"no TLS at all"), daemon=True)
        thread.start()
        endpoint = {
            "instances": [],
            "backends": [
                {"name": "silent", "address": "127.0.0.1", "port": unused.getsockname()[1]},
                {"name": "odd", "address": "127.0.0.1", "port": other.getsockname()[1]},
            ],
        }
        names, errors = cluster_io.read_certificates(endpoint, "lb1", 5)
    assert names == {}
    assert list(errors) == ["odd"]


def test_programs_of_this_host():
    assert all(item["name"] and item["pid"] in cluster_io.pids() for item in cluster_io.read_programs())
