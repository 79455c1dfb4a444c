# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every change that is tried, with the way back and what clients may see of it: one list for both modes.

A change consists of steps, each a row of the table. It's tried as often as one wishes in one lab, so it has to lead
back: by itself where its steps go there and back, else by alternating between two values.
"""

from __future__ import annotations

import ipaddress
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from changes import BOTH, PODS, PREFERRED, SERVICES, Changes
from figures import (
    BACKUP_LOST,
    DRAINED,
    HANDED_OVER,
    HOLDER_LOST,
    OTHER_MODE,
    ROLLED_BACK,
    UNNOTICED,
    Figures,
    Limits,
)
from user import MEMBERS


def nothing(dummy_changes: Changes, dummy_number: int) -> None:
    """Nothing has to be prepared, or looked at."""


# Takes the number of the run, from 1.
Act = Callable[[Changes, int], object]


@dataclass(frozen=True)
class Step:
    title: str
    limits: Limits
    act: Act
    prepare: Act = nothing
    prove: Act = nothing
    """Before and after, while nobody measures: that there is something to do, and that it was done."""
    holder: str = PREFERRED


@dataclass(frozen=True)
class Change:
    name: str
    steps: tuple[Step, ...]
    modes: tuple[str, ...] = BOTH
    brief: tuple[str, ...] = ()
    """Modes in which it's part of a short proof."""
    most: int = 1000
    """Runs, where they take long and tell little more."""
    home: Act = nothing
    """What leads back after the last run, where the steps don't."""


def toggle(name: str, title: str, limits: Limits, there: Mapping[str, object], back: Mapping[str, object] | None = None,
           *, prove: Act = nothing, **others: Any) -> Change:
    """One run there, the next one back."""
    back = back or {}

    def act(changes: Changes, number: int) -> None:
        changes.site(**(there if number % 2 else back)).succeeded()

    def home(changes: Changes, number: int) -> None:
        if number % 2:
            changes.settle(**back)

    return Change(name, (Step(title, limits, act, prove=prove),), home=home, **others)


def site(**variables: object) -> Act:
    return lambda changes, dummy_number: changes.site(**variables).succeeded()


def verb(name: str, host: str) -> Act:
    return lambda changes, dummy_number: changes.verb(name, host)


# Configuration


def checks_that_path(changes: Changes, number: int) -> None:
    assert changes.plan_on("cp3")["haproxy"]["check"]["path"] == ("/livez" if number % 2 else "/readyz")


CONFIGURATION = (
    toggle("haproxy", "HAProxy's configuration", UNNOTICED, {"endpoint_health_path": "/livez"},
           prove=checks_that_path, brief=BOTH),
    Change("apiserver", (
        Step("API server removed", UNNOTICED, site(endpoint_apiserver_hosts="cp1,cp2")),
        Step("API server added", UNNOTICED, site()),
    )),
    toggle("keepalived", "keepalived's configuration", UNNOTICED, {"endpoint_timing": {"check_fall": 7}},
           brief=(SERVICES,)),
    toggle("timing", "timing profile", UNNOTICED, {"endpoint_timing": "safe"}, most=1),
    toggle("limits", "HAProxy's limits (a restart)", HANDED_OVER, {"haproxy_maxconn": 2048}, modes=(SERVICES,), most=1),
)

# HAProxy is reloaded while one API server is ill: what replaces it knows that before it has asked

ILL = PREFERRED
ILLNESSES = {"refuse": "is down", "hang": "hangs", "500": "answers 500"}


