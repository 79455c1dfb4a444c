# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import errno
import grp
import itertools
import json
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
from hashlib import sha256

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.daemons import (
    _confined_io,
    _podstate,
    _process_io,
    _processes,
    _running_io,
)
from ansible_collections.kubeha.apiserver.plugins.module_utils.deploy import (
    _daemon_io,
    _folders_io,
    _foreign_pods_io,
    _previous_io,
    _records_io,
    _sysctls_io,
    _units_io,
)
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _copies_io, _host_io, _hostfacts, _ownership
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _owned_files_io as owned
from ansible_collections.kubeha.apiserver.plugins.module_utils.model import _paths, _secrets
from ansible_collections.kubeha.apiserver.plugins.module_utils.run import _run_lock_io
from ansible_collections.kubeha.apiserver.plugins.modules import endpoint_files

OURS = "# Managed by kubeha.apiserver: changes here are overwritten by the next run.\n"
USER = pwd.getpwuid(os.getuid()).pw_name
GROUP = grp.getgrgid(os.getgid()).gr_name
# A run can die at each of its steps. One release tries all of them; the others look for what differs between releases.
STRIDE = 5 if os.environ.get("KUBEHA_HYPOTHESIS") == "quick" else 1


class Exit(Exception):
    def __init__(self, result):
        super().__init__(result.get("msg"))
        self.result = result


class FakeModule:
    """As much of AnsibleModule as this module uses."""

    def __init__(self, params, check_mode=False, diff=False):
        self.params = params
        self.check_mode = check_mode
        self._diff = diff
        self.warnings = []

    def exit_json(self, **result):
        raise Exit(result)

    def fail_json(self, **result):
        raise Exit(dict(result, failed=True))

    def selinux_enabled(self):
        return False

    def warn(self, warning):
        self.warnings.append(warning)


class Host:
    """A host below a temporary folder, with binaries that say what the test wants."""

    def __init__(self, root, monkeypatch):
        self.root = root
        self.unit = {"ActiveState": "inactive", "NeedDaemonReload": "no", "DropInPaths": ""}
        self.bin = root / "bin"
        self.bin.mkdir()
        self.haproxy = self.path("/etc/haproxy/haproxy.cfg")
        self.drop_in = self.path("/etc/systemd/system/haproxy.service.d/kubeha.conf")
        self.running = root / "run/haproxy/running"
        self.running.parent.mkdir(parents=True)
        (root / "var/lib").mkdir(parents=True)
        for name, value in {
            "STATE": "/var/lib/kubeha", "ROLE_PLAN": "/var/lib/kubeha/plan-%s.json", "RUN": "/run/kubeha",
            "DRAIN": "/var/lib/kubeha/drain", "PLAN_FILE": "/etc/kubeha/plan.json",
        }.items():
            monkeypatch.setattr(_paths, name, self.path(value))
        monkeypatch.setattr(_previous_io, "FOLDER", self.path("/var/lib/kubeha/previous"))
        monkeypatch.setattr(_folders_io, "OWN", self.path("/etc/kubeha"))
        monkeypatch.setattr(_copies_io, "FOLDER", self.path("/var/lib/kubeha/adopted"))
        # Never this machine's own.
        monkeypatch.setattr(endpoint_files, "OURS_ALONE", tuple(
            self.path(path) for path in ("/var/lib/kubeha/drain", "/var/lib/haproxy/kubeha.sock")))
        for name in ("LOCK", "GUARD"):
            monkeypatch.setattr(_run_lock_io, name, self.path("/run/kubeha/" + name.lower()))
        for name, value in (("TOP", str(root)), ("ROOT", os.getuid()), ("ROOT_GROUP", os.getgid())):
            monkeypatch.setattr(owned, name, value)
        monkeypatch.setattr(_podstate, "RUNNING", {
            "haproxy": str(self.running), "keepalived": str(root / "run/keepalived.running")})
        monkeypatch.setattr(_podstate, "EXECUTION", {
            "haproxy": str(root / "run/haproxy/execution"), "keepalived": str(root / "run/keepalived.execution")})
        monkeypatch.setattr(_paths, "DROP_INS", {
            "haproxy": self.drop_in,
            "keepalived": self.path("/etc/systemd/system/keepalived.service.d/kubeha.conf")})
        monkeypatch.setattr(_running_io, "ask_haproxy", lambda path, seconds: self.said)
        self.said = {}
        monkeypatch.setattr(_daemon_io, "systemd_unit", lambda role: self.unit)
        monkeypatch.setattr(endpoint_files._host_io, "has_user", lambda name: True)
        monkeypatch.setattr(_ownership, "shipped_command", lambda family, packages: None)
        monkeypatch.setattr(_host_io, "find_binary", self._find)
        monkeypatch.setattr(os, "fchown", lambda *arguments: None)
        self.binary("haproxy", "exit 0")
        self.binary("keepalived", "exit 0")
        self.binary("bash", "exit 0")

    def path(self, path):
        return str(self.root) + path

    def _find(self, name):
        found = self.bin / name
        return str(found) if found.exists() else None

    def binary(self, name, script):
        (self.bin / name).write_text("#!/bin/sh\n%s\n" % script)
        (self.bin / name).chmod(0o755)

    def write(self, path, text, mode=0o644):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.chmod(path, mode)

    def files(self, **contents):
        kinds = {"haproxy": (self.haproxy, "haproxy", True), "drop_in": (self.drop_in, "unit", False),
                 "hook": (self.path("/usr/libexec/hook"), "script", False),
                 "keepalived": (self.path("/etc/keepalived/keepalived.conf"), "keepalived", True)}
        return [{"path": kinds[name][0], "kind": kinds[name][1], "guarded": kinds[name][2], "owner": USER,
                 "group": GROUP, "mode": "0600" if name == "keepalived" else "0644", "secret": name == "keepalived",
                 "content": text, "role": "haproxy", "template": None} for name, text in contents.items()]

    def run(self, files, role="haproxy", adopt=False, secrets=None, state="present", keep_stale=False, beside=None,
            units=None, **how):
        params = {"role": role, "files": files, "state": state, "adopt": adopt, "keep_stale": keep_stale,
                  "beside": beside, "units": units, "sealed": _secrets.seal(secrets, b"salt") if secrets else None}
        module = FakeModule(params, **how)
        with pytest.raises(Exit) as caught:
            endpoint_files.Deployment(module).run()
        self.warnings = module.warnings
        return caught.value.result

    def everything(self):
        return {path: path.read_bytes() if path.is_file() else None for path in self.root.rglob("*")}


@pytest.fixture(name="host")
def fixture_host(tmp_path, monkeypatch):
    return Host(tmp_path, monkeypatch)


def read(path):
    with open(path, encoding="utf-8") as stream:
        return stream.read()


def test_first_and_second_run(host):
    files = host.files(haproxy=OURS + "one\n", drop_in=OURS)
    result = host.run(files)
    assert result["changed"] and result["validated"]
    assert result["changed_files"] == [host.haproxy, host.drop_in]
    assert result["daemon_reload_needed"]
    assert read(host.haproxy) == OURS + "one\n"
    host.unit["DropInPaths"] = host.drop_in
    again = host.run(files)
    assert not again["changed"] and again["changed_files"] == [] and not again["daemon_reload_needed"]
    # Nothing temporary stays.
    assert not list(host.root.rglob(".*kubeha*"))


def test_check_mode_tells_the_truth_and_changes_nothing(host):
    files = host.files(haproxy=OURS + "one\n", drop_in=OURS)
    before = host.everything()
    would = host.run(files, check_mode=True)
    assert host.everything() == before
    did = host.run(files)
    assert did.pop("at") >= would.pop("at")
    assert did == would


def test_mode_alone_is_a_change(host):
    host.write(host.haproxy, OURS, 0o666)
    result = host.run(host.files(haproxy=OURS))
    assert result["changed_files"] == [host.haproxy]
    assert stat.S_IMODE(os.stat(host.haproxy).st_mode) == 0o644


def test_a_link_is_replaced_and_not_followed(host):
    target = host.path("/etc/elsewhere")
    host.write(target, OURS)
    os.makedirs(os.path.dirname(host.haproxy))
    os.symlink(target, host.haproxy)
    result = host.run(host.files(haproxy=OURS))
    assert result["changed"]
    assert not os.path.islink(host.haproxy)
    assert read(target) == OURS


def test_an_invalid_file_leaves_everything_as_it_is(host):
    host.write(host.haproxy, OURS + "old\n")
    host.binary("haproxy", "echo \"[ALERT] parsing [$3:2] : unknown keyword\" >&2; exit 1")
    before = host.everything()
    result = host.run(host.files(drop_in=OURS, haproxy=OURS + "new\n"))
    assert result["failed"]
    (invalid,) = result["validation"]
    assert invalid["path"] == host.haproxy
    # In words of the host, and not of the place where it was tried.
    assert invalid["findings"] == ["[ALERT] parsing [%s:2] : unknown keyword" % host.haproxy]
    assert "Nothing was changed" in result["msg"]
    assert host.everything() == before


@pytest.mark.skipif(not os.path.exists("/bin/bash"), reason="bash is needed")
def test_an_invalid_script(host, monkeypatch):
    monkeypatch.setattr(_host_io, "find_binary", lambda name: "/bin/" + name)
    result = host.run(host.files(hook="#!/bin/bash\nif\n"))
    assert result["failed"]
    assert not os.path.exists(host.path("/usr"))


