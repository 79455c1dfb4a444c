#!/bin/sh
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The image's own network is the container's; whoever wants a manager starts it. Run by mmdebstrap as: managers.sh ROOT
set -eu
chroot "$1" systemctl disable firewalld ufw NetworkManager NetworkManager-wait-online NetworkManager-dispatcher