def beside(mode: str, **others: Any) -> Change:
    # Asked for this path, it's as ill as it was, so that only the configuration changes.
    accepted = {"endpoint_accept_findings": ["backend_down"]}
    values = ({**accepted, "endpoint_health_path": "/healthz"}, accepted)

    def act(changes: Changes, number: int) -> None:
        changes.site(**values[(number + 1) % 2]).succeeded()

    def prepare(changes: Changes, dummy_number: int) -> None:
        changes.lab.apiserver(ILL, mode)
        servers_are(changes, **{ILL: "DOWN"})

    def prove(changes: Changes, number: int) -> None:
        # With few connections at a time only one or two would meet it, and those may be late for any reason.
        servers_are(changes, "--unused", ILL, **{ILL: "DOWN"})
        assert changes.plan_on("cp3")["haproxy"]["check"]["path"] == ("/healthz" if number % 2 else "/readyz")

    def home(changes: Changes, number: int) -> None:
        changes.lab.apiserver(ILL, "healthy")
        servers_are(changes, **{ILL: "UP"})
        if number % 2:
            changes.settle()

    step = Step("HAProxy's configuration, while an API server " + ILLNESSES[mode], UNNOTICED, act, prepare, prove)
    return Change("beside-" + mode, (step,), home=home, **others)


def servers_are(changes: Changes, *options: str, **states: str) -> None:
    """On every host, as its HAProxy says; the others are up."""
    wanted = [f"{host}={states.get(host, 'UP')}" for host in MEMBERS]
    changes.everywhere("python3", "/opt/lab/haproxy_servers.py", *options, *wanted)


RELOADS = (beside("refuse"), beside("hang", brief=(SERVICES,)), beside("500"))

# What members have to agree on to hear each other

AGREEMENTS = (
    toggle("vrid", "virtual router ID", UNNOTICED, {"endpoint_virtual_router_id": 77},
           {"endpoint_virtual_router_id": 100}, most=2),
    toggle("transport", "transport", UNNOTICED, {"endpoint_vrrp_transport": "multicast"}, most=2),
    toggle("authentication", "authentication (VRRP 2), or none (VRRP 3)", UNNOTICED,
           {"endpoint_auth": "pass", "endpoint_auth_password": "s3cr3t-8"}, most=2),
)


def arp(*values: int) -> str:
    names = ("arp_ignore", "arp_announce")
    return "".join("echo %d >/proc/sys/net/ipv4/conf/all/%s; " % (value, name) for name, value in zip(names, values))


def second_interface(changes: Changes, number: int) -> None:
    """In the same network, as a host that gets a faster card has it. Each answers for its own address."""
    if number == 1:
        for host in MEMBERS:
            address = ipaddress.ip_address(changes.lab.address(host)) + 150
            changes.lab.run(
                host, "sh", "-ec", arp(1, 2) + "ip link add lan2 link eth0 type macvlan mode bridge; "
                "ip link set lan2 up; ip address add %s/24 dev lan2" % address)


def without_second_interface(changes: Changes, dummy_number: int) -> None:
    changes.settle(endpoint_interface="eth0")
    for host in MEMBERS:
        changes.lab.run(host, "sh", "-ec", arp(0, 0) + "ip link delete lan2")
    changes.settle()


INTERFACE = Change("interface", (
    Step("another interface", UNNOTICED, lambda changes, number: changes.site(
        endpoint_interface="lan2" if number % 2 else "eth0").succeeded(), second_interface),
), most=1, home=without_second_interface)


def with_password(changes: Changes, number: int) -> None:
    if number == 1:
        changes.settle(**password(2))


def password(number: int) -> dict[str, object]:
    return {"endpoint_auth": "pass", "endpoint_auth_password": "s3cr3t-%d" % (number % 2)}


PASSWORD = Change("password", (
    Step("another password", UNNOTICED,
         lambda changes, number: changes.site(**password(number)).succeeded(), with_password),
), most=2, home=lambda changes, dummy_number: changes.settle())

# Two endpoints on the same hosts: who is to be silent for one of them holds the other one's VIP


def two_endpoints(changes: Changes, number: int) -> dict[str, object]:
    return listed(changes, *((77, 78) if number % 2 else (100, 101)), list(MEMBERS), ["cp2", "cp1", "cp3"])