def test_without_the_binary(host):
    (host.bin / "haproxy").unlink()
    files = host.files(haproxy=OURS)
    would = host.run(files, check_mode=True)
    assert not would["validated"] and would["not_validated"] == ["%s: haproxy isn't installed" % host.haproxy]
    assert host.run(files)["failed"]
    assert not os.path.exists(host.haproxy)


def test_what_keepalived_refers_to_is_found_where_it_was_staged(host, monkeypatch):
    monkeypatch.setattr(_paths, "CHECK", host.path("/usr/libexec/keepalived/kubeha-check"))
    check = {"path": _paths.CHECK, "kind": "script", "guarded": False, "owner": USER,
             "group": GROUP, "mode": "0755", "secret": False, "content": "#!/bin/sh\n"}
    text = OURS + 'script "%s live"\nfile "%s/haproxy/down"\n' % (
        _paths.CHECK, _paths.RUN)
    host.binary("keepalived", 'conf=$3; script=$(sed -n \'s/script "\\(.*\\) live"/\\1/p\' "$conf"); '
                              'file=$(sed -n \'s/file "\\(.*\\)"/\\1/p\' "$conf"); '
                              '[ -x "$script" ] && [ -d "${file%/*}" ] || echo missing')
    result = host.run([check] + host.files(keepalived=text), role="keepalived")
    assert not result.get("failed"), result
    # It's deployed as it was meant.
    assert read(host.path("/etc/keepalived/keepalived.conf")) == text


def test_a_foreign_configuration_is_refused(host):
    host.write(host.haproxy, "global\n")
    before = host.everything()
    for check_mode in (True, False):
        result = host.run(host.files(haproxy=OURS), check_mode=check_mode)
        assert result["failed"] and result["foreign_files"] == [host.haproxy]
        assert "endpoint_adopt" in result["msg"]
    assert host.everything() == before


def test_an_adopted_configuration_is_kept_once(host):
    host.write(host.haproxy, "global\n", 0o640)
    result = host.run(host.files(haproxy=OURS + "one\n"), adopt=True, diff=True)
    assert result["adopted_files"] == [host.haproxy]
    assert "global" not in json.dumps(result["diff"])
    kept = host.path("/var/lib/kubeha/adopted") + host.haproxy
    assert read(kept) == "global\n" and stat.S_IMODE(os.stat(kept).st_mode) == 0o640
    # Somebody writes again, is adopted again: the first original stays.
    host.write(host.haproxy, "defaults\n")
    host.run(host.files(haproxy=OURS + "two\n"), adopt=True)
    assert read(kept) == "global\n"


def test_the_packages_own_is_replaced_without_asking(host, monkeypatch):
    host.write(host.haproxy, "global\n")
    digest = sha256(b"global\n").hexdigest()
    monkeypatch.setattr(_ownership, "shipped_command", lambda family, packages: ["echo"] + packages)
    monkeypatch.setattr(_ownership, "parse_shipped", lambda output: {host.haproxy: digest})
    assert host.run(host.files(haproxy=OURS))["adopted_files"] == []


def test_files_of_an_earlier_plan_are_removed(host):
    host.run(host.files(haproxy=OURS, drop_in=OURS, hook="#!/bin/bash\n"))
    stray = host.path("/usr/libexec/stray")
    host.write(stray, "somebody's\n")
    files = host.files(haproxy=OURS, drop_in=OURS)
    would = host.run(files, check_mode=True)
    assert would["removed_files"] == [host.path("/usr/libexec/hook")] and would["changed"]
    assert os.path.exists(host.path("/usr/libexec/hook"))
    assert host.run(files)["removed_files"] == [host.path("/usr/libexec/hook")]
    assert not os.path.exists(host.path("/usr/libexec/hook"))
    assert os.path.exists(stray)
    assert not host.run(files)["changed"]


def test_a_file_that_the_other_role_still_has_stays(host):
    host.run(host.files(haproxy=OURS, hook="#!/bin/bash\n"))
    host.run(host.files(hook="#!/bin/bash\n"), role="keepalived")
    result = host.run(host.files(haproxy=OURS))
    assert result["removed_files"] == []
    assert os.path.exists(host.path("/usr/libexec/hook"))


def test_what_a_killed_run_wrote_is_known_to_the_next(host, monkeypatch):
    rename = os.rename

    def killed(*names, **folders):
        rename(*names, **folders)
        if names[1] == "hook":
            raise KeyboardInterrupt

    # SIGKILL leaves no time to clean up.
    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", killed)
        patched.setattr(owned.Batch, "_undo", lambda batch: None)
        patched.setattr(owned.Batch, "__exit__", lambda batch, *why: None)
        with pytest.raises(KeyboardInterrupt):
            host.run(host.files(hook="#!/bin/bash\n", haproxy=OURS))
    # The plan has changed meanwhile: what is left over goes.
    assert host.run(host.files(haproxy=OURS))["removed_files"] == [host.path("/usr/libexec/hook")]


def test_pending_reload_and_restart(host):
    drop_in = OURS + "Environment=KUBEHA_EXECUTION=new\n"
    files = host.files(haproxy=OURS, drop_in=drop_in)
    assert not host.run(files)["pending_reload"], "nothing runs yet"
    host.unit.update(ActiveState="active", DropInPaths=host.drop_in)
    result = host.run(files)
    assert not result["changed"] and result["pending_reload"] and result["needs_restart"]
    host.write(str(host.running), sha256(OURS.encode()).hexdigest() + "\n")
    host.write(host.path("/run/haproxy/execution"), "new\n")
    result = host.run(files)
    assert not (result["pending_reload"] or result["needs_restart"] or result["daemon_reload_needed"])
    # Foreseen before it's in place.
    changed = host.files(haproxy=OURS + "more\n", drop_in=drop_in.replace("=new", "=newer"))
    would = host.run(changed, check_mode=True)
    assert would["pending_reload"] and would["needs_restart"] and would["daemon_reload_needed"]


@pytest.mark.parametrize("unit, needed", [
    ({}, False),
    ({"NeedDaemonReload": "yes"}, True),
    ({"DropInPaths": ""}, True),
    ({"DropInPaths": "/etc/systemd/system/haproxy.service.d/other.conf"}, True),
])
def test_a_daemon_reload_that_a_killed_run_left_undone(host, unit, needed):
    files = host.files(haproxy=OURS, drop_in=OURS)
    host.run(files)
    host.unit.update({"DropInPaths": host.drop_in}, **unit)
    assert host.run(files)["daemon_reload_needed"] == needed


def test_what_was_taken_over_is_put_back_as_it_was(host):
    """It stays somebody else's: another run asks again, and `remove` leaves it alone."""
    host.write(host.haproxy, "theirs\n", 0o640)
    host.unit["ActiveState"] = "active"
    planned = host.files(haproxy=OURS + "one\n", drop_in=OURS)
    result = host.run(planned, adopt=True)
    assert result["foreign"] and result["serving"]
    back = host.run(planned, state="previous", adopt=True)
    assert back["previous"] and back["needs_restart"] and back["removed_files"] == [host.drop_in]
    assert read(host.haproxy) == "theirs\n" and os.stat(host.haproxy).st_mode & 0o777 == 0o640
    assert host.run(planned)["failed"]
    assert host.run([], state="absent")["removed_files"] == []
    assert read(host.haproxy) == "theirs\n"
    assert not host.run(planned, state="previous", adopt=True)["changed"]


def test_a_keepalived_that_did_not_start_with_our_files_is_somebody_elses(host):
    """A run was killed between putting them into place and restarting it."""
    planned = host.files(keepalived=OURS)
    host.unit["ActiveState"] = "active"
    assert host.run(planned, role="keepalived")["foreign"]
    assert host.run(planned, role="keepalived", check_mode=True)["foreign"]
    (host.root / "run/keepalived.running").write_text("a" * 64)
    assert not host.run(planned, role="keepalived")["foreign"]


def test_previous_set_is_the_one_that_ran(host):
    first = host.files(haproxy=OURS + "one\n", drop_in=OURS)
    host.run(first)
    previous = host.path("/var/lib/kubeha/previous/haproxy") + host.haproxy
    host.run(host.files(haproxy=OURS + "never loaded\n", drop_in=OURS))
    assert not os.path.exists(previous)
    host.run(first)
    host.write(str(host.running), sha256((OURS + "one\n").encode()).hexdigest() + "\n")
    host.run(host.files(haproxy=OURS + "two\n", drop_in=OURS))
    assert read(previous) == OURS + "one\n"
    # "two" was never loaded, so what to go back to is still "one".
    host.run(host.files(haproxy=OURS + "three\n", drop_in=OURS))
    assert read(previous) == OURS + "one\n"


def test_going_back(host):
    host.unit["ActiveState"] = "active"
    plan = {"path": host.path("/etc/kubeha/plan.json"), "kind": "plan", "guarded": False, "owner": USER, "group": GROUP,
            "mode": "0644", "secret": False}
    host.run([*host.files(haproxy=OURS + "one\n"), dict(plan, content="{}\n")])
    host.write(str(host.running), sha256((OURS + "one\n").encode()).hexdigest() + "\n")
    # The other role has written a newer plan since.
    host.write(plan["path"], '{"newer": 1}\n')
    host.run([*host.files(haproxy=OURS + "two\n", drop_in=OURS), dict(plan, content='{"newer": 1}\n')])
    result = host.run(host.files(haproxy=OURS + "two\n", drop_in=OURS), state="previous")
    assert result["previous"] and result["changed"]
    assert result["removed_files"] == [host.drop_in]
    assert read(host.haproxy) == OURS + "one\n"
    assert read(plan["path"]) == "{}\n"
    assert not host.run([], state="previous")["changed"]


