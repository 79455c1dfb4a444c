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
options:
  role:
    description: Whose files.
    type: str
    choices: [haproxy, keepalived]
    required: true
  plan:
    description:
      - The plan, as RV(kubeha.apiserver.endpoint_plan#module:plan).
      - Required in a play with O(state=present). Only the action plugin on the controller reads it; a host gets
        finished files.
    type: dict
  state:
    description:
      - V(present) puts the plan's files into place.
      - V(kept) only keeps the files that the daemon runs with, for V(previous). That's for a host that is about to be
        moved from one C(mode) to the other, or whose daemon is to be silent for a while.
      - V(previous) puts back the files that the daemon last ran with, where there are any.
      - V(absent) removes what this collection put there, and puts back what was there before. What somebody has
        written since stays.
      - V(original) puts back what was there before, for running it, and refuses where that isn't known or its copy
        isn't what it was. Copies stay until V(absent).
      - O(plan) is needed for V(present) only.
    type: str
    choices: [present, kept, previous, original, absent]
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
  both:
    description:
      - In check mode, look at HAProxy's and keepalived's files by one task on the host instead of two.
      - HAProxy's look looks at keepalived's files too. keepalived's look returns what that one has seen, and contacts
        no host, if it comes within a minute, no member of the host's endpoints had anything to do there, and HAProxy
        wasn't changed anywhere since.
      - Only in a play. Where files have secrets, keepalived's look is always one of its own.
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
  beside:
    description:
      - keepalived's files, which the action plugin rendered for O(both). Not for plays.
    type: list
    elements: dict
  units:
    description:
      - keepalived's units that name a folder or a script of the user's, for O(both). Not for plays.
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
foreign:
  description: Whether the service runs with a configuration of somebody else's, which this takes over.
  returned: success
  type: bool
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
unloaded:
  description: Whether the daemon runs with another configuration than the one that was there before.
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
beside:
  description:
    - What a look at keepalived's files would return, where keepalived has nothing to do. Nothing, where it has.
  returned: with O(both), for HAProxy
  type: dict
  sample: {}
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
notes_changed:
  description: Notes of what is ours that were lost or can't be read, and were or would be made anew.
  returned: when O(state=present)
  type: list
  elements: str
  sample: []
kept:
  description: Copies of what others wrote that stay on the host.
  returned: when O(state=absent)
  type: list
  elements: str
  sample: []
before:
  description:
    - What was there before this collection. Whether somebody else had configured the daemon, C(foreign), whether its
      unit was C(active) and C(enabled), its C(files) with owner and mode, and C(binds), where its HAProxy takes
      connections on every host.
  returned: when O(state=original)
  type: dict
  sample:
    foreign: true
    active: true
    enabled: true
    files: ["/etc/haproxy/haproxy.cfg (0644 root:root)"]
    binds: [{host: 127.0.0.1, port: 8443}]
runs:
  description:
    - Whether what was there before is in place and runs, so nothing has to be loaded. V(true) where this collection
      hasn't been.
  returned: when O(state=original)
  type: bool
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

import os
from functools import partial
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.deploy import (
    _before,
    _before_io,
    _daemon_io,
    _files_io,
    _folders_io,
    _foreign_pods_io,
    _hook_io,
    _leftovers_io,
    _look_io,
    _previous_io,
    _records_io,
    _refusals_io,
    _sysctls_io,
    _units_io,
    _validate_io,
)
from ..module_utils.deploy._found import Found, least_force, text_of, told
from ..module_utils.deploy._refusals_io import Refused
from ..module_utils.host import _copies_io, _host_io, _ownership
from ..module_utils.host import _owned_files_io as owned
from ..module_utils.model import _paths, _pod_paths, _secrets
from ..module_utils.run import _run_lock_io

# Nobody else puts anything there.
OURS_ALONE = (_paths.DRAIN, _paths.SOCKET)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "role": {"type": "str", "choices": ["haproxy", "keepalived"], "required": True},
            "plan": {"type": "dict"},
            "state": {"type": "str", "choices": ["present", "kept", "previous", "original", "absent"],
                      "default": "present"},
            "adopt": {"type": "bool", "default": False},
            "keep_stale": {"type": "bool", "default": False},
            "both": {"type": "bool", "default": False},
            # Only the action plugin reads them: a host gets them sealed.
            "secrets": {"type": "dict", "no_log": True},
            "sealed": {"type": "str", "no_log": True},
            "files": {"type": "list", "elements": "dict"},
            "beside": {"type": "list", "elements": "dict"},
            "units": {"type": "list", "elements": "dict"},
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
    """Look, refuse, validate, swap; or keep, go back, remove."""

    def __init__(self, module: AnsibleModule, beside: bool = False) -> None:
        self.module = module
        self.at = str(_run_lock_io.clock())
        # Whether a file has been replaced or removed.
        self.touched = False
        self.role: str = "keepalived" if beside else module.params["role"]
        self.given: List[Dict[str, Any]] = module.params["beside" if beside else "files"]
        self.secrets = _secrets.unseal(module.params["sealed"] or "")
        # Files of ours, and of the other role's, as they're noted.
        self.listed: List[str] = []
        self.others: Set[str] = set()

    def run(self) -> None:
        _run_lock_io.ensure(self.module)
        try:
            self.module.exit_json(**self._run())
        except Refused as refusal:
            self.module.fail_json(msg=str(refusal), **refusal.more)

    def _run(self) -> Dict[str, Any]:
        self._read_notes()
        if self.module.params["state"] == "previous":
            return self._go_back()
        if self.module.params["state"] == "original":
            return self._give_back()
        if self.module.params["state"] == "absent":
            return self._remove()
        if self.module.params["state"] == "kept":
            return self._keep()
        found, result = self._looked()
        if not self.module.check_mode:
            self._swap(found)
        elif self.module.params["beside"]:
            result["beside"] = self._look_beside()
        return result

    def _read_notes(self) -> None:
        self.listed = _records_io.ours(self.role)
        self.others = _records_io.of_others(self.role)

    # Look

    def _looked(self) -> Tuple[Found, Dict[str, Any]]:
        params = self.module.params
        files = _files_io.all_planned(self.given, self.secrets)
        _refusals_io.folders_in_the_way(self.role, files)
        found = _look_io.look(self.role, files, self.listed, self.others, params["keep_stale"])
        switches = not (self.module.check_mode or params["keep_stale"])
        _refusals_io.all_of(
            partial(_refusals_io.open_folders, found),
            partial(_refusals_io.textfile_folder, self._unit(_units_io.METRICS_SERVICE)),
            partial(_refusals_io.script, self._unit(_hook_io.SERVICE)),
            *[partial(_refusals_io.other_mode, found)] * switches,
            *[partial(_refusals_io.foreign, self.role, found)] * (not params["adopt"]),
            partial(_refusals_io.key, found))
        _validate_io.validate(self.role, found)
        _refusals_io.invalid(found)
        if not self.module.check_mode:
            _refusals_io.not_validated(found)
        return found, self._result(found)

    def _look_beside(self) -> Dict[str, Any]:
        """What isn't well there is told by a look of its own."""
        other = Deployment(self.module, beside=True)
        try:
            other._read_notes()
            dummy, result = other._looked()
        except (Refused, OSError):
            return {}
        return {} if result["changed"] or result["foreign"] or result["force"] != "nothing" else result

    def _unit(self, path: str) -> bytes:
        """What is to be there. A look at HAProxy's files tells of keepalived's, too: so what they name is judged before
        anything changes."""
        given = [*self.given, *(self.module.params["units"] or ())]
        return next((str(entry["content"]).encode() for entry in given if entry["path"] == path), b"")

    # Swap

    def _swap(self, found: Found) -> None:
        owned.make_folder(_paths.STATE)
        _leftovers_io.sweep(self.role, found.left)
        if not self.listed:
            _before_io.note(self.role, found.files, found.foreign_manifests)
        self._keep_originals(found)
        # What is about to be there is known before it's there, so a killed run leaves nothing unknown behind.
        _records_io.note(self.role, found.files, keep=[*self.listed, *(file.path for file in found.files)])
        for folder, mode in found.modes:
            owned.make_folder(folder, mode)
        if found.changed_files or found.stale or found.foreign_manifests:
            self._keep_previous(found)
        # The folders before the manifests: the kubelet would make what it mounts by itself, and give it to root.
        _folders_io.make(found.files)
        with owned.Batch() as batch:
            self._add(batch, found)
            if not (found.stale or self.module.params["keep_stale"]):
                _records_io.note(self.role, found.files, batch=batch)
            _foreign_pods_io.end(self.role, found.foreign_manifests)
            batch.commit()
        self.touched = True
        _units_io.begin(found.units)
        # A host that is moved to the other mode gets back what was there before us.
        self._take_away(found.stale, _records_io.originals(found.stale))
        if found.stale:
            _records_io.note(self.role, found.files)
        self._set(found.sysctls)

    def _keep_originals(self, found: Found) -> None:
        """What a package shipped, once. What somebody wrote, each time that it's replaced."""
        for file in found.rewritten:
            original = file.path not in self.listed
            self._keep_copy(file.path, _records_io.copy_of(file.path, original), original)
        for file in found.changed_files:
            shipped = file.ownership == _ownership.PACKAGE_DEFAULT and _copies_io.original(file.path) is None
            if shipped and file.present is not None:
                _copies_io.keep(file.path, file.present, os.lstat(file.path), original=True)

    def _keep_copy(self, path: str, copy: Optional[str], original: bool = False) -> None:
        if copy is not None:
            _copies_io.keep(path, _host_io.read_file(path) or b"", os.stat(path), original)
            self.module.warn("Somebody else has written %s. What it said is kept as %s." % (path, copy))

    def _add(self, batch: owned.Batch, found: Found) -> None:
        """Files and what is noted of them: where a disk is full, all stays as it was. The manifest comes last."""
        for file in sorted(found.changed_files, key=lambda file: file.kind == "manifest"):
            folder = os.path.dirname(file.path)
            if not os.path.isdir(folder):
                owned.make_folder(folder)
            batch.add(file.path, file.content, file.mode, file.uid, file.gid, self._label(file.path))
            if file.path == _units_io.METRICS_SERVICE:
                _units_io.drop_textfile(file.present, file.content)
        path = _paths.ROLE_PLAN % self.role
        if found.plan is not None and (path in found.lost or _host_io.read_file(path) != found.plan):
            batch.add(path, found.plan, 0o644)

    def _label(self, path: str) -> Optional[Callable[[str], Any]]:
        """SELinux's, which a file has before it has its name."""
        if not self.module.selinux_enabled():
            return None
        context = self.module.selinux_default_context(path)
        return lambda scratch: self.module.set_context_if_different(scratch, context, False)

    def _take_away(self, paths: List[str], originals: Mapping[str, str]) -> None:
        """Files of ours; what systemd makes of them ends first. What was there before them comes back."""
        units = _units_io.among(paths)
        _units_io.end(units)
        if _units_io.METRICS_SERVICE in paths:
            _units_io.drop_textfile(_host_io.read_file(_units_io.METRICS_SERVICE))
        if _paths.RECORDER_UNIT in paths:
            _units_io.drop_record()
        for path in paths:
            self._keep_copy(path, _records_io.copy_of_ours(path))
            if path in originals:
                owned.move(originals[path], path)
            else:
                owned.remove(path)
            _folders_io.remove_if_ours(os.path.dirname(path))
        if units:
            _units_io.forget()

    def _set(self, sysctls: Mapping[str, str]) -> None:
        for name, value in sysctls.items():
            try:
                _sysctls_io.put(name, value)
            except OSError as error:
                self.module.fail_json(msg="the kernel setting %s can't be set to %s here: %s. In a container, whoever "
                                          "starts it has to set it." % (name, value, error.strerror))

    # Keep, and go back

    def _keep_previous(self, found: Found) -> None:
        """The set of files that the daemon runs with, for going back to. A set that it never loaded isn't worth it."""
        if found.adopted and not found.manifest:
            _previous_io.keep(self.role, [file.path for file in found.changed_files if file.status is not None])
        elif _daemon_io.runs_what_is_there(self.role, found) and _previous_io.is_whole(self.role, self.listed):
            _previous_io.keep(self.role, self.listed)

    def _keep(self) -> Dict[str, Any]:
        """What runs in the other mode, before any file of the new one is there. A run that was killed has done it.
        Where this collection hasn't been yet, its keepalived is about to be stopped: what it was is noted."""
        if self.given and not self.listed and not self.module.check_mode:
            files = [_files_io.planned(entry, self.secrets) for entry in self.given]
            _files_io.classify(self.role, [file for file in files if file.guarded])
            _before_io.note(self.role, files)
        configs = {layout.config[self.role] for layout in _paths.LAYOUTS.values()}
        changes = len(configs.intersection(self.listed)) == 1
        if changes and _previous_io.is_whole(self.role, self.listed) and not self.module.check_mode:
            _previous_io.keep(self.role, self.listed)
        return {"changed": False, "previous": os.path.isdir(_previous_io.place(self.role))}

    def _go_back(self) -> Dict[str, Any]:
        """Put the previous set back, and remove what it didn't have."""
        folder = _previous_io.place(self.role)
        kept = [path[len(folder):] for path in _folders_io.files_below(folder)]
        found = Found([_files_io.kept(folder, path, self._kind(path)) for path in kept])
        foreign = found.config is not None and _paths.HEADER.encode() not in found.config.content
        result = dict(self._put_back(found, foreign) if kept else self._went_back(found, {}), previous=bool(kept))
        # Our sandbox doesn't fit it.
        return dict(result, needs_restart=result["active"]) if foreign else result

    def _put_back(self, found: Found, foreign: bool) -> Dict[str, Any]:
        """This set, and nothing else of ours."""
        kept = [file.path for file in found.files]
        changed = [file.path for file in found.changed_files]
        ours = [] if foreign else found.files
        found.stale = [path for path in self.listed
                       if path not in kept and path not in self.others and os.path.lexists(path)]
        sysctls = _sysctls_io.due(found.stale, found.files, _before_io.sysctls(self.role) if foreign else {})
        if not self.module.check_mode:
            _leftovers_io.sweep(self.role, _leftovers_io.find(self.role, [*self.listed, *kept]))
            for path in changed:
                self._keep_copy(path, _records_io.copy_of(path))
            _records_io.note(self.role, ours, keep=[*self.listed, *(kept if ours else [])])
            _folders_io.make(found.files)
            with owned.Batch() as batch:
                self._add(batch, found)
                batch.commit()
            self.touched = True
            _units_io.begin(_units_io.due(changed, kept))
            self._take_away(found.stale, {})
            _records_io.note(self.role, ours)
            self._set(sysctls)
        return self._went_back(found, sysctls, changed)

    def _went_back(self, found: Found, sysctls: Mapping[str, str], changed: Sequence[str] = ()) -> Dict[str, Any]:
        return {"changed": bool(changed or found.stale), "changed_files": list(changed),
                "removed_files": found.stale, "sysctls_changed": sorted(sysctls), **self._observe(found)}

    # Give back

    def _give_back(self) -> Dict[str, Any]:
        """What was there before us comes back, and stays where a copy of it is."""
        try:
            before = _before_io.read(self.role)
        except (OSError, _before.Unreadable) as error:
            raise Refused(
                "%s can't be read: %s. Nothing was changed." % (_before_io.place(self.role), error)) from error
        if before is None and self.listed:
            raise Refused("What %s was here before this collection isn't known: there's no %s. Nothing was changed. "
                          "Run remove without endpoint_restore, and look below %s."
                          % (self.role, _before_io.place(self.role), _copies_io.FOLDER))
        if before is None:
            return {"changed": False, "changed_files": [], "removed_files": [], "sysctls_changed": [], "runs": True,
                    "before": {"foreign": False, "active": False, "enabled": False, "files": [], "binds": []}}
        misfits = _before_io.misfits(before)
        if misfits:
            raise Refused("What %s was here before isn't what was kept any more. %s. Nothing was changed. Put the "
                          "copy right, or run remove without endpoint_restore." % (self.role, "; ".join(misfits)))
        found = Found([
            _files_io.copied(copy.place, path, self.role if path == before.config else self._kind(path))
            for path, copy in before.files.items()])
        result = self._put_back(found, foreign=True)
        config = text_of(found.config.content) if found.config else ""
        return dict(result, runs=not result["changed"] and _before_io.runs(self.role), before={
            "foreign": before.foreign, "active": before.active, "enabled": before.enabled,
            "files": ["%s (%04o %s:%s)" % (file.path, file.mode, file.owner, file.group) for file in found.files],
            "binds": _before.local_binds(config) if self.role == "haproxy" else []})

    def _kind(self, path: str) -> str:
        for entry in self.given:
            if entry["path"] == path:
                return str(entry["kind"])
        # What the other mode had isn't planned. Its pods need what tmpfiles.d makes, and their manifests come last.
        if path == _paths.TMPFILES:
            return "tmpfiles"
        return "manifest" if path.endswith(_pod_paths.manifest_path("", self.role)) else ""

    # Remove

    def _remove(self) -> Dict[str, Any]:
        """What is ours goes; what was there before comes back; what somebody has written since stays."""
        last = not self.others
        mine = [path for path in self.listed if path not in self.others]
        foreign = [path for path in mine if _records_io.is_foreign(path)]
        originals = {path: kept for path, kept in _records_io.originals(mine).items() if path not in foreign}
        removed = [path for path in mine
                   if path not in foreign and path not in originals and os.path.lexists(path)]
        copies = [copy for copy in map(_records_io.copy_of_ours, [*removed, *originals]) if copy]
        left = _leftovers_io.find(
            self.role, [*mine, *(layout.config[self.role] for layout in _paths.LAYOUTS.values())])
        given_back = _before_io.given_back(self.role)
        state = [_records_io.place(self.role), _paths.ROLE_PLAN % self.role, _previous_io.place(self.role),
                 _before_io.place(self.role), *given_back,
                 *((*OURS_ALONE, *_run_lock_io.others()) if last else ())]
        state = [path for path in state if os.path.lexists(path)]
        sysctls = _sysctls_io.due(mine, [], _before_io.sysctls(self.role))
        if not self.module.check_mode:
            self._take_away([*removed, *originals], originals)
            self._set(sysctls)
            _leftovers_io.sweep(self.role, left)
            for path in state:
                _leftovers_io.remove(path)
            for folder in {os.path.dirname(path) for path in mine} | {_previous_io.FOLDER}:
                _folders_io.remove_if_ours(folder)
            for folder in (_folders_io.OWN, _copies_io.FOLDER, _paths.STATE) if last else ():
                _folders_io.remove_empty_below(folder)
        if last:
            foreign += [path for path in _folders_io.files_below(_folders_io.OWN)
                        if not path.startswith((*mine, *left))]
        return {"changed": bool(mine or state or left), "changed_files": sorted(originals),
                "removed_files": removed + left,
                "foreign_files": foreign, "kept_files": copies,
                "kept": (sorted(set(_copies_io.left()) - set(originals.values()) - set(given_back) | set(copies))
                         if last else []),
                "sysctls_changed": sorted(sysctls)}

    # Result

    def _result(self, found: Found) -> Dict[str, Any]:
        result = told(found)
        result.update(self._observe(found))
        result["force"] = least_force(result)
        if found.other_mode and not self.module.params["keep_stale"]:
            result["force"] = "switch" if self.role == "keepalived" else "nothing"
        if self.module._diff:  # pylint: disable=protected-access  # what every module with a diff does
            result["diff"] = list(_look_io.diffs(found))
        return result

    def _observe(self, found: Found) -> Dict[str, Any]:
        return dict(_daemon_io.observe(self.role, found), at=self.at)


if __name__ == "__main__":
    main()
