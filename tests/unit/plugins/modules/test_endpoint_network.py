# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import stat

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _host_io
from ansible_collections.kubeha.apiserver.plugins.module_utils.network import _carrier_io
from ansible_collections.kubeha.apiserver.plugins.modules import endpoint_network

OURS = "# Managed by kubeha.apiserver\n[Network]\nKeepConfiguration=static\n"


class FakeModule:
    _diff = False

    def __init__(self, state, plan=None, narrow=False, check_mode=False):
        self.params = {"state": state, "plan": plan or {}, "host": "cp1", "narrow": narrow}
        self.check_mode = check_mode
        self.warnings = []

    def warn(self, warning):
        self.warnings.append(warning)


class Host:
    def __init__(self, root, monkeypatch):
        self.root = root
        self.path = str(root / "etc/systemd/network/eth0.network.d/90-kubeha.conf")
        self.files = {self.path: OURS}
        self.state = root / "var/lib/kubeha/network.json"
        (root / "etc").mkdir()
        for name, value in (("TOP", str(root)), ("ROOT", os.getuid()), ("ROOT_GROUP", os.getgid())):
            monkeypatch.setattr(_carrier_io.owned, name, value)
        monkeypatch.setattr(_carrier_io._copies_io, "FOLDER", str(root / "var/lib/kubeha/adopted"))
        monkeypatch.setattr(_carrier_io, "STATE_FILE", str(self.state))
        monkeypatch.setattr(_carrier_io, "run", lambda argv: "")
        monkeypatch.setattr(_carrier_io._host_io, "read_links", list)
        monkeypatch.setattr(_carrier_io.Carrier, "_drop_ins", lambda carrier: (self.wanted, False))

    def run(self, state="present", plan=None, narrow=False, check_mode=False):
        module = FakeModule(state, plan, narrow, check_mode)
        self.wanted = self.files if state == "present" else {}
        result = endpoint_network.carry(module)
        self.warnings = module.warnings
        return result


@pytest.fixture(name="host")
def fixture_host(tmp_path, monkeypatch):
    return Host(tmp_path, monkeypatch)


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_what_is_put_there_goes_again(host, umask):
    before = os.umask(umask)
    assert host.run()["added"] == [host.path]
    os.umask(before)
    assert stat.S_IMODE(os.stat(host.path).st_mode) == 0o644
    assert {stat.S_IMODE(path.stat().st_mode) for path in host.root.rglob("*") if path.is_dir()} == {0o755}
    assert not host.run()["changed"]
    assert host.run("absent")["removed"] == [host.path] and not host.state.exists()


@pytest.mark.parametrize("state, text", [
    ("present", OURS + "# an admin's\n"), ("absent", OURS + "# an admin's\n"), ("absent", "[Network]\nDHCP=yes\n")])
def test_what_was_edited_is_copied_first(host, state, text):
    host.run()
    with open(host.path, "w", encoding="utf-8") as stream:
        stream.write(text)
    result = host.run(state)
    (copy,) = result["kept_files"]
    with open(copy, encoding="utf-8") as stream:
        assert stream.read() == text
    assert copy in host.warnings[0] and os.path.exists(host.path) == (state == "present")


def test_what_an_earlier_version_noted_is_understood(host):
    host.run()
    host.state.write_text(json.dumps({"files": [host.path], "rules": []}))
    assert host.run("absent")["kept_files"] == [] and not os.path.exists(host.path)


# The packet filter of this collection


class Kernel:
    """What nft and systemctl say and do."""

    def __init__(self, host, monkeypatch):
        self.host = host
        self.rules = None
        self.unit = set()
        self.program = "/usr/sbin/nft"
        host.files = {}
        paths = {"FILE": "etc/kubeha/filter.nft", "UNIT_FILE": "etc/systemd/system/kubeha-filter.service"}
        for name, path in paths.items():
            monkeypatch.setattr(_carrier_io._filter, name, str(host.root / path))
        monkeypatch.setattr(_carrier_io, "FILTER", _carrier_io._filter.UNIT_FILE)
        monkeypatch.setattr(_carrier_io._paths, "ROLE_PLAN", str(host.root / "plan-%s.json"))
        monkeypatch.setattr(_carrier_io, "find_manager", lambda: None)
        monkeypatch.setattr(_carrier_io._host_io, "find_binary", lambda name: self.program)
        monkeypatch.setattr(_carrier_io._host_io, "run", lambda argv, seconds: self.say(argv))
        monkeypatch.setattr(_carrier_io, "run", lambda argv: self.say(argv).text)

    def say(self, argv):
        words = argv[1:]
        code, text = 0, ""
        if words[0] == "-f":
            with open(words[1], encoding="utf-8") as stream:
                self.rules = stream.read()
        elif words[:2] == ["list", "table"]:
            code, text = (0, self.rules) if self.rules else (1, "No such file or directory")
        elif words[:2] == ["delete", "table"]:
            self.rules = None
        elif words[0] == "show":
            text = "ActiveState=%s\nUnitFileState=%s\n" % (
                "active" if "start" in self.unit else "inactive", "enabled" if "enable" in self.unit else "disabled")
        elif words[0] == "disable":
            self.unit = set()
        else:
            self.unit.add(words[0])
        return _host_io.Output(code, text, "")


