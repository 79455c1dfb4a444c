# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files are read on a host, and which of them aren't believed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.existing import _existing_io
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _owned_files_io as owned


@pytest.fixture(autouse=True)
def mine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """This folder is the host's, and this user is its root."""
    for name, value in (("TOP", str(tmp_path)), ("ROOT", os.getuid()), ("ROOT_GROUP", os.getgid())):
        monkeypatch.setattr(owned, name, value)


def read(tmp_path: Path, **files: str) -> _existing_io._Reader:
    for name, text in files.items():
        path = tmp_path / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return _existing_io._Reader()


def names(reader: _existing_io._Reader) -> list[str]:
    return [os.path.basename(file["path"]) for file in reader.files]


def test_included_files_follow_the_one_that_names_them(tmp_path: Path) -> None:
    reader = read(tmp_path, main_conf="include conf.d/*.conf\ninclude other.conf\n", conf_d__b_conf="$I=eth0\n",
                  conf_d__a_conf="include b.conf\n", other_conf="interface $I\n")
    reader.keepalived(str(tmp_path / "main.conf"), {})
    assert names(reader) == ["main.conf", "a.conf", "b.conf", "other.conf"]
    assert reader.files[-1]["text"] == "interface eth0\n"
    assert reader.unread == []


def test_files_that_include_one_another_are_read_once(tmp_path: Path) -> None:
    reader = read(tmp_path, main_conf="include main.conf\ninclude a.conf\n", a_conf="include main.conf\n")
    reader.keepalived(str(tmp_path / "main.conf"), {})
    assert names(reader) == ["main.conf", "a.conf"]


def test_pods_and_what_they_mount(tmp_path: Path) -> None:
    folder = tmp_path / "pods"
    pod = "hostPath:\n  path: %s\n"
    reader = read(tmp_path, pods__kube_yaml=pod % (tmp_path / "kh"), pods__etcd_yaml=pod % (tmp_path / "other.conf"),
                  pods__b_txt="x", kh__haproxy_cfg="global\n", kh__tls_pem="s3cr3t", other_conf="global_defs {\n}\n")
    reader.pods(str(folder))
    assert [(os.path.basename(file["path"]), file["role"]) for file in reader.files] == [
        ("kube.yaml", "manifest"), ("haproxy.cfg", "mounted")]


def test_what_is_no_plain_file_of_roots_is_said(tmp_path: Path) -> None:
    reader = read(tmp_path, a_cfg="global\n")
    (tmp_path / "link.cfg").symlink_to("a.cfg")
    os.mkfifo(tmp_path / "pipe.cfg")
    (tmp_path / "large.cfg").write_text("#" * (_existing_io._FILE_BYTES + 1))
    reader.haproxy(str(tmp_path))
    assert names(reader) == ["a.cfg"]
    assert {os.path.basename(item["path"]) for item in reader.unread} == {"link.cfg", "pipe.cfg", "large.cfg"}
    assert all(item["why"] for item in reader.unread)


def test_nothing_is_nothing(tmp_path: Path) -> None:
    reader = read(tmp_path)
    reader.keepalived(str(tmp_path / "keepalived.conf"), {})
    reader.haproxy(str(tmp_path / "haproxy.cfg"))
    reader.pods(str(tmp_path / "manifests"))
    assert (reader.files, reader.unread) == ([], [])


def test_only_the_server_of_the_kubelets_file_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = "clusters:\n- cluster:\n    server: https://198.51.100.100:8443\n  user: s3cr3t\n"
    reader = read(tmp_path, kubelet_conf=content)
    monkeypatch.setattr(_existing_io, "_KUBELET_CONF", str(tmp_path / "kubelet.conf"))
    assert _existing_io._server(reader) == "https://198.51.100.100:8443"
