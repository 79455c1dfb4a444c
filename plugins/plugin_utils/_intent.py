# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""Read the intent from Ansible variables: what the user wrote, nothing judged yet.

Values leave here as plain Python types, because the plan knows nothing of tags, vaults or lazy containers.
"""

from __future__ import annotations

import datetime
import difflib
import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.kubeha.apiserver.plugins.module_utils._errors import Problem, show
from ansible_collections.kubeha.apiserver.plugins.module_utils._names import pieces
from ansible_collections.kubeha.apiserver.plugins.module_utils._plan import INTENT_KEYS
from ansible_collections.kubeha.apiserver.plugins.module_utils._secrets import HIDDEN
from ansible_collections.kubeha.apiserver.plugins.module_utils._spec import image_logins
from ansible_collections.kubeha.apiserver.plugins.module_utils._stored import spoken

DEFAULT_LB_GROUPS = ("kube_lb", "kube_control_plane")
DEFAULT_APISERVER_GROUP = "kube_control_plane"
OBSERVED = "__endpoint_info"
ASKED = "__endpoint_asked"

# What the roles and playbooks read beside the intent; listed so that a misspelt variable can be told from them.
OTHER_VARIABLES = frozenset({
    "endpoint_interface", "endpoint_address", "endpoint_priority", "endpoint_plan_file", "endpoint_render_dir",
    "endpoint_status_file", "endpoint_status_html", "endpoint_preflight_file", "endpoint_hosts",
})


_SECRETS = ("password", "image_auth")


class Collected(t.NamedTuple):
    """What the variables of an inventory say about its endpoints."""

    intent: dict[str, t.Any]
    hosts: dict[str, dict[str, t.Any]]
    deployed: dict[str, t.Any]
    lb_hosts: list[str]
    members: list[str]
    problems: list[Problem]
    warnings: list[str]


def collect(task_vars: Mapping[str, t.Any], templar: t.Any, asked: bool = True) -> Collected:
    """Gather intent, hosts and stored plans as seen by the host that runs the task.

    Without ``asked``, what members outside of this play were asked before doesn't count: they are to be asked again.
    The intent belongs to the endpoint, not to a host: where several balancers define a variable they must agree.
    """
    reader = _Reader(task_vars, templar)
    intent = reader.intent()
    lb_hosts, apiserver_hosts = _members(intent, task_vars.get("groups", {}))
    reader.require_agreement(lb_hosts)
    members = list(dict.fromkeys(lb_hosts + apiserver_hosts))
    observed = reader.observations(members, asked)
    hosts = {name: reader.host(name, observed.get(name, {})) for name in members if reader.knows(name)}
    deployed = {
        name: spoken(info["deployed"]["plan"], info["deployed"].get("speaks")) for name, info in observed.items()
        if isinstance(info.get("deployed"), Mapping) and info["deployed"].get("plan")}
    return Collected(intent, hosts, deployed, lb_hosts, members, reader.problems, reader.misspelt())


def secrets(intent: Mapping[str, t.Any]) -> dict[str, dict[str, str]]:
    """What no plan holds, for those files that need it. Never put the result of this into a plan, a result or a log.

    `passwords` are VRRP's, by endpoint; `registries` are users and passwords of registries, as the kubelet has them.
    """
    return {"passwords": _passwords(intent), "registries": image_logins(intent.get("image_auth"))}


def _passwords(intent: Mapping[str, t.Any]) -> dict[str, str]:
    entries = intent.get("list")
    found: dict[str, str] = {}
    for entry in entries if isinstance(entries, list) and entries else [{}]:
        if isinstance(entry, Mapping):
            merged = {**intent, **entry}
            if merged.get("auth_password") is not None:
                found[str(merged.get("name") or "kube-apiserver").strip()] = str(merged["auth_password"])
    return found


def plain(value: t.Any) -> t.Any:
    """Strip Ansible's wrappers: tagged and vaulted strings become ``str``, lazy containers ``dict`` and ``list``."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        return str.__str__(value)[:]
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    return str(value)  # a vaulted string before ansible-core 2.19


def kind_of(value: t.Any) -> str:
    """The type as its author knows it, without Ansible's wrappers: ``list``, not ``_AnsibleLazyTemplateList``."""
    return type(plain(value)).__name__