def backed_up_by_one(changes: Changes, first: int, second: int) -> dict[str, object]:
    """Each has a holder of its own, and both the same backup."""
    return listed(changes, first, second, ["cp1", "cp3"], ["cp2", "cp3"])


def listed(changes: Changes, first: int, second: int, hosts: list[str], others: list[str]) -> dict[str, object]:
    # Two endpoints of the default size want more open files than a lab's host may have.
    return {"endpoint_vip": None, "haproxy_maxconn": 4096, "endpoint_list": [
        {"name": "kube-apiserver", "vip": changes.planned_vip, "virtual_router_id": first, "lb_hosts": hosts},
        {"name": "other", "vip": other_vip(changes), "port": 9443, "virtual_router_id": second, "lb_hosts": others},
    ]}


def other_vip(changes: Changes) -> str:
    return str(ipaddress.ip_address(changes.planned_vip) + 2)


def each_has_one(changes: Changes, number: int) -> None:
    if number == 1:
        changes.settle(**two_endpoints(changes, 2))
        changes.until(lambda: changes.lab.holders(other_vip(changes)) == ["cp2"])


def both_change(changes: Changes, number: int) -> None:
    seen = changes.followed(other_vip(changes), 9443, lambda dummy: changes.site(
        **two_endpoints(changes, number)).succeeded(), "cp2")
    changes.record("virtual router IDs of two endpoints: of the one handed over", HANDED_OVER, Figures.of(seen, 0))


CROSSED = Change("crossed", (
    Step("virtual router IDs of two endpoints: of the one that stays", UNNOTICED, both_change, each_has_one),
), brief=(SERVICES,), most=2, home=lambda changes, dummy_number: changes.settle(endpoint_virtual_router_id=100))

# What clients use: the former one stays until it's let go


def move(name: str, title: str, values: Callable[[Changes, int], dict[str, object]], client: Act) -> Change:
    """Clients of the former one notice nothing of the move, those of the new one nothing of the former one's end."""

    def go(changes: Changes, number: int) -> None:
        changes.site(**values(changes, number)).succeeded()

    def release(changes: Changes, number: int) -> None:
        changes.site(endpoint_release_former=True, **values(changes, number)).succeeded()

    def both(changes: Changes, number: int) -> None:
        assert any(changes.plan_on("cp1")["former"].values())
        client(changes, number)

    def home(changes: Changes, number: int) -> None:
        if number % 2:
            client(changes, 2)
            changes.settle(endpoint_release_former=True, **values(changes, 2))

    return Change(name, (
        Step("another %s, the former one served, too" % title, UNNOTICED, go, prove=both),
        Step("former %s let go" % title, UNNOTICED, release, prove=let_go),
    ), most=1, home=home)


def let_go(changes: Changes, dummy_number: int) -> None:
    assert changes.plan_on("cp1")["former"] == {"vips": [], "ports": []}


def vip(changes: Changes, number: int) -> dict[str, object]:
    return {"endpoint_vip": str(ipaddress.ip_address(changes.planned_vip) + number % 2)}


def use_vip(changes: Changes, number: int) -> None:
    changes.vip = str(vip(changes, number)["endpoint_vip"])


def port(dummy_changes: Changes, number: int) -> dict[str, object]:
    return {"endpoint_port": 9443 if number % 2 else 8443}


def use_port(changes: Changes, number: int) -> None:
    changes.port = 9443 if number % 2 else 8443


MOVES = (move("vip", "VIP", vip, use_vip), move("port", "port", port, use_port))

# Programs


def installed(changes: Changes, name: str) -> set[str]:
    return set(changes.on_all("dpkg-query", "-W", "-f", "${Version}", name).values())


