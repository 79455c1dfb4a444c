# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import shutil
import stat

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.deploy import (
    _foreign_pods_io,
)
from ansible_collections.kubeha.apiserver.plugins.module_utils.model import _paths
from ansible_collections.kubeha.apiserver.tests.unit.plugins.modules.files_hosts import MANIFEST, OURS, read


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