class _Reader:
    """Variables of the current host and of the other members, templated where needed."""

    def __init__(self, task_vars: Mapping[str, t.Any], templar: t.Any) -> None:
        self.task_vars = task_vars
        self.templar = templar
        self.hostvars = task_vars["hostvars"]
        self.current = str(task_vars["inventory_hostname"])
        self.problems: list[Problem] = []
        self._raw: dict[str, Mapping[str, t.Any]] = {}

    def intent(self) -> dict[str, t.Any]:
        """The intent as the current host sees it; from the members where it sees none."""
        if "endpoint_vip" in self.task_vars or "endpoint_list" in self.task_vars:
            source: t.Callable[[str], t.Any] = self._own
        else:
            holder = next((name for name in self._candidates()
                           if "endpoint_vip" in self.raw(name) or "endpoint_list" in self.raw(name)), None)
            source = self._own if holder is None else lambda name: self._of(holder, name)
        found = {}
        for key in INTENT_KEYS:
            value = source(_variable(key))
            if value is not _ABSENT:
                found[key] = value
        return found

    def require_agreement(self, lb_hosts: Sequence[str]) -> None:
        """Record a problem for every balancer whose variables say something else than the first that says anything."""
        for key in INTENT_KEYS:
            name = _variable(key)
            said = [(host, self.raw(host)[name]) for host in lb_hosts if self.knows(host) and name in self.raw(host)]
            if len(said) < 2:
                continue
            first_host, first = said[0]
            for host, value in said[1:]:
                if (value is first or value == first) and not _is_template(value):
                    continue
                if self._of(host, name) != self._of(first_host, name):
                    self.problems.append(Problem(
                        code="intent_differs", where="%s: %s" % (host, name),
                        value=HIDDEN if name.endswith(_SECRETS) else show(self._of(host, name)),
                        rule="one endpoint has one intent: every balancer has to see the same value as %s" % first_host,
                        fix="set %s once, for the group of balancers; hosts that differ by endpoint go into hosts: of "
                            "endpoint_list" % name))

    def observations(self, members: Sequence[str], asked: bool) -> dict[str, Mapping[str, t.Any]]:
        """What endpoint_info returned for each member: in this play, or asked on behalf of it."""
        found: dict[str, Mapping[str, t.Any]] = {}
        for item in _results(self.task_vars.get(ASKED)) if asked else []:
            if _usable(item):
                found[str(item.get("item"))] = plain(item)
        for name in members:
            if self.knows(name) and _usable(self.raw(name).get(OBSERVED)):
                found[name] = plain(self.raw(name)[OBSERVED])
        return found

    def host(self, name: str, info: Mapping[str, t.Any]) -> dict[str, t.Any]:
        """What is known of one member: its variables, and what it reported."""
        entry: dict[str, t.Any] = {}
        for key in ("address", "interface", "priority"):
            self._put(entry, key, self._of(name, "endpoint_" + key))
        self._put(entry, "inventory_address", self._of(name, "ansible_host"))
        entry.setdefault("inventory_address", name)
        networks = info.get("networks") or _networks_of_facts(self.raw(name).get("ansible_facts"))
        if networks:
            entry["networks"] = networks
        for daemon in ("keepalived", "haproxy"):
            package = (info.get("packages") or {}).get(daemon) or {}
            self._put(entry, daemon + "_version", package.get("installed") or package.get("candidate") or None)
            pod = (info.get("pods") or {}).get(daemon) or {}
            self._put(entry, daemon + "_pod_version", pod.get("version") or None)
        return entry

    def misspelt(self) -> list[str]:
        """Warn of variables that are nearly, but not quite, ours."""
        known = {_variable(key) for key in INTENT_KEYS} | OTHER_VARIABLES
        ours = [name for name in self.task_vars
                if isinstance(name, str) and name.startswith("endpoint_") and name not in known]
        found = []
        for name in sorted(ours):
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
            if close:
                found.append("%s: no such variable; it has no effect. Was %s meant?" % (name, close[0]))
        return found

    def knows(self, name: t.Any) -> bool:
        """Whether the inventory has this host."""
        return isinstance(name, str) and name in self.hostvars

    def raw(self, name: str) -> Mapping[str, t.Any]:
        """The host's variables as written, without role defaults."""
        if name not in self._raw:
            self._raw[name] = self.hostvars.raw_get(name)
        return self._raw[name]

    def _candidates(self) -> list[str]:
        groups = self.task_vars.get("groups", {})
        order = [name for group in DEFAULT_LB_GROUPS for name in groups.get(group, [])]
        return list(dict.fromkeys(order + list(groups.get("all", []))))

    def _own(self, name: str) -> t.Any:
        if name not in self.task_vars:
            return _ABSENT
        return self._template(self.task_vars[name], self.current, name, self.templar.template)

    def _of(self, host: str, name: str) -> t.Any:
        if name not in self.raw(host):
            return _ABSENT
        return self._template(name, host, name, lambda key: self.hostvars[host][key])

    def _template(self, subject: t.Any, host: str, name: str, template: t.Callable[[t.Any], t.Any]) -> t.Any:
        try:
            return plain(template(subject))
        except Exception as error:  # pylint: disable=broad-except  # whatever a user's template raises is his to mend
            problem = Problem(
                code="template_failed", where="%s: %s" % (host, name), value="(not shown)",
                rule="the value must be a template that Ansible can evaluate: %s" % _first_line(error),
                fix="correct the expression, or define what it refers to")
            if problem not in self.problems:
                self.problems.append(problem)
            return _ABSENT

    @staticmethod
    def _put(entry: dict[str, t.Any], key: str, value: t.Any) -> None:
        if value is not _ABSENT and value is not None:
            entry[key] = value


