#!/usr/bin/python
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_files
short_description: Put one daemon's files of an API endpoint into place on a host
version_added: 1.0.0
author:
  - The kubeha.apiserver authors (@kubeha)
description:
  - Renders the host's files from the plan on the controller, and compares them with the host's.
  - Validates every file that changes with the real binary (C(haproxy -c), C(keepalived -t), C(bash -n)) before
    anything is replaced. Where one isn't valid, nothing changes.
  - For static pods the binary is the one inside of the running pod, and nothing has to be installed on the host. What
    a pod will be started with has no binary yet; M(kubeha.apiserver.endpoint_pod) sees whether it runs.
  - Replaces each file by an atomic rename, and removes files that an earlier plan put there and this one doesn't have.
  - Refuses to replace a configuration that somebody else wrote, unless told to by O(adopt); it's kept then.
  - Reloads and restarts nothing. Its result says what is needed, also for what an earlier run left undone.
extends_documentation_fragment:
  - kubeha.apiserver._attributes
  - kubeha.apiserver._attributes.owner
attributes:
  action:
    description:
      - Indicates this has a corresponding action plugin so some parts of the options can be executed on the controller.
    support: partial
    details:
      - Files are rendered on the controller, compared and written on the host.
  check_mode:
    support: full
    details:
      - What changes is validated too, where the binary is there already.
  diff_mode:
    support: full
    details:
      - Secrets are masked, and a configuration that somebody else wrote isn't shown.
  idempotent:
    support: full
