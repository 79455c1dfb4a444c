#!/usr/bin/env bash
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

set -eux

# A plan contacts nobody: a connection to any host of this inventory would fail.
export ANSIBLE_GATHERING=explicit
plan() {
    ansible-playbook -i inventory/hosts.yml --vault-password-file vault-password "$@"
}

plan test_module.yml "$@"
plan test_filters.yml "$@"
plan test_values.yml "$@"
plan test_variables.yml "$@"
plan test_variables.yml --check "$@"
plan test_disagreement.yml "$@"

# What is typed on a command line arrives as text.
plan test_extra_vars.yml -e endpoint_port=9443 -e endpoint_failback=no -e endpoint_failback_delay=0 "$@"

# A secret is never shown, at whatever verbosity.
plan test_secret.yml -vvvv >secret.log 2>&1
test "$(grep -c 'Plan with a password that is too long' secret.log)" -ge 1
if grep 'hunter2' secret.log; then
    exit 1
fi
rm secret.log
