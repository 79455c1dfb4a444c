# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of kubeadm's guide, typed by hand on the hosts of a lab, and running."""

from __future__ import annotations

import base64

from user import MEMBERS, ROOT, User

GUIDE = ROOT / "tests/unit/plugins/plugin_utils/existing/corpus/kubeadm-services/hosts"
SECRET = "Gu1dePwd"
# The guide's newer words for the check. The API servers' stand-ins answer no greeting of SSLv3's.
NEWER = {"    option httpchk GET /healthz\n": "    option httpchk\n    http-check connect ssl\n"
         "    http-check send meth GET uri /healthz\n", "    option ssl-hello-chk\n": "",
         ":6443 check\n": ":6443 check verify none\n"}
FILES = ("etc/keepalived/keepalived.conf", "etc/keepalived/check_apiserver.sh", "etc/haproxy/haproxy.cfg")

THEIRS = ("stat -c '%n %a %U:%G' /etc/haproxy/haproxy.cfg /etc/keepalived/*; "
          "sha256sum /etc/haproxy/haproxy.cfg /etc/keepalived/*; cat /proc/sys/net/ipv4/ip_nonlocal_bind; "
          "systemctl is-active haproxy keepalived; systemctl is-enabled haproxy keepalived")


def theirs(user: User) -> dict[str, str]:
    """What comes back after a takeover, by host: files with owner and mode, units, the setting of the kernel."""
    return {host: user.on(host, "sh", "-c", THEIRS) for host in MEMBERS}


def ours(user: User) -> list[str]:
    """What is on any host of this collection's."""
    return [path for host in MEMBERS for path in
            user.on(host, "find", "/etc", "/usr/libexec", "/var/lib", "-name", "*kubeha*").split()]


def by_hand(user: User) -> None:
    """On all hosts, until the one that the guide calls MASTER holds."""
    addresses = {"198.51.100.1%d" % number: user.lab.state["hosts"][name]["addresses"][0]
                 for number, name in enumerate(MEMBERS, 1)}
    addresses["198.51.100.100"] = user.vip
    for host in MEMBERS:
        user.on(host, "sh", "-euc", "DEBIAN_FRONTEND=noninteractive; export DEBIAN_FRONTEND; apt-get update; "
                "apt-get install --yes --no-install-recommends haproxy keepalived")
        for name in FILES:
            text = (GUIDE / host / name).read_text()
            for old, new in addresses.items():
                for end in (":", "\n", "/", " "):
                    text = text.replace(old + end, new + end)
            for old, new in NEWER.items():
                text = text.replace(old, new)
            lines = ["        auth_pass %s" % SECRET if "auth_pass" in line else line for line in text.splitlines()]
            content = base64.b64encode("".join(line + "\n" for line in lines).encode()).decode()
            user.lab.run(host, "sh", "-euc", "mkdir -p $(dirname /%s); echo %s | base64 -d >/%s; chmod %s /%s" % (
                name, content, name, "0755" if name.endswith(".sh") else "0644", name))
        user.lab.run(host, "systemctl", "enable", "haproxy", "keepalived")
        user.lab.run(host, "systemctl", "restart", "haproxy", "keepalived")
    user.until(lambda: user.holders() == ["cp1"])
