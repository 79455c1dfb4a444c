# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import stat
from hashlib import sha256

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.deploy import (
    _records_io,
    _sysctls_io,
)
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _host_io, _hostfacts, _ownership
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _owned_files_io as owned
from ansible_collections.kubeha.apiserver.plugins.module_utils.model import _paths
from ansible_collections.kubeha.apiserver.plugins.modules import endpoint_files
from ansible_collections.kubeha.apiserver.tests.unit.plugins.modules.files_hosts import (
    GROUP,
    OURS,
    USER,
    FakeModule,
    read,
)


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
    assert sorted(os.listdir(host.path("/run/kubeha"))) == ["guard", "lock"]
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
