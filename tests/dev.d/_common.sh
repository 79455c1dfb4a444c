# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# What the scripts beside this file share. Source it first:
#     # shellcheck source=tests/dev.d/_common.sh
#     . "$(dirname "$0")/_common.sh"
#
#   say TEXT...                     announce what is being done, with the time since the command began
#   die TEXT...                     say what is wrong and stop
#   step TEXT -- COMMAND...         run something long: its output goes to a log, the wait stays visible
#   venv NAME FILE [PYTHON]         a virtual environment with the requirements in FILE; prints its path
#   collection_copy [NAME]          the checkout as …/ansible_collections/kubeha/apiserver; prints its path
#   need_apt PACKAGE...             Debian packages: installed when root, otherwise named
#   need_command COMMAND PACKAGE    as need_apt, unless COMMAND is there already
#   lab_packages                    all that podman and the image builds need
#   enter_lab_network "$@"          where a normal user runs a script that talks to labs: start it anew inside

set -euo pipefail
export LC_ALL=C.UTF-8

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
CACHE=${KUBEHA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kubeha}
LOGS=$CACHE/logs
export KUBEHA_CACHE=$CACHE
# A stage is part of a longer run: its clock began earlier.
export KUBEHA_BEGAN=${KUBEHA_BEGAN:-$(date +%s)}
mkdir -p "$LOGS"
# keepalived, haproxy, iptables and useradd are not on a normal user's path in Debian.
case ":$PATH:" in *:/usr/sbin:*) ;; *) PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin ;; esac

elapsed() {
    local seconds=$(($(date +%s) - KUBEHA_BEGAN))
    printf '%d:%02d' $((seconds / 60)) $((seconds % 60))
}

# To stderr: several of the functions here print a result on stdout.
say() { printf '[%5s] %s\n' "$(elapsed)" "$*" >&2; }

die() {
    printf '[%5s] ERROR: %s\n' "$(elapsed)" "$*" >&2
    exit 1
}

step() {
    local text=() log name pid status=0 began last now
    while [ "$1" != -- ]; do text+=("$1"); shift; done
    shift
    name=$(printf '%s' "${text[*]}" | tr -c 'A-Za-z0-9.' '-' | cut -c1-60)
    log=$LOGS/$name.log
    say "${text[*]} ..."
    began=$EPOCHSECONDS
    last=$began
    "$@" >"$log" 2>&1 &
    pid=$!
    # Interrupting us must not leave it behind.
    trap 'kill "$pid" 2>/dev/null || true' INT TERM
    while kill -0 "$pid" 2>/dev/null; do
        # What is over soon isn't waited for much longer.
        if [ $((EPOCHSECONDS - began)) -lt 5 ]; then sleep 0.2; else sleep 1; fi
        now=$EPOCHSECONDS
        if [ $((now - last)) -ge 15 ]; then
            last=$now
            say "  ... $((now - began)) s: $(tail -n 1 "$log" | tr -d '\r' | cut -c1-100)"
        fi
    done
    wait "$pid" || status=$?
    trap - INT TERM
    if [ "$status" -ne 0 ]; then
        tail -n 40 "$log" | sed 's/^/        | /' >&2
        die "${text[*]}: failed with $status. All of its output: $log"
    fi
    say "  done in $((EPOCHSECONDS - began)) s"
}

venv() {
    local name=$1 file=$2 python=${3:-${KUBEHA_PYTHON:-python3}} key path
    command -v "$python" >/dev/null || die "$python is not installed"
    "$python" -c 'import ensurepip, venv' 2>/dev/null || need_apt python3-venv
    # Recreated when the requirements, the interpreter or the place of the cache change: its programs name that place.
    key=$({ cat "$file"; "$python" -VV; } | sha256sum | cut -c1-12)
    mkdir -p "$CACHE/venv"
    path=$(cd "$CACHE/venv" && pwd -P)/$name-$key
    (
        flock 9
        [ -e "$path/.complete" ] && [ -x "$(sed -n '1s/^#!//p' "$path/bin/pip")" ] && exit 0
        rm -rf "$path"
        step "Creating the Python environment '$name'" -- _create_venv "$path" "$file" "$python"
        touch "$path/.complete"
    ) 9>"$CACHE/venv/$name.lock" || exit 1
    printf '%s\n' "$path"
}

_create_venv() {
    "$3" -m venv "$1" && "$1/bin/python" -m pip install --disable-pip-version-check --no-input -r "$2"
}

