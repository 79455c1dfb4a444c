# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""Read the intent from Ansible variables: what the user wrote, nothing judged yet.

Values leave here as plain Python types, because the plan knows nothing of tags, vaults or lazy containers.
"""

from __future__ import annotations

import copy
import datetime
import re
import typing as t
from collections.abc import Mapping, Sequence

from ...module_utils.host._identity import twins
from ...module_utils.model._planfile import Deployed, deployed_of
from ...module_utils.model._secrets import HIDDEN
from ...module_utils.proof._host_status import NO_DAEMON
from ..judge._observation import observation
from ..plan._plan import INTENT_KEYS
from . import _roles
from ._errors import Problem, listed, problem_of, show
from ._names import from_json, pieces
from ._registered import ASKED, OBSERVED
from ._slices import DEFAULT_GROUPS, cut_groups, default_group, is_slice
from ._spec import image_logins
from ._spelling import meant

if t.TYPE_CHECKING:
    from ...module_utils.model._observation import Observation

# What the roles and playbooks read beside the intent; listed so that a misspelt variable can be told from them.
OTHER_VARIABLES = frozenset({
    "endpoint_interface", "endpoint_address", "endpoint_priority", "endpoint_plan_file", "endpoint_render_dir",
    "endpoint_status_file", "endpoint_status_html", "endpoint_preflight_file", "endpoint_hosts", "endpoint_restore",
    "endpoint_kubeadm_file", "endpoint_kubeadm_api_version", "endpoint_import_file", "endpoint_history_file",
    "endpoint_history_html",
    "endpoint_drill", "endpoint_drill_faults", "endpoint_drill_clients", "endpoint_drill_budget",
    "endpoint_drill_seconds", "endpoint_drill_apiserver_unit", "endpoint_drill_file", "endpoint_drill_html",
}) | frozenset(_roles.READERS)


# What says which endpoints and members there are.
STRUCTURE = ("vip", "list", "lb_hosts", "apiserver_hosts")

_TEMPLATE = re.compile(r" String: |\{[{%]")
# What only gathering facts defines.
_FACTS = re.compile(r"\bansible_(facts|default_ipv[46]|all_ipv[46]_addresses|interfaces|hostname|fqdn|nodename|dns)\b")
_SECRETS = ("password", "image_auth")


class Collected(t.NamedTuple):
    """What the variables of an inventory say about its endpoints."""

    intent: dict[str, t.Any]
    hosts: dict[str, dict[str, t.Any]]
    deployed: dict[str, Deployed]
    lb_hosts: list[str]
    members: list[str]
    problems: list[Problem]
    warnings: list[str]


def collect(task_vars: Mapping[str, t.Any], templar: t.Any, asked: bool = True, task: t.Any = None) -> Collected:
    """Gather intent, hosts and stored plans: the same whoever of the play's hosts runs ``task``, and under any --limit.

    Without ``asked``, what members outside of this play were asked before doesn't count: they are to be asked again.
    The intent belongs to the endpoint, not to a host: where several hosts define a variable they must agree.
    """
    reader = _Reader(task_vars, templar, task)
    intent, lb_hosts, apiserver_hosts = reader.intent()
    reader.require_agreement(lb_hosts, apiserver_hosts)
    members = list(dict.fromkeys(lb_hosts + apiserver_hosts))
    observed = reader.observations(members, asked)
    reader.problems.extend(machines_twice({name: info["identity"] for name, info in observed.items()}))
    reader.problems.extend(_roles.problems(reader.of_roles(lb_hosts)))
    hosts = {name: reader.host(name, observed.get(name)) for name in members if reader.knows(name)}
    deployed = {name: deployed_of(info) for name, info in observed.items()
                if deployed_of(info).plan or deployed_of(info).error}
    return Collected(intent, hosts, deployed, lb_hosts, members, reader.problems + reader.failures(), reader.misspelt())


def machines_twice(identities: Mapping[str, t.Any]) -> list[Problem]:
    """A problem for each name that leads to a machine which another name leads to already."""
    return [problem_of("machine_twice", "%s: ansible_host" % host, first=first, host=host, name=show(name))
            for first, host, name in twins(identities)]


def known_secrets(task_vars: Mapping[str, t.Any], templar: t.Any, task: t.Any) -> dict[str, dict[str, t.Any]]:
    """The secrets in the variables, whoever runs ``task``."""
    return secrets(_Reader(task_vars, templar, task).intent()[0])


def secrets(intent: Mapping[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    """What no plan holds, for those files that need it. Never put the result of this into a plan, a result or a log.

    `passwords` are VRRP's, by endpoint, several with hmac; `registries` are users and passwords of registries, as the
    kubelet has them.
    """
    return {"passwords": _passwords(intent), "registries": image_logins(intent.get("image_auth"))}


def _passwords(intent: Mapping[str, t.Any]) -> dict[str, list[str]]:
    entries = intent.get("list")
    found: dict[str, list[str]] = {}
    for entry in entries if isinstance(entries, list) and entries else [{}]:
        if isinstance(entry, Mapping):
            merged = {**intent, **entry}
            if merged.get("auth_password") is not None:
                given = merged["auth_password"]
                found[str(merged.get("name") or "kube-apiserver").strip()] = [
                    str(item) for item in (given if isinstance(given, (list, tuple)) else [given])]
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


def heard(info: t.Any) -> Observation:
    """What a host returned, in the shape that it's to have."""
    try:
        return observation(plain(info))
    except RecursionError:
        return observation(None)


