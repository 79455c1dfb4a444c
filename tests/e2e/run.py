#!/usr/bin/env python3
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real cluster behind our endpoint, from before `kubeadm init` to after a control plane was replaced.

Each step builds on those before it, so the first that fails ends the run. See README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import yaml
from _lab import kubernetes, pods
from _lab.lab import Lab, down
from _lab.measure import Change, Measurement, Watch
from _lab.podman import LabError, say
from cluster import CLIENT, HERE, IGNORED_PREFLIGHT, PORT, Cluster, Failure, Stream, metered, seen, until

LAB = "e2e"
# Our timers are a thirtieth of the default in topology.yml, and so is all that depends on time here.
QUIET = 20
SILENT = {"HTTP2_READ_IDLE_TIMEOUT_SECONDS": "0"}
# The client's own: 30 s without a byte, then 15 s for an answer; these are whole seconds.
PINGING = {"HTTP2_READ_IDLE_TIMEOUT_SECONDS": "1", "HTTP2_PING_TIMEOUT_SECONDS": "1"}
MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"


def endpoint(cluster: Cluster) -> str:
    """site.yml before there is any API server: the VIP is up, as kubeadm init needs it"""
    changed = cluster.playbook("site")
    if cluster.pods:
        # The kubelet that kubeadm init starts will start them.
        unproven(cluster, *cluster.members)
        return f"manifests are in place, not proven; {changed}"
    reach(cluster)
    return f"{cluster.holder()} holds {cluster.vip}; {changed}"


def init(cluster: Cluster) -> str:
    """kubeadm init on the first control plane, with the VIP as controlPlaneEndpoint"""
    first = cluster.members[0]
    cluster.init(first)
    cluster.equip_client()
    return f"the client's kubectl sees {', '.join(cluster.ready())} through {cluster.endpoint}"


def join(cluster: Cluster) -> str:
    """kubeadm join --control-plane on the two others, through the VIP"""
    with metered(cluster.lab, cluster.endpoint) as meter:
        for host in cluster.members[1:]:
            began = time.monotonic()
            cluster.join(host)
            say(f"    {host} joined in {time.monotonic() - began:.0f} s")
    took = until("all nodes are ready", lambda: all_ready(cluster), 120)
    return f"all ready {took:.0f} s later; {seen(meter)}"


def again(cluster: Cluster) -> str:
    """site.yml with API servers there: nothing changes; status.yml agrees"""
    changed = cluster.playbook("site")
    if any(f" {count} changed" in changed for count in "123456789"):
        raise Failure(f"the second run changed something: {changed}")
    agree(cluster)
    return changed


def quiet(cluster: Cluster) -> str:
    """A watch and a log in which nothing happens for 10 minutes' worth of HAProxy's timers, without any pings"""
    cluster.apply(configmap(0), chatter("rare", cluster.members[0], f"{QUIET + 5}s"))
    until("the pod says something", lambda: cluster.kubectl("logs", "rare"), 60)
    with watch(cluster, SILENT) as changes, follow(cluster, "rare", SILENT) as log:
        until("both streams have begun", lambda: changes.lines() and log.lines(), 15)
        lines = len(log.lines())
        time.sleep(QUIET)
        clock = cluster.clock()
        cluster.apply(configmap(1))
        until("the watch sees a change", lambda: changes.lines(clock), 10, 0.1)
        until("the log goes on", lambda: len(log.lines()) > lines, QUIET + 10)
        for name, stream in (("watch", changes), ("log", log)):
            if stream.starts() != 1:
                raise Failure(f"the {name} did not live through {QUIET} quiet seconds: {stream.ends()}")
    return f"both lived through {QUIET} s, with a client timeout of 2 s"


def stop_apiserver(cluster: Cluster) -> str:
    """The API server on the VIP's holder is stopped, and comes back"""
    host = cluster.holder()
    with metered(cluster.lab, cluster.endpoint) as meter:
        cluster.lab.run(host, "mv", MANIFEST, "/root/kube-apiserver.yaml")
        until(f"no API server on {host}", lambda: not serves(cluster, host), 60)
        time.sleep(3)
        nodes = cluster.ready()
        cluster.lab.run(host, "mv", "/root/kube-apiserver.yaml", MANIFEST)
        took = until(f"an API server on {host}", lambda: serves(cluster, host), 90)
        time.sleep(3)
    if cluster.holder() != host:
        raise Failure(f"the VIP left {host}, whose HAProxy works and reaches other API servers")
    return f"{len(nodes)} nodes seen meanwhile; back after {took:.0f} s; the VIP stayed on {host}; {seen(meter)}"