def upgraded(name: str, title: str) -> Change:
    offered: set[str] = set()

    def prepare(changes: Changes, dummy_number: int) -> None:
        changes.newer_packages(name)
        offered.clear()
        candidates = changes.on_all("sh", "-c", "apt-cache policy %s | sed -n 's/ *Candidate: //p'" % name).values()
        offered.update(candidate.strip() for candidate in candidates)
        assert not offered & installed(changes, name)

    def prove(changes: Changes, dummy_number: int) -> None:
        assert installed(changes, name) == offered

    return Change("package-" + name, (
        Step(title, HANDED_OVER, site(**{name + "_package_state": "latest"}), prepare, prove),
    ), modes=(SERVICES,))


PROGRAMS = (
    upgraded("haproxy", "package of HAProxy, all hosts"),
    upgraded("keepalived", "package of keepalived, all hosts"),
    # The same program under another name, and another program in another place.
    toggle("image-haproxy", "image of HAProxy, all hosts", HANDED_OVER,
           {"haproxy_image": "kubernetes.test/haproxy:3.0.11"}, modes=(PODS,), brief=(PODS,)),
    toggle("image-keepalived", "image of keepalived, all hosts", HANDED_OVER,
           {"keepalived_image": "kubernetes.test/keepalived-other:2.3"}, modes=(PODS,)),
)

# Hosts


def drained(changes: Changes, number: int) -> None:
    assert "drained" in changes.playbook("playbooks/status.yml").succeeded().output
    if number == 1:
        refused = changes.playbook("playbooks/drain.yml", endpoint_hosts="cp2,cp3").failed()
        assert "nobody would be left" in refused.output
        # Whoever deploys meanwhile leaves it drained.
        changes.site().succeeded()
        assert changes.holders() == ["cp2"]


def without(host: str) -> Act:
    """Removed first, so that it doesn't miss the others' adverts; then the others forget it."""

    def act(changes: Changes, dummy_number: int) -> None:
        changes.verb("remove", host)
        changes.site(endpoint_lb_hosts=",".join(member for member in MEMBERS if member != host)).succeeded()

    return act


def clean(host: str) -> Act:
    def prove(changes: Changes, number: int) -> None:
        # Logs of pods that have ended are the kubelet's to remove, in its own time. What has a unit of ours hurry is a
        # test's.
        left = changes.on(host, "find", "/etc", "/run", "/usr", "/var/lib", "-xdev", "-name", "*kubeha*",
                          "!", "-path", "*/kubeha-metrics.*.d")
        assert left == "", left
        if number == 1:
            again = changes.playbook("playbooks/remove.yml", endpoint_hosts=host).succeeded()
            assert again.changed[host] == 0

    return prove


HOSTS = (
    Change("drain", (
        Step("drain of the holder", DRAINED, verb("drain", "cp1"), prove=drained, holder="cp2"),
        Step("undrain, until it holds again", DRAINED, verb("undrain", "cp1")),
    ), brief=(SERVICES,)),
    Change("balancer", (
        Step("balancer removed", UNNOTICED, without("cp3"), prove=clean("cp3")),
        Step("balancer added", UNNOTICED, site()),
    )),
    Change("holder", (
        Step("balancer removed, the holder", DRAINED, without("cp1"), prove=clean("cp1"), holder="cp2"),
        Step("balancer added, that is to hold", DRAINED, site()),
    ), most=1),
)

# From one mode to the other

# Of the host itself, in either mode; so are files of metrics, where a suite wants those.
PARTS = ("shared_host", "shared_wire", "watchdog_host", "watchdog_wire")
WATCHDOG = [*("/etc/kubeha/parts.d/%s.py" % name for name in PARTS), "/etc/kubeha/watchdog"]
UNITS = ("kubeha-filter.service", "kubeha-watchdog.service")


