# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts whose packet filter and network have managers: firewalld on m1, ufw on m2, NetworkManager on m3."""

from __future__ import annotations

from looker import Looker, wait_for

WITH_MANAGERS = True
TOPOLOGY = {
    "networks": {"lan": {"families": ["ipv4"]}},
    "hosts": {name: {"groups": ["kube_lb"]} for name in ("m1", "m2", "m3")}
    | {"api": {"groups": ["kube_control_plane"], "apiserver": True}},
    "vars": {"endpoint_vip": "<lan:ipv4:100>"},
}
CLOSED = {(code, host) for code in ("firewall_drops_vrrp", "firewall_drops_clients") for host in ("m1", "m2")}
FILES = "/etc/kubeha/filter.nft /etc/systemd/system/kubeha-filter.service /var/lib/kubeha/network.json"
STAYING = ["m1", "m2"]
ACTIVATE = """
systemctl start NetworkManager
address=$(ip -4 -o address show dev eth0 | awk '{print $4; exit}')
nmcli connection add type ethernet ifname eth0 con-name lan ipv6.method disabled \\
    ipv4.method manual ipv4.addresses "$address"
nmcli connection up lan
"""


def opened(user: Looker) -> tuple[str, str]:
    """What the two managers let in."""
    return (
        user.sh(
            "m1", "firewall-cmd --list-rich-rules; firewall-cmd --list-ports; firewall-cmd --permanent --list-ports"
        ),
        user.sh("m2", "ufw show added"),
    )


def filtered(user: Looker) -> list[bool]:
    """By host, whether our own filter drops strangers' packets, and will after a boot."""
    look = "nft list ruleset; systemctl is-enabled kubeha-filter || true"
    said = [user.sh(host, look) for host in ("m1", "m2", "m3")]
    return ["table inet kubeha" in text and "@th,8,8" in text and "enabled" in text.split() for text in said]


def let_in(user: Looker, host: str) -> set[str]:
    """Members that a host's own filter takes VRRP from."""
    words = user.sh(host, "nft list table inet kubeha").replace(",", " ").split()
    return {name for name in ("m1", "m2", "m3") if user.lab.address(name) in words}


def test_closed_filters_are_found(user: Looker) -> None:
    user.sh("m1", "systemctl start firewalld")
    user.sh("m2", "ufw allow 22/tcp; ufw --force enable; systemctl enable --now ufw")
    user.sh("m3", ACTIVATE)
    run = user.preflight().failed()
    assert {item for item in user.found() if item[0] != "vrrp_blocked"} == CLOSED, run.output
    assert {code for code, _host in user.found()} == {code for code, _host in CLOSED} | {"vrrp_blocked"}, run.output
    assert ("networkmanager_drops_vip", "m3") in user.found("info")
    assert "ufw allow proto vrrp" in run.output and "firewall-cmd --permanent --add-rich-rule" in run.output


def test_they_are_opened_when_asked(user: Looker) -> None:
    run = user.preflight(endpoint_manage_firewall=True).succeeded()
    assert user.found() == set(), run.output
    assert "this run opens" in run.output
    before = opened(user)
    user.site("--check", endpoint_manage_firewall=True).succeeded()
    assert opened(user) == before and filtered(user) == [False] * 3
    run = user.site(endpoint_manage_firewall=True).succeeded()
    assert user.holders() == ["m1"], run.output
    firewalld, ufw = opened(user)
    assert firewalld.count('protocol value="vrrp" accept') == 2 and "6443/tcp" in firewalld
    assert ufw.count("proto vrrp comment 'kubeha'") == 2 and "ufw allow 6443/tcp comment 'kubeha'" in ufw
    assert filtered(user) == [True] * 3
    run = user.site(endpoint_manage_firewall=True).succeeded()
    assert sum(run.changed.values()) == 0, run.output
    user.preflight().succeeded()
    assert user.found() == set()


def test_it_outlives_a_reload(user: Looker) -> None:
    user.sh("m1", "firewall-cmd --reload")
    user.sh("m2", "ufw reload")
    # The configuration that Debian ships empties the whole ruleset first.
    user.sh("m3", "systemctl start nftables; systemctl reload nftables; systemctl restart nftables")
    # systemctl waits for nftables only, and not for what is restarted along with it.
    wait_for(lambda: filtered(user) == [True] * 3)
    # As a boot does it.
    user.sh("m3", "systemctl stop nftables kubeha-filter")
    assert filtered(user) == [True, True, False]
    user.sh("m3", "systemctl start kubeha-filter")
    assert filtered(user) == [True] * 3
    user.preflight().succeeded()
    assert user.found() == set()


def test_a_member_leaves_and_another_one_boots(user: Looker) -> None:
    user.playbook("playbooks/remove.yml", endpoint_hosts="m3").succeeded()
    assert filtered(user) == [True, True, False]
    assert not user.on("m3", "sh", "-c", "ls " + FILES).strip()
    user.site(endpoint_manage_firewall=True, endpoint_lb_hosts=STAYING).succeeded()
    # Rules for m3 go when nobody speaks with it any more. The filter goes on letting it in: it may come back.
    assert [text.count("vrrp") for text in opened(user)] == [1, 1]
    assert (let_in(user, "m1"), let_in(user, "m2")) == ({"m2", "m3"}, {"m1", "m3"})
    user.lab.kill("m2")
    user.lab.boot("m2")
    assert filtered(user) == [True, True, False] and let_in(user, "m2") == {"m1", "m3"}
    wait_for(lambda: "active" in user.on("m2", "systemctl", "is-active", "keepalived").split())
    assert user.holders() == ["m1"]
    user.preflight(endpoint_lb_hosts=STAYING).succeeded()
    assert user.found() == set()


def test_a_new_member_comes_with_all_others(user: Looker) -> None:
    """Alone it wouldn't be heard by those that don't know it, and would take the VIP that they hold."""
    run = user.site("--limit", "m3").failed()
    assert "members_left_out" in run.output and "isn't a member for m1, m2" in run.output
    skipped = user.site("--check", "--limit", "m3", "--skip-tags", "preflight").failed()
    assert "isn't a member for m1, m2" in skipped.output


def test_they_are_closed_again(user: Looker) -> None:
    user.sh("m2", "ufw allow 8080/tcp")
    user.playbook("playbooks/site.yml", "--tags", "network", endpoint_lb_hosts=STAYING, endpoint_vrrp_filter=False,
                  endpoint_accept_findings=[code for code, _host in CLOSED])
    firewalld, ufw = opened(user)
    assert "vrrp" not in firewalld and "6443" not in firewalld
    assert "vrrp" not in ufw and "6443" not in ufw
    assert "ufw allow 22/tcp" in ufw and "ufw allow 8080/tcp" in ufw
    assert filtered(user) == [False] * 3
    assert not user.on("m1", "sh", "-c", "ls " + FILES).strip()


def test_or_by_hand_as_advised(user: Looker) -> None:
    user.preflight(endpoint_lb_hosts=STAYING).failed()
    user.follow(user.file, "firewall_drops_vrrp", host="m1")
    user.follow(user.file, "firewall_drops_clients", host="m1")
    user.follow(user.file, "firewall_drops_vrrp", host="m2")
    user.follow(user.file, "firewall_drops_clients", host="m2")
    user.preflight(endpoint_lb_hosts=STAYING).succeeded()
    assert user.found() == set()