def kill_holder(cluster: Cluster) -> str:
    """The node that holds the VIP loses its power; watch and log are there again by themselves"""
    host = cluster.holder()
    # The log's own node must survive.
    cluster.apply(configmap(1), chatter("often", next(member for member in cluster.members if member != host), "200ms"))
    until("the pod says something", lambda: cluster.kubectl("logs", "often"), 90)
    with (
        watch(cluster, PINGING) as changes,
        follow(cluster, "often", PINGING) as log,
        metered(cluster.lab, cluster.endpoint) as meter,
    ):
        until("both streams have begun", lambda: changes.lines() and log.lines(), 15)
        time.sleep(1)
        clock = cluster.clock()
        cluster.lab.kill(host)
        # More than one for a moment is as good: on a starved machine survivors hear each other late.
        until("another host holds the VIP", lambda: cluster.lab.holders(cluster.vip), 20, 0.1)
        until("the client sees nodes", cluster.ready, 30)
        written = until("a change is written", lambda: cluster.apply(configmap(2)) or True, 30)
        until("the watch sees the change", lambda: any("value=2" in text for at, text in changes.lines(clock)), 60, 0.1)
        until("the log goes on", lambda: again_after(log, clock), 60, 0.1)
        time.sleep(2)
    back = {name: again_after(stream, clock) - clock for name, stream in (("watch", changes), ("log", log))}
    return (
        f"{cluster.holder()} took over; {seen(meter)}; etcd took a write within {written:.1f} s more; "
        + ", ".join(f"{name} again after {seconds:.1f} s" for name, seconds in back.items())
    )


def bring_back(cluster: Cluster) -> str:
    """The node has power again: API server, node and VIP come back"""
    # With failback the first member is the preferred one, and was the holder.
    host = cluster.members[0]
    with metered(cluster.lab, cluster.endpoint) as meter:
        cluster.lab.boot(host)
        ready = until(f"{host} is ready", lambda: serves(cluster, host) and cluster.ready()[host], 120)
        home = until(f"the VIP is back on {host}", lambda: cluster.holder() == host, 60)
        time.sleep(1)
    agree(cluster)
    return f"API server and node ready after {ready:.0f} s, VIP back {home:.0f} s later; {seen(meter)}"


def grow(cluster: Cluster) -> str:
    """A fourth control plane: in the inventory, site.yml, kubeadm join"""
    cluster.members = [*cluster.members, "cp4"]
    with metered(cluster.lab, cluster.endpoint) as playbook:
        changed = cluster.playbook("site")
    with metered(cluster.lab, cluster.endpoint) as meter:
        cluster.join("cp4")
        took = until("all nodes are ready", lambda: all_ready(cluster), 120)
        agree(cluster)
    return f"{changed}; site.yml: {seen(playbook)}; joined, and ready {took:.0f} s later: {seen(meter)}"


def upgrade(cluster: Cluster) -> str:
    """kubeadm upgrade node, from a version to the same one: what is ours stays as it is"""
    host = cluster.members[1]
    before = cluster.manifests(host)
    with metered(cluster.lab, cluster.endpoint) as meter:
        # kubeadm would restart etcd because it has more members now, and wait for more than a minute.
        ignored = "--ignore-preflight-errors=" + ",".join(IGNORED_PREFLIGHT)
        cluster.kubeadm(host, "upgrade", "node", "--etcd-upgrade=false", ignored)
        until(f"an API server on {host}", lambda: serves(cluster, host), 90)
    if cluster.pods and (cluster.manifests(host) != before or before.count("kubeha-") != 2):
        raise Failure(f"our manifests on {host} were\n{before}and are\n{cluster.manifests(host)}")
    agree(cluster)
    return seen(meter)


def shrink(cluster: Cluster) -> str:
    """The first control plane goes, which holds the VIP: kubeadm reset, out of the inventory, site.yml"""
    gone, *rest = cluster.members
    with metered(cluster.lab, cluster.endpoint, interval=0.01) as meter, two_holders(cluster) as both:
        if not cluster.pods:
            cluster.forget(gone)
        cluster.reset(gone)
        # For a moment other hosts still know the one that is gone, as API server or as holder.
        deleted = until("the node is deleted through the VIP", lambda: cluster.kubectl("delete", "node", gone), 15)
        until("one of the others holds the VIP", lambda: cluster.holder() in rest, 15, 0.1)
    if cluster.pods:
        put_back(cluster, gone)
        cluster.forget(gone)
    cluster.members = rest
    with metered(cluster.lab, cluster.endpoint) as playbook:
        changed = cluster.playbook("site")
    agree(cluster)
    if not all_ready(cluster):
        raise Failure(f"not all nodes are ready: {cluster.ready()}")
    return (
        f"{cluster.holder()} holds it; two hosts had it for {both['seconds']:.1f} s; kubectl after {deleted:.1f} s;"
        f" {seen(meter)}; {changed}; site.yml: {seen(playbook)}"
    )