def services_run(changes: Changes, dummy_number: int) -> None:
    for host in MEMBERS:
        assert active(changes, host) == ["active", "active"]
        assert manifests(changes, host) == []
        left = changes.on(host, "find", "/etc/kubeha", "/etc/tmpfiles.d", "-type", "f", "!", "-name", "metrics")
        assert set(left.split()) == {"/etc/kubeha/filter.nft", "/etc/kubeha/plan.json", *WATCHDOG}, left
        assert changes.on(host, "find", "/etc/systemd/system", "-name", "kubeha-release.*") == ""


def pods_run(changes: Changes, dummy_number: int) -> None:
    for host in MEMBERS:
        assert active(changes, host) == ["inactive", "inactive"]
        assert manifests(changes, host) == ["kubeha-haproxy.yaml", "kubeha-keepalived.yaml"]
        left = changes.on(host, "find", "/etc/systemd/system", "/usr/libexec", "-name", "*kubeha*", "!", "-name",
                          "kubeha-release.*", "!", "-name", "kubeha-metrics.*", "!", "-type", "l")
        assert sorted(left.split()) == ["/etc/systemd/system/%s" % name for name in UNITS], left


def active(changes: Changes, host: str) -> list[str]:
    """Of our services; what runs in pods isn't among them."""
    return changes.on(host, "sh", "-c", "systemctl is-active haproxy keepalived || true").split()


def manifests(changes: Changes, host: str) -> list[str]:
    return changes.on(host, "ls", "/etc/kubernetes/manifests").split()


MODES = (
    Change("mode", (
        Step("static pods to services, three hosts", OTHER_MODE, site(endpoint_mode="service"), prove=services_run),
        Step("services to static pods, three hosts", OTHER_MODE, site(), prove=pods_run),
    ), modes=(PODS,), brief=(PODS,)),
)

# Changes that pass every check of their syntax and don't serve

TAKEN = "import socket, time; s = socket.socket(); s.bind(('', 9443)); s.listen(); time.sleep(600)"
CONFIGURATIONS = ("sh", "-c", "cat /etc/haproxy/haproxy.cfg /etc/kubeha/haproxy/haproxy.cfg 2>/dev/null")


def refused(**variables: object) -> Act:
    """The run fails where a host doesn't prove itself: that one is put back, and those after it aren't touched."""

    def act(changes: Changes, dummy_number: int) -> None:
        before = changes.on_all(*CONFIGURATIONS)
        run = changes.site(**variables).failed()
        assert "Put back, and well" in run.output, run.output
        assert "not touched" in run.output, run.output
        assert changes.on("cp1", *CONFIGURATIONS) == before["cp1"]
        assert changes.on("cp2", *CONFIGURATIONS) == before["cp2"]

    return act


def take_port(changes: Changes, dummy_number: int) -> None:
    changes.lab.run("cp2", "systemd-run", "--collect", "--unit=taken", "python3", "-c", TAKEN)


def free_port(changes: Changes, dummy_number: int) -> None:
    changes.lab.run("cp2", "systemctl", "stop", "taken")
    # cp3 was the first, and has the new port.
    changes.settle(endpoint_port=8443, endpoint_release_former=True)


BROKEN = (
    Change("port-taken", (
        Step("broken change (port taken), rolled back", ROLLED_BACK,
             refused(endpoint_port=9443, endpoint_accept_findings=["port_taken"]), take_port, free_port),
    ), brief=(SERVICES,)),
    Change("wrong-image", (
        # It has no HAProxy.
        Step("broken change (image without HAProxy), rolled back", ROLLED_BACK,
             refused(haproxy_image="kubernetes.test/keepalived:2.3", endpoint_verify_timeout=20)),
    ), modes=(PODS,)),
)