def kind_of(value: t.Any) -> str:
    """The type as its author knows it, without Ansible's wrappers: ``list``, not ``_AnsibleLazyTemplateList``."""
    return type(plain(value)).__name__


class _Reader:
    """Variables of the current host and of the other members, templated where needed."""

    def __init__(self, task_vars: Mapping[str, t.Any], templar: t.Any, task: t.Any) -> None:
        self.task_vars = task_vars
        self.templar = templar
        self.task = task
        self.hostvars = task_vars["hostvars"]
        self.current = str(task_vars["inventory_hostname"])
        self.problems: list[Problem] = []
        # Of templates, by the variable's name, why and what mends it: the hosts where each fails so.
        self._failures: dict[tuple[str, str, str], dict[str, None]] = {}
        self._raw: dict[str, Mapping[str, t.Any]] = {}
        self._views: dict[str, tuple[Mapping[str, t.Any], t.Any]] = {}

    def intent(self) -> tuple[dict[str, t.Any], list[str], list[str]]:
        """The intent, its balancers and its API servers."""
        groups = self.task_vars.get("groups", {})
        intent = self.structure()
        if is_slice(self.task_vars):
            self.problems.extend(cut_groups(intent, groups))
        intent.update(self.details(*_members(copy.deepcopy(intent), groups)))
        return intent, *_members(intent, groups)

    def structure(self) -> dict[str, t.Any]:
        """Those keys of the intent that say which endpoints and members there are, from the first host that has each;
        of all hosts that this play is for, whatever --limit says."""
        everybody = self._everybody()
        self._hosts = self._audience(everybody)
        # A play for hosts that don't see the intent, as for workers.
        if not any(_variable(key) in self.task_vars or any(_variable(key) in self.raw(host) for host in self._hosts)
                   for key in ("vip", "list")):
            self._hosts = everybody
        writers = {key: [host for host in self._hosts if _variable(key) in self.raw(host)] for key in STRUCTURE}
        spokesman = next((hosts[0] for key in ("vip", "list") for hosts in [writers[key]] if hosts), self.current)
        return self._seen({key: hosts[0] if hosts else spokesman for key, hosts in writers.items()})

    def details(self, lb_hosts: Sequence[str], apiserver_hosts: Sequence[str]) -> dict[str, t.Any]:
        """All other keys: from the first member that has each, balancers before API servers."""
        members = [host for host in dict.fromkeys([*lb_hosts, *apiserver_hosts]) if self.knows(host)]
        spokesman = members[0] if members else self.current
        return self._seen({
            key: next((host for host in members if _variable(key) in self.raw(host)), spokesman)
            for key in INTENT_KEYS if key not in STRUCTURE})

    def require_agreement(self, lb_hosts: Sequence[str], apiserver_hosts: Sequence[str]) -> None:
        """Record a problem for every host whose variables say something else than the first that says anything."""
        balancers = [host for host in lb_hosts if self.knows(host)]
        members = list(dict.fromkeys(balancers + [host for host in apiserver_hosts if self.knows(host)]))
        everybody = list(dict.fromkeys(members + self._hosts))
        # Hosts of another cluster; what else they say of it is not said.
        elsewhere: set[str] = set()
        for key in (*STRUCTURE, *(key for key in INTENT_KEYS if key not in STRUCTURE)):
            name = _variable(key)
            # API servers may have a HAProxy of their own; who is no member can have an intent nevertheless.
            concerned = everybody if key in STRUCTURE else members if name.startswith("endpoint_") else balancers
            said = [(host, self.raw(host)[name]) for host in concerned if name in self.raw(host)]
            if len(said) < 2:
                continue
            first_host, first = said[0]
            # A list of all endpoints is long, and each host has it.
            same, expected = not _is_template(first), self._of(first_host, name)
            others = set()
            for host, value in said[1:]:
                if host in elsewhere and key not in ("vip", "list"):
                    continue
                if same and (value is first or value == first):
                    continue
                found = self._of(host, name)
                if found == expected:
                    continue
                if host not in members:
                    elsewhere.add(host)
                    # One of a group is enough to name it.
                    if str(found) in others:
                        continue
                    others.add(str(found))
                self.problems.append(_differs(host, name, found, first_host, expected, host in members))

    def observations(self, members: Sequence[str], asked: bool) -> dict[str, Observation]:
        """What endpoint_info returned for each member: in this play, or asked on behalf of it."""
        found: dict[str, Observation] = {}
        found.update({host: heard(info) for host, info in asked_of(self.task_vars).items()} if asked else {})
        for name in members:
            if self.knows(name) and _usable(self.raw(name).get(OBSERVED)):
                found[name] = heard(self.raw(name)[OBSERVED])
        return found

    def host(self, name: str, info: Observation | None) -> dict[str, t.Any]:
        """What is known of one member: its variables, and what it reported."""
        entry: dict[str, t.Any] = {}
        for key in ("address", "interface", "priority"):
            self._put(entry, key, self._of(name, "endpoint_" + key))
        self._put(entry, "inventory_address", self._of(name, "ansible_host"))
        entry.setdefault("inventory_address", name)
        networks = (info and info["networks"]) or _networks_of_facts(self.raw(name).get("ansible_facts"))
        if networks:
            entry["networks"] = networks
        if info is None:
            return entry
        for daemon in ("keepalived", "haproxy"):
            package = info["packages"][daemon]
            self._put(entry, daemon + "_version", package["installed"] or package["candidate"] or None)
            self._put(entry, daemon + "_pod_version", info["pods"].get(daemon, NO_DAEMON).get("version") or None)
        return entry

    def of_roles(self, lb_hosts: Sequence[str]) -> dict[str, dict[str, t.Any]]:
        """By balancer, what it has of the variables that only roles read: its own, or the play's."""
        own = self.raw(self.current)
        plays = {name: self._template(self.task_vars[name], self.current, name, self.templar.template)
                 for name in _roles.READERS if name in self.task_vars and name not in own}
        found = {host: {**plays, **{name: self._of(host, name) for name in _roles.READERS if name in self.raw(host)}}
                 for host in lb_hosts if self.knows(host)}
        return {host: {name: value for name, value in values.items() if value is not _ABSENT}
                for host, values in found.items()}

    def misspelt(self) -> list[str]:
        """Warn of variables that are nearly, but not quite, ours, wherever they're written."""
        known = {_variable(key) for key in INTENT_KEYS} | OTHER_VARIABLES
        # Those that everybody sees, and those of single hosts.
        hosts: dict[str, list[str]] = {name: [] for name in self.task_vars if isinstance(name, str)}
        for host in self._hosts:
            for name in self.raw(host):
                if name not in self.task_vars and isinstance(name, str):
                    hosts.setdefault(name, []).append(host)
        found = []
        for name in sorted(hosts):
            if name.startswith("ansible_") or name in known:
                continue
            near = meant(name, known)
            if near:
                of = " (of %s)" % listed(hosts[name]) if hosts[name] else ""
                found.append("%s%s: no such variable; it has no effect. Was %s meant?" % (name, of, near))
        return found

    def knows(self, name: t.Any) -> bool:
        """Whether the inventory has this host."""
        return isinstance(name, str) and name in self.hostvars

    def raw(self, name: str) -> Mapping[str, t.Any]:
        """The host's variables as written, without role defaults."""
        if name not in self._raw:
            self._raw[name] = self.hostvars.raw_get(name)
        return self._raw[name]

    def _everybody(self) -> list[str]:
        """All hosts, those of the default groups first."""
        groups = self.task_vars.get("groups", {})
        names = [name for group in (*DEFAULT_GROUPS["lb_hosts"], "all") for name in groups.get(group, [])]
        return [str(name) for name in dict.fromkeys(names) if self.knows(name)]

    def _audience(self, everybody: list[str]) -> list[str]:
        """Those that the play is for, whether or not --limit leaves them out."""
        inventory = getattr(self.hostvars, "_inventory", None)
        if self.task is None or inventory is None:
            return everybody
        found = inventory.get_hosts(self.task.get_play().hosts, ignore_limits=True, ignore_restrictions=True)
        wanted = {str(host.name) for host in found}
        return [name for name in everybody if name in wanted]

    def _seen(self, hosts: Mapping[str, str]) -> dict[str, t.Any]:
        """Each key's value as the host sees it that is named for it."""
        found = {}
        for key, host in hosts.items():
            name = _variable(key)
            variables, template = self._view(host)
            value = self._template(variables[name], host, name, template) if name in variables else _ABSENT
            if value is not _ABSENT:
                found[key] = value if name.endswith(_SECRETS) else from_json(value)
        return found

    def _view(self, host: str) -> tuple[Mapping[str, t.Any], t.Callable[[t.Any], t.Any]]:
        """All variables as they would be if ``host`` ran this task: those of the play and the role, too."""
        if host not in self._views:
            self._views[host] = self._make_view(host)
        return self._views[host]

    def _make_view(self, host: str) -> tuple[Mapping[str, t.Any], t.Callable[[t.Any], t.Any]]:
        if host == self.current:
            return self.task_vars, self.templar.template
        manager = getattr(self.hostvars, "_variable_manager", None)
        if self.task is None or manager is None:
            raw = self.raw(host)
            # Not of this host alone is what is nowhere in the inventory: a default, or the play's.
            shared = {name: value for name, value in self.task_vars.items() if name not in self.raw(self.current)}
            return {**shared, **raw}, self.templar.template
        variables = manager.get_vars(
            play=self.task.get_play(), host=self.hostvars._inventory.get_host(host), task=self.task)
        return variables, self.templar.copy_with_new_env(available_variables=variables).template

    def _of(self, host: str, name: str) -> t.Any:
        variables = self.raw(host)
        if name not in variables:
            return _ABSENT
        if not _is_template(variables[name]):
            return plain(variables[name])
        return self._template(name, host, name, lambda key: self.hostvars[host][key])

    def _template(self, subject: t.Any, host: str, name: str, template: t.Callable[[t.Any], t.Any]) -> t.Any:
        try:
            return plain(template(subject))
        except Exception as error:  # pylint: disable=broad-except  # whatever a user's template raises is his to mend
            failure = name, _reason(name, error), _repair(name, subject, error)
            self._failures.setdefault(failure, {})[host] = None
            return _ABSENT

    def failures(self) -> list[Problem]:
        """What fails for several hosts in the same way is one problem."""
        return [problem_of("template_failed", "%s: %s" % (listed(list(hosts)), name), "(not shown)", reason=reason,
                           fix=fix)
                for (name, reason, fix), hosts in self._failures.items()]

    @staticmethod
    def _put(entry: dict[str, t.Any], key: str, value: t.Any) -> None:
        if value is not _ABSENT and value is not None:
            entry[key] = value


