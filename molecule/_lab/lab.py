# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running lab: start and remove it, run commands in its hosts, break them."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pathlib
import random
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from . import image, kubernetes, pods, topology
from .podman import LABEL, LabError, inside, kept, labelled, podman, say, system_container

ASSETS = pathlib.Path(__file__).parent / "assets"
BOOT_SECONDS = 180


class Lab:
    """Of one name there is one lab on a machine; any process can look at it and act on it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.directory = image.cache() / "lab" / name
        self.inventory = self.directory / "inventory.yml"
        state = self.directory / "state.json"
        if not state.exists():
            raise LabError(f"there is no lab '{name}'; there are: {', '.join(names()) or 'none'}")
        self.state: dict[str, Any] = json.loads(state.read_text(encoding="utf-8"))

    @classmethod
    def up(cls, name: str, document: Any) -> Lab:
        """Start it from scratch, whatever there was under this name."""
        plan = topology.parse(document)
        kinds = sorted({(host.kind, host.suite) for host in plan.hosts.values()})
        images = {kind: kubernetes.ensure() if kind[0] in kubernetes.KINDS else image.ensure(kind[1]) for kind in kinds}
        if any(kind in kubernetes.KINDS for kind, dummy in kinds):
            pods.ensure()
        down(name)
        allow_many_hosts()
        say(f"starting lab '{name}': {', '.join(plan.hosts)}")
        directory = image.cache() / "lab" / name
        directory.mkdir(parents=True)
        try:
            subnets = {network.name: create_network(name, network) for network in plan.networks.values()}
            prepare_ssh(directory, plan, subnets)
            control = tempfile.mkdtemp(prefix="kubeha-ssh-")
            state = {
                "control": control,
                "subnets": subnets,
                "hosts": {
                    host.name: {
                        "container": f"kubeha-{name}-{host.name}",
                        "addresses": topology.addresses(host, subnets),
                        "groups": host.groups,
                        "apiserver": host.apiserver,
                    }
                    for host in plan.hosts.values()
                },
            }
            (directory / "state.json").write_text(json.dumps(state, indent=1), encoding="utf-8")
            inventory = topology.inventory(plan, subnets, connection(directory, control))
            write_inventory(directory / "inventory.yml", inventory)
            lab = cls(name)
            for host in plan.hosts.values():
                lab.create(host, images[host.kind, host.suite], subnets)
            lab.wait(plan.hosts)
        except BaseException:
            down(name)
            raise
        return lab

    def create(self, host: topology.Host, name: str, subnets: topology.Subnets) -> None:
        container = self.container(host.name)
        networks = []
        for network in host.networks:
            addresses = [
                f"{'ip' if family == 'ipv4' else 'ip6'}={topology.address(subnets, network, family, host.number)}"
                for family in subnets[network]
            ]
            networks.append(f"--network={network_name(self.name, network)}:{','.join(addresses)}")
        options = kubernetes.container() if host.kind in kubernetes.KINDS else system_container()
        podman(
            "create", *options, *kept(container, self.directory), f"--name={container}", f"--hostname={host.name}",
            f"--label={LABEL}={self.name}", f"--volume={ASSETS}:/opt/lab:ro", "--no-hosts", *networks, name,
        )  # fmt: skip
        podman("cp", "-", f"{container}:/", data=self.files(host))
        podman("start", container)

    def files(self, host: topology.Host) -> bytes:
        """A tarball of what makes a host of the image."""
        everyone = [f"{address} {name}" for name, info in self.state["hosts"].items() for address in info["addresses"]]
        files = {
            "etc/hosts": ("127.0.0.1 localhost\n::1 localhost\n" + "\n".join(everyone) + "\n", 0o644),
            "root/.ssh/authorized_keys": ((self.directory / "id.pub").read_text(encoding="utf-8"), 0o600),
            "etc/ssh/ssh_host_ed25519_key": ((self.directory / f"host-{host.name}").read_text(encoding="utf-8"), 0o600),
        }
        links = {}
        if host.kind == "kubelet":
            files.update(kubernetes.standalone())
        if host.apiserver:
            unit = "etc/systemd/system/api-stand-in.service"
            files[unit] = ((ASSETS / "api-stand-in.service").read_text(encoding="utf-8"), 0o644)
            links["etc/systemd/system/multi-user.target.wants/api-stand-in.service"] = "/" + unit
            files["etc/api-stand-in/tls.crt"] = ((self.directory / "tls.crt").read_text(encoding="utf-8"), 0o644)
            files["etc/api-stand-in/tls.key"] = ((self.directory / "tls.key").read_text(encoding="utf-8"), 0o600)
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            secret = tarfile.TarInfo("root/.ssh")
            secret.type, secret.mode = tarfile.DIRTYPE, 0o700
            tar.addfile(secret)
            for path, (text, mode) in files.items():
                entry = tarfile.TarInfo(path)
                entry.size, entry.mode, entry.mtime = len(text.encode()), mode, int(time.time())
                tar.addfile(entry, io.BytesIO(text.encode()))
            for path, to in links.items():
                entry = tarfile.TarInfo(path)
                entry.type, entry.linkname = tarfile.SYMTYPE, to
                tar.addfile(entry)
        return buffer.getvalue()

    def wait(self, hosts: Iterable[str]) -> None:
        """Until systemd has started everything and SSH answers."""
        deadline = time.monotonic() + BOOT_SECONDS
        for host in hosts:
            state = ""
            while state not in ("running", "degraded"):
                if time.monotonic() > deadline:
                    logs = podman("logs", "--tail=20", self.container(host), check=False)
                    raise LabError(f"{host} did not boot within {BOOT_SECONDS} s: {state}\n{logs.stdout}{logs.stderr}")
                state = self.run(host, "systemctl", "is-system-running", check=False).stdout.strip()
                time.sleep(0.1)
            if state == "degraded":
                failed = self.run(host, "systemctl", "--failed", "--no-legend", "--plain", check=False).stdout
                say(f"{host}: started with failed units: {failed.strip()}")
            while True:
                try:
                    with socket.create_connection((self.address(host), 22), timeout=1) as link:
                        # Read: somebody else may answer where the route to the lab is missing.
                        if link.recv(4) == b"SSH-":
                            break
                    raise OSError("something that is no SSH server answers")
                except OSError as error:
                    if time.monotonic() > deadline:
                        raise LabError(f"no SSH on {host} ({self.address(host)}): {error}") from error
                    time.sleep(0.1)

    @property
    def hosts(self) -> list[str]:
        return list(self.state["hosts"])

    def group(self, name: str) -> list[str]:
        return [host for host, info in self.state["hosts"].items() if name in info["groups"]]

    def address(self, host: str) -> str:
        return str(self.info(host)["addresses"][0])

    def container(self, host: str) -> str:
        return str(self.info(host)["container"])

    def info(self, host: str) -> dict[str, Any]:
        try:
            return dict(self.state["hosts"][host])
        except KeyError:
            raise LabError(f"lab '{self.name}' has no host '{host}'; it has {', '.join(self.hosts)}") from None

    def run(self, host: str, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        container = self.container(host)
        if self.frozen(host).exists():
            return podman("exec", container, *command, check=check)
        return inside(container, self.directory, *command, check=check)

    @contextlib.contextmanager
    def background(self, host: str, *command: str) -> Iterator[subprocess.Popen[str]]:
        """A command whose output is read while it runs; it must end when its input does, which is with the block."""
        process = subprocess.Popen(
            ["podman", "exec", "--interactive", self.container(host), *command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/",
        )  # fmt: skip
        try:
            yield process
        finally:
            # Ending podman would leave the command running; these end with their input.
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(timeout=3)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    # What can happen to a host

    def kill(self, host: str) -> None:
        """Power loss: all its processes and its network are gone at once."""
        podman("kill", "--signal=KILL", self.container(host))

    def boot(self, *hosts: str) -> None:
        for host in hosts:
            self.frozen(host).unlink(missing_ok=True)
            podman("start", self.container(host))
        self.wait(hosts)

    def freeze(self, host: str) -> None:
        """Every process stands still; its addresses stay, and nobody answers."""
        self.frozen(host).touch()
        podman("pause", self.container(host))

    def thaw(self, host: str) -> None:
        podman("unpause", self.container(host))
        self.frozen(host).unlink(missing_ok=True)

    def frozen(self, host: str) -> pathlib.Path:
        """A file that is there while the host is frozen: it can't be looked into, and doesn't count as running."""
        return self.directory / f"{self.container(host)}.frozen"

    def apiserver(self, host: str, mode: str) -> None:
        self.run(host, "python3", "/opt/lab/api_stand_in.py", "mode", mode)

    def holders(self, address: str) -> list[str]:
        """Running hosts that have the address now; all are asked at the same time, since it may be moving."""

        def has(host: str) -> bool:
            result = self.run(host, "ip", "-json", "address", "show", "to", address, check=False)
            return result.returncode == 0 and any(e.get("addr_info") for e in json.loads(result.stdout or "[]"))

        with ThreadPoolExecutor() as pool:
            return [host for host, found in zip(self.hosts, pool.map(has, self.hosts)) if found]


def allow_many_hosts() -> None:
    """systemd stands still at boot where the kernel's limit of inotify instances per user, 128, is used up."""
    limit = pathlib.Path("/proc/sys/fs/inotify/max_user_instances")
    if int(limit.read_text(encoding="ascii")) < 1024 and os.access(limit, os.W_OK):
        limit.write_text("1024", encoding="ascii")


