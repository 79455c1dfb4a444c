#!/bin/sh
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Post JSON to a web hook. HEADERS is a file that the user of endpoint_notify_user can read and nobody else, such as
#   Authorization: Bearer ...
set -eu
: "${URL:=https://hooks.example.org/keepalived}" "${HEADERS:=/etc/vip-moved/headers}"

# No value needs to be quoted: names have letters, digits, dots, _ and - only.
printf '{"endpoint": "%s", "instance": "%s", "host": "%s", "state": "%s", "previous": "%s", "time": "%s"}\n' \
    "$KUBEHA_ENDPOINT" "$KUBEHA_INSTANCE" "$KUBEHA_HOST" "$KUBEHA_STATE" "$KUBEHA_PREVIOUS_STATE" "$KUBEHA_TIME" |
    curl --silent --show-error --fail --max-time 15 --output /dev/null --header "@$HEADERS" \
        --header "Content-Type: application/json" --data-binary @- "$URL"
