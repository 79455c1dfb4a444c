#!/bin/sh
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Let a cloud lead a floating IP to whoever holds the VIP; here by Hetzner's API. HEADERS is a file as in webhook.sh.
set -eu
: "${API:=https://api.hetzner.cloud/v1}" "${METADATA:=http://169.254.169.254/hetzner/v1/metadata}"
: "${FLOATING_IP:=4711}" "${HEADERS:=/etc/vip-moved/headers}"

# The next holder moves it, not the one that has lost it.
[ "$KUBEHA_STATE" = MASTER ] || exit 0
server=$(curl --silent --show-error --fail --max-time 3 "$METADATA/instance-id")
printf '{"server": %d}\n' "$server" |
    curl --silent --show-error --fail --max-time 5 --retry 2 --output /dev/null --header "@$HEADERS" \
        --header "Content-Type: application/json" --data-binary @- "$API/floating_ips/$FLOATING_IP/actions/assign"
