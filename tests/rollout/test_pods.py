# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Static pods on three kubelets without a cluster, changed step by step, and moved to services and back. The order is
part of it."""

from __future__ import annotations

from changes import Changes
from test_changes import unnoticed
from user import MEMBERS

SERVICES = ("haproxy", "keepalived")


def active(pods: Changes, host: str) -> str:
    """Of our services; what runs in pods isn't among them."""
    return pods.on(host, "sh", "-c", "systemctl is-active %s || true" % " ".join(SERVICES))


def manifests(pods: Changes, host: str) -> list[str]:
    return pods.on(host, "ls", "/etc/kubernetes/manifests").split()


def test_haproxys_pod_is_reloaded(pods: Changes) -> None:
    unnoticed(pods.noticed(
        "API server removed, pods", lambda: pods.site(endpoint_apiserver_hosts="cp1,cp2").succeeded()))
    unnoticed(pods.noticed("API server added, pods", lambda: pods.site().succeeded()))


def test_keepaliveds_pod_is_reloaded(pods: Changes) -> None:
    unnoticed(pods.noticed(
        "keepalived's configuration, pods", lambda: pods.site(endpoint_failback_delay=4).succeeded()))


def test_drain_and_undrain(pods: Changes) -> None:
    row = pods.noticed(
        "drain, pods", lambda: pods.playbook("playbooks/drain.yml", endpoint_hosts="cp1").succeeded())
    unnoticed(row, moves=1)
    assert pods.holders() == ["cp2"]
    unnoticed(pods.noticed("undrain, pods", lambda: pods.undrain("cp1")), moves=1)


def test_another_image(pods: Changes) -> None:
    row = pods.noticed(
        "image of HAProxy, pods", lambda: pods.site(haproxy_image="kubernetes.test/haproxy:3.0.11").succeeded())
    unnoticed(row, moves=3)
    pods.settle(haproxy_image="kubernetes.test/haproxy:3.0.11")


def test_an_image_that_does_not_start_is_rolled_back(pods: Changes) -> None:
    def change() -> None:
        # It has no HAProxy.
        wrong = {"haproxy_image": "kubernetes.test/keepalived:2.3", "endpoint_verify_timeout": 20}
        run = pods.site(**wrong).failed()
        assert "Put back, and well" in run.output
        assert "not touched" in run.output

    unnoticed(pods.noticed("broken image, rolled back", change), moves=1, lost=5)
    pods.settle(haproxy_image="kubernetes.test/haproxy:3.0.11")


def test_from_static_pods_to_services(pods: Changes) -> None:
    unnoticed(pods.noticed(
        "static pods to services", lambda: pods.site(endpoint_mode="service").succeeded()), moves=3)
    for host in MEMBERS:
        assert active(pods, host).split() == ["active", "active"]
        assert manifests(pods, host) == []
        left = pods.on(host, "find", "/etc/kubeha", "/etc/tmpfiles.d", "-name", "*", "-type", "f")
        assert left.split() == ["/etc/kubeha/plan.json"]
    pods.settle(endpoint_mode="service")


def test_from_services_to_static_pods(pods: Changes) -> None:
    unnoticed(pods.noticed("services to static pods", lambda: pods.site().succeeded()), moves=3)
    for host in MEMBERS:
        assert active(pods, host).split() == ["inactive", "inactive"]
        assert manifests(pods, host) == ["kubeha-haproxy.yaml", "kubeha-keepalived.yaml"]
        assert pods.on(host, "find", "/etc/systemd/system", "/usr/libexec", "-name", "*kubeha*") == ""
    pods.settle()
    run = pods.site().succeeded()
    assert {host: run.changed[host] for host in MEMBERS} == dict.fromkeys(MEMBERS, 0)


def test_remove(pods: Changes) -> None:
    pods.playbook("playbooks/remove.yml", endpoint_hosts="all").succeeded()
    for host in MEMBERS:
        assert pods.on(host, "find", "/etc", "/run", "/usr", "-xdev", "-name", "*kubeha*") == ""
        assert pods.on(host, "find", "/var/lib", "-maxdepth", "1", "-name", "*kubeha*") == ""
    again = pods.playbook("playbooks/remove.yml", endpoint_hosts="all").succeeded()
    assert {host: again.changed[host] for host in MEMBERS} == dict.fromkeys(MEMBERS, 0)
