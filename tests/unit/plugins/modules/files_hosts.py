# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import grp
import json
import os
import pwd
import re
import shutil
import stat
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
    _previous_io,
    _units_io,
)
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _copies_io, _host_io, _ownership
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


def read(path):
    with open(path, encoding="utf-8") as stream:
        return stream.read()


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


OLD, NEW, ELSE = "Canary-old", "Canary-new", "Canary-else"


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

    def restore(self, kept):
        for path in self.root.iterdir():
            shutil.rmtree(path)
        shutil.copytree(kept, self.root, symlinks=True, dirs_exist_ok=True)