class _Absent:
    """A variable that nobody wrote (None is something that a user can write)."""


_ABSENT = _Absent()


def _variable(key: str) -> str:
    return key if key.startswith(("haproxy_", "keepalived_")) else "endpoint_" + key


def _members(intent: dict[str, t.Any], groups: Mapping[str, t.Any]) -> tuple[list[str], list[str]]:
    """Turn group names into hosts, in place, and return all balancers and all API servers of all endpoints."""
    default_lb: list[str] = next((list(groups[name]) for name in DEFAULT_LB_GROUPS if groups.get(name)), [])
    default_api: list[str] = list(groups.get(DEFAULT_APISERVER_GROUP, []))
    intent["lb_hosts"] = resolve(intent.get("lb_hosts"), groups, default_lb)
    intent["apiserver_hosts"] = resolve(intent.get("apiserver_hosts"), groups, default_api)
    scopes: list[dict[str, t.Any]] = [intent]
    entries = intent.get("list")
    if isinstance(entries, list) and entries:
        scopes = [entry for entry in entries if isinstance(entry, dict)]
        for entry in scopes:
            for key in ("lb_hosts", "apiserver_hosts"):
                if key in entry:
                    entry[key] = resolve(entry[key], groups, intent[key])
    found = []
    for key in ("lb_hosts", "apiserver_hosts"):
        values = [scope.get(key, intent[key]) for scope in scopes]
        found.append(list(dict.fromkeys(
            name for value in values if isinstance(value, list) for name in value if isinstance(name, str))))
    return found[0], found[1]


def resolve(value: t.Any, groups: Mapping[str, t.Any], default: list[str]) -> t.Any:
    """Hosts that a user's value names; what is neither host nor group stays, for the plan to refuse."""
    if value is None:
        return list(default)
    value = pieces(value)
    if not isinstance(value, list):
        return value
    hosts: list[t.Any] = []
    for name in value:
        if isinstance(name, str) and name in groups and name not in groups.get("all", ()):
            hosts.extend(plain(list(groups[name])))
        else:
            hosts.append(name)
    return hosts


def _results(asked: t.Any) -> list[t.Any]:
    return list(asked.get("results", [])) if isinstance(asked, Mapping) else []


def _usable(info: t.Any) -> bool:
    return (isinstance(info, Mapping) and "networks" in info
            and not info.get("failed") and not info.get("unreachable") and not info.get("skipped"))


def _networks_of_facts(facts: t.Any) -> list[dict[str, t.Any]]:
    """Addresses from facts that the larger playbook has gathered already."""
    found: list[dict[str, t.Any]] = []
    if not isinstance(facts, Mapping):
        return found
    for name in plain(facts.get("interfaces") or []):
        device = plain(facts.get(str(name).replace("-", "_")) or {})
        if not isinstance(device, dict):
            continue
        v4 = [device["ipv4"]] if isinstance(device.get("ipv4"), dict) else []
        for entry in v4 + (device.get("ipv4_secondaries") or []) + (device.get("ipv6") or []):
            if entry.get("address") and str(entry.get("prefix", "")).isdigit():
                found.append({"interface": device.get("device", name), "address": entry["address"],
                              "prefix": int(entry["prefix"])})
    return found


def _is_template(value: t.Any) -> bool:
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, Mapping):
        return any(_is_template(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(_is_template(item) for item in value)
    return not isinstance(value, (int, float, type(None)))


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:200]