# The kubelet starts it again at once. Of former containers there are no tasks any more.
END_APISERVER = """
for id in $(ctr --namespace k8s.io containers list --quiet 'labels."io.kubernetes.container.name"==kube-apiserver'); do
    ctr --namespace k8s.io tasks kill --signal SIGKILL "$id" || true
done
"""


def certificate(cluster: Cluster) -> str:
    """An API server's certificate without the VIP is named, and mended as advised"""
    host = cluster.members[-1]
    planned = cluster.configuration()
    own = {**planned, "controlPlaneEndpoint": cluster.lab.address(host), "apiServer": {}}
    cluster.write_certificate_configuration(host, "/root/planned.yaml", planned)
    cluster.write_certificate_configuration(host, "/root/own.yaml", own)
    script = "rm /etc/kubernetes/pki/apiserver.*; kubeadm init phase certs apiserver --config /root/own.yaml"
    cluster.lab.run(host, "sh", "-euc", script)
    took = until("status.yml names it", lambda: certificate_fix(cluster, host), 90)
    for command in re.findall(r"`([^`]+)`", certificate_fix(cluster, host)):
        cluster.lab.run(host, "sh", "-euc", command.replace("FILE", "/root/planned.yaml"))
    # Within a minute it would read it by itself.
    cluster.lab.run(host, "sh", "-euc", END_APISERVER)
    began = time.monotonic()
    agree(cluster)
    return f"named after {took:.0f} s, mended after {time.monotonic() - began:.0f} s"


def certificate_fix(cluster: Cluster, host: str) -> str:
    file = cluster.lab.directory / "status.json"
    with contextlib.suppress(Failure):
        cluster.playbook("status", endpoint_status_file=str(file))
    found = json.loads(file.read_text(encoding="utf-8"))["findings"]
    return next((item["fix"] for item in found if (item["code"], item["host"]) == ("certificate_lacks_vip", host)), "")


STEPS: tuple[Callable[[Cluster], str], ...] = (
    endpoint, init, join, again, quiet, stop_apiserver, kill_holder, bring_back, upgrade, grow, shrink, certificate,
)  # fmt: skip
BRIEF = (endpoint, init, join, again, kill_holder, bring_back)


# What the steps ask and give


def reach(cluster: Cluster) -> None:
    script = f"import socket; socket.create_connection(({cluster.vip!r}, {PORT}), 3)"
    cluster.lab.run(CLIENT, "python3", "-c", script)


def unproven(cluster: Cluster, *hosts: str) -> None:
    """Manifests lie where a kubelet will find them, and site.yml has said that none runs."""
    for host in hosts:
        if cluster.manifests(host).count("kubeha-") != 2:
            raise Failure(f"{host} has not both manifests: {cluster.manifests(host)}")
        # Warnings are broken into lines.
        if f"{host}: not proven: kubelet absent" not in " ".join(cluster.said.split()):
            raise Failure(f"site.yml does not say that no kubelet runs on {host}:\n{cluster.said[-3000:]}")


def put_back(cluster: Cluster, host: str) -> None:
    """kubeadm reset has emptied the folder; the next run of site.yml knows."""
    if cluster.manifests(host):
        raise Failure(f"kubeadm reset has left manifests on {host}: {cluster.manifests(host)}")
    cluster.playbook("site")
    unproven(cluster, host)


@contextlib.contextmanager
def two_holders(cluster: Cluster) -> Iterator[dict[str, float]]:
    """While the block runs members say when the VIP comes and goes; afterwards the result is filled."""
    result: dict[str, float] = {}
    with contextlib.ExitStack() as stack:
        watched = Watch(cluster.lab, cluster.vip, stack)
        for host in cluster.members:
            watched.start(host)
        yield result
        end = time.monotonic()
        changes = [Change(*change) for change in watched.changes]
    result["seconds"] = Measurement([], end, end, end, changes).two_holders()


def agree(cluster: Cluster) -> None:
    """The members do what was planned; on a busy machine an API server isn't always ready at once."""
    until("status.yml finds nothing", lambda: cluster.playbook("status"), 90, 2)


