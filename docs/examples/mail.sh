#!/bin/sh
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Send a mail by SMTP. A sendmail that needs its group's rights, as Postfix' does, has none here.
set -eu
: "${SERVER:=smtp://198.51.100.25:25}" "${FROM:=keepalived@example.org}" "${TO:=admins@example.org}"

# What nobody has to be woken for.
case $KUBEHA_STATE in
    MASTER | FAULT) ;;
    *) exit 0 ;;
esac
printf '%s\r\n' "From: $FROM" "To: $TO" "Subject: $KUBEHA_ENDPOINT: $KUBEHA_HOST is $KUBEHA_STATE" "" \
    "$KUBEHA_TIME: $KUBEHA_INSTANCE ($KUBEHA_VIPS) on $KUBEHA_HOST was $KUBEHA_PREVIOUS_STATE." |
    curl --silent --show-error --max-time 15 --mail-from "$FROM" --mail-rcpt "$TO" --upload-file - "$SERVER"