def refused_upgrade(name: str, title: str) -> Change:
    """Packages with a program that ends at once."""
    before: set[str] = set()

    def prepare(changes: Changes, dummy_number: int) -> None:
        changes.newer_packages(name, "broken")
        before.clear()
        before.update(installed(changes, name))

    def act(changes: Changes, dummy_number: int) -> None:
        run = changes.site(**{name + "_package_state": "latest"}).failed()
        assert "Put back to %s, and well" % min(before) in run.output, run.output
        assert "not touched" in run.output, run.output

    def prove(changes: Changes, dummy_number: int) -> None:
        assert installed(changes, name) == before and len(before) == 1
        changes.playbook("playbooks/status.yml").succeeded()
        # A good one is on offer again.
        changes.newer_packages(name)

    return Change("broken-package-" + name, (Step(title, ROLLED_BACK, act, prepare, prove),), modes=(SERVICES,))


BROKEN_PROGRAMS = (
    refused_upgrade("haproxy", "broken package of HAProxy, rolled back"),
    refused_upgrade("keepalived", "broken package of keepalived, rolled back"),
)

# keepalived of one host doesn't take what members have to agree on: nobody may speak to some and not to others

BREAK = "mkdir -p /run/systemd/system/keepalived.service.d; printf '[Service]\\n%b\\n' \"$0\" " \
    ">/run/systemd/system/keepalived.service.d/zz-broken.conf; systemctl daemon-reload"
MEND = "rm -rf /run/systemd/system/keepalived.service.d/zz-broken.conf /run/refused; systemctl daemon-reload"
NO_START = "ExecStartPre=/bin/false"
NO_FIRST_RELOAD = "ExecReload=\\nExecReload=/bin/sh -c 'test -e /run/refused && kill -HUP $MAINPID || " \
    "! touch /run/refused'"
IMAGE = "kubernetes.test/keepalived:2.3"


def without_start(changes: Changes, dummy_number: int) -> None:
    if changes.mode == SERVICES:
        changes.lab.run("cp2", "sh", "-c", BREAK, NO_START)
    else:
        # The running pod goes on without it.
        changes.lab.run(
            "cp2", "sh", "-ec", "ctr -n k8s.io images tag %s kept; ctr -n k8s.io images rm %s" % (IMAGE, IMAGE))


def other_vrid_refused_by_a_backup(changes: Changes, dummy_number: int) -> None:
    run = changes.site(endpoint_virtual_router_id=77, endpoint_accept_findings=["image_missing"]).failed()
    assert "stays silent" in run.output, run.output
    assert keepalived(changes, "cp2") == "silent"
    # The others have each other.
    assert [vrid(changes, host) for host in ("cp1", "cp3")] == [77, 77]
    assert [keepalived(changes, host) for host in ("cp1", "cp3")] == ["speaks", "speaks"]


def with_start(changes: Changes, dummy_number: int) -> None:
    if changes.mode == SERVICES:
        changes.lab.run("cp2", "sh", "-c", MEND)
    else:
        # Its advice, with an archive that this host has for its file.
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "findings.json")
            changes.playbook("playbooks/preflight.yml", endpoint_preflight_file=str(file)).failed()
            archive = changes.on("cp2", "sh", "-c", "ls /opt/images/*.tar").strip()
            changes.follow(file, "image_missing", placeholder=archive)
            changes.playbook("playbooks/preflight.yml", endpoint_preflight_file=str(file))
            assert "image_missing" not in file.read_text()
        changes.lab.run("cp2", "ctr", "-n", "k8s.io", "images", "rm", "kept")
    changes.settle(endpoint_virtual_router_id=100)
    assert keepalived(changes, "cp2") == "speaks"


def without_first_reload(changes: Changes, dummy_number: int) -> None:
    changes.lab.run("cp1", "sh", "-c", BREAK, NO_FIRST_RELOAD)


def other_vrid_refused_by_the_holder(changes: Changes, dummy_number: int) -> None:
    run = changes.site(endpoint_virtual_router_id=77).failed()
    assert "Put back, and well" in run.output, run.output
    assert [vrid(changes, host) for host in MEMBERS] == [100, 100, 100]
    assert [keepalived(changes, host) for host in MEMBERS] == ["speaks", "speaks", "speaks"]


