# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `status` says of a running endpoint, and of each thing that can be wrong with it. The order matters.

And what becomes of open connections when API servers say that they aren't ready, or say nothing any more."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import happenings
import jsonschema
from looker import Looker, wait_for
from streams import Watch, servers_are, watches
from user import MEMBERS, ROOT, Run

TOPOLOGY = {
    "networks": {"lan": {"families": ["ipv4"]}},
    "hosts": {name: {"groups": ["kube_control_plane"], "apiserver": True} for name in MEMBERS},
    # What happens in this story is what `history` tells in the end.
    "vars": {"endpoint_vip": "<lan:ipv4:100>", "endpoint_recorder": True},
}
Record = Callable[[str, object], None]
# What an upgrade, or the lack of one, leaves behind: the program on disk isn't the one that runs, nor the planned one.
OTHER_HAPROXY = """
mv /usr/sbin/haproxy /usr/sbin/haproxy.real
cat >/usr/sbin/haproxy <<'END'
#!/bin/sh
[ "$1" != -v ] || exec echo 'HAProxy version 2.2.9-2 2021/02/06'
exec /usr/sbin/haproxy.real "$@"
END
chmod 755 /usr/sbin/haproxy
"""
# Somebody tries an older VRRP on one member, which sends once a second then.
OTHER_VRRP = """
sed -i 's/version 3/version 2/; s/advert_int 0.1/advert_int 1/' /etc/keepalived/keepalived.conf
systemctl reload keepalived
"""

SCHEMA = jsonschema.Draft202012Validator(json.loads((ROOT / "docs/status.schema.json").read_text(encoding="utf-8")))
# Somebody who may log in and nothing else.
WATCHER = """
useradd --create-home --password '*' watcher
install -d -o watcher -m 0700 /home/watcher/.ssh
install -o watcher -m 0600 /root/.ssh/authorized_keys /home/watcher/.ssh
"""


class Status:
    """One run of the playbook: what it said in words, as JSON and as a page."""

    def __init__(self, user: Looker, folder: Path, **variables: object) -> None:
        # Where its advice is taken from.
        page = folder / "status.html"
        self.run: Run = user.playbook(
            "playbooks/status.yml", endpoint_status_file=str(user.file), endpoint_status_html=str(page), **variables
        )
        self.json = json.loads(user.file.read_text())
        SCHEMA.validate(self.json)
        self.page = page.read_text()

    def found(self) -> set[tuple[str, str | None]]:
        return {(item["code"], item["host"]) for item in self.json["findings"] if item["severity"] != "info"}

    def names(self, *expected: tuple[str, str | None]) -> None:
        """These findings, in all three forms, and a code for scripts."""
        self.run.failed()
        assert not self.json["ok"] and self.json["level"] == "error", self.run.output
        assert set(expected) <= self.found(), self.run.output
        for code, _host in expected:
            assert code in self.run.output and code in self.page

    def nothing(self) -> None:
        self.run.succeeded()
        assert self.found() == set() and self.json["level"] == "ok", self.run.output


def test_all_as_planned(user: Looker, tmp_path: Path) -> None:
    user.site().succeeded()
    status = Status(user, tmp_path)
    status.run.succeeded()
    assert sum(status.run.changed.values()) == 0
    assert status.json["ok"] and status.found() == set()
    assert list(status.json["holders"]["kube-apiserver"].values()) == [["cp1"]]
    assert "All as planned" in status.page and user.vip in status.page and "<script" not in status.page


def test_not_ready_keeps_what_is_open(user: Looker, record_property: Record) -> None:
    """As while etcd has no leader, or while one shuts down."""
    with watches(user) as found:
        for member in MEMBERS:
            user.lab.apiserver(member, "500")
        servers_are(user, "cp1", *("%s=DOWN" % member for member in MEMBERS))
        with contextlib.suppress(OSError):
            Watch(user.vip)
            raise AssertionError("an API server that isn't ready got a new connection")
        time.sleep(5)
        assert all(watch.lives() for watch in found)
        for member in MEMBERS:
            user.lab.apiserver(member, "healthy")
        servers_are(user, "cp1", *("%s=UP" % member for member in MEMBERS))
        assert all(watch.lives() for watch in found)
        assert Watch(user.vip).server in MEMBERS
    record_property("figure", "all API servers not ready for 5 s: all open connections live on")


