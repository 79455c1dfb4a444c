# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an administrator of the cluster does: the playbooks, kubeadm on a host, kubectl on the client."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import yaml
from _lab import image, kubernetes, pods
from _lab.lab import Lab
from _lab.podman import LabError, podman, say

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
CLIENT = "client"
PORT = 8443
MANIFESTS = "/etc/kubernetes/manifests"
# Whatever a container cannot have. Nothing here may be ours.
IGNORED_PREFLIGHT = {
    "SystemVerification": "the machine may have cgroups version 1 only, and a container has no kernel configuration",
}


class Failure(Exception):
    """The test found something that is not as it should be."""


class Cluster:
    def __init__(self, lab: Lab, mode: str) -> None:
        self.lab = lab
        self.mode = mode
        # What the last playbook printed.
        self.said = ""
        self.vip = str(json.loads(lab.inventory.read_text(encoding="utf-8"))["all"]["vars"]["endpoint_vip"])
        self.endpoint = f"{self.vip}:{PORT}"
        self.members: list[str] = []
        # kubeadm encrypts the certificates that it uploads with this key.
        self.certificate_key = secrets.token_hex(32)
        self.logs = image.cache() / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)

    # The endpoint

    def playbook(self, name: str, **variables: str) -> str:
        """Run it for the present members; returns Ansible's recap."""
        inventory = self.lab.directory / "members.yml"
        content = json.loads(self.lab.inventory.read_text(encoding="utf-8"))
        # As if the others had never been written, or had been struck out.
        content["all"]["hosts"] = {host: content["all"]["hosts"][host] for host in self.members}
        content["all"]["vars"].update(self.variables())
        content["all"]["children"] = {"kube_control_plane": {"hosts": {host: {} for host in self.members}}}
        inventory.write_text(json.dumps(content, indent=2), encoding="utf-8")
        command = [str(pathlib.Path(sys.executable).with_name("ansible-playbook")), f"playbooks/{name}.yml"]
        command += [f"--extra-vars={json.dumps(variables)}"] if variables else []
        result = subprocess.run(
            [*command, "-i", str(inventory)], cwd=ROOT, env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        log = self.logs / f"e2e-{name}-{time.strftime('%H%M%S')}.log"
        log.write_text(result.stdout, encoding="utf-8")
        self.said = result.stdout
        if result.returncode != 0:
            raise Failure(f"playbooks/{name}.yml failed with {result.returncode} ({log}):\n{result.stdout[-3000:]}")
        recap = result.stdout.rpartition("PLAY RECAP")[2]
        changed = {host: int(count) for host, count in re.findall(r"^(\S+)\s.*changed=(\d+)", recap, re.MULTILINE)}
        return ", ".join(f"{host} {count} changed" for host, count in sorted(changed.items()))

    @property
    def pods(self) -> bool:
        return self.mode == "static_pod"

    def manifests(self, host: str) -> str:
        """Our manifests on a host and what is in them, in a form that can be compared."""
        return self.lab.run(host, "sh", "-c", f"cd {MANIFESTS} && sha256sum kubeha-*.yaml", check=False).stdout

    def variables(self) -> dict[str, Any]:
        if not self.pods:
            return {}
        return {
            "endpoint_mode": "static_pod", "haproxy_image": pods.HAPROXY, "keepalived_image": pods.KEEPALIVED,
            # There is no registry; and a tag that is cut short doesn't tell all of the version.
            "haproxy_image_pull_policy": "Never", "keepalived_image_pull_policy": "Never",
            "haproxy_version": "3.0.11", "keepalived_version": "2.3.3",
        }  # fmt: skip

    def forget(self, host: str) -> None:
        """What playbooks/remove.yml will do."""
        script = f"rm -f {MANIFESTS}/kubeha-*.yaml"
        if not self.pods:
            script = "systemctl disable --now keepalived haproxy"
        self.lab.run(host, "sh", "-c", script)

    def holder(self) -> str:
        holders = self.lab.holders(self.vip)
        if len(holders) != 1:
            raise Failure(f"{self.vip} is held by {' and '.join(holders) or 'no host'}; exactly one should")
        return holders[0]

    def configuration(self) -> Any:
        """What the plan tells kubeadm."""
        file = self.lab.directory / "endpoint.yaml"
        self.playbook("plan", endpoint_kubeadm_file=str(file))
        return yaml.safe_load(file.read_text(encoding="utf-8"))

    # kubeadm

    def init(self, host: str) -> None:
        node = self.node(host)
        documents = [
            {
                "apiVersion": "kubeadm.k8s.io/v1beta4",
                "kind": "InitConfiguration",
                "certificateKey": self.certificate_key,
                "localAPIEndpoint": {"advertiseAddress": self.lab.address(host), "bindPort": 6443},
                "nodeRegistration": node,
            },
            {
                **self.configuration(),
                "kubernetesVersion": kubernetes.version(),
                "imageRepository": kubernetes.REGISTRY,
                # Add-ons are clients like others, and need images that nobody here builds.
                "dns": {"disabled": True},
                "proxy": {"disabled": True},
                "etcd": {
                    "local": {
                        "imageTag": kubernetes.etcd_tag(),
                        # Killed hosts here share a machine that goes on, so what was written is there again; and its
                        # disk is everybody's.
                        "extraArgs": [{"name": "unsafe-no-fsync", "value": "true"}],
                    }
                },
            },
            {
                "apiVersion": "kubelet.config.k8s.io/v1beta1",
                "kind": "KubeletConfiguration",
                **kubernetes.kubelet_config(),
            },
        ]
        self.write(host, "/root/init.yaml", documents)
        self.kubeadm(host, "init", "--config=/root/init.yaml", "--upload-certs")

    def write_certificate_configuration(self, host: str, path: str, configuration: Any) -> None:
        """What kubeadm makes a certificate of."""
        init = {
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "InitConfiguration",
            "localAPIEndpoint": {"advertiseAddress": self.lab.address(host), "bindPort": 6443},
            "nodeRegistration": self.node(host),
        }
        self.write(host, path, [init, {**configuration, "kubernetesVersion": kubernetes.version()}])

    def join(self, host: str) -> None:
        # What an administrator would paste; it has to lead through the VIP.
        command = self.lab.run(self.members[0], "kubeadm", "token", "create", "--print-join-command").stdout.split()
        if command[:3] != ["kubeadm", "join", self.endpoint]:
            raise Failure(f"kubeadm's own join command does not lead to {self.endpoint}: {' '.join(command)}")
        document = {
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "JoinConfiguration",
            "discovery": {
                "bootstrapToken": {
                    "apiServerEndpoint": command[2],
                    "token": command[command.index("--token") + 1],
                    "caCertHashes": [command[command.index("--discovery-token-ca-cert-hash") + 1]],
                }
            },
            "controlPlane": {
                "certificateKey": self.certificate_key,
                "localAPIEndpoint": {"advertiseAddress": self.lab.address(host), "bindPort": 6443},
            },
            "nodeRegistration": self.node(host),
        }
        self.write(host, "/root/join.yaml", [document])
        self.kubeadm(host, "join", "--config=/root/join.yaml")

    def reset(self, host: str) -> None:
        self.kubeadm(host, "reset", "--force", "--cri-socket=unix:///run/containerd/containerd.sock")

    def node(self, host: str) -> dict[str, Any]:
        return {
            "name": host,
            "criSocket": "unix:///run/containerd/containerd.sock",
            "imagePullPolicy": "IfNotPresent",
            "ignorePreflightErrors": list(IGNORED_PREFLIGHT),
            # Else the kubelet might take the VIP for its own address; and all nodes here carry pods.
            "kubeletExtraArgs": [{"name": "node-ip", "value": self.lab.address(host)}],
            "taints": [],
        }

    def kubeadm(self, host: str, *arguments: str) -> None:
        result = self.lab.run(host, "kubeadm", *arguments, check=False)
        output = result.stdout + result.stderr
        log = self.logs / f"e2e-kubeadm-{arguments[0]}-{host}.log"
        log.write_text(output, encoding="utf-8")
        for warning in re.findall(r"\[WARNING ([^\]]+)\]: (.*)", output):
            if warning[0] not in IGNORED_PREFLIGHT:
                say(f"    preflight warns of {warning[0]}: {warning[1][:200]}")
        if result.returncode != 0:
            raise Failure(f"kubeadm {arguments[0]} on {host} failed ({log}):\n{output[-3000:]}")

    # kubectl, from outside and through the VIP

    def equip_client(self) -> None:
        """The client gets kubectl and the administrator's credentials, and the other end of our streams."""
        container = self.lab.container(CLIENT)
        credentials = self.lab.run(self.members[0], "cat", "/etc/kubernetes/admin.conf").stdout
        if f"server: https://{self.endpoint}\n" not in credentials:
            raise Failure(f"kubeadm's admin.conf does not lead to https://{self.endpoint}")
        podman("cp", str(kubernetes.program()), f"{container}:/usr/local/bin/kubectl")
        podman("cp", str(HERE / "stream.py"), f"{container}:/usr/local/bin/stream.py")
        self.write_text(CLIENT, "/root/.kube/config", credentials)

    def kubectl(self, *arguments: str, timeout: int = 10) -> str:
        return self.lab.run(CLIENT, "kubectl", f"--request-timeout={timeout}s", *arguments).stdout

    def get(self, *arguments: str) -> Any:
        return json.loads(self.kubectl("get", "--output=json", *arguments))

    def ready(self) -> dict[str, bool]:
        """Nodes and whether they are."""
        return {
            node["metadata"]["name"]: ("Ready", "True")
            in [(condition["type"], condition["status"]) for condition in node["status"]["conditions"]]
            for node in self.get("nodes")["items"]
        }

    def apply(self, *objects: Any) -> None:
        self.write(CLIENT, "/root/objects.yaml", objects)
        self.kubectl("apply", "--filename=/root/objects.yaml")

    # Tools

    def clock(self) -> float:
        """CLOCK_MONOTONIC, which all hosts share with this machine."""
        return time.monotonic()

    def write(self, host: str, path: str, documents: Sequence[Any]) -> None:
        self.write_text(host, path, "".join(f"---\n{json.dumps(document, indent=1)}\n" for document in documents))

    def write_text(self, host: str, path: str, text: str) -> None:
        script = 'umask 077; mkdir -p "${1%/*}"; cat >"$1"'
        podman("exec", "--interactive", self.lab.container(host), "sh", "-c", script, "sh", path, data=text.encode())

    def diagnose(self) -> pathlib.Path:
        """Collect what explains a failure."""
        directory = self.logs / "e2e-diagnosis"
        directory.mkdir(exist_ok=True)
        commands = {
            "kubelet": "journalctl --no-pager --unit=kubelet --lines=300",
            "containerd": "journalctl --no-pager --unit=containerd --lines=100",
            # One each: connections that failed are many lines, and would hide who held the VIP.
            "keepalived": "journalctl --no-pager --unit=keepalived --lines=500 --output=short-precise; ip address",
            "manifests": f"cat {MANIFESTS}/kubeha-*.yaml /etc/kubeha/*/*",
            "haproxy": "journalctl --no-pager --unit=haproxy --lines=300 --output=short-precise",
            "status": "cat /run/kubeha/*/* /var/lib/kubelet/kubeadm-flags.env",
            "pods": 'for f in /var/log/pods/*/*/*.log; do echo "== $f"; tail -n 40 $f; done',
        }
        for host in self.lab.hosts:
            for name, command in commands.items():
                result = self.lab.run(host, "sh", "-c", command, check=False)
                (directory / f"{host}-{name}.log").write_text(result.stdout + result.stderr, encoding="utf-8")
        return directory


class Stream:
    """A command on the client that goes on until it is stopped, and what it said when."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    @classmethod
    @contextlib.contextmanager
    def of(cls, lab: Lab, *command: str, environment: dict[str, str]) -> Iterator[Stream]:
        stream = cls()
        variables = [f"{name}={value}" for name, value in environment.items()]
        with lab.background(CLIENT, "env", *variables, "python3", "/usr/local/bin/stream.py", *command) as process:
            threading.Thread(target=stream.read, args=(process.stdout,), daemon=True).start()
            yield stream

    def read(self, lines: Any) -> None:
        for line in lines:
            self.events.append(json.loads(line))

    def starts(self) -> int:
        return sum(event["event"] == "start" for event in self.events)

    def ends(self) -> list[str]:
        return [f"code {event['code']}: {event['text']}" for event in self.events if event["event"] == "end"]

    def lines(self, since: float = 0) -> list[tuple[float, str]]:
        return [(e["clock"], e["text"]) for e in list(self.events) if e["event"] == "line" and e["clock"] >= since]


@contextlib.contextmanager
def metered(lab: Lab, target: str, *, limit: float = 1.0, interval: float = 0.02) -> Iterator[dict[str, Any]]:
    """While the block runs the client opens a connection every few milliseconds; afterwards the result is filled."""
    result: dict[str, Any] = {}
    command = ["python3", "/opt/lab/meter.py", f"--target={target}", f"--interval={interval}", f"--limit={limit}"]
    with lab.background(CLIENT, *command) as process:
        assert process.stdin is not None and process.stdout is not None
        started = process.stdout.readline()
        if "started" not in started:
            raise Failure(f"the client could not reach {target}: {started[:300]}")
        yield result
        process.stdin.close()
        result.update(json.loads(process.stdout.read()))


def seen(meter: dict[str, Any]) -> str:
    """A measurement in words."""
    errors = ", ".join(f"{count} {error}" for error, count in meter["errors"].items())
    return (
        f"longest outage {meter['longest_outage_ms']} ms, {meter['failures']} of {meter['attempts']} "
        f"connections failed{f' ({errors})' if errors else ''}"
    )


def until(what: str, condition: Callable[[], object], seconds: float = 60, pause: float = 0.5) -> float:
    """Wait for it; returns how long that took. Errors on the way are part of waiting."""
    began = time.monotonic()
    last: object = None
    while True:
        try:
            last = condition()
            if last:
                return time.monotonic() - began
        except (LabError, Failure) as error:
            last = error
        if time.monotonic() - began > seconds:
            raise Failure(f"not within {seconds:g} s: {what}; last seen: {last}")
        time.sleep(pause)
