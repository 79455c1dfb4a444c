#!/bin/sh
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
exec curl --silent --fail --insecure --max-time 1 --output /dev/null "https://127.0.0.1:$1/livez"