options:
  role:
    description: Whose files.
    type: str
    choices: [haproxy, keepalived]
    required: true
  plan:
    description:
      - The plan, as RV(kubeha.apiserver.endpoint_plan#module:plan).
      - Required in a play. Only the action plugin on the controller reads it; a host gets finished files.
    type: dict
  state:
    description:
      - V(present) puts the plan's files into place.
      - V(kept) only keeps the files that the daemon runs with, for V(previous). That's for a host that is about to be
        moved from one C(mode) to the other, or whose daemon is to be silent for a while.
      - V(previous) puts back the files that the daemon last ran with, where there are any.
      - V(absent) removes what this collection put there, and puts back what was there before. What somebody has written
        since stays. O(plan) isn't needed.
    type: str
    choices: [present, kept, previous, absent]
    default: present
  adopt:
    description:
      - Take over a configuration that somebody else wrote.
      - The original is kept below C(/var/lib/kubeha/adopted).
    type: bool
    default: false
  keep_stale:
    description:
      - Leave files of an earlier plan where they are, for a later run to remove. That's for moving a host from one
        C(mode) to the other, where the files of the old one go when the new one works.
      - Without it, a host on which daemons of this collection's run in the other mode is refused. In check mode
        RV(force) says so instead.
    type: bool
    default: false
  secrets:
    description:
      - VRRP passwords by the endpoint's name.
      - In a play they're read from O(kubeha.apiserver.endpoint_plan#module:intent)'s variables unless they're set.
    type: dict
  sealed:
    description:
      - What the action plugin hands over of secrets. Not for plays.
    type: str
  files:
    description:
      - What the action plugin rendered. Not for plays.
    type: list
    elements: dict
seealso:
  - module: kubeha.apiserver.endpoint_plan
  - module: kubeha.apiserver.endpoint_render
"""

EXAMPLES = r"""
- name: Plan
  kubeha.apiserver.endpoint_plan:
  run_once: true
  register: result

- name: Put HAProxy's files into place
  kubeha.apiserver.endpoint_files:
    role: haproxy
    plan: "{{ result.plan }}"
  register: files

- name: Load what is in place
  ansible.builtin.systemd_service:
    name: haproxy
    state: reloaded
  when: files.pending_reload
"""

RETURN = r"""
changed_files:
  description: Files that were, or in check mode would be, written or brought to the right owner and mode.
  returned: success
  type: list
  elements: str
  sample: [/etc/haproxy/haproxy.cfg]
removed_files:
  description: Files of an earlier plan, and what a run that was killed has left, that were or would be removed.
  returned: success
  type: list
  elements: str
  sample: []
adopted_files:
  description: Files of somebody else that were or would be taken over.
  returned: success
  type: list
  elements: str
  sample: []
validated:
  description:
    - Whether all that changes was validated. V(false) in check mode, where the daemon isn't installed yet, and for
      static pods that don't run yet.
    - V(true) where nothing changes.
  returned: success
  type: bool
not_validated:
  description: What couldn't be validated, and why.
  returned: success
  type: list
  elements: str
  sample: []
active:
  description: Whether the daemon's service or pod is running.
  returned: success
  type: bool
pending_reload:
  description: Whether the running daemon has loaded another configuration than the one that is in place now.
  returned: success
  type: bool
needs_restart:
  description:
    - Whether the daemon runs with limits or a sandbox other than those that are in place now. No reload changes them.
  returned: success
  type: bool
daemon_reload_needed:
  description: Whether systemd hasn't read the daemon's drop-in yet.
  returned: success
  type: bool
folders_changed:
  description: Folders, and files below C(/run), that were or would be made, or given their owners and modes.
  returned: success
  type: list
  elements: str
  sample: [/run/kubeha/haproxy]
units_changed:
  description: systemd units of this collection's own that were or would be enabled and started.
  returned: success
  type: list
  elements: str
  sample: [kubeha-release.path]
enabled:
  description: Whether the daemon's service is started at boot.
  returned: success
  type: bool
serving:
  description: Whether the daemon is running with a configuration of this collection's.
  returned: success
  type: bool
force:
  description:
    - What makes the daemon run what is planned.
    - One of C(nothing), C(enable), C(files), C(reload), C(restart), C(start), C(switch).
    - C(switch) is said of keepalived where daemons run in the other mode. Both move at its turn, so HAProxy says
      C(nothing).
    - C(files) replaces files that the daemon doesn't load, C(enable) has it started at boot.
  returned: success
  type: str
  sample: reload
holds:
  description: VIPs, planned or deployed, that are on this host.
  returned: success
  type: list
  elements: str
  sample: [198.51.100.100]
mode:
  description: How this host runs the daemon.
  returned: success
  type: str
  sample: service
up:
  description: Endpoints of which HAProxy sees an API server.
  returned: success
  type: list
  elements: str
  sample: [kube-apiserver]
rekeyed:
  description: Whether the password of a VRRP that goes on is, or in check mode would be, another one.
  returned: success
  type: bool
at:
  description: When the host was looked at, which boot of it that was and how many seconds later, for
    O(kubeha.apiserver.endpoint_lock#module:since).
  returned: success
  type: str
  sample: 0b6ad5e4-6c5a-4d3c-9b0e-2f9d6f3c2a11 81234.567
moving:
  description: Whether a run has left this host ranking below all others.
  returned: success
  type: bool
leased:
  description: Whether a run has stopped keepalived here for a change and hasn't ended that, see
    M(kubeha.apiserver.endpoint_lease).
  returned: success
  type: bool
foreign_files:
  description: Files of an earlier plan that somebody has written anew since, and that stay.
  returned: success
  type: list
  elements: str
  sample: []
kept_files:
  description: Copies that were or would be made of what somebody else has written.
  returned: success
  type: list
  elements: str
  sample: [/var/lib/kubeha/adopted/etc/haproxy/haproxy.cfg]
kept:
  description: Copies of what others wrote that stay on the host.
  returned: when O(state=absent)
  type: list
  elements: str
  sample: []
previous:
  description: Whether there was a set of files to go back to.
  returned: when O(state=previous)
  type: bool
sysctls_changed:
  description: Kernel settings that were or would be changed.
  returned: success
  type: list
  elements: str
  sample: [net.ipv4.ip_nonlocal_bind]
validation:
  description: What the binaries said of files that aren't valid.
  returned: when a file isn't valid
  type: list
  elements: dict
  sample:
    - path: /etc/haproxy/haproxy.cfg
      command: haproxy -c -f /etc/haproxy/haproxy.cfg
      findings: ["[ALERT] parsing [/etc/haproxy/haproxy.cfg:12]: unknown keyword"]
"""

import grp
import json
import os
import pwd
import re
import shutil
import stat
import tempfile
import time
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Set

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.daemons import _confined_io, _haproxy, _keepalived, _podstate, _process_io, _release_io, _running_io
from ..module_utils.host import _copies_io, _deployed_io, _host_io, _hostfacts, _ownership
from ..module_utils.host import _owned_files_io as owned
from ..module_utils.model import _paths, _planfile, _pod_paths, _secrets
from ..module_utils.run import _run_lock_io

STATE = _paths.STATE
STATE_LIST = STATE + "/files-%s.json"
STATE_PLAN = _paths.ROLE_PLAN
PREVIOUS = STATE + "/previous"
COMMAND_SECONDS = 30.0
# Somebody else may have them, with or without this collection.
GUARDED = (_paths.HAPROXY_CONFIG, _paths.KEEPALIVED_CONFIG, _paths.IMAGE_AUTH)
OWN_FOLDER = _ownership.OWN_FOLDER.rstrip("/")
RUN_FOLDERS = ("haproxy", "keepalived", "unit")
# Nobody else puts anything there.
OURS_ALONE = (_paths.DRAIN, _paths.SOCKET)
# A pod of somebody else's that we replace may take the time that pods have to end, 30 s.
LEAVE_SECONDS = 40.0
SYSCTL_CONF = "/etc/sysctl.conf"
# Of all that the collection sets.
KERNEL_DEFAULT = "0"
SOCKET_SECONDS = 1.0
# Folders of configurations that were judged, and files that weren't whole yet.
LEFTOVER = re.compile(r"\.(?:kubeha-(?:staging|check)-(?:(\d+)-)?\w+|.+\.kubeha-(\d+))\Z")
# Somebody else's configuration isn't ours to show, and may hold secrets of any form.
NOT_SHOWN = "(written by somebody else, not shown)\n"


@dataclass
class File:
    """One planned file beside what is on the host."""

    path: str
    kind: str
    owner: str
    group: str
    mode: int
    guarded: bool
    secret: bool
    content: bytes
    tested: bytes
    present: Optional[bytes] = None
    status: Optional[os.stat_result] = None
    ownership: str = _ownership.ABSENT

    @property
    def same_content(self) -> bool:
        return self.status is not None and self.present == self.content

    @property
    def same_attributes(self) -> bool:
        status = self.status
        return (status is not None and stat.S_ISREG(status.st_mode) and stat.S_IMODE(status.st_mode) == self.mode
                and (status.st_uid, status.st_gid) == (uid(self.owner), gid(self.group)))

    @property
    def changed(self) -> bool:
        return not (self.same_content and self.same_attributes)


@dataclass
class Found:
    """What is on the host, and what would have to be done."""

    files: List[File]
    stale: List[str]
    sysctls: Dict[str, str]
    folders: List[str]
    listed: List[str]
    units: List[str] = field(default_factory=list)
    left: List[str] = field(default_factory=list)
    foreign_manifests: List[str] = field(default_factory=list)
    kept: List[str] = field(default_factory=list)
    foreign: List[str] = field(default_factory=list)
    mended: List[_podstate.Volatile] = field(default_factory=list)
    other_mode: List[str] = field(default_factory=list)
    invalid: List[Dict[str, Any]] = field(default_factory=list)
    not_validated: List[str] = field(default_factory=list)

    @property
    def changed_files(self) -> List[File]:
        return [file for file in self.files if file.changed]

    @property
    def rewritten(self) -> List[File]:
        """What is replaced, but what a package has put there."""
        return [file for file in self.files
                if not file.same_content and file.ownership != _ownership.PACKAGE_DEFAULT]

    @property
    def config(self) -> Optional[File]:
        """The daemon's own configuration."""
        return next((file for file in self.files if file.kind in _paths.ROLES), None)

    @property
    def manifest(self) -> Optional[File]:
        """Of a static pod; a service has none."""
        return next((file for file in self.files if file.kind == "manifest"), None)

    @property
    def adopted(self) -> List[File]:
        return [file for file in self.changed_files if file.guarded and file.ownership == _ownership.FOREIGN]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "role": {"type": "str", "choices": ["haproxy", "keepalived"], "required": True},
            "plan": {"type": "dict"},
            "state": {"type": "str", "choices": ["present", "kept", "previous", "absent"], "default": "present"},
            "adopt": {"type": "bool", "default": False},
            "keep_stale": {"type": "bool", "default": False},
            # Only the action plugin reads them: a host gets them sealed.
            "secrets": {"type": "dict", "no_log": True},
            "sealed": {"type": "str", "no_log": True},
            "files": {"type": "list", "elements": "dict"},
            **_run_lock_io.OWNER,
        },
        supports_check_mode=True,
        no_log=True,  # no copy of every file in the host's log
    )
    if module.params["sealed"]:
        forget_payload()
    if module.params["files"] is None:
        module.fail_json(msg="endpoint_files is used in plays, where its action plugin renders the files")
    deployment = Deployment(module)
    try:
        deployment.run()
    except OSError as error:
        left = "The new files are in place." if deployment.touched else "What was there is as it was."
        module.fail_json(msg="Files can't be put into place: %s. %s" % (error, left), touched=deployment.touched)


