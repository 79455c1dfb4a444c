# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Ports: which one each endpoint gets, what HAProxy binds, and that nothing collides on any host."""

from __future__ import annotations

import typing as t

from ..intent._errors import Problems, Where
from ..intent._spec import Spec
from ._stored import Stored, elect, served, stays, vote

if t.TYPE_CHECKING:
    from ...module_utils.model._model import Bind

DEDICATED_PORT = 6443
STACKED_PORT = 8443

# What kubeadm starts beside an API server (kubernetes.io, "Ports and Protocols", and the components' health ports).
_KUBERNETES = {
    2379: "etcd", 2380: "etcd", 2381: "etcd", 10248: "kubelet", 10249: "kube-proxy", 10250: "kubelet",
    10256: "kube-proxy", 10257: "kube-controller-manager", 10259: "kube-scheduler",
}
_ALTERNATIVES = range(STACKED_PORT, 65536)


class Ports(t.NamedTuple):
    """What one endpoint listens on."""

    port: int
    stacked: bool                       # an API server runs on one of its balancers
    shared: bool                        # another endpoint has one of its ports on one of its balancers

    def binds(self, spec: Spec) -> list[Bind]:
        """HAProxy's listeners: every address of the VIPs' families, or just the VIPs where a port is shared."""
        ports = (self.port, *spec.former_ports)
        if self.shared:
            return [{"address": str(vip.address), "port": port, "family": vip.address.family}
                    for port in ports for vip in spec.vip]
        return [{"address": "*", "port": port, "family": family} for port in ports for family in spec.families]


def plan_ports(findings: Problems, specs: list[Spec], health_port: int, stored: Stored,
               metrics_port: int | None = None) -> list[Ports]:
    """Give each endpoint its port and refuse what collides."""
    apiservers = _apiserver_ports(specs)
    stacked = [any(host in apiservers for host in spec.lb_hosts) for spec in specs]
    ports = [_port(findings, spec, stacked[index], stored) for index, spec in enumerate(specs)]
    for spec, port in zip(specs, ports):
        _keep_former(findings, spec, port, stored)
    local = {"haproxy_health_port": health_port, **({"endpoint_metrics_port": metrics_port} if metrics_port else {})}
    ours = {*local.values(), *ports, *(former for spec in specs for former in spec.former_ports)}
    for spec, port in zip(specs, ports):
        if port == health_port:
            Where(findings, spec.origin("port")).problem("port_taken_by_health", port)
        for host in spec.lb_hosts:
            at = Where(findings, spec.origin("port"))
            if _refuse(at, port, host, apiservers.get(host), ours, spec.variable("port")):
                break  # the other hosts would say the same
        for former in spec.former_ports:
            _refuse_former(Where(findings, spec.origin("release_former")), former, spec, health_port, apiservers)
    for variable, port in local.items():
        for host in dict.fromkeys(host for spec in specs for host in spec.lb_hosts):
            if _refuse(Where(findings, variable), port, host, apiservers.get(host), ours, variable):
                break
    shared = _shared(specs, ports)
    return [Ports(port, stacked[index], index in shared) for index, port in enumerate(ports)]


def _apiserver_ports(specs: list[Spec]) -> dict[str, dict[int, str]]:
    """The ports of API servers on each host, and the endpoint that each belongs to."""
    found: dict[str, dict[int, str]] = {}
    for spec in specs:
        for host in spec.apiserver_hosts:
            found.setdefault(host, {}).setdefault(spec.apiserver_port, spec.name)
    return found


def _port(findings: Problems, spec: Spec, stacked: bool, stored: Stored) -> int:
    default = STACKED_PORT if stacked else DEDICATED_PORT
    planned = default if spec.port is None else spec.port
    variable = spec.variable("port")
    said = vote((record.host, record.ports[0]) for record in stored.records(spec))
    deployed = elect(findings, spec, "port", said) or next((port for port in said.said if port != planned), planned)
    if spec.port is None and said.said and said.elected is None and "port" not in spec.refused:
        Where(findings, variable).problem("hosts_disagree", None, what="port", said=said, variable=variable,
                                          endpoint=spec.name)
        return planned
    if planned == deployed or "port" in spec.refused:
        return planned
    if spec.port is None:
        Where(findings, variable).problem("port_would_change", deployed=deployed, default=default, variable=variable)
    else:
        findings.warn("port_changes", endpoint=spec.name, deployed=deployed, planned=planned)
    return planned


def _keep_former(findings: Problems, spec: Spec, planned: int, stored: Stored) -> None:
    """Deployed ports that aren't planned any more stay open beside the new one, until somebody lets them go."""
    former = [port for port in served(stored.records(spec)).ports if port != planned]
    # A default that would change a port is refused anyway.
    if former and spec.port is not None and stays(findings, spec, former, "port {0}".format(planned), "port "):
        spec.former_ports = former


def _refuse_former(at: Where, port: int, spec: Spec, health_port: int, apiservers: dict[str, dict[int, str]]) -> None:
    """A port that clients still use can't be given to anybody else on the same host."""
    host = next((name for name in spec.lb_hosts if port in apiservers.get(name, {})), None)
    if host or port == health_port:
        at.problem("former_unusable", "port {0}".format(port), endpoint=spec.name,
                   reason="API servers listen on it, as on {0}".format(host) if host else "haproxy_health_port has it")


def _refuse(at: Where, port: int, host: str, taken: dict[int, str] | None, ours: set[int], variable: str) -> bool:
    """Refuse a port that something else has on a host; ``taken`` are the ports of API servers, None without any, and
    ``ours`` those that HAProxy gets."""
    if taken is None or (port not in taken and port not in _KUBERNETES):
        return False
    free = next(number for number in _ALTERNATIVES if number not in {*taken, *ours, *_KUBERNETES})
    if port in taken:
        at.problem("port_taken_by_apiserver", port, host=host, endpoint=taken[port], variable=variable, free=free)
    else:
        at.problem("port_taken_by_kubernetes", port, host=host, service=_KUBERNETES[port], free=free)
    return True


def _shared(specs: list[Spec], ports: list[int]) -> set[int]:
    """The endpoints that share their port with another one on some balancer."""
    first: dict[tuple[str, int], int] = {}
    shared: set[int] = set()
    for index, spec in enumerate(specs):
        for host in spec.lb_hosts:
            for port in (ports[index], *spec.former_ports):
                other = first.setdefault((host, port), index)
                if other != index:
                    shared |= {other, index}
    return shared
