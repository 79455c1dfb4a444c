#!/bin/sh
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Turns a fresh Debian root file system into a lab host. Run by mmdebstrap as: customize.sh ROOT
set -eu
root=$1

# Labs have no way out, yet roles shall install packages for real: the packages that they want, with all that these
# pull in, become a local repository, which is then the only one.
chroot "$root" apt-get clean
chroot "$root" apt-get install --download-only --yes --quiet haproxy keepalived
mkdir -p "$root/srv/apt"
mv "$root"/var/cache/apt/archives/*.deb "$root/srv/apt/"
(
    cd "$root/srv/apt"
    for deb in *.deb; do
        dpkg-deb --field "$deb"
        printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' \
            "$deb" "$(stat --format %s "$deb")" "$(sha256sum "$deb" | cut -d ' ' -f 1)"
    done >Packages
    # Without it apt guesses at compressed indices first and complains about each.
    {
        printf 'Suite: lab\nDate: %s\nSHA256:\n' "$(date -Ru)"
        printf ' %s %s Packages\n' "$(sha256sum Packages | cut -d ' ' -f 1)" "$(stat --format %s Packages)"
    } >Release
)
rm -rf "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/* "$root"/var/lib/apt/lists/*
echo 'deb [trusted=yes] file:/srv/apt ./' >"$root/etc/apt/sources.list"
chroot "$root" apt-get update --quiet

# Timers that would work in the middle of a measurement, and consoles that do not exist.
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer \
    systemd-tmpfiles-clean.timer console-getty.service getty.target systemd-firstboot.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
ln -sf /lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
: >"$root/etc/machine-id"

# Root comes in by key only, which is Debian's default; sessions need no logind here.
mkdir -p "$root/etc/ssh/sshd_config.d"
printf 'UsePAM no\nMaxStartups 100\nMaxSessions 100\n' >"$root/etc/ssh/sshd_config.d/lab.conf"
sed -i 's/^root:[^:]*:/root:*:/' "$root/etc/shadow"

# A host sets its own network's sysctls; the rest of /proc/sys is the machine's, and stays read-only.
mkdir -p "$root/usr/local/sbin"
cat >"$root/usr/local/sbin/lab-init" <<'INIT'
#!/bin/sh
mount --bind /proc/sys/net /proc/sys/net && mount -o remount,rw,bind /proc/sys/net
exec /sbin/init
INIT
chmod 0755 "$root/usr/local/sbin/lab-init"
rm -f "$root"/usr/lib/sysctl.d/*.conf "$root"/etc/sysctl.d/*.conf
# Every host gets keys of its own when a lab starts it.
rm -f "$root"/etc/ssh/ssh_host_*
