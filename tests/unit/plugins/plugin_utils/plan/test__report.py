# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan as people read it."""

from __future__ import annotations

from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan._plan import compute_plan
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan._report import plan_text

HOSTS = {
    "cp1": {"address": "198.51.100.11/24", "interface": "eth0"},
    "control-plane-2": {"address": "198.51.100.12/24", "interface": "bond0.100"},
}
INTENT = {"vip": "198.51.100.100", "lb_hosts": list(HOSTS), "apiserver_hosts": list(HOSTS),
          "keepalived_version": "2.2.7", "haproxy_version": "2.6.12"}


def test_a_plan_is_a_heading_facts_and_a_table() -> None:
    assert plan_text(compute_plan(INTENT, HOSTS, {})) == """\
kube-apiserver
  virtual IP   198.51.100.100/24, port 8443
  kubeadm      --control-plane-endpoint 198.51.100.100:8443
  runs as      OS services, for keepalived 2.2.7 and HAProxy 2.6.12
  failover     balanced timing, a silent holder is replaced after 1.0 s, the preferred host returns 30 s after it is well
  API servers  cp1 (198.51.100.11:6443), control-plane-2 (198.51.100.12:6443)

  BALANCER         FAMILY  STATE   PRIORITY  INTERFACE  ADDRESS        VRID
  cp1              ipv4    MASTER  150       eth0       198.51.100.11  100
  control-plane-2  ipv4    BACKUP  149       bond0.100  198.51.100.12  100
"""  # noqa: E501


def test_without_failback_the_vip_stays() -> None:
    text = plan_text(compute_plan({**INTENT, "failback": False}, HOSTS, {}))
    assert "the VIP stays where it went" in text
    assert "MASTER" not in text


def test_every_endpoint_is_shown() -> None:
    intent = {**INTENT, "list": [{"name": "blue", "vip": "198.51.100.100"}, {"name": "green", "vip": "198.51.100.101"}]}
    del intent["vip"]
    text = plan_text(compute_plan(intent, HOSTS, {}))
    assert text.count("BALANCER") == 2
    assert text.startswith("blue\n") and "\n\ngreen\n" in text
