# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.drill import _fault
from ansible_collections.kubeha.apiserver.plugins.module_utils.run._run_lock import Clock
from hypothesis import given
from hypothesis import strategies as st

WORK = _fault.Work("network_cut", "boot", 100.0, devices=("eth0", "eth1.5"))
JSON = st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda items: st.lists(items, max_size=4))


@pytest.mark.parametrize("fault", _fault.FAULTS)
def test_a_note_says_what_was_noted(fault):
    work = _fault.Work(fault, "b", 1.5, True, ("x.service",), ("/etc/kubernetes/manifests/x.yaml",), True, ("eth0",))
    assert _fault.work_of(json.loads(json.dumps(work.noted()))) == work


@given(st.sampled_from(sorted(WORK.noted())), JSON)
def test_another_note_is_none_or_has_its_shape(key, value):
    found = _fault.work_of(dict(WORK.noted(), **{key: value}))
    assert found is None or isinstance(found, _fault.Work) and all(isinstance(name, str) for name in found.devices)


def test_a_fault_is_late_where_little_is_left_of_it_or_the_host_has_restarted():
    assert not _fault.is_late(WORK, Clock("boot", 99.0))
    assert _fault.is_late(WORK, Clock("boot", 99.8))
    assert _fault.is_late(WORK, Clock("another", 1.0))


@pytest.mark.parametrize("said, wanted", [
    ("ActiveState=active\nNextElapseUSecMonotonic=1min 2s\n", True),
    ("ActiveState=inactive\nNextElapseUSecMonotonic=\n", False),
    ("ActiveState=active\nNextElapseUSecMonotonic=infinity\n", False),
    ("", False),
])
def test_a_timer_is_armed_where_it_knows_when(said, wanted):
    assert _fault.armed(said) is wanted


@pytest.mark.parametrize("name, wanted", [
    ("kube-apiserver.service", True), ("rke2@1.service", True), ("-x.service", False), ("x", False),
    ("x.service\n", False), ("../x.service", False), ("x;y.service", False)])
def test_a_unit_is_a_name_alone(name, wanted):
    assert _fault.is_unit(name) is wanted


def test_no_name_of_a_device_is_more_than_a_name():
    assert _fault.is_device("eth0.100") and not _fault.is_device("lo")
    assert not any(map(_fault.is_device, ('a"b', "a b", "", "x" * 16, "a\n")))


@pytest.mark.skipif(shutil.which("nft") is None, reason="no nft here")
@pytest.mark.parametrize("rules", [_fault.cut(), _fault.mute(["lo"])])
def test_nft_understands_it(rules):
    said = subprocess.run(["nft", "-c", "-f", "-"], input=rules, capture_output=True, text=True, check=False)
    assert "syntax error" not in said.stderr


def test_the_unit_ends_the_fault_at_boot_too():
    text = _fault.unit("/usr/bin/python3", ["/etc/kubernetes/manifests"])
    assert "ConditionPathExists=" + _fault.FILE in text and "WantedBy=multi-user.target" in text
    assert "ReadWritePaths=-/etc/kubernetes/manifests" in text and "Restart=on-failure" in text
