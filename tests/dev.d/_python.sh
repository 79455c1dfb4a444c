# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# Pythons, and ansible-test without its download server. Source _common.sh first.
#
#   python_for VERSION...           the first of these Pythons that runs; prints its path, fails if there is none
#   left_out TEXT...                say loudly what was not tested, again at the end of the script
#   sanity_whole VENV ARGUMENT...   all of ansible-test sanity; a test that is skipped is a failure
#   ansible_test VENV ARGUMENT...   ansible-test of that environment, in the current collection
#   in_memory                       have tests write into memory, where there's enough of it

# pyenv's shims stand on the path for versions that aren't enabled, and fail: so each is tried.
python_for() {
    local version candidate
    for version in "$@"; do
        for candidate in "$HOME"/.pyenv/versions/"$version"*/bin/python "python$version"; do
            "$candidate" -c 'import sys; print(sys.executable)' 2>/dev/null && return
        done
    done
    return 1
}

_left_out=()
left_out() {
    _left_out+=("$*")
    say "NOT TESTED: $*"
}

say_left_out() {
    local text
    for text in "${_left_out[@]}"; do say "NOT TESTED: $text"; done
}
trap say_left_out EXIT

ansible_test() {
    local environment=$1 python
    shift
    _ansible_test_home "$environment/bin/python"
    python=$(readlink -f "$environment/bin/python")
    # ansible-test looks for pythonX.Y on the path, and hands little of the environment on.
    env -u PYTHONPATH HOME="$CACHE/ansible-test" PATH="$environment/bin:$(dirname "$python"):$PATH" \
        "$environment/bin/ansible-test" "$@"
}

sanity_whole() {
    local status=0
    ansible_test "$1" sanity --local --color no "${@:2}" 2>&1 | tee "$LOGS/sanity" || status=$?
    echo "---- what it found:"
    # A test whose tool is missing is skipped with a warning: no test at all, and green.
    if grep -E -A 3 'ERROR|FATAL|[Ss]kipping|not found|Unable to' "$LOGS/sanity"; then
        status=1
    fi
    return $status
}

# ansible-test makes environments of its own under $HOME, and starts each with a get-pip.py from a server of the
# Ansible project. It takes that file from its cache if it's there: this one does the same with pip from the index.
_ansible_test_home() {
    local python=$1 home=$CACHE/ansible-test downloads version
    downloads=$home/.ansible/test/cache
    mkdir -p "$downloads" "$home/.config/pip"
    {
        echo "[global]"
        "$python" -m pip config list | sed -n "s/^[a-z:]*\.\([a-z-]*\)='\(.*\)'$/\1 = \2/p" | awk '!seen[$1]++'
    } >"$home/.config/pip/pip.conf"
    ls "$downloads"/pip-*.whl >/dev/null 2>&1 ||
        "$python" -m pip download -q --no-deps -d "$downloads" pip==25.2
    for version in 23_1_2 24_2 25_2; do
        cat >"$downloads/get_pip_$version.py" <<'PYTHON'
import pathlib, runpy, sys

sys.path.insert(0, str(next(pathlib.Path(__file__).parent.glob("pip-*.whl"))))
sys.argv = ["pip", "install", *[a for a in sys.argv[1:] if a not in ("--no-setuptools", "--no-wheel")]]
runpy.run_module("pip", run_name="__main__", alter_sys=True)
PYTHON
    done
}

# Tests write and sync thousands of small files, which memory is quicker at.
in_memory() {
    local memory
    memory=$(mktemp -d /dev/shm/kubeha-units.XXXXXX 2>/dev/null) || return 0
    # shellcheck disable=SC2064 # The folder's name is known now.
    trap "rm -rf '$memory'; say_left_out" EXIT
    printf '#!/bin/sh\n' >"$memory/may-run" && chmod u+x "$memory/may-run"
    if [ "$(df --output=avail "$memory" | tail -n 1)" -gt 1000000 ] && "$memory/may-run" 2>/dev/null; then
        export PYTEST_DEBUG_TEMPROOT=$memory
    fi
}