def test_going_back_takes_kernel_settings_along(host, monkeypatch):
    monkeypatch.setattr(_sysctls_io, "place", lambda name: host.path("/proc/" + name))
    monkeypatch.setattr(_hostfacts, "SYSCTL_FOLDERS", ())
    monkeypatch.setattr(_sysctls_io, "CONF", host.path("/etc/sysctl.conf"))
    setting = host.path("/proc/net.ipv4.ip_nonlocal_bind")
    host.write(setting, "0\n")
    sysctl = {"path": host.path("/etc/sysctl.d/90-kubeha.conf"), "kind": "sysctl", "guarded": False, "owner": USER,
              "group": GROUP, "mode": "0644", "secret": False, "content": OURS + "net.ipv4.ip_nonlocal_bind = 1\n"}
    host.unit["ActiveState"] = "active"
    host.run([*host.files(haproxy=OURS + "one\n"), sysctl])
    host.write(str(host.running), sha256((OURS + "one\n").encode()).hexdigest() + "\n")
    host.run(host.files(haproxy=OURS + "two\n"))
    assert read(setting) == "0"
    host.run(host.files(haproxy=OURS + "two\n"), state="previous")
    assert read(setting) == "1"


def test_removing(host, monkeypatch):
    monkeypatch.setattr(_records_io, "GUARDED", (host.haproxy,))
    monkeypatch.setattr(endpoint_files, "OURS_ALONE", (host.path("/etc/kubeha"),))
    host.write(host.haproxy, "theirs\n")
    host.run(host.files(haproxy=OURS, drop_in=OURS), adopt=True)
    for name in ("lock", "guard", "unit"):
        host.write(host.path("/run/kubeha/" + name), "")
    would = host.run([], state="absent", check_mode=True)
    assert would["changed"] and read(host.haproxy) == OURS
    result = host.run([], state="absent")
    assert (result["changed_files"], result["removed_files"]) == ([host.haproxy], [host.drop_in])
    assert read(host.haproxy) == "theirs\n"
    assert not os.path.exists(os.path.dirname(host.drop_in))
    assert not os.path.exists(host.path("/var/lib/kubeha"))
    # Until the run that removes has come to its end nobody else changes this host.
    assert os.listdir(host.path("/run/kubeha")) == ["lock", "guard"]
    assert not host.run([], state="absent")["changed"]


def test_removing_leaves_what_somebody_wrote_since(host, monkeypatch):
    monkeypatch.setattr(_records_io, "GUARDED", (host.haproxy,))
    monkeypatch.setattr(endpoint_files, "OURS_ALONE", ())
    host.run(host.files(haproxy=OURS))
    host.write(host.haproxy, "somebody's\n")
    assert host.run([], state="absent")["foreign_files"] == [host.haproxy]
    assert read(host.haproxy) == "somebody's\n"


def test_nothing_to_go_back_to(host):
    host.run(host.files(haproxy=OURS))
    result = host.run(host.files(haproxy=OURS), state="previous")
    assert not result["previous"] and not result["changed"]
    assert read(host.haproxy) == OURS


def test_haproxys_own_word_counts_more_than_what_was_noted(host):
    host.unit["ActiveState"] = "active"
    text = OURS + "global\n    description kubeha:12ab\n"
    host.run(host.files(haproxy=text))
    host.write(str(host.running), sha256(text.encode()).hexdigest() + "\n")
    host.said = {"description": "kubeha:12ab"}
    assert host.run(host.files(haproxy=text))["pending_reload"] is False
    host.said = {"description": "kubeha:34cd"}
    assert host.run(host.files(haproxy=text))["force"] == "reload"


@pytest.mark.parametrize("unit, force", [
    ({"ActiveState": "inactive"}, "start"),
    ({"ActiveState": "active", "UnitFileState": "disabled"}, "enable"),
    ({"ActiveState": "active", "UnitFileState": "enabled"}, "nothing"),
])
def test_the_least_force(host, unit, force):
    host.run(host.files(haproxy=OURS))
    host.write(str(host.running), sha256(OURS.encode()).hexdigest() + "\n")
    host.unit.update(unit)
    assert host.run(host.files(haproxy=OURS))["force"] == force


def test_secrets_are_in_the_file_and_nowhere_else(host):
    text = OURS + "    auth_type PASS\n    auth_pass <<mark>>\n"
    files = host.files(keepalived=text)
    result = host.run(files, role="keepalived", secrets={"<<mark>>": "geheim12"}, diff=True)
    path = host.path("/etc/keepalived/keepalived.conf")
    assert "auth_pass geheim12\n" in read(path)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert "geheim12" not in json.dumps(result)
    # A new one is a change that shows, and neither of the two does.
    result = host.run(files, role="keepalived", secrets={"<<mark>>": "geheim34"}, diff=True)
    shown = json.dumps(result)
    assert "geheim12" not in shown and "geheim34" not in shown
    (diff,) = result["diff"]
    assert diff["before"] != diff["after"]
    # Nor when the file is invalid.
    host.binary("keepalived", "cat \"$3\"; exit 5")
    result = host.run(files, role="keepalived", secrets={"<<mark>>": "geheim56"})
    assert result["failed"] and "geheim56" not in json.dumps(result)


OLD_KEY, NEW_KEY = ("hex:" + 64 * digit for digit in "12")


def signed(host, *numbers):
    """A keepalived.conf and the files of its keys, whose secrets are <<1>> and so on."""
    folder = host.path("/etc/keepalived")
    names = ["%s/kubeha-a-%d.key" % (folder, number) for number in numbers]
    [conf] = host.files(keepalived=OURS + "".join(
        "    key %d file:%s\n" % pair for pair in zip(numbers, names)) + "    active_key %d\n" % numbers[0])
    return names, [{**conf, "path": name, "kind": "hmac-key", "guarded": False, "mode": "0400", "secret": True,
                    "content": "<<%d>>\n" % number} for name, number in zip(names, numbers)] + [conf]


def test_keys_come_with_the_configuration_that_names_them_and_go_with_it(host):
    host.binary("keepalived", 'cp "$3" %s/judged' % host.root)
    secrets = {"<<1>>": OLD_KEY, "<<2>>": NEW_KEY}
    [old], files = signed(host, 1)
    result = host.run(files, role="keepalived", secrets=secrets, diff=True)
    assert not result.get("failed") and OLD_KEY not in json.dumps(result)
    assert read(old) == OLD_KEY + "\n" and stat.S_IMODE(os.stat(old).st_mode) == 0o400
    assert OLD_KEY not in read(host.path("/etc/keepalived/keepalived.conf"))
    # Before the key's file is there it's a stand-in that is tested.
    judged = read(host.root / "judged")
    assert "key 1 hex:" + 64 * "0" in judged and "file:" not in judged
    assert not host.run(files, role="keepalived", secrets=secrets)["changed"]
    host.write(str(host.root / "run/keepalived.running"), sha256(
        read(host.path("/etc/keepalived/keepalived.conf")).encode()).hexdigest() + "\n")

    (new, _old), files = signed(host, 2, 1)
    result = host.run(files, role="keepalived", secrets=secrets, diff=True)
    assert NEW_KEY not in json.dumps(result) and read(new) == NEW_KEY + "\n"
    assert result["changed_files"] == [new, host.path("/etc/keepalived/keepalived.conf")]
    back = host.run(files, role="keepalived", state="previous")
    assert back["removed_files"] == [new] and not os.path.exists(new) and read(old) == OLD_KEY + "\n"

    dummy, files = signed(host, 2)
    result = host.run(files, role="keepalived", secrets=secrets, diff=True)
    assert result["removed_files"] == [old] and not os.path.exists(old)
    assert OLD_KEY not in json.dumps(result)
    host.run(files, role="keepalived", state="absent")
    assert not os.path.exists(new)


def test_another_key_with_the_same_number_is_refused(host):
    [path], files = signed(host, 1)
    host.run(files, role="keepalived", secrets={"<<1>>": OLD_KEY})
    before = host.everything()
    for check_mode in (True, False):
        result = host.run(files, role="keepalived", secrets={"<<1>>": NEW_KEY}, check_mode=check_mode)
        assert "the new key of %s has the same ID" % path in result["msg"]
        assert NEW_KEY not in json.dumps(result)
    assert host.everything() == before
    # What somebody has written there by hand isn't what members have loaded.
    os.chmod(path, 0o600)
    host.write(path, "edited\n", 0o400)
    assert not host.run(files, role="keepalived", secrets={"<<1>>": OLD_KEY}).get("failed")
    assert read(path) == OLD_KEY + "\n"


def test_what_runs_with_other_files_than_there_are_is_seen(host):
    files = host.files(keepalived=OURS + "one\n")
    host.run(files, role="keepalived")
    assert not host.run(files, role="keepalived", check_mode=True)["unloaded"]
    host.unit.update(ActiveState="active")
    host.write(str(host.root / "run/keepalived.running"), sha256((OURS + "one\n").encode()).hexdigest() + "\n")
    planned = host.files(keepalived=OURS + "two\n")
    assert not host.run(planned, role="keepalived", check_mode=True)["unloaded"]
    # A run that was killed before it told keepalived.
    host.run(planned, role="keepalived")
    assert host.run(planned, role="keepalived", check_mode=True)["unloaded"]


