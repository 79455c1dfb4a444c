#!/usr/bin/python
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_pod
short_description: Bring one static pod of an API endpoint to run what is in place
version_added: 1.0.0
author:
  - The kubeha.apiserver authors (@kubeha)
description:
  - Does the least that makes HAProxy's or keepalived's pod run the files that M(kubeha.apiserver.endpoint_files) put
    into place. Nothing, where it does already. A reload by signal, where only the configuration changed. Or it waits
    until the kubelet has started the pod from the manifest.
  - A reload is proven before the module returns. HAProxy's new worker has answered, keepalived has reported the
    instances that are configured.
  - Needs neither a container runtime's tools nor an API server. The pod is on the host's network, so its processes and
    its log are found on the host.
  - keepalived starts with whatever it understands of its configuration. So one that was started from a new manifest is
    asked for its opinion, inside of its pod.
  - Where no kubelet runs, as before C(kubeadm init), there's nothing to wait for, and RV(proven) is V(false).
  - Or takes the manifest away, and waits until the pod has ended.
extends_documentation_fragment:
  - kubeha.apiserver._attributes
  - kubeha.apiserver._attributes.owner
attributes:
  check_mode:
    support: full
    details:
      - Nothing is signalled and nothing is waited for. What it says is about the files that are in place.