def forget_payload() -> None:
    """Where Ansible can't pipe a module, it copies it here with its arguments, and a killed run would leave them."""
    words = (_host_io.read_file("/proc/self/cmdline") or b"").split(b"\0")
    for path in words:
        if os.path.basename(path) == b"AnsiballZ_endpoint_files.py" and os.path.isfile(path):
            os.unlink(path)


class Deployment:
    """Compare, validate, then swap."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.at = str(_run_lock_io.clock())
        # Whether a file has been replaced or removed.
        self.touched = False
        self.role: str = module.params["role"]
        self.secrets = _secrets.unseal(module.params["sealed"] or "")

    def run(self) -> None:
        _run_lock_io.ensure(self.module)
        if self.module.params["state"] == "previous":
            self.module.exit_json(**self._go_back())
        if self.module.params["state"] == "absent":
            self.module.exit_json(**self._remove())
        if self.module.params["state"] == "kept":
            self.module.exit_json(**self._keep())
        found = self._look()
        self._refuse_open_folders(found)
        self._refuse_other_mode(found)
        self._refuse_foreign(found)
        self._validate(found)
        if found.invalid:
            self.module.fail_json(msg=invalid_message(found.invalid), validation=found.invalid)
        if found.not_validated and not (self.module.check_mode or found.manifest):
            self.module.fail_json(msg="Nothing was changed, because it can't be validated: %s"
                                      % "; ".join(found.not_validated))
        result = self._result(found)
        if not self.module.check_mode:
            self._swap(found)
        self.module.exit_json(**result)

    # Compare

    def _look(self) -> Found:
        files = [self._read(entry) for entry in self.module.params["files"]]
        self._classify([file for file in files if file.guarded])
        listed = read_list(self.role)
        planned = {file.path for file in files}
        others = {path for role in _paths.ROLES if role != self.role for path in read_list(role)}
        stale = [path for path in listed if path not in planned and path not in others and os.path.lexists(path)
                 and not is_foreign(path)]
        if self.module.params["keep_stale"]:
            stale = []
        sysctls = {**released_sysctls([*stale, *planned], files), **wanted_sysctls(files)}
        found = Found(files, stale, sysctls, wanted_folders(files), listed)
        found.foreign = [path for path in listed if path not in planned and path not in others and is_foreign(path)]
        found.kept = [copy for copy in [*(copy_of(file.path, file.path not in listed) for file in found.rewritten),
                                        *map(copy_of, stale)] if copy]
        found.units = wanted_units(found.changed_files, planned)
        found.mended = our_folders(files)
        found.left = leftovers(self.role, [*listed, *planned])
        if found.manifest:
            found.foreign_manifests = _process_io.foreign_manifests(os.path.dirname(found.manifest.path), self.role)
        # What serves goes on doing so until the host's turn comes.
        found.other_mode = [role for role in _paths.ROLES if runs_in_other_mode(role, bool(found.manifest))]
        return found

    def _read(self, entry: Mapping[str, Any]) -> File:
        # Programs that judge it see stand-ins: no secret lies in a file before it's in its own.
        tested = _secrets.filled(entry["content"], _secrets.stand_ins(self.secrets))
        file = File(path=entry["path"], kind=entry["kind"], owner=entry["owner"], group=entry["group"],
                    mode=int(entry["mode"], 8), guarded=entry["guarded"], secret=entry["secret"],
                    content=_secrets.filled(entry["content"], self.secrets).encode("utf-8"),
                    tested=tested.encode("utf-8"))
        try:
            file.status = os.lstat(file.path)
        except (FileNotFoundError, NotADirectoryError):
            return file
        if stat.S_ISDIR(file.status.st_mode):
            self.module.fail_json(msg="%s is a folder. Move it away: a file has to be there." % file.path)
        file.present = _host_io.read_file(file.path)
        return file

    def _classify(self, files: List[File]) -> None:
        """Whose they are. The package manager is asked only where it can tell something."""
        for file in files:
            file.ownership = _ownership.classify(file.path, file.present, {})
        unknown = [file for file in files if file.ownership == _ownership.FOREIGN]
        if not unknown:
            return
        family = _hostfacts.parse_os_release((_host_io.read_file("/etc/os-release") or b"").decode())["family"]
        command = _ownership.shipped_command(family, [self.role])
        shipped = _ownership.parse_shipped(_host_io.run(command, COMMAND_SECONDS).text) if command else {}
        for file in unknown:
            file.ownership = _ownership.classify(file.path, file.present, shipped)

    def _refuse_other_mode(self, found: Found) -> None:
        """Two of our own daemons would fight for the same port and VIP."""
        if found.other_mode and not (self.module.check_mode or self.module.params["keep_stale"]):
            self.module.fail_json(msg="%s of this collection's run here %s. They're moved when it's keepalived's turn: "
                                      "run site, or the roles haproxy and keepalived one after the other."
                                      % (" and ".join(found.other_mode),
                                         "as services" if found.manifest else "as static pods"))

    def _refuse_open_folders(self, found: Found) -> None:
        """Root writes where only root can write: others could put a link there, or a file of theirs."""
        folders = sorted({os.path.dirname(path) for path in [file.path for file in found.files] + found.stale})
        said = ["%s: %s" % (folder, trouble) for folder, trouble in
                ((folder, owned.trouble(folder)) for folder in folders) if trouble]
        if said:
            self.module.fail_json(msg="Nothing was changed, because others than root could write into folders that "
                                      "files belong in: %s. Give them to root, with mode 0755." % "; ".join(said))

    def _keep_copy(self, path: str, original: bool = False) -> None:
        copy = copy_of(path, original)
        if copy is not None:
            _copies_io.keep(path, _host_io.read_file(path) or b"", os.stat(path), original)
            self.module.warn("Somebody else has written %s. What it said is kept as %s." % (path, copy))

    def _refuse_foreign(self, found: Found) -> None:
        foreign = [file.path for file in found.adopted] + found.foreign_manifests
        if foreign and not self.module.params["adopt"]:
            self.module.fail_json(
                msg="%s was written by somebody else, and isn't replaced. Remove it, or set endpoint_adopt: true to "
                    "take this host's %s over; the original is kept in %s then."
                    % (" and ".join(foreign), self.role, _copies_io.FOLDER),
                foreign_files=foreign)

    # Validate

    def _validate(self, found: Found) -> None:
        to_check = [file for file in found.files if not file.same_content]
        if not to_check:
            return
        if found.manifest:
            self._validate_in_pod(found, to_check)
            return
        # Not in Ansible's own temporary folder: keepalived looks at its scripts as the user that will run them.
        parent = existing_parent(STATE)
        staging = tempfile.mkdtemp(prefix=scratch_prefix("staging"), dir=parent)
        try:
            os.chmod(staging, 0o755)
            for file in found.files:
                self._stage(file, staging)
            for file in to_check:
                self._validate_file(file, staging, found)
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _validate_in_pod(self, found: Found, to_check: List[File]) -> None:
        """By the binary that will load it: in the running pod, which sees its configuration's folder as the host does.

        A pod that will be started from another manifest has another binary, and none that runs is none to ask.
        """
        for file in to_check:
            if file.kind == "pod-script":
                self._judge_script(file, found)
        config, manifest = found.config, found.manifest
        if config is None or manifest is None or config.same_content:
            return
        process = _process_io.find_pod(self.role)
        if process is None or _running_io.running(self.role, True, None).needs_restart(
                _podstate.execution_of(manifest.content.decode())):
            found.not_validated.append("%s: no pod runs that could tell" % config.path)
            return
        if config.kind == "haproxy":
            argv = ["haproxy", "-c", "-f", _confined_io.STDIN]
        else:
            argv = ["keepalived", *_keepalived.test_options(_confined_io.STDIN)]
        judge: Any = haproxy_findings if config.kind == "haproxy" else _keepalived.findings
        output = _confined_io.run_beside(process, argv, config.tested, COMMAND_SECONDS)
        self._note(config, found, output, argv, _confined_io.STDIN, config.path, judge)

    def _judge_script(self, file: File, found: Found) -> None:
        with tempfile.TemporaryDirectory(prefix=scratch_prefix("staging"), dir=existing_parent(STATE)) as staging:
            path = os.path.join(staging, os.path.basename(file.path))
            owned.write_new(path, file.tested, 0o600)
            self._judge(file, found, ["sh", "-n", path], staging, script_findings)

    def _stage(self, file: File, staging: str) -> None:
        content = file.tested
        if file.kind == "keepalived":
            # keepalived misses scripts and folders that aren't there; before the first run none of them are.
            folders = [os.path.join(_paths.RUN, name) for name in _paths.ROLES] + [_paths.DRAIN]
            scripts = [_paths.CHECK, _paths.NOTIFY]
            for folder in folders:
                owned.make_folder(staging + folder)
            missing = [path for path in folders + scripts if not os.path.exists(path)]
            places = {path: staging + path for path in missing}
            content = _keepalived.relocated(content.decode("utf-8"), places).encode("utf-8")
        path = staging + file.path
        owned.make_folder(os.path.dirname(path))
        owned.write_new(path, content, file.mode, uid(file.owner), gid(file.group))

    def _validate_file(self, file: File, staging: str, found: Found) -> None:
        path = staging + file.path
        if file.kind == "script":
            self._judge(file, found, ["bash", "-n", path], staging, script_findings)
        elif file.kind == "haproxy":
            self._judge(file, found, ["haproxy", "-c", "-f", path], staging, haproxy_findings)
        elif file.kind == "keepalived":
            if not user_exists(_paths.SCRIPT_USER):
                found.not_validated.append("%s: there is no user %s yet" % (file.path, _paths.SCRIPT_USER))
                return
            binary = _host_io.find_binary("keepalived")
            command = _keepalived.test_command(binary, path) if binary else ["keepalived"]
            self._judge(file, found, command, staging, _keepalived.findings)

    def _judge(self, file: File, found: Found, command: List[str], staging: str, judge: Any) -> None:
        binary = _host_io.find_binary(command[0])
        if binary is None:
            found.not_validated.append("%s: %s isn't installed" % (file.path, command[0]))
            return
        output = _host_io.run([binary] + command[1:], COMMAND_SECONDS)
        self._note(file, found, output, command, staging, "", judge)

    def _note(self, file: File, found: Found, output: _host_io.Output, command: List[str], place: str, shown: str,
              judge: Any) -> None:
        """What is said of a file at a place that nobody has to know of."""
        said = [output.error] if output.code is None else judge(output.code, output.text)
        if said:
            found.invalid.append({
                "path": file.path,
                "command": " ".join(command).replace(place, shown),
                "findings": [line.replace(place, shown) for line in said],
            })

    # Swap

    def _swap(self, found: Found) -> None:
        changed = found.changed_files
        owned.make_folder(STATE)
        sweep(self.role, found.left)
        self._keep_originals(found)
        # What is about to be there is known before it's there, so a killed run leaves nothing unknown behind.
        note_files(self.role, found.files, keep=[*found.listed, *(file.path for file in found.files)])
        mend_folders(found.mended)
        if changed or found.stale or found.foreign_manifests:
            self._keep_previous(found)
        # The folders before the manifests: the kubelet would make what it mounts by itself, and give it to root.
        make_volatile(found.files)
        with owned.Batch() as batch:
            self._add(batch, changed, found)
            if not (found.stale or self.module.params["keep_stale"]):
                note_files(self.role, found.files, batch=batch)
            self._end_foreign_pods(found.foreign_manifests)
            batch.commit()
        self.touched = True
        if found.units:
            _release_io.begin()
        # A host that is moved to the other mode gets back what was there before us.
        self._take_away(found.stale, originals_of(found.stale))
        if found.stale:
            note_files(self.role, found.files)
        for name, value in found.sysctls.items():
            self._set_sysctl(name, value)

    def _take_away(self, paths: List[str], originals: Mapping[str, str]) -> None:
        """Files of ours; what systemd makes of them ends first. What was there before them comes back."""
        units = _release_io.is_among(paths)
        if units:
            _release_io.end()
        for path in paths:
            self._keep_copy(path)
            if path in originals:
                owned.move(originals[path], path)
            else:
                owned.remove(path)
            remove_if_ours(os.path.dirname(path))
        if units:
            _release_io.forget()

    def _add(self, batch: owned.Batch, changed: List[File], found: Found) -> None:
        """Files and what is noted of them: where a disk is full, all stays as it was. The manifest comes last."""
        for file in sorted(changed, key=lambda file: file.kind == "manifest"):
            folder = os.path.dirname(file.path)
            if not os.path.isdir(folder):
                owned.make_folder(folder)
            batch.add(file.path, file.content, file.mode, uid(file.owner), gid(file.group), self._label(file.path))
        plan = next((file.content for file in found.files if file.path == _paths.PLAN_FILE), None)
        path = STATE_PLAN % self.role
        if plan is not None and _host_io.read_file(path) != plan:
            batch.add(path, plan, 0o644)

    def _keep_originals(self, found: Found) -> None:
        """What a package shipped, once. What somebody wrote, each time that it's replaced."""
        for file in found.rewritten:
            self._keep_copy(file.path, file.path not in found.listed)
        for file in found.changed_files:
            shipped = file.ownership == _ownership.PACKAGE_DEFAULT and _copies_io.original(file.path) is None
            if shipped and file.present is not None and file.status is not None:
                _copies_io.keep(file.path, file.present, file.status, original=True)

    def _end_foreign_pods(self, manifests: List[str]) -> None:
        """Take somebody else's static pods away, and wait until they have given port and VIP back."""
        if not manifests:
            return
        for path in manifests:
            content = _host_io.read_file(path)
            if content is not None:
                _copies_io.keep(path, content, os.stat(path), original=True)
        before = _process_io.find_in_static_pods(self.role)
        for path in manifests:
            owned.remove(path)
        deadline = time.monotonic() + LEAVE_SECONDS
        while _process_io.find_kubelet()["running"] and time.monotonic() < deadline:
            if not before & _process_io.find_in_static_pods(self.role):
                return
            time.sleep(0.2)

    def _keep_previous(self, found: Found) -> None:
        """The set of files that the daemon runs with, for going back to. A set that it never loaded isn't worth it."""
        config = found.config
        haproxy = _running_io.ask_haproxy(self._socket(found), SOCKET_SECONDS) if self.role == "haproxy" else {}
        if config is None or config.present is None:
            return
        if self._running(found, haproxy).needs_reload(config.present):
            return
        if is_whole(self.role, found.listed):
            self._keep_set(found.listed)

    def _keep(self) -> Dict[str, Any]:
        """What runs in the other mode, before any file of the new one is there. A run that was killed has done it."""
        listed = read_list(self.role)
        configs = {layout.config[self.role] for layout in _paths.LAYOUTS.values()}
        changes = len(configs.intersection(listed)) == 1
        if changes and is_whole(self.role, listed) and not self.module.check_mode:
            self._keep_set(listed)
        return {"changed": False, "previous": os.path.isdir(os.path.join(PREVIOUS, self.role))}

    def _keep_set(self, paths: List[str]) -> None:
        owned.make_folder(STATE)
        owned.make_folder(PREVIOUS, 0o700)
        folder = os.path.join(PREVIOUS, self.role)
        fresh = tempfile.mkdtemp(prefix=".%s-" % self.role, dir=PREVIOUS)
        try:
            self._copy_set(paths, fresh)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        # An exchange of folders isn't atomic, but both are whole all the time.
        old = fresh + ".old"
        if os.path.lexists(folder):
            os.rename(folder, old)
        os.rename(fresh, folder)
        shutil.rmtree(old, ignore_errors=True)

    def _copy_set(self, paths: List[str], fresh: str) -> None:
        for path in paths:
            try:
                status = os.lstat(path)
            except FileNotFoundError:
                continue
            content = _host_io.read_file(path) or b""
            if path == _paths.PLAN_FILE:
                content = _host_io.read_file(STATE_PLAN % self.role) or content
            owned.make_folder(os.path.dirname(fresh + path), 0o700)
            owned.write_new(fresh + path, content, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)

    def _go_back(self) -> Dict[str, Any]:
        """Put the previous set back, and remove what it didn't have."""
        folder = os.path.join(PREVIOUS, self.role)
        kept = sorted(os.path.join(top, name)[len(folder):]
                      for top, dummy, names in os.walk(folder) for name in names)
        result: Dict[str, Any] = {"previous": bool(kept), "changed": False, "changed_files": [], "removed_files": []}
        files = [self._kept(folder, path) for path in kept]
        others = {path for role in _paths.ROLES if role != self.role for path in read_list(role)}
        if kept:
            result["changed_files"] = [file.path for file in files if file.changed]
            result["removed_files"] = [path for path in read_list(self.role)
                                       if path not in kept and path not in others and os.path.lexists(path)]
            result["changed"] = bool(result["changed_files"] or result["removed_files"])
            sysctls = {**released_sysctls(result["removed_files"], files), **wanted_sysctls(files)}
            if not self.module.check_mode:
                sweep(self.role, leftovers(self.role, [*read_list(self.role), *kept]))
                changed = [file for file in files if file.changed]
                for file in changed:
                    self._keep_copy(file.path)
                note_files(self.role, files, keep=[*read_list(self.role), *kept])
                make_volatile(files)
                with owned.Batch() as batch:
                    self._add(batch, changed, Found(files, [], {}, [], []))
                    batch.commit()
                self.touched = True
                if wanted_units(changed, set(kept)):
                    _release_io.begin()
                self._take_away(result["removed_files"], {})
                note_files(self.role, files)
                for name, value in sysctls.items():
                    self._set_sysctl(name, value)
        result.update(self._daemon(Found(files, result["removed_files"], {}, [], [])))
        return result

    # Remove

    def _remove(self) -> Dict[str, Any]:
        """What is ours goes; what was there before comes back; what somebody has written since stays."""
        others = {path for role in _paths.ROLES if role != self.role for path in read_list(role)}
        mine = [path for path in read_list(self.role) if path not in others]
        foreign = [path for path in mine if is_foreign(path)]
        originals = {path: kept for path, kept in originals_of(mine).items() if path not in foreign}
        removed = [path for path in mine
                   if path not in foreign and path not in originals and os.path.lexists(path)]
        copies = [copy for copy in map(copy_of, [*removed, *originals]) if copy]
        state = [path for path in (STATE_LIST % self.role, STATE_PLAN % self.role, os.path.join(PREVIOUS, self.role))
                 if os.path.lexists(path)]
        left = leftovers(self.role, [*mine, *(layout.config[self.role] for layout in _paths.LAYOUTS.values())])
        if not others:
            state += [path for path in (*OURS_ALONE, *_run_lock_io.others()) if os.path.lexists(path)]
        sysctls = released_sysctls(mine, [])
        if not self.module.check_mode:
            self._take_away([*removed, *originals], originals)
            for name, value in sysctls.items():
                self._set_sysctl(name, value)
            sweep(self.role, left)
            for path in state:
                remove_path(path)
            for folder in {os.path.dirname(path) for path in mine} | {PREVIOUS}:
                remove_if_ours(folder)
            if not others:
                for folder in (OWN_FOLDER, _copies_io.FOLDER, STATE):
                    remove_empty(folder)
        if not others:
            ours = tuple(mine) + tuple(left)
            foreign += [path for path in files_below(OWN_FOLDER) if not path.startswith(ours)]
        return {"changed": bool(mine or state or left), "changed_files": sorted(originals),
                "removed_files": removed + left,
                "foreign_files": foreign, "kept_files": copies,
                "kept": [] if others else sorted(set(_copies_io.left()) - set(originals.values()) | set(copies)),
                "sysctls_changed": sorted(sysctls)}

    def _kind(self, path: str) -> str:
        for entry in self.module.params["files"]:
            if entry["path"] == path:
                return str(entry["kind"])
        # What the other mode had isn't planned. Its pods need what tmpfiles.d makes, and their manifests come last.
        if path == _paths.TMPFILES:
            return "tmpfiles"
        return "manifest" if path.endswith(_pod_paths.manifest_path("", self.role)) else ""

    def _kept(self, folder: str, path: str) -> File:
        status = os.lstat(folder + path)
        content = _host_io.read_file(folder + path) or b""
        file = File(path=path, kind=self._kind(path), owner=user_name(status.st_uid), group=group_name(status.st_gid),
                    mode=stat.S_IMODE(status.st_mode), guarded=False, secret=True, content=content, tested=b"")
        if os.path.lexists(path):
            file.status, file.present = os.lstat(path), _host_io.read_file(path)
        return file

    def _label(self, path: str) -> Optional[Callable[[str], Any]]:
        """SELinux's, which a file has before it has its name."""
        if not self.module.selinux_enabled():
            return None
        context = self.module.selinux_default_context(path)
        return lambda scratch: self.module.set_context_if_different(scratch, context, False)

    def _set_sysctl(self, name: str, value: str) -> None:
        try:
            with open(sysctl_path(name), "w", encoding="ascii") as stream:
                stream.write(value)
        except OSError as error:
            self.module.fail_json(msg="the kernel setting %s can't be set to %s here: %s. In a container, whoever "
                                      "starts it has to set it." % (name, value, error.strerror))

    # Report

    def _result(self, found: Found) -> Dict[str, Any]:
        changed = [file.path for file in found.changed_files]
        result: Dict[str, Any] = {
            "changed": bool(changed or found.stale or found.left or found.foreign_manifests or found.folders
                            or found.mended or found.units or found.sysctls),
            "changed_files": changed,
            "removed_files": found.stale + found.left,
            "adopted_files": [file.path for file in found.adopted] + found.foreign_manifests,
            "validated": not found.not_validated,
            "not_validated": found.not_validated,
            "folders_changed": found.folders + [item.path for item in found.mended],
            "kept_files": found.kept,
            "foreign_files": found.foreign,
            "units_changed": found.units,
            "sysctls_changed": sorted(found.sysctls),
        }
        result.update(self._daemon(found))
        result["force"] = least_force(result)
        if found.other_mode and not self.module.params["keep_stale"]:
            result["force"] = "switch" if self.role == "keepalived" else "nothing"
        if self.module._diff:  # pylint: disable=protected-access  # what every module with a diff does
            result["diff"] = list(self._diffs(found))
        return result

    def _daemon(self, found: Found) -> Dict[str, Any]:
        """What the running daemon does, and what it lacks once the planned files are in place."""
        asked = self.role == "haproxy" or found.other_mode
        haproxy = _running_io.ask_haproxy(self._socket(found), SOCKET_SECONDS) if asked else {}
        planned = next((file.content for file in found.files if file.path == _paths.PLAN_FILE), None)
        running = self._running(found, haproxy)
        state = self._pod(found, running) if found.manifest else self._service(found, running)
        return dict(
            state,
            serving=(state["active"] or self.role in found.other_mode) and running.config is not None,
            holds=sorted(vips_of(planned) & {address.address for address in _host_io.read_addresses()}),
            rekeyed=any(rekeyed(running_config(found, file), file.content)
                        for file in found.files if file.kind == "keepalived"),
            moving=(_host_io.read_file(_paths.MOVING) or b"").strip() == b"1",
            leased=self.role == "keepalived" and any(map(os.path.lexists, (_paths.LEASE, _paths.LEASE_UNIT))),
            up=serving_backends(haproxy),
            at=self.at,
        )

    def _running(self, found: Found, haproxy: Mapping[str, Any]) -> _running_io.Running:
        return _running_io.running(self.role, bool(found.manifest), haproxy.get("description"))

    @staticmethod
    def _socket(found: Found) -> str:
        pod = bool(found.manifest) != ("haproxy" in found.other_mode)
        return _pod_paths.SOCKET if pod else _paths.SOCKET

    def _pod(self, found: Found, running: _running_io.Running) -> Dict[str, Any]:
        """What the running pod lacks once the planned files are in place."""
        active = _process_io.find_pod(self.role) is not None
        config = found.config.content if found.config else b""
        manifest = found.manifest.content.decode("utf-8") if found.manifest else ""
        return {
            "active": active,
            "enabled": True,
            "pending_reload": active and running.needs_reload(config),
            "needs_restart": active and running.needs_restart(_podstate.execution_of(manifest)),
            "daemon_reload_needed": False,
        }

    def _service(self, found: Found, running: _running_io.Running) -> Dict[str, Any]:
        """What the running daemon lacks once the planned files are in place."""
        unit = systemd_unit(self.role)
        active = unit.get("ActiveState") in ("active", "reloading")
        contents = {file.path: file.content for file in found.files}
        config = found.config.content if found.config else b""
        path = _paths.DROP_INS[self.role]
        drop_in = contents.get(path, b"").decode("utf-8")
        # systemd notices by itself that a drop-in has changed, but until 256 not that there is a new one.
        known = (path in unit.get("DropInPaths", "").split()) == bool(drop_in)
        changes = path in found.stale or any(file.path == path and not file.same_content for file in found.files)
        return {
            "active": active,
            "enabled": unit.get("UnitFileState") == "enabled",
            "pending_reload": active and running.needs_reload(config),
            "needs_restart": active and running.needs_restart(_hostfacts.parse_execution(drop_in)),
            "daemon_reload_needed": changes or not known or unit.get("NeedDaemonReload") == "yes",
        }

    def _diffs(self, found: Found) -> Iterator[Dict[str, str]]:
        for file in found.changed_files:
            before, after = _secrets.differences(present_text(file.present), present_text(file.content))
            if file.guarded and file.ownership == _ownership.FOREIGN:
                before = NOT_SHOWN
            header = "%s (%s %s:%s)"
            yield {
                "before_header": file.path if file.status is None else header % (
                    file.path, oct(stat.S_IMODE(file.status.st_mode)), user_name(file.status.st_uid),
                    group_name(file.status.st_gid)),
                "after_header": header % (file.path, oct(file.mode), file.owner, file.group),
                "before": before,
                "after": after,
            }
        for path in found.stale:
            before = NOT_SHOWN if is_foreign(path) else _secrets.masked(present_text(_host_io.read_file(path)))
            yield {"before_header": path, "after_header": "%s (removed)" % path, "before": before, "after": ""}


