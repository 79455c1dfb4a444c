# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module with secrets is piped into the host's Python wherever that's possible, whatever the settings say."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible.plugins.action import ActionBase
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.task._piped import Piped


class Connection:
    def __init__(self, has_pipelining=True, become=None):
        self.has_pipelining = has_pipelining
        self.become = become
        self.options = {"pipelining": False}

    def get_option(self, name):
        return self.options[name]

    def set_option(self, name, value):
        self.options[name] = value


class Action(Piped):
    def __init__(self, connection):
        self._connection = connection
        self.seen = None

    def run(self, tmp=None, task_vars=None):
        raise NotImplementedError

    def _execute_module(self, **_arguments):
        self.seen = (self._is_pipelining_enabled("new"), self._connection.options["pipelining"])
        return {}


@pytest.fixture(autouse=True)
def fixture_settings(monkeypatch):
    """The user keeps files on hosts, or has no pipelining."""
    monkeypatch.setattr(ActionBase, "_is_pipelining_enabled", lambda self, style, wrap_async=False: False)


@pytest.mark.parametrize(("connection", "piped"), [
    (Connection(), True),
    (Connection(become=SimpleNamespace(name="sudo")), True),
    (Connection(become=SimpleNamespace(name="ansible.builtin.sudo", pipelining=True)), True),
    (Connection(become=SimpleNamespace(name="su")), False),
    (Connection(become=SimpleNamespace(name="ansible.builtin.su")), False),
    (Connection(become=SimpleNamespace(name="other", pipelining=False)), False),
    (Connection(has_pipelining=False), False),
])
def test_what_carries_secrets_is_piped_where_it_can_be(connection, piped):
    action = Action(connection)
    action.execute("a.b.c", {}, {}, piped=True)
    assert action.seen == (piped, piped)
    # What comes afterwards is as the user has it.
    assert connection.options == {"pipelining": False} and not action._is_pipelining_enabled("new")


def test_what_carries_none_is_as_the_user_has_it():
    action = Action(Connection())
    action.execute("a.b.c", {}, {}, piped=False)
    assert action.seen == (False, False)
