#!/usr/bin/env bash
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

set -eux

export ANSIBLE_GATHERING=explicit
ansible-playbook -i inventory.yml test.yml "$@"