def names() -> list[str]:
    """Of all labs that have left anything."""
    directory = image.cache() / "lab"
    return sorted(path.name for path in directory.iterdir()) if directory.is_dir() else []


def down(name: str) -> None:
    """Remove the lab and all that belongs to it; nothing happens where there is none."""
    containers, networks = labelled("container", name), labelled("network", name)
    if containers:
        podman("rm", "--force", "--time=0", "--volumes", *containers)
    if networks:
        podman("network", "rm", "--force", *networks)
    directory = image.cache() / "lab" / name
    state = directory / "state.json"
    if state.exists():
        control = pathlib.Path(json.loads(state.read_text(encoding="utf-8"))["control"])
        # Their hosts are gone; a master that stays would hold the next connection to this address.
        for path in control.glob("*"):
            subprocess.run(["ssh", "-o", f"ControlPath={path}", "-O", "exit", "-"], capture_output=True, check=False)
        shutil.rmtree(control, ignore_errors=True)
    shutil.rmtree(directory, ignore_errors=True)


def clean() -> None:
    """Remove every lab and every image of ours, known by their label."""
    for name in names():
        down(name)
    # What a lab left behind whose directory is gone.
    for kind, command in (
        ("container", ["rm", "--force", "--time=0", "--volumes"]),
        ("network", ["network", "rm", "--force"]),
        ("image", ["rmi", "--force"]),
    ):
        found = labelled(kind)
        if found:
            say(f"removing {kind}s: {', '.join(found)}")
            podman(*command, *found)