class _Absent:
    """A variable that nobody wrote (None is something that a user can write)."""


_ABSENT = _Absent()


def _differs(host: str, name: str, value: t.Any, first: str, expected: t.Any, member: bool) -> Problem:
    hidden = name.endswith(_SECRETS)
    if member or hidden or name not in ("endpoint_vip", "endpoint_list"):
        return problem_of(
            "intent_differs", "%s: %s" % (host, name), HIDDEN if hidden else value, first=first, name=name)
    return problem_of("intent_several", "%s: %s" % (host, name), value, first=first, expected=show(expected))


def _variable(key: str) -> str:
    return key if key.startswith(("haproxy_", "keepalived_")) else "endpoint_" + key


def _members(intent: dict[str, t.Any], groups: Mapping[str, t.Any]) -> tuple[list[str], list[str]]:
    """Turn group names into hosts, in place, and return all balancers and all API servers of all endpoints."""
    default_lb: list[str] = list(groups.get(default_group("lb_hosts", groups), []))
    default_api: list[str] = list(groups.get(default_group("apiserver_hosts", groups), []))
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


def asked_of(variables: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What members outside of this play said, by host, as a host of the play has it registered."""
    asked = variables.get(ASKED)
    results = asked.get("results") or () if isinstance(asked, Mapping) else ()
    return {str(item.get("item")): item for item in results if _usable(item)}


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
        return "{{" in value or "{%" in value or "{#" in value
    if isinstance(value, Mapping):
        return any(_is_template(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(_is_template(item) for item in value)
    return not isinstance(value, (int, float, type(None)))


def _reason(name: str, error: Exception) -> str:
    """Why, without the template: older versions of Ansible repeat it, and a secret may stand in it as it is."""
    text = _TEMPLATE.split(_first_line(error))[0].rstrip(" .:(")
    return HIDDEN if name.endswith(_SECRETS) and "undefined" not in text else text


def _repair(name: str, subject: t.Any, error: Exception) -> str:
    """Facts aren't gathered here, which is the usual reason."""
    if not _FACTS.search("%s %s" % (subject, error)):
        return "correct the expression, or define what it refers to"
    if name in ("endpoint_interface", "endpoint_address"):
        return "leave %s out, and the host is asked; or write it without facts, which aren't gathered" % name
    return "write it without facts, which aren't gathered here; or gather them in a play before this one"


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:200]