def with_first_reload(changes: Changes, dummy_number: int) -> None:
    mend(changes)
    changes.settle()


def mend(changes: Changes) -> None:
    changes.lab.run("cp1", "sh", "-c", MEND)


def vrid(changes: Changes, host: str) -> int:
    """Of keepalived's own configuration: the plan beside it may be HAProxy's, which is newer."""
    return int(changes.on(
        host, "sh", "-c", "sed -n 's/ *virtual_router_id //p' /etc/keepalived/keepalived.conf "
        "/etc/kubeha/keepalived/keepalived.conf 2>/dev/null"))


def keepalived(changes: Changes, host: str) -> str:
    """By its processes, and by what starts them at the next boot."""
    running = changes.on(host, "pgrep", "-x", "keepalived") != ""
    enabled = "kubeha-keepalived.yaml" in manifests(changes, host) if changes.mode == PODS else (
        changes.on(host, "systemctl", "is-enabled", "keepalived").strip() == "enabled")
    return {(True, True): "speaks", (False, False): "silent"}.get((running, enabled), "running %s, enabled %s" % (
        running, enabled))


REFUSED_AGREEMENTS = (
    Change("vrid-backup", (
        Step("virtual router ID, refused by a backup", UNNOTICED, other_vrid_refused_by_a_backup, without_start),
    ), most=1, home=with_start),
    Change("vrid-holder", (
        Step("virtual router ID, refused by the holder, put back", UNNOTICED, other_vrid_refused_by_the_holder,
             without_first_reload),
    ), modes=(SERVICES,), brief=(SERVICES,), most=1, home=with_first_reload),
)

CHANGES = (*CONFIGURATION, *RELOADS, *AGREEMENTS, INTERFACE, PASSWORD, CROSSED, *MOVES, *PROGRAMS, *HOSTS, *MODES,
           *BROKEN, *BROKEN_PROGRAMS, *REFUSED_AGREEMENTS)


def of_each(modes: Iterable[str]) -> list[tuple[str, Change]]:
    """Each mode has values of its own: pytest brings tests with the same value together, and would start both labs anew
    for each."""
    return [(mode, replace(change, modes=(mode,))) for mode in modes for change in CHANGES if mode in change.modes]


# Runs that don't come to their end


@dataclass(frozen=True)
class Interrupted:
    """What a run was about when its controller was killed, or one of the hosts lost its power."""

    title: str
    values: Callable[[Changes, int], Mapping[str, object]]
    """There, for odd numbers, and back."""
    limits: Limits = HANDED_OVER
    modes: tuple[str, ...] = BOTH
    power: bool = True
    """Whether a host may lose its power meanwhile: not while the others are silent."""


def either(there: Mapping[str, object], back: Mapping[str, object]) -> Callable[[Changes, int], Mapping[str, object]]:
    return lambda dummy_changes, number: there if number % 2 else back


INTERRUPTED = (
    Interrupted("reloads", either({"endpoint_health_path": "/livez", "endpoint_failback_delay": 4}, {})),
    Interrupted("a restart", either({"haproxy_maxconn": 2048}, {}), modes=(SERVICES,)),
    Interrupted("an image", either({"haproxy_image": "kubernetes.test/haproxy:3.0.11"}, {}), modes=(PODS,)),
    Interrupted("a virtual router ID", either(
        {"endpoint_virtual_router_id": 77}, {"endpoint_virtual_router_id": 100}), power=False),
    # Clients stay with the first one, which is served beside the other one.
    Interrupted("another VIP", vip, power=False),
    Interrupted(
        "another mode", either({"endpoint_mode": "service"}, {}), limits=OTHER_MODE, modes=(PODS,), power=False),
)
LOST = {True: ("host that holds lost power, run again", HOLDER_LOST),
        False: ("other host lost power, run again", BACKUP_LOST)}