def network_name(lab: str, network: str) -> str:
    return f"kubeha-{lab}-{network}"


def create_network(lab: str, network: topology.Network) -> dict[str, str]:
    """A network of its own without a way out; podman refuses subnets that are in use, so another is tried."""
    error = ""
    for attempt in range(30):
        third = random.randrange(512)
        subnets = {
            "ipv4": "198.51.100.0/24" if attempt == 0 else f"198.{18 + third // 256}.{third % 256}.0/24",
            "ipv6": f"2001:db8:{random.randrange(1, 0x10000):x}::/64",
        }
        subnets = {family: subnets[family] for family in network.families}
        # The gateway is this machine's own address there, so that it reaches the hosts; they get no route by it.
        options = [
            option
            for family in subnets
            for option in (
                f"--subnet={subnets[family]}",
                f"--gateway={topology.address({'_': subnets}, '_', family, 1)}",
            )
        ]
        if "ipv6" in subnets:
            options.append("--ipv6")
        result = podman(
            "network", "create", "--internal", "--disable-dns", f"--label={LABEL}={lab}", *options,
            network_name(lab, network.name), check=False,
        )  # fmt: skip
        if result.returncode == 0:
            return subnets
        error = result.stderr.strip()
    raise LabError(f"no free subnet for network {network.name}: {error}")


def prepare_ssh(directory: pathlib.Path, plan: topology.Topology, subnets: topology.Subnets) -> None:
    """A key to come in with, a key for each host, the file of known hosts, and a certificate for API servers."""
    keys = [("id", "lab")] + [(f"host-{name}", name) for name in plan.hosts]
    for file, comment in keys:
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(directory / file)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    known = []
    config = [
        f"Host *\n  User root\n  IdentityFile {directory / 'id'}\n  IdentitiesOnly yes\n",
        f"  UserKnownHostsFile {directory / 'known_hosts'}\n  GlobalKnownHostsFile /dev/null\n",
        "  StrictHostKeyChecking yes\n  ConnectTimeout 5\n  ServerAliveInterval 5\n  ServerAliveCountMax 3\n",
    ]
    for name, host in plan.hosts.items():
        public = (directory / f"host-{name}.pub").read_text(encoding="utf-8")
        known.append(",".join([name, f"{name}.lab", *topology.addresses(host, subnets)]) + " " + public)
        config.append(f"Host {name} {name}.lab\n  HostName {topology.addresses(host, subnets)[0]}\n")
    (directory / "known_hosts").write_text("".join(known), encoding="utf-8")
    (directory / "ssh_config").write_text("".join(config), encoding="utf-8")
    # kubeadm's names, and every address that an endpoint may have.
    vips = [
        topology.address(subnets, net, family, 100 + n) for net in subnets for family in subnets[net] for n in range(10)
    ]
    own = [address for host in plan.hosts.values() for address in topology.addresses(host, subnets)]
    names = ",".join(
        [f"DNS:{name}" for name in ("kubernetes", "kubernetes.default.svc", "api.lab", *plan.hosts)]
        + [f"IP:{address}" for address in vips + own]
    )
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "3650", "-subj", "/CN=kube-apiserver", "-addext", f"subjectAltName={names}"]
    command += ["-keyout", str(directory / "tls.key"), "-out", str(directory / "tls.crt")]
    subprocess.run(command, check=True, capture_output=True)


def connection(directory: pathlib.Path, control: str) -> dict[str, Any]:
    """How Ansible reaches the hosts, whatever the user's own configuration says."""
    return {
        "ansible_user": "root",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_common_args": f"-F {directory / 'ssh_config'}",
        # Short: a socket's path has at most 107 characters.
        "ansible_control_path_dir": control,
        "ansible_pipelining": True,
    }


def write_inventory(path: pathlib.Path, content: dict[str, Any]) -> None:
    # JSON is YAML, and needs no library to write.
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    os.chmod(path, 0o600)