def test_silence_ends_what_is_open(user: Looker, record_property: Record) -> None:
    """A frozen process, whose host still answers for it as far as TCP goes."""
    with watches(user) as found:
        began = time.monotonic()
        user.sh("cp3", "systemctl kill --signal=STOP api-stand-in")
        try:
            theirs = next(watch for watch in found if watch.server == "cp3")
            theirs.join(15)
            assert theirs.ended is not None
            assert all(watch.lives() for watch in found if watch is not theirs)
        finally:
            user.sh("cp3", "systemctl kill --signal=CONT api-stand-in")
        record_property("figure", "a frozen API server: its connections ended after %.1f s" % (theirs.ended - began))
        servers_are(user, "cp1", "cp3=UP")


def test_without_any_right(user: Looker, tmp_path: Path) -> None:
    """What can't be seen is a warning, and nothing more."""
    for host in MEMBERS:
        user.sh(host, WATCHER)
    status = Status(user, tmp_path, ansible_user="watcher", ansible_become=False)
    status.run.succeeded()
    assert status.json["level"] == "warning" and status.found() == {("not_seen", host) for host in MEMBERS}
    assert [row["observed"] for row in status.json["rows"]] == ["holds", "not the holder", "not the holder"]
    status = Status(user, tmp_path, ansible_user="nobody-has-this", ansible_become=False)
    status.run.failed()
    assert status.json["level"] == "unreachable"


def test_a_drifted_file_a_reload_that_is_due_and_a_dead_backend(user: Looker, tmp_path: Path) -> None:
    user.sh("cp1", "sed -i 's/server cp3 /server cp9 /' /etc/haproxy/haproxy.cfg; systemctl reload haproxy")
    user.sh("cp2", "printf '# mine\\n' >>/etc/haproxy/haproxy.cfg; rm /run/kubeha/unit/keepalived.running")
    user.lab.apiserver("cp3", "500")
    user.sh("cp3", "systemctl stop keepalived kubeha-watchdog; systemctl disable haproxy")
    for host in ("cp2", "cp3"):
        user.lab.run(host, "python3", "/opt/lab/haproxy_servers.py", "cp3=DOWN")
    Status(user, tmp_path).names(
        ("backend_missing", "cp1"),
        ("backend_unplanned", "cp1"),
        ("file_drifted", "cp2"),
        ("reload_pending", "cp2"),
        ("running_unknown", "cp2"),
        ("service_down", "cp3"),
        ("service_disabled", "cp3"),
        ("watchdog_stopped", "cp3"),
        *(("backend_down", host) for host in ("cp2", "cp3")),
    )
    user.lab.apiserver("cp3", "healthy")
    user.follow(
        user.file, "backend_missing", "backend_unplanned", "file_drifted", "reload_pending", "running_unknown",
        "service_down", "service_disabled", "watchdog_stopped",
    )  # fmt: skip
    Status(user, tmp_path).nothing()


def test_another_version_a_hung_daemon_and_the_wrong_holder(user: Looker, tmp_path: Path) -> None:
    # As after an upgrade.
    user.sh("cp2", "cp -p /usr/sbin/haproxy /usr/sbin/haproxy.new; mv /usr/sbin/haproxy.new /usr/sbin/haproxy")
    user.sh("cp3", OTHER_HAPROXY)
    # Its check takes keepalived down with it, so the VIP goes to the next one.
    user.sh("cp1", "systemctl kill --signal=STOP haproxy")
    wait_for(lambda: user.holders() == ["cp2"])
    status = Status(user, tmp_path)
    status.names(
        ("version_older", "cp3"),
        ("restart_pending", "cp2"),
        ("restart_pending", "cp3"),
        ("haproxy_hung", "cp1"),
        ("wrong_holder", "cp1"),
    )
    assert "HAProxy hangs there" in status.run.output
    user.follow(user.file, "haproxy_hung", "restart_pending", "version_older", "wrong_holder")
    # cp3's HAProxy goes on to lie about what is installed.
    assert Status(user, tmp_path).found() <= {("restart_pending", "cp3")}
    # A master that is told to reload starts the program by the name that it was started with.
    user.sh("cp3", "mv /usr/sbin/haproxy.real /usr/sbin/haproxy; systemctl restart haproxy")
    wait_for(lambda: user.holders() == ["cp1"], 40)


