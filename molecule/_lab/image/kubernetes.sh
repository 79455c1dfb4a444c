#!/bin/sh
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Turns a lab host into one that can be a node of Kubernetes. Run by mmdebstrap as: kubernetes.sh ROOT
# The binary and the images of Kubernetes are mounted at /opt/kubernetes when a host starts.
set -eu
root=$1

for program in kubelet kubeadm kubectl; do
    ln -s /opt/kubernetes/kubernetes "$root/usr/local/bin/$program"
done

mkdir -p "$root/etc/containerd" "$root/etc/cni/net.d" "$root/etc/kubernetes/manifests" "$root/var/lib/kubelet"
cat >"$root/etc/containerd/config.toml" <<'CONTAINERD'
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "kubernetes.test/pause:3.10.1"
  # To lower a process's score takes CAP_SYS_RESOURCE, which this container may lack.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
CONTAINERD
# A network for pods within each node: enough for nodes to be ready.
cat >"$root/etc/cni/net.d/10-lab.conflist" <<'CNI'
{
  "cniVersion": "1.0.0",
  "name": "lab",
  "plugins": [
    {"type": "ptp", "ipMasq": false, "ipam": {"type": "host-local", "ranges": [[{"subnet": "198.19.255.0/24"}]]}}
  ]
}
CNI

cat >"$root/etc/systemd/system/lab-images.service" <<'UNIT'
[Unit]
Description=Import container images
After=containerd.service
Requires=containerd.service
Before=kubelet.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/lab-images

[Install]
WantedBy=multi-user.target
UNIT
cat >"$root/usr/local/sbin/lab-images" <<'SCRIPT'
#!/bin/sh
# Each archive once; a changed one again.
set -eu
mkdir -p /var/lib/lab-images
for archive in /opt/kubernetes/images.tar /opt/images/*.tar; do
    [ -f "$archive" ] || continue
    mark=/var/lib/lab-images/$(stat --format '%i-%Y-%s' "$archive")
    [ ! -e "$mark" ] || continue
    ctr --namespace k8s.io images import --no-unpack=false "$archive"
    : >"$mark"
done
SCRIPT
chmod 0755 "$root/usr/local/sbin/lab-images"

# As kubeadm's own package has it, except that it waits for its configuration instead of failing until it is there.
cat >"$root/etc/systemd/system/kubelet.service" <<'UNIT'
[Unit]
Description=kubelet
After=containerd.service network-online.target
Wants=containerd.service network-online.target
ConditionPathExists=/var/lib/kubelet/config.yaml

[Service]
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
ExecStart=/usr/local/sbin/lab-kubelet
Restart=always
RestartSec=2
StartLimitInterval=0

[Install]
WantedBy=multi-user.target
UNIT
cat >"$root/usr/local/sbin/lab-kubelet" <<'SCRIPT'
#!/bin/sh
# With a cluster where kubeadm has been, otherwise alone with its static pods.
set -eu
set -- --config=/var/lib/kubelet/config.yaml
for name in bootstrap-kubelet kubelet; do
    [ ! -e "/etc/kubernetes/$name.conf" ] || cluster=1
done
if [ -n "${cluster:-}" ]; then
    set -- "$@" --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf
else
    set -- "$@" --container-runtime-endpoint=unix:///run/containerd/containerd.sock
fi
# shellcheck disable=SC2086 # kubeadm writes several arguments.
exec kubelet "$@" ${KUBELET_KUBEADM_ARGS:-}
SCRIPT
chmod 0755 "$root/usr/local/sbin/lab-kubelet"
# The machine's kernel has what it has.
chroot "$root" systemctl mask systemd-modules-load.service
chroot "$root" systemctl enable containerd.service lab-images.service kubelet.service

# A node forwards its pods' packets; the administrator sets that up, says kubeadm's preflight.
mkdir -p "$root/etc/sysctl.d"
echo 'net.ipv4.ip_forward = 1' >"$root/etc/sysctl.d/50-node.conf"

# The kubelet wants these values and would set them for the whole machine; it shall find them set already. Its mounts
# must reach its containers.
cat >"$root/usr/local/sbin/lab-init" <<'INIT'
#!/bin/sh
mount --make-rshared /
mount --bind /proc/sys/net /proc/sys/net && mount -o remount,rw,bind /proc/sys/net
set -- vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
    kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000
for setting; do
    name=${setting%=*}
    file=/usr/local/share/lab-sysctl/$name
    mkdir -p "${file%/*}"
    echo "${setting#*=}" >"$file"
    mount --bind "$file" "/proc/sys/$name"
done
exec /sbin/init
INIT
chmod 0755 "$root/usr/local/sbin/lab-init"
