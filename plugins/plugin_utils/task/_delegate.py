# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""A delegated task goes to the host that it names.

Ansible evaluates the variables by which a delegate is reached as if ``inventory_hostname`` were the host that
delegates: ``ansible_host: "{{ inventory_hostname }}.example.org"`` leads back to that one. So they are evaluated once
more here, before anything is sent.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

# These ask for their options whenever they reach for the host; others may have noted an address before.
_READ_LATE = frozenset({"local", "ssh", "paramiko", "paramiko_ssh"})
# They say which plugins are loaded, which has been done by now.
_OF_PLUGINS = ("ansible_connection", "ansible_become", "ansible_become_method", "ansible_shell_type")
_ADVICE = "write it without inventory_hostname, which Ansible evaluates with another host's name for a delegated task"


def reach_delegate(action: ActionBase, task_vars: dict[str, t.Any]) -> None:
    """Let the connection of a delegated task be the delegate's own; refuse where that can't be."""
    delegate = action._task.delegate_to
    if not delegate:
        return
    if delegate not in task_vars["hostvars"]:
        raise AnsibleActionFail("%s is no host of the inventory, so nothing is asked of it" % delegate)
    given = task_vars["ansible_delegated_vars"][delegate]
    variables = dict(given, inventory_hostname=delegate, inventory_hostname_short=delegate.split(".")[0])
    own = action._templar.copy_with_new_env(available_variables=variables)
    as_given = action._templar.copy_with_new_env(available_variables=given)
    for name in _OF_PLUGINS:
        if name in variables and own.template(variables[name]) != as_given.template(given[name]):
            raise AnsibleActionFail("%s of %s: %s" % (name, delegate, _ADVICE))
    interpreters = [name for name in variables if isinstance(name, str) and name.endswith("_interpreter")]
    task_vars["ansible_delegated_vars"] = {
        **task_vars["ansible_delegated_vars"],
        delegate: {**variables, **{name: own.template(variables[name]) for name in interpreters}}}
    connection = action._connection
    wrong = _wrong_options("connection", connection, variables, own)
    if wrong:
        if connection._load_name.rpartition(".")[2] not in _READ_LATE:
            raise AnsibleActionFail("%s of %s, by connection %s: %s" % (
                ", ".join(sorted(wrong)), delegate, connection._load_name, _ADVICE))
        if connection.connected:
            connection.close()
    for kind, plugin in (("connection", connection), ("shell", connection._shell), ("become", connection.become)):
        for option, value in _wrong_options(kind, plugin, variables, own).items():
            plugin.set_option(option, value)


def _wrong_options(kind: str, plugin: t.Any, variables: Mapping[str, t.Any], templar: t.Any) -> dict[str, t.Any]:
    """Options of a plugin that variables of the delegate set to something else, with what they should be."""
    if plugin is None:
        return {}
    found = {}
    for option, definition in C.config.get_configuration_definitions(kind, plugin._load_name).items():
        names = [entry["name"] for entry in definition.get("vars") or () if entry["name"] in variables]
        # Nothing was evaluated where nothing is a template.
        if any(name == "inventory_hostname" or _is_template(variables[name]) for name in names):
            said = {name: templar.template(variables[name]) for name in names}
            value = C.config.get_config_value(
                option, plugin_type=kind, plugin_name=plugin._load_name, variables=said)
            if value != plugin.get_option(option):
                found[option] = value
    return found


def _is_template(value: t.Any) -> bool:
    return not isinstance(value, (int, float, type(None))) and ("{{" in str(value) or "{%" in str(value))