def test_a_new_file_is_never_readable_by_more_than_those_who_may(host, monkeypatch):
    modes = []
    rename = os.rename

    def watched(source, target, src_dir_fd=None, dst_dir_fd=None):
        modes.append((os.path.basename(target), stat.S_IMODE(os.stat(source, dir_fd=src_dir_fd).st_mode)))
        rename(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "rename", watched)
    host.run(host.files(keepalived=OURS), role="keepalived")
    assert ("keepalived.conf", 0o600) in modes


def test_a_folder_in_the_way(host):
    os.makedirs(host.haproxy)
    assert "is a folder" in host.run(host.files(haproxy=OURS))["msg"]


def test_sysctls(host, monkeypatch):
    monkeypatch.setattr(_sysctls_io, "place", lambda name: host.path("/proc/" + name))
    name = "net.ipv4.ip_nonlocal_bind"
    host.write(host.path("/proc/" + name), "0\n")
    path = host.path("/etc/sysctl.d/90-kubeha.conf")
    files = [{"path": path, "kind": "sysctl", "guarded": False, "owner": USER, "group": GROUP, "mode": "0644",
              "secret": False, "content": OURS + "%s = 1\n" % name}]
    assert host.run(files, check_mode=True)["sysctls_changed"] == [name]
    assert read(host.path("/proc/" + name)) == "0\n"
    assert host.run(files)["sysctls_changed"] == [name]
    assert read(host.path("/proc/" + name)) == "1"
    assert not host.run(files)["changed"]
    # The kernel forgot, or somebody changed it: the file alone isn't enough.
    host.write(host.path("/proc/" + name), "0\n")
    assert host.run(files)["changed"]
    # Of no use any more, unless somebody else wants it.
    host.write(host.path("/proc/" + name), "1\n")
    monkeypatch.setattr(_hostfacts, "SYSCTL_FOLDERS", (host.path("/etc/sysctl.d"),))
    monkeypatch.setattr(_sysctls_io, "CONF", host.path("/etc/sysctl.conf"))
    host.write(host.path("/etc/sysctl.d/99-site.conf"), "# mine\n-net/ipv4/ip_nonlocal_bind=1\n")
    assert host.run([], check_mode=True)["sysctls_changed"] == []
    host.write(host.path("/etc/sysctl.conf"), "net.ipv4.ip_nonlocal_bind = 0\n")
    assert host.run([], check_mode=True)["sysctls_changed"] == [name]
    assert host.run([])["sysctls_changed"] == [name]
    assert read(host.path("/proc/" + name)) == "0"
    assert not host.run([])["changed"]
    host.run(files)
    if os.getuid():
        host.write(host.path("/proc/" + name), "0\n", 0o444)
        assert "can't be set" in host.run(files)["msg"]


def test_a_full_disk_leaves_whole_files(host, monkeypatch):
    host.write(host.haproxy, OURS + "old\n")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    files = host.files(haproxy=OURS + "new\n")
    monkeypatch.setattr(os, "fsync", full)
    module = FakeModule({"role": "haproxy", "files": files, "state": "present", "adopt": False, "keep_stale": False,
                         "beside": None, "units": None, "sealed": None})
    with pytest.raises(OSError, match="No space left"):
        endpoint_files.Deployment(module).run()
    assert read(host.haproxy) == OURS + "old\n"
    assert os.listdir(os.path.dirname(host.haproxy)) == ["haproxy.cfg"]


MANIFEST = OURS + 'metadata:\n  annotations:\n    kubeha.apiserver/execution: "%s"\n'


class PodHost(Host):
    """A node that gets HAProxy's pod."""

    def __init__(self, root, monkeypatch):
        super().__init__(root, monkeypatch)
        self.process = None
        self.others = set()
        self.judged = (0, "")
        self.asked = []
        self.config = self.path("/etc/kubeha/haproxy/haproxy.cfg")
        self.manifest = self.path("/etc/kubernetes/manifests/kubeha-haproxy.yaml")
        self.folder = self.path("/run/kubeha/haproxy")
        self.calls = root / "calls"
        monkeypatch.setenv("PATH", "%s:%s" % (self.bin, os.environ["PATH"]))
        monkeypatch.setattr(_process_io, "find_pod", lambda role: self.process)
        monkeypatch.setattr(_process_io, "find_in_static_pods", lambda program: set(self.others))
        monkeypatch.setattr(_process_io, "find_kubelet", lambda: {"running": True})
        monkeypatch.setattr(_confined_io, "run_beside", self.run_beside)
        self.binary("sh", "exec /bin/sh \"$@\"")

    def run_beside(self, process, argv, content, seconds):
        self.asked.append((process.pid, argv, content))
        return _host_io.Output(*self.judged)

    def pod_files(self, config="one\n", execution="e1", script="#!/bin/sh\nexit 0\n"):
        owner = {"owner": str(os.getuid()), "group": str(os.getgid())}
        contents = [
            ("tmpfiles", self.path("/etc/tmpfiles.d/kubeha.conf"), "0644",
             OURS + "d {0} 0755 {1} {2} -\nf {0}/down 0644 {1} {2} - 1\n".format(
                 self.folder, owner["owner"], owner["group"])),
            ("pod-script", self.path("/etc/kubeha/haproxy/run"), "0755", script),
            ("haproxy", self.config, "0644", OURS + config),
            ("manifest", self.manifest, "0600", MANIFEST % execution),
        ]
        return [dict(owner, path=path, kind=kind, mode=mode, content=text, guarded=False, secret=False, role="haproxy",
                     template=None) for kind, path, mode, text in contents]

    def in_either_mode(self, monkeypatch):
        paths = {"service": self.haproxy, "static_pod": self.config}
        layouts = {mode: layout._replace(config=dict(layout.config, haproxy=paths[mode]))
                   for mode, layout in _paths.LAYOUTS.items()}
        monkeypatch.setattr(_paths, "LAYOUTS", layouts)

    def starts(self, config="one\n", execution="e1"):
        self.process = _processes.Process(7, 1, 5.0, ("haproxy",))
        self.write(str(self.running), sha256((OURS + config).encode()).hexdigest())
        self.write(str(self.root / "run/haproxy/execution"), execution)

    def called(self):
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.fixture(name="node")
def fixture_node(tmp_path, monkeypatch):
    return PodHost(tmp_path, monkeypatch)


def test_a_pod_s_first_and_second_run(node):
    result = node.run(node.pod_files())
    assert result["changed"] and result["folders_changed"] == [node.folder, node.folder + "/down"]
    # Nothing runs that could look at it; endpoint_pod sees whether it's good.
    assert not result["validated"] and node.config in result["not_validated"][0]
    assert not result["active"] and not result["pending_reload"] and not result["needs_restart"]
    assert read(node.manifest) == MANIFEST % "e1"
    assert stat.S_IMODE(os.stat(node.manifest).st_mode) == 0o600
    down = os.path.join(node.folder, "down")
    assert read(down) == "1" and stat.S_IMODE(os.stat(down).st_mode) == 0o644
    node.starts()
    again = node.run(node.pod_files())
    assert not again["changed"] and again["active"] and again["validated"] and node.called() == []


class WatchedHost(PodHost):
    """A node whose systemd watches a manifest, as far as it's told to."""

    def __init__(self, root, monkeypatch):
        super().__init__(root, monkeypatch)
        self.units = [self.path("/etc/systemd/system/kubeha-release.%s" % kind) for kind in ("service", "path")]
        monkeypatch.setitem(_units_io.FILES, "kubeha-release.path", self.units)
        for state in ("enabled", "active"):
            monkeypatch.setenv("KUBEHA_" + state.upper(), str(root / state))
        self.binary("systemctl", """
case "$*" in
    show*)
        shift 2
        for unit; do
            echo "Id=$unit"
            [ ! -e "$KUBEHA_ACTIVE" ] || echo ActiveState=active
            [ ! -e "$KUBEHA_ENABLED" ] || echo UnitFileState=enabled
            echo NeedDaemonReload=no
            echo
        done
        exit
        ;;
    "enable "*) [ -e "{unit}" ] && : >"$KUBEHA_ENABLED" ;;
    "restart "*) : >"$KUBEHA_ACTIVE" ;;
    "disable "*) [ -e "{unit}" ] && rm -f "$KUBEHA_ENABLED" "$KUBEHA_ACTIVE" ;;
esac
code=$?
echo "$*" >>{calls}
exit $code""".replace("{unit}", self.units[1]).replace("{calls}", str(self.calls)))

    def watched_files(self, text="one\n"):
        owner = {"owner": str(os.getuid()), "group": str(os.getgid())}
        return self.pod_files() + [
            dict(owner, path=path, kind="release-unit", mode="0644", content=OURS + text, guarded=False, secret=False,
                 role="haproxy", template=None) for path in self.units]

    def watches(self):
        return (self.root / "enabled").exists() and (self.root / "active").exists()


@pytest.fixture(name="watched")
def fixture_watched(tmp_path, monkeypatch):
    return WatchedHost(tmp_path, monkeypatch)


