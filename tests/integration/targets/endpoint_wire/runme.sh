#!/usr/bin/env bash
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Two hosts in network namespaces, joined by one cable. Real conflicts are tried in tests/wire.
set -eux

work=$(mktemp -d)
export WORK=$work
cleanup() {
    for host in one two; do ip netns del "kubeha-it-$$-$host" || true; done
    rm -rf "$work"
}
trap cleanup EXIT

for host in one two; do
    ip netns add "kubeha-it-$$-$host"
    printf '#!/bin/sh\nexec ip netns exec kubeha-it-%s-%s %s "$@"\n' "$$" "$host" \
        "${ANSIBLE_TEST_PYTHON_INTERPRETER:-python3}" >"$work/python-$host"
    chmod +x "$work/python-$host"
done
ip -n "kubeha-it-$$-one" link add eth0 type veth peer name eth0 netns "kubeha-it-$$-two"
index=0
for host in one two; do
    index=$((index + 1))
    ip -n "kubeha-it-$$-$host" address add "198.18.3.$index/24" dev eth0
    ip -n "kubeha-it-$$-$host" address add "2001:db8:3::$index/64" dev eth0 nodad
    ip -n "kubeha-it-$$-$host" link set eth0 up
done

ansible-playbook -i inventory.yml test.yml "$@"
ansible-playbook -i inventory.yml test.yml --check "$@"
