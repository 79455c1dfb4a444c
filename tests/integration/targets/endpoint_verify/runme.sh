#!/usr/bin/env bash
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

set -eux

export ANSIBLE_GATHERING=explicit
verify() {
    ansible-playbook -i inventory.yml "$@"
}

verify test.yml "$@"
verify test.yml --check "$@"

# What hosts have registered, in one batch, in batches and in a part of the inventory.
verify test_registered.yml "$@"
verify test_serial.yml "$@"
verify test_registered.yml --limit cp2,cp3 -e expected_holder= "$@"

# People see the table, once, and know where to look.
if verify test_failure.yml >failure.log 2>&1; then
    exit 1
fi
grep -q '^kube-apiserver  cp2   BACKUP 149  holds ' failure.log
grep -q '^ERROR two_holders: kube-apiserver: 198.51.100.100 is held by cp1, cp2$' failure.log
grep -q 'as shown above' failure.log
rm failure.log

# Of many endpoints each has a line, and the failure says what is wrong without all of their hosts.
if verify test_summary.yml >failure.log 2>&1; then
    exit 1
fi
grep -q '^kube-apiserver  198.51.100.100  cp1          haproxy changed on 2$' failure.log
grep -q '^four            198.51.100.104  nobody seen  haproxy changed on 2; stopped: cp3: the port is taken; not' failure.log
grep -q '^4 endpoints: 1 as planned, 1 stopped, 2 not as planned. 2 hosts were changed.$' failure.log
grep -q 'ERROR backend_missing: two, three, four: HAProxy has no server cp1' failure.log
if grep -E 'PLANNED|as shown above' failure.log; then
    exit 1
fi
rm failure.log