def all_ready(cluster: Cluster) -> bool:
    nodes = cluster.ready()
    return sorted(nodes) == sorted(cluster.members) and all(nodes.values())


def serves(cluster: Cluster, host: str) -> bool:
    """Does the API server on this host, asked directly, call itself ready?"""
    server = f"--server=https://{cluster.lab.address(host)}:6443"
    result = cluster.lab.run(
        CLIENT, "kubectl", server, "--request-timeout=2s", "get", "--raw=/readyz", check=False
    )  # fmt: skip
    return result.stdout.strip() == "ok"


def configmap(value: int) -> object:
    return {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "watched", "labels": {"value": str(value)}},
    }  # fmt: skip


def chatter(name: str, host: str, every: str) -> object:
    """A pod on this host that says something so often."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "nodeName": host,
            "containers": [
                {
                    "name": "chatter",
                    "image": f"{kubernetes.REGISTRY}/chatter:1",
                    "imagePullPolicy": "Never",
                    "command": ["chatter", every],
                }
            ],
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": False,
        },
    }


def watch(cluster: Cluster, environment: dict[str, str]) -> AbstractContextManager[Stream]:
    command = ["kubectl", "get", "configmap", "watched", "--watch", "--no-headers", "--show-labels"]
    return Stream.of(cluster.lab, *command, environment=environment)


def follow(cluster: Cluster, pod: str, environment: dict[str, str]) -> AbstractContextManager[Stream]:
    return Stream.of(cluster.lab, "kubectl", "logs", pod, "--follow", "--tail=1", environment=environment)


def again_after(stream: Stream, clock: float) -> float:
    """When the stream said something again that was not said by the process that lived at that time."""
    started = 0.0
    for event in list(stream.events):
        if event["event"] == "start" and event["clock"] > clock:
            started = event["clock"]
        elif event["event"] == "line" and started:
            return float(event["clock"])
    return 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", nargs="?", choices=("service", "static_pod"), default="service", help="endpoint_mode")
    parser.add_argument("--brief", action="store_true", help="only: " + ", ".join(step.__name__ for step in BRIEF))
    parser.add_argument("--build", action="store_true", help="only build Kubernetes and the hosts' image")
    parser.add_argument("--keep", action="store_true", help="leave the cluster running: ./dev lab exec e2e client")
    names = [step.__name__ for step in STEPS]
    parser.add_argument("--until", choices=names, help="stop after this step; implies --keep")
    arguments = parser.parse_args()
    try:
        kubernetes.ensure()
    except kubernetes.NoGo as error:
        if os.environ.get("CI") == "true":
            raise
        say(f"NOT TESTED: a real Kubernetes cluster: {error}")
        return 0
    pods.ensure()
    if arguments.build:
        return 0
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    if load > 4:
        say(f"this machine has {load:.0f} times more to do than it can: etcd and kubeadm may run out of time")
    results: list[tuple[str, str, float, str]] = []
    began = time.monotonic()
    lab = Lab.up(LAB, yaml.safe_load((HERE / "topology.yml").read_text(encoding="utf-8")))
    cluster = Cluster(lab, arguments.mode)
    cluster.members = ["cp1", "cp2", "cp3"]
    say(f"lab up in {time.monotonic() - began:.0f} s")
    for step in BRIEF if arguments.brief else STEPS:
        say(str(step.__doc__))
        began = time.monotonic()
        try:
            note, result = step(cluster), "passed"
        except (Failure, LabError) as error:
            note, result = str(error), "FAILED"
        results.append((step.__name__, result, time.monotonic() - began, note))
        say(f"    {result} in {time.monotonic() - began:.0f} s: {note}")
        if result == "FAILED":
            say(f"what the hosts' logs say: {cluster.diagnose()}")
            break
        if step.__name__ == arguments.until:
            break
    failed = sum(result == "FAILED" for name, result, seconds, note in results)
    print(f"\n{'step':16} {'result':7} {'seconds':>7}  what was seen")
    for name, result, seconds, note in results:
        print(f"{name:16} {result:7} {seconds:7.0f}  {note.splitlines()[0]}")
    print(f"\n{len(results) - failed} passed, {failed} failed")
    # In CI nobody will look at it, and it would load the machine under the next stage.
    if (failed and not os.environ.get("CI")) or arguments.keep or arguments.until:
        say(f"the cluster is still there: ./dev lab exec {LAB} {CLIENT} -- kubectl get nodes; ./dev lab down {LAB}")
    else:
        down(LAB)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
