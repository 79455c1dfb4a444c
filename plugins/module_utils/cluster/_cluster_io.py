# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a host tells of the Kubernetes on it: programs that run, certificates of API servers, the node's addresses."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
from functools import partial
from typing import TYPE_CHECKING, Dict, Iterator, Mapping, Optional, Tuple, Union
from urllib.parse import quote, urlsplit

from ..daemons import _process_io
from ..host import _host_io
from . import _certificate, _components

if TYPE_CHECKING:
    from ..model._model import Backend, Endpoint
    from ..model._observation import Kubelet, Names, Node, Program

# Where kubeadm puts it; only root may read it.
KUBELET_KUBECONFIG = "/etc/kubernetes/kubelet.conf"
_NODE_LIMIT = 1 << 22


def read_certificates(endpoint: Endpoint, host: str, seconds: float) -> Tuple[Dict[str, Names], Dict[str, str]]:
    """({API server: names in its certificate}, {API server: why it can't be read}); one that doesn't run is in neither.

    A host asks the API server that it has itself, and those of hosts that balance nothing, which nobody else would ask.
    """
    balancers = {member["host"] for instance in endpoint["instances"] for member in instance["members"]}
    backends = [item for item in endpoint["backends"] if item["name"] == host or item["name"] not in balancers]
    answers = _host_io.together({item["name"]: partial(_ask_names, item, seconds) for item in backends})
    names = {name: answer for name, answer in answers.items() if isinstance(answer, dict)}
    return names, {name: answer for name, answer in answers.items() if isinstance(answer, str)}


def _ask_names(backend: Backend, seconds: float) -> Union[Names, str, None]:
    """Names; words on what is wrong; or None where nothing listens."""
    try:
        der = _host_io.peer_certificate(backend["address"], backend["port"], seconds)
        return _certificate.subject_alt_names(der)
    except (ssl.SSLError, _certificate.CertificateError) as error:
        return "%s:%d: %s" % (backend["address"], backend["port"], error)
    except OSError:
        return None


def read_node(options: Mapping[str, str], seconds: float) -> Node:
    """{name, addresses} of this node as the cluster has them; nothing where there's no node or no answer.

    Asked as the kubelet, which may read its own node; its key stays on the host.
    """
    config = _components.parse_kubeconfig(read_text(KUBELET_KUBECONFIG))
    if config is None:
        return {}
    name = options.get("hostname-override") or socket.gethostname().lower()
    try:
        body = _get(config, "/api/v1/nodes/%s" % quote(name, safe=""), seconds)
    except (OSError, ValueError, http.client.HTTPException):
        return {}
    addresses = _components.node_addresses(body)
    return {} if addresses is None else {"name": name, "addresses": addresses}


def _get(config: _components.Kubeconfig, path: str, seconds: float) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # That the certificate lacks the name by which it's called is said elsewhere. The cluster's CA must have signed it.
    context.check_hostname = False
    context.load_verify_locations(cadata=config.authority)
    context.load_cert_chain(config.certificate, config.key)
    server = urlsplit(config.server)
    connection = http.client.HTTPSConnection(server.hostname or "", server.port, context=context, timeout=seconds)
    try:
        connection.request("GET", path, headers={"Accept": "application/json", "User-Agent": "kubeha"})
        return connection.getresponse().read(_NODE_LIMIT)
    finally:
        connection.close()


def read_kubelet() -> Kubelet:
    """{running, options} of the kubelet: of the process, else of the files that would start it."""
    for program in read_programs():
        if program["name"] in _components.KUBELETS:
            return {"running": True, "name": program["name"], "options": program["options"]}
    options = _components.kubelet_of_files([read_text(path) for path in _components.KUBELET_FILES])
    return {"running": False, "name": "kubelet", "options": options} if options else {}


def read_programs() -> Iterator[Program]:
    """Programs that somebody runs who may. A name alone, of a user's process or a pod's, is none."""
    owners, own = _process_io.Owners(), network_of(os.getpid())
    for pid in _process_io.pids():
        # What a container runs on a network of its own concerns nobody here.
        if network_of(pid) not in (None, own) or not owners.is_trusted(pid):
            continue
        argv = _process_io.arguments(pid)
        name = _components.program(argv)
        if name is None or not owners.may_run(name, pid):
            continue
        environment = {}
        if name in _components.ENVIRONMENT:
            environment = _components.environment_of(read_bytes("/proc/%d/environ" % pid))
        about = _components.describe(name, argv, environment)
        yield {"name": name, "options": about["options"], "pid": pid, "unit": owners.unit(pid),
               "owner": owners.owner(pid)}


def network_of(pid: int) -> Optional[str]:
    """The network namespace of a process; None where that can't be known."""
    try:
        return os.readlink("/proc/%d/ns/net" % pid)
    except OSError:
        return None


def read_text(path: str) -> str:
    return read_bytes(path).decode("utf-8", "replace")


def read_bytes(path: str) -> bytes:
    try:
        return _host_io.read_file(path) or b""
    except OSError:
        return b""  # a process that ended in between, a file that only its container may read
