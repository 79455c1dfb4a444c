# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Three hosts, one of them with things put in its way, before and after the endpoint is there. The order matters."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from looker import Looker, wait_for
from user import MEMBERS

TOPOLOGY = {
    "networks": {"lan": {"families": ["ipv4"]}},
    "hosts": {
        "cp1": {"groups": ["kube_control_plane"], "apiserver": True},
        "cp2": {"groups": ["kube_control_plane"], "apiserver": True},
        "cp3": {"groups": ["kube_control_plane"], "apiserver": True, "suite": "trixie"},
        "client": {"number": 50},
    },
    "vars": {"endpoint_vip": "<lan:ipv4:100>"},
}
NETWORKD = """
address=$(ip -4 -o address show dev eth0 | awk '{print $4; exit}')
printf '[Match]\\nName=eth0\\n[Network]\\nAddress=%s\\n' "$address" >/etc/systemd/network/10-eth0.network
systemctl start systemd-networkd
for i in $(seq 50); do grep -qs ADMIN_STATE=configured /run/systemd/netif/links/* && exit; sleep 0.1; done
exit 1
"""
SERVICE = """
printf '[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n' \
    >/etc/systemd/system/haproxy.service
systemctl daemon-reload
systemctl enable --now haproxy
"""
# flux.7 stays down, so that no packet goes astray meanwhile. Of both default routes only the better one counts.
KERNEL = """
ip link add flux.7 link eth0 type macvlan mode bridge
ip address add "$(ip -4 -o address show dev eth0 | awk '{print $4; exit}' | sed 's/[0-9]*[/]/77\\//')" dev flux.7
ip link add out.9 type veth peer name out.10
ip link set out.10 up
ip address add 198.18.9.2/24 dev out.9
ip link set out.9 up
ip route add default via 198.18.9.1 dev out.9 metric 100
ip route add default dev eth0 metric 500
sysctl -w net/ipv4/conf/eth0/rp_filter=1 net/ipv4/conf/all/arp_ignore=0 net/ipv4/conf/flux.7/arp_ignore=0
"""
# A second card, by which cp2 is to speak.
DOWN = """
ip link add lan.2 link eth0 type macvlan mode bridge
ip address add "$(ip -4 -o address show dev eth0 | awk '{print $4; exit}' | sed 's/[0-9]*[/]/77\\//')" dev lan.2
"""
# Another HAProxy and another keepalived, as services of somebody else's.
OTHERS = r"""
printf '%s\n' 'defaults' ' mode http' ' timeout connect 1s' ' timeout client 1s' ' timeout server 1s' 'frontend edge' \
    ' bind :9443' ' bind 127.0.0.1:8482' ' http-request return status 204' >/root/edge.cfg
printf '%s\n' 'vrrp_instance edge {' ' interface eth0' ' virtual_router_id 201' ' priority 90' '}' >/root/edge.conf
systemd-run --unit=edge-haproxy haproxy -db -f /root/edge.cfg
systemd-run --unit=edge-keepalived keepalived --dont-fork --use-file=/root/edge.conf --pid=/run/edge.pid \
    --vrrp_pid=/run/edge-vrrp.pid
for i in $(seq 50); do ss -lnt | grep -q :9443 && pgrep -f edge.conf >/dev/null && exit; sleep 0.1; done
exit 1
"""


def test_nothing_is_in_the_way(user: Looker, record_property: Callable[[str, object], None]) -> None:
    began = time.monotonic()
    run = user.preflight().succeeded()
    seconds = time.monotonic() - began
    assert user.found("error", "warning", "info") == set(), run.output
    assert sum(run.changed.values()) == 0
    assert "nothing is in the way" in run.output
    record_property("figure", "preflight of three hosts with nothing wrong: %.1f s" % seconds)


def test_each_thing_in_the_way_is_found_and_named(user: Looker) -> None:
    user.sh("cp1", "mkdir -p /etc/haproxy && printf 'global\\n    maxconn 7\\n' >/etc/haproxy/haproxy.cfg")
    user.sh("cp1", "systemd-run --unit=squatter python3 -m http.server 8443")
    user.sh(
        "cp2",
        "nft -f - <<'NFT'\ntable inet site { chain input { type filter hook input priority 0; policy accept;"
        " ip protocol 112 drop; tcp dport 8443 reject; }; }\nNFT",
    )
    user.sh("cp3", NETWORKD)
    run = user.preflight().failed()
    found = user.found()
    expected = {
        ("haproxy_foreign", "cp1"),
        ("port_taken", "cp1"),
        ("firewall_drops_vrrp", "cp2"),
        ("firewall_drops_clients", "cp2"),
        ("networkd_drops_vip", "cp3"),
    }
    assert expected <= found, run.output
    # The same packet filter, as the network sees it: cp2 hears nobody.
    assert {code for code, _host in found - expected} == {"vrrp_blocked"}, run.output
    assert "python3 (process " in run.output and "squatter.service) listens on 0.0.0.0:8443" in run.output
    assert "nft insert rule inet site input" in run.output