def test_two_holders_other_adverts_and_a_hung_keepalived(user: Looker, tmp_path: Path) -> None:
    # Which would end what is looked for.
    for host in ("cp1", "cp2", "cp3"):
        user.sh(host, "systemctl stop kubeha-watchdog")
    user.sh("cp2", OTHER_VRRP)
    user.sh("cp3", "systemctl kill --signal=STOP keepalived")
    wait_for(lambda: user.holders() == ["cp1", "cp2"])
    user.preflight().succeeded()
    assert {"vip_two_holders", "vrrp_stranger"} <= {code for code, _host in user.found()}
    before = user.file.rename(tmp_path / "preflight.json")
    status = Status(user, tmp_path)
    status.names(("two_holders", None), ("vrrp_stranger", None), ("keepalived_hung", "cp3"))
    user.follow(user.file, "keepalived_hung", "vrrp_stranger")
    assert user.holders() == ["cp1"]
    user.follow(before, "vip_two_holders")
    left = {code for code, _host in Status(user, tmp_path).found()}
    assert not {"keepalived_hung", "two_holders", "vrrp_stranger"} & left
    user.preflight().succeeded()
    assert not {"vip_two_holders", "vrrp_stranger"} & {code for code, _host in user.found()}


def test_stored_plans_that_are_old_or_gone_or_no_plans(user: Looker, tmp_path: Path) -> None:
    user.sh("cp1", "sed -i 's/\"failback_delay\": 3/\"failback_delay\": 7/' /etc/kubeha/plan.json")
    user.sh("cp2", "rm /etc/kubeha/plan.json")
    status = Status(user, tmp_path)
    status.names(("not_deployed", "cp2"))
    assert "plan_differs" in {code for code, _host in status.found()}, status.run.output
    user.follow(user.file, "not_deployed", "plan_differs")
    user.sh("cp3", "echo nonsense >/etc/kubeha/plan.json")
    status = Status(user, tmp_path)
    assert status.found() == {("bad_stored_plan", "cp3")}, status.run.output
    user.follow(user.file, "bad_stored_plan")
    Status(user, tmp_path).nothing()
    user.sh("cp2", "cd /var/lib/kubeha; rm files-keepalived.json plan-*; truncate -s 40 files-haproxy.json")
    status = Status(user, tmp_path)
    assert status.found() == {("notes_lost", "cp2")}, status.run.output
    user.follow(user.file, "notes_lost")
    Status(user, tmp_path).nothing()


def test_a_drained_host(user: Looker, tmp_path: Path) -> None:
    user.playbook("playbooks/drain.yml", endpoint_hosts="cp1").succeeded()
    assert ("drained", "cp1") in Status(user, tmp_path).found()
    user.follow(user.file, "drained")
    wait_for(lambda: user.holders() == ["cp1"], 60)
    assert ("drained", "cp1") not in Status(user, tmp_path).found()


def test_a_finding_to_live_with(user: Looker, tmp_path: Path) -> None:
    """And a host that doesn't answer at all is part of what is said."""
    user.sh("cp3", "systemctl disable haproxy")
    user.site("--tags", "keepalived_configure", endpoint_accept_findings=["service_disabled"]).succeeded()
    status = Status(user, tmp_path)
    status.run.succeeded()
    assert "service_disabled" in {item["code"] for item in status.json["findings"]}
    user.lab.freeze("cp3")
    try:
        # Before HAProxy knows, clients may get no answer; after that, its API server is down for the others.
        servers_are(user, "cp1", "cp3=DOWN")
        status = Status(user, tmp_path)
        status.names(("host_unreachable", "cp3"))
        assert "backend_down" in {code for code, _host in status.found()}, status.run.output
    finally:
        user.lab.thaw("cp3")


def test_what_history_says_of_all_that(user: Looker, tmp_path: Path) -> None:
    windows = happenings.happen(user, happenings.QUICK)
    page = tmp_path / "history.html"
    said, output = happenings.history(user, 0, endpoint_history_html=str(page))
    assert happenings.named_wrong(said, windows) == [], output
    causes = {(cause["code"], cause["host"]) for incident in said["incidents"] for cause in incident["causes"]}
    assert {("haproxy_hung", "cp1"), ("keepalived_hung", "cp3"), ("apiserver_down", "cp3"), ("drained", "cp1"),
            ("undrained", "cp1"), ("host_frozen", "cp3")} <= causes, output
    assert any(code == "run" for code, _host in causes)
    assert all(host["read"] and host["records"] for host in said["hosts"].values())
    assert "cp2 took the VIP" in output and "<script" not in page.read_text()


def test_no_holder(user: Looker, tmp_path: Path) -> None:
    for host in MEMBERS:
        user.sh(host, "systemctl stop keepalived")
    Status(user, tmp_path).names(("no_holder", None), *(("service_down", host) for host in MEMBERS))
