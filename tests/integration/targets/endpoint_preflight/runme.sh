#!/usr/bin/env bash
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# One host in a network namespace of its own, where things are put in the way for real. Daemons and managers of a whole
# host are tried by `./dev preflight`.
set -eux

work=$(mktemp -d)
export WORK=$work
namespace=kubeha-pf-$$
listener=
cleanup() {
    [ -z "$listener" ] || kill "$listener" || true
    ip netns del "$namespace" || true
    rm -rf "$work"
}
trap cleanup EXIT

python=${ANSIBLE_TEST_PYTHON_INTERPRETER:-python3}
ip netns add "$namespace"
printf '#!/bin/sh\nexec ip netns exec %s %s "$@"\n' "$namespace" "$python" >"$work/python"
chmod +x "$work/python"
ip -n "$namespace" link add eth0 type veth peer name peer
ip -n "$namespace" address add 198.18.4.11/24 dev eth0
ip -n "$namespace" link set eth0 up
ip -n "$namespace" link set peer up
ip -n "$namespace" link set lo up

look() {
    ansible-playbook -i inventory.yml test.yml -e "{expected: [$1]}" "${@:2}"
}

# Nothing is in the way.
look "" "$@"
look "" --check "$@"

# Somebody has the ports.
ip netns exec "$namespace" "$python" -c '
import socket, time
held = [socket.create_server(("127.0.0.1", port)) for port in (8443, 8481)]
time.sleep(600)' &
listener=$!
sleep 1
look "port_taken, health_port_taken" "$@"
look "port_taken, health_port_taken" -e '{accepted: [port_taken, health_port_taken]}' "$@"

# People see the table, once, and know where to look.
if look "" -e fail=true -e show=all "$@" >"$work/failure.log" 2>&1; then
    exit 1
fi
grep -Eq '^ERROR +port_taken +cp1 +python[0-9.]* \(process [0-9]+.*\) listens on 127\.0\.0\.1:8443$' "$work/failure.log"
grep -q 'as shown above' "$work/failure.log"
kill "$listener"
wait "$listener" || true
listener=

# A packet filter that lets in SSH only, or that drops what a holder sends.
if command -v nft; then
    ip netns exec "$namespace" nft -f - <<'NFT'
table inet filter {
    chain input {
        type filter hook input priority 0; policy drop;
        ct state established,related accept
        iifname lo accept
        tcp dport 22 accept
    }
}
NFT
    look "firewall_drops_vrrp, firewall_drops_clients" "$@"
    # The command that the finding names mends it.
    ip netns exec "$namespace" nft 'insert rule inet filter input ip saddr { 198.18.4.12, 198.18.4.13 } meta l4proto 112 accept'
    ip netns exec "$namespace" nft 'insert rule inet filter input tcp dport 8443 accept'
    look "" "$@"
    ip netns exec "$namespace" nft 'flush ruleset; table ip f { chain o { type filter hook output priority 0; ip daddr 198.18.4.12 drop; }; }'
    look "firewall_drops_vrrp" "$@"
    ip netns exec "$namespace" nft 'flush ruleset'
else
    echo "nft is not installed: packet filters are left out"
fi

# The interface.
ip -n "$namespace" link set peer down
look "interface_no_carrier" "$@"
ip -n "$namespace" link set eth0 down
ip -n "$namespace" link set eth0 name eth9
look "interface_missing" "$@"