@pytest.fixture(name="kernel")
def fixture_kernel(host, monkeypatch):
    return Kernel(host, monkeypatch)


def plan_of(*peers, wished=True, vrid=50):
    members = [{"host": "cp1", "interface": "eth0", "peers": list(peers)}]
    return {"endpoints": [{"vrrp_filter": wished, "manage_firewall": wished, "port": 6443,
                           "former": {"vips": [], "ports": []}, "instances": [
                               {"family": "ipv4", "virtual_router_id": vrid, "members": members}]}]}


def test_the_filter_is_loaded_once_and_goes_when_nobody_asks_for_it(host, kernel):
    plan = plan_of("198.51.100.12", "198.51.100.13")
    assert "nft inet kubeha" in host.run(plan=plan, check_mode=True)["added"] and kernel.rules is None
    assert "nft inet kubeha" in host.run(plan=plan)["added"]
    assert "{ 198.51.100.12, 198.51.100.13 }" in kernel.rules and {"enable", "start"} <= kernel.unit
    assert not host.run(plan=plan)["changed"]
    assert "nft inet kubeha" in host.run(plan=plan_of(wished=False))["removed"]
    assert kernel.rules is None and kernel.unit <= {"daemon-reload"} and not host.state.exists()
    assert not list(host.root.rglob("*filter*"))


@pytest.mark.parametrize("damage", [
    lambda kernel: setattr(kernel, "rules", None), lambda kernel: setattr(kernel, "unit", set()),
    lambda kernel: setattr(kernel, "rules", kernel.rules.replace("198.51.100.12", "198.51.100.66"))])
def test_what_somebody_did_to_the_filter_is_seen_and_mended(host, kernel, damage):
    host.run(plan=plan_of("198.51.100.12"))
    damage(kernel)
    assert host.run(plan=plan_of("198.51.100.12"), check_mode=True)["changed"]
    assert host.run(plan=plan_of("198.51.100.12"))["changed"] and "198.51.100.12" in kernel.rules
    assert not host.run(plan=plan_of("198.51.100.12"))["changed"]


@pytest.mark.parametrize("damage", [
    os.unlink, lambda path: os.truncate(path, 9), lambda path: (os.unlink(path), os.mkfifo(path))])
def test_the_filter_is_known_by_its_name_where_the_note_of_it_is_lost(host, kernel, damage):
    host.run(plan=plan_of("198.51.100.12"))
    damage(host.state)
    assert host.run(plan=plan_of("198.51.100.12"), check_mode=True)["changed"]
    assert "nft inet kubeha" in host.run("absent", check_mode=True)["removed"]
    assert host.run("absent")["changed"]
    assert kernel.rules is None and "active" not in kernel.unit
    assert not host.run("absent")["changed"]


def test_former_members_are_let_in_for_good(host, kernel):
    host.run(plan=plan_of("198.51.100.12"))
    assert host.run(plan=plan_of("198.51.100.21"))["changed"]
    assert "{ 198.51.100.12, 198.51.100.21 }" in kernel.rules
    # One that comes back speaks as it did.
    assert not host.run(plan=plan_of("198.51.100.21"), narrow=True)["changed"]
    assert not host.run(plan=plan_of("198.51.100.21"))["changed"]
    # Another virtual router has no former members.
    host.run(plan=plan_of("198.51.100.21", vrid=51))
    assert "{ 198.51.100.21 }" in kernel.rules


def test_whom_keepalived_still_speaks_with_is_let_in_by_the_first_filter(host, kernel):
    (host.root / "plan-keepalived.json").write_text(json.dumps(plan_of("198.51.100.12", wished=False)))
    host.run(plan=plan_of("198.51.100.21"))
    assert "{ 198.51.100.12, 198.51.100.21 }" in kernel.rules
    assert not host.run(plan=plan_of("198.51.100.21"))["changed"]


@pytest.mark.parametrize("text", ["", "[]", "{\"endpoints\": 7}", "{\"endpoints\": [{}]}", "\x00"])
def test_a_stored_plan_that_is_none_is_ignored(host, kernel, text):
    (host.root / "plan-keepalived.json").write_text(text)
    assert host.run(plan=plan_of("198.51.100.21"))["former_peers"] == []


@pytest.mark.parametrize("manager", ["ufw", "firewalld"])
def test_nor_is_what_they_speak_by_closed_in_a_manager_before(host, kernel, monkeypatch, manager):
    monkeypatch.setattr(_carrier_io, "find_manager", lambda: manager)
    monkeypatch.setattr(_carrier_io, "zone_of", lambda interface: "public")
    monkeypatch.setattr(_carrier_io.Carrier, "_existing", lambda carrier, rules: carrier.done["rules"])
    monkeypatch.setattr(_carrier_io, "change_rule", lambda rule, add: None)
    host.run(plan=plan_of("198.51.100.12"))
    assert host.run(plan=plan_of("198.51.100.21"))["removed"] == []
    # A run that was killed here says nothing about who has had its turn.
    assert host.run(plan=plan_of("198.51.100.21"))["former_peers"] == ["198.51.100.12"]
    (gone,) = host.run(plan=plan_of("198.51.100.21"), narrow=True)["removed"]
    assert "198.51.100.12" in gone
    last = host.run(plan=plan_of("198.51.100.21"))
    assert not last["changed"] and last["former_peers"] == []