BEGIN = ["daemon-reload", "enable kubeha-release.path", "restart kubeha-release.path"]
END = ["disable --now kubeha-release.path", "stop kubeha-release.service kubeha-release.path", "daemon-reload"]


def test_the_watcher_is_on_while_its_files_are_there(watched):
    assert watched.run(watched.watched_files(), check_mode=True)["units_changed"] == ["kubeha-release.path"]
    assert watched.called() == []
    watched.run(watched.watched_files())
    assert watched.watches() and watched.called()[-3:] == BEGIN
    again = watched.run(watched.watched_files())
    assert not again["changed"] and again["units_changed"] == [] and watched.called()[-3:] == BEGIN
    # Another manifest to watch.
    assert watched.run(watched.watched_files("two\n"))["units_changed"] == ["kubeha-release.path"]
    assert watched.called()[-3:] == BEGIN
    # As the other mode has none.
    assert watched.run(watched.pod_files())["removed_files"] == sorted(watched.units)
    assert not watched.watches() and watched.called()[-3:] == END
    assert not any(os.path.exists(path) for path in watched.units)


@pytest.mark.parametrize("lost", ["enabled", "active"])
def test_a_watcher_that_somebody_stopped_is_a_change(watched, lost):
    watched.run(watched.watched_files())
    (watched.root / lost).unlink()
    result = watched.run(watched.watched_files())
    assert result["changed"] and result["changed_files"] == [] and watched.watches()
    assert not watched.run(watched.watched_files())["changed"]


def test_removal_ends_the_watcher(watched):
    watched.run(watched.watched_files())
    watched.run([], state="absent")
    assert not watched.watches() and watched.called()[-3:] == END


def test_going_back_to_what_had_no_watcher_ends_it_and_back_again_begins_it(watched):
    watched.run(watched.pod_files())
    watched.starts()
    watched.run(watched.watched_files())
    assert watched.watches()
    assert watched.run(watched.watched_files(), state="previous")["removed_files"] == sorted(watched.units)
    assert not watched.watches() and watched.called()[-3:] == END


def test_a_watcher_that_cannot_be_started_is_said(watched):
    watched.binary("systemctl", "echo no systemd here; exit 1")
    with pytest.raises(OSError, match="systemctl daemon-reload: no systemd here"):
        watched.run(watched.watched_files())


def test_folders_are_there_before_the_manifest(node, monkeypatch):
    rename, seen = os.rename, {}

    def watched(*names, **folders):
        seen[names[1]] = os.path.isdir(node.folder)
        rename(*names, **folders)

    monkeypatch.setattr(os, "rename", watched)
    node.run(node.pod_files())
    assert seen["kubeha-haproxy.yaml"]


def test_a_folder_that_got_lost_is_a_change(node):
    node.run(node.pod_files())
    shutil.rmtree(node.folder)
    assert node.run(node.pod_files(), check_mode=True)["folders_changed"] == [node.folder, node.folder + "/down"]
    assert not os.path.exists(node.folder)
    assert node.run(node.pod_files())["changed"] and os.path.isdir(node.folder)


def test_what_a_reload_carries_is_validated_in_the_running_pod(node):
    node.run(node.pod_files())
    node.starts()
    result = node.run(node.pod_files(config="two\n"))
    assert result["validated"] and result["pending_reload"] and not result["needs_restart"]
    assert node.asked == [(7, ["haproxy", "-c", "-f", "/proc/self/fd/0"], (OURS + "two\n").encode())]
    # Nothing stays in the folder that the pod sees.
    assert sorted(os.listdir(os.path.dirname(node.config))) == ["haproxy.cfg", "run"]
    node.judged = (1, "[ALERT] parsing [/proc/self/fd/0:3]: no")
    refused = node.run(node.pod_files(config="three\n"))
    assert refused["failed"] and "[ALERT] parsing [%s:3]: no" % node.config in refused["msg"]
    node.judged = (None, "", "haproxy can't be run with the rights of its container only")
    assert "with the rights of its container only" in node.run(node.pod_files(config="three\n"))["msg"]
    assert read(node.config) == OURS + "two\n"


def test_what_another_image_will_load_is_not_for_this_one_to_judge(node):
    node.run(node.pod_files())
    node.starts()
    result = node.run(node.pod_files(config="two\n", execution="e2"))
    assert not result.get("failed") and result["needs_restart"] and not result["validated"]
    assert node.asked == []


def test_a_pod_s_script_has_to_be_one(node):
    result = node.run(node.pod_files(script="#!/bin/sh\nif\n"))
    assert result["failed"] and not os.path.exists(node.manifest)


def test_pods_of_somebody_else_are_refused_or_taken_over(node, monkeypatch):
    other = node.path("/etc/kubernetes/manifests/lb.yaml")
    node.write(other, "spec:\n  containers:\n  - image: haproxy:2.8\n")
    node.write(node.path("/etc/kubernetes/manifests/etcd.yaml"), "  - image: registry.k8s.io/etcd:3.6.5-0\n")
    refused = node.run(node.pod_files())
    assert refused["failed"] and refused["foreign_files"] == [other] and not os.path.exists(node.manifest)
    # Its pod ends some time after its manifest has gone.
    node.others = {9}
    monkeypatch.setattr(_foreign_pods_io.time, "sleep", lambda seconds: node.others.clear())
    result = node.run(node.pod_files(), adopt=True)
    assert result["adopted_files"] == [other] and not os.path.exists(other) and not node.others
    assert read(node.path("/var/lib/kubeha/adopted") + other) == "spec:\n  containers:\n  - image: haproxy:2.8\n"
    assert os.path.exists(node.path("/etc/kubernetes/manifests/etcd.yaml"))


def test_a_pod_that_was_silenced_gets_its_manifest_back(node, monkeypatch):
    node.in_either_mode(monkeypatch)
    node.run(node.pod_files())
    node.starts()
    assert node.run(node.pod_files("two\n"), state="kept")["previous"]
    os.unlink(node.manifest)
    # Nothing that comes then is worth keeping: neither its turn, nor what another run finds after it.
    node.run(node.pod_files("two\n"))
    os.unlink(node.manifest)
    node.run(node.pod_files("three\n"), state="kept")
    node.run(node.pod_files("three\n"))
    assert node.run(node.pod_files("three\n"), state="previous")["previous"]
    assert read(node.manifest) == MANIFEST % "e1" and read(node.config) == OURS + "one\n"


def test_a_host_that_goes_back_to_pods_gets_their_folder_before_their_manifest(node, monkeypatch):
    node.in_either_mode(monkeypatch)
    monkeypatch.setattr(_paths, "TMPFILES", node.path("/etc/tmpfiles.d/kubeha.conf"))
    node.run(node.pod_files())
    node.starts()
    services = node.files(haproxy=OURS + "one\n", drop_in=OURS)
    assert node.run(services, state="kept")["previous"]
    node.run(services, keep_stale=True)
    # As it is once services have had that folder.
    os.unlink(node.manifest)
    shutil.rmtree(node.folder)
    rename, seen = os.rename, {}

    def watched(*names, **folders):
        seen[names[1]] = os.path.exists(node.folder + "/down")
        rename(*names, **folders)

    monkeypatch.setattr(os, "rename", watched)
    assert node.run(services, state="previous")["previous"]
    assert seen["kubeha-haproxy.yaml"] and read(node.manifest) == MANIFEST % "e1"


def test_a_host_is_moved_to_the_other_mode_at_keepaliveds_turn(node, monkeypatch):
    node.in_either_mode(monkeypatch)
    node.run(node.files(haproxy=OURS + "one\n", drop_in=OURS))
    node.unit.update(ActiveState="active", DropInPaths=node.drop_in)
    refused = node.run(node.pod_files())
    assert refused["failed"] and "run here as services" in refused["msg"]
    look = node.run(node.pod_files(), check_mode=True)
    assert look["force"] == "nothing" and not os.path.exists(node.manifest)
    # What runs is kept before anything of the new mode is there, also when the run is killed and begun again.
    assert node.run(node.pod_files(), state="kept")["previous"]
    moved = node.run(node.pod_files(), keep_stale=True)
    assert not moved.get("failed") and moved["removed_files"] == [] and os.path.exists(node.haproxy)
    assert node.run(node.pod_files(), state="kept")["previous"]
    back = node.run(node.pod_files(), state="previous")
    assert back["previous"] and not os.path.exists(node.manifest) and read(node.haproxy) == OURS + "one\n"
    node.run(node.pod_files(), keep_stale=True)
    node.unit.update(ActiveState="inactive")
    last = node.run(node.pod_files())
    assert sorted(last["removed_files"]) == sorted([node.haproxy, node.drop_in]) and not os.path.exists(node.haproxy)
    assert not os.path.exists(os.path.dirname(node.drop_in))
    node.starts()
    assert "run here as static pods" in node.run(node.files(haproxy=OURS + "one\n"))["msg"]


