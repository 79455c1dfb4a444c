#!/usr/bin/env bash
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

set -eux

# Something that takes connections, and doesn't speak TLS.
"${ANSIBLE_TEST_PYTHON_INTERPRETER:-python3}" -m http.server --bind 127.0.0.2 18443 >server.log 2>&1 &
server=$!
trap 'kill $server; rm -f server.log' EXIT

ansible-playbook -i inventory.yml test.yml "$@"
ansible-playbook -i inventory.yml test.yml --check "$@"