def test_the_filter_needs_no_opening_and_an_opening_no_filter(host, kernel, monkeypatch):
    opened = []
    monkeypatch.setattr(_carrier_io, "find_manager", lambda: "ufw")
    monkeypatch.setattr(_carrier_io, "change_rule", lambda rule, add: opened.append(str(rule)))
    plan = plan_of("198.51.100.12")
    plan["endpoints"][0]["manage_firewall"] = False
    assert host.run(plan=plan)["added"][-1] == "nft inet kubeha" and not opened
    plan["endpoints"][0].update(manage_firewall=True, vrrp_filter=False)
    result = host.run(plan=plan)
    assert "nft inet kubeha" in result["removed"] and kernel.rules is None
    assert opened == ["ufw: allow from 198.51.100.12 proto vrrp", "ufw: allow 6443/tcp"]


def test_a_host_without_nftables_is_told_so(host, kernel):
    kernel.program = None
    assert not host.run(plan=plan_of("198.51.100.12"))["changed"]
    assert "no nftables on cp1" in host.warnings[0]
    kernel.program = "/usr/sbin/nft"
    assert host.run(plan=plan_of("198.51.100.12"))["changed"] and host.warnings == []


ADDED = """Added user rules (see 'ufw status' for running firewall):
ufw allow 22/tcp
ufw allow from 198.51.100.99 proto vrrp comment 'mine'
ufw allow from 198.51.100.12 proto vrrp comment 'kubeha'
ufw allow 6443/tcp comment 'kubeha'
"""
NOTES = pytest.mark.parametrize("note", [None, "", "{", "[]"])


class Manager:
    """ufw or firewalld, with rules of ours and of somebody else's."""

    def __init__(self, name, monkeypatch):
        self.name, self.removed, self.asked = name, [], []
        monkeypatch.setattr(_carrier_io, "find_manager", lambda: name)
        monkeypatch.setattr(_host_io, "find_binary", lambda binary: "/usr/sbin/" + binary if binary == name else None)
        monkeypatch.setattr(_host_io, "run", lambda argv, seconds: _host_io.Output(0, self.say(argv), ""))
        monkeypatch.setattr(_carrier_io, "run", self.say)

    def say(self, argv):
        if argv[:3] == ["ufw", "show", "added"]:
            return ADDED
        if argv[:2] == ["ufw", "delete"]:
            self.removed.append(" ".join(argv[2:]))
        if "--get-zones" in argv:
            return "dmz public\n"
        if argv[:2] == ["firewall-cmd", "--zone=public"]:
            return {"--list-ports": "22/tcp 8443/tcp", "--list-rich-rules": "\n".join([
                _carrier_io.vrrp_rule("198.51.100.12"),
                'rule family="ipv4" source address="198.51.100.7" service name="ssh" accept'])}[argv[2]]
        return ""


@NOTES
def test_rules_of_ufw_that_carry_our_name_go_without_a_note_of_them(host, monkeypatch, note):
    if note is not None:
        host.state.parent.mkdir(parents=True)
        host.state.write_text(note)
    manager = Manager("ufw", monkeypatch)
    result = host.run("absent")
    assert result["changed"] and manager.removed == ["allow from 198.51.100.12 proto vrrp", "allow 6443/tcp"]
    assert host.warnings == []


def test_what_was_noted_is_believed(host, monkeypatch):
    host.state.parent.mkdir(parents=True)
    host.state.write_text(json.dumps({"files": {}, "rules": [["ufw", "", "allow 6443/tcp"]]}))
    manager = Manager("ufw", monkeypatch)
    host.run("absent")
    assert manager.removed == ["allow 6443/tcp"]


@NOTES
@pytest.mark.parametrize("stored, said", [
    ({"endpoints": [{"manage_firewall": True}]}, True), ({"endpoints": [{"manage_firewall": False}]}, False),
    ({"endpoints": []}, False)])
def test_rules_of_firewalld_that_may_be_ours_are_named(host, monkeypatch, note, stored, said):
    if note is not None:
        host.state.parent.mkdir(parents=True)
        host.state.write_text(note)
    manager = Manager("firewalld", monkeypatch)
    monkeypatch.setattr(_carrier_io._deployed_io, "read_deployed",
                        lambda: _carrier_io._deployed_io.Deployed(plan=stored))
    monkeypatch.setattr(_carrier_io._accessors, "ports_of", lambda endpoint: [8443])
    host.run("absent")
    assert manager.removed == []
    if said:
        (warning,) = host.warnings
        assert "public rich-rule: rule family" in warning and "public port: 8443/tcp" in warning
        assert "ssh" not in warning and "22/tcp" not in warning
    else:
        assert host.warnings == []