@pytest.mark.parametrize("to", ["static_pod", "service"])
@pytest.mark.parametrize(("planned", "rekeyed"), [("one", False), ("two", True)])
def test_another_password_is_seen_in_the_other_modes_file(node, monkeypatch, to, planned, rekeyed):
    """Members that don't share it wouldn't hear each other: both changes at once are refused."""
    paths = {"service": node.path("/etc/keepalived/keepalived.conf"),
             "static_pod": node.path("/etc/kubeha/keepalived/keepalived.conf")}
    monkeypatch.setattr(_paths, "LAYOUTS", {
        mode: layout._replace(config=dict(layout.config, keepalived=paths[mode]))
        for mode, layout in _paths.LAYOUTS.items()})
    if to == "static_pod":
        node.unit.update(ActiveState="active", DropInPaths=_paths.DROP_INS["keepalived"])
    else:
        node.starts()
    [mode] = set(paths) - {to}
    node.write(paths[mode], OURS + "auth_pass one\n", 0o600)
    files = node.files(keepalived=OURS + "auth_pass %s\n" % planned)
    files[0]["path"] = paths[to]
    # What this mode has left says nothing.
    node.write(paths[to], OURS + "auth_pass two\n", 0o600)
    if to == "static_pod":
        files += [file for file in node.pod_files() if file["kind"] == "manifest"]
    assert node.run(files, role="keepalived", check_mode=True)["rekeyed"] is rekeyed


# Secrets, and runs that are killed

OLD, NEW, ELSE = "Canary-old", "Canary-new", "Canary-else"
CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.link", "shutil.", "subprocess.")


def killed_at(step, act):
    """Run `act` in a process that is killed before its change number `step`; whether it came so far."""
    child = os.fork()
    if child == 0:
        count = 0

        def hook(event, arguments):
            nonlocal count
            writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
            if writes or event.startswith(CHANGES):
                count += 1
                if count == step:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        try:
            act()
        finally:
            os._exit(0)  # pytest's own clean-up is the parent's
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def forms(secret):
    return [form.encode() for form in (secret, base64.b64encode(secret.encode()).decode())]


def holding(root, *secrets):
    """Files below `root` that hold any of the secrets."""
    wanted = [form for secret in secrets for form in forms(secret)]
    return {str(path.relative_to(root)): stat.S_IMODE(path.stat().st_mode) for path in root.rglob("*")
            if path.is_file() and "bin" not in path.parts and any(form in path.read_bytes() for form in wanted)}


class SecretHost(Host):
    """A host whose keepalived has a password, and whose kubelet has a registry's."""

    CONF, AUTH = "etc/keepalived/keepalived.conf", "var/lib/kubelet/config.json"
    STATE = "var/lib/kubeha/"

    def __init__(self, root, monkeypatch):
        super().__init__(root, monkeypatch)
        # It says what it was shown, as keepalived does of a line that it doesn't understand.
        self.binary("keepalived", "exec cat \"$3\" >&2")
        self.pristine = root.parent / "pristine"

    def deploy(self, secret, auth=True, **how):
        files = self.files(keepalived=OURS + "vrrp_instance a {\n    auth_pass <<p>>\n}\n", hook="#!/bin/sh\n")
        if auth:
            files.append(dict(files[0], path=self.path("/" + self.AUTH), kind="image-auth", guarded=True,
                              content='{\n "#": "%s",\n "auths": {"r": {"auth": "<<r>>"}}\n}\n' % OURS.strip()))
        login = base64.b64encode(secret.encode()).decode()
        result = self.run(files, role="keepalived", secrets={"<<p>>": secret, "<<r>>": login}, **how)
        assert not any(form.decode() in json.dumps(result) for form in forms(secret)), result
        return result

    def loads(self):
        config = self.root / self.CONF
        running = self.root / "run/keepalived.running"
        running.write_text(sha256(config.read_bytes()).hexdigest())

    def fingerprint(self):
        """Where the secrets are, and what lies around."""
        places = [(secret, path) for secret in (OLD, NEW) for path in holding(self.root, secret)]
        return frozenset((secret, re.sub(r"-(\d+$|[a-z0-9_]{8})", "", path))
                         for secret, path in places + [("", path) for path in self.left()])

    def left(self):
        return [path for path in map(str, self.root.rglob(".*")) if "kubeha" in path and "bin" not in path]

    def keep(self):
        shutil.copytree(self.root, self.pristine, symlinks=True)

    def restore(self, kept):
        for path in self.root.iterdir():
            shutil.rmtree(path)
        shutil.copytree(kept, self.root, symlinks=True, dirs_exist_ok=True)


@pytest.fixture(name="guarded")
def fixture_guarded(tmp_path, monkeypatch):
    root = tmp_path / "root"
    root.mkdir()
    return SecretHost(root, monkeypatch)


@pytest.mark.parametrize("change", ["first", "other", "back", "absent", "without"])
def test_a_run_that_is_killed_leaves_a_secret_only_where_it_belongs(guarded, change):
    if change != "first":
        guarded.binary("keepalived", "exit 0")
        guarded.deploy(OLD)
        guarded.loads()
    if change == "back":
        guarded.deploy(NEW)
    guarded.binary("keepalived", "exit 0")
    act = {
        "first": lambda: guarded.deploy(NEW), "other": lambda: guarded.deploy(NEW),
        "without": lambda: guarded.deploy(NEW, auth=False),
        "back": lambda: guarded.run(guarded.files(keepalived=""), role="keepalived", state="previous"),
        "absent": lambda: guarded.run([], role="keepalived", state="absent"),
    }[change]
    guarded.keep()
    belongs = [guarded.CONF, guarded.AUTH]
    previous = [guarded.STATE + "previous/keepalived" + str(guarded.root) + "/" + path for path in belongs]
    scratch = re.compile(r"(.*/)?\.[^/]*(kubeha|keepalived)-[^/]*(/.*)?")
    seen = set()
    for step in itertools.count(1, STRIDE):
        if not killed_at(step, act):
            break
        as_before = guarded.fingerprint()
        if as_before in seen:
            guarded.restore(guarded.pristine)
            continue
        seen.add(as_before)
        left = holding(guarded.root, OLD, NEW)
        assert set(left.values()) <= {0o600}, (step, left)
        assert all(path in belongs + previous or scratch.fullmatch(path) for path in left), (step, left)
        killed = guarded.root.parent / "killed"
        shutil.copytree(guarded.root, killed, symlinks=True)
        # The next run sweeps, and so does removal.
        guarded.deploy(ELSE)
        left = holding(guarded.root, OLD, NEW)
        assert set(left) <= set(previous), (step, left)
        assert set(holding(guarded.root, ELSE)) == set(belongs) and guarded.left() == [], step
        assert not guarded.deploy(ELSE)["changed"]
        guarded.restore(killed)
        guarded.run([], role="keepalived", state="absent")
        assert holding(guarded.root, OLD, NEW) == {} and guarded.left() == [], step
        guarded.restore(guarded.pristine)
        shutil.rmtree(killed)
    assert len(seen) > (2 if STRIDE == 1 else 0)


# Other people's files

def copies(host):
    folder = host.path("/var/lib/kubeha/adopted")
    return sorted(os.path.join(top, name)[len(folder):] for top, _folders, names in os.walk(folder) for name in names)


def copy_name(path, text):
    return "%s.%s" % (path, sha256(text.encode()).hexdigest()[:12])


@pytest.mark.parametrize("edited", ["drop_in", "hook", "haproxy"])
def test_what_was_edited_by_hand_is_replaced_after_a_copy(host, edited):
    """A drop-in, a script, and a configuration that still says that it's ours."""
    files = host.files(haproxy=OURS + "one\n", drop_in=OURS, hook="#!/bin/bash\n")
    host.run(files)
    path = {"drop_in": host.drop_in, "hook": host.path("/usr/libexec/hook"), "haproxy": host.haproxy}[edited]
    by_hand = OURS + "# an admin's\n"
    host.write(path, by_hand, 0o600)
    copy = host.path("/var/lib/kubeha/adopted") + copy_name(path, by_hand)
    would = host.run(files, check_mode=True)
    assert would["kept_files"] == [copy] and not os.path.exists(copy)
    did = host.run(files)
    assert did["kept_files"] == [copy] and host.warnings == [
        "Somebody else has written %s. What it said is kept as %s." % (path, copy)]
    assert read(copy) == by_hand and stat.S_IMODE(os.stat(copy).st_mode) == 0o600
    # Once: nothing changes any more, and nothing is kept that we wrote.
    assert host.run(files)["kept_files"] == [] and host.warnings == []
    host.run(host.files(haproxy=OURS + "two\n", drop_in=OURS + "two\n", hook="#!/bin/bash\n:\n"))
    assert copies(host) == [copy_name(path, by_hand)]
    # What is left is named, and isn't what was there before us.
    assert host.run([], state="absent")["kept"] == [copy]
    assert not os.path.exists(path) and read(copy) == by_hand


def test_what_was_edited_by_hand_and_is_planned_no_more_goes_after_a_copy(host):
    host.run(host.files(haproxy=OURS, drop_in=OURS))
    host.write(host.drop_in, OURS + "# an admin's\n")
    result = host.run(host.files(haproxy=OURS))
    assert result["removed_files"] == [host.drop_in] and len(result["kept_files"]) == 1
    assert read(result["kept_files"][0]) == OURS + "# an admin's\n" and not os.path.exists(host.drop_in)


def test_removal_keeps_a_copy_of_what_was_edited(host):
    host.run(host.files(haproxy=OURS, drop_in=OURS))
    host.write(host.drop_in, OURS + "# an admin's\n")
    would = host.run([], state="absent", check_mode=True)
    did = host.run([], state="absent")
    assert would["kept_files"] == did["kept_files"] == did["kept"] and len(did["kept"]) == 1
    assert read(did["kept"][0]) == OURS + "# an admin's\n" and not os.path.exists(host.drop_in)