options:
  role:
    description: Which pod.
    type: str
    choices: [haproxy, keepalived]
    required: true
  plan:
    description:
      - The plan, as RV(kubeha.apiserver.endpoint_plan#module:plan). It has the folder of the manifests.
    type: dict
    required: true
  state:
    description:
      - V(present) has the pod run what is in place.
      - V(absent) takes its manifest from the kubelet and waits until its daemon has ended.
    type: str
    choices: [present, absent]
    default: present
  wait:
    description:
      - For at most this many seconds the kubelet may take to start the pod, or to end it. Fetching an image is part of
        that. A container that ends again and again isn't waited for so long.
    type: float
    default: 180
  reload_wait:
    description: For at most this many seconds a daemon may take to show that it has loaded its configuration.
    type: float
    default: 15
seealso:
  - module: kubeha.apiserver.endpoint_files
  - module: kubeha.apiserver.endpoint_info
"""

EXAMPLES = r"""
- name: Put HAProxy's manifest and configuration into place
  kubeha.apiserver.endpoint_files:
    role: haproxy
    plan: "{{ result.plan }}"

- name: Let its pod run them
  kubeha.apiserver.endpoint_pod:
    role: haproxy
    plan: "{{ result.plan }}"
"""

RETURN = r"""
action:
  description:
    - What was, or in check mode would be, done. V(none), V(reload) by a signal, V(wait) for the kubelet, or
      V(remove).
  returned: success
  type: str
  sample: reload
proven:
  description: Whether the pod was seen to run what is in place.
  returned: success
  type: bool
why:
  description: Why it isn't proven, or what the pod lacked before.
  returned: success
  type: str
  sample: it has loaded another configuration
pid:
  description: The daemon's main process, as the host counts.
  returned: success
  type: int
  sample: 4711
waited:
  description: Seconds that this took.
  returned: success
  type: float
  sample: 0.31
log:
  description: The last lines of the container's log and of what the kubelet said of the pod, without secrets.
  returned: when the pod doesn't run what is in place
  type: list
  elements: str
  sample: ["[ALERT] (8) : Binding [/etc/kubeha/haproxy/haproxy.cfg:22] for frontend kube-apiserver: cannot bind socket"]
"""

import contextlib
import os
import signal
import time
from hashlib import sha256
from typing import Any, Callable, Dict, List, Optional

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.daemons import (
    _confined_io,
    _haproxy,
    _keepalived,
    _keepalived_state,
    _podstate,
    _process_io,
    _processes,
    _running_io,
)
from ..module_utils.host import _host_io
from ..module_utils.host import _owned_files_io as owned
from ..module_utils.model import _paths, _pod_paths
from ..module_utils.run import _run_lock, _run_lock_io

POLL_SECONDS = 0.1
SOCKET_SECONDS = 0.5
DUMP_SECONDS = 0.5
COMMAND_SECONDS = 5.0
TEST_SECONDS = 30.0
LOG_LINES = 12
# Ends of a new pod's container after which no further start is hoped for.
CRASHES = 2
KUBELET_LINES = 4
# After that a HAProxy that goes on with what it had is told to reload once more.
AGAIN_SECONDS = 3.0
ABSENT = "not proven: kubelet absent"


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "role": {"type": "str", "choices": ["haproxy", "keepalived"], "required": True},
            "plan": {"type": "dict", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "wait": {"type": "float", "default": 180},
            "reload_wait": {"type": "float", "default": 15},
            **_run_lock_io.OWNER,
        },
        supports_check_mode=True,
    )
    folder = _podstate.manifest_dir(module.params["plan"]) or ""
    if not folder:
        module.fail_json(msg="plan: it has no endpoint with mode static_pod")
    pod = {"haproxy": HaproxyPod, "keepalived": KeepalivedPod}[module.params["role"]](folder)
    task = Task(module, pod)
    try:
        _run_lock_io.ensure(module, module.params["wait"] + _run_lock.LIFE)
        if module.params["state"] == "absent":
            task.remove()
        else:
            task.run()
    except OSError as error:
        module.fail_json(msg="%s's pod can't be looked after: %s" % (pod.role, error))


class Task:
    """Look, do the least, prove."""

    def __init__(self, module: AnsibleModule, pod: Pod) -> None:
        self.module = module
        self.pod = pod
        self.begun = time.monotonic()

    def run(self) -> None:
        seen = self.pod.look()
        step = _podstate.next_step(seen)
        why = _podstate.lacking(seen)
        # Files may be put in place long before there is a cluster.
        if step == _podstate.WAIT and not _process_io.find_kubelet()["running"]:
            self.finish(False, _podstate.NOTHING, False, ABSENT, seen)
        if self.module.check_mode or step == _podstate.NOTHING:
            self.finish(step != _podstate.NOTHING, step, step == _podstate.NOTHING, why, seen)
        if step == _podstate.RELOAD:
            self.reload(seen, why)
        self.wait(why)

    def remove(self) -> None:
        seen = self.pod.look()
        there = os.path.lexists(self.pod.manifest)
        if not self.module.check_mode:
            if there:
                owned.remove(self.pod.manifest)
            # Without a kubelet nobody ends what may still run, as after kubeadm reset nothing does.
            if _process_io.find_kubelet()["running"] and not self.within(
                self.module.params["wait"], lambda: self.pod.find() is None
            ):
                self.fail("%s's pod goes on without a manifest" % self.pod.role)
        changed = there or seen.pid is not None
        proven = self.module.check_mode or self.pod.find() is None
        self.finish(changed, "remove" if changed else _podstate.NOTHING, proven, "" if proven else ABSENT, seen)

    def reload(self, seen: _podstate.Seen, why: str) -> None:
        done = self.pod.reload()
        if not self.within(self.module.params["reload_wait"], done):
            self.pod.note_kept()
            self.fail("%s was told to reload and goes on with what it had" % self.pod.role)
        self.pod.note_loaded()
        self.finish(True, _podstate.RELOAD, True, why, seen)

    def wait(self, why: str) -> None:
        found: List[_podstate.Seen] = []

        def runs() -> bool:
            found.append(self.pod.look())
            step = _podstate.next_step(found[-1])
            if step == _podstate.RELOAD:
                # It started from the new manifest an instant before its configuration changed.
                self.reload(found[-1], why)
            return step == _podstate.NOTHING or self.pod.crashes() >= CRASHES

        self.within(self.module.params["wait"], runs)
        if _podstate.next_step(found[-1]) != _podstate.NOTHING:
            self.fail("%s's pod doesn't run what is in place: %s" % (
                self.pod.role, _podstate.lacking(found[-1])))
        complaints = self.pod.complaints()
        if complaints:
            self.module.fail_json(msg="%s runs, but not all of its configuration is good:\n%s"
                                      % (self.pod.role, "\n".join(complaints)), log=complaints)
        self.finish(True, _podstate.WAIT, True, why, found[-1])

    def within(self, seconds: float, done: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def finish(self, changed: bool, action: str, proven: bool, why: str, seen: _podstate.Seen) -> None:
        self.module.exit_json(changed=changed, action=action, proven=proven, why=why, pid=seen.pid,
                              waited=round(time.monotonic() - self.begun, 3))

    def fail(self, msg: str) -> None:
        log = self.pod.last_words()
        waited = round(time.monotonic() - self.begun, 3)
        said = "\n".join(["", *log]) if log else ", and neither it nor the kubelet has said why."
        self.module.fail_json(msg="%s, after %g s%s" % (msg, waited, said), log=log, waited=waited)


class Pod:
    """One pod of ours, as its host sees it."""

    role: str
    secrets: List[str] = []

    def __init__(self, folder: str) -> None:
        self.name = _pod_paths.NAMES[self.role]
        self.manifest = _pod_paths.manifest_path(folder, self.role)
        self.config = _pod_paths.CONFIG[self.role]
        self.content = _host_io.read_file(self.config) or b""
        self.text = self.content.decode("utf-8", "replace")
        self.execution = _podstate.execution_of(_host_io.read_text(self.manifest))

    def look(self) -> _podstate.Seen:
        process = self.find()
        running = _running_io.running(self.role, True, self._state().get("description"))
        return _podstate.Seen(
            pid=process.pid if process else None,
            needs_reload=running.needs_reload(self.content),
            needs_restart=running.needs_restart(self.execution),
            ready=process is not None and self.is_ready(process),
        )

    def find(self) -> Optional[_processes.Process]:
        return _process_io.find_pod(self.role)

    def is_ready(self, process: _processes.Process) -> bool:
        raise NotImplementedError

    def reload(self) -> Callable[[], bool]:
        """Send the signal, and return what tells whether it has had its effect."""
        raise NotImplementedError

    def complaints(self) -> List[str]:
        """What the running daemon has left out of its configuration."""
        return []

    def signal(self, number: int) -> _processes.Process:
        process = self.find()
        if process is None:
            raise ProcessLookupError(3, "%s ended just now" % self.role)
        _process_io.signal_process(process, number)
        return process

    def _state(self) -> Dict[str, Any]:
        """What it says of itself."""
        return {}

    def note_loaded(self) -> None:
        """What the pod's own script notes when it starts, and nobody tells otherwise."""

    def note_kept(self) -> None:
        """That it goes on with what it had."""

    def last_words(self) -> List[str]:
        return self._log() + self._kubelet_said()

    def crashes(self) -> int:
        """How often the container of the present manifest has ended: the kubelet numbers its logs.

        Each manifest's pod has a folder of its own. The one before may have ended often, and says something to the end.
        """
        try:
            since = os.stat(self.manifest).st_mtime
            return max([_podstate.log_number(path) for path in self._logs(since)], default=0)
        except OSError:
            return 0

    def _logs(self, since: float = 0) -> List[str]:
        """In folders that were made since then."""
        found = []
        try:
            folders = [entry.path for entry in os.scandir(_podstate.POD_LOGS)
                       if _podstate.is_log_folder(entry.name, self.role) and entry.stat().st_mtime >= since]
        except OSError:
            return []
        for folder in folders:
            for base, _folders, names in os.walk(folder):
                found += [os.path.join(base, name) for name in names if name.endswith(".log")]
        return found

    def _log(self) -> List[str]:
        """Of the container that was started last."""
        found = self._logs()
        newest = max(found, key=lambda path: os.stat(path).st_mtime, default=None)
        return _podstate.log_lines(_host_io.read_text(newest), LOG_LINES, self.secrets) if newest else []

    def _kubelet_said(self) -> List[str]:
        command = ["journalctl", "--unit=kubelet", "--lines=500", "--output=cat", "--no-pager"]
        said = _host_io.run(command, COMMAND_SECONDS).text.splitlines()
        mine = [line for line in said if self.name in line and ("rror" in line or "ailed" in line)]
        return _podstate.log_lines("\n".join("kubelet: %s" % line[:500] for line in mine), KUBELET_LINES, self.secrets)


class HaproxyPod(Pod):
    role = "haproxy"
    # What the note of the reload before said.
    _noted = b""

    def is_ready(self, process: _processes.Process) -> bool:
        return self._worker() is not None

    def reload(self) -> Callable[[], bool]:
        before = self._worker()
        self._leave(self._ask(_haproxy.SERVERS_COMMAND))
        self._noted = _host_io.read_file(_podstate.RELOADED) or b""
        # Where this run is killed, nobody knows.
        self._note(_podstate.UNKNOWN)
        self.signal(signal.SIGUSR2)
        told = time.monotonic()

        def done() -> bool:
            nonlocal told
            if self._worker() not in (None, before):
                return True
            # The master may lose a signal that comes while it's busy with the reload before.
            if time.monotonic() - told >= AGAIN_SECONDS:
                told = time.monotonic()
                with contextlib.suppress(ProcessLookupError):
                    self.signal(signal.SIGUSR2)
            return False

        return done

    def _worker(self) -> Optional[int]:
        """The worker that takes new connections, by its number inside of the pod."""
        state = self._state()
        return None if state.get("stopping", True) else state["pid"]

    def note_loaded(self) -> None:
        # Who reloads it by hand later isn't told what was so today.
        self._leave("")
        self._note(sha256(self.content).hexdigest())

    def note_kept(self) -> None:
        owned.write(_podstate.RELOADED, self._noted, 0o644)

    @staticmethod
    def _note(said: str) -> None:
        """For kubeha-metrics. Root writes nothing where the pod may, so this lies beside the pod's own note, and counts
        for as long as that isn't written anew."""
        own = owned.status(_podstate.RUNNING["haproxy"])
        if own is not None:
            owned.write(_podstate.RELOADED, ("%s %d\n" % (said, own.st_mtime_ns)).encode(), 0o644)

    @staticmethod
    def _leave(said: str) -> None:
        """To the next worker: which API servers are up. What it isn't told is up, until checks say otherwise."""
        try:
            status = owned.status(_paths.SERVERS)
            if status is not None:
                content = said if _haproxy.is_servers_state(said) else _haproxy.NO_SERVERS
                owned.write(_paths.SERVERS, content.encode(), 0o644, status.st_uid, status.st_gid)
        except OSError:
            return  # no folder that only root writes to: then the worker learns it by its checks

    @staticmethod
    def _ask(command: bytes) -> str:
        try:
            return _host_io.ask_unix_socket(_pod_paths.SOCKET, command, SOCKET_SECONDS).decode("utf-8", "replace")
        except (OSError, _host_io.Timeout):
            return ""

    def _state(self) -> Dict[str, Any]:
        return _running_io.ask_haproxy(_pod_paths.SOCKET, SOCKET_SECONDS)


class KeepalivedPod(Pod):
    role = "keepalived"

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        self.secrets = _keepalived.secrets(self.text)

    def is_ready(self, process: _processes.Process) -> bool:
        # Its script writes what it runs as the last thing before it becomes keepalived.
        return True

    def reload(self) -> Callable[[], bool]:
        process = self.signal(signal.SIGHUP)
        return lambda: self._has_loaded(process)

    def complaints(self) -> List[str]:
        # It starts with whatever it understands. Before there was a pod, nothing could have told.
        process = self.find()
        if process is None:
            return []
        argv = ["keepalived", *_keepalived.test_options(_confined_io.STDIN)]
        output = _confined_io.run_beside(process, argv, self.text.encode("utf-8"), TEST_SECONDS)
        said = [output.error] if output.code is None else _keepalived.findings(output.code, output.text)
        return _podstate.log_lines("\n".join(said), LOG_LINES, self.secrets)

    def note_loaded(self) -> None:
        owned.write(_podstate.RUNNING[self.role], (sha256(self.content).hexdigest() + "\n").encode(), 0o600)

    def _has_loaded(self, process: _processes.Process) -> bool:
        try:
            return _podstate.has_loaded(self.text, _process_io.dump_keepalived(process, DUMP_SECONDS))
        except _keepalived_state.CannotDump:
            # Nothing can tell, and keepalived has never refused a signal.
            return True
        except (OSError, _host_io.Timeout, _keepalived_state.DumpError):
            return False


if __name__ == "__main__":
    main()
