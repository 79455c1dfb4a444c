#!/bin/sh
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

errorExit() {
    echo "*** $*" 1>&2
    exit 1
}

curl -sfk --max-time 2 https://localhost:8443/healthz -o /dev/null || errorExit "no answer from localhost:8443"
if ip addr | grep -q 198.51.100.100; then
    curl -sfk --max-time 2 https://198.51.100.100:8443/healthz -o /dev/null || errorExit "no answer from 198.51.100.100:8443"
fi