@pytest.mark.parametrize("which", ["haproxy", "image auth"])
@pytest.mark.parametrize("how", ["planned no more", "removed"])
def test_what_somebody_has_written_anew_stays(host, monkeypatch, which, how):
    """A configuration of a service that was moved to pods, and the kubelet's file of registries."""
    auth = host.path("/var/lib/kubelet/config.json")
    monkeypatch.setattr(_records_io, "GUARDED", (host.haproxy, auth))
    entry = dict(host.files(haproxy='{\n "#": "Managed by kubeha.apiserver"\n}\n')[0], path=auth, kind="image-auth")
    host.run([*host.files(haproxy=OURS, drop_in=OURS), entry])
    path, theirs = (host.haproxy, "global\n") if which == "haproxy" else (auth, '{"auths": {"theirs": {}}}\n')
    host.write(path, theirs)
    result = host.run(host.files(drop_in=OURS)) if how == "planned no more" else host.run([], state="absent")
    assert path not in result["removed_files"] and result["foreign_files"] == [path]
    assert read(path) == theirs


def test_a_file_that_was_there_by_accident_comes_back(host):
    """An admin's own 90-kubeha.conf."""
    path = host.path("/etc/sysctl.d/90-kubeha.conf")
    host.write(path, "vm.swappiness = 1\n")
    ours = [{"path": path, "kind": "unit", "guarded": False, "owner": USER, "group": GROUP, "mode": "0644",
             "secret": False, "content": OURS}]
    copy = host.path("/var/lib/kubeha/adopted") + path
    assert host.run(ours)["kept_files"] == [copy] and read(copy) == "vm.swappiness = 1\n"
    assert host.run(ours)["kept_files"] == []
    result = host.run([], state="absent")
    assert result["changed_files"] == [path] and read(path) == "vm.swappiness = 1\n" and result["kept"] == []


def test_removal_leaves_what_others_put_into_our_folder(host):
    plan = {"path": host.path("/etc/kubeha/plan.json"), "kind": "plan", "guarded": False, "owner": USER, "group": GROUP,
            "mode": "0644", "secret": False, "content": "{}\n"}
    host.run([*host.files(haproxy=OURS), plan])
    notes = host.path("/etc/kubeha/notes")
    host.write(notes, "mine\n")
    result = host.run([], state="absent")
    assert result["foreign_files"] == [notes] and read(notes) == "mine\n" and not os.path.exists(plan["path"])


def test_what_an_earlier_version_noted_is_understood(host):
    files = host.files(haproxy=OURS + "one\n", drop_in=OURS)
    host.run(files)
    noted = host.path("/var/lib/kubeha/files-haproxy.json")
    host.write(noted, json.dumps(sorted(json.loads(read(noted)))))
    result = host.run(host.files(haproxy=OURS + "two\n"))
    assert result["kept_files"] == [] and result["removed_files"] == [host.drop_in]


# Modes, space and folders

@pytest.fixture(name="umask", params=[0o022, 0o027, 0o077])
def fixture_umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_modes_are_the_same_whatever_the_umask(node, umask):
    node.run(node.pod_files())
    modes = {str(path.relative_to(node.root)): stat.S_IMODE(path.lstat().st_mode)
             for top in ("etc", "run/kubeha", "var/lib/kubeha") for path in (node.root / top).rglob("*")}
    assert modes == {
        "etc/tmpfiles.d": 0o755, "etc/tmpfiles.d/kubeha.conf": 0o644, "etc/kubeha": 0o755, "etc/kubeha/haproxy": 0o755,
        "etc/kubeha/haproxy/run": 0o755, "etc/kubeha/haproxy/haproxy.cfg": 0o644, "etc/kubernetes": 0o755,
        "etc/kubernetes/manifests": 0o755, "etc/kubernetes/manifests/kubeha-haproxy.yaml": 0o600,
        "run/kubeha/haproxy": 0o755, "run/kubeha/haproxy/down": 0o644, "var/lib/kubeha/before-haproxy.json": 0o600,
        "var/lib/kubeha/files-haproxy.json": 0o600}
    assert stat.S_IMODE(os.stat(node.path("/run/kubeha")).st_mode) == 0o755


@pytest.mark.parametrize("path, mode", [
    ("/run/kubeha", 0o750), ("/etc/kubeha", 0o700), ("/var/lib/kubeha", 0o700), ("/run/kubeha/haproxy", 0o700),
    ("/run/kubeha/haproxy/down", 0o666), ("/etc/kubeha/haproxy", 0o750)])
def test_wrong_modes_are_a_change_and_are_mended(node, path, mode):
    node.run(node.pod_files())
    node.starts()
    right = stat.S_IMODE(os.stat(node.path(path)).st_mode)
    os.chmod(node.path(path), mode)
    would = node.run(node.pod_files(), check_mode=True)
    assert would["changed"] and would["folders_changed"] == [node.path(path)] and would["force"] == "files"
    assert stat.S_IMODE(os.stat(node.path(path)).st_mode) == mode
    assert node.run(node.pod_files())["folders_changed"] == [node.path(path)]
    assert stat.S_IMODE(os.stat(node.path(path)).st_mode) == right
    assert not node.run(node.pod_files())["changed"]


@pytest.mark.parametrize("folder, mode", [("/etc/haproxy", 0o777), ("/etc", 0o775), ("/etc/systemd/system", 0o1777)])
def test_folders_that_others_can_write_to_are_refused_before_anything_changes(host, folder, mode):
    os.makedirs(host.path(folder), exist_ok=True)
    os.chmod(host.path(folder), mode)
    before = host.everything()
    for check_mode in (True, False):
        result = host.run(host.files(haproxy=OURS, drop_in=OURS), check_mode=check_mode)
        assert result["failed"] and "mode 0755" in result["msg"] and "%04o" % mode in result["msg"]
    assert host.everything() == before


def test_metrics_have_a_folder_of_root_and_are_written_in_one_place(host, monkeypatch):
    unit = host.path("/etc/systemd/system/kubeha-metrics.service")
    monkeypatch.setattr(endpoint_files, "METRICS_SERVICE", unit)

    def files(name):
        text = OURS + "ExecStart=/usr/bin/env python3 /etc/kubeha/metrics cp1 %s/kubeha.prom\n" % host.path(name)
        return host.files(drop_in=OURS) + [
            dict(host.files(drop_in=text)[0], path=unit, kind="metrics-unit")]

    before = host.everything()
    assert "it isn't there" in host.run(files("/var/one"))["msg"]
    # A look at HAProxy's files tells of keepalived's.
    assert "it isn't there" in host.run(host.files(drop_in=OURS), check_mode=True, units=files("/var/one"))["msg"]
    assert host.everything() == before
    for name in ("one", "two"):
        os.makedirs(host.path("/var/" + name))
    os.chmod(host.path("/var/one"), 0o777)
    assert "metrics can't be written into" in host.run(files("/var/one"), check_mode=True)["msg"]
    os.chmod(host.path("/var/one"), 0o755)
    host.run(files("/var/one"))
    for name in ("one", "two"):
        host.write(host.path("/var/%s/kubeha.prom" % name), "kubeha_host_drained 0\n")
    host.run(files("/var/two"))
    assert [os.listdir(host.path("/var/" + name)) for name in ("one", "two")] == [[], ["kubeha.prom"]]
    host.run(host.files(drop_in=OURS))
    assert os.listdir(host.path("/var/two")) == [] and not os.path.exists(unit)


def test_a_script_that_can_not_be_run_is_refused_before_anything_changes(host, monkeypatch):
    unit, script = host.path("/etc/systemd/system/kubeha-hook.service"), host.path("/opt/moved")
    monkeypatch.setattr(endpoint_files, "HOOK_SERVICE", unit)
    text = OURS + "ExecStart=/usr/bin/env python3 /etc/kubeha/hook cp1 %s\n" % script
    files = host.files(drop_in=OURS) + [dict(host.files(drop_in=text)[0], path=unit, kind="hook-unit")]
    before = host.everything()
    for check_mode in (True, False):
        assert "%s isn't there" % script in host.run(files, check_mode=check_mode)["msg"]
    # A look at HAProxy's files tells of keepalived's.
    assert "isn't there" in host.run(host.files(drop_in=OURS), check_mode=True, units=files)["msg"]
    assert host.everything() == before


class Full:
    """The n-th step that writes fails, as on a full disk or one that was made read-only meanwhile."""

    NAMES = ("open", "mkdir", "rename", "fsync", "link", "fchmod")

    def __init__(self, monkeypatch, at, number):
        self.left, self.number = at, number
        for name in self.NAMES:
            monkeypatch.setattr(os, name, self.counted(name, getattr(os, name)))

    def counted(self, name, call):
        def called(*arguments, **more):
            writes = name != "open" or arguments[1] & (os.O_CREAT | os.O_WRONLY)
            if writes and self.left is not None:
                self.left -= 1
                if self.left < 0:
                    self.left = None  # undoing works: it needs no space
                    raise OSError(self.number, os.strerror(self.number))
            return call(*arguments, **more)
        return called