def test_site_stops_before_anything_is_changed(user: Looker) -> None:
    run = user.site().failed()
    assert "port_taken" in run.output and "Something is in the way" in run.output
    assert sum(run.changed.values()) == 0
    assert all(not user.on(host, "sh", "-c", "ls -d /etc/kubeha /etc/keepalived").strip() for host in MEMBERS)


def test_findings_can_be_lived_with(user: Looker) -> None:
    codes = ["haproxy_foreign", "port_taken", "firewall_drops_vrrp", "firewall_drops_clients", "vrrp_blocked"]
    run = user.preflight(endpoint_accept_findings=[*codes, "port_takn"]).succeeded()
    assert user.found() == {("networkd_drops_vip", "cp3"), ("accept_unknown", None)}
    assert "ACCEPTED" in run.output


def test_an_api_server_on_the_balancing_port_and_only_where_one_looks(user: Looker) -> None:
    run = user.preflight("--limit", "cp3", endpoint_port=6443, endpoint_apiserver_port=16443).failed()
    assert user.found() == {("networkd_drops_vip", "cp3"), ("apiserver_on_port", "cp3")}, run.output
    assert "endpoint_port: 8443" in run.output and "endpoint_apiserver_port" in run.output


def test_advice_about_leftovers_can_be_followed(user: Looker) -> None:
    """The VIP by hand on one host, and on another one somebody's service while pods are planned."""
    user.sh("cp3", "ip address add %s/32 dev eth0" % user.vip)
    user.sh("cp2", SERVICE)
    pods = {"endpoint_mode": "static_pod", "keepalived_image": "localhost/keepalived:2.3.3"}
    user.preflight(**pods).failed()
    assert {("vip_held_unplanned", "cp3"), ("service_in_the_way", "cp2")} <= user.found()
    user.follow(user.file, "vip_held_unplanned")
    user.follow(user.file, "service_in_the_way")
    user.preflight(**pods)
    assert not {("vip_held_unplanned", "cp3"), ("service_in_the_way", "cp2")} & user.found()
    user.sh("cp2", "rm /etc/systemd/system/haproxy.service; systemctl daemon-reload")


def test_what_is_mended_and_deployed(user: Looker, record_property: Callable[[str, object], None]) -> None:
    user.sh("cp1", "systemctl stop squatter; rm -r /etc/haproxy")
    user.preflight().failed()
    user.follow(user.file, "firewall_drops_vrrp")
    user.follow(user.file, "firewall_drops_clients")
    user.preflight().succeeded()
    assert user.found() == {("networkd_drops_vip", "cp3")}
    user.sh("cp2", "nft delete table inet site")
    run = user.site("--check", endpoint_manage_network=True).succeeded()
    assert not user.on("cp3", "sh", "-c", "ls /etc/systemd/network/*.d").strip()
    run = user.site(endpoint_manage_network=True).succeeded()
    assert user.holders() == ["cp1"]
    assert "KeepConfiguration=static" in user.sh("cp3", "cat /etc/systemd/network/10-eth0.network.d/zz-kubeha.conf")
    began = time.monotonic()
    run = user.site(endpoint_manage_network=True).succeeded()
    record_property("figure", "site, run again: %.1f s" % (time.monotonic() - began))
    assert sum(run.changed.values()) == 0, run.output
    assert "Preflight" not in run.output


def test_networkd_keeps_the_vip_now(user: Looker) -> None:
    # Only cp3 is left to hold it.
    for host in ("cp1", "cp2"):
        user.sh(host, "systemctl stop keepalived")
    wait_for(lambda: user.holders() == ["cp3"])
    changes = "journalctl --unit keepalived --no-pager | grep -c 'MASTER STATE' || true"
    before = user.sh("cp3", changes)
    user.sh("cp3", "networkctl reconfigure eth0; systemctl restart systemd-networkd; sleep 2")
    assert user.holders() == ["cp3"]
    assert user.sh("cp3", changes) == before
    for host in ("cp2", "cp1"):
        user.sh(host, "systemctl start keepalived")
    wait_for(lambda: user.holders() == ["cp1"])