# ansible-test, Molecule and the playbooks' FQCNs want a real directory of this shape, and a symlink is refused.
# What git ignores stays out. NAME separates callers that must not see each other's copy change.
# KUBEHA_COLLECTION, set by `./dev test`, makes all its stages look at one and the same state.
collection_copy() {
    local name=${1:-main} tree target
    if [ -n "${KUBEHA_COLLECTION:-}" ]; then
        printf '%s\n' "$KUBEHA_COLLECTION"
        return
    fi
    need_command git git
    tree=$CACHE/tree
    [ "$name" = main ] || tree=$CACHE/tree-$name
    target=$tree/ansible_collections/kubeha/apiserver
    mkdir -p "$target"
    (
        flock 9
        cd "$ROOT"
        python3 - "$target" <<'PYTHON'
import filecmp, os, pathlib, shutil, subprocess, sys

target = pathlib.Path(sys.argv[1])
listing = subprocess.run(
    ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    check=True, capture_output=True, text=True,
).stdout
wanted = {name for name in listing.split("\0") if name and os.path.isfile(name)}
# Results of earlier runs live in the copy only.
kept = ("tests/output/", ".ansible/")
for path in sorted(target.rglob("*"), reverse=True):
    name = path.relative_to(target).as_posix()
    if name.startswith(kept) or name + "/" in kept:
        continue
    if path.is_dir() and not path.is_symlink():
        if not any(path.iterdir()):
            path.rmdir()
    elif name not in wanted:
        path.unlink()
for name in sorted(wanted):
    path = target / name
    if path.is_file() and not path.is_symlink() and filecmp.cmp(name, path, shallow=False):
        path.chmod(os.stat(name).st_mode)
        continue
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(name, path, follow_symlinks=False)
PYTHON
    ) 9>"$tree/.lock" || die "could not copy the checkout to $target"
    printf '%s\n' "$target"
}

need_command() {
    command -v "$1" >/dev/null || need_apt "$2"
    command -v "$1" >/dev/null || die "$1 is still missing after $2 was installed"
}

need_apt() {
    local missing=() package
    # enter_lab_network has looked already, where it could see them.
    [ -z "${KUBEHA_ROOTLESS:-}" ] || return 0
    command -v dpkg-query >/dev/null ||
        die "these packages (by their Debian names) are needed, and this is no Debian or Ubuntu: $*"
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        die "packages are missing and only root can install them: sudo apt-get install ${missing[*]}"
    fi
    step "Installing packages: ${missing[*]}" -- _apt_install "${missing[@]}"
}

# Lists have a lock that apt doesn't wait for.
_apt_install() {
    export DEBIAN_FRONTEND=noninteractive
    exec 8>"$CACHE/apt.lock"
    flock 8
    local options=(-o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
    apt-get "${options[@]}" update || true
    apt-get "${options[@]}" install --yes --no-install-recommends "$@"
}

# Nobody's own settings. While it waits, Ansible looks at its workers each millisecond, and it has SSH compress what is
# compressed: both cost processor time.
ansible_settings() {
    printf '[defaults]\ninternal_poll_interval = 0.02\n'
    printf '[ssh_connection]\nssh_args = -o ControlMaster=auto -o ControlPersist=60s\n'
}

# What the lab runs on. netavark asks for iptables and does not depend on it.
lab_packages() {
    need_apt podman netavark aardvark-dns runc iptables mmdebstrap debian-archive-keyring \
        python3-venv openssh-client openssl uidmap slirp4netns fuse-overlayfs
}

# The lab's networks are this machine's where root runs podman. A normal user's containers have networks in a
# namespace of their own: there the whole script starts anew, so that SSH and the measurements reach them.
# Images are built before, because podman hides what apt needs in there: LAB_SUITES names them.
enter_lab_network() {
    local suite
    [ "$(id -u)" -ne 0 ] || return 0
    rootless_possible
    lab_packages
    for suite in ${LAB_SUITES:-bookworm}; do
        PYTHONPATH=$ROOT/molecule PYTHONDONTWRITEBYTECODE=1 python3 -m _lab image "$suite" >/dev/null
    done
    say "Not root: going on inside of podman's network namespace"
    KUBEHA_ROOTLESS=1 exec podman unshare --rootless-netns "$0" "$@"
}

# Everything that is missing, at once.
rootless_possible() {
    local missing=() user
    user=$(id -un)
    if [ ! -f /sys/fs/cgroup/cgroup.controllers ]; then
        missing+=("systemd in a user's containers needs cgroups version 2, and this machine mounts version 1")
    elif [ ! -w "/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)" ] &&
        [ ! -S "${XDG_RUNTIME_DIR:-/run/user/$(id -u)}/bus" ]; then
        missing+=("$user has no cgroup of its own: log in by ssh, console or machinectl shell, not by su, with dbus-user-session installed")
    fi
    grep -qs "^$user:" /etc/subuid && grep -qs "^$user:" /etc/subgid ||
        missing+=("$user has no subordinate ids: sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $user")
    [ -r /dev/net/tun ] && [ -w /dev/net/tun ] || missing+=("/dev/net/tun is not open to $user: sudo chmod 0666 /dev/net/tun")
    unshare --user --map-root-user true 2>/dev/null || missing+=("user namespaces are forbidden to $user")
    [ ${#missing[@]} -eq 0 ] && return 0
    printf '        - %s\n' "${missing[@]}" >&2
    die "labs cannot run as $user for the reasons above; as root they can: sudo ./dev ..."
}