def least_force(result: Mapping[str, Any]) -> str:
    if not result["active"]:
        return "start"
    if result["needs_restart"]:
        return "restart"
    if result["pending_reload"]:
        return "reload"
    if result["changed"]:
        return "files"
    return "nothing" if result["enabled"] and not result["moving"] and not result["leased"] else "enable"


def serving_backends(haproxy: Mapping[str, Any]) -> List[str]:
    return sorted(name for name, servers in (haproxy.get("backends") or {}).items()
                  if any(_haproxy.is_up(server["status"]) for server in servers))


def running_config(found: Found, file: File) -> Optional[bytes]:
    """What keepalived runs with, which in the other mode is another file."""
    if "keepalived" not in found.other_mode:
        return file.present
    return next(filter(None, (_host_io.read_file(layout.config["keepalived"])
                              for layout in _paths.LAYOUTS.values()
                              if layout.config["keepalived"] != file.path)), None)


def rekeyed(running: Optional[bytes], planned: bytes) -> bool:
    """Whether the daemon's members would have different passwords once one of them has the planned file."""
    before = _keepalived.secrets((running or b"").decode("utf-8", "replace"))
    after = _keepalived.secrets(planned.decode("utf-8"))
    return bool(before and after) and before != after


def vips_of(planned: Optional[bytes]) -> Set[str]:
    """VIPs that the planned files have, and those that what is here has: what HAProxy's turn has stored isn't what
    keepalived has before its own."""
    ours = _planfile.join(_planfile.parse_plan(planned), None)
    return {*ours.vips, *_deployed_io.read_deployed().vips}