def test_a_running_endpoint_gives_no_alarm(user: Looker) -> None:
    run = user.preflight("--check", endpoint_manage_network=True).succeeded()
    assert user.found("error", "warning", "info") == set(), run.output
    run = user.preflight("--limit", "cp2,cp3", endpoint_manage_network=True).succeeded()
    assert user.found() == set(), run.output
    assert user.found("info") == {("vrrp_untested", None)}
    assert user.holders() == ["cp1"]


def test_services_of_somebody_else_beside_ours_are_named(user: Looker) -> None:
    """Of the same programs. That ours run on the same host is no excuse for them."""
    user.sh("cp3", OTHERS)
    run = user.preflight(endpoint_manage_network=True, endpoint_port=9443, haproxy_health_port=8482).failed()
    expected = {("port_taken", "cp3"), ("health_port_taken", "cp3"), ("keepalived_other", "cp3")}
    assert user.found() == expected, run.output
    assert "edge-haproxy.service) listens on 0.0.0.0:9443" in run.output
    assert "edge-haproxy.service) listens on 127.0.0.1:8482" in run.output
    assert "a keepalived of edge-keepalived.service runs here" in run.output
    # As advised. The next look finds nothing of them.
    user.sh("cp3", "systemctl stop edge-haproxy edge-keepalived")


def test_advice_about_the_kernel_can_be_followed(user: Looker) -> None:
    """A second card in the same subnet, and a better default route through a third one."""
    user.sh("cp2", KERNEL)
    user.preflight(endpoint_manage_network=True).succeeded()
    assert user.found() == {("arp_flux", "cp2"), ("rp_filter_strict", "cp2")}
    user.follow(user.file, "arp_flux")
    user.follow(user.file, "rp_filter_strict")
    user.preflight(endpoint_manage_network=True).succeeded()
    assert user.found() == set()
    user.sh("cp2", "ip link delete flux.7; ip link delete out.9")


def test_advice_about_a_card_that_is_down_and_a_setting_of_somebody_else_can_be_followed(
    user: Looker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user.sh("cp2", DOWN)
    user.sh("cp3", "printf '# mine\\n-net/ipv4/ip_nonlocal_bind=0\\nvm.swappiness = 10\\n' >/etc/sysctl.d/zz-site.conf")
    document = json.loads(user.inventory.read_text())
    document["all"]["hosts"]["cp2"]["endpoint_interface"] = "lan.2"
    monkeypatch.setattr(user, "inventory", tmp_path / "inventory.yml")
    user.inventory.write_text(json.dumps(document))
    # Only where endpoints share a port does HAProxy bind VIPs.
    several = {"endpoint_vip": None, "endpoint_manage_network": True, "endpoint_list": [
        {"name": "kube-apiserver", "vip": user.vip}, {"name": "other", "vip": user.vip.rpartition(".")[0] + ".101"}]}
    user.preflight(**several).failed()
    assert {("interface_down", "cp2"), ("nonlocal_bind_overridden", "cp3")} <= user.found()
    user.follow(user.file, "interface_down", "nonlocal_bind_overridden")
    user.preflight(**several)
    assert not {"interface_down", "nonlocal_bind_overridden"} & {code for code, _host in user.found()}
    user.sh("cp2", "ip link delete lan.2")
    left = user.sh("cp3", "cat /etc/sysctl.d/zz-site.conf; rm /etc/sysctl.d/zz-site.conf").splitlines()
    assert left == ["# mine", "# -net/ipv4/ip_nonlocal_bind=0", "vm.swappiness = 10"]


def test_what_was_done_is_taken_back(user: Looker) -> None:
    run = user.site().succeeded()
    assert run.changed["cp3"] > 0
    assert not user.on("cp3", "sh", "-c", "ls -d /etc/systemd/network/*.d").strip()
    assert "kubeha" in user.on("cp3", "nft", "list", "tables")
    user.site(endpoint_vrrp_filter=False).succeeded()
    assert "kubeha" not in user.on("cp3", "nft", "list", "tables")
    assert not user.on("cp3", "sh", "-c", "ls -d /var/lib/kubeha/network.json").strip()
    assert user.holders() == ["cp1"]
    user.preflight().succeeded()
    assert user.found() == {("networkd_drops_vip", "cp3")}