def test_wherever_writing_fails_the_set_is_a_whole_one(host):
    old = host.files(haproxy=OURS + "one\n", drop_in=OURS + "one\n", hook="#!/bin/bash\n:\n")
    new = host.files(haproxy=OURS + "two\n", drop_in=OURS + "two\n", hook="#!/bin/bash\ntrue\n")
    paths = [entry["path"] for entry in old]
    host.run(old)
    host.write(str(host.running), sha256((OURS + "one\n").encode()).hexdigest() + "\n")
    outcomes = set()
    for at in range(0, 200, STRIDE):
        number = (errno.ENOSPC, errno.EROFS)[at % 2]
        with pytest.MonkeyPatch.context() as patched:
            Full(patched, at, number)
            module = FakeModule({"role": "haproxy", "files": new, "state": "present", "adopt": False,
                                 "keep_stale": False, "beside": None, "units": None, "sealed": None})
            deployment = endpoint_files.Deployment(module)
            try:
                deployment.run()
                raise AssertionError("it returns by an exception")
            except Exit as result:
                assert not result.result.get("failed")
                break
            except OSError as error:
                assert error.errno == number
        present = [read(path) for path in paths]
        whole = [[entry["content"] for entry in files] for files in (old, new)]
        assert present in whole, "step %d" % at
        assert deployment.touched == (present == whole[1]), "step %d: its message tells which" % at
        outcomes.add(present == whole[0])
        assert not [path for path in host.root.rglob(".*") if ".kubeha-" in path.name], "step %d" % at
        if present == whole[1]:
            host.run(old)
    assert outcomes >= {True} and at > 20, "every step that writes has failed once"
    assert not host.run(new)["changed"]


def test_differences_of_what_goes_hide_its_secrets(guarded):
    guarded.binary("keepalived", "exit 0")
    guarded.deploy(OLD)
    # As with a change of mode, or without endpoint_image_auth: this run knows neither secret.
    result = guarded.run(guarded.files(hook="#!/bin/sh\n"), role="keepalived", check_mode=True, diff=True)
    assert sorted(result["removed_files"]) == sorted(guarded.path("/" + path) for path in (guarded.CONF, guarded.AUTH))
    shown = json.dumps(result)
    assert "auth_pass (hidden)" in shown and not any(form.decode() in shown for form in forms(OLD))


def test_a_copy_of_the_module_with_its_secrets_goes_before_it_does_anything(tmp_path, monkeypatch):
    payload, other = tmp_path / "AnsiballZ_endpoint_files.py", tmp_path / "AnsiballZ_other.py"
    for path in (payload, other):
        path.write_text("")
    words = b"/usr/bin/python3\0%s\0%s\0" % (str(payload).encode(), str(other).encode())
    monkeypatch.setattr(_host_io, "read_file", lambda path: words)
    endpoint_files.forget_payload()
    endpoint_files.forget_payload()
    assert not payload.exists() and other.exists()


# What was there before


def taken_over(host):
    """Theirs was running, and this host's folders are this user's."""
    host.write(host.haproxy, "theirs\n    bind :8443\n", 0o640)
    host.unit.update(ActiveState="active", UnitFileState="enabled")
    planned = host.files(haproxy=OURS + "one\n", drop_in=OURS)
    host.run(planned, adopt=True)
    host.unit.update(UnitFileState="disabled")
    return planned


def test_what_was_there_before_comes_back_with_what_its_unit_was(host):
    planned = taken_over(host)
    before = host.everything()
    said = host.run([], state="original", check_mode=True)
    assert host.everything() == before
    back = host.run([], state="original")
    assert said["before"] == back["before"] == {
        "foreign": True, "active": True, "enabled": True, "binds": [{"host": "127.0.0.1", "port": 8443}],
        "files": ["%s (0640 %s:%s)" % (host.haproxy, USER, GROUP)]}
    assert (back["changed_files"], back["removed_files"]) == ([host.haproxy], [host.drop_in])
    assert read(host.haproxy).startswith("theirs\n") and os.stat(host.haproxy).st_mode & 0o777 == 0o640
    # Copies stay until all hosts have been proven, so a run that was killed is run again.
    again = host.run([], state="original")
    assert again["before"] == back["before"] and not again["changed"]
    gone = host.run([], state="absent")
    assert gone["kept"] == [] and gone["foreign_files"] == [] and read(host.haproxy).startswith("theirs\n")
    assert not os.path.exists(host.path("/var/lib/kubeha"))
    assert not host.run([], state="original")["before"]["foreign"]
    host.run(planned, adopt=True)
    assert host.run([], state="original", check_mode=True)["before"]["foreign"]


def test_ours_comes_back_where_what_was_there_before_does_not_work(host, monkeypatch):
    monkeypatch.setattr(_paths, "LAYOUTS", {"service": _paths.LAYOUTS["service"]._replace(
        config={"haproxy": host.haproxy, "keepalived": ""})})
    planned = taken_over(host)
    host.write(str(host.running), sha256((OURS + "one\n").encode()).hexdigest())
    host.run([], state="kept")
    host.run([], state="original")
    assert host.run([], state="kept")["previous"], "a second run keeps what the first one has kept"
    back = host.run([], state="previous")
    assert back["previous"] and sorted(back["changed_files"]) == sorted([host.haproxy, host.drop_in])
    assert not host.run(planned)["changed"]
    assert host.run([], state="original", check_mode=True)["before"]["foreign"]


def test_the_note_of_what_was_there_before_is_never_made_anew(host):
    taken_over(host)
    note = host.path("/var/lib/kubeha/before-haproxy.json")
    first = read(note)
    assert stat.S_IMODE(os.stat(note).st_mode) == 0o600
    host.write(host.haproxy, "edited by somebody\n")
    host.run(host.files(haproxy=OURS + "two\n", drop_in=OURS), adopt=True)
    assert read(note) == first and host.run([], state="original")["changed_files"] == [host.haproxy]
    assert read(host.haproxy).startswith("theirs\n")


def test_a_keepalived_that_is_stopped_before_its_turn_is_noted_as_it_was(host):
    path = host.path("/etc/keepalived/keepalived.conf")
    host.write(path, "theirs\n")
    host.unit.update(ActiveState="active", UnitFileState="enabled")
    planned = host.files(keepalived=OURS)
    host.run(planned, role="keepalived", state="kept")
    host.unit.update(ActiveState="inactive", UnitFileState="disabled")
    host.run(planned, role="keepalived", adopt=True)
    before = host.run([], role="keepalived", state="original")["before"]
    assert before["active"] and before["enabled"] and before["foreign"] and read(path) == "theirs\n"


@pytest.mark.parametrize("harm, why", [
    (os.unlink, "it's gone"),
    (lambda copy: os.chmod(copy, 0o600), "its mode was 0640 and is 0600"),
    (lambda copy: os.truncate(copy, 3), "its content has changed"),
    (lambda copy: (os.unlink(copy), os.symlink("/etc/passwd", copy)), "it's gone"),
    (lambda copy: os.chmod(os.path.dirname(copy), 0o777), "others than its owner"),
])
def test_a_copy_that_is_not_what_was_kept_is_refused(host, harm, why):
    taken_over(host)
    harm(host.path("/var/lib/kubeha/adopted") + host.haproxy)
    before = host.everything()
    refused = host.run([], state="original")
    assert refused["failed"] and "Nothing was changed" in refused["msg"] and why in refused["msg"], refused["msg"]
    assert host.everything() == before


@pytest.mark.parametrize("content, why", [(None, "isn't known"), (b"{", "can't be read"), (b"[]", "can't be read")])
def test_a_note_that_is_not_there_or_is_no_note_is_refused(host, content, why):
    taken_over(host)
    note = host.path("/var/lib/kubeha/before-haproxy.json")
    os.unlink(note)
    if content is not None:
        host.write(note, content.decode())
    refused = host.run([], state="original")
    assert refused["failed"] and why in refused["msg"]
    assert read(host.haproxy).startswith(OURS)


def test_a_kernel_setting_is_what_it_was(host, monkeypatch):
    """Somebody had set it by hand, in no file."""
    monkeypatch.setattr(_sysctls_io, "place", lambda name: host.path("/proc/sys/") + name)
    monkeypatch.setattr(_sysctls_io, "_is_ours", lambda path: path.endswith("90-kubeha.conf"))
    host.write(host.path("/proc/sys/") + "net.x", "7")
    planned = [*host.files(haproxy=OURS), dict(host.files(haproxy="# ours\nnet.x = 1\n")[0], kind="sysctl",
                                               path=host.path("/etc/sysctl.d/90-kubeha.conf"), guarded=False)]
    host.write(host.haproxy, "theirs\n")
    host.run(planned, adopt=True)
    assert read(host.path("/proc/sys/") + "net.x") == "1"
    assert host.run([], state="original")["sysctls_changed"] == ["net.x"]
    assert read(host.path("/proc/sys/") + "net.x") == "7"


def test_what_was_there_before_runs_once_its_unit_was_started_without_our_drop_in(host):
    assert host.run([], state="original")["runs"], "where this collection hasn't been nothing is touched"
    taken_over(host)
    host.unit["MainPID"] = str(os.getpid())
    assert not host.run([], state="original")["runs"], "it has just come back"
    assert host.run([], state="original")["runs"]
    with subprocess.Popen(["sleep", "60"], env={"KUBEHA_EXECUTION": "x"}) as ours:
        host.unit["MainPID"] = str(ours.pid)
        assert not host.run([], state="original")["runs"]
        ours.kill()
    host.unit.update(ActiveState="inactive", MainPID="0")
    assert not host.run([], state="original")["runs"]
