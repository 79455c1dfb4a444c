# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host's notes say is ours may be lost: /var/lib was restored, a disk was full, power failed."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.deploy import _records_io
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _ownership
from ansible_collections.kubeha.apiserver.plugins.module_utils.model import _paths
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.files import _host_files
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan import _plan
from ansible_collections.kubeha.apiserver.tests.unit.plugins.modules.files_hosts import GROUP, OURS, USER, read

PLAN = json.dumps({"schema": 1, "endpoints": []}) + "\n"
KEY = "/etc/keepalived/kubeha-kube-apiserver-1.key"


def deployed(host, monkeypatch):
    """Both roles' files, of which a package shipped one."""
    configs = {"haproxy": host.haproxy, "keepalived": host.path(_paths.KEEPALIVED_CONFIG)}
    monkeypatch.setattr(_paths, "LAYOUTS", {"service": _paths.LAYOUTS["service"]._replace(config=configs)})
    monkeypatch.setattr(_ownership, "OWN_FOLDER", host.path("/etc/kubeha/"))
    monkeypatch.setattr(_records_io, "GUARDED", tuple(configs.values()))
    host.write(host.haproxy, "# Nothing but a comment.\n")
    plan = {"path": _paths.PLAN_FILE, "kind": "plan", "guarded": False, "owner": USER, "group": GROUP, "mode": "0644",
            "content": PLAN, "secret": False, "role": "common", "template": None}
    planned = {"haproxy": [*host.files(haproxy=OURS, drop_in=OURS), plan],
               "keepalived": [*host.files(keepalived=OURS), dict(plan, path=host.path(KEY), kind="hmac-key"), plan]}
    for role, files in planned.items():
        assert host.run(files, role=role)["changed"]
        again = host.run(files, role=role)
        assert not again["changed"] and again["notes_changed"] == []
    return planned


def harmed(path, how):
    os.unlink(path)
    if how == "pipe":
        os.mkfifo(path)
    elif how == "link":
        os.symlink("/etc/passwd", path)
    elif how is not None:
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(how)


HOWS = [None, "", '{"/etc/h', '{"files": {"a": 1}}', "[]", "pipe", "link"]


@pytest.mark.parametrize("note", ["files-%s.json", "plan-%s.json"])
@pytest.mark.parametrize("how", HOWS)
def test_lost_notes_are_seen_by_whoever_looks(host, monkeypatch, note, how):
    assert _records_io.missing() == [], "nothing is deployed"
    for role, files in deployed(host, monkeypatch).items():
        assert _records_io.missing() == []
        path = host.path("/var/lib/kubeha/") + note % role
        harmed(path, how)
        assert _records_io.missing() == [path]
        host.run(files, role=role)
        assert _records_io.missing() == []


@pytest.mark.parametrize("note", ["files-%s.json", "plan-%s.json"])
@pytest.mark.parametrize("how", HOWS)
def test_a_run_makes_lost_notes_anew_and_says_so(host, monkeypatch, note, how):
    for role, files in deployed(host, monkeypatch).items():
        path = host.path("/var/lib/kubeha/") + note % role
        before = read(path)
        harmed(path, how)
        said = host.run(files, role=role, check_mode=True)
        assert said["changed"] and said["notes_changed"] == [path] and said["force"] != "nothing"
        assert host.run(files, role=role)["notes_changed"] == [path]
        assert read(path) == before and not os.path.islink(path)
        assert not host.run(files, role=role)["changed"]


@pytest.mark.parametrize("note", ["files-haproxy.json", "plan-haproxy.json"])
def test_a_folder_in_their_place_is_named_and_nothing_changes(host, monkeypatch, note):
    files = deployed(host, monkeypatch)["haproxy"]
    path = host.path("/var/lib/kubeha/" + note)
    os.unlink(path)
    os.mkdir(path)
    before = host.everything()
    for check in (True, False):
        refused = host.run(files, check_mode=check)
        assert refused["failed"] and refused["msg"] == path + " is a folder. Move it away: a file has to be there."
    assert host.everything() == before


@pytest.mark.parametrize("lost", [
    ["files-haproxy.json"], ["files-keepalived.json"], [""], ["files-keepalived.json", "files-haproxy.json"]])
def test_removal_leaves_nothing_behind_without_them(host, monkeypatch, lost):
    deployed(host, monkeypatch)
    for name in lost:
        path = host.path("/var/lib/kubeha/") + name
        shutil.rmtree(path) if name == "" else harmed(path, "{")
    for role in ("keepalived", "haproxy"):
        assert host.run([], role=role, state="absent")["changed"]
        assert not host.run([], role=role, state="absent")["changed"]
    left = [str(path) for path, content in host.everything().items() if content is not None and "bin" not in str(path)]
    # What a package shipped is back, as long as its copy was there.
    assert left == ([] if lost == [""] else [host.haproxy])


def test_removal_without_them_leaves_what_somebody_else_has_there(host, monkeypatch):
    deployed(host, monkeypatch)
    shutil.rmtree(host.path("/var/lib/kubeha"))
    host.write(host.haproxy, "theirs\n")
    for role in ("keepalived", "haproxy"):
        host.run([], role=role, state="absent")
    assert read(host.haproxy) == "theirs\n" and not os.path.exists(host.path(KEY))


def test_what_we_wrote_is_never_noted_as_what_was_there_before(host, monkeypatch):
    planned = deployed(host, monkeypatch)
    shutil.rmtree(host.path("/var/lib/kubeha"))
    for role, files in planned.items():
        assert host.run(files, role=role)["changed"]
        refused = host.run([], role=role, state="original")
        assert refused["failed"] and "isn't known" in refused["msg"]
    assert not os.path.exists(host.path("/var/lib/kubeha/adopted"))
    for role in ("keepalived", "haproxy"):
        host.run([], role=role, state="absent")
    assert not os.path.exists(host.haproxy)


INTENT = {"vip": "198.51.100.100/24", "metrics_textfile_dir": "/srv/textfile", "recorder": True,
          "notify_script": "/usr/local/libexec/moved", "lb_hosts": ["cp1", "cp2"], "apiserver_hosts": ["cp1", "cp2"],
          "haproxy_version": "3.0.0", "keepalived_version": "2.4.2"}
PODS = {"mode": "static_pod", "keepalived_image": "example.org/keepalived:2.4.2", "haproxy_image": "haproxy:3.0"}


@pytest.mark.parametrize("more", [{}, PODS])
def test_every_file_that_a_plan_has_is_known_by_its_name(more):
    hosts = {name: {"address": "198.51.100.1%s" % name[-1], "interface": "eth0"} for name in INTENT["lb_hosts"]}
    plan = _plan.compute_plan({**INTENT, **more}, hosts, {})
    paths = {entry["path"] for entry in _host_files.host_files(plan, "cp1")}
    assert paths <= {path for role in _paths.ROLES for path in _paths.named(role)}
    assert _paths.is_key(os.path.basename(_paths.key_path(_paths.KEEPALIVED_CONFIG, "kube-apiserver", 1)))