def invalid_message(invalid: List[Dict[str, Any]]) -> str:
    said = ["%s: %s" % (entry["path"], finding) for entry in invalid for finding in entry["findings"]]
    return "Nothing was changed, because what was to be put into place isn't valid:\n%s" % "\n".join(said)


def haproxy_findings(code: int, text: str) -> List[str]:
    return [] if code == 0 else lines(text) or ["haproxy -c ended with %d" % code]


def script_findings(code: int, text: str) -> List[str]:
    return lines(text) if code else []


def lines(text: str) -> List[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def present_text(content: Optional[bytes]) -> str:
    return (content or b"").decode("utf-8", "replace")


def wanted_sysctls(files: List[File]) -> Dict[str, str]:
    """Settings of the planned file that the kernel doesn't have yet."""
    return {name: value for name, value in planned_sysctls(files).items() if current_sysctl(name) != value}


def released_sysctls(ours: List[str], files: List[File]) -> Dict[str, str]:
    """Settings that our file of an earlier run made, that aren't planned any more, and that nobody else wants."""
    before: Dict[str, str] = {}
    for path in ours:
        if is_sysctl_file(path):
            before.update(_hostfacts.parse_sysctls((_host_io.read_file(path) or b"").decode("utf-8", "replace")))
    gone = {name: value for name, value in before.items() if name not in planned_sysctls(files)}
    theirs = others_sysctls(ours) if gone else {}
    return {name: KERNEL_DEFAULT for name, value in gone.items()
            if current_sysctl(name) == value and theirs.get(name) != value}


def others_sysctls(ours: List[str]) -> Dict[str, str]:
    """What the files of others set at boot."""
    found: Dict[str, str] = {}
    for path in [*_hostfacts.sysctl_files(list_folder), SYSCTL_CONF]:
        if path not in ours:
            found.update(_hostfacts.parse_sysctls((_host_io.read_file(path) or b"").decode("utf-8", "replace")))
    return found


def planned_sysctls(files: List[File]) -> Dict[str, str]:
    planned: Dict[str, str] = {}
    for file in files:
        if is_sysctl_file(file.path):
            planned.update(_hostfacts.parse_sysctls(file.content.decode("ascii")))
    return planned


def is_sysctl_file(path: str) -> bool:
    return os.path.basename(path) == os.path.basename(_paths.SYSCTL_FILE)


def current_sysctl(name: str) -> str:
    return (_host_io.read_file(sysctl_path(name)) or b"").decode().strip()


def list_folder(path: str) -> List[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def sysctl_path(name: str) -> str:
    return "/proc/sys/" + name.replace(".", "/")


def systemd_unit(role: str) -> Dict[str, str]:
    properties = "--property=ActiveState,UnitFileState,NeedDaemonReload,DropInPaths"
    output = _host_io.run(["systemctl", "show", properties, role + ".service"], COMMAND_SECONDS)
    pairs = (line.partition("=") for line in output.text.splitlines())
    return {name: value for name, equals, value in pairs if equals}


def runs_in_other_mode(role: str, as_pod: bool) -> bool:
    """Whether a daemon of ours runs here in the mode that isn't planned."""
    if not as_pod:
        return _process_io.find_pod(role) is not None
    unit = systemd_unit(role)
    ours = _paths.DROP_INS[role] in unit.get("DropInPaths", "").split()
    return ours and unit.get("ActiveState") in ("active", "reloading")


def wanted_folders(files: List[File]) -> List[str]:
    """What the planned tmpfiles make and isn't there as it should be."""
    return [item.path for item in volatile_items(files) if item_differs(item)]


def volatile_items(files: List[File]) -> List[_podstate.Volatile]:
    return [item for file in files if file.kind == "tmpfiles" for item in _podstate.volatile(file.content.decode())]


def item_differs(item: _podstate.Volatile) -> bool:
    owners = uid(item.owner), gid(item.group)
    if item.folder:
        return owned.folder_differs(item.path, item.mode, *owners) or bool(owned.traps(item.path))
    found = owned.status(item.path)
    return found is None or not stat.S_ISREG(found.st_mode) or (
        stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) != (item.mode, *owners)


def make_volatile(files: List[File]) -> None:
    """As every boot does it. A folder of root's that was somebody else's may have anything in it."""
    for item in volatile_items(files):
        owners = uid(item.owner), gid(item.group)
        if item.folder:
            owned.make_folder(item.path, item.mode, *owners)
            for path in owned.traps(item.path):
                owned.remove(path)
        elif not owned.mend(item.path, item.mode, *owners) and owned.status(item.path) is None:
            owned.write(item.path, item.content.encode(), item.mode, *owners)


def our_folders(files: List[File]) -> List[_podstate.Volatile]:
    """Folders of ours that others read, and those that nobody else may; as far as they're there with another mode."""
    made_by_pods = {item.path for item in volatile_items(files)}
    shared = {os.path.dirname(file.path) for file in files if is_our_folder(os.path.dirname(file.path))}
    shared.update([OWN_FOLDER, STATE, _paths.DRAIN, _paths.RUN])
    shared.update(os.path.join(_paths.RUN, name) for name in RUN_FOLDERS)
    modes = {**dict.fromkeys(shared, 0o755), _copies_io.FOLDER: 0o700, PREVIOUS: 0o700}
    root = str(owned.ROOT)
    return [_podstate.Volatile(path, True, mode, root, root, "") for path, mode in sorted(modes.items())
            if path not in made_by_pods and os.path.isdir(path) and owned.folder_differs(path, mode)]


def mend_folders(folders: List[_podstate.Volatile]) -> None:
    for item in folders:
        owned.make_folder(item.path, item.mode)


def checksum(content: bytes) -> str:
    return sha256(content).hexdigest()


def read_list(role: str) -> List[str]:
    return list(read_sums(role))


def read_sums(role: str) -> Dict[str, List[str]]:
    """Files of ours, with the checksums of what we wrote."""
    try:
        return _ownership.noted_sums(json.loads(_host_io.read_file(STATE_LIST % role) or b"[]"))
    except ValueError:
        return {}


def copy_of(path: str, original: bool = False) -> Optional[str]:
    """Where a copy has to be made of what somebody else wrote; None where we wrote it, or there is one."""
    content = _host_io.read_file(path)
    if content is None or not _ownership.is_edited(path, content, written(path)):
        return None
    return _copies_io.place(path, content, original)


def written(path: str) -> List[str]:
    return [item for role in _paths.ROLES for item in read_sums(role).get(path, [])]


def is_whole(role: str, paths: List[str]) -> bool:
    """Whether a pod's manifest is there as well: it isn't while a run has the pod silenced."""
    name = os.path.basename(_pod_paths.manifest_path("", role))
    return all(os.path.lexists(path) for path in paths if os.path.basename(path) == name)


def note_files(role: str, files: List[File], keep: Iterable[str] = (), batch: Optional[owned.Batch] = None) -> None:
    """What is planned, or in place; `keep` are paths that go on being ours, with what was noted of them."""
    before = read_sums(role)
    sums = {path: before.get(path, []) for path in keep}
    for file in files:
        if file.path in sums and file.present is not None and not _ownership.is_edited(
                file.path, file.present, sums[file.path]):
            sums[file.path] = [checksum(file.present)]
        sums[file.path] = list(dict.fromkeys([*sums.get(file.path, []), checksum(file.content)]))
    if sums != before:
        write = owned.write if batch is None else batch.add
        write(STATE_LIST % role, (json.dumps(sums, indent=1, sort_keys=True) + "\n").encode(), 0o600)


def wanted_units(changed: Iterable[File], planned: Set[str]) -> List[str]:
    """Our own unit, where it's planned and systemd doesn't have it as it will be."""
    if not _release_io.is_among(planned):
        return []
    return [_release_io.WATCHER] if _release_io.is_among(file.path for file in changed) or _release_io.is_off() else []


def is_foreign(path: str) -> bool:
    """A file of ours that somebody has written anew; what has no marker anyway is ours by its name."""
    content = _host_io.read_file(path) if path in GUARDED else None
    return _ownership.is_edited(path, content, written(path)) and _ownership.classify(
        path, content, {}) == _ownership.FOREIGN


def originals_of(paths: Iterable[str]) -> Dict[str, str]:
    """What was there before us, by path."""
    found = {path: _copies_io.original(path) for path in paths if os.path.isdir(os.path.dirname(path))}
    return {path: kept for path, kept in found.items() if kept}


def files_below(folder: str) -> List[str]:
    return sorted(os.path.join(top, name) for top, dummy, names in os.walk(folder) for name in names)


def scratch_prefix(name: str) -> str:
    """Of a folder that tells whose it is: what its process leaves is for the next run to remove."""
    return ".kubeha-%s-%d-" % (name, os.getpid())


def leftovers(role: str, paths: Iterable[str]) -> List[str]:
    """What runs that were killed have left, beside the files of these paths and among our own."""
    folders = {os.path.dirname(path) for path in paths} | {os.path.dirname(STATE), STATE}
    found = [os.path.join(folder, name) for folder in sorted(folders) for name in list_folder(folder)
             if is_leftover(name)]
    return found + [os.path.join(PREVIOUS, name) for name in list_folder(PREVIOUS) if name.startswith(".%s-" % role)]


def is_leftover(name: str) -> bool:
    match = LEFTOVER.match(name)
    if match is None:
        return False
    pid = match.group(1) or match.group(2)
    # A number is given to other processes later, but none of Python's is likely to be among them.
    return pid is None or b"python" not in (_host_io.read_file("/proc/%s/comm" % pid) or b"")


def sweep(role: str, left: Iterable[str]) -> None:
    """Remove what `leftovers` found. Where a previous set was just being exchanged, the new one is whole."""
    folder = os.path.join(PREVIOUS, role)
    left = [path for path in left if os.path.lexists(path)]
    for path in left:
        if path.endswith(".old") and not os.path.lexists(folder):
            fresh = path[:-len(".old")]
            os.rename(fresh if os.path.lexists(fresh) else path, folder)
    for path in left:
        if os.path.lexists(path):
            remove_path(path)


def remove_path(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        owned.remove(path)


def remove_if_ours(folder: str) -> None:
    """Empty, and none that a package has."""
    if is_our_folder(folder):
        try:
            os.rmdir(folder)
        except OSError:
            return


def is_our_folder(folder: str) -> bool:
    return "kubeha" in folder or folder.endswith(".service.d")


def remove_empty(folder: str) -> None:
    """Folders without any file, the innermost first."""
    for top, dummy, names in os.walk(folder, topdown=False):
        if not names:
            try:
                os.rmdir(top)
            except OSError:
                continue


def existing_parent(path: str) -> str:
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def user_exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def uid(name: str) -> int:
    """Users of containers have no names on the host."""
    return int(name) if name.isdigit() else pwd.getpwnam(name).pw_uid


def gid(name: str) -> int:
    return int(name) if name.isdigit() else grp.getgrnam(name).gr_gid


def user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


if __name__ == "__main__":
    main()
