# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# Debian's packages start their daemons where they're installed, so they're only unpacked. Source _common.sh first.
#
#   unpacked PACKAGE    prints the folder that has its files, and itself as package.deb

unpacked() {
    local folder=$CACHE/unpacked/$1
    (
        mkdir -p "$CACHE/unpacked"
        flock 9
        [ ! -e "$folder/package.deb" ] || exit 0
        rm -rf "$folder"
        mkdir -p "$folder"
        cd "$folder"
        apt-get download "$1" && dpkg --extract ./*.deb . && mv ./*.deb package.deb
    ) 9>"$CACHE/unpacked-$1.lock" >&2 || die "$1 can't be had from Debian's packages"
    printf '%s\n' "$folder"
}
